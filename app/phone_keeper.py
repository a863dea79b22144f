"""Keeps the phone process running beside the web process."""

from __future__ import annotations

from app.process_keeper import MOST_FAILURES, ProcessKeeper

__all__ = ["MOST_FAILURES", "PhoneKeeper"]


class PhoneKeeper(ProcessKeeper):
    """Keeps the phone process. While it is `failing` no calls are placed."""

    what = "phone process"
    module = "app.phone_process"

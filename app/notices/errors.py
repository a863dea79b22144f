"""What goes wrong in sending notices."""

from __future__ import annotations


class DeliveryError(RuntimeError):
    """A message was not taken; `str()` says why in one line, without secrets or what a server wrote at length."""

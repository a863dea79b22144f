"""The place in a list, as links carry it."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC

from app.api.paging import read_moment
from app.checks.models import Attempt
from app.checks.repository import Cursor


def pack(attempt: Attempt) -> str:
    """Write the place after this row."""
    plain = f"{attempt.claimed_at.astimezone(UTC).isoformat()}~{attempt.id}"
    return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


def unpack(text: str) -> Cursor:
    """Read a place. Raises ValueError for anything else."""
    try:
        plain = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
        at, _, attempt_id = plain.partition("~")
        moment = read_moment(at)
        if not 0 < int(attempt_id) < 2**63:
            raise ValueError(text)
        return Cursor(moment, int(attempt_id))
    except (binascii.Error, UnicodeError, ValueError) as error:
        raise ValueError(f"not a place in the list: {text!r}") from error

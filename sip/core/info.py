"""Digits that come by INFO, as exchanges and gateways send them beside or instead of RFC 4733 events."""

from __future__ import annotations

from .events import DtmfInfo
from .framing import Request

DIGITS = frozenset("0123456789ABCD*#!")
_NUMBERED = {str(n): digit for n, digit in zip(range(10, 17), "*#ABCD!", strict=True)}
"""Event codes of RFC 4733 table 7 that some write in place of the digit."""


def dtmf_of(request: Request, now: float) -> DtmfInfo | None:
    """Return the digits of an INFO request, None if it holds none."""
    kind = (request.header("content-type") or "").partition(";")[0].strip().lower()
    text = request.body.decode("latin-1")
    if kind == "application/dtmf":
        return _told(request, now, text, None)
    if kind == "application/dtmf-relay":
        fields = dict(_pairs(text))
        duration = fields.get("duration", "")
        known = duration.isascii() and duration.isdigit() and len(duration) < 6
        return _told(request, now, fields.get("signal", ""), int(duration) if known else None)
    return None


def _told(request: Request, now: float, signal: str, duration_ms: int | None) -> DtmfInfo | None:
    signal = signal.strip().upper()
    digits = _NUMBERED.get(signal, signal)
    if not digits or len(digits) > 32 or not set(digits) <= DIGITS:
        return None
    return DtmfInfo(request.call_id, now, digits, duration_ms)


def _pairs(text: str) -> list[tuple[str, str]]:
    found = []
    for line in text.splitlines():
        name, equals, value = line.partition("=" if "=" in line else ":")
        if equals:
            found.append((name.strip().lower(), value.strip()))
    return found

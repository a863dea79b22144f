"""The targets of an attempt: one row for each INVITE, written before it leaves.

One attempt may try a second trunk only if nothing but a 100 came back from the first, so that it alerts a line at
most once. The phone keeps to that; the ledger refuses to write down a target that would break it, and what could
not be written down is not dialled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.checks import repository
from app.checks.models import Attempt, AttemptTarget

PASSED_ON = "passed_on"
_ANSWERED_STATES = ("answered", "confirmed", "connected", "established", "hangingup")
_RANG_STATES = ("ringing", "early")


class SecondAlertError(RuntimeError):
    """The attempt has alerted the line once: it may try no further target."""


async def write(session: AsyncSession, attempt: Attempt, snapshot: Mapping[str, Any]) -> None:
    """Write down what the phone says of one target; a new one ends the one before it.

    Raises `SecondAlertError` for a further target of an attempt that has alerted its line.
    """
    rows = await repository.targets_of(session, attempt.id)
    position = _position(snapshot)
    row = next((row for row in rows if row.position == position), None)
    if row is None:
        row = _next(attempt, rows, position)
        # The row before must be closed in the table before this one opens there.
        await session.flush()
        session.add(row)
    elif row.ended_at is not None:
        return
    row.snapshot = dict(snapshot)
    row.trunk = _text(snapshot.get("trunk")) or row.trunk
    row.uri = (_text(snapshot.get("request_uri")) or row.uri)[:400]
    row.call_id = _text(snapshot.get("call_id")) or row.call_id
    row.alerted = row.alerted or alerts(snapshot)
    await session.flush()


def _next(attempt: Attempt, rows: Sequence[AttemptTarget], position: int) -> AttemptTarget:
    if any(row.alerted for row in rows):
        raise SecondAlertError(f"attempt {attempt.id} has alerted its line: no further target is tried")
    if any(row.position > position for row in rows):
        raise SecondAlertError(f"attempt {attempt.id} is past its target {position}")
    now = clock.now()
    for row in rows:
        _end(row, now, PASSED_ON)
    return AttemptTarget(
        attempt_id=attempt.id, position=position, uri=attempt.target[:400], started_at=now, alerted=False
    )


async def conclude(
    session: AsyncSession,
    attempt: Attempt,
    outcome: str,
    sip_status: int | None = None,
    tries: Sequence[Mapping[str, Any]] = (),
    *,
    released: bool,
) -> None:
    """End every target of an attempt that is over.

    `tries` are the targets as the call's record tells them; `released`: no far end is left to be told.
    """
    now = clock.now()
    rows = await repository.targets_of(session, attempt.id)
    told = {item.get("call_id"): item for item in tries}
    for row in rows:
        row.sip_status = told.get(row.call_id, {}).get("status", row.sip_status)
    if rows and rows[-1].ended_at is None and rows[-1].sip_status is None:
        rows[-1].sip_status = sip_status
    for row in rows:
        _end(row, now, outcome)
        if released:
            row.released_at = row.released_at or now


def alerts(snapshot: Mapping[str, Any]) -> bool:
    """Whether more than a 100 has come back: an early dialog, ringing, or an answer."""
    state = str(snapshot.get("state", "")).lower().replace("_", "")
    return bool(snapshot.get("dialogs")) or state in _ANSWERED_STATES or state in _RANG_STATES


def _end(row: AttemptTarget, now: datetime, outcome: str) -> None:
    if row.ended_at is None:
        row.ended_at, row.outcome = now, outcome


def _position(snapshot: Mapping[str, Any]) -> int:
    """The phone counts from 0, the ledger from 1."""
    number = snapshot.get("position")
    return number + 1 if isinstance(number, int) and number >= 0 else 1


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None

"""Units that call back (回拨): a call to one of our trunks, soon after a check, is recorded beside it.

We do not take such calls: they are refused as ever. Only who calls through the trunk's own server is believed, and
only a call within ten minutes is looked at; numbers that belong to no unit that was just called are not kept.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from app.checks import mitigations, queue
from app.checks.known import numbers_of
from app.checks.models import Attempt
from app.database import Database
from app.directory import repository as directory
from app.errors import OfficeError
from sip.numbers import same_number
from sip.phone import MissedCall
from sip.progress.forwarding import user_of

log = structlog.get_logger(__name__)
WITHIN = timedelta(minutes=10)
BY = "phone"
"""Who recorded it, in the ledger and the audit trail."""
_MOST_SIGNS = 40


async def note_call_back(database: Database, call: MissedCall) -> None:
    """Record a call back beside each order that it answers; a database that fails is worth no call of ours."""
    number = user_of(call.caller) or ""
    at = datetime.fromtimestamp(call.at, UTC)
    try:
        async with database.unit_of_work() as session:
            count = await record(session, number, at)
    except (SQLAlchemyError, OfficeError):
        log.exception("a call back could not be recorded")
        return
    log.info("a call to us was refused", trunk=call.trunk, call_backs=count)


async def record(session: AsyncSession, number: str, at: datetime) -> int:
    """Record a call from this number as a call back, once beside each order; return beside how many."""
    found: dict[int, None] = {}
    for attempt in await queue.called_since(session, at - WITHIN):
        if attempt.check_id not in found and await _is_of(session, number, attempt):
            found[attempt.check_id] = None
    count = 0
    for check_id in found:
        known, _ = await mitigations.of_order(session, check_id)
        if not any(row.kind == "called_back" for row in known):
            await mitigations.record(session, check_id, "called_back", at, BY, number=number[:_MOST_SIGNS])
            count += 1
    return count


async def _is_of(session: AsyncSession, number: str, attempt: Attempt) -> bool:
    """Whether a number is one of the unit that was called."""
    lines = await directory.lines_of_unit(session, attempt.unit_id)
    return bool(number) and any(same_number(number, own) for own in numbers_of(lines))

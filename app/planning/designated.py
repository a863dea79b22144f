"""Calls that a person orders now: 指定抽查 and 核号. They never commit: the caller's unit of work does.

A designated check names a unit or a line, and the reason. It keeps to the caps, stops and exemptions that hold for
drawn checks and counts towards the caps, but in no random statistic. A 核号 call only tells whether a number is right.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.accounts import service as audit
from app.accounts.principal import current, every_unit
from app.checks.alarms import clock_ok, disk_ok
from app.checks.models import SpotCheck
from app.directory import repository as directory
from app.directory.models import DutyLine
from app.errors import BadInputError, ConflictError, Fault, ForbiddenError, NotFoundError
from app.planning import choosing, ledger, permits, repository
from app.planning.approvers import approvers
from app.planning.permits import Asked, Refusal
from app.planning.spec import Caps
from app.settings import Settings

MOST_VERIFICATIONS_A_DAY = 3
_BY_PERSON = ("handover", "night")
"""What a person may allow with a reason, or with somebody's approval."""


@dataclass(frozen=True, slots=True)
class Designation:
    """What is to be called, why, and what is allowed beyond the rules."""

    reason: str
    unit_id: int | None = None
    line_id: int | None = None
    handover_reason: str = ""
    """Why it is called within 15 minutes of a handover; empty: it is not."""
    night_approved_by: str | None = None
    """Supervisor who lets it be called between 00:00 and 06:00."""


async def order(session: AsyncSession, settings: Settings, wanted: Designation, who: str) -> SpotCheck:
    """Order a designated check, due at once.

    Raises `BadInputError`, also for an approval of somebody who may give none, `NotFoundError`, `ForbiddenError` for
    one's own approval, and `ConflictError` that names the rule that forbids the call now.
    """
    if wanted.night_approved_by == who:
        raise ForbiddenError(f"{who} cannot approve their own call at night; somebody else must")
    await _check_approver(session, wanted.night_approved_by, who)
    await _check_office(session)
    lines = await _lines(session, wanted)
    now = clock.now()
    refused: Refusal | None = None
    for line_id in lines:
        line = await ledger.lock_line(session, line_id)
        if line is None:
            continue
        with every_unit():
            # Caps and stops of a line hold whoever asks, also by plans and units that this one does not see.
            refused = await _refusal(session, settings, line, wanted, now)
        if refused is None:
            return await _enter(session, line, wanted, who, now)
    if refused is None:
        refused = Refusal("line", "no line that may be called")
    raise ConflictError(
        f"the check cannot be ordered: {refused.detail}", [Fault(refused.why, refused.detail)]
    )


@dataclass(frozen=True, slots=True)
class Outlook:
    """A line that an order would call, and what is against it now."""

    line: DutyLine
    """With its unit."""
    caps: Caps
    refused: Refusal | None
    """None: it may be called now."""
    verification_refused: str | None
    """Why its number cannot be verified (核号) now; None: it can."""


async def outlook(session: AsyncSession, settings: Settings, line_ids: Sequence[int]) -> list[Outlook]:
    """What an order of these lines would meet now; nothing is entered and nothing is allowed beyond the rules."""
    now = clock.now()
    found = []
    for line_id in line_ids:
        line = await directory.line(session, line_id)
        if line is None:
            continue
        refused = await _refusal(session, settings, line, Designation("", line_id=line_id), now)
        unverified = await _no_verification(session, settings, line, now)
        found.append(Outlook(line, await caps_for(session, line), refused, unverified))
    return found


async def office_fault(session: AsyncSession) -> str | None:
    """What on our own side keeps any call from being ordered now; None where nothing does."""
    try:
        await _check_office(session)
    except ConflictError as error:
        return error.detail
    return None


async def _check_approver(session: AsyncSession, named: str | None, who: str) -> None:
    # Whoever is named stands on record as the one who allowed it; the command line is the office's own.
    if named is None or current() is None or named in await approvers(session, who):
        return
    fault = Fault("night_approved_by", "must be somebody with an account that may approve calls at night")
    raise BadInputError(f"{named} may not approve calls at night", [fault])


async def _check_office(session: AsyncSession) -> None:
    if not await clock_ok(session):
        raise ConflictError("the check cannot be ordered: this machine's clock is off, see the alarms")
    if not await disk_ok(session):
        raise ConflictError(
            "磁盘空间不足，录音无法完整保存，暂不能下达呼叫；请看告警 "
            "(the check cannot be ordered: there is no room to record it, see the alarms)"
        )
    if await repository.newest_prompt(session, "opening") is None:
        raise ConflictError("the check cannot be ordered: there is no approved opening; approve one first")


async def _lines(session: AsyncSession, wanted: Designation) -> Sequence[int]:
    """Keys of the lines that may be called for this, the one to be called first in front."""
    if (wanted.unit_id is None) == (wanted.line_id is None):
        raise BadInputError("name a unit or a line, and one of them", [Fault("unit_id", "or line_id")])
    if wanted.line_id is not None:
        if await ledger.lock_line(session, wanted.line_id) is None:
            raise NotFoundError(f"there is no line {wanted.line_id}")
        return [wanted.line_id]
    assert wanted.unit_id is not None
    if await repository.unit(session, wanted.unit_id) is None:
        raise NotFoundError(f"there is no unit {wanted.unit_id}")
    found = list(await repository.lines_reaching(session, wanted.unit_id))
    secrets.SystemRandom().shuffle(found)
    return found


async def _refusal(
    session: AsyncSession, settings: Settings, line: DutyLine, wanted: Designation, now: datetime
) -> Refusal | None:
    if line.verification != "verified":
        return Refusal("number", _unverified(line))
    if await ledger.open_order(session, line.id) is not None:
        return Refusal("cap", f"a check of line {line.id} is under way")
    asked = Asked(
        now,
        await caps_for(session, line),
        night_approved=wanted.night_approved_by is not None,
        handover_allowed=bool(wanted.handover_reason),
    )
    return await permits.refusal(session, line, asked, settings.zone)


def _unverified(line: DutyLine) -> str:
    if line.verification == "failed":
        return f"nobody answered the 核号 calls of line {line.id}: correct its number first"
    return (
        f"no 核号 call of line {line.id} was answered yet: order one first (POST /api/v1/verification-calls)"
    )


async def caps_for(session: AsyncSession, line: DutyLine) -> Caps:
    """The strictest caps of the running plans that choose a line; the usual ones where none does."""
    found = []
    for plan in await repository.running_plans(session):
        spec = choosing.spec_of(plan)
        if spec is not None and await choosing.chooses(session, spec, line):
            found.append(spec.caps)
    return permits.strictest(found)


async def _enter(
    session: AsyncSession, line: DutyLine, wanted: Designation, who: str, now: datetime
) -> SpotCheck:
    check = _due(line, "designated", wanted.reason, who, now)
    session.add(check)
    await session.flush()
    extra = "".join(
        (
            f"；临近交接班：{wanted.handover_reason}" if wanted.handover_reason else "",
            f"；夜间批准：{wanted.night_approved_by}" if wanted.night_approved_by else "",
        )
    )
    await audit.record(
        session, "designate", f"check:{check.id}", f"line:{line.id} {wanted.reason}{extra}", who
    )
    return check


def _due(line: DutyLine, kind: str, reason: str, who: str, now: datetime) -> SpotCheck:
    return SpotCheck(
        line_id=line.id,
        kind=kind,
        ordered_by=who,
        due_at=now,
        first_due_at=now,
        state="due",
        reason=reason,
        created_at=now,
    )


async def verify_number(
    session: AsyncSession, settings: Settings, line_id: int, reason: str, who: str
) -> SpotCheck:
    """Order an unscored call that tells whether a line's number is right (核号), due at once.

    Raises `NotFoundError` and `ConflictError`.
    """
    await _check_office(session)
    line = await ledger.lock_line(session, line_id)
    if line is None:
        raise NotFoundError(f"there is no line {line_id}")
    now = clock.now()
    with every_unit():
        refused = await _no_verification(session, settings, line, now)
    if refused is not None:
        raise ConflictError(f"the number cannot be verified now: {refused}")
    check = _due(line, "verification", reason or "核号", who, now)
    session.add(check)
    await session.flush()
    await audit.record(session, "verify_number", f"check:{check.id}", f"line:{line.id} {reason}", who)
    return check


async def _no_verification(
    session: AsyncSession, settings: Settings, line: DutyLine, now: datetime
) -> str | None:
    if await ledger.open_order(session, line.id) is not None:
        return f"a check of line {line.id} is under way"
    today = await ledger.count_since(session, line.id, "verification", now - timedelta(days=1))
    if today >= MOST_VERIFICATIONS_A_DAY:
        return f"line {line.id} had {today} such calls within a day"
    # A number that failed is called again on purpose: somebody says that it is right now.
    wide = Caps(line_day=24, line_week=100, least_gap_h=0.5)
    refused = await permits.refusal(session, line, Asked(now, wide, maintenance_allowed=True), settings.zone)
    return None if refused is None or refused.why == "number" else refused.detail

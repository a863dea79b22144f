"""Verbs of checks and the ledger. They never commit: the caller's unit of work does."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.checks import conclusions, permission, queue, repository, targets
from app.checks.conclusions import attach, fail, finish, interrupt, note
from app.checks.guard import check_target
from app.checks.models import LIVE_STATES, Attempt, SpotCheck
from app.checks.rules import rules_of
from app.checks.scripts import script_of
from app.directory.models import DutyLine
from app.planning.models import Plan
from app.settings import Settings, get_settings
from app.trunks.merge import DEMO_TRUNK

__all__ = [
    "DEMO_REASON",
    "TRACE_SUFFIX",
    "LeaseLostError",
    "add_plan",
    "attach",
    "claim",
    "fail",
    "finish",
    "interrupt",
    "journal",
    "order_now",
    "recording_name",
    "refuse",
    "release_due",
    "release_repeats",
    "rules_of",
    "withdraw_demonstration",
]

DEMO_REASON = "演示"
"""How the reason of each check of the demonstration begins."""

TRACE_SUFFIX = ".sip.txt"
"""Of the file with a call's SIP messages, beside its recording."""


class LeaseLostError(RuntimeError):
    """The attempt is no longer this process's: nothing more is dialled for it."""


async def add_plan(session: AsyncSession, name: str, moments: Iterable[tuple[DutyLine, datetime]]) -> Plan:
    """Enter a drawn plan: one planned check for each line and moment."""
    now = clock.now()
    plan = Plan(name=name, created_at=now)
    session.add(plan)
    await session.flush()
    session.add_all(
        SpotCheck(line_id=line.id, plan_id=plan.id, due_at=due_at, reason=f"计划抽查：{name}", created_at=now)
        for line, due_at in moments
    )
    await session.flush()
    return plan


async def order_now(
    session: AsyncSession, line: DutyLine, reason: str, *, kind: str = "designated", who: str = ""
) -> SpotCheck:
    """Order a call of a directory line as soon as the phone is free (指定抽查)."""
    now = clock.now()
    check = SpotCheck(
        line_id=line.id,
        kind=kind,
        ordered_by=who,
        due_at=now,
        first_due_at=now,
        state="due",
        reason=reason,
        created_at=now,
    )
    session.add(check)
    await session.flush()
    return check


async def release_due(session: AsyncSession, now: datetime, grace_s: float) -> tuple[int, int]:
    """Release what is due; return how many were released and how many were missed."""
    return await repository.release(session, now, now - timedelta(seconds=grace_s))


async def withdraw_demonstration(session: AsyncSession, settings: Settings) -> int:
    """Withdraw what a demonstration left behind, unless this is one; return how many checks.

    The demo's extensions mean its simulated lines: on a real trunk they would be somebody's telephones.
    """
    if settings.default_trunk == DEMO_TRUNK:
        return 0
    return await repository.withdraw_due(session, DEMO_REASON)


async def claim(
    session: AsyncSession,
    check_id: int,
    owner: str,
    grace_s: float = math.inf,
    *,
    settings: Settings | None = None,
    lease_s: float | None = None,
    clock_offset_ms: float | None = None,
) -> Attempt | None:
    """Take a due check and write its attempt; None when it is not to be dialled (any more).

    A check that is more than `grace_s` seconds late, or that waited into the night or to a handover, becomes `missed`,
    one that may not be called now `withdrawn` (see `permission`); with earlier calls it is closed with what it has.
    One of a paused plan stays due.

    Raises sqlalchemy.exc.IntegrityError when the line has a live attempt, NeverDialledError when its target
    must not be dialled; then nothing of the unit of work is kept.
    """
    if not await repository.take(session, check_id):
        return None
    settings = settings or get_settings()
    check = await repository.claimed(session, check_id)
    now = clock.now()
    if check.plan is not None and not check.plan.running and not permission.plan_over(check.plan):
        check.state = "due"
        return None
    late = (now - check.due_at).total_seconds() > grace_s
    late = late or (check.kind != "demo" and await permission.slid(session, check, settings, now))
    why = await permission.refused(session, check, settings, now) or ("late" if late else None)
    earlier = await queue.attempts_in(session, check_id)
    if why is not None:
        await _give_up(session, check, why, settings, called=bool(earlier))
        return None
    attempt = Attempt(
        check_id=check.id,
        number=len(earlier) + 1,
        line_id=check.line_id,
        unit_id=check.line.unit_id,
        target=check_target(check.line.target),
        state="claimed",
        owner=owner,
        claimed_at=now,
        lease_until=None if lease_s is None else now + timedelta(seconds=lease_s),
        clock_offset_ms=clock_offset_ms,
        opening_sha256=(await script_of(session, check)).opening_sha256,
    )
    session.add(attempt)
    await session.flush()
    note(session, attempt, "claimed")
    return attempt


async def refuse(session: AsyncSession, check_id: int, settings: Settings) -> None:
    """Withdraw a due check whose target must not be dialled."""
    if await repository.take(session, check_id):
        check = await repository.claimed(session, check_id)
        earlier = await queue.attempts_in(session, check_id)
        await _give_up(session, check, "never_dialled", settings, called=bool(earlier))


async def release_repeats(
    session: AsyncSession, now: datetime, grace_s: float, settings: Settings
) -> tuple[int, int]:
    """Make repeats due whose moment has come; return how many, and how many were too late and are closed instead."""
    late = await queue.late_repeats(session, now - timedelta(seconds=grace_s))
    for check in late:
        await _give_up(session, check, "late", settings, called=True)
    return await queue.release_repeats(session, now), len(late)


async def _give_up(
    session: AsyncSession, check: SpotCheck, why: permission.Why, settings: Settings, *, called: bool
) -> None:
    """End an order that is not called now: with the calls that it has, or without any."""
    if called:
        await conclusions.close(session, check, why, settings)
        return
    check.state = "missed" if why == "late" else "withdrawn"
    check.closed_at, check.closed_why = clock.now(), why
    await session.flush()


async def journal(session: AsyncSession, attempt_id: int, snapshot: dict[str, Any]) -> None:
    """Write down the dialog as the phone sees it: the attempt, and the target that it belongs to.

    Raises `targets.SecondAlertError` for a target that must not be tried any more, and `LeaseLostError` where an
    INVITE is about to leave for an attempt whose lease has run out, or that somebody has concluded.
    """
    attempt = await repository.attempt(session, attempt_id)
    gone = attempt.state not in LIVE_STATES
    expired = attempt.lease_until is not None and attempt.lease_until < clock.now()
    if (gone or expired) and not targets.alerts(snapshot):
        raise LeaseLostError(f"attempt {attempt.id} is no longer ours: nothing is dialled for it")
    if gone:
        return
    await targets.write(session, attempt, snapshot)
    attempt.snapshot = snapshot
    attempt.call_id = _text(snapshot.get("call_id")) or attempt.call_id
    state = state_in(snapshot)
    attempt.started_at = attempt.started_at or clock.now()
    if attempt.state != state:
        await queue.move(session, attempt, state)
        note(session, attempt, state)


def recording_name(attempt: Attempt) -> str:
    """Name of an attempt's sound file, by day, without suffix; the same before and after a crash."""
    return name_of(attempt.claimed_at, attempt.check_id, attempt.id)


def name_of(claimed_at: datetime, check_id: int, attempt_id: int) -> str:
    """The same, of an attempt that is not at hand as a whole."""
    return f"{claimed_at:%Y/%m/%d}/check-{check_id}-attempt-{attempt_id}"


_SNAPSHOT_STATES = {
    "ringing": "ringing",
    "early": "ringing",
    "proceeding": "ringing",
    "connected": "connected",
    "confirmed": "connected",
    "established": "connected",
    "answered": "connected",
}


def state_in(snapshot: dict[str, Any]) -> str:
    """What a call is doing, by the state that its snapshot names."""
    return _SNAPSHOT_STATES.get(str(snapshot.get("state", "")).lower(), "dialling")


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None

"""Verbs of checks and the ledger. They never commit: the caller's unit of work does."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.checks import repository, targets
from app.checks.facts import Facts
from app.checks.guard import check_target
from app.checks.models import (
    LIVE_STATES,
    Attempt,
    AttemptEvent,
    CallFacts,
    Recording,
    SpotCheck,
    StoredVerdict,
)
from app.checks.rules import Exemptions, Rules
from app.checks.verdict import Verdict, judge, judge_failed, judge_interrupted
from app.directory import repository as directory
from app.directory.models import DutyLine
from app.planning.models import Plan
from app.settings import Settings
from app.trunks.merge import DEMO_TRUNK
from sip.record import CallRecord, RecordingInfo

DEMO_REASON = "演示"
"""How the reason of each check of the demonstration begins."""

TRACE_SUFFIX = ".sip.txt"
"""Of the file with a call's SIP messages, beside its recording."""
STOPPED = "phone process ended during the call"


def rules_of(settings: Settings) -> Rules:
    """The rule set with the limits of the settings."""
    return Rules(
        within_s=settings.three_ring_within_s,
        limit_s=settings.three_ring_limit_s,
        finding_s=settings.overtime_finding_s,
        least_ring_s=settings.no_answer_least_ring_s,
    )


async def add_plan(session: AsyncSession, name: str, moments: Iterable[tuple[DutyLine, datetime]]) -> Plan:
    """Enter a drawn plan: one planned check for each line and moment."""
    now = datetime.now(UTC)
    plan = Plan(name=name, created_at=now)
    session.add(plan)
    await session.flush()
    session.add_all(
        SpotCheck(line_id=line.id, plan_id=plan.id, due_at=due_at, reason=f"计划抽查：{name}", created_at=now)
        for line, due_at in moments
    )
    await session.flush()
    return plan


async def order_now(session: AsyncSession, line: DutyLine, reason: str) -> SpotCheck:
    """Order a call of a directory line as soon as the phone is free (指定抽查)."""
    now = datetime.now(UTC)
    check = SpotCheck(line_id=line.id, due_at=now, state="due", reason=reason, created_at=now)
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
    session: AsyncSession, check_id: int, owner: str, grace_s: float = math.inf
) -> Attempt | None:
    """Take a due check and write its attempt; None when it is not to be dialled (any more).

    A check that is more than `grace_s` seconds late becomes `missed`, one of a line that is no longer called
    `withdrawn`; one of a paused plan stays due.

    Raises sqlalchemy.exc.IntegrityError when the line has a live attempt, NeverDialledError when its target
    must not be dialled; then nothing of the unit of work is kept.
    """
    if not await repository.take(session, check_id):
        return None
    check = await repository.claimed(session, check_id)
    now = datetime.now(UTC)
    kept = _kept_back(check, (now - check.due_at).total_seconds() > grace_s)
    if kept is not None:
        check.state = kept
        return None
    attempt = Attempt(
        check_id=check.id,
        line_id=check.line_id,
        unit_id=check.line.unit_id,
        target=check_target(check.line.target),
        state="claimed",
        owner=owner,
        claimed_at=now,
    )
    session.add(attempt)
    await session.flush()
    _note(session, attempt, "claimed")
    return attempt


def _kept_back(check: SpotCheck, late: bool) -> str | None:
    """Return the state of a check that is not to be dialled now, None for one that is."""
    if check.plan is not None and not check.plan.running:
        return "due"
    if not check.line.active:
        return "withdrawn"
    return "missed" if late else None


async def refuse(session: AsyncSession, check_id: int) -> None:
    """Withdraw a due check whose target must not be dialled."""
    if await repository.take(session, check_id):
        check = await repository.claimed(session, check_id)
        check.state = "withdrawn"


async def journal(session: AsyncSession, attempt_id: int, snapshot: dict[str, Any]) -> None:
    """Write down the dialog as the phone sees it: the attempt, and the target that it belongs to.

    Raises `targets.SecondAlertError` for a target that must not be tried any more.
    """
    attempt = await repository.attempt(session, attempt_id)
    if attempt.state not in LIVE_STATES:
        return
    await targets.write(session, attempt, snapshot)
    attempt.snapshot = snapshot
    attempt.call_id = _text(snapshot.get("call_id")) or attempt.call_id
    state = _state_of(snapshot)
    attempt.started_at = attempt.started_at or datetime.now(UTC)
    if attempt.state != state:
        attempt.state = state
        _note(session, attempt, state)


async def finish(
    session: AsyncSession,
    attempt_id: int,
    record: CallRecord,
    settings: Settings,
    *,
    stopped: bool = False,
) -> Verdict:
    """Store the facts of a finished call, its recording and its verdict.

    `stopped`: the phone process is stopping. A call that it hung up for that reason was interrupted; only what
    an operator stopped is `cancelled`.
    """
    if stopped and record.outcome == "cancelled":
        record = dataclasses.replace(record, interrupted=True, errors=(*record.errors, STOPPED))
    attempt = await repository.attempt(session, attempt_id)
    content = record.to_dict()
    started_at = datetime.fromisoformat(record.started_at)
    attempt.call_id = record.call_id
    attempt.started_at = started_at
    attempt.ended_at = started_at + timedelta(milliseconds=record.ended_ms)
    attempt.outcome = record.outcome
    attempt.answered_by = record.answered_by
    attempt.ring_to_answer_ms = record.ring_to_answer_ms
    attempt.ring_to_answer_min_ms = record.ring_to_answer_min_ms
    attempt.rings = record.rings.count
    attempt.post_dial_delay_ms = record.post_dial_delay_ms
    attempt.trunk = record.trunk
    attempt.three_ring = record.three_ring
    session.add(CallFacts(attempt_id=attempt.id, content=content))
    if record.recording is not None:
        _keep_recording(session, attempt, record.recording, repaired=False)
    day = started_at.astimezone(settings.zone).date()
    exempted = await directory.exemptions_on(session, attempt.line_id, day)
    exemptions = Exemptions(**{item.kind: item.reason for item in exempted})
    verdict = judge(Facts.from_json(content), rules_of(settings), exemptions)
    if record.interrupted:
        # The signalling outlived the media engine, or stopped in good order: nobody is left to be told.
        attempt.error = "; ".join(record.errors)
        attempt.released_at = datetime.now(UTC)
    await targets.conclude(
        session, attempt, record.outcome, record.sip_status, content.get("targets") or (), released=True
    )
    _conclude(session, attempt, "interrupted" if record.interrupted else "finished", verdict)
    return verdict


async def fail(session: AsyncSession, attempt_id: int, error: str, settings: Settings) -> Verdict:
    """Conclude an attempt that our side could not carry out."""
    attempt = await repository.attempt(session, attempt_id)
    attempt.error = error
    attempt.ended_at = datetime.now(UTC)
    await targets.conclude(session, attempt, "failed", released=False)
    verdict = judge_failed(rules_of(settings), error)
    _conclude(session, attempt, "failed", verdict)
    return verdict


async def interrupt(
    session: AsyncSession, attempt: Attempt, recording: RecordingInfo | None, settings: Settings
) -> Verdict:
    """Conclude a live attempt of a dead process. Nothing is dialled again; the line is free for a new order."""
    last = attempt.state
    attempt.error = STOPPED
    attempt.ended_at = datetime.now(UTC)
    if recording is not None:
        _keep_recording(session, attempt, recording, repaired=True)
    await targets.conclude(session, attempt, "interrupted", released=False)
    verdict = judge_interrupted(rules_of(settings), f"本机拨测程序在“{_STATE_ZH[last]}”时中断")
    _conclude(session, attempt, "interrupted", verdict)
    return verdict


def attach(session: AsyncSession, attempt: Attempt, recording: RecordingInfo) -> None:
    """Add a recording that was found only after its attempt was concluded."""
    _keep_recording(session, attempt, recording, repaired=True)


def recording_name(attempt: Attempt) -> str:
    """Name of an attempt's sound file, by day, without suffix; the same before and after a crash."""
    return f"{attempt.claimed_at:%Y/%m/%d}/check-{attempt.check_id}-attempt-{attempt.id}"


_STATE_ZH = {"claimed": "登记", "dialling": "拨号", "ringing": "振铃", "connected": "通话"}
_SNAPSHOT_STATES = {
    "ringing": "ringing",
    "early": "ringing",
    "proceeding": "ringing",
    "connected": "connected",
    "confirmed": "connected",
    "established": "connected",
    "answered": "connected",
}


def _state_of(snapshot: dict[str, Any]) -> str:
    return _SNAPSHOT_STATES.get(str(snapshot.get("state", "")).lower(), "dialling")


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _keep_recording(session: AsyncSession, attempt: Attempt, info: RecordingInfo, *, repaired: bool) -> None:
    session.add(
        Recording(
            attempt_id=attempt.id,
            path=info.path,
            sha256=info.sha256,
            duration_ms=info.duration_ms,
            channels=info.channels,
            sample_rate=info.sample_rate,
            repaired=repaired,
            created_at=datetime.now(UTC),
        )
    )


def _conclude(session: AsyncSession, attempt: Attempt, state: str, verdict: Verdict) -> None:
    if attempt.state not in LIVE_STATES:
        raise ValueError(f"attempt {attempt.id} is already {attempt.state}")
    attempt.state = state
    attempt.verdict_code = verdict.code
    attempt.needs_review = verdict.needs_review
    attempt.check.state = "done"
    _note(session, attempt, state, verdict.findings[0].detail if attempt.error and verdict.findings else "")
    session.add(
        StoredVerdict(
            attempt_id=attempt.id,
            rule_set=verdict.rule_set,
            code=verdict.code,
            lawful=verdict.lawful,
            needs_review=verdict.needs_review,
            content=verdict.to_dict(),
            judged_at=datetime.now(UTC),
        )
    )


def _note(session: AsyncSession, attempt: Attempt, state: str, detail: str = "") -> None:
    session.add(AttemptEvent(attempt_id=attempt.id, at=datetime.now(UTC), state=state, detail=detail))

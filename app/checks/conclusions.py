"""How a call ends in the ledger, and what follows for its order. Verbs never commit: the caller's unit of work does.

An attempt is concluded once, whoever comes first: the process that called, or the one that sweeps what a dead process
left. What follows for the order is decided in the same unit of work: another call later, or the order is closed and
its proposal made.
"""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.checks import closing, permission, queue, repository, targets
from app.checks.facts import Facts
from app.checks.models import (
    LIVE_STATES,
    Attempt,
    AttemptEvent,
    CallFacts,
    Recording,
    SpotCheck,
    StoredVerdict,
)
from app.checks.retry import Bounds, CallMade, Cause, Repeat, RetryRule, at_night, next_call
from app.checks.rules import Exemptions, Rules, rules_of
from app.checks.verdict import Verdict, judge, judge_failed, judge_interrupted
from app.directory import repository as directory
from app.directory import service as entries
from app.errors import OfficeError
from app.evidence import retention
from app.planning.models import Plan
from app.rules.service import in_force
from app.settings import Settings
from app.transcripts.requests import enqueue
from sip.record import CallRecord, RecordingInfo

log = structlog.get_logger(__name__)
STOPPED = "phone process ended during the call"
ONCE = ("demo", "verification")
"""Kinds of order that are called once."""
_STATE_ZH = {"claimed": "登记", "dialling": "拨号", "ringing": "振铃", "connected": "通话"}
_OUTCOME_CAUSES: dict[str, Cause] = {
    "no_answer": "no_answer",
    "busy": "busy",
    "rejected": "rejected",
    "unobtainable": "line",
    "unreachable": "line",
    "redirected": "line",
    "network_failure": "our_side",
}


class ConcludedError(ValueError):
    """The attempt is over already: what comes now is too late to change it."""


async def finish(
    session: AsyncSession,
    attempt_id: int,
    record: CallRecord,
    settings: Settings,
    *,
    stopped: bool = False,
) -> Verdict | None:
    """Store the facts of a finished call, its recording and its verdict.

    `stopped`: the phone process is stopping. A call that it hung up for that reason was interrupted; only what
    an operator stopped is `cancelled`. None where the attempt was given up for dead meanwhile: it stays interrupted,
    and the facts stand beside it. Raises `ConcludedError` for one that is over otherwise.
    """
    if stopped and record.outcome == "cancelled":
        record = dataclasses.replace(record, interrupted=True, errors=(*record.errors, STOPPED))
    attempt = await repository.attempt(session, attempt_id)
    content = record.to_dict()
    started_at = datetime.fromisoformat(record.started_at)
    day = started_at.astimezone(settings.zone).date()
    exempted = await directory.exemptions_on(session, attempt.line_id, day)
    exemptions = Exemptions(**{item.kind: item.reason for item in exempted})
    # The office's own limits in force at the call read it, as they will judge its order.
    verdict = judge(Facts.from_json(content), await limits_at(session, started_at, settings), exemptions)
    if not await queue.take_over(session, attempt.id, "interrupted" if record.interrupted else "finished"):
        await _keep_late(session, attempt, record, content)
        return None
    attempt.state = "interrupted" if record.interrupted else "finished"
    _keep_facts(session, attempt, record, content, started_at)
    if record.interrupted:
        # The signalling outlived the media engine, or stopped in good order: nobody is left to be told.
        attempt.error = "; ".join(record.errors)
        attempt.released_at = clock.now()
    await targets.conclude(
        session, attempt, record.outcome, record.sip_status, content.get("targets") or (), released=True
    )
    await _conclude(session, attempt, verdict, settings)
    return verdict


async def fail(session: AsyncSession, attempt_id: int, error: str, settings: Settings) -> Verdict:
    """Conclude an attempt that our side could not carry out. Raises `ConcludedError`."""
    attempt = await repository.attempt(session, attempt_id)
    await _take(session, attempt, "failed")
    attempt.error = error
    attempt.ended_at = clock.now()
    await targets.conclude(session, attempt, "failed", released=False)
    verdict = judge_failed(rules_of(settings), error)
    await _conclude(session, attempt, verdict, settings)
    return verdict


async def interrupt(
    session: AsyncSession, attempt: Attempt, recording: RecordingInfo | None, settings: Settings
) -> Verdict:
    """Conclude a live attempt of a dead process. Nothing is dialled again; the line is free for a new order.

    Raises `ConcludedError`.
    """
    last = attempt.state
    await _take(session, attempt, "interrupted")
    attempt.error = STOPPED
    attempt.ended_at = clock.now()
    if recording is not None:
        attach(session, attempt, recording)
    await targets.conclude(session, attempt, "interrupted", released=False)
    verdict = judge_interrupted(rules_of(settings), f"本机拨测程序在“{_STATE_ZH.get(last, last)}”时中断")
    await _conclude(session, attempt, verdict, settings)
    return verdict


async def close(session: AsyncSession, check: SpotCheck, why: str, settings: Settings) -> None:
    """Close an order with the calls that it has; it comes with its line."""
    check.state, check.closed_at, check.closed_why = "done", clock.now(), why
    await session.flush()
    # By the verdicts of its calls, until there is a proposal.
    await retention.settle(session, check.id, settings)
    if check.kind == "verification":
        await _verify(session, check)
        return
    await propose(session, check, settings)


async def propose(session: AsyncSession, check: SpotCheck, settings: Settings) -> bool:
    """Make the proposal of a closed order; return whether it could be made.

    What a call showed is never lost to rules that fail on it: the next start of the phone tries again.
    """
    try:
        async with session.begin_nested():
            await closing.close(session, check, settings)
    except (OperationalError, InterfaceError):
        # The database itself: the whole conclusion is tried again.
        raise
    except Exception:
        log.exception("proposal could not be made", check=check.id)
        return False
    return True


def attach(session: AsyncSession, attempt: Attempt, recording: RecordingInfo) -> None:
    """Add the recording that a killed process left, when it concludes the attempt or only later."""
    _keep_recording(session, attempt, recording, repaired=True)


def retry_rule(plan: Plan | None) -> RetryRule:
    """What the plan of an order says about repeats; the usual rule where there is none."""
    given = (plan.content or {}).get("retry") if plan is not None else None
    return RetryRule.model_validate(given or {})


def cause_of(attempt: Attempt) -> Cause | None:
    """Return why a call that is over may be repeated, None where it settles its order."""
    if attempt.state == "failed" or attempt.verdict_code == "our_side":
        return "our_side"
    if attempt.state != "finished" or attempt.verdict_code in ("cancelled", "interrupted"):
        # What we stopped, or what a dead process left, is not dialled again by itself.
        return None
    if attempt.outcome == "answered":
        return "silence" if attempt.answered_by == "silence" else None
    return _OUTCOME_CAUSES.get(attempt.outcome or "")


def call_made(attempt: Attempt) -> CallMade:
    """One call of an order, as its repeat depends on it."""
    began_at = attempt.started_at or attempt.claimed_at
    return CallMade(cause_of(attempt), began_at, attempt.ended_at or began_at, attempt.trunk)


async def limits_at(session: AsyncSession, at: datetime, settings: Settings) -> Rules:
    """The limits in force at a call, else those of the settings: no call is lost to rules that cannot be read."""
    limits = rules_of(settings)
    try:
        return (await in_force(session, at)).limits(limits)
    except (OfficeError, ValueError, KeyError, TypeError):
        log.exception("the rules in force cannot be read")
        return limits


async def _conclude(session: AsyncSession, attempt: Attempt, verdict: Verdict, settings: Settings) -> None:
    attempt.verdict_code = verdict.code
    attempt.needs_review = verdict.needs_review
    note(
        session,
        attempt,
        attempt.state,
        verdict.findings[0].detail if attempt.error and verdict.findings else "",
    )
    session.add(
        StoredVerdict(
            attempt_id=attempt.id,
            rule_set=verdict.rule_set,
            code=verdict.code,
            lawful=verdict.lawful,
            needs_review=verdict.needs_review,
            content=verdict.to_dict(),
            judged_at=clock.now(),
        )
    )
    await session.flush()
    await _go_on(session, attempt.check_id, settings)


async def _go_on(session: AsyncSession, check_id: int, settings: Settings) -> None:
    """Plan another call of the order, or close it."""
    check = await repository.claimed(session, check_id)
    calls = [call_made(row) for row in await queue.attempts_in(session, check_id)]
    if check.kind in ONCE:
        await close(session, check, "settled", settings)
        return
    now = clock.now()
    bounds = Bounds(
        settings.zone,
        await permission.handovers(session, check),
        night_approved=_night_approved(check, settings),
        barred=await permission.barred(session, check, settings, now) is not None,
    )
    following = next_call(retry_rule(check.plan), calls, bounds)
    if isinstance(following, Repeat):
        # To the whole second: the clock ticks on it.
        check.state, check.due_at = "retry", _whole_second(following.at)
    else:
        await close(session, check, following.why, settings)


def _night_approved(check: SpotCheck, settings: Settings) -> bool:
    """Whether somebody has let this order be called at night: its plan was approved, or its first call was."""
    if check.plan is not None:
        return check.plan.night_approved_at is not None
    return at_night(check.first_due_at, settings.zone)


def _whole_second(at: datetime) -> datetime:
    return at.replace(microsecond=0) + timedelta(seconds=1 if at.microsecond else 0)


async def _verify(session: AsyncSession, check: SpotCheck) -> None:
    """Say of the number what its 核号 call showed. What our own side spoilt shows nothing."""
    last = (await queue.attempts_in(session, check.id))[-1]
    cause = cause_of(last)
    at = last.started_at or last.claimed_at
    if last.outcome == "answered" and last.answered_by == "human" and last.state == "finished":
        await entries.mark_verified(session, check.line, at)
    elif last.state == "finished" and cause not in ("our_side", "busy") and last.verdict_code != "cancelled":
        await entries.mark_unverified_call(session, check.line, at)


async def _take(session: AsyncSession, attempt: Attempt, state: str) -> None:
    """Conclude the attempt, unless somebody else has."""
    if not await queue.take_over(session, attempt.id, state):
        await session.refresh(attempt, ["state"])
        raise ConcludedError(f"attempt {attempt.id} is already {attempt.state}")
    attempt.state = state


async def _keep_late(
    session: AsyncSession, attempt: Attempt, record: CallRecord, content: dict[str, Any]
) -> None:
    """Keep what a call showed that was given up for dead; its far end has been told all the same."""
    await session.refresh(attempt)
    if attempt.state != "interrupted" or await session.get(CallFacts, attempt.id) is not None:
        raise ConcludedError(f"attempt {attempt.id} is already {attempt.state}")
    session.add(CallFacts(attempt_id=attempt.id, content=content))
    if record.recording is not None and await repository.recording_of(session, attempt.id) is None:
        _keep_recording(session, attempt, record.recording, repaired=False)
    attempt.released_at = attempt.released_at or clock.now()


def _keep_facts(
    session: AsyncSession, attempt: Attempt, record: CallRecord, content: dict[str, Any], started_at: datetime
) -> None:
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


def _keep_recording(session: AsyncSession, attempt: Attempt, info: RecordingInfo, *, repaired: bool) -> None:
    row = recording_row(info)
    row.attempt_id, row.repaired = attempt.id, repaired
    session.add(row)
    enqueue(session, row)


def recording_row(info: RecordingInfo, *, kind: str = "check") -> Recording:
    """The row of a recording of the archive."""
    return Recording(
        kind=kind,
        path=info.path,
        sha256=info.sha256,
        duration_ms=info.duration_ms,
        channels=info.channels,
        sample_rate=info.sample_rate,
        gaps=[dataclasses.asdict(gap) for gap in info.gaps],
        created_at=clock.now(),
    )


def note(session: AsyncSession, attempt: Attempt, state: str, detail: str = "") -> None:
    """Add a step of an attempt to the ledger."""
    session.add(AttemptEvent(attempt_id=attempt.id, at=clock.now(), state=state, detail=detail))


assert set(_STATE_ZH) == set(LIVE_STATES)

"""Gathers what an order is judged by: its calls as they were read, and all that stood around them at the time."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.principal import every_unit
from app.checks import proposal_repository as repository
from app.checks import proposal_words as words
from app.checks.facts import Facts
from app.checks.models import Attempt, Mitigation, SpotCheck
from app.checks.order_reading import Call
from app.checks.proposal import Mitigating, Order, Spared
from app.checks.rules import Exemptions, Rules
from app.checks.verdict import Verdict, judge, judge_failed, judge_interrupted
from app.directory import repository as directory
from app.planning.calendar import CalendarBook, load_book
from app.rosters.service import roster_at
from app.transcripts import repository as transcripts
from app.transcripts.models import CallReading
from sip.trunks import AlarmKind

CALL_BACK_S = 600.0
"""A call back within ten minutes after the end of a call mitigates."""
_STOPPED = "本机拨测程序中断"


@dataclass(frozen=True, slots=True)
class Gathered:
    """An order, and what its proposal keeps beside the judgement."""

    order: Order
    regime: dict[str, Any] | None
    roster: dict[str, Any] | None


def moment_of(attempt: Attempt) -> datetime:
    """When a call was made: when its INVITE left, or when it was claimed where none did."""
    return attempt.started_at or attempt.claimed_at


async def gather(
    session: AsyncSession,
    check: SpotCheck,
    attempts: Sequence[Attempt],
    limits: Rules,
    zone: ZoneInfo,
    our_music: Collection[int] = (),
) -> Gathered:
    """Gather an order as its rules see it; `limits` are those that its calls are read by.

    `our_music`: keys of calls whose music before the answer turned out to be our own trunk's afterwards. Everything is
    taken as it stood at the call: calendar, exemptions, changes of number, roster, regime.
    """
    with every_unit():
        # What spares a unit may hang on another one that shares its line, whoever asks for the judgement.
        return await _gather(session, check, attempts, limits, zone, our_music)


async def _gather(
    session: AsyncSession,
    check: SpotCheck,
    attempts: Sequence[Attempt],
    limits: Rules,
    zone: ZoneInfo,
    our_music: Collection[int],
) -> Gathered:
    line = await repository.line(session, check.line_id)
    first = moment_of(attempts[0]) if attempts else check.first_due_at
    moments = [first, *(moment_of(item) for item in attempts)]
    days = sorted(at.astimezone(zone).date() for at in moments)
    book = await load_book(session, days[0], days[-1], as_of=first)
    readings = await transcripts.readings(session, (item.id for item in attempts))
    calls = tuple(
        [
            await _call(session, item, readings.get(item.id), limits, zone, book, item.id in our_music)
            for item in attempts
        ]
    )
    spared, changes = await _around(session, check, attempts)
    regime = await directory.regime_on(session, check.unit_id, first.astimezone(zone).date())
    # The books as they stood at the call; what was filed afterwards stands beside.
    roster = await roster_at(session, check.unit_id, first, first, zone)
    recorded = await repository.mitigations(session, check.id)
    order = Order(
        calls=calls,
        category=line.unit.category,
        line_kind=line.kind,
        duty_regime=None if regime is None else regime.duty,
        leader_regime=None if regime is None else regime.leader,
        spared=spared,
        changes=changes,
        mitigations=tuple(mitigating(item, attempts, zone) for item in recorded),
    )
    told = None if regime is None else {"duty": regime.duty, "leader": regime.leader, "note": regime.note}
    return Gathered(order, told, roster.to_dict())


def mitigating(row: Mitigation, attempts: Sequence[Attempt], zone: ZoneInfo) -> Mitigating:
    """Read what was recorded; a call back counts within ten minutes after a call."""
    counts = row.kind != "called_back" or called_back_in_time(row.at, attempts)
    return Mitigating(row.kind, row.at.astimezone(zone), row.note, counts)


def called_back_in_time(at: datetime, attempts: Sequence[Attempt]) -> bool:
    """Whether a call back came within ten minutes after the end of one of these calls."""
    ends = [(moment_of(item), item.ended_at or moment_of(item)) for item in attempts]
    return any(began <= at <= ended + timedelta(seconds=CALL_BACK_S) for began, ended in ends)


async def _call(
    session: AsyncSession,
    attempt: Attempt,
    reading: CallReading | None,
    limits: Rules,
    zone: ZoneInfo,
    book: CalendarBook,
    our_music: bool,
) -> Call:
    at = moment_of(attempt).astimezone(zone)
    # Of a call that was given up for dead facts may have come in later: they are kept, and count for nothing.
    ours = attempt.facts is None or attempt.state in ("interrupted", "failed")
    # The same call with what its words add, where it was transcribed; else as it was measured.
    content = attempt.facts.content if attempt.facts is not None else {}
    facts = None if ours else Facts.from_json(content if reading is None else reading.content)
    if facts is not None and our_music and AlarmKind.TRUNK_MUSIC not in facts.alarms:
        facts = replace(facts, alarms=(*facts.alarms, AlarmKind.TRUNK_MUSIC.value))
    verdict = await _verdict(session, attempt, facts, limits, at)
    return Call(attempt.id, attempt.number, at, facts, verdict, book.day(at.date()))


async def _verdict(
    session: AsyncSession, attempt: Attempt, facts: Facts | None, limits: Rules, at: datetime
) -> Verdict:
    if facts is None:
        if attempt.state == "failed":
            return judge_failed(limits, attempt.error or "")
        return judge_interrupted(limits, _STOPPED)
    held = await directory.exemptions_on(session, attempt.line_id, at.date())
    return judge(facts, limits, Exemptions(**{item.kind: item.reason for item in held}))


async def _around(
    session: AsyncSession, check: SpotCheck, attempts: Sequence[Attempt]
) -> tuple[tuple[Spared, ...], tuple[str, ...]]:
    """Exemptions of unit or line that held at a call, and changes of number that we had not entered by then."""
    spared: dict[Spared, None] = {}
    changes: dict[str, None] = {}
    for attempt in attempts:
        at = moment_of(attempt)
        for held in await directory.unit_exemptions_at(session, check.unit_id, check.line_id, at):
            spared.setdefault(Spared(held.kind, held.reason))
        for change in await directory.changes_pending_at(session, check.unit_id, check.line_id, at):
            changes.setdefault(words.pending_change(change.number, change.received_at.astimezone(at.tzinfo)))
    if len({attempt.target for attempt in attempts}) > 1:
        # Entered between the calls: they went to two numbers, of which nobody has verified the later one yet.
        changes.setdefault(words.CHANGED_BETWEEN)
    return tuple(spared), tuple(changes)

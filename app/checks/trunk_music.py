"""彩铃 that turned out to be our own trunk's music: the orders that were judged before that was known.

Music is our trunk's once it was heard on lines of three units; calls before the third keep what was read of them. Here
the stored prints are compared once more, and the orders are offered for correction. Facts are never changed: the order
is judged anew with that knowledge beside it, and a case that nobody has confirmed yet is revoked as our fault.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.accounts import service as audit
from app.checks import proposal_repository as repository
from app.checks.closing import content_of
from app.checks.gathering import Gathered, gather, moment_of
from app.checks.models import Attempt, StoredProposal
from app.checks.proposal import Proposal, propose
from app.checks.rules import rules_of
from app.reviews import repository as reviews
from app.reviews.models import Case
from app.reviews.service import open_case, revoke
from app.reviews.states import State
from app.rules.service import in_force
from app.samples import repository as samples
from app.samples.models import TrunkTune
from app.settings import Settings
from sip.progress.fingerprint import VERSION
from sip.progress.stretches import phases_from_bytes
from sip.progress.tunes import OWNERS, Tune, TuneBook
from sip.trunks import AlarmKind

NEAR_S = 120.0
"""A tune is noted when its call ends; the clocks of the two rows are the same machine's."""
OWNER = "unit:"
"""How the dispatcher names the owner of a line."""
MARK = ";trunk_music"
"""Stands behind the label of rules in a proposal that was corrected."""
REASON = "接通前的音乐由我方中继播放，不是单位设置的彩铃"


@dataclass(frozen=True, slots=True)
class Correction:
    """One order that is read otherwise now."""

    check_id: int
    unit_id: int
    attempt_ids: tuple[int, ...]
    code: str
    adverse: bool
    new_code: str
    new_adverse: bool
    revocable: tuple[int, ...]
    """Keys of cases that nobody has looked at yet, which a correction revokes."""
    by_hand: tuple[int, ...]
    """Keys of cases on which a person decided something: that person, or another, has to revoke or overturn them."""


@dataclass(frozen=True, slots=True)
class _Found:
    told: Correction
    proposal: Proposal
    gathered: Gathered


async def corrections(session: AsyncSession, settings: Settings) -> tuple[Correction, ...]:
    """Orders whose proposal would be another one; nothing is changed."""
    return tuple(found.told for found in await _all(session, settings))


async def correct(
    session: AsyncSession, settings: Settings, who: str, check_ids: Iterable[int]
) -> tuple[Correction, ...]:
    """Put the new proposal of these orders in the place of the old one, and revoke the cases that rested on the music.

    Return what was corrected; orders that need no correction are left out.
    """
    wanted = set(check_ids)
    done = []
    for found in await _all(session, settings):
        if found.told.check_id in wanted:
            await _apply(session, found, who)
            done.append(found.told)
    return tuple(done)


async def _all(session: AsyncSession, settings: Settings) -> list[_Found]:
    calls = await _calls_with_our_music(session)
    found = []
    for check_id in sorted({call.check_id for call in calls}):
        keys = tuple(call.id for call in calls if call.check_id == check_id)
        order = await _order(session, check_id, keys, settings)
        if order is not None:
            found.append(order)
    return found


async def _order(
    session: AsyncSession, check_id: int, keys: tuple[int, ...], settings: Settings
) -> _Found | None:
    check = await repository.order(session, check_id)
    known = (await repository.in_force(session, [check_id])).get(check_id)
    if check is None or known is None or known.rule_set.endswith(MARK):
        return None
    attempts = await repository.attempts(session, [check_id])
    rules = await in_force(session, moment_of(attempts[0]))
    limits = rules_of(settings)
    gathered = await gather(session, check, attempts, rules.limits(limits), settings.zone, keys)
    proposal = propose(gathered.order, rules, limits)
    codes = {item.code for item in proposal.for_cases}
    before = cased_codes(known)
    if codes == before and proposal.code == known.code:
        return None
    gone = [case for case in await reviews.cases_of_check(session, check_id) if case.code in before - codes]
    told = Correction(
        check_id,
        check.unit_id,
        keys,
        known.code,
        bool(known.content.get("adverse")),
        proposal.code,
        proposal.adverse,
        _keys(case for case in gone if case.state == State.TO_REVIEW),
        _keys(case for case in gone if case.state not in (State.TO_REVIEW, State.REVOKED, State.OVERTURNED)),
    )
    return _Found(told, proposal, gathered)


def cased_codes(known: StoredProposal) -> set[str]:
    """What a stored proposal opened cases for."""
    parts = [known.content, *known.content.get("others", ())]
    return {part["code"] for part in parts if part["adverse"] or part["needs_review"]}


def _keys(cases: Iterable[Case]) -> tuple[int, ...]:
    return tuple(case.id for case in cases)


async def _apply(session: AsyncSession, found: _Found, who: str) -> None:
    told = found.told
    await repository.retire(session, told.check_id)
    session.add(
        StoredProposal(
            check_id=told.check_id,
            rule_set=found.proposal.label + MARK,
            in_force=True,
            code=found.proposal.code,
            content=content_of(found.proposal, found.gathered),
            judged_at=clock.now(),
        )
    )
    await session.flush()
    for case_id in told.revocable:
        await revoke(session, case_id, who, "our_fault", REASON)
    for finding in found.proposal.for_cases:
        content = content_of(found.proposal, found.gathered, finding.code)
        await open_case(
            session, unit_id=told.unit_id, code=finding.code, proposal=content, check_id=told.check_id
        )
    await audit.record(
        session, "correct", f"order:{told.check_id}", f"trunk music: {told.code} -> {told.new_code}", who
    )


async def _calls_with_our_music(session: AsyncSession) -> Sequence[Attempt]:
    """Calls whose early music is known by now to be the trunk's, and whose record does not say so."""
    found: dict[int, Attempt] = {}
    around = timedelta(seconds=NEAR_S)
    rows = await samples.tunes(session)
    # Comparing prints takes a processor for a while; calls and pages go on meanwhile.
    for row in await asyncio.to_thread(_shared, rows):
        unit_id = int(row.line.removeprefix(OWNER))
        near = await repository.ended_near(
            session, unit_id, row.trunk, row.heard_at - around, row.heard_at + around
        )
        found |= {call.id: call for call in near if _unsaid(call)}
    return list(found.values())


def _unsaid(call: Attempt) -> bool:
    content = call.facts.content if call.facts is not None else {}
    music = (content.get("early_media") or {}).get("kind") == "crbt"
    return music and AlarmKind.TRUNK_MUSIC not in (content.get("alarms") or ())


def _shared(rows: Sequence[TrunkTune]) -> list[TrunkTune]:
    """The tunes that were heard alike on lines of three units or more, of those whose owner is a unit."""
    tunes = [(row, _tune(row)) for row in rows if row.version == VERSION]
    shared = []
    for row, tune in tunes:
        if not row.line.startswith(OWNER) or not row.line.removeprefix(OWNER).isdigit():
            continue
        others = TuneBook(other for kept, other in tunes if kept is not row and kept.trunk == row.trunk)
        if len(others.note(tune)) >= OWNERS:
            shared.append(row)
    return shared


def _tune(row: TrunkTune) -> Tune:
    heard_at: datetime = row.heard_at.astimezone(UTC)
    return Tune(row.trunk, row.line, phases_from_bytes(row.prints)[0], heard_at.timestamp())

"""A closed order judged anew with the words of its calls, by the same rules.

As long as no person has touched its cases the new proposal takes the place of the old one, which stays as a row that
only compares; cases that no longer hold are withdrawn by the machine, those that stand say that it changed. Once a
person has, nothing changes: the cases say that the machine reads the calls otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.accounts import service as audit
from app.checks import proposal_repository as proposals
from app.checks.closing import content_of
from app.checks.gathering import Gathered, gather, moment_of
from app.checks.models import Attempt, SpotCheck, StoredProposal
from app.checks.proposal import Proposal, propose
from app.checks.rules import rules_of
from app.checks.trunk_music import MARK as MUSIC_MARK
from app.checks.trunk_music import cased_codes
from app.errors import ConflictError
from app.evidence import retention
from app.reviews import machine
from app.reviews import repository as reviews
from app.reviews.models import Case
from app.reviews.opening import MACHINE, open_case
from app.rules.service import in_force
from app.settings import Settings
from app.transcripts import repository
from app.transcripts.reading import marked, unmarked

MOST_LABEL = 120
REASON = "结合转写文字重新判读，机器不再提出此项"
DIFFERENT = "转写后机器意见不同"


@dataclass(frozen=True, slots=True)
class _New:
    """What is made of an order by now."""

    check: SpotCheck
    known: StoredProposal
    proposal: Proposal
    gathered: Gathered

    @property
    def codes(self) -> frozenset[str]:
        """What cases are opened for."""
        return frozenset(item.code for item in self.proposal.for_cases)

    @property
    def differs(self) -> bool:
        """Whether it is another proposal than the one that holds."""
        before = (
            self.known.code,
            bool(self.known.content.get("adverse")),
            bool(self.known.content.get("needs_review")),
            cased_codes(self.known),
        )
        content = content_of(self.proposal, self.gathered)
        return before != (
            self.proposal.code,
            bool(content.get("adverse")),
            bool(content.get("needs_review")),
            set(self.codes),
        )


async def rejudge(session: AsyncSession, check_id: int, settings: Settings) -> None:
    """Judge a closed order by what its calls say as they were read last; a second time it changes nothing.

    An order that is still under way is judged with its words when it is closed; one of which other calls still wait
    for their transcripts, once those are there: the machine should not change its mind with each call.
    """
    check = await repository.lock_order(session, check_id)
    if check is None or check.state != "done" or check.kind == "verification":
        return
    if await repository.order_open(session, check_id):
        return
    new = await _judged(session, check, settings)
    if new is None or not new.differs:
        return
    before = new.known.code
    cases = await reviews.cases_of_check(session, check_id, to_change=True)
    if await _replaceable(session, cases, new.codes):
        try:
            async with session.begin_nested():
                await _replace(session, new, cases)
                # By another outcome its recordings may be kept for another time.
                await retention.settle(session, check_id, settings)
            return
        except ConflictError:
            # Somebody took a step just now: what she decided on stays.
            cases = list((await reviews.cases_by_key(session, [case.id for case in cases])).values())
    await _tell(session, new, cases, before)


async def _judged(session: AsyncSession, check: SpotCheck, settings: Settings) -> _New | None:
    known = (await proposals.in_force(session, [check.id])).get(check.id)
    attempts = await proposals.attempts(session, [check.id])
    if known is None or not attempts:
        return None
    rules = await in_force(session, moment_of(attempts[0]))
    limits = rules_of(settings)
    if _plain(known.rule_set) != rules.label(limits)[:MOST_LABEL]:
        # Other rules than those it was judged by must not slip in with the words.
        return None
    music = _our_music(attempts) if known.rule_set.endswith(MUSIC_MARK) else ()
    gathered = await gather(session, check, attempts, rules.limits(limits), settings.zone, music)
    return _New(check, known, propose(gathered.order, rules, limits), gathered)


def _plain(label: str) -> str:
    return unmarked(label).removesuffix(MUSIC_MARK)


def _our_music(attempts: Sequence[Attempt]) -> tuple[int, ...]:
    """The calls of an order that was put right because their music was our trunk's."""
    return tuple(
        item.id
        for item in attempts
        if item.facts is not None and (item.facts.content.get("early_media") or {}).get("kind") == "crbt"
    )


async def _replaceable(session: AsyncSession, cases: Sequence[Case], codes: frozenset[str]) -> bool:
    """Whether no person has touched these cases, and none would have to be opened again."""
    for case in cases:
        if machine.untouched(case):
            continue
        if case.code in codes or not await machine.withdrawn_by_machine(session, case):
            # What has ended is never opened again: a person has to see that the machine wavers.
            return False
    return True


async def _replace(session: AsyncSession, new: _New, cases: Sequence[Case]) -> None:
    check_id = new.check.id
    label = await _label(session, new)
    await proposals.retire(session, check_id)
    session.add(
        StoredProposal(
            check_id=check_id,
            rule_set=label,
            in_force=True,
            code=new.proposal.code,
            content=content_of(new.proposal, new.gathered) | {"rule_set": label},
            judged_at=clock.now(),
        )
    )
    await session.flush()
    for case in cases:
        if machine.untouched(case) and case.code not in new.codes:
            await machine.withdraw(session, case, REASON)
    for finding in new.proposal.for_cases:
        content = content_of(new.proposal, new.gathered, finding.code)
        await open_case(
            session, unit_id=new.check.unit_id, code=finding.code, proposal=content, check_id=check_id
        )
    standing = [case for case in cases if machine.untouched(case) and case.code in new.codes]
    if standing:
        # What they were opened with is not what is proposed by now.
        await _tell(session, new, standing, new.known.code)
    told = f"transcript: {new.known.code} -> {new.proposal.code}"
    await audit.record(session, "reread", f"order:{check_id}", told, MACHINE)


async def _label(session: AsyncSession, new: _New) -> str:
    music = MUSIC_MARK if new.known.rule_set.endswith(MUSIC_MARK) else ""
    known = await proposals.labels(session, new.check.id)
    plain = frozenset(label.removesuffix(music) for label in known)
    return marked(new.proposal.label, plain, MOST_LABEL - len(music)) + music


async def _tell(session: AsyncSession, new: _New, cases: Sequence[Case], before: str) -> None:
    """Say in the cases that are still open, or else in those that have ended, what the machine makes of it by now."""
    standing = [case for case in cases if case.state not in machine.ENDS]
    told = {
        "note": DIFFERENT,
        "code": new.proposal.code,
        "cases": sorted(new.codes),
        "before": before,
    }
    for case in standing or cases:
        await machine.say_differs(session, case, told)

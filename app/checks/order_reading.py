"""What the calls of one order show, taken together, before any clause is asked. Pure.

Whoever was missed and then answered is not unanswered; a line that is answered on the repeat has no wrong number; one
call that nobody answered decides nothing, and two within minutes are one chance, not two.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.checks import proposal_words as words
from app.checks.facts import Facts, stronger
from app.checks.verdict import Finding, Verdict
from app.planning.calendar import DayInfo
from sip.record import GRADES, Grade

REPEAT_LEAST_S = 600.0
"""Least seconds from one unanswered call to the next for both to count: anybody may be away for a moment."""
BUSY_CALLS, BUSY_WITHIN_S = 3, 3600.0
"""长时间占线: so many busy calls within an hour."""
BANNED_ONLY = "banned_only"
"""Scope of forwarding to another fixed line: a finding only where a clause bans all forwarding."""
_AS_READ = frozenset(
    {"crbt", "crbt_review", "fax", "overtime", "slow_review", "unmeasured", "rejected", "machine_review"}
)
_OF_THE_LINE = frozenset({"number_check", "silence_review"})
"""What an answer on the repeat takes away: the number is right, and somebody is there and is heard."""


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """One call of an order as it was read."""

    attempt_id: int
    number: int
    at: datetime
    """When the INVITE left, or when the call was claimed where none did. Local time of the office."""
    facts: Facts | None
    """None: the call was interrupted or failed on our side."""
    verdict: Verdict
    day: DayInfo

    @property
    def answered(self) -> bool:
        """Whether the line was picked up."""
        return self.facts is not None and self.facts.outcome == "answered"

    @property
    def missed(self) -> Finding | None:
        """That it rang and nobody came; None otherwise. Where a busy line passed it on, it rang somewhere else."""
        return None if self.passed_on_busy else self.finding("no_answer")

    @property
    def busy(self) -> Finding | None:
        """That it was busy; None otherwise."""
        return self.finding("busy")

    def finding(self, code: str) -> Finding | None:
        """What was read of this code."""
        return next((item for item in self.verdict.findings if item.code == code), None)

    @property
    def passed_on_busy(self) -> bool:
        """Whether the line was busy and the call went elsewhere for that (遇忙转移)."""
        return self.facts is not None and self.facts.forwarding_condition == "busy"

    def detail(self) -> str:
        """Say in Chinese what the call was."""
        return words.details([item.detail for item in self.verdict.findings]) or self.verdict.title_zh

    def to_dict(self) -> dict[str, Any]:
        """Return what a proposal keeps of a call; the facts stay in the ledger."""
        ring_ms = None
        if self.facts is not None:
            ring_ms = self.facts.least_ring_ms if self.answered else self.facts.rung_ms
        return {
            "id": self.attempt_id,
            "number": self.number,
            "code": self.verdict.code,
            "title_zh": self.verdict.title_zh,
            "at": self.at.isoformat(timespec="milliseconds"),
            "ring_s": None if ring_ms is None else round(ring_ms / 1000, 3),
            "grade": self.verdict.grade,
            "detail": self.detail(),
            "day": self.day.to_dict(),
        }


@dataclass(frozen=True, slots=True)
class Note:
    """One thing that the calls show: a proposal code, what proves it and the calls that it rests on."""

    code: str
    grade: Grade
    told: tuple[tuple[Call, str], ...]
    scope: str = ""

    @property
    def calls(self) -> tuple[Call, ...]:
        """The calls that it rests on."""
        return tuple(call for call, _ in self.told)


def read(calls: Sequence[Call]) -> Iterator[Note]:
    """Read the calls that count, in the order in which they were made. Our own faults are not among them."""
    last_heard = max((call.number for call in calls if call.answered and not _mute(call)), default=0)
    for call in calls:
        for note in _of_call(call):
            if not (note.code in _OF_THE_LINE and call.number < last_heard):
                yield note
    yield from _unanswered(calls)
    yield from _long_busy(calls)


def _mute(call: Call) -> bool:
    return call.finding("silence_review") is not None


def _of_call(call: Call) -> Iterator[Note]:
    if call.passed_on_busy:
        # The line itself was engaged: music, machine or slow answer are those of where the call went.
        return
    for finding in call.verdict.findings:
        if finding.code in _AS_READ:
            yield _note(finding.code, call, finding)
        elif finding.code in ("forwarded", "forwarding_review"):
            yield from _forwarding(call, finding)
        elif finding.code in ("silence_review", "answerer_review"):
            # Without one packet of theirs it is our line's fault as likely as theirs.
            if call.facts is not None and not call.facts.unheard:
                yield _note(finding.code, call, finding)
        elif finding.code in ("number_check", "line_check"):
            followed = call.facts is not None and call.facts.outcome == "redirected"
            yield _note("line_check" if followed else "number_check", call, finding)


def _note(code: str, call: Call, finding: Finding, scope: str = "") -> Note:
    return Note(code, finding.grade, ((call, finding.detail),), scope)


def _forwarding(call: Call, finding: Finding) -> Iterator[Note]:
    """Proof and target decide."""
    facts = call.facts
    if facts is None:
        return
    proven = finding.code == "forwarded" and stronger(finding.grade, "near_proof")
    if proven and facts.forwarding_class == "mobile":
        yield _note("forwarded", call, finding)
    elif proven and facts.forwarding_class == "other_fixed":
        yield _note("forwarded", call, finding, BANNED_ONLY)
    else:
        yield _note("forwarding_review", call, finding)


def _unanswered(calls: Sequence[Call]) -> Iterator[Note]:
    picked_up = max((call.number for call in calls if call.answered), default=0)
    missed = [(call, found) for call in calls if call.number > picked_up and (found := call.missed)]
    if not missed:
        return
    told = tuple((call, words.details([found.detail])) for call, found in missed)
    sure = [call for call, found in missed if stronger(found.grade, "strong")]
    twice = len(sure) >= 2 and (sure[-1].at - sure[0].at).total_seconds() >= REPEAT_LEAST_S
    grade = max((found.grade for _, found in missed), key=GRADES.index)
    if twice:
        yield Note("no_answer", grade, told)
    else:
        yield Note("no_answer_review", "weak" if len(sure) < 2 else grade, told)


def _long_busy(calls: Sequence[Call]) -> Iterator[Note]:
    busy = [call for call in calls if call.busy]
    for first, last in zip(busy, busy[BUSY_CALLS - 1 :], strict=False):
        if (last.at - first.at).total_seconds() <= BUSY_WITHIN_S:
            told = tuple((call, call.detail()) for call in busy)
            yield Note("long_busy", "medium", told)
            return

"""The proposal: what the rules in force make of an order, all its calls together. Pure.

The machine proposes: `adverse` says that a clause binds the unit on that day and that the proof is there, nothing more.
Nothing counts before a named supervisor has listened and confirmed. A telephone check never proposes 脱岗.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app.checks import proposal_words as words
from app.checks.order_reading import BANNED_ONLY, Call, Note, read
from app.checks.proposal_codes import ADVERSE, CODES, OUR_FAULT, REVIEWED
from app.checks.rules import Rules
from app.checks.verdict import timely
from app.rules.binding import Bound, Circumstances, binding_clauses, supporting
from app.rules.force import CONVERSION, RulesInForce
from app.trunks.wording import alarms_zh
from sip.record import GRADES, Grade
from sip.trunks import AlarmKind

SCHEMA = "dutyring.proposal/1"
_TRUNK_MUSIC = alarms_zh((AlarmKind.TRUNK_MUSIC,))
_ORDER = {code: number for number, code in enumerate(CODES)}


@dataclass(frozen=True, slots=True)
class Spared:
    """An exemption of the unit or line that held at a call (豁免): maintenance, an emergency at hand."""

    kind: str
    reason: str


@dataclass(frozen=True, slots=True)
class Mitigating:
    """What was recorded beside the order that speaks for the unit."""

    kind: str
    at: datetime
    note: str
    counts: bool
    """False: recorded, but it does not mitigate, e.g. a call back after more than 10 minutes."""

    def to_dict(self) -> dict[str, str]:
        """Return what a proposal keeps of it."""
        return {"kind": self.kind, "at": self.at.isoformat(), "note": self.note}


@dataclass(frozen=True, slots=True)
class Order:
    """All that an order is judged by besides the rules."""

    calls: tuple[Call, ...]
    category: str
    line_kind: str = "duty"
    duty_regime: str | None = None
    leader_regime: str | None = None
    spared: tuple[Spared, ...] = ()
    changes: tuple[str, ...] = ()
    """Changes of number that were received before a call and not entered: in words."""
    mitigations: tuple[Mitigating, ...] = ()


@dataclass(frozen=True, slots=True)
class OrderFinding:
    """One thing that is made of an order, with the clauses that bind."""

    code: str
    adverse: bool
    needs_review: bool
    bound: bool
    """False: it was read, and no clause in force binds this unit on that day."""
    grade: Grade
    clauses: tuple[Bound, ...]
    reasons: tuple[str, ...]
    attempts: tuple[int, ...]
    """Keys of the calls that it rests on."""

    def to_dict(self, points: float | None) -> dict[str, Any]:
        """Return the members of a proposal's JSON that belong to this finding."""
        info = CODES[self.code]
        return {
            "code": self.code,
            "title_zh": info.zh if self.bound else f"{info.zh}（无适用条款）",
            "title_en": info.en,
            "adverse": self.adverse,
            # What is proposed needs a person just as well: to confirm or to revoke it.
            "needs_review": self.adverse or self.needs_review,
            "bound": self.bound,
            "grade": self.grade,
            "points": points if self.adverse else None,
            "clauses": [clause.to_dict() for clause in self.clauses],
            "reasons": list(self.reasons),
            "rests_on": list(self.attempts),
        }


@dataclass(frozen=True, slots=True)
class Proposal:
    """What is made of an order. The first of its findings names it."""

    findings: tuple[OrderFinding, ...]
    order: Order
    rules: RulesInForce
    limits: Rules
    label: str

    @property
    def head(self) -> OrderFinding:
        """What names the order."""
        return self.findings[0]

    @property
    def code(self) -> str:
        """Code of the order."""
        return self.head.code

    @property
    def adverse(self) -> bool:
        """Whether anything adverse is proposed."""
        return self.head.adverse

    @property
    def needs_review(self) -> bool:
        """Whether a person has to look, be it to confirm or to judge."""
        return any(item.adverse or item.needs_review for item in self.findings)

    @property
    def mitigated(self) -> bool:
        """Whether something recorded speaks for the unit."""
        return any(item.counts for item in self.order.mitigations)

    @property
    def for_cases(self) -> tuple[OrderFinding, ...]:
        """What a case is opened for."""
        return tuple(item for item in self.findings if item.adverse or item.needs_review)

    def to_dict(self, finding: OrderFinding | None = None, **more: Any) -> dict[str, Any]:
        """Return the JSON of `dutyring.proposal/1`, headed by one of the findings; `more` adds members."""
        head = finding or self.head
        points = self.rules.own.points
        return {
            "schema": SCHEMA,
            **head.to_dict(points.get(head.code)),
            "others": [i.to_dict(points.get(i.code)) for i in self.findings if i is not head],
            "attempts": [call.to_dict() for call in self.order.calls],
            "rule_set": self.label,
            "rules": self.rules.to_dict(),
            "document": self.rules.document,
            "limits": {
                "within_s": self.limits.within_s,
                "limit_s": self.limits.limit_s,
                "finding_s": self.limits.finding_s,
                "least_ring_s": self.limits.least_ring_s,
                "basis": CONVERSION,
            },
            "day": self.order.calls[0].day.to_dict() if self.order.calls else None,
            "exempted": _exempted(self.order),
            "mitigated": self.mitigated,
            "mitigations": [item.to_dict() for item in self.order.mitigations if item.counts],
            "beside": [item.to_dict() for item in self.order.mitigations if not item.counts],
            **more,
        }


@dataclass(slots=True)
class _Bench:
    """The rules at work on one order."""

    order: Order
    rules: RulesInForce
    limits: Rules
    bound: dict[tuple[Call, ...], tuple[Bound, ...]] = field(default_factory=dict)

    def binding(self, calls: tuple[Call, ...], codes: Iterable[str]) -> tuple[Bound, ...]:
        """The clauses that bind on the days of these calls and support one of these findings."""
        if calls not in self.bound:
            about = Circumstances(
                category=self.order.category,
                days=tuple(call.day for call in calls),
                duty_regime=self.order.duty_regime,
                leader_regime=self.order.leader_regime,
                line_kind=self.order.line_kind,
            )
            self.bound[calls] = binding_clauses(self.rules.rules, self.rules.own, self.rules.document, about)
        return supporting(self.bound[calls], self.rules.rules, set(codes))


def propose(order: Order, rules: RulesInForce, settings: Rules) -> Proposal:
    """Judge an order by the rules that were in force at its call. Pure: the same arguments give the same proposal."""
    bench = _Bench(order, rules, rules.limits(settings))
    findings = tuple(sorted(_findings(bench), key=_weight))
    return Proposal(findings, order, rules, bench.limits, rules.label(settings))


def _weight(finding: OrderFinding) -> tuple[bool, bool, int]:
    return not finding.adverse, not finding.needs_review, _ORDER[finding.code]


def _findings(bench: _Bench) -> Iterator[OrderFinding]:
    order = bench.order
    counted = tuple(call for call in order.calls if call.verdict.code not in OUR_FAULT)
    if not counted:
        yield _ours(order)
        return
    notes = list(read(counted))
    if order.changes and any(note.code in ADVERSE | REVIEWED for note in notes):
        yield _plain("change_pending", order.changes, counted)
        return
    judged = list(_judged(bench, notes))
    if all(item.code not in ADVERSE | REVIEWED for item in judged):
        judged.append(_status(bench, counted))
    yield from judged


def _ours(order: Order) -> OrderFinding:
    """No call says anything about the unit."""
    code = order.calls[-1].verdict.code if order.calls else "our_side"
    told = tuple(words.of_call(call, call.detail()) for call in order.calls) or (words.NEVER_CALLED,)
    return _plain(code, told, order.calls)


def _plain(code: str, reasons: Sequence[str], calls: Sequence[Call]) -> OrderFinding:
    keys = tuple(call.attempt_id for call in calls)
    return OrderFinding(code, False, False, True, "none", (), tuple(reasons), keys)


def _judged(bench: _Bench, notes: Sequence[Note]) -> Iterator[OrderFinding]:
    """Weigh each note against the clauses that bind."""
    found: dict[str, OrderFinding] = {}
    for note in notes:
        finding = _weighed(bench, note)
        known = found.get(finding.code)
        found[finding.code] = finding if known is None else _joined(known, finding)
    settled = {code for item in found.values() if item.adverse for code in CODES[item.code].leads_to}
    for item in found.values():
        # What is proposed needs no second look under another name.
        if item.adverse or not item.needs_review or not set(CODES[item.code].leads_to) <= settled:
            yield item


def _joined(one: OrderFinding, other: OrderFinding) -> OrderFinding:
    """Two calls that show the same: one finding, with the proof of both."""
    best = max(one, other, key=lambda item: (item.adverse, GRADES.index(item.grade)))
    return OrderFinding(
        best.code,
        best.adverse,
        one.needs_review or other.needs_review,
        best.bound,
        best.grade,
        best.clauses,
        tuple(dict.fromkeys((*one.reasons, *other.reasons))),
        tuple(dict.fromkeys((*one.attempts, *other.attempts))),
    )


def _weighed(bench: _Bench, note: Note) -> OrderFinding:
    code, reasons = note.code, [words.of_call(call, text) for call, text in note.told]
    clauses = bench.binding(note.calls, (CODES[code].leads_to or (code,)))
    if code == "forwarded":
        banned = tuple(item for item in clauses if item.bans_all_forwarding)
        if note.scope == BANNED_ONLY and clauses and not banned:
            # To another fixed line: only where all forwarding is banned.
            code, reasons = "forwarding_review", [*reasons, words.FIXED_LINE]
        elif note.scope == BANNED_ONLY:
            clauses = banned
    elif code == "machine_review" and bench.binding(note.calls, ("machine",)):
        code, clauses = "machine", bench.binding(note.calls, ("machine",))
    return _concluded(bench.order, code, note, clauses, reasons)


def _concluded(
    order: Order, code: str, note: Note, clauses: tuple[Bound, ...], reasons: list[str]
) -> OrderFinding:
    bound = bool(clauses) or not CODES[code].leads_to
    # That a number must be checked says nothing against the unit, whatever the clauses.
    adverse, review = code in ADVERSE and bound, code in REVIEWED and (bound or code == "number_check")
    if order.spared:
        adverse = review = False
        reasons.append(words.spared([(item.kind, item.reason) for item in order.spared]))
    elif not bound and code != "number_check":
        reasons.append(words.NOT_BOUND)
    if code in ("silence_review", "answerer_review") and _hung_up(order):
        review = False
        reasons.append(words.HUNG_UP)
    if adverse and any(item.binding == "reference" for item in clauses):
        reasons.append(words.BY_REFERENCE)
    if adverse or review:
        reasons += [words.mitigation(item.kind, item.at) for item in order.mitigations if item.counts]
    keys = tuple(call.attempt_id for call in note.calls)
    shown = clauses if adverse or review else ()
    return OrderFinding(
        code, adverse, review, bound or code == "number_check", note.grade, shown, tuple(reasons), keys
    )


def _hung_up(order: Order) -> bool:
    return any(item.counts and item.kind == "hung_up_to_verify" for item in order.mitigations)


def _status(bench: _Bench, counted: tuple[Call, ...]) -> OrderFinding:
    """Name an order that nothing speaks against."""
    told = tuple(words.of_call(call, call.detail()) for call in counted)
    if any(call.passed_on_busy for call in counted):
        told = (*told, words.ON_BUSY)
    answered = [call for call in counted if call.answered]
    if answered:
        last = answered[-1]
        missed = any(call.missed and call.number < last.number for call in counted)
        assert last.facts is not None
        code = "answered_on_repeat" if missed else str(timely(last.facts, bench.limits))
        return _plain(code, told, counted)
    busy = any(call.busy or call.passed_on_busy for call in counted)
    return _plain("busy" if busy else "line_check", told, counted)


def _exempted(order: Order) -> list[dict[str, str]]:
    """What was exempted, of the line (seen while the calls were read) and of the unit."""
    lines = dict.fromkeys(reason for call in order.calls for reason in call.verdict.exempted)
    return [
        *({"kind": item.kind, "reason": item.reason} for item in dict.fromkeys(order.spared)),
        *({"kind": "our_trunk" if reason == _TRUNK_MUSIC else "line", "reason": reason} for reason in lines),
    ]

"""What a duty office's tables hold after some years: units in a tree, their lines, checks, calls, proposals, cases.

Everything follows from one seed. Nothing of it is real.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Any

from sip.record import CallRecord, MediaStatistics, TimelineEntry

COUNTIES, TOWNS_OF_COUNTY = 12, 18
PLANS = 60
YEARS = 5
COMMON = (("within", 780), ("borderline", 60), ("answered_on_repeat", 30))
ADVERSE = (("no_answer", 22), ("overtime", 9), ("forwarded", 6), ("crbt", 3), ("fax", 1))
TO_REVIEW = (("slow_review", 20), ("busy_review", 12), ("forwarding_review", 8), ("silence_review", 5))
OURS = (("number_check", 18), ("our_side", 12), ("interrupted", 2))
RARE = 60
"""Further codes, such as local rule sets have, of some thousandths all together."""
CODES_ASKED = ("within", "no_answer", "local_00", "local_59")
"""Codes of most orders, of some in a hundred, of a few in a hundred thousand."""
SAYS_NOTHING = ("our_side", "interrupted")
"""Of these codes those that do not count; calls of each check are judged as the check is."""
CASE_STATES, CASE_SHARES = ("to_review", "proposed", "confirmed", "revoked", "published"), (5, 3, 50, 30, 12)
PEOPLE = ("王督查", "李督查", "赵督查", "钱督查", "孙督查", "周督查", "吴督查")
SIGNS = ("sip_181", "history_info", "mobile_announcement", "ringback_restart", "late_ringing")
NO_PROPOSAL = ("missed", "withdrawn", "due", "retry", "planned")
Row = tuple[Any, ...]
FACTS = CallRecord(
    target="",
    call_id="bench",
    started_at="2026-11-20T12:00:00.000+08:00",
    clock_synchronised=True,
    outcome="answered",
    sip_status=200,
    timeline=(
        TimelineEntry(0.0, "sent", {"method": "INVITE"}),
        TimelineEntry(201.3, "received", {"status": 180, "reason": "Ringing", "sdp": False}),
    ),
    media=MediaStatistics("PCMA", received=640, jitter_ms=0.4, sent=640),
).to_dict()
"""What every call's facts hold."""


@dataclass(slots=True)
class Batch:
    """Rows of some thousand orders, by table."""

    spot_checks: list[Row] = field(default_factory=list)
    attempts: list[Row] = field(default_factory=list)
    call_facts: list[Row] = field(default_factory=list)
    verdicts: list[Row] = field(default_factory=list)
    proposals: list[Row] = field(default_factory=list)
    cases: list[Row] = field(default_factory=list)


COLUMNS = {
    "spot_checks": "id line_id unit_id plan_id kind due_at first_due_at closed_at state reason created_at code "
    "adverse needs_review counts",
    "attempts": "id check_id number line_id unit_id target state owner claimed_at started_at ended_at call_id "
    "outcome answered_by ring_to_answer_ms rings three_ring verdict_code needs_review kind proposal_code trunk "
    "post_dial_delay_ms plan_id case_state reviewer grade sign",
    "call_facts": "attempt_id content",
    "verdicts": "id attempt_id rule_set code lawful needs_review content judged_at",
    "proposals": "id check_id rule_set in_force code content judged_at",
    "cases": "id check_id unit_id code kind happened_at state proposal opened_at changed_at mitigated",
}
"""Columns of the rows, in their order."""


@dataclass(frozen=True, slots=True)
class UnitRow:
    """One unit of the tree."""

    key: int
    parent: int | None
    path: str
    name: str
    category: str


def units(count: int) -> list[UnitRow]:
    """A city, its counties, their towns, and departments and institutions below all of them."""
    found = [UnitRow(1, None, "1/", "云溪市总值班室", "city")]

    def add(parent: UnitRow, name: str, category: str) -> UnitRow:
        key = len(found) + 1
        unit = UnitRow(key, parent.key, f"{parent.path}{key}/", name, category)
        found.append(unit)
        return unit

    counties = [add(found[0], f"第{n}县", "county") for n in range(1, COUNTIES + 1) if len(found) < count]
    towns = [
        add(county, f"{county.name}第{n}镇", "town")
        for county in counties
        for n in range(1, TOWNS_OF_COUNTY + 1)
        if len(found) < count
    ]
    heads = [*counties, *towns, found[0]]
    for n in range(count - len(found)):
        head = heads[n % len(heads)]
        add(head, f"{head.name}第{n}所", "institution")
    return found


class Orders:
    """Orders with all that hangs on them, in the order in which they came due."""

    def __init__(self, rows: int, tree: Sequence[UnitRow], newest: datetime, seed: int = 5) -> None:
        self._rows = rows
        self._random = random.Random(seed)
        self._oldest = newest - timedelta(days=365 * YEARS)
        self._step = (newest - self._oldest) / max(1, rows)
        counties = [unit for unit in tree if unit.category == "county"]
        # One county was never called, one no more after the first year: nothing of theirs is among the newest rows.
        silent, former = (county.path for county in counties[-1:-3:-1]) if len(counties) > 2 else ("-", "-")
        self._called = [unit.key for unit in tree if not unit.path.startswith((silent, former))]
        self._once = [unit.key for unit in tree if not unit.path.startswith(silent)]
        rare = tuple((f"local_{n:02}", 0.05 + 0.5 * (n % 7)) for n in range(RARE))
        mixed = COMMON + ADVERSE + TO_REVIEW + OURS + rare
        self._codes = [code for code, _ in mixed]
        self._weights = list(accumulate(weight for _, weight in mixed))
        self._adverse = {code for code, _ in ADVERSE} | {f"local_{n:02}" for n in range(0, RARE, 3)}
        self._review = {code for code, _ in TO_REVIEW}
        self._attempt = 0
        self._case = 0

    def batches(self, size: int = 10_000) -> Iterator[Batch]:
        """Every order, `size` of them at a time."""
        for first in range(1, self._rows + 1, size):
            batch = Batch()
            for key in range(first, min(first + size, self._rows + 1)):
                self._add(batch, key)
            yield batch

    def _add(self, batch: Batch, key: int) -> None:
        chance = self._random.random
        at = self._oldest + key * self._step + timedelta(milliseconds=int(chance() * 900))
        among = self._once if key * YEARS < self._rows else self._called
        unit = among[int(chance() * len(among))]
        drawn = chance()
        kind = "random" if drawn < 0.94 else "designated" if drawn < 0.985 else "verification"
        plan = 1 + (key * PLANS) // (self._rows + 1) if kind == "random" else None
        state = self._state(key)
        code = None
        if state not in NO_PROPOSAL and kind != "verification":
            code = self._random.choices(self._codes, cum_weights=self._weights)[0]
        adverse = None if code is None else code in self._adverse
        review = None if code is None else code in self._review or bool(adverse)
        due_at = at + timedelta(days=400) if state == "planned" else at
        closed = at + timedelta(seconds=45) if state == "done" else None
        batch.spot_checks.append(
            (
                key,
                unit,
                unit,
                plan,
                kind,
                due_at,
                due_at,
                closed,
                state,
                "计划抽查",
                at,
                code,
                adverse,
                review,
                state == "done" and code not in SAYS_NOTHING,
            )
        )
        if state != "done":
            return
        stands = self._random.choices(CASE_STATES, weights=CASE_SHARES)[0] if adverse or review else None
        for number in range(1, 3 if chance() < 0.12 else 2):
            moment = at + timedelta(minutes=11 * (number - 1))
            self._call(batch, key, number, unit, moment, kind, code, plan, stands)
        if code is not None:
            self._propose(batch, key, unit, at, kind, code, bool(adverse), bool(review), stands)

    def _state(self, key: int) -> str:
        if key > self._rows - 20:
            return ("due", "retry")[key % 2]
        drawn = self._random.random()
        if drawn < 0.98:
            return "done"
        return "missed" if drawn < 0.99 else "withdrawn" if drawn < 0.9995 else "planned"

    def _call(
        self, batch: Batch, check: int, number: int, unit: int, at: datetime, kind: str, code: str | None,
        plan: int | None, stands: str | None,
    ) -> None:  # fmt: skip
        self._attempt += 1
        key = self._attempt
        verdict = code or "within"
        answered = verdict in ("within", "borderline", "overtime", "slow_review")
        ring_ms = round(3_000 + 9_000 * self._random.random(), 3) if answered else None
        review = verdict in self._review
        decided = None if stands in (None, "to_review") else PEOPLE[unit % 7]
        proof = "definitive" if answered else "strong" if code in self._adverse else "weak"
        sign = (
            SIGNS[key % 40]
            if verdict in ("forwarded", "forwarding_review") and key % 40 < len(SIGNS)
            else None
        )
        batch.attempts.append(
            (key, check, number, unit, unit, f"0000{unit:07}", "finished", "bench", at, at,
             at + timedelta(seconds=30), f"{key:016x}@bench", "answered" if answered else "no_answer",
             "human" if answered else None, ring_ms, 2 if answered else 12,
             "within" if answered else "not_applicable", verdict, review, kind, code, "city", 210.0,
             plan, stands, decided, proof, sign)
        )  # fmt: skip
        facts = FACTS | {"target": f"0000{unit:07}", "ring_to_answer_ms": ring_ms}
        batch.call_facts.append((key, json.dumps(facts)))
        content = {
            "code": verdict,
            "rule_set": "three-ring/1",
            "needs_review": review,
            "findings": [],
            "exempted": [],
        }
        batch.verdicts.append((key, key, "three-ring/1", verdict, True, review, json.dumps(content), at))

    def _propose(
        self,
        batch: Batch,
        check: int,
        unit: int,
        at: datetime,
        kind: str,
        code: str,
        adverse: bool,
        review: bool,
        stands: str | None,
    ) -> None:
        content = {
            "schema": "dutyring.proposal/1", "code": code, "adverse": adverse, "needs_review": review,
            "clauses": [], "reasons": ["计划抽查"], "attempts": [], "rule_set": "neutral/1",
        }  # fmt: skip
        told = json.dumps(content, ensure_ascii=False)
        batch.proposals.append((check, check, "neutral/1", True, code, told, at))
        if stands is not None:
            self._case += 1
            batch.cases.append((self._case, check, unit, code, kind, at, stands, told, at, at, False))

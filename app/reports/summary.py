"""期间汇总: what the random checks of a period showed, and what of it was confirmed.

Everything is counted through indices of labels and units: a year of two hundred thousand checks takes some hundredths
of a second. Rates are over random checks that were closed, judged and not spoilt by us; findings are only those that a
named person confirmed.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, String, distinct, func, select, values
from sqlalchemy import column as label
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.accounts.principal import limits
from app.checks.listing import ATTEMPTS, ORDERS, shelves_of
from app.checks.models import Attempt, SpotCheck
from app.checks.proposal_codes import ANSWERED, CODES, OUR_FAULT
from app.checks.shelves import ATTEMPT_LABELS, ORDER_LABELS, Labels, read
from app.database import Database, UtcDateTime
from app.directory.models import Unit
from app.directory.repository import below
from app.planning.calendar import DAY_KINDS_ZH, CalendarBook, load_book, stretches
from app.reports.figures import Rate
from app.reviews import score_repository
from app.reviews.codes import title_of
from app.reviews.models import COUNTING, Case
from app.reviews.score_repository import Period, Scope
from app.reviews.scoring import Finding

MOST_DAYS = 366
KINDS = ("random", "designated", "verification")
DAY_KINDS = ("workday", "makeup_workday", "weekend", "lieu_day", "holiday")
RINGS: Mapping[str, str] = {
    "within": "三声内（11 秒以内）",
    "borderline": "临界（11 至 15 秒）",
    "slow_review": "15 至 20 秒",
    "overtime": "超过 20 秒",
    "unmeasured": "时长未核实",
}
"""Verdicts of answered calls by how long they rang, at the usual limits."""
REPEATED = 2
"""Confirmed checks of a unit from which on it is a repeated offender (屡次)."""
MOST_REPEATED = 50
_ENDED = ("done", "missed", "withdrawn")
"""States that a summary may speak of: what is still to come is told to nobody."""


@dataclass(frozen=True, slots=True)
class Repeated:
    """A unit with several confirmed checks."""

    unit_id: int
    name: str
    checks: int
    codes: str
    """In Chinese, with how often."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a period showed."""

    first: date
    last: date
    unit: str
    """Name of the head of the subtree; empty: all units that the reader may see."""
    by_kind: Mapping[str, int]
    """Closed checks by kind."""
    not_called: int
    """Missed or withdrawn."""
    judged: int
    """Random checks that were closed and judged."""
    spoilt: int
    """Of these, what does not count because of us."""
    outcomes: Sequence[tuple[str, str, Rate]]
    """Code, title and share of each outcome of counted random checks, the most frequent first."""
    answered: Rate
    three_rings: Rate
    """Of counted random checks: within three rings, the borderline among them."""
    found: Rate
    """Of counted random checks: with a confirmed finding."""
    findings: Sequence[tuple[str, int, int]]
    """Title of a confirmed finding; how often in random checks, and beside them (指定抽查, 人工补录)."""
    rings: Sequence[tuple[str, Rate]]
    """Answered random calls by how long they rang; those of cases that are open are left out."""
    rings_open: int
    """How many those are."""
    days: Sequence[tuple[str, Rate]]
    """By kind of day: counted random checks with a confirmed finding."""
    covered: Rate
    """Units with at least one counted random check."""
    repeated: Sequence[Repeated]

    @property
    def n(self) -> int:
        """Random checks that count."""
        return self.judged - self.spoilt


async def summarise(
    database: Database, zone: ZoneInfo, first: date, last: date, head: Unit | None
) -> Summary:
    """Count a period, the days from `first` to `last`, of a subtree or of all units that the reader may see."""
    # Of the head of the whole tree every row counts: looking at the unit of each would take three times as long.
    within = None if head is None or await _is_whole(database, head) else head
    period, scope = (
        Period(start_of(first, zone), start_of(last + timedelta(days=1), zone)),
        Scope(head=within),
    )
    async with database.reading() as session:
        shelves = {shelf: read(shelf, ORDER_LABELS) for shelf in await shelves_of(session, ORDERS)}
    asked = _Asked(database, period, scope, shelves)
    # Side by side: databases count in threads and processes of their own.
    orders, spoilt, covered, calls, counts, findings = await asyncio.gather(
        asked.orders(), asked.spoilt(), asked.covered(), asked.calls(), asked.days(zone, first, last),
        asked.findings(),
    )  # fmt: skip
    book, counted, rest = counts
    confirmed = [finding for unit in findings.values() for finding in unit]
    drawn = [finding for finding in confirmed if finding.kind == "random"]
    judged = [(str(labels["code"]), number) for labels, number in orders if _judged(labels)]
    ours = sum(number for code, number in judged if code in OUR_FAULT) + spoilt
    n = sum(number for _, number in judged) - ours
    of_code = Counter[str]()
    for code, number in judged:
        if code not in OUR_FAULT:
            of_code[code] += number
    rings, rings_open = _rings(calls)
    counted[rest] = max(0, of_code.total() - counted.total())
    return Summary(
        first=first,
        last=last,
        unit="" if head is None else head.name,
        by_kind=_by_kind(orders),
        not_called=sum(number for labels, number in orders if labels["state"] in ("missed", "withdrawn")),
        judged=n + ours,
        spoilt=ours,
        outcomes=[(code, _title(code), Rate(count, n)) for code, count in of_code.most_common()],
        answered=Rate(sum(of_code[code] for code in ANSWERED), n),
        three_rings=Rate(of_code["within"] + of_code["borderline"], n),
        found=Rate(_checks(drawn), n),
        findings=_by_finding(confirmed),
        rings=rings,
        rings_open=rings_open,
        days=_by_day(book, (first, last), counted, drawn, zone),
        covered=covered,
        repeated=await asked.repeated(findings),
    )


async def _is_whole(database: Database, head: Unit) -> bool:
    """Whether every unit that the reader sees is this one or below it."""
    async with database.reading() as session:
        return await session.scalar(select(Unit.id).where(~below(head)).limit(1)) is None


def start_of(day: date, zone: ZoneInfo) -> datetime:
    """The first moment of a local day."""
    return datetime.combine(day, time(), zone)


@dataclass(frozen=True, slots=True)
class _Asked:
    """The counting of one period."""

    database: Database
    period: Period
    scope: Scope
    shelves: Mapping[str, Labels]
    """Those of orders."""

    async def orders(self) -> list[tuple[Labels, int]]:
        """How many closed checks there are on each shelf."""
        async with self.database.reading() as session:
            ended = [
                shelf
                for shelf, labels in self.shelves.items()
                if labels["state"] in _ENDED and labels["kind"] in KINDS
            ]
            number = select(func.count()).select_from(SpotCheck).where(*self._of_orders())
            rows = await _on_shelves(session, number, SpotCheck.shelf, ended, self.scope.head is None)
        return [(self.shelves[shelf], count) for shelf, count in rows]

    def _of_orders(self) -> list[ColumnElement[bool]]:
        return [
            SpotCheck.first_due_at >= self.period.first_at,
            SpotCheck.first_due_at < self.period.until,
            *self.scope.of(SpotCheck.unit_id),
        ]

    async def spoilt(self) -> int:
        """Random checks that a person took out as our fault."""
        query = select(func.count(distinct(Case.check_id))).where(
            Case.end_cause == "our_fault",
            Case.kind == "random",
            Case.happened_at >= self.period.first_at,
            Case.happened_at < self.period.until,
            *self.scope.of(Case.unit_id),
        )
        async with self.database.reading() as session:
            return await session.scalar(query) or 0

    async def covered(self) -> Rate:
        """How many units were reached by a random check that counts."""
        async with self.database.reading() as session:
            query = select(func.count()).select_from(Unit)
            if self.scope.head is not None:
                query = query.where(below(self.scope.head))
            reached = (
                select(SpotCheck.id)
                .where(
                    SpotCheck.unit_id == Unit.id,
                    SpotCheck.first_due_at >= self.period.first_at,
                    SpotCheck.first_due_at < self.period.until,
                    SpotCheck.shelf.in_(self._counting()),
                )
                .exists()
            )
            units = await session.scalar(query) or 0
            return Rate(await session.scalar(query.where(reached)) or 0, units)

    def _counting(self) -> list[str]:
        """The shelves of random checks that count."""
        return [
            shelf
            for shelf, labels in self.shelves.items()
            if _judged(labels) and labels["code"] not in OUR_FAULT
        ]

    async def calls(self) -> list[tuple[Labels, int]]:
        """How many random calls there are on each shelf of answered ones."""
        async with self.database.reading() as session:
            known = {shelf: read(shelf, ATTEMPT_LABELS) for shelf in await shelves_of(session, ATTEMPTS)}
            answered = [
                shelf
                for shelf, labels in known.items()
                if labels["kind"] == "random"
                and labels["verdict_code"] in RINGS
                and labels["proposal_code"] not in OUR_FAULT
            ]
            number = (
                select(func.count())
                .select_from(Attempt)
                .where(
                    Attempt.claimed_at >= self.period.first_at,
                    Attempt.claimed_at < self.period.until,
                    *self.scope.of(Attempt.unit_id),
                )
            )
            rows = await _on_shelves(session, number, Attempt.shelf, answered, self.scope.head is None)
        return [(known[shelf], count) for shelf, count in rows]

    async def days(self, zone: ZoneInfo, first: date, last: date) -> tuple[CalendarBook, Counter[str], str]:
        """The calendar, counted random checks by kind of day, and the kind that is left out: most days are of it.

        What is left of all checks of the period fell on those.
        """
        async with self.database.reading() as session:
            book = await load_book(session, first, last)
            rest = Counter(info.kind for info in book.span(first, last)).most_common(1)[0][0]
            spans = [
                (kind, start_of(begin, zone), start_of(end + timedelta(days=1), zone))
                for kind in DAY_KINDS
                if kind != rest
                for begin, end in stretches(info.day for info in book.span(first, last) if info.kind == kind)
            ]
            if not spans:
                return book, Counter(), rest
            table = (
                values(
                    label("kind", String),
                    label("first_at", UtcDateTime),
                    label("until", UtcDateTime),
                    name="spans",
                )
                .data(spans)
                .cte("spans")
            )
            # One count for each stretch of days: a join would sort what the index has in order.
            inside = (
                select(func.count(SpotCheck.id))
                .where(
                    SpotCheck.first_due_at >= table.c.first_at,
                    SpotCheck.first_due_at < table.c.until,
                    SpotCheck.shelf.in_(self._counting()),
                    *self.scope.of(SpotCheck.unit_id),
                )
                .correlate(table)
                .scalar_subquery()
            )
            counts = Counter[str]()
            for kind, number in await session.execute(select(table.c.kind, inside)):
                counts[kind] += number
            return book, counts, rest

    async def findings(self) -> dict[int, list[Finding]]:
        """What was confirmed, by unit."""
        async with self.database.reading() as session:
            return await score_repository.findings(session, self.period, self.scope)

    async def repeated(self, findings: Mapping[int, Sequence[Finding]]) -> list[Repeated]:
        """Units with several confirmed checks, most of them first."""
        counts = {unit: len({_check(one) for one in found}) for unit, found in findings.items()}
        listed = sorted((-n, unit) for unit, n in counts.items() if n >= REPEATED)[:MOST_REPEATED]
        async with self.database.reading() as session:
            query = select(Unit.id, Unit.name).where(Unit.id.in_([unit for _, unit in listed]))
            names = {row[0]: row[1] for row in await session.execute(query)}
        return [Repeated(unit, names.get(unit, ""), -n, _told(findings[unit])) for n, unit in listed]


async def _on_shelves(
    session: AsyncSession,
    number: Select[int],
    column: InstrumentedAttribute[str],
    names: Sequence[str],
    whole: bool,
) -> list[tuple[str, int]]:
    """How many rows are on each of some shelves that has any. `number`: counts all; `whole`: it asks for no units."""
    sqlite = session.get_bind().dialect.name == "sqlite"
    if not (sqlite and names and whole and limits() is None):
        query = number.add_columns(column).where(column.in_(names)).group_by(column)
        return [(row[1], row[0]) for row in await session.execute(query)]
    shelves = values(label("shelf", String), name="shelves").data([(name,) for name in names]).cte("shelves")
    # Shelf by shelf, each by its stretch of the index: counted together, SQLite looks at the shelf of each row.
    on_it = number.where(column == shelves.c.shelf).correlate(shelves).scalar_subquery()
    return [(row[0], row[1]) for row in await session.execute(select(shelves.c.shelf, on_it)) if row[1]]


def _judged(labels: Labels) -> bool:
    return labels["kind"] == "random" and labels["state"] == "done" and labels["code"] is not None


def _by_kind(orders: Sequence[tuple[Labels, int]]) -> dict[str, int]:
    found = dict.fromkeys(KINDS, 0)
    for labels, number in orders:
        if labels["state"] == "done":
            found[str(labels["kind"])] += number
    return found


def _title(code: str) -> str:
    return CODES[code].zh if code in CODES else title_of(code)


def _rings(calls: Sequence[tuple[Labels, int]]) -> tuple[list[tuple[str, Rate]], int]:
    """Shares of the stretches, and how many calls are left out because their case is open."""
    counts, left_out = Counter[str](), 0
    for labels, number in calls:
        if labels["case_state"] is None or labels["case_state"] in COUNTING:
            counts[str(labels["verdict_code"])] += number
        else:
            left_out += number
    return [(name, Rate(counts[code], counts.total())) for code, name in RINGS.items()], left_out


def _check(finding: Finding) -> int | datetime:
    """What a finding belongs to: its check, or of a check by hand its moment."""
    return finding.at if finding.check_id is None else finding.check_id


def _checks(findings: Sequence[Finding]) -> int:
    return len({_check(finding) for finding in findings})


def _by_finding(findings: Sequence[Finding]) -> list[tuple[str, int, int]]:
    drawn: dict[str, set[object]] = defaultdict(set)
    beside: dict[str, set[object]] = defaultdict(set)
    for finding in findings:
        (drawn if finding.kind == "random" else beside)[finding.code].add(_check(finding))
    codes = sorted({*drawn, *beside}, key=lambda code: (-len(drawn[code]) - len(beside[code]), code))
    return [(title_of(code), len(drawn[code]), len(beside[code])) for code in codes]


def _by_day(
    book: CalendarBook,
    span: tuple[date, date],
    counted: Mapping[str, int],
    drawn: Sequence[Finding],
    zone: ZoneInfo,
) -> list[tuple[str, Rate]]:
    # From when on days are of which kind, in UTC as the findings are.
    begins: list[datetime] = []
    kinds: list[str] = []
    for info in book.span(*span):
        if not kinds or info.kind != kinds[-1]:
            begins.append(start_of(info.day, zone).astimezone(UTC))
            kinds.append(info.kind)
    found: dict[str, set[object]] = defaultdict(set)
    for finding in drawn:
        found[kinds[bisect_right(begins, finding.at) - 1]].add(_check(finding))
    return [(DAY_KINDS_ZH[kind], Rate(len(found[kind]), counted.get(kind, 0))) for kind in DAY_KINDS]


def _told(findings: Sequence[Finding]) -> str:
    counts = Counter(finding.code for finding in findings)
    return "、".join(f"{title_of(code)}{f'×{n}' if n > 1 else ''}" for code, n in counts.most_common())

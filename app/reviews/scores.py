"""Scores of units over a period, and their order."""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from app.directory.models import Unit
from app.reviews import score_repository as repository
from app.reviews.score_repository import Period, Scope
from app.reviews.scoring import LEAST_CHECKS, Cap, Figures, Scale, figures
from app.rules.own import Own, parse_own


@dataclass(frozen=True, slots=True)
class Scales:
    """The office's own points over time."""

    starts: Sequence[datetime]
    scales: Sequence[Scale | None]
    documents: Sequence[str] = ()

    def at(self, moment: datetime) -> Scale | None:
        """The scale in force at a moment; None before the first, and for one without points."""
        position = bisect.bisect_right(self.starts, moment)
        return self.scales[position - 1] if position else None

    def document_at(self, moment: datetime) -> str | None:
        """The local document by which the rules of a moment hold."""
        position = bisect.bisect_right(self.starts, moment)
        return self.documents[position - 1] if position else None


@dataclass(frozen=True, slots=True)
class UnitScore:
    """One unit's score."""

    unit: Unit
    figures: Figures
    left_out: int
    """Closed random orders that do not count because of us."""
    ring: Sequence[int] = field(default_factory=tuple)
    """Answered calls in the stretches of `RING_EDGES_S`."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A unit with its place; units of the same figure share it."""

    place: int
    key: int
    """What it was ordered by: smaller is better."""
    unit_id: int


def scale_of(own: Own) -> Scale | None:
    """Return the scale of an office's own points; None where it gave none."""
    if not own.points:
        return None
    return Scale(
        base=own.base,
        points=dict(own.points),
        caps=tuple(Cap(cap.finding, cap.per, cap.most) for cap in own.caps),
        bands=tuple((band.name, band.least) for band in own.bands),
    )


async def scales(session: AsyncSession, until: datetime) -> Scales:
    """Load every scale up to a moment."""
    rows = await repository.activations(session, until)
    return Scales(
        [row.from_at for row in rows],
        [scale_of(parse_own(row.own)) for row in rows],
        [row.document for row in rows],
    )


async def page(
    session: AsyncSession,
    units: Sequence[Unit],
    period: Period,
    known: Scales,
    closing: datetime,
    zone: ZoneInfo,
) -> list[UnitScore]:
    """Return the scores of these units."""
    if not units:
        return []
    keys = [unit.id for unit in units]
    found = await by_unit(session, period, Scope(unit_ids=keys), known, closing, zone)
    ring = await repository.ring_times(session, period, keys)
    nothing = figures(0, (), known.at, known.at(closing), zone), 0
    return [UnitScore(unit, *found.get(unit.id, nothing), ring.get(unit.id, ())) for unit in units]


async def ranking(
    session: AsyncSession, scope: Scope, period: Period, known: Scales, closing: datetime, zone: ZoneInfo
) -> tuple[list[Placed], int]:
    """Return the units with checks enough in their order, and how many had too few.

    By points where the office has its own, else by the rate of findings.
    """
    if known.at(closing) is not None:
        keys = {
            unit_id: -round((own.points or 0.0) * 1000) if own.ranked else None
            for unit_id, (own, _) in (await by_unit(session, period, scope, known, closing, zone)).items()
        }
    else:
        keys = await _rates(session, period, scope)
    placed: list[Placed] = []
    ordered = sorted((key, unit_id) for unit_id, key in keys.items() if key is not None)
    for number, (key, unit_id) in enumerate(ordered, 1):
        place = placed[-1].place if placed and placed[-1].key == key else number
        placed.append(Placed(place, key, unit_id))
    return placed, len(keys) - len(placed)


async def _rates(session: AsyncSession, period: Period, scope: Scope) -> dict[int, int | None]:
    """For each unit with checks or findings its rate in billionths, None with too few checks."""
    closed, spoilt = await repository.counted(session, period, scope)
    found = await repository.found_orders(session, period, scope)
    counts = {unit_id: closed[unit_id] - spoilt[unit_id] for unit_id in {*closed, *found}}
    return {
        unit_id: round(found[unit_id] / n * 1_000_000_000) if n >= LEAST_CHECKS else None
        for unit_id, n in counts.items()
    }


async def by_unit(
    session: AsyncSession, period: Period, scope: Scope, known: Scales, closing: datetime, zone: ZoneInfo
) -> Mapping[int, tuple[Figures, int]]:
    """Return the figures of every unit with checks or findings, and how many of its checks do not count."""
    closed, spoilt = await repository.counted(session, period, scope)
    found = await repository.findings(session, period, scope)
    last = known.at(closing)
    return {
        unit_id: (
            figures(closed[unit_id] - spoilt[unit_id], found.get(unit_id, ()), known.at, last, zone),
            spoilt[unit_id],
        )
        for unit_id in sorted({*closed, *found})
    }

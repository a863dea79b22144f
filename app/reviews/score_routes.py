"""Scores: rates per random check with their number, points by the office's own scale, and the order of units."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, cast
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query

from app import clock
from app.api.paging import After, Key, Limit, cut, pack, unpack
from app.api.text import Day
from app.errors import BadInputError, Fault, NotFoundError
from app.reviews import repository, score_repository, scores
from app.reviews.score_repository import Period, Scope
from app.reviews.score_schemas import PeriodOut, Ranking, ScorePage, rank_out, score_out
from app.reviews.scores import Scales
from app.reviews.scoring import LEAST_CHECKS
from app.reviews.serving import PathKey, Service, span_of

router = APIRouter(prefix="/api/v1", tags=["scores"])
LONGEST = timedelta(days=3 * 366)
First = Annotated[
    Day | None, Query(description="First day; the beginning of the year of `last` unless given")
]
Last = Annotated[Day | None, Query(description="Last day; today unless given")]


@router.get("/scores")
async def list_scores(
    given: Service,
    first: First = None,
    last: Last = None,
    unit: Key | None = None,
    after: After = None,
    limit: Limit = 50,
) -> ScorePage:
    """Scores of units over the days from `first` to `last`, by the units' keys; `unit` takes its subtree along.

    Only what a named person confirmed counts; what was revoked or overturned counts no longer.
    """
    database, settings = given
    days = _days(first, last, settings.zone)
    period = _period(days, settings.zone)
    spot = cast(int, unpack(after, int)[0]) if after else None
    async with database.reading() as session:
        head = await repository.unit(session, unit) if unit is not None else None
        known = await scores.scales(session, period.until)
        told = _told(days, known, period)
        if unit is not None and head is None:
            return ScorePage(period=told, items=[], next=None)
        rows = await score_repository.units(session, head, spot, limit + 1)
        found, end = cut(rows, limit)
        shown = await scores.page(session, found, period, known, _closing(period), settings.zone)
    return ScorePage(
        period=told,
        items=[score_out(score) for score in shown],
        next=None if end is None else pack(end.id),
    )


@router.get("/scores/ranking")
async def show_ranking(
    given: Service,
    first: First = None,
    last: Last = None,
    unit: Key | None = None,
    after: After = None,
    limit: Limit = 50,
) -> Ranking:
    """Units in their order over the days from `first` to `last`: by points, or by the rate of findings.

    Units with fewer than 3 counted random checks are not in it.
    """
    database, settings = given
    days = _days(first, last, settings.zone)
    period = _period(days, settings.zone)
    spot = cast(tuple[int, int], unpack(after, int, int)) if after else None
    async with database.reading() as session:
        head = await repository.unit(session, unit) if unit is not None else None
        known = await scores.scales(session, period.until)
        scope = Scope(head=head) if unit is None or head is not None else Scope(unit_ids=())
        placed, unranked = await scores.ranking(
            session, scope, period, known, _closing(period), settings.zone
        )
        rest = [row for row in placed if spot is None or (row.key, row.unit_id) > spot]
        found, end = cut(rest[: limit + 1], limit)
        units = await repository.units_named(session, (row.unit_id for row in found))
        shown = Scope(unit_ids=list(units))
        own = await scores.by_unit(session, period, shown, known, _closing(period), settings.zone)
    return Ranking(
        period=_told(days, known, period),
        by="points" if known.at(_closing(period)) is not None else "rate",
        ranked=len(placed),
        unranked=unranked,
        items=[rank_out(row.place, units[row.unit_id], own[row.unit_id][0]) for row in found],
        next=None if end is None else pack(end.key, end.unit_id),
    )


@router.get("/scores/{unit_id}")
async def show_score(given: Service, unit_id: PathKey, first: First = None, last: Last = None) -> ScorePage:
    """The score of one unit alone, without those below it."""
    database, settings = given
    days = _days(first, last, settings.zone)
    period = _period(days, settings.zone)
    async with database.reading() as session:
        found = await repository.unit(session, unit_id)
        if found is None:
            raise NotFoundError(f"没有单位 {unit_id} (no such unit)")
        known = await scores.scales(session, period.until)
        shown = await scores.page(session, [found], period, known, _closing(period), settings.zone)
    return ScorePage(
        period=_told(days, known, period), items=[score_out(score) for score in shown], next=None
    )


def _days(first: date | None, last: date | None, zone: ZoneInfo) -> tuple[date, date]:
    """The days of a period; without its last day up to today, without its first from the beginning of that year."""
    if last is None:
        today = clock.now().astimezone(zone).date()
        last = today if first is None else min(max(today, first), first + LONGEST)
    return first or last.replace(month=1, day=1), last


def _period(days: tuple[date, date], zone: ZoneInfo) -> Period:
    first, last = days
    if last - first > LONGEST:
        raise BadInputError("a score covers at most three years", [Fault("last", "more than three years on")])
    first_at, until = span_of(first, last, zone)
    return Period(cast(datetime, first_at), cast(datetime, until))


def _closing(period: Period) -> datetime:
    """The last moment of the period so far: the rules then in force give base and bands."""
    return min(period.until - timedelta(microseconds=1), max(clock.now(), period.first_at))


def _told(days: tuple[date, date], known: Scales, period: Period) -> PeriodOut:
    closing = _closing(period)
    return PeriodOut(
        first=days[0],
        last=days[1],
        least_checks=LEAST_CHECKS,
        points_document=known.document_at(closing) if known.at(closing) is not None else None,
        computed_at=clock.now(),
    )

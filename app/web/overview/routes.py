"""总览: what the office's calls show, as charts that are tables too."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from starlette.responses import Response

from app import clock
from app.accounts.permissions import Permission as P
from app.accounts.principal import current
from app.checks import figures
from app.checks.figures import RingFigures, Span
from app.checks.rules import CODES
from app.database import Database
from app.planning import coverage
from app.reviews.figures import attention
from app.settings import Settings
from app.trunks.records import read as read_trunks
from app.trunks.view import views as trunk_views
from app.web import i18n
from app.web.pages import render

READ = ["GET", "HEAD"]
ATTENTION_OF = timedelta(days=30)
MOST_UNITS = 10
LAST_BIN_S = 30
"""Calls that rang longer stand in the last bin."""
router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Month:
    """One month's figures, up to now."""

    name: str
    figures: RingFigures


@router.api_route("/overview", methods=READ)
async def overview_page(request: Request) -> Response:
    """Today, this month against the last one, whom to look at, how our own lines are."""
    database: Database = request.app.state.database
    settings: Settings = request.app.state.settings
    i18n.speak(request.cookies.get(i18n.COOKIE, i18n.FIRST))
    me, now = current(), clock.now()
    today = now.astimezone(settings.zone).date()
    this, last = (month_span(today, back, settings.zone) for back in (0, 1))
    day = (_midnight(today, settings.zone), _midnight(today + timedelta(days=1), settings.zone))
    async with database.reading() as session:
        months = [
            Month(f"{span[0].astimezone(settings.zone):%Y-%m}", await figures.ring_figures(session, span))
            for span in (this, last)
        ]
        verdicts = await figures.verdicts(session, day)
        values: dict[str, Any] = {
            "live": await figures.live_states(session) if me is not None and me.may(P.LIVE) else None,
            "units": await attention(session, now - ATTENTION_OF, MOST_UNITS),
            "year": await coverage.summary(session, today.year, 1, settings.zone),
            "trunks": trunk_views(settings, await read_trunks(session), now),
        }
    limits = [settings.three_ring_within_s, settings.three_ring_limit_s, settings.overtime_finding_s]
    return render(
        request,
        "overview/overview.html",
        months=months,
        verdicts=[(code, _title(code), count) for code, count in verdicts],
        total=sum(count for _, count in verdicts),
        limits=limits,
        spans=in_spans(months[0].figures.by_second, limits),
        charts=_charts(months, verdicts, limits),
        now=now,
        **values,
    )


def month_span(today: date, back: int, zone: ZoneInfo) -> Span:
    """The local month that was `back` months ago, from its first moment to before the next one's."""
    months = today.year * 12 + today.month - 1 - back
    return _midnight(_first_of(months), zone), _midnight(_first_of(months + 1), zone)


def in_spans(by_second: Mapping[int, int], limits: Sequence[float]) -> Sequence[tuple[str, int]]:
    """Answered calls by the limits that they lie between: the label of each span, and how many."""
    edges = [0.0, *limits, float("inf")]
    found = []
    for low, high in itertools.pairwise(edges):
        label = f"{low:g}–{high:g}" if high < float("inf") else f">{low:g}"
        found.append((label, sum(count for second, count in by_second.items() if low <= second < high)))
    return found


def _first_of(months: int) -> date:
    return date(months // 12, months % 12 + 1, 1)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _title(code: str | None) -> str:
    if code is None:
        return "进行中"
    info = CODES.get(code)  # type: ignore[call-overload]
    return info.zh if info else code


def _charts(
    months: Sequence[Month], verdicts: Sequence[tuple[str | None, int]], limits: Sequence[float]
) -> Mapping[str, Any]:
    """What a script draws; the same figures stand in the tables beside the charts."""
    seconds = dict.fromkeys(range(LAST_BIN_S + 1), 0)
    for second, count in months[0].figures.by_second.items():
        seconds[min(max(second, 0), LAST_BIN_S)] += count
    return {
        "verdicts": [[i18n.gettext(_title(code)), count] for code, count in verdicts],
        "months": [
            {
                "name": month.name,
                "within": month.figures.within,
                "borderline": month.figures.borderline,
                "exceeded": month.figures.exceeded,
                "no_answer": month.figures.no_answer,
            }
            for month in months
        ],
        "seconds": list(seconds.values()),
        "limits": list(limits),
    }

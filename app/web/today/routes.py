"""今日待办: the first page after signing in: what waits for me, then today's calls."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from app import clock
from app.accounts.permissions import Permission as P
from app.accounts.principal import current
from app.checks import repository, service
from app.checks.repository import ListFilter
from app.database import Database
from app.settings import Settings
from app.trunks.records import read as read_trunks
from app.trunks.view import TrunkView
from app.trunks.view import views as trunk_views
from app.web import repository as page_queries
from app.web import views
from app.web.pages import render
from app.web.today.steps import first_steps
from app.web.today.tasks import Task, waiting

router = APIRouter(include_in_schema=False)
READ = ["GET", "HEAD"]
SHOWN_CALLS = 20


@router.api_route("/", methods=READ)
async def first_page() -> Response:
    """今日待办 is the first page."""
    return RedirectResponse("/today", status_code=303)


@router.api_route("/today", methods=READ)
async def today_page(request: Request) -> Response:
    """What waits for who reads it."""
    database: Database = request.app.state.database
    settings: Settings = request.app.state.settings
    me, now = current(), clock.now()
    assert me is not None
    today = now.astimezone(settings.zone).date()
    midnight = datetime.combine(today, time(), settings.zone).astimezone(UTC)
    rules = service.rules_of(settings)
    async with database.reading() as session:
        tasks = [*await waiting(session, me, now, settings.zone)]
        if me.may(P.TRUNKS):
            trunks = trunk_views(settings, await read_trunks(session), now)
            tasks[:0] = _trunk_tasks(trunks, "/system" if me.may(P.SYSTEM) else "/overview#trunks")
        calls = None
        if me.may(P.CHECKS):
            tomorrow = midnight + timedelta(days=1)
            narrowed = ListFilter(since=midnight, until=tomorrow)
            found = await repository.page(session, narrowed, None, SHOWN_CALLS + 1)
            rang = await page_queries.rang_ms(session, found)
            calls = [views.row(attempt, settings.zone, rules, rang.get(attempt.id)) for attempt in found]
        steps = await first_steps(session, me, settings)
    return render(
        request,
        "today/today.html",
        tasks=tasks,
        calls=calls,
        most=SHOWN_CALLS,
        steps=steps,
        today=today,
        phone=views.stopped(getattr(request.app.state, "keeper", None)),
    )


def _trunk_tasks(trunks: Sequence[TrunkView], link: str) -> list[Task]:
    """Alarms of our own trunks; the phone itself counts as one."""
    return [
        Task("本机告警", len(trunk.alarms), link, trunk.alarms[0].zh, True)
        if trunk.source == "phone"
        else Task(
            "中继告警", len(trunk.alarms) or 1, link, "我方线路有问题，请系统管理员处理", True, trunk.name
        )
        for trunk in trunks
        if not trunk.well and (trunk.alarms or trunk.state in ("down", "unusable"))
    ]

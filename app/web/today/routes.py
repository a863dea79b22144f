"""今日待办: the first page after signing in: what waits for me, then today's calls."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta

from fastapi import APIRouter, Request
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import RedirectResponse, Response

from app import clock
from app.accounts.permissions import Permission as P
from app.accounts.principal import current
from app.checks import repository, service
from app.checks.repository import ListFilter
from app.database import Database
from app.directory.models import Unit
from app.planning.models import Plan, Prompt
from app.rules.models import RuleActivation
from app.settings import Settings
from app.trunks.records import read as read_trunks
from app.trunks.view import TrunkView
from app.trunks.view import views as trunk_views
from app.web import repository as page_queries
from app.web import views
from app.web.pages import render
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
        tasks = [*await waiting(session, me, now, today)]
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
        steps = await _first_steps(session) if me.may(P.PLANS_CHANGE) else ()
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


async def _first_steps(session: AsyncSession) -> Sequence[tuple[str, str, bool]]:
    """What an empty system needs first: what to do, where, and whether it is done; nothing once all is."""
    approved = select(Prompt.id).where(Prompt.approved_at.is_not(None), Prompt.retired_at.is_(None))
    steps = (
        ("导入单位和值班电话", "/units/import", select(Unit.id)),
        ("请系统管理员启用规则集，否则只记录、不认定", "/system/rules", select(RuleActivation.id)),
        ("录入开场提示音，并请督查人员批准", "/prompts", approved),
        ("制定并启动抽查计划", "/plans", select(Plan.id)),
    )
    found = [(title, link, await session.scalar(query.limit(1)) is not None) for title, link, query in steps]
    return () if all(done for _, _, done in found) else found

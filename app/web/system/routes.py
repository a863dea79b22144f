"""系统: what an administrator sees of this installation, and whoever else may see a part of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request
from starlette.responses import RedirectResponse, Response

from app import clock
from app.accounts import service as audit
from app.accounts.permissions import Permission as P
from app.api.actor import Actor
from app.directory.routing import PathKey, State
from app.errors import BadInputError, ConflictError, NotFoundError, OfficeError
from app.notices import repository as notice_log
from app.notices import service as notices
from app.operations.doctor import examine
from app.trunk_settings import trunk_of
from app.trunks import repository as trunk_records
from app.trunks import service as trunks
from app.trunks import trials as trunk_trials
from app.trunks.merge import merged, usable
from app.trunks.records import read as read_trunks
from app.trunks.view import views as trunk_views
from app.web import i18n
from app.web.pages import render
from app.web.spoken import Trouble, trouble
from app.web.system import trials, views
from app.web.views import clock_time
from sip.asking import ServerAnswer, ask_server


async def speaking(request: Request) -> None:
    """Speak the reader's language before anything is put into words."""
    i18n.speak(request.cookies.get(i18n.COOKIE, i18n.FIRST))


router = APIRouter(include_in_schema=False, dependencies=[Depends(speaking)])
READ = ["GET", "HEAD"]
EVENTS_SHOWN = 30
ROWS = 50
Name = Annotated[str, Form(min_length=1, max_length=64)]


@dataclass(frozen=True, slots=True)
class Part:
    """One page below 系统."""

    path: str
    name: str
    about: str
    needs: P


PARTS = (
    Part("/system/state", "运行状态", "版本、进程、数据库、语音识别", P.SYSTEM),
    Part("/system/doctor", "系统体检", "逐项检查本机条件，并说明如何处理", P.SYSTEM),
    Part("/system/trunks", "中继", "状态、告警、询问对端、试呼", P.TRUNKS),
    Part("/system/notices", "提醒与告警", "当前提醒、告警和发送记录", P.ALARMS),
    Part("/system/rules", "规则集", "查看、对照、启用", P.RULES),
    Part("/calendar", "日历", "节假日、调休和特殊敏感期", P.CALENDAR),
    Part("/prompts", "提示音", "开场和结束语", P.PLANS),
    Part("/system/storage", "录音与保存期限", "存储、期限、到期和待删除", P.RETENTION),
    Part("/system/settings", "设置", "当前生效的设置，不含口令和密钥", P.SYSTEM),
    Part("/system/accounts", "账号", "人员、角色和授权", P.ACCOUNTS),
    Part("/system/audit", "审计", "谁在何时做了什么", P.AUDIT),
)


@router.api_route("/system", methods=READ)
async def index(request: Request) -> Response:
    """The parts that who reads it may open."""
    me = request.scope["state"]["principal"]
    return render(request, "system/index.html", parts=[part for part in PARTS if me.may(part.needs)])


@router.api_route("/system/trunks", methods=READ)
async def trunks_page(request: Request, state: State) -> Response:
    """Our trunks: how they are, what stands against them, what happened last."""
    return await _trunks(request, state, {})


@router.post("/system/trunks/ask")
async def ask_trunk(request: Request, state: State, name: Name) -> Response:
    """Ask a trunk's server whether it is there; nothing is dialled."""
    database, settings = state
    async with database.reading() as session:
        ours = merged(settings, await trunk_records.records(session))
    wanted = next((one for one in ours if one.name == name and not one.shadowed), None)
    if wanted is None:
        raise NotFoundError(f"没有名为 {name} 的中继")
    wrong = {error.trunk for error in usable(settings, [wanted])[1]}
    if name in wrong:
        raise ConflictError(f"中继 {name} 的设置有误，无法询问")
    answer = await ask_server(trunk_of(name, wanted.config, settings.sip_bind, settings.sip_identity))
    async with database.unit_of_work() as session:
        await audit.record(session, "ask", f"trunk:{name}", "alive" if answer.alive else "no answer")
    return await _trunks(request, state, {name: answer})


@router.post("/system/trunks/use")
async def use_trunk(state: State, who: Actor, name: Name, enabled: Annotated[bool, Form()]) -> Response:
    """Let calls use a trunk that was entered, or no more."""
    try:
        async with state[0].unit_of_work() as session:
            await trunks.enable(session, name, enabled, who)
    except trunks.UnknownError as error:
        raise NotFoundError("设置文件中的中继只能在设置文件中改") from error
    return RedirectResponse("/system/trunks", status_code=303)


@router.post("/system/trunks/test")
async def call_by_trunk(
    request: Request, state: State, who: Actor, name: Name, number: Annotated[str, Form(max_length=64)] = ""
) -> Response:
    """Ask for a test call by a trunk; what came of it stands below."""
    database, settings = state
    try:
        async with database.reading() as session:
            plain = await trunk_trials.check(session, settings, name, number)
        async with database.unit_of_work() as session:
            await trunk_trials.ask(session, name, plain, who)
    except NotFoundError:
        raise
    except OfficeError as error:
        return await _trunks(request, state, {}, trouble(name, error, {"number": number}))
    return RedirectResponse("/system/trunks#tests", status_code=303)


@router.api_route("/system/trunks/tests", methods=READ)
async def tests_part(
    request: Request, state: State, name: Annotated[str, Query(min_length=1, max_length=64)]
) -> Response:
    """The latest test calls of a trunk."""
    database, settings = state
    async with database.reading() as session:
        calls = await trials.latest(session, name)
    return render(request, "system/_tests.html", trunk_name=name, calls=calls, zone=settings.zone)


async def _trunks(
    request: Request, state: State, answers: dict[str, ServerAnswer], trouble: Trouble | None = None
) -> Response:
    database, settings = state
    async with database.reading() as session:
        found = trunk_views(settings, await read_trunks(session), clock.now())
        events = await trunk_records.events(session, limit=EVENTS_SHOWN)
        tests = {one.name: await trials.latest(session, one.name) for one in found if one.in_use}
    return render(
        request,
        "system/trunks.html",
        200 if trouble is None else trouble.status,
        tests=tests,
        trouble=trouble,
        trunks=found,
        answers=answers,
        caps={
            one.name: views.caps_zh(one.caps) if i18n.language() == i18n.FIRST else one.caps for one in found
        },
        events=[views.trunk_event(event, settings.zone, i18n.language()) for event in events],
        zone=settings.zone,
        first=settings.default_trunk,
    )


@router.api_route("/system/notices", methods=READ)
async def notices_page(request: Request, state: State, before: int | None = None) -> Response:
    """What stands, and what became of each message."""
    database, settings = state
    if before is not None and not 0 < before < 2**63:
        raise BadInputError("地址中的位置有误")
    me = request.scope["state"]["principal"]
    async with database.reading() as session:
        standing = await notices.standing_for(session, settings, me)
        alarms = await views.office_alarms(session, settings.zone)
        log = await notice_log.deliveries(session, before, ROWS + 1)
    shown = log[:ROWS]
    return render(
        request,
        "system/notices.html",
        standing=[(one, clock_time(one.since, settings.zone)) for one in standing],
        alarms=alarms,
        deliveries=[views.delivery(row, settings.zone, i18n.language()) for row in shown],
        more=shown[-1].id if len(log) > ROWS else None,
        first=before is None,
        ways=notices.channels(settings),
    )


@router.post("/system/notices/test")
async def test_notice(state: State) -> Response:
    """Send a test message by each way."""
    database, settings = state
    async with database.unit_of_work() as session:
        number = await notices.test(session, settings)
        await audit.record(session, "test", "notices", f"{number} messages")
    return RedirectResponse("/system/notices", status_code=303)


@router.post("/system/notices/deliveries/{delivery_id}/again")
async def deliver_again(state: State, delivery_id: PathKey) -> Response:
    """Try a message that was given up once more."""
    async with state[0].unit_of_work() as session:
        await notices.again(session, delivery_id)
        await audit.record(session, "retry", f"notice_delivery:{delivery_id}")
    return RedirectResponse("/system/notices", status_code=303)


@router.api_route("/system/settings", methods=READ)
async def settings_page(request: Request, state: State) -> Response:
    """The settings as they are in force, without any secret."""
    return render(request, "system/settings.html", rows=views.settings_rows(state[1]))


@dataclass(frozen=True, slots=True)
class Examined:
    """The last examination."""

    at: datetime
    findings: list[views.FindingView]


@router.api_route("/system/doctor", methods=READ)
async def doctor_page(request: Request, state: State) -> Response:
    """The last examination, and a button for another."""
    last: Examined | None = getattr(request.app.state, "examined", None)
    return render(
        request,
        "system/doctor.html",
        last=last,
        at="" if last is None else clock_time(last.at, state[1].zone),
        states=views.STATE_ZH,
    )


@router.post("/system/doctor")
async def examine_now(request: Request, state: State) -> Response:
    """Look at everything; one at a time, for it asks the trunks."""
    database, settings = state
    turn: asyncio.Lock = request.app.state.__dict__.setdefault("_examining", asyncio.Lock())
    async with turn:
        found = await examine(settings, database)
        request.app.state.examined = Examined(clock.now(), [views.finding(one) for one in found])
    async with database.unit_of_work() as session:
        await audit.record(session, "examine", "system")
    return RedirectResponse("/system/doctor", status_code=303)


@router.api_route("/system/state", methods=READ)
async def state_page(request: Request, state: State) -> Response:
    """Version, processes, database, speech."""
    database, settings = state
    told = await request.app.state.readiness.told(request.app.state.keeper)
    async with database.reading() as session:
        rows = await views.state_rows(
            session, settings, request.app.state.keeper, request.app.state.transcriber
        )
    models = await asyncio.to_thread(views.models, settings)
    return render(request, "system/state.html", told=told, rows=rows, models=models)


@router.api_route("/system/storage", methods=READ)
async def storage_page(request: Request, state: State) -> Response:
    """Where recordings lie, how long they are kept, and what is to go."""
    database, settings = state
    async with database.reading() as session:
        figures = await views.storage_figures(session, clock.now())
        alarms = await views.office_alarms(session, settings.zone, views.STORAGE_ALARMS)
    places = await asyncio.to_thread(views.storage_places, settings)
    return render(
        request,
        "system/storage.html",
        figures=figures,
        stores=places,
        alarms=alarms,
        days=settings.retention_days,
        by_code=views.retention_by_code(settings),
    )

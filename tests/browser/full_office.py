"""An office in full use, so that no page is empty: the county of the screenshots, calls under way, cases, jobs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import uvicorn
from sqlalchemy import select

from app import clock
from app.accounts import service as audit
from app.accounts.models import Account, AccountGrant, ApiToken
from app.accounts.permissions import Role
from app.checks import live_board, stops
from app.checks import service as checks
from app.checks.live_board import Seen
from app.checks.models import Attempt, OfficeAlarm, Recording, SpotCheck, StoredProposal
from app.database import Database
from app.directory.models import DutyLine
from app.logs import configure
from app.notices.models import Delivery, Notice
from app.reports.models import ExportJob, SavedFilter
from app.reviews import publishing
from app.reviews import service as reviews
from app.reviews.models import Case
from app.reviews.opening import open_case
from app.samples.models import AnnouncementSample
from app.settings import Settings, TrunkSettings
from app.trunks.models import TrunkState
from tests.browser.office import NAMES, Office
from tests.web.apps import own_doors
from tests.web.migrated import migrate
from tests.web.people import account
from tests.web.reviewing import CLAUSE
from tests.web.seed import fill as call_units
from tools.screenshots_office import fill as use

CASES = ("overtime", "forwarded", "crbt")
PHASES = ("dialling", "ringing", "answered")
BEAT_S = 1.0
"""How often the phone of these calls says that it lives."""


@dataclass(frozen=True, slots=True)
class FullOffice(Office):
    """The office and its database."""

    database: Database


@asynccontextmanager
async def full_office(folder: Path) -> AsyncIterator[FullOffice]:
    """Fill an office and serve its pages from this process."""
    trunk = TrunkSettings(host="127.0.0.1", port=5062)
    settings = Settings(
        data_dir=folder,
        phone_process=False,
        trunks={"main": trunk},
        default_trunk="main",
        log_level="error",
        log_json=True,
    )
    configure(settings)
    migrate(settings)
    async with Database(settings.url) as database:
        await call_units(database, settings)
        await use(settings)
        accounts = await _accounts(database)
        await _own_things(database, settings, accounts[Role.INSPECTOR], accounts[Role.DISPATCHER])
        await _cases(database, settings)
        seen = await _calls(database)
    app = own_doors(settings)
    server = uvicorn.Server(uvicorn.Config(app, "127.0.0.1", 0, log_level="warning", lifespan="off"))
    running = [asyncio.create_task(server.serve()), asyncio.create_task(_beat(settings, seen))]
    try:
        while not server.started:
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield FullOffice(f"http://127.0.0.1:{port}", settings, app.state.database)
    finally:
        server.should_exit = True
        running[1].cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await app.state.database.close()


async def _accounts(database: Database) -> dict[Role, Account]:
    """One account for each role, with the logins of `Office`; and one that waits for approval."""
    made = {}
    for role, name in NAMES.items():
        made[role] = await account(database, role, name=name)
        async with database.unit_of_work() as session:
            (await session.get_one(Account, made[role].id)).login = f"day-{role}"
    waiting = await account(database, Role.INSPECTOR, name="新来的检查员")
    async with database.unit_of_work() as session:
        (await session.get_one(Account, waiting.id)).state = "invited"
        asked = select(AccountGrant).where(AccountGrant.account_id == waiting.id)
        (await session.scalars(asked)).one().state = "asked"
    return made


async def _own_things(
    database: Database, settings: Settings, inspector: Account, dispatcher: Account
) -> None:
    """Exports, filters, tokens, samples, notices, the state of the trunk, and a stop."""
    now = clock.now()
    async with database.unit_of_work() as session:
        for state, done in (("done", 8), ("running", 3), ("failed", 0)):
            session.add(
                ExportJob(
                    account_id=inspector.id, who=inspector.name, state=state, table="sign", form="xlsx", asked={},
                    told="单位：云溪县；时间：2026-11-01 至 2026-11-30", rights={"paths": None, "numbers": True},
                    done=done, total=8, created_at=now,
                    **({"file": "1.xlsx", "size": 9_000, "sha256": "0" * 64} if state == "done" else {}),
                    finished_at=now if state != "running" else None,
                )
            )  # fmt: skip
        for owner in (inspector, dispatcher):
            session.add(
                SavedFilter(account_id=owner.id, name="超时接听", query="verdict=overtime", created_at=now)
            )
        session.add(
            ApiToken(
                account_id=dispatcher.id, name="值班大屏", digest="0" * 64, permissions=["checks"], created_at=now,
                expires_at=datetime(2100, 1, 1, tzinfo=UTC),
            )
        )  # fmt: skip
        session.add(
            AnnouncementSample(
                meaning="powered_off", label="您拨打的电话已关机", version=1, prints=b"", length_ms=3_200.0,
                marked_by="吴督查", marked_at=now,
            )
        )  # fmt: skip
        notice = Notice(kind="test", count=1, raised_at=now, told_at=now, cleared_at=None)
        session.add_all(
            [
                notice,
                OfficeAlarm(kind="coverage_short", subject="plan:1", detail="缺 2 次", raised_at=now),
                TrunkState(name="main", state="down", since=now, told_at=now, alarms=[], detail="timeout"),
            ]
        )
        await session.flush()
        session.add(
            Delivery(
                notice_id=notice.id, channel="mail", event="raised", message_id="m1", count=1, at=now,
                state="given_up", next_at=now,
            )
        )  # fmt: skip
        lines = select(DutyLine.unit_id).order_by(DutyLine.id.desc()).limit(1)
        unit_id = (await session.scalars(lines)).one()
        await stops.place_stop(session, unit_id, "全县防汛应急响应期间暂停抽查", "吴督查")


async def _cases(database: Database, settings: Settings) -> None:
    """Cases of three checks: to be reviewed, disputed, published."""
    who = NAMES[Role.SUPERVISOR]
    keys = []
    async with database.unit_of_work() as session:
        found = select(StoredProposal).where(StoredProposal.code.in_(CASES)).order_by(StoredProposal.check_id)
        for row in list(await session.scalars(found)):
            check = await session.get_one(SpotCheck, row.check_id)
            assert check.unit_id is not None
            case = await open_case(
                session, unit_id=check.unit_id, code=row.code, proposal=row.content, check_id=row.check_id
            )
            keys.append(case.id)
        for recording in await session.scalars(select(Recording.id)):
            await audit.record(session, "play", f"recording:{recording}", "", who)
        for key in keys[1:]:
            code = (await session.get_one(Case, key)).code
            await reviews.propose(session, key, who, code, reason="录音与信令一致", cited=[CLAUSE])
            await reviews.notify(session, key, who, "县委办总值班室 0000-5550000", settings.zone)
        await reviews.dispute(session, keys[1], who, "该单位办公室主任", "当时值班电话线路故障，已报修")
        await reviews.accept(session, keys[2], who, "该单位办公室主任")
        await reviews.confirm(session, keys[2], who, "单位无异议")
        await publishing.publish(session, who, "bulletin", "关于十一月值班抽查情况的通报", [keys[2]])


async def _calls(database: Database) -> dict[str, Seen]:
    """Lines that are called now, one in each phase."""
    now = clock.now()
    found = {}
    async with database.unit_of_work() as session:
        lines = await session.scalars(select(DutyLine).order_by(DutyLine.id).limit(len(PHASES)))
        for line, phase in zip(list(lines), PHASES, strict=True):
            check = await checks.order_now(session, line, "指定抽查")
            attempt = Attempt(
                check_id=check.id, line_id=line.id, unit_id=line.unit_id, target=line.target, state="ringing",
                owner="phone", claimed_at=now - timedelta(seconds=20), started_at=now - timedelta(seconds=20),
            )  # fmt: skip
            check.state = "claimed"
            session.add(attempt)
            await session.flush()
            began = now.timestamp() - 20
            answered = began + 15 if phase == "answered" else None
            ring = began + 1 if phase != "dialling" else None
            found[checks.recording_name(attempt)] = Seen(phase, began, ring, 4, "ringback", answered)
    return found


async def _beat(settings: Settings, seen: dict[str, Seen]) -> None:
    while True:
        live_board.publish(settings, seen)
        await asyncio.sleep(BEAT_S)

"""Fills the office of the screenshots: the fictional county in full use, so that no page is empty.

All is done by the verbs and ways of the product; every name and number is invented.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
import openpyxl
from sqlalchemy import delete, select

from app import clock
from app.checks.models import Attempt, CallFacts, Recording, SpotCheck, StoredProposal
from app.database import Database
from app.directory.models import Unit
from app.planning import prompts
from app.reviews.models import Case
from app.reviews.opening import open_case
from app.settings import Settings
from app.transcripts.models import Transcription
from tests.web.apps import make_app
from tests.web.searching import say, transcript

DISPATCHER, SUPERVISOR, SECOND = "周值班", "吴督查", "钱督查"
FINDINGS = ("no_answer", "overtime", "forwarded", "crbt", "fax")
SENTENCE_MS = 3_200.0
SAID = ("您好，这里是值班室", "我是值班员王强", "今天带班领导是李建国", "好的，请讲")


class Filler:
    """Enters what a county has in use."""

    def __init__(
        self, client: httpx.AsyncClient, database: Database, settings: Settings, write: Callable[[str], str]
    ) -> None:
        self._write = write
        self._client, self._database, self._settings = client, database, settings
        self._now = clock.now()
        self._today = self._now.astimezone(settings.zone).date()
        self._units: dict[str, int] = {}
        self._lines: dict[int, int] = {}

    async def fill(self) -> None:
        """Enter all of it."""
        await self._tree()
        await self._people()
        await self._prompts_and_plans()
        await self._checks_by_hand()
        await self._cases()
        await self._words()
        await self._sound_records()
        await self._phone_records()
        await self._imports()
        await self._stops()

    async def do(self, method: str, path: str, who: str = DISPATCHER, **given: Any) -> Any:
        """Ask one way; return what it answers. Raises RuntimeError where it refuses."""
        if "json" in given:
            given["json"] = self._written(given["json"])
        headers = {"X-DutyRing-Actor": quote(self._write(who)), "Idempotency-Key": uuid4().hex}
        headers |= given.pop("headers", {})
        answer = await self._client.request(method, f"/api/v1/{path}", headers=headers, **given)
        if answer.status_code >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text[:400]}")
        return answer.json() if "json" in answer.headers.get("content-type", "") else answer.content

    def _written(self, given: Any) -> Any:
        if isinstance(given, dict):
            return {name: self._written(value) for name, value in given.items()}
        if isinstance(given, list):
            return [self._written(value) for value in given]
        return self._write(given) if isinstance(given, str) else given

    async def _tree(self) -> None:
        """The county above its offices and towns."""
        county = await self.do("POST", "units", json={"code": "YX", "name": "云溪县", "category": "county"})
        async with self._database.reading() as session:
            found = select(Unit).where(Unit.id != county["id"]).order_by(Unit.id)
            units = list(await session.scalars(found))
        self._units = {unit.name.removeprefix("云溪县"): unit.id for unit in units}
        for unit in units:
            seen = await self.do("GET", f"units/{unit.id}")
            town = unit.kind == "镇街"
            seen = await self.do(
                "PATCH",
                f"units/{unit.id}",
                json={
                    "revision": seen["revision"],
                    "category": "town" if town else "county_department",
                    "handover_times": ["08:30"],
                },
            )
            await self.do(
                "POST",
                f"units/{unit.id}/move",
                json={"revision": seen["revision"], "parent_id": county["id"]},
            )
            await self.do(
                "POST",
                f"units/{unit.id}/regimes",
                json={"first_day": "2026-01-01", "duty": "onsite", "leader": "phone" if town else "double"},
            )
        found = await self.do("GET", "lines", params={"limit": 100})
        self._lines = {line["unit_id"]: line["id"] for line in found["items"]}

    async def _people(self) -> None:
        """Who is on duty in the first offices, what is exempted, what changed."""
        morning = datetime.combine(self._today, datetime.min.time(), self._settings.zone)
        for number, (_, unit) in enumerate(list(self._units.items())[:6]):
            for name, title, role in (("王强", "科员", "duty_officer"), ("李建国", "副局长", "leader")):
                given = {"name": name, "title": title, "role": role, "staffing": "established"}
                await self.do("POST", f"units/{unit}/people", json=given | {"phone": f"139000010{number:02}"})
            for day in (0, 1):
                start = morning + timedelta(days=day, hours=8.5)
                for kind, name, title in (("duty", "王强", "科员"), ("leader", "李建国", "副局长")):
                    shift = {
                        "name": name,
                        "title": title,
                        "phone": f"139000010{number:02}",
                        "start_at": start.isoformat(),
                        "end_at": (start + timedelta(days=1)).isoformat(),
                    }
                    await self.do(
                        "POST",
                        f"units/{unit}/rosters",
                        json={"day": start.date().isoformat(), "kind": kind, "shifts": [shift]},
                    )
        office, water, weather = list(self._units.values())[:3]
        later = (self._now + timedelta(days=2)).isoformat()
        await self.do(
            "POST",
            f"units/{water}/exemptions",
            json={
                "kind": "maintenance",
                "first_at": self._now.isoformat(),
                "last_at": later,
                "reason": "线路割接",
            },
        )
        await self.do(
            "POST",
            f"lines/{self._lines[weather]}/exemptions",
            json={
                "kind": "forwarding",
                "first_day": self._today.isoformat(),
                "reason": "办公室搬迁，经批准转接",
            },
        )
        await self.do(
            "POST",
            "number-changes",
            json={
                "unit_id": weather,
                "line_id": self._lines[weather],
                "number": "0000-5559913",
                "note": "来电报告",
            },
        )
        await self.do("POST", f"units/{office}/confirmations", json={"note": "电话核对无误"})
        await self.do(
            "POST",
            f"units/{office}/whereabouts",
            json={
                "name": "李建国",
                "first_at": self._now.isoformat(),
                "last_at": later,
                "place": "赴市里开会",
            },
        )

    async def _prompts_and_plans(self) -> None:
        """Two plans, one of which runs."""
        async with self._database.unit_of_work() as session:
            added = await prompts.add_shipped(session, self._settings.data_dir, self._write(DISPATCHER))
            for prompt in added:
                await prompts.approve(session, prompt.id, self._write(SUPERVISOR))
        spec: dict[str, Any] = {
            "first_day": self._today.isoformat(),
            "last_day": (self._today + timedelta(days=60)).isoformat(),
            "period": "month",
            "windows": {
                "workday": [{"start": "08:00", "end": "12:00"}, {"start": "14:00", "end": "18:00"}],
                "weekend": [{"start": "09:00", "end": "22:00"}],
                "holiday": [{"start": "08:00", "end": "24:00"}],
            },
            "opening_id": added[0].id,
            "closing_id": added[1].id,
        }
        await self.do("POST", "calendar/seed", json={})
        running = await self.do("POST", "plans", json={"name": "四季度全县值班抽查", "spec": spec})
        await self.do("POST", f"plans/{running['id']}/start")
        spec["units"] = {"kinds": ["镇街"]}
        await self.do("POST", "plans", json={"name": "元旦春节镇街抽查（拟定）", "spec": spec})

    async def _checks_by_hand(self) -> None:
        office, water, weather = list(self._units.values())[:3]
        for unit, source, found, code in (
            (office, "hand_dialled", "副局长李建国 9 秒接听，答复正常", None),
            (water, "on_site", "值班室无人，值班员外出就餐", "no_answer"),
            (weather, "video", "在岗，值班日志完整", None),
        ):
            await self.do(
                "POST",
                "manual-checks",
                json={
                    "unit_id": unit,
                    "line_id": self._lines[unit],
                    "source": source,
                    "at": (self._now - timedelta(hours=3)).isoformat(),
                    "made_by": "吴督查",
                    "found": found,
                    "code": code,
                },
            )

    async def _cases(self) -> None:
        """Cases at every step."""
        async with self._database.unit_of_work() as session:
            rows = await session.scalars(select(StoredProposal).order_by(StoredProposal.id))
            for row in rows:
                check = await session.get_one(SpotCheck, row.check_id)
                if row.content.get("adverse") and check.unit_id:
                    await open_case(
                        session,
                        unit_id=check.unit_id,
                        code=row.code,
                        proposal=row.content,
                        check_id=row.check_id,
                    )
        async with self._database.reading() as session:
            found = select(Case).where(Case.code.in_(FINDINGS)).order_by(Case.id)
            cases = list(await session.scalars(found))
        for number, case in enumerate(cases[:6]):
            await self._further(case, number)

    async def _further(self, case: Case, steps: int) -> None:
        """Go some steps on with a case."""
        way = f"cases/{case.id}"
        if steps:
            await self._listen(case)
        told: Sequence[tuple[str, str, dict[str, Any]]] = (
            ("propose", SUPERVISOR, {"code": case.code, "reason": "两次拨打情况一致"}),
            ("notify", SUPERVISOR, {"answer_to": "县委办总值班室 0000-5550000"}),
            ("dispute", SUPERVISOR, {"by": "该单位办公室主任", "grounds": "当时值班电话线路故障，已报修"}),
            ("uphold", SECOND, {"reason": "运营商答复当日线路无故障"}),
        )
        for step, who, given in told[:steps]:
            await self.do("POST", f"{way}/{step}", who, json=given)
        if steps == 5:
            await self.do(
                "POST",
                "publications",
                SUPERVISOR,
                json={"kind": "bulletin", "title": "关于十一月值班抽查情况的通报", "case_ids": [case.id]},
            )

    async def _listen(self, case: Case) -> None:
        """Hear the recordings of a case: who proposes has listened."""
        async with self._database.reading() as session:
            query = select(Recording.id).join(Attempt).where(Attempt.check_id == case.check_id)
            recordings = list(await session.scalars(query))
        for recording in recordings:
            heard = await self._client.get(
                f"/recordings/{recording}", headers={"X-DutyRing-Actor": quote(self._write(SUPERVISOR))}
            )
            heard.raise_for_status()

    async def _words(self) -> None:
        """What was said in the calls that were answered."""
        async with self._database.unit_of_work() as session:
            query = (
                select(Recording, CallFacts.content)
                .join(Attempt, Attempt.id == Recording.attempt_id)
                .join(CallFacts, CallFacts.attempt_id == Attempt.id)
                .where(Attempt.answered_by == "human")
                .order_by(Recording.id)
            )
            for recording, facts in (await session.execute(query)).all():
                await session.execute(delete(Transcription).where(Transcription.recording_id == recording.id))
                await say(session, recording, content=self._said(facts["answered_ms"], recording.duration_ms))

    def _said(self, answered_ms: float, ended_ms: float) -> dict[str, Any]:
        """What was said between the answer and the end."""
        fitting = max(1, int((ended_ms - answered_ms) / SENTENCE_MS))
        said = [self._write(words) for words in SAID[:fitting]]
        them = transcript(*said, start_ms=answered_ms + 400.0, step_ms=SENTENCE_MS)
        return {"us": transcript(), "them": them}

    async def _sound_records(self) -> None:
        """A recording that is held, and one that was withdrawn."""
        await self.do("POST", "recordings/1/holds", SUPERVISOR, json={"reason": "申辩期间保留"})
        async with self._database.reading() as session:
            last = (await session.scalars(select(Recording.id).order_by(Recording.id.desc()).limit(1))).one()
        await self.do(
            "POST", f"recordings/{last}/withdraw", SUPERVISOR, json={"reason": "误拨居民电话，封存"}
        )

    async def _phone_records(self) -> None:
        """A record that was signed, and one that waits."""
        at = self._now.isoformat()
        fields = {
            "office": "云溪县委办公室",
            "day": self._today.isoformat(),
            "unit": "青石镇",
            "person": "王强",
            "number": "0000-5550181",
            "recorder": "周值班",
            "content": "今日 16 时许，青石镇柳树沟村发生山体小型滑坡，无人员伤亡，道路中断约 200 米，镇里已组织抢通。",
            "opinion": "请应急管理局跟踪，19 时前续报。",
        }
        made = await self.do(
            "POST", "phone-records", json={"fields": fields, "source": "report", "called_at": at}
        )
        await self.do("POST", f"phone-records/{made['id']}/sign", json={"version": 1})
        await self.do(
            "POST",
            "phone-records",
            json={"fields": fields | {"unit": "柳河镇"}, "source": "incoming", "called_at": at},
        )

    async def _imports(self) -> None:
        """An upload with bad cells, waiting for its reader."""
        book = openpyxl.Workbook()
        sheet = book.active
        sheet.title = "通讯录"
        for row in (["单位", "值班电话"], ["云溪县档案馆", "0000-5550777"], ["云溪县妇联", "32l2346"]):
            sheet.append(row)
        held = io.BytesIO()
        book.save(held)
        kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
        await self.do("POST", "imports", content=held.getvalue(), headers={"Content-Type": kind})

    async def _stops(self) -> None:
        """A unit that was stopped for a while."""
        last = list(self._units.values())[-1]
        stop = {"unit_id": last, "reason": "该单位正在处置突发事件"}
        placed = await self.do("POST", "stops", SUPERVISOR, json=stop)
        await self.do("POST", f"stops/{placed['id']}/lift", SUPERVISOR, json={"reason": "处置结束"})


async def fill(settings: Settings, write: Callable[[str], str] = str) -> None:
    """Fill the office of these settings, whose lines were called; `write` puts each text into the script wanted."""
    app = make_app(settings.model_copy(update={"phone_process": False, "allowed_hosts": ("testserver",)}))
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 50000))
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            await Filler(client, app.state.database, settings, write).fill()
    finally:
        await app.state.database.close()

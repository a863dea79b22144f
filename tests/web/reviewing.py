"""A small review office for tests: units whose lines were called, cases of what was proposed, a clock of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx

from app import clock
from app.checks.models import Attempt, CallFacts, Recording, SpotCheck, StoredProposal, StoredVerdict
from app.database import Database
from app.directory import service as directory
from app.planning.models import ManualCheck
from app.reviews.opening import open_case
from app.settings import Settings
from tests.web.apps import make_app
from tests.web.fake import answered, unanswered, write_tone
from tests.web.migrated import migrate

THURSDAY = datetime(2026, 11, 26, 2, 0, tzinfo=UTC)
"""10:00 of a working day in Shanghai."""
CLAUSE = {
    "id": "three-rings", "source": "《某市值班工作规范》", "article": "第十条", "words": "响铃3声之内接听",
    "binding": "applies",
}  # fmt: skip
WANG, LI, ZHAO = "王督查", "李督查", "赵科长"


def proposal(code: str, **more: Any) -> dict[str, Any]:
    """What the machine puts forward for an order."""
    return {
        "schema": "dutyring.proposal/1", "code": code, "title_zh": "", "title_en": "", "adverse": True,
        "needs_review": True, "grade": "definitive", "points": None, "clauses": [CLAUSE],
        "reasons": ["两次拨打均无人接听"], "attempts": [], "rule_set": "some/1", "document": "某办〔2026〕1号",
        "day": {"kind": "workday", "sensitive": False, "known": True, "name": ""}, "regime": None,
        "roster": {}, "exempted": [], "mitigations": [],
    } | more  # fmt: skip


@dataclass
class Office:
    """The service behind its API, and the tables beneath it."""

    settings: Settings
    client: httpx.AsyncClient
    database: Database
    at: datetime = THURSDAY
    units: list[int] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)

    def now(self) -> datetime:
        """What the clock says; each look takes a millisecond."""
        self.at += timedelta(milliseconds=1)
        return self.at

    async def add_units(self, number: int, parent: int | None = None) -> list[int]:
        """Enter units with a line each."""
        made = []
        async with self.database.unit_of_work() as session:
            for _ in range(number):
                position = len(self.units) + 1
                unit = await directory.add_unit(session, f"u{position}", f"第{position}单位")
                unit.parent_id = parent
                unit.path = f"{parent}/{unit.id}/" if parent else f"{unit.id}/"
                target = f"sip:{position}@127.0.0.1:5062"
                line = await directory.add_line(session, unit, f"0000-55{position:05}", target)
                self.units.append(unit.id)
                self.lines.append(line.id)
                made.append(unit.id)
        return made

    async def order(
        self, position: int = 0, kind: str = "random", rings: tuple[float | None, ...] = (6_000.0,),
        code: str = "within", at: datetime | None = None, sound: bool = True,
    ) -> int:  # fmt: skip
        """Enter a closed order of a unit with one call for each of `rings`, None being one that nobody answered."""
        at = at or self.at
        async with self.database.unit_of_work() as session:
            check = SpotCheck(
                line_id=self.lines[position], kind=kind, due_at=at, first_due_at=at, closed_at=at, state="done",
                created_at=at,
            )  # fmt: skip
            session.add(check)
            await session.flush()
            for number, ring_ms in enumerate(rings, 1):
                await self._attempt(session, check, position, number, ring_ms, sound)
            row = StoredProposal(
                check_id=check.id,
                rule_set="some/1",
                in_force=True,
                code=code,
                content=proposal(code),
                judged_at=at,
            )
            session.add(row)
            return check.id

    async def _attempt(
        self, session: Any, check: SpotCheck, position: int, number: int, ring_ms: float | None, sound: bool
    ) -> None:
        target = f"sip:{position + 1}@127.0.0.1:5062"
        record = answered(target, ring_ms) if ring_ms is not None else unanswered(target, "no_answer")
        started = check.due_at + timedelta(minutes=11 * (number - 1), milliseconds=250)
        attempt = Attempt(
            check_id=check.id, number=number, line_id=check.line_id, unit_id=self.units[position], target=target,
            state="finished", owner="test", claimed_at=started, started_at=started,
            ended_at=started + timedelta(milliseconds=record.ended_ms), call_id=f"{check.id}-{number}",
            outcome=record.outcome, answered_by=record.answered_by, ring_to_answer_ms=record.ring_to_answer_ms,
            ring_to_answer_min_ms=record.ring_to_answer_min_ms, rings=record.rings.count,
            verdict_code="within" if ring_ms else "no_answer", needs_review=False,
        )  # fmt: skip
        session.add(attempt)
        await session.flush()
        session.add(CallFacts(attempt_id=attempt.id, content=record.to_dict()))
        limits = {"within_s": 11.0, "limit_s": 15.0, "finding_s": 20.0}
        found = {
            "code": "no_answer", "title_zh": "无人接听", "grade": "definitive", "t_ms": None,
            "detail": "振铃 60.0 秒无人接听", "clauses": [],
        }  # fmt: skip
        content = {
            "code": "no_answer", "lawful": None, "needs_review": True, "rule_set": "r", "exempted": [],
            "limits": limits, "findings": [found],
        }  # fmt: skip
        verdict = StoredVerdict(
            attempt_id=attempt.id, rule_set="r", code="no_answer", lawful=None, needs_review=True,
            content=content, judged_at=started,
        )  # fmt: skip
        session.add(verdict)
        if sound:
            info = write_tone(self.settings.recordings_dir, f"{check.id}-{number}", 200.0)
            recording = Recording(
                attempt_id=attempt.id, path=info.path, sha256=info.sha256, duration_ms=200.0, channels=2,
                sample_rate=8000, created_at=started,
            )  # fmt: skip
            session.add(recording)

    async def case(self, position: int = 0, code: str = "no_answer", **options: Any) -> int:
        """Open the case of a fresh order."""
        more = options.pop("more", {})
        options.setdefault("rings", (None, None))
        order = await self.order(position, code=code, **options)
        async with self.database.unit_of_work() as session:
            case = await open_case(
                session,
                unit_id=self.units[position],
                code=code,
                proposal=proposal(code, **more),
                check_id=order,
            )
            return case.id

    async def manual_case(self, source: str, code: str, position: int = 0, **more: Any) -> tuple[int, int]:
        """Enter a check by hand with a finding; return the keys of its case and of itself."""
        key = await self.manual(source, position, code=code, **more)
        async with self.database.unit_of_work() as session:
            case = await open_case(
                session, unit_id=self.units[position], code=code, proposal=proposal(code), manual_id=key
            )
            return case.id, key

    async def manual(self, source: str, position: int = 0, code: str | None = None, **more: Any) -> int:
        """Enter a check by hand."""
        values = {"at": self.at, "made_by": ZHAO, "found": "值班室无人"} | more
        async with self.database.unit_of_work() as session:
            row = ManualCheck(
                unit_id=self.units[position],
                source=source,
                code=code,
                entered_at=self.at,
                entered_by=ZHAO,
                **values,
            )
            session.add(row)
            await session.flush()
            return row.id

    async def get(self, path: str, **options: Any) -> Any:
        """Read JSON that must be there."""
        answer = await self.client.get(f"/api/v1{path}", **options)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, who: str = WANG, expect: int = 200, **body: Any) -> Any:
        """Ask for something as a person and return the JSON of the answer, which must have this status."""
        answer = await self.client.post(f"/api/v1{path}", json=body, headers=as_person(who))
        assert answer.status_code == expect, answer.text
        return answer.json()

    async def hear(self, case_id: int, who: str = WANG) -> None:
        """Play every recording of a case on the pages, as a person."""
        for key in (await self.get(f"/cases/{case_id}"))["recordings"]:
            answer = await self.client.get(f"/recordings/{key}", headers=as_person(who))
            assert answer.status_code == 200

    async def proposed(self, case_id: int, who: str = WANG, code: str = "no_answer", **more: Any) -> Any:
        """Listen and confirm."""
        await self.hear(case_id, who)
        return await self.post(f"/cases/{case_id}/propose", who, code=code, **more)

    async def confirmed(self, case_id: int, who: str = WANG, **more: Any) -> Any:
        """Take a case all the way to a finding that the unit accepts."""
        await self.proposed(case_id, who, **more)
        await self.post(f"/cases/{case_id}/notify", who, answer_to="县府办值班科")
        await self.post(f"/cases/{case_id}/accept", who, by="单位主任")
        return await self.post(f"/cases/{case_id}/confirm", who)


def as_person(who: str) -> dict[str, str]:
    """Return the header that names the person who asks."""
    return {"X-DutyRing-Actor": quote(who)}


@asynccontextmanager
async def running(settings: Settings, units: int = 1) -> AsyncIterator[Office]:
    """Run the service on a fresh database, with units and a clock of its own."""
    settings = settings.model_copy(update={"phone_process": False, "allowed_hosts": ("testserver",)})
    migrate(settings)
    app = make_app(settings)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
        office = Office(settings, client, app.state.database)
        with clock.running(office.now):
            await office.add_units(units)
            try:
                yield office
            finally:
                await office.database.close()

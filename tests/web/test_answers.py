"""What was heard in answers: found, kept, answered by a person, masked, and taken away with its recording."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from app.accounts.models import AuditEvent
from app.answers import service
from app.answers.models import AnswerItem
from app.checks.models import Attempt, Recording, SpotCheck
from app.database import Database
from app.directory import service as directory
from app.directory.models import Person, Unit
from app.rosters.models import Roster, Shift
from app.settings import Settings
from app.transcripts.models import Transcription
from app.trunks.models import PolicyNumber
from recordings.transcription.errors import WorkerLost
from recordings.transcription.ports import Ranked
from sip.progress.transcript import Transcript, Utterance
from tests.web.api import WHO, ask, client_of

AT = datetime(2026, 9, 25, 4, 0, tzinfo=UTC)
SAID = "您好，这里是云溪县水利局值班室，我是值班员王芳。我们的电话是三二六二零零二，上级是零幺零六六零七幺二三四。"
KEY = "010-66071234"
NOBODY = "侬打错特了，阿拉勿是啥局。"


class Office:
    """A service with one unit, its roster of the day, and a call to it that was answered."""

    def __init__(self, client: httpx.AsyncClient, settings: Settings) -> None:
        self.client = client
        self.settings = settings
        self.database: Database = client.app.state.database  # type: ignore[attr-defined]
        self.attempt_id = 0

    async def set_up(self) -> None:
        async with self.database.unit_of_work() as session:
            unit = await directory.add_unit(session, "001", "云溪县水利局")
            line = await directory.add_line(session, unit, "0917-3262002", "09173262002")
            check = SpotCheck(
                line_id=line.id, unit_id=unit.id, due_at=AT, first_due_at=AT, created_at=AT, state="done"
            )
            session.add(check)
            await session.flush()
            attempt = Attempt(
                check_id=check.id,
                line_id=line.id,
                unit_id=unit.id,
                target=line.target,
                state="finished",
                owner="test",
                claimed_at=AT,
                started_at=AT,
            )
            session.add(attempt)
            session.add(PolicyNumber(kind="answer_key", number=KEY, created_at=AT))
            session.add(Person(unit_id=unit.id, name="李玮", title="科长", role="duty_officer"))
            await session.flush()
            self.unit_id, self.attempt_id = unit.id, attempt.id
            recording = Recording(
                attempt_id=attempt.id,
                path="a.flac",
                sha256="0" * 64,
                duration_ms=9_000.0,
                channels=2,
                sample_rate=8_000,
                created_at=AT,
            )
            session.add(recording)
            await session.flush()
            self.recording_id = recording.id
        await self.file(AT - timedelta(days=2), ["王芳", "赵强"])

    async def file(self, filed_at: datetime, names: Sequence[str], version: int = 1) -> None:
        """File the roster of the day."""
        async with self.database.unit_of_work() as session:
            session.add(
                Roster(
                    unit_id=self.unit_id,
                    day=date(2026, 9, 25),
                    kind="duty",
                    version=version,
                    filed_at=filed_at,
                    shifts=[
                        Shift(name=name, start_at=AT - timedelta(hours=4), end_at=AT + timedelta(hours=20))
                        for name in names
                    ],
                )
            )

    async def understand(self, said: str, second_pass: Any = None) -> list[str]:
        """Transcribe the call anew; return what was found, as kind and what it was matched with."""
        content = {"them": Transcript("t", "zh", (Utterance(1_000.0, 9_000.0, said),)).to_json()}
        async with self.database.unit_of_work() as session:
            row = Transcription(
                recording_id=self.recording_id, state="done", requested_at=AT, content=content
            )
            session.add(row)
            await session.flush()
            attempt = await session.get_one(Attempt, self.attempt_id)
            await service.understand(session, attempt, row, second_pass, self.settings)
        return [f"{item['kind']}:{item['expected']}" for item in await self.items()]

    async def items(self) -> list[dict[str, Any]]:
        return list((await ask(self.client, "GET", f"/attempts/{self.attempt_id}/answer-items"))["items"])


@pytest.fixture
async def office(settings: Settings) -> AsyncIterator[Office]:
    async with opened(settings) as made:
        yield made


@pytest.fixture
async def either_office(either_settings: Settings) -> AsyncIterator[Office]:
    async with opened(either_settings) as made:
        yield made


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Office]:
    async with client_of(settings) as client:
        made = Office(client, settings)
        await made.set_up()
        yield made


async def test_what_is_said_is_put_beside_the_books(either_office: Office) -> None:
    office = either_office
    assert await office.understand(SAID) == [
        "unit:云溪县水利局",
        "name:王芳",
        "number:0917-3262002",
        "number:",
    ]
    unit, name, number, key = await office.items()
    assert {item["answer"] for item in (unit, name, number, key)} == {"unverified"}
    assert (name["heard"], name["heard_pinyin"], name["grade"], name["distance"]) == (
        "王芳",
        "wang fang",
        "strong",
        0.0,
    )
    assert 1_000.0 <= unit["start_ms"] < name["start_ms"] < number["start_ms"] < 9_000.0
    (book,) = name["evidence"]["books"]
    assert (book["kind"], book["version"], book["on_duty"]) == ("duty roster", 1, True)
    assert number["evidence"]["book"] == {"kind": "directory", "of": "duty"}
    assert key["evidence"] == {"matches": "answer_key"}
    assert set(key["heard"]) == {"＊"}


async def test_the_roster_counts_as_it_stood_at_the_call(office: Office) -> None:
    await office.file(AT + timedelta(hours=1), ["孙立"], version=2)
    assert "name:王芳" in await office.understand("我是值班员王芳")
    assert await office.understand("我是值班员孙立") == ["name:"]


async def test_somebody_of_the_unit_who_is_not_on_duty_is_told_as_such(office: Office) -> None:
    assert await office.understand("我是李玮，科长") == ["name:李玮", "title:科长"]
    name, _ = await office.items()
    assert name["evidence"]["books"] == [
        {"name": "李玮", "title": "科长", "on_duty": False, "kind": "people", "role": "duty_officer"}
    ]


async def test_speech_that_matches_nothing_is_one_unverified_item(office: Office) -> None:
    assert await office.understand(NOBODY) == ["name:"]
    (item,) = await office.items()
    assert (item["grade"], item["answer"], item["heard"]) == ("none", "unverified", NOBODY)
    assert await office.understand("") == []


async def test_the_second_pass_is_asked_and_may_fail(office: Office) -> None:
    asked: list[tuple[float, float, tuple[str, ...], str]] = []

    async def prefers(
        start_ms: float, end_ms: float, phrases: Sequence[str], before: str = ""
    ) -> tuple[Ranked, ...]:
        asked.append((start_ms, end_ms, tuple(phrases), before))
        return tuple(Ranked(phrase, -1.0 if phrase == "赵强" else -5.0) for phrase in phrases)

    async def dies(*given: Any) -> tuple[Ranked, ...]:
        raise WorkerLost("gone")

    await office.file(AT - timedelta(days=1), ["赵强", "周强"], version=2)
    said = "我是值班员遭墙"
    assert await office.understand(said, prefers) == ["name:赵强"]
    assert asked[0] == (500.0, 9_500.0, ("赵强", "周强"), "我是值班员")
    assert (await office.items())[0]["evidence"]["second_pass"]["赵强"] == -1.0
    assert await office.understand(said, dies) == ["name:赵强"]
    assert "second_pass" not in (await office.items())[0]["evidence"]


async def test_a_person_says_yes_or_no_and_it_stays(either_office: Office) -> None:
    office = either_office
    await office.understand(SAID)
    name = next(item for item in await office.items() if item["kind"] == "name")
    given = {"answer": "yes", "note": "回听属实"}
    said = await ask(office.client, "POST", f"/answer-items/{name['id']}/answer", json=given)
    assert (said["answer"], said["answered_by"], said["note"]) == ("yes", WHO, "回听属实")
    await office.understand(SAID)
    items = await office.items()
    assert [item["id"] for item in items if item["kind"] == "name"] == [name["id"]]
    assert len(items) == 4
    async with office.database.reading() as session:
        trail = await session.scalars(select(AuditEvent).where(AuditEvent.subject == f"answer:{name['id']}"))
        assert [(line.action, line.detail, line.who) for line in trail] == [
            ("answer.verify", "name none -> yes", WHO)
        ]


async def test_what_cannot_be_answered(office: Office) -> None:
    await office.understand(SAID)
    first = (await office.items())[0]["id"]
    await ask(office.client, "POST", f"/answer-items/{first}/answer", 422, json={"answer": "maybe"})
    await ask(
        office.client, "POST", f"/answer-items/{first}/answer", 422, json={"answer": "no", "note": "x" * 501}
    )
    await ask(office.client, "POST", "/answer-items/999999/answer", 404, json={"answer": "no"})
    await ask(office.client, "GET", "/attempts/999999/answer-items", 404)
    async with office.database.reading() as session:
        verified = select(func.count()).select_from(AuditEvent).where(AuditEvent.action == "answer.verify")
        assert await session.scalar(verified) == 0


async def test_a_key_in_a_persons_note_is_masked(office: Office) -> None:
    await office.understand(SAID)
    first = (await office.items())[0]["id"]
    given = {"answer": "yes", "note": "报了 010 6607 1234"}
    said = await ask(office.client, "POST", f"/answer-items/{first}/answer", json=given)
    assert said["note"] == "报了 ＊＊＊ ＊＊＊＊ ＊＊＊＊"


async def test_keys_that_cannot_be_read_keep_everything_from_being_shown(
    settings: Settings, tmp_path: Path
) -> None:
    missing = settings.model_copy(update={"answer_keys_file": tmp_path / "none"})
    async with client_of(missing) as client:
        office = Office(client, settings)
        await office.set_up()
        problem = await ask(client, "GET", f"/attempts/{office.attempt_id}/answer-items", 409)
        assert "答案号码" in problem["detail"]


async def test_items_come_in_pages(either_office: Office) -> None:
    office = either_office
    await office.understand(SAID)
    path = f"/attempts/{office.attempt_id}/answer-items"
    first = await ask(office.client, "GET", path, limit=3)
    second = await ask(office.client, "GET", path, limit=3, after=first["next"])
    assert [item["id"] for item in first["items"] + second["items"]] == [
        item["id"] for item in await office.items()
    ]
    assert second["next"] is None


async def test_what_was_heard_goes_with_its_recording_and_answers_stay(either_office: Office) -> None:
    office = either_office
    await office.understand(SAID)
    name = next(item for item in await office.items() if item["kind"] == "name")
    await ask(
        office.client, "POST", f"/answer-items/{name['id']}/answer", json={"answer": "no", "note": "非本人"}
    )
    async with office.database.unit_of_work() as session:
        await service.forget(session, office.recording_id)
    (left,) = await office.items()
    assert (left["id"], left["answer"], left["answered_by"]) == (name["id"], "no", WHO)
    assert (left["heard"], left["heard_pinyin"], left["expected"], left["note"]) == ("", "", "", "")
    assert left["evidence"] == {"withdrawn": True}
    await ask(office.client, "POST", f"/answer-items/{name['id']}/answer", 409, json={"answer": "yes"})
    async with office.database.reading() as session:
        assert await session.scalar(select(func.count()).select_from(AnswerItem)) == 1
        assert await session.scalar(select(func.count()).select_from(Unit)) == 1

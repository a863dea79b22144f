"""Transcripts by the API and on the page of a check; calls under way that are read along."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest
from sqlalchemy import select, update

from app.accounts import service as audit
from app.checks.models import Attempt
from app.checks.service import recording_name
from app.settings import Settings
from app.transcripts import live, queue, repository, service, warming
from app.transcripts.live import LiveReader, folder_of, text_so_far
from app.transcripts.models import Transcription
from app.trunks.models import PolicyNumber
from recordings.transcription import EngineError, EngineInfo
from sip.media import Block
from sip.media.capture_header import pack_header
from sip.progress.transcript import Transcript
from tests.web.orders import add_line, picked_up
from tests.web.reviewing import WANG, Office, as_person, running
from tests.web.transcribing import INFO, Recogniser, judged, said

KEY = "01012345678"


@pytest.fixture
async def office(settings: Settings) -> AsyncIterator[Office]:
    async with running(settings) as opened:
        yield opened


@pytest.fixture
async def either_office(either_settings: Settings) -> AsyncIterator[Office]:
    async with running(either_settings) as opened:
        yield opened


async def recording(office: Office) -> int:
    """The recording of an answered call, waiting."""
    async with office.database.unit_of_work() as session:
        _, line = await add_line(session, 7)
        return (await judged(session, line, [picked_up()], office.settings)).recording.id


async def transcribe(office: Office, them: Transcript) -> None:
    """Do what waits."""
    async with office.database.unit_of_work() as session:
        row = await queue.claim(session, "us")
        assert row is not None
        assert await service.keep(session, row, {"them": them}, INFO.title, 0.5, office.settings)


async def page(office: Office, recording_id: int) -> str:
    async with office.database.reading() as session:
        found = await repository.recording(session, recording_id)
        assert found is not None
        attempt = await session.get_one(Attempt, found.attempt_id)
    answer = await office.client.get(f"/checks/{attempt.check_id}")
    assert answer.status_code == 200
    return answer.text


async def test_a_transcript_beside_its_sound(office: Office) -> None:
    key = await recording(office)
    assert (await office.client.get(f"/api/v1/recordings/{key}/transcript")).status_code == 404
    assert "转写：等待识别" in await page(office, key)
    await transcribe(office, said((6.5, 8.0, "您好，县政府值班室"), (8.5, 9.5, "<b>请讲</b>")))
    told = await office.get(f"/recordings/{key}/transcript")
    assert (told["state"], told["engine"], told["took_s"]) == ("done", INFO.title, 0.5)
    assert [item["text"] for item in told["channels"]["them"]["utterances"]] == [
        "您好，县政府值班室", "<b>请讲</b>",
    ]  # fmt: skip
    shown = await page(office, key)
    assert 'data-seek="6.5"' in shown
    assert "您好，县政府值班室" in shown
    assert "&lt;b&gt;请讲&lt;/b&gt;" in shown
    assert "机器转写，未经人工核对" in shown
    assert INFO.title in shown


async def test_numbers_of_superior_offices_are_shown_to_nobody(office: Office) -> None:
    key = await recording(office)
    async with office.database.unit_of_work() as session:
        session.add(PolicyNumber(kind="answer_key", number=KEY, created_at=office.at))
    await transcribe(office, said((6.5, 9.0, "省总值班室电话零幺零幺二三四五六七八")))
    told = json.dumps(await office.get(f"/recordings/{key}/transcript"), ensure_ascii=False)
    shown = await page(office, key)
    for text in (told, shown):
        assert "省总值班室电话" in text
        assert "二三四五" not in text
        assert "＊" in text


async def test_asking_once_more_is_put_on_record(either_office: Office) -> None:
    office = either_office
    key = await recording(office)
    path = f"/api/v1/recordings/{key}/transcriptions"
    assert (await office.client.post(path, headers={"X-DutyRing-Actor": ""})).status_code == 401
    first = await office.post(f"/recordings/{key}/transcriptions", expect=202)
    assert first["state"] == "waiting"
    await transcribe(office, said())
    second = await office.post(f"/recordings/{key}/transcriptions", expect=202)
    assert second["id"] > first["id"]
    listed = await office.get(f"/recordings/{key}/transcriptions")
    assert [item["state"] for item in listed["items"]] == ["waiting", "done"]
    async with office.database.reading() as session:
        trail = await audit.of_subject(session, f"recording:{key}")
    assert [(line.action, line.who) for line in trail] == [("transcribe", WANG)] * 2
    missing = await office.client.post("/api/v1/recordings/999/transcriptions", headers=as_person(WANG))
    assert missing.status_code == 404


async def test_the_state_of_the_transcriber(office: Office) -> None:
    await recording(office)
    told = await office.get("/transcriber")
    assert (told["state"], told["engine"], told["waiting"], told["running"], told["failed"]) == (
        "off", None, 1, 0, 0,
    )  # fmt: skip
    assert told["reason"]
    assert told["oldest_waiting_at"]


async def test_the_keeper_says_why_nothing_is_transcribed(settings: Settings) -> None:
    from app.transcriber_keeper import TranscriberKeeper

    found: list[EngineInfo | EngineError | None] = [None]

    def find(_: Settings) -> EngineInfo | None:
        if isinstance(found[0], EngineError):
            raise found[0]
        return found[0]

    keeper = TranscriberKeeper(settings, ["true"], find)
    assert keeper._look() is False
    assert (keeper.told, "dutyring models" in keeper.reason) == ("no_engine", True)
    found[0] = EngineError("/x holds no such model")
    assert keeper._look() is False
    assert (keeper.told, keeper.reason) == ("no_engine", "/x holds no such model")
    found[0] = INFO
    assert keeper._look() is True
    assert (keeper.told, keeper.reason) == ("starting", "")
    off = TranscriberKeeper(settings.model_copy(update={"transcriber": "none"}), ["true"], lambda _: None)
    assert off.told == "off"


async def test_the_page_says_what_a_recording_waits_for(office: Office) -> None:
    from app.transcriber_keeper import TranscriberKeeper

    key = await recording(office)
    found: list[EngineInfo | None] = [None]
    keeper = TranscriberKeeper(office.settings, ["true"], lambda _: found[0])
    transport = office.client._transport
    assert isinstance(transport, httpx.ASGITransport)
    transport.app.state.transcriber = keeper  # type: ignore[attr-defined]
    assert keeper._look() is False
    assert '转写：等待识别。<span class="key">本机没有可用的语音识别模型' in await page(office, key)
    found[0] = INFO
    assert keeper._look() is True
    assert "<p>转写：等待识别。</p>" in await page(office, key)


async def test_a_call_under_way_is_read_along_and_forgotten(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "LOOK_S", 0.02)
    key = await recording(office)
    async with office.database.unit_of_work() as session:
        found = await repository.recording(session, key)
        assert found is not None
        attempt = await session.get_one(Attempt, found.attempt_id)
        attempt.state = "connected"
    capture = office.settings.recordings_dir / f"{recording_name(attempt)}{live.SUFFIX}"
    capture.parent.mkdir(parents=True, exist_ok=True)
    capture.write_bytes(pack_header(0.0) + Block("heard", 0, "PCMA", b"\x2a" * 40_000).pack())
    recogniser = Recogniser()
    reader = asyncio.create_task(LiveReader(office.database, office.settings, recogniser, 1).run())
    path = f"/api/v1/attempts/{attempt.id}/live-transcript"
    try:
        await until(lambda: text_so_far(office.settings, attempt.id) is not None)
        told = (await office.client.get(path)).json()
        assert (told["partial"], told["utterances"]) == ("我是值", [])
        with capture.open("ab") as file:
            file.write(Block("heard", 40_000, "PCMA", b"\x2a" * 8_000).pack())
        await until(lambda: len(recogniser.fed) == 2)
        await until(lambda: bool((text_so_far(office.settings, attempt.id) or {}).get("utterances")))
        told = (await office.client.get(path)).json()
        # Read along from 3 s before where the call was first seen; times are those of the call.
        assert [(item["start_ms"], item["text"]) for item in told["utterances"]] == [(2100.0, "我是值班员")]
        assert told["until_ms"] == 6000.0
        assert recogniser.fed == [24_000, 8_000]
        file_of = folder_of(office.settings) / f"{attempt.id}.json"
        assert file_of.stat().st_mode & 0o777 == 0o600
        async with office.database.unit_of_work() as session:
            await session.execute(update(Attempt).values(state="finished"))
        await until(lambda: not file_of.exists())
        assert (await office.client.get(path)).status_code == 404
        async with office.database.reading() as session:
            assert set(await session.scalars(select(Transcription.content))) == {None}
    finally:
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)


async def test_a_call_under_way_has_the_recogniser_made_ready(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warming, "LOOK_S", 0.02)
    key = await recording(office)
    recogniser = Recogniser()
    warmer = asyncio.create_task(warming.Warmer(office.database, recogniser).run())
    try:
        await asyncio.sleep(0.2)
        assert recogniser.warmed == 0, "nothing is under way"
        async with office.database.unit_of_work() as session:
            found = await repository.recording(session, key)
            assert found is not None
            await session.execute(
                update(Attempt).where(Attempt.id == found.attempt_id).values(state="ringing")
            )
        await until(lambda: recogniser.warmed > 0)
    finally:
        warmer.cancel()
        await asyncio.gather(warmer, return_exceptions=True)


async def until(holds: object) -> None:
    async with asyncio.timeout(60):
        while not holds():  # type: ignore[operator]
            await asyncio.sleep(0.02)

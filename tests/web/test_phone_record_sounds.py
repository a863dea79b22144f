"""Phone records (电话记录单) that begin with the recording of a call."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sqlalchemy import select

from app.archive import open_archive
from app.archive_upkeep import known_recordings
from app.checks.models import Recording
from app.directory.models import Person
from app.phone_records import sounds
from app.phone_records.models import PhoneRecord
from app.settings import Settings
from app.transcripts.models import Transcription
from recordings.verification import verify_all
from tests.web.api import ask, client_of
from tests.web.orders import add_line
from tests.web.phone_recording import PARAMETERS, bring, by_ffmpeg, database_of, tone, transcribed


async def test_a_sound_is_kept_transcribed_filled_checked_and_signed(either_settings: Settings) -> None:
    async with client_of(either_settings) as client:
        async with database_of(client).unit_of_work() as session:
            unit, _ = await add_line(session, 1, name="云溪县水利局")
            session.add(Person(unit_id=unit.id, name="张伟"))
            unit_id = unit.id
        content = tone(2.0, channels=2)
        record = await bring(client, content)
        path, recording_id = f"/phone-records/{record['id']}", record["recording_id"]
        digest = hashlib.sha256(content).hexdigest()
        assert record["origin"] == {
            "name": "来电.wav",
            "sha256": digest,
            "size": len(content),
            "converted": False,
        }
        async with database_of(client).reading() as session:
            recording = await session.get_one(Recording, recording_id)
            waiting = await session.scalar(select(Transcription))
        assert waiting is not None
        assert (waiting.state, waiting.recording_id) == ("waiting", recording_id)
        assert (recording.kind, recording.sha256, recording.channels) == ("report", digest, 2)
        assert open_archive(either_settings).read(recording.path, digest) == content
        await bring(client, content, 409)

        await transcribed(
            client,
            either_settings,
            recording_id,
            "我是云溪县水力局的张玮",
            "青石河水位上涨",
            us=("您好，请讲",),
        )
        record = await ask(client, "GET", path)
        newest = record["newest"]
        assert newest["written_by"] == "machine"
        assert newest["fields"] | {"office": "", "content": ""} == {
            "office": "",
            "day": "2026-11-22",
            "unit": "云溪县水利局",
            "person": "张伟",
            "number": "0954-5550001",
            "recorder": "李值班",
            "phone": "",
            "opinion": "",
            "content": "",
        }
        assert newest["fields"]["content"].splitlines()[0] == "[00:01] 我方：您好，请讲"
        assert newest["machine"]["unit"]["link"] == f"/recordings/{recording_id}#t=1.40"
        assert set(newest["machine"]) == {"unit", "person", "content"}
        assert record["unit_id"] == unit_id
        problem = await ask(client, "POST", f"{path}/sign", 409, json={"version": 2})
        assert "来电单位、来电人、电话内容" in problem["detail"]

        change = {"version": 2, "fields": {"content": "青石河水位上涨。"}, "checked": ["unit", "person"]}
        await ask(client, "POST", f"{path}/versions", 201, json=change)
        # Transcribed once more, e.g. by another engine: nothing that a person has seen to is touched.
        await transcribed(client, either_settings, recording_id, "我是林业局的李四")
        record = await ask(client, "GET", path)
        assert record["newest"]["fields"]["content"] == "青石河水位上涨。"
        assert record["newest"]["fields"]["person"] == "张伟"
        await ask(client, "POST", f"{path}/sign", json={"version": record["newest"]["version"]})


async def test_what_was_withdrawn_is_not_brought_back(settings: Settings) -> None:
    async with client_of(settings) as client:
        record = await bring(client, tone())
        where = f"/recordings/{record['recording_id']}"
        await ask(client, "POST", f"{where}/withdraw", json={"reason": "涉密"})
        problem = await bring(client, tone(), 409)
        assert "已封存" in problem["detail"]
    assert list(open_archive(settings).vault.keys("objects")) == []


async def test_a_sound_that_two_bring_at_once_is_known_once(settings: Settings) -> None:
    async with client_of(settings) as client:
        answers = await asyncio.gather(
            *(client.post("/phone-records/from-sound", params=PARAMETERS, content=tone()) for _ in range(3))
        )
        assert sorted(answer.status_code for answer in answers) == [201, 409, 409]
        async with database_of(client).reading() as session:
            rows = await known_recordings(session)
    archive = open_archive(settings)
    assert len(rows) == 1
    assert list(verify_all(archive, rows)) == []
    assert [len(kept.entries) for kept in archive.index.by_key.values()] == [1]


def test_what_a_killed_process_left_of_a_sound_is_deleted(tmp_path: Path) -> None:
    old, new = (tmp_path / sounds.FOLDER / name for name in ("old", "new"))
    for folder in (old, new):
        folder.mkdir(parents=True)
        (folder / "brought").write_bytes(b"RIFF")
    os.utime(old, (0, 0))
    sounds.tidy(tmp_path)
    assert (old.exists(), new.exists()) == (False, True)
    sounds.tidy(tmp_path / "nothing")


async def test_sounds_of_every_kind_are_taken(settings: Settings, tmp_path: Path) -> None:
    brought = {"six.wav": tone(channels=6), "sound.flac": tone(kind="FLAC", pitch_hz=500.0)}
    for name in ("sound.mp3", "sound.ogg", "sound.m4a"):
        brought[name] = await asyncio.to_thread(by_ffmpeg, tmp_path, name)
    async with client_of(settings) as client:
        for name, content in brought.items():
            record = await bring(client, content)
            async with database_of(client).reading() as session:
                recording = await session.get_one(Recording, record["recording_id"])
            assert record["origin"]["converted"] == (name != "sound.flac")
            assert record["origin"]["sha256"] == hashlib.sha256(content).hexdigest()
            assert recording.channels in (1, 2)
            assert abs(recording.duration_ms - 1000) < 120
            with open_archive(settings).open(recording.path) as kept, soundfile.SoundFile(kept) as sound:
                wave = sound.read(dtype="float64", always_2d=True)[:, 0]
            assert np.sqrt(np.mean(wave**2)) > 0.02
    assert not list((settings.data_dir / sounds.FOLDER).iterdir())


def _zip() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("a.mp3", b"\0" * 100)
    return target.getvalue()


async def test_what_is_no_sound_is_refused_and_leaves_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = {
        "为空": b"",
        "须为 WAV": _zip(),
        "须为": b"#EXTM3U\nhttp://127.0.0.1/x.ts\n",
        "已损坏": b"\0\0\0\x20ftypM4A " + b"\0" * 200,
        "无法解码": b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0",
        "没有声音": tone(0.05),
    }
    async with client_of(settings) as client:
        for words, content in refused.items():
            problem = await bring(client, content, 422, name="声音.mp3")
            assert words in problem["detail"]
            assert problem["errors"][0]["where"] == "body"
        noise = b"ID3\x04" + bytes(range(256)) * 20
        assert (await bring(client, noise, 422))["errors"][0]["where"] == "body"
        monkeypatch.setattr(sounds, "MOST_BYTES", 1_000)
        assert "不得超过" in (await bring(client, tone(), 422))["detail"]
        monkeypatch.setattr(sounds, "MOST_BYTES", 10**6)
        monkeypatch.setattr(sounds, "LONGEST_S", 0)
        assert "小时" in (await bring(client, tone(), 422))["detail"]
        monkeypatch.undo()
        # The unit is not there: the sound that was kept already goes again.
        await bring(client, tone(), 404, unit="99")
        async with database_of(client).reading() as session:
            assert list(await session.scalars(select(Recording))) == []
            assert list(await session.scalars(select(PhoneRecord))) == []
        assert not list((settings.data_dir / sounds.FOLDER).iterdir())
        # Brought with the right unit it is taken.
        await bring(client, tone())
        names = {entry.kind for entry in open_archive(settings).manifest.entries()}
        assert {"added", "erased"} <= names

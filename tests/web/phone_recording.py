"""Sounds of calls that came in, and what is done with them, for the tests of phone records."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import soundfile
from imageio_ffmpeg import get_ffmpeg_exe

from app.checks.models import Recording
from app.database import Database
from app.phone_records.filling import fill_from
from app.settings import Settings
from tests.web.searching import say

AT = "2026-11-22T20:27:00+08:00"
PARAMETERS = {"name": "来电.wav", "called_at": AT, "number": "0954-5550001", "recorder": "李值班"}


def tone(seconds: float = 1.0, channels: int = 1, kind: str = "WAV", pitch_hz: float = 440.0) -> bytes:
    wave = np.sin(np.arange(int(8000 * seconds)) * (2 * np.pi * pitch_hz / 8000)) * 8000
    target = io.BytesIO()
    soundfile.write(target, np.repeat(wave.astype(np.int16)[:, None], channels, 1), 8000, format=kind)
    return target.getvalue()


def by_ffmpeg(folder: Path, name: str) -> bytes:
    """The tone in a format that only ffmpeg writes."""
    (folder / "in.wav").write_bytes(tone())
    command = [get_ffmpeg_exe(), "-loglevel", "error", "-i", str(folder / "in.wav"), str(folder / name)]
    subprocess.run(command, check=True)
    return (folder / name).read_bytes()


async def bring(client: httpx.AsyncClient, content: bytes, status: int = 201, **changed: str) -> Any:
    answer = await client.post("/phone-records/from-sound", params=PARAMETERS | changed, content=content)
    assert answer.status_code == status, answer.text
    return answer.json()


def database_of(client: httpx.AsyncClient) -> Database:
    database: Database = client.app.state.database  # type: ignore[attr-defined]
    return database


async def transcribed(
    client: httpx.AsyncClient, settings: Settings, recording_id: int, *them: str, us: tuple[str, ...] = ()
) -> None:
    """What the transcriber process does with a recording that waits."""
    async with database_of(client).unit_of_work() as session:
        recording = await session.get_one(Recording, recording_id)
        await fill_from(session, await say(session, recording, them, us), settings)

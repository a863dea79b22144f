"""An order whose call was answered, recorded in the archive and transcribed, for tests of listening and of bundles."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import soundfile
from sqlalchemy import select

from app import clock
from app.answers.models import AnswerItem
from app.archive import open_archive
from app.checks import service
from app.checks.dispatcher import Dispatcher
from app.checks.models import Recording
from app.database import Database
from app.directory import service as directory
from app.settings import Settings
from app.transcripts.models import Transcription
from tests.web.api import ACTOR
from tests.web.apps import make_app
from tests.web.fake import FakePhone, answered

RATE_HZ = 8_000
UNIT = "云溪县<b>\"应急&管理'局</b>/../\u202e"
"""Signs that mean something in HTML, in paths and in headers."""
TARGET = "sip:1@127.0.0.1:5062"
SAID = "您好，云溪县应急管理局值班室"


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the service on a database that is migrated already."""
    app = make_app(settings.model_copy(update={"phone_process": False, "allowed_hosts": ("testserver",)}))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    try:
        async with httpx.AsyncClient(
            transport=transport, base_url="http://testserver/api/v1", headers=ACTOR
        ) as opened:
            opened.app = app  # type: ignore[attr-defined]
            yield opened
    finally:
        await app.state.copies.close()
        await app.state.database.close()


def sweep(seconds: float) -> np.ndarray[Any, np.dtype[np.int16]]:
    """A stereo sound in which every moment is another: us a falling ramp, them a sweep."""
    time_s = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    them = 12_000 * np.sin(2 * np.pi * (200 + 40 * time_s) * time_s)
    us = np.linspace(9_000, -9_000, len(time_s))
    return np.stack([us, them], axis=1).astype(np.int16)


async def recorded(database: Database, settings: Settings, seconds: float = 12.0) -> Recording:
    """Call one unit; its recording is an object of the archive, in the manifest."""
    phone = FakePhone(settings.recordings_dir, records={TARGET: answered(TARGET, 6_000.0)})
    async with database.unit_of_work() as session:
        unit = await directory.add_unit(session, "001", UNIT)
        line = await directory.add_line(session, unit, "0000-5550101", TARGET)
        await service.order_now(session, line, "指定抽查")
    dispatcher = Dispatcher(database, phone, settings)
    await dispatcher.place_due()
    await dispatcher.idle()
    file = settings.data_dir / "sweep.flac"
    soundfile.write(file, sweep(seconds), RATE_HZ, subtype="PCM_16")
    info = open_archive(settings).add(file, "check-1-attempt-1", "check")
    file.unlink()
    async with database.unit_of_work() as session:
        row = (await session.scalars(select(Recording))).one()
        (settings.recordings_dir / row.path).unlink()
        row.path, row.sha256, row.duration_ms = info.path, info.sha256, info.duration_ms
    return row


async def transcribed(database: Database, recording: Recording, text: str = SAID) -> None:
    """Its words, and what was found in them."""
    utterance = {"start_ms": 6_400.0, "end_ms": 8_900.0, "text": text, "words": [], "confidence": None}
    content = {
        "them": {
            "schema": "dutyring.transcript/1",
            "engine": "e",
            "language": "zh",
            "utterances": [utterance],
        }
    }
    async with database.unit_of_work() as session:
        row = Transcription(
            recording_id=recording.id, state="done", requested_at=clock.now(), done_at=clock.now(),
            engine="whisper 1 (base)", took_s=1.0, content=content,
        )  # fmt: skip
        session.add(row)
        await session.flush()
        item = AnswerItem(
            attempt_id=recording.attempt_id, transcription_id=row.id, kind="unit", heard="云溪县应急管理局",
            heard_pinyin="yun xi xian", start_ms=6_900.0, end_ms=8_000.0, expected="云溪县应急管理局", distance=0.0,
            grade="strong",
        )  # fmt: skip
        session.add(item)


def sip_trace(settings: Settings, attempt: Any, text: str = "INVITE sip:1@127.0.0.1 SIP/2.0\r\n") -> Path:
    """Its SIP messages as the phone leaves them."""
    path = settings.recordings_dir / f"{service.recording_name(attempt)}{service.TRACE_SUFFIX}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8", newline="")
    return path

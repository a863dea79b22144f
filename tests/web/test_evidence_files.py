"""What is left of withdrawn words in the files of the database themselves."""

from __future__ import annotations

import json

from app.settings import Settings
from app.transcripts.models import Transcription, TranscriptPiece
from tests.web.keeping import recorded, withdraw
from tests.web.reviewing import running

SECRET = "绝密暗语"
TOKEN = "qzqzqzqzqzqz"
"""As the full-text index keeps a word."""


async def test_no_withdrawn_word_is_left_in_the_files_of_the_database(settings: Settings) -> None:
    written = (SECRET.encode(), json.dumps(SECRET)[1:-1].encode(), TOKEN.encode())

    def found() -> bool:
        files = [file.read_bytes() for file in settings.data_dir.glob("dutyring.sqlite3*")]
        return any(words in content for content in files for words in written)

    async with running(settings, units=2) as office:
        (key,) = await recorded(office)
        said = Transcription(recording_id=key, state="done", requested_at=office.at, content={"them": SECRET})
        async with office.database.unit_of_work() as session:
            session.add(said)
            await session.flush()
            place = {
                "recording_id": key,
                "called_at": office.at,
                "channel": "them",
                "start_ms": 0,
                "end_ms": 1,
            }
            session.add(TranscriptPiece(transcription_id=said.id, text=SECRET, sought=TOKEN, **place))
        assert found()
        await withdraw(office, key)
        assert not found()


async def test_a_withdrawn_transcript_is_said_to_be_gone(settings: Settings) -> None:
    async with running(settings, units=2) as office:
        (key,) = await recorded(office)
        path = f"/api/v1/recordings/{key}/transcript"
        assert (await office.client.get(path)).status_code == 404
        await withdraw(office, key)
        assert (await office.client.get(path)).status_code == 410

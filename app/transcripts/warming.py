"""A call under way lets a recogniser load its model, so that the words need not wait for that when the call is over."""

from __future__ import annotations

import asyncio

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.database import Database
from app.transcripts import repository
from app.transcripts.ports import Recognition
from recordings.transcription import TranscriptionError

log = structlog.get_logger(__name__)
LOOK_S = 3.0
"""A call lasts some ten seconds at least, a model is loaded in two to four."""
TROUBLE_PAUSE_S = 60.0


class Warmer:
    """Looks for calls under way; the recogniser ends its worker by itself when none has come for a while."""

    def __init__(self, database: Database, recognition: Recognition) -> None:
        self._database = database
        self._recognition = recognition

    async def run(self) -> None:
        """Work until cancelled. What cannot be had is no trouble here: the queue tells of it."""
        while True:
            pause_s = LOOK_S
            try:
                async with self._database.reading() as session:
                    live = await repository.any_live(session)
                if live:
                    await self._recognition.warm()
            except (SQLAlchemyError, TranscriptionError) as error:
                log.info("no recogniser is made ready", reason=type(error).__name__)
                pause_s = TROUBLE_PAUSE_S
            await asyncio.sleep(pause_s)

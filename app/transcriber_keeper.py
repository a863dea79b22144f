"""Keeps the transcriber process running beside the web process, where there is something that recognises speech."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Literal

import structlog

from app.engines import advice_of, engine_of
from app.process_keeper import ProcessKeeper
from app.settings import Settings
from recordings.transcription import EngineInfo, TranscriptionError

log = structlog.get_logger(__name__)
LOOK_S = 30.0
"""How often it is looked whether an engine was installed meanwhile."""


class TranscriberKeeper(ProcessKeeper):
    """Keeps the transcriber process; as long as no engine is there none is started, and recordings wait."""

    what = "transcriber process"
    module = "app.transcriber_process"

    def __init__(
        self,
        settings: Settings,
        command: Sequence[str] | None = None,
        find: Callable[[Settings], EngineInfo | None] | None = None,
    ) -> None:
        super().__init__(settings, command)
        self._settings = settings
        self._find = find or _found
        self.engine: EngineInfo | None = None
        self.reason = ""
        """Why no process is started; empty where one is."""

    @property
    def told(self) -> Literal["off", "no_engine", "ready", "starting", "failing"]:
        """How transcription stands."""
        if self._settings.transcriber == "none":
            return "off"
        return "no_engine" if self.engine is None else self.state

    async def permitted(self) -> None:
        """Return once an engine is there."""
        while not await asyncio.to_thread(self._look):  # noqa: ASYNC110 - what comes is a folder, no event
            await asyncio.sleep(LOOK_S)

    def _look(self) -> bool:
        was = self.reason
        try:
            self.engine = self._find(self._settings)
            self.reason = "" if self.engine is not None else advice_of(self._settings)
        except TranscriptionError as error:
            self.engine, self.reason = None, str(error)
        if self.reason and self.reason != was:
            log.info("nothing is transcribed", reason=self.reason)
        return self.engine is not None


def _found(settings: Settings) -> EngineInfo | None:
    choice = engine_of(settings)
    return None if choice is None else choice.info

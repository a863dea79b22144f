"""The transcriber process with the tests' own recogniser; `--hold`: it never answers."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.settings import Settings
from app.transcriber_process import main
from app.transcripts.ports import Recognition
from tests.web.transcribing import Recogniser


@asynccontextmanager
async def make(settings: Settings) -> AsyncIterator[Recognition]:
    yield Recogniser(hold=asyncio.Event() if "--hold" in sys.argv else None)


if __name__ == "__main__":
    sys.exit(main(make))

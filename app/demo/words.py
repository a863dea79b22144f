"""What the demo says of transcripts: who recognises them and how many there are, or why there are none."""

from __future__ import annotations

import asyncio

from rich.console import Console

from app.database import Database
from app.transcriber_keeper import TranscriberKeeper
from app.transcripts import repository

PATIENCE_S = 60.0
"""How long the end of `dutyring demo --once` waits for transcripts at most."""
LOOK_S = 0.5


async def tell(console: Console, database: Database, keeper: TranscriberKeeper, *, wait: bool) -> None:
    """Say in one line how the round is transcribed; with `wait` once it is, or a minute later."""
    if keeper.told in ("off", "no_engine"):
        console.print(f"Calls are not transcribed: {keeper.reason}.", soft_wrap=True)
        return
    engine = "" if keeper.engine is None else f" by {keeper.engine.title}"
    if not wait:
        console.print(
            f"Calls are transcribed{engine}; their words appear on the pages as they come.", soft_wrap=True
        )
        return
    left = await _left(database)
    try:
        async with asyncio.timeout(PATIENCE_S):
            while left and not keeper.failing:
                await asyncio.sleep(LOOK_S)
                left = await _left(database)
    except TimeoutError:
        pass
    rest = f"; {left} still wait" if left else ""
    console.print(f"Calls were transcribed{engine}{rest}.", soft_wrap=True)


async def _left(database: Database) -> int:
    async with database.reading() as session:
        found = await repository.figures(session)
    return found.waiting + found.running

"""`dutyring demo`: calls a fictional county of simulated lines, in real time, and leaves the pages up."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from pydantic import SecretStr
from rich.console import Console

from app.accounts.permissions import ROLE_ZH
from app.checks.service import rules_of
from app.commands.serve import address_of, listen, service
from app.database import Database, upgrade
from app.demo import (
    Board,
    ForeignUnitsError,
    Result,
    fill,
    mismatches,
    place_all,
    put_rules_in_force,
    result_table,
    results,
    words,
)
from app.demo.far_end import FarEndError, far_end
from app.demo.people import entrances
from app.logs import configure
from app.settings import Settings, TrunkSettings, get_settings
from app.transcriber_keeper import TranscriberKeeper
from sip.simulator import DIGEST_PASSWORD, DIGEST_USER

MAX_RING_S, MAX_TALK_S = 45.0, 10.0
"""Long enough for every behaviour (30 s of ringing count as let ring), short enough to watch."""
READY_PATIENCE_S = 60.0
CALLS_PATIENCE_S = 150.0
LOOK_S = 0.5
EXIT_OUR_FAILURE = 3


class DemoError(RuntimeError):
    """The demo could not be run; the text says why."""


def demo(once: bool = False) -> int:
    """Run the demo; return the exit status: with `once` 0 only if every line was judged as its behaviour demands."""
    settings = get_settings()
    configure(settings.model_copy(update={"log_level": "warning"}))
    try:
        return asyncio.run(_demo(settings, once))
    except (DemoError, FarEndError, ForeignUnitsError) as error:
        print(f"dutyring demo: {error}", file=sys.stderr)  # noqa: T201
        return EXIT_OUR_FAILURE


def demo_settings(settings: Settings, host: str, port: int) -> Settings:
    """The settings with a trunk to the simulator."""
    trunk = TrunkSettings(
        host=host,
        port=port,
        user=DIGEST_USER,
        password=SecretStr(DIGEST_PASSWORD),
        max_calls=None,
        calls_per_s=None,
        per_called=None,
    )
    return settings.model_copy(
        update={
            "trunks": {"demo": trunk},
            "default_trunk": "demo",
            "max_ring_s": MAX_RING_S,
            "max_talk_s": MAX_TALK_S,
            "concurrency": max(settings.concurrency, 50),
            "phone_process": True,
            "log_level": "warning",
            "stop_wait_s": 0.0,
        }
    )


async def _demo(settings: Settings, once: bool) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    console = Console()
    upgrade(settings)
    async with Database(settings.url) as database:
        async with database.unit_of_work() as session:
            await fill(session)
            await put_rules_in_force(session, rules_of(settings))
        async with far_end() as (host, port), _pages(demo_settings(settings, host, port), console) as pages:
            address, transcriber = pages
            found = await _call_all(database, console, stop)
            wrong = _report(console, found)
            if not stop.is_set():
                await words.tell(console, database, transcriber, wait=once)
            if not once and not stop.is_set():
                await _let_in(database, console, address)
                await stop.wait()
    return 1 if once and wrong else 0


async def _let_in(database: Database, console: Console, address: str) -> None:
    """Tell the links by which the pages are entered, one for each role."""
    async with database.unit_of_work() as session:
        ways = await entrances(session)
    console.print("Enter the pages as whom you like. Each link works once, in a browser window of its own:")
    for way in ways:
        link = f"{address}/enter/{way.secret}"
        console.print(f"  {way.role.value:14}{link}  {ROLE_ZH[way.role]}", soft_wrap=True, highlight=False)
    console.print("The dispatcher sees calls, the supervisor hears them and decides. Ctrl-C ends the demo.")


@asynccontextmanager
async def _pages(settings: Settings, console: Console) -> AsyncIterator[tuple[str, TranscriberKeeper]]:
    """Run the service beside us; gives its address, once its phone is ready, and what transcribes."""
    with _listener(settings, console) as listener:
        server = service(settings)
        state = server.config.app.state  # type: ignore[union-attr]
        keeper = state.keeper
        running = asyncio.create_task(server.serve(sockets=[listener]))
        ready = asyncio.create_task(keeper.ready.wait())
        try:
            await asyncio.wait(
                {running, ready}, timeout=READY_PATIENCE_S, return_when=asyncio.FIRST_COMPLETED
            )
            if not ready.done():
                raise DemoError("the phone did not get ready: does another service run on the data folder?")
            yield address_of(listener), state.transcriber
        finally:
            ready.cancel()
            server.should_exit = True
            await running


def _listener(settings: Settings, console: Console) -> socket.socket:
    try:
        return listen(settings.host, settings.port)
    except OSError:
        listener = listen(settings.host, 0)
        console.print(f"Port {settings.port} is taken; the pages are at {address_of(listener)}/ instead.")
        return listener


async def _call_all(database: Database, console: Console, stop: asyncio.Event) -> list[Result]:
    async with database.unit_of_work() as session:
        check_ids = await place_all(session)
    found: list[Result] = []
    with Board(console).showing() as board, contextlib.suppress(TimeoutError):
        async with asyncio.timeout(CALLS_PATIENCE_S):
            while not stop.is_set() and (not found or not all(result.done for result in found)):
                async with database.reading() as session:
                    found = await results(session, check_ids)
                board.show(found, datetime.now(UTC))
                await asyncio.sleep(LOOK_S)
    return found


def _report(console: Console, found: Sequence[Result]) -> bool:
    """Print the table and every line that was misjudged; return whether there is one."""
    console.print(result_table(found))
    wrong = mismatches(found)
    for result in wrong:
        expected = " or ".join(result.unit.expected)
        console.print(
            f"{result.unit.name} (line {result.unit.extension}): {result.code}, demanded {expected}"
        )
    if not wrong:
        console.print(f"All {len(found)} lines were judged as their behaviour demands.")
    return bool(wrong)

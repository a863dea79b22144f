"""How far behind the line a listener to a call under way is: from the sound's arrival to its leaving the service.

    python -m benchmarks.live_listening --calls 20 --ears 3

The real phone process calls lines of the simulator that talk; `ears` of the calls are listened to through the service,
a real one on a port of this machine. The delay of a piece is the moment it was read minus the moment its last sample
belongs to, both by the one clock of the machine; what a browser adds (some 0.15 s) is measured on the page. The exit
status is 1 when the 95th percentile is over 0.85 s.
"""

from __future__ import annotations

import argparse
import asyncio
import struct
import sys
import tempfile
import time
from pathlib import Path

import httpx
import uvicorn
from sqlalchemy import select

from app.accounts.permissions import Permission, Role
from app.accounts.principal import Principal
from app.checks import service
from app.checks.models import Attempt
from app.commands.demo import demo_settings
from app.database import Database, upgrade
from app.demo.far_end import far_end
from app.directory import service as directory
from app.main import create_app
from app.phone_keeper import PhoneKeeper
from app.settings import Settings
from benchmarks.table import percentile, show

LIMIT_S = 0.85
HEADER = struct.Struct("<dII")
RATE_HZ = 8000
TALKER = "11"
PATIENCE_S = 60.0


class Everybody:
    """A doorkeeper for one machine's measurement."""

    async def who(self, scope: object) -> Principal:
        """Return somebody who may do everything."""
        return Principal(0, "bench", "bench", frozenset(Role), frozenset(Permission))


async def measure(folder: Path, calls: int, ears: int, listen_s: float) -> dict[str, object]:
    """Place the calls, listen to some; return the figures."""
    async with far_end() as (host, port):
        given = demo_settings(Settings(data_dir=folder), host, port).model_copy(
            update={"max_talk_s": listen_s + 20, "transcriber": "none"}
        )
        upgrade(given)
        app = create_app(given.model_copy(update={"phone_process": False}))
        app.state.doorkeeper = Everybody()
        server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error"))
        serving = asyncio.create_task(server.serve())
        keeper = PhoneKeeper(given)
        keeper.start()
        async with Database(given.url) as database:
            try:
                await asyncio.wait_for(keeper.ready.wait(), PATIENCE_S)
                await order(database, f"sip:{TALKER}@{host}:{port}", calls)
                attempts = await talking(database, ears)
                address = server.servers[0].sockets[0].getsockname()
                delays = await listen(f"http://127.0.0.1:{address[1]}", attempts, listen_s)
            finally:
                await keeper.stop()
                server.should_exit = True
                await serving
    return {
        "calls": calls,
        "ears": ears,
        "pieces": len(delays),
        "p50_s": round(percentile(delays, 0.5), 3),
        "p95_s": round(percentile(delays, 0.95), 3),
        "max_s": round(max(delays), 3),
    }


async def order(database: Database, target: str, calls: int) -> None:
    """Order a call of each of so many lines; the parameter makes each a line of its own."""
    async with database.unit_of_work() as session:
        for number in range(calls):
            unit = await directory.add_unit(session, f"{number:03}", f"云溪县{number:03}")
            line = await directory.add_line(session, unit, f"0000-{number:05}", f"{target};line={number}")
            await service.order_now(session, line, "指定抽查")


async def talking(database: Database, count: int) -> list[int]:
    """Wait until so many calls are answered; return their keys."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        async with database.reading() as session:
            query = select(Attempt.id).where(Attempt.state == "connected").limit(count)
            found = list(await session.scalars(query))
        if len(found) >= count:
            return found
        await asyncio.sleep(0.2)
    raise TimeoutError("the calls were not answered in time")


async def listen(base: str, attempts: list[int], listen_s: float) -> list[float]:
    """Listen to these calls; return the delay of each piece, without those of the first 1.5 s."""
    delays: list[float] = []

    async def one(client: httpx.AsyncClient, attempt: int) -> None:
        began, rest = time.monotonic(), b""
        async with client.stream("GET", f"/live/calls/{attempt}/sound") as answer:
            async for data in answer.aiter_raw():
                rest += data
                while len(rest) >= HEADER.size:
                    origin, position, count = HEADER.unpack_from(rest)
                    size = HEADER.size + 4 * count
                    if len(rest) < size:
                        break
                    rest = rest[size:]
                    if time.monotonic() - began > 1.5:
                        delays.append(time.time() - (origin + (position + count) / RATE_HZ))
                if time.monotonic() - began > listen_s:
                    return

    async with httpx.AsyncClient(base_url=base, timeout=20) as client:
        await asyncio.gather(*(one(client, attempt) for attempt in attempts))
    return delays


def main() -> int:
    """Run the benchmark; return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--ears", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=12.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dutyring-live-") as folder:
        figures = asyncio.run(measure(Path(folder) / "data", options.calls, options.ears, options.seconds))
    show(figures)
    return 0 if float(str(figures["p95_s"])) <= LIMIT_S else 1


if __name__ == "__main__":
    sys.exit(main())

"""How long a search in 100,000 transcribed calls takes, on either database: `python -m benchmarks.search`.

The calls are those of `dutyring bench lists`; each has five utterances such as duty calls are made of, with names and
numbers. Nothing of it is real. Exit status 1 where a kind of query takes more processor time than the limit: what the
clock says depends on what else the machine does.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import create_engine, func, insert, select, text
from sqlalchemy.engine import Connection

from app import clock
from app.bench.content import units
from app.bench.fill import database_name, fill
from app.bench.lists import HOST, NEWEST, own_folder, quiet
from app.bench.people import signed_in
from app.bench.spoken import RARE, content, utterances
from app.checks.models import Attempt, Recording
from app.database import _blocking_url, upgrade
from app.main import create_app
from app.settings import Settings
from app.transcripts.models import Transcription, TranscriptPiece
from app.transcripts.search_words import with_pairs
from benchmarks.table import percentile, show_parts

LIMIT_MS = 200.0
CALLS = 100_000
UNITS = 2_000
BATCH = 2_000
Row = dict[str, Any]


def fill_transcripts(connection: Connection, calls: int) -> None:
    """Give the newest calls a recording and a transcript each."""
    chance = random.Random(6)
    query = (
        select(Attempt.id, Attempt.claimed_at, Attempt.unit_id)
        .order_by(Attempt.claimed_at.desc())
        .limit(calls)
    )
    # Oldest first, as the years bring them.
    found = iter(reversed(connection.execute(query).all()))
    number = 0
    while batch := list(islice(found, BATCH)):
        recordings: list[Row] = []
        transcriptions: list[Row] = []
        pieces: list[Row] = []
        for attempt_id, at, unit_id in batch:
            number += 1
            channels, said = content(list(utterances(chance, number)))
            recordings.append(
                {
                    "id": number, "attempt_id": attempt_id, "path": f"objects/{number}", "sha256": f"{number:064x}",
                    "duration_ms": 30_000.0, "channels": 2, "sample_rate": 8000, "created_at": at,
                }
            )  # fmt: skip
            transcriptions.append(
                {
                    "id": number, "recording_id": number, "state": "done", "requested_at": at, "done_at": at,
                    "engine": "bench", "content": channels,
                }
            )  # fmt: skip
            common = {"transcription_id": number, "recording_id": number, "called_at": at, "unit_id": unit_id}
            pieces += [common | piece for piece in said]
        if connection.dialect.name == "postgresql":
            pieces = [piece | {"sought": with_pairs(piece["sought"])} for piece in pieces]
        for table, rows in (
            (Recording, recordings),
            (Transcription, transcriptions),
            (TranscriptPiece, pieces),
        ):
            connection.execute(insert(table), rows)


def asked(tree: Mapping[str, int]) -> Iterator[tuple[str, Mapping[str, str | int]]]:
    """What is asked for, by kind."""
    year_ago = (NEWEST - timedelta(days=365)).isoformat()
    yield "in every call", {"q": "值班室"}
    yield "in every call, both sides", {"q": "值班电话抽查 再见"}
    yield "in one call of 7", {"q": "水利局"}
    yield "in one call of 40", {"q": "青石镇林业局"}
    yield "a name", {"q": "王建国"}
    yield "a name and a word", {"q": "王建国 水利局"}
    yield "in one call of 10,000", {"q": RARE}
    yield "a number, in digits", {"q": "5671"}
    yield "never, of common characters", {"q": "值班室您好"}
    yield "never", {"q": "鼍"}
    yield "never, with one that is in every call", {"q": "值班室 鼍"}
    for kind, key in tree.items():
        yield f"in every call, one {kind}", {"q": "值班室", "unit": key}
        yield f"a name, one {kind}", {"q": "王建国", "unit": key}
        yield f"never, one {kind}", {"q": "值班室您好", "unit": key}
    yield "in every call, before a year ago", {"q": "值班室", "to": year_ago}
    yield "a name, before a year ago", {"q": "王建国", "to": year_ago}
    yield "a name, our side", {"q": "值班室您好", "channel": "us"}
    yield "whole sentence", {"q": "现在进行值班电话抽查，本次通话将录音"}


async def measure(calls: int, url: str | None, folder: Path, repeats: int) -> dict[str, Any]:
    """Fill a database and search in it; return the figures."""
    settings = Settings(data_dir=folder, database_url=url, phone_process=False, allowed_hosts=(HOST,))
    upgrade(settings)
    began = time.monotonic()
    fill(settings.url, calls * 5 // 4, UNITS, NEWEST)
    engine = create_engine(_blocking_url(settings.url))
    with engine.begin() as connection:
        if not connection.scalar(select(func.count()).select_from(Recording)):
            fill_transcripts(connection, calls)
        count = connection.scalar(select(func.count()).select_from(Recording))
    server = None
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for name in ("recordings", "transcriptions", "transcript_pieces"):
                connection.execute(text(f"VACUUM ANALYZE {name}"))
        with engine.connect() as connection:
            server = _parent(connection.scalar(text("SELECT pg_backend_pid()")))
    engine.dispose()
    filled_s = time.monotonic() - began
    heads = {
        kind: next(unit.key for unit in units(UNITS) if unit.category == kind)
        for kind in ("county", "town", "institution")
    }
    found = await _times(settings, list(asked(heads)), repeats, server)
    p95 = {name: round(percentile(one.wall_ms, 0.95), 1) for name, one in found.items()}
    spent = {name: round(one.spent_ms / len(one.wall_ms), 1) for name, one in found.items()}
    return {
        "calls": count,
        "database": database_name(settings.url),
        "fill_s": round(filled_s, 1),
        "limit_ms": LIMIT_MS,
        "slowest_ms": max(p95.values()),
        "most_processor_ms": max(spent.values()),
        "p95_ms": p95,
        "processor_ms": spent,
        "first_page": {name: one.rows for name, one in found.items()},
    }


@dataclass(slots=True)
class Taken:
    """What the requests of one kind took."""

    rows: int
    """Calls on the first page."""
    wall_ms: list[float] = field(default_factory=list)
    spent_ms: float = 0.0
    """Processor time of all of them: client, service and, on this machine, the database."""


async def _times(
    settings: Settings,
    queries: Sequence[tuple[str, Mapping[str, str | int]]],
    repeats: int,
    server: int | None,
) -> dict[str, Taken]:
    """What the first two pages of each kind of query took."""
    app = create_app(settings)
    found: dict[str, Taken] = {}
    transport = httpx.ASGITransport(app=app)
    try:
        with clock.running(_newest):
            async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as client:
                client.headers["Cookie"] = await signed_in(app.state.database, settings, None)
                for name, query in queries:
                    # Once for the caches.
                    _, rows = await _ask(client, query)
                    taken = found[name] = Taken(rows)
                    before = _spent_ms(server)
                    for _ in range(repeats):
                        taken.wall_ms += (await _ask(client, query))[0]
                    taken.spent_ms = _spent_ms(server) - before
    finally:
        await app.state.database.close()
    return found


def _spent_ms(server: int | None) -> float:
    """Processor time of this process so far, and of the PostgreSQL server with this process id."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat") if server is not None else ():
        try:
            members = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if server in (int(stat.parent.name), int(members[1])):
            # utime, stime, cutime, cstime: of the server also those of its children that have ended.
            ticks += sum(map(int, members[11:15]))
    return time.process_time() * 1000 + ticks * 1000 / os.sysconf("SC_CLK_TCK")


async def _ask(client: httpx.AsyncClient, query: Mapping[str, str | int]) -> tuple[list[float], int]:
    times, rows, place = [], None, ""
    while place is not None and len(times) < 2:
        began = time.perf_counter()
        answer = await client.get(
            "/api/v1/transcripts/search", params={**query, **({"after": place} if place else {})}
        )
        times.append((time.perf_counter() - began) * 1000)
        answer.raise_for_status()
        page = answer.json()
        rows = len(page["items"]) if rows is None else rows
        place = page["next"]
    return times, rows or 0


def _parent(process: Any) -> int | None:
    """The process id of a backend's server; None where it is on another machine."""
    try:
        return int(Path(f"/proc/{int(process)}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


def _newest() -> datetime:
    return NEWEST


def main() -> int:
    """Measure; return 1 where a query is over the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=CALLS)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--database", metavar="URL", help="an empty PostgreSQL database [a SQLite file]")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    quiet()
    with own_folder() as folder:
        figures = asyncio.run(measure(given.calls, given.database, folder, given.repeats))
    show_parts(figures, as_json=given.json)
    return 1 if figures["most_processor_ms"] > LIMIT_MS else 0


if __name__ == "__main__":
    sys.exit(main())

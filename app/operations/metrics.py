"""What `GET /metrics` tells, in the text format of Prometheus. docs/reference/metrics.md names each; a test holds that.

Labels are words of this program, routes, and the names of trunks: never a unit, a number or a person.
"""

from __future__ import annotations

import asyncio
import hmac
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector
from sqlalchemy import Table, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.accounts.models import Session
from app.checks import engine_board
from app.checks import repository as checks
from app.checks.disk import free_bytes, recording_folders
from app.checks.engine_board import EngineFigures
from app.checks.models import SpotCheck
from app.database import Base, Database
from app.notices import repository as notices
from app.operations.counts import RING_BUCKETS_S, CallCounter, Counted
from app.operations.readiness import head_revision
from app.operations.requests import RequestFigures
from app.operations.version import version
from app.policy import Stored
from app.process_keeper import ProcessKeeper
from app.settings import SettingError, Settings
from app.transcripts.models import Transcription
from app.trunks import repository as trunks
from app.trunks.view import views

TRUNK_STATES = (
    "up",
    "down",
    "registering",
    "starting",
    "stopped",
    "unknown",
    "disabled",
    "shadowed",
    "unusable",
)
JOB_TABLES = ("export_jobs",)
"""Tables of jobs with a column `state`, where this version has them."""
LONG_NUMBER = re.compile(r"\d{5,}")
LEAST_TOKEN = 16


class MetricsBook:
    """Gathers the figures of one service."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        figures: RequestFigures,
        processes: Callable[[], Mapping[str, ProcessKeeper | None]],
    ) -> None:
        self._database, self._settings = database, settings
        self._figures, self._processes = figures, processes
        self._calls = CallCounter()

    async def text(self) -> bytes:
        """Every figure as Prometheus reads it."""
        now = clock.now()
        async with self._database.reading() as session:
            found = [*_calls(await self._calls.look(session)), *await _queues(session)]
            found += await self._trunks(session, now)
            found += await self._office(session, now)
        found += [*self._of_processes(), await asyncio.to_thread(_disks, self._settings), _build()]
        found += _engine(await asyncio.to_thread(engine_board.read, self._settings))
        registry = CollectorRegistry()
        registry.register(_Gathered(found))
        ours = await asyncio.to_thread(generate_latest, registry)
        return ours + generate_latest(self._figures.registry)

    async def _trunks(self, session: AsyncSession, now: datetime) -> list[Metric]:
        stored = Stored(
            trunks=tuple(await trunks.records(session)), states=tuple(await trunks.states(session))
        )
        state = GaugeMetricFamily(
            "dutyring_trunk_state", "1 for the state that a trunk is in.", labels=("trunk", "state")
        )
        alarms = GaugeMetricFamily("dutyring_trunk_alarms", "Alarms against a trunk.", labels=("trunk",))
        calls = GaugeMetricFamily("dutyring_trunk_calls", "Calls on a trunk.", labels=("trunk",))
        for place, view in enumerate(views(self._settings, stored, now), 1):
            # Some name a trunk by its number.
            name = f"trunk-{place}" if LONG_NUMBER.search(view.name) else view.name
            for known in TRUNK_STATES:
                state.add_metric((name, known), float(view.state == known))
            alarms.add_metric((name,), len(view.alarms))
            calls.add_metric((name,), view.calls)
        return [state, alarms, calls]

    async def _office(self, session: AsyncSession, now: datetime) -> list[Metric]:
        alarms = GaugeMetricFamily("dutyring_office_alarms", "Alarms that stand, by kind.", labels=("kind",))
        for kind, number in (await notices.alarms_by_kind(session)).items():
            alarms.add_metric((kind,), number)
        oldest = await notices.oldest_unreviewed(session)
        waiting = GaugeMetricFamily(
            "dutyring_reviews_waiting",
            "Findings that nobody has reviewed.",
            value=await notices.unreviewed_since(session, now),
        )
        age = GaugeMetricFamily(
            "dutyring_oldest_review_seconds",
            "How long the oldest of them has waited.",
            value=0.0 if oldest is None else max((now - oldest).total_seconds(), 0.0),
        )
        sent = GaugeMetricFamily(
            "dutyring_notice_deliveries", "Messages of notices, by state.", labels=("state",)
        )
        for state, number in (await notices.count_by_state(session)).items():
            sent.add_metric((state,), number)
        idle = now - timedelta(minutes=self._settings.session_idle_minutes)
        query = select(func.count()).where(
            Session.ended_at.is_(None), Session.expires_at > now, Session.seen_at > idle
        )
        sessions = GaugeMetricFamily(
            "dutyring_sessions", "People who are signed in.", value=await session.scalar(query) or 0
        )
        return [alarms, waiting, age, sent, sessions]

    def _of_processes(self) -> Iterator[Metric]:
        up = GaugeMetricFamily(
            "dutyring_process_ready", "1 while a process beside the pages works.", labels=("process",)
        )
        starts = CounterMetricFamily(
            "dutyring_process_starts", "How often a process was started.", labels=("process",)
        )
        for name, keeper in self._processes().items():
            if keeper is not None:
                up.add_metric((name,), float(keeper.ready.is_set()))
                starts.add_metric((name,), keeper.starts)
        yield from (up, starts)


class _Gathered(Collector):
    def __init__(self, found: Iterable[Metric]) -> None:
        self._found = list(found)

    def collect(self) -> Iterable[Metric]:
        """Give what was gathered."""
        return self._found


def _calls(counted: Counted) -> Iterator[Metric]:
    calls = CounterMetricFamily(
        "dutyring_calls", "Calls that are over, by the end of the attempt and the line's outcome.",
        labels=("state", "outcome"),
    )  # fmt: skip
    for (state, outcome), number in sorted(counted.by_outcome.items()):
        calls.add_metric((state, outcome), number)
    ring = HistogramMetricFamily(
        "dutyring_ring_seconds", "Seconds from the first ringing to the answer, of answered calls."
    )
    running, buckets = 0, []
    for place, limit in enumerate((*RING_BUCKETS_S, float("inf"))):
        running += counted.by_bucket.get(place, 0)
        buckets.append(("+Inf" if limit == float("inf") else f"{limit:g}", float(running)))
    ring.add_metric((), buckets, counted.ring_s)
    yield from (calls, ring)


async def _queues(session: AsyncSession) -> list[Metric]:
    """What waits. Coming moments of plans are no part of it: only what is due."""
    live = GaugeMetricFamily(
        "dutyring_calls_live", "Calls under way.", value=await checks.live_count(session)
    )
    query = select(func.count()).select_from(SpotCheck).where(SpotCheck.state == "due")
    due = GaugeMetricFamily(
        "dutyring_checks_due",
        "Checks that are due and not dialled yet.",
        value=await session.scalar(query) or 0,
    )
    words = GaugeMetricFamily(
        "dutyring_transcripts", "Recordings that wait for their words, by state.", labels=("state",)
    )
    states = ("waiting", "running", "failed")
    counted = select(Transcription.state, func.count()).where(Transcription.state.in_(states))
    found = {row[0]: row[1] for row in await session.execute(counted.group_by(Transcription.state))}
    for state in states:
        words.add_metric((state,), found.get(state, 0))
    return [live, due, words, await _jobs(session)]


async def _jobs(session: AsyncSession) -> Metric:
    jobs = GaugeMetricFamily("dutyring_export_jobs", "Exports, by state.", labels=("state",))
    for name in JOB_TABLES:
        table: Table | None = Base.metadata.tables.get(name)
        if table is not None and "state" in table.c:
            query: Any = select(table.c.state, func.count()).group_by(table.c.state)
            for state, number in await session.execute(query):
                jobs.add_metric((state,), number)
    return jobs


def _engine(figures: EngineFigures | None) -> Iterator[Metric]:
    """The media engine of the phone; without a phone there is no sample of any."""
    calls = GaugeMetricFamily("dutyring_engine_calls", "Calls in the media engine.", labels=())
    limit = GaugeMetricFamily("dutyring_engine_calls_limit", "Calls that this machine carries.", labels=())
    tick = GaugeMetricFamily("dutyring_engine_tick_p99_seconds", "Longest ticks of 20 ms.", labels=())
    if figures is not None:
        calls.add_metric((), figures.calls)
        limit.add_metric((), figures.limit)
        tick.add_metric((), figures.tick_ms_p99 / 1000)
    yield from (calls, limit, tick)


def _disks(settings: Settings) -> Metric:
    free = GaugeMetricFamily("dutyring_disk_free_bytes", "Free space of a folder's disk.", labels=("folder",))
    names = {"数据目录": "data", "录音目录": "recordings"}
    for title, folder in recording_folders(settings).items():
        try:
            free.add_metric((names.get(title, "other"),), free_bytes(folder))
        except OSError:
            free.add_metric((names.get(title, "other"),), float("nan"))
    return free


def _build() -> Metric:
    built = GaugeMetricFamily("dutyring_build_info", "1.", labels=("version", "revision"))
    built.add_metric((version(), head_revision()), 1.0)
    return built


def token_fits(path: Path, given: str) -> bool:
    """Whether this is the token of the settings. Raises `SettingError` where there is none to compare with."""
    try:
        wanted = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError("DUTYRING_METRICS_TOKEN_FILE: the file cannot be read") from error
    if len(wanted) < LEAST_TOKEN:
        raise SettingError(f"DUTYRING_METRICS_TOKEN_FILE: it takes a token of at least {LEAST_TOKEN} signs")
    return hmac.compare_digest(wanted.encode(), given.encode())

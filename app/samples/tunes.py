"""Keeps the tunes that trunks gave before answers, so that a restart of the phone does not forget them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import Database
from app.samples import repository
from app.samples.models import TrunkTune
from sip.progress.fingerprint import VERSION
from sip.progress.stretches import phases_from_bytes, phases_to_bytes
from sip.progress.tunes import KEPT, Tune
from sip.tune_watch import TuneWatch

log = structlog.get_logger(__name__)


class TuneKeeper:
    """Stands between a phone's `TuneWatch` and the database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._news: list[Tune] = []

    async def begin(self) -> TuneWatch:
        """Return a watch that knows what is stored; prints of another version are left out."""
        async with self._database.reading() as session:
            rows = await repository.tunes(session)
        known = [
            Tune(row.trunk, row.line, phases_from_bytes(row.prints)[0], row.heard_at.timestamp())
            for row in rows
            if row.version == VERSION
        ]
        return TuneWatch(known, self._news.append)

    async def write(self) -> None:
        """Store what was heard since; a tune that cannot be stored is worth no call."""
        if not self._news:
            return
        news, self._news[:] = list(self._news), []
        try:
            # A cancelled unit of work is rolled back: what is to be written here must be.
            await asyncio.shield(self._write(news))
        except SQLAlchemyError:
            log.exception("tunes could not be written")

    async def _write(self, news: list[Tune]) -> None:
        async with self._database.unit_of_work() as session:
            await store(session, news)


async def store(session: AsyncSession, tunes: list[Tune]) -> None:
    """Add tunes, and drop the oldest of each trunk beyond those that are kept."""
    for tune in tunes:
        row = TrunkTune(
            trunk=tune.trunk,
            line=tune.owner,
            version=VERSION,
            prints=phases_to_bytes((tune.prints,)),
            heard_at=datetime.fromtimestamp(tune.heard_at, UTC),
        )
        session.add(row)
    await session.flush()
    for trunk in {tune.trunk for tune in tunes}:
        await repository.keep_newest_tunes(session, trunk, KEPT)

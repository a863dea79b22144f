"""Whether the service can do its work: database migrated and answering, phone ready, recordings can be kept."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
import time
from functools import lru_cache
from pathlib import Path
from typing import Literal

import structlog
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

import migrations
from app.checks import alarms
from app.database import Database
from app.phone_keeper import PhoneKeeper
from app.settings import Settings

log = structlog.get_logger(__name__)
KEPT_S = 2.0
"""How long an answer counts: anybody may ask, and each look writes a file."""
PATIENCE_S = 5.0
Told = Literal["ok", "failed", "off", "starting", "old", "newer"]


@lru_cache(maxsize=1)
def head_revision() -> str:
    """The revision of the database that this version works with."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent).replace("%", "%%"))
    return ScriptDirectory.from_config(config).get_current_head() or ""


@lru_cache(maxsize=1)
def known_revisions() -> frozenset[str]:
    """Every revision that this version knows."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent).replace("%", "%%"))
    return frozenset(script.revision for script in ScriptDirectory.from_config(config).walk_revisions())


async def database_revision(database: Database) -> str | None:
    """The revision that a database is at. Raises `SQLAlchemyError`, also for one that has none."""
    async with database.reading() as session:
        found = await session.scalar(text("SELECT version_num FROM alembic_version"))
    return None if found is None else str(found)


class Readiness:
    """What `/readyz` tells."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database, self._settings = database, settings
        self._at = 0.0
        self._told: dict[str, Told] = {}
        self._turn = asyncio.Lock()

    async def told(self, keeper: PhoneKeeper | None) -> dict[str, Told]:
        """Each part and how it is."""
        async with self._turn:
            if not self._told or time.monotonic() - self._at >= KEPT_S:
                self._told = {"database": await self._database_told(), "archive": await self._archive_told()}
                self._at = time.monotonic()
            return self._told | {"phone": _phone_told(keeper)}

    async def _database_told(self) -> Told:
        try:
            async with asyncio.timeout(PATIENCE_S):
                revision = await database_revision(self._database)
        except (SQLAlchemyError, TimeoutError):
            log.exception("database does not answer")
            return "failed"
        if revision == head_revision():
            return "ok"
        return "old" if revision in known_revisions() else "newer"

    async def _archive_told(self) -> Told:
        try:
            async with asyncio.timeout(PATIENCE_S):
                await asyncio.to_thread(write_and_remove, self._settings.recordings_dir)
                if is_local(self._settings):
                    await asyncio.to_thread(write_and_remove, archive_folder(self._settings))
                # What lies elsewhere is not asked each time: the phone says so once it cannot store.
                async with self._database.reading() as session:
                    unstored = await alarms.standing(session, "recordings_unstored")
        except (SQLAlchemyError, OSError, TimeoutError):
            return "failed"
        return "failed" if unstored else "ok"


def ready(told: dict[str, Told]) -> bool:
    """Whether every part is as it must be."""
    return all(state in ("ok", "off") for state in told.values())


def _phone_told(keeper: PhoneKeeper | None) -> Told:
    if keeper is None:
        return "off"
    return {"ready": "ok", "starting": "starting", "failing": "failed"}[keeper.state]  # type: ignore[return-value]


def is_local(settings: Settings) -> bool:
    """Whether finished recordings lie in a folder."""
    url = settings.recordings_url
    return url is None or "://" not in url


def archive_folder(settings: Settings) -> Path:
    """The folder of finished recordings."""
    return Path(settings.recordings_url or settings.recordings_dir)


def write_and_remove(folder: Path) -> None:
    """Prove that files can be written in a folder, making it where there is none. Raises `OSError`."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".ready-", suffix=".tmp", dir=folder)
    try:
        os.write(handle, b"ready\n")
    finally:
        os.close(handle)
        with contextlib.suppress(OSError):
            Path(name).unlink()

"""The library that running calls listen with: read again only when the samples have changed."""

from __future__ import annotations

from sqlalchemy import inspect
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import Database
from app.policy import records_are_there
from app.samples import repository, service
from app.settings import Settings
from app.trunks.records import RecordsError
from sip.progress.samples import SampleLibrary


class LibraryKeeper:
    """Holds the current library; `library` may be asked at any moment."""

    def __init__(self) -> None:
        self._library = SampleLibrary()
        self._stamp = (0, 0)

    def library(self) -> SampleLibrary:
        """Return the library as it was last read."""
        return self._library

    async def refresh(self, session: AsyncSession) -> None:
        """Read it again if samples were added or removed."""
        stamp = await repository.stamp(session)
        if stamp != self._stamp:
            self._library, self._stamp = await service.library(session), stamp


async def library_if_there(settings: Settings) -> SampleLibrary:
    """Return the library of the database of the settings; an empty one where there is none.

    Raises `RecordsError` for a database that cannot be read.
    """
    if not records_are_there(settings):
        return SampleLibrary()
    try:
        async with Database(settings.url) as database:
            async with database.engine.connect() as connection:
                if not await connection.run_sync(_has_samples):
                    return SampleLibrary()
            async with database.reading() as session:
                return await service.library(session)
    except (SQLAlchemyError, OSError) as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise RecordsError(f"the database of DUTYRING_DATA_DIR cannot be read: {reason}") from error


def _has_samples(connection: Connection) -> bool:
    return "announcement_samples" in inspect(connection).get_table_names()

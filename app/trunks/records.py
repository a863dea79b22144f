"""Reads all that is on record of trunks, of the dial policy's numbers and of the directory's."""

from __future__ import annotations

from sqlalchemy import inspect
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import Database
from app.directory import repository as directory
from app.policy import Stored, records_are_there
from app.settings import Settings
from app.trunks import repository
from sip.numbers import split_extension


class RecordsError(RuntimeError):
    """There are records and they cannot be read: what they forbid must not be dialled for that."""


async def read(session: AsyncSession) -> Stored:
    """Read all of it."""
    numbers = await repository.numbers(session)
    kinds = {kind: frozenset(n.number for n in numbers if n.kind == kind) for kind in ("deny", "allow")}
    return Stored(
        trunks=tuple(await repository.records(session)),
        states=tuple(await repository.states(session)),
        deny=kinds["deny"],
        allow=kinds["allow"],
        answer_keys=frozenset(n.number for n in numbers if n.kind == "answer_key"),
        directory=await directory_numbers(session),
    )


async def directory_numbers(session: AsyncSession) -> frozenset[str]:
    """What may be dialled for the directory's lines: what is dialled, and what the directory prints."""
    return frozenset(split_extension(text)[0] for text in await directory.dialled_numbers(session))


async def read_if_there(settings: Settings) -> Stored:
    """Read it from the database of the settings; nothing where there is none.

    Raises `RecordsError` for a database that cannot be read, or that a newer version has to bring up first.
    """
    if not records_are_there(settings):
        return Stored()
    try:
        async with Database(settings.url) as database:
            async with database.engine.connect() as connection:
                present = await connection.run_sync(_tables)
            if "numbers" not in present:
                if "duty_lines" not in present:
                    return Stored()
                async with database.reading() as session:
                    return Stored(directory=await directory_numbers(session))
            async with database.reading() as session:
                return await read(session)
    except (SQLAlchemyError, OSError) as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise RecordsError(f"the database of DUTYRING_DATA_DIR cannot be read: {reason}") from error


def _tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names())

"""What the phone may dial, as the settings, the records and the directory say together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import inspect
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import Database
from app.directory import repository as directory
from app.settings import SettingError, Settings
from app.trunks import repository
from app.trunks.models import TrunkRecord, TrunkState
from sip.guard import DialPolicy
from sip.numbers import NumberError, parse_number, split_extension


class AnswerKeysError(SettingError):
    """The file of the answer keys cannot be used. Its text shows none of them."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"DUTYRING_ANSWER_KEYS_FILE: {reason}; it takes a text file with one number a line")


class RecordsError(RuntimeError):
    """There are records and they cannot be read: what they forbid must not be dialled for that."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What the database says of trunks and numbers."""

    trunks: tuple[TrunkRecord, ...] = ()
    states: tuple[TrunkState, ...] = ()
    deny: frozenset[str] = frozenset()
    allow: frozenset[str] = frozenset()
    answer_keys: frozenset[str] = field(default=frozenset(), repr=False)
    directory: frozenset[str] = frozenset()
    """Numbers of the directory's lines, without extensions."""


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
    lines = await directory.active_lines(session)
    texts = {text for line in lines for text in (line.target, line.number)}
    return frozenset(split_extension(text)[0] for text in texts)


async def read_if_there(settings: Settings) -> Stored:
    """Read it from the database of the settings; nothing where there is none.

    Raises `RecordsError` for a database that cannot be read, or that a newer version has to bring up first.
    """
    if not _is_there(settings):
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


def _is_there(settings: Settings) -> bool:
    url = make_url(settings.url)
    return url.get_backend_name() != "sqlite" or Path(str(url.database)).is_file()


def _tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names())


def dial_policy(settings: Settings, stored: Stored, area_code: str | None = None) -> DialPolicy:
    """What the phone may dial. `area_code` is our own, without its 0.

    Raises `AnswerKeysError` for a file of answer keys that cannot be used: without it nothing may be dialled.
    """
    return DialPolicy(
        deny=tuple(sorted({*settings.deny_numbers, *stored.deny})),
        answer_keys=stored.answer_keys | answer_keys(settings.answer_keys_file),
        allow=frozenset({*settings.allow_numbers, *stored.allow, *stored.directory}),
        area_code=area_code,
    )


def answer_keys(path: Path | None) -> frozenset[str]:
    """Read the file of the answer keys. Raises `AnswerKeysError` that names the line."""
    if path is None:
        return frozenset()
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise AnswerKeysError(f"the file cannot be read ({reason})") from error
    return frozenset(_keys(text.splitlines()))


def _keys(lines: Iterable[str]) -> Iterable[str]:
    for number, line in enumerate(lines, 1):
        # A # after the number begins a remark, one within it belongs to it.
        plain = line.partition(" #")[0].partition("\t#")[0].strip()
        if not plain or plain.startswith("#"):
            continue
        try:
            parse_number(split_extension(plain)[0])
        except NumberError:
            raise AnswerKeysError(f"line {number} holds no telephone number") from None
        yield plain

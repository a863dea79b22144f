"""What the phone may dial, as the settings, the records and the directory say together.

Records are read by `app.trunks.records`; where there are none, `dutyring call` needs no database library.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from app.settings import SettingError, Settings
from sip.guard import DialPolicy
from sip.numbers import NumberError, parse_number, split_extension
from sip.trunks import Trunk

if TYPE_CHECKING:
    from app.trunks.models import TrunkRecord, TrunkState


class AnswerKeysError(SettingError):
    """The file of the answer keys cannot be used. Its text shows none of them."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"DUTYRING_ANSWER_KEYS_FILE: {reason}; it takes a text file with one number a line")


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


def records_are_there(settings: Settings) -> bool:
    """Whether there is a database to be asked; a server is taken to be there."""
    url = settings.url
    return not url.startswith("sqlite") or Path(url.partition("///")[2]).is_file()


def dial_policy(settings: Settings, stored: Stored, trunks: Iterable[Trunk] = ()) -> DialPolicy:
    """What the phone may dial. Our own area is that of the first trunk that names one.

    Raises `AnswerKeysError` for a file of answer keys that cannot be used: without it nothing may be dialled.
    """
    return DialPolicy(
        deny=tuple(sorted({*settings.deny_numbers, *stored.deny})),
        answer_keys=stored.answer_keys | answer_keys(settings.answer_keys_file),
        allow=frozenset({*settings.allow_numbers, *stored.allow, *stored.directory}),
        area_code=next((trunk.numbers.area_code for trunk in trunks if trunk.numbers.area_code), None),
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

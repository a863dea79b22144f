"""Numbers as directories print them, read into what is dialled. Pure: knows no database.

`3212345转8012`, `0917-3262000-806`, `总机3212345转8012` say all that is dialled. `-806`, `转8012`, `总机转8012`
leave the number of the switchboard out: it is completed where exactly one is known, and otherwise nothing is guessed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from app.checks.guard import NeverDialledError, TargetError, check_target
from app.errors import BadInputError, Fault
from sip.guard import check_digits_sent
from sip.numbers import NumberError, PhoneNumber, dialled_digits, parse_number, split_extension
from sip.targets import is_uri

MOST_SIGNS = 40
"""Of a printed number, as the tables hold it."""
_BARE_EXTENSION = re.compile(
    r"(?:总机)?[\s:]*(?:(?:[转轉]\s*(?:分机)?|分机|内线|[-‐-―−#,]|ext(?:ension)?\.?)[\s:.]*)(\d{1,8})",
    re.IGNORECASE,
)
_LOCAL_AND_EXTENSION = re.compile(r"([2-8]\d{6,7})\s*-\s*(\d{1,6})", re.ASCII)
"""`3212345-806`: digits that could be 0321-2345806 as well, but nobody parts that so."""
_SERVICE = ("400", "800")
_BETWEEN = re.compile(r"[、;|\n]|或|和|及|以及")
_AREA_AND_SLASH = re.compile(r"\(?0\d{2,3}\)?\s*/.+")
_LEAST_NUMBER = 7
"""Digits of the shortest number that a network, not a switchboard, gives."""
_MOST_DIGITS = 12
"""Digits of the longest number of the mainland: 0, area code, 8 digits of the line."""


@dataclass(frozen=True, slots=True)
class ReadNumber:
    """A printed number, and what is dialled for it."""

    printed: str
    target: str
    """For the trunk: the digits, `转` and the extension behind them where there is one; or a SIP URI."""
    extension: str | None
    completed: bool
    """Whether the switchboard's number was taken from elsewhere."""

    @property
    def key(self) -> str:
        """One text for one line, however it is written."""
        return key_of(self.target)


def read_number(text: str, mains: Iterable[str] = (), where: str = "number") -> ReadNumber:
    """Read a printed number. `mains` are the switchboard numbers that may complete a bare extension.

    Raises `BadInputError` that names `where`, for what is no number, more than one, never dialled, or an extension
    whose switchboard is not known for certain.
    """
    plain = _visible(text)
    if not plain or len(plain) > MOST_SIGNS:
        raise _wrong(where, f"号码须为 1 至 {MOST_SIGNS} 个字符", text)
    if is_uri(plain):
        return ReadNumber(text.strip(), checked_target(plain, where), None, completed=False)
    bare = _BARE_EXTENSION.fullmatch(plain)
    main, extension = (_only(mains, plain, where), bare[1]) if bare else _parted(plain)
    digits = _digits(main, extension, plain, where)
    target = digits if extension is None else f"{digits}转{extension}"
    return ReadNumber(text.strip(), checked_target(target, where), extension, completed=bare is not None)


def needs_main(text: str) -> bool:
    """Whether a printed number is an extension alone."""
    return _BARE_EXTENSION.fullmatch(_visible(text)) is not None


def checked_target(target: str, where: str = "target") -> str:
    """Return what is dialled, checked. Raises `BadInputError` for what must not or cannot be dialled."""
    try:
        plain = check_target(target)
        extension = None if is_uri(plain) else split_extension(plain)[1]
        if extension is not None:
            check_digits_sent(extension)
    except NeverDialledError as error:
        raise _wrong(where, "紧急号码及其变形写法一律禁拨，不得登记", target) from error
    except TargetError as error:
        raise _wrong(where, "既不是电话号码，也不是 sip: 地址", target) from error
    return plain


def key_of(target: str) -> str:
    """One text for one line: the number in its one form with the extension behind it; a URI in lower case."""
    if is_uri(target):
        return target.lower()
    main, extension = split_extension(target)
    number = _parsed(main)
    key = main if number is None else number.key
    return key if extension is None else f"{key}转{extension}"


def main_number(target: str) -> str | None:
    """The switchboard's number of a target with an extension; None where it has none."""
    if is_uri(target):
        return None
    main, extension = split_extension(target)
    return None if extension is None else main


def is_mobile_target(target: str) -> bool:
    """Whether a mobile telephone is dialled: a duty line should be a fixed one (专用固定座机)."""
    number = None if is_uri(target) else _parsed(split_extension(target)[0])
    return number is not None and number.kind == "mobile"


def is_odd_target(target: str) -> bool:
    """Whether the digits fit no numbering plan: an internal number, or one with a digit too many or too few."""
    number = None if is_uri(target) else _parsed(split_extension(target)[0])
    return number is not None and number.kind == "other"


def _visible(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text)
    return "".join(sign for sign in plain if unicodedata.category(sign) != "Cf").strip()


def _parted(plain: str) -> tuple[str, str | None]:
    local = _LOCAL_AND_EXTENSION.fullmatch(plain)
    if local is not None and not local[1].startswith(_SERVICE):
        return local[1], local[2]
    return split_extension(plain)


def _only(mains: Iterable[str], plain: str, where: str) -> str:
    """The one switchboard number that is known."""
    known = {_key_or_text(main): main for main in mains}
    if len(known) == 1:
        return next(iter(known.values()))
    if not known:
        raise _wrong(
            where, "只有分机号，而本单位没有登记总机号码；请写全，如 3212345转8012，或先登记引示号", plain
        )
    listed = "、".join(sorted(known.values()))
    raise _wrong(where, f"只有分机号，而总机号码不止一个（{listed}）；请写全，如 3212345转8012", plain)


def _digits(main: str, extension: str | None, plain: str, where: str) -> str:
    if _is_several(main, extension):
        raise _wrong(where, "一处只能登记一个号码，请分开登记", plain)
    try:
        digits = dialled_digits(main)
    except NumberError as error:
        raise _wrong(where, "含有不是号码的字符；应如 0917-3262000 或 3212345转8012", plain) from error
    if len(digits) > _MOST_DIGITS and is_odd_target(digits):
        raise _wrong(where, "位数过多，或一处写了两个号码；应如 0917-3262000 或 3212345转8012", plain)
    return digits


def _is_several(main: str, extension: str | None) -> bool:
    if extension is not None and len(extension) >= _LEAST_NUMBER:
        return True
    if _BETWEEN.search(main) or "," in main:
        return True
    return "/" in main and not _AREA_AND_SLASH.fullmatch(main)


def _parsed(main: str) -> PhoneNumber | None:
    try:
        return parse_number(main)
    except NumberError:
        return None


def _key_or_text(main: str) -> str:
    number = _parsed(main)
    return main if number is None else number.key


def _wrong(where: str, reason: str, text: str) -> BadInputError:
    return BadInputError(f"号码“{text[:60]}”：{reason}", [Fault(where, reason)])

"""What may be dialled: a line of the directory, and never an emergency number, however it is written."""

from __future__ import annotations

import re
import unicodedata

from sip.guard import NEVER_DIALLED, NeverDialledError, emergency_number
from sip.numbers import split_extension

__all__ = ["NEVER_DIALLED", "NeverDialledError", "TargetError", "check_target", "emergency_number"]

_NUMBER = re.compile(r"\+?[0-9][0-9 ().\-]{1,30}")
_URI = re.compile(r"sips?:[^\s@]+@[^\s@]+|sips?:[^\s@]+", re.IGNORECASE)


class TargetError(ValueError):
    """The text is neither a number nor a SIP URI."""


def check_target(target: str) -> str:
    """Return `target` as it will be dialled, without surrounding space and with plain digits.

    A number may have an extension behind it (`0917-3262000转6001`), which is sent after the answer.

    Raises `NeverDialledError` for an emergency number and `TargetError` for what is no number and no SIP URI.
    """
    plain = unicodedata.normalize("NFKC", target).strip()
    number = emergency_number(plain)
    if number is not None:
        raise NeverDialledError(target, number)
    if not (_URI.fullmatch(plain) or _NUMBER.fullmatch(split_extension(plain)[0])):
        raise TargetError(f"{target!r} is neither a telephone number nor a sip: URI")
    return plain

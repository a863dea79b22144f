"""Two languages: Chinese stands in the templates, English in catalogues (`locale/en/*.po`), one for each page.

What is Chinese is its own message: `{{ _("抽查记录") }}`; words of other rooms (verdicts, kinds of sound) go through
`tr`. Where a catalogue lacks a message the Chinese stays, and a test names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path

from babel.messages.catalog import Message
from babel.messages.pofile import read_po

CATALOGUES = Path(__file__).parent / "locale"
LANGUAGES: Mapping[str, str] = {"zh-CN": "中文", "en": "English"}
FIRST = "zh-CN"
COOKIE = "dutyring_language"
_LANGUAGE: ContextVar[str] = ContextVar("language", default=FIRST)


def speak(language: str) -> str:
    """Speak a language from here on, in this task; Chinese for one that is not known. Return it."""
    known = language if language in LANGUAGES else FIRST
    _LANGUAGE.set(known)
    return known


def language() -> str:
    """The language that is spoken."""
    return _LANGUAGE.get()


def messages_of(path: Path) -> Mapping[str, str]:
    """Read one catalogue: English by Chinese, without what has no translation yet."""
    with path.open("rb") as file:
        return {
            str(message.id): str(message.string)
            for message in read_po(file, locale="en")
            if isinstance(message, Message) and message.id and message.string
        }


@lru_cache(maxsize=4)
def catalogue(spoken: str) -> Mapping[str, str]:
    """Every message of a language, all its catalogues together."""
    found: dict[str, str] = {}
    for path in sorted((CATALOGUES / spoken).glob("*.po")):
        found |= messages_of(path)
    return found


def gettext(message: str) -> str:
    """A message in the language that is spoken."""
    spoken = _LANGUAGE.get()
    return message if spoken == FIRST else catalogue(spoken).get(message, message)


def ngettext(one: str, many: str, number: int) -> str:
    """A message that depends on a number; Chinese has one form."""
    spoken = _LANGUAGE.get()
    if spoken == FIRST:
        return many
    return catalogue(spoken).get(one if number == 1 else many, many)


_ = gettext

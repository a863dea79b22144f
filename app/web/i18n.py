"""Two languages: Chinese stands in the templates, English in catalogues (`locale/en/*.po`), one for each page.

What is Chinese is its own message: `{{ _("抽查记录") }}`; words of other rooms (verdicts, kinds of sound) go through
`tr`. Where a catalogue lacks a message the Chinese stays, and a test names it.

One Chinese word has several English ones (撤销 is a button here and a state there, 一 a number here, a Monday there): a
page looks into the catalogues of its own room first, then into `words.po`, then into all others.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path

from babel.messages.catalog import Message
from babel.messages.pofile import read_po
from starlette.types import ASGIApp, Receive, Scope, Send

CATALOGUES = Path(__file__).parent / "locale"
LANGUAGES: Mapping[str, str] = {"zh-CN": "中文", "en": "English"}
FIRST = "zh-CN"
COOKIE = "dutyring_language"
_LANGUAGE: ContextVar[str] = ContextVar("language", default=FIRST)
_ROOM: ContextVar[str] = ContextVar("room", default="")
HEAD = "common"
"""The catalogue of what stands on every page."""
ROOMS: Mapping[str, str] = {
    "/account": "account",
    "/calendar": "calendar",
    "/checks": "checks",
    "/checks/": "check",
    "/checks/rows": "checks",
    "/designated": "designated",
    "/enter": "sign_in",
    "/manual": "manual",
    "/phone-records": "phone_records",
    "/plans": "plans",
    "/prompts": "prompts",
    "/recordings": "recordings",
    "/reports": "reports",
    "/samples": "samples",
    "/sign-in": "sign_in",
    "/system": "system",
    "/system/accounts": "accounts",
    "/system/audit": "audit",
    "/units": "units",
}
"""The catalogue of a page, by the beginning of its address; the longest holds."""


def speak(language: str) -> str:
    """Speak a language from here on, in this task; Chinese for one that is not known. Return it."""
    known = language if language in LANGUAGES else FIRST
    _LANGUAGE.set(known)
    return known


def enter(path: str) -> None:
    """Be in the room of the page at this address from here on, in this task."""
    found = max((start for start in ROOMS if path.startswith(start)), key=len, default="")
    _ROOM.set(ROOMS.get(found, "live"))


class KnowRoom:
    """ASGI middleware: each request is answered with the words of its page."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Enter the room and pass the request on."""
        if scope["type"] == "http":
            enter(scope["path"])
        await self._app(scope, receive, send)


def language() -> str:
    """The language that is spoken."""
    return _LANGUAGE.get()


@lru_cache(maxsize=64)
def messages_of(path: Path) -> Mapping[str, str]:
    """Read one catalogue: English by Chinese, without what has no translation yet."""
    with path.open("rb") as file:
        return {
            str(message.id): str(message.string)
            for message in read_po(file, locale="en")
            if isinstance(message, Message) and message.id and message.string
        }


@lru_cache(maxsize=64)
def catalogue(spoken: str, room: str = "") -> Mapping[str, str]:
    """Every message of a language, all its catalogues together; those of a room come before all others."""
    found: dict[str, str] = {}
    paths = {path.stem: path for path in sorted((CATALOGUES / spoken).glob("*.po"))}
    for name in (*paths, "words", room or HEAD):
        found |= messages_of(paths[name]) if name in paths else {}
    return found


def gettext(message: str) -> str:
    """A message in the language that is spoken."""
    spoken = _LANGUAGE.get()
    return message if spoken == FIRST else catalogue(spoken, _ROOM.get()).get(message, message)


def head(message: str) -> str:
    """A message of what stands on every page, e.g. the name of a page in the navigation."""
    spoken = _LANGUAGE.get()
    return message if spoken == FIRST else catalogue(spoken, HEAD).get(message, message)


def ngettext(one: str, many: str, number: int) -> str:
    """A message that depends on a number; Chinese has one form."""
    spoken = _LANGUAGE.get()
    if spoken == FIRST:
        return many
    return catalogue(spoken, _ROOM.get()).get(one if number == 1 else many, many)


_ = gettext

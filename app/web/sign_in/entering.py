"""What every way in shares: the session that begins, and where it goes on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import quote, urlsplit

from fastapi import Request
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import RedirectResponse, Response

from app.accounts import passwords, sessions
from app.accounts.gate import address_of, cookie_name
from app.accounts.models import Account
from app.errors import Fault
from app.settings import Settings
from app.web import i18n

WELCOME = "/account/welcome"


async def spoken(request: Request) -> None:
    """Speak the reader's language from here on: a dependency of routes that word something before they render."""
    i18n.speak(request.cookies.get(i18n.COOKIE, i18n.FIRST))


async def signed_in(
    request: Request, session: AsyncSession, settings: Settings, account: Account, where: str
) -> Response:
    """Begin a session with a secret of its own; the one before in this browser ends.

    Where wrong passwords came since the time before, the person is told of them first.
    """
    before = request.scope["state"]["principal"]
    if before is not None and before.session_id is not None:
        await sessions.end(session, before.session_id, "signed in anew")
    wrong = account.wrong_since
    secret = await sessions.begin(
        session, settings, account, address_of(request.scope), request.headers.get("user-agent", "")
    )
    response = RedirectResponse(
        f"{WELCOME}?next={quote(where, safe='')}" if wrong else where, status_code=303
    )
    set_cookie(request, response, settings, secret)
    return response


async def wrong_password(
    settings: Settings, password: str, again: str, login: str, name: str, account: Account | None
) -> list[Fault]:
    """What is wrong with a new password, in the reader's language."""
    lacks = passwords.lacks(settings, password, login, name)
    wrong = [Fault("password", i18n.gettext(lack.message) % lack.values) for lack in lacks]
    if password != again:
        wrong.append(Fault("again", i18n.gettext("两次输入的口令不一致")))
    if not wrong and account is not None and await passwords.used_before(password, account):
        wrong.append(Fault("password", i18n.gettext("最近用过的口令不能再用")))
    return wrong


def by_field(faults: Iterable[Fault]) -> Mapping[str, Sequence[str]]:
    """What is wrong, by the field that it stands beside."""
    found: dict[str, list[str]] = {}
    for fault in faults:
        found.setdefault(fault.where, []).append(i18n.gettext(fault.message))
    return found


def set_cookie(request: Request, response: Response, settings: Settings, secret: str) -> None:
    """Give the browser the secret of its session."""
    response.set_cookie(
        cookie_name(settings),
        secret,
        path="/",
        httponly=True,
        samesite="strict",
        secure=settings.secure_cookies or request.url.scheme == "https",
    )


def inside(address: str) -> str:
    """An address of this site, `/` for anything else."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return "/"
    plain = address.startswith("/") and not address.startswith(("//", "/\\")) and address.isprintable()
    return address if plain and not parts.netloc and not parts.scheme else "/"

"""实时: calls that move by themselves, listening in, hanging one up, a note beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, HTTPException, Path, Request
from sqlalchemy import select
from sqlalchemy.orm import joinedload
from starlette.responses import RedirectResponse, Response, StreamingResponse

from app.accounts import sessions
from app.accounts.gate import cookie_name
from app.accounts.permissions import Permission
from app.accounts.principal import Principal, current
from app.api.actor import Actor
from app.checks import by_hand
from app.checks.models import LIVE_STATES, Attempt
from app.checks.rules import CODES
from app.database import Database
from app.errors import OfficeError
from app.listening import live
from app.settings import Settings
from app.web import i18n
from app.web.live.hub import LiveHub, now_s
from app.web.live.stream import events, sight
from app.web.live.words import EARLY_ZH, KIND_ZH, PHASE_ZH
from app.web.pages import render

READ = ["GET", "HEAD"]
router = APIRouter(include_in_schema=False)
Key = Annotated[int, Path(ge=1, lt=2**63)]
UNBUFFERED = {"X-Accel-Buffering": "no"}
"""For a proxy in front of the service: what is live must not wait in it."""


def hub_of(request: Request) -> LiveHub:
    """The one hub of this service."""
    state = request.app.state
    if getattr(state, "live_hub", None) is None:
        state.live_hub = LiveHub(state.database, state.settings)
    hub: LiveHub = state.live_hub
    return hub


Hub = Annotated[LiveHub, Depends(hub_of)]


@dataclass
class Typed:
    """What was typed beside a call, and what is wrong with it."""

    reason: str = ""
    text: str = ""
    problems: dict[str, str] = field(default_factory=dict)


@router.api_route("/live", methods=READ)
async def live_page(request: Request, hub: Hub) -> Response:
    """The calls under way; with script they move."""
    visible = sight(current())
    calls = [call for call in await hub.calls() if visible(call) and call.phase != "over"]
    return render(
        request,
        "live/live.html",
        calls=calls,
        words=_words(request),
        phone=_phone(request),
        now=now_s(),
    )


@router.get("/live/stream")
async def live_stream(request: Request, hub: Hub) -> Response:
    """Server-sent events of what has changed."""
    reader = current()
    return StreamingResponse(
        events(hub, sight(reader), lambda: _phone(request), lambda: _allowed(request, reader)),
        media_type="text/event-stream",
        headers=UNBUFFERED,
    )


@router.get("/live/calls/{attempt_id}/sound")
async def live_sound(request: Request, who: Actor, attempt_id: Key) -> Response:
    """The sound of a call under way, as it comes. It stands in the audit trail before anything is heard."""
    database, settings = _state(request)
    reader = current()
    async with database.unit_of_work() as session:
        attempt = await live.begin(session, attempt_id, who)
    return StreamingResponse(
        live.sound(database, settings, attempt, lambda: _allowed(request, reader)),
        media_type="audio/x-dutyring-live",
        headers={**UNBUFFERED, "Content-Encoding": "identity"},
    )


@router.api_route("/live/calls/{attempt_id}", methods=READ)
async def call_page(request: Request, attempt_id: Key) -> Response:
    """One call: hang it up, write a note."""
    return await _call(request, "live/call.html", attempt_id, Typed())


@router.api_route("/live/calls/{attempt_id}/panel", methods=READ)
async def call_panel(request: Request, attempt_id: Key) -> Response:
    """The same, above the page."""
    return await _call(request, "live/_call.html", attempt_id, Typed())


@router.post("/live/calls/{attempt_id}/hang-up")
async def hang_up(
    request: Request, who: Actor, attempt_id: Key, reason: Annotated[str, Form()] = ""
) -> Response:
    """Hang up one call; it counts against nobody and is not repeated by itself."""
    database, _ = _state(request)
    try:
        async with database.unit_of_work() as session:
            await by_hand.hang_up(session, attempt_id, reason, who)
    except OfficeError as error:
        return await _wrong(request, attempt_id, Typed(reason=reason), "reason", error)
    return RedirectResponse("/live", status_code=303)


@router.post("/live/calls/{attempt_id}/notes")
async def add_note(
    request: Request, who: Actor, attempt_id: Key, text: Annotated[str, Form()] = ""
) -> Response:
    """Write a note beside a call."""
    database, _ = _state(request)
    try:
        async with database.unit_of_work() as session:
            await by_hand.add_note(session, attempt_id, text, who)
    except OfficeError as error:
        return await _wrong(request, attempt_id, Typed(text=text), "text", error)
    return RedirectResponse("/live", status_code=303)


async def _wrong(request: Request, attempt_id: int, typed: Typed, where: str, error: OfficeError) -> Response:
    if error.status == 404:
        raise error
    typed.problems[where] = error.detail
    return await _call(request, "live/call.html", attempt_id, typed, 422)


async def _call(
    request: Request, template: str, attempt_id: int, typed: Typed, status: int = 200
) -> Response:
    database, _ = _state(request)
    async with database.reading() as session:
        query = select(Attempt).where(Attempt.id == attempt_id, Attempt.state != "claimed")
        attempt = await session.scalar(query.options(joinedload(Attempt.unit), joinedload(Attempt.line)))
        if attempt is None:
            raise HTTPException(404, "no such call")
        notes = (await by_hand.notes(session, [attempt_id])).get(attempt_id, ())
    return render(
        request,
        template,
        status_code=status,
        attempt=attempt,
        live=attempt.state in LIVE_STATES,
        notes=notes,
        typed=typed,
    )


def _state(request: Request) -> tuple[Database, Settings]:
    return request.app.state.database, request.app.state.settings


def _phone(request: Request) -> str:
    keeper = getattr(request.app.state, "keeper", None)
    return "off" if keeper is None else str(keeper.state)


async def _allowed(request: Request, reader: Principal | None) -> bool:
    """Whether who reads may still do so, and sees what they saw. Looking is no sign of life of a session."""
    if reader is None or reader.session_id is None:
        return reader is not None
    database, settings = _state(request)
    async with database.reading() as session:
        found = await sessions.of_cookie(
            session, settings, request.cookies.get(cookie_name(settings), ""), reader.address
        )
    if found is None:
        return False
    return found[0].may(Permission.LIVE) and found[0].scope == reader.scope


def _words(request: Request) -> Mapping[str, Any]:
    """The words of the rows in the reader's language: a script takes them from here."""
    i18n.speak(request.cookies.get(i18n.COOKIE, i18n.FIRST))
    return {
        "phase": {key: i18n.gettext(word) for key, word in PHASE_ZH.items()},
        "early": {key: i18n.gettext(word) for key, word in EARLY_ZH.items()},
        "kind": {key: i18n.gettext(word) for key, word in KIND_ZH.items()},
        "code": {key: i18n.gettext(info.zh) for key, info in CODES.items()},
        "unknown": i18n.gettext("未核实"),
        "rings": i18n.gettext("约 {n} 声"),
        "ring": i18n.gettext("约 1 声"),
        "seconds": i18n.gettext("{s} 秒"),
        "notes": i18n.gettext("备注 {n}"),
        "acts": i18n.gettext("挂断、备注"),
        "noted": i18n.gettext("备注"),
    }

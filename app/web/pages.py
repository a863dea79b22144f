"""The template engine and the pages of errors."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from markupsafe import Markup, escape
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response

from app.accounts import secrets
from app.accounts.principal import Principal
from app.api.guard import TooLargeError, too_large
from app.api.problems import of_office, problem
from app.api.wording import wrong
from app.checks import evidence_words, wording
from app.errors import Fault, OfficeError
from app.picture import GRADE_ZH, MEANING_ZH, SOUND_ZH
from app.trunks.wording import alarms_zh
from app.web import i18n
from app.web.navigation import places
from app.web.security import HEADERS
from app.web.sentences import marked, told
from app.web.spoken import spoken
from sip.trunks import AlarmKind

FOLDER = Path(__file__).parent


def _our_error(text: str) -> str:
    """Say in Chinese what went wrong on our side; what is Chinese already stays."""
    return text if any("\u4e00" <= sign <= "\u9fff" for sign in text) else wording.our_errors([text])


def _clock(at: datetime, zone: ZoneInfo) -> str:
    """Write a moment of the last days in the time zone of the pages."""
    return at.astimezone(zone).strftime("%m-%d %H:%M:%S")


def _moment(at: datetime, zone: ZoneInfo) -> str:
    """Write a moment of any year in the time zone of the pages."""
    return at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


def _proof(evidence: Mapping[str, str]) -> str:
    """What proves a sign of forwarding; facts keep it in English."""
    kind, detail = evidence["kind"], evidence["detail"]
    return evidence_words.detail(kind, detail) if i18n.language() == i18n.FIRST else detail


def picker_options(pairs: Iterable[tuple[object, object]], chosen: Container[object]) -> Markup:
    """Options of a picker from pairs of value and name, those of `chosen` selected.

    Thousands of units stand in a picker: written by a template's loop they take longer than the rest of the page.
    """
    options = [
        f'<option value="{escape(value)}"{" selected" if value in chosen else ""}>{escape(name)}</option>'
        for value, name in pairs
    ]
    return Markup("\n".join(options))


_environment = Environment(
    loader=FileSystemLoader(FOLDER / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    extensions=["jinja2.ext.i18n"],
)
_environment.install_gettext_callables(i18n.gettext, i18n.ngettext, newstyle=True)  # type: ignore[attr-defined]
# With the context, or the engine would translate what stands in a template once for all readers, when it compiles it.
_environment.filters["tr"] = pass_context(lambda _, message: i18n.gettext(message))
_environment.filters["head"] = pass_context(lambda _, message: i18n.head(message))
_environment.globals["LINE_STATE"] = wording.LINE_STATES
_environment.globals["picker_options"] = picker_options
_environment.globals["SOUND_ZH"] = SOUND_ZH
_environment.globals["GRADE_ZH"] = GRADE_ZH
_environment.globals["MEANING_ZH"] = MEANING_ZH
_environment.globals["TRUNK_MUSIC"] = alarms_zh((AlarmKind.TRUNK_MUSIC,))
_environment.filters["spoken"] = pass_context(lambda _, detail: spoken(detail))
_environment.filters["our_error"] = _our_error
_environment.filters["clock"] = _clock
_environment.filters["moment"] = _moment
_environment.filters["announced"] = wording.announced
_environment.filters["proof"] = pass_context(lambda _, evidence: _proof(evidence))
_environment.filters["told"] = pass_context(lambda _, sentence: told(sentence))
_environment.filters["marked"] = pass_context(lambda _, sentence: marked(sentence))
_environment.filters["sign"] = lambda evidence: wording.forwarding_sign(evidence["kind"], None)


def render(request: Request, name: str, status_code: int = 200, **values: Any) -> HTMLResponse:
    """Render a template in the reader's language. Every page knows who reads it (`me`, None before signing in)."""
    me: Principal | None = request.scope.get("state", {}).get("principal")
    language = i18n.speak(request.cookies.get(i18n.COOKIE, i18n.FIRST))
    known = {
        "me": me,
        "language": language,
        "languages": i18n.LANGUAGES,
        "csrf": secrets.csrf_token(me.csrf_secret) if me is not None and me.csrf_secret else "",
        "places": places(me),
        "here": request.url.path,
        "office_zone": request.app.state.settings.zone,
        "stops": request.scope.get("state", {}).get("stops", ()),
    }
    content = _environment.get_template(name).render(known | values)
    return HTMLResponse(content, status_code=status_code)


async def on_http_error(request: Request, error: Exception) -> Response:
    """Answer an error: JSON under /api, else a page that gives a way on."""
    assert isinstance(error, HTTPException)
    response = _error(request, error.status_code, str(error.detail))
    # E.g. `Allow` of a 405.
    response.headers.update(error.headers or {})
    return response


async def on_bad_request(request: Request, error: Exception) -> Response:
    """Answer wrong parameters."""
    assert isinstance(error, RequestValidationError)
    if request.url.path.startswith("/api/"):
        found = error.errors()
        if any(item["type"] == "json_invalid" for item in found):
            return problem(400, "the body is no JSON")
        faults = [Fault(".".join(str(part) for part in item["loc"]), wrong(item)) for item in found]
        return problem(422, "a parameter or member is wrong", "what was given cannot be right", faults)
    return _error(request, 422, "")


async def on_office_error(request: Request, error: Exception) -> Response:
    """Answer what the caller can put right."""
    assert isinstance(error, OfficeError)
    return (
        of_office(error)
        if request.url.path.startswith("/api/")
        else _error(request, error.status, error.detail)
    )


async def on_too_large(_: Request, error: Exception) -> Response:
    """Answer a file that is larger than any that is taken."""
    assert isinstance(error, TooLargeError)
    return too_large()


async def on_unstorable(request: Request, _: Exception) -> Response:
    """Answer a text that no database stores, e.g. with a NUL in a field of a form."""
    return _error(request, 422, "")


async def on_failure(request: Request, _: Exception) -> Response:
    """Answer a failure of ours; it stands in the log."""
    response = _error(request, 500, "")
    response.headers.update(HEADERS)
    return response


def _error(request: Request, status: int, detail: str) -> Response:
    if request.url.path.startswith("/api/"):
        return problem(status, detail or HTTPStatus(status).phrase)
    return render(request, "error.html", status, status=status, path=request.url.path, detail=detail)

"""审计: who did what, when; the state of the chain; its export."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import Response, StreamingResponse

from app.accounts import audit_chain, audit_export
from app.accounts import audit_repository as repository
from app.accounts import service as audit
from app.accounts.audit_chain import Checked
from app.accounts.audit_lines import Head, Problem
from app.accounts.audit_repository import Filter
from app.accounts.audit_words import ACTION_ZH
from app.accounts.models import AuditEvent
from app.api.paging import cut, pack, unpack
from app.directory.routing import State
from app.errors import BadInputError, OfficeError
from app.web.audit import words
from app.web.pages import render
from app.web.spoken import reader_speaks

router = APIRouter(prefix="/system/audit", include_in_schema=False, dependencies=[Depends(reader_speaks)])
READ = ["GET", "HEAD"]
PAGE_ROWS = 100
Moment = Annotated[str, Form(max_length=40)]


@dataclass(frozen=True, slots=True)
class Asked:
    """The filter as it stands in the address."""

    who: str = ""
    action: str = ""
    subject: str = ""
    since: str = ""
    until: str = ""
    refused: str = ""
    after: str = ""

    def values(self) -> dict[str, str]:
        """What is filled in, without the place in the list."""
        members = {"who": self.who, "action": self.action, "subject": self.subject}
        members |= {"since": self.since, "until": self.until, "refused": self.refused}
        return {name: value for name, value in members.items() if value}


@router.api_route("", methods=READ)
async def audit_page(request: Request, state: State, asked: Annotated[Asked, Depends()]) -> Response:
    """Lines of the trail, newest first."""
    return await _page(request, state, asked)


@router.post("/verify")
async def verify(request: Request, state: State) -> Response:
    """Check every line against the chain and the signed heads."""
    kept = list(audit_chain.kept_heads(state[1]))
    unreadable = [one for one in kept if isinstance(one, Problem)]
    found = await audit_chain.verify(state[0], [one for one in kept if isinstance(one, Head)])
    checked = Checked(found.lines, found.heads, (*unreadable, *found.problems))
    async with state[0].unit_of_work() as session:
        detail = f"{checked.lines} lines, {len(checked.problems)} problems"
        await audit.record(session, "check", "audit", detail, done=checked.holds)
    return await _page(request, state, Asked(), checked=checked)


@router.post("/export")
async def export(request: Request, state: State, since: Moment = "", until: Moment = "") -> Response:
    """The trail of a time with its chain, as JSON lines."""
    database, settings = state
    try:
        first, last = _moment(since, settings.zone), _moment(until, settings.zone)
        wanted = await audit_export.begin(database, first, last)
    except OfficeError as error:
        asked = Asked(since=since, until=until)
        return await _page(request, state, asked, status=422, problem=error.detail)
    name = f"audit-{wanted.first}-{wanted.last}.jsonl"
    return StreamingResponse(
        audit_export.lines(database, settings, wanted),
        media_type=audit_export.MEDIA_TYPE,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


async def _page(
    request: Request,
    state: State,
    asked: Asked,
    status: int = 200,
    checked: Checked | None = None,
    problem: str = "",
) -> Response:
    database, settings = state
    rows: list[Any] = []
    last = None
    try:
        wanted, after = _filter(asked, settings.zone), _place(asked.after)
    except BadInputError as error:
        status, problem, wanted = 422, problem or error.detail, None
    async with database.reading() as session:
        if wanted is not None:
            found = await repository.page(session, wanted, after, PAGE_ROWS + 1)
            page, last = cut(found, PAGE_ROWS)
            rows = [_row(event, number) for event, number in page]
        waiting = await repository.waiting(session)
        end = await repository.end(session)
    values = asked.values()
    return render(
        request,
        "audit/audit.html",
        status,
        rows=rows,
        asked=asked,
        actions=ACTION_ZH,
        zone=settings.zone,
        chain={
            "lines": end.number + waiting,
            "waiting": waiting,
            "number": end.number,
            "digest": end.digest,
        },
        heads=sorted(path.stem for path in audit_chain.heads_dir(settings).glob("*.json"))[-1:],
        checked=checked,
        problem=problem,
        filtered=bool(values),
        next_page="" if last is None else urlencode(values | {"after": pack(last[0].at, last[0].id)}),
    )


def _row(event: AuditEvent, number: int | None) -> dict[str, Any]:
    return {
        "event": event,
        "number": number,
        "subject": words.subject(event.subject),
        "detail": words.detail(event.detail),
    }


def _filter(asked: Asked, zone: ZoneInfo) -> Filter:
    return Filter(
        asked.who.strip(),
        asked.action.strip(),
        words.subject_code(asked.subject),
        _moment(asked.since, zone),
        _moment(asked.until, zone),
        asked.refused == "1",
    )


def _place(text: str) -> tuple[datetime, int] | None:
    if not text:
        return None
    at, key = unpack(text, datetime, int)
    assert isinstance(at, datetime)
    assert isinstance(key, int)
    return at, key


def _moment(text: str, zone: ZoneInfo) -> datetime | None:
    """Read what a field of a date and a time sends. Raises `BadInputError`."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadInputError(f"“{text[:40]}”不是时间，应形如 2026-11-01T08:30") from error
    if not 1970 <= moment.year <= 2200:
        raise BadInputError(f"“{text[:40]}”不在 1970 年至 2200 年之间")
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)

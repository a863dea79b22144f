"""Everything that the page of one check shows, read in one look at the database."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import HTTPException, Request
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from app.accounts import service as audit
from app.accounts.permissions import Permission as P
from app.accounts.principal import Principal, current
from app.answers import repository as answers
from app.answers.books import answer_keys
from app.answers.schemas import AnswerItemOut
from app.answers.showing import shown
from app.checks import orders, repository, service
from app.checks.gathering import called_back_in_time
from app.checks.models import Attempt, SpotCheck
from app.checks.routes import trace_file
from app.directory.routing import state_of
from app.errors import ConflictError
from app.evidence.sight import HIDDEN, Sight, sight_of
from app.reviews.codes import confirmable, title_of
from app.reviews.notice import MITIGATION_ZH, SOURCE_ZH
from app.rosters.service import roster_at
from app.rosters.views import RosterView
from app.settings import Settings
from app.web import repository as page_queries
from app.web.check import transcripts, views
from app.web.check.cases import CAUSE_ZH, CaseView, case_views
from app.web.pages import render
from app.web.security import let_style, style_nonce
from app.web.spoken import Trouble
from app.web.views import clock_time
from sip.progress.samples import MEANINGS

MOST_ANSWERS = 200
_VIEW = re.compile(r"[A-Za-z0-9_-]{12}")
NOTHING_WRONG = Trouble("", "", 200)


@dataclass(frozen=True, slots=True)
class Read:
    """What was read of a check, for the page as one person sees it."""

    check: SpotCheck
    attempts: Sequence[views.AttemptView]
    beside: orders.Beside
    cases: Sequence[CaseView]
    roster: RosterView | None


async def read(session: AsyncSession, settings: Settings, check_id: int, me: Principal | None) -> Read:
    """Read a check. Raises 404 for one that is not there, or still to come: that is shown to nobody."""
    check = await repository.check(session, check_id) if 0 < check_id < 2**63 else None
    if check is None or not check.attempts:
        raise HTTPException(404, "no such check")
    sight, zone = sight_of(me), settings.zone
    day = check.first_due_at.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    beside = await orders.beside(session, check, (day, day + timedelta(days=1)))
    made = await _attempts(session, settings, check, sight)
    found = await case_views(session, check.attempts, beside.cases, me.name if me else "", sight, zone)
    moment = _called_at(check)
    roster = None if moment is None else await roster_at(session, check.unit_id, moment, None, zone)
    return Read(check, made, beside, found, roster)


def _called_at(check: SpotCheck) -> datetime | None:
    first = check.attempts[0]
    return first.started_at or first.claimed_at


async def _attempts(
    session: AsyncSession, settings: Settings, check: SpotCheck, sight: Sight
) -> list[views.AttemptView]:
    rules = service.rules_of(settings)
    said = await transcripts.shown(session, check.attempts, settings, sight)
    readings = await page_queries.readings(session, check.attempts)
    found = []
    for attempt in check.attempts:
        recording = attempt.recording
        beside = views.Beside(
            reads=0 if recording is None else await audit.count_of(session, f"recording:{recording.id}"),
            has_trace=sight.words and trace_file(settings, attempt) is not None,
            reading=readings.get(attempt.id),
            transcript=said[attempt.id],
            answers=await _answers(session, settings, attempt) if sight.words else (),
        )
        found.append(views.attempt_view(attempt, settings.zone, rules, sight, beside))
    return found


async def _answers(session: AsyncSession, settings: Settings, attempt: Attempt) -> tuple[AnswerItemOut, ...]:
    """What was heard in the answer; nothing where the keys that must be masked in it cannot be read."""
    try:
        keys = await answer_keys(session, settings)
    except ConflictError:
        return ()
    items = await answers.page(session, attempt.id, None, MOST_ANSWERS)
    return tuple(shown(item, keys) for item in items)


async def check_page(
    request: Request, check_id: int, template: str = "check/check.html", trouble: Trouble = NOTHING_WRONG
) -> Response:
    """Show a check, or only its attempts; `trouble` is the form that was just refused."""
    database, settings = state_of(request)
    me = current()
    async with database.reading() as session:
        found = await read(session, settings, check_id, me)
    keeper = getattr(request.app.state, "transcriber", None)
    nonce = style_nonce()
    response = render(
        request,
        template,
        trouble.status,
        check=found.check,
        unit=views.title_of(found.check),
        attempts=found.attempts,
        live=any(attempt.row.live for attempt in found.attempts),
        awaiting=transcripts.awaited(found.attempts, keeper),
        held_up=transcripts.held_up(keeper),
        view=_view_of(request),
        nonce=nonce,
        hidden=HIDDEN,
        trouble=trouble,
        **_order(found, settings.zone, me),
    )
    return let_style(response, nonce)


def _view_of(request: Request) -> str:
    """By what the listenings of one page view are known; its own parts that come later name it."""
    given = request.query_params.get("view", "")
    return given if _VIEW.fullmatch(given) else secrets.token_urlsafe(9)


def _order(found: Read, zone: ZoneInfo, me: Principal | None) -> dict[str, Any]:
    """What the page says of the order as a whole."""
    sight = sight_of(me)
    in_force = next((row for row in found.beside.proposals if row.in_force), None)
    return {
        "proposal": None if in_force is None else in_force.content,
        "proposed": "" if in_force is None else title_of(in_force.code, in_force.content),
        "reasons": () if in_force is None else sight.reasons(in_force.content.get("reasons")),
        "cases": found.cases,
        "causes": CAUSE_ZH,
        "mitigations": [
            (row, MITIGATION_ZH[row.kind], clock_time(row.at, zone), _counts(row, found.check.attempts))
            for row in found.beside.mitigations
        ],
        "mitigation_kinds": MITIGATION_ZH,
        "manual": [(row, SOURCE_ZH[row.source], clock_time(row.at, zone)) for row in found.beside.manual],
        "roster": found.roster,
        "zone": zone,
        "finding_codes": [(code, title_of(code)) for code in confirmable(by_hand=False)],
        "number": sight.number,
        "may_open": found.check.closed_at is not None and found.check.kind != "verification",
        "meanings": MEANINGS,
        "may_review": me is not None and me.may(P.REVIEW),
    }


def _counts(row: Any, attempts: Sequence[Attempt]) -> bool:
    return row.kind != "called_back" or called_back_in_time(row.at, attempts)

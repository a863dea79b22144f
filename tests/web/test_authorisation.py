"""Every way into the service x every role x in and out of scope, generated from the routes; none is missing.

A new route needs a line among the doors, and here only what cannot be guessed: keys of its path that no row of
`tests/web/twin.py` has, and the body of a request that changes something (`BODIES`). A test names what is missing.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from sqlalchemy import func, inspect, select
from starlette.types import Scope as AsgiScope

from app.accounts import doors
from app.accounts.gate import OPEN_BELOW, OPEN_PATHS
from app.accounts.models import AuditEvent
from app.accounts.permissions import CARRIED, Permission, Role, carried_by
from app.accounts.principal import Principal, Scope
from app.accounts.scope import BY_OWN_RULE, BY_PARENT, BY_PLAN, BY_RECORDING, BY_RUN, BY_UNIT, OF_NO_UNIT
from app.database import Base, Database
from app.directory.models import Unit
from app.settings import Settings
from tests.web import ways_of_pages, ways_of_units
from tests.web.apps import make_app
from tests.web.migrated import migrate
from tests.web.twin import HERE, THERE, Side, Twin, copied, fill, spec

pytestmark = pytest.mark.timeout(600)
"""Thousands of requests each."""

Body = Callable[[Side], Any]
AHEAD = (datetime.now(UTC) + timedelta(days=1)).isoformat()
LATER = (datetime.now(UTC) + timedelta(days=2)).isoformat()
PAST = "2026-11-20T10:00:00+08:00"
WHY = {"reason": "试"}
OPEN_WAYS = re.compile(
    r"(GET|POST|HEAD) (/sign-in|/sign-in/language|/enter/\{secret\}|/healthz|/readyz|/metrics)"
)
OF_ALL = {
    "day": "2026-11-24",
    "kind": "duty",
    "name": "sample-city-2026",
    "prompt_id": 1,
    "key": "0" * 32,
    "trunk_test_id": 1,
    "secret": "x",
}
"""Keys in paths of what belongs to no unit."""
NAMED_OTHERWISE = {
    "/api/v1/line-exemptions/{exemption_id}": {"exemption_id": "line_exemption"},
    "/api/v1/unit-exemptions/{exemption_id}": {"exemption_id": "unit_exemption"},
}
"""Where one name of a parameter stands for rows of two tables."""
QUERIES: Mapping[str, Mapping[str, str]] = {
    "GET /api/v1/units/{unit_id}/roster-at": {"at": "2026-11-24T12:00:00+08:00"},
    "GET /api/v1/roster-filings": {"first": "2026-11-24", "last": "2026-11-24"},
    "GET /api/v1/roster-warnings": {"first": "2026-11-24", "last": "2026-11-24"},
    "GET /system/trunks/tests": {"name": "x"},
    "GET /api/v1/coverage": {"year": "2026"},
    "GET /api/v1/coverage/summary": {"year": "2026"},
    "GET /api/v1/recordings/{recording_id}/clip": {"from_ms": "0", "to_ms": "100"},
    "GET /api/v1/transcripts/search": {"q": "您好"},
    "POST /api/v1/prompts": {"kind": "opening", "name": "x", "words": "x"},
    "POST /api/v1/cases/{case_id}/attachments": {"name": "x.txt"},
    "POST /api/v1/phone-records/from-sound": {"name": "x.wav", "called_at": PAST},
}
"""What a request has to ask for besides its path."""
BODIES: Mapping[str, Body | None] = {
    "POST /sign-out": None,
    "POST /api/v1/units": lambda side: {"code": "neu", "name": "新", "parent_id": side["head"]},
    "PATCH /api/v1/units/{unit_id}": lambda side: {"revision": 1, "name": side.says("改")},
    "POST /api/v1/units/{unit_id}/move": lambda side: {"revision": 2, "parent_id": side["head"]},
    "POST /api/v1/units/{unit_id}/close": lambda side: {"revision": 3, "last_day": "2030-01-01"},
    "POST /api/v1/units/{unit_id}/regimes": lambda side: {
        "first_day": "2027-01-01", "duty": "onsite", "leader": "onsite", "end_previous": True,
    },
    "PATCH /api/v1/regimes/{regime_id}": lambda side: {"last_day": "2026-12-31"},
    "POST /api/v1/units/{unit_id}/lines": lambda side: {"number": f"0954-2{side['unit_id']}30001", "kind": "leader"},
    "PATCH /api/v1/lines/{line_id}": lambda side: {"revision": 1, "name": "改"},
    "PUT /api/v1/lines/{line_id}/further-units": lambda side: {"revision": 2, "unit_ids": [side["head"]]},
    "POST /api/v1/lines/{line_id}/exemptions": lambda side: {"kind": "crbt", "first_day": "2027-02-01", **WHY},
    "PATCH /api/v1/line-exemptions/{exemption_id}": lambda side: {"last_day": "2026-12-31"},
    "POST /api/v1/units/{unit_id}/exemptions": lambda side: {"kind": "maintenance", "first_at": AHEAD, **WHY},
    "PATCH /api/v1/unit-exemptions/{exemption_id}": lambda side: {"last_at": "2026-10-26T10:00:00+08:00"},
    "POST /api/v1/units/{unit_id}/people": lambda side: {"name": "新人"},
    "PATCH /api/v1/people/{person_id}": lambda side: {"revision": 1, "name": "改名"},
    "POST /api/v1/units/{unit_id}/confirmations": lambda side: {},
    "POST /api/v1/units/{unit_id}/rosters": lambda side: {
        "day": "2027-01-05", "kind": "duty",
        "shifts": [{"name": "赵六", "start_at": "2027-01-05T08:00:00+08:00", "end_at": "2027-01-06T08:00:00+08:00"}],
    },
    "POST /api/v1/number-changes": lambda side: {"unit_id": side["unit_id"], "number": "0954-2039999"},
    "POST /api/v1/number-changes/{change_id}/enter": lambda side: {"line_id": side["line_id"]},
    "POST /api/v1/number-changes/{change_id}/dismiss": lambda side: WHY,
    "POST /api/v1/imports": lambda side: f"单位代码,单位名称\n{side['code']},改名\n".encode(),
    "DELETE /api/v1/imports/{key}": None,
    "POST /api/v1/imports/{key}/confirm": None,
    "POST /api/v1/units/{unit_id}/whereabouts": lambda side: {
        "name": "局长", "first_at": AHEAD, "last_at": LATER, "place": "外地",
    },
    "DELETE /api/v1/whereabouts/{row_id}": None,
    "POST /api/v1/calendar/import": lambda side: b"x",
    "POST /api/v1/calendar/seed": lambda side: {"years": [2026]},
    "POST /api/v1/calendar/sensitive": lambda side: {"first_day": "2026-12-01", "last_day": "2026-12-01"},
    "PUT /api/v1/calendar/{day}": lambda side: {"kind": "makeup_workday", **WHY},
    "DELETE /api/v1/calendar/{day}": None,
    "POST /api/v1/plans": lambda side: {"name": "新", "spec": spec(side["head"])},
    "PUT /api/v1/plans/{plan_id}": lambda side: {"name": "改", "spec": spec(side["head"])},
    "POST /api/v1/plans/{plan_id}/start": None,
    "POST /api/v1/plans/{plan_id}/pause": lambda side: WHY,
    "POST /api/v1/plans/{plan_id}/resume": lambda side: WHY,
    "POST /api/v1/plans/{plan_id}/cancel": lambda side: WHY,
    "POST /api/v1/designated-checks": lambda side: {"line_id": side["line_id"], **WHY},
    "POST /api/v1/verification-calls": lambda side: {"line_id": side["line_id"], **WHY},
    "POST /api/v1/prompts": lambda side: b"x",
    "POST /api/v1/prompts/shipped": None,
    "POST /api/v1/plans/{plan_id}/approve-night": None,
    "POST /api/v1/prompts/{prompt_id}/approve": None,
    "POST /api/v1/prompts/{prompt_id}/retire": None,
    "POST /api/v1/recordings/{recording_id}/transcriptions": None,
    "POST /api/v1/answer-items/{item_id}/answer": lambda side: {"answer": "yes"},
    "POST /api/v1/cases/{case_id}/accept": lambda side: {"by": "王"},
    "POST /api/v1/cases/{case_id}/attachments": lambda side: b"x",
    "POST /api/v1/cases/{case_id}/confirm": lambda side: {},
    "POST /api/v1/cases/{case_id}/dispute": lambda side: {"by": "王", "grounds": "x"},
    "POST /api/v1/cases/{case_id}/notify": lambda side: {"answer_to": "室"},
    "POST /api/v1/cases/{case_id}/overturn": lambda side: {"cause": "our_fault", **WHY},
    "POST /api/v1/cases/{case_id}/propose": lambda side: {"code": "late_answer"},
    "POST /api/v1/cases/{case_id}/revoke": lambda side: {"cause": "our_fault", **WHY},
    "POST /api/v1/cases/{case_id}/uphold": lambda side: WHY,
    "POST /api/v1/recordings/{recording_id}/holds": lambda side: WHY,
    "POST /api/v1/recordings/{recording_id}/holds/{hold_id}/lift": lambda side: WHY,
    "POST /api/v1/recordings/{recording_id}/removals": lambda side: WHY,
    "POST /api/v1/recordings/{recording_id}/removals/{removal_id}/decide": lambda side: {"approve": False, **WHY},
    "POST /api/v1/recordings/{recording_id}/withdraw": lambda side: WHY,
    "POST /api/v1/rules/trunk-music/correct": lambda side: {"check_ids": [side["check_id"]]},
    "POST /api/v1/orders/{order_id}/mitigations": lambda side: {"kind": "called_back", "at": PAST},
    "POST /api/v1/manual-checks": lambda side: {
        "unit_id": side["unit_id"], "source": "on_site", "at": PAST, "made_by": "王", "found": "在岗",
    },
    "POST /api/v1/stops": lambda side: {"unit_id": side["unit_id"], **WHY},
    "POST /api/v1/stops/{stop_id}/lift": lambda side: WHY,
    "POST /api/v1/trunk-tests": lambda side: {"trunk": "x", "number": "0917-3262000"},
    "POST /api/v1/publications": lambda side: {"kind": "bulletin", "title": "x", "case_ids": [side["case_id"]]},
    "POST /api/v1/rules/compare": lambda side: {
        "rule_set": "sample-city-2026", "first": "2026-11-24", "last": "2026-11-24", "unit": side["unit_id"],
    },
    "POST /api/v1/rule-sets": lambda side: {"schema": "x", "key": "x", "version": "1", "title": "x"},
    "POST /api/v1/rule-sets/toml": lambda side: b"x",
    "POST /api/v1/rule-sets/{name}/activate": lambda side: {"document": "x"},
    "POST /api/v1/phone-records": lambda side: {"called_at": PAST, "unit_id": side["unit_id"]},
    "POST /api/v1/phone-records/from-sound": lambda side: b"x",
    "POST /api/v1/phone-records/{record_id}/corrections": None,
    "POST /api/v1/phone-records/{record_id}/sign": lambda side: {"version": 1},
    "POST /api/v1/phone-records/{record_id}/versions": lambda side: {"version": 1, "fields": {"content": "x"}},
    "POST /system/audit/verify": None,
    "POST /system/audit/export": None,
}  # fmt: skip
"""What each way that changes something is asked with; None: nothing but its path."""
OF_THE_BODY = (
    "POST /api/v1/units", "POST /api/v1/number-changes", "POST /api/v1/imports", "POST /api/v1/plans",
    "POST /api/v1/designated-checks", "POST /api/v1/verification-calls", "POST /api/v1/manual-checks",
    "POST /api/v1/stops", "POST /api/v1/publications", "POST /api/v1/phone-records", "POST /api/v1/rules/compare",
)  # fmt: skip
"""Ways whose unit stands in the body."""
EMPTY = (
    "GET /", "GET /today", "GET /api/v1/calendar", "GET /api/v1/calendar/export", "GET /api/v1/calendar/{day}",
    "GET /api/v1/coverage/summary", "GET /api/v1/prompts", "GET /api/v1/prompts/{prompt_id}",
    "GET /api/v1/prompts/{prompt_id}/sound", "GET /api/v1/rule-sets", "GET /api/v1/rule-sets/{name}",
    "GET /api/v1/rules/activations", "GET /api/v1/rules/in-force", "GET /api/v1/rules/trunk-music",
    "GET /api/v1/trunk-tests", "GET /api/v1/trunk-tests/{trunk_test_id}",
    "GET /api/v1/trunks", "GET /api/v1/transcriber", "GET /api/v1/imports/{key}", "GET /api/v1/imports/{key}/changes",
    "GET /api/v1/imports/{key}/findings", "GET /api/v1/review-queue", "GET /api/v1/roster-warnings",
    "GET /api/v1/roster-filings", "GET /api/v1/directory.xlsx", "GET /api/v1/cases/{case_id}/notice",
    "GET /api/v1/plans/{plan_id}/draw/{number}/slots", "GET /api/v1/plans/{plan_id}/preview",
    "GET /api/v1/recordings/{recording_id}/transcriptions", "GET /api/v1/scores/ranking",
    "GET /api/v1/units/{unit_id}/line-warnings",
)  # fmt: skip
"""Ways that say nothing of a unit here, or not in letters."""

ON_RECORD = (
    "GET /recordings/{recording_id}", "GET /api/v1/recordings/{recording_id}/clip",
    "GET /api/v1/recordings/{recording_id}/transcript", "GET /api/v1/transcripts/search",
    "GET /api/v1/attempts/{attempt_id}/trace", "GET /api/v1/attempts/{attempt_id}/bundle",
    "GET /api/v1/checks/{check_id}/bundle", "GET /api/v1/attachments/{attachment_id}", "GET /api/v1/directory.xlsx",
    "GET /api/v1/phone-records/{record_id}/docx", "GET /api/v1/units/{unit_id}/whereabouts",
    "GET /api/v1/whereabouts/{row_id}",
)  # fmt: skip
"""Ways that only read, and leave a line all the same: what is heard, read word by word, or taken out of the house."""
NO_LINE: Mapping[str, str] = {
    "POST /sign-out": "a test's person has no session that would end",
    "POST /api/v1/rules/trunk-music/correct": "nothing is corrected here: no call of these has our own music",
}
"""Ways that change something and leave no line, each with the reason."""
LAST = {"GET": 0, "DELETE": 2}
"""What is there is read before it is changed, and changed before it goes."""
NOT_HERE = (
    # The call is over; no notice was sent; whoever wrote a plan does not approve it.
    "GET /api/v1/attempts/{attempt_id}/live-transcript", "GET /api/v1/cases/{case_id}/notice",
    "POST /api/v1/plans/{plan_id}/approve-night",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Way:
    """One method of one path."""

    method: str
    path: str

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def parameters(self) -> list[str]:
        return re.findall(r"\{(\w+)(?::\w+)?\}", self.path)

    @property
    def of_a_unit(self) -> bool:
        """Whether its path names a row that belongs to a unit."""
        return any(name not in OF_ALL for name in self.parameters)

    def key(self, parameter: str) -> str:
        return NAMED_OTHERWISE.get(self.path, {}).get(parameter, parameter)

    def address(self, side: Side | None) -> str:
        """Its path with the keys of a county, or with keys that nothing has."""
        path = self.path
        for name in self.parameters:
            value = OF_ALL.get(name, 999_999 if side is None else side.keys.get(self.key(name), "?"))
            path = re.sub(rf"\{{{name}(:\w+)?\}}", str(value), path)
        return path


class AsTold:
    """A doorkeeper that knows people by the name in a header."""

    def __init__(self, people: Mapping[str, Principal]) -> None:
        self._people = people

    async def who(self, scope: AsgiScope) -> Principal | None:
        name = dict(scope["headers"]).get(b"x-as", b"").decode()
        return self._people.get(name)


@dataclass(frozen=True, slots=True)
class County:
    """The service, what it holds, and a client of it."""

    app: FastAPI
    twin: Twin
    client: httpx.AsyncClient
    database: Database

    async def lines(self) -> int:
        """How many lines the trail has."""
        async with self.database.reading() as session:
            return await session.scalar(select(func.count()).select_from(AuditEvent)) or 0

    async def ask(self, way: Way, who: str, side: Side | None, *, bare: bool = False) -> httpx.Response:
        """Ask a way as it is asked, or `bare`: without a body."""
        body = BODIES.get(way.name) if way.method != "GET" else None
        given: dict[str, Any] = {"headers": {"X-As": who, "Idempotency-Key": f"{way.name[-60:]}{who}"[:80]}}
        given["headers"]["Idempotency-Key"] = re.sub(r"[^!-~]", "-", given["headers"]["Idempotency-Key"])
        if body is not None and side is not None and not bare:
            content = body(side)
            if isinstance(content, bytes):
                kind = "text/csv" if "import" in way.path else "text/plain"
                given["content"], given["headers"]["Content-Type"] = content, kind
            elif not way.path.startswith("/api/"):
                given["data"] = content
            else:
                given["json"] = content
        query = {} if bare and way.method != "GET" else QUERIES.get(way.name, {})
        return await self.client.request(way.method, way.address(side), params=query or None, **given)


BODIES = {**BODIES, **ways_of_units.BODIES, **ways_of_pages.BODIES}
OF_ALL = {**OF_ALL, **ways_of_pages.OF_ALL}
ON_RECORD = (*ON_RECORD, *ways_of_pages.ON_RECORD)
NO_LINE = {**NO_LINE, **ways_of_pages.NO_LINE}
NOT_HERE = (*NOT_HERE, *ways_of_pages.NOT_HERE)
NAMED_OTHERWISE = {**NAMED_OTHERWISE, **ways_of_units.NAMED_OTHERWISE}
OF_THE_BODY = (*OF_THE_BODY, *ways_of_units.OF_THE_BODY, *ways_of_pages.OF_THE_BODY)
EMPTY = (*EMPTY, *ways_of_units.EMPTY, *ways_of_pages.EMPTY)


ENDLESS = Way("GET", "/live/stream")
"""Ends when its reader may not look any more: test_live_pages and test_live_doors read it."""


def ways_of(app: FastAPI, *, endless: bool = False) -> list[Way]:
    """Every way of a service that is no open one."""
    found = {
        Way("GET" if method == "HEAD" else method, context.path)
        for context in iter_route_contexts(app.routes)
        if getattr(context, "path", None) and getattr(context, "methods", None)
        for method in context.methods
    }
    kept = [way for way in found if not OPEN_WAYS.fullmatch(way.name) and way.path != "/api/openapi.json"]
    kept = [way for way in kept if endless or way != ENDLESS]
    return sorted(kept, key=lambda way: (way.path, way.method))


def principals(twin: Twin, path: str) -> dict[str, Principal]:
    """One person for each role; one with every role of the office, and one with every permission, for a county."""
    found = {
        role.value: Principal(number, role, f"某{role}", frozenset({role}), carried_by({role}))
        for number, role in enumerate(Role, 1)
    }
    office = frozenset({Role.DISPATCHER, Role.SUPERVISOR, Role.INSPECTOR})
    scope = Scope((path,))
    found["scoped"] = Principal(90, "scoped", "某县", office, carried_by(office), scope)
    found["everything"] = Principal(91, "all", "某县全权", frozenset(Role), frozenset(Permission), scope)
    return found


@asynccontextmanager
async def county(settings: Settings) -> AsyncIterator[County]:
    settings = settings.model_copy(update={"phone_process": False, "allowed_hosts": ("testserver",)})
    if settings.database_url is None:
        twin = copied(settings)
        app = make_app(settings)
    else:
        migrate(settings)
        app = make_app(settings)
        twin = await fill(app.state.database, settings)
    database: Database = app.state.database
    async with database.reading() as session:
        head = await session.get(Unit, twin.here["head"])
    assert head is not None
    app.state.doorkeeper = AsTold(principals(twin, head.path))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
        yield County(app, twin, client, database)
    await database.close()


@pytest.fixture
async def office(settings: Settings) -> AsyncIterator[County]:
    async with county(settings) as opened:
        yield opened


async def test_no_way_is_missing(office: County) -> None:
    known = doors.ways()
    missing = []
    for way in ways_of(office.app, endless=True):
        if way.name not in known:
            missing.append(f"{way.name} has no door in app/accounts/doors.py")
        for name in way.parameters:
            if name not in OF_ALL and way.key(name) not in office.twin.here.keys:
                missing.append(f"{way.name}: no row of tests/web/twin.py has the key {name}")
        if way.method != "GET" and way.name not in BODIES:
            missing.append(f"{way.name}: BODIES does not say what it is asked with")
    assert missing == []
    served = {way.name for way in ways_of(office.app, endless=True)}
    assert sorted(set(known) - served - doors.OPEN) == []
    assert sorted(BODIES.keys() - served) == []


def test_every_model_is_of_a_unit_or_says_why_not() -> None:
    told = [*BY_UNIT, *BY_PARENT, *BY_RECORDING, *BY_PLAN, *BY_RUN, *BY_OWN_RULE, *OF_NO_UNIT]
    assert len(told) == len(set(told))
    models = {
        mapper.class_ for mapper in Base.registry.mappers if mapper.class_.__module__.startswith("app.")
    }
    assert sorted(str(model) for model in models ^ set(told)) == []
    assert all(OF_NO_UNIT.values())
    keyed = {model for model in models if "unit_id" in inspect(model).columns}
    assert sorted(str(model) for model in keyed & set(OF_NO_UNIT)) == []


async def test_each_role_opens_its_doors_and_no_others(office: County) -> None:
    wrong = []
    for way in ways_of(office.app, endless=True):
        needed = doors.ways()[way.name]
        for role in Role:
            if way == ENDLESS and role in CARRIED[needed]:
                continue
            answer = await office.ask(way, role.value, None, bare=True)
            opens = role in CARRIED[needed]
            # Where duties are not kept apart an administrator decides, too: the verb itself tells which it is.
            if opens and (way.name in ways_of_pages.OF_A_BROWSER or "由安全管理员办理" in answer.text):
                continue
            if (answer.status_code not in (401, 403)) != opens:
                wrong.append(f"{role} {way.name}: {answer.status_code}")
            told = HERE in answer.text or THERE in answer.text
            # The head of every page says what is stopped.
            if answer.status_code == 403 and told and way.path.startswith("/api/"):
                wrong.append(f"{role} {way.name} tells something though it refuses")
            if answer.status_code >= 500:
                wrong.append(f"{role} {way.name}: {answer.status_code} {answer.text[:200]}")
    assert wrong == []


async def test_nobody_comes_in(office: County) -> None:
    wrong = []
    for way in ways_of(office.app, endless=True):
        answer = await office.ask(way, "", office.twin.here, bare=True)
        expected = 401 if way.path.startswith("/api/") else 303
        if answer.status_code != expected or HERE in answer.text:
            wrong.append(f"{way.name}: {answer.status_code}")
    assert wrong == []


async def test_what_holds_for_all_takes_an_account_for_all(office: County) -> None:
    wrong = []
    for way in ways_of(office.app):
        if doors.ways()[way.name] in doors.WHOLE_OFFICE:
            answer = await office.ask(way, "everything", office.twin.here, bare=True)
            if answer.status_code != 403 or "管辖" not in answer.text:
                wrong.append(f"{way.name}: {answer.status_code}")
    assert wrong == []
    for path, body in (
        ("/api/v1/stops", WHY),
        ("/api/v1/units", {"code": "neu", "name": "新"}),
        ("/api/v1/plans", {"name": "新", "spec": spec()}),
        (f"/api/v1/units/{office.twin.here['unit_id']}/move", {"revision": 1, "parent_id": None}),
    ):
        answer = await office.client.post(path, json=body, headers={"X-As": "scoped"})
        assert (answer.status_code, "管辖" in answer.text) == (403, True), path


async def dump(database: Database) -> dict[str, list[Any]]:
    """Everything in the database but the trail."""
    async with database.reading() as session:
        return {
            name: sorted(map(repr, (await session.execute(select(table))).all()))
            for name, table in Base.metadata.tables.items()
            if name not in ("audit_events", "audit_links", "idempotency_keys")
        }


async def foreign_ways(office: County) -> list[str]:
    """Ask for everything of the other county; return what was answered otherwise than as if it was not there."""
    wrong = []
    before = await dump(office.database)
    for way in ways_of(office.app):
        if doors.ways()[way.name] not in carried_by({Role.DISPATCHER, Role.SUPERVISOR, Role.INSPECTOR}):
            continue
        if doors.ways()[way.name] in doors.WHOLE_OFFICE:
            continue
        foreign = way.of_a_unit or way.name in OF_THE_BODY
        if way.method != "GET" and not foreign:
            continue
        answer = await office.ask(way, "scoped", office.twin.there)
        if THERE in answer.text:
            wrong.append(f"{way.name} tells of the other county: {answer.text[:300]}")
        said = ways_of_pages.SAID_ON_THE_PAGE.get(way.name)
        if way.of_a_unit and answer.status_code != 404 and (said is None or said not in answer.text):
            wrong.append(f"{way.name}: {answer.status_code} {answer.text[:200]}")
        if foreign and not 400 <= answer.status_code < 500:
            if (
                way.name in ("POST /api/v1/imports", "POST /api/v1/rules/compare")
                and answer.status_code < 300
            ):
                continue
            wrong.append(f"{way.name}: {answer.status_code} {answer.text[:200]}")
    after = await dump(office.database)
    wrong += [f"{name} was changed" for name in before if before[name] != after[name]]
    return wrong


async def own_ways(office: County) -> list[str]:
    """Ask for everything of one's own county; return what was not answered."""
    wrong = []
    for way in sorted(
        ways_of(office.app), key=lambda way: LAST.get(way.method, 1) + ("withdraw" in way.path)
    ):
        needed = doors.ways()[way.name]
        if needed in doors.WHOLE_OFFICE or needed not in principals(office.twin, "")["scoped"].permissions:
            continue
        if way.name in NOT_HERE:
            continue
        lines = await office.lines()
        answer = await office.ask(way, "scoped", office.twin.here)
        if THERE in answer.text:
            wrong.append(f"{way.name} tells of the other county")
        on_record = way.method != "GET" or way.name in ON_RECORD
        done = answer.is_success or answer.status_code == 303
        if on_record and done and way.name not in NO_LINE and await office.lines() == lines:
            wrong.append(f"{way.name} leaves no line in the trail")
        if way.method == "GET" and way.name not in EMPTY:
            if answer.status_code != 200:
                wrong.append(f"{way.name}: {answer.status_code} {answer.text[:200]}")
            text_like = any(
                kind in answer.headers.get("content-type", "") for kind in ("json", "html", "plain")
            )
            if text_like and HERE not in answer.text and "peaks" not in way.path:
                wrong.append(f"{way.name} says nothing of one's own county: {answer.text[:200]}")
        elif way.of_a_unit and (answer.status_code in (401, 403, 404) or answer.status_code >= 500):
            wrong.append(f"{way.name}: {answer.status_code} {answer.text[:200]}")
    return wrong


async def test_another_county_is_not_there(office: County) -> None:
    assert await foreign_ways(office) == []


async def test_ones_own_county_is_there(office: County) -> None:
    assert await own_ways(office) == []


async def office_ways(office: County) -> tuple[list[str], int]:
    """Do what administrators, security officers and auditors do; return what left no line, and how much was done."""
    wrong, done = [], 0
    for way in sorted(ways_of(office.app), key=lambda way: LAST.get(way.method, 1) + ("close" in way.path)):
        needed = doors.ways()[way.name]
        if way.method == "GET" or way.name in NO_LINE or way.name == "POST /system/doctor":
            continue
        for role in sorted(CARRIED[needed] - {Role.DISPATCHER, Role.SUPERVISOR, Role.INSPECTOR}):
            lines = await office.lines()
            answer = await office.ask(way, role.value, office.twin.here)
            if answer.status_code >= 500:
                wrong.append(f"{way.name}: {answer.status_code}")
            if answer.is_success or answer.status_code == 303:
                done += 1
                if await office.lines() == lines:
                    wrong.append(f"{way.name} leaves no line in the trail")
    return wrong, done


async def test_what_is_done_for_every_unit_leaves_a_line(office: County) -> None:
    wrong, done = await office_ways(office)
    assert wrong == []
    assert done > 15


@pytest.mark.peer("postgresql")
async def test_the_same_holds_on_postgresql(postgres_server: str, tmp_path: Any) -> None:
    settings = Settings(data_dir=tmp_path / "data", database_url=f"{postgres_server}/twin")
    async with county(settings) as office:
        assert await foreign_ways(office) == []


def test_open_paths_are_the_ones_that_are_meant() -> None:
    assert set(OPEN_PATHS) == {"/healthz", "/readyz", "/metrics", "/sign-in", "/sign-in/language"}
    assert OPEN_BELOW == ("/static/", "/enter/")

"""What somebody with bad intentions would try, each refused: forged requests, foreign keys, paths, headers, files."""

from __future__ import annotations

import asyncio
import io
import re
import zipfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from sqlalchemy import select, text

from app.accounts import doors, people, secrets
from app.accounts.gate import COOKIE, CSRF_HEADER
from app.accounts.models import Account, ApiToken, AuditEvent, OneTimeLink, Session
from app.accounts.permissions import Permission, Role
from app.api import guard
from app.clock import now
from app.database import Database
from app.settings import Settings
from app.web.security import HEADERS
from tests.web.apps import own_doors
from tests.web.migrated import migrate
from tests.web.people import PASSWORD, SignedIn, account, signed_in
from tests.web.test_authorisation import dump
from tests.web.twin import THERE, Twin, copied

FORM = "application/x-www-form-urlencoded"
ELSEWHERE = "https://evil.example"
MOVE = {"reason": "试"}
SOUNDS = (
    "/recordings/{recording_id}",
    "/api/v1/recordings/{recording_id}/peaks",
    "/api/v1/recordings/{recording_id}/clip?from_ms=0&to_ms=100",
    "/api/v1/recordings/{recording_id}/transcript",
    "/api/v1/recordings/{recording_id}/transcriptions",
    "/api/v1/attempts/{attempt_id}/trace",
    "/api/v1/attempts/{attempt_id}/bundle",
    "/api/v1/attempts/{attempt_id}/answer-items",
    "/api/v1/checks/{check_id}/bundle",
)


@dataclass(frozen=True, slots=True)
class House:
    """The service with its own doors, two counties, and a browser without a cookie."""

    client: httpx.AsyncClient
    database: Database
    settings: Settings
    twin: Twin

    async def person(self, *roles: Role, whole: bool = True) -> SignedIn:
        """Somebody who has signed in, for the first county unless `whole`."""
        units = None if whole else [self.twin.here["head"]]
        return await signed_in(self.database, self.settings, *roles, unit_ids=units)


@pytest.fixture
async def house(settings: Settings) -> AsyncIterator[House]:
    twin = copied(settings)
    app = own_doors(settings)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
        yield House(client, app.state.database, settings, twin)
    await app.state.database.close()


# Requests that somebody else's page makes


async def test_a_request_without_the_sessions_token_changes_nothing(house: House) -> None:
    supervisor, other = await house.person(Role.SUPERVISOR), await house.person(Role.DISPATCHER)
    path = f"/api/v1/stops/{house.twin.here['stop_id']}/lift"
    before = await dump(house.database)
    cookie = {"Cookie": supervisor.headers["Cookie"]}
    for token in (
        {},
        {CSRF_HEADER: ""},
        {CSRF_HEADER: "00" * 64},
        {CSRF_HEADER: "x"},
        {CSRF_HEADER: other.csrf},
    ):
        answer = await house.client.post(path, json=MOVE, headers=cookie | token)
        assert answer.status_code == 403
        form = {"csrf": token.get(CSRF_HEADER, "")}
        assert (await house.client.post("/sign-out", data=form, headers=cookie)).status_code == 403
    assert await dump(house.database) == before
    assert (await house.client.post(path, json=MOVE, headers=dict(supervisor.headers))).status_code == 200
    form = {"csrf": supervisor.csrf}
    assert (await house.client.post("/sign-out", data=form, headers=cookie)).status_code == 303


FOREIGN = (
    {"Origin": ELSEWHERE},
    {"Origin": "null"},
    {"Origin": "http://testserver.evil.example"},
    {"Origin": "http://testserver:8080"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
)


async def test_another_sites_page_is_refused_even_with_the_token(house: House) -> None:
    supervisor = await house.person(Role.SUPERVISOR)
    path = f"/api/v1/stops/{house.twin.here['stop_id']}/lift"
    for sent in FOREIGN:
        answer = await house.client.post(path, json=MOVE, headers={**supervisor.headers, **sent})
        assert answer.status_code == 403, sent
        # Signing somebody in from elsewhere is refused, too: they would act in another's name.
        form = {"login": "supervisor", "password": PASSWORD}
        answer = await house.client.post("/sign-in", data=form, headers=sent)
        assert (answer.status_code, "set-cookie" in answer.headers) == (403, False), sent


async def test_reading_changes_nothing(house: House) -> None:
    everybody = [await house.person(Role.DISPATCHER, Role.SUPERVISOR, Role.INSPECTOR)]
    before = await dump(house.database)
    keys = {**house.twin.here.keys, "day": "2026-11-24", "name": "x", "prompt_id": 1, "key": "0" * 32}
    for way in doors.ways():
        method, path = way.split(" ")
        if path == "/live/stream":
            # An answer without an end, which this way of asking waits for; tests of what is live read it.
            continue
        asked = re.sub(r"\{(\w+)\}", lambda found: str(keys.get(found[1], 1)), path)
        for who in everybody if method == "GET" else ():
            await house.client.get(asked, headers={"Cookie": who.headers["Cookie"]})
        if method != "GET":
            answer = await house.client.get(asked, headers={"Cookie": everybody[0].headers["Cookie"]})
            assert answer.status_code in (200, 403, 404, 405, 422), way
    after = await dump(house.database)
    assert [name for name in before if before[name] != after[name]] == []


async def test_another_method_in_a_header_or_field_is_no_method(house: House) -> None:
    dispatcher = await house.person(Role.DISPATCHER)
    path = f"/api/v1/whereabouts/{house.twin.here['row_id']}"
    for name in ("X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method"):
        answer = await house.client.post(path, headers={**dispatcher.headers, name: "DELETE"})
        assert answer.status_code == 405
    query = await house.client.get(f"{path}?_method=DELETE", headers=dict(dispatcher.headers))
    assert query.status_code == 200


async def test_no_two_pages_carry_the_same_token(house: House) -> None:
    """A compressed page would give it away byte for byte (BREACH)."""
    supervisor = await house.person(Role.SUPERVISOR)
    pages = [(await house.client.get("/today", headers=dict(supervisor.headers))).text for _ in range(3)]
    tokens = [re.search(r'name="csrf-token" content="(\w+)"', page) for page in pages]
    found = [token[1] for token in tokens if token]
    assert len(set(found)) == 3
    async with house.database.reading() as session:
        row = (
            await session.scalars(select(Session).where(Session.account_id == supervisor.account_id))
        ).one()
    assert all(secrets.csrf_fits(row.csrf_secret, token) for token in found)
    assert all(row.csrf_secret not in page for page in pages)


# Keys that are not one's own


async def test_a_recording_of_another_county_is_not_there(house: House) -> None:
    for path in SOUNDS:
        await not_there(house, path)


async def not_there(house: House, path: str) -> None:
    supervisor = await house.person(Role.SUPERVISOR, whole=False)
    theirs, none = (
        path.format(**house.twin.there.keys),
        path.format_map(dict.fromkeys(house.twin.there.keys, 999_999)),
    )
    for headers in ({}, {"Range": "bytes=0-99"}):
        answer = await house.client.get(theirs, headers={**supervisor.headers, **headers})
        nothing = await house.client.get(none, headers={**supervisor.headers, **headers})
        assert answer.status_code == nothing.status_code == 404
        assert plain(answer.text) == plain(nothing.text)
    own = await house.client.get(path.format(**house.twin.here.keys), headers=dict(supervisor.headers))
    assert own.status_code == 200


DEAF = (
    Role.DISPATCHER,
    Role.INSPECTOR,
    Role.ADMINISTRATOR,
    Role.SECURITY,
    Role.AUDITOR,
)


async def test_who_may_not_listen_hears_and_reads_nothing(house: House) -> None:
    for role in DEAF:
        who = await house.person(role)
        for path in SOUNDS:
            answer = await house.client.get(path.format(**house.twin.here.keys), headers=dict(who.headers))
            assert answer.status_code == 403
        page = await house.client.get(f"/checks/{house.twin.here['check_id']}", headers=dict(who.headers))
        assert "您好水利局" not in page.text


def plain(page: str) -> str:
    """A page without its numbers and its token."""
    return re.sub(r"\d+", "", re.sub(r'(content|value)="[0-9a-f]{64,}"', "", page))


async def test_keys_beyond_any_number_are_not_there(house: House) -> None:
    supervisor = await house.person(Role.SUPERVISOR)
    for key in ("0", "-1", "9" * 30, "1e3", "1;--", "%27", "１", "01", "1%00"):
        answer = await house.client.get(f"/recordings/{key}", headers=dict(supervisor.headers))
        assert answer.status_code in (200, 404, 422), key
        page = await house.client.get(f"/checks/{key}", headers=dict(supervisor.headers))
        assert page.status_code in (200, 404, 422), key


# Paths and names


OUTWARDS = (
    "/static/../pages.py",
    "/static/..%2fpages.py",
    "/static/%2e%2e/pages.py",
    "/static/%2e%2e%2f%2e%2e%2f%2e%2e%2fetc/passwd",
    "/static//etc/passwd",
    "/static/..\\pages.py",
    "/static/vendor/../../pages.py",
    "/static/%00",
    "/static/" + "a" * 5_000,
    "/enter/../../etc/passwd",
    "/enter/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
)


async def test_no_path_leads_out_of_its_folder(house: House) -> None:
    for path in OUTWARDS:
        answer = await house.client.request("GET", httpx.URL(f"http://testserver{path}"))
        assert answer.status_code in (303, 404, 410)
        assert "root:" not in answer.text
        assert "def render" not in answer.text


NAMES = (
    "../../../x.txt",
    "..\\x.txt",
    "/etc/passwd",
    "a\r\nX-Evil: 1.txt",
    '"; x=".txt',
    "值\u202e",
)


async def test_the_name_of_a_file_is_but_a_name(house: House) -> None:
    supervisor = await house.person(Role.SUPERVISOR)
    for name in NAMES:
        path = f"/api/v1/cases/{house.twin.here['case_id']}/attachments"
        headers = {**supervisor.headers, "Content-Type": "text/plain"}
        before = {file for file in house.settings.data_dir.parent.rglob("*") if file.is_file()}
        answer = await house.client.post(path, params={"name": name}, content=b"x", headers=headers)
        assert answer.status_code in (201, 422)
        new = {file for file in house.settings.data_dir.parent.rglob("*") if file.is_file()} - before
        assert all(re.fullmatch(r"[0-9a-f]{64}", file.name) for file in new)
        if answer.status_code == 201:
            row = answer.json()
            key = row.get("id") or max(item["id"] for item in row["attachments"])
            got = await house.client.get(f"/api/v1/attachments/{key}", headers=dict(supervisor.headers))
            assert got.status_code == 200
            told = got.headers["content-disposition"]
            assert told.startswith("attachment;")
            assert "x-evil" not in got.headers
            assert re.fullmatch(r"""attachment; filename="[\w.-]+"; filename\*=UTF-8''[\w.%~-]+""", told), (
                told
            )


async def test_what_somebody_sends_makes_no_header(house: House) -> None:
    await account(house.database, Role.SUPERVISOR, password=PASSWORD)
    for value in ("/x\r\nSet-Cookie: a=b", "/x\nSet-Cookie: a=b", "en\r\nSet-Cookie: a=b"):
        form = {"login": "supervisor", "password": PASSWORD, "next": value}
        answer = await house.client.post("/sign-in", data=form)
        assert answer.status_code == 303
        assert answer.headers["location"] == "/"
        assert [cookie.split("=")[0] for cookie in answer.headers.get_list("set-cookie")] == [COOKIE]
        answer = await house.client.post("/sign-in/language", data={"language": value, "back": value})
        assert answer.headers["location"] == "/"
        assert [one.split("=")[0] for one in answer.headers.get_list("set-cookie")] == ["dutyring_language"]
        assert answer.headers["set-cookie"].startswith("dutyring_language=zh-CN;")


TARGETS = (
        "//evil.example", "///evil.example", "https://evil.example", "/\\evil.example", "\\\\evil.example",
        "javascript:alert(1)", "/\t/evil.example", "//evil.example/%2f..", "http:evil.example", "",
        "evil.example", "/%0d%0aX: 1", "data:text/html,x",
    )  # fmt: skip


async def test_no_address_leads_to_another_site(house: House) -> None:
    await account(house.database, Role.SUPERVISOR, password=PASSWORD)
    for number, target in enumerate(TARGETS):
        await leads_back(house, target, signs_in=number % 4 == 0)


async def leads_back(house: House, target: str, *, signs_in: bool) -> None:
    form = {"login": "supervisor", "password": PASSWORD, "next": target}
    supervisor = await house.person(Role.SUPERVISOR)
    answers = [
        await house.client.get("/sign-in", params={"next": target}, headers=dict(supervisor.headers)),
        await house.client.post("/sign-in/language", data={"language": "en", "back": target}),
    ]
    if signs_in:
        # A right password takes its time.
        answers.append(await house.client.post("/sign-in", data=form))
    for answer in answers:
        assert answer.status_code == 303
        assert re.match(r"/(?![/\\])", answer.headers["location"])
        assert "\r" not in answer.headers["location"]
    page = await house.client.get("/sign-in", params={"next": target})
    assert 'href="//' not in page.text
    assert 'value="//' not in page.text


async def test_a_slash_too_many_leads_nowhere_else(house: House) -> None:
    supervisor = await house.person(Role.SUPERVISOR)
    for path in ("//evil.example/", "//evil.example/checks/", "/checks//", "/\\evil.example/"):
        answer = await house.client.request(
            "GET",
            httpx.URL("http://testserver").copy_with(raw_path=path.encode()),
            headers=dict(supervisor.headers),
        )
        assert "evil.example" not in answer.headers.get("location", "").removeprefix("http://testserver")


HOSTS = (
    "evil.example",
    "testserver.evil.example",
    "",
    "testserver@evil.example",
    "a b",
)


async def test_another_host_is_not_ours(house: House) -> None:
    for host in HOSTS:
        answer = await house.client.get("/sign-in", headers={"Host": host})
        assert answer.status_code == 400
        assert "evil.example" not in answer.text


# Bodies


async def test_a_body_that_is_too_large_is_not_read(house: House) -> None:
    supervisor = await house.person(Role.SUPERVISOR)
    read = 0

    async def pieces(size: int) -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(size // 2**16):
            read += 2**16
            yield b"a" * 2**16

    for path, headers, most in (
        ("/sign-in", {}, guard.MOST_UNKNOWN_BYTES),
        ("/enter/x", {}, guard.MOST_UNKNOWN_BYTES),
        ("/api/v1/stops", supervisor.headers, guard.MOST_BYTES),
        ("/sign-out", supervisor.headers, guard.MOST_FORM_BYTES),
    ):
        read = 0
        told = {**headers, "Content-Type": FORM if "api" not in path else "application/json"}
        answer = await house.client.post(path, content=pieces(64 * 2**20), headers=told)
        # Signing out reads no body at all, and the session is over then.
        assert answer.status_code in (400, 413) or path == "/sign-out", path
        assert read <= most + 3 * 2**16, path
        if "api" not in path:
            answer = await house.client.post(
                path, content=b"", headers={**told, "Content-Length": str(2**40)}
            )
            assert answer.status_code == 413 or path == "/sign-out"
    assert (
        await house.client.post("/api/v1/imports", content=pieces(2**26), headers=dict(supervisor.headers))
    ).status_code in (401, 403)


async def test_a_body_that_does_not_come_is_not_waited_for(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "BODY_IDLE_S", 0.05)

    async def pieces() -> AsyncIterator[bytes]:
        yield b"login=x"
        await asyncio.Event().wait()

    for path in ("/sign-in", "/api/v1/stops"):
        supervisor = await house.person(Role.SUPERVISOR)
        headers = {"Content-Type": FORM if "api" not in path else "application/json"}
        headers |= dict(supervisor.headers) if "api" in path else {}
        answer = await house.client.post(path, content=pieces(), headers=headers)
        assert answer.status_code in (400, 408)


def book(parts: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in parts.items():
            packed.writestr(name, content)
    return file.getvalue()


LAUGHS = b"".join(
    [
        b'<?xml version="1.0"?><!DOCTYPE w [<!ENTITY a0 "ha">',
        *(f'<!ENTITY a{n + 1} "{f"&a{n};" * 10}">'.encode() for n in range(9)),
        b"]><workbook>&a9;</workbook>",
    ]
)
OUTSIDE = (
    b'<?xml version="1.0"?><!DOCTYPE w [<!ENTITY x SYSTEM "file:///etc/passwd">]><workbook>&x;</workbook>'
)


BOOKS: tuple[dict[str, bytes], ...] = (
    {"xl/workbook.xml": LAUGHS},
    {"xl/workbook.xml": OUTSIDE},
    {"xl/workbook.xml": b"<workbook/>", "xl/sharedStrings.xml": LAUGHS},
    {"xl/workbook.xml": b" " * 300 * 2**20},
    {f"xl/{number}": b"" for number in range(20_000)},
    {"../../../../tmp/evil": b"x", "xl/workbook.xml": b"<workbook/>"},
)


async def test_a_spreadsheet_that_explodes_is_refused(house: House) -> None:
    dispatcher = await house.person(Role.DISPATCHER)
    before = await dump(house.database)
    for parts in BOOKS:
        answer = await house.client.post(
            "/api/v1/imports", content=book(parts), headers=dict(dispatcher.headers)
        )
        assert answer.status_code == 422, next(iter(parts))
        assert "root:" not in answer.text
    assert await dump(house.database) == before


async def test_names_that_are_formulas_stay_texts_in_tables(house: House) -> None:
    dispatcher = await house.person(Role.DISPATCHER)
    names = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", '=HYPERLINK("http://evil.example")']
    for number, name in enumerate(names):
        body = {"code": f"f{number}", "name": name, "parent_id": house.twin.here["head"]}
        await house.client.post("/api/v1/units", json=body, headers=dict(dispatcher.headers))
    answer = await house.client.get("/api/v1/directory.xlsx", headers=dict(dispatcher.headers))
    with zipfile.ZipFile(io.BytesIO(answer.content)) as packed:
        sheets = [packed.read(name) for name in packed.namelist() if name.startswith("xl/worksheets/")]
        strings = packed.read("xl/sharedStrings.xml").decode()
    assert all(b"<f>" not in sheet and b"<f " not in sheet and b"<hyperlink" not in sheet for sheet in sheets)
    assert "=1+1" in strings
    for name in names:
        body = {"kind": "workday", "name": name, "note": name, "reason": "x"}
        await house.client.put("/api/v1/calendar/2026-11-24", json=body, headers=dict(dispatcher.headers))
        answer = await house.client.get("/api/v1/calendar/export", headers=dict(dispatcher.headers))
        cells = [cell.strip().strip('"') for line in answer.text.splitlines() for cell in line.split(",")]
        assert [cell for cell in cells if cell[:1] in ("=", "+", "-", "@")] == [], name


@pytest.mark.peer("postgresql")
async def test_a_form_that_holds_what_no_database_stores_is_refused(
    postgres_server: str, tmp_path: Any
) -> None:
    settings = Settings(
        data_dir=tmp_path / "data", database_url=f"{postgres_server}/nul", phone_process=False,
        allowed_hosts=("testserver",),
    )  # fmt: skip
    migrate(settings)
    app = own_doors(settings)
    who = await signed_in(app.state.database, settings, Role.SUPERVISOR)
    auditor = await signed_in(app.state.database, settings, Role.AUDITOR)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
        for login in ("a\0b", "\ud800".encode("utf-8", "surrogatepass"), "a" * 200):
            answer = await client.post("/sign-in", data={"login": login, "password": "x\0"})
            assert answer.status_code in (403, 422), login
        for asked in ({"who": "a\0"}, {"subject": "\0:1"}, {"action": "%"}):
            answer = await client.get("/system/audit", params=asked, headers=dict(auditor.headers))
            assert answer.status_code in (200, 422)
        answer = await client.get("/checks", params={"unit": "\0", "after": "\0"}, headers=dict(who.headers))
        assert answer.status_code in (200, 400, 422)
    await app.state.database.close()


# Sessions and tokens


async def test_nobody_chooses_the_session_of_another(house: House) -> None:
    await account(house.database, Role.SUPERVISOR, password=PASSWORD)
    form = {"login": "supervisor", "password": PASSWORD}
    chosen = secrets.new()
    answer = await house.client.post("/sign-in", data=form, headers={"Cookie": f"{COOKIE}={chosen}"})
    cookie = answer.headers["set-cookie"]
    first = cookie.partition("=")[2].partition(";")[0]
    assert first != chosen
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    assert (await house.client.get("/today", headers={"Cookie": f"{COOKIE}={chosen}"})).status_code == 303
    again = await house.client.post("/sign-in", data=form, headers={"Cookie": f"{COOKIE}={first}"})
    second = again.headers["set-cookie"].partition("=")[2].partition(";")[0]
    assert second != first
    assert (await house.client.get("/today", headers={"Cookie": f"{COOKIE}={first}"})).status_code == 303
    assert (await house.client.get("/today", headers={"Cookie": f"{COOKIE}={second}"})).status_code == 200
    async with house.database.reading() as session:
        kept = str([row.digest for row in await session.scalars(select(Session))])
    assert first not in kept
    house.client.cookies.clear()


async def test_a_session_that_ended_opens_nothing(house: House) -> None:
    supervisor = await house.person(Role.SUPERVISOR)
    answer = await house.client.post("/sign-out", headers=dict(supervisor.headers))
    assert (answer.status_code, answer.headers["clear-site-data"]) == (303, '"cache", "storage"')
    assert (await house.client.get("/api/v1/checks", headers=dict(supervisor.headers))).status_code == 401
    inspector = await house.person(Role.INSPECTOR)
    assert (await house.client.get("/api/v1/checks", headers=dict(inspector.headers))).status_code == 200
    async with house.database.unit_of_work() as session:
        closed = await session.get(Account, inspector.account_id)
        assert closed is not None
        closed.state = "closed"
    assert (await house.client.get("/api/v1/checks", headers=dict(inspector.headers))).status_code == 401


async def test_a_one_time_link_opens_once_and_not_for_long(house: House) -> None:
    who = await account(house.database, Role.SUPERVISOR)
    async with house.database.unit_of_work() as session:
        secret = await people.make_link(session, "reset", who.id)
        late = await people.make_link(session, "invitation", who.id)
        row = (
            await session.scalars(select(OneTimeLink).where(OneTimeLink.digest == secrets.digest(late)))
        ).one()
        row.expires_at = now()
    for wrong in (late, secret[:-1], secrets.new(), secrets.digest(secret)):
        assert (await house.client.get(f"/enter/{wrong}")).status_code == 410
        form = {"password": PASSWORD, "again": PASSWORD}
        assert (await house.client.post(f"/enter/{wrong}", data=form)).status_code == 410
    page = await house.client.get(f"/enter/{secret}")
    assert (page.status_code, page.headers["referrer-policy"]) == (200, "no-referrer")
    form = {"password": PASSWORD, "again": PASSWORD}
    assert (await house.client.post(f"/enter/{secret}", data=form)).status_code == 303
    assert (await house.client.post(f"/enter/{secret}", data=form)).status_code == 410
    house.client.cookies.clear()


async def token(house: House, role: Role, *permissions: Permission, **members: Any) -> dict[str, str]:
    who, secret = await account(house.database, role), secrets.new()
    async with house.database.unit_of_work() as session:
        session.add(
            ApiToken(
                account_id=who.id, name="t", digest=secrets.digest(secret), permissions=[*permissions],
                created_at=now(), expires_at=members.pop("expires_at", now().replace(year=2100)), **members,
            )
        )  # fmt: skip
    return {"Authorization": f"Bearer {secret}"}


async def test_a_token_does_what_it_is_for_and_what_its_account_may(house: House) -> None:
    checks = await token(house, Role.INSPECTOR, Permission.CHECKS, Permission.LISTEN)
    assert (await house.client.get("/api/v1/checks", headers=checks)).status_code == 200
    assert (await house.client.get("/api/v1/plans", headers=checks)).status_code == 403
    sound = f"/recordings/{house.twin.here['recording_id']}"
    assert (await house.client.get(sound, headers=checks)).status_code == 403
    for wrong in (
        await token(house, Role.INSPECTOR, Permission.CHECKS, revoked_at=now()),
        await token(house, Role.INSPECTOR, Permission.CHECKS, expires_at=now()),
        {"Authorization": "Bearer "},
        {"Authorization": f"Bearer {secrets.new()}"},
        {"Authorization": "Basic eDp4"},
        {"Cookie": f"{COOKIE}={checks['Authorization'].removeprefix('Bearer ')}"},
    ):
        assert (await house.client.get("/api/v1/checks", headers=wrong)).status_code == 401


async def test_no_secret_stands_in_the_trail(house: House) -> None:
    await account(house.database, Role.SUPERVISOR, password=PASSWORD)
    for login, password in (("supervisor", PASSWORD), ("supervisor", "wrong password 1"), (PASSWORD, "x")):
        await house.client.post("/sign-in", data={"login": login, "password": password})
    house.client.cookies.clear()
    async with house.database.reading() as session:
        lines = [f"{row.subject} {row.detail}" for row in await session.scalars(select(AuditEvent))]
    assert not any("wrong password 1" in line for line in lines)
    assert not any("您好水利局" in line for line in lines)


async def test_every_answer_carries_the_headers(house: House) -> None:
    supervisor = await house.person(Role.SUPERVISOR)
    for path, status in (
        ("/sign-in", 200),
        ("/today", 200),
        ("/nothing", 404),
        ("/system/audit", 403),
        ("/static/x", 404),
    ):
        answer = await house.client.get(path, headers=dict(supervisor.headers) if path != "/sign-in" else {})
        assert answer.status_code == status
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    assert "unsafe" not in HEADERS["Content-Security-Policy"]
    async with house.database.unit_of_work() as session:
        await session.execute(text("DROP TABLE call_readings"))
    broken = await house.client.get(
        f"/checks/{house.twin.here['check_id']}", headers=dict(supervisor.headers)
    )
    assert (broken.status_code, broken.headers["content-security-policy"]) == (
        500,
        HEADERS["Content-Security-Policy"],
    )
    assert "call_readings" not in broken.text
    # A stop that stands is told on every page, of whatever units.
    assert THERE not in broken.text.partition("<main")[2]


async def test_https_makes_the_cookie_secure(settings: Settings) -> None:
    migrate(settings)
    app = own_doors(settings.model_copy(update={"secure_cookies": True}))
    await account(app.state.database, Role.SUPERVISOR, password=PASSWORD)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
        answer = await client.post("/sign-in", data={"login": "supervisor", "password": PASSWORD})
    assert "Secure" in answer.headers["set-cookie"]
    await app.state.database.close()

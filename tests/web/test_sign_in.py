"""Signing in, by the forms: from the first link to the lock, and what a session is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from fastapi import FastAPI
from pwdlib import PasswordHash
from sqlalchemy import select

from app import clock
from app.accounts import passwords
from app.accounts.gate import COOKIE, SECURE_COOKIE
from app.accounts.models import Account, AuditEvent, Session
from app.accounts.permissions import Role
from app.accounts.throttle import network_of
from app.database import Database
from app.settings import Settings
from tests.web.apps import own_doors
from tests.web.browsing import GOOD, OTHER, Browser, browser, first_link
from tests.web.people import CHEAP, PASSWORD, account, signed_in

LOGIN = "dispatcher"
WRONG = "Not-the-1-password"


@pytest.fixture
async def office(database: Database, settings: Settings) -> AsyncIterator[FastAPI]:
    """A service with a dispatcher who has a password."""
    await account(database, Role.DISPATCHER, name="李值班", kept=CHEAP)
    app = own_doors(settings)
    yield app
    await app.state.database.close()


async def trail(database: Database, action: str) -> list[AuditEvent]:
    async with database.reading() as session:
        return list(await session.scalars(select(AuditEvent).where(AuditEvent.action == action)))


async def row_of(database: Database) -> Account:
    async with database.reading() as session:
        return (await session.scalars(select(Account).where(Account.login == LOGIN))).one()


async def test_the_first_link_makes_the_administrator_once(
    either: Database, either_settings: Settings
) -> None:
    app = own_doors(
        either_settings.model_copy(update={"phone_process": False, "allowed_hosts": ("testserver",)})
    )
    path = await first_link(either)
    async with browser(app) as one, browser(app) as other:
        assert "建立第一个系统管理员" in await one.get(path)
        bad = await one.post(path, 422, login="王 敏", name="", password="short", again="shorter")
        assert "登录名须为" in bad
        assert "请填写真实姓名" in bad
        weak = await one.post(path, 422, login="wangmin", name="王敏", password="wangmin-2026-A", again="x")
        assert "口令不能含有登录名或姓名" in weak
        assert "两次输入的口令不一致" in weak
        assert 'value="wangmin"' in weak
        assert 'value="王敏"' in weak
        assert await one.post(path, login="WangMin", name="王敏", password=GOOD, again=GOOD) == "/"
        assert "王敏" in await one.get("/account")
        assert "系统管理员" in one.page
        # A link works once, and the first one never again.
        assert "链接打不开" in await other.get(path, 410)
        await other.get(await first_link(either), 410)
        await other.sign_in("wangmin", GOOD)
    await app.state.database.close()


async def test_what_is_wrong_is_not_told_and_what_was_typed_stays(
    office: FastAPI, database: Database
) -> None:
    async with browser(office) as one:
        assert "非密系统，严禁录入涉密信息" in await one.get("/sign-in")
        pages = {login: await one.sign_in(login, WRONG, 403) for login in (LOGIN, "nobody-here")}
        assert pages[LOGIN].replace(f'value="{LOGIN}"', "") == pages["nobody-here"].replace(
            'value="nobody-here"', ""
        )
        assert await one.sign_in(f" {LOGIN.upper()} ", PASSWORD, next="/checks?a=1") == (
            "/account/welcome?next=%2Fchecks%3Fa%3D1"
        )
        told = await one.get("/account/welcome?next=%2Fchecks%3Fa%3D1")
        assert "此后口令输错 1 次" in told
        assert 'href="/checks?a=1"' in told
    lines = await trail(database, "sign-in")
    assert [(line.who, line.done) for line in lines] == [("李值班", False), ("-", False), ("李值班", True)]
    # A password in the wrong field does not go on record.
    assert lines[1].subject == "login:no…"


async def test_addresses_elsewhere_are_not_followed(office: FastAPI) -> None:
    async with browser(office) as one:
        for next in ("//evil.example", "https://evil.example", "/\\evil.example", "/a\nb", "evil", "//[", ""):
            assert await one.sign_in(LOGIN, PASSWORD, next=next) == "/", next
            break
        for next in ("//evil.example", "https://evil.example", "/\\evil.example", "/a\nb", "evil", "//["):
            answer = await one.client.get("/sign-in", params={"next": next})
            assert (answer.status_code, answer.headers["location"]) == (303, "/"), next


async def test_too_many_wrong_passwords_lock_the_account(office: FastAPI, database: Database) -> None:
    async with browser(office, "198.51.100.9") as one:
        for _ in range(5):
            await one.sign_in(LOGIN, WRONG, 403)
        assert "锁定" in await one.sign_in(LOGIN, PASSWORD, 403)
        assert (await row_of(database)).locked_until is not None
        later = datetime.now(UTC) + timedelta(minutes=10, seconds=1)
        with clock.running(lambda: later):
            await one.sign_in(LOGIN, PASSWORD)
        assert "此后口令输错 5 次" in await one.get("/account/welcome")


async def test_a_lock_from_elsewhere_does_not_keep_a_person_from_their_desk(office: FastAPI) -> None:
    async with browser(office, "192.0.2.1") as desk, browser(office, "198.51.100.9") as elsewhere:
        await desk.sign_in(LOGIN, PASSWORD)
        for _ in range(5):
            await elsewhere.sign_in(LOGIN, WRONG, 403)
        await elsewhere.sign_in(LOGIN, PASSWORD, 403)
        await desk.sign_in(LOGIN, WRONG, 403)
        await desk.sign_in(LOGIN, PASSWORD)
        # There too nobody may try for ever.
        for _ in range(5):
            await elsewhere.sign_in(LOGIN, WRONG, 403)
        for _ in range(5):
            await desk.sign_in(LOGIN, WRONG, 403)
        await desk.sign_in(LOGIN, PASSWORD, 403)


async def test_tries_at_one_time_are_counted_one_after_the_other(office: FastAPI, database: Database) -> None:
    import asyncio

    async with browser(office) as one:
        tries = [one.send("/sign-in", login=LOGIN, password=WRONG) for _ in range(7)]
        answers = await asyncio.gather(*tries, one.send("/sign-in", login=LOGIN, password=PASSWORD))
    assert [answer.status_code for answer in answers] == [403] * 8
    found = await row_of(database)
    assert (found.wrong_since, found.failures) == (7, 0)
    assert found.locked_until is not None


async def test_one_address_cannot_try_all_accounts(office: FastAPI, settings: Settings) -> None:
    limits = office.state.sign_in_limits.addresses
    for _ in range(settings.sign_ins_per_minute):
        assert limits.take("198.51.100.9")
    async with browser(office, "198.51.100.9") as one, browser(office, "192.0.2.1") as other:
        answer = await one.send("/sign-in", login=LOGIN, password=PASSWORD)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "3")
        await other.sign_in(LOGIN, PASSWORD)
    assert (
        network_of("2001:db8:1:2:3::4") == network_of("2001:db8:1:2:ffff::1") != network_of("2001:db8:1:3::1")
    )


def test_a_password_costs_whoever_guesses_it(products_hasher: PasswordHash) -> None:
    kept = products_hasher.hash(PASSWORD)
    # RFC 9106, second recommended option.
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert products_hasher.verify(PASSWORD, kept)
    assert not products_hasher.verify(WRONG, kept)


async def test_a_flood_is_told_to_come_again(office: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "MOST_WAITING", 0)
    async with browser(office) as one:
        answer = await one.send("/sign-in", login=LOGIN, password=PASSWORD)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert f'value="{LOGIN}"' in answer.text


async def test_each_session_has_a_secret_of_its_own(office: FastAPI, database: Database) -> None:
    async with browser(office) as one:
        one.client.cookies.set(COOKIE, "planted-by-somebody", domain="testserver.local")
        await one.sign_in(LOGIN, PASSWORD)
        first = one.client.cookies.get(COOKIE, domain="testserver.local")
        assert first != "planted-by-somebody"
        await one.get("/account")
        await one.sign_in(LOGIN, PASSWORD)
        assert one.client.cookies.get(COOKIE, domain="testserver.local") != first
        one.client.cookies.clear()
        one.client.cookies.set(COOKIE, first or "")
        assert (await one.client.get("/account")).status_code == 303
    async with database.reading() as session:
        reasons = list(await session.scalars(select(Session.end_reason).order_by(Session.id)))
    assert reasons == ["signed in anew", ""]


async def test_a_session_ends_by_itself(office: FastAPI, database: Database, settings: Settings) -> None:
    who = await signed_in(database, settings, Role.SUPERVISOR)
    started = datetime.now(UTC)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(office), base_url="http://testserver", headers=who.headers
    ) as client:
        for minutes, status in ((29, 200), (58, 200), (89, 303)):
            at = started + timedelta(minutes=minutes)
            with clock.running(lambda at=at: at):
                assert (await client.get("/account")).status_code == status, minutes
    again = await signed_in(database, settings, Role.SUPERVISOR)
    client = httpx.AsyncClient(
        transport=httpx.ASGITransport(office), base_url="http://testserver", headers=again.headers
    )
    async with client:
        for minutes in range(20, 12 * 60, 20):
            at = started + timedelta(minutes=minutes)
            with clock.running(lambda at=at: at):
                assert (await client.get("/account/welcome")).status_code == 303
        end = started + timedelta(hours=12, seconds=5)
        with clock.running(lambda: end):
            assert (await client.get("/account")).headers["location"] == "/sign-in?next=%2Faccount"


async def test_signing_out_leaves_nothing(office: FastAPI) -> None:
    async with browser(office) as one:
        await one.sign_in(LOGIN, PASSWORD)
        cookie = one.client.cookies.get(COOKIE)
        await one.get("/account")
        answer = await one.send("/sign-out")
        assert answer.headers["clear-site-data"] == '"cache", "storage"'
        assert one.client.cookies.get(COOKIE) is None
        one.client.cookies.set(COOKIE, cookie or "")
        assert (await one.client.get("/account")).status_code == 303


async def test_over_https_alone(database: Database, settings: Settings) -> None:
    await account(database, Role.DISPATCHER, name="李值班", kept=CHEAP)
    app = own_doors(settings.model_copy(update={"secure_cookies": True}))
    async with Browser(app, base="https://testserver").client as client:
        answer = await client.post("/sign-in", data={"login": LOGIN, "password": PASSWORD})
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith(f"{SECURE_COOKIE}=")
        for part in ("HttpOnly", "Path=/", "SameSite=strict", "Secure"):
            assert part in cookie
        assert "Domain" not in cookie
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
        assert (await client.get("/account")).status_code == 200
        # A cookie of the plain name, which another host could have set, is nobody.
        secret = client.cookies.get(SECURE_COOKIE)
        client.cookies.clear()
        client.cookies.set(COOKIE, secret or "")
        assert (await client.get("/account")).status_code == 303
    await app.state.database.close()


@pytest.mark.parametrize("path", ["/sign-in", "/enter/abc", "/sign-out"])
@pytest.mark.parametrize(
    "headers",
    [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "http://evil.example"}],
)
async def test_forms_of_other_sites_are_refused(office: FastAPI, path: str, headers: dict[str, str]) -> None:
    async with browser(office) as one:
        if path == "/sign-out":
            await one.sign_in(LOGIN, PASSWORD)
        answer = await one.client.post(path, data={"login": LOGIN, "password": PASSWORD}, headers=headers)
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers


async def test_a_password_that_is_too_old_is_changed_first(office: FastAPI, database: Database) -> None:
    async with browser(office) as one:
        later = datetime.now(UTC) + timedelta(days=90, minutes=1)
        with clock.running(lambda: later):
            path = await one.sign_in(LOGIN, PASSWORD)
            assert path.startswith("/enter/")
            assert (await one.client.get("/account")).status_code == 303
            assert "口令已到期" in await one.get(path)
            assert "最近用过的口令不能再用" in await one.post(path, 422, password=PASSWORD, again=PASSWORD)
            assert await one.post(path, password=GOOD, again=GOOD) == "/"
            await one.get("/account")
            assert "密码" not in one.page
            await one.get(path, 410)
        with clock.running(lambda: later + timedelta(days=1)):
            await one.sign_in(LOGIN, PASSWORD, 403)
            await one.sign_in(LOGIN, GOOD)


async def test_changing_the_password_ends_the_other_sessions(office: FastAPI) -> None:
    async with browser(office) as one, browser(office, "192.0.2.7") as other:
        await one.sign_in(LOGIN, PASSWORD)
        await other.sign_in(LOGIN, PASSWORD)
        await one.get("/account")
        before = one.client.cookies.get(COOKIE)
        wrong = await one.post("/account/password", 422, present=WRONG, password=OTHER, again=OTHER)
        assert "现用口令不对" in wrong
        weak = await one.post("/account/password", 422, present=PASSWORD, password="abc", again="abc")
        assert "口令至少 10 位" in weak
        where = await one.post("/account/password", present=PASSWORD, password=OTHER, again=OTHER)
        assert where == "/account?done=password"
        assert "口令已修改" in await one.get(where)
        assert one.client.cookies.get(COOKIE) != before
        assert (await other.client.get("/account")).status_code == 303


async def test_one_ends_ones_other_sessions(office: FastAPI) -> None:
    async with browser(office) as one, browser(office, "192.0.2.7") as other:
        await one.sign_in(LOGIN, PASSWORD)
        await other.sign_in(LOGIN, PASSWORD)
        assert "192.0.2.7" in await one.get("/account")
        where = await one.post("/account/sessions/end-others")
        assert "192.0.2.7" not in await one.get(where)
        assert (await other.client.get("/account")).status_code == 303


async def test_speaks_english_too(office: FastAPI) -> None:
    async with browser(office) as one:
        await one.post("/sign-in/language", language="en", back="/sign-in")
        page = await one.get("/sign-in")
        assert '<html lang="en">' in page
        assert "Wrong login or password" in await one.sign_in(LOGIN, WRONG, 403)
        await one.sign_in(LOGIN, PASSWORD)
        await one.get("/account")
        weak = await one.post("/account/password", 422, present=PASSWORD, password="abc", again="abc")
        assert "at least 10 characters" in weak


@pytest.mark.parametrize(
    ("password", "lack"),
    [
        ("Ab3-efgh", "至少"),
        ("abcdefgh12", "类"),
        ("Zhiban-2026!", "常见"),
        ("P@ssw0rd!2026", "常见"),
        ("Aa1!Aa1!Aa1!", "常见"),
        ("1234567890-Ab", ""),
        ("qwertyuiop", "类"),
        ("Li-Zhiban-x9", "姓名"),
        ("李值班的口令 Ab3456", "姓名"),
        ("wang.min-Xy77", "登录名"),
        ("aaaaaaaaaaaaaaaaaaaaaaaa", "常见"),
        ("大江东去浪淘尽千古风流人物故垒西边人道是", ""),
        (GOOD, ""),
        ("x" * 129, "至多"),
    ],
)
def test_what_a_good_password_is(password: str, lack: str) -> None:
    settings = Settings(phone_process=False)
    found = [str(item) for item in passwords.lacks(settings, password, "wang.min", "李值班")]
    assert any(lack in item for item in found) if lack else found == [], found


def test_the_rules_follow_the_settings() -> None:
    lenient = Settings(phone_process=False, password_length=8, password_classes=1)
    assert passwords.lacks(lenient, "kestrels", "wang.min", "李值班") == []

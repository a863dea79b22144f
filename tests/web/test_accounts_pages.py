"""账号: how people get accounts by the pages, with duties kept apart and not."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI
from sqlalchemy import select

from app.accounts import people
from app.accounts.models import Account, AuditEvent
from app.accounts.permissions import Role
from app.database import Database
from app.directory import service as directory
from app.settings import Settings
from tests.web.apps import own_doors
from tests.web.browsing import GOOD, Browser, browser, code_in, first_link, link_in
from tests.web.people import account, signed_in

ACCOUNTS = "/system/accounts"


@pytest.fixture
async def office(database: Database, settings: Settings) -> AsyncIterator[FastAPI]:
    """A service without any account."""
    app = own_doors(settings)
    yield app
    await app.state.database.close()


async def as_role(
    app: FastAPI, database: Database, settings: Settings, role: Role, name: str = ""
) -> Browser:
    """A browser of somebody who has signed in."""
    opened = Browser(app)
    who = await signed_in(database, settings, role, name=name)
    opened.client.headers["Cookie"] = who.headers["Cookie"]
    await opened.get("/account")
    return opened


async def id_of(database: Database, name: str) -> int:
    async with database.reading() as session:
        return (await session.scalars(select(Account.id).where(Account.name == name))).one()


async def told(database: Database, subject: str) -> list[tuple[str, str, bool]]:
    async with database.reading() as session:
        lines = await session.scalars(
            select(AuditEvent).where(AuditEvent.subject == subject).order_by(AuditEvent.id)
        )
        return [(line.who, line.action, line.done) for line in lines]


async def test_an_office_is_staffed_from_the_first_link_on(
    either: Database, either_settings: Settings
) -> None:
    """The first administrator, a security officer appointed alone, a supervisor whom it takes both to let in."""
    settings = either_settings.model_copy(update={"phone_process": False, "allowed_hosts": ("testserver",)})
    app = own_doors(settings)
    async with browser(app) as admin, browser(app) as officer, browser(app) as person:
        path = await first_link(either)
        await admin.get(path)
        await admin.post(path, login="wangmin", name="王敏", password=GOOD, again=GOOD)
        assert "还没有安全管理员" in await admin.get(f"{ACCOUNTS}/new")
        page = await admin.post(ACCOUNTS, 201, login="zhaogang", name="赵刚", roles="security")
        assert "安全管理员批准后才能打开" not in page
        path = link_in(page)
        await officer.get(path)
        await officer.post(path, login="", password=GOOD, again=GOOD)
        await officer.get("/account")
        # From here on nobody does it alone, not even a second security officer.
        assert "还没有安全管理员" not in await admin.get(ACCOUNTS)
        page = await admin.post(ACCOUNTS, 201, login="chenhua", name="陈华", roles="supervisor")
        assert "安全管理员批准后才能打开" in page
        path = link_in(page)
        await person.get(path, 410)
        key = await id_of(either, "陈华")
        await admin.post(f"{ACCOUNTS}/{key}/approve", 403)
        assert "1 个账号待安全管理员审批" in await officer.get(ACCOUNTS)
        assert "陈华" in await officer.get(f"{ACCOUNTS}?wanted=waiting")
        assert "王敏" in await officer.get(f"{ACCOUNTS}/{key}")
        code = code_in(await officer.post(f"{ACCOUNTS}/{key}/approve", 200))
        assert code not in await officer.get(f"{ACCOUNTS}/{key}")
        # Whoever has the link alone, such as the administrator, does not come in.
        await admin.get(path)
        assert "核对码不对" in await admin.post(path, 422, password=GOOD, again=GOOD, code="00000000")
        await person.get(path)
        assert await person.post(path, password=GOOD, again=GOOD, code=f"{code[:4]} {code[4:]}") == "/"
        assert "督查" in await person.get("/account")
        assert [line[:2] for line in await told(either, f"account:{key}")] == [
            ("王敏", "account.invite"),
            ("王敏", "account.approve"),
            ("赵刚", "account.approve"),
            ("赵刚", "account.approve-link"),
            ("陈华", "use link: invitation"),
        ]
    await app.state.database.close()


async def test_five_wrong_codes_end_a_link(office: FastAPI, database: Database, settings: Settings) -> None:
    admin = await as_role(office, database, settings, Role.ADMINISTRATOR)
    officer = await as_role(office, database, settings, Role.SECURITY)
    page = await admin.post(ACCOUNTS, 201, login="chenhua", name="陈华", roles=["dispatcher", "inspector"])
    key, path = await id_of(database, "陈华"), link_in(page)
    code = code_in(await officer.post(f"{ACCOUNTS}/{key}/approve", 200))
    wrong = "0" * 8 if code != "0" * 8 else "1" * 8
    async with browser(office) as person:
        for _ in range(5):
            await person.post(path, 422, password=GOOD, again=GOOD, code=wrong)
        await person.get(path, 410)
        await person.post(path, 410, password=GOOD, again=GOOD, code=code)
    # Another link is another thing to approve.
    assert "安全管理员批准后才能打开" in await admin.post(f"{ACCOUNTS}/{key}/link", 201)
    assert "启用账号的链接" in await officer.get(f"{ACCOUNTS}/{key}")
    assert await officer.post(f"{ACCOUNTS}/{key}/refuse") == f"{ACCOUNTS}/{key}?done=refused"
    await officer.post(f"{ACCOUNTS}/{key}/refuse", 409)


async def test_what_is_wrong_stands_beside_the_field(
    office: FastAPI, database: Database, settings: Settings
) -> None:
    admin = await as_role(office, database, settings, Role.ADMINISTRATOR, name="王敏")
    await account(database, Role.SECURITY)
    async with database.unit_of_work() as session:
        await directory.add_unit(session, "U-1", "水利局")
    page = await admin.post(ACCOUNTS, 422, login="W", name="王敏", roles=["supervisor"], units=["U-1", "U-9"])
    assert "没有代码为 U-9 的单位" in page
    assert page.count('value="U-9"') == 1
    assert re.search(r'value="supervisor" checked', page)
    page = await admin.post(ACCOUNTS, 422, login="W", name="陈华", roles=["supervisor"])
    assert "登录名须为 2 至 40 位" in page
    assert 'value="陈华"' in page
    assert "已有同名账号" in await admin.post(ACCOUNTS, 422, login="ww", name="王敏", roles=["supervisor"])
    assert "这个登录名已有人用" in await admin.post(
        ACCOUNTS, 422, login="security", name="陈华", roles=["supervisor"]
    )
    assert "至少选一个角色" in await admin.post(ACCOUNTS, 422, login="ww", name="陈华", roles=["king"])
    for roles in (["auditor", "supervisor"], ["security", "administrator"]):
        assert "三员分立：系统管理员、" in await admin.post(
            ACCOUNTS, 422, login="ww", name="陈华", roles=roles
        )
    page = await admin.post(ACCOUNTS, 422, login="ww", name="陈华", roles=["auditor"], units=["U-1"])
    assert "不分管辖范围" in page
    page = await admin.post(ACCOUNTS, 201, login="ww", name="陈华", roles=["supervisor"], units=["U-1", ""])
    assert "水利局（U-1）" in page


async def test_a_change_comes_into_force_when_it_is_approved(
    office: FastAPI, database: Database, settings: Settings
) -> None:
    admin = await as_role(office, database, settings, Role.ADMINISTRATOR)
    officer = await as_role(office, database, settings, Role.SECURITY)
    person = await as_role(office, database, settings, Role.DISPATCHER, name="陈华")
    key = await id_of(database, "陈华")
    await admin.post(f"{ACCOUNTS}/{key}/charge", roles="supervisor")
    await admin.post(f"{ACCOUNTS}/{key}/charge", roles="inspector")
    page = await person.get("/account")
    assert "总值班室" in page
    assert await officer.post(f"{ACCOUNTS}/{key}/approve") == f"{ACCOUNTS}/{key}?done=approved"
    # Whoever was signed in signs in anew, to what they may do now.
    assert (await person.client.get("/account")).status_code == 303
    page = await officer.get(f"{ACCOUNTS}/{key}")
    assert re.findall(r"<td>(检查员|督查|总值班室) · 全部单位</td>", page) == [
        "检查员",
        "检查员",
        "督查",
        "总值班室",
    ]


async def test_nobody_decides_on_themselves(office: FastAPI, database: Database, settings: Settings) -> None:
    admin = await as_role(office, database, settings, Role.ADMINISTRATOR, name="王敏")
    officer = await as_role(office, database, settings, Role.SECURITY, name="赵刚")
    other = await as_role(office, database, settings, Role.ADMINISTRATOR, name="孙丽")
    own, officers = await id_of(database, "王敏"), await id_of(database, "赵刚")
    assert "不能变更本人账号" in await admin.post(f"{ACCOUNTS}/{own}/charge", 422, roles="supervisor")
    for what in ("link", "close"):
        await admin.post(f"{ACCOUNTS}/{own}/{what}", 403)
    await other.post(f"{ACCOUNTS}/{officers}/charge", roles="supervisor")
    for what in ("approve", "refuse", "lock", "unlock"):
        await officer.post(f"{ACCOUNTS}/{officers}/{what}", 403)
    # Each try stands in the trail.
    assert ("王敏", "account.close", False) in await told(database, f"account:{own}")
    assert ("赵刚", "account.approve", False) in await told(database, f"account:{officers}")


async def test_the_last_officers_stay(office: FastAPI, database: Database, settings: Settings) -> None:
    admin = await as_role(office, database, settings, Role.ADMINISTRATOR, name="王敏")
    officer = await as_role(office, database, settings, Role.SECURITY, name="赵刚")
    first, last = await id_of(database, "王敏"), await id_of(database, "赵刚")
    assert "这是最后一个安全管理员" in await admin.post(f"{ACCOUNTS}/{last}/close", 409)
    assert "这是最后一个系统管理员" in await officer.post(f"{ACCOUNTS}/{first}/lock", 409)
    another = await signed_in(database, settings, Role.SECURITY, name="钱进")
    await admin.post(f"{ACCOUNTS}/{another.account_id}/close")
    await admin.post(f"{ACCOUNTS}/{another.account_id}/close", 409)
    await admin.post(f"{ACCOUNTS}/{last}/close", 409)


async def test_a_lock_holds_until_it_is_lifted(
    office: FastAPI, database: Database, settings: Settings
) -> None:
    admin = await as_role(office, database, settings, Role.ADMINISTRATOR)
    officer = await as_role(office, database, settings, Role.SECURITY)
    person = await as_role(office, database, settings, Role.DISPATCHER, name="陈华")
    key = await id_of(database, "陈华")
    await admin.post(f"{ACCOUNTS}/{key}/lock", 403)
    await officer.post(f"{ACCOUNTS}/{key}/lock")
    assert (await person.client.get("/account")).status_code == 303
    assert "已锁定" in await officer.get(f"{ACCOUNTS}/{key}")
    await officer.post(f"{ACCOUNTS}/{key}/unlock")
    assert "已锁定" not in await officer.get(f"{ACCOUNTS}/{key}")


async def test_a_closed_account_is_over(office: FastAPI, database: Database, settings: Settings) -> None:
    admin = await as_role(office, database, settings, Role.ADMINISTRATOR)
    await account(database, Role.SECURITY)
    person = await as_role(office, database, settings, Role.DISPATCHER, name="陈华")
    key = await id_of(database, "陈华")
    assert await admin.post(f"{ACCOUNTS}/{key}/close") == f"{ACCOUNTS}/{key}?done=closed"
    assert (await person.client.get("/account")).status_code == 303
    assert "已停用" in await admin.get(f"{ACCOUNTS}?wanted=closed")
    for what, status in (("link", 409), ("close", 409)):
        await admin.post(f"{ACCOUNTS}/{key}/{what}", status)
    assert "账号已停用" in await admin.post(f"{ACCOUNTS}/{key}/charge", 422, roles="supervisor")


async def test_one_officer_is_enough_where_duties_are_not_apart(
    database: Database, settings: Settings
) -> None:
    app = own_doors(settings.model_copy(update={"separate_duties": False}))
    admin = await as_role(app, database, settings, Role.ADMINISTRATOR, name="王敏")
    page = await admin.post(
        ACCOUNTS, 201, login="chenhua", name="陈华", roles=["administrator", "supervisor"]
    )
    async with browser(app) as person:
        path = link_in(page)
        await person.get(path)
        await person.post(path, password=GOOD, again=GOOD)
        assert "系统管理员" in await person.get("/account")
    key = await id_of(database, "陈华")
    for what in ("lock", "unlock"):
        await admin.post(f"{ACCOUNTS}/{key}/{what}")
    await admin.post(f"{ACCOUNTS}/{key}/charge", roles="dispatcher")
    own = await id_of(database, "王敏")
    assert "不能变更本人账号" in await admin.post(f"{ACCOUNTS}/{own}/charge", 422, roles="supervisor")
    await app.state.database.close()


async def test_the_list_is_read_in_pages(office: FastAPI, database: Database, settings: Settings) -> None:
    admin = await as_role(office, database, settings, Role.ADMINISTRATOR, name="王敏")
    async with database.unit_of_work() as session:
        for number in range(60):
            await people.create(session, f"duty-{number:02}", f"值班员{number:02}", {Role.DISPATCHER})
    first = await admin.get(ACCOUNTS)
    assert "duty-48" in first
    assert "duty-59" not in first
    after = re.search(r'href="(/system/accounts\?q=&amp;wanted=&amp;after=[\w-]+)"', first)
    assert after
    assert "duty-59" in await admin.get(after.group(1).replace("&amp;", "&"))
    only = await admin.get(f"{ACCOUNTS}?q=值班员07")
    assert only.count("/system/accounts/") == 2
    assert "没有这样的账号" in await admin.get(f"{ACCOUNTS}?q=%25")
    await admin.get(f"{ACCOUNTS}/999", 404)
    await admin.get(f"{ACCOUNTS}?after=nonsense", 422)


@pytest.mark.parametrize("role", [Role.DISPATCHER, Role.SUPERVISOR, Role.INSPECTOR, Role.AUDITOR])
async def test_others_see_no_accounts(
    office: FastAPI, database: Database, settings: Settings, role: Role
) -> None:
    one = await as_role(office, database, settings, role, name="陈华")
    await one.get(ACCOUNTS, 403)
    await one.post(ACCOUNTS, 403, login="x1", name="x", roles="security")
    assert (await one.client.get("/api/v1/accounts")).status_code == 403


async def test_names_are_words_and_no_markup(office: FastAPI, database: Database, settings: Settings) -> None:
    admin = await as_role(office, database, settings, Role.ADMINISTRATOR)
    evil = '<script>alert(1)</script>"><img src=x>'
    for status in (201, 422):
        page = await admin.post(ACCOUNTS, status, login="chenhua", name=evil, roles="security")
        assert "<script>alert" not in page
        assert "<img src=x>" not in page
    assert "<script>alert" not in await admin.get(ACCOUNTS)

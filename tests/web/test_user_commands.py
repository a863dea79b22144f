"""`dutyring user`: accounts by whoever owns the machine, and the link that `serve` prints."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from typing import Any

import httpx
import pytest

from app.commands.serve import first_link
from app.settings import DATABASE_FILE, Settings
from tests.web.apps import own_doors
from tests.web.browsing import GOOD
from tests.web.migrated import migrate
from tests.web.test_commands import Enter, entered

__all__ = ["entered"]


@pytest.fixture
def office(settings: Settings) -> Settings:
    """Settings on a migrated database without any account."""
    migrate(settings)
    return settings


def rows(settings: Settings, query: str, *values: Any) -> list[tuple[Any, ...]]:
    with sqlite3.connect(settings.data_dir / DATABASE_FILE) as connection:
        return connection.execute(query, values).fetchall()


def open_link(settings: Settings, path: str, **typed: str) -> int:
    """Take an account up by a link; return the status of the answer."""

    async def run() -> int:
        app = own_doors(settings)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            answer = await client.post(path, data={"password": GOOD, "again": GOOD} | typed)
        await app.state.database.close()
        return answer.status_code

    return asyncio.run(run())


def test_an_account_from_the_command_line_to_its_end(office: Settings, entered: Enter) -> None:
    none = entered(office, "user", "list")
    assert (none.returncode, "no account yet" in none.stdout) == (0, True)
    made = entered(office, "user", "add", "wangmin", "--name", "王敏", "--role", "administrator")
    assert (made.returncode, made.stderr) == (0, "")
    told, link = made.stdout.splitlines()
    assert told == "wangmin: the link works once, within 72 hours"
    assert link.startswith("http://127.0.0.1:8000/enter/")
    path = link.removeprefix("http://127.0.0.1:8000")
    assert open_link(office, path) == 303
    assert open_link(office, path) == 410

    arguments = ("--name", "陈华", "--role", "supervisor", "--role", "dispatcher", "--json")
    other = json.loads(entered(office, "user", "add", "chenhua", *arguments).stdout)
    assert (other["schema"], other["login"]) == ("dutyring.user-link/1", "chenhua")
    again = entered(office, "user", "link", "chenhua", "--address", "https://duty.example/")
    assert "\nhttps://duty.example/enter/" in again.stdout
    # Each link makes the ones before it worthless.
    assert open_link(office, "/" + other["link"].split("/", 3)[3]) == 410
    assert (
        open_link(office, "/" + again.stdout.strip().split("/", 5)[3] + "/" + again.stdout.strip()[-43:])
        == 303
    )

    assert entered(office, "user", "lock", "chenhua").stdout == "chenhua: locked\n"
    assert entered(office, "user", "unlock", "chenhua").stdout == "chenhua: unlocked\n"
    done = entered(office, "user", "role", "chenhua", "--role", "inspector")
    assert done.stdout == "chenhua: inspector\n"
    assert entered(office, "user", "close", "chenhua").stdout == "chenhua: closed\n"
    listed = json.loads(entered(office, "user", "list", "--json").stdout)
    assert [(row["login"], row["state"], row["roles"]) for row in listed["users"]] == [
        ("chenhua", "closed", []),
        ("wangmin", "active", ["administrator"]),
    ]
    assert "王敏" in entered(office, "user", "list").stdout
    trail = rows(office, "SELECT DISTINCT who FROM audit_events WHERE action LIKE 'account.%'")
    assert trail == [("local",)]
    assert not [text for (text,) in rows(office, "SELECT detail FROM audit_events") if link[-20:] in text]


WRONG = [
    (("add", "W M", "--name", "王敏", "--role", "auditor"), "'LOGIN': takes 2 to 40 small letters"),
    (("add", "wm", "--name", "local", "--role", "auditor"), "'--name': takes a person's name"),
    (("add", "wm", "--name", "王敏", "--role", "king"), "there is no role 'king'; it takes dispatcher,"),
    (
        ("add", "wm", "--name", "王敏", "--role", "auditor", "--role", "security"),
        "'--role': administrator,",
    ),
    (
        ("add", "wm", "--name", "王敏", "--role", "inspector", "--unit", "U9"),
        "'--unit': takes codes of units",
    ),
    (("add", "boss", "--name", "王敏", "--role", "auditor"), "'LOGIN': this login is taken"),
    (
        ("add", "wm", "--name", "王敏", "--role", "auditor", "--password", "x"),
        "No such option: --password",
    ),
    (("link", "nobody"), "there is no account 'nobody'"),
    (("close", "boss"), "it is the last administrator; appoint another one first"),
    (("role", "boss", "--role", "inspector"), "it is the last administrator"),
]


def test_what_cannot_be_is_said_in_one_line(office: Settings, entered: Enter) -> None:
    entered(office, "user", "add", "boss", "--name", "赵刚", "--role", "administrator")
    with sqlite3.connect(office.data_dir / DATABASE_FILE) as connection:
        connection.execute("UPDATE accounts SET state = 'active'")
    for arguments, told in WRONG:
        done = entered(office, "user", *arguments)
        assert (done.returncode, done.stdout) == (2, ""), arguments
        assert told in done.stderr, arguments
        assert done.stderr.count("\n") == 1, arguments


def test_the_first_link_is_made_anew_at_each_start(office: Settings) -> None:
    first, second = asyncio.run(first_link(office)), asyncio.run(first_link(office))
    assert first
    assert second
    assert first != second
    kept = str(rows(office, "SELECT * FROM one_time_links")) + str(rows(office, "SELECT * FROM audit_events"))
    assert first not in kept
    assert second not in kept
    who = {"login": "wangmin", "name": "王敏"}
    assert open_link(office, f"/enter/{first}", **who) == 410
    assert open_link(office, f"/enter/{second}", **who) == 303
    assert asyncio.run(first_link(office)) is None


def test_an_account_of_the_command_line_ends_the_first_link(office: Settings, entered: Enter) -> None:
    secret = asyncio.run(first_link(office))
    made = entered(office, "user", "add", "wangmin", "--name", "王敏", "--role", "administrator", "--json")
    assert open_link(office, "/" + json.loads(made.stdout)["link"].split("/", 3)[3]) == 303
    assert open_link(office, f"/enter/{secret}", login="other", name="陈华") == 410

"""Rule sets over the API and the command line: what there is, what is in force, what was put in force when."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from sqlalchemy import select

from app import clock
from app.accounts.models import AuditEvent
from app.checks.rules import Rules
from app.cli import main
from app.database import Database
from app.errors import BadInputError, ConflictError, NotFoundError
from app.rules import service
from app.rules.force import nothing_in_force
from app.rules.library import FOLDER, shipped
from app.rules.own import Own, parse_own
from app.settings import Settings
from tests.web.apps import make_app
from tests.web.migrated import migrate
from tests.web.orders import DOCUMENT, HOLIDAY, WHO

ACTOR = {"X-DutyRing-Actor": quote(WHO)}
GUYUAN = (FOLDER / "guyuan.toml").read_text(encoding="utf-8")
OWN_SET = GUYUAN.replace('key = "guyuan"', 'key = "yunxi"')


@pytest.fixture
async def client(either_settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    migrate(either_settings)
    given = either_settings.model_copy(update={"phone_process": False, "allowed_hosts": ("testserver",)})
    app = make_app(given)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver/api/v1") as opened:
        yield opened
    await app.state.database.close()


async def test_what_was_in_force_at_a_moment_is_kept_for_ever(either: Database) -> None:
    """Two activations: each moment finds its own, before the first nothing binds."""
    day = timedelta(days=1)
    sets = {rules.key: rules for rules in shipped()}
    async with either.unit_of_work() as session:
        for number, key in enumerate(("baoji-2022", "jinhu-2015")):
            with clock.running(lambda at=HOLIDAY + number * day: at):  # type: ignore[misc]
                await service.activate(session, sets[key], DOCUMENT, Own(), WHO, limits=Rules())
        with clock.running(lambda: HOLIDAY + 2 * day):
            own = parse_own({"points": {"no_answer": 2}})
            await service.activate(
                session, sets["guyuan"], DOCUMENT, own, WHO, limits=Rules(), from_at=HOLIDAY + 5 * day
            )
            with pytest.raises(BadInputError, match="from now on"):
                await service.activate(
                    session, sets["guyuan"], DOCUMENT, Own(), WHO, limits=Rules(), from_at=HOLIDAY
                )
    async with either.reading() as session:
        found = [await service.in_force(session, HOLIDAY + days * day) for days in (-1, 0, 0.5, 1, 4.9, 5)]
    assert found[0] == nothing_in_force()
    assert [rules.rules.key for rules in found[1:]] == [
        "baoji-2022", "baoji-2022", "jinhu-2015", "jinhu-2015", "guyuan",
    ]  # fmt: skip
    assert found[-1].own.points == {"no_answer": 2.0}
    assert all(rules.rules == sets[rules.rules.key] for rules in found)


async def test_sets_are_listed_added_once_and_put_in_force(client: httpx.AsyncClient) -> None:
    before = (await client.get("/rules/in-force")).json()
    assert (before["activation"], before["rules"]["key"]) == (None, "neutral")
    listed = (await client.get("/rule-sets", params={"limit": 4})).json()
    rest = (await client.get("/rule-sets", params={"limit": 4, "after": listed["next"]})).json()
    keys = [item["key"] for item in listed["items"] + rest["items"]]
    assert keys == sorted(rules.key for rules in shipped())
    assert rest["next"] is None

    answer = await client.post("/rule-sets/toml", content=OWN_SET.encode(), headers=TOML | ACTOR)
    assert (answer.status_code, answer.json()["shipped"]) == (201, False)
    sha = answer.json()["sha256"]
    content = answer.json()["content"]
    again = await client.post("/rule-sets", json=content, headers=ACTOR)
    assert (again.status_code, again.json()["sha256"]) == (200, sha)
    shown = (await client.get(f"/rule-sets/{sha[:12]}")).json()
    assert shown["content"]["schema"] == "dutyring.rules/1"
    assert shown["content"]["clauses"][0]["words"] == "及时接听值班电话"

    body = {"document": DOCUMENT, "own": {"points": {"no_answer": 2}, "limits": {"finding_s": 25}}}
    put = await client.post("/rule-sets/yunxi/activate", json=body, headers=ACTOR)
    assert put.status_code == 201, put.text
    after = (await client.get("/rules/in-force")).json()
    assert (after["activation"]["document"], after["limits"]["finding_s"]) == (DOCUMENT, 25.0)
    assert after["limits"]["basis"] == "折算口径"
    assert after["label"].startswith(f"yunxi/1@{sha[:12]}+")
    history = (await client.get("/rules/activations", params={"limit": 1})).json()
    assert [(item["key"], item["activated_by"]) for item in history["items"]] == [("yunxi", WHO)]

    changed = OWN_SET.replace("及时接听值班电话", "及时接听电话")
    await client.post("/rule-sets/toml", content=changed.encode(), headers=TOML | ACTOR)
    ambiguous = await client.post("/rule-sets/yunxi/activate", json=body, headers=ACTOR)
    assert (ambiguous.status_code, sha[:12] in ambiguous.json()["detail"]) == (409, True)


TOML = {"Content-Type": "application/toml"}
JSON = {"Content-Type": "application/json"}
WRONG = [
    ("post", "/rule-sets/toml", {"content": b"x", "headers": TOML}, 422),
    ("post", "/rule-sets/toml", {"content": b"\xff", "headers": TOML}, 422),
    ("post", "/rule-sets/toml", {"content": b"a = " + b"[" * 5_000, "headers": TOML}, 422),
    ("post", "/rule-sets/toml", {"content": b" " * 300_000, "headers": TOML}, 422),
    ("post", "/rule-sets", {"content": b'{"\\ud800": 1}', "headers": JSON}, 422),
    ("post", "/rule-sets", {"json": {"schema": "dutyring.rules/1", "key": "x"}}, 422),
    ("get", "/rule-sets/nope", {}, 404),
    ("get", "/rule-sets/%00", {}, 422),
    ("get", "/rule-sets", {"params": {"after": "x"}}, 422),
    ("get", "/rules/in-force", {"params": {"at": "0001-01-01T00:00:00Z"}}, 422),
    ("post", "/rule-sets/guyuan/activate", {"json": {}}, 422),
    ("post", "/rule-sets/guyuan/activate", {"json": {"document": " "}}, 422),
    ("post", "/rule-sets/guyuan/activate", {"json": {"document": "甲", "own": {"points": {"x": 1}}}}, 422),
    (
        "post",
        "/rule-sets/guyuan/activate",
        {"json": {"document": "甲", "own": {"limits": {"limit_s": 19}}}},
        422,
    ),
    (
        "post",
        "/rule-sets/guyuan/activate",
        {"json": {"document": "甲", "own": {"words": {"answer-in-time": {"article": "一", "words": "二"}}}}},
        422,
    ),
    (
        "post",
        "/rule-sets/guyuan/activate",
        {"json": {"document": "甲", "from_at": "2020-01-01T00:00:00+08:00"}},
        422,
    ),
    (
        "post",
        "/rules/compare",
        {"json": {"rule_set": "guyuan", "first": "2026-01-02", "last": "2026-01-01"}},
        422,
    ),
    (
        "post",
        "/rules/compare",
        {"json": {"rule_set": "guyuan", "first": "2026-01-01", "last": "2026-01-01", "unit": 9}},
        404,
    ),
    ("post", "/rules/trunk-music/correct", {"json": {"check_ids": []}}, 422),
    ("post", "/orders/1/mitigations", {"json": {"kind": "other", "at": "2026-01-01T00:00:00+08:00"}}, 404),
    ("get", "/orders/9223372036854775808/mitigations", {}, 422),
]


async def test_what_is_wrong_is_a_problem_and_nothing_is_stored(client: httpx.AsyncClient) -> None:
    for method, path, more, status in WRONG:
        given = dict(more)
        given["headers"] = ACTOR | dict(given.get("headers", {}))
        answer = await client.request(method, path, **given)
        assert answer.status_code == status, (path, str(more)[:200], answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == status
    nobody = {"X-DutyRing-Actor": ""}
    unnamed = await client.post("/rule-sets/guyuan/activate", json={"document": "甲"}, headers=nobody)
    assert unnamed.status_code == 401
    assert (await client.get("/rules/activations")).json()["items"] == []


async def test_the_same_content_is_one_row_and_a_step_is_on_record(database: Database) -> None:
    rules = next(rules for rules in shipped() if rules.key == "guyuan")
    async with database.unit_of_work() as session:
        first, new = await service.add(session, rules, WHO)
        second, again = await service.add(session, rules, WHO)
        assert (new, again, first.id) == (True, False, second.id)
        await service.activate(session, rules, DOCUMENT, Own(), WHO, limits=Rules())
        with pytest.raises(BadInputError, match="must be named"):
            await service.activate(session, rules, "  ", Own(), WHO, limits=Rules())
        with pytest.raises(NotFoundError):
            await service.find(session, "absent")
        changed = rules.model_copy(update={"version": "2"})
        await service.add(session, changed, WHO)
        with pytest.raises(ConflictError):
            await service.find(session, "guyuan")
        assert (await service.find(session, changed.sha256)).version == "2"
        rows = (await session.scalars(select(AuditEvent).order_by(AuditEvent.id))).all()
    assert [(row.action, row.who) for row in rows] == [
        ("rules_add", WHO), ("rules_activate", WHO), ("rules_add", WHO),
    ]  # fmt: skip
    assert DOCUMENT in rows[1].detail


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["rules", *arguments])
    told = capsys.readouterr()
    return int(ended.value.code or 0), told.out, told.err


def test_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from app.settings import get_settings

    monkeypatch.setenv("DUTYRING_DATA_DIR", str(tmp_path / "data"))
    get_settings.cache_clear()
    try:
        file, own = tmp_path / "yunxi.toml", tmp_path / "own.toml"
        file.write_text(OWN_SET, encoding="utf-8")
        own.write_text("[points]\nno_answer = 2\n", encoding="utf-8")
        assert run(capsys, "check", str(file))[0] == 0
        assert run(capsys, "add", str(file), "--by", WHO)[0] == 0
        status, out, _ = run(
            capsys, "activate", "yunxi", "--document", DOCUMENT, "--own", str(own), "--by", WHO
        )
        assert (status, DOCUMENT in out) == (0, True)
        listed = json.loads(run(capsys, "list", "--json")[1])
        assert [item["key"] for item in listed["rule_sets"] if item["in_force"]] == ["yunxi"]
        (entry,) = json.loads(run(capsys, "history", "--json")[1])["activations"]
        assert (entry["own"]["points"], entry["activated_by"]) == ({"no_answer": 2.0}, WHO)
        assert "及时接听值班电话" in run(capsys, "show", "yunxi")[1]
        days = ("--from", "2026-01-01", "--to", "2026-12-31")
        assert json.loads(run(capsys, "compare", "neutral", *days, "--json")[1])["compared"] == 0
        assert run(capsys, "trunk-music")[0] == 0

        file.write_text('schema = "x"\n', encoding="utf-8")
        status, _, err = run(capsys, "check", str(file))
        assert (status, "schema" in err, "key" in err) == (1, True, True)
        for arguments in (
            ("add", str(file)),
            ("add", str(tmp_path / "absent.toml")),
            ("activate", "yunxi"),
            ("activate", "absent", "--document", DOCUMENT),
            ("activate", "yunxi", "--document", DOCUMENT, "--from", "2020-01-01"),
            ("activate", "yunxi", "--document", DOCUMENT, "--own", str(file)),
            ("compare", "yunxi"),
            ("compare", "yunxi", *days, "--unit", "absent"),
            ("show", "absent"),
        ):
            status, _, err = run(capsys, *arguments)
            assert (status, err.count("\n")) == (2, 1), (arguments, err)
    finally:
        get_settings.cache_clear()

"""Reported number changes, exemptions and quarterly confirmation over their JSON."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from app import clock
from app.directory import repository
from app.settings import Settings
from tests.web.api import WHO, ask, client_of

NOW = datetime(2026, 9, 23, 15, 0, tzinfo=UTC)
"""23:00 of 23 September there: the quarter's last week begins an hour later."""
KEY = "0917-3269999"


class Hands:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.at = NOW

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def hands() -> Iterator[Hands]:
    clock_hands = Hands()
    with clock.running(clock_hands):
        yield clock_hands


@pytest.fixture
async def client(either_settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(either_settings) as opened:
        yield opened


async def unit(client: httpx.AsyncClient, code: str, **more: Any) -> Any:
    return await ask(client, "POST", "/units", 201, json={"code": code, "name": f"单位{code}", **more})


async def line(client: httpx.AsyncClient, owner: Any, number: str) -> Any:
    return await ask(client, "POST", f"/units/{owner['id']}/lines", 201, json={"number": number})


async def test_a_change_protects_from_its_receipt_until_it_is_entered(
    client: httpx.AsyncClient, hands: Hands
) -> None:
    owner, other = await unit(client, "A"), await unit(client, "B")
    duty, second = await line(client, owner, "3262000"), await line(client, owner, "3262001")
    received = NOW - timedelta(hours=2)
    body = {
        "unit_id": owner["id"],
        "line_id": duty["id"],
        "number": "3268888转9",
        "received_at": received.isoformat(),
    }
    change = await ask(client, "POST", "/number-changes", 201, json=body)
    assert datetime.fromisoformat(change["recorded_at"]) == NOW
    future = body | {"received_at": (NOW + timedelta(seconds=1)).isoformat()}
    await ask(client, "POST", "/number-changes", 422, json=future)
    await ask(client, "POST", "/number-changes", 422, json=body | {"unit_id": other["id"]})
    assert (await ask(client, "GET", f"/lines/{duty['id']}"))["target"] == "3262000"

    hands.at = NOW + timedelta(hours=1)
    entered = await ask(client, "POST", f"/number-changes/{change['id']}/enter", json={})
    assert (entered["outcome"], entered["entered_by"]) == ("entered", WHO)
    followed = await ask(client, "GET", f"/lines/{duty['id']}")
    assert (followed["number"], followed["target"], followed["verification"]) == (
        "3268888转9",
        "3268888转9",
        "pending",
    )
    again = await ask(client, "POST", f"/number-changes/{change['id']}/enter", 409, json={})
    assert "已录入" in again["detail"]

    async with client.app.state.database.reading() as session:  # type: ignore[attr-defined]

        async def pending(line_id: int, at: datetime) -> list[int]:
            return [row.id for row in await repository.changes_pending_at(session, owner["id"], line_id, at)]

        moments = (received - timedelta(seconds=1), received, hands.at - timedelta(seconds=1), hands.at)
        assert [await pending(duty["id"], at) for at in moments] == [[], [change["id"]], [change["id"]], []]
        assert await pending(second["id"], received) == []


async def test_a_further_line_a_line_given_up_and_a_change_that_was_none(
    client: httpx.AsyncClient, hands: Hands
) -> None:
    owner = await unit(client, "A")
    duty = await line(client, owner, "3262000")
    report = {"unit_id": owner["id"], "number": "3262002"}
    further = await ask(client, "POST", "/number-changes", 201, json=report)
    told = await ask(client, "POST", f"/number-changes/{further['id']}/enter", json={})
    assert told["line_id"] not in (None, duty["id"])
    ended = await ask(
        client, "POST", "/number-changes", 201, json=report | {"number": "", "line_id": duty["id"]}
    )
    await ask(client, "POST", "/number-changes", 422, json=report | {"number": ""})
    await ask(client, "POST", f"/number-changes/{ended['id']}/enter", json={})
    shown = await ask(client, "GET", f"/lines/{duty['id']}")
    assert (shown["active"], shown["number"]) == (False, "3262000")
    wrong = await ask(client, "POST", "/number-changes", 201, json=report | {"number": "119"})
    await ask(client, "POST", f"/number-changes/{wrong['id']}/enter", 422, json={})
    hands.at = NOW + timedelta(minutes=5)
    dismissed = await ask(client, "POST", f"/number-changes/{wrong['id']}/dismiss", json={"reason": "报错"})
    assert (dismissed["outcome"], dismissed["note"]) == ("dismissed", "报错")
    found = await ask(client, "GET", "/number-changes", outcome="pending", subtree=owner["id"])
    assert found["items"] == []
    assert len((await ask(client, "GET", "/number-changes", subtree=owner["id"]))["items"]) == 3
    async with client.app.state.database.reading() as session:  # type: ignore[attr-defined]
        held = [
            await repository.changes_pending_at(session, owner["id"], told["line_id"], at)
            for at in (NOW, hands.at)
        ]
    assert [[row.id for row in rows] for rows in held] == [[wrong["id"]], []]


async def test_exemptions_hold_between_their_moments(client: httpx.AsyncClient, hands: Hands) -> None:
    owner, other = await unit(client, "A"), await unit(client, "B")
    duty, second = await line(client, owner, "3262000"), await line(client, owner, "3262001")
    path = f"/units/{owner['id']}/exemptions"
    body = {"kind": "emergency", "first_at": NOW.isoformat(), "reason": "山洪应急处置中"}
    whole = await ask(client, "POST", path, 201, json=body)
    one = await ask(client, "POST", path, 201, json=body | {"kind": "maintenance", "line_id": duty["id"]})
    await ask(client, "POST", f"/units/{other['id']}/exemptions", 422, json=body | {"line_id": duty["id"]})
    await ask(client, "POST", path, 422, json=body | {"last_at": NOW.isoformat()})
    until = NOW + timedelta(hours=3)
    await ask(client, "PATCH", f"/unit-exemptions/{whole['id']}", json={"last_at": until.isoformat()})
    async with client.app.state.database.reading() as session:  # type: ignore[attr-defined]

        async def held(line_id: int, at: datetime) -> list[int]:
            found = await repository.unit_exemptions_at(session, owner["id"], line_id, at)
            return [row.id for row in found]

        assert await held(duty["id"], NOW) == [whole["id"], one["id"]]
        assert await held(second["id"], NOW) == [whole["id"]]
        assert await held(duty["id"], until) == [one["id"]]
        assert await held(second["id"], NOW - timedelta(seconds=1)) == []
    assert (await ask(client, "GET", "/unit-exemptions", subtree=other["id"]))["items"] == []
    listed = await ask(client, "GET", "/unit-exemptions", at=until.isoformat(), subtree=owner["id"])
    assert [row["id"] for row in listed["items"]] == [one["id"]]

    allowed = {"kind": "forwarding", "first_day": "2026-09-01", "reason": "夜间准予转移"}
    row = await ask(client, "POST", f"/lines/{duty['id']}/exemptions", 201, json=allowed)
    await ask(client, "PATCH", f"/line-exemptions/{row['id']}", 422, json={"last_day": "2026-08-31"})
    await ask(client, "PATCH", f"/line-exemptions/{row['id']}", json={"last_day": "2026-09-24"})
    for day, count in (("2026-09-24", 1), ("2026-09-25", 0)):
        assert len((await ask(client, "GET", "/line-exemptions", day=day))["items"]) == count


async def test_units_confirm_their_entries_each_quarter(client: httpx.AsyncClient, hands: Hands) -> None:
    first, _second = await unit(client, "A"), await unit(client, "B", first_day="2026-01-01")
    await unit(client, "C", last_day="2026-06-30")

    async def states(**more: Any) -> dict[str, str]:
        page = await ask(client, "GET", "/confirmations", **more)
        return {item["unit"]["code"]: item["state"] for item in page["items"]}

    assert await states() == {"A": "early", "B": "early"}
    hands.at = NOW + timedelta(hours=1)
    assert await states() == {"A": "due", "B": "due"}
    told = await ask(client, "POST", f"/units/{first['id']}/confirmations", 201, json={"note": "无变动"})
    assert (told["quarter"], told["state"], told["confirmed_by"]) == ("2026Q3", "confirmed", WHO)
    await ask(client, "POST", f"/units/{first['id']}/confirmations", 409, json={})
    await ask(client, "POST", f"/units/{first['id']}/confirmations", 422, json={"quarter": "2026Q4"})
    assert await states(confirmed=False) == {"B": "due"}
    hands.at = datetime(2026, 9, 30, 16, 0, tzinfo=UTC)
    assert await states(quarter="2026Q3") == {"A": "confirmed", "B": "overdue"}
    assert await states() == {"A": "early", "B": "early"}
    assert await states(quarter="2026Q2") == {"A": "overdue", "B": "overdue", "C": "overdue"}
    page = await ask(client, "GET", "/confirmations", quarter="2026Q3", limit=1)
    assert list(await states(quarter="2026Q3", after=page["next"])) == ["B"]


async def test_numbers_of_superior_offices_are_refused_and_not_repeated(
    settings: Settings, tmp_path: Path
) -> None:
    keys = tmp_path / "keys.txt"
    keys.write_text(f"{KEY}\n", encoding="utf-8")
    keyed = settings.model_copy(update={"answer_keys_file": keys})
    async with client_of(keyed) as client:
        owner = await unit(client, "A")
        for number in (KEY, "+869173269999", "09173269999转1"):
            answer = await client.post(f"/units/{owner['id']}/lines", json={"number": number})
            assert answer.status_code == 422
            assert "3269999" not in answer.text
    keyed = settings.model_copy(update={"answer_keys_file": tmp_path / "gone.txt"})
    async with client_of(keyed) as client:
        answer = await client.post(f"/units/{owner['id']}/lines", json={"number": "0917-3262000"})
        assert answer.status_code == 409

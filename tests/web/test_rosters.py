"""Rosters over their JSON: versions, who was on duty at a moment, deadlines, warnings, and the whereabouts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from sqlalchemy import select, text

from app import clock
from app.accounts.models import AuditEvent
from app.directory.models import UnitRegime
from app.planning.models import CalendarDay
from app.rosters.models import Whereabouts
from app.rosters.service import roster_at
from app.rosters.whereabouts import purge_expired
from app.settings import Settings
from tests.web.api import WHO, ask, client_of

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 9, 25, 4, 0, tzinfo=UTC)
PLACE = "赴省城参加防汛会议"


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


def local(text_: str) -> str:
    return datetime.fromisoformat(text_).replace(tzinfo=ZONE).isoformat()


def shift(name: str, start: str, end: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "start_at": local(start), "end_at": local(end), **more}


async def unit(client: httpx.AsyncClient, code: str, **more: Any) -> Any:
    return await ask(client, "POST", "/units", 201, json={"code": code, "name": f"单位{code}", **more})


async def file(
    client: httpx.AsyncClient,
    owner: Any,
    day: str,
    *shifts: Any,
    kind: str = "duty",
    status: int = 201,
    **more: Any,
) -> Any:
    body = {"day": day, "kind": kind, "shifts": list(shifts), **more}
    return await ask(client, "POST", f"/units/{owner['id']}/rosters", status, json=body)


async def test_the_roster_stands_as_it_was_known_and_later_changes_beside_it(
    client: httpx.AsyncClient, hands: Hands
) -> None:
    owner = await unit(client, "A")
    night = [
        shift("甲", "2026-10-01 08:00", "2026-10-01 20:00"),
        shift("乙", "2026-10-01 20:00", "2026-10-02 08:00"),
    ]
    await file(client, owner, "2026-10-01", *night, seen_version=0)
    leader = shift("王县长", "2026-10-01 00:00", "2026-10-02 00:00", phone="13900000000")
    await file(client, owner, "2026-10-01", leader, kind="leader")
    hands.at = datetime(2026, 10, 1, 19, 0, tzinfo=UTC)
    swapped = [night[0], shift("丙", "2026-10-01 20:00", "2026-10-02 08:00")]
    stale = await file(client, owner, "2026-10-01", *swapped, seen_version=0, status=409)
    assert stale["errors"][0]["where"] == "seen_version"
    second = await file(client, owner, "2026-10-01", *swapped, seen_version=1, note="乙临时出差，调班")
    assert second["version"] == 2

    async def names(at: str, as_of: str | None = None) -> tuple[list[str], list[str], list[list[str]]]:
        more = {} if as_of is None else {"as_of": local(as_of)}
        told = await ask(client, "GET", f"/units/{owner['id']}/roster-at", at=local(at), **more)
        later = [[each["name"] for each in version["shifts"]] for version in told["later"]]
        return [row["name"] for row in told["duty"]], [row["name"] for row in told["leaders"]], later

    assert await names("2026-10-01 19:59") == (["甲"], ["王县长"], [["甲"]])
    assert await names("2026-10-01 20:00") == (["乙"], ["王县长"], [["丙"]])
    assert await names("2026-10-02 02:59") == (["乙"], [], [["丙"]])
    assert await names("2026-10-02 03:00") == (["丙"], [], [])
    assert await names("2026-10-02 03:00", "2026-10-02 02:00") == (["乙"], [], [["丙"]])
    assert await names("2026-10-02 08:00") == ([], [], [])
    async with client.app.state.database.reading() as session:  # type: ignore[attr-defined]
        view = await roster_at(session, owner["id"], datetime(2026, 10, 1, 13, tzinfo=UTC))
        assert (view.version, view.filed_at["duty"]) == ({"duty": 1, "leader": 1}, NOW)
        assert "13900000000" not in str(view.to_dict())
        assert view.later[0].note == "乙临时出差，调班"
    listed = await ask(client, "GET", "/rosters", unit=owner["id"], kind="duty")
    assert [(row["version"], row["filed_by"]) for row in listed["items"]] == [(2, WHO), (1, WHO)]


async def test_a_roster_that_cannot_be_is_refused_and_named(client: httpx.AsyncClient, hands: Hands) -> None:
    owner = await unit(client, "B")
    good = shift("甲", "2026-10-01 08:00", "2026-10-01 20:00")
    for wrong, where in (
        (shift("甲", "2026-10-02 00:00", "2026-10-02 08:00"), "shifts[1].start_at"),
        (shift("乙", "2026-10-01 20:00", "2026-10-01 20:00"), "shifts[1].end_at"),
        (shift("乙", "2026-10-01 20:00", "2026-10-05 20:00"), "shifts[1].end_at"),
        (shift("甲", "2026-10-01 19:00", "2026-10-02 08:00"), "shifts[1].start_at"),
        (shift("乙", "2026-10-01 20:00", "2026-10-02 08:00", person_id=10**10), "shifts[1].person_id"),
    ):
        answer = await file(client, owner, "2026-10-01", good, wrong, status=422)
        assert answer["errors"][0]["where"] == where
    await file(client, owner, "2026-10-01", status=422)
    assert (await ask(client, "GET", "/rosters"))["items"] == []
    await file(client, owner, "2026-10-01", good)
    taken_back = await file(client, owner, "2026-10-01", seen_version=1)
    assert (taken_back["version"], taken_back["shifts"]) == (2, [])


async def test_late_and_missing_rosters_are_told_by_the_deadline(
    client: httpx.AsyncClient, hands: Hands
) -> None:
    punctual, late, silent = [await unit(client, code) for code in ("P", "Q", "R")]
    async with client.app.state.database.unit_of_work() as session:  # type: ignore[attr-defined]
        for owner in (punctual, late, silent):
            regime = UnitRegime(unit_id=owner["id"], first_day=date(2026, 1, 1), duty="onsite", leader="none")
            session.add(regime)
    days = ("2026-10-01", "2026-10-02")
    # Three days ahead: by the end of 28 September, 16:00 UTC.
    hands.at = datetime(2026, 9, 28, 15, 59, tzinfo=UTC)
    for day in days:
        await file(client, punctual, day, shift("甲", f"{day} 00:00", f"{day} 23:00"))
    hands.at = datetime(2026, 9, 28, 16, 0, tzinfo=UTC)
    for day in days:
        await file(client, late, day, shift("甲", f"{day} 00:00", f"{day} 23:00"))
        # A later version of a punctual roster makes it no later.
        await file(client, punctual, day, shift("乙", f"{day} 00:00", f"{day} 23:00"))

    async def told(**more: Any) -> dict[str, tuple[int, int, int]]:
        page = await ask(client, "GET", "/roster-filings", first=days[0], last=days[1], **more)
        return {
            item["unit"]["code"]: (len(item["missing"]), len(item["awaited"]), len(item["late"]))
            for item in page["items"]
        }

    assert await told() == {"P": (0, 0, 0), "Q": (0, 0, 1), "R": (1, 1, 0)}
    assert await told(together=True) == {"P": (0, 0, 0), "Q": (0, 0, 2), "R": (2, 0, 0)}
    assert await told(days_ahead=5) == {"P": (0, 0, 2), "Q": (0, 0, 2), "R": (2, 0, 0)}
    assert await told(kind="leader") == {"P": (0, 0, 0), "Q": (0, 0, 0), "R": (0, 0, 0)}
    page = await ask(client, "GET", "/roster-filings", first=days[0], last=days[0], limit=2)
    rest = await ask(client, "GET", "/roster-filings", first=days[0], last=days[0], after=page["next"])
    assert [item["unit"]["code"] for item in rest["items"]] == ["R"]
    await ask(client, "GET", "/roster-filings", 422, first="2026-01-01", last="2026-12-31")
    await ask(client, "GET", "/roster-filings", 422, first="2026-10-02", last="2026-10-01")


async def test_warnings_use_the_newest_rosters_people_and_calendar(
    client: httpx.AsyncClient, hands: Hands
) -> None:
    county, bureau = await unit(client, "C", category="county"), await unit(client, "D")
    hired = await ask(
        client,
        "POST",
        f"/units/{bureau['id']}/people",
        201,
        json={"name": "丁", "staffing": "contract", "role": "leader"},
    )
    async with client.app.state.database.unit_of_work() as session:  # type: ignore[attr-defined]
        day = CalendarDay(
            day=date(2026, 10, 1), kind="holiday", sensitive=True, source="entered", changed_at=NOW
        )
        session.add(day)
    leader = shift("王县长", "2026-10-01 00:00", "2026-10-02 00:00", phone="13911112222")
    for owner in (county, bureau):
        await file(client, owner, "2026-10-01", leader, kind="leader")
    await file(client, county, "2026-10-01", shift("甲", "2026-10-01 00:00", "2026-10-02 00:00"))
    await file(client, bureau, "2026-10-01", shift("戊", "2026-10-01 00:00", "2026-10-01 04:00"))
    for name in ("丁", "戊"):
        # The second version takes the hired man off again.
        whole = shift(
            name, "2026-10-01 00:00", "2026-10-02 00:00", person_id=hired["id"] if name == "丁" else None
        )
        await file(client, bureau, "2026-10-01", whole)
        found = await ask(client, "GET", "/roster-warnings", first="2026-10-01", last="2026-10-01")
        told = {item["unit"]["code"]: [each["code"] for each in item["warnings"]] for item in found["items"]}
        expected = ["ineligible_staff", "leader_two_units"] if name == "丁" else ["leader_two_units"]
        assert told == {"C": ["leader_two_units", "too_few_on_duty"], "D": expected}
    relaxed = {
        "first": "2026-10-01",
        "last": "2026-10-01",
        "least_on_sensitive_days": 1,
        "subtree": county["id"],
    }
    found = await ask(client, "GET", "/roster-warnings", **relaxed)
    assert [each["code"] for each in found["items"][0]["warnings"]] == ["leader_two_units"]


async def test_whereabouts_are_sealed_audited_and_expire(
    client: httpx.AsyncClient,
    hands: Hands,
    capsys: pytest.CaptureFixture[str],
) -> None:
    owner = await unit(client, "W")
    path = f"/units/{owner['id']}/whereabouts"
    body = {
        "name": "张县长",
        "first_at": local("2026-09-25 08:00"),
        "last_at": local("2026-09-26 18:00"),
        "place": PLACE,
    }
    row = await ask(client, "POST", path, 201, json=body)
    listed = await client.get(path)
    assert PLACE not in listed.text
    assert [item["name"] for item in listed.json()["items"]] == ["张县长"]
    answer = await client.get(f"/whereabouts/{row['id']}")
    assert answer.json()["place"] == PLACE
    assert "no-store" in answer.headers["cache-control"]
    unnamed = await client.get(f"/whereabouts/{row['id']}", headers={"X-DutyRing-Actor": ""})
    assert unnamed.status_code == 401
    database = client.app.state.database  # type: ignore[attr-defined]
    async with database.reading() as session:
        trail = (await session.scalars(select(AuditEvent).order_by(AuditEvent.id))).all()
        sealed = await session.scalar(select(Whereabouts.sealed_place))
        stored = (await session.execute(text("SELECT * FROM whereabouts"))).all()
    assert [(e.action, e.who) for e in trail if e.subject == f"whereabouts:{row['id']}"] == [
        ("whereabouts.enter", WHO),
        ("whereabouts.read", WHO),
    ]
    assert trail[-1].detail == f"张县长 of unit {owner['id']}"
    assert not any(PLACE in f"{event.action}{event.subject}{event.detail}" for event in trail)
    assert PLACE not in str(stored)
    assert PLACE not in capsys.readouterr().err

    # A place that was moved to another row opens nothing.
    other = await ask(client, "POST", path, 201, json=body | {"name": "李县长", "place": "在岗"})
    async with database.unit_of_work() as session:
        (await session.get(Whereabouts, other["id"])).sealed_place = sealed
    await ask(client, "GET", f"/whereabouts/{other['id']}", 409)
    await ask(client, "DELETE", f"/whereabouts/{other['id']}", 204)

    hands.at = datetime.fromisoformat(row["expires_at"])
    assert hands.at - datetime.fromisoformat(row["last_at"]) == timedelta(days=1)
    await ask(client, "GET", f"/whereabouts/{row['id']}", 404)
    assert (await ask(client, "GET", path))["items"] == []
    async with database.unit_of_work() as session:
        assert await purge_expired(session, hands.at - timedelta(seconds=1)) == 0
        assert await purge_expired(session, hands.at) == 1
    async with database.reading() as session:
        assert (await session.scalars(select(Whereabouts))).all() == []
    await ask(client, "POST", path, 422, json=body)

"""Scores count what was confirmed, and nothing before."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from app.rules.models import RuleActivation, StoredRuleSet
from app.settings import Settings
from tests.web.reviewing import LI, THURSDAY, Office, running

DAYS = {"first": "2026-11-01", "last": "2026-12-31"}


@pytest.fixture
async def office(settings: Settings) -> AsyncIterator[Office]:
    async with running(settings, units=3) as opened:
        yield opened


@pytest.fixture
async def on_either(either_settings: Settings) -> AsyncIterator[Office]:
    """An office on each kind of database, for what queries."""
    async with running(either_settings, units=3) as opened:
        yield opened


async def activate(
    office: Office, at: datetime, own: dict[str, Any], document: str = "某办〔2026〕1号"
) -> None:
    """Put rules with points of one's own in force."""
    async with office.database.unit_of_work() as session:
        stored = StoredRuleSet(
            key="neutral",
            version="1",
            title="中性",
            content={},
            sha256=f"{at.timestamp():064}",
            created_at=at,
        )
        session.add(stored)
        await session.flush()
        session.add(
            RuleActivation(
                rule_set_id=stored.id,
                document=document,
                own=own,
                from_at=at,
                activated_at=at,
                activated_by=LI,
            )
        )


async def score(office: Office, position: int = 0, **params: Any) -> dict[str, Any]:
    """The score of one unit."""
    answer = await office.get(f"/scores/{office.units[position]}", params={**DAYS, **params})
    (item,) = answer["items"]
    return item  # type: ignore[no-any-return]


async def test_only_confirmed_findings_of_closed_random_checks_count(on_either: Office) -> None:
    office = on_either
    for _ in range(3):
        await office.order(0)
    await office.order(0, code="our_side", rings=())
    await office.order(0, code="change_pending", rings=(None,))
    await office.order(0, kind="designated")
    await office.order(0, kind="verification")
    await office.order(0, kind="demo")
    case = await office.case(0)
    assert (await score(office))["n"] == 4

    def adverse(item: dict[str, Any]) -> tuple[Any, ...]:
        return item["n"], item["found"], item["rate"], item["by_code"], item["left_out"]

    nothing = (4, 0, 0.0, [], 2)
    assert adverse(await score(office)) == nothing
    await office.proposed(case)
    assert adverse(await score(office)) == nothing
    await office.post(f"/cases/{case}/notify", answer_to="值班科")
    assert adverse(await score(office)) == nothing
    await office.post(f"/cases/{case}/dispute", by="主任", grounds="停电")
    assert adverse(await score(office)) == nothing
    await office.post(f"/cases/{case}/uphold", LI, reason="不成立")
    found = (4, 1, 0.25, [{"code": "no_answer", "title_zh": "无人接听", "count": 1, "rate": 0.25}], 2)
    assert adverse(await score(office)) == found
    await office.post("/publications", expect=201, kind="table", title="表", case_ids=[case])
    assert adverse(await score(office)) == found
    await office.post(f"/cases/{case}/overturn", LI, cause="our_fault", reason="串线")
    # Our own fault takes the check itself out, too.
    assert adverse(await score(office)) == (3, 0, 0.0, [], 3)
    assert (await score(office))["points"] is None


async def test_findings_beside_the_random_checks_are_marked_and_outside_the_rate(office: Office) -> None:
    await activate(
        office, THURSDAY - timedelta(days=30), {"base": 100, "points": {"no_answer": 5, "off_post": 20}}
    )
    for _ in range(3):
        await office.order(0)
    await office.confirmed(await office.case(0, kind="designated"))
    visit, _ = await office.manual_case("on_site", "off_post")
    await office.confirmed(visit, code="off_post", without_recording="两人在场")
    item = await score(office)
    assert (item["n"], item["found"], item["rate"], item["by_code"]) == (3, 0, 0.0, [])
    assert [(row["code"], row["count"], row["rate"]) for row in item["designated"]] == [
        ("no_answer", 1, None)
    ]
    assert [(row["code"], row["title_zh"]) for row in item["manual"]] == [("off_post", "脱岗")]
    assert (item["points"], item["points_with_beside"]) == (100.0, 75.0)


async def test_findings_of_the_demonstration_count_nowhere(office: Office) -> None:
    for _ in range(3):
        await office.order(0)
    await office.confirmed(await office.case(0, kind="demo"))
    item = await score(office)
    assert (item["n"], item["found"], item["designated"], item["manual"]) == (3, 0, [], [])


async def test_too_few_checks_are_not_ranked(on_either: Office) -> None:
    office = on_either
    own = {"points": {"no_answer": 5}, "bands": [{"name": "优秀", "least": 90}]}
    await activate(office, THURSDAY - timedelta(days=30), own)
    for position, number in enumerate((2, 3, 4)):
        for _ in range(number):
            await office.order(position)
    await office.confirmed(await office.case(2))
    few = await score(office, 0)
    assert (few["n"], few["ranked"], few["points"], few["band"]) == (2, False, None, None)
    ranking = await office.get("/scores/ranking", params=DAYS)
    assert [(item["place"], item["unit"]["id"], item["points"]) for item in ranking["items"]] == [
        (1, office.units[1], 100.0), (2, office.units[2], 95.0),
    ]  # fmt: skip
    assert (ranking["by"], ranking["ranked"], ranking["unranked"]) == ("points", 2, 1)
    assert ranking["period"]["points_document"] == "某办〔2026〕1号"
    assert [item["band"] for item in ranking["items"]] == ["优秀", "优秀"]
    first = await office.get("/scores/ranking", params={**DAYS, "limit": 1})
    second = await office.get("/scores/ranking", params={**DAYS, "limit": 1, "after": first["next"]})
    assert [item["unit"]["id"] for item in second["items"]] == [office.units[2]]
    assert second["next"] is None


async def test_without_own_points_units_are_ranked_by_rate_and_share_places(on_either: Office) -> None:
    office = on_either
    for position in range(3):
        for _ in range(3):
            await office.order(position)
    await office.confirmed(await office.case(1))
    ranking = await office.get("/scores/ranking", params=DAYS)
    assert ranking["by"] == "rate"
    assert [(item["place"], item["unit"]["id"]) for item in ranking["items"]] == [
        (1, office.units[0]), (1, office.units[2]), (3, office.units[1]),
    ]  # fmt: skip


async def test_points_are_those_in_force_at_the_call(office: Office) -> None:
    await activate(office, THURSDAY - timedelta(days=30), {"base": 10, "points": {"no_answer": 4}})
    for _ in range(3):
        await office.order(0)
    before = await office.case(0)
    office.at += timedelta(days=2)
    await activate(office, office.at, {"base": 10, "points": {"no_answer": 9}}, "某办〔2026〕9号")
    after = await office.case(0)
    await office.confirmed(before)
    await office.confirmed(after)
    item = await score(office)
    assert (item["deducted"], item["points"]) == (13.0, 0.0), "a score ends at 0"
    early = await score(office, first="2026-11-01", last="2026-11-26")
    assert (early["n"], early["points"]) == (4, 6.0)


async def test_the_period_holds_its_first_and_last_day_in_our_zone(on_either: Office) -> None:
    office = on_either
    # 16:00 UTC is midnight in Shanghai.
    start = datetime.fromisoformat("2026-11-09T16:00:00+00:00")
    for at in (
        start - timedelta(seconds=1),
        start,
        start + timedelta(hours=24, seconds=-1),
        start + timedelta(hours=24),
    ):
        await office.order(0, at=at)
    assert (await score(office, first="2026-11-10", last="2026-11-10"))["n"] == 2


async def test_the_times_of_answers_tell_no_finding_before_it_is_confirmed(on_either: Office) -> None:
    office = on_either
    for ring_ms in (4_000.0, 11_000.0, 12_000.0):
        await office.order(0, rings=(ring_ms,))
    slow = await office.case(0, "slow_review", rings=(17_000.0,))
    late = await office.case(0, "overtime", rings=(25_000.0,))
    revoked = await office.case(0, "overtime", rings=(40_000.0,))
    await office.post(f"/cases/{revoked}/revoke", LI, cause="not_a_finding", reason="回铃音不同步")

    async def counts() -> list[int]:
        return [part["count"] for part in (await score(office))["ring_to_answer"]]

    assert await counts() == [1, 1, 1, 0, 0, 0]
    await office.confirmed(late, code="overtime")
    assert await counts() == [1, 1, 1, 0, 1, 0]
    await office.post(f"/cases/{slow}/revoke", LI, cause="not_a_finding", reason="在限内")
    assert await counts() == [1, 1, 1, 0, 1, 0]
    edges = [(part["from_s"], part["to_s"]) for part in (await score(office))["ring_to_answer"]]
    assert edges == [(0, 5), (5, 11), (11, 15), (15, 20), (20, 30), (30, None)]


async def test_scores_list_a_subtree_page_by_page(office: Office) -> None:
    (town,) = await office.add_units(1, parent=office.units[0])
    await office.order(3)
    answer = await office.get("/scores", params={**DAYS, "unit": office.units[0]})
    assert [(item["unit"]["id"], item["n"]) for item in answer["items"]] == [(office.units[0], 0), (town, 1)]
    assert [item["rate"] for item in answer["items"]] == [None, 0.0]
    keys: list[int] = []
    after: dict[str, str] = {}
    while True:
        answer = await office.get("/scores", params={**DAYS, "limit": 3, **after})
        keys += [item["unit"]["id"] for item in answer["items"]]
        if answer["next"] is None:
            break
        after = {"after": answer["next"]}
    assert keys == office.units
    assert (await office.get("/scores", params={**DAYS, "unit": 999}))["items"] == []


@pytest.mark.parametrize(
    "params",
    [
        {"first": "2026-02-01", "last": "2026-01-01"},
        {"first": "1980-01-01", "last": "2026-01-01"}, {**DAYS, "after": "x"}, {**DAYS, "unit": 0},
        {"first": "9999-12-31", "last": "9999-12-31"},
    ],
)  # fmt: skip
async def test_wrong_periods_are_named(settings: Settings, params: dict[str, Any]) -> None:
    async with running(settings) as office:
        for path in ("/scores", "/scores/ranking"):
            answer = await office.client.get(f"/api/v1{path}", params=params)
            assert answer.status_code == 422, answer.text
        assert (await office.client.get("/api/v1/scores/999", params=DAYS)).status_code == 404


async def test_without_days_a_score_is_of_this_year_so_far(settings: Settings) -> None:
    async with running(settings) as office:
        for params, days in (
            ({}, ("2026-01-01", "2026-11-26")),
            ({"first": "2026-03-01"}, ("2026-03-01", "2026-11-26")),
            ({"last": "2024-05-05"}, ("2024-01-01", "2024-05-05")),
            ({"first": "2027-03-01"}, ("2027-03-01", "2027-03-01")),
        ):
            period = (await office.get("/scores", params=params))["period"]
            assert (period["first"], period["last"]) == days

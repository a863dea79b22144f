"""人工补录 and the coverage of a year."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import httpx
from sqlalchemy import select

from app.checks.models import Attempt, SpotCheck
from app.database import Database
from app.directory.models import LineUnit
from app.planning import coverage
from app.reviews.models import Case
from app.settings import Settings
from tests.web.planning_office import api, enter_lines

ENTRY = {
    "unit_id": 1,
    "source": "on_site",
    "at": "2026-03-01T15:10:00+08:00",
    "made_by": "李四",
    "found": "值班室无人",
}


async def enter(client: httpx.AsyncClient, **changed: object) -> httpx.Response:
    return await client.post("/api/v1/manual-checks", json=ENTRY | changed)


async def test_a_check_by_hand_with_a_code_opens_a_case(either: Database, either_settings: Settings) -> None:
    await enter_lines(either, 2)
    async with api(either_settings, either) as client:
        plain = (await enter(client)).json()
        assert (plain["entered"], plain["code"], plain["case_id"]) == ("by hand", None, None)
        told = (await enter(client, code="off_post", document="县督〔2026〕3号")).json()
        assert (told["entered_by"], told["source"]) == ("clerk", "on_site")
        async with either.reading() as session:
            (case,) = await session.scalars(select(Case))
        assert (case.id, case.manual_id, case.check_id, case.unit_id) == (
            told["case_id"],
            told["id"],
            None,
            1,
        )
        assert case.proposal["schema"] == "dutyring.proposal/1"
        assert (case.proposal["title_zh"], case.proposal["clauses"]) == ("脱岗", [])
        assert "人工补录" in case.proposal["reasons"][0]
        assert "2026-03-01 15:10" in case.proposal["reasons"][0]
        found = (await client.get("/api/v1/manual-checks?unit=1&code=off_post")).json()["items"]
        assert [row["id"] for row in found] == [told["id"]]
        one = (await client.get(f"/api/v1/manual-checks/{told['id']}")).json()
        assert one["document"] == "县督〔2026〕3号"
        assert (await client.get("/api/v1/manual-checks/99")).status_code == 404


REFUSED: list[tuple[dict[str, object], int, str | None]] = [
    ({"code": "off_post", "source": "hand_dialled"}, 422, "code"),
    ({"code": "within"}, 422, "code"),
    ({"at": "2999-01-01T00:00:00+08:00"}, 422, "at"),
    ({"at": "2100-01-01T00:00:00+08:00"}, 422, "at"),
    ({"at": "2026-03-01T15:10:00"}, 422, "at"),
    ({"source": "telepathy"}, 422, "source"),
    ({"found": ""}, 422, "found"),
    ({"made_by": "a\x00b"}, 422, "made_by"),
    ({"line_id": 2}, 422, "line_id"),
    ({"line_id": 99}, 404, None),
    ({"unit_id": 99}, 404, None),
]


async def test_what_cannot_be_is_refused(database: Database, settings: Settings) -> None:
    await enter_lines(database, 2)
    async with api(settings, database) as client:
        for changed, status, where in REFUSED:
            answer = await enter(client, **changed)
            assert answer.status_code == status, changed
            if where is not None:
                assert any(where in fault["where"] for fault in answer.json()["errors"]), changed
        for source in ("on_site", "video", "superior", "admission"):
            assert (await enter(client, code="off_post", source=source)).status_code == 201
        assert len((await client.get("/api/v1/manual-checks")).json()["items"]) == 4


async def test_checks_by_hand_are_listed_by_pages_and_moments(
    either: Database, either_settings: Settings
) -> None:
    await enter_lines(either, 2)
    async with api(either_settings, either) as client:
        for day in (3, 1, 2, 2):
            await enter(client, at=f"2026-02-0{day}T08:00:00Z", unit_id=1 + day % 2)
        seen, after = [], ""
        while after is not None:
            page = (await client.get(f"/api/v1/manual-checks?limit=1{after and f'&after={after}'}")).json()
            seen += [row["id"] for row in page["items"]]
            after = page["next"]
        assert seen == [1, 4, 3, 2]
        some = await client.get("/api/v1/manual-checks?first=2026-02-02T00:00:00Z&last=2026-02-03T00:00:00Z")
        assert [row["id"] for row in some.json()["items"]] == [4, 3]


async def call(database: Database, line_id: int, at: datetime, code: str, kind: str = "random") -> None:
    async with database.unit_of_work() as session:
        check = SpotCheck(
            line_id=line_id, kind=kind, due_at=at, first_due_at=at, closed_at=at, state="done", created_at=at
        )
        session.add(check)
        await session.flush()
        session.add(
            Attempt(
                check_id=check.id, line_id=line_id, unit_id=line_id, target=f"sip:{line_id}@127.0.0.1:5062",
                state="finished", owner="test", claimed_at=at, verdict_code=code, needs_review=False,
            )
        )  # fmt: skip


async def test_coverage_counts_random_checks_that_say_something_of_the_unit(
    either: Database, either_settings: Settings
) -> None:
    await enter_lines(either, 5)
    may = datetime(2026, 5, 1, 3, 0, tzinfo=UTC)
    await call(either, 1, may, "within")
    await call(either, 1, may + timedelta(days=40), "no_answer")
    for code in ("our_side", "cancelled", "interrupted"):
        await call(either, 2, may, code)
    await call(either, 2, may, "within", "designated")
    await call(either, 2, may, "within", "verification")
    # New Year by local time, and the evening before it.
    await call(either, 3, datetime(2025, 12, 31, 16, 0, tzinfo=UTC), "within")
    await call(either, 4, datetime(2025, 12, 31, 15, 59, tzinfo=UTC), "within")
    async with either.unit_of_work() as session:
        # Unit 5 shares the duty room of unit 1 (综合值班室).
        session.add(LineUnit(line_id=1, unit_id=5))
    async with api(either_settings, either) as client:
        rows = (await client.get("/api/v1/coverage?year=2026")).json()["items"]
        assert [(row["code"], row["checks"], row["missing"]) for row in rows] == [
            ("U0001", 2, 0), ("U0002", 0, 1), ("U0003", 1, 0), ("U0004", 0, 1), ("U0005", 2, 0),
        ]  # fmt: skip
        assert rows[0]["days"] == ["2026-05-01", "2026-06-10"]
        short = (await client.get("/api/v1/coverage?year=2026&missing=true")).json()["items"]
        assert [row["code"] for row in short] == ["U0002", "U0004"]
        twice = (await client.get("/api/v1/coverage?year=2026&required=2&missing=false")).json()["items"]
        assert [row["code"] for row in twice] == ["U0001", "U0005"]
        paged, after = [], ""
        while after is not None:
            page = (
                await client.get(f"/api/v1/coverage?year=2026&limit=2{after and f'&after={after}'}")
            ).json()
            paged += page["items"]
            after = page["next"]
        assert paged == rows
        assert (await client.get("/api/v1/coverage/summary?year=2026")).json() == {
            "year": 2026, "required": 1, "units": 5, "covered": 3,
        }  # fmt: skip
        assert (await client.get("/api/v1/coverage?year=9999")).status_code == 422


async def test_units_of_other_years_are_not_to_be_covered(
    either: Database, either_settings: Settings
) -> None:
    (gone, _), (coming, _), (there, _) = await enter_lines(either, 3)
    async with either.unit_of_work() as session:
        for unit, first, last in (
            (gone, None, date(2025, 12, 31)),
            (coming, date(2027, 1, 1), None),
            (there, date(2026, 12, 31), None),
        ):
            row = await session.merge(unit)
            row.first_day, row.last_day = first, last
    async with either.reading() as session:
        rows = await coverage.page(session, 2026, 1, either_settings.zone)
    assert [row.code for row in rows] == ["U0003"]

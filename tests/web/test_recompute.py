"""Other rules only compare; later knowledge of our own trunk's music takes a 彩铃 away before it is confirmed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from app.checks import recompute, trunk_music
from app.checks.models import SpotCheck, StoredProposal
from app.database import Database
from app.errors import BadInputError, NotFoundError
from app.reviews.models import Case
from app.rules import service
from app.rules.force import RulesInForce
from app.rules.own import Own, parse_own
from app.samples.models import TrunkTune
from app.samples.tunes import store
from app.settings import Settings
from sip.progress.tunes import Tune
from tests.unit.test_progress_tunes import OTHER, SONG, tune
from tests.web.orders import (
    HOLIDAY,
    WHO,
    activate,
    add_line,
    behind_music,
    closed,
    missed,
    picked_up,
)

DAY = timedelta(days=1)
PERIOD = recompute.Asked(HOLIDAY - DAY, HOLIDAY + DAY)


async def _cases(database: Database) -> list[tuple[int | None, str, str]]:
    async with database.reading() as session:
        rows = await session.scalars(select(Case).order_by(Case.id))
        return [(case.check_id, case.code, case.state) for case in rows]


async def test_another_set_compares_and_touches_no_case(either: Database, settings: Settings) -> None:
    async with either.unit_of_work() as session:
        await activate(session, "baoji-2022")
        town, line = await add_line(session, 1, "town")
        await activate_other_units(session)
        _, elsewhere = await add_line(session, 2, "town")
        music, _ = await closed(session, line, [behind_music()], settings)
        twice, _ = await closed(session, line, [missed(), missed()], settings, HOLIDAY + timedelta(hours=2))
        await closed(session, line, [picked_up()], settings, HOLIDAY + timedelta(hours=3))
        await closed(session, elsewhere, [behind_music()], settings, HOLIDAY + timedelta(hours=4))
        await closed(session, line, [behind_music()], settings, HOLIDAY + 3 * DAY)
        jinhu = await service.find(session, "jinhu-2015")
    before = await _cases(either)
    rules = RulesInForce(jinhu, Own(), recompute.FOR_COMPARISON)
    asked = replace(PERIOD, unit_id=town.id, limit=2)
    async with either.reading() as session:
        first = await recompute.compare(session, rules, asked, settings)
        second = await recompute.compare(session, rules, replace(asked, after=first.next), settings)
    assert (first.compared, second.compared, second.next) == (2, 1, None)
    (difference,) = first.differences
    assert (difference.check_id, difference.code, difference.adverse) == (music.id, "crbt", True)
    assert (difference.other_code, difference.other_adverse) == ("crbt", False)
    assert first.changes == {"crbt -> crbt": 1, "no_answer -> no_answer": 1}
    async with either.unit_of_work() as session:
        assert await recompute.keep(session, first) == 2
    async with either.unit_of_work() as session:
        again = await recompute.compare(session, rules, asked, settings)
        assert await recompute.keep(session, again) == 0
        stored = await session.scalars(select(StoredProposal).where(StoredProposal.rule_set == first.label))
        assert sorted((row.check_id, row.in_force) for row in stored) == [
            (music.id, False), (twice.id, False),
        ]  # fmt: skip
        check = await session.get(SpotCheck, music.id)
        assert (check.code, check.adverse) == ("crbt", True)
    assert await _cases(either) == before


async def activate_other_units(session) -> None:
    """A unit of another subtree, called by nobody."""
    await add_line(session, 9, "county")


async def test_own_limits_are_compared_too_and_a_period_must_be_one(
    database: Database, settings: Settings
) -> None:
    async with database.unit_of_work() as session:
        await activate(session, "baoji-2022")
        _, line = await add_line(session, 1, "county")
        await closed(session, line, [picked_up(22_000.0)], settings)
        baoji = await service.find(session, "baoji-2022")
    mild = RulesInForce(baoji, parse_own({"limits": {"finding_s": 25}}), recompute.FOR_COMPARISON)
    async with database.reading() as session:
        found = await recompute.compare(session, mild, PERIOD, settings)
        (difference,) = found.differences
        assert (difference.code, difference.other_code) == ("overtime", "slow_review")
        with pytest.raises(BadInputError):
            await recompute.compare(session, mild, replace(PERIOD, until=PERIOD.first), settings)
        with pytest.raises(NotFoundError):
            await recompute.compare(session, mild, replace(PERIOD, unit_id=99), settings)


def _heard(given: Tune, unit_id: int, at: datetime) -> Tune:
    return Tune("main", f"unit:{unit_id}", given.prints, at.astimezone(UTC).timestamp())


async def test_music_of_our_trunk_takes_the_colour_ring_away_unless_a_person_decided(
    either: Database, settings: Settings
) -> None:
    """Four units behind our trunk's music, a fifth with a tune of its own; the facts of the first two call it 彩铃."""
    ended = {}
    async with either.unit_of_work() as session:
        await activate(session, "baoji-2022")
        orders = {}
        for number, wave in enumerate((SONG, SONG, SONG, OTHER), 1):
            unit, line = await add_line(session, number, "county")
            alarms = ("trunk_music",) if number == 3 else ()
            record = behind_music(24_000.0 if number == 2 else 9_500.0, alarms=alarms, timeline=())
            at = HOLIDAY + timedelta(hours=number)
            orders[number], _ = await closed(session, line, [record], settings, at, trunk="main")
            ended[number] = at + timedelta(milliseconds=record.ended_ms)
            await store(session, [_heard(tune(wave, str(number), 13 * number), unit.id, ended[number])])
        seen = (
            await session.scalars(select(Case).where(Case.check_id == orders[2].id, Case.code == "crbt"))
        ).one()
        seen.state = "proposed"
    first, second, third, fourth = (orders[number].id for number in range(1, 5))
    async with either.reading() as session:
        offered = await trunk_music.corrections(session, settings)
    assert [(item.check_id, item.code, item.new_code) for item in offered] == [
        (first, "crbt", "within"),
        (second, "crbt", "unmeasured"),
    ]
    assert [(len(item.revocable), len(item.by_hand)) for item in offered] == [(1, 0), (1, 1)]
    async with either.unit_of_work() as session:
        done = await trunk_music.correct(session, settings, WHO, [first, second, third, fourth])
        assert [item.check_id for item in done] == [first, second]
    assert await _cases(either) == [
        (first, "crbt", "revoked"),
        (second, "crbt", "proposed"),
        (second, "overtime", "revoked"),
        (fourth, "crbt", "to_review"),
        (second, "unmeasured", "to_review"),
    ]
    async with either.unit_of_work() as session:
        assert await trunk_music.corrections(session, settings) == ()
        check = await session.get(SpotCheck, first)
        assert (check.code, check.adverse) == ("within", False)
        rows = await session.scalars(
            select(StoredProposal).where(StoredProposal.check_id == first).order_by(StoredProposal.id)
        )
        assert [(row.code, row.in_force) for row in rows] == [("crbt", False), ("within", True)]
        assert await session.scalar(select(func.count()).select_from(TrunkTune)) == 4

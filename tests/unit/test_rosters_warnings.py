"""Warnings over rosters: a pure function over turns, regimes and days."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.planning.calendar import CalendarBook, DayInfo
from app.rosters.warnings import (
    WARNING_CODES,
    RosterRules,
    RosterWarning,
    Turn,
    UnitRosters,
    same_person,
    warnings_of,
)

ZONE = ZoneInfo("Asia/Shanghai")
DAY = date(2026, 10, 1)
ONE_DAY = (DAY, DAY)
PLAIN = CalendarBook({DAY: DayInfo(DAY, "holiday", known=True)})
SENSITIVE = CalendarBook({DAY: DayInfo(DAY, "holiday", sensitive=True, known=True)})


def at(hour: float, day: date = DAY) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=ZONE) + timedelta(hours=hour)


def turn(name: str, start: float, end: float, kind: str = "duty", **more: object) -> Turn:
    return replace(Turn(1, kind, name, at(start), at(end)), **more)  # type: ignore[arg-type]


def unit(*turns: Turn, category: str = "county", **more: object) -> UnitRosters:
    filed = frozenset((each.start_at.astimezone(ZONE).date(), each.kind) for each in turns)
    return replace(UnitRosters(1, category, turns, filed), **more)  # type: ignore[arg-type]


def told(
    of: UnitRosters,
    *elsewhere: Turn,
    book: CalendarBook = PLAIN,
    period: tuple[date, date] = ONE_DAY,
    rules: RosterRules | None = None,
) -> list[RosterWarning]:
    return list(warnings_of([of], elsewhere, period, book, ZONE, rules))


def codes(found: list[RosterWarning]) -> list[str]:
    return sorted(warning.code for warning in found)


WHOLE_DAY = (turn("甲", 0, 8), turn("乙", 8, 16), turn("丙", 16, 24))


def test_three_turns_that_hold_the_day_are_in_order() -> None:
    assert told(unit(*WHOLE_DAY)) == []
    assert told(unit(turn("甲", -6, 8, person_id=1), turn("乙", 8, 24 + 8))) == []


@pytest.mark.parametrize(
    ("turns", "spans"),
    [
        ((turn("甲", 0, 8), turn("乙", 9, 24)), ["08:00-09:00"]),
        ((turn("甲", 8, 24),), ["00:00-08:00"]),
        ((turn("甲", 0, 12.5),), ["12:30-24:00"]),
        ((turn("甲", 1, 11), turn("乙", 12, 22)), ["00:00-01:00", "11:00-12:00", "22:00-24:00"]),
    ],
)
def test_gaps_of_the_day_are_named(turns: tuple[Turn, ...], spans: list[str]) -> None:
    found = told(unit(*turns))
    assert [warning.message for warning in found] == [f"值班表 {span} 无人" for span in spans]


def test_a_day_for_which_nothing_was_filed_has_no_gap() -> None:
    assert told(unit(turn("甲", -24, 8))) == []


def test_turns_that_cross_are_told_and_turns_that_stand_together_are_not() -> None:
    crossing = told(unit(turn("甲", 0, 14), turn("乙", 12, 24)))
    assert [(w.code, w.names) for w in crossing] == [("overlap", ("甲", "乙"))]
    assert "12:00-14:00" in crossing[0].message
    assert told(unit(turn("甲", 0, 24), turn("乙", 0, 24), turn("丙", 8, 20))) == []


def test_a_short_turn_is_told_by_the_limit_of_the_rules() -> None:
    short = unit(turn("甲", 0, 7.5), turn("乙", 7.5, 24))
    assert codes(told(short)) == ["short_shift"]
    assert told(short, rules=RosterRules(least_shift=timedelta(hours=7))) == []


@pytest.mark.parametrize("staffing", ["contract", "rehired", "intern", "worker"])
def test_ineligible_staff_are_told(staffing: str) -> None:
    found = told(unit(turn("甲", 0, 24, staffing=staffing)))
    assert codes(found) == ["ineligible_staff"]
    for lawful in ("established", "unknown"):
        assert told(unit(turn("甲", 0, 24, staffing=lawful))) == []


def test_sensitive_days_need_two_by_the_category() -> None:
    staffed = unit(turn("甲", 0, 24), turn("乙", 0, 8), turn("丙", 8, 18))
    found = told(staffed, book=SENSITIVE)
    assert [(w.code, w.message) for w in found] == [("too_few_on_duty", "重要时段 18:00-24:00 在岗不足 2 人")]
    assert told(staffed, book=PLAIN) == []
    assert told(replace(staffed, category="town"), book=SENSITIVE) == []
    town = RosterRules(least_on_sensitive_days={"town": 3})
    assert codes(told(replace(staffed, category="town"), book=SENSITIVE, rules=town)) == ["too_few_on_duty"]
    same_twice = unit(turn("甲", 0, 24), turn("甲", 0, 24))
    assert codes(told(same_twice, book=SENSITIVE)) == ["too_few_on_duty"]


def test_two_leaders_are_on_where_the_regime_asks_for_two() -> None:
    one = unit(turn("甲", 0, 24, "leader"), double_days=frozenset([DAY]))
    assert codes(told(one)) == ["too_few_leaders"]
    two = replace(one, turns=(*one.turns, turn("乙", 0, 24, "leader")))
    assert told(two) == []


def test_one_leader_of_two_units_is_told_as_certainly_as_it_is_known() -> None:
    mine = turn("王县长", 0, 24, "leader", phone="139 1111 2222", person_id=1)
    theirs = turn("王县长", 8, 20, "leader", unit_id=2, person_id=9)
    for phone, outcome in (("13911112222", True), ("", False), ("13800000000", None)):
        found = told(unit(mine), replace(theirs, phone=phone))
        assert [warning.certain for warning in found] == ([] if outcome is None else [outcome]), phone
        assert codes(found) == ([] if outcome is None else ["leader_two_units"])
    assert told(unit(mine), replace(theirs, start_at=at(24), end_at=at(30))) == []
    assert told(unit(mine), replace(theirs, kind="duty", phone="")) == []
    assert "请核对" in told(unit(mine), theirs)[0].message


def test_nobody_keeps_duty_and_leads_at_once() -> None:
    both = unit(turn("甲", 0, 24), turn("甲", 8, 20, "leader"), turn("乙", 0, 24, "leader"))
    assert codes(told(both)) == ["duty_and_leader"]
    apart = unit(
        turn("甲", 0, 12), turn("丙", 12, 24), turn("乙", 0, 12, "leader"), turn("甲", 12, 24, "leader")
    )
    assert told(apart) == []
    elsewhere = turn("甲", 6, 9, "leader", unit_id=5, phone="1")
    found = told(unit(turn("甲", 0, 24, phone="1")), elsewhere)
    assert [(warning.code, warning.certain) for warning in found] == [("duty_and_leader", True)]
    namesakes = unit(turn("甲", 0, 24, person_id=1), turn("甲", 0, 24, "leader", person_id=2))
    assert told(namesakes) == []


def test_few_duties_are_counted_over_whole_months() -> None:
    month = (date(2026, 10, 1), date(2026, 11, 30))
    officers = ((7, "甲", None, None), (8, "乙", None, None), (9, "丙", date(2026, 11, 1), None))
    turns = [turn("甲", 0, 24, person_id=7), turn("甲", 24, 48, person_id=7), turn("乙", 48, 72, person_id=8)]
    november = [
        replace(turn("丙", 0, 24), start_at=at(0, date(2026, 11, n)), end_at=at(24, date(2026, 11, n)))
        for n in (3, 9)
    ]
    of = unit(*turns, *november, officers=officers)
    october = told(of, period=(date(2026, 10, 1), date(2026, 10, 31)))
    assert [w.names for w in october if w.code == "few_duties"] == [("乙",)]
    both = [w for w in told(of, period=month) if w.code == "few_duties"]
    assert [w.names for w in both] == [("甲",), ("乙",)]
    assert "2 个月值班 2 次" in both[0].message
    assert told(of, period=(date(2026, 10, 2), date(2026, 10, 31)), rules=RosterRules()) == []


HOURS = st.integers(-30, 50)


@st.composite
def some_turns(draw: st.DrawFn) -> list[Turn]:
    found = []
    for name in draw(st.lists(st.sampled_from("甲乙丙丁"), max_size=6)):
        start = draw(HOURS)
        found.append(
            turn(name, start, start + draw(st.integers(1, 72)), draw(st.sampled_from(["duty", "leader"])))
        )
    return found


@settings(max_examples=60, deadline=None)
@given(some_turns())
def test_gaps_are_exactly_the_hours_that_nobody_holds(turns: list[Turn]) -> None:
    found = told(unit(*turns, filed=frozenset([(DAY, "duty")])), rules=RosterRules(least_shift=timedelta(0)))
    assert {warning.code for warning in found} <= WARNING_CODES.keys()
    open_hours = {
        hour
        for hour in range(24)
        if not any(each.kind == "duty" and each.start_at <= at(hour) < each.end_at for each in turns)
    }
    told_hours: set[int] = set()
    for warning in found:
        if warning.code == "gap":
            start, _, end = warning.message.split(" ")[1].partition("-")
            told_hours |= set(range(int(start[:2]), int(end[:2])))
    assert told_hours == open_hours


@given(some_turns())
@settings(max_examples=30, deadline=None)
def test_being_the_same_person_is_mutual(turns: list[Turn]) -> None:
    for one in turns:
        assert same_person(one, one) is True
        for other in turns:
            assert same_person(one, other) == same_person(other, one)

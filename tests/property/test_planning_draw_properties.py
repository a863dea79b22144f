"""Any plan, calendar and caps give a draw that keeps all of it, or a contradiction that is true."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.planning.calendar import CalendarBook, DayInfo
from app.planning.draw import DrawInputs, NotDrawableError, contradictions, draw
from app.planning.models import DAY_KINDS
from app.planning.spec import PlanSpec
from app.planning.windows import DrawMoment, LineFacts, UnitFacts
from tests.property.planning_checker import ZONE, World, faults, missing, period_start, possible

FIRST_DAYS = [date(2026, 12, 29), date(2026, 2, 26), date(2026, 6, 4), date(2026, 8, 30)]
HALF_HOURS = [f"{minute // 60:02}:{minute % 60:02}" for minute in range(0, 24 * 60, 30)]
seeds = st.binary(min_size=32, max_size=32)


@st.composite
def windows(draw_: st.DrawFn) -> dict[str, str]:
    start, end = draw_(st.lists(st.sampled_from(HALF_HOURS), min_size=2, max_size=2, unique=True))
    return {"start": start, "end": end}


@st.composite
def specs(draw_: st.DrawFn) -> PlanSpec:
    first = draw_(st.sampled_from(FIRST_DAYS))
    calls = draw_(st.integers(0, 2))
    kinds = st.sampled_from(["workday", "weekend", "holiday", "lieu_day", "sensitive"])
    content: dict[str, Any] = {
        "first_day": first,
        "last_day": first + timedelta(days=draw_(st.integers(0, 5))),
        "period": draw_(st.sampled_from(["week", "month", "quarter", "year", "whole"])),
        "windows": {
            **draw_(st.dictionaries(kinds, st.lists(windows(), max_size=2), max_size=2)),
            "workday": draw_(st.lists(windows(), min_size=1, max_size=2)),
        },
        "calls_per_unit": calls,
        "extra_per_unit": draw_(st.sampled_from([0.1, 0.5, 3.0])),
        "most_per_unit": draw_(st.none() | st.integers(max(1, calls), calls + 1)),
        "yearly_coverage": draw_(st.integers(0, 2)),
        "caps": {
            "line_day": draw_(st.integers(1, 2)),
            "line_week": draw_(st.integers(1, 3)),
            "least_gap_h": draw_(st.sampled_from([0.5, 2.0, 12.0, 30.0])),
        },
    }
    return PlanSpec.model_validate(content)


@st.composite
def books(draw_: st.DrawFn, spec: PlanSpec) -> CalendarBook:
    days = [spec.first_day + timedelta(days=n) for n in range((spec.last_day - spec.first_day).days + 1)]
    chosen = draw_(st.dictionaries(st.sampled_from(days), st.sampled_from(DAY_KINDS), max_size=3))
    return CalendarBook.of(DayInfo(day, kind, draw_(st.booleans()), "", True) for day, kind in chosen.items())


@st.composite
def worlds(draw_: st.DrawFn, units: int, lines: int) -> World:
    spec = draw_(specs())
    start = datetime.combine(spec.first_day, time(), ZONE)
    minutes = st.integers(-3 * 1440, 6 * 1440).map(lambda n: start + timedelta(minutes=30 * (n // 30)))
    from_at = start + timedelta(hours=draw_(st.sampled_from([0, 0, 30])))
    made = []
    for unit in range(1, draw_(st.integers(1, units)) + 1):
        own = range(draw_(st.integers(0 if lines > 1 else 1, lines)))
        hours = st.integers(1, 40).map(lambda n: timedelta(hours=n))
        closed = [(at, at + draw_(hours)) for at in draw_(st.lists(minutes, max_size=1))]
        facts = [LineFacts(10 * unit + n, draw_(st.lists(minutes, max_size=2)), closed) for n in own]
        done = draw_(st.lists(st.just(int(start.timestamp())), max_size=1))
        handovers = draw_(st.lists(st.sampled_from([0, 480, 1080, 1430]), max_size=2))
        made.append(UnitFacts(unit, facts, handovers, draw_(st.sampled_from([0.0, 1.0, 2.5])), done))
    moment = DrawMoment(draw_(st.integers(0, 3)), from_at, draw_(st.booleans()))
    return World(spec, made, draw_(books(spec)), moment)


slow = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@slow
@given(worlds(units=3, lines=2), seeds)
def test_a_draw_keeps_the_plan_or_says_what_it_cannot(world: World, seed: bytes) -> None:
    inputs = world.inputs()
    named = contradictions(inputs)
    if named:
        with pytest.raises(NotDrawableError) as refused:
            draw(seed, inputs)
        assert refused.value.contradictions == named
        return
    slots = draw(seed, inputs)
    assert faults(world, slots) == []
    assert [slot.slot for slot in slots] == list(range(len(slots)))
    assert draw(seed, DrawInputs.from_json(inputs.to_json())) == slots


@slow
@given(worlds(units=1, lines=2))
def test_what_is_named_is_true_and_all_that_there_is(world: World) -> None:
    assert (contradictions(world.inputs()) == ()) == possible(world, world.units[0])


@slow
@given(worlds(units=5, lines=2))
def test_units_that_stand_alike_are_told_as_each_alone(world: World) -> None:
    """Unlike checks of the days before may come to the same (`OpenTime.bearing`): never where they do not."""
    inputs = world.inputs()
    alone = [each for unit in inputs.units for each in contradictions(replace(inputs, units=(unit,)))]
    assert list(contradictions(inputs)) == alone


@slow
@given(worlds(units=2, lines=2), seeds)
def test_with_best_effort_only_what_was_named_is_missing(world: World, seed: bytes) -> None:
    assert world.moment is not None
    moment = DrawMoment(world.moment.epoch, world.moment.from_at, world.moment.night_approved, True)
    world = World(world.spec, world.units, world.book, moment)
    inputs = world.inputs()
    named = {
        missing(
            each.unit_id,
            each.label if each.span == "year" else period_start(world.spec, date.fromisoformat(each.label)),
        )
        for each in contradictions(inputs)
    }
    assert set(faults(world, draw(seed, inputs))) <= named

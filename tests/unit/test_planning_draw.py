"""The draw: its generator, its inputs, open time, and that nothing but seed and inputs decides."""

from __future__ import annotations

import hashlib
import hmac
import json
import math
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.planning.calendar import CalendarBook, DayInfo
from app.planning.draw import (
    DrawInputs,
    DrawInputsError,
    NotDrawableError,
    commitment,
    contradictions,
    draw,
    expected_load,
)
from app.planning.draw_random import Dice
from app.planning.draw_units import Board
from app.planning.spec import PlanSpec
from app.planning.windows import DrawMoment, LineFacts, UnitFacts, build_inputs, joined, pieces_of
from tests.property.planning_checker import ZONE, World, faults

SEED = bytes(range(32))
GOLDEN_CROWDED = "cbc1c37f59085d2c0439d500796595d56887439355827c11042550f1b8959cd0"
GOLDEN = "ded861ea83327d8f31599856ed85e948966f2d43e73253fb3cf55888561a48a2"
MORNING = [{"start": "08:00", "end": "12:00"}]
EVERY_DAY = {"workday": MORNING, "weekend": MORNING}


def spec(**members: Any) -> PlanSpec:
    given = {"first_day": date(2026, 3, 2), "last_day": date(2026, 3, 29), "windows": EVERY_DAY, **members}
    return PlanSpec.model_validate(given)


def seconds(*moments: datetime) -> list[int]:
    return [int(at.timestamp()) for at in moments]


def world(plan: PlanSpec, *units: UnitFacts, moment: DrawMoment | None = None) -> World:
    return World(
        plan, units or [UnitFacts(n, [LineFacts(n)], (480, 1080)) for n in range(1, 9)], moment=moment
    )


# --- chance ---


def test_chance_is_hmac_over_epoch_and_counter() -> None:
    """Anybody can write this down anew; here it is done once."""
    dice = Dice(SEED, 7)
    block = hmac.new(SEED, b"7|0", hashlib.sha256).digest() + hmac.new(SEED, b"7|1", hashlib.sha256).digest()
    assert [dice.word() for _ in range(8)] == [
        int.from_bytes(block[place : place + 8], "big") for place in range(0, 64, 8)
    ]
    with pytest.raises(ValueError, match="31 bytes"):
        Dice(SEED[:31], 0)


def test_small_numbers_are_not_favoured() -> None:
    """Of three numbers that do not divide 2^64; and rejection is seen at work where it is likely."""
    dice = Dice(SEED, 0)
    counts = Counter(dice.below(3) for _ in range(30_000))
    assert sorted(counts) == [0, 1, 2]
    assert all(abs(count - 10_000) < 4 * math.sqrt(30_000 * 2 / 9) for count in counts.values())
    large = (1 << 63) + 1
    dice, plain = Dice(SEED, 0), Dice(SEED, 0)
    words = [plain.word() for _ in range(64)]
    assert [dice.below(large) for _ in range(20)] == [word for word in words if word < large][:20]


@pytest.mark.parametrize("mean", [(1, 2), (3, 1), (25, 1)])
def test_poisson_numbers_have_their_mean_and_spread(mean: tuple[int, int]) -> None:
    dice, wanted = Dice(SEED, 1), mean[0] / mean[1]
    found = [dice.poisson(*mean) for _ in range(8_000)]
    average = sum(found) / len(found)
    spread = sum((number - average) ** 2 for number in found) / len(found)
    assert abs(average - wanted) < 4 * math.sqrt(wanted / len(found))
    assert abs(spread / wanted - 1) < 4 * math.sqrt((2 + 1 / wanted) / len(found))
    nothing = sum(number == 0 for number in found) / len(found)
    chance = math.exp(-wanted)
    assert abs(nothing - chance) <= 4 * math.sqrt(chance / len(found))


# --- open time ---


@pytest.mark.parametrize("zone", [ZONE, ZoneInfo("Europe/Berlin")])
def test_pieces_hold_the_minutes_of_the_windows_and_no_others(zone: ZoneInfo) -> None:
    """Also on the days on which the clocks are changed, across midnight, and where windows overlap."""
    night = {"start": "22:30", "end": "06:30"}
    plan = PlanSpec.model_validate(
        {
            "first_day": date(2026, 3, 27),
            "last_day": date(2026, 3, 30),
            "period": "week",
            "windows": {
                "workday": [{"start": "05:00", "end": "12:00"}, {"start": "11:00", "end": "13:00"}, night],
                "weekend": [night],
                "sensitive": [{"start": "14:00", "end": "15:00"}],
            },
        }
    )
    book = CalendarBook.of([DayInfo(date(2026, 3, 28), "weekend", True, "", True)])
    pieces = pieces_of(plan, book, zone)
    hours = {
        date(2026, 3, 27): [(5 * 60, 13 * 60), (22 * 60 + 30, 30 * 60 + 30)],
        date(2026, 3, 28): [(14 * 60, 15 * 60)],
        date(2026, 3, 29): [(22 * 60 + 30, 30 * 60 + 30)],
        date(2026, 3, 30): [(5 * 60, 13 * 60), (22 * 60 + 30, 30 * 60 + 30)],
    }
    wanted = set()
    at = datetime(2026, 3, 26, 16, tzinfo=UTC)
    while at < datetime(2026, 4, 1, tzinfo=UTC):
        local = at.astimezone(zone)
        minute = local.hour * 60 + local.minute
        today, before = local.date(), local.date() - timedelta(days=1)
        if any(first <= minute < last for first, last in hours.get(today, [])) or any(
            first <= minute + 1440 < last for first, last in hours.get(before, [])
        ):
            wanted.add(int(at.timestamp()))
        at += timedelta(minutes=1)
    assert wanted == {second for piece in pieces for second in range(piece.start, piece.end, 60)}
    for piece in pieces:
        first = datetime.fromtimestamp(piece.start, zone)
        assert piece.day == first.toordinal()
        assert piece.night == (first.hour < 6)
    # What goes on after midnight belongs to the period of the day on which it started: Sunday's, to the first week.
    sunday = int(datetime(2026, 3, 30, 5, 30, tzinfo=zone).timestamp())
    assert [piece.period for piece in pieces if piece.start <= sunday < piece.end] == [0]


def test_barred_stretches_are_joined() -> None:
    assert joined([(50, 60), (-5, 10), (10, 20), (15, 18), (30, 30)]) == ((0, 20), (50, 60))


def test_inputs_say_where_a_check_counts() -> None:
    """By the window that it lay in, else by its own day; what is long past counts nowhere."""
    plan = spec(period="week", windows={"workday": [{"start": "22:00", "end": "06:00"}], "weekend": MORNING})
    monday_night = datetime(2026, 3, 9, 3, tzinfo=ZONE)  # Of no window: Sunday has none at night.
    tuesday = datetime(2026, 3, 10, 3, tzinfo=ZONE)
    old = datetime(2025, 12, 1, tzinfo=ZONE)
    unit = UnitFacts(
        1, [LineFacts(1, [old, tuesday])], done=seconds(monday_night, tuesday), done_years={2026: 2, 2025: 0}
    )
    inputs = world(plan, unit).inputs()
    assert inputs.units[0].done == ((1, 2),)
    assert inputs.units[0].done_years == ((2026, 2),)
    assert [(used.day, used.night) for used in inputs.units[0].lines[0].used] == [
        (date(2026, 3, 10).toordinal(), True)
    ]
    assert inputs.periods == ("2026-03-02", "2026-03-09", "2026-03-16", "2026-03-23")


# --- inputs ---


def test_inputs_come_back_from_their_canonical_text() -> None:
    inputs = world(spec()).inputs()
    text = inputs.to_json()
    assert DrawInputs.from_json(text) == inputs
    assert DrawInputs.from_dict(json.loads(text)) == inputs
    assert " " not in text
    assert text.isascii()
    assert inputs.digest() == hashlib.sha256(text.encode()).hexdigest()
    # A database may give the members in another order.
    shuffled = dict(reversed(list(json.loads(text).items())))
    assert DrawInputs.from_dict(shuffled).digest() == inputs.digest()


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "dutyring.draw/2"},
        {"epoch": -1},
        {"epoch": 1.5},
        {"epoch": True},
        {"night": 1},
        {"pieces": [[5, 4, 1, 0, False]]},
        {"pieces": [[0, 4, 1, 9, False]]},
        {"days": [[5, 0, 86400], [4, 0, 86400]]},
        {"groups": []},
        {"caps": [0, 1, 1]},
        {"caps": [1, 1]},
        {"further": 1},
        {"units": [[1, 0, [[1, 0, []], [1, 0, []]], [], []]]},
        {"units": [[1, 0, [], [], []], [1, 0, [], [], []]]},
    ],
)
def test_what_are_no_inputs_is_refused(change: dict[str, Any]) -> None:
    content = world(spec()).inputs().to_dict() | change
    with pytest.raises(DrawInputsError):
        DrawInputs.from_dict(content)
    for odd in ("", "[]", "{", '{"schema":"dutyring.draw/1"}'):
        with pytest.raises(DrawInputsError):
            DrawInputs.from_json(odd)


# --- the draw ---


CROWDED: dict[str, Any] = {
    "period": "week",
    "calls_per_unit": 3,
    "caps": {"line_week": 3, "least_gap_h": 48.0},
    "extra_per_unit": 2.0,
}


@pytest.mark.parametrize(("members", "digest"), [({}, GOLDEN), (CROWDED, GOLDEN_CROWDED)])
def test_the_same_seed_and_inputs_give_the_same_moments_everywhere(
    members: dict[str, Any], digest: str
) -> None:
    """These very moments: a change of the draw that alters them would make every stored draw look forged."""
    slots = draw(SEED, world(spec(**members)).inputs())
    told = "\n".join(f"{slot.slot} {slot.line_id} {slot.unit_id} {slot.at.isoformat()}" for slot in slots)
    assert hashlib.sha256(told.encode()).hexdigest() == digest


def test_seed_and_epoch_each_change_every_moment() -> None:
    inputs = world(spec(extra_per_unit=0)).inputs()
    draws = [
        {slot.at for slot in draw(*given)}
        for given in ((SEED, inputs), (SEED[::-1], inputs), (SEED, replace(inputs, epoch=1)))
    ]
    assert not draws[0] & draws[1]
    assert not draws[0] & draws[2]


def test_the_commitment_binds_seed_and_inputs() -> None:
    inputs = world(spec()).inputs()
    text = b"dutyring.commitment/1\n" + SEED + inputs.to_json().encode()
    assert commitment(SEED, inputs) == hashlib.sha256(text).hexdigest()
    assert commitment(SEED[::-1], inputs) != commitment(SEED, inputs)
    assert commitment(SEED, replace(inputs, calls=2)) != commitment(SEED, inputs)


def test_a_crowded_plan_is_drawn_to_its_last_call() -> None:
    """Three calls a week with two days between them leave hardly a choice; they are found all the same."""
    found = world(spec(**CROWDED))
    assert contradictions(found.inputs()) == ()
    assert faults(found, draw(SEED, found.inputs())) == []


def test_where_calls_are_in_each_others_way_no_day_yields_to_the_day_before() -> None:
    """Mondays would yield to the Sundays before them if each call kept to those that were drawn earlier."""
    caps = {"line_week": 2, "least_gap_h": 40.0}
    plan = spec(last_day=date(2026, 6, 28), period="week", calls_per_unit=2, caps=caps, extra_per_unit=0)
    units = [UnitFacts(n, [LineFacts(n)]) for n in range(1, 101)]
    slots = draw(SEED, world(plan, *units).inputs())
    days = Counter(slot.at.astimezone(ZONE).weekday() for slot in slots)
    assert len(slots) == 100 * 17 * 2
    # 486 a day on average, with a deviation of 20; unstirred, there are some 330 Mondays and 560 Sundays.
    assert abs(days[0] - days[6]) < 120
    assert min(days.values()) > 380


def test_only_one_arrangement_is_found() -> None:
    """A night is given up so that another week has it: one night a month, and only nights in the second week."""
    night, noon = [{"start": "02:00", "end": "03:00"}], [{"start": "12:00", "end": "12:30"}]
    book = CalendarBook.of(
        DayInfo(date(2026, 3, day), "holiday" if day < 9 else "lieu_day", False, "", True)
        for day in range(2, 16)
    )
    plan = spec(
        last_day=date(2026, 3, 15),
        period="week",
        windows={"holiday": [*night, *noon], "lieu_day": night},
        extra_per_unit=0,
    )
    start = datetime(2026, 3, 2, tzinfo=ZONE)
    found = World(plan, [UnitFacts(1, [LineFacts(1)])], book, DrawMoment(0, start, night_approved=True))
    assert contradictions(found.inputs()) == ()
    for number in range(20):
        seed = hashlib.sha256(bytes([number])).digest()
        assert faults(found, draw(seed, found.inputs())) == []
    refused = World(plan, found.units, book, DrawMoment(0, start))
    (named,) = contradictions(refused.inputs())
    assert (named.kind, named.label, named.wanted, named.possible) == ("no_time", "2026-03-09", 1, 0)


def test_contradictions_name_unit_period_and_numbers() -> None:
    day = timedelta(days=1)
    start = datetime(2026, 3, 2, tzinfo=ZONE)
    shut = [(start + 7 * day, start + 14 * day)]
    plan = spec(period="week", calls_per_unit=2, caps={"line_week": 1}, most_per_unit=2)
    units = [
        UnitFacts(4, []),
        UnitFacts(5, [LineFacts(50, closed=shut)], done=seconds(start + timedelta(hours=9))),
        UnitFacts(6, [LineFacts(60), LineFacts(61)]),
    ]
    named = contradictions(world(plan, *units).inputs())
    told = [(each.unit_id, each.kind, each.label, each.wanted, each.done, each.possible) for each in named]
    assert told == [
        (4, "no_line", "2026-03-02", 2, 0, 0),
        (4, "no_line", "2026-03-09", 2, 0, 0),
        (4, "no_line", "2026-03-16", 2, 0, 0),
        (4, "no_line", "2026-03-23", 2, 0, 0),
        (4, "no_line", "2026", 1, 0, 0),
        (5, "no_time", "2026-03-09", 2, 0, 0),
        (5, "caps", "2026-03-16", 2, 0, 1),
        (5, "caps", "2026-03-23", 2, 0, 1),
    ]
    assert "单位 5" in named[-1].zh
    assert "unit 5" in str(named[-1])
    with pytest.raises(NotDrawableError) as refused:
        draw(SEED, world(plan, *units).inputs())
    assert refused.value.contradictions == named


def test_a_year_that_most_calls_forbid_is_named() -> None:
    plan = spec(yearly_coverage=3, most_per_unit=1)
    (named,) = contradictions(world(plan, UnitFacts(1, [LineFacts(1)])).inputs())
    assert (named.kind, named.span, named.label, named.possible) == ("most", "year", "2026", 1)
    plan = spec(yearly_coverage=9, caps={"line_week": 1})
    (named,) = contradictions(world(plan, UnitFacts(1, [LineFacts(1)])).inputs())
    assert (named.kind, named.wanted, named.possible) == ("coverage", 9, 4)


def test_the_remainder_gets_its_share_of_further_calls_alone() -> None:
    """Drawn anew in the middle of its only period, a plan asks for half as many further calls, and none before."""
    units = [
        UnitFacts(n, [LineFacts(n)], done=seconds(datetime(2026, 3, 3, 9, tzinfo=ZONE)))
        for n in range(1, 401)
    ]
    middle = datetime(2026, 3, 16, tzinfo=ZONE)
    plan = spec(extra_per_unit=1.0, yearly_coverage=0)
    inputs = world(plan, *units, moment=DrawMoment(1, middle)).inputs()
    slots = draw(SEED, inputs)
    assert min(slot.at for slot in slots) >= middle
    assert abs(len(slots) - 200) < 4 * math.sqrt(200)
    assert sum(load.expected for load in expected_load(inputs)) == pytest.approx(200, abs=0.01)


def test_with_best_effort_the_rest_is_drawn_all_the_same() -> None:
    late = DrawMoment(3, datetime(2026, 3, 29, 11, tzinfo=ZONE), best_effort=True)
    plan = spec(calls_per_unit=2, extra_per_unit=0)
    units = [UnitFacts(1, [LineFacts(1)]), UnitFacts(2, [])]
    slots = draw(SEED, world(plan, *units, moment=late).inputs())
    assert [slot.unit_id for slot in slots] == [1]


def test_the_load_beforehand_is_what_is_drawn_on_average() -> None:
    """Also with weights, coverage beyond the periods, and a unit that was called already."""
    units = [UnitFacts(1, [LineFacts(1), LineFacts(2)], (600,), weight=3.0), UnitFacts(2, [LineFacts(3)])]
    plan = spec(period="week", calls_per_unit=0, yearly_coverage=2, caps={"line_week": 9})
    inputs = world(plan, *units).inputs()
    loads = expected_load(inputs)
    expected = sum(load.expected for load in loads)
    assert expected == pytest.approx(2 * 2 + 4 * (1.5 + 0.5), abs=0.01)
    assert len(loads) == 28
    rounds = 300
    drawn: Counter[date] = Counter()
    for number in range(rounds):
        seed = hashlib.sha256(number.to_bytes(2, "big")).digest()
        drawn.update(slot.at.astimezone(ZONE).date() for slot in draw(seed, inputs))
    total = drawn.total() / rounds
    # Caps of a line take a little off.
    assert expected * 0.93 < total < expected * 1.02
    first_week = sum(load.expected for load in loads if load.day < date(2026, 3, 9))
    assert first_week == pytest.approx(expected / 4, rel=0.01)


def test_a_build_without_units_draws_nothing() -> None:
    inputs = build_inputs(spec(), CalendarBook(), ZONE, [], DrawMoment(0, datetime(2026, 3, 2, tzinfo=ZONE)))
    assert draw(SEED, inputs) == ()
    assert contradictions(inputs) == ()
    assert all(load.expected == 0 for load in expected_load(inputs))


# --- units that stand alike ---


@pytest.mark.parametrize(("night", "calls", "gap_h"), [(False, 3, 12.0), (False, 2, 60.0), (True, 1, 12.0)])
def test_checks_of_the_days_before_bear_on_a_line_as_its_caps_say(
    night: bool, calls: int, gap_h: float
) -> None:
    """Lines called at any hour of nine days: told as each alone, and most of them are worked out once."""
    windows = [{"start": "02:00", "end": "05:00"}] if night else MORNING
    plan = spec(
        last_day=date(2026, 3, 15), period="week", calls_per_unit=calls, windows={"workday": windows},
        caps={"line_day": 1, "line_week": 3, "least_gap_h": gap_h},
    )  # fmt: skip
    from_at = datetime(2026, 3, 5, 9, 30, tzinfo=ZONE)
    hours = range(-9 * 24, 30)
    used = [
        tuple(sorted(from_at + timedelta(hours=hour - step * 31) for step in range(times)))
        for hour in hours
        for times in (1, 3)
    ]
    units = [UnitFacts(n, [LineFacts(n, at)], ()) for n, at in enumerate(used, 1)]
    inputs = world(plan, *units, moment=DrawMoment(0, from_at, night_approved=night)).inputs()
    alone = [each for unit in inputs.units for each in contradictions(replace(inputs, units=(unit,)))]
    assert alone
    assert list(contradictions(inputs)) == alone
    time = Board(inputs).open_time(0)
    assert len({time.bearing(inputs.caps, unit.lines[0].used) for unit in inputs.units}) < len(units) / 3

"""When an order asks for another call, and when: the rule, row by row, and what holds for every draw of the dice."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from app.checks.retry import (
    CAUSES,
    GUARD,
    LATEST,
    Bounds,
    CallMade,
    Cause,
    Closed,
    Repeat,
    RetryRule,
    at_night,
    guarded_until,
    next_call,
)

ZONE = ZoneInfo("Asia/Shanghai")
NOON = datetime(2026, 11, 3, 12, 0, tzinfo=ZONE)
RULE = RetryRule()
FREE = Bounds(ZONE)


def calls(*causes: Cause | None, first: datetime = NOON, apart: float = 750.0) -> list[CallMade]:
    return [
        CallMade(cause, at, at + timedelta(seconds=61), "main")
        for number, cause in enumerate(causes)
        for at in [first + timedelta(seconds=number * apart)]
    ]


@pytest.mark.parametrize(
    ("causes", "expected"),
    [
        ((None,), "settled"),
        (("no_answer",), "repeat"),
        (("no_answer", "no_answer"), "twice_unanswered"),
        (("no_answer", None), "settled"),
        (("busy",), "repeat"),
        (("busy", "busy"), "repeat"),
        (("busy", "busy", "busy"), "cap"),
        (("busy", "no_answer"), "repeat"),
        (("no_answer", "busy", "no_answer"), "twice_unanswered"),
        (("line", "line"), "repeat"),
        (("our_side",), "repeat"),
        # A failure of ours is no unanswered call: the second one of the unit's still has to come.
        (("our_side", "no_answer"), "repeat"),
        (("our_side", "no_answer", "no_answer"), "twice_unanswered"),
        (("our_side", "our_side", "no_answer"), "cap"),
        (("rejected",), "not_asked_for"),
        (("silence",), "repeat"),
    ],
)
def test_what_follows(causes: tuple[Cause | None, ...], expected: str) -> None:
    following = next_call(RULE, calls(*causes), FREE)
    assert (following.why if isinstance(following, Closed) else "repeat") == expected


def test_the_dice_are_thrown_between_ten_and_thirteen_minutes() -> None:
    thrown: list[tuple[int, int]] = []

    def dice(least: int, most: int) -> int:
        thrown.append((least, most))
        return most

    (call,) = calls("no_answer")
    following = next_call(RULE, [call], FREE, dice)
    assert isinstance(following, Repeat)
    assert thrown == [(600, 780)]
    assert following.at == call.ended_at + timedelta(seconds=780)


def test_repeats_cannot_be_foretold() -> None:
    (call,) = calls("busy")
    found = {next_call(RULE, [call], FREE) for _ in range(200)}
    gaps = sorted((f.at - call.ended_at).total_seconds() for f in found if isinstance(f, Repeat))
    assert len(gaps) > 60
    assert (gaps[0] < 620, gaps[-1] > 760) == (True, True)


def test_another_trunk_carries_the_next_call_unless_the_plan_says_otherwise() -> None:
    following = next_call(RULE, calls("no_answer"), FREE)
    same = next_call(RetryRule(other_trunk=False), calls("no_answer"), FREE)
    assert isinstance(following, Repeat)
    assert isinstance(same, Repeat)
    assert (following.avoid_trunk, same.avoid_trunk) == ("main", None)


def test_never_into_the_night_unless_somebody_approved_it() -> None:
    late = calls("no_answer", first=datetime(2026, 11, 3, 23, 50, tzinfo=ZONE))
    assert next_call(RULE, late, FREE) == Closed("night")
    approved = next_call(RULE, late, Bounds(ZONE, night_approved=True))
    assert isinstance(approved, Repeat)
    assert at_night(approved.at, ZONE)


def test_a_handover_is_waited_for() -> None:
    """08:00 is the handover; a call at 07:40 would be repeated at about 07:52."""
    early = calls("no_answer", first=datetime(2026, 11, 3, 7, 40, tzinfo=ZONE))
    following = next_call(RULE, early, Bounds(ZONE, (time(8),)))
    assert isinstance(following, Repeat)
    after = following.at.astimezone(ZONE)
    assert time(8, 15) <= after.time() <= time(8, 18)


def test_a_handover_that_lasts_too_long_ends_the_order() -> None:
    early = calls("no_answer", first=datetime(2026, 11, 3, 7, 40, tzinfo=ZONE))
    handovers = (time(8), time(8, 20), time(8, 40))
    assert next_call(RULE, early, Bounds(ZONE, handovers)) == Closed("too_late")


def test_who_is_exempted_or_stopped_is_not_called_again() -> None:
    assert next_call(RULE, calls("no_answer"), Bounds(ZONE, barred=True)) == Closed("barred")


def test_a_rule_is_checked() -> None:
    with pytest.raises(ValidationError, match="at most after_max_s"):
        RetryRule(after_min_s=700, after_max_s=600)
    with pytest.raises(ValidationError):
        RetryRule(most_calls=6)


causes = st.lists(st.sampled_from([*CAUSES, None]), min_size=1, max_size=5)
moments = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)).map(lambda at: at.replace(tzinfo=UTC))
times = st.lists(st.builds(time, st.integers(0, 23), st.integers(0, 59)), max_size=4).map(tuple)


@given(causes, moments, times, st.booleans(), st.integers(1, 5))
def test_whatever_happens_a_repeat_keeps_to_its_bounds(
    given_causes: list[Cause | None], first: datetime, handovers: tuple[time, ...], night: bool, most: int
) -> None:
    made = calls(*given_causes, first=first)
    rule = RetryRule(most_calls=most)
    bounds = Bounds(ZONE, handovers, night_approved=night)
    following = next_call(rule, made, bounds)
    if isinstance(following, Closed):
        return
    assert len(made) < most
    assert made[-1].cause in rule.causes
    assert sum(call.cause == "no_answer" for call in made) < 2
    assert following.at - made[-1].ended_at >= timedelta(seconds=rule.after_min_s)
    assert following.at - made[0].began_at <= LATEST
    assert night or not at_night(following.at, ZONE)
    assert guarded_until(following.at, handovers, ZONE) is None
    for moment in handovers:
        local = following.at.astimezone(ZONE)
        for day in (-1, 0, 1):
            handover = datetime.combine(local.date() + timedelta(days=day), moment, ZONE)
            assert abs(local - handover) >= GUARD

"""Buckets of tries: however somebody asks, no stretch of time holds more than a full bucket and what flowed in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from app import clock
from app.accounts.throttle import MOST_KEYS, Buckets

START = datetime(2026, 1, 1, tzinfo=UTC)


@given(
    most=st.integers(1, 30),
    fill_s=st.floats(1, 3600),
    pauses=st.lists(st.floats(0, 600), min_size=1, max_size=25),
)
def test_no_stretch_holds_more(most: int, fill_s: float, pauses: list[float]) -> None:
    buckets, at_s, taken = Buckets(most, fill_s), 0.0, []
    for pause in pauses:
        at_s += pause
        with clock.running(lambda at_s=at_s: START + timedelta(seconds=at_s)):
            wait = buckets.wait_s("a")
            got = buckets.take("a")
            assert got == (wait == 0)
            assert buckets.take("somebody else") or len(taken) > 0
        if got:
            taken.append(at_s)
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            most_now = most + (taken[last] - taken[first]) * most / fill_s
            assert last - first + 1 <= most_now + 1e-6


@given(back_s=st.floats(0, 1e6))
def test_a_clock_that_is_set_back_fills_nothing(back_s: float) -> None:
    buckets = Buckets(1, 60)
    with clock.running(lambda: START):
        assert buckets.take("a")
    with clock.running(lambda: START - timedelta(seconds=back_s)):
        assert not buckets.take("a")


def test_what_is_kept_has_an_end() -> None:
    buckets = Buckets(1, 60)
    with clock.running(lambda: START):
        for number in range(MOST_KEYS + 10):
            buckets.take(str(number))
        # The newest are still known, the oldest were let go.
        assert not buckets.take(str(MOST_KEYS + 9))
        assert buckets.take("0")
        buckets.give_back("0")
        assert buckets.take("0")

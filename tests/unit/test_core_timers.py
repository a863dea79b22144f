"""The timer heap, where thousands of timers are started and stopped."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sip.core.timers import TimerQueue


def test_timers_fire_in_order_and_only_when_due() -> None:
    queue, fired = TimerQueue(), []
    for at in (3.0, 1.0, 2.0, 1.0):
        queue.start(at, lambda now, at=at: fired.append((at, now)))  # type: ignore[misc]
    assert queue.deadline() == 1.0
    queue.advance(0.9)
    assert fired == []
    queue.advance(2.5)
    assert fired == [(1.0, 2.5), (1.0, 2.5), (2.0, 2.5)]
    assert (queue.deadline(), len(queue)) == (3.0, 1)


def test_a_timer_may_start_and_stop_others() -> None:
    queue, fired = TimerQueue(), []
    victim = queue.start(2.0, lambda now: fired.append("victim"))

    def first(now: float) -> None:
        fired.append("first")
        victim.stop()
        queue.start(now, lambda at: fired.append("second"))

    queue.start(1.0, first)
    queue.advance(5.0)
    assert fired == ["first", "second"]
    assert (queue.deadline(), len(queue)) == (None, 0)


def test_stopping_twice_or_after_the_end_counts_once() -> None:
    queue = TimerQueue()
    timer, other = queue.start(1.0, lambda now: None), queue.start(2.0, lambda now: None)
    timer.stop()
    timer.stop()
    assert len(queue) == 1
    queue.advance(2.0)
    other.stop()
    assert len(queue) == 0


@given(st.lists(st.tuples(st.floats(0, 100), st.booleans()), max_size=300))
def test_what_is_not_stopped_fires(plan: list[tuple[float, bool]]) -> None:
    queue, fired = TimerQueue(), []
    timers = [queue.start(at, lambda now, n=n: fired.append(n)) for n, (at, _) in enumerate(plan)]  # type: ignore[misc]
    for timer, (_, keep) in zip(timers, plan, strict=True):
        if not keep:
            timer.stop()
    kept = [n for n, (_, keep) in enumerate(plan) if keep]
    assert len(queue) == len(kept)
    queue.advance(100.0)
    assert fired == sorted(kept, key=lambda n: (plan[n][0], n))
    assert len(queue) == 0


def test_a_heap_full_of_stopped_timers_is_cleared() -> None:
    queue, fired = TimerQueue(), []
    timers = [queue.start(float(n), lambda now, n=n: fired.append(n)) for n in range(400)]  # type: ignore[misc]
    for timer in timers[100:]:
        timer.stop()
    assert len(queue) == 100
    queue.advance(1000.0)
    assert fired == list(range(100))
    assert (len(queue), queue.deadline()) == (0, None)

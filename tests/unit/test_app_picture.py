"""The geometry of the picture of a call."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.checks.rules import Rules
from app.web.picture import LEFT, RIGHT, WIDTH, draw
from tests.web.fake import answered, unanswered

RULES = Rules()


def test_moments_stand_in_their_order() -> None:
    picture = draw(answered("x", 24_000.0).to_dict(), RULES)
    start, answer, end = picture.marks
    assert (start.kind, answer.kind, end.kind) == ("ring_start", "answer", "end")
    assert start.x < answer.x < end.x
    limits = picture.limits
    assert [limit.kind for limit in limits] == ["11", "15"]
    assert start.x < limits[0].x < limits[1].x < answer.x
    assert [bar.start_s for bar in picture.rings] == [0.2, 5.2, 10.2, 15.2, 20.2]
    assert not picture.assumed


def test_the_scale_is_even() -> None:
    picture = draw(answered("x", 20_000.0).to_dict(), RULES)
    ticks = picture.ticks
    steps = {round(b.x - a.x, 0) for a, b in pairwise(ticks)}
    assert len(steps) <= 2
    second_ring = picture.rings[1]
    assert second_ring.x - picture.rings[0].x == pytest.approx(
        (ticks[1].x - ticks[0].x) * 5 / ticks[1].at_s, abs=0.1
    )


def test_rings_that_were_only_signalled_are_assumed() -> None:
    facts = answered("x", 12_000.0).to_dict()
    facts["rings"] = {"count": 3, "source": "cadence", "bursts": []}
    picture = draw(facts, RULES)
    assert picture.assumed
    assert [(bar.start_s, bar.end_s) for bar in picture.rings] == [(0.2, 1.2), (5.2, 6.2), (10.2, 11.2)]


def test_an_answer_window_is_drawn_only_where_there_is_one() -> None:
    facts = answered("x").to_dict()
    assert draw(facts, RULES).window is None
    facts["answered_window_ms"] = [4_000.0, 6_200.0]
    window = draw(facts, RULES).window
    assert window is not None
    assert (window.start_s, window.end_s) == (4.0, 6.2)


def test_a_short_call_without_ringing() -> None:
    facts = unanswered("x", "busy", ring_started_ms=None, ended_ms=50.0).to_dict()
    facts["rings"] = {"count": None, "source": None, "bursts": []}
    picture = draw(facts, RULES)
    assert picture.rings == ()
    assert picture.limits == ()
    assert picture.lawful is None
    assert [mark.kind for mark in picture.marks] == ["end"]


moments = st.none() | st.floats(0, 600_000)


@given(ring=moments, answer=moments, end=st.floats(0, 600_000))
def test_everything_stays_on_the_paper(ring: float | None, answer: float | None, end: float) -> None:
    facts = {
        "ring_started_ms": ring,
        "answered_ms": answer,
        "ended_ms": end,
        "rings": {"count": 200, "source": "cadence", "bursts": []},
        "early_media": {"segments": [{"kind": "ringback", "start_ms": 0.0, "end_ms": end}]},
    }
    picture = draw(facts, RULES)
    bars = [*picture.rings, *picture.sounds]
    for x in [mark.x for mark in (*picture.marks, *picture.limits, *picture.ticks)] + [bar.x for bar in bars]:
        assert LEFT <= x <= WIDTH - RIGHT
    assert len(picture.ticks) <= 25

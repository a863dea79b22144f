"""The geometry of the picture of a call."""

from __future__ import annotations

from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.checks.rules import Rules
from app.picture import draw, worth_drawing
from app.picture.labels import LEFT, RIGHT, WIDTH, Mark, lay_out
from tests.web.fake import answered, unanswered

RULES = Rules()


def test_moments_stand_in_their_order() -> None:
    picture = draw(answered("x", 24_000.0).to_dict(), RULES)
    start, answer, end = picture.marks
    assert (start.kind, answer.kind, end.kind) == ("ring_start", "answer", "end")
    assert start.x < answer.x < end.x
    limits = picture.limits
    assert [limit.kind for limit in limits] == ["within", "limit", "finding"]
    assert start.x < limits[0].x < limits[1].x < limits[2].x < answer.x
    assert {label.text for label in picture.labels} == {
        "三声止 11 秒",
        "折算限 15 秒",
        "拟认定线 20 秒",
        "接听，响铃 24.0 秒",
        "结束，对方挂断",
    }
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


def test_an_answer_at_the_very_end_has_words_of_its_own() -> None:
    facts = answered("x", 45_000.0, ended_ms=45_201.0).to_dict()
    labels = {label.mark.kind: label for label in draw(facts, RULES).labels}
    answer, end = labels["answer"], labels["end"]
    assert answer.anchor == "end"
    assert answer.row != end.row or answer.right <= end.left
    assert draw(facts, RULES).crossed_s is None
    facts["timeline"].insert(1, {"t_ms": 45_198.0, "event": "sent", "method": "CANCEL"})
    assert draw(facts, RULES).crossed_s == pytest.approx(0.002)


@pytest.mark.parametrize(
    ("ring_ms", "ended_ms"), [(9_000.0, 19_200.0), (8_000.0, 19_800.0), (13_000.0, 20_100.0)]
)
def test_no_line_goes_through_words(ring_ms: float, ended_ms: float) -> None:
    labels = draw(answered("x", ring_ms, ended_ms=ended_ms).to_dict(), RULES).labels
    assert len(labels) == 5
    for label in labels:
        below = [other for other in labels if other.row < label.row]
        assert not [other for other in below if other.left < label.mark.x < other.right]


def test_a_call_without_shape_has_no_picture() -> None:
    refused = unanswered("x", "busy", ring_started_ms=None, ended_ms=50.0).to_dict()
    refused["early_media"] = {"kind": "none", "segments": []}
    assert not worth_drawing(refused)
    refused["early_media"]["segments"] = [{"kind": "silence", "start_ms": 0.0, "end_ms": 40.0}]
    assert not worth_drawing(refused)
    refused["early_media"]["segments"] += [{"kind": "busy", "start_ms": 40.0, "end_ms": 50.0}]
    assert worth_drawing(refused)
    assert worth_drawing(answered("x").to_dict())


marks = st.lists(
    st.tuples(
        st.floats(LEFT, WIDTH - RIGHT), st.sampled_from(["三声止 11 秒", "接听，响铃 45.0 秒", "结束"])
    ),
    max_size=6,
)


@given(marks)
def test_no_words_cover_other_words(found: list[tuple[float, str]]) -> None:
    labels, top = lay_out([(Mark(x, "end", 0.0), text) for x, text in found])
    assert len(labels) == len(found)
    for label in labels:
        assert 0 <= label.left < label.right <= WIDTH
        assert 0 < label.y < top
    for one, other in combinations(labels, 2):
        assert one.row != other.row or one.right <= other.left or other.right <= one.left


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

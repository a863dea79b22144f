"""However seldom a call listens, in the end it has heard the same; and where it matters it listens at once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sip.hearing import Hearing
from sip.media import HeardBlock
from sip.progress import AnswerState, LineListener, Signals, answer_state
from sip.progress.features import QUARTERS
from sip.progress.heard import Heard
from sip.progress.sample_listener import SampleListener
from sip.progress.tunes import EarlySound
from tests.line_sounds import cadence, columns_of, silence, through, voice, white_noise

_COLUMNS = 10


def _line() -> np.ndarray:
    """Return a call: two rings, an officer who says a few things, and the busy tone after them."""
    ring, _ = cadence((1.0, 4.0), 9.3, lead_s=0.31)
    said = (voice(4.0, 3), silence(1.0), white_noise(2.0, -30.0), voice(9.0, 8), silence(0.9), voice(4.0, 3))
    return through("alaw", np.concatenate((ring, *said, cadence((0.35, 0.35), 3.0)[0])))


_FEATURES = columns_of(_line())
_BLOCKS = [
    HeardBlock(
        at * 20.0,
        _FEATURES[at : at + _COLUMNS],
        np.ones((len(_FEATURES[at : at + _COLUMNS]), QUARTERS), np.bool_),
    )
    for at in range(0, len(_FEATURES), _COLUMNS)
]
_END_MS = len(_FEATURES) * 20.0
_RINGING = AnswerState("ringing", 400.0, since_ms=400.0)
_ANSWERED = AnswerState("answered", 400.0, 9_000.0, "signalling")
_UNRUNG = AnswerState("answered", None, 9_000.0, "signalling")
_STANDINGS = {
    "ringing": (Signals(400.0, None, 5_000.0), _RINGING, False),
    "in doubt": (Signals(400.0, 9_000.0, 30_000.0), _RINGING, False),
    "fresh": (Signals(400.0, 9_000.0, 10_000.0), _ANSWERED, False),
    "fresh out of nothing": (Signals(None, 9_000.0, 10_000.0), _UNRUNG, False),
    "talking": (Signals(400.0, 9_000.0, 18_000.0), _ANSWERED, False),
    "settled": (Signals(400.0, 9_000.0, 30_000.0), _ANSWERED, False),
    "switchboard": (Signals(400.0, 9_000.0, 30_000.0), _ANSWERED, True),
}


def _hearing() -> Hearing:
    return Hearing(LineListener(), SampleListener(), EarlySound())


def _plain(heard: Heard) -> list[tuple[object, ...]]:
    segments = [(s.kind, round(s.start_ms, 1), round(s.end_ms, 1), s.tone) for s in heard.segments]
    return segments + [(round(b.start_ms, 1), round(b.end_ms, 1)) for b in heard.bursts]


def _at_once() -> Heard:
    listener = LineListener()
    for block in _BLOCKS:
        listener.push(block.start_ms, block.features, block.present)
    return listener.finish(_END_MS)


@settings(max_examples=25, deadline=None)
@given(
    changes=st.dictionaries(
        st.integers(0, len(_BLOCKS) - 1), st.sampled_from(sorted(_STANDINGS)), max_size=8
    ),
    asked=st.sets(st.integers(0, len(_BLOCKS) - 1), max_size=12),
    lost=st.sets(st.integers(1, len(_BLOCKS) - 2), max_size=3),
)
def test_what_is_heard_in_the_end_does_not_depend_on_how_often_it_was_listened_to(changes, asked, lost):
    hearing, plain = _hearing(), LineListener()
    for number, block in enumerate(_BLOCKS):
        if number in changes:
            signals, state, digits = _STANDINGS[changes[number]]
            hearing.follow(signals, state, digits=digits)
        if number not in lost:
            hearing.take(block)
            plain.push(block.start_ms, block.features, block.present)
        if number in asked:
            hearing.heard()
    assert _plain(hearing.finish(_END_MS)) == _plain(plain.finish(_END_MS))


@pytest.mark.parametrize(
    ("standing", "every_ms"),
    [
        ("ringing", 600.0),
        ("in doubt", 200.0),
        ("fresh", 600.0),
        ("fresh out of nothing", 200.0),
        ("talking", 1_000.0),
        ("settled", 10_000.0),
        ("switchboard", 200.0),
    ],
)
def test_how_soon_sound_is_heard_follows_how_the_call_stands(standing: str, every_ms: float) -> None:
    hearing = _hearing()
    signals, state, digits = _STANDINGS[standing]
    hearing.follow(signals, state, digits=digits)
    fresh = [hearing.take(block) for block in _BLOCKS[:50]]
    assert fresh.count(True) == int(10_000.0 / every_ms)
    assert fresh.index(True) == round(every_ms / 200.0) - 1


def test_nothing_that_came_before_a_200_is_missing_when_it_is_judged() -> None:
    hearing = _hearing()
    for block in _BLOCKS[:47]:
        hearing.take(block)
    assert hearing.heard().until_ms < 9_400.0
    hearing.catch_up()
    assert hearing.heard().until_ms == 9_400.0
    assert len(hearing.heard().bursts) == 2


def test_an_answer_counts_as_settled_only_where_no_sound_can_take_it_back() -> None:
    """While it is not settled, ringback after the 200 is heard and takes the answer back; afterwards none can."""
    ringing = columns_of(through("alaw", cadence((1.0, 4.0), 24.0, lead_s=0.3)[0]))
    hearing = _hearing()
    for at in range(0, len(ringing), _COLUMNS):
        part = ringing[at : at + _COLUMNS]
        hearing.take(HeardBlock(at * 20.0, part, np.ones((len(part), QUARTERS), np.bool_)))
        now_ms = (at + len(part)) * 20.0
        connected_ms = 1_400.0 if now_ms > 1_400.0 else None
        signals = Signals(400.0, connected_ms, now_ms)
        state = answer_state(signals, hearing.heard())
        hearing.follow(signals, state, digits=False)
        if now_ms > 8_000.0:
            assert state.state == "ringing"
    assert not hearing.settled

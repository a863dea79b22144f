"""Ringback that becomes another one, and everything that only looks like it."""

from __future__ import annotations

import numpy as np
import pytest

from sip.progress.restarts import HeardRing, RingRestart, ring_restarts
from sip.record import Segment
from tests.line_sounds import RINGBACK, cadence, chords, listen, lose, silence, through, voice


def ring(
    start_s: float, on_s: float = 1.0, hz: float = 450.0, dbm0: float = -12.0, plan: str = "cn"
) -> HeardRing:
    start_ms = start_s * 1000.0
    return HeardRing(start_ms, start_ms + on_s * 1000.0, hz, dbm0, plan, 1_000.0, 4_000.0)


def whats(*starts_s: float) -> list[str]:
    return [r.what for r in ring_restarts([ring(at) for at in starts_s])]


@pytest.mark.parametrize(
    ("starts_s", "expected"),
    [
        ((0, 5, 10, 15), []),
        ((0,), []),
        ((), []),
        ((0, 5, 10, 16.6, 21.6), ["cadence"]),
        ((0, 5, 10, 14.2, 19.2), ["cadence"]),
        ((0, 3.2, 8.2, 13.2), ["cadence"]),
        ((0, 7.4), ["cadence"]),
        ((0, 3.5), ["cadence"]),
        ((0, 4.2, 8.4, 12.6), []),
        ((0, 5.8, 11.6, 17.4), []),
        ((0, 4.2), []),
        ((0, 5.8), []),
        ((0, 5, 15, 20), []),
        ((0, 5, 20, 25), []),
        ((0, 10, 15), []),
        ((0, 10), []),
        ((0, 5, 10, 22.5, 27.5), ["cadence"]),
        ((0, 5, 60, 65), []),
        ((0, 5, 7.5, 12.5, 15.0, 20.0), ["cadence", "cadence"]),
    ],
)
def test_the_phase_tells(starts_s: tuple[float, ...], expected: list[str]) -> None:
    assert whats(*starts_s) == expected


def test_a_cut_burst_and_a_late_start_break_no_phase() -> None:
    assert ring_restarts([ring(0.0, 0.4), ring(4.4), ring(9.8, 0.6), ring(14.4)]) == ()


def test_the_pause_beside_a_torn_burst_is_not_the_lines_own() -> None:
    """Half a burst is lost: the pause before it seems half a second longer than any pause of this line."""
    assert ring_restarts([ring(0.0), ring(5.5, 0.5), ring(9.99), ring(14.99)]) == ()


@pytest.mark.parametrize(
    ("other", "what", "words"),
    [
        (ring(10.0, dbm0=-20.0), "level", "-20.0 dBm0 after -12.0 dBm0"),
        (ring(10.0, hz=456.0), "frequency", "456.0 Hz after 450.0 Hz"),
        (ring(10.0, hz=425.0, plan="eu"), "plan", "plan eu after that of plan cn"),
    ],
)
def test_another_generator_is_told_by_its_sound(other: HeardRing, what: str, words: str) -> None:
    (restart,) = ring_restarts([ring(0.0), ring(5.0), other])
    assert (restart.what, restart.t_ms, restart.since_ms) == (what, 10_000.0, 6_000.0)
    assert words in restart.detail


def test_small_differences_are_the_same_generator() -> None:
    assert ring_restarts([ring(0.0), ring(5.0, hz=453.0, dbm0=-16.0), ring(10.0, hz=447.0, dbm0=-9.0)]) == ()


def test_a_splinter_of_a_ring_has_no_level() -> None:
    assert ring_restarts([ring(0.0), ring(5.0, 0.15, hz=470.0, dbm0=-30.0)]) == ()


def test_music_after_ringback_is_one_change() -> None:
    music = [Segment("music", 6_100.0, 9_000.0, 0.9), Segment("music", 9_500.0, 30_000.0, 0.9)]
    (restart,) = ring_restarts([ring(0.0), ring(5.0)], music)
    assert restart == RingRestart(6_100.0, "music", "music after ringback", 6_000.0)
    assert ring_restarts([ring(0.0)], [Segment("music", 1_100.0, 2_000.0, 0.9)]) == ()
    assert ring_restarts([], music) == ()


# --- as heard --------------------------------------------------------------------------------------------


def test_a_second_exchange_is_heard() -> None:
    line = np.concatenate((cadence(RINGBACK, 8.2)[0], cadence(RINGBACK, 11.0)[0]))
    assert [r.what for r in listen(through("alaw", line)).restarts] == ["cadence"]
    quieter = np.concatenate((cadence(RINGBACK, 10.0)[0], cadence(RINGBACK, 10.0, dbm0=-19.0)[0]))
    assert [(r.what, round(r.t_ms, -1)) for r in listen(through("alaw", quieter)).restarts] == [
        ("level", 10_000)
    ]


def test_music_in_place_of_ringback_is_heard() -> None:
    line = np.concatenate((cadence(RINGBACK, 10.0)[0], chords(8.0)))
    assert [r.what for r in listen(through("alaw", line)).restarts] == ["music"]


def test_loss_and_the_answer_restart_nothing() -> None:
    sound, _ = cadence(RINGBACK, 24.0, lead_s=0.5)
    sound[10 * 8_000 : 12 * 8_000] = 0.0
    holed, came = lose(through("alaw", sound), 0.03, 5)
    came[500:600] = False
    heard = listen(holed, came=came)
    assert len(heard.bursts) == 4
    assert heard.restarts == ()
    answered = np.concatenate((cadence(RINGBACK, 10.4)[0], silence(0.3), voice(5.0)))
    assert listen(through("alaw", answered)).restarts == ()

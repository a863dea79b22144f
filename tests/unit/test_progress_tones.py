"""Every tone by its name in its plan, foreign ringback, and odd sounds that are no ring."""

from __future__ import annotations

import numpy as np
import pytest

from sip.progress import Heard, LineListener, Signals, find_plan, ring_facts, shipped_plans
from tests.line_sounds import (
    BUSY,
    CALL_WAITING,
    CONGESTION,
    RINGBACK,
    UNOBTAINABLE,
    cadence,
    columns_of,
    listen,
    lose,
    silence,
    sine,
    through,
    voice,
    white_noise,
)

TOLL_NOTICE = (0.2, 0.2, 0.2, 0.6)
DOUBLE = (0.4, 0.2, 0.4, 2.0)


def pair(on_off_s, seconds: float, first_hz: float, second_hz: float, dbm0: float = -13.0) -> np.ndarray:
    """Return two tones that sound together, after 0.3 s of silence."""
    tones = (cadence(on_off_s, seconds, hz, dbm0, 0.3)[0] for hz in (first_hz, second_hz))
    return np.sum(list(tones), axis=0).astype(np.float32)


def single(on_off_s, seconds: float, hz: float = 450.0) -> np.ndarray:
    return cadence(on_off_s, seconds, hz, -13.0, 0.3)[0]


def named(sound: np.ndarray, law: str = "alaw") -> list[str | None]:
    return [s.tone for s in listen(through(law, sound)).segments if s.kind != "silence"]


def ansam(seconds: float) -> np.ndarray:
    """Return 2,100 Hz with 15 Hz of amplitude modulation and a reversal of phase every 450 ms (V.8)."""
    t = np.arange(round(seconds * 8_000)) / 8_000
    swing = 0.25 * (1.0 + 0.2 * np.sin(2.0 * np.pi * 15.0 * t))
    return (swing * np.sin(2.0 * np.pi * 2_100.0 * t + np.pi * ((t // 0.45) % 2))).astype(np.float32)


@pytest.mark.parametrize(
    ("sound", "name", "kind"),
    [
        (single(RINGBACK, 11.0), "cn.ringback", "ringback"),
        (single(BUSY, 4.0), "cn.busy", "busy"),
        (single(CONGESTION, 6.0), "cn.congestion", "congestion"),
        (single(UNOBTAINABLE, 5.9), "cn.unobtainable", "unobtainable"),
        (single(TOLL_NOTICE, 6.0), "cn.toll_notice", "call_waiting"),
        (single(CALL_WAITING, 10.0), "cn.call_waiting", "call_waiting"),
        (single((0.4, 0.4, 0.4, 4.0), 12.0), "cn.call_waiting_double", "call_waiting"),
        (sine(4.0), "cn.dial", "dial_tone"),
        (pair((9.0, 1.0), 4.0, 425.0, 450.0), "cn.special_dial", "dial_tone"),
        (pair((9.0, 1.0), 4.0, 400.0, 450.0), "cn.special_dial_400", "dial_tone"),
        (
            np.concatenate([sine(1.0, 950.0, dbm0) for dbm0 in (-25, -20, -15, -10, -5)]),
            "cn.howler",
            "howler",
        ),
        (sine(3.0, 912.0), "cn.howler", "howler"),
        (ansam(3.3), "cn.fax_ced", "fax_ced"),
        (sine(3.0, 2_112.0), "cn.fax_ced", "fax_ced"),
        (pair((2.0, 4.0), 9.0, 440.0, 480.0), "us.ringback", "ringback"),
        (pair(DOUBLE, 8.0, 400.0, 450.0), "uk.ringback", "ringback"),
        (pair((0.4, 0.2, 0.4, 3.0), 9.0, 440.0, 480.0), "hk.ringback", "ringback"),
        (pair((1.0, 2.0), 8.0, 440.0, 480.0), "tw.ringback", "ringback"),
        (single(RINGBACK, 11.0, 425.0), "eu.ringback", "ringback"),
        (single(RINGBACK, 11.0, 475.0), "cn.ringback", "ringback"),
        (single(RINGBACK, 11.0, 441.0), "cn.ringback", "ringback"),
    ],
)
def test_every_tone_is_one_segment_with_its_name(sound: np.ndarray, name: str, kind: str) -> None:
    heard = listen(through("alaw", sound))
    (segment,) = [s for s in heard.segments if s.kind != "silence"]
    assert (segment.kind, segment.tone) == (kind, name)
    assert segment.measured is not None
    assert {"frequency_hz", "level_dbm0", "on_ms", "cycles"} <= set(segment.measured)


@pytest.mark.parametrize(
    ("hz", "on_off_s", "name"),
    [
        (1_400.0, (0.4, 10.0), "cn.reminder"),
        (950.0, (0.4, 10.0), "cn.reminder_950"),
        (1_100.0, (0.5, 3.0), "cn.fax_cng"),
        (1_070.0, (0.5, 3.0), "cn.fax_cng"),
    ],
)
def test_tones_that_come_again_keep_their_name(hz: float, on_off_s: tuple[float, float], name: str) -> None:
    assert named(single(on_off_s, 12.0, hz)) == [name] * (2 if on_off_s[1] > 9.0 else 4)


def test_a_cadence_is_measured() -> None:
    (segment,) = [s for s in listen(through("alaw", single((0.36, 0.34), 5.0, 455.0))).segments if s.tone]
    assert segment.measured is not None
    for member, value, slack in (
        ("frequency_hz", 455.0, 0.2), ("level_dbm0", -13.0, 0.3), ("on_ms", 360.0, 5.0), ("off_ms", 340.0, 5.0)
    ):  # fmt: skip
        assert segment.measured[member] == pytest.approx(value, abs=slack)


def test_a_beep_of_1000_hz_is_no_howler_and_of_440_hz_no_ring() -> None:
    assert "cn.howler" not in named(sine(3.0, 1_000.0))
    for hz in (440.0, 1_000.0):
        line = np.concatenate((voice(3.0), silence(0.3), sine(0.5, hz), silence(2.0)))
        heard = listen(through("alaw", line))
        assert [s.tone for s in heard.segments if s.kind == "beep"] == ["cn.mailbox_beep"]
        assert heard.bursts == ()


def test_one_short_tone_out_of_nothing_is_no_reminder() -> None:
    assert named(np.concatenate((silence(1.0), sine(0.4, 1_400.0), silence(5.0)))) == [None]


# --- foreign ringback --------------------------------------------------------------------------------------


def rings(sound: np.ndarray) -> tuple[int | None, str | None]:
    heard = listen(through("ulaw", sound))
    found = ring_facts(Signals(ended_ms=heard.until_ms), heard).rings
    return found.count, found.plan


def test_rings_carry_the_plan_they_were_heard_in() -> None:
    assert rings(single(RINGBACK, 12.0)) == (3, "cn")
    assert rings(single(RINGBACK, 12.0, 425.0)) == (3, "eu")
    assert rings(pair((2.0, 4.0), 14.0, 440.0, 480.0)) == (3, "us")
    assert rings(silence(3.0)) == (None, None)


def test_a_double_ring_is_one_ring() -> None:
    heard = listen(through("alaw", pair(DOUBLE, 12.0, 400.0, 450.0)))
    assert [round(b.end_ms - b.start_ms, -1) for b in heard.bursts] == [1_000.0] * 4
    assert heard.restarts == ()


def test_a_call_passed_on_to_a_foreign_exchange_restarts() -> None:
    line = np.concatenate((single(RINGBACK, 8.0), pair((2.0, 4.0), 9.0, 440.0, 480.0)))
    heard = listen(through("alaw", line))
    assert [r.what for r in heard.restarts] == ["plan"]


def test_pairs_under_noise_and_loss() -> None:
    sound = pair((2.0, 4.0), 20.0, 441.0, 479.0, -28.0)
    noisy = through("alaw", sound + white_noise(20.0, -40.0)[: len(sound)])
    holed, came = lose(noisy, 0.03, 4)
    heard = listen(holed, came=came)
    assert len(heard.bursts) == 4
    assert {s.tone for s in heard.segments if s.kind == "ringback"} == {"us.ringback"}


def test_a_trunk_s_plan_is_its_own_and_all_others_are_foreign() -> None:
    columns = columns_of(single(RINGBACK, 12.0, 425.0))
    for name in shipped_plans():
        listener = LineListener(find_plan(name))
        listener.push(0.0, columns, np.ones(len(columns), np.bool_))
        heard = listener.finish(12_000.0)
        assert [s.tone for s in heard.segments if s.kind == "ringback"] == ["eu.ringback"]
        assert len(heard.bursts) == 3


# --- never a wrong ring -------------------------------------------------------------------------------------


def square(seconds: float) -> np.ndarray:
    return np.clip(sine(seconds, 450.0, 3.0) * 50.0, -0.99, 0.99).astype(np.float32)


@pytest.mark.parametrize(
    "sound",
    [
        np.zeros(0, np.float32),
        np.full(40_000, 0.7, np.float32),
        square(3.0),
        np.concatenate((silence(1.0), square(0.5), silence(2.0), square(1.7), silence(2.0))),
        np.concatenate((silence(1.0), sine(300.0), silence(1.0))),
        pair((60.0, 1.0), 60.0, 440.0, 480.0),
        np.concatenate((silence(1.0), sine(1.0, 440.0) + sine(1.0, 494.0), silence(4.0))),
        np.concatenate([sine(1.0, hz) for hz in (392.0, 450.0, 523.0)] * 3),
    ],
    ids=["empty", "offset", "square", "squares", "long", "long pair", "two notes", "melody"],
)
def test_odd_sounds_never_ring(sound: np.ndarray) -> None:
    assert listen(through("alaw", sound) if len(sound) else sound).bursts == ()


def test_two_hours_of_a_line_ring_only_where_it_rang() -> None:
    columns = np.concatenate((columns_of(single(RINGBACK, 12.0)), columns_of(silence(60.0))))
    listener = LineListener()
    hour, at_ms = 3_600_000.0, 0.0
    for start_ms in (0.0, hour, 2.0 * hour):
        listener.push(start_ms, columns, np.ones(len(columns), np.bool_))
        at_ms = start_ms + len(columns) * 20.0
    heard = listener.finish(at_ms)
    assert len(heard.bursts) == 9
    assert [round(b.start_ms) for b in heard.bursts[6:8]] == [7_200_300, 7_205_300]
    assert heard.restarts == ()


# --- the onset of an answer ----------------------------------------------------------------------------------


def answered(heard: Heard) -> float:
    facts = ring_facts(Signals(connected_ms=0.0, ended_ms=heard.until_ms), heard)
    assert facts.answer_source == "in_band"
    assert facts.answered_ms is not None
    assert facts.answered_window_ms is not None
    return facts.answered_ms


@pytest.mark.parametrize("hiss_dbm0", [-60.0, -47.0, -45.0, -43.0, -40.0])
@pytest.mark.parametrize("voice_dbm0", [-30.0, -15.0])
def test_a_voice_over_any_hiss_begins_where_it_begins(hiss_dbm0: float, voice_dbm0: float) -> None:
    line = np.concatenate((single(RINGBACK, 8.37), voice(3.0, 3, voice_dbm0)))
    heard = listen(through("alaw", line + white_noise(20.0, hiss_dbm0)[: len(line)]))
    assert answered(heard) == pytest.approx(8_370.0, abs=100.0)


def test_the_noise_of_a_room_is_the_answer_and_a_click_is_none() -> None:
    room = white_noise(4.0, -38.0, 2)
    room[8_000:] += voice(3.0, 3)
    ring = single(RINGBACK, 8.0)
    hiss = white_noise(12.0, -50.0)
    assert answered(listen(through("alaw", np.concatenate((ring, room)) + hiss))) == pytest.approx(
        8_000.0, abs=60.0
    )
    quiet = np.concatenate((silence(1.0), voice(3.0, 3)))
    quiet[:64] += 0.2
    found = answered(listen(through("alaw", np.concatenate((ring, quiet)) + hiss)))
    assert found == pytest.approx(9_000.0, abs=100.0)


def test_an_answer_in_the_middle_of_a_burst() -> None:
    line = np.concatenate((single(RINGBACK, 5.7), silence(0.2), voice(3.0, 3)))
    heard = listen(through("alaw", line + white_noise(20.0, -52.0)[: len(line)]))
    assert answered(heard) == pytest.approx(5_900.0, abs=100.0)
    assert heard.bursts[-1].end_ms == pytest.approx(5_700.0, abs=15.0)


def test_hiss_alone_is_no_answer() -> None:
    heard = listen(through("alaw", single(RINGBACK, 14.0) + white_noise(14.0, -41.0)))
    facts = ring_facts(Signals(connected_ms=0.0, ended_ms=heard.until_ms), heard)
    assert facts.answered_ms is None
    assert facts.rings.count == 3

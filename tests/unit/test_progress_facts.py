"""Ring start, answer, rings and labels as the contract says, each from a line made by formula."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sip.progress import (
    Heard,
    Limits,
    LineListener,
    Signals,
    answer_state,
    answered_by,
    ring_facts,
    three_ring,
)
from tests.line_sounds import (
    BUSY,
    RINGBACK,
    UNOBTAINABLE,
    cadence,
    chords,
    columns_of,
    listen,
    silence,
    sine,
    through,
    voice,
    white_noise,
)

NOTHING = Heard(until_ms=30_000.0)


def line(*parts: np.ndarray, start_ms: float = 0.0) -> Heard:
    return listen(through("alaw", np.concatenate(parts)), start_ms)


def rings(seconds: float) -> np.ndarray:
    return cadence(RINGBACK, seconds)[0]


def test_a_plain_answer_with_180_only_counts_rings_by_the_clock() -> None:
    facts = ring_facts(Signals(201.3, 9204.8, 15210.4), NOTHING)
    assert facts.ring_started_ms == facts.post_dial_delay_ms == 201.3
    assert facts.answered_ms == 9204.8
    assert facts.answer_source == "signalling"
    assert facts.answered_window_ms == (9204.8, 9204.8)
    assert facts.ring_to_answer_ms == facts.ring_to_answer_min_ms == pytest.approx(9003.5)
    assert (facts.rings.count, facts.rings.source, facts.rings.bursts) == (2, "cadence", ())
    assert facts.three_ring == "within"
    assert not facts.near_limit
    assert facts.early_media.kind == "none"


@pytest.mark.parametrize(("ringing_s", "count"), [(0.0, 1), (4.999, 1), (5.0, 2), (10.2, 3), (29.0, 6)])
def test_a_ring_begins_every_five_seconds(ringing_s: float, count: int) -> None:
    facts = ring_facts(Signals(100.0, 100.0 + ringing_s * 1000.0, 60_000.0), NOTHING)
    assert facts.rings.count == count


@pytest.mark.parametrize(
    ("took_ms", "label", "near"),
    [
        (9_900.0, "within", False),
        (10_000.0, "within", True),
        (11_000.0, "within", True),
        (11_000.1, "borderline", True),
        (13_000.0, "borderline", False),
        (15_000.0, "borderline", True),
        (15_000.1, "exceeded", True),
        (16_000.1, "exceeded", False),
    ],
)
def test_the_two_limits(took_ms: float, label: str, near: bool) -> None:
    facts = ring_facts(Signals(0.0, took_ms, 60_000.0), NOTHING)
    assert facts.three_ring == three_ring(took_ms) == label
    assert facts.near_limit is near


def test_other_limits_can_be_set() -> None:
    facts = ring_facts(Signals(0.0, 7_000.0, 60_000.0), NOTHING, Limits(5_000.0, 6_000.0, 500.0))
    assert facts.three_ring == "exceeded"
    assert not facts.near_limit


def test_true_ringback_is_counted_from_the_sound() -> None:
    heard = line(rings(12.3), silence(0.4), voice(3.0), start_ms=300.0)
    facts = ring_facts(Signals(310.0, 12_600.0, 16_000.0), heard)
    assert facts.ring_started_ms == pytest.approx(300.0, abs=10.0)
    assert (facts.rings.count, facts.rings.source) == (3, "audio")
    assert facts.answered_ms == 12_600.0
    assert facts.early_media.kind == "ringback"
    assert facts.early_media.segments[-1].end_ms <= 12_600.0
    assert [s.kind for s in facts.after_answer.segments if s.kind != "silence"] == ["speech"]


def test_a_burst_cut_off_by_the_answer_is_a_begun_ring() -> None:
    heard = line(rings(10.3), silence(0.5), voice(3.0))
    facts = ring_facts(Signals(0.0, 10_300.0, 14_000.0), heard)
    assert facts.rings.count == 3
    assert facts.rings.bursts[-1].end_ms == pytest.approx(10_300.0, abs=10.0)


@pytest.mark.parametrize(
    ("signalled_ms", "sound_ms", "used_ms"),
    [
        (1_000.0, 1_600.0, 1_000.0),
        (1_600.0, 1_000.0, 1_000.0),
        (400.0, 3_000.0, 3_000.0),
        (6_000.0, 1_000.0, 6_000.0),
    ],
)
def test_180_and_first_burst_far_apart_use_the_later(
    signalled_ms: float, sound_ms: float, used_ms: float
) -> None:
    heard = line(rings(9.0), start_ms=sound_ms)
    facts = ring_facts(Signals(signalled_ms, sound_ms + 9_000.0, 20_000.0), heard)
    assert facts.ring_started_ms == pytest.approx(used_ms, abs=10.0)
    assert facts.rings.count == 2


def test_183_with_silence_is_not_ringing() -> None:
    heard = line(silence(5.0), start_ms=200.0)
    facts = ring_facts(Signals(None, None, 5_200.0), heard)
    assert facts.ring_started_ms is None
    assert facts.post_dial_delay_ms is None
    assert facts.rings.count is None
    assert facts.early_media.kind == "silence"
    assert facts.three_ring == "not_applicable"


def test_an_unanswered_call_has_a_ring_start_and_rings() -> None:
    facts = ring_facts(Signals(0.0, None, 16_000.0), line(rings(16.0)))
    assert facts.answered_ms is None
    assert facts.rings.count == 4
    assert facts.ring_to_answer_ms is None
    assert facts.three_ring == "not_applicable"


def test_color_ring_counts_no_rings_and_its_onset_is_ring_start() -> None:
    heard = line(silence(0.5), chords(9.0, seed=1), silence(0.5), voice(3.0))
    facts = ring_facts(Signals(None, 9_600.0, 13_000.0), heard)
    assert facts.early_media.kind == "crbt"
    assert facts.ring_started_ms == pytest.approx(500.0, abs=60.0)
    assert facts.rings.count is None
    assert facts.rings.source is None
    assert facts.three_ring == "within"


@pytest.mark.parametrize(
    ("signalled_ms", "music_s", "used_ms"),
    [(0.0, 2.0, 0.0), (5_000.0, 2.0, 2_000.0), (1_600.0, 2.0, 1_600.0), (None, 2.0, 2_000.0)],
)
def test_180_and_color_ring_use_the_earlier(
    signalled_ms: float | None, music_s: float, used_ms: float
) -> None:
    heard = line(silence(music_s), chords(7.0, seed=1), silence(0.5), voice(3.0))
    facts = ring_facts(Signals(signalled_ms, 9_000.0, 12_500.0), heard)
    assert facts.ring_started_ms == pytest.approx(used_ms, abs=60.0)
    assert facts.early_media.kind == "crbt"


@pytest.mark.parametrize(
    ("sound", "signalled_ms", "used_ms"),
    [
        ((silence(3.0), rings(3.0), chords(8.0, seed=1)), 0.0, 3_000.0),
        ((silence(1.0), chords(8.0, seed=1), silence(1.0), rings(4.0)), 4_000.0, 1_000.0),
    ],
    ids=["ringback first", "color ring first"],
)
def test_what_is_heard_first_is_compared_with_the_180(
    sound: tuple[np.ndarray, ...], signalled_ms: float, used_ms: float
) -> None:
    facts = ring_facts(Signals(signalled_ms, 13_900.0, 15_000.0), line(*sound))
    assert facts.rings.count == 1
    assert facts.ring_started_ms == pytest.approx(used_ms, abs=80.0)


def test_a_voice_while_it_rings_is_color_ring_only_if_someone_answers() -> None:
    heard = line(silence(0.5), voice(5.0), silence(0.5))
    answered = ring_facts(Signals(200.0, 6_000.0, 9_000.0), heard)
    failed = ring_facts(Signals(200.0, None, 6_000.0), heard)
    assert answered.early_media.kind == "crbt"
    assert failed.early_media.kind == "announcement"
    assert "announcement" in {s.kind for s in failed.early_media.segments}
    assert "speech" not in {s.kind for s in failed.early_media.segments}


# --- analogue gateways: 200 at once, ringback in band -------------------------------------------------


def gateway(ringing_s: float) -> Heard:
    return line(silence(1.0), rings(ringing_s), silence(0.2), voice(4.0), start_ms=300.0)


def test_behind_a_gateway_the_answer_is_where_the_voice_begins() -> None:
    facts = ring_facts(Signals(None, 290.0, 20_000.0), gateway(7.5))
    assert facts.answer_source == "in_band"
    assert facts.ring_started_ms == pytest.approx(1_300.0, abs=10.0)
    assert facts.answered_ms == pytest.approx(300.0 + 1_000.0 + 7_500.0 + 200.0, abs=60.0)
    assert facts.answered_window_ms is not None
    assert facts.answered_window_ms[0] == pytest.approx(1_300.0 + 6_000.0, abs=10.0)
    assert facts.answered_window_ms[1] == facts.answered_ms
    assert facts.ring_to_answer_min_ms == pytest.approx(6_000.0, abs=15.0)
    assert facts.rings.count == 2
    assert facts.after_answer.segments[0].kind == "speech"


@pytest.mark.parametrize("late_ms", [12.0, 500.0])
def test_ringback_that_overtook_its_200_is_still_the_gateways(late_ms: float) -> None:
    """Nobody had announced any sound: what came before the 200 came on another way, or the first 200 was lost."""
    signals = Signals(None, late_ms, 20_000.0, early_sound=False)
    heard = line(rings(1.0), silence(1.5), voice(4.0))
    facts = ring_facts(signals, heard)
    assert facts.answer_source == "in_band"
    assert facts.ring_started_ms == pytest.approx(0.0, abs=10.0)
    assert facts.answered_ms == pytest.approx(2_500.0, abs=60.0)
    assert facts.rings.count == 1
    assert ring_facts(replace(signals, early_sound=True), heard).answer_source == "signalling"


def test_the_last_of_ringing_whose_announcement_was_lost_is_no_gateways() -> None:
    """The 183 never came, so nothing was heard until shortly before the 200, and ringback stops 0.3 s after it."""
    heard = line(rings(1.0), silence(6.0), voice(4.0))
    facts = ring_facts(Signals(None, 700.0, 20_000.0, early_sound=False), heard)
    assert (facts.answered_ms, facts.answer_source) == (700.0, "signalling")


def test_ringback_that_was_announced_before_the_200_is_early_sound() -> None:
    heard = line(rings(7.5), silence(0.2), voice(4.0))
    facts = ring_facts(Signals(None, 6_600.0, 20_000.0), heard)
    assert (facts.answered_ms, facts.answer_source, facts.rings.count) == (6_600.0, "signalling", 2)


def test_a_failure_tone_that_overtook_its_200_was_not_answered() -> None:
    heard = line(cadence(UNOBTAINABLE, 6.0)[0])
    facts = ring_facts(Signals(None, 400.0, 6_000.0, early_sound=False), heard)
    assert facts.answered_ms is None


@pytest.mark.parametrize("signalled_ms", [None, 100.0])
def test_a_voice_that_overtook_its_200_changes_no_answer(signalled_ms: float | None) -> None:
    signals = Signals(signalled_ms, 4_400.0, 9_000.0, early_sound=False)
    facts = ring_facts(signals, line(voice(4.0), start_ms=4_000.0))
    assert (facts.answered_ms, facts.answer_source) == (4_400.0, "signalling")
    assert facts.ring_started_ms == signalled_ms


def test_a_limit_inside_the_answer_window_is_near() -> None:
    # The third burst ends 11 s after ring start, the voice comes at 14.7 s.
    facts = ring_facts(Signals(None, 290.0, 25_000.0), gateway(14.5))
    assert facts.three_ring == "borderline"
    assert facts.near_limit


def test_a_gateway_where_only_ringback_is_heard_is_not_answered() -> None:
    facts = ring_facts(Signals(None, 100.0, 21_000.0), line(rings(20.0), start_ms=500.0))
    assert facts.answered_ms is None
    assert facts.answer_source is None
    assert facts.rings.count == 4
    assert facts.early_media.kind == "ringback"
    assert facts.after_answer.segments == ()


def test_the_tail_of_a_burst_after_the_200_is_no_gateway() -> None:
    heard = line(rings(5.25), silence(0.3), voice(2.0))
    facts = ring_facts(Signals(0.0, 5_010.0, 8_000.0), heard)
    assert facts.answer_source == "signalling"
    assert facts.answered_ms == 5_010.0


def test_ringing_of_an_extension_after_a_voice_is_after_the_answer() -> None:
    heard = line(rings(3.0), voice(3.0, seed=5), silence(1.0), rings(7.0))
    facts = ring_facts(Signals(0.0, 2_900.0, 14_000.0), heard)
    assert facts.answer_source == "signalling"
    assert facts.rings.count == 1


def test_a_gateway_that_passes_on_a_failure_tone_was_not_answered() -> None:
    heard = line(silence(0.5), cadence(UNOBTAINABLE, 6.0)[0], start_ms=100.0)
    facts = ring_facts(Signals(None, 90.0, 6_600.0), heard)
    assert facts.answered_ms is None
    assert [tone.kind for tone in heard.recognised] == ["unobtainable"]


def test_ringing_that_ends_in_busy_tone_behind_a_gateway_was_not_answered() -> None:
    heard = line(rings(10.0), cadence(BUSY, 4.0)[0], start_ms=100.0)
    facts = ring_facts(Signals(None, 90.0, 14_100.0), heard)
    assert facts.answered_ms is None
    assert facts.rings.count == 2
    assert heard.recognised[0].at_ms == pytest.approx(11_500.0, abs=120.0)


@pytest.mark.parametrize("tone", [sine(8.0), sine(8.0, 950.0)], ids=["dial_tone", "howler"])
@pytest.mark.parametrize("lead_s", [0.1, 2.0])
def test_a_tone_that_says_no_outcome_takes_no_answer_away(tone: np.ndarray, lead_s: float) -> None:
    heard = line(silence(lead_s), tone)
    signals = Signals(None, 20.0, heard.until_ms)
    facts = ring_facts(signals, heard)
    assert (facts.answered_ms, facts.answer_source) == (20.0, "signalling")
    assert answer_state(signals, heard).state == "answered"
    assert answered_by(heard, 20.0, heard.until_ms, 400) == "unknown"


def test_dial_tone_before_a_failure_tone_does_not_hide_it() -> None:
    heard = line(silence(0.2), sine(2.5), cadence(BUSY, 5.0)[0])
    assert ring_facts(Signals(None, 20.0, heard.until_ms), heard).answered_ms is None


def test_a_voice_after_dial_tone_behind_a_ringing_gateway_is_the_answer() -> None:
    heard = line(rings(7.0), sine(3.0), silence(1.0), voice(4.0))
    facts = ring_facts(Signals(None, 0.0, heard.until_ms), heard)
    assert facts.answer_source == "in_band"
    assert facts.answered_ms == pytest.approx(11_000.0, abs=80.0)


def test_what_the_outcome_denies_is_no_answer() -> None:
    facts = ring_facts(Signals(0.0, 3_000.0, 4_000.0, outcome_answered=False), NOTHING)
    assert facts.answered_ms is None
    assert facts.three_ring == "not_applicable"


def test_a_tone_in_a_voice_where_the_next_ring_would_be_is_no_ring() -> None:
    spoken = voice(6.0, seed=8)
    at = round(3.9 * 8_000)
    spoken[at - 480 : at + 1_760] = 0.0
    spoken[at : at + 1_200] = sine(0.15)
    heard = line(rings(6.0), silence(0.2), spoken)
    facts = ring_facts(Signals(0.0, 6_000.0, 12_500.0), heard)
    assert facts.rings.count == len(heard.bursts) == 2


@pytest.mark.parametrize("noise_dbm0", [-60.0, -50.0, -42.0, -36.0])
def test_a_voice_on_a_noisy_line_answers_where_it_begins(noise_dbm0: float) -> None:
    sound = np.concatenate((rings(6.5), silence(0.8), voice(4.0, seed=2), silence(1.0)))
    sound = sound + white_noise(len(sound) / 8_000, noise_dbm0)
    facts = ring_facts(Signals(None, 0.0, 12_300.0), line(sound))
    assert facts.rings.count == 2
    assert facts.answered_ms == pytest.approx(7_300.0, abs=80.0)


# --- while the call lasts -------------------------------------------------------------------------------


def states(sound: np.ndarray, signals: Signals) -> list[tuple[float, str, float | None]]:
    """Return (now, state, answered_ms) every 200 ms."""
    columns = columns_of(through("alaw", sound))
    listener = LineListener()
    found = []
    for at in range(0, len(columns), 10):
        part = columns[at : at + 10]
        listener.push(at * 20.0, part, np.ones(len(part), np.bool_))
        now_ms = (at + len(part)) * 20.0
        connected_ms = signals.connected_ms
        known = Signals(
            signals.first_180_ms,
            connected_ms if connected_ms is not None and connected_ms <= now_ms else None,
            now_ms,
        )
        state = answer_state(known, listener.heard())
        found.append((now_ms, state.state, state.answered_ms))
    return found


def test_the_clocks_behind_a_gateway_follow_the_ringback() -> None:
    sound = np.concatenate((silence(1.0), rings(7.5), silence(0.2), voice(4.0)))
    seen = states(sound, Signals(None, 0.0))
    onset_ms = 8_700.0
    ringing = [state for now, state, _ in seen if 2_200.0 <= now <= onset_ms]
    assert set(ringing) == {"ringing"}
    later = [(state, at) for now, state, at in seen if now >= onset_ms + 700.0]
    assert {state for state, _ in later} == {"answered"}
    assert all(at == pytest.approx(onset_ms, abs=60.0) for _, at in later)


def test_a_normal_answer_is_known_at_once_and_stays() -> None:
    sound = np.concatenate((rings(6.2), silence(1.5), voice(3.0)))
    seen = states(sound, Signals(0.0, 6_200.0))
    assert {state for now, state, _ in seen if now < 6_200.0} == {"ringing"}
    assert {(state, at) for now, state, at in seen if now >= 6_200.0} == {("answered", 6_200.0)}


def test_a_200_out_of_nothing_waits_a_moment_for_ringback() -> None:
    seen = states(silence(8.0), Signals(None, 200.0))
    assert {state for now, state, _ in seen if now < 6_200.0} == {"waiting"}
    assert {(state, at) for now, state, at in seen if now >= 6_200.0} == {("answered", 200.0)}


@pytest.mark.parametrize(("came", "doubt_ms"), [(True, 6_000.0), (False, 1_200.0)])
def test_a_200_out_of_nothing_is_answered_in_the_end_when_nothing_comes(came: bool, doubt_ms: float) -> None:
    """Silence may be a gateway that dials; where not one packet comes there is nothing to wait for."""
    heard = line(silence(7.0)) if came else Heard(until_ms=7_000.0)
    assert answer_state(Signals(None, 0.0, doubt_ms - 100.0), heard).state == "waiting"
    state = answer_state(Signals(None, 0.0, doubt_ms), heard)
    assert (state.state, state.answered_ms, state.source) == ("answered", 0.0, "signalling")


@pytest.mark.parametrize(
    "sound",
    [voice(3.0), chords(3.0), sine(3.0, 2100.0), white_noise(3.0, -30.0)],
    ids=["speech", "music", "fax", "noise"],
)
def test_a_sound_of_theirs_settles_the_doubt_at_once(sound: np.ndarray) -> None:
    seen = states(np.concatenate((silence(2.0), sound)), Signals(None, 200.0))
    assert {state for now, state, _ in seen if now <= 2_200.0} == {"waiting"}
    assert {(state, at) for now, state, at in seen if now >= 2_800.0} == {("answered", 200.0)}


def test_a_click_settles_nothing() -> None:
    click = white_noise(0.15, -25.0)
    seen = states(np.concatenate((silence(1.0), click, silence(3.0))), Signals(None, 200.0))
    assert {state for _, state, _ in seen} == {"waiting"}


@pytest.mark.parametrize("first_s", [0.1, 0.4, 3.0, 5.9, 9.0, 14.5])
@pytest.mark.parametrize("on_s", [0.81, 1.0, 1.19])
def test_no_burst_of_a_gateway_is_taken_for_a_call_answered(first_s: float, on_s: float) -> None:
    ringing = cadence((on_s, 4.0), 12.0)[0]
    seen = states(np.concatenate((silence(first_s), ringing)), Signals(None, 0.0))
    begun = [state for now, state, _ in seen if now >= first_s * 1000.0 + 300.0]
    assert set(begun) == {"waiting", "ringing"}
    assert begun[-1] == "ringing"
    heard = line(silence(first_s), ringing, silence(0.2), voice(4.0))
    facts = ring_facts(Signals(None, 0.0, heard.until_ms), heard)
    assert facts.answer_source == "in_band"
    assert facts.ring_started_ms == pytest.approx(first_s * 1000.0, abs=10.0)
    assert facts.rings.count == 3


def test_a_burst_longer_than_15_s_after_the_200_is_no_gateway_s() -> None:
    heard = line(silence(16.0), rings(8.0), voice(3.0))
    facts = ring_facts(Signals(None, 0.0, heard.until_ms), heard)
    assert (facts.answer_source, facts.answered_ms) == ("signalling", 0.0)


def test_ringing_after_a_voice_out_of_nothing_is_after_the_answer() -> None:
    heard = line(silence(1.0), voice(3.0), silence(4.0), rings(7.0))
    facts = ring_facts(Signals(None, 0.0, heard.until_ms), heard)
    assert (facts.answer_source, facts.ring_started_ms) == ("signalling", None)


@pytest.mark.parametrize(("first_s", "source"), [(4.5, "in_band"), (8.0, "signalling")])
def test_a_line_that_rang_before_its_200_rings_on_within_a_period(first_s: float, source: str) -> None:
    heard = line(silence(first_s), rings(7.0), voice(3.0))
    facts = ring_facts(Signals(0.0, 100.0, heard.until_ms), heard)
    assert facts.answer_source == source


def test_after_ringing_a_200_is_answered_until_a_new_burst_begins() -> None:
    seen = states(np.concatenate((silence(2.0), rings(7.0))), Signals(0.0, 200.0))
    assert {state for now, state, _ in seen if 200.0 <= now <= 2_300.0} == {"answered"}
    assert {state for now, state, _ in seen if now >= 2_700.0} == {"ringing"}


def test_what_was_under_way_at_the_200_takes_nothing_back() -> None:
    # The rest of a burst comes 0.2 s late.
    sound = np.concatenate((rings(5.0), sine(0.3), silence(6.0)))
    seen = states(sound, Signals(0.0, 4_900.0))
    assert {(state, at) for now, state, at in seen if now >= 5_000.0} == {("answered", 4_900.0)}


def test_dial_tone_after_a_200_is_in_no_doubt_for_long() -> None:
    rang = states(sine(8.0), Signals(0.0, 0.0))
    assert {state for now, state, _ in rang if now >= 1_600.0} == {"answered"}
    unrung = states(sine(8.0), Signals(None, 0.0))
    assert {state for now, state, _ in unrung if now >= 6_000.0} == {"answered"}


def test_a_busy_tone_after_the_answer_leaves_it_answered() -> None:
    seen = states(np.concatenate((silence(5.5), cadence(BUSY, 5.0)[0])), Signals(None, 0.0))
    known = [state for now, state, _ in seen if now >= 7_200.0]
    assert set(known) == {"answered"}


# --- who answered ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ((silence(0.4), voice(2.5), silence(4.0)), "human"),
        ((voice(5.0, seed=3), silence(0.4), sine(0.5, 1000.0), silence(4.0)), "machine"),
        ((voice(12.0, seed=4),), "machine"),
        ((silence(1.0), sine(3.0, 2100.0), silence(1.0)), "fax"),
        ((silence(8.0),), "silence"),
        ((silence(3.0),), "unknown"),
    ],
    ids=["human", "beep", "talks on", "fax", "silence", "too short"],
)
def test_who_answered(parts: tuple[np.ndarray, ...], expected: str) -> None:
    heard = line(*parts, start_ms=1_000.0)
    assert answered_by(heard, 1_000.0, heard.until_ms, 100) == expected


def test_without_a_packet_nobody_is_silent() -> None:
    assert answered_by(Heard(until_ms=20_000.0), 1_000.0, 20_000.0, 0) == "unknown"
    assert answered_by(Heard(until_ms=20_000.0), None, 20_000.0, 0) == "unknown"


def heard_with_gaps(sound: np.ndarray, *came_s: tuple[float, float]) -> Heard:
    """Return what is heard when packets come only in these stretches."""
    came = np.zeros(len(sound) // 160, np.bool_)
    for start_s, end_s in came_s:
        came[round(start_s * 50) : round(end_s * 50)] = True
    return listen(through("alaw", sound), came=came)


@pytest.mark.parametrize("answered_ms", [400.0, 2_000.0, 5_900.0, 6_300.0])
def test_an_answerer_who_is_silent_after_audible_ringback_is_silence(answered_ms: float) -> None:
    last_ring = rings(6.0) if answered_ms > 5_000.0 else rings(1.0)
    heard = line(last_ring[: round(answered_ms * 8)], silence(8.8))
    assert answered_by(heard, answered_ms, heard.until_ms, 400) == "silence"


def test_the_pause_of_ringback_and_their_silence_are_one_segment() -> None:
    heard = line(rings(2.0), silence(8.8))
    after = ring_facts(Signals(0.0, 2_000.0, heard.until_ms), heard).after_answer.segments
    assert [(s.kind, s.start_ms, s.end_ms) for s in after] == [("silence", 2_000.0, heard.until_ms)]


@pytest.mark.parametrize(
    ("early", "came_s"),
    [
        (silence(2.0), [(0.0, 1.0)]),
        (rings(2.0), [(0.0, 2.0)]),
        (rings(2.0), [(0.0, 2.0), (4.0, 8.5)]),
    ],
    ids=["early silence", "ringback", "4.5 s of silence"],
)
def test_what_did_not_arrive_is_no_silence(early: np.ndarray, came_s: list[tuple[float, float]]) -> None:
    heard = heard_with_gaps(np.concatenate((early, silence(12.0))), *came_s)
    assert answered_by(heard, 2_000.0, heard.until_ms, 100) == "unknown"


def test_the_pause_of_ringback_is_silence_only_where_packets_came() -> None:
    heard = heard_with_gaps(np.concatenate((rings(2.0), silence(12.0))), (0.0, 3.0), (4.0, 11.0))
    after = ring_facts(Signals(0.0, 2_000.0, heard.until_ms), heard).after_answer.segments
    assert [(s.kind, s.start_ms, s.end_ms) for s in after] == [
        ("silence", 2_000.0, 3_000.0),
        ("silence", 4_000.0, 11_000.0),
    ]
    assert heard.present == ((0.0, 3_000.0), (4_000.0, 11_000.0))
    assert answered_by(heard, 2_000.0, heard.until_ms, 400) == "silence"


def test_ringing_on_after_a_silent_answer_is_not_silence() -> None:
    heard = line(rings(2.0), silence(6.0), rings(7.0), start_ms=0.0)
    assert answered_by(heard, 2_000.0, heard.until_ms, 700) == "unknown"

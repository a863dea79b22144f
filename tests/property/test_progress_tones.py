"""Whatever the tone within tolerance, level, law and offset: exact counts, edges to 10 ms, never the wrong name."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sip.progress import Heard, LineListener
from tests.line_sounds import (
    BUSY,
    CONGESTION,
    UNOBTAINABLE,
    cadence,
    chords,
    columns_of,
    listen,
    lose,
    silence,
    through,
    voice,
    white_noise,
)

FREQUENCIES = st.floats(425.0, 475.0)
LEVELS = st.floats(-38.0, -3.0)
LEADS = st.floats(0.1, 1.0)
LAWS = st.sampled_from(["alaw", "ulaw"])
STRETCH = st.floats(0.8, 1.2)


def noisy(sound: np.ndarray, dbm0: float, snr_db: float | None, seed: int) -> np.ndarray:
    if snr_db is None:
        return sound
    return sound + white_noise(len(sound) / 8000, dbm0 - snr_db, seed)[: len(sound)]


@settings(max_examples=25, deadline=None)
@given(
    hz=FREQUENCIES,
    dbm0=LEVELS,
    lead=LEADS,
    on=STRETCH,
    off=st.floats(3.2, 4.8),
    rings=st.integers(1, 4),
    law=LAWS,
    snr=st.sampled_from([None, 20.0, 30.0]),
    seed=st.integers(0, 99),
)
def test_ringback_within_tolerance_is_counted_and_measured(hz, dbm0, lead, on, off, rings, law, snr, seed):
    sound, bursts = cadence((on, off), lead + rings * (on + off) - 0.002, hz, dbm0, lead)
    heard = listen(through(law, noisy(sound, dbm0, snr, seed)))
    assert len(heard.bursts) == rings == len(bursts)
    for burst, (start_ms, end_ms) in zip(heard.bursts, bursts, strict=True):
        assert abs(burst.start_ms - start_ms) <= 10.0
        assert abs(burst.end_ms - end_ms) <= 10.0
        assert abs(burst.frequency_hz - hz) <= 1.0
        assert abs(burst.level_dbm0 - dbm0) <= 1.0
    assert heard.recognised == ()


@settings(max_examples=25, deadline=None)
@given(
    tone=st.sampled_from([("busy", BUSY), ("congestion", CONGESTION), ("unobtainable", UNOBTAINABLE)]),
    hz=FREQUENCIES,
    dbm0=LEVELS,
    lead=LEADS,
    stretch=STRETCH,
    law=LAWS,
    snr=st.sampled_from([None, 20.0]),
    cycles=st.integers(2, 5),
)
def test_failure_tones_are_recognised_after_two_cycles_and_are_never_ringback(
    tone, hz, dbm0, lead, stretch, law, snr, cycles
):
    kind, periods = tone
    periods = [period * stretch for period in periods]
    cycle_s = sum(periods)
    sound, _ = cadence(periods, lead + cycles * cycle_s - 0.002, hz, dbm0, lead)
    line = np.concatenate((noisy(sound, dbm0, snr, 1), silence(0.5)))
    columns = columns_of(through(law, line))
    listener = LineListener()
    for at in range(0, len(columns), 10):
        part = columns[at : at + 10]
        listener.push(at * 20.0, part, np.ones(len(part), np.bool_))
        assert listener.heard().bursts == ()
    heard = listener.finish(len(columns) * 20.0)
    assert heard.bursts == ()
    assert [tone.kind for tone in heard.recognised] == [kind]
    two_cycles_ms = (lead + 2 * cycle_s) * 1000.0
    assert abs(heard.recognised[0].start_ms - lead * 1000.0) <= 10.0
    assert two_cycles_ms - periods[-1] * 500.0 <= heard.recognised[0].at_ms <= two_cycles_ms + 20.0


@settings(max_examples=15, deadline=None)
@given(hz=FREQUENCIES, dbm0=st.floats(-30.0, -5.0), rings=st.integers(2, 4), seed=st.integers(0, 10_000))
def test_five_percent_loss_does_not_change_the_count(hz, dbm0, rings, seed):
    sound, bursts = cadence((1.0, 4.0), 0.498 + rings * 5.0, hz, dbm0, 0.5)
    holed, came = lose(through("alaw", sound), 0.05, seed)
    if _longest_loss(came) > 3:
        return
    heard = listen(holed, came=came)
    assert len(heard.bursts) == rings
    for burst, (start_ms, end_ms) in zip(heard.bursts, bursts, strict=True):
        # An edge inside lost packets can only be known to the packets around them.
        assert abs(burst.start_ms - start_ms) <= (10.0 if came[int(start_ms // 20)] else 70.0)
        assert abs(burst.end_ms - end_ms) <= (10.0 if came[int((end_ms - 1) // 20)] else 70.0)


def _longest_loss(came: np.ndarray) -> int:
    longest = run = 0
    for column in came:
        run = 0 if column else run + 1
        longest = max(longest, run)
    return longest


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    dbm0=st.floats(-35.0, -8.0),
    kind=st.sampled_from(["voice", "music", "noise"]),
)
def test_no_other_sound_rings(seed, dbm0, kind):
    make = {"voice": voice, "music": chords}.get(kind)
    sound = make(8.0, seed, dbm0) if make else white_noise(8.0, dbm0, seed)
    heard = listen(through("alaw", np.clip(sound, -1.0, 1.0)))
    assert heard.bursts == ()
    assert heard.recognised == ()


@settings(max_examples=8, deadline=None)
@given(cuts=st.lists(st.integers(1, 60), min_size=1, max_size=12), seed=st.integers(0, 20))
def test_the_blocks_pushed_do_not_matter(cuts, seed):
    ring, _ = cadence((1.0, 4.0), 7.3, lead_s=0.31)
    line = np.concatenate((ring, voice(4.0, seed), silence(1.0), cadence(BUSY, 3.0)[0]))
    columns = columns_of(through("alaw", line))
    listener = LineListener()
    at = 0
    for cut in [*cuts, *[37] * len(columns)]:
        part = columns[at : at + cut]
        listener.push(at * 20.0, part, np.ones(len(part), np.bool_))
        at += len(part)
    assert _plain(listener.finish(at * 20.0)) == _plain(listen(through("alaw", line)))


def _plain(heard: Heard) -> list[tuple]:
    """Sums of other lengths differ in the last digits."""
    segments = [(s.kind, round(s.start_ms, 1), round(s.end_ms, 1)) for s in heard.segments]
    return segments + [
        (round(b.start_ms, 1), round(b.end_ms, 1), round(b.frequency_hz, 2)) for b in heard.bursts
    ]


@settings(max_examples=25, deadline=None)
@given(
    data=st.lists(
        st.sampled_from(["nan", "inf", "dc", "clip", "zero", "tick", "tone", "denormal"]),
        min_size=1,
        max_size=8,
    ),
    start_ms=st.floats(0.0, 1e7),
)
def test_no_sound_is_an_error(data, start_ms):
    parts = {
        "nan": np.full(4000, np.nan),
        "inf": np.full(4000, np.inf),
        "dc": np.full(4000, 0.7),
        "clip": np.sign(np.sin(np.arange(4000) * 0.3534)),
        "zero": np.zeros(4000),
        "tick": np.eye(1, 4000, 2000)[0],
        "tone": np.sin(np.arange(4000) * 0.3534),
        "denormal": np.full(4000, 1e-40),
    }
    heard = listen(np.concatenate([parts[name] for name in data]).astype(np.float32), start_ms)
    ends = [start_ms, *(edge for s in heard.segments for edge in (s.start_ms, s.end_ms)), heard.until_ms]
    assert ends == sorted(ends)


@settings(max_examples=12, deadline=None)
@given(
    case=st.sampled_from([("us", 440.0, 480.0, (2.0, 4.0)), ("uk", 400.0, 450.0, (0.4, 0.2, 0.4, 2.0))]),
    off_hz=st.floats(-4.0, 4.0),
    dbm0=st.floats(-33.0, -6.0),
    lead=LEADS,
    stretch=st.floats(0.92, 1.08),
    law=LAWS,
    snr=st.sampled_from([None, 15.0, 25.0]),
)
def test_foreign_rings_are_counted_under_their_plan(case, off_hz, dbm0, lead, stretch, law, snr):
    plan, lower, upper, on_off = case
    periods = [period * stretch for period in on_off]
    seconds = lead + 3 * sum(periods) - 0.05
    waves = [cadence(periods, seconds, hz + off_hz, dbm0 - 3.0, lead)[0] for hz in (lower, upper)]
    heard = listen(through(law, noisy(waves[0] + waves[1], dbm0, snr, 3)))
    assert len(heard.bursts) == 3
    assert {s.tone for s in heard.segments if s.kind == "ringback"} == {f"{plan}.ringback"}
    assert heard.restarts == ()
    assert abs(heard.bursts[0].start_ms - lead * 1000.0) <= 20.0


@settings(max_examples=12, deadline=None)
@given(
    on=STRETCH,
    off=st.floats(3.2, 4.8),
    hz=FREQUENCIES,
    dbm0=st.floats(-33.0, -6.0),
    seed=st.integers(0, 10_000),
    loss=st.floats(0.0, 0.04),
)
def test_no_line_within_tolerance_restarts(on, off, hz, dbm0, seed, loss):
    sound, _ = cadence((on, off), 4 * (on + off), hz, dbm0, 0.4)
    holed, came = lose(through("alaw", sound), loss, seed)
    assert listen(holed, came=came).restarts == ()

"""Marked recordings heard again: what must be recognised, what must not, and what cannot be marked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from sip.progress import FEATURES, AudioFileError
from sip.progress.marking import MarkError, heard_in_file, mark, mark_file
from sip.progress.sample_matcher import SampleMatcher
from sip.progress.samples import Sample, SampleHeard, SampleLibrary
from sip.progress.stretches import alike, phases_from_bytes, phases_to_bytes
from sip.record import AnnouncementMeaning
from sip.simulator.clips import sound
from tests.line_sounds import (
    amplitude,
    cadence,
    chords,
    columns_of,
    lose,
    silence,
    sine,
    through,
    voice,
    white_noise,
)

NAMES: dict[str, AnnouncementMeaning] = {
    "powered_off": "powered_off",
    "not_reachable": "not_reachable",
    "in_call": "in_call",
    "empty_number": "unobtainable",
    "transfer_notice": "transfer",
    "mailbox": "mailbox",
}


def clip(name: str) -> np.ndarray:
    return (sound(name) / 32768.0).astype(np.float32)


def sample(number: int, meaning: AnnouncementMeaning, wave: np.ndarray) -> Sample:
    marked = mark(wave)
    return Sample(number, meaning, meaning, marked.phases, marked.length_ms)


def library_of(*waves: tuple[AnnouncementMeaning, np.ndarray]) -> SampleLibrary:
    return SampleLibrary(tuple(sample(n, meaning, wave) for n, (meaning, wave) in enumerate(waves)))


@pytest.fixture(scope="module")
def library() -> SampleLibrary:
    return library_of(*((meaning, clip(name)) for name, meaning in NAMES.items()))


def heard(
    library: SampleLibrary, wave: np.ndarray, came: np.ndarray | None = None, block: int = 5
) -> list[SampleHeard]:
    columns = columns_of(wave)
    present = np.ones(len(columns), np.bool_) if came is None else came
    matcher = SampleMatcher(library)
    found: list[SampleHeard] = []
    for at in range(0, len(columns), block):
        found += matcher.push(at * 20.0, columns[at : at + block], present[at : at + block])
    return found + matcher.finish()


def at_level(wave: np.ndarray, dbm0: float) -> np.ndarray:
    powers = np.mean(wave[: len(wave) // 160 * 160].reshape(-1, 160) ** 2, axis=1)
    active = powers[powers > powers.max() * 1e-3].mean()
    return np.clip(wave * amplitude(dbm0) / np.sqrt(2 * active), -1, 1).astype(np.float32)


def drifted(wave: np.ndarray, ppm: float) -> np.ndarray:
    at = np.arange(0, len(wave) - 1, 1 + ppm * 1e-6)
    return np.interp(at, np.arange(len(wave)), wave).astype(np.float32)


def meanings(found: list[SampleHeard]) -> list[str]:
    return [item.sample.meaning for item in found]


@settings(max_examples=25, deadline=None)
@given(
    name=st.sampled_from(sorted(NAMES)),
    dbm0=st.floats(-35, -10),
    snr_db=st.floats(15, 40),
    law=st.sampled_from(["alaw", "ulaw"]),
    ppm=st.sampled_from([-200, 0, 200]),
    lead=st.integers(0, 159),
    seed=st.integers(0, 1000),
)
def test_a_recording_is_known_again_through_what_a_line_does_to_it(
    library, name, dbm0, snr_db, law, ppm, lead, seed
) -> None:
    wave = drifted(at_level(clip(name), dbm0), ppm)
    line = np.concatenate((np.zeros(4000 + lead, np.float32), wave, silence(1.0)))
    line = line + white_noise(len(line) / 8000, dbm0 - snr_db, seed)[: len(line)]
    line, came = lose(through(law, line), 0.03, seed)
    found = heard(library, line, came)
    assert meanings(found) == [NAMES[name]]
    start_ms = (4000 + lead) / 8 + mark(clip(name)).start_ms
    assert found[0].start_ms == pytest.approx(start_ms, abs=60)
    assert found[0].end_ms == pytest.approx(start_ms + found[0].sample.length_ms, abs=60)
    assert found[0].error_rate <= 0.06


def hits(seconds: float, seed: int) -> np.ndarray:
    """Return strokes that die away, more than a second apart: nothing changes between them."""
    rng = np.random.default_rng(seed)
    out = silence(seconds)
    at = 0
    while at < len(out):
        t = np.arange(min(8_000, len(out) - at)) / 8_000
        for _ in range(6):
            hz, decay = rng.uniform(200, 3_200), np.exp(-t * rng.uniform(1, 6))
            out[at : at + len(t)] += np.sin(2 * np.pi * hz * t) * decay * rng.uniform(0.2, 1.0)
        at += int(8_000 * rng.uniform(1.05, 1.75))
    return (out / np.abs(out).max() * 0.5).astype(np.float32)


@pytest.mark.parametrize("seed", [0, 1, 2, 4])
@pytest.mark.parametrize("make", [chords, hits], ids=["chords", "hits"])
def test_music_that_changes_at_its_strokes_alone_is_known_again_at_the_worst_phase(make, seed: int) -> None:
    """A line's columns may be cut in the middle between the two cuts of a sample's: 5 ms turn bits at a stroke."""
    wave = make(8.0, seed)
    line = np.concatenate((silence(0.505), at_level(wave, -30), silence(0.6)))
    line = line + white_noise(len(line) / 8000, -45.0, seed)[: len(line)]
    found = heard(library_of(("busy", wave)), *lose(through("ulaw", line), 0.02, seed))
    assert meanings(found) == ["busy"]
    assert found[0].error_rate <= 0.04


def test_it_is_told_at_its_end_and_not_at_the_end_of_the_line(library) -> None:
    wave = np.concatenate((clip("powered_off"), silence(10.0)))
    columns = columns_of(wave)
    matcher = SampleMatcher(library)
    for at in range(0, len(columns), 5):
        found = matcher.push(at * 20.0, columns[at : at + 5], np.ones(5, np.bool_)[: len(columns) - at])
        if found:
            assert at * 20.0 - found[0].end_ms <= 500
            return
    pytest.fail("not heard while the line went on")


def test_each_repeat_counts_once(library) -> None:
    once = np.concatenate((clip("powered_off"), silence(0.8)))
    found = heard(library, np.concatenate((silence(0.33), once, once, once)))
    assert meanings(found) == ["powered_off"] * 3
    assert np.diff([item.start_ms for item in found]) == pytest.approx([len(once) / 8] * 2, abs=40)


@pytest.mark.parametrize(
    "other",
    [
        silence(20.0),
        sine(20.0),
        cadence((1.0, 4.0), 20.0)[0],
        cadence((0.35, 0.35), 20.0)[0],
        cadence((0.35, 0.35), 20.0)[0] + white_noise(20.0, -40.0),
        white_noise(20.0, -20.0),
        voice(20.0, seed=5),
        chords(20.0, seed=5),
        np.concatenate([clip(f"officer_{n:02}") for n in range(1, 13)]),
    ],
    ids=["silence", "tone", "ringback", "busy", "noisy busy", "noise", "voice", "music", "officers"],
)
def test_other_sound_is_no_sample(library, other) -> None:
    assert heard(library, other) == []


PREFIX = voice(1.6, seed=1)
OFF, EMPTY = voice(0.7, seed=2), voice(0.7, seed=3)


def test_recordings_with_one_beginning_are_told_apart_by_their_ends() -> None:
    both = library_of(
        ("powered_off", np.concatenate((PREFIX, OFF))), ("unobtainable", np.concatenate((PREFIX, EMPTY)))
    )
    for lead_s in (0.5, 0.507, 0.513):
        for end, meaning in ((OFF, "powered_off"), (EMPTY, "unobtainable")):
            line = np.concatenate((silence(lead_s), PREFIX, end, silence(1.0)))
            assert meanings(heard(both, through("alaw", line))) == [meaning]


@pytest.mark.parametrize("seed", range(6))
def test_recordings_that_differ_in_one_syllable_are_told_apart(seed: int) -> None:
    """关 or 停 in the midst of one sentence: a quarter of a second of four."""
    first, last = voice(2.0, seed=seed), voice(1.6, seed=seed + 10)
    waves = [np.concatenate((first, voice(0.25, seed=seed + n), last)) for n in (20, 40)]
    both = library_of(("powered_off", waves[0]), ("suspended", waves[1]))
    for wave, meaning in zip(waves, ("powered_off", "suspended"), strict=True):
        line = np.concatenate((silence(0.4 + seed * 0.003), wave, silence(0.6)))
        line = line + white_noise(len(line) / 8000, -34.0, seed)[: len(line)]
        assert meanings(heard(both, through("ulaw", line))) == [meaning]


def test_parts_of_real_recordings_put_together_are_told_apart() -> None:
    prefix = clip("empty_number")[:16_000]
    ends = [clip("in_call")[20_000:26_000], clip("powered_off")[18_000:24_000]]
    waves = [np.concatenate((prefix, end)) for end in ends]
    both = library_of(("in_call", waves[0]), ("powered_off", waves[1]))
    for wave, meaning in zip(waves, ("in_call", "powered_off"), strict=True):
        line = through("alaw", np.concatenate((silence(0.413), at_level(wave, -30), silence(0.8))))
        assert meanings(heard(both, line)) == [meaning]


def test_a_shared_beginning_with_an_unknown_end_is_nothing() -> None:
    one = library_of(("powered_off", np.concatenate((PREFIX, OFF))))
    assert heard(one, np.concatenate((silence(0.5), PREFIX, EMPTY, silence(1.0)))) == []
    assert heard(one, np.concatenate((silence(0.5), PREFIX, silence(2.0)))) == []


def test_a_recording_that_begins_as_a_longer_one_waits_for_it() -> None:
    both = library_of(("busy", PREFIX), ("powered_off", np.concatenate((PREFIX, OFF))))
    whole = np.concatenate((silence(0.5), PREFIX, OFF, silence(1.0)))
    assert meanings(heard(both, whole)) == ["powered_off"]
    assert meanings(heard(both, np.concatenate((silence(0.5), PREFIX, EMPTY, silence(1.0))))) == ["busy"]
    assert meanings(heard(both, np.concatenate((silence(0.5), PREFIX, silence(2.0))))) == ["busy"]


def test_a_beginning_that_never_came_is_forgiven_up_to_a_point(library) -> None:
    wave = clip("powered_off")
    columns = len(columns_of(wave))
    for lost, expected in ((0.08, ["powered_off"]), (0.4, [])):
        came = np.arange(columns) >= columns * lost
        assert meanings(heard(library, wave * np.repeat(came, 160)[: len(wave)], came)) == expected


def test_a_gap_in_the_stream_of_columns_is_time_in_which_nothing_came(library) -> None:
    columns = columns_of(clip("in_call"))
    present = np.ones(len(columns), np.bool_)
    matcher = SampleMatcher(library)
    matcher.push(0.0, columns[:30], present[:30])
    found = matcher.push(600_000.0, columns, present) + matcher.finish()
    assert meanings(found) == ["in_call"]
    assert found[0].start_ms == pytest.approx(600_000.0 + mark(clip("in_call")).start_ms, abs=60)


def test_an_empty_library_hears_nothing() -> None:
    assert heard(SampleLibrary(), clip("in_call")) == []


@pytest.mark.parametrize(
    ("wave", "words"),
    [
        (silence(5.0), "nothing but silence or tones"),
        (cadence((1.0, 4.0), 10.0)[0], "nothing but silence or tones"),
        (cadence((0.35, 0.35), 10.0)[0], "nothing but silence or tones"),
        (np.concatenate((silence(1.0), voice(1.0), silence(1.0))), "at least 1.5 s"),
        (voice(70.0), "at most 60 s"),
        (white_noise(1.6, -20.0), "too little of it"),
        (np.zeros(0, np.float32), "no sound"),
    ],
    ids=["silence", "ringback", "busy", "short", "long", "noise", "empty"],
)
def test_what_cannot_be_marked_says_why(wave, words) -> None:
    with pytest.raises(MarkError, match=words):
        mark(wave)


def test_silence_and_ringback_around_a_stretch_are_left_out() -> None:
    ringing = cadence((1.0, 4.0), 7.0)[0]
    wave = np.concatenate((ringing, clip("powered_off"), silence(3.0)))
    marked = mark(wave)
    assert marked.start_ms == pytest.approx(7_000 + mark(clip("powered_off")).start_ms, abs=40)
    assert marked.length_ms == pytest.approx(mark(clip("powered_off")).length_ms, abs=40)


def test_a_stretch_of_a_file_is_marked_and_heard_in_another(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    them = np.concatenate((voice(3.0), silence(0.5), clip("in_call"), silence(0.5), voice(3.0, seed=9)))
    soundfile.write(path, np.stack((np.zeros_like(them), them), axis=1), 8000)
    end_s = 3.5 + len(clip("in_call")) / 8000
    marked = mark_file(path, start_s=3.3, end_s=end_s + 0.2)
    library = SampleLibrary((Sample(7, "in_call", "x", marked.phases, marked.length_ms),))
    assert marked.start_ms == pytest.approx(3_500, abs=150)
    found = heard_in_file(path, library)
    assert [item.sample.id for item in found] == [7]
    assert found[0].start_ms == pytest.approx(marked.start_ms, abs=60)
    for start_s, stop_s in ((20.0, 30.0), (1.0, 300.0)):
        with pytest.raises(MarkError, match="outside"):
            mark_file(path, start_s=start_s, end_s=stop_s)
    with pytest.raises(MarkError, match="a start from 0 on, before its end"):
        mark_file(path, start_s=3.0, end_s=2.0)
    with pytest.raises(MarkError, match="silence or tones"):
        mark_file(path, channel="left")
    with pytest.raises(AudioFileError, match="no such file"):
        mark_file(tmp_path / "none.wav")


def test_prints_are_stored_and_read_back() -> None:
    phases = mark(clip("in_call")).phases
    again = phases_from_bytes(phases_to_bytes(phases))
    assert len(again) == len(phases)
    for one, other in zip(again, phases, strict=True):
        assert (one.bits == other.bits).all()
        assert (one.strong == other.strong).all()


@pytest.mark.parametrize(
    "stored",
    [b"", b"123", b"\x01\x00", b"\x01\x00\x01\x00\xff\xff\xff\xff", b"\x01\x00\x01\x00\x01\x00\x01\x00\x00"],
)
def test_what_are_no_prints_is_refused(stored) -> None:
    with pytest.raises(ValueError, match="prints"):
        phases_from_bytes(stored)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_recording_marked_on_two_noisy_lines_is_heard_once(name: str) -> None:
    """Noise may hide that a second mark is of the same recording: both together do no harm."""

    def line(dbm0: float, snr_db: float, lead: int, law: str) -> np.ndarray:
        wave = np.concatenate((np.zeros(lead, np.float32), at_level(clip(name), dbm0), silence(0.5)))
        return through(law, wave + white_noise(len(wave) / 8000 + 1, dbm0 - snr_db, lead)[: len(wave)])

    noisy = [mark(line(-20.0, 15.0, 4_013, "alaw")), mark(line(-33.0, 15.0, 5_555, "ulaw"))]
    both = SampleLibrary(
        tuple(Sample(n, NAMES[name], "", item.phases, item.length_ms) for n, item in enumerate(noisy))
    )
    assert meanings(heard(both, line(-25.0, 15.0, 4_777, "alaw"))) == [NAMES[name]]


def test_two_packets_lost_one_after_the_other_turn_no_bits(library) -> None:
    wave = clip("in_call")
    columns = len(columns_of(wave))
    for first in range(3, columns - 8, 17):
        came = np.ones(columns, np.bool_)
        came[first : first + 2] = False
        found = heard(library, wave * np.repeat(came, 160)[: len(wave)], came)
        assert meanings(found) == ["in_call"]
        assert found[0].error_rate <= 0.02


def test_a_recording_marked_again_from_another_line_is_the_same(library) -> None:
    again = through("ulaw", at_level(np.concatenate((silence(0.913), clip("in_call"), silence(0.4))), -25))
    known = library.same_as(mark(again).phases)
    assert known is not None
    assert known.meaning == "in_call"
    assert library.same_as(mark(clip("officer_01")).phases) is None
    assert not alike(mark(np.concatenate((PREFIX, OFF))).phases, mark(np.concatenate((PREFIX, EMPTY))).phases)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_columns_are_taken_and_memory_stays_bounded(library, data) -> None:
    """Whatever comes, in whatever pieces and with whatever gaps, no sample is made of it and nothing piles up."""
    seed = data.draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    matcher = SampleMatcher(library)
    at = data.draw(st.floats(-1e6, 1e6))
    for _ in range(data.draw(st.integers(1, 30))):
        count = data.draw(st.integers(0, 400))
        scale = data.draw(st.sampled_from([0.0, 1e-12, 1e-4, 1.0]))
        columns = (rng.random((count, len(FEATURES))) * scale).astype(np.float32)
        assert matcher.push(at, columns, rng.random(count) < data.draw(st.floats(0, 1))) == []
        at += count * 20.0 + data.draw(st.sampled_from([0.0, 20.0, 5_000.0, 1e7]))
    assert matcher.finish() == []
    assert matcher.remembered <= 4 * (library.longest + 1_000)


def test_blocks_of_any_size_give_the_same(library) -> None:
    line = through("alaw", np.concatenate((silence(0.7), clip("in_call"), silence(0.5), clip("mailbox"))))
    found = [
        [(h.sample.id, h.start_ms) for h in heard(library, line, block=size)] for size in (1, 16, 23, 999)
    ]
    assert len(found[0]) == 2
    for other in found[1:]:
        assert [number for number, _ in other] == [number for number, _ in found[0]]
        assert [at for _, at in other] == pytest.approx([at for _, at in found[0]], abs=10)


def test_a_sample_of_one_trunk_is_not_listened_for_on_another() -> None:
    marked = mark(clip("in_call"))
    one = Sample(1, "in_call", "x", marked.phases, marked.length_ms, trunk="a")
    both = SampleLibrary((one, Sample(2, "busy", "y", mark(clip("mailbox")).phases, 4_000.0)))
    assert [s.id for s in both.of_trunk("a").samples] == [1, 2]
    assert [s.id for s in both.of_trunk("b").samples] == [2]
    assert both.of_trunk("b") is both.of_trunk("b")

"""Speech, music, noise and announcements told apart by sound, with sounds that the repository holds or makes."""

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.line.degrade import at_level
from sip.progress import LineListener
from sip.progress.announced import named_by_failure_tone
from sip.progress.segment_model import KINDS, WEIGHTS, load_model
from sip.record import Segment
from sip.simulator import music
from tests.line_sounds import (
    BUSY,
    RINGBACK,
    cadence,
    chords,
    columns_of,
    listen,
    lose,
    silence,
    sine,
    through,
    voice,
    white_noise,
)

CLIPS = sorted((Path(music.__file__).parent / "sounds").glob("*.flac"))


def clip(name: str, dbm0: float = -16.0) -> np.ndarray:
    path = next(path for path in CLIPS if path.stem == name)
    return at_level(soundfile.read(path, dtype="float32")[0], dbm0)


def white(seconds: float) -> np.ndarray:
    return white_noise(seconds, -25.0)


def drums(seconds: float, seed: int = 0) -> np.ndarray:
    """Return staccato drums: short hits with silence between, four to the beat."""
    rng = np.random.default_rng(seed)
    sound = np.zeros(round(seconds * 8_000), np.float32)
    for number, first in enumerate(range(0, len(sound) - 1_600, 1_100)):
        t = np.arange(1_500) / 8_000
        kick = np.sin(2 * np.pi * 80.0 * t * np.exp(-5.0 * t)) * np.exp(-20.0 * t)
        snare = rng.normal(size=len(t)) * np.exp(-30.0 * t) * 0.6
        hit = (kick, 0.3 * snare, snare, 0.3 * snare)[number % 4]
        sound[first : first + len(t)] += hit.astype(np.float32)
    return at_level(sound, -14.0)


def shares(sound: np.ndarray, law: str = "alaw") -> dict[str, float]:
    """Return the share of sounding time of each kind."""
    lengths: dict[str, float] = {}
    for segment in listen(through(law, sound)).segments:
        if segment.kind != "silence":
            lengths[segment.kind] = lengths.get(segment.kind, 0.0) + segment.end_ms - segment.start_ms
    return {kind: length / sum(lengths.values()) for kind, length in lengths.items()}


def kinds(sound: np.ndarray) -> list[str]:
    return [segment.kind for segment in listen(through("alaw", sound)).segments]


@pytest.mark.parametrize("path", CLIPS, ids=lambda path: path.stem)
def test_what_the_simulated_lines_say_is_speech(path: Path) -> None:
    assert shares(clip(path.stem)).get("speech", 0.0) > 0.9


@pytest.mark.parametrize("dbm0", [-33.0, -20.0, -10.0])
@pytest.mark.parametrize("law", ["alaw", "ulaw"])
def test_the_colour_ring_of_the_simulated_lines_is_music(law: str, dbm0: float) -> None:
    melody = at_level(music.melody().astype(np.float32) / 32_768.0, dbm0)[: 12 * 8_000]
    assert shares(melody, law).get("music", 0.0) > 0.9


@pytest.mark.parametrize("seed", range(3))
def test_drums_are_not_speech(seed: int) -> None:
    assert shares(drums(12.0, seed)).get("speech", 0.0) < 0.05


def test_a_noise_that_swells_is_noise() -> None:
    t = np.arange(12 * 8_000) / 8_000
    swelling = white_noise(12.0, -25.0) * (1.0 + 0.5 * np.sin(2 * np.pi * 0.3 * t)).astype(np.float32)
    assert shares(swelling).get("noise", 0.0) > 0.9


def test_a_voice_after_music_begins_after_the_pause() -> None:
    heard = listen(through("alaw", np.concatenate((chords(6.0), silence(0.3), voice(5.0)))))
    music_part, speech = heard.segments[:2]
    assert [music_part.kind, speech.kind] == ["music", "speech"]
    assert speech.start_ms == pytest.approx(6_300.0, abs=60.0)


@pytest.mark.parametrize("hiss_dbm0", [-60.0, -44.0, -38.0])
def test_a_voice_out_of_hiss_begins_where_it_begins(hiss_dbm0: float) -> None:
    sound = np.concatenate((silence(2.0), clip("officer_01")))
    heard = listen(through("alaw", sound + white_noise(len(sound) / 8_000, hiss_dbm0)[: len(sound)]))
    speech = next(segment for segment in heard.segments if segment.kind == "speech")
    alone = listen(through("alaw", sound)).segments
    begins_ms = next(segment.start_ms for segment in alone if segment.kind == "speech")
    assert speech.start_ms == pytest.approx(begins_ms, abs=60.0)


def test_a_segment_says_what_it_was_told_by() -> None:
    [segment] = listen(through("alaw", chords(6.0))).segments
    assert segment.measured is not None
    assert sum(segment.measured[f"p_{kind}"] for kind in KINDS) == pytest.approx(1.0, abs=0.01)
    assert {"swing_db", "flux_db", "quiet_share", "harmonicity", "flatness"} <= set(segment.measured)


def test_kinds_are_told_while_the_sound_lasts() -> None:
    columns = columns_of(through("alaw", clip("officer_02")))
    listener = LineListener()
    for at in range(0, 100, 10):
        listener.push(at * 20.0, columns[at : at + 10], np.ones(10, np.bool_))
    assert {segment.kind for segment in listener.heard().segments} - {"silence"} == {"speech"}


@pytest.mark.parametrize("dbm0", [-32.0, -24.0, -9.0])
def test_a_voice_is_one_however_loud(dbm0: float) -> None:
    assert shares(clip("officer_03", dbm0)).get("speech", 0.0) > 0.9


@given(
    parts=st.lists(
        st.tuples(st.sampled_from([silence, voice, chords, white]), st.floats(0.04, 2.0)),
        min_size=1,
        max_size=4,
    )
)
@settings(max_examples=25)
def test_segments_are_in_order_and_nothing_is_said_twice(parts: list) -> None:
    segments = listen(through("alaw", np.concatenate([make(seconds) for make, seconds in parts]))).segments
    assert all(segment.start_ms < segment.end_ms for segment in segments)
    assert all(before.end_ms <= after.start_ms for before, after in itertools.pairwise(segments))


def test_weights_for_other_measures_are_refused(tmp_path: Path) -> None:
    stored = dict(np.load(WEIGHTS))
    stored["measures"] = stored["measures"][::-1]
    np.savez(tmp_path / "other.npz", **stored)
    with pytest.raises(ValueError, match="other measures"):
        load_model(tmp_path / "other.npz")


def test_the_weights_are_small_and_those_of_the_model_card() -> None:
    assert WEIGHTS.stat().st_size < 300_000
    card = (Path(__file__).parents[2] / "docs/reference/line-model.md").read_text(encoding="utf-8")
    assert hashlib.sha256(WEIGHTS.read_bytes()).hexdigest() in card


# --- bad clips --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sound", "expected"),
    [
        (np.zeros(5 * 8_000, np.float32), {"silence"}),
        (np.full(5 * 8_000, 0.5, np.float32), {"silence", "noise"}),
        (white_noise(5.0, -3.0), {"noise"}),
        (np.sign(white_noise(5.0, 0.0)), {"noise"}),
        (np.clip(20.0 * white_noise(5.0, -10.0), -1.0, 1.0), {"noise"}),
        (np.sign(sine(5.0, 61.0)), {"noise", "music", "silence"}),
    ],
    ids=["nothing", "constant", "white", "square of noise", "clipped hard", "square of hum"],
)
def test_what_is_no_sound_of_a_line_never_rings(sound: np.ndarray, expected: set[str]) -> None:
    heard = listen(through("alaw", sound.astype(np.float32)))
    assert not heard.bursts
    assert {segment.kind for segment in heard.segments} <= expected


# --- announcements ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", [0.0, 0.03])
@pytest.mark.parametrize("law", ["alaw", "ulaw"])
def test_the_same_recording_twice_is_an_announcement(law: str, loss: float) -> None:
    said = clip("powered_off", -20.0)
    sound = through(law, np.concatenate((silence(0.5), said, silence(1.237), said, silence(0.8))))
    heard = listen(*_lost(sound, loss))
    assert [s.kind for s in heard.segments if s.kind != "silence"] == ["announcement", "announcement"]
    assert all((s.measured or {})["repeat_likeness"] > 0.75 for s in heard.segments if s.kind != "silence")


def test_two_sentences_of_one_voice_are_speech() -> None:
    # Both by zf_xiaoxiao.
    both = np.concatenate((clip("powered_off"), silence(1.3), clip("empty_number"), silence(1.0)))
    assert [kind for kind in kinds(both) if kind != "silence"] == ["speech", "speech"]


def test_the_music_of_a_colour_ring_that_starts_again_is_no_announcement() -> None:
    again = np.concatenate((chords(5.0), silence(1.0), chords(5.0)))
    assert set(kinds(again)) == {"music", "silence"}


def _named(*sounds: np.ndarray) -> list[str]:
    segments = listen(through("alaw", np.concatenate(sounds))).segments
    return [segment.kind for segment in named_by_failure_tone(segments) if segment.kind != "silence"]


def test_a_voice_that_only_a_failure_tone_follows_is_an_announcement() -> None:
    busy = cadence(BUSY, 4.2)[0]
    assert _named(silence(1.0), clip("in_call"), silence(1.0), busy) == ["announcement", "busy"]


def test_a_voice_after_ringback_is_no_announcement_for_a_busy_tone_behind_it() -> None:
    ring, busy = cadence(RINGBACK, 5.0)[0], cadence(BUSY, 4.2)[0]
    assert _named(ring, clip("officer_01"), silence(1.0), busy) == ["ringback", "speech", "busy"]


def test_a_long_conversation_that_ends_in_the_busy_tone_is_speech() -> None:
    spoken = [Segment("speech", at, at + 20_000.0, 0.9) for at in (0.0, 21_000.0, 42_000.0)]
    segments = (*spoken, Segment("busy", 63_000.0, 70_000.0, 0.99))
    assert named_by_failure_tone(segments) == segments


def _lost(sound: np.ndarray, loss: float) -> tuple[np.ndarray, float, np.ndarray | None]:
    if not loss:
        return sound, 0.0, None
    holed, came = lose(sound, loss, 4)
    return holed, 0.0, came

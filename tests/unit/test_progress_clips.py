"""Recordings that something is wrong with: a named error or an honest result, never a wrong ring."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sip.progress import AudioFileError, Spectrogram, analyse_file
from tests.line_sounds import BUSY, RINGBACK, cadence, chords, silence, voice, white_noise
from tests.unit.test_progress_files import assert_rings, write

RING, BURSTS = cadence(RINGBACK, 12.0, lead_s=0.5)


def stereo(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    length = min(len(left), len(right))
    return np.stack((left[:length], right[:length]), axis=1)


def kinds(result: dict) -> list[str]:
    return [segment["kind"] for segment in result["segments"]]


def test_a_clean_recording_has_no_errors(tmp_path: Path) -> None:
    full_scale = voice(6.0) / np.abs(voice(6.0)).max()
    for name, sound in (("ring", RING), ("voice", full_scale)):
        assert analyse_file(write(tmp_path / f"{name}.wav", sound))["errors"] == []


@pytest.mark.parametrize(("gain_db", "channels"), [(12.0, 1), (20.0, 1), (12.0, 2)])
def test_clipping_is_named_with_its_share_and_place(tmp_path: Path, gain_db: float, channels: int) -> None:
    speech = np.clip(voice(4.0, dbm0=-6.0) * 10 ** (gain_db / 20), -1.0, 1.0)
    sound = np.concatenate((silence(2.0), speech, silence(2.0)))
    columns = sound if channels == 1 else stereo(np.zeros_like(sound), sound)
    result = analyse_file(write(tmp_path / "loud.wav", columns))
    assert len(result["errors"]) == 1
    what = "the right channel" if channels == 2 else "the sound"
    found = result["errors"][0].removeprefix(f"{what} is clipped: ")
    share, _, rest = found.partition(" % of its samples are cut off at full scale, from ")
    assert 0.1 < float(share) < 60.0
    begin, end = (float(part.removesuffix(" s")) for part in rest.split(" to "))
    assert 2.0 <= begin < 2.6
    assert 5.4 < end <= 6.0
    assert result["rings"]["count"] is None


@pytest.mark.parametrize("scale", [30.0, 32_768.0, 1e30])
def test_floats_beyond_full_scale_are_clipped(tmp_path: Path, scale: float) -> None:
    result = analyse_file(write(tmp_path / "huge.wav", voice(3.0) * scale, subtype="FLOAT"))
    assert "the sound is clipped" in result["errors"][0]
    assert max(result["level"]["dbm0"]) <= 7
    assert result["rings"]["count"] is None


def test_a_clipped_ringback_is_still_counted(tmp_path: Path) -> None:
    result = analyse_file(write(tmp_path / "hot.wav", np.clip(RING * 8.0, -1.0, 1.0)))
    assert_rings(result)
    assert "the sound is clipped" in result["errors"][0]


@pytest.mark.parametrize(("subtype", "suffix"), [("ALAW", ".wav"), ("ULAW", ".wav"), ("PCM_U8", ".wav")])
def test_the_full_scale_of_small_encodings_is_known(tmp_path: Path, subtype: str, suffix: str) -> None:
    loud = np.clip(voice(3.0, dbm0=-6.0) * 6.0, -1.0, 1.0)
    result = analyse_file(write(tmp_path / f"loud{suffix}", loud, subtype=subtype))
    assert "clipped" in result["errors"][0]


@pytest.mark.parametrize("offset", [0.12, -0.4])
def test_a_constant_offset_is_named_and_changes_nothing(tmp_path: Path, offset: float) -> None:
    result = analyse_file(write(tmp_path / "offset.wav", RING * 0.5 + offset))
    assert_rings(result)
    assert result["errors"] == [f"the sound has a constant offset of {offset * 100:.1f} % of full scale"]


@pytest.mark.parametrize("value", [0.5, 1.0, -1.0])
def test_nothing_but_direct_current_is_silence(tmp_path: Path, value: float) -> None:
    result = analyse_file(write(tmp_path / "dc.wav", np.full(40_000, value)))
    assert kinds(result) == ["silence"]
    assert result["rings"]["count"] is None
    assert any("silent throughout" in error for error in result["errors"])
    assert any("constant offset" in error for error in result["errors"])


def test_a_dead_channel_points_to_the_one_that_lives(tmp_path: Path) -> None:
    dead = np.zeros_like(RING)
    right = analyse_file(write(tmp_path / "right.wav", stereo(RING, dead)))
    assert right["errors"] == [
        "the right channel is silent throughout; the left one holds sound: --channel left"
    ]
    assert kinds(right) == ["silence"]
    # Our side of a call is often silent: that is no error of the far side's recording.
    assert analyse_file(write(tmp_path / "left.wav", stereo(dead, RING)))["errors"] == []
    left = analyse_file(tmp_path / "left.wav", channel="left")
    assert left["errors"] == [
        "the left channel is silent throughout; the right one holds sound: --channel right"
    ]
    assert_rings(analyse_file(tmp_path / "left.wav", channel="mix"))


def test_channels_in_opposite_phase_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "opposite.wav", stereo(RING, -RING))
    result = analyse_file(path, channel="mix")
    assert result["errors"] == ["the channels cancel each other out: --channel left takes one of them"]
    assert_rings(analyse_file(path))


def test_quiet_and_silent_recordings_are_named(tmp_path: Path) -> None:
    quiet = analyse_file(write(tmp_path / "quiet.wav", white_noise(3.0, -58.0)))
    assert "the sound is very quiet: its loudest 20 ms have -5" in quiet["errors"][0]
    silent = analyse_file(write(tmp_path / "silent.wav", np.zeros(24_000)))
    assert silent["errors"] == ["the sound is silent throughout: its loudest 20 ms have -126 dBm0"]
    assert kinds(silent) == ["silence"]


@pytest.mark.parametrize(
    "sound",
    [
        white_noise(8.0, -3.0),
        np.sign(np.sin(np.arange(64_000) / 40.0)),
        np.tile(np.concatenate((np.ones(8_000), np.zeros(32_000))), 2),
        np.random.default_rng(1).integers(0, 2, 64_000) * 2.0 - 1.0,
        np.sin(2 * np.pi * 50 * np.arange(64_000) / 8_000),
        np.eye(1, 64_000, 9)[0],
        np.linspace(-1.0, 1.0, 64_000),
    ],
    ids=["noise", "square", "dc in the cadence", "bits", "hum", "click", "ramp"],
)
def test_what_is_no_line_gives_no_ring(tmp_path: Path, sound: np.ndarray) -> None:
    result = analyse_file(write(tmp_path / "odd.wav", sound))
    assert result["rings"]["count"] is None
    assert not {"ringback", "busy", "congestion", "unobtainable"} & set(kinds(result))


def test_bytes_that_are_no_sound_give_no_ring(tmp_path: Path) -> None:
    path = tmp_path / "program.al"
    path.write_bytes(Path(os.__file__).read_bytes()[:40_000])
    assert analyse_file(path, alaw=True)["rings"]["count"] is None


@pytest.mark.parametrize(
    ("rate", "subtype", "suffix"),
    [
        (96_000, "PCM_24", ".wav"),
        (192_000, "PCM_16", ".flac"),
        (8_000, "PCM_U8", ".wav"),
        (8_000, "ALAW", ".wav"),
        (8_000, "ULAW", ".au"),
        (8_000, "GSM610", ".wav"),
        (8_000, "IMA_ADPCM", ".wav"),
        (48_000, "DOUBLE", ".wav"),
        (16_000, "VORBIS", ".ogg"),
        (48_000, "OPUS", ".ogg"),
        (44_100, "MPEG_LAYER_III", ".mp3"),
    ],
)
def test_every_encoding_of_the_library(tmp_path: Path, rate: int, subtype: str, suffix: str) -> None:
    sound = RING if rate == 8_000 else soxr.resample(RING, 8_000, rate)
    result = analyse_file(write(tmp_path / f"line{suffix}", sound, rate, subtype))
    assert result["rings"]["count"] == len(BURSTS)
    for burst, (start_ms, end_ms) in zip(result["rings"]["bursts"], BURSTS, strict=True):
        # Lossy encodings smear an edge over a frame.
        assert abs(burst["start_ms"] - start_ms) <= 20.0
        assert abs(burst["end_ms"] - end_ms) <= 20.0


def test_six_channels(tmp_path: Path) -> None:
    busy = cadence(BUSY, 12.0)[0]
    sound = np.stack((busy, RING, *[np.zeros_like(RING)] * 4), axis=1)
    path = write(tmp_path / "surround.wav", sound, 8_000)
    assert_rings(analyse_file(path))
    assert kinds(analyse_file(path, channel="left")) == ["busy"]
    third = np.stack((*[np.zeros_like(RING)] * 2, RING), axis=1)
    errors = analyse_file(write(tmp_path / "third.wav", third, 8_000))["errors"]
    assert errors == ["the right channel is silent throughout; the 3rd one holds sound: --channel mix"]


def test_a_rate_that_no_card_has_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "fast.wav", RING, 2_000_000)
    with pytest.raises(AudioFileError, match="2000000 Hz is above 768000 Hz"):
        analyse_file(path)


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.wav"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero"), Path("/dev/null")):
        for alaw in (False, True):
            with pytest.raises(AudioFileError, match="is no file"):
                analyse_file(path, alaw=alaw)
    raw = tmp_path / "sound.raw"
    raw.write_bytes(bytes(4_000))
    with pytest.raises(AudioFileError, match="raw sound, without a header"):
        analyse_file(raw)


@pytest.mark.parametrize(
    "name", ["值班 电话.wav", "a\nb.wav", "[bold]x[red].wav", "-.wav", "'\"&<>.wav", b"\xff\xfe.wav"]
)
def test_odd_names(tmp_path: Path, name: str | bytes) -> None:
    path = tmp_path / (os.fsdecode(name) if isinstance(name, bytes) else name)
    soundfile.write(os.fsencode(path), RING, 8_000)
    assert_rings(analyse_file(path))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    (error,) = analyse_file(path)["errors"]
    assert "\n" not in error
    error.encode("utf-8")


class Meddler(Spectrogram):
    """Does something to the file as soon as its first block was analysed."""

    def __init__(self, action) -> None:
        super().__init__()
        self._action = action

    def push(self, sound: np.ndarray) -> None:
        super().push(sound)
        action, self._action = self._action, None
        if action is not None:
            action()


def test_a_file_that_vanishes_or_grows_while_it_is_read(tmp_path: Path) -> None:
    long = np.tile(RING, 6)
    path = write(tmp_path / "going.wav", long)
    assert analyse_file(path, spectrogram=Meddler(path.unlink))["duration_ms"] == 72_000.0
    path = write(tmp_path / "growing.wav", long)

    def grow() -> None:
        with path.open("ab") as stream:
            stream.write(bytes(100_000))

    result = analyse_file(path, spectrogram=Meddler(grow))
    assert result["duration_ms"] == 72_000.0
    path = write(tmp_path / "shrinking.wav", long)
    result = analyse_file(path, spectrogram=Meddler(lambda: os.truncate(path, 400_044)))
    assert 24_000.0 < result["duration_ms"] < 30_000.0
    assert "truncated" in result["errors"][0]


def test_a_file_that_is_written_at_the_same_moment(tmp_path: Path) -> None:
    path, done = tmp_path / "live.wav", threading.Event()

    def record() -> None:
        with soundfile.SoundFile(path, "w", 8_000, 1, "PCM_16") as sound:
            for _ in range(40):
                sound.write(RING[:16_000])
                sound.flush()
        done.set()

    writer = threading.Thread(target=record)
    writer.start()
    while not done.is_set():
        # It may be empty yet, or hold half a header: then it is refused by name.
        with contextlib.suppress(AudioFileError):
            analyse_file(path)
    writer.join()
    assert analyse_file(path)["duration_ms"] == 80_000.0


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg"])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_gives_a_result_or_a_named_error(
    tmp_path: Path, suffix: str, data: st.DataObject
) -> None:
    path = tmp_path / f"damaged{suffix}"
    whole = bytearray(write(tmp_path / f"whole{suffix}", RING[:12_000]).read_bytes())
    for _ in range(data.draw(st.integers(1, 12))):
        place = data.draw(st.integers(0, min(len(whole) - 1, data.draw(st.sampled_from([60, 4_000])))))
        whole[place] = data.draw(st.integers(0, 255))
    path.write_bytes(whole[: data.draw(st.integers(1, len(whole)))])
    # Any other exception than this one fails the test.
    with contextlib.suppress(AudioFileError):
        result = analyse_file(path)
        assert result["schema"] == "dutyring.audio/1"
        assert (result["rings"]["count"] or 0) <= 1


def test_a_long_file_is_put_together_in_bounded_tables(tmp_path: Path) -> None:
    pattern = np.concatenate((cadence(RINGBACK, 9.0)[0], voice(8.0), chords(5.0), silence(78.0)))
    with soundfile.SoundFile(tmp_path / "long.flac", "w", 8_000, 1, "PCM_16") as sound:
        for _ in range(9):
            sound.write(pattern)
    spectrogram = Spectrogram()
    result = analyse_file(tmp_path / "long.flac", spectrogram=spectrogram)
    assert result["duration_ms"] == 900_000.0
    assert result["rings"]["count"] == 18
    assert kinds(result).count("ringback") == 9
    assert len(result["level"]["dbm0"]) == 2_250
    assert result["level"]["step_ms"] == 400.0
    assert spectrogram.levels().shape[1] == 1_407

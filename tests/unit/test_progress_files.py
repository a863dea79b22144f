"""Sound files of every kind, whole and broken, through `analyse_file`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from sip.progress import AudioFileError, analyse_file
from tests.line_sounds import BUSY, RINGBACK, _alaw_values, cadence, silence, through, voice

RING, BURSTS = cadence(RINGBACK, 12.0, lead_s=0.5037)


def write(path: Path, sound: np.ndarray, rate: int = 8_000, subtype: str | None = None) -> Path:
    soundfile.write(path, sound, rate, subtype=subtype)
    return path


def assert_rings(result: dict, bursts: list[tuple[float, float]] = BURSTS) -> None:
    assert result["schema"] == "dutyring.audio/1"
    assert result["rings"]["count"] == len(bursts)
    assert result["rings"]["source"] == "audio"
    for burst, (start_ms, end_ms) in zip(result["rings"]["bursts"], bursts, strict=True):
        assert abs(burst["start_ms"] - start_ms) <= 10.0
        assert abs(burst["end_ms"] - end_ms) <= 10.0
        assert abs(burst["frequency_hz"] - 450.0) <= 0.5


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 44_100, 48_000])
@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_every_rate_and_format_gives_the_same_edges(tmp_path: Path, rate: int, suffix: str) -> None:
    sound = RING if rate == 8_000 else soxr.resample(RING, 8_000, rate)
    result = analyse_file(write(tmp_path / f"line{suffix}", sound, rate))
    assert_rings(result)
    assert result["errors"] == []
    assert result["line_state"] is None
    assert result["early_media"]["kind"] == "ringback"
    assert [s["kind"] for s in result["segments"]] == ["silence", "ringback"]


def test_channels(tmp_path: Path) -> None:
    busy, _ = cadence(BUSY, 12.0)
    path = write(tmp_path / "stereo.wav", np.stack((busy, RING), axis=1))
    assert_rings(analyse_file(path))
    left = analyse_file(path, channel="left")
    assert [s["kind"] for s in left["segments"]] == ["busy"]
    assert left["rings"] == {"count": None, "source": None, "bursts": [], "plan": None}
    quiet = write(tmp_path / "dead.wav", np.stack((np.zeros_like(RING), RING), axis=1))
    assert_rings(analyse_file(quiet, channel="mix"))
    assert [s["kind"] for s in analyse_file(quiet, channel="left")["segments"]] == ["silence"]
    with pytest.raises(ValueError, match="channel must be left, right or mix, not 'both'"):
        analyse_file(path, channel="both")  # type: ignore[arg-type]


def test_raw_alaw(tmp_path: Path) -> None:
    values = _alaw_values()
    nearest = np.searchsorted((values[1:] + values[:-1]) / 2, RING)
    # The law numbers its values from the middle outwards, positive ones with the sign bit set.
    code = np.where(nearest >= 128, (nearest - 128) | 0x80, 127 - nearest) ^ 0x55
    path = tmp_path / "line.al"
    path.write_bytes(code.astype(np.uint8).tobytes())
    assert_rings(analyse_file(path, alaw=True))


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_a_truncated_file_is_analysed_as_far_as_it_goes(tmp_path: Path, suffix: str) -> None:
    # Noise below the floor keeps the FLAC from packing silence into nothing.
    hiss = np.random.default_rng(0).normal(size=len(RING)) * 1e-3
    whole = write(tmp_path / f"whole{suffix}", RING + hiss).read_bytes()
    path = tmp_path / f"cut{suffix}"
    path.write_bytes(whole[: len(whole) * 3 // 4])
    result = analyse_file(path)
    assert len(result["errors"]) == 1
    assert path.name in result["errors"][0]
    assert "truncated after" in result["errors"][0]
    assert result["rings"]["count"] == 2
    assert 7_000.0 < result["segments"][-1]["end_ms"] < 11_000.0


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "is empty"), (b"no sound at all" * 40, "no sound file"), (None, "no such file")],
)
def test_what_is_no_sound_is_refused_by_name(tmp_path: Path, content: bytes | None, reason: str) -> None:
    path = tmp_path / "thing.wav"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(AudioFileError) as caught:
        analyse_file(path)
    assert str(path) in str(caught.value)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_a_slow_rate_and_no_frames_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AudioFileError, match="is a folder"):
        analyse_file(tmp_path)
    with pytest.raises(AudioFileError, match="6000 Hz is below 8000 Hz"):
        analyse_file(write(tmp_path / "slow.wav", RING, 6_000))
    with pytest.raises(AudioFileError, match="holds no sound"):
        analyse_file(write(tmp_path / "none.wav", np.zeros(0)))


def test_samples_that_are_not_finite_are_silence(tmp_path: Path) -> None:
    sound = np.concatenate((np.full(8_000, np.nan), RING, np.full(800, np.inf))).astype(np.float32)
    path = write(tmp_path / "nan.wav", sound, subtype="FLOAT")
    assert_rings(analyse_file(path), [(s + 1_000.0, e + 1_000.0) for s, e in BURSTS])
    assert (
        analyse_file(write(tmp_path / "all.wav", np.full(900, np.nan), subtype="FLOAT"))["rings"]["count"]
        is None
    )


def test_a_file_shorter_than_a_column(tmp_path: Path) -> None:
    result = analyse_file(write(tmp_path / "short.wav", np.zeros(5)))
    assert result["rings"]["count"] is None
    assert result["segments"] == []


def test_segments_lie_inside_the_file_and_follow_each_other(tmp_path: Path) -> None:
    sound = np.concatenate((cadence(RINGBACK, 6.3)[0], voice(3.0, seed=2), silence(1.0037)))
    result = analyse_file(write(tmp_path / "line.flac", through("alaw", sound)))
    edges = [edge for s in result["segments"] for edge in (s["start_ms"], s["end_ms"])]
    assert edges == sorted(edges)
    assert edges[0] >= 0.0
    assert edges[-1] <= len(sound) / 8.0 + 0.001
    assert [s["kind"] for s in result["segments"]] == ["ringback", "speech", "silence"]

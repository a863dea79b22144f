"""Prompts of every kind of file, and what is said of files that are none."""

from __future__ import annotations

import subprocess
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
import soundfile

from sip.media import SoundFileError, load_prompt
from tests.unit.media_peer import tone


def frequency_hz(sound: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(sound.astype(float)))
    return float(np.argmax(spectrum) * 8000 / len(sound))


def source(folder: Path, rate_hz: int = 44100, channels: int = 2) -> Path:
    time_s = np.arange(rate_hz) / rate_hz
    mono = 0.5 * np.sin(2 * np.pi * 450 * time_s)
    path = folder / "source.wav"
    soundfile.write(path, np.stack([mono] * channels, axis=1), rate_hz)
    return path


@pytest.mark.parametrize(("rate_hz", "channels"), [(8000, 1), (8000, 2), (11025, 1), (48000, 2)])
def test_any_rate_and_channels(tmp_path: Path, rate_hz: int, channels: int) -> None:
    sound = load_prompt(source(tmp_path, rate_hz, channels))
    assert sound.dtype == np.int16
    assert sound.shape == (8000,)
    assert frequency_hz(sound) == 450
    assert np.abs(sound[1000:7000]).max() == pytest.approx(16384, rel=0.02)


@pytest.mark.parametrize("kind", ["flac", "ogg", "mp3", "m4a", "wma", "opus", "aac"])
def test_any_kind_of_file(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"prompt.{kind}"
    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    subprocess.run([ffmpeg, "-v", "error", "-i", str(source(tmp_path)), str(path)], check=True)
    sound = load_prompt(path)
    assert len(sound) == pytest.approx(8000, abs=500)
    assert frequency_hz(sound[1000:7000]) == pytest.approx(450, abs=3)


def test_a_telephone_file_is_taken_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "prompt.wav"
    soundfile.write(path, tone(0.5), 8000)
    assert np.abs(load_prompt(path).astype(int) - tone(0.5)).max() <= 1


def test_a_truncated_file_is_played_as_far_as_it_goes(tmp_path: Path) -> None:
    path = source(tmp_path, 8000, 1)
    path.write_bytes(path.read_bytes()[:8044])
    assert len(load_prompt(path)) == 4000


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.wav", b"", "the file is empty"),
        ("a.wav", b"hello " * 50, "is not a sound file"),
        ("a.txt", b"hello " * 50, "is not a sound file"),
        ("a.mp3", b"hello " * 50, "is not a sound file"),
    ],
)
def test_other_files_are_named(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(SoundFileError, match=reason) as caught:
        load_prompt(path)
    assert caught.value.path == path
    assert str(path) in str(caught.value)


def test_a_file_without_sound_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(0, np.int16), 8000)
    with pytest.raises(SoundFileError, match="holds no sound"):
        load_prompt(path)


def test_missing_files_and_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(SoundFileError, match=r"gone\.wav: No such file"):
        load_prompt(tmp_path / "gone.wav")
    with pytest.raises(SoundFileError, match="Is a directory"):
        load_prompt(tmp_path)

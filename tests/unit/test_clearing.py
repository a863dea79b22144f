"""Noise taken out before Whisper hears a line, and what numbers there are."""

from __future__ import annotations

import numpy as np
import pytest

from recordings.transcription.clearing import cleared
from recordings.transcription.spelling import NUMBER, is_number, splits

RATE_HZ = 8_000


def voice(seconds: float = 3.0) -> np.ndarray:
    """A buzz with harmonics that comes and goes three times a second, as syllables do."""
    at = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    buzz = sum(np.sin(2 * np.pi * 150.0 * k * at) / k for k in range(2, 20))
    return np.where((at * 3) % 1 < 0.6, buzz, 0.0) * 3_000.0


def test_noise_is_taken_out_and_the_voice_stays() -> None:
    said = voice()
    noise = np.random.default_rng(1).standard_normal(len(said)) * np.sqrt(np.mean(said**2) / 10**1.5)
    out = cleared((said + noise).astype(np.int16)).astype(np.float64)
    quiet, loud = said == 0.0, said != 0.0
    assert np.sqrt(np.mean(out[quiet] ** 2)) < 0.5 * np.sqrt(np.mean(noise[quiet] ** 2))
    assert np.sqrt(np.mean(out[loud] ** 2)) > 0.85 * np.sqrt(np.mean(said[loud] ** 2))
    assert np.mean((out - said) ** 2) < 0.7 * np.mean(noise**2)


@pytest.mark.parametrize("length", [0, 1, 255, 256, 8_001])
def test_the_length_stays(length: int) -> None:
    sound = (np.random.default_rng(2).standard_normal(length) * 1_000).astype(np.int16)
    assert len(cleared(sound)) == length
    assert cleared(sound).dtype == np.int16


def test_a_sound_without_noise_stays_as_it_is() -> None:
    said = voice().astype(np.int16)
    assert np.mean((cleared(said).astype(float) - said) ** 2) < 0.01 * np.mean(said.astype(float) ** 2)
    silence = np.zeros(8_000, np.int16)
    assert not cleared(silence).any()


def test_numbers_that_there_are() -> None:
    assert all(
        is_number(digits)
        for digits in ("3262000", "13800138000", "09173262000", "110", "96119", "4001234567")
    )
    assert not any(is_number(digits) for digits in ("", "326200", "23800138000", "138001380001"))


def test_the_phrase_for_a_number_is_told_from_the_others() -> None:
    assert splits(("王芳", NUMBER)) == (["王芳"], True)
    assert splits(("王芳",)) == (["王芳"], False)

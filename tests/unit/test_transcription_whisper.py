"""Whisper with its real weights: those that DUTYRING_TEST_ASR names, else joined from the installed packages."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from recordings.transcription import EngineChoice, Hints, Transcriber
from recordings.transcription.installing import install
from recordings.transcription.models import known_model, parts_present
from recordings.transcription.whisper_engine import _Decoded
from sip.simulator.clips import sound
from tests.line_sounds import RINGBACK, cadence, chords, silence, white_noise

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("transcription_whisper"),
    pytest.mark.skipif(
        importlib.util.find_spec("faster_whisper") is None, reason="the package faster-whisper is missing"
    ),
]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = os.environ.get("DUTYRING_TEST_ASR")
    if folder:
        return Path(folder) / "whisper-base-int8"
    model = known_model("whisper-base")
    if not parts_present(model):
        pytest.skip("DUTYRING_TEST_ASR is unset and the packages of whisper-base are missing")
    models = tmp_path_factory.mktemp("models")
    assert install(model, models)
    return models / model.folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ears(weights: Path) -> Iterator[Transcriber]:
    async with Transcriber(EngineChoice("whisper", weights), 1, nice=0) as transcriber:
        yield transcriber


def as_sound(floats: np.ndarray) -> np.ndarray:
    return np.round(floats * 32767).astype(np.int16)


async def test_mandarin_is_written_with_the_time_of_each_character(ears: Transcriber) -> None:
    clip = np.asarray(sound("empty_number"), np.int16)
    ring = as_sound(cadence(RINGBACK, 4.0)[0])
    whole = np.concatenate([ring, clip, np.zeros(8_000, np.int16)])
    assert ears.pids == ()
    await ears.warm()
    ready = ears.pids
    assert len(ready) == 1
    said = await ears.transcribe(whole, start_ms=500.0)
    assert ears.pids == ready, "the worker that stood ready was taken"
    text = "".join(utterance.text for utterance in said.utterances)
    assert "是空号" in text
    assert said.language == "zh"
    words = [word for utterance in said.utterances for word in utterance.words]
    assert "".join(word.text for word in words) == text
    begun_ms = 500.0 + len(ring) / 8
    assert all(begun_ms - 300 <= word.start_ms <= word.end_ms for word in words)
    assert words[-1].end_ms <= begun_ms + len(clip) / 8 + 300
    assert [word.start_ms for word in words] == sorted(word.start_ms for word in words)
    again = await ears.transcribe(whole, start_ms=500.0)
    assert again == said, "the same sound gives the same text"


async def test_nothing_is_made_of_tones_music_noise_and_silence(ears: Transcriber) -> None:
    tones = cadence(RINGBACK, 12.0)[0]
    for floats in (tones, silence(5.0), white_noise(5.0, -30.0), chords(8.0)):
        assert (await ears.transcribe(as_sound(floats))).utterances == ()


async def test_voice_that_is_far_too_quiet_is_heard(ears: Transcriber) -> None:
    quiet = np.round(np.asarray(sound("empty_number"), np.int16) * 0.03).astype(np.int16)
    said = await ears.transcribe(quiet, hints=Hints(prompt="您拨打的用户已停机。"))
    assert "是空号" in "".join(utterance.text for utterance in said.utterances)


async def test_phrase_that_is_said_fits_best(ears: Transcriber) -> None:
    phrases = ["已停机", "已关机", "是空号", "正在通话中"]
    ranked = await ears.rank(np.asarray(sound("powered_off"), np.int16), phrases, before="您好,您拨打的用户")
    assert ranked[0].phrase == "已关机"
    assert [item.score for item in ranked] == sorted((item.score for item in ranked), reverse=True)
    assert all(item.score <= 0 for item in ranked)
    assert await ears.rank(np.zeros(8_000, np.int16), []) == ()


@pytest.mark.parametrize(
    ("text", "invented"),
    [
        ("以下是普通话的句子。", True),
        ("以下是普通話的句子。以下是普通話的句子。", True),
        ("普通话的句子", True),
        ("您好，请讲普通话。", False),
        ("是的。", False),
    ],
)
async def test_words_of_the_prompt_are_nobodys(text: str, invented: bool) -> None:
    decoded = _Decoded([], text, logprob=-0.3, no_speech=0.1)
    assert decoded.invented is invented

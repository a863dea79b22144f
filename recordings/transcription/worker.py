"""A process that recognises speech: `python -m recordings.transcription.worker --engine vosk --model FOLDER`.

It speaks `recordings.transcription.protocol` on standard input and output, loads its model once, does one thing after
the other and ends when its standard input closes, also in the middle of a sound. What an engine's library prints goes
to standard error.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from recordings.transcription import protocol
from recordings.transcription.choice import EngineChoice
from recordings.transcription.errors import EngineError
from recordings.transcription.ports import Hints, Recogniser, Sound, Stream
from recordings.transcription.shifting import shifted
from sip.progress.transcript import Utterance

Request = tuple[dict[str, Any], Sound]


def load(choice: EngineChoice, threads: int) -> Recogniser:
    """Load an engine. Raises EngineError."""
    if choice.name == "vosk":
        from recordings.transcription.vosk_engine import VoskEngine

        return VoskEngine(choice)
    from recordings.transcription.whisper_engine import WhisperEngine

    return WhisperEngine(choice, threads)


class _Desk:
    """Does what is asked."""

    def __init__(self, engine: Recogniser) -> None:
        self._engine = engine
        self._streams: dict[int, Stream] = {}
        self._answers: dict[str, Callable[[dict[str, Any], Sound], dict[str, Any]]] = {
            "transcribe": self._transcribe,
            "rank": self._rank,
            "begin": self._begin,
            "feed": self._feed,
            "end": self._end,
            "drop": self._drop,
        }

    def answer(self, asked: dict[str, Any], sound: Sound) -> dict[str, Any]:
        """Answer one request; what goes wrong with this sound is an answer too."""
        try:
            return self._answers[asked["do"]](asked, sound)
        except Exception as error:  # the next sound must not suffer
            return {"error": f"{type(error).__name__}: {error}"}

    def _transcribe(self, asked: dict[str, Any], sound: Sound) -> dict[str, Any]:
        from recordings.transcription.vad import at_usual_level, speech

        hints = Hints(tuple(asked["words"]), asked["prompt"])
        found: list[Utterance] = []
        # The second ear comes with the package of Whisper.
        for stretch in speech(sound, second_ear=self._engine.info.name == "whisper"):
            found += shifted(
                self._engine.recognise(at_usual_level(stretch.of(sound)), hints), stretch.start_ms
            )
        return {"utterances": protocol.utterances_to_json(tuple(found))}

    def _rank(self, asked: dict[str, Any], sound: Sound) -> dict[str, Any]:
        from recordings.transcription.vad import at_usual_level

        ranked = self._engine.rank(at_usual_level(sound), asked["phrases"], asked["before"])
        return {"ranked": [[item.phrase, item.score] for item in ranked]}

    def _begin(self, asked: dict[str, Any], sound: Sound) -> dict[str, Any]:
        self._streams[asked["stream"]] = self._engine.stream()
        return {}

    def _feed(self, asked: dict[str, Any], sound: Sound) -> dict[str, Any]:
        ended, partial = self._streams[asked["stream"]].feed(sound)
        return {"utterances": protocol.utterances_to_json(ended), "partial": partial}

    def _end(self, asked: dict[str, Any], sound: Sound) -> dict[str, Any]:
        return {"utterances": protocol.utterances_to_json(self._streams.pop(asked["stream"]).end())}

    def _drop(self, asked: dict[str, Any], sound: Sound) -> dict[str, Any]:
        self._streams.pop(asked["stream"], None)
        return {}


def _read(stream: BinaryIO, size: int) -> bytes:
    """Read so many bytes; EOFError where there are fewer."""
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data


def _requests(stream: BinaryIO, requests: queue.SimpleQueue[Request]) -> None:
    """Read requests until the pipe closes; then the process ends, whatever the engine is doing."""
    try:
        while True:
            text, sound = protocol.lengths(_read(stream, protocol.HEAD.size))
            members = protocol.members_of(_read(stream, text))
            requests.put((members, np.frombuffer(_read(stream, sound), np.int16)))
    except (EOFError, OSError, protocol.ProtocolError):
        os._exit(0)


def _own_output() -> BinaryIO:
    """Keep standard output for frames alone: a library that prints does so on standard error."""
    sys.stdout.flush()
    frames = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return frames


def main(arguments: list[str] | None = None) -> None:
    """Load the model and answer until standard input closes."""
    parser = argparse.ArgumentParser(description="recognises speech for the process that started it")
    parser.add_argument("--engine", choices=("vosk", "whisper"), required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--language", default="zh")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--nice", type=int, default=10)
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        os.nice(options.nice)
    frames = _own_output()
    requests: queue.SimpleQueue[Request] = queue.SimpleQueue()
    threading.Thread(target=_requests, args=(sys.stdin.buffer, requests), daemon=True).start()

    def say(members: dict[str, Any]) -> None:
        frames.write(protocol.pack(members))
        frames.flush()

    try:
        engine = load(EngineChoice(options.engine, options.model, options.language), options.threads)
    except EngineError as error:
        say({"error": str(error)})
        return
    say({"ready": True})
    desk = _Desk(engine)
    with contextlib.suppress(BrokenPipeError):
        while True:
            say(desk.answer(*requests.get()))


if __name__ == "__main__":
    main()

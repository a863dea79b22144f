"""A transcript of the far side of a call as input (转写): who made it does not matter, its times do.

Schema `dutyring.transcript/1`:

    {"schema": "dutyring.transcript/1", "engine": "…", "language": "zh",
     "utterances": [{"start_ms": 1310.0, "end_ms": 4720.0, "text": "您拨打的电话已关机", "confidence": 0.9,
                     "words": [{"text": "您", "start_ms": 1310.0, "end_ms": 1490.0, "confidence": 0.95}]}]}

Times are those of the call (milliseconds since its first INVITE) or, for a sound file, from its start.
`confidence` may be missing or null where the engine gives none, `words` may be missing or empty.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

SCHEMA = "dutyring.transcript/1"


class TranscriptError(ValueError):
    """The object is no transcript; the message names the member that is wrong and what it takes."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word, or a character of Chinese, with its time."""

    text: str
    start_ms: float
    end_ms: float
    confidence: float | None = None
    """0 to 1; None where the engine gives none."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """A stretch of speech without a long pause."""

    start_ms: float
    end_ms: float
    text: str
    words: tuple[Word, ...] = ()
    """Together they are the text; empty where the engine times no words."""
    confidence: float | None = None
    """0 to 1; None where the engine gives none."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """What the far side said, in order of time."""

    engine: str = ""
    """Name and version of what recognised it."""
    language: str = "zh"
    """BCP 47."""
    utterances: tuple[Utterance, ...] = ()

    @classmethod
    def from_json(cls, value: object) -> Transcript:
        """Read an object of schema dutyring.transcript/1. Raises TranscriptError, which names the wrong member."""
        members = _object(value, "the transcript")
        schema = members.get("schema")
        if schema != SCHEMA:
            raise TranscriptError(f"schema: must be {SCHEMA!r}, not {schema!r}")
        utterances = tuple(
            _utterance(item, f"utterances[{at}]")
            for at, item in enumerate(_list(members.get("utterances"), "utterances"))
        )
        for at in range(1, len(utterances)):
            if utterances[at].start_ms < utterances[at - 1].start_ms:
                raise TranscriptError(f"utterances[{at}].start_ms: begins before the utterance ahead of it")
        return cls(
            _text(members.get("engine", ""), "engine"),
            _text(members.get("language", "zh"), "language"),
            utterances,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object that `from_json` reads."""
        return {"schema": SCHEMA, **_lists(asdict(self))}


def _lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _lists(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_lists(item) for item in value]
    return value


def _utterance(value: object, where: str) -> Utterance:
    members = _object(value, where)
    start_ms, end_ms = _span(members, where)
    words = members.get("words")
    listed = [] if words is None else _list(words, f"{where}.words")
    return Utterance(
        start_ms,
        end_ms,
        _text(members.get("text"), f"{where}.text"),
        tuple(_word(item, f"{where}.words[{at}]") for at, item in enumerate(listed)),
        _confidence(members.get("confidence"), f"{where}.confidence"),
    )


def _word(value: object, where: str) -> Word:
    members = _object(value, where)
    start_ms, end_ms = _span(members, where)
    text = _text(members.get("text"), f"{where}.text")
    return Word(text, start_ms, end_ms, _confidence(members.get("confidence"), f"{where}.confidence"))


def _object(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TranscriptError(f"{where}: must be an object, not {_named(value)}")
    return value


def _list(value: object, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise TranscriptError(f"{where}: must be a list, not {_named(value)}")
    return value


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise TranscriptError(f"{where}: must be a string, not {_named(value)}")
    return value


def _span(members: Mapping[str, Any], where: str) -> tuple[float, float]:
    start_ms = _number(members.get("start_ms"), f"{where}.start_ms")
    end_ms = _number(members.get("end_ms"), f"{where}.end_ms")
    if end_ms < start_ms:
        raise TranscriptError(f"{where}.end_ms: must not lie before start_ms")
    return start_ms, end_ms


def _confidence(value: object, where: str) -> float | None:
    if value is None:
        return None
    number = _number(value, where)
    if not 0.0 <= number <= 1.0:
        raise TranscriptError(f"{where}: must be 0 to 1 or null, not {number:g}")
    return number


def _number(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TranscriptError(f"{where}: must be a number, not {_named(value)}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise TranscriptError(f"{where}: must be a finite number")
    return number


def _named(value: object) -> str:
    return "missing" if value is None else type(value).__name__

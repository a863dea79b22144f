"""Vosk (Kaldi): one model in a process, a recogniser for each stretch or call under way."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from recordings.transcription.choice import EngineChoice
from recordings.transcription.errors import EngineError
from recordings.transcription.ports import NO_HINTS, EngineInfo, Hints, Ranked, Sound
from recordings.transcription.spelling import ONES, WORDS, splits
from sip.progress.transcript import Utterance, Word

_RATE_HZ = 8_000
_CHUNK = 4_000
"""Samples that are given at a time."""
_UNKNOWN = "[unk]"
_NO_WORD = re.compile(r"\[.*\]|<.*>")
"""How models write noises and what is in no vocabulary."""
_UNHEARD = -20.0
"""Score of a phrase that the grammar let be recognised and that was not."""
_UNSPACED = ("zh", "ja", "yue")
"""Languages written without spaces between words."""


class VoskEngine:
    """A loaded Vosk model."""

    def __init__(self, choice: EngineChoice) -> None:
        """Load the model of `choice.folder`. Raises EngineError where the package or the model cannot be used."""
        try:
            import vosk
        except (ImportError, OSError) as error:
            raise EngineError(f"the package vosk cannot be used ({error})") from None
        vosk.SetLogLevel(-1)
        try:
            self._model: Any = vosk.Model(str(choice.folder))
        except Exception as error:
            # The library raises nothing more precise.
            raise EngineError(f"{choice.folder} holds no Vosk model that can be loaded ({error})") from None
        self._vosk: Any = vosk
        self._info = choice.info
        self._between = "" if choice.language.split("-")[0] in _UNSPACED else " "

    @property
    def info(self) -> EngineInfo:
        """Return what recognises."""
        return self._info

    def recognise(self, samples: Sound, hints: Hints = NO_HINTS) -> tuple[Utterance, ...]:
        """Return what is said in a stretch; Vosk makes no use of hints."""
        heard = self.stream()
        ended, _ = heard.feed(samples)
        return (*ended, *heard.end())

    def rank(self, samples: Sound, phrases: Sequence[str], before: str = "") -> tuple[Ranked, ...]:
        """Return the phrases by how surely each was recognised where nothing but these phrases could be.

        The score is the mean logarithm of its words' confidence; of a phrase that was not recognised it is the least.
        A phrase of which a word is not in the model's vocabulary cannot be recognised.
        """
        phrases, wants_number = splits(phrases)
        spaced = {phrase: self._spaced(phrase) for phrase in phrases}
        known = sorted({words for words in spaced.values() if words})
        heard = self._within(samples, known) if known else []
        ranked = [Ranked(phrase, _score(words, heard)) for phrase, words in spaced.items()]
        ranked.sort(key=lambda item: -item.score)
        return (*ranked, *(self._numbers(samples) if wants_number else ()))

    def stream(self) -> VoskStream:
        """Begin a call under way."""
        return VoskStream(self._recogniser(), self._between)

    def _recogniser(self, grammar: str | None = None) -> Any:
        recogniser = self._vosk.KaldiRecognizer(*([self._model, _RATE_HZ] + ([grammar] if grammar else [])))
        recogniser.SetWords(True)
        return recogniser

    def _within(self, samples: Sound, phrases: Sequence[str]) -> list[Mapping[str, Any]]:
        """Recognise with these phrases as the grammar; return the words."""
        # What else may be said; a model without a word for it takes the nearest phrase.
        others = [_UNKNOWN] if self._knows(_UNKNOWN) else []
        recogniser = self._recogniser(json.dumps([*phrases, *others], ensure_ascii=False))
        words: list[Mapping[str, Any]] = []
        for piece in _pieces(samples):
            if recogniser.AcceptWaveform(piece.tobytes()):
                words += json.loads(recogniser.Result()).get("result", ())
        return [*words, *json.loads(recogniser.FinalResult()).get("result", ())]

    def _numbers(self, samples: Sound) -> tuple[Ranked, ...]:
        """Recognise with the words of digits as the grammar; nothing where the model does not know them."""
        digits = {word: str(digit) for digit, word in enumerate(WORDS)} | {ONES: "1"}
        known = [word for word in digits if self._knows(word)]
        heard = [item for item in self._within(samples, known) if item["word"] in digits] if known else []
        if not heard:
            return ()
        surely = [math.log(min(1.0, max(float(item["conf"]), 1e-6))) for item in heard]
        return (Ranked("".join(digits[item["word"]] for item in heard), sum(surely) / len(surely)),)

    def _spaced(self, phrase: str) -> str:
        """Write a phrase in words of the model's vocabulary, the longest first; empty where that cannot be."""
        words: list[str] = []
        for part in phrase.split():
            at = 0
            while at < len(part):
                end = next((e for e in range(len(part), at, -1) if self._knows(part[at:e])), None)
                if end is None:
                    return ""
                words.append(part[at:end])
                at = end
        return " ".join(words)

    @lru_cache(maxsize=4_096)  # noqa: B019  one engine lives as long as its process
    def _knows(self, word: str) -> bool:
        return bool(self._model.vosk_model_find_word(word) >= 0)


class VoskStream:
    """A call under way."""

    def __init__(self, recogniser: Any, between: str) -> None:
        self._recogniser = recogniser
        self._between = between

    def feed(self, samples: Sound) -> tuple[tuple[Utterance, ...], str]:
        """Take more sound; return the utterances that have ended, and the partial text of the one under way."""
        ended: list[Utterance] = []
        for piece in _pieces(samples):
            if self._recogniser.AcceptWaveform(piece.tobytes()):
                ended += self._utterances(self._recogniser.Result())
        partial = json.loads(self._recogniser.PartialResult()).get("partial", "")
        words = (word for word in partial.split() if not _NO_WORD.fullmatch(word))
        return tuple(ended), self._between.join(words)

    def end(self) -> tuple[Utterance, ...]:
        """Return what was still open."""
        return tuple(self._utterances(self._recogniser.FinalResult()))

    def _utterances(self, result: str) -> list[Utterance]:
        found = [
            item for item in json.loads(result).get("result", ()) if not _NO_WORD.fullmatch(item["word"])
        ]
        if not found:
            return []
        words = tuple(
            Word(
                str(item["word"]),
                round(item["start"] * 1000.0, 1),
                round(max(item["start"], item["end"]) * 1000.0, 1),
                round(min(1.0, max(0.0, item["conf"])), 3),
            )
            for item in found
        )
        confidence = sum(word.confidence or 0.0 for word in words) / len(words)
        text = self._between.join(word.text for word in words)
        return [Utterance(words[0].start_ms, words[-1].end_ms, text, words, round(confidence, 3))]


def _pieces(samples: Sound) -> Iterable[Sound]:
    return (samples[at : at + _CHUNK] for at in range(0, len(samples), _CHUNK))


def _score(words: str, heard: Sequence[Mapping[str, Any]]) -> float:
    """Return the best mean log-confidence of these words in a row."""
    wanted = words.split()
    best = _UNHEARD
    for at in range(len(heard) - len(wanted) + 1):
        part = heard[at : at + len(wanted)]
        if wanted and [item["word"] for item in part] == wanted:
            surely = [math.log(min(1.0, max(float(item["conf"]), 1e-6))) for item in part]
            best = max(best, sum(surely) / len(surely))
    return best

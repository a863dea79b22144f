"""Whisper by faster-whisper (CTranslate2): int8 on the processor, one stretch of speech at a time.

The stretch is encoded once and decoded without time tokens; the times of the characters come from the attention
alignment, forced scores of phrases (`rank`) from the same pass. A stretch up to 15 s is encoded in a window of 15 s
instead of 30: measured on 45 clips it costs a quarter and reads the same. Never anything is fetched from a network.
"""

from __future__ import annotations

import hashlib
import math
import re
import statistics
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import soxr

from recordings.transcription.choice import EngineChoice
from recordings.transcription.clearing import cleared
from recordings.transcription.errors import EngineError
from recordings.transcription.ports import NO_HINTS, EngineInfo, Hints, Ranked, Sound, Stream
from recordings.transcription.simplified import simplified
from recordings.transcription.spelling import Speller, fitting, is_number, splits
from sip.progress.transcript import Utterance, Word

_RATE_HZ = 16_000
_FRAMES_S = 100
"""Frames of the spectrogram in a second."""
_WINDOWS = (1_500, 3_000)
"""Frames of the windows that a stretch is encoded in, the shortest that holds it."""
_LONGEST_TOKENS = 448
_TOKENS_PER_S = 16
"""More are not said in a second; a decoder that is stuck must not go on to the end."""
_SPARE_TOKENS = 30
_TEMPERATURES = (0.0, 0.2, 0.4)
"""Each is tried where the one before gave text that repeats itself or that the model itself doubts."""
_LEAST_LOGPROB = -1.0
_MOST_COMPRESSION = 2.4
_MOST_NO_SPEECH = 0.5
"""Limits of OpenAI's reference decoder (whisper/transcribe.py); its 0.6 of no speech lets text from silence pass."""
_STUCK = re.compile(r"([^\d\s]{1,4}?)\1{5}")
"""The same six times in a row: nobody says that, a decoder without a hold does."""
_LEAST_SCORE = 1e-9
_USUAL_BEFORE = "我是值班员"
_PRIOR_WEIGHT = 0.8
_USUAL_GAIN = 4.0
"""What a name that is heard clearly has over what it has in silence: its score is 0."""
_HEARD_BESIDE = 3
"""Numbers that are heard and weighed beside those that are known."""
_MOST_PRIORS = 4_096
_PUNCTUATION = frozenset("，。？！、；：“”‘’（）《》,.?!;:\"'()- …")
_TIME_TOKENS = 1_501
"""Behind the words of the vocabulary: 0.00 to 30.00 s."""
_PROMPT = "以下是普通话的句子。"
"""Makes the model write simplified characters and punctuation."""
_ECHO = _PROMPT.rstrip("。")
_LEAST_ECHO = 5
"""Characters of the prompt in a row that are nobody's words but its own."""


@dataclass(frozen=True, slots=True)
class _Decoded:
    tokens: list[int]
    text: str
    logprob: float
    no_speech: float

    @property
    def compression(self) -> float:
        raw = self.text.encode()
        return len(raw) / len(zlib.compress(raw)) if raw else 0.0

    @property
    def stuck(self) -> bool:
        return self.compression > _MOST_COMPRESSION or _STUCK.search(self.text) is not None or self.echo

    @property
    def echo(self) -> bool:
        """Whether the prompt came back: that is what the model writes of sound that is no speech, surely at that."""
        bare = "".join(sign for sign in simplified(self.text) if sign not in _PUNCTUATION)
        return _ECHO in bare or (len(bare) >= _LEAST_ECHO and bare in _ECHO)

    @property
    def doubtful(self) -> bool:
        return self.logprob < _LEAST_LOGPROB or self.stuck

    @property
    def invented(self) -> bool:
        if not self.text or self.stuck:
            return True
        return self.logprob < _LEAST_LOGPROB and self.no_speech > _MOST_NO_SPEECH


class WhisperEngine:
    """A loaded Whisper model."""

    def __init__(self, choice: EngineChoice, threads: int = 1) -> None:
        """Load the model of `choice.folder`. Raises EngineError where the package or the model cannot be used."""
        try:
            from ctranslate2 import set_random_seed
            from faster_whisper import WhisperModel
            from faster_whisper.tokenizer import Tokenizer
            from faster_whisper.transcribe import get_suppressed_tokens
        except ImportError as error:
            raise EngineError(f"the package faster-whisper is not installed ({error})") from None
        try:
            self._model: Any = WhisperModel(
                str(choice.folder),
                device="cpu",
                compute_type="int8",
                cpu_threads=threads,
                local_files_only=True,
            )
            self._tokens: Any = Tokenizer(
                self._model.hf_tokenizer, True, task="transcribe", language=choice.language
            )
        except (RuntimeError, ValueError, OSError) as error:
            raise EngineError(
                f"{choice.folder} holds no Whisper model that can be loaded ({error})"
            ) from None
        self._suppressed = list(get_suppressed_tokens(self._tokens, [-1]))
        self._set_seed: Callable[[int], None] = set_random_seed
        self._speller = Speller(self._model.model, self._tokens, self._tokens.timestamp_begin + _TIME_TOKENS)
        self._info = choice.info
        self._silence: Any = None
        self._priors: dict[str, float] = {}
        self._last: tuple[bytes, Any, int] | None = None

    @property
    def info(self) -> EngineInfo:
        """Return what recognises."""
        return self._info

    def recognise(self, samples: Sound, hints: Hints = NO_HINTS) -> tuple[Utterance, ...]:
        """Return what is said in a stretch of at most 30 s, as one utterance; empty where the model doubts itself."""
        encoded, frames = self._encode(samples)
        most = frames * _TOKENS_PER_S // _FRAMES_S + _SPARE_TOKENS
        decoded = self._decode(encoded, _prompt(hints), most)
        if decoded.invented:
            return ()
        words = self._words(encoded, frames, decoded)
        length_ms = len(samples) / 8.0
        start_ms = words[0].start_ms if words else 0.0
        end_ms = words[-1].end_ms if words else length_ms
        text = "".join(word.text for word in words) or self._written(decoded.text)
        return (Utterance(start_ms, end_ms, text, words, _probability(decoded.logprob)),)

    def rank(self, samples: Sound, phrases: Sequence[str], before: str = "") -> tuple[Ranked, ...]:
        """Return the phrases by how much likelier the sound makes them after `before` than they are without it.

        That is the mean log-probability of their tokens, less most of what the model gives them in silence: a rare
        name must not lose to a common one that nobody said. For the phrase `#` stand the numbers that are heard where
        nothing but digits may be said, in digits, behind the others; theirs is the mean log-probability among digits.
        Phrases that are digits are numbers that may be said: they and those that are heard come in one order, by
        log-probability per digit.
        """
        if not phrases:
            return ()
        encoded, frames = self._encoded(samples)
        phrases, wants_number = splits(phrases)
        ahead = self._tokens.encode(before) if before else []

        def score(phrase: str) -> float:
            return self._score(encoded, frames, ahead, phrase)

        def fit(phrase: str) -> float:
            return min(0.0, score(phrase) - _PRIOR_WEIGHT * self._prior(phrase) - _USUAL_GAIN)

        known = [phrase for phrase in phrases if phrase.isdecimal()]
        ranked = [Ranked(phrase, fit(phrase)) for phrase in phrases if not phrase.isdecimal()]
        ranked.sort(key=lambda item: -item.score)
        numbers = self._speller.numbers(encoded, before) if wants_number else []
        if known:
            heard = [digits for digits, _ in numbers[:_HEARD_BESIDE] if is_number(digits)]
            numbers = fitting([*known, *heard], lambda text: score(text) * len(self._tokens.encode(text)))
        else:
            numbers = self._speller.weighed(numbers, score)
        return (*ranked, *(Ranked(digits, likely) for digits, likely in numbers))

    def _prior(self, phrase: str) -> float:
        """Return the mean log-probability of the phrase's tokens where nothing is heard."""
        if phrase not in self._priors:
            if self._silence is None:
                quiet = self._model.feature_extractor(np.zeros(_RATE_HZ, np.float32))
                self._silence = self._model.encode(quiet[:, :_FRAMES_S])
            if len(self._priors) >= _MOST_PRIORS:
                self._priors.clear()
            ahead = self._tokens.encode(_USUAL_BEFORE)
            self._priors[phrase] = self._score(self._silence, _FRAMES_S, ahead, phrase)
        return self._priors[phrase]

    def _encoded(self, samples: Sound) -> tuple[Any, int]:
        """Return the encoded stretch; one that is asked about several times is encoded once."""
        key = hashlib.sha256(samples.tobytes()).digest()
        if self._last is None or self._last[0] != key:
            self._last = (key, *self._encode(samples))
        return self._last[1:]

    def _score(self, encoded: Any, frames: int, ahead: Sequence[int], phrase: str) -> float:
        """Return the mean log-probability of the phrase's tokens after those ahead of it."""
        tokens = self._tokens.encode(phrase)
        aligned = self._model.model.align(encoded, self._tokens.sot_sequence, [[*ahead, *tokens]], frames)[0]
        probabilities = aligned.text_token_probs[len(ahead) : len(ahead) + len(tokens)]
        return sum(math.log(max(p, _LEAST_SCORE)) for p in probabilities) / max(1, len(probabilities))

    def stream(self) -> Stream:
        """Raise NotImplementedError: Whisper hears whole stretches only."""
        raise NotImplementedError("Whisper gives no partial results")

    def _written(self, text: str) -> str:
        return simplified(text) if self._info.language.startswith("zh") else text

    def _encode(self, samples: Sound) -> tuple[Any, int]:
        """Return the encoded stretch and how many frames of it are sound."""
        from faster_whisper.audio import pad_or_trim

        sound = soxr.resample(cleared(samples).astype(np.float32) / 32768.0, 8_000, _RATE_HZ).astype(
            np.float32
        )
        features = self._model.feature_extractor(sound)
        frames = min(len(sound) * _FRAMES_S // _RATE_HZ, _WINDOWS[-1])
        window = next((w for w in _WINDOWS if frames <= w), _WINDOWS[-1])
        return self._model.encode(pad_or_trim(features, window)), max(2, frames)

    def _decode(self, encoded: Any, prompt: str, most: int) -> _Decoded:
        """Decode at the lowest temperature that gives text to be believed; else the least doubtful of all."""
        tried: list[_Decoded] = []
        for temperature in _TEMPERATURES:
            tried.append(self._generate(encoded, prompt, temperature, most))
            if not tried[-1].doubtful or tried[-1].no_speech > _MOST_NO_SPEECH:
                return tried[-1]
        sound = [item for item in tried if not item.stuck]
        return max(sound or tried, key=lambda item: item.logprob)

    def _generate(self, encoded: Any, prompt: str, temperature: float, most: int) -> _Decoded:
        previous = self._tokens.encode(f" {prompt}")
        start = self._model.get_prompt(self._tokens, previous, without_timestamps=True)
        # The same sound gives the same text, also where chance has a part in it.
        self._set_seed(1)
        how = (
            {"beam_size": 5}
            if temperature == 0.0
            else {"beam_size": 1, "num_hypotheses": 3, "sampling_topk": 0}
        )
        result = self._model.model.generate(
            encoded,
            [start],
            max_length=min(_LONGEST_TOKENS, len(start) + most),
            return_scores=True,
            return_no_speech_prob=True,
            suppress_blank=True,
            suppress_tokens=self._suppressed,
            sampling_temperature=temperature or 1.0,
            **how,
        )[0]
        tokens = [token for token in result.sequences_ids[0] if token < self._tokens.eot]
        logprob = result.scores[0] * len(tokens) / (len(tokens) + 1)
        return _Decoded(tokens, self._tokens.decode(tokens).strip(), logprob, result.no_speech_prob)

    def _words(self, encoded: Any, frames: int, decoded: _Decoded) -> tuple[Word, ...]:
        """Return the characters with their times; punctuation belongs to the character ahead of it."""
        found = self._model.find_alignment(self._tokens, [decoded.tokens], encoded, frames)[0]
        words: list[Word] = []
        for item in found:
            text = self._written(str(item["word"]))
            if not words:
                text = text.lstrip()
            if not text or "\N{REPLACEMENT CHARACTER}" in text:
                continue
            start_ms, end_ms = float(item["start"]) * 1000.0, float(item["end"]) * 1000.0
            if words and all(sign in _PUNCTUATION for sign in text):
                last = words[-1]
                words[-1] = Word(last.text + text, last.start_ms, last.end_ms, last.confidence)
                continue
            probability = min(1.0, max(0.0, float(item["probability"])))
            words.append(
                Word(text, round(start_ms, 1), round(max(start_ms, end_ms), 1), round(probability, 3))
            )
        return _first_shortened(words)


def _first_shortened(words: list[Word]) -> tuple[Word, ...]:
    """Take the pause ahead of the first character from it: the alignment counts that as its beginning."""
    if len(words) > 1:
        usual_ms = statistics.median(word.end_ms - word.start_ms for word in words[1:])
        first = words[0]
        start_ms = max(first.start_ms, first.end_ms - 2 * usual_ms)
        words[0] = Word(first.text, round(start_ms, 1), first.end_ms, first.confidence)
    return tuple(words)


def _prompt(hints: Hints) -> str:
    return "".join((_PROMPT, hints.prompt, "、".join(hints.words)))


def _probability(logprob: float) -> float:
    return round(min(1.0, math.exp(logprob)), 3)

"""Names and numbers found in answers: `python -m benchmarks.speech.names --corpus FOLDER`.

    python -m benchmarks.speech.names --corpus FOLDER [--first 120] [--answers 100] [--minutes 20]
        [--part names|numbers] [--whisper FOLDER] [--json FILE]

Synthesised answers (`benchmarks.speech.synthesis`) in the telephone band with noise 15 dB below the voice, as the
service understands them: recognised, asked a second time, read beside the books. Names against the whole roster of 500
(`blind`) and against the ten of a day, with and without the second pass; strangers must be nobody. Numbers as they are
heard, and beside the twenty numbers of a unit's books, with the noise and without.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import random
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from app.answers.expected import BookNumber, BookPerson, Expected
from app.answers.found import Answers, Found, Question
from app.answers.names import same_sound
from app.answers.reading import questions, read
from benchmarks.speech.corpus import Answer, answers, roster
from benchmarks.speech.sounds import RATE_HZ, Sound, load, telephone
from recordings.transcription.choice import EngineChoice
from recordings.transcription.pool import Transcriber
from sip.progress.transcript import Transcript

NOISE_DB: Final = 15.0
DAY: Final = 10
"""Names on a day's roster."""
BOOK: Final = 20
"""Numbers in a unit's books."""
PARTS: Final = ("names", "numbers")
MOST_S: Final = 1200.0
"""Most time for each part."""
LEAST_RECALL: Final = 0.90
MOST_FALSE: Final = 0.01
LEAST_EXACT: Final = 0.85


@dataclass(slots=True)
class Score:
    """Names found and mistaken."""

    said: int = 0
    strangers: int = 0
    found: int = 0
    wrong: int = 0
    """Answers with a name of the roster that was not said."""
    strangers_matched: int = 0
    missed: list[str] = field(default_factory=list)

    def add(self, answer: Answer, got: set[str]) -> None:
        """Count one answer."""
        others = {name for name in got if not same_sound(name, answer.expected)}
        if answer.kind == "name":
            self.said += 1
            self.found += answer.expected in got
            self.wrong += bool(others)
            if answer.expected not in got:
                self.missed.append(answer.key)
        else:
            self.strangers += 1
            self.strangers_matched += bool(got)

    def to_dict(self) -> dict[str, Any]:
        """Return recall and the share of answers in which somebody is named who did not speak."""
        whole = self.said + self.strangers
        return {
            "names": self.said,
            "strangers": self.strangers,
            "recall": round(self.found / max(1, self.said), 3),
            "false_matches": round((self.wrong + self.strangers_matched) / max(1, whole), 4),
            "wrong_names": self.wrong,
            "strangers_matched": self.strangers_matched,
            "missed": self.missed,
        }


class Listener:
    """Hears one answer and asks the second pass."""

    def __init__(self, pool: Transcriber, sound: Sound) -> None:
        self._pool = pool
        self._sound = sound
        self._asked: dict[Question, tuple[tuple[str, float], ...]] = {}

    async def hear(self) -> Transcript:
        """Return the transcript."""
        return await self._pool.transcribe(self._sound)

    async def ask(self, wanted: Iterable[Question]) -> Answers:
        """Return what the second pass says."""
        for question in wanted:
            if question not in self._asked:
                first, last = (int(at * RATE_HZ / 1000) for at in (question.start_ms, question.end_ms))
                ranked = await self._pool.rank(self._sound[first:last], question.phrases, question.before)
                self._asked[question] = tuple((item.phrase, item.score) for item in ranked)
        return self._asked


def people(names: Sequence[str]) -> Expected:
    """Return books with these names on duty."""
    return Expected(tuple(BookPerson(name, on_duty=True) for name in names))


def of_day(answer: Answer, names: Sequence[str]) -> list[str]:
    """Return the names of a day on which the one that is said is on duty, or the stranger is not."""
    others = random.Random(answer.key).sample([name for name in names if name != answer.expected], DAY)
    return [*others[1:], answer.expected] if answer.kind == "name" else others


def _named(found: Iterable[Found]) -> set[str]:
    return {name for item in found if item.kind == "name" for name in item.expected.split("、") if name}


async def _names(pool: Transcriber, corpus: Path, chosen: Iterable[Answer]) -> dict[str, Any]:
    known = roster()
    scores: dict[str, Score] = {}
    voices: dict[str, Score] = {}
    for answer in chosen:
        listener = Listener(pool, _sound(corpus, answer, NOISE_DB))
        said = await listener.hear()
        for title, names in ((f"blind, {len(known)} names", known), (f"day's {DAY}", of_day(answer, known))):
            expected = people(names)
            second = await listener.ask(questions(said, expected))
            got = _named(read(said, expected, second))
            scores.setdefault(f"{title}, second pass", Score()).add(answer, got)
            scores.setdefault(f"{title}, transcript alone", Score()).add(answer, _named(read(said, expected)))
            if names is known:
                voices.setdefault(answer.voice, Score()).add(answer, got)
    return {
        "rosters": {title: score.to_dict() for title, score in scores.items()},
        "blind by voice": {voice: score.to_dict() for voice, score in sorted(voices.items())},
    }


async def _numbers(
    pool: Transcriber, corpus: Path, chosen: Sequence[Answer], seconds: float
) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    every = [answer.expected for answer in answers() if answer.kind == "number"]
    for title, noise_db in (("clean", None), (f"{NOISE_DB:.0f} dB SNR", NOISE_DB)):
        whole = exact = first = known = mistaken = 0
        for answer in _until(chosen, seconds / 2):
            whole += 1
            listener = Listener(pool, _sound(corpus, answer, noise_db))
            said = await listener.hear()
            others = random.Random(answer.key).sample([n for n in every if n != answer.expected], BOOK)
            first += answer.expected in _digits(read(said, Expected()))
            found = {}
            for books in (Expected(), _books([*others[1:], answer.expected]), _books(others)):
                found[books] = read(said, books, await listener.ask(questions(said, books)))
            blind, with_it, without = found.values()
            exact += answer.expected in _digits(blind)
            known += answer.expected in _known(with_it)
            mistaken += bool(_known(without))
        whole = max(1, whole)
        figures[title] = {
            "numbers": whole,
            "exact, transcript alone": round(first / whole, 3),
            "exact": round(exact / whole, 3),
            f"found in {BOOK} of the books": round(known / whole, 3),
            "mistaken for one of the books": round(mistaken / whole, 3),
        }
    return figures


def _digits(found: Iterable[Found]) -> set[str]:
    return {str(item.evidence.get("digits")) for item in found if item.kind == "number"}


def _known(found: Iterable[Found]) -> set[str]:
    return {
        item.expected for item in found if item.kind == "number" and item.expected and item.grade != "weak"
    }


def _books(numbers: Iterable[str]) -> Expected:
    return Expected(numbers=tuple(BookNumber(number, "duty") for number in numbers))


def _sound(corpus: Path, answer: Answer, noise_db: float | None) -> Sound:
    return telephone(load(corpus / f"{answer.key}.flac"), noise_db, seed=int(answer.key))


async def measure(
    choice: EngineChoice,
    corpus: Path,
    most: int,
    first: int = 0,
    seconds: float = MOST_S,
    parts: Sequence[str] = PARTS,
) -> dict[str, Any]:
    """Return the figures of one engine on `most` answers of each sort, from number `first` on.

    No answer is begun after `seconds` for each part; the figures say how many there were.
    """
    there = [answer for answer in answers()[first:] if (corpus / f"{answer.key}.flac").is_file()]
    figures: dict[str, Any] = {}
    async with Transcriber(choice, threads=1, nice=0) as pool:
        if "names" in parts:
            named = [answer for answer in there if answer.kind != "number"][:most]
            figures["names"] = await _names(pool, corpus, _until(named, seconds))
        if "numbers" in parts:
            numbers = [answer for answer in there if answer.kind == "number"][:most]
            figures["numbers"] = await _numbers(pool, corpus, numbers, seconds)
    return figures


def _until(chosen: Iterable[Answer], seconds: float) -> Iterator[Answer]:
    end = time.monotonic() + seconds
    return itertools.takewhile(lambda _: time.monotonic() < end, chosen)


def run(
    engines: Sequence[EngineChoice],
    corpus: Path | None,
    most: int,
    first: int = 0,
    seconds: float = MOST_S,
    parts: Sequence[str] = PARTS,
) -> dict[str, Any]:
    """Return the figures of each engine; without synthesised answers there are none."""
    if corpus is None:
        return {"names": "there are no synthesised answers (--corpus)"}
    return {
        choice.name: asyncio.run(measure(choice, corpus, most, first, seconds, parts)) for choice in engines
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--corpus", type=Path, required=True, help="folder of synthesised answers")
    parser.add_argument("--answers", type=int, default=100, help="how many of them, of each sort")
    parser.add_argument("--first", type=int, default=0, help="from which answer on")
    parser.add_argument("--minutes", type=float, default=MOST_S / 60, help="most time for each part")
    parser.add_argument("--part", choices=PARTS, help="that part alone")
    parser.add_argument("--whisper", type=Path, required=True, help="folder of a Whisper model (CTranslate2)")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    given = parser.parse_args()
    parts = [given.part] if given.part else PARTS
    engines = [EngineChoice("whisper", given.whisper)]
    figures = run(engines, given.corpus, given.answers, given.first, given.minutes * 60, parts)
    text = json.dumps(figures, ensure_ascii=False, indent=2)
    print(text)
    if given.json:
        given.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

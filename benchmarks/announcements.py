"""How well announcements are understood from recognised words: `python -m benchmarks.announcements [--misses]`.

The texts (tests/fixtures/recognised_texts.tsv) are what Whisper base (int8, beam 5, no prompt) wrote of *synthetic*
carrier announcements, of simulated officers and of real Mandarin sentences after A-law, once clean and once at 15 dB
SNR with 3 % of the packets lost. `whole` leaves the errors of recognition out: the same matching on what was spoken.
"""

from __future__ import annotations

import argparse
import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.table import show_parts
from sip.progress.line_state import CLEAR
from sip.progress.words import LINE_STATES, announced_in

SCHEMA = "dutyring.bench.announcements/1"
TEXTS = Path(__file__).parents[1] / "tests" / "fixtures" / "recognised_texts.tsv"


@dataclass(frozen=True, slots=True)
class Recognised:
    """One text as recognised."""

    expected: frozenset[str]
    """Meanings; empty for what a person said."""
    source: str
    condition: str
    """`alaw` or `degraded`."""
    spoken: str
    """Empty where the spoken text is not ours to keep."""
    recognised: str


def recognised_texts() -> list[Recognised]:
    """Read the table of texts."""
    lines = TEXTS.read_text(encoding="utf-8").splitlines()[1:]
    rows = [line.split("\t") for line in lines]
    return [Recognised(frozenset(row[0].split("+")) - {"-"}, *row[1:5]) for row in rows]


def meanings(text: str) -> frozenset[str]:
    """Return what a text clearly announces."""
    return frozenset(said.meaning for said in announced_in(text) if said.confidence >= CLEAR)


def recall(texts: Iterable[tuple[frozenset[str], str]]) -> dict[str, Any]:
    """Return found and wanted by meaning, false matches, and texts without an announcement that gave one."""
    found: dict[str, int] = defaultdict(int)
    wanted: dict[str, int] = defaultdict(int)
    wrong = people = mistaken = 0
    for expected, text in texts:
        got = meanings(text)
        for meaning in expected:
            wanted[meaning] += 1
            found[meaning] += meaning in got
        if expected:
            wrong += bool((got - expected) & LINE_STATES)
        else:
            people += 1
            mistaken += bool(got)
    return {
        "by_meaning": {meaning: f"{found[meaning]}/{wanted[meaning]}" for meaning in sorted(wanted)},
        "recall": round(sum(found.values()) / max(sum(wanted.values()), 1), 3),
        "announcements_with_a_wrong_state": wrong,
        "texts_of_people": people,
        "people_taken_for_announcements": mistaken,
    }


COMMON = (
    "的一是了我不在人有他这个上们来到时大地为子中你说生国年着就那和要她出也得里后自以会家可下而过天去能对小多"
)


def formula(rows: list[Recognised], rounds: int = 5) -> dict[str, float]:
    """Return the recall under errors made by formula on the texts as spoken: what recognition does is milder."""
    rng = random.Random(1)
    spoilers: dict[str, Callable[[str], str]] = {
        "one_character_twice": lambda text: _edited(text, rng, lambda letter: letter * 2),
        "one_character_missing": lambda text: _edited(text, rng, lambda letter: ""),
        "18_percent_replaced": lambda text: "".join(
            rng.choice(COMMON) if letter > "\u4e00" and rng.random() < 0.18 else letter for letter in text
        ),
    }
    said = [row for row in rows if row.spoken and row.expected]
    return {
        name: recall((row.expected, spoil(row.spoken)) for row in said for _ in range(rounds))["recall"]
        for name, spoil in spoilers.items()
    }


def _edited(text: str, rng: random.Random, edit: Callable[[str], str]) -> str:
    at = rng.randrange(len(text))
    return text[:at] + edit(text[at]) + text[at + 1 :]


def cost_ms(texts: Iterable[str], repeat: int = 5) -> float:
    """Return the mean time of understanding one text, milliseconds of process time."""
    listed = list(texts)
    best = float("inf")
    for _ in range(repeat):
        begun = time.process_time()
        for text in listed:
            announced_in(text)
        best = min(best, time.process_time() - begun)
    return round(best * 1000.0 / len(listed), 2)


def measure() -> dict[str, Any]:
    """Return every figure."""
    rows = recognised_texts()
    once = [row for row in rows if row.condition == "alaw"]
    return {
        "schema": SCHEMA,
        "texts": len(rows),
        "whole": recall((row.expected, row.spoken) for row in once if row.spoken),
        "alaw": recall((row.expected, row.recognised) for row in once),
        "degraded": recall((r.expected, r.recognised) for r in rows if r.condition == "degraded"),
        "formula": formula(once),
        "ms_per_text": cost_ms(row.recognised for row in rows),
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("--misses", action="store_true", help="also print what was missed or mistaken")
    arguments = parser.parse_args()
    figures = measure()
    show_parts(figures, as_json=arguments.json)
    if arguments.json:
        return
    for row in recognised_texts() if arguments.misses else ():
        if (got := meanings(row.recognised)) != row.expected:
            print(f"{row.condition} {row.source}: {row.spoken} | {row.recognised} | {sorted(got)}")


if __name__ == "__main__":
    main()

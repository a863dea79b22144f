"""Telephone numbers as an engine hears them when nothing but digits may be said (second pass over numbers).

Whisper guesses words; of 幺五八幺二二 it makes 石油五八油二. Where only tokens of digit words are let through, a beam
search finds the digits: of synthesised answers in the telephone band it has the right number among its ten best in nine
of ten, as the best one in two of three. The likeliest are then weighed by what the whole model makes of them, which
puts it first in four of five (docs/reference/speech-figures.md).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, Final

NUMBER: Final = "#"
"""Stands in a phrase for any telephone number."""
WORDS: Final = "零一二三四五六七八九"
ONES: Final = "幺"
"""How 1 is said in numbers."""
BEAMS: Final = 10
_WEIGHED: Final = 4
"""Numbers that the whole model is asked about."""
_WHOLE: Final = 0.2
"""Weight of its mean log-probability for a digit, beside that among digits."""
_TRIED: Final = 5
"""Numbers of the books that are tried in each way of saying them."""
_MOST_TOKENS: Final = 44
_PLANS: Final = re.compile(r"[2-8]\d{6,7}|1[3-9]\d{9}|0\d{9,11}|[48]00\d{7}|1\d{2,4}|9[56]\d{3,4}")
"""Numbers as there are: local, mobile, with area code, service, short (sip.numbers)."""


class Speller:
    """Hears digits alone with a loaded Whisper model."""

    def __init__(self, model: Any, tokens: Any, vocabulary: int) -> None:
        self._model = model
        self._tokens = tokens
        # The first token of a digit word tells it; 零 and 幺 have a second one.
        self._digit_of = {tokens.encode(word)[0]: str(digit) for digit, word in enumerate(WORDS)}
        self._digit_of[tokens.encode(ONES)[0]] = "1"
        let = {token for word in (*WORDS, ONES, "，", ",", "。", "、") for token in tokens.encode(word)}
        let.add(tokens.eot)
        self._suppressed = [token for token in range(vocabulary) if token not in let]

    def numbers(self, encoded: Any, before: str) -> list[tuple[str, float]]:
        """Return the numbers that may have been said after `before`, in digits, the likeliest first."""
        ahead = self._tokens.encode(before) if before else []
        start = [*self._tokens.sot_sequence, self._tokens.no_timestamps, *ahead]
        result = self._model.generate(
            encoded,
            [start],
            beam_size=BEAMS,
            num_hypotheses=BEAMS,
            max_length=len(start) + _MOST_TOKENS,
            suppress_tokens=self._suppressed,
            suppress_blank=False,
            return_scores=True,
        )[0]
        found: dict[str, float] = {}
        for sequence, score in zip(result.sequences_ids, result.scores, strict=True):
            said = sequence[len(ahead) :] if list(sequence[: len(ahead)]) == ahead and ahead else sequence
            digits = "".join(self._digit_of.get(token, "") for token in said)
            if digits:
                found.setdefault(digits, float(score))
        return sorted(found.items(), key=lambda item: (not is_number(item[0]), -item[1]))

    def weighed(
        self, numbers: list[tuple[str, float]], whole: Callable[[str], float]
    ) -> list[tuple[str, float]]:
        """Return the numbers with the likeliest of them in the order of both scores.

        `whole` tells the mean log-probability of a text after what was said before.
        """
        likely = [item for item in numbers[:_WEIGHED] if is_number(item[0])]
        if len(likely) < 2:
            return numbers
        both = [(digits, score + _WHOLE * _likeliest(digits, whole)) for digits, score in likely]
        # What is added to those is added to the rest, or the two could not be compared.
        least = min(score for _, score in both)
        rest = [(digits, min(score, least)) for digits, score in numbers[len(likely) :]]
        return [*sorted(both, key=lambda item: -item[1]), *rest]


def _likeliest(digits: str, whole: Callable[[str], float]) -> float:
    """1 is said as 幺 or as 一, in one number alike."""
    ways = {
        "".join(one if digit == "1" else WORDS[int(digit)] for digit in digits) + "。"
        for one in (ONES, WORDS[1])
    }
    return max(whole(way) for way in ways)


def ways(digits: str) -> tuple[str, ...]:
    """Return how a number may be said: in one, in groups of 3-4-4 or 3-4, with 1 as 幺 or as 一."""
    words = "".join(ONES if digit == "1" else WORDS[int(digit)] for digit in digits)
    groups = [words[:3], *(words[at : at + 4] for at in range(3, len(words), 4))]
    return tuple(dict.fromkeys((words, "，".join(groups), words.replace(ONES, WORDS[1]))))


def fitting(numbers: Iterable[str], total: Callable[[str], float]) -> list[tuple[str, float]]:
    """Return numbers by how well they fit, the best first, per digit; `total` tells the log-probability of a text.

    All are tried in one writing, the best of them in every one.
    """
    first = {digits: total(ways(digits)[0]) / len(digits) for digits in dict.fromkeys(numbers)}
    for digits in sorted(first, key=lambda digits: -first[digits])[:_TRIED]:
        first[digits] = max([first[digits], *(total(way) / len(digits) for way in ways(digits)[1:])])
    return sorted(first.items(), key=lambda item: -item[1])


def is_number(digits: str) -> bool:
    """Tell whether digits are a telephone number of some plan."""
    return _PLANS.fullmatch(digits) is not None


def splits(phrases: Iterable[str]) -> tuple[list[str], bool]:
    """Return the phrases without the one for a number, and whether it was among them."""
    listed = list(phrases)
    return [phrase for phrase in listed if phrase != NUMBER], NUMBER in listed

"""What of a call somebody may see: words and keys are for those who may listen, whole numbers for those who call them.

Everybody else sees the same call with the words and the middle of numbers left out. What is stored never changes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.accounts.permissions import Permission as P
from app.accounts.principal import Principal
from app.checks.models import Attempt
from app.evidence.wordless import shown_facts, shown_verdict, unquoted, unquoted_text, without_words

HIDDEN = "（略：仅督查可见）"
_NOT_HEARD = (
    "clauses",
    "limits",
    "rules",
    "rule_set",
    "document",
    "mitigations",
    "beside",
    "exempted",
    "by_hand",
    "sha256",
)
"""Members of a proposal and of a notice that quote no call."""
_MOBILE = re.compile(r"(?<!\d)(1[3-9]\d)\d{4}(\d{4})(?!\d)")
_ANY = re.compile(r"(?<![\d])\d{7,15}(?![\d])")
"""In a sentence of the machine's: any number that one could dial."""
_LEAST_DIGITS = 5
_ENDS = 2
"""Digits that stay at each end of a number that is no mobile's."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What one reader may see of calls, on the pages and over the API alike."""

    words: bool = True
    """What was said, who said it, and the keys that it is compared with."""
    live: bool = True
    """What is said at this moment in a call under way."""
    numbers: bool = True
    """Mobile numbers and forwarding targets, whole."""

    def facts(self, attempt: Attempt, reading: Mapping[str, Any] | None) -> dict[str, Any]:
        """The facts of a dial, `reading` being those with its words; empty where there are none."""
        found = dict(reading) if reading else shown_facts(attempt)
        if not self.words:
            found = without_words(found, HIDDEN)
            if found.get("timeline"):
                found["timeline"] = [_untold(entry) for entry in found["timeline"]]
        return found if self.numbers else _masked(found, _secret(found))

    def verdict(self, attempt: Attempt) -> dict[str, Any] | None:
        """The newest verdict of a dial; None where there is none."""
        found = shown_verdict(attempt)
        if found is None:
            return None
        if not self.words:
            found["findings"] = [unquoted(finding, HIDDEN) for finding in found.get("findings") or ()]
        return found if self.numbers else _masked(found, _secret(shown_facts(attempt)))

    def told(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """A proposal, or a notice made of one: its rules and what people wrote stand as they are."""
        return {name: value if name in _NOT_HEARD else self._told(value) for name, value in content.items()}

    def _told(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return self.told(value)
        if isinstance(value, list | tuple):
            return [self._told(inner) for inner in value]
        if not isinstance(value, str):
            return value
        return self.reasons([value])[0]

    def number(self, text: str) -> str:
        """A number that somebody called from or is called by: a mobile's whole, or in part."""
        return text if self.numbers else str(_masked(text, ""))

    def reasons(self, texts: Any) -> list[str]:
        """Reasons of a proposal, as far as they may be read."""
        found = [str(text) for text in texts or ()]
        if not self.words:
            found = [unquoted_text(text, HIDDEN) for text in found]
        if not self.numbers:
            found = [_ANY.sub(lambda match: masked_number(match[0]), text) for text in found]
        return found


def sight_of(principal: Principal | None) -> Sight:
    """What somebody may see; a page without anybody asking shows the least."""
    if principal is None:
        return Sight(False, False, False)
    return Sight(principal.may(P.LISTEN), principal.may(P.LIVE), principal.may(P.NUMBERS))


def _untold(entry: Mapping[str, Any]) -> dict[str, Any]:
    """What an announcement said is no part of the signalling."""
    return {
        name: value for name, value in entry.items() if entry.get("event") != "announcement" or name != "what"
    }


def _secret(facts: Mapping[str, Any]) -> str:
    return str((facts.get("forwarding") or {}).get("target") or "")


def _masked(value: Any, secret: str) -> Any:
    if isinstance(value, str):
        if len(secret) >= _LEAST_DIGITS and secret in value:
            value = value.replace(secret, masked_number(secret))
        return _MOBILE.sub(r"\1****\2", value)
    if isinstance(value, Mapping):
        return {name: _masked(inner, secret) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(inner, secret) for inner in value]
    return value


def masked_number(number: str) -> str:
    """A number with its middle left out; a mobile's first three and last four digits stay."""
    if _MOBILE.fullmatch(number):
        return _MOBILE.sub(r"\1****\2", number)
    if len(number) < _LEAST_DIGITS:
        return "*" * len(number)
    return number[:_ENDS] + "*" * (len(number) - 2 * _ENDS) + number[-_ENDS:]

"""The rules that are in force at a moment: a set, the office's own limits and points, and the document they hold by."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.checks.rules import Rules
from app.rules.format import RuleSet, canonical
from app.rules.library import neutral
from app.rules.own import Own

CONVERSION = "折算口径"
"""No notice gives seconds for 响铃三声内: limits in seconds are always printed as a conversion."""


@dataclass(frozen=True, slots=True)
class RulesInForce:
    """What orders are judged by."""

    rules: RuleSet
    own: Own
    document: str | None
    """The local document (本单位依据文件); None: nothing was put in force, so nothing binds."""
    activation_id: int | None = None
    from_at: datetime | None = None

    def limits(self, settings: Rules) -> Rules:
        """The limits of a call's reading: the office's own, else those of the settings."""
        return self.own.limits.applied_to(settings)

    def label(self, settings: Rules) -> str:
        """Name set, version and own part in at most 120 signs; other clauses, limits or points give another label."""
        own = {
            "own": self.own.model_dump(mode="json", exclude_defaults=True),
            "document": self.document,
            "limits": self.limits(settings).version,
        }
        digest = hashlib.sha256(canonical(own)).hexdigest()
        return f"{self.rules.key}/{self.rules.version}@{self.rules.sha256[:12]}+{digest[:8]}"

    def to_dict(self) -> dict[str, Any]:
        """Return what a proposal keeps of the rules."""
        return {
            "key": self.rules.key,
            "version": self.rules.version,
            "title": self.rules.title,
            "sha256": self.rules.sha256,
            "from_at": None if self.from_at is None else self.from_at.isoformat(),
        }


def nothing_in_force() -> RulesInForce:
    """The shipped neutral set without any document: calls are read, no unit is found at fault."""
    return RulesInForce(neutral(), Own(), None)

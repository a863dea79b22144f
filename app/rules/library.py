"""The rule sets that are shipped: clauses of published documents, in `sets/*.toml`."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from app.rules.format import RuleSet, parse_toml

FOLDER = Path(__file__).parent / "sets"
NEUTRAL = "neutral"
"""What reads calls as long as nothing was put in force: by it no unit is found at fault."""


@lru_cache(maxsize=1)
def shipped() -> tuple[RuleSet, ...]:
    """Every shipped set, by key."""
    found = [parse_toml(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.toml"))]
    return tuple(sorted(found, key=lambda rules: rules.key))


def neutral() -> RuleSet:
    """The shipped set without any document."""
    return next(rules for rules in shipped() if rules.key == NEUTRAL)

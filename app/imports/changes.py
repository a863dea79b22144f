"""What an import would do: the outcome of comparing a file with the records."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal

from app.imports.columns import BY_KIND, SheetKind
from app.imports.findings import Finding
from app.imports.records import Findings, Preview, Row
from app.imports.stored import Snapshot, Stored

Action = Literal["add", "change"]
TITLES: Mapping[str, str] = {kind: layout.title for kind, layout in BY_KIND.items()}


@dataclass(slots=True)
class UnitRef:
    """A unit that the file or the records know."""

    code: str
    name: str
    stored: Stored | None = None
    """None: the file brings it."""

    @property
    def id(self) -> int | None:
        """Its key in the records."""
        return None if self.stored is None else int(str(self.stored.id))


@dataclass(slots=True)
class Change:
    """One entry that would be added or changed."""

    kind: SheetKind
    action: Action
    what: str
    """The entry, as a person calls it."""
    row: Row
    """The row that says so; of a roster the first of its rows."""
    values: dict[str, Any]
    """Of an addition all of them, of a change those that become different."""
    before: dict[str, Any] = field(default_factory=dict)
    stored: Stored | None = None
    unit: UnitRef | None = None
    line: LineRef | None = None

    def told(self) -> list[Any]:
        """Return what the digest is made of."""
        where = None if self.stored is None else str(self.stored.id)
        whose = None if self.unit is None else self.unit.code
        return [
            self.kind,
            self.action,
            where,
            whose,
            self.what,
            plain_json(self.values),
            plain_json(self.before),
        ]


@dataclass(slots=True)
class LineRef:
    """A line that the file or the records know."""

    key: str
    """Its number in the form in which numbers are compared."""
    unit: UnitRef
    stored: Stored | None = None
    called: bool = True
    """Not a fax."""


@dataclass(slots=True)
class Comparison:
    """A file beside the records as they stand."""

    preview: Preview
    snapshot: Snapshot
    findings: Findings
    units: list[UnitRef] = field(default_factory=list)
    by_code: dict[str, UnitRef] = field(default_factory=dict)
    by_name: dict[str, list[UnitRef]] = field(default_factory=dict)
    by_unit_id: dict[int, UnitRef] = field(default_factory=dict)
    lines: dict[str, list[LineRef]] = field(default_factory=dict)
    """By code of the unit."""
    guesses: int = 0
    """How many unknown names were compared with all that are known."""
    changes: list[Change] = field(default_factory=list)
    unchanged: Counter[str] = field(default_factory=Counter)
    """Entries of the file that stand in the records already, by kind."""
    not_named: Counter[str] = field(default_factory=Counter)
    """Entries of the records that the file does not name and that stay as they are, by kind."""

    def rows(self, *kinds: SheetKind) -> list[Row]:
        """The rows of some kinds."""
        return [row for row in self.preview.rows if row.kind in kinds]

    def has(self, *kinds: SheetKind) -> bool:
        """Whether the file has rows of a kind."""
        return any(row.kind in kinds for row in self.preview.rows)

    def settle(
        self,
        row: Row,
        found: Stored,
        given: dict[str, Any],
        *,
        what: str,
        unit: UnitRef | None = None,
        line: LineRef | None = None,
    ) -> None:
        """Count an entry that is known already as unchanged, or as changed where something given differs."""
        values = {key: value for key, value in given.items() if found.values[key] != value}
        if not values:
            self.unchanged[row.kind] += 1
            return
        before = {key: found.values[key] for key in values}
        self.changes.append(Change(row.kind, "change", what, row, values, before, found, unit, line))

    def counts(self, action: Action) -> Counter[str]:
        """How many entries would be added or changed, by kind."""
        return Counter(change.kind for change in self.changes if change.action == action)

    def digest(self) -> str:
        """Return what tells this comparison from one with other records: SHA-256 over all that would be done."""
        told = [self.preview.sha256, [change.told() for change in self.changes]]
        text = json.dumps(told, ensure_ascii=True, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def sorted_findings(self) -> list[Finding]:
        """Errors first, then doubts, then notes; within each by sheet, as they were met, and from the top down."""
        rank = {"error": 0, "doubt": 1, "note": 2}
        sheets = list(dict.fromkeys(finding.sheet for finding in self.findings.all))
        return sorted(
            self.findings.all,
            key=lambda finding: (rank[finding.severity], sheets.index(finding.sheet), finding.row),
        )


def given_of(row: Row, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """What a row says of these members; what is to be taken out has its default."""
    return {
        key: defaults[key] if row.values[key] is None else row.values[key]
        for key in defaults
        if key in row.values
    }


def plain_json(value: Any) -> Any:
    """Return a value as JSON holds it."""
    if isinstance(value, dict):
        return {key: plain_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_json(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    return value.isoformat() if isinstance(value, date) else value

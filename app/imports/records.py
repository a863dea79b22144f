"""What was read of a file, before it is compared with anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.imports.columns import BY_KIND, SheetKind
from app.imports.findings import MOST_FINDINGS, Finding, shown
from app.imports.grid import cell_name


@dataclass(slots=True)
class Row:
    """One entry: a row of a sheet, or the part of it that speaks of one thing."""

    kind: SheetKind
    sheet: str
    number: int
    """Of the row in its sheet, from 1."""
    columns: Mapping[str, int]
    """Where the columns stand, by key, from 1."""
    values: dict[str, Any] = field(default_factory=dict)
    """By key of the column. What was empty is not there; what is to be taken out is None."""
    faulty: bool = False
    """A cell of it could not be read."""
    implied: bool = False
    """The row names the thing only to say something else: a unit in a 通讯录."""

    def cell(self, key: str) -> str:
        """The name of the cell of a column; the row's number where the sheet has no such column."""
        column = self.columns.get(key)
        return str(self.number) if column is None else cell_name(self.number, column)

    @property
    def place(self) -> str:
        """The row as a person finds it."""
        return f"{self.sheet}!{self.number}"


class Findings:
    """The findings of a file, in the order in which they were met, up to a bound."""

    def __init__(self) -> None:
        self.all: list[Finding] = []
        self.full = False

    def add(self, finding: Finding) -> None:
        """Take a finding."""
        if self.full:
            return
        if len(self.all) >= MOST_FINDINGS:
            self.full = True
            self.all.append(Finding("too_many_findings", finding.sheet, "", words={"most": MOST_FINDINGS}))
            return
        self.all.append(finding)

    def about(self, row: Row, key: str, code: str, value: object = None, /, **words: str | int) -> None:
        """Say something of one cell of a row; an error marks the row."""
        finding = Finding(code, row.sheet, row.cell(key), shown(_told(row, key, value)), words)
        row.faulty = row.faulty or finding.severity == "error"
        self.add(finding)

    @property
    def errors(self) -> int:
        """How many of them stop the import."""
        return sum(finding.severity == "error" for finding in self.all)


def _told(row: Row, key: str, value: object) -> object:
    found = row.values.get(key, "") if value is None else value
    return "、".join(map(str, found)) if isinstance(found, tuple) else found


@dataclass(frozen=True, slots=True)
class SheetRead:
    """One sheet that was understood."""

    title: str
    kind: SheetKind
    heading_row: int
    rows: int
    """With data."""

    @property
    def read_as(self) -> str:
        """The usual title of such a sheet."""
        return BY_KIND[self.kind].title


@dataclass(slots=True)
class Preview:
    """A file as read: nothing of it was compared or written."""

    name: str
    sha256: str
    form: str
    encoding: str
    sheets: list[SheetRead]
    rows: list[Row]
    findings: Findings

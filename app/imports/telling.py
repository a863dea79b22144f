"""Puts a comparison into JSON: what would be done, and what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from app.imports.changes import Change, Comparison
from app.imports.columns import BY_KIND, LAYOUTS
from app.imports.findings import Finding
from app.imports.writing import cell_text

SHEETS = tuple(layout for layout in LAYOUTS if layout.kind != "book")


def finding_told(finding: Finding) -> dict[str, str]:
    """One finding in both languages."""
    wrong, right = finding.said("zh")
    wrong_en, right_en = finding.said("en")
    return {
        "severity": finding.severity,
        "code": finding.code,
        "sheet": finding.sheet,
        "cell": finding.cell,
        "value": finding.value,
        "wrong": wrong,
        "right": right,
        "wrong_en": wrong_en,
        "right_en": right_en,
    }


def change_told(change: Change) -> dict[str, Any]:
    """One entry that would be added or changed; of an addition what is filled in, of a change what differs."""
    added = change.action == "add"
    fields = [
        {
            "column": heading(change, key),
            "before": "" if added else field_text(change, key, change.before[key]),
            "after": field_text(change, key, value),
        }
        for key, value in change.values.items()
        if key != "version" and not (added and field_text(change, key, value) == "")
    ]
    return {
        "action": change.action,
        "sheet": BY_KIND[change.kind].title,
        "what": change.what,
        "place": change.row.place,
        "fields": fields,
    }


def heading(change: Change, key: str) -> str:
    """The usual heading of a member."""
    if key == "shifts":
        return "班次"
    column = next((each for each in BY_KIND[change.kind].columns if each.key == key), None)
    return key if column is None else column.names[0]


def field_text(change: Change, key: str, value: Any) -> str:
    """A value as a cell shows it."""
    if key == "shifts":
        return "；".join(_shift_text(*shift) for shift in value)
    found = cell_text(change.kind, key, value)
    return "" if found is None else str(found)


def _shift_text(start: datetime, end: datetime, name: str, title: str, phone: str) -> str:
    who = " ".join(part for part in (name, title, phone) if part)
    last = f"{end:%H:%M}" if end.date() == start.date() else f"{end:%m-%d %H:%M}"
    return f"{start:%H:%M}-{last} {who}"


def counts_told(case: Comparison) -> dict[str, dict[str, int]]:
    """How many entries would be added, changed, left as they are; by the title of the sheet."""
    added, changed = case.counts("add"), case.counts("change")
    found = {}
    for layout in SHEETS:
        row = {
            "add": added[layout.kind],
            "change": changed[layout.kind],
            "unchanged": case.unchanged[layout.kind],
            "not_named": case.not_named[layout.kind],
        }
        if any(row.values()):
            found[layout.title] = row
    return found


def case_told(case: Comparison) -> dict[str, Any]:
    """All of a comparison."""
    preview, findings = case.preview, case.sorted_findings
    severities = [finding.severity for finding in findings]
    return {
        "name": preview.name,
        "sha256": preview.sha256,
        "form": preview.form,
        "encoding": preview.encoding,
        "digest": case.digest(),
        "importable": "error" not in severities and bool(case.changes),
        "errors": severities.count("error"),
        "doubts": severities.count("doubt"),
        "notes": severities.count("note"),
        "sheets": [
            {
                "title": sheet.title,
                "read_as": sheet.read_as,
                "heading_row": sheet.heading_row,
                "rows": sheet.rows,
            }
            for sheet in preview.sheets
        ],
        "counts": counts_told(case),
        "findings": [finding_told(finding) for finding in findings],
        "changes": [change_told(change) for change in case.changes],
    }


def summary(told: Mapping[str, Any]) -> str:
    """One line of how much there is to do."""
    rows = told["counts"].values()
    return ", ".join(
        f"{sum(row[key] for row in rows)} {word}"
        for key, word in (("add", "to add"), ("change", "to change"), ("unchanged", "unchanged"))
    )

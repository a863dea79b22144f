"""Compares the units of a file with those of the records, and finds the unit that a row speaks of."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import Any

from app.directory.tree import MOST_HANDOVERS, MOST_LEVELS
from app.imports.changes import Change, Comparison, UnitRef, given_of
from app.imports.records import Row

DEFAULTS: dict[str, Any] = {
    "name": "",
    "parent": "",
    "category": "other",
    "kind": "",
    "handover": (),
    "first_day": None,
    "last_day": None,
}
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]*", re.ASCII)
"""As the API takes codes."""
_MOST_GUESSES = 50
"""Unknown names for which like ones are looked for: each look goes over all names."""


def compare_units(case: Comparison) -> None:
    """See which units the file adds or changes. The other kinds come after it: they name units."""
    for entry in case.snapshot.units:
        _know(case, UnitRef(entry.values["code"], entry.values["name"], entry))
    settled = _Settled(case)
    rows = case.rows("units")
    # Units' own rows first: a 通讯录 of the same file then finds them.
    for row in sorted(rows, key=lambda row: row.implied):
        settled.take(row)
    settled.finish()


def _know(case: Comparison, unit: UnitRef) -> None:
    case.units.append(unit)
    case.by_code[unit.code] = unit
    case.by_name.setdefault(unit.name, []).append(unit)
    if unit.id is not None:
        case.by_unit_id[unit.id] = unit


class _Settled:
    """The units of the file, one after the other."""

    def __init__(self, case: Comparison) -> None:
        self._case = case
        self._taken: dict[str, Row] = {}
        """By code, the first row that speaks of the unit."""
        self._rows: list[tuple[Row, UnitRef]] = []
        self._numbers = self._free_codes()

    def take(self, row: Row) -> None:
        """Find the unit that a row means, or see that it is a new one."""
        code, name = row.values.get("code"), row.values.get("name")
        if not code and not name:
            return
        unit = self._by_code(row, code, name) if code else self._by_name(row, name or "")
        if unit is None:
            return
        earlier = self._taken.get(unit.code)
        if earlier is None:
            self._taken[unit.code] = row
            self._rows.append((row, unit))
        elif not row.implied and not earlier.implied:
            key = "code" if code else "name"
            self._case.findings.about(row, key, "duplicate", place=earlier.place, what=unit.name)

    def _by_code(self, row: Row, code: str, name: str | None) -> UnitRef | None:
        case = self._case
        known = case.by_code.get(code)
        if known is not None:
            if row.implied and name and name != known.name:
                case.findings.about(row, "unit_name", "unit_disagrees", name, code=code, name=known.name)
                return None
            return known
        if not _CODE.fullmatch(code):
            case.findings.about(row, "unit" if row.implied else "code", "bad_code", code)
            return None
        if not name:
            case.findings.about(row, "unit", "unit_unknown", code, near="", near_en="")
            return None
        same = case.by_name.get(name, [])
        if same:
            key = "unit_name" if row.implied else "name"
            case.findings.about(row, key, "same_name", name, code=same[0].code)
        return self._new(code, name)

    def _by_name(self, row: Row, name: str) -> UnitRef | None:
        case = self._case
        known = self._narrowed(row, case.by_name.get(name, []))
        if len(known) == 1:
            return known[0]
        if known:
            case.findings.about(
                row, "unit_name" if row.implied else "name", "unit_ambiguous", name, count=len(known)
            )
            return None
        return self._new(next(self._numbers), name)

    def _narrowed(self, row: Row, known: list[UnitRef]) -> list[UnitRef]:
        """Of several units of one name, those below the parent that the row names."""
        parent = row.values.get("parent")
        if len(known) < 2 or not parent:
            return known
        above = {unit.code for unit in (self._case.by_name.get(parent) or [])} | {parent}
        return [unit for unit in known if unit.stored is not None and unit.stored.values["parent"] in above]

    def _new(self, code: str, name: str) -> UnitRef:
        unit = UnitRef(code, name)
        _know(self._case, unit)
        return unit

    def _free_codes(self) -> Iterator[str]:
        """Codes for units that come without one: U0001 and so on, those in use left out."""
        used = {str(row.values.get("code")) for row in self._case.rows("units")}
        number = 0
        while True:
            number += 1
            code = f"U{number:04}"
            if code not in self._case.by_code and code not in used:
                yield code

    def finish(self) -> None:
        """Compare what the rows say, now that every unit of the file is known."""
        case = self._case
        for row, unit in self._rows:
            if row.faulty:
                continue
            given = given_of(row, DEFAULTS)
            if "handover" in given and len(given["handover"]) > MOST_HANDOVERS:
                case.findings.about(row, "handover", "too_many", most=MOST_HANDOVERS)
            if given.get("parent"):
                given["parent"] = self._parent(row, given["parent"])
            if row.implied and unit.stored is not None:
                given.pop("name", None)
            self._settle(row, unit, given)
        self._tell_of_categories()
        if case.has("units"):
            named = {unit.code for _, unit in self._rows}
            case.not_named["units"] = sum(entry.values["code"] not in named for entry in case.snapshot.units)
        self._check_tree()

    def _tell_of_categories(self) -> None:
        """Said once, at the first of them: the clauses of most rule sets bind no 其他, so nothing would be found."""
        bare = [
            row
            for row, unit in self._rows
            if unit.stored is None and not row.faulty and not row.values.get("category")
        ]
        if bare:
            key = "unit_name" if bare[0].implied else "name"
            self._case.findings.about(bare[0], key, "no_category", count=len(bare))

    def _settle(self, row: Row, unit: UnitRef, given: dict[str, Any]) -> None:
        case = self._case
        if unit.stored is None:
            values = {"code": unit.code} | DEFAULTS | given
            case.changes.append(Change("units", "add", unit.name, row, values, unit=unit))
            return
        after = unit.stored.values | given
        if after["first_day"] and after["last_day"] and after["last_day"] < after["first_day"]:
            case.findings.about(row, "last_day", "day_order", first=str(after["first_day"]))
        case.settle(row, unit.stored, given, what=unit.name, unit=unit)

    def _parent(self, row: Row, text: str) -> str:
        case = self._case
        known = case.by_code.get(text)
        if known is not None:
            return known.code
        named = case.by_name.get(text, [])
        if len(named) == 1:
            return named[0].code
        if named:
            case.findings.about(row, "parent", "unit_ambiguous", text, count=len(named))
        else:
            case.findings.about(row, "parent", "unit_unknown", text, **near(case, text))
        return ""

    def _check_tree(self) -> None:
        """Every unit must lead to a root within the levels that the tree may have."""
        case = self._case
        above = {entry.values["code"]: entry.values["parent"] for entry in case.snapshot.units}
        moved = {
            change.unit.code: change
            for change in case.changes
            if change.kind == "units" and change.unit is not None and "parent" in change.values
        }
        above |= {code: change.values["parent"] for code, change in moved.items()}
        for code, change in moved.items():
            path = [code]
            while above.get(path[-1]) and len(path) <= MOST_LEVELS and above[path[-1]] not in path:
                path.append(above[path[-1]])
            last = above.get(path[-1], "")
            if last and last != code and last in path:
                # It hangs on a ring that is named where it is closed.
                continue
            if last == code:
                names = " → ".join(case.by_code[each].name for each in (*path, last))
                case.findings.about(change.row, "parent", "parent_cycle", path=names)
            elif len(path) > MOST_LEVELS:
                case.findings.about(change.row, "parent", "too_deep", most=MOST_LEVELS)
        self._check_depth(above, moved)

    def _check_depth(self, above: dict[str, str], moved: dict[str, Change]) -> None:
        """A unit that moves takes along what lies below it, which the file may not name."""
        for code in above.keys() - moved.keys():
            path = [code]
            while above.get(path[-1]) and len(path) <= MOST_LEVELS:
                path.append(above[path[-1]])
            mover = next((moved[each] for each in path if each in moved), None)
            if len(path) > MOST_LEVELS and mover is not None and not mover.row.faulty:
                self._case.findings.about(mover.row, "parent", "too_deep", most=MOST_LEVELS)


def unit_of(case: Comparison, row: Row) -> UnitRef | None:
    """Return the unit that a row speaks of, or say why there is none."""
    code, name = row.values.get("unit"), row.values.get("unit_name")
    if code:
        known = case.by_code.get(code) or _only(case.by_name.get(code, []))
        if known is None:
            case.findings.about(row, "unit", "unit_unknown", code, **near(case, code))
        elif name and name != known.name:
            case.findings.about(row, "unit_name", "unit_disagrees", name, code=known.code, name=known.name)
            return None
        return known
    if not name:
        return None
    found = case.by_name.get(name, [])
    if not found and name in case.by_code:
        return case.by_code[name]
    if len(found) == 1:
        return found[0]
    if found:
        case.findings.about(row, "unit_name", "unit_ambiguous", name, count=len(found))
    else:
        case.findings.about(row, "unit_name", "unit_unknown", name, **near(case, name))
    return None


def _only(found: list[UnitRef]) -> UnitRef | None:
    return found[0] if len(found) == 1 else None


def near(case: Comparison, text: str) -> dict[str, str]:
    """The known name that is most like one that is not known, in both languages."""
    said = {"near": "", "near_en": ""}
    if case.guesses >= _MOST_GUESSES or len(text) > 60:
        return said
    case.guesses += 1
    alike = difflib.get_close_matches(text, list(case.by_name), n=1, cutoff=0.6)
    if alike:
        said = {"near": f"，是否“{alike[0]}”", "near_en": f"; did you mean {alike[0]!r}"}
    return said

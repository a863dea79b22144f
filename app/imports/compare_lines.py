"""Compares the duty lines of a file with those of the records."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from app.directory.lines import MOST_PILOTS, MOST_UNITS, Dialling
from app.directory.numbers import key_of, main_number, read_number
from app.errors import BadInputError
from app.imports.changes import Change, Comparison, LineRef, UnitRef, given_of
from app.imports.compare_units import near, unit_of
from app.imports.records import Row
from app.imports.stored import Stored
from app.imports.values import is_bare_extension

NAMES = {"duty": "值班电话", "leader": "带班电话", "fax": "传真", "other": "其他电话"}
DEFAULTS: dict[str, Any] = {
    "name": "",
    "number": "",
    "target": "",
    "kind": "duty",
    "trunk": "",
    "active": True,
    "shared": (),
    "pilots": (),
    "first_day": None,
    "last_day": None,
}


@dataclass(slots=True)
class _Entry:
    """One row that names a line."""

    row: Row
    unit: UnitRef
    given: dict[str, Any]
    key: str
    kind: str


class _Lines:
    def __init__(self, case: Comparison, may: Dialling) -> None:
        self._case = case
        self._dialling = may
        self._called: dict[str, list[Stored]] = defaultdict(list)
        self._faxes: dict[tuple[int, str], Stored] = {}
        self._mains: dict[str, set[str]] = defaultdict(set)
        self._seen: dict[tuple[str, ...], _Entry] = {}
        self._matched: set[object] = set()
        for entry in case.snapshot.lines:
            if entry.values["kind"] == "fax":
                self._faxes[entry.unit_id, entry.key] = entry
            else:
                self._called[entry.key].append(entry)
            self._know_mains(
                case.by_unit_id[entry.unit_id].code, entry.values["pilots"], entry.values["target"]
            )

    def _know_mains(self, code: str, pilots: tuple[str, ...], target: str) -> None:
        main = main_number(target)
        self._mains[code].update(pilots if main is None else (*pilots, main))

    def compare(self) -> None:
        """See which lines the file adds or changes."""
        case = self._case
        entries = [entry for row in case.rows("lines") if (entry := self._read(row)) is not None]
        later = [entry for entry in entries if not self._match(entry) and self._may(entry)]
        self._match_changed(later)
        for known in case.snapshot.lines:
            unit = case.by_unit_id[known.unit_id]
            ref = LineRef(known.key, unit, known, known.values["kind"] != "fax")
            for code in (unit.code, *known.values["shared"]):
                case.lines.setdefault(code, []).append(ref)
        if entries:
            case.not_named["lines"] = sum(known.id not in self._matched for known in case.snapshot.lines)
        self._tell_of_faxes(entries)

    def _read(self, row: Row) -> _Entry | None:
        """Look at a row by itself: whose line it is, what is dialled, and whether that may be."""
        case, values = self._case, row.values
        unit = unit_of(case, row)
        if unit is None or row.faulty or not values.get("number"):
            return None
        given = given_of(row, DEFAULTS)
        if "shared" in given:
            given["shared"] = self._shared(row, unit, given["shared"])
        for key, most in (("shared", MOST_UNITS), ("pilots", MOST_PILOTS)):
            if len(given.get(key, ())) > most:
                case.findings.about(row, key, "too_many", most=most)
        target = self._target(row, unit, given)
        if target is None:
            return None
        given["target"] = target
        kind = given.get("kind", "duty")
        entry = _Entry(row, unit, given, key_of(target), kind)
        # A row that is wrong elsewhere has its number all the same.
        return entry if self._is_first(entry) and not row.faulty else None

    def _target(self, row: Row, unit: UnitRef, given: dict[str, Any]) -> str | None:
        """What is dialled for a row; None, and a finding, where that cannot be told or must not be."""
        number: str = given["number"]
        try:
            target: str = given.get("target") or ""
            if not target:
                mains = given.get("pilots") or self._mains[unit.code]
                target = read_number(number, mains).target
                if not is_bare_extension(number):
                    self._know_mains(unit.code, given.get("pilots", ()), target)
        except BadInputError as error:
            why = error.faults[0].message if error.faults else error.detail
            self._case.findings.about(row, "number", "refused", why=why)
            return None
        return target

    def _may(self, entry: _Entry) -> bool:
        """Whether a number that is new here may be dialled; those that are known may stay as they are."""
        if not _may_be_dialled(self._dialling, entry.given["target"]):
            # The guard's words may hold a number of a superior office: the cell's own value says enough.
            key = "target" if "target" in entry.row.values else "number"
            self._case.findings.about(entry.row, key, "never_dialled")
            return False
        return True

    def _shared(self, row: Row, unit: UnitRef, names: tuple[str, ...]) -> tuple[str, ...]:
        case, found = self._case, set[str]()
        for name in names:
            known = case.by_code.get(name)
            if known is None and len(case.by_name.get(name, [])) == 1:
                known = case.by_name[name][0]
            if known is None:
                case.findings.about(row, "shared", "unit_unknown", name, **near(case, name))
            elif known.code != unit.code:
                found.add(known.code)
        return tuple(sorted(found))

    def _is_first(self, entry: _Entry) -> bool:
        """Whether no row before named the number; a 通讯录 may say again what the sheet of lines says.

        Faxes may have the number of a duty line, and lines that are out of use that of one in use.
        """
        key: tuple[str, ...] = ("called", entry.key)
        if entry.kind == "fax" or not entry.given.get("active", True):
            key = (entry.kind, entry.unit.code, entry.key)
        earlier = self._seen.setdefault(key, entry)
        if earlier is entry:
            return True
        same_unit = earlier.unit.code == entry.unit.code
        if not (same_unit and (entry.row.implied or earlier.row.implied)):
            words = {"place": earlier.row.place, "what": str(entry.given["number"])}
            self._case.findings.about(
                entry.row, "number", "duplicate" if same_unit else "number_twice", **words
            )
        return False

    def _match(self, entry: _Entry) -> bool:
        """Settle an entry whose number the records have."""
        case, unit = self._case, entry.unit
        found = self._known(entry)
        if found is None:
            return False
        owner = case.by_unit_id[found.unit_id]
        self._matched.add(found.id)
        if owner.code == unit.code:
            self._settle(entry, found)
        elif unit.code in found.values["shared"] and entry.row.implied:
            case.unchanged["lines"] += 1
        else:
            case.findings.about(entry.row, "number", "number_taken", unit=owner.name)
        return True

    def _known(self, entry: _Entry) -> Stored | None:
        """The line of the records that has the number: of this unit and in the same use where there are several."""
        unit_id, active = entry.unit.id, entry.given.get("active", True)
        if entry.kind == "fax":
            return None if unit_id is None else self._faxes.get((unit_id, entry.key))
        known = self._called.get(entry.key, [])
        rank = {each.id: (each.unit_id == unit_id, each.values["active"] == active) for each in known}
        return max(known, key=lambda each: rank[each.id], default=None)

    def _settle(self, entry: _Entry, found: Stored) -> None:
        given = entry.given
        if entry.row.implied:
            # A 通讯录 prints numbers for people: how it writes one that is known is no change.
            given = {key: value for key, value in given.items() if key in ("kind",)}
            given = given if entry.kind == "fax" else {}
        elif "target" not in entry.row.values and key_of(found.values["target"]) == entry.key:
            given = {key: value for key, value in given.items() if key != "target"}
        self._check_days(entry, found.values | given)
        self._check_trunk(entry, found.values["trunk"])
        what = f"{entry.unit.name} {found.values['number']}"
        ref = LineRef(entry.key, entry.unit, found, found.values["kind"] != "fax")
        self._case.settle(entry.row, found, given, what=what, unit=entry.unit, line=ref)

    def _match_changed(self, entries: list[_Entry]) -> None:
        """Numbers that the records do not have: of a unit's only such line it is the new one, else a further line."""
        case = self._case
        free: dict[tuple[int, str], list[Stored]] = defaultdict(list)
        for stored in case.snapshot.lines:
            if stored.id not in self._matched and stored.values["active"]:
                free[stored.unit_id, stored.values["kind"]].append(stored)
        wanting = Counter((entry.unit.code, entry.kind, None) for entry in entries)
        wanting.update((entry.unit.code, entry.kind, entry.given.get("name", "")) for entry in entries)
        for entry in entries:
            unit_id = entry.unit.id
            candidates = free.get((unit_id, entry.kind), []) if unit_id is not None else []
            name = entry.given.get("name")
            named = [each for each in candidates if name is None or each.values["name"] == name]
            rivals = wanting[entry.unit.code, entry.kind, name]
            if len(named) == 1 and rivals == 1:
                self._matched.add(named[0].id)
                self._renumber(entry, named[0])
            else:
                self._add(entry)

    def _renumber(self, entry: _Entry, found: Stored) -> None:
        given = dict(entry.given)
        if not entry.row.implied and "target" not in entry.row.values:
            given["target"] = entry.given["target"]
        self._check_days(entry, found.values | given)
        self._check_trunk(entry, found.values["trunk"])
        what = f"{entry.unit.name} {found.values['number']}"
        ref = LineRef(entry.key, entry.unit, found, entry.kind != "fax")
        self._case.settle(entry.row, found, given, what=what, unit=entry.unit, line=ref)
        self._case.lines.setdefault(entry.unit.code, []).append(ref)

    def _add(self, entry: _Entry) -> None:
        values = DEFAULTS | entry.given
        values["name"] = values["name"] or NAMES[entry.kind]
        self._check_trunk(entry, "")
        ref = LineRef(entry.key, entry.unit, None, entry.kind != "fax")
        what = f"{entry.unit.name} {values['number']}"
        self._case.changes.append(Change("lines", "add", what, entry.row, values, unit=entry.unit, line=ref))
        for code in (entry.unit.code, *values["shared"]):
            self._case.lines.setdefault(code, []).append(ref)

    def _check_trunk(self, entry: _Entry, before: str) -> None:
        trunk = entry.given.get("trunk")
        if trunk and trunk != before and trunk not in self._dialling.trunks:
            self._case.findings.about(entry.row, "trunk", "trunk_unknown")

    def _check_days(self, entry: _Entry, after: dict[str, Any]) -> None:
        first, last = after["first_day"], after["last_day"]
        if first and last and last < first and not entry.row.faulty:
            self._case.findings.about(entry.row, "last_day", "day_order", first=str(first))

    def _tell_of_faxes(self, entries: list[_Entry]) -> None:
        """A fax at the number of a duty line is busy while it is sent to."""
        called = {entry.key: entry.row.place for entry in entries if entry.kind != "fax"}
        known = dict.fromkeys(self._called, "已登记") | called
        for entry in entries:
            if entry.kind == "fax" and entry.key in known:
                self._case.findings.about(entry.row, "number", "fax_is_line", place=known[entry.key])


@lru_cache(maxsize=16_384)
def _may_be_dialled(may: Dialling, target: str) -> bool:
    """Look a number up; what a preview found its confirmation need not look for again."""
    try:
        may.check(target, "number")
    except BadInputError:
        return False
    return True


def compare_lines(case: Comparison, may: Dialling) -> None:
    """See which lines the file adds or changes; then `case.lines` knows the lines of each unit."""
    _Lines(case, may).compare()

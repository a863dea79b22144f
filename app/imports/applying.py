"""Enters what a comparison found, through the verbs of directory, rosters and calendar, in one unit of work."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.directory import changes as exemptions
from app.directory import lines, people, tree
from app.directory.lines import Dialling, LineEntry
from app.directory.models import LINE_EXEMPTIONS, DutyLine, Unit, UnitExemption
from app.directory.people import PersonEntry
from app.directory.tree import UnitEntry
from app.errors import ConflictError, OfficeError
from app.imports import bulk, repository
from app.imports.applying_dated import apply_days, apply_rosters
from app.imports.bulk import unit_code
from app.imports.changes import Change, Comparison
from app.settings import Settings


async def apply(session: AsyncSession, case: Comparison, settings: Settings, may: Dialling, who: str) -> None:
    """Enter every change. Raises `ConflictError` that names the row which the records do not take."""
    work = _Work(session, case, settings, may, who)
    await work.load()
    await work.enter_new()
    for kind, step in (
        ("units", work.unit),
        ("lines", work.line),
        ("people", work.person),
        ("exemptions", work.exemption),
    ):
        for change in work.of(kind):
            try:
                await step(change)
            except OfficeError as error:
                raise refusal(change, error) from error
    await work.share()
    await work.regimes()
    await apply_rosters(session, case, work.units, settings, who)
    await apply_days(session, case, settings, who)


def refusal(change: Change, error: OfficeError) -> ConflictError:
    """The error of a row that was refused although nothing spoke against it when it was compared."""
    return ConflictError(
        f"{change.row.place}（{change.what}）：{error.detail}；全部未导入，请重新预览", error.faults
    )


class _Work:
    """One import while it is carried out."""

    def __init__(
        self, session: AsyncSession, case: Comparison, settings: Settings, may: Dialling, who: str
    ) -> None:
        self._session = session
        self._case = case
        self._zone = settings.zone
        self._may = may
        self._who = who
        self.units: dict[str, Unit] = {}
        """By code: those of the records that are needed, and those that were entered."""
        self._lines: dict[tuple[str, str, bool], DutyLine] = {}
        """That were entered, by code of the unit, number and whether checks call it."""
        self._shared: list[tuple[DutyLine, tuple[str, ...]]] = []
        self._levels = _levels(case)

    async def load(self) -> None:
        """Read the units that changes speak of."""
        needed = {unit_code(change) for change in self._case.changes}
        for change in self._case.changes:
            needed |= {change.values.get("parent") or "", *change.values.get("shared", ())}
        ids = _keys(unit.id for code in needed if (unit := self._case.by_code.get(code)) is not None)
        self.units = {unit.code: unit for unit in (await repository.units_by_id(self._session, ids)).values()}

    def of(self, kind: str, *, new: bool = False) -> list[Change]:
        """The changes of a kind to what is known, exemptions that are new among them; or `new` those that are new.

        Units above come before those below, so that no move passes through a ring.
        """
        one_by_one = kind == "exemptions"
        found = [
            change
            for change in self._case.changes
            if change.kind == kind and ((change.action == "add") == new or (one_by_one and not new))
        ]
        return sorted(found, key=lambda change: self._levels[unit_code(change)]) if kind == "units" else found

    async def enter_new(self) -> None:
        """Enter what is new, kind by kind."""
        await bulk.enter_units(self._session, self.of("units", new=True), self.units, self._levels)
        new = self.of("lines", new=True)
        for change, line in zip(new, await bulk.enter_lines(self._session, new, self.units), strict=True):
            self._remember(change, line)
        await bulk.enter_people(self._session, self.of("people", new=True), self.units)

    async def unit(self, change: Change) -> None:
        """Change a unit, and hang it elsewhere."""
        values, code = change.values, unit_code(change)
        unit = self.units[code]
        if values.keys() - {"parent"}:
            await tree.change_unit(self._session, unit, _unit_entry(code, _before(change) | values))
        if "parent" in values:
            parent = self.units[values["parent"]].id if values["parent"] else None
            self.units[code] = await tree.move(self._session, unit.id, parent, unit.revision)

    async def regimes(self) -> None:
        """Write regimes anew and enter new ones; the comparison has seen that in the end none overlap."""
        changes = self.of("regimes")
        present = await repository.regimes_by_id(self._session, {_key(change) for change in changes})
        for change in changes:
            for name, value in change.values.items():
                setattr(present[_key(change)], name, value)
        await bulk.enter_regimes(self._session, self.of("regimes", new=True), self.units)

    async def line(self, change: Change) -> None:
        """Write a line anew; a new number is called (核号) first."""
        after = _before(change) | change.values
        entry = LineEntry(
            number=after["number"],
            target=after["target"],
            name=after["name"],
            kind=after["kind"],
            trunk=after["trunk"] or None,
            pilot_numbers=after["pilots"],
            first_day=after["first_day"],
            last_day=after["last_day"],
            active=after["active"],
        )
        line = await lines.locked(self._session, _key(change))
        await lines.change_line(self._session, line, entry, self._may)
        self._remember(change, line)
        if "shared" in change.values:
            self._shared.append((line, after["shared"]))

    def _remember(self, change: Change, line: DutyLine) -> None:
        if change.line is not None:
            self._lines[change.line.unit.code, change.line.key, change.line.called] = line

    async def share(self) -> None:
        """Say which further units the lines reach."""
        for line, codes in self._shared:
            await lines.share(self._session, line, [self.units[code].id for code in codes])

    async def person(self, change: Change) -> None:
        """Write a person anew."""
        person = await people.locked(self._session, _key(change))
        await people.change_person(self._session, person, PersonEntry(**(_before(change) | change.values)))

    async def exemption(self, change: Change) -> None:
        """Enter an exemption, or write its end or reason anew."""
        after = _before(change) | change.values
        of_line = after["kind"] in LINE_EXEMPTIONS
        if change.action == "change":
            await self._change_exemption(change, of_line)
            return
        line = await self._line_of(change)
        if of_line and line is not None:
            await exemptions.exempt_line(
                self._session, line, after["kind"], after["reason"], after["first"], after["last"]
            )
            return
        row = UnitExemption(
            line_id=None if line is None else line.id,
            kind=after["kind"],
            first_at=self._aware(after["first"]),
            last_at=None if after["last"] is None else self._aware(after["last"]),
            reason=after["reason"],
            entered_by=self._who,
        )
        await exemptions.exempt_unit(self._session, self.units[unit_code(change)], row)

    async def _change_exemption(self, change: Change, of_line: bool) -> None:
        key, values = _key(change), change.values
        if of_line:
            of_days = (await repository.line_exemptions_by_id(self._session, [key]))[key]
            of_days.reason = values.get("reason", of_days.reason)
            if "last" in values:
                of_days.last_day = values["last"]
        else:
            row = (await repository.unit_exemptions_by_id(self._session, [key]))[key]
            row.reason = values.get("reason", row.reason)
            if "last" in values:
                row.last_at = None if values["last"] is None else self._aware(values["last"])
        await self._session.flush()

    async def _line_of(self, change: Change) -> DutyLine | None:
        ref = change.line
        if ref is None:
            return None
        entered = self._lines.get((ref.unit.code, ref.key, ref.called))
        if entered is not None:
            return entered
        key = 0 if ref.stored is None else int(str(ref.stored.id))
        return (await repository.lines_by_id(self._session, [key]))[key]

    def _aware(self, moment: datetime) -> datetime:
        return moment.replace(tzinfo=self._zone)


def _levels(case: Comparison) -> dict[str, int]:
    """How deep each unit will lie, by code."""
    above = {entry.values["code"]: entry.values["parent"] for entry in case.snapshot.units}
    for change in case.changes:
        if change.kind == "units" and "parent" in change.values:
            above[unit_code(change)] = change.values["parent"]
    found: dict[str, int] = {}
    for code in above:
        path = [code]
        while above.get(path[-1]) and path[-1] not in found:
            path.append(above[path[-1]])
        level = found.get(path[-1], 0)
        for back, each in enumerate(reversed(path)):
            found[each] = level + back
    return found


def _before(change: Change) -> dict[str, Any]:
    return {} if change.stored is None else dict(change.stored.values)


def _key(change: Change) -> int:
    if change.stored is None or isinstance(change.stored.id, date):
        raise TypeError(f"{change.what} has no key")
    return change.stored.id


def _keys(found: Any) -> Collection[int]:
    return {key for key in found if key is not None}


def _unit_entry(code: str, values: dict[str, Any]) -> UnitEntry:
    return UnitEntry(
        code=code,
        name=values["name"],
        kind=values["kind"],
        category=values["category"],
        handover_times=values["handover"],
        first_day=values["first_day"],
        last_day=values["last_day"],
    )

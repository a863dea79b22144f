"""What one row of a sheet says: several shifts, a line with its extension, a unit with its lines and people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from app.imports.columns import BOOK_PEOPLE
from app.imports.findings import WrongValueError
from app.imports.moments import DAY
from app.imports.records import Findings, Row
from app.imports.values import check_number, is_bare_extension, is_mobile_number
from app.rosters.service import LONGEST_SHIFT

_SHIFT_FIELDS = ("unit", "unit_name", "day")


def expanded(row: Row, columns: Mapping[str, int], findings: Findings) -> Iterator[Row]:
    """Yield the entries that a row stands for, looking at what its cells say together."""
    if row.kind in ("duty", "leader"):
        yield from _shifts(row, findings)
    elif row.kind == "book":
        yield from _book(row, columns, findings)
    else:
        if row.kind == "lines":
            _line(row, findings)
        _in_order(row, findings)
        if row.kind != "days" and row.kind != "units":
            _named(row, findings)
        yield row


def _named(row: Row, findings: Findings) -> None:
    """A row must say whose it is."""
    if not row.values.get("unit") and not row.values.get("unit_name"):
        key = "unit_name" if "unit_name" in row.columns else "unit"
        if not row.faulty:
            findings.about(row, key, "empty", "", column="单位名称")
        row.faulty = True


def _in_order(row: Row, findings: Findings) -> None:
    for first_key, last_key in (("first_day", "last_day"), ("first", "last")):
        first, last = row.values.get(first_key), row.values.get(last_key)
        if first is not None and last is not None and _end_of(last) < _start_of(first):
            findings.about(row, last_key, "day_order", first=str(first))


def _start_of(value: date | datetime) -> datetime:
    return value if isinstance(value, datetime) else datetime.combine(value, time())


def _end_of(value: date | datetime) -> datetime:
    """A day ends with its last second: the same day is in order."""
    return (
        value if isinstance(value, datetime) else datetime.combine(value, time()) + DAY - timedelta(seconds=1)
    )


def _line(row: Row, findings: Findings) -> None:
    values = row.values
    extension = values.pop("extension", None)
    if extension and values.get("number"):
        values["number"] = f"{values['number']}转{extension}"
    number = values.get("number")
    if not number:
        return
    if len(number) > 40:
        findings.about(row, "number", "too_long", most=40)
    if not values.get("target") and not is_bare_extension(number):
        try:
            check_number(number)
        except WrongValueError as error:
            findings.about(row, "number", error.code, **error.words)
            return
    if values.get("kind", "duty") == "duty" and is_mobile_number(values.get("target") or number):
        findings.about(row, "number", "mobile_line")


def _shifts(row: Row, findings: Findings) -> Iterator[Row]:
    _named(row, findings)
    values = row.values
    times = _times(row, findings)
    names = values.get("name") or ()
    phones = (values.get("phone") or "").replace(",", "、").replace("/", "、").split("、")
    paired = len(names) > 1 and len(phones) == len(names)
    for index, name in enumerate(names or ("",)):
        shift = Row(row.kind, row.sheet, row.number, row.columns, faulty=row.faulty or not name)
        shift.values = {key: values[key] for key in _SHIFT_FIELDS if values.get(key) is not None}
        phone = phones[index].strip() if paired else (values.get("phone") or "" if len(names) == 1 else "")
        shift.values |= {"name": name, "title": values.get("title") or "", "phone": phone}
        if times is not None:
            shift.values["start"], shift.values["end"] = times
        yield shift


def _times(row: Row, findings: Findings) -> tuple[datetime, datetime] | None:
    """The local start and end of the row's shifts; None where they cannot be known."""
    values, day = row.values, row.values.get("day")
    if day is None:
        return None
    midnight = datetime.combine(day, time())
    period = values.get("period")
    start, end = values.get("start"), values.get("end")
    if start is None and end is None and period is not None:
        start, end = period
    if start is None and end is None and not {"period", "start", "end"} & set(row.columns):
        start, end = timedelta(), DAY
    if start is None or end is None:
        if not row.faulty:
            key = next(
                key
                for key in ("end" if start is not None else "start", "start", "period", "end")
                if key in row.columns
            )
            findings.about(row, key, "empty", "", column="开始、结束")
        return None
    first = start if isinstance(start, datetime) else midnight + start
    last = end if isinstance(end, datetime) else midnight + end
    if not isinstance(end, datetime) and last <= first and end < DAY:
        last += DAY
    length = last - first
    if not timedelta() < length <= LONGEST_SHIFT or not midnight <= first < midnight + DAY:
        key = (
            "end" if "end" in row.columns else next(key for key in ("period", "start") if key in row.columns)
        )
        hours = f"{length.total_seconds() / 3600:.4g}"
        code = "shift_length" if midnight <= first < midnight + DAY else "shift_day"
        findings.about(row, key, code, str(last), hours=hours, day=str(day))
        return None
    return first, last


def _book(row: Row, columns: Mapping[str, int], findings: Findings) -> Iterator[Row]:
    _named(row, findings)
    values = row.values
    whose = {key: values[key] for key in ("unit", "unit_name") if values.get(key)}
    unit = Row("units", row.sheet, row.number, columns, faulty=row.faulty, implied=True)
    unit.values = {
        "code": values.get("unit"),
        "name": values.get("unit_name"),
        **{key: values[key] for key in ("parent", "category", "kind") if key in values},
    }
    unit.values = {key: value for key, value in unit.values.items() if value is not None}
    yield unit
    yield from _book_lines(row, columns, whose, findings)
    yield from _book_people(row, columns, whose)


def _book_lines(
    row: Row, columns: Mapping[str, int], whose: Mapping[str, Any], findings: Findings
) -> Iterator[Row]:
    numbers: tuple[str, ...] = row.values.get("number") or ()
    extension = row.values.get("extension")
    if extension and len(numbers) == 1:
        numbers = (f"{numbers[0]}转{extension}",)
    faxes: tuple[str, ...] = row.values.get("fax") or ()
    entries = [(number, "duty", "number") for number in numbers] + [
        (number, "fax", "fax") for number in faxes
    ]
    for number, kind, key in entries:
        line = Row(
            "lines",
            row.sheet,
            row.number,
            {**columns, "number": columns[key]},
            faulty=row.faulty,
            implied=True,
        )
        line.values = {**whose, "number": number, "kind": kind}
        _line(line, findings)
        row.faulty = row.faulty or line.faulty
        yield line


def _book_people(row: Row, columns: Mapping[str, int], whose: Mapping[str, Any]) -> Iterator[Row]:
    for role in BOOK_PEOPLE:
        name = row.values.get(role)
        if not name:
            continue
        own = {"name": columns[role]}
        own |= {key: columns[f"{key}:{role}"] for key in ("title", "phone") if f"{key}:{role}" in columns}
        person = Row("people", row.sheet, row.number, dict(columns) | own, faulty=row.faulty, implied=True)
        person.values = {**whose, "name": name, "role": role}
        for key in ("title", "phone"):
            if row.values.get(f"{key}:{role}"):
                person.values[key] = row.values[f"{key}:{role}"]
        yield person

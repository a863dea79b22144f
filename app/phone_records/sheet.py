"""A phone record as people read it: lines in the order of the form, in Chinese. Page and document show these."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from app.phone_records import form, service
from app.phone_records.models import PhoneRecord

SOURCES = {"incoming": "来电", "report": "报送"}


@dataclass(frozen=True, slots=True)
class Line:
    """One field of the form."""

    label: str
    value: str
    unchecked: bool = False
    """机器填写，未核对."""
    at_ms: float | None = None
    """Where in the sound it was heard."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A whole form."""

    title: str
    office: str
    day: str
    number: str
    source: str
    lines: tuple[Line, ...]
    """来电时间 to 联系电话."""
    opinion: Line
    content: Line
    state: str
    """未签, or who signed it and when."""
    sha256: str
    """Of the signed version; empty for a draft."""
    corrects: str
    """Number of the record that it puts right; empty: none."""
    recording_id: int | None


def sheet(record: PhoneRecord, zone: ZoneInfo, corrects: str = "") -> Sheet:
    """Lay a record out; its versions must be loaded."""
    content = service.newest(record).content
    fields = content["fields"]

    def line(name: str) -> Line:
        mark = content["machine"].get(name)
        value = form.WITHDRAWN if name == "content" and content["withdrawn"] else fields[name]
        return Line(form.LABELS[name], value, mark is not None, mark["start_ms"] if mark else None)

    called = Line("来电时间", form.moment_zh(record.called_at.astimezone(zone)))
    return Sheet(
        title=form.heading(fields["office"]),
        office=fields["office"],
        day=form.day_zh(fields["day"]),
        number=record.number,
        source=SOURCES[record.source],
        lines=(called, *map(line, ("unit", "person", "number", "recorder", "phone"))),
        opinion=line("opinion"),
        content=line("content"),
        state=_state(record, zone),
        sha256=record.signed_sha256 or "",
        corrects=corrects,
        recording_id=record.recording_id,
    )


def _state(record: PhoneRecord, zone: ZoneInfo) -> str:
    if record.signed_at is None:
        return form.UNSIGNED
    return f"{record.signed_by}　{form.moment_zh(record.signed_at.astimezone(zone))}签"

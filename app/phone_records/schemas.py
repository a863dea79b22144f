"""Phone records as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints
from pydantic import Field as Member

from app.api.text import SEVERAL_LINES, Day, Id, Moment
from app.phone_records import form, service
from app.phone_records.models import PhoneRecord, PhoneRecordVersion

Number = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=40, pattern=r"^[0-9+*#() \-转]*$")
]
OneLine = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=120, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")
]
Opinion = Annotated[str, StringConstraints(strip_whitespace=True, max_length=4_000, pattern=SEVERAL_LINES)]
Talk = Annotated[str, StringConstraints(strip_whitespace=True, max_length=60_000, pattern=SEVERAL_LINES)]
Source = Literal["incoming", "report"]
PersonName = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=80, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")
]


class Fields(BaseModel):
    """What stands in the form; a member that is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    office: OneLine | None = Member(default=None, description="值班室: in the heading")
    day: Day | None = Member(default=None, description="年月日 of the form")
    unit: OneLine | None = Member(default=None, description="来电单位")
    person: PersonName | None = Member(default=None, description="来电人")
    number: Number | None = Member(default=None, description="来电号码")
    recorder: PersonName | None = Member(default=None, description="记录人")
    phone: Number | None = Member(default=None, description="联系电话")
    opinion: Opinion | None = Member(default=None, description="拟办意见: never filled by a machine")
    content: Talk | None = Member(default=None, description="电话内容")

    def given(self) -> dict[str, str]:
        """The members that were given, as text."""
        told = self.model_dump(exclude_none=True)
        return {name: str(value) for name, value in told.items()}


class NewRecord(BaseModel):
    """A record that is begun by hand, or from a call back that was recorded beside an order."""

    model_config = ConfigDict(extra="forbid")

    called_at: Moment | None = Member(
        default=None, description="来电时间; needed unless `call_back` is given"
    )
    source: Source = "incoming"
    fields: Fields = Member(default_factory=Fields)
    unit_id: Id | None = Member(default=None, description="来电单位 in the directory")
    recording_id: Id | None = Member(default=None, description="A report's recording; never one of a check")
    call_back: Id | None = Member(
        default=None, description="Key of a call back (回拨); nothing else is given then"
    )


class Change(BaseModel):
    """What a person writes or has checked."""

    model_config = ConfigDict(extra="forbid")

    version: Id = Member(description="The version that the person had before them")
    fields: Fields = Member(default_factory=Fields)
    checked: list[form.Field] = Member(
        default=[], max_length=20, description="Fields that a machine filled and the person found right"
    )
    called_at: Moment | None = None
    unit_id: Id | None = None


class Signing(BaseModel):
    """Who signs is the person who asks."""

    model_config = ConfigDict(extra="forbid")

    version: Id = Member(description="The version that the person has read")


class MachineMark(BaseModel):
    """A field that a machine filled and nobody has checked (机器填写，未核对)."""

    start_ms: float
    end_ms: float
    heard: str
    link: str | None = Member(description="The recording from that moment on")


class VersionOut(BaseModel):
    """What stood in a form."""

    version: int
    fields: dict[str, str]
    machine: dict[str, MachineMark]
    written_at: datetime
    written_by: str = Member(description="`machine` for what was filled from the recording")


class RecordOut(BaseModel):
    """A phone record with its newest version."""

    id: int
    number: str
    source: Source
    state: Literal["draft", "signed"]
    called_at: datetime
    unit_id: int | None
    recording_id: int | None
    corrects_id: int | None
    origin: dict[str, Any] = Member(description="The sound file or call back that it was begun with")
    created_at: datetime
    created_by: str
    signed_at: datetime | None
    signed_by: str | None
    signed_sha256: str | None
    holds: bool | None = Member(
        description="Whether it is what was signed; null for a draft, and where its content was withdrawn"
    )
    withdrawn: bool = Member(description="封存: the words of the call are gone")
    newest: VersionOut


class VersionsOut(BaseModel):
    """Every version of a record, oldest first."""

    items: list[VersionOut]


def record_out(record: PhoneRecord) -> RecordOut:
    """Write a record; its versions must be loaded."""
    version = service.newest(record)
    return RecordOut(
        id=record.id,
        number=record.number,
        source="incoming" if record.source == "incoming" else "report",
        state="signed" if record.state == "signed" else "draft",
        called_at=record.called_at,
        unit_id=record.unit_id,
        recording_id=record.recording_id,
        corrects_id=record.corrects_id,
        origin=version.content["origin"],
        created_at=record.created_at,
        created_by=record.created_by,
        signed_at=record.signed_at,
        signed_by=record.signed_by,
        signed_sha256=record.signed_sha256,
        holds=service.holds(record),
        withdrawn=version.content["withdrawn"],
        newest=version_out(record, version),
    )


def version_out(record: PhoneRecord, version: PhoneRecordVersion) -> VersionOut:
    """Write one version."""
    return VersionOut(
        version=version.version,
        fields=version.content["fields"],
        machine={name: _mark(record, mark) for name, mark in version.content["machine"].items()},
        written_at=version.written_at,
        written_by=version.written_by,
    )


def link_to(record: PhoneRecord, at_ms: float) -> str | None:
    """The record's sound from a moment on: browsers play a media address from its `t` on."""
    return None if record.recording_id is None else f"/recordings/{record.recording_id}#t={at_ms / 1000:.2f}"


def _mark(record: PhoneRecord, mark: Mapping[str, Any]) -> MachineMark:
    return MachineMark(
        start_ms=mark["start_ms"],
        end_ms=mark["end_ms"],
        heard=mark["heard"],
        link=link_to(record, mark["start_ms"]),
    )

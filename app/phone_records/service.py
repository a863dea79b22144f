"""Verbs of phone records (电话记录单). They never commit.

A form is a draft with versions that are only ever added, until a named person signs the newest: then it never changes,
and what must be put right stands in a further record that says which one it corrects. None is made of a check: a unit
that we called did not report anything.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.accounts import service as audit
from app.accounts.principal import limits
from app.checks.models import Recording
from app.directory.models import Unit
from app.errors import BadInputError, ConflictError, Fault, NotFoundError
from app.phone_records import form, repository
from app.phone_records.models import PhoneRecord, PhoneRecordVersion
from app.settings import Settings
from app.transcripts import search
from sip.record import RecordingInfo

_MOST_TRIES = 5


@dataclass(frozen=True, slots=True)
class Given:
    """What a person says of a call when a record is begun."""

    called_at: datetime
    source: str = "incoming"
    fields: Mapping[str, str] = field(default_factory=dict)
    unit_id: int | None = None
    """来电单位 in the directory."""
    recording_id: int | None = None
    """A report's recording that is in the archive already."""

    def on(self, recording_id: int) -> Given:
        """The same, with the recording that was just kept."""
        return replace(self, recording_id=recording_id)


async def begin(
    session: AsyncSession, given: Given, settings: Settings, who: str, origin: Mapping[str, Any] | None = None
) -> PhoneRecord:
    """Begin a record. Raises `ConflictError` for a recording that is a check's, or gone, `NotFoundError`."""
    if given.recording_id is not None:
        await _report(session, given.recording_id)
    unit, fields = await _unit(session, given.unit_id, given.fields)
    _check_seen(unit)
    fields = await _with_defaults(session, fields, given.called_at, settings)
    record = PhoneRecord(
        number="",
        source=given.source,
        recording_id=given.recording_id,
        unit_id=unit.id if unit else None,
        called_at=given.called_at,
        state="draft",
        created_at=clock.now(),
        created_by=who,
    )
    await _enter(session, record, settings)
    _add_version(session, record, 1, form.new_content(fields, given.called_at, origin), who)
    await session.flush()
    await audit.record(session, "begin", f"phone_record:{record.id}", record.number, who)
    return await get(session, record.id)


async def begin_from_call_back(
    session: AsyncSession, mitigation_id: int, settings: Settings, who: str
) -> PhoneRecord:
    """Begin a record of a call back (回拨) that was recorded beside an order: its moment, number and unit."""
    found = await repository.mitigation(session, mitigation_id)
    if found is None or found[0].kind != "called_back":
        raise NotFoundError(f"没有回拨记录 {mitigation_id} (no such call back)")
    row, unit = found
    given = Given(row.at, "incoming", {"number": row.number, "unit": unit.name}, unit.id)
    return await begin(session, given, settings, who, {"call_back": row.id, "order": row.check_id})


async def keep_report(session: AsyncSession, info: RecordingInfo) -> Recording:
    """Enter a sound file that came from outside and is in the archive, as a recording of kind `report`."""
    row = Recording(
        kind="report",
        attempt_id=None,
        path=info.path,
        sha256=info.sha256,
        duration_ms=info.duration_ms,
        channels=info.channels,
        sample_rate=info.sample_rate,
        created_at=clock.now(),
    )
    session.add(row)
    await session.flush()
    return row


async def get(session: AsyncSession, record_id: int) -> PhoneRecord:
    """One record with its versions. Raises `NotFoundError`."""
    record = await repository.record(session, record_id)
    if record is None:
        raise NotFoundError(f"没有电话记录单 {record_id} (no such phone record)")
    return record


def newest(record: PhoneRecord) -> PhoneRecordVersion:
    """What stands in a record."""
    return record.versions[-1]


async def write(
    session: AsyncSession,
    record_id: int,
    seen: int,
    fields: Mapping[str, str],
    who: str,
    *,
    checked: Collection[str] = (),
    unit_id: int | None = None,
    called_at: datetime | None = None,
) -> PhoneRecord:
    """Add a version to a draft: a person writes fields, or has checked what a machine wrote.

    `seen`: the version that the person had before them. Raises `ConflictError` where it is no longer the newest, the
    record is signed, or its recording was withdrawn.
    """
    record = await _draft(session, record_id, seen)
    before = newest(record)
    unit, fields = await _unit(session, unit_id, fields)
    made = form.written(before.content, fields, checked)
    if called_at is not None:
        record.called_at = called_at
        made["called_at"] = called_at.isoformat()
    if unit is not None or "unit" in fields:
        _check_seen(unit)
        record.unit_id = unit.id if unit else None
    _add_version(session, record, before.version + 1, made, who)
    await session.flush()
    if record.recording_id is not None:
        await search.moved(session, record.recording_id, record.called_at, record.unit_id)
    detail = f"version {before.version + 1}: {', '.join(sorted({*fields, *checked}))}"
    await audit.record(session, "write", f"phone_record:{record.id}", detail, who)
    return await get(session, record.id)


async def sign(session: AsyncSession, record_id: int, seen: int, who: str) -> PhoneRecord:
    """Freeze the newest version: from now on it never changes, and its SHA-256 stands beside it.

    Raises `ConflictError` where that is not the version seen, the record is signed, or nobody has checked a field that
    a machine filled; `BadInputError` where nothing stands in 电话内容.
    """
    record = await _draft(session, record_id, seen)
    version = newest(record)
    left = form.unchecked(version.content)
    if left:
        names = "、".join(form.LABELS[name] for name in left)
        raise ConflictError(f"尚有机器填写、未核对的栏目：{names} (fields that nobody has checked)")
    if not version.content["fields"]["content"].strip():
        raise BadInputError("电话内容为空，不能签认 (the content is empty)", [Fault("content", "is empty")])
    record.state = "signed"
    record.signed_at, record.signed_by = clock.now(), who
    record.signed_sha256 = form.digest(record.number, version.version, version.content)
    await session.flush()
    await audit.record(session, "sign", f"phone_record:{record.id}", record.signed_sha256, who)
    return record


async def correct(session: AsyncSession, record_id: int, settings: Settings, who: str) -> PhoneRecord:
    """Begin the record that puts a signed one right, with what stands in that.

    Raises `ConflictError` where it is not signed, its content was withdrawn, or such a record is there.
    """
    record = await repository.record(session, record_id, to_change=True)
    if record is None:
        raise NotFoundError(f"没有电话记录单 {record_id} (no such phone record)")
    if record.state != "signed":
        raise ConflictError("未签认的电话记录单直接修改 (a draft is changed, not corrected)")
    version = newest(record)
    if version.content["withdrawn"]:
        raise ConflictError("内容已封存，不能更正 (its content was withdrawn)")
    known = await repository.correcting(session, record_id)
    if known is not None:
        raise ConflictError(f"已有更正的电话记录单 {known.number} (there is a record that corrects it)")
    made = PhoneRecord(
        number="",
        source=record.source,
        recording_id=record.recording_id,
        unit_id=record.unit_id,
        called_at=record.called_at,
        state="draft",
        corrects_id=record.id,
        created_at=clock.now(),
        created_by=who,
    )
    await _enter(session, made, settings)
    _add_version(session, made, 1, version.content, who)
    await session.flush()
    await audit.record(session, "correct", f"phone_record:{record.id}", made.number, who)
    return await get(session, made.id)


async def forget(session: AsyncSession, recording_id: int) -> None:
    """Take the words of a recording that is withdrawn (封存) out of every version of the forms filled from it.

    A signed form keeps its hash, its number and who called. May be called again.
    """
    for record in await repository.of_recording(session, recording_id):
        for version in record.versions:
            version.content = form.withdrawn(version.content, signed=record.state == "signed")
    await session.flush()


def holds(record: PhoneRecord) -> bool | None:
    """Whether a signed record is what was signed; None for a draft, and where its content was withdrawn."""
    version = newest(record)
    if record.signed_sha256 is None or version.content["withdrawn"]:
        return None
    return form.digest(record.number, version.version, version.content) == record.signed_sha256


async def _draft(session: AsyncSession, record_id: int, seen: int) -> PhoneRecord:
    record = await repository.record(session, record_id, to_change=True)
    if record is None:
        raise NotFoundError(f"没有电话记录单 {record_id} (no such phone record)")
    if record.state == "signed":
        raise ConflictError(
            "已签认的电话记录单不得修改，请另立更正记录 (it is signed: begin a correcting one)"
        )
    if newest(record).version != seen:
        raise ConflictError(
            f"已有更新的版本 {newest(record).version}，请核对后再改 (it has been changed meanwhile)"
        )
    return record


async def _report(session: AsyncSession, recording_id: int) -> Recording:
    recording = await repository.recording(session, recording_id)
    if recording is None:
        raise NotFoundError(f"没有录音 {recording_id} (no such recording)")
    if recording.kind != "report":
        raise ConflictError(
            "普通外呼抽查的录音不得用来填写电话记录单 (a phone record is never made of a call that we placed)"
        )
    if recording.gone_why is not None:
        raise ConflictError(f"录音 {recording_id} 已不在 (its sound is gone)")
    return recording


async def _unit(
    session: AsyncSession, unit_id: int | None, fields: Mapping[str, str]
) -> tuple[Unit | None, dict[str, str]]:
    """The unit that is meant, and the fields with its name where none was written."""
    found = dict(fields)
    if unit_id is not None:
        unit = await repository.unit(session, unit_id)
        if unit is None:
            raise NotFoundError(f"没有单位 {unit_id} (no such unit)")
        found.setdefault("unit", unit.name)
        return unit, found
    named = await repository.units_named(session, found["unit"]) if found.get("unit") else []
    return (named[0] if len(named) == 1 else None), found


def _check_seen(unit: Unit | None) -> None:
    """Whoever is for a part of the tree says of which of its units a call was: else they would not see the record."""
    if unit is None and limits() is not None:
        words = "请选择来电单位：您的账号只管辖部分单位"
        raise BadInputError(words, [Fault("unit_id", words)])


async def _with_defaults(
    session: AsyncSession, fields: dict[str, str], called_at: datetime, settings: Settings
) -> dict[str, str]:
    """The day of the call, and the office that the last record was of, where nothing else was said."""
    fields.setdefault("day", called_at.astimezone(settings.zone).date().isoformat())
    if "office" not in fields:
        last = await repository.newest_content(session)
        fields["office"] = last.content["fields"]["office"] if last else ""
    return fields


async def _enter(session: AsyncSession, record: PhoneRecord, settings: Settings) -> None:
    """Give the record its number: year and count. Somebody else may take the same one at this moment."""
    year = clock.now().astimezone(settings.zone).year
    for attempt in range(_MOST_TRIES):
        last = await repository.last_number(session, year)
        record.number = f"{year}-{int(last.partition('-')[2]) + 1 if last else 1:04}"
        try:
            async with session.begin_nested():
                session.add(record)
                await session.flush()
            return
        except IntegrityError:
            if attempt == _MOST_TRIES - 1:
                raise


def _add_version(
    session: AsyncSession, record: PhoneRecord, version: int, content: form.Content, who: str
) -> None:
    row = PhoneRecordVersion(
        record_id=record.id, version=version, content=content, written_at=clock.now(), written_by=who
    )
    session.add(row)

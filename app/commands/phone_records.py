"""`dutyring phone-records`: calls that came in, as they were written down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from app.commands import rule_tools as tools
from app.directory import repository as directory
from app.directory.models import Unit
from app.phone_records import repository, service
from app.phone_records.models import PHONE_RECORD_STATES, PhoneRecord
from app.phone_records.repository import Narrowed
from app.phone_records.schemas import record_out
from app.phone_records.sheet import sheet
from app.settings import get_settings

SCHEMA = "dutyring.phone-records/1"


@dataclass(frozen=True, slots=True)
class Listed:
    """Which records, as typed."""

    state: str | None = None
    unit: str | None = None
    since: str | None = None
    until: str | None = None


def show_all(asked: Listed, limit: int, *, as_json: bool) -> int:
    """Print the newest records; return the exit status."""
    settings = get_settings()
    if asked.state not in (None, *PHONE_RECORD_STATES):
        raise typer.BadParameter(f"{asked.state!r} is not draft or signed", param_hint="'--state'")
    since, until = (text and tools.moment_of(text, settings) for text in (asked.since, asked.until))

    async def read(session: AsyncSession) -> Sequence[PhoneRecord]:
        head = None if asked.unit is None else await _unit(session, asked.unit)
        narrowed = Narrowed(asked.state, None, head, since or None, until or None)
        return await repository.page(session, narrowed, None, limit + 1)

    rows = tools.run(read, writes=False)
    shown = rows[:limit]
    if as_json:
        items = [record_out(row).model_dump(mode="json") for row in shown]
        tools.print_json({"schema": SCHEMA, "items": items, "more": len(rows) > limit})
        return 0
    if not shown:
        tools.say("there are no phone records")
        return 0
    tools.print_table(("number", "called at", "unit", "caller", "state"), [_row(row) for row in shown])
    if len(rows) > limit:
        tools.say("... and more; narrow them down or raise --limit")
    return 0


def show(number: str, *, as_json: bool) -> int:
    """Print one record; return 1 where it is no longer what was signed."""
    settings = get_settings()

    async def read(session: AsyncSession) -> tuple[PhoneRecord, str]:
        found = await repository.by_number(session, number)
        if found is None:
            raise typer.BadParameter(f"there is no phone record {number!r}", param_hint="'NUMBER'")
        record = await service.get(session, found.id)
        corrects = (
            "" if record.corrects_id is None else (await service.get(session, record.corrects_id)).number
        )
        return record, corrects

    record, corrects = tools.run(read, writes=False)
    broken = service.holds(record) is False
    if as_json:
        tools.print_json({"schema": "dutyring.phone-record/1", **record_out(record).model_dump(mode="json")})
    else:
        laid_out = sheet(record, settings.zone, corrects)
        tools.say(f"{laid_out.title}  {laid_out.number}  {laid_out.state}")
        for line in (*laid_out.lines, laid_out.opinion, laid_out.content):
            mark = "（机器填写，未核对）" if line.unchecked else ""
            tools.say(f"{line.label}：{_plain(line.value)}{mark}")
    if broken:
        tools.complain(f"{number} is not what was signed: its SHA-256 is another")
    return 1 if broken else 0


async def _unit(session: AsyncSession, code: str) -> Unit:
    unit = await directory.unit_by_code(session, code)
    if unit is None:
        raise typer.BadParameter(f"there is no unit {code!r}", param_hint="'--unit'")
    return unit


def _row(record: PhoneRecord) -> tuple[str, ...]:
    fields = service.newest(record).content["fields"]
    state = f"signed by {record.signed_by}" if record.signed_by else "draft"
    return record.number, tools.local(record.called_at), fields["unit"], fields["person"], state


def _plain(text: str) -> str:
    """What may be printed on a terminal."""
    return "".join(sign if sign.isprintable() or sign == "\n" else " " for sign in text)

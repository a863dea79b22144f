"""`dutyring search`: calls by what was said in them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import typer
from rich.console import Console
from rich.text import Text
from sqlalchemy.ext.asyncio import AsyncSession

from app.commands import rule_tools as tools
from app.directory import repository as directory
from app.settings import get_settings
from app.transcripts import search_service as service
from app.transcripts.search_schemas import page_out
from app.transcripts.search_service import Found, Query, Result

SCHEMA = "dutyring.search/1"
_CHANNELS = ("us", "them")


@dataclass(frozen=True, slots=True)
class Narrowed:
    """Where to look, as typed."""

    unit: str | None = None
    since: str | None = None
    until: str | None = None
    channel: str | None = None


def run(text: str, narrowed: Narrowed, limit: int, by: str, *, as_json: bool) -> int:
    """Search and print; return the exit status. The search is put on record."""
    settings = get_settings()
    if narrowed.channel not in (None, *_CHANNELS):
        raise typer.BadParameter(f"{narrowed.channel!r} is not us or them", param_hint="'--channel'")
    since, until = (_moment(given) for given in (narrowed.since, narrowed.until))

    async def look(session: AsyncSession) -> Found:
        unit_id = None
        if narrowed.unit is not None:
            unit = await directory.unit_by_code(session, narrowed.unit)
            if unit is None:
                raise typer.BadParameter(f"there is no unit {narrowed.unit!r}", param_hint="'--unit'")
            unit_id = unit.id
        query = Query(text, unit_id, since, until, narrowed.channel)
        found = await service.search(session, settings, query, limit=limit)
        await service.audited(session, query, found, by)
        return found

    found = tools.run(look)
    if as_json:
        told = page_out(found, None).model_dump(mode="json", exclude={"next"})
        tools.print_json({"schema": SCHEMA, "more": found.next is not None, **told})
    else:
        _print(found)
    return 0 if found.results else 1


def _moment(text: str | None) -> datetime | None:
    return None if text is None else tools.moment_of(text, get_settings())


def _print(found: Found) -> None:
    console = Console(soft_wrap=True)
    for result in found.results:
        console.print(Text(_head(result), style="bold"))
        for hit in result.hits:
            line = Text(f"  {hit.at_ms / 1000:8.2f} s  {hit.channel:<4}  ")
            snippet = Text(hit.snippet)
            for start, end in hit.marks:
                snippet.stylize("reverse", start, end)
            console.print(line + snippet)
        if result.more_hits:
            console.print(f"  ... and {result.more_hits} more")
    if found.notice:
        tools.complain(found.notice)
    elif not found.results:
        tools.say("nothing was found")
    elif found.next is not None:
        tools.say("... and more calls; narrow it down or raise --limit")


def _head(result: Result) -> str:
    where = f"check {result.attempt.check_id}" if result.attempt else "report"
    if result.phone_record is not None:
        where = f"phone record {result.phone_record.number}"
    unit = result.unit.name if result.unit else "-"
    return f"{tools.local(result.called_at)}  {unit}  {where}  recording {result.recording.id}"

"""`dutyring plans`, `dutyring prompts`, `dutyring check`: the work of the duty office on the command line."""

from __future__ import annotations

import asyncio
import json
import sys
import tomllib
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.wording import wrong
from app.database import Database, upgrade
from app.directory import repository as directory
from app.errors import BadInputError, OfficeError
from app.planning import designated, prompts, repository, service
from app.planning.designated import Designation
from app.planning.models import Plan, PlanRun, Prompt
from app.planning.schemas import PlanOut, PreviewOut, plan_out, preview_out
from app.planning.spec import PlanSpec
from app.settings import Settings, get_settings

EXIT_NO = 1
EXIT_ARGUMENT = 2
MOST_FILE_BYTES = 2**20
Work = Callable[[Database, Settings], Awaitable[int]]
T = TypeVar("T")


def carry_out(work: Work) -> int:
    """Do some work on the database of the settings; what the caller can put right is one line on standard error."""
    settings = get_settings()

    async def run() -> int:
        async with Database(settings.url) as database:
            return await work(database, settings)

    try:
        upgrade(settings)
        return asyncio.run(run())
    except OfficeError as error:
        print(f"dutyring: {' '.join(error.detail.split())}", file=sys.stderr)  # noqa: T201
        return EXIT_ARGUMENT if isinstance(error, BadInputError) else EXIT_NO
    except (DatabaseError, OSError) as error:
        reason = str(getattr(error, "orig", None) or error).partition("\n")[0]
        raise typer.BadParameter(
            f"the database cannot be used: {reason}", param_hint="DUTYRING_DATA_DIR"
        ) from error


def say(text: str) -> None:
    """Print a line."""
    print(text)  # noqa: T201


def list_plans(state: str | None, *, as_json: bool) -> int:
    """Print the plans, newest first."""

    async def work(database: Database, settings: Settings) -> int:
        async with database.reading() as session:
            plans = await repository.plans(session, state, None, 1000)
            runs = await repository.runs(session, [plan.id for plan in plans])
        rows = [plan_out(plan, [run for run in runs if run.plan_id == plan.id]) for plan in plans]
        if as_json:
            told = [row.model_dump(mode="json") for row in rows]
            say(json.dumps({"schema": "dutyring.plans/1", "plans": told}, ensure_ascii=False))
            return 0
        table = Table("id", "name", "state", "period", "starts")
        for row in rows:
            period = f"{row.spec['first_day']} .. {row.spec['last_day']}" if row.spec else "-"
            table.add_row(*(Text(str(cell)) for cell in (row.id, row.name, row.state, period, row.starts)))
        Console().print(table if rows else "there are no plans")
        return 0

    return carry_out(work)


def _print_plan(plan: PlanOut, *, as_json: bool) -> None:
    if as_json:
        say(plan.model_dump_json())
        return
    say(f"plan {plan.id}: {plan.name}, {plan.state}")
    if plan.night_approved_by is not None:
        say(f"  calls at night approved by {plan.night_approved_by}")
    zone = get_settings().zone
    for run in plan.runs:
        ended_at = run.ended_at and run.ended_at.astimezone(zone)
        end = f", ended {ended_at:%Y-%m-%d %H:%M} ({run.ended_why})" if ended_at else ""
        say(
            f"  start {run.number}: {run.started_at.astimezone(zone):%Y-%m-%d %H:%M} by {run.started_by}{end}"
        )
        say(f"    commitment {run.commitment}")
        say(f"    seed {run.seed or 'sealed until its period is over'}")


def show(plan_id: int, *, as_json: bool) -> int:
    """Print one plan with its starts."""
    return _after(lambda session, _: service.get(session, plan_id), as_json=as_json, write=False)


def create(file: Path, name: str | None, by: str, *, as_json: bool) -> int:
    """Write a plan down as a draft, from a TOML file."""
    content = _read(file)
    called = content.pop("name", None) if name is None else name
    content.pop("name", None)
    if not isinstance(called, str):
        raise typer.BadParameter("the plan needs a name: `name` in the file, or --name", param_hint="'FILE'")
    try:
        spec = PlanSpec.model_validate(content)
    except ValidationError as error:
        raise typer.BadParameter(_faults(error), param_hint="'FILE'") from None
    plain = called

    async def make(session: AsyncSession, _: Settings) -> Plan:
        return await service.create(session, service.check_name(plain), spec, by)

    return _after(make, as_json=as_json)


def _read(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as opened:
            raw = opened.read(MOST_FILE_BYTES + 1)
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be read: {error.strerror}", param_hint="'FILE'") from None
    if len(raw) > MOST_FILE_BYTES:
        raise typer.BadParameter(f"{file} is too large for a plan", param_hint="'FILE'")
    try:
        return tomllib.loads(raw.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise typer.BadParameter(f"{file} is no TOML in UTF-8: {error}", param_hint="'FILE'") from None


def _faults(error: ValidationError) -> str:
    found = []
    for item in error.errors(include_url=False, include_input=False)[:5]:
        place = ".".join(str(part) for part in item["loc"])
        found.append(f"{place}: {wrong(item)}" if place else wrong(item))
    return "; ".join(found)


def preview(plan_id: int, *, as_json: bool) -> int:
    """Print what a plan would do if it was started now; exit status 1 where it could not be."""

    async def work(database: Database, settings: Settings) -> int:
        async with database.reading() as session:
            seen = preview_out(await service.preview(session, settings, plan_id))
        if as_json:
            say(seen.model_dump_json())
        else:
            _print_preview(seen)
        return 0 if seen.startable else EXIT_NO

    return carry_out(work)


def _print_preview(seen: PreviewOut) -> None:
    say(f"{seen.units} units, {seen.lines} lines, {seen.expected_calls:.1f} calls to expect")
    if seen.pending_lines:
        say(f"{seen.pending_lines} numbers are not verified yet: their first call is a 核号")
    if seen.unknown_days:
        say(f"warning: the calendar does not know {seen.unknown_days} days; they follow the weekend rule")
    if seen.over:
        say(f"warning: {seen.over} guarantees lie in periods that are over; nothing can be done for them")
    for unit in seen.uncallable:
        say(f"warning: unit {unit.code} cannot be called: its number could not be verified")
    for fault in seen.hindrances:
        say(f"against it: {fault.where}: {fault.message}")
    for item in seen.contradictions[:20]:
        say(f"against it: {item.message}")
    if seen.contradiction_count > 20:
        say(f"against it: {seen.contradiction_count - 20} more of that kind")
    table = Table("day", "from", "to", "calls to expect")
    zone = get_settings().zone
    for load in seen.loads:
        start, end = load.start.astimezone(zone), load.end.astimezone(zone)
        table.add_row(load.day.isoformat(), f"{start:%H:%M}", f"{end:%H:%M}", f"{load.expected:.2f}")
    Console().print(table)


def start(plan_id: int, by: str, *, as_json: bool) -> int:
    """Start a plan; exit status 1 where something is against it."""

    async def work(database: Database, settings: Settings) -> int:
        async with database.reading() as session:
            seen = await service.preview(session, settings, plan_id)
        async with database.unit_of_work() as session:
            await service.start(session, settings, seen, by)
            told = await _told(session, await service.get(session, plan_id))
        _print_plan(told, as_json=as_json)
        return 0

    return carry_out(work)


def change(verb: str, plan_id: int, reason: str, by: str, *, as_json: bool) -> int:
    """Pause, resume or cancel a plan, or approve its calls at night."""

    async def make(session: AsyncSession, _: Settings) -> Plan:
        if verb == "approve-night":
            return await service.approve_night(session, plan_id, by)
        step = {"pause": service.pause, "resume": service.resume, "cancel": service.cancel}[verb]
        return await step(session, plan_id, _reason(reason), by)

    return _after(make, as_json=as_json)


def _reason(text: str) -> str:
    plain = text.strip()
    if not 0 < len(plain) <= 200 or not plain.isprintable():
        raise typer.BadParameter("takes a reason of 1 to 200 signs", param_hint="'--reason'")
    return plain


async def _told(session: AsyncSession, plan: Plan) -> PlanOut:
    runs: Sequence[PlanRun] = await repository.runs(session, [plan.id])
    return plan_out(plan, list(runs))


def _after(
    make: Callable[[AsyncSession, Settings], Awaitable[Plan]], *, as_json: bool, write: bool = True
) -> int:
    async def work(database: Database, settings: Settings) -> int:
        async with database.unit_of_work() if write else database.reading() as session:
            told = await _told(session, await make(session, settings))
        _print_plan(told, as_json=as_json)
        return 0

    return carry_out(work)


def list_prompts(*, as_json: bool) -> int:
    """Print the prompts."""

    async def work(database: Database, settings: Settings) -> int:
        async with database.reading() as session:
            found = await repository.prompts(session, limit=1000)
        if as_json:
            rows = [_prompt(prompt) for prompt in found]
            say(json.dumps({"schema": "dutyring.prompts/1", "prompts": rows}, ensure_ascii=False))
            return 0
        for prompt in found:
            say(_prompt_line(prompt))
        if not found:
            say(
                "there are no prompts; `dutyring prompts add --shipped` enters those that come with the program"
            )
        return 0

    return carry_out(work)


def _prompt(prompt: Prompt) -> dict[str, Any]:
    from app.planning.prompts_routes import PromptOut

    return PromptOut.model_validate(prompt).model_dump(mode="json")


def _prompt_line(prompt: Prompt) -> str:
    state = "not approved"
    if prompt.approved_by is not None:
        state = f"approved by {prompt.approved_by}"
    if prompt.retired_at is not None:
        state = "retired"
    return f"prompt {prompt.id}: {prompt.kind}, {prompt.duration_ms / 1000:.1f} s, {state}: {prompt.words}"


def add_prompt(file: Path | None, kind: str, name: str, words: str, by: str, *, shipped: bool) -> int:
    """Enter a prompt from a sound file, or those that come with the program."""
    if shipped == (file is not None):
        raise typer.BadParameter("it takes a FILE, or --shipped", param_hint="'FILE'")
    if file is not None and not (name.strip() and words.strip() and len(name) <= 80 and len(words) <= 400):
        raise typer.BadParameter(
            "a prompt needs a --name of at most 80 and --words of at most 400 signs", param_hint="'--words'"
        )
    content = b"" if file is None else _sound(file)

    async def work(database: Database, settings: Settings) -> int:
        async with database.unit_of_work() as session:
            if shipped:
                added = await prompts.add_shipped(session, settings.data_dir, by)
            else:
                added = [
                    await prompts.add(
                        session, settings.data_dir, kind, name.strip(), words.strip(), content, by
                    )
                ]
        for prompt in added:
            say(_prompt_line(prompt))
        if not added:
            say("the shipped prompts are there already")
        return 0

    return carry_out(work)


def _sound(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(prompts.MOST_BYTES + 1)
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be read: {error.strerror}", param_hint="'FILE'") from None


def change_prompt(verb: str, prompt_id: int, by: str) -> int:
    """Approve or retire a prompt."""

    async def work(database: Database, settings: Settings) -> int:
        step = prompts.approve if verb == "approve" else prompts.retire
        async with database.unit_of_work() as session:
            say(_prompt_line(await step(session, prompt_id, by)))
        return 0

    return carry_out(work)


def check(subject: str, reason: str, by: str, handover_reason: str, night_approved_by: str | None) -> int:
    """Order a designated check of a unit, by its code, or of a line, by its key; 1 where a rule forbids it."""
    why = _reason(reason)

    async def work(database: Database, settings: Settings) -> int:
        async with database.unit_of_work() as session:
            wanted = await _designation(session, subject, why, handover_reason, night_approved_by)
            made = await designated.order(session, settings, wanted, by)
            say(f"order {made.id}: line {made.line_id} is called as soon as the phone is free")
        return 0

    return carry_out(work)


async def _designation(
    session: AsyncSession, subject: str, reason: str, handover_reason: str, night_approved_by: str | None
) -> Designation:
    more = {"handover_reason": handover_reason.strip(), "night_approved_by": night_approved_by}
    unit = await directory.unit_by_code(session, subject)
    if unit is not None:
        return Designation(reason, unit_id=unit.id, **more)  # type: ignore[arg-type]
    key = subject.removeprefix("line:")
    if key.isascii() and key.isdigit() and 0 < int(key) < 2**63:
        return Designation(reason, line_id=int(key), **more)  # type: ignore[arg-type]
    raise typer.BadParameter(f"{subject!r} is no unit's code and no line's number", param_hint="'UNIT'")

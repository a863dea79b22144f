"""`dutyring trunks`: our lines to the telephone network, how they are, and those that were entered."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy.ext.asyncio import AsyncSession

from app.commands.numbers import in_records
from app.policy import Stored
from app.settings import Settings, get_settings
from app.trunk_settings import TrunkConfig, TrunkMemberError
from app.trunks import repository, service
from app.trunks.merge import merged, usable
from app.trunks.models import TrunkEvent, TrunkState
from app.trunks.records import RecordsError, read_if_there
from app.trunks.service import state_of
from app.trunks.view import TrunkView, views
from app.trunks.watcher import said
from sip.media import MediaError
from sip.phone import Phone
from sip.progress import shipped_plans
from sip.trunks import TrunkStatus

SCHEMA = "dutyring.trunks/1"
_OPTIONS = {"host", "transport", "user", "password_env", "password_file"}
_FILES = {"password_file", "tls_ca_file", "tls_certificate", "tls_key"}
EVENTS_SHOWN = 20


def show_all(*, as_json: bool, check: bool, wait_s: float) -> int:
    """Print every trunk; return 0 if each one is as it should be, else 1.

    With `check` the trunks are brought up here, for `wait_s` seconds at most, and the service is not asked.
    """
    if not 0 < wait_s <= 600:
        raise typer.BadParameter(f"{wait_s:g}: it takes seconds over 0, up to 600", param_hint="'--wait'")
    settings = get_settings()
    kept = stored(settings)
    if check:
        kept = replace(kept, states=asyncio.run(_bring_up(settings, kept, wait_s)))
    found = views(settings, kept, datetime.now(UTC))
    if as_json:
        _print({"schema": SCHEMA, "trunks": [view.to_dict() for view in found]})
    else:
        print_table(found, settings)
    return 0 if all(view.well for view in found) else 1


async def _bring_up(settings: Settings, kept: Stored, wait_s: float) -> tuple[TrunkState, ...]:
    """Register the trunks and ask their servers; return how each one is once all are settled."""
    made, _ = usable(settings, merged(settings, kept.trunks))
    # A server that is never asked says nothing.
    asked = [
        trunk if trunk.registration or trunk.health_s else replace(trunk, health_s=60.0) for trunk in made
    ]
    changed = asyncio.Event()
    try:
        async with Phone(asked, on_trunk=lambda _: changed.set()) as phone:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    while not all(_is_settled(status) for status in phone.trunks()):
                        await changed.wait()
                        changed.clear()
            return tuple(state_of(said(status)) for status in phone.trunks())
    except MediaError as error:
        raise typer.BadParameter(f"the phone cannot be started: {error}", param_hint="'--check'") from error


def _is_settled(status: TrunkStatus) -> bool:
    return status.state in ("up", "down")


def print_table(found: Sequence[TrunkView], settings: Settings) -> None:
    """Print a table for a person, and below it what stands against each trunk.

    `until`: to when it is registered, - where it should be and is not.
    """
    console = Console(highlight=False)
    if not found:
        console.print("no trunks: set DUTYRING_TRUNKS, or enter one with `dutyring trunks add`", markup=False)
        return
    table = Table()
    for title in ("name", "server", "transport", "state", "until", "calls", "caps"):
        # On a narrow terminal a name or an address goes on in the next line: cut off it tells nothing.
        table.add_column(title, overflow="fold")
    for view in found:
        until = view.registered_until
        told = (
            until.astimezone(settings.zone).strftime("%H:%M:%S") if until else "-" if view.registers else ""
        )
        cells = (view.name, view.server, view.transport, view.state, told, str(view.calls), view.caps)
        # As Text: brackets of a name are no markup.
        table.add_row(*(Text(cell) for cell in cells))
    console.print(table)
    for view in found:
        for alarm in view.alarms:
            told = f" ({alarm.detail})" if alarm.detail else ""
            console.print(
                f"{view.name}: {alarm.kind}{told}: {alarm.en} {alarm.remedy_en}", markup=False, soft_wrap=True
            )
            console.print(f"{view.name}: {alarm.zh}{alarm.remedy_zh}", markup=False, soft_wrap=True)
        for note in view.notes:
            console.print(f"{view.name}: {note}", markup=False, soft_wrap=True)


def show(name: str, as_json: bool) -> int:
    """Print one trunk; return the exit status: 0 if it is as it should be, else 1."""
    settings = get_settings()
    kept = stored(settings)
    found = [view for view in views(settings, kept, datetime.now(UTC)) if view.name == name]
    if not found:
        raise typer.BadParameter(f"there is no trunk {name!r}", param_hint="'NAME'")
    config = _config(settings, kept, name)
    happened = _events(settings, name) if kept.states else []
    view = found[0]
    if as_json:
        events = [_event(event) for event in happened]
        _print({"schema": SCHEMA, **view.to_dict(), "config": config, "events": events})
    else:
        print_table(found[:1], settings)
        console = Console(highlight=False)
        for member, value in config.items():
            console.print(f"{member:<24} {json.dumps(value, ensure_ascii=False)}", markup=False)
        for event in happened:
            at = event.at.astimezone(settings.zone).strftime("%Y-%m-%d %H:%M:%S")
            told = " ".join(part for part in (event.kind, event.alarm or "", event.detail) if part)
            console.print(f"{at}  {told}", markup=False)
    return 0 if view.well else 1


def add(name: str, given: dict[str, Any], members: Sequence[str]) -> int:
    """Enter a trunk; return the exit status. Wrong members raise `typer.BadParameter`."""
    given = given | dict(_member(text) for text in members)
    try:
        config = TrunkConfig.model_validate(given)
    except ValidationError as error:
        raise _wrong_member(error) from None
    config = config.model_copy(update=_absolute(config))

    async def write(session: AsyncSession) -> None:
        await service.add(session, name, config, enabled=config.enabled)

    get_settings()
    try:
        in_records(write)
    except TrunkMemberError as error:
        raise typer.BadParameter(f"{error.member}: {error.reason}", param_hint=_hint(error.member)) from None
    except (service.PresentError, ValueError) as error:
        raise typer.BadParameter(str(error), param_hint="'NAME'") from None
    _say_shadowed(name)
    _say("entered; a running service uses it from its next start")
    return 0


def _absolute(config: TrunkConfig) -> dict[str, Path | str]:
    """The files of a trunk by whole paths: the service that reads them runs in another folder."""
    given = ((member, getattr(config, member)) for member in sorted(_FILES & config.model_fields_set))
    found: dict[str, Path | str] = {member: path.absolute() for member, path in given if path is not None}
    if config.tone_plan not in shipped_plans():
        found["tone_plan"] = str(Path(config.tone_plan).absolute())
    return found


def remove(name: str) -> int:
    """Take a trunk out; return the exit status."""
    return _change(name, lambda session: service.remove(session, name))


def enable(name: str, enabled: bool) -> int:
    """Let calls use a trunk, or no more; return the exit status."""
    return _change(name, lambda session: service.enable(session, name, enabled))


def stored(settings: Settings) -> Stored:
    """Read what was entered, nothing where there is no database. A broken one raises `typer.BadParameter`."""
    try:
        return asyncio.run(read_if_there(settings))
    except RecordsError as error:
        raise typer.BadParameter(str(error), param_hint="DUTYRING_DATA_DIR") from error


def _change(name: str, change: Callable[[AsyncSession], Awaitable[None]]) -> int:
    try:
        in_records(change)
    except service.UnknownError:
        where = "; it stands in the settings" if name in get_settings().trunks else ""
        raise typer.BadParameter(
            f"no trunk {name!r} was entered{where}; it takes one of `dutyring trunks add`",
            param_hint="'NAME'",
        ) from None
    return 0


def _member(text: str) -> tuple[str, Any]:
    member, sign, value = text.partition("=")
    if member == "password":
        reason = "no record holds a password; it takes --password-env or --password-file instead"
        raise typer.BadParameter(reason, param_hint="'--set'")
    if not sign or member not in TrunkConfig.model_fields:
        raise typer.BadParameter(
            f"it takes MEMBER=VALUE with a member of {', '.join(TrunkConfig.model_fields)}",
            param_hint="'--set'",
        )
    try:
        read = json.loads(value)
    except ValueError:
        return member, value
    # 86 is a country code and 5060 a port: what a member takes as text stays text.
    return member, value if isinstance(read, int | float) and not isinstance(read, bool) else read


def _wrong_member(error: ValidationError) -> typer.BadParameter:
    item = error.errors(include_input=False, include_url=False)[0]
    member = str(item["loc"][0]) if item["loc"] else ""
    field = TrunkConfig.model_fields.get(member)
    reason = item["msg"].removeprefix("Value error, ")
    takes = f"; it takes: {field.description}" if field and field.description else ""
    return typer.BadParameter(f"{member}: {reason}{takes}".lstrip(": "), param_hint=_hint(member))


def _hint(member: str) -> str:
    if member == "name":
        return "'NAME'"
    return f"'--{member.replace('_', '-')}'" if member in _OPTIONS else "'--set'"


def _config(settings: Settings, kept: Stored, name: str) -> dict[str, Any]:
    """What is set, without secrets."""
    if name in settings.trunks:
        trunk = settings.trunks[name]
        return trunk.model_dump(mode="json", exclude={"password"}, exclude_unset=True)
    # Of the phone itself nothing is set.
    row = next((row for row in kept.trunks if row.name == name), None)
    return {} if row is None else {"enabled": row.enabled, "priority": row.position} | row.config


def _events(settings: Settings, name: str) -> Sequence[TrunkEvent]:
    async def read(session: AsyncSession) -> Sequence[TrunkEvent]:
        return await repository.events(session, name, EVENTS_SHOWN)

    return in_records(read)


def _event(event: TrunkEvent) -> dict[str, Any]:
    return {
        "at": event.at.isoformat(timespec="seconds"),
        "kind": event.kind,
        "alarm": event.alarm,
        "detail": event.detail,
    }


def _say_shadowed(name: str) -> None:
    if name in get_settings().trunks:
        _say(f"note: the settings have a trunk {name!r} too, and it is the one that is used")


def _say(text: str) -> None:
    print(text)  # noqa: T201


def _print(content: dict[str, Any]) -> None:
    print(json.dumps(content, ensure_ascii=False))  # noqa: T201

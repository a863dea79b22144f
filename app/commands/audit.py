"""`dutyring audit`: the audit trail from the command line."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import typer

from app.accounts import audit_chain, audit_export
from app.accounts.audit_chain import Checked
from app.accounts.audit_lines import AuditFileError, Head, Problem
from app.commands.plans import EXIT_NO, carry_out, say
from app.database import Database
from app.settings import Settings
from recordings.errors import RecordingError
from recordings.files import write_whole


def verify(file: Path | None, given: Sequence[Path], *, as_json: bool) -> int:
    """Check the trail, or an export of it; return the exit status, 1 where something does not hold."""
    heads = [_head(path) for path in given]
    if file is not None:
        try:
            return _tell(audit_export.check_file(file, heads), as_json=as_json)
        except AuditFileError as error:
            raise typer.BadParameter(str(error), param_hint="'--file'") from None

    async def work(database: Database, settings: Settings) -> int:
        kept = list(audit_chain.kept_heads(settings))
        unreadable = [one for one in kept if isinstance(one, Problem)]
        checked = await audit_chain.verify(
            database, [*heads, *(one for one in kept if isinstance(one, Head))]
        )
        problems = (*unreadable, *checked.problems)
        return _tell(Checked(checked.lines, checked.heads, problems), as_json=as_json)

    return carry_out(work)


def _tell(checked: Checked, *, as_json: bool) -> int:
    if as_json:
        content = {"schema": "dutyring.audit-verify/1", "holds": checked.holds, "lines": checked.lines}
        content |= {"heads": checked.heads, "problems": [asdict(problem) for problem in checked.problems]}
        say(json.dumps(content, ensure_ascii=False))
    elif checked.holds:
        say(f"everything holds: {checked.lines} lines, {checked.heads} heads")
    else:
        for problem in checked.problems:
            say(str(problem))
    return 0 if checked.holds else EXIT_NO


def _head(path: Path) -> Head:
    try:
        return Head.load(path)
    except AuditFileError as error:
        raise typer.BadParameter(str(error), param_hint="'--head'") from None


def export(out: Path, first: str | None, last: str | None, by: str) -> int:
    """Write the trail of a time to a new file; return the exit status."""
    if out.exists():
        raise typer.BadParameter(f"{out} is there already; it takes a new file", param_hint="'FILE'")

    async def work(database: Database, settings: Settings) -> int:
        since = _moment(first, settings.zone, "--from", end=False)
        until = _moment(last, settings.zone, "--to", end=True)
        wanted = await audit_export.begin(database, since, until, by)
        draft = out.with_name(f"{out.name}.part")
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                async for text in audit_export.lines(database, settings, wanted):
                    file.write(text)
            draft.replace(out)
        finally:
            with contextlib.suppress(FileNotFoundError):
                draft.unlink()
        say(f"{out}: lines {wanted.first} to {wanted.last}")
        return 0

    return carry_out(work)


def _moment(text: str | None, zone: ZoneInfo, option: str, *, end: bool) -> datetime | None:
    """Read a day, which begins or ends the time, or a moment."""
    if text is None:
        return None
    with contextlib.suppress(ValueError):
        day = date.fromisoformat(text)
        return datetime.combine(day + timedelta(days=1 if end else 0), time(), zone)
    with contextlib.suppress(ValueError):
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo else moment.replace(tzinfo=zone)
    raise typer.BadParameter(
        f"{text!r} is no day; it takes 2026-11-01 or 2026-11-01T08:30", param_hint=f"'{option}'"
    )


def head(out: Path | None) -> int:
    """Print the chain's signed head, or write it to a file; return the exit status."""

    async def work(database: Database, settings: Settings) -> int:
        await audit_chain.seal(database)
        try:
            made = await audit_chain.head(database, settings)
        except RecordingError as error:
            print(f"dutyring: {error}", file=sys.stderr)  # noqa: T201
            return EXIT_NO
        if made is None:
            print("dutyring: the audit trail has no line yet", file=sys.stderr)  # noqa: T201
            return EXIT_NO
        if out is None:
            say(made.to_json().rstrip())
        else:
            write_whole(out, [made.to_json().encode()], 0o644)
        return 0

    return carry_out(work)

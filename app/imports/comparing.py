"""Compares a file with the records: what it would add and change, and which of its cells cannot be right."""

from __future__ import annotations

import asyncio
from datetime import date

from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.accounts.principal import limits
from app.directory.lines import Dialling, dialling
from app.errors import ForbiddenError
from app.imports import repository
from app.imports.changes import Comparison
from app.imports.compare_dated import compare_days, compare_exemptions, compare_rosters
from app.imports.compare_lines import compare_lines
from app.imports.compare_people import compare_people, compare_regimes
from app.imports.compare_units import compare_units
from app.imports.records import Findings, Preview
from app.imports.stored import Snapshot
from app.settings import Settings


async def compare(session: AsyncSession, preview: Preview, settings: Settings) -> Comparison:
    """Compare a preview with the records as they stand. Writes nothing, and leaves the preview as it is.

    Raises `ConflictError` where it cannot be told which numbers may be dialled, `ForbiddenError` for what is not who
    asks to enter.
    """
    may = await dialling(session, settings)
    snapshot = await repository.directory(session, settings.zone)
    days = _days(preview, "duty", "leader")
    if days is not None:
        snapshot.rosters = await repository.newest_rosters(session, *days, settings.zone)
    days = _days(preview, "days")
    if days is not None:
        snapshot.days = await repository.calendar_days(session, *days)
    today = clock.now().astimezone(settings.zone).date()
    # Ten thousand rows take a moment in which the service should answer others.
    case = await asyncio.to_thread(weigh, preview, snapshot, may, today)
    if limits() is not None:
        _check_scope(case)
    return case


def _check_scope(case: Comparison) -> None:
    """Raise `ForbiddenError` for what an account for a part of the tree does not enter: a root, the calendar."""
    for change in case.changes:
        root = change.kind == "units" and change.values.get("parent", "-") == ""
        if root or change.kind == "days":
            what = "一级单位" if root else "日历"
            raise ForbiddenError(f"{change.row.place}：您的账号只管辖部分单位，不能导入{what}")


def weigh(preview: Preview, snapshot: Snapshot, may: Dialling, today: date) -> Comparison:
    """Compare a preview with a snapshot of the records. Pure."""
    findings = Findings()
    for finding in preview.findings.all:
        findings.add(finding)
    case = Comparison(preview, snapshot, findings)
    faulty = [row.faulty for row in preview.rows]
    compare_units(case)
    compare_regimes(case)
    compare_lines(case, may)
    compare_people(case)
    compare_rosters(case)
    compare_exemptions(case)
    compare_days(case, today)
    for row, was_faulty in zip(preview.rows, faulty, strict=True):
        # What is wrong beside the records of today may be right beside those of tomorrow.
        row.faulty = was_faulty
    return case


def _days(preview: Preview, *kinds: str) -> tuple[date, date] | None:
    """The first and the last day that rows of some kinds speak of."""
    found = [row.values["day"] for row in preview.rows if row.kind in kinds and row.values.get("day")]
    return (min(found), max(found)) if found else None

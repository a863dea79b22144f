"""The calls of the list of records: keys by any filter, in either direction, at a million rows in milliseconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Row, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from app.api.newest import Asked, Group, Place, newest
from app.checks.listing import ATTEMPTS, match, shelf_group, unit_group
from app.checks.models import Attempt
from app.checks.shelves import ATTEMPT_LABELS, Labels
from app.planning.models import Plan
from app.reports.filters import PROOFS, RecordFilter
from app.reviews.states import DECIDED

_REVIEWERS = """
    WITH RECURSIVE found(value) AS (
        SELECT min(reviewer) FROM attempts
        UNION ALL
        SELECT (SELECT min(reviewer) FROM attempts WHERE reviewer > found.value)
        FROM found WHERE found.value IS NOT NULL
    )
    SELECT value FROM found WHERE value IS NOT NULL
"""
"""From value to value through the index of a column: some dozens of steps, whatever the number of rows."""


INDICES = {"plan_id": "ix_attempts_of_plan", "sign": "ix_attempts_sign", "reviewer": "ix_attempts_reviewer"}


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the list, newest first, and whether there are newer and older rows."""

    rows: Sequence[Attempt]
    newer: bool
    older: bool


async def groups(session: AsyncSession, wanted: RecordFilter) -> list[Group] | None:
    """The groups of a filter; None where nothing can fit."""
    found: list[Group] = []
    if wanted.unit is not None:
        unit = await unit_group(session, ATTEMPTS, wanted.unit, alone=False)
        if unit is None:
            return None
        found.append(unit)
    labels = {
        "kind": wanted.kind or None,
        "verdict_code": wanted.verdict or None,
        "proposal_code": wanted.code or None,
        "needs_review": True if wanted.review else None,
        "case_state": wanted.state or None,
    }
    proofs = PROOFS.get(wanted.proof)
    if proofs or any(value is not None for value in labels.values()):
        fits: Callable[[Labels], bool] = lambda known: (  # noqa: E731 - a condition of some lines
            match(known, labels)
            and (proofs is None or known["grade"] in proofs)
            and not (wanted.review and known["case_state"] in DECIDED)
        )
        shelf = await shelf_group(session, ATTEMPTS, ATTEMPT_LABELS, fits)
        found += [shelf] if shelf is not None else []
    plain = {"plan_id": wanted.plan, "sign": wanted.sign, "reviewer": wanted.by}
    found += [Group(name, INDICES[name], (value,)) for name, value in plain.items() if value]  # type: ignore[arg-type]
    return found


async def reviewers(session: AsyncSession) -> Sequence[str]:
    """Everybody who has decided a case of a check, by name."""
    return sorted((await session.scalars(text(_REVIEWERS))).all())


async def plans(session: AsyncSession) -> Sequence[Row[int, str]]:
    """Key and name of every plan, newest first."""
    return (await session.execute(select(Plan.id, Plan.name).order_by(Plan.id.desc()).limit(300))).all()


async def keys(
    session: AsyncSession,
    wanted: RecordFilter,
    zone: ZoneInfo,
    place: Place | None,
    limit: int,
    *,
    ascending: bool = False,
    until: Any = None,
) -> Sequence[int]:
    """Keys of calls that fit, after a place, newest first or in `ascending` order; `until` bounds them once more."""
    found = await groups(session, wanted)
    if found is None:
        return []
    first, last = wanted.span(zone)
    last = until if last is None or (until is not None and until < last) else last
    return await newest(session, ATTEMPTS, Asked(found, first, last, place, ascending), limit)


async def page(
    session: AsyncSession,
    wanted: RecordFilter,
    zone: ZoneInfo,
    rows: int,
    after: Place | None = None,
    before: Place | None = None,
) -> Page:
    """The page after a place or, going back, the one before it; the first page where neither is given."""
    if before is not None:
        found = await keys(session, wanted, zone, before, rows + 1, ascending=True)
        if len(found) > rows:
            return Page(await _calls(session, found[:rows][::-1]), newer=True, older=True)
        # Fewer than a page: it is the first one, and that one is always full.
    found = await keys(session, wanted, zone, None if before is not None else after, rows + 1)
    return Page(
        await _calls(session, found[:rows]),
        newer=after is not None and before is None,
        older=len(found) > rows,
    )


async def _calls(session: AsyncSession, found: Sequence[int]) -> Sequence[Attempt]:
    query = (
        select(Attempt)
        .where(Attempt.id.in_(found))
        .options(joinedload(Attempt.unit), joinedload(Attempt.line))
    )
    rows = {attempt.id: attempt for attempt in await session.scalars(query)}
    return [rows[key] for key in found if key in rows]

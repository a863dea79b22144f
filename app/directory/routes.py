"""Units as JSON: the tree, regimes, and the routers of all else in the directory."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from app.accounts import service as audit
from app.api.actor import Actor
from app.api.paging import After, Key, Limit, Page, cut, pack
from app.api.text import Day, Short
from app.directory import change_routes, line_routes, lists, people_routes, tree, tree_queries
from app.directory.lists import UnitFilter
from app.directory.models import Unit, UnitRegime
from app.directory.routing import PathKey, State, changed, code_after, head_of, unit_or_404
from app.directory.schemas import (
    Category,
    CloseIn,
    Group,
    MoveIn,
    RegimeEnd,
    RegimeIn,
    RegimeOut,
    UnitChange,
    UnitFull,
    UnitIn,
)
from app.directory.tree import UnitEntry
from app.errors import NotFoundError

router = APIRouter(prefix="/api/v1", tags=["directory"])


@router.get("/units")
async def list_units(
    state: State,
    subtree: Annotated[Key | None, Query(description="This unit and all below it")] = None,
    parent: Key | None = None,
    kind: Group | None = None,
    category: Category | None = None,
    q: Annotated[Short | None, Query(description="Beginning of the name or the code")] = None,
    day: Annotated[Day | None, Query(description="There on this day")] = None,
    after: After = None,
    limit: Limit = 50,
) -> Page[UnitFull]:
    """Units, by code."""
    database, _ = state
    async with database.reading() as session:
        head = await head_of(session, subtree)
        wanted = UnitFilter(head, parent, kind, category, q, day)
        found = await lists.units(session, wanted, code_after(after), limit + 1)
    page, last = cut(found, limit)
    return Page(
        items=[UnitFull.model_validate(unit) for unit in page], next=pack(last.code) if last else None
    )


@router.post("/units", status_code=201)
async def enter_unit(state: State, who: Actor, given: UnitIn) -> UnitFull:
    """Enter a unit below `parent_id`, or at the root."""
    database, _ = state
    values = given.model_dump(exclude={"parent_id"}) | {"handover_times": tuple(given.handover_times)}
    async with database.unit_of_work() as session:
        unit = await tree.enter_unit(session, UnitEntry(**values), given.parent_id)
        await audit.record(session, "unit.enter", f"unit:{unit.id}", f"{unit.code} {unit.name}", who)
        return UnitFull.model_validate(unit)


@router.get("/units/{unit_id}")
async def show_unit(state: State, unit_id: PathKey) -> UnitFull:
    """One unit."""
    database, _ = state
    async with database.reading() as session:
        return UnitFull.model_validate(await unit_or_404(session, unit_id))


@router.patch("/units/{unit_id}")
async def change_unit(state: State, who: Actor, unit_id: PathKey, given: UnitChange) -> UnitFull:
    """Change what is named; the rest stays."""
    database, _ = state
    async with database.unit_of_work() as session:
        unit = await tree.locked(session, unit_id, given.revision)
        await tree.change_unit(session, unit, changed(_entry(unit), given))
        await audit.record(session, "unit.change", f"unit:{unit.id}", _members(given), who)
        return UnitFull.model_validate(unit)


def _entry(unit: Unit) -> UnitEntry:
    return UnitEntry(
        unit.code,
        unit.name,
        unit.kind,
        unit.category,
        tuple(unit.handover_times),
        unit.first_day,
        unit.last_day,
    )


def _members(given: UnitChange) -> str:
    return "、".join(sorted(given.model_fields_set - {"revision"}))


@router.post("/units/{unit_id}/move")
async def move_unit(state: State, who: Actor, unit_id: PathKey, given: MoveIn) -> UnitFull:
    """Hang a unit with all below it elsewhere in the tree."""
    database, _ = state
    async with database.unit_of_work() as session:
        unit = await tree.move(session, unit_id, given.parent_id, given.revision)
        place = "root" if given.parent_id is None else f"unit:{given.parent_id}"
        await audit.record(session, "unit.move", f"unit:{unit.id}", f"to {place}", who)
        return UnitFull.model_validate(unit)


@router.post("/units/{unit_id}/close")
async def close_unit(state: State, who: Actor, unit_id: PathKey, given: CloseIn) -> UnitFull:
    """Say on which day a unit is there for the last time; units below it must be closed or moved before."""
    database, _ = state
    async with database.unit_of_work() as session:
        # A unit that is hung below this one meanwhile would go on without it.
        await tree_queries.lock_tree(session)
        unit = await tree.locked(session, unit_id, given.revision)
        await tree.close(session, unit, given.last_day)
        await audit.record(session, "unit.close", f"unit:{unit.id}", f"last day {given.last_day}", who)
        return UnitFull.model_validate(unit)


@router.get("/units/{unit_id}/regimes")
async def list_regimes(state: State, unit_id: PathKey) -> list[RegimeOut]:
    """How a unit keeps duty, over time (在岗 or 电话值班; 在岗, 电话 or 双带班)."""
    database, _ = state
    async with database.reading() as session:
        await unit_or_404(session, unit_id)
        return [RegimeOut.model_validate(row) for row in await tree_queries.regimes(session, unit_id)]


@router.post("/units/{unit_id}/regimes", status_code=201)
async def enter_regime(state: State, who: Actor, unit_id: PathKey, given: RegimeIn) -> RegimeOut:
    """Say how a unit keeps duty between two days; no two regimes hold one day."""
    database, _ = state
    async with database.unit_of_work() as session:
        unit = await tree.locked(session, unit_id)
        regime = UnitRegime(**given.model_dump(exclude={"end_previous"}))
        await tree.set_regime(session, unit, regime, end_previous=given.end_previous)
        detail = f"{given.duty}/{given.leader} from {given.first_day} to {given.last_day or 'open'}"
        await audit.record(session, "regime.enter", f"unit:{unit.id}", detail, who)
        return RegimeOut.model_validate(regime)


@router.patch("/regimes/{regime_id}")
async def end_regime(state: State, who: Actor, regime_id: PathKey, given: RegimeEnd) -> RegimeOut:
    """Change the last day of a regime; null leaves it open."""
    database, _ = state
    async with database.unit_of_work() as session:
        regime = await session.get(UnitRegime, regime_id)
        if regime is None:
            raise NotFoundError(f"没有编号为 {regime_id} 的值班方式")
        await tree.locked(session, regime.unit_id)
        await session.refresh(regime)
        await tree.end_regime(session, regime, given.last_day)
        detail = f"regime {regime.id} to {given.last_day or 'open'}"
        await audit.record(session, "regime.change", f"unit:{regime.unit_id}", detail, who)
        return RegimeOut.model_validate(regime)


router.include_router(line_routes.router)
router.include_router(people_routes.router)
router.include_router(change_routes.router)

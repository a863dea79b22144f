"""The tree of units, its search, and the list of lines that a person should look at."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.api.paging import cut, pack
from app.directory import lines, lists
from app.directory.lists import LineFilter, UnitFilter
from app.directory.models import LINE_KINDS, UNIT_CATEGORIES, VERIFICATIONS
from app.directory.routing import State, code_after, key_after, today, unit_or_404
from app.web.pages import render
from app.web.units import repository, tree, words
from app.web.units.forms import MOST_SIGNS

READ = ["GET", "HEAD"]
PAGE_ROWS = 50
MOST_SUGGESTED = 12
MOST_ROUNDS = 8
"""Pages of lines that are looked through for one page of those with a warning."""
router = APIRouter(include_in_schema=False)
Text = Annotated[str, Query(max_length=80)]
Place = Annotated[str, Query(max_length=400)]


@router.api_route("/units", methods=READ)
async def tree_page(
    request: Request,
    state: State,
    q: Text = "",
    category: Text = "",
    closed: Annotated[str, Query(max_length=4)] = "",
    after: Place = "",
) -> Response:
    """The tree; or, with words or a category, the units that fit."""
    values = await _found(state, q, category, closed, after)
    database, settings = state
    async with database.reading() as session:
        branch = (
            None
            if values["asked"]
            else await tree.branch(session, None, code_after(after or None), today(settings))
        )
        pending = await repository.pending_changes(session)
    return render(
        request,
        "units/tree.html",
        branch=branch,
        pending=pending,
        words=words,
        categories=UNIT_CATEGORIES,
        **values,
    )


@router.api_route("/units/branch", methods=READ)
async def branch_part(
    request: Request,
    state: State,
    parent: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
    level: Annotated[int, Query(ge=1, le=20)] = 1,
    after: Place = "",
) -> Response:
    """The units directly below one, as nodes of the tree."""
    database, settings = state
    async with database.reading() as session:
        head = None if parent is None else await unit_or_404(session, parent)
        branch = await tree.branch(session, head, code_after(after or None), today(settings))
    return render(request, "units/_branch.html", branch=branch, level=level, words=words)


@router.api_route("/units/found", methods=READ)
async def found_part(
    request: Request,
    state: State,
    q: Text = "",
    category: Text = "",
    closed: Annotated[str, Query(max_length=4)] = "",
    after: Place = "",
) -> Response:
    """What fits, or the whole tree where nothing was asked, for the page that is open."""
    values = await _found(state, q, category, closed, after)
    database, settings = state
    async with database.reading() as session:
        branch = None if values["asked"] else await tree.branch(session, None, None, today(settings))
    return render(request, "units/_found.html", branch=branch, words=words, **values)


async def _found(state: State, q: str, category: str, closed: str, after: str) -> dict[str, Any]:
    database, settings = state
    text = q.strip()
    chosen = category if category in UNIT_CATEGORIES else ""
    values: dict[str, Any] = {
        "asked": bool(text or chosen or closed),
        "chosen": {"q": text, "category": chosen, "closed": closed},
        "rows": [],
        "next_place": "",
        "above": {},
    }
    if not values["asked"]:
        return values
    day = today(settings)
    wanted = UnitFilter(category=chosen or None, anywhere=text or None, day=day if closed == "no" else None)
    async with database.reading() as session:
        found = await lists.units(session, wanted, code_after(after or None), PAGE_ROWS + 1)
        page, last = cut(found, PAGE_ROWS)
        keys = {int(part) for unit in page for part in unit.path.split("/") if part}
        named = await repository.units_named(session, keys)
        values["rows"] = await tree.nodes(session, page, day)
    values["above"] = {
        unit.id: [named[int(part)] for part in unit.path.split("/")[:-2] if part and int(part) in named]
        for unit in page
    }
    values["next_place"] = "" if last is None else pack(last.code)
    return values


@router.api_route("/units/suggestions", methods=READ)
async def suggestions_part(
    request: Request, state: State, unit: Annotated[str, Query(max_length=MOST_SIGNS)] = ""
) -> Response:
    """Units for the last one that is being typed into a field, as options."""
    text = unit.replace("，", "、").replace(",", "、").rpartition("、")[2].strip()[:80]
    database, _ = state
    async with database.reading() as session:
        found = await lists.units(session, UnitFilter(anywhere=text), None, MOST_SUGGESTED) if text else []
    return render(
        request, "units/_suggestions.html", units=found, before=unit[: len(unit) - len(text)] if text else ""
    )


@router.api_route("/units/lines", methods=READ)
async def lines_page(
    request: Request,
    state: State,
    q: Text = "",
    kind: Text = "",
    verification: Text = "",
    warned: Annotated[str, Query(max_length=4)] = "",
    after: Place = "",
) -> Response:
    """Every line; those whose number was not reached or that bear a warning can be had alone."""
    database, _ = state
    chosen = {
        "q": q.strip(),
        "kind": kind if kind in LINE_KINDS else "",
        "verification": verification if verification in VERIFICATIONS else "",
        "warned": "1" if warned else "",
    }
    wanted = LineFilter(
        kind=chosen["kind"] or None,
        verification=chosen["verification"] or None,
        active=True,
        words=chosen["q"] or None,
    )
    place, rows, following = key_after(after or None), [], ""
    async with database.reading() as session:
        for _ in range(MOST_ROUNDS if warned else 1):
            found = await lists.lines(session, wanted, place, PAGE_ROWS + 1)
            page, last = cut(found, PAGE_ROWS)
            told = await lines.warnings_of(session, page)
            rows += [(line, told[line.id]) for line in page if told[line.id] or not warned]
            following = "" if last is None else pack(last.id)
            place = None if last is None else last.id
            if last is None or len(rows) >= PAGE_ROWS:
                break
    return render(request, "units/lines.html", rows=rows, chosen=chosen, next_place=following, words=words)

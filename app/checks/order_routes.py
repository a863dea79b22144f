"""Orders (抽查单) as JSON: every check whose moment has come, its calls, what is proposed, what stands beside it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query

from app import clock
from app.accounts.principal import current
from app.api.newest import Place
from app.api.paging import After, Key, Limit, Page, cut, pack, unpack
from app.api.text import Code, Moment
from app.checks import orders
from app.checks.models import Mitigation, SpotCheck, StoredProposal
from app.checks.order_schemas import (
    CaseRef,
    ManualRef,
    MitigationOut,
    OrderAttempt,
    OrderDetail,
    OrderOut,
    PlanRef,
    ProposalOut,
)
from app.checks.orders import OrderFilter
from app.checks.routes import State, detail_of
from app.directory.schemas import LineOut, UnitOut
from app.errors import NotFoundError
from app.evidence.sight import Sight, sight_of
from app.reviews.models import Case

router = APIRouter(prefix="/api/v1", tags=["orders"])
OrderKind = Literal["random", "designated", "verification", "demo"]
OrderState = Literal["due", "claimed", "retry", "done", "missed", "withdrawn"]
_OPEN = ("retry",)
"""States in which another call is still to come, at a moment that nobody learns."""


@router.get("/orders", operation_id="list_orders")
async def list_orders(
    state_of: State,
    unit: Annotated[Key | None, Query(description="This unit and all below it")] = None,
    alone: Annotated[bool, Query(description="The unit alone, without those below it")] = False,
    line: Annotated[Key | None, Query(description="This duty line")] = None,
    plan: Annotated[Key | None, Query(description="Drawn by this plan")] = None,
    kind: Annotated[OrderKind | None, Query(description="计划抽查, 指定抽查, 核号, 演示")] = None,
    state: Annotated[OrderState | None, Query(description="How far it has come")] = None,
    code: Annotated[Code | None, Query(description="Code of its proposal under the rules in force")] = None,
    adverse: Annotated[
        bool | None, Query(description="Whether that proposal speaks against the unit")
    ] = None,
    review: Annotated[bool | None, Query(description="Whether that proposal needs a person")] = None,
    since: Annotated[Moment | None, Query(alias="from", description="First moment from here on")] = None,
    until: Annotated[Moment | None, Query(alias="to", description="First moment before this")] = None,
    after: After = None,
    limit: Limit = 50,
) -> Page[OrderOut]:
    """Orders whose first moment has come, the latest first. Coming moments of a plan are listed nowhere."""
    database, _ = state_of
    narrowed = OrderFilter(unit, alone, line, plan, kind, state, code, adverse, review, since, until)
    place = _place(after)
    async with database.reading() as session:
        found = await orders.page(session, narrowed, place, limit + 1, clock.now())
        rows, last = cut(found, limit)
        cases = await orders.cases_of(session, [check.id for check in rows])
    items = [_order(check, cases.get(check.id, ())) for check in rows]
    return Page[OrderOut](items=items, next=None if last is None else pack(last.first_due_at, last.id))


def _place(after: str | None) -> Place | None:
    if after is None:
        return None
    at, key = unpack(after, datetime, int)
    assert isinstance(at, datetime)
    assert isinstance(key, int)
    return Place(at, key)


@router.get("/orders/{order_id}", operation_id="show_order")
async def show_order(state_of: State, order_id: Key) -> OrderDetail:
    """One order: its calls with their facts, proposals, cases, mitigations, and checks by hand of that day."""
    database, settings = state_of
    now = clock.now()
    async with database.reading() as session:
        check = await orders.order(session, order_id, now)
        if check is None:
            raise NotFoundError(f"there is no order {order_id}")
        beside = await orders.beside(session, check, _day(check.first_due_at, settings.zone))
    sight = sight_of(current())
    return OrderDetail(
        order=_order(check, beside.cases),
        attempts=[detail_of(attempt) for attempt in check.attempts],
        proposals=[_proposal(proposal, sight) for proposal in beside.proposals],
        mitigations=[_mitigation(mitigation, sight) for mitigation in beside.mitigations],
        manual=[ManualRef.model_validate(made) for made in beside.manual],
    )


def _proposal(row: StoredProposal, sight: Sight) -> ProposalOut:
    found = ProposalOut.model_validate(row)
    return found.model_copy(update={"content": sight.told(found.content)})


def _mitigation(row: Mitigation, sight: Sight) -> MitigationOut:
    found = MitigationOut.model_validate(row)
    return found.model_copy(update={"number": sight.number(found.number)})


def _day(moment: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Begin and end of the local day of a moment."""
    begin = moment.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    return begin, begin + timedelta(days=1)


def _order(check: SpotCheck, cases: Sequence[Case]) -> OrderOut:
    return OrderOut(
        id=check.id,
        kind=check.kind,
        state=check.state,
        unit=UnitOut.model_validate(check.unit),
        line=LineOut.model_validate(check.line),
        plan=None if check.plan is None else PlanRef.model_validate(check.plan),
        reason=check.reason,
        ordered_by=check.ordered_by,
        first_due_at=check.first_due_at,
        due_at=None if check.state in _OPEN else check.due_at,
        closed_at=check.closed_at,
        code=check.code,
        adverse=check.adverse,
        needs_review=check.needs_review,
        attempts=[OrderAttempt.model_validate(attempt) for attempt in check.attempts],
        cases=[CaseRef.model_validate(case) for case in cases],
    )

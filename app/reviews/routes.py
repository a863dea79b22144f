"""Cases: lists, the review queue, one case, and every step of its review."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.principal import current
from app.api.actor import Actor
from app.api.paging import After, Key, Limit, Page, cut, pack
from app.api.text import Code, Day
from app.directory.models import Unit
from app.errors import NotFoundError
from app.evidence.sight import sight_of
from app.reviews import by_hand, repository, service, views
from app.reviews.models import Case
from app.reviews.repository import CaseFilter
from app.reviews.schemas import (
    AcceptIn,
    CaseDetail,
    CaseOut,
    CommentIn,
    ConfirmIn,
    DisputeIn,
    NotifyIn,
    OpenIn,
    Overturned,
    ProposeIn,
    PublicationRef,
    QueueOut,
    RevokeIn,
    UpholdIn,
)
from app.reviews.serving import PathKey, Service, place, span_of
from app.reviews.states import State, Step

router = APIRouter(prefix="/api/v1", tags=["review"])
WAITING = (State.TO_REVIEW, State.PROPOSED, State.NOTIFIED, State.DISPUTED)
"""States in which somebody still has to do something."""
Kind = Literal["random", "designated", "demo", "manual"]
StateName = Literal[
    "to_review", "proposed", "notified", "disputed", "confirmed", "revoked", "published", "overturned"
]


@router.get("/cases")
async def list_cases(
    given: Service,
    state: StateName | None = None,
    unit: Key | None = None,
    code: Annotated[Code | None, Query()] = None,
    kind: Kind | None = None,
    first: Day | None = None,
    last: Day | None = None,
    mitigated: bool | None = None,
    order: Key | None = None,
    after: After = None,
    limit: Limit = 50,
) -> Page[CaseOut]:
    """Cases, what happened last first. `unit` takes its subtree along; `first` and `last` are days of the call."""
    database, settings = given
    first_at, until = span_of(first, last, settings.zone)
    spot = place(after)
    async with database.reading() as session:
        head = await _head(session, unit)
        if unit is not None and head is None:
            return Page(items=[], next=None)
        wanted = CaseFilter((state,) if state else (), head, code, first_at, until, mitigated, kind, order)
        found, end = cut(await repository.page(session, wanted, spot, limit + 1), limit)
        items = await views.rows(session, found)
    return Page(items=items, next=None if end is None else pack(end.happened_at, end.id))


@router.get("/review-queue")
async def review_queue(
    given: Service,
    state: StateName | None = None,
    unit: Key | None = None,
    after: After = None,
    limit: Limit = 50,
) -> QueueOut:
    """What waits for somebody, the oldest first; without `state` all that is neither confirmed nor at its end."""
    database, _ = given
    spot = place(after)
    async with database.reading() as session:
        head = await _head(session, unit)
        if unit is not None and head is None:
            return QueueOut(items=[], next=None, counts=dict.fromkeys(State, 0))
        wanted = CaseFilter((state,) if state else WAITING, head)
        found, end = cut(await repository.queue(session, wanted, spot, limit + 1), limit)
        counts = await repository.count_by_state(session, head)
        items = await views.rows(session, found)
    return QueueOut(
        items=items,
        next=None if end is None else pack(end.opened_at, end.id),
        counts={name.value: counts.get(name, 0) for name in State},
    )


async def _head(session: AsyncSession, unit_id: int | None) -> Unit | None:
    return None if unit_id is None else await repository.unit(session, unit_id)


@router.get("/cases/{case_id}")
async def show_case(given: Service, case_id: PathKey) -> CaseDetail:
    """One case with its proposal, every step, its files and publications."""
    async with given[0].reading() as session:
        return await views.detail(session, await _known(session, case_id))


@router.get("/cases/{case_id}/notice")
async def show_notice(given: Service, case_id: PathKey) -> dict[str, Any]:
    """The 核实通知单 as it was sent."""
    async with given[0].reading() as session:
        await _known(session, case_id)
        sent = await repository.last_event(session, case_id, Step.NOTIFY.value)
    if sent is None:
        raise NotFoundError(f"事项 {case_id} 尚未发出核实通知单 (no notice was sent yet)")
    return sight_of(current()).told(sent.content["notice"])


async def _known(session: AsyncSession, case_id: int) -> Case:
    case = await repository.case(session, case_id)
    if case is None:
        raise NotFoundError(f"没有事项 {case_id} (no such case)")
    return case


async def _step(given: Service, verb: Callable[[AsyncSession], Awaitable[Case]]) -> CaseDetail:
    async with given[0].unit_of_work() as session:
        return await views.detail(session, await verb(session))


@router.post("/cases/{case_id}/propose")
async def propose(given: Service, case_id: PathKey, body: ProposeIn, who: Actor) -> CaseDetail:
    """拟认定: the person has listened to the recordings of the order and takes it for this finding."""
    basis = service.Basis(body.basis_manual_id, body.admission_attachment_id)
    return await _step(
        given,
        lambda session: service.propose(
            session,
            case_id,
            who,
            body.code,
            reason=body.reason,
            without_recording=body.without_recording,
            basis=basis,
            cited=[clause.model_dump() for clause in body.clauses],
            seen=body.seen,
        ),
    )


@router.post("/cases/{case_id}/notify")
async def notify(given: Service, case_id: PathKey, body: NotifyIn, who: Actor) -> CaseDetail:
    """告知: send the 核实通知单; its content is frozen, its deadline counts working days by the calendar."""
    zone = given[1].zone
    return await _step(
        given,
        lambda session: service.notify(
            session, case_id, who, body.answer_to, zone, working_days=body.working_days, seen=body.seen
        ),
    )


@router.post("/cases/{case_id}/accept")
async def accept(given: Service, case_id: PathKey, body: AcceptIn, who: Actor) -> CaseDetail:
    """无异议: the unit says that it is so."""
    return await _step(
        given, lambda session: service.accept(session, case_id, who, body.by, body.words, body.seen)
    )


@router.post("/cases/{case_id}/dispute")
async def dispute(given: Service, case_id: PathKey, body: DisputeIn, who: Actor) -> CaseDetail:
    """申辩: the unit's grounds; late ones are accepted and marked so."""
    return await _step(
        given,
        lambda session: service.dispute(
            session,
            case_id,
            who,
            body.by,
            body.grounds,
            attachment_ids=body.attachment_ids,
            received_at=body.received_at,
            seen=body.seen,
        ),
    )


@router.post("/cases/{case_id}/confirm")
async def confirm(given: Service, case_id: PathKey, body: ConfirmIn, who: Actor) -> CaseDetail:
    """认定: after the unit has accepted, or after its deadline."""
    return await _step(given, lambda session: service.confirm(session, case_id, who, body.reason, body.seen))


@router.post("/cases/{case_id}/comment")
async def comment(given: Service, case_id: PathKey, body: CommentIn, who: Actor) -> CaseDetail:
    """批注: words beside a case, which stays where it stands."""
    return await _step(given, lambda session: service.comment(session, case_id, who, body.words, body.seen))


@router.post("/orders/{order_id}/cases", status_code=201)
async def open_case(given: Service, order_id: PathKey, body: OpenIn, who: Actor) -> CaseDetail:
    """Open a case of an order where the machine put nothing forward; the person cites the clause."""
    cited = [clause.model_dump() for clause in body.clauses]
    return await _step(
        given,
        lambda session: by_hand.open_by_person(session, order_id, body.code, body.reason, cited, who),
    )


@router.post("/cases/{case_id}/uphold")
async def uphold(given: Service, case_id: PathKey, body: UpholdIn, who: Actor) -> CaseDetail:
    """维持: decide against the unit's grounds; not by the confirmer."""
    return await _step(given, lambda session: service.uphold(session, case_id, who, body.reason, body.seen))


@router.post("/cases/{case_id}/revoke")
async def revoke(given: Service, case_id: PathKey, body: RevokeIn, who: Actor) -> CaseDetail:
    """撤销: it is no finding."""
    return await _step(
        given, lambda session: service.revoke(session, case_id, who, body.cause, body.reason, body.seen)
    )


@router.post("/cases/{case_id}/overturn")
async def overturn(given: Service, case_id: PathKey, body: RevokeIn, who: Actor) -> Overturned:
    """通报后撤销: it counts nowhere any more; the answer lists every publication that must be put right."""
    async with given[0].unit_of_work() as session:
        case, affected = await service.overturn(session, case_id, who, body.cause, body.reason, body.seen)
        shown = await views.detail(session, case)
        return Overturned(
            **shown.model_dump(), affected=[PublicationRef.model_validate(found) for found in affected]
        )

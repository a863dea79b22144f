"""Trunks and their test calls as JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import JSONResponse

from app.accounts.principal import current
from app.api import idempotency
from app.api.actor import Actor
from app.api.paging import After, Limit, Page, cut, pack
from app.directory.routing import PathKey, State, key_after
from app.errors import NotFoundError
from app.evidence.sight import sight_of
from app.trunks import repository, trials, trials_repository
from app.trunks.records import read
from app.trunks.schemas import TrunkEventOut, TrunkList, TrunkOut
from app.trunks.trials_schemas import TrunkTestIn, TrunkTestOut, Typed, told
from app.trunks.view import views

router = APIRouter()
ASKED = "POST /trunk-tests"


@router.get("/api/v1/trunks", tags=["trunks"], operation_id="list_trunks")
async def list_trunks(request: Request, events: Annotated[int, Query(ge=0, le=200)] = 20) -> TrunkList:
    """Our trunks: how they are, what stands against them, and what happened to them last."""
    async with request.app.state.database.reading() as session:
        stored = await read(session)
        happened = await repository.events(session, limit=events)
    found = views(request.app.state.settings, stored, datetime.now(UTC))
    return TrunkList(
        items=[TrunkOut.model_validate(view) for view in found],
        events=[TrunkEventOut.model_validate(event) for event in happened],
    )


@router.post(
    "/api/v1/trunk-tests",
    tags=["trunks"],
    operation_id="ask_test_call",
    status_code=201,
    response_model=TrunkTestOut,
)
async def ask_test_call(state: State, who: Actor, key: idempotency.Key, body: TrunkTestIn) -> JSONResponse:
    """Ask for a test call (试呼) of a trunk to a telephone of one's own, never to a line of the directory.

    At most 20 an hour. It rings for 30 s at most, is hung up 5 s after the answer, and nothing of it is recorded.
    """
    database, settings = state
    async with database.reading() as session:
        done = await idempotency.known(session, key, ASKED)
        plain = "" if done else await trials.check(session, settings, body.trunk, body.number)

    async def work(session: AsyncSession) -> tuple[int, dict[str, Any]]:
        row = await trials.ask(session, body.trunk, plain, who)
        return 201, told(row, sight_of(current())).model_dump(mode="json")

    return await idempotency.once(database, key, ASKED, [body.model_dump(mode="json"), who], work)


@router.get("/api/v1/trunk-tests", tags=["trunks"], operation_id="list_test_calls")
async def list_test_calls(
    state: State, trunk: Annotated[Typed | None, Query()] = None, after: After = None, limit: Limit = 50
) -> Page[TrunkTestOut]:
    """Test calls of a trunk, or of all, newest first, for 180 days."""
    async with state[0].reading() as session:
        rows = await trials_repository.page(session, trunk, key_after(after), limit + 1)
    shown, last = cut(rows, limit)
    sight = sight_of(current())
    return Page(items=[told(row, sight) for row in shown], next=None if last is None else pack(last.id))


@router.get("/api/v1/trunk-tests/{trunk_test_id}", tags=["trunks"], operation_id="read_test_call")
async def read_test_call(state: State, trunk_test_id: PathKey) -> TrunkTestOut:
    """One test call, and what came of it as soon as it is over."""
    async with state[0].reading() as session:
        row = await trials_repository.trial(session, trunk_test_id)
    if row is None:
        raise NotFoundError(f"there is no test call {trunk_test_id}")
    return told(row, sight_of(current()))

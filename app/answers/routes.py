"""What was heard in answers as JSON, and a person's word on it."""

from __future__ import annotations

from fastapi import APIRouter

from app.answers import repository, service
from app.answers.books import answer_keys
from app.answers.schemas import AnswerIn, AnswerItemOut
from app.answers.showing import shown
from app.api.actor import Actor
from app.api.paging import After, Limit, Page, cut, pack
from app.directory.routing import PathKey, State, key_after
from app.errors import NotFoundError

router = APIRouter(prefix="/api/v1", tags=["answers"])


@router.get("/attempts/{attempt_id}/answer-items")
async def list_answer_items(
    state: State, attempt_id: PathKey, after: After = None, limit: Limit = 50
) -> Page[AnswerItemOut]:
    """Unit, names, titles and numbers that were heard in the answer to a call, in the order of the call."""
    database, settings = state
    async with database.reading() as session:
        if not await repository.has_attempt(session, attempt_id):
            raise NotFoundError(f"没有编号为 {attempt_id} 的呼叫")
        keys = await answer_keys(session, settings)
        found = await repository.page(session, attempt_id, key_after(after), limit + 1)
    page, last = cut(found, limit)
    return Page(items=[shown(item, keys) for item in page], next=pack(last.id) if last else None)


@router.post("/answer-items/{item_id}/answer")
async def answer_item(state: State, who: Actor, item_id: PathKey, given: AnswerIn) -> AnswerItemOut:
    """Say 是, 否 or 未核实 of one item; it is put on record. Sent again it says the same again."""
    database, settings = state
    async with database.unit_of_work() as session:
        keys = await answer_keys(session, settings)
        item = await service.verify(session, item_id, given.answer, who, given.note)
        return shown(item, keys, who)

"""The forms of one check: what a person decides, adds and answers. Each asks the service that the API asks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, HTTPException, Request
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.datastructures import FormData, UploadFile
from starlette.responses import RedirectResponse, Response

from app.answers import service as answers
from app.answers.books import answer_keys
from app.answers.schemas import AnswerIn
from app.answers.showing import shown
from app.api.actor import Actor
from app.checks import mitigations
from app.checks.mitigation_routes import MitigationIn
from app.directory.routing import PathKey, State
from app.errors import BadInputError, Fault, OfficeError
from app.reviews import attachments, by_hand, schemas, service
from app.reviews import repository as reviews
from app.reviews.states import State as CaseState
from app.web.check.page import check_page
from app.web.pages import render
from app.web.spoken import read_form, spoken, trouble

router = APIRouter(include_in_schema=False)
Verb = Callable[[AsyncSession], Awaitable[Any]]
LABELS = {
    "code": "事由",
    "reason": "理由",
    "without_recording": "无录音时的依据",
    "basis_manual_id": "人工检查编号",
    "admission_attachment_id": "附件编号",
    "source": "依据文件",
    "article": "条款",
    "words": "内容",
    "answer_to": "答复至",
    "working_days": "工作日",
    "by": "单位答复人",
    "grounds": "申辩理由",
    "received_at": "收到时间",
    "cause": "原因",
    "clauses": "引用条款",
    "at": "时间",
    "number": "来电号码",
    "note": "说明",
    "kind": "情形",
    "answer": "核实结果",
}


@router.post("/checks/{check_id}/cases")
async def open_case(request: Request, state: State, check_id: PathKey, who: Actor) -> Response:
    """Put a case forward where the machine did not."""
    form = await request.form()
    values = {name: form.get(name, "") for name in ("code", "reason")} | {"clauses": _cited(form)}

    async def verb(session: AsyncSession) -> Any:
        body = read_form(schemas.OpenIn, values, LABELS)
        cited = [clause.model_dump() for clause in body.clauses]
        return await by_hand.open_by_person(session, check_id, body.code, body.reason, cited, who)

    return await _carried_out(request, state, check_id, "open", verb, "review")


@router.post("/checks/{check_id}/cases/{case_id}/files")
async def attach(request: Request, state: State, check_id: PathKey, case_id: PathKey, who: Actor) -> Response:
    """Add a file to a case."""
    await _of_check(state, check_id, case_id)
    try:
        async with request.form() as form:
            await _attached(state, case_id, form.get("file"), who)
    except OfficeError as error:
        return await check_page(request, check_id, trouble=trouble(f"case-{case_id}-attach", error, {}))
    return _back(check_id, f"case-{case_id}")


async def _attached(state: State, case_id: int, file: object, who: str) -> None:
    if not isinstance(file, UploadFile) or not file.filename:
        raise BadInputError("请选择文件 (choose a file)", [Fault("file", "is missing")])
    database, settings = state
    media_type = attachments.check_type(file.content_type or "")
    draft = await attachments.receive(settings.data_dir, chunks_of(file), media_type)
    try:
        async with database.unit_of_work() as session:
            name = name_of(file)
            await attachments.attach(session, case_id, who, draft, name, media_type, settings.data_dir)
    finally:
        attachments.discard(draft)


def name_of(file: UploadFile) -> str:
    """The name of a file that a browser sent, without any folder and without control signs."""
    plain = (file.filename or "").replace("\\", "/").rpartition("/")[2]
    return "".join(sign for sign in plain if sign.isprintable())[:200] or "-"


async def chunks_of(file: UploadFile) -> AsyncIterator[bytes]:
    """What a browser sent of a file, in pieces."""
    while chunk := await file.read(2**16):
        yield chunk


@router.post("/checks/{check_id}/cases/{case_id}/{step}")
async def decide(
    request: Request, state: State, check_id: PathKey, case_id: PathKey, step: str, who: Actor
) -> Response:
    """Take a step with a case; the service says whether this person may, and whether it stands so still."""
    taken = _STEPS.get(step)
    if taken is None:
        raise HTTPException(404, "no such step")
    await _of_check(state, check_id, case_id)
    form = await request.form()
    zone = state[1].zone

    async def verb(session: AsyncSession) -> Any:
        seen = str(form.get("seen", ""))
        given = _Given(form, zone, CaseState(seen) if seen in tuple(CaseState) else None)
        return await taken(session, case_id, who, given)

    return await _carried_out(request, state, check_id, f"case-{case_id}-{step}", verb, f"case-{case_id}")


@router.post("/checks/{check_id}/mitigations")
async def mitigate(request: Request, state: State, check_id: PathKey, who: Actor) -> Response:
    """Record what speaks for the unit."""
    form = await request.form()
    given = _Given(form, state[1].zone, None)

    async def verb(session: AsyncSession) -> Any:
        values = {name: form.get(name, "") for name in ("kind", "number", "note")} | {
            "at": given.moment("at")
        }
        body = read_form(MitigationIn, values, LABELS)
        return await mitigations.record(
            session, check_id, body.kind, body.at, who, number=body.number, note=body.note
        )

    return await _carried_out(request, state, check_id, "mitigate", verb, "mitigations")


@router.post("/checks/{check_id}/answers/{item_id}")
async def answer(request: Request, state: State, check_id: PathKey, item_id: PathKey, who: Actor) -> Response:
    """Say 是, 否 or 未核实 of something that was heard; a page with scripts swaps the row alone."""
    form = await request.form()
    values = {name: form.get(name, "") for name in ("answer", "note")}
    database, settings = state
    try:
        body = read_form(AnswerIn, values, LABELS)
        async with database.unit_of_work() as session:
            keys = await answer_keys(session, settings)
            item = await answers.verify(session, item_id, body.answer, who, body.note)
            row = shown(item, keys, who)
    except OfficeError as error:
        if "hx-request" in request.headers:
            raise HTTPException(error.status, spoken(error.detail)) from error
        return await check_page(request, check_id, trouble=trouble(f"answer-{item_id}", error, _typed(form)))
    if "hx-request" in request.headers:
        return render(
            request, "check/_answer.html", item=row, check_id=check_id, audible=True, zone=settings.zone
        )
    return _back(check_id, f"answers-{row.attempt_id}")


class _Given:
    """What the form of a step says."""

    def __init__(self, form: FormData, zone: ZoneInfo, seen: CaseState | None) -> None:
        self.form = form
        self.zone = zone
        self.seen = seen

    def values(self, *names: str) -> dict[str, Any]:
        """These fields; what was left empty and is no text is left out."""
        return {name: self.form.get(name, "") for name in names} | {"seen": self.seen}

    def filled(self, *names: str) -> dict[str, Any]:
        """These fields where something was entered."""
        return {name: self.form[name] for name in names if self.form.get(name)}

    def moment(self, name: str) -> str | None:
        """A local time of the form with its zone; None where it was left empty, the text itself where it is none."""
        text = str(self.form.get(name, "")).strip()
        try:
            return datetime.fromisoformat(text).replace(tzinfo=self.zone).isoformat() if text else None
        except ValueError:
            return text


async def _propose(session: AsyncSession, case_id: int, who: str, given: _Given) -> Any:
    values = given.values("code", "reason", "without_recording") | given.filled(
        "basis_manual_id", "admission_attachment_id"
    )
    body = read_form(schemas.ProposeIn, values | {"clauses": _cited(given.form)}, LABELS)
    return await service.propose(
        session,
        case_id,
        who,
        body.code,
        reason=body.reason,
        without_recording=body.without_recording,
        basis=service.Basis(body.basis_manual_id, body.admission_attachment_id),
        cited=[clause.model_dump() for clause in body.clauses],
        seen=body.seen,
    )


async def _notify(session: AsyncSession, case_id: int, who: str, given: _Given) -> Any:
    values = given.values("answer_to") | given.filled("working_days")
    body = read_form(schemas.NotifyIn, values, LABELS)
    return await service.notify(
        session, case_id, who, body.answer_to, given.zone, working_days=body.working_days, seen=body.seen
    )


async def _accept(session: AsyncSession, case_id: int, who: str, given: _Given) -> Any:
    body = read_form(schemas.AcceptIn, given.values("by", "words"), LABELS)
    return await service.accept(session, case_id, who, body.by, body.words, body.seen)


async def _dispute(session: AsyncSession, case_id: int, who: str, given: _Given) -> Any:
    chosen = [str(key) for key in given.form.getlist("attachment_ids")]
    values = given.values("by", "grounds") | {
        "received_at": given.moment("received_at"),
        "attachment_ids": chosen,
    }
    body = read_form(schemas.DisputeIn, values, LABELS)
    return await service.dispute(
        session,
        case_id,
        who,
        body.by,
        body.grounds,
        attachment_ids=body.attachment_ids,
        received_at=body.received_at,
        seen=body.seen,
    )


async def _confirm(session: AsyncSession, case_id: int, who: str, given: _Given) -> Any:
    body = read_form(schemas.ConfirmIn, given.values("reason"), LABELS)
    return await service.confirm(session, case_id, who, body.reason, body.seen)


async def _uphold(session: AsyncSession, case_id: int, who: str, given: _Given) -> Any:
    body = read_form(schemas.UpholdIn, given.values("reason"), LABELS)
    return await service.uphold(session, case_id, who, body.reason, body.seen)


async def _revoke(session: AsyncSession, case_id: int, who: str, given: _Given) -> Any:
    body = read_form(schemas.RevokeIn, given.values("cause", "reason"), LABELS)
    return await service.revoke(session, case_id, who, body.cause, body.reason, body.seen)


async def _overturn(session: AsyncSession, case_id: int, who: str, given: _Given) -> Any:
    body = read_form(schemas.RevokeIn, given.values("cause", "reason"), LABELS)
    return await service.overturn(session, case_id, who, body.cause, body.reason, body.seen)


async def _comment(session: AsyncSession, case_id: int, who: str, given: _Given) -> Any:
    body = read_form(schemas.CommentIn, given.values("words"), LABELS)
    return await service.comment(session, case_id, who, body.words, body.seen)


_STEPS: Mapping[str, Callable[[AsyncSession, int, str, _Given], Awaitable[Any]]] = {
    "propose": _propose,
    "notify": _notify,
    "accept": _accept,
    "dispute": _dispute,
    "confirm": _confirm,
    "uphold": _uphold,
    "revoke": _revoke,
    "overturn": _overturn,
    "comment": _comment,
}


def _cited(form: FormData) -> list[dict[str, Any]]:
    """The clause that a person cites; none where nothing of it was entered."""
    clause = {
        "source": form.get("clause_source", ""),
        "article": form.get("clause_article", ""),
        "words": form.get("clause_words", ""),
    }
    return [clause] if any(clause.values()) else []


async def _of_check(state: State, check_id: int, case_id: int) -> None:
    """Raises 404 for a case that is not of this check."""
    async with state[0].reading() as session:
        case = await reviews.case(session, case_id) if 0 < case_id < 2**63 else None
    if case is None or case.check_id != check_id:
        raise HTTPException(404, "no such case")


async def _carried_out(
    request: Request, state: State, check_id: int, name: str, verb: Verb, anchor: str
) -> Response:
    """Carry a form out and go back to its place; one that is refused stands there with what was typed."""
    try:
        async with state[0].unit_of_work() as session:
            await verb(session)
    except OfficeError as error:
        form = await request.form()
        return await check_page(request, check_id, trouble=trouble(name, error, _typed(form)))
    return _back(check_id, anchor)


def _typed(form: FormData) -> dict[str, str]:
    return {name: value for name, value in form.items() if isinstance(value, str) and name != "csrf"}


def _back(check_id: int, anchor: str) -> Response:
    return RedirectResponse(f"/checks/{check_id}#{anchor}", status_code=303)

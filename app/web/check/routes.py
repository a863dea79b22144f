"""一次抽查: one check with its attempts."""

from __future__ import annotations

from fastapi import APIRouter, Depends, HTTPException, Request
from starlette.responses import Response

from app.accounts.principal import current
from app.directory.routing import State
from app.errors import NotFoundError
from app.evidence.sight import sight_of
from app.reviews import repository as reviews
from app.reviews.states import Step
from app.web.check import steps
from app.web.check.page import check_page
from app.web.pages import render
from app.web.spoken import reader_speaks

READ = ["GET", "HEAD"]
router = APIRouter(include_in_schema=False, dependencies=[Depends(reader_speaks)])
router.include_router(steps.router)


@router.api_route("/checks/{check_id}", methods=READ)
async def show(request: Request, check_id: int) -> Response:
    """一次抽查: one check with its attempts, its cases, and what stands beside it."""
    return await check_page(request, check_id)


@router.api_route("/checks/{check_id}/body", methods=READ)
async def show_body(request: Request, check_id: int) -> Response:
    """The attempts alone, for the page of a call under way."""
    return await check_page(request, check_id, "check/_check.html")


@router.api_route("/checks/{check_id}/cases/{case_id}/notice", methods=READ)
async def show_notice(request: Request, state: State, check_id: int, case_id: int) -> Response:
    """核实通知单 as it was sent, on paper."""
    async with state[0].reading() as session:
        case = await reviews.case(session, case_id) if 0 < case_id < 2**63 else None
        sent = None if case is None else await reviews.last_event(session, case.id, Step.NOTIFY.value)
    if case is None or case.check_id != check_id or sent is None:
        error = NotFoundError(f"事项 {case_id} 尚未发出核实通知单 (no notice was sent yet)")
        raise HTTPException(404, error.detail)
    return render(
        request,
        "check/notice.html",
        notice=sent.content["notice"],
        check_id=check_id,
        told=sight_of(current()).reasons,
    )

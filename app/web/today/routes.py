"""今日待办: the first page after signing in."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from app.web.pages import render

router = APIRouter(include_in_schema=False)
READ = ["GET", "HEAD"]


@router.api_route("/", methods=READ)
async def first_page() -> Response:
    """今日待办 is the first page."""
    return RedirectResponse("/today", status_code=303)


@router.api_route("/today", methods=READ)
async def today_page(request: Request) -> Response:
    """What waits for who reads it."""
    return render(request, "today/today.html")

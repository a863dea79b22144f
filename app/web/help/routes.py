"""帮助: keys and ways of work, as a page and as the panel that opens with F1."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.web.pages import render

READ = ["GET", "HEAD"]
router = APIRouter(include_in_schema=False)


@router.api_route("/help", methods=READ)
async def help_page(request: Request) -> Response:
    """The keys of every page."""
    return render(request, "help/help.html")


@router.api_route("/help/panel", methods=READ)
async def help_panel(request: Request) -> Response:
    """The same, above any page."""
    return render(request, "help/_help.html")

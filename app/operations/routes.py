"""What machines ask about the service itself: alive, ready, figures."""

from __future__ import annotations

import asyncio

import structlog
from fastapi import APIRouter, Request
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import JSONResponse, PlainTextResponse, Response

from app.operations.metrics import MetricsBook, token_fits
from app.operations.readiness import Readiness, ready
from app.phone_keeper import PhoneKeeper
from app.settings import SettingError, Settings

log = structlog.get_logger(__name__)
router = APIRouter(include_in_schema=False)
READ = ["GET", "HEAD"]
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@router.api_route("/healthz", methods=READ)
async def healthz(request: Request) -> JSONResponse:
    """Whether the service works: 200, or 503 when the database does not answer or the phone does not come up."""
    keeper: PhoneKeeper | None = request.app.state.keeper
    told: dict[str, str | int | None] = {"database": "ok", "phone": "off"}
    if keeper is not None:
        told |= {
            "phone": keeper.state,
            "phone_starts": keeper.starts,
            "phone_last_status": keeper.last_status,
        }
    if request.app.state.transcriber is not None:
        # Without transcripts the service works all the same.
        told["transcriber"] = request.app.state.transcriber.told
    try:
        async with request.app.state.database.reading() as session:
            await session.execute(text("SELECT 1"))
    except SQLAlchemyError:
        log.exception("database does not answer")
        told["database"] = "failed"
    failed = told["database"] == "failed" or told["phone"] == "failing"
    return JSONResponse({"status": "failed" if failed else "ok"} | told, status_code=503 if failed else 200)


@router.api_route("/readyz", methods=READ)
async def readyz(request: Request) -> JSONResponse:
    """Whether it can do its work: 200, or 503 when a part cannot, each of them named."""
    readiness: Readiness = request.app.state.readiness
    told = await readiness.told(request.app.state.keeper)
    fine = ready(told)
    return JSONResponse({"status": "ready" if fine else "not ready"} | told, status_code=200 if fine else 503)


@router.api_route("/metrics", methods=READ)
async def metrics(request: Request) -> Response:
    """Figures for Prometheus, for whoever has the token; 404 where the settings name none."""
    settings: Settings = request.app.state.settings
    if settings.metrics_token_file is None:
        return PlainTextResponse("there are no metrics: DUTYRING_METRICS_TOKEN_FILE is not set\n", 404)
    kind, _, given = request.headers.get("authorization", "").partition(" ")
    try:
        fits = await asyncio.to_thread(token_fits, settings.metrics_token_file, given.strip())
    except SettingError as error:
        log.error("metrics", reason=str(error))
        return PlainTextResponse("the token cannot be read; see the log\n", 503)
    if kind.lower() != "bearer" or not fits:
        return PlainTextResponse("it takes the token\n", 401, headers={"WWW-Authenticate": "Bearer"})
    book: MetricsBook = request.app.state.metrics
    try:
        return Response(await book.text(), media_type=CONTENT_TYPE)
    except SQLAlchemyError:
        log.exception("metrics could not be gathered")
        return PlainTextResponse("the database does not answer\n", 503)

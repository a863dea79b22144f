"""The service: pages, JSON, and the phone process beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DataError
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.staticfiles import StaticFiles

import app.accounts.scope  # noqa: F401 - limits every query
from app.accounts import routes as accounts
from app.accounts.audit_chain import ChainKeeper
from app.accounts.gate import AccountDoorkeeper, Gate, authorise
from app.accounts.throttle import SignInLimits
from app.answers import routes as answers
from app.api.describe import describe
from app.api.guard import RequestGuard, TooLargeError
from app.checks import alarm_routes as alarms
from app.checks import mitigation_routes as mitigations
from app.checks import order_routes as orders
from app.checks import routes as checks
from app.checks import stop_routes as stops
from app.database import Database
from app.directory import routes as directory
from app.errors import OfficeError
from app.evidence import bundle_routes
from app.evidence import routes as evidence
from app.imports import routes as imports
from app.listening import routes as listening
from app.notices.sending import NoticeKeeper
from app.operations import routes as operations
from app.operations.metrics import MetricsBook
from app.operations.readiness import Readiness
from app.operations.requests import RequestFigures, RequestLog
from app.phone_keeper import PhoneKeeper
from app.phone_records import routes as phone_records
from app.planning import calendar_routes as calendar
from app.planning import routes as planning
from app.process_keeper import ProcessKeeper
from app.reports.keeper import ExportKeeper
from app.reviews import attachment_routes, publication_routes, score_routes
from app.reviews import routes as reviews
from app.rosters import routes as rosters
from app.rules import routes as rules
from app.samples import routes as samples
from app.settings import Settings, get_settings
from app.transcriber_keeper import TranscriberKeeper
from app.transcripts import routes as transcripts
from app.transcripts import search_routes
from app.trunks import routes as trunks
from app.web import pages
from app.web.account import routes as account_page
from app.web.accounts import routes as accounts_page
from app.web.audit import routes as audit_page
from app.web.calendar import routes as calendar_page
from app.web.check import routes as check_page
from app.web.checks import routes as checks_page
from app.web.designated import routes as designated_page
from app.web.help import routes as help_page
from app.web.i18n import KnowRoom
from app.web.live import routes as live_page
from app.web.manual import routes as manual_page
from app.web.overview import routes as overview_page
from app.web.phone_records import routes as phone_records_page
from app.web.plans import form_routes as plan_form
from app.web.plans import routes as plan_pages
from app.web.prompts import routes as prompts_page
from app.web.recordings import routes as recordings_page
from app.web.reports import routes as reports_page
from app.web.samples import routes as samples_page
from app.web.security import SecurityHeaders
from app.web.sign_in import links as sign_in_links
from app.web.sign_in import routes as sign_in
from app.web.stops import routes as stops_page
from app.web.stops.standing import KnowStops
from app.web.system import routes as system_page
from app.web.system import rules as rules_page
from app.web.today import routes as today_page
from app.web.units.pages import router as directory_pages
from recordings.copies import CopyMaker


def create_app(settings: Settings | None = None) -> FastAPI:
    """Make the service. Its database must be migrated; the phone process starts and ends with it."""
    settings = settings or get_settings()
    app = FastAPI(
        title="DutyRing",
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        dependencies=[Depends(authorise)],
    )
    app.state.settings = settings
    app.state.database = Database(settings.url)
    app.state.doorkeeper = AccountDoorkeeper(app.state.database, settings)
    app.state.sign_in_limits = SignInLimits(settings)
    app.state.keeper = PhoneKeeper(settings) if settings.phone_process else None
    app.state.copies = CopyMaker()
    app.state.transcriber = TranscriberKeeper(settings) if settings.phone_process else None
    app.state.notices = NoticeKeeper(
        app.state.database,
        settings,
        lambda: app.state.keeper is not None and app.state.keeper.failing,
    )
    app.state.figures = RequestFigures()
    app.state.readiness = Readiness(app.state.database, settings)
    app.state.metrics = MetricsBook(
        app.state.database,
        settings,
        app.state.figures,
        lambda: {"phone": app.state.keeper, "transcriber": app.state.transcriber},
    )
    app.state.exports = ExportKeeper(settings, app.state.database)
    describe(app)
    app.add_middleware(RequestGuard)
    app.add_middleware(KnowStops)
    app.add_middleware(KnowRoom)
    app.add_middleware(Gate)
    # As small as the highest level within a twentieth, in a quarter of its time.
    app.add_middleware(GZipMiddleware, minimum_size=1024, compresslevel=5)
    app.add_middleware(
        TrustedHostMiddleware, allowed_hosts=[_as_in_address(host) for host in settings.allowed_hosts]
    )
    app.add_middleware(SecurityHeaders)
    app.add_middleware(RequestLog)
    app.add_exception_handler(HTTPException, pages.on_http_error)
    app.add_exception_handler(RequestValidationError, pages.on_bad_request)
    app.add_exception_handler(OfficeError, pages.on_office_error)
    app.add_exception_handler(TooLargeError, pages.on_too_large)
    app.add_exception_handler(DataError, pages.on_unstorable)
    app.add_exception_handler(Exception, pages.on_failure)
    _add_ways(app)
    return app


def _add_ways(app: FastAPI) -> None:
    """Every way into the service; the table of doors says who may come by it."""
    app.mount("/static", StaticFiles(directory=pages.FOLDER / "static"), name="static")
    app.include_router(operations.router)
    app.include_router(checks.router)
    app.include_router(listening.router)
    app.include_router(bundle_routes.router)
    app.include_router(stops.router)
    app.include_router(alarms.router)
    app.include_router(orders.router)
    app.include_router(trunks.router)
    app.include_router(directory.router)
    app.include_router(imports.router)
    app.include_router(rosters.router)
    app.include_router(calendar.router)
    app.include_router(planning.router)
    for part in (reviews, attachment_routes, publication_routes, score_routes):
        app.include_router(part.router)
    app.include_router(rules.router)
    app.include_router(mitigations.router)
    app.include_router(evidence.router)
    app.include_router(answers.router)
    app.include_router(transcripts.router)
    app.include_router(search_routes.router)
    app.include_router(phone_records.router)
    app.include_router(accounts.router)
    app.include_router(samples.router)
    for page in (sign_in, today_page, checks_page, check_page, reports_page, system_page, rules_page):
        app.include_router(page.router)
    for page in (recordings_page, samples_page, phone_records_page):
        app.include_router(page.router)
    for page in (sign_in_links, account_page, accounts_page):
        app.include_router(page.router)
    app.include_router(audit_page.router)
    for page in (overview_page, live_page, stops_page, help_page):
        app.include_router(page.router)
    app.include_router(directory_pages)
    # The form goes before the pages of one plan: `new` is no key.
    for page in (plan_form, plan_pages, designated_page, manual_page, prompts_page, calendar_page):
        app.include_router(page.router)


def _as_in_address(host: str) -> str:
    """An IPv6 address stands in brackets where a browser names the host."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    kept: list[ProcessKeeper] = [
        keeper for keeper in (app.state.keeper, app.state.transcriber) if keeper is not None
    ]
    chain = ChainKeeper(app.state.database, app.state.settings)
    for keeper in kept:
        keeper.start()
    chain.start()
    app.state.exports.start()
    notices = asyncio.create_task(app.state.notices.run())
    try:
        yield
    finally:
        notices.cancel()
        await asyncio.gather(notices, return_exceptions=True)
        if app.state.keeper is not None and app.state.settings.stop_wait_s:
            app.state.keeper.begin_finish(app.state.settings.stop_wait_s)
        stopping = [keeper.stop() for keeper in kept]
        await asyncio.gather(*stopping, app.state.exports.stop(), app.state.copies.close())
        # What the last requests did is sealed too.
        await chain.stop()
        await app.state.database.close()

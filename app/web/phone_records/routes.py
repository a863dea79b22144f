"""电话记录单: the list, the form in which one is written, its versions and its signature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.datastructures import FormData, UploadFile
from starlette.responses import RedirectResponse, Response

from app import clock
from app.api.actor import Actor
from app.api.newest import Place
from app.api.paging import cut, pack, unpack
from app.directory.routing import PathKey, State
from app.errors import BadInputError, ConflictError, Fault, NotFoundError, OfficeError
from app.phone_records import form as paper
from app.phone_records import repository, service
from app.phone_records.bringing import begin_record, bring
from app.phone_records.models import PhoneRecord
from app.phone_records.repository import Narrowed
from app.phone_records.schemas import Change, NewRecord, Signing
from app.phone_records.sheet import SOURCES
from app.phone_records.sounds import KINDS_ZH, MOST_BYTES
from app.web import repository as page_queries
from app.web.check.steps import chunks_of, name_of
from app.web.pages import render
from app.web.phone_records import sheet_page
from app.web.spoken import Trouble, read_form, reader_speaks, spoken, trouble
from app.web.views import clock_time

READ = ["GET", "HEAD"]
PAGE_ROWS = 50
LABELS = dict(paper.LABELS) | {
    "called_at": "来电时间",
    "unit_id": "登记单位",
    "source": "来源",
    "version": "版本",
}
NOTHING_WRONG = Trouble("", "", 200)
FROM_OUTSIDE = ("number", "recorder", "office")
"""What is known of a call before anybody has heard its recording."""
STATES = {"draft": "未签", "signed": "已签"}
router = APIRouter(include_in_schema=False, dependencies=[Depends(reader_speaks)])


@dataclass(frozen=True, slots=True)
class Asked:
    """What the list was asked for, as it stands in the address."""

    status: str = ""
    source: str = ""
    unit: str = ""
    first: str = ""
    last: str = ""
    after: str = ""

    def query(self) -> str:
        """The filters, for an address."""
        names = ("status", "source", "unit", "first", "last")
        return urlencode({name: getattr(self, name) for name in names if getattr(self, name)})

    @property
    def unit_id(self) -> int | None:
        """The unit that is meant; None for none, and for what is no key."""
        return (
            int(self.unit) if self.unit.isascii() and self.unit.isdecimal() and len(self.unit) < 18 else None
        )

    async def narrowed(self, session: AsyncSession, zone: ZoneInfo) -> Narrowed:
        """The filters as the query takes them. Raises `BadInputError`, `NotFoundError` for an unknown unit."""
        head = None
        if self.unit_id is not None:
            head = await repository.unit(session, self.unit_id)
            if head is None:
                raise NotFoundError(f"没有单位 {self.unit_id} (no such unit)")
        return Narrowed(
            self.status if self.status in STATES else None,
            self.source if self.source in SOURCES else None,
            head,
            _begin(self.first, zone, 0),
            _begin(self.last, zone, 1),
        )


def _begin(text: str, zone: ZoneInfo, later: int) -> datetime | None:
    try:
        day = date.fromisoformat(text) if text else None
    except ValueError:
        day = date.min
    if day is None:
        return None
    if not 1970 <= day.year <= 2200:
        raise BadInputError("日期无法识别 (no day)")
    return datetime.combine(day + timedelta(days=later), time(), zone)


@router.api_route("/phone-records", methods=READ)
async def list_page(request: Request, state: State, asked: Annotated[Asked, Depends()]) -> Response:
    """Phone records, newest call first."""
    return await _list(request, state, asked)


async def _list(request: Request, state: State, asked: Asked, wrong: Trouble = NOTHING_WRONG) -> Response:
    database, settings = state
    rows: Sequence[PhoneRecord] = ()
    problem, status, last = wrong.detail, wrong.status, None
    async with database.reading() as session:
        try:
            place = _place(asked.after)
            narrowed = await asked.narrowed(session, settings.zone)
            rows, last = cut(await repository.page(session, narrowed, place, PAGE_ROWS + 1), PAGE_ROWS)
        except OfficeError as error:
            problem, status = spoken(error.detail), error.status
        units = await page_queries.unit_names(session)
    return render(
        request,
        "phone_records/list.html",
        status,
        records=[(row, service.newest(row), clock_time(row.called_at, settings.zone)) for row in rows],
        unchecked=lambda version: len(paper.unchecked(version.content)),
        asked=asked,
        units=units,
        states=STATES,
        sources=SOURCES,
        next_place="" if last is None else pack(last.called_at, last.id),
        problem=problem,
    )


def _place(after: str) -> Place | None:
    if not after:
        return None
    at, key = unpack(after, datetime, int)
    assert isinstance(at, datetime)
    assert isinstance(key, int)
    return Place(at, key)


@router.api_route("/phone-records/new", methods=READ)
async def new_page(request: Request, state: State) -> Response:
    """The form of a new record, and the one that brings a sound file."""
    return await _form(request, state, None)


async def _form(
    request: Request, state: State, record: PhoneRecord | None, wrong: Trouble = NOTHING_WRONG
) -> Response:
    database, settings = state
    async with database.reading() as session:
        units = await page_queries.unit_names(session)
    version = None if record is None else service.newest(record)
    content = {} if version is None else version.content
    at = clock.now() if record is None else record.called_at
    return render(
        request,
        "phone_records/form.html",
        wrong.status,
        record=record,
        version=version,
        fields=content.get("fields") or dict.fromkeys(paper.LABELS, ""),
        machine=content.get("machine") or {},
        labels=paper.LABELS,
        most=paper.MOST_SIGNS,
        unchecked=paper.UNCHECKED,
        called_at=at.astimezone(settings.zone).strftime("%Y-%m-%dT%H:%M"),
        units=units,
        sources=SOURCES,
        kinds=KINDS_ZH,
        most_mb=MOST_BYTES // 2**20,
        trouble=wrong,
        audible=record is not None and record.recording_id is not None and not content.get("withdrawn"),
    )


@router.post("/phone-records")
async def begin(request: Request, state: State, who: Actor) -> Response:
    """Begin a record by hand."""
    database, settings = state
    form = await request.form()
    typed = _typed(form)
    try:
        values: dict[str, Any] = {"fields": _fields(typed), "source": typed.get("source", "")}
        values |= {"called_at": _moment(typed.get("called_at", ""), settings.zone), **_unit(typed)}
        if typed.get("call_back"):
            values = {"call_back": typed["call_back"]}
        async with database.unit_of_work() as session:
            key = await begin_record(session, settings, read_form(NewRecord, values, LABELS), who)
    except OfficeError as error:
        return await _form(request, state, None, trouble("begin", error, typed))
    return RedirectResponse(f"/phone-records/{key}", status_code=303)


@router.post("/phone-records/from-sound")
async def begin_from_sound(request: Request, state: State, who: Actor) -> Response:
    """Bring the recording of a call that came in; the record is filled once its words are there."""
    typed: dict[str, str] = {}
    try:
        async with request.form() as form:
            typed = _typed(form)
            record = await _brought(state, form.get("file"), typed, who)
    except OfficeError as error:
        return await _form(request, state, None, trouble("sound", error, typed))
    return RedirectResponse(f"/phone-records/{record.id}", status_code=303)


async def _brought(state: State, file: object, typed: Mapping[str, str], who: str) -> PhoneRecord:
    database, settings = state
    if not isinstance(file, UploadFile) or not file.filename:
        raise BadInputError("请选择录音文件 (choose a sound file)", [Fault("file", "is missing")])
    kept = {name: text for name, text in _fields(typed).items() if name in FROM_OUTSIDE and text}
    moment = _moment(typed.get("called_at", ""), settings.zone)
    values = {"called_at": moment, "source": typed.get("source", ""), "fields": kept} | _unit(typed)
    body = read_form(NewRecord, values, LABELS)
    if body.called_at is None:
        raise BadInputError("须填写来电时间 (when the call came)", [Fault("called_at", "is missing")])
    given = service.Given(body.called_at, body.source, body.fields.given(), body.unit_id)
    return await bring(database, settings, chunks_of(file), name_of(file), given, who)


@router.api_route("/phone-records/{record_id}/edit", methods=READ)
async def edit_page(request: Request, state: State, record_id: int) -> Response:
    """The form of a draft."""
    return await _form(request, state, await sheet_page.read(state, record_id))


@router.post("/phone-records/{record_id}")
async def write(request: Request, state: State, record_id: PathKey, who: Actor) -> Response:
    """Write a further version of a draft: only what was changed, and what the person says was checked."""
    database, settings = state
    form = await request.form()
    typed = _typed(form)
    record = await sheet_page.read(state, record_id)
    before = service.newest(record).content["fields"]
    fields = _fields(typed)
    changed = {name: text for name, text in fields.items() if text != before.get(name, "")}
    try:
        moment = _moment(typed.get("called_at", ""), settings.zone)
        values = {"version": typed.get("version", ""), "fields": changed, "checked": form.getlist("checked")}
        body = read_form(Change, values | {"called_at": moment} | _unit(typed), LABELS)
        at = None if body.called_at == record.called_at.replace(second=0, microsecond=0) else body.called_at
        if not changed and not body.checked and at is None and body.unit_id is None:
            raise ConflictError("没有任何修改 (nothing is changed)")
        async with database.unit_of_work() as session:
            await service.write(
                session,
                record_id,
                body.version,
                body.fields.given(),
                who,
                checked=body.checked,
                unit_id=body.unit_id,
                called_at=at,
            )
    except OfficeError as error:
        return await _form(
            request, state, await sheet_page.read(state, record_id), trouble("write", error, typed)
        )
    return RedirectResponse(f"/phone-records/{record_id}", status_code=303)


@router.post("/phone-records/{record_id}/sign")
async def sign(request: Request, state: State, record_id: PathKey, who: Actor) -> Response:
    """Sign the version that the person has before them."""
    form = await request.form()
    try:
        body = read_form(Signing, {"version": form.get("version", "")}, LABELS)
        async with state[0].unit_of_work() as session:
            await service.sign(session, record_id, body.version, who)
    except OfficeError as error:
        return await sheet_page.sheet_page(request, state, record_id, trouble("sign", error, {}))
    return RedirectResponse(f"/phone-records/{record_id}", status_code=303)


@router.post("/phone-records/{record_id}/correct")
async def correct(request: Request, state: State, record_id: PathKey, who: Actor) -> Response:
    """Begin the record that puts a signed one right."""
    database, settings = state
    try:
        async with database.unit_of_work() as session:
            made = (await service.correct(session, record_id, settings, who)).id
    except OfficeError as error:
        return await sheet_page.sheet_page(request, state, record_id, trouble("correct", error, {}))
    return RedirectResponse(f"/phone-records/{made}/edit", status_code=303)


def _typed(form: FormData) -> dict[str, str]:
    return {name: value for name, value in form.items() if isinstance(value, str) and name != "csrf"}


def _fields(typed: Mapping[str, str]) -> dict[str, str]:
    """The fields of the paper that a form brought; a day that was left empty is none. Browsers end lines with CR LF."""
    return {
        name: typed[name].replace("\r\n", "\n")
        for name in paper.LABELS
        if name in typed and (name != "day" or typed[name])
    }


def _unit(typed: Mapping[str, str]) -> dict[str, Any]:
    return {"unit_id": typed["unit_id"]} if typed.get("unit_id") else {}


def _moment(text: str, zone: ZoneInfo) -> str | None:
    """A local time of the form with its zone; None where none was entered, what was entered where it is none."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=zone).isoformat() if text.strip() else None
    except ValueError:
        return text


router.include_router(sheet_page.router)

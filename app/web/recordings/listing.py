"""The list of recordings: by unit, time, verdict and retention, or by what is said in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape
from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.api.paging import cut, pack, unpack
from app.checks import repository as checks
from app.checks.repository import Cursor, ListFilter
from app.checks.rules import CODES
from app.directory.models import Unit
from app.errors import BadInputError
from app.evidence import repository, views
from app.evidence.holding import KIND_ZH
from app.evidence.repository import Kept, RecordingFilter
from app.evidence.schemas import KeptOut
from app.phone_records.models import PhoneRecord
from app.reviews.codes import title_of
from app.reviews.repository import units_named
from app.transcripts import search_repository, search_service
from app.transcripts.search_schemas import HitOut, page_out
from app.web.views import clock_time

PAGE_ROWS = 50
SOON = timedelta(days=30)
GONE_ZH = {"expired": "期满已删除", "removed": "已提前删除", "withdrawn": "已封存"}
KEEPING = {"held": "有保留", "soon": "三十天内到期", "due": "已到期待删除", "gone": "已删除或封存"}


@dataclass(frozen=True, slots=True)
class Asked:
    """What the list was asked for, as it stands in the address."""

    q: str = ""
    unit: str = ""
    first: str = ""
    last: str = ""
    verdict: str = ""
    keeping: str = ""
    after: str = ""

    def query(self) -> str:
        """The filters, for an address."""
        names = ("q", "unit", "first", "last", "verdict", "keeping")
        return urlencode({name: getattr(self, name) for name in names if getattr(self, name)})

    @property
    def unit_id(self) -> int | None:
        """The unit that is meant; None for none, and for what is no key."""
        return (
            int(self.unit) if self.unit.isascii() and self.unit.isdecimal() and len(self.unit) < 18 else None
        )

    def span(self, zone: ZoneInfo) -> tuple[datetime | None, datetime | None]:
        """The days as moments, from the first until after the last. Raises `BadInputError`."""
        first, last = _day(self.first, "first"), _day(self.last, "last")
        return (
            None if first is None else datetime.combine(first, time(), zone),
            None if last is None else datetime.combine(last + timedelta(days=1), time(), zone),
        )


def _day(text: str, name: str) -> date | None:
    try:
        found = date.fromisoformat(text) if text else None
    except ValueError:
        found = date.min
    if found is not None and not 1970 <= found.year <= 2200:
        label = {"first": "起始日期", "last": "截止日期"}[name]
        raise BadInputError(f"{label}无法识别 ({name} is no day)")
    return found


@dataclass(frozen=True, slots=True)
class Line:
    """One recording of the list."""

    id: int
    at: str
    title: str
    """Whose call it is."""
    link: str
    """The check, or the phone record; empty: neither is there."""
    seconds: float
    verdict: str
    """Of the call, in Chinese, as the list of records has it; empty: there is none."""
    keep_until: str
    held: Sequence[str]
    gone: str
    """How it went; empty: its sound is there."""
    hits: Sequence[tuple[HitOut, Markup]] = ()
    more: int = 0


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of the list."""

    lines: Sequence[Line]
    next: str
    notice: str = ""


async def listed(session: AsyncSession, asked: Asked, zone: ZoneInfo) -> Listed:
    """Return a page. Raises `BadInputError` for days and places that cannot be read."""
    since, until = asked.span(zone)
    now = clock.now()
    if asked.verdict in CODES or (asked.unit_id is not None and not asked.keeping):
        found, place = await _of_calls(session, asked, since, until)
    else:
        found, place = await _of_recordings(session, asked, since, until, now)
    return Listed(await _lines(session, await views.rows(session, found, now), zone), place)


async def _of_calls(
    session: AsyncSession, asked: Asked, since: datetime | None, until: datetime | None
) -> tuple[Sequence[Kept], str]:
    """By unit and verdict, through the indices of the calls. What came in from outside has no verdict."""
    place = place_of(asked.after)
    narrowed = ListFilter(
        asked.unit_id, asked.verdict if asked.verdict in CODES else None, since=since, until=until
    )
    cursor = None if place is None else Cursor(*place)
    rows, end = cut(await checks.page(session, narrowed, cursor, PAGE_ROWS + 1), PAGE_ROWS)
    found = await repository.of_attempts(session, [attempt.id for attempt in rows])
    return found, "" if end is None else pack(end.claimed_at, end.id)


async def _of_recordings(
    session: AsyncSession, asked: Asked, since: datetime | None, until: datetime | None, now: datetime
) -> tuple[Sequence[Kept], str]:
    head = None if asked.unit_id is None else await session.get(Unit, asked.unit_id)
    if asked.unit_id is not None and head is None:
        return (), ""
    due = {"soon": now + SOON, "due": now}.get(asked.keeping)
    wanted = RecordingFilter(
        head,
        since,
        until,
        held=True if asked.keeping == "held" else None,
        gone=True if asked.keeping == "gone" else None,
        due_at=due,
    )
    rows, end = cut(
        await repository.page(session, wanted, now, place_of(asked.after), PAGE_ROWS + 1), PAGE_ROWS
    )
    return rows, "" if end is None else pack(end.recording.created_at, end.recording.id)


def place_of(after: str) -> tuple[datetime, int] | None:
    """Read a place of the list; None for its beginning. Raises `BadInputError`."""
    if not after:
        return None
    at, key = unpack(after, datetime, int)
    assert isinstance(at, datetime)
    assert isinstance(key, int)
    return at, key


async def _lines(session: AsyncSession, rows: Sequence[KeptOut], zone: ZoneInfo) -> list[Line]:
    units = await units_named(session, [row.unit_id for row in rows if row.unit_id is not None])
    reports = await search_repository.phone_records(session, [row.id for row in rows if row.kind == "report"])
    codes = await checks.verdict_codes(
        session, [row.attempt_id for row in rows if row.attempt_id is not None]
    )
    return [_line(row, units, reports, codes.get(row.attempt_id or 0), zone) for row in rows]


def _line(
    row: KeptOut,
    units: Mapping[int, Unit],
    reports: Mapping[int, PhoneRecord],
    code: str | None,
    zone: ZoneInfo,
) -> Line:
    report = reports.get(row.id)
    unit = units.get(row.unit_id or 0)
    of_check = f"/checks/{row.check_id}#attempt-{row.attempt_id}"
    of_report = f"/phone-records/{report.id}" if report is not None else ""
    return Line(
        id=row.id,
        at=clock_time(row.created_at, zone),
        title=unit.name if unit is not None else f"电话记录单 {report.number}" if report is not None else "",
        link=of_check if row.check_id is not None else of_report,
        seconds=row.duration_ms / 1000,
        verdict=_verdict(code) if code is not None else "",
        keep_until="" if row.keep_until is None else clock_time(row.keep_until, zone)[:10],
        held=[KIND_ZH.get(ground.kind, ground.kind) for ground in row.held_by],
        gone="" if row.gone is None else GONE_ZH[row.gone.why],
    )


def _verdict(code: str) -> str:
    found = CODES.get(code)  # type: ignore[call-overload]
    return found.zh if found is not None else title_of(code)


async def searched(session: AsyncSession, found: search_service.Found, zone: ZoneInfo) -> Listed:
    """What a search found, as lines of the list."""
    told = page_out(found, None)
    kept = await repository.some(session, [item.recording_id for item in told.items])
    rows = await views.rows(session, kept, clock.now())
    by_key = {line.id: line for line in await _lines(session, rows, zone)}
    lines = []
    for item in told.items:
        plain = by_key.get(item.recording_id)
        if plain is not None:
            hits = [(hit, marked(hit)) for hit in item.hits]
            lines.append(_with(plain, hits, item.more_hits, item.unit.name if item.unit else ""))
    place = "" if found.next is None else pack(found.next.at, found.next.key)
    return Listed(lines, place, found.notice)


def _with(line: Line, hits: Sequence[tuple[HitOut, Markup]], more: int, unit: str) -> Line:
    return Line(
        line.id, line.at, unit or line.title, line.link, line.seconds, line.verdict, line.keep_until, line.held,
        line.gone, hits, more,
    )  # fmt: skip


def marked(hit: HitOut) -> Markup:
    """A snippet in which what was looked for is marked; everything else in it is text."""
    parts, place = Markup(""), 0
    for start, end in hit.marks:
        parts += escape(hit.snippet[place:start]) + Markup("<mark>") + escape(hit.snippet[start:end])
        parts += Markup("</mark>")
        place = end
    return parts + escape(hit.snippet[place:])

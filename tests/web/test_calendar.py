"""The calendar: shipped data, entries, sensitive periods, files, and what each day was before a change."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import httpx
import pytest
from sqlalchemy import func, select

from app import clock
from app.accounts.models import AuditEvent
from app.checks import alarms
from app.database import Database
from app.errors import BadInputError, NotFoundError
from app.planning import calendar_csv, calendar_repository, calendar_seed, calendar_service
from app.planning.calendar import CalendarBook, DayInfo, load_book, warning
from app.planning.calendar_service import Author, Changed, Entry
from app.planning.models import CalendarChange, CalendarDay
from app.settings import Settings
from tests.web.apps import make_app

TODAY = date(2026, 3, 2)
NOW = datetime(2026, 3, 2, 4, tzinfo=UTC)
WHO = Author("王主任", TODAY)
WITH_REASON = Author("王主任", TODAY, "通知更正")


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def hand() -> Iterator[Clock]:
    watch = Clock()
    with clock.running(watch):
        yield watch


async def test_shipped_data_name_holidays_lieu_days_and_worked_weekends(either: Database) -> None:
    async with either.unit_of_work() as session:
        changed = await calendar_service.seed(session, [2026], WHO)
    assert changed == Changed(added=365)
    async with either.reading() as session:
        book = await load_book(session, date(2026, 1, 1), date(2027, 1, 3))
    told = {day: (book.day(day).kind, book.day(day).name) for day in book.days}
    assert told[date(2026, 10, 1)] == ("holiday", "国庆节")
    # 国庆 is three statutory days; the 6th and 7th are given for the 20th of September and the 10th of October.
    assert told[date(2026, 10, 6)] == told[date(2026, 10, 7)] == ("lieu_day", "国庆节")
    assert told[date(2026, 9, 20)] == told[date(2026, 10, 10)] == ("makeup_workday", "国庆节")
    assert told[date(2026, 3, 1)] == ("weekend", "")
    assert told[date(2026, 3, 2)] == ("workday", "")
    # Beyond the data the weekend rule, and it says so.
    assert book.day(date(2027, 1, 1)) == DayInfo(date(2027, 1, 1), "workday", False, "", False)
    assert book.day(date(2027, 1, 2)).kind == "weekend"
    assert book.unknown(date(2026, 12, 30), date(2027, 1, 2)) == (date(2027, 1, 1), date(2027, 1, 2))
    said = warning(book, date(2026, 12, 30), date(2027, 1, 2))
    assert said is not None
    assert "2 天" in said
    assert "2027-01-01 至 2027-01-02" in said
    assert warning(book, date(2026, 1, 1), date(2026, 12, 31)) is None


async def test_a_seed_leaves_what_was_entered_or_imported(either: Database) -> None:
    """It fills in days that were only marked, and follows the data where they stand as seeded before."""
    async with either.unit_of_work() as session:
        await calendar_service.set_day(session, date(2026, 10, 6), Entry("workday", "本地安排"), WHO)
        await calendar_service.import_days(session, {date(2026, 10, 7): Entry("weekend")}, WHO)
        await calendar_service.mark_sensitive(session, date(2026, 10, 1), date(2026, 10, 2), "演练", WHO)
        first = await calendar_service.seed(session, [2026], WHO)
        # A later version of the data calls a day something else.
        row = await session.get(CalendarDay, date(2026, 6, 1))
        assert row is not None
        row.kind = "holiday"
        again = await calendar_service.seed(session, [2026], WHO)
    assert first == Changed(added=361, changed=2, kept=2)
    assert again == Changed(changed=1, same=362, kept=2)
    async with either.reading() as session:
        book = await load_book(session, date(2026, 1, 1), date(2026, 12, 31))
    assert book.day(date(2026, 10, 6)) == DayInfo(date(2026, 10, 6), "workday", False, "本地安排", True)
    assert book.day(date(2026, 10, 7)).kind == "weekend"
    assert book.day(date(2026, 10, 1)) == DayInfo(date(2026, 10, 1), "holiday", True, "国庆节、演练", True)
    assert book.day(date(2026, 6, 1)).kind == "workday"


async def test_a_start_seeds_what_is_missing_once(either: Database) -> None:
    last = calendar_seed.years()[-1]
    today = date(last, 11, 26)
    async with either.unit_of_work() as session:
        first = await calendar_service.seed_missing(session, today)
        await calendar_service.clear_day(session, date(last, 12, 30), Author("王主任", today))
        again = await calendar_service.seed_missing(session, today)
    assert first.added == sum((date(year + 1, 1, 1) - date(year, 1, 1)).days for year in (last - 1, last))
    assert again == Changed()


async def test_the_service_keeps_the_calendar_up(either: Database) -> None:
    """At its start and each hour: by local days, of which the year's first begins while UTC is a day behind."""
    last = calendar_seed.years()[-1]
    keep_up = calendar_service.keep_up(ZoneInfo("Asia/Shanghai"))
    new_year = datetime(last, 12, 31, 16, 30, tzinfo=UTC)
    for _ in range(2):
        async with either.unit_of_work() as session:
            await keep_up(session, new_year)
    async with either.reading() as session:
        (alarm,) = await alarms.standing(session, "calendar_ending")
        days = (await session.scalars(select(CalendarDay.day).order_by(CalendarDay.day))).all()
    assert f"{last + 1}-01-01" in alarm.detail
    assert (days[0], days[-1]) == (date(last, 1, 1), date(last, 12, 31))


async def test_a_year_beyond_the_data_is_refused(database: Database) -> None:
    async with database.unit_of_work() as session:
        with pytest.raises(BadInputError, match="no shipped data of 2199") as refused:
            await calendar_service.seed(session, [2199], WHO)
    assert refused.value.faults[0].where == "years"


async def test_a_sensitive_mark_keeps_the_kind_and_its_being_unknown(either: Database) -> None:
    first, last = date(2027, 1, 1), date(2027, 1, 2)
    async with either.unit_of_work() as session:
        assert await calendar_service.mark_sensitive(session, first, last, "两会", WHO) == Changed(added=2)
    async with either.reading() as session:
        book = await load_book(session, first, last)
    assert book.day(last) == DayInfo(last, "weekend", True, "两会", False)
    assert book.unknown(first, last) == (first, last)
    async with either.unit_of_work() as session:
        taken = await calendar_service.mark_sensitive(
            session, first, last + timedelta(days=9), "", WHO, sensitive=False
        )
    assert taken == Changed(changed=2)
    async with either.reading() as session:
        assert await calendar_repository.days(session, first, last) == []


async def test_a_day_is_judged_as_it_stood_at_the_call(either: Database, hand: Clock) -> None:
    day = date(2026, 3, 1)
    moments = []
    for entry in (Entry("weekend"), Entry("workday", "", True, "防汛"), Entry("holiday", "补假")):
        moments.append(hand.now - timedelta(minutes=1))
        async with either.unit_of_work() as session:
            await calendar_service.set_day(session, day, entry, WITH_REASON)
        hand.now += timedelta(hours=1)
    moments.append(hand.now - timedelta(minutes=1))
    async with either.unit_of_work() as session:
        await calendar_service.clear_day(session, day, WITH_REASON)
    async with either.reading() as session:
        told = [(await load_book(session, day, day, at)).day(day) for at in moments]
        present = (await load_book(session, day, day)).day(day)
    assert told == [
        DayInfo(day, "weekend", False, "", False),
        DayInfo(day, "weekend", False, "", True),
        DayInfo(day, "workday", True, "防汛", True),
        DayInfo(day, "holiday", False, "补假", True),
    ]
    assert present == DayInfo(day, "weekend")


async def test_the_past_is_changed_with_a_reason_alone(either: Database) -> None:
    yesterday = TODAY - timedelta(days=1)
    async with either.unit_of_work() as session:
        with pytest.raises(BadInputError, match="2026-03-01") as refused:
            await calendar_service.set_day(session, yesterday, Entry("workday"), WHO)
    assert refused.value.faults[0].where == "reason"
    async with either.unit_of_work() as session:
        await calendar_service.set_day(session, yesterday, Entry("workday"), WITH_REASON)
        await calendar_service.set_day(session, TODAY, Entry("holiday"), WHO)
        # What changes nothing needs none.
        await calendar_service.set_day(session, yesterday, Entry("workday"), WHO)
    async with either.reading() as session:
        changes = (await session.scalars(select(CalendarChange).order_by(CalendarChange.id))).all()
        audited = (
            await session.scalars(select(AuditEvent.subject).where(AuditEvent.action == "calendar_set"))
        ).all()
    assert [(change.day, change.reason, change.before) for change in changes] == [
        (yesterday, "通知更正", None),
        (TODAY, "", None),
    ]
    assert audited == [f"calendar:{yesterday}", f"calendar:{TODAY}"]


async def test_what_was_never_entered_cannot_be_taken_out(database: Database) -> None:
    async with database.unit_of_work() as session:
        with pytest.raises(NotFoundError, match="2026-05-01"):
            await calendar_service.clear_day(session, date(2026, 5, 1), WHO)


async def test_the_office_hears_of_the_end_sixty_days_before(either: Database) -> None:
    async with either.unit_of_work() as session:
        await calendar_service.seed(session, [2026], WHO)
        assert await calendar_service.watch_end(session, date(2026, 11, 1)) is None
        assert await alarms.standing(session, "calendar_ending") == []
        assert await calendar_service.watch_end(session, date(2026, 11, 2)) == date(2027, 1, 1)
        (alarm,) = await alarms.standing(session, "calendar_ending")
        assert "2027-01-01" in alarm.detail
        days = {date(2027, 1, 1) + timedelta(days=n): Entry("workday") for n in range(5)}
        await calendar_service.import_days(session, days, WHO)
        assert await calendar_service.watch_end(session, date(2026, 11, 3)) is None
        assert await alarms.standing(session, "calendar_ending") == []


def test_a_text_that_looks_like_a_formula_is_exported_as_text() -> None:
    told = ("=1+1", "＋SUM(A1)", "'@x", "- 注")
    days = [
        CalendarDay(day=date(2027, 3, number), kind="workday", known=True, sensitive=True, name=text,
            sensitive_name=text, note=text)
        for number, text in enumerate(told, 1)
    ]  # fmt: skip
    written = calendar_csv.write(days)
    cells = list(csv.reader(io.StringIO(written)))[1:]
    assert [cell[:1] for line in cells for cell in line[3:]] == ["'"] * 12
    entries = calendar_csv.read(written.encode())
    assert [(entry.name, entry.sensitive_name, entry.note) for entry in entries.values()] == [
        (text, text, text) for text in told
    ]


async def test_what_is_exported_is_read_again_and_changes_nothing(either: Database) -> None:
    async with either.unit_of_work() as session:
        await calendar_service.seed(session, [2026], WHO)
        entry = Entry("workday", '元旦 "加班", 二', True, "两会", "一行\r\n两行")
        await calendar_service.set_day(session, date(2027, 1, 3), entry, WHO)
        await calendar_service.mark_sensitive(session, date(2027, 2, 1), date(2027, 2, 1), "", WHO)
        rows = await calendar_repository.days(session, date(2026, 1, 1), date(2027, 12, 31))
        entries = calendar_csv.read(calendar_csv.write(rows).encode())
        assert len(entries) == 367
        assert entries[date(2027, 1, 3)] == entry
        assert await calendar_service.compare(session, entries) == Changed(same=367)
        assert await calendar_service.import_days(session, entries, WHO) == Changed(same=367)
        count = await session.scalar(select(func.count()).select_from(CalendarChange))
    assert count == 367


def test_a_file_in_gbk_with_chinese_kinds_is_read() -> None:
    text = "kind,day,sensitive,name\r\n调休工作日,2027-02-06,是,春节\r\n,2027-02-07,否,\r\n\r\n"
    assert calendar_csv.read(text.encode("gbk")) == {
        date(2027, 2, 6): Entry("makeup_workday", "春节", True),
        date(2027, 2, 7): Entry(None),
    }


def test_every_wrong_line_is_named() -> None:
    text = (
        "day,kind,sensitive,name\n"
        "2027-02-30,workday,no,\n"
        "2027-02-01,节日,maybe,=1+1\n"
        "2027-02-02,workday,no,春节,多\n"
        "2027-02-03,workday,no,\n"
        "2027-02-03,weekend,no,\n"
        f"2027-02-04,workday,no,{'长' * 81}\n"
        "1492-02-04,workday,no,\n"
        "20270205,workday,no,\n"
    )
    with pytest.raises(BadInputError) as refused:
        calendar_csv.read(text.encode())
    assert [fault.where for fault in refused.value.faults] == [
        "line 2, day",
        "line 3, kind",
        "line 3, sensitive",
        "line 3, name",
        "line 4",
        "line 6, day",
        "line 7, name",
        "line 8, day",
        "line 9, day",
    ]
    assert "'节日'" in refused.value.faults[1].message


@pytest.mark.parametrize(
    ("content", "where"),
    [
        (b"", "line 1"),
        (b"date,kind\n", "line 1"),
        (b"day,kind,kind\n", "line 1"),
        (b"day,kind\n", "file"),
        (b'day,kind\n2027-01-01,"workday\n', "line 2"),
        (b"\xff\xfe\xff", "file"),
        (b"day,kind\n" + b"x" * 1_000_000, "file"),
        (b"day,kind\n2027-01-01,work\x00day\n", "line 2, kind"),
    ],
)
def test_what_is_no_file_of_days_is_refused(content: bytes, where: str) -> None:
    with pytest.raises(BadInputError) as refused:
        calendar_csv.read(content)
    assert refused.value.faults[0].where == where


# --- over the API ---


@pytest.fixture
async def client(either_settings: Settings, either: Database) -> AsyncIterator[httpx.AsyncClient]:
    settings = either_settings.model_copy(update={"phone_process": False, "allowed_hosts": ("testserver",)})
    app = make_app(settings)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"X-DutyRing-Actor": "%E7%8E%8B"}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://testserver", headers=headers
    ) as opened:
        yield opened
    await app.state.database.close()


async def test_the_api_shows_seeds_marks_and_changes_days(client: httpx.AsyncClient, hand: Clock) -> None:
    seeded = await client.post("/api/v1/calendar/seed", json={"years": [2026]})
    assert seeded.json() == {"added": 365, "changed": 0, "same": 0, "kept": 0}
    body = {"first_day": "2026-12-30", "last_day": "2027-01-01", "name": "跨年保障"}
    marked = await client.post("/api/v1/calendar/sensitive", json=body)
    assert marked.json() == {"added": 1, "changed": 2, "same": 0, "kept": 0}
    span = await client.get("/api/v1/calendar", params={"first": "2026-12-31", "last": "2027-01-03"})
    told = span.json()
    assert told["days"][0] == {
        "day": "2026-12-31",
        "kind": "workday",
        "kind_zh": "工作日",
        "sensitive": True,
        "name": "跨年保障",
        "known": True,
    }
    assert told["unknown"] == [{"first": "2027-01-01", "last": "2027-01-03"}]
    assert "3 天" in told["warning"]
    put = await client.put("/api/v1/calendar/2027-01-01", json={"kind": "holiday", "name": "元旦"})
    assert put.status_code == 200
    detail = (await client.get("/api/v1/calendar/2027-01-01")).json()
    assert (detail["kind"], detail["sensitive"], detail["source"]) == ("holiday", False, "entered")
    assert [change["changed_by"] for change in detail["changes"]] == ["王", "王"]
    assert detail["changes"][0]["before"]["sensitive_name"] == "跨年保障"
    gone = await client.delete("/api/v1/calendar/2027-01-01")
    assert (gone.status_code, gone.json()["known"]) == (200, False)
    assert (await client.delete("/api/v1/calendar/2027-01-01")).status_code == 404


async def test_the_api_takes_files_and_gives_them(client: httpx.AsyncClient, hand: Clock) -> None:
    content = "day,kind,sensitive,name\n2027-01-01,holiday,no,元旦\n2027-01-02,weekend,yes,\n".encode()
    preview = await client.post("/api/v1/calendar/import", params={"preview": True}, content=content)
    assert preview.json() == {"added": 2, "changed": 0, "same": 0, "kept": 0}
    assert (await client.get("/api/v1/calendar/2027-01-01")).json()["known"] is False
    assert (await client.post("/api/v1/calendar/import", content=content)).json()["added"] == 2
    exported = await client.get("/api/v1/calendar/export", params={"first": "2027-01-01"})
    assert exported.content.startswith("\ufeffday,kind".encode())
    again = await client.post("/api/v1/calendar/import", content=exported.content)
    assert again.json() == {"added": 0, "changed": 0, "same": 2, "kept": 0}
    old = b"day,kind\n2026-03-01,workday\n"
    refused = await client.post("/api/v1/calendar/import", content=old)
    assert (refused.status_code, refused.json()["errors"][0]["where"]) == (422, "reason")
    assert (await client.post("/api/v1/calendar/import", content=old, params={"reason": "更正"})).json()[
        "added"
    ] == 1
    too_long = await client.post("/api/v1/calendar/import", content=b"x" * 1_000_001)
    assert too_long.status_code == 422


WRONG: list[tuple[str, str, object, str]] = [
    ("GET", "?first=2026-02-01&last=2026-01-01", None, "last"),
    ("GET", "?first=2026-01-01&last=2028-01-01", None, "last"),
    ("GET", "?first=0001-01-01", None, "query.first"),
    ("GET", "/9999-12-31", None, "path.day"),
    ("GET", "/export?first=2027-01-01&last=2026-01-01", None, "last"),
    ("PUT", "/2027-01-01", {"kind": "feast"}, "body.kind"),
    ("PUT", "/2027-01-01", {"kind": "holiday", "name": "=cmd()"}, "body.name"),
    ("PUT", "/2027-01-01", {"kind": "holiday", "name": "a\0"}, "body.name"),
    ("PUT", "/2026-01-01", {"kind": "holiday"}, "reason"),
    ("POST", "/sensitive", {"first_day": "2027-01-02", "last_day": "2027-01-01"}, "last_day"),
    ("POST", "/sensitive", {"first_day": "2027-01-02", "last_day": "2029-01-01"}, "last_day"),
    ("POST", "/seed", {"years": [2150]}, "years"),
]


async def test_the_api_names_the_member_that_is_wrong(client: httpx.AsyncClient, hand: Clock) -> None:
    for method, path, given, where in WRONG:
        answer = await client.request(method, f"/api/v1/calendar{path}", json=given)
        assert (path, answer.status_code) == (path, 422)
        assert answer.json()["errors"][0]["where"] == where


def test_a_book_without_days_knows_the_weekend() -> None:
    book = CalendarBook()
    assert [book.day(date(2026, 2, 27) + timedelta(days=n)).kind for n in range(4)] == [
        "workday",
        "weekend",
        "weekend",
        "workday",
    ]

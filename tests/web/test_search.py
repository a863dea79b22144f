"""The search in what was said, on both databases."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, update

from app.accounts.models import AuditEvent
from app.checks.models import Recording
from app.database import Database
from app.directory import service as directory
from app.directory.models import DutyLine
from app.errors import BadInputError
from app.phone_records.models import PhoneRecord
from app.settings import Settings
from app.transcripts import search, search_repository
from app.transcripts.models import Transcription, TranscriptPiece
from app.transcripts.search_schemas import page_out
from app.transcripts.search_service import Found, Query
from app.transcripts.search_service import search as look
from app.transcripts.search_words import find, read_query
from app.trunks.models import PolicyNumber
from tests.web.api import ask, client_of
from tests.web.orders import add_line
from tests.web.searching import MOMENT, add_call, add_report, say

KEY = "0954-2032188"


async def found(database: Database, settings: Settings, text: str, **narrowed: Any) -> Found:
    async with database.reading() as session:
        return await look(session, settings, Query(text, **narrowed))


async def said(database: Database, settings: Settings, text: str, **narrowed: Any) -> list[list[str]]:
    """The marked words of each result."""
    results = (await found(database, settings, text, **narrowed)).results
    return [[hit.snippet[start:end] for hit in result.hits for start, end in hit.marks] for result in results]


async def three_calls(database: Database) -> list[Recording]:
    """Calls to three units, a minute apart; the third is below the first."""
    async with database.unit_of_work() as session:
        head, line = await add_line(session, 1, name="云溪县水利局")
        _, second = await add_line(session, 2, name="云溪县林业局")
        below = await directory.add_unit(session, "003", "水利局防汛办", parent=head)
        third = await directory.add_line(session, below, "0000-5550003", "sip:3@127.0.0.1:5062")
        rows = [
            await add_call(session, one, MOMENT + timedelta(minutes=number))
            for number, one in enumerate((line, second, third))
        ]
        await say(
            session,
            rows[0],
            ["您好，水利局值班室", "我是张三，电话零九五四二零三二"],
            ["您好，请问是值班室吗"],
        )
        await say(session, rows[1], ["您好，林业局值班室，我是李四"], ["您好，请问是值班室吗"])
        await say(session, rows[2], ["喂，防汛办", "我是张三丰"])
    return rows


async def test_calls_are_found_newest_first_with_the_moment(either: Database, settings: Settings) -> None:
    rows = await three_calls(either)
    page = await found(either, settings, "张三")
    assert [result.recording.id for result in page.results] == [rows[2].id, rows[0].id]
    hit = page.results[1].hits[0]
    assert (hit.channel, hit.snippet, hit.marks) == ("them", "我是张三，电话零九五四二零三二", ((2, 4),))
    # The third character of an utterance that begins at 11 s.
    assert (hit.at_ms, hit.start_ms) == (11_400.0, 11_000.0)
    assert page.results[1].unit is not None
    assert page.results[1].unit.name == "云溪县水利局"
    assert await said(either, settings, "09542032") == [["零九五四二零三二"]]
    assert await said(either, settings, "没有说过") == []


async def test_all_phrases_must_be_said_in_the_call_not_in_one_breath(
    either: Database, settings: Settings
) -> None:
    await three_calls(either)
    assert await said(either, settings, "水利局 张三") == [["水利局", "张三"]]
    assert await said(either, settings, '"水利局 张三"') == []
    assert await said(either, settings, "林业局 张三") == []
    assert len(await said(either, settings, "值班室")) == 2
    assert await said(either, settings, "值班室", channel="us") == [["值班室"], ["值班室"]]
    assert await said(either, settings, "张三 请问", channel="them") == []


async def test_results_are_narrowed_by_unit_time_and_recording(either: Database, settings: Settings) -> None:
    rows = await three_calls(either)
    async with either.reading() as session:
        units = {row.called_at: row.unit_id for row in await session.scalars(select(TranscriptPiece))}
    head = units[MOMENT]
    assert len(await said(either, settings, "张三", unit_id=head)) == 2
    assert len(await said(either, settings, "张三", unit_id=units[MOMENT + timedelta(minutes=2)])) == 1
    assert len(await said(either, settings, "您好", since=MOMENT + timedelta(minutes=1))) == 1
    assert len(await said(either, settings, "您好", until=MOMENT + timedelta(minutes=1))) == 1
    assert await said(either, settings, "值班室", recording_id=rows[0].id) == [["值班室", "值班室"]]
    with pytest.raises(BadInputError):
        await found(either, settings, "您好", since=MOMENT, until=MOMENT)


async def test_only_the_newest_transcription_is_found_and_nothing_of_what_is_gone(
    either: Database, settings: Settings
) -> None:
    async with either.unit_of_work() as session:
        rows = [await add_report(session) for _ in range(3)]
        old = await say(session, rows[0], ["旧的话"])
        await say(session, rows[0], ["新的话"])
        # Done late: a newer one stands already.
        await search.index(session, old)
        for row in rows[1:]:
            await say(session, row, ["新的话"])
        await search.forget(session, rows[1].id)
        # About to go: not deleted yet, and found no more.
        gone = {"gone_why": "removed"}
        await session.execute(update(Recording).where(Recording.id == rows[2].id).values(gone))
    assert await said(either, settings, "旧") == []
    page = await found(either, settings, "话")
    assert [result.recording.id for result in page.results] == [rows[0].id]
    async with either.unit_of_work() as session:
        late = await session.scalar(select(Transcription).where(Transcription.recording_id == rows[2].id))
        assert late is not None
        await search.index(session, late)
    async with either.reading() as session:
        held = set(await session.scalars(select(TranscriptPiece.recording_id)))
    assert held == {rows[0].id}


async def test_a_report_is_found_with_its_form_and_follows_it(either: Database, settings: Settings) -> None:
    async with either.unit_of_work() as session:
        unit, _ = await add_line(session, 1, name="云溪县水利局")
        row = await add_report(session)
        record = PhoneRecord(
            number="2026-1",
            source="incoming",
            recording_id=row.id,
            called_at=MOMENT - timedelta(hours=1),
            created_at=MOMENT,
            created_by="local",
        )
        session.add(record)
        await session.flush()
        await say(session, row, ["青石河水位上涨"])
        await search.moved(session, row.id, MOMENT - timedelta(hours=2), unit.id)
        record.unit_id, record.called_at = unit.id, MOMENT - timedelta(hours=2)
    (result,) = (await found(either, settings, "水位", unit_id=unit.id)).results
    assert (result.phone_record and result.phone_record.id) == record.id
    assert result.called_at == MOMENT - timedelta(hours=2)
    assert result.unit is not None
    (shown,) = page_out(Found((result,)), None).items
    assert (shown.link, shown.hits[0].link) == (
        f"/phone-records/{record.id}",
        f"/recordings/{row.id}#t=1.60",
    )


async def test_answer_keys_are_never_found_nor_shown(either: Database, settings: Settings) -> None:
    async with either.unit_of_work() as session:
        first, later = [await add_report(session) for _ in range(2)]
        await say(session, first, ["总值班室电话是零九五四二零三二幺八八，请记录"], keys=[KEY])
        # This one was indexed before the key was entered.
        await say(session, later, ["电话2032188，请记录"])
        session.add(PolicyNumber(kind="answer_key", number="09542032188", created_at=MOMENT))
    for query in (KEY, "2032188", "二零三二幺八八", "电话 20321 88", "电话是09542032188请记录"):
        page = await found(either, settings, query)
        assert (page.results, bool(page.notice)) == ((), True)
    # What is part of it is not found either: else it could be guessed digit by digit.
    for query in ("20321", "2188", "零三二"):
        page = await found(either, settings, query)
        assert (page.results, page.notice) == ((), "")
    shown = [
        hit.snippet for result in (await found(either, settings, "请记录")).results for hit in result.hits
    ]
    assert sorted(shown) == ["总值班室电话是＊＊＊＊＊＊＊＊＊＊＊，请记录", "电话＊＊＊＊＊＊＊，请记录"]
    async with either.reading() as session:
        stored = [piece.sought for piece in await session.scalars(select(TranscriptPiece))]
    assert sum(" n2 n0 n3 n2 " in one for one in stored) == 1


async def test_pages_follow_each_other_whichever_way_they_are_found(
    either: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with either.unit_of_work() as session:
        lines: list[DutyLine] = [(await add_line(session, number))[1] for number in (1, 2)]
        rows = []
        for number in range(12):
            # Two at one moment each.
            rows.append(await add_call(session, lines[number % 2], MOMENT + timedelta(minutes=number // 2)))
            await say(session, rows[-1], ["您好值班室", "再见"] if number % 3 else ["喂", "您好"])
    queries: list[tuple[str, Callable[[int], bool]]] = [
        ("您好 再见", lambda n: n % 3 > 0),
        ("您好", lambda n: True),
        ("喂", lambda n: n % 3 == 0),
    ]
    for few, glance in itertools.product((0, 20_000), (1, 3, 4_000)):
        monkeypatch.setattr(search_repository, "GLANCE_ROWS", glance)
        monkeypatch.setattr(search_repository, "FEW_ROWS", few)
        for unit_id, (query, fits) in itertools.product((None, lines[0].unit_id), queries):
            expected = [
                row.id
                for number, row in reversed(list(enumerate(rows)))
                if fits(number) and unit_id in (None, lines[number % 2].unit_id)
            ]
            seen: list[int] = []
            place = None
            while True:
                async with either.reading() as session:
                    page = await look(session, settings, Query(query, unit_id=unit_id), place, 2)
                seen += [result.recording.id for result in page.results]
                place = page.next
                if place is None:
                    break
            assert seen == expected, (few, glance, unit_id, query)


DIGITS = {
    sign: str(value) for value, signs in enumerate(("零洞", "一幺", "二", "三", "四")) for sign in signs
}
spoken = st.text("值班室你零洞一幺二三四01234，。 ", max_size=14)


def squeezed(text: str) -> str:
    return re.sub(r"[，。 ]", "", text)


def in_digits(text: str) -> str:
    """With numbers in digits, worked out by another way than the search's own."""
    return re.sub(
        r"[零洞一幺二三四01234]{3,}", lambda m: "".join(DIGITS.get(c, c) for c in m[0]), squeezed(text)
    )


def holds(text: str, part: str) -> bool:
    """Whether a text has this part, by plain search for a substring."""
    readings = {squeezed(text), in_digits(text)}
    return any(one in reading for one in {squeezed(part), in_digits(part)} for reading in readings)


async def replace_all(database: Database, texts: Sequence[str]) -> list[int]:
    async with database.unit_of_work() as session:
        for table in (TranscriptPiece, Transcription, Recording):
            await session.execute(delete(table))
        rows = [await add_report(session) for _ in texts]
        for row, text in zip(rows, texts, strict=True):
            await say(session, row, [text])
        return [row.id for row in rows]


async def test_any_text_is_found_as_by_plain_search(
    either: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So that the full text index is asked, not the newest pieces.
    monkeypatch.setattr(search_repository, "GLANCE_ROWS", 1)

    @hypothesis_settings(max_examples=12, suppress_health_check=list(HealthCheck))
    @given(st.lists(spoken, min_size=1, max_size=6), st.lists(spoken, max_size=4), st.integers(0, 14))
    async def compare(texts: list[str], queries: list[str], start: int) -> None:
        keys = await replace_all(either, texts)
        for query in (*queries, f'"{texts[-1][start : start + 5]}"'):
            parts = [query.strip('"')] if query.startswith('"') else query.split()
            parts = [one for one in parts if squeezed(one)]
            if not parts:
                continue
            expected = {
                key for key, text in zip(keys, texts, strict=True) if all(holds(text, one) for one in parts)
            }
            results = (await found(either, settings, query)).results
            assert {result.recording.id for result in results} == expected

    await _run(compare)


async def test_any_unicode_is_found_alike_everywhere(
    either: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_repository, "GLANCE_ROWS", 1)
    texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)

    @hypothesis_settings(max_examples=12, suppress_health_check=list(HealthCheck))
    @given(st.lists(texts | spoken, min_size=2, max_size=6), texts)
    async def compare(given_texts: list[str], query: str) -> None:
        keys = await replace_all(either, given_texts)
        for one in (query, given_texts[0][:6], f'"{given_texts[1][2:9]}'):
            try:
                phrases = read_query(one)
            except BadInputError:
                continue
            expected = {
                key
                for key, text in zip(keys, given_texts, strict=True)
                if all(find(phrase, text) for phrase in phrases)
            }
            results = (await found(either, settings, one)).results
            assert {result.recording.id for result in results} == expected

    await _run(compare)


async def test_nothing_is_shown_where_the_answer_keys_cannot_be_read(settings: Settings) -> None:
    async with client_of(settings) as client:
        database: Database = client.app.state.database  # type: ignore[attr-defined]
        rows = await three_calls(database)
    unreadable = settings.model_copy(update={"answer_keys_file": settings.data_dir / "none"})
    async with client_of(unreadable) as client:
        await ask(client, "GET", "/transcripts/search", 409, q="张三")
        await ask(client, "GET", f"/recordings/{rows[0].id}/transcript", 409)


async def test_over_the_api(either_settings: Settings) -> None:
    async with client_of(either_settings) as client:
        database: Database = client.app.state.database  # type: ignore[attr-defined]
        rows = await three_calls(database)
        page = await ask(client, "GET", "/transcripts/search", q="张三", limit=1)
        (item,) = page["items"]
        assert item["recording_id"] == rows[2].id
        assert item["hits"][0]["link"] == (f"/checks/{item['check_id']}#attempt-{item['attempt_id']}&t=11.40")
        assert item["hits"][0]["marks"] == [[2, 4]]
        page = await ask(client, "GET", "/transcripts/search", q="张三", limit=1, after=page["next"])
        assert [item["recording_id"] for item in page["items"]] == [rows[0].id]
        assert page["next"] is None
        for bad in (
            {"q": "，"},
            {"q": ""},
            {"q": "值" * 201},
            {"q": "a", "after": "x"},
            {"q": "a", "channel": "x"},
        ):
            await ask(client, "GET", "/transcripts/search", 422, **bad)
        await ask(client, "GET", "/transcripts/search", 404, q="张三", unit=99)
        refused = await client.get(
            "/transcripts/search", params={"q": "张三"}, headers={"X-DutyRing-Actor": ""}
        )
        assert refused.status_code == 401
        async with database.reading() as session:
            trail = list(await session.scalars(select(AuditEvent).where(AuditEvent.action == "search")))
    assert [(event.subject, event.detail) for event in trail] == [("transcripts", "2 signs, 1 results")] * 2
    assert quote(trail[0].who)


async def _run(compare: Any) -> None:
    """Let hypothesis call an async function from inside a running loop: in a thread, each example on this loop."""
    loop = asyncio.get_running_loop()
    inner = compare.hypothesis.inner_test

    def blocking(*args: Any, **kwargs: Any) -> None:
        asyncio.run_coroutine_threadsafe(inner(*args, **kwargs), loop).result()

    compare.hypothesis.inner_test = blocking
    await asyncio.to_thread(compare)

"""What a unit is told, until when it may answer, and who decides on its grounds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from app.directory.models import DutyLine
from app.planning.models import CalendarDay
from app.settings import Settings
from tests.web.reviewing import CLAUSE, LI, WANG, ZHAO, Office, running


@pytest.fixture
async def office(settings: Settings) -> AsyncIterator[Office]:
    async with running(settings, units=2) as opened:
        yield opened


@pytest.fixture
async def on_either(either_settings: Settings) -> AsyncIterator[Office]:
    """An office on each kind of database, for what queries."""
    async with running(either_settings, units=2) as opened:
        yield opened


async def test_the_notice_says_what_was_heard_and_stays_as_it_was_sent(on_either: Office) -> None:
    office = on_either
    case = await office.case(rings=(None, None))
    await office.client.get(f"/api/v1/cases/{case}/notice")
    await office.proposed(case)
    await office.post(f"/cases/{case}/notify", answer_to="县府办值班科 0000-5550000")
    notice = await office.get(f"/cases/{case}/notice")
    assert notice["unit"]["name"] == "第1单位"
    assert "第2单位" not in str(notice)
    assert notice["line"]["number"] == "0000-5500001"
    first, second = notice["calls"]
    assert first["dialled_at"] == "2026-11-26T10:00:00.2+08:00"
    assert second["dialled_at"] == "2026-11-26T10:11:00.2+08:00"
    assert first["rang_from"] == "2026-11-26T10:00:00.4+08:00"
    assert (first["outcome_zh"], first["answered_at"]) == ("无人接听", None)
    assert first["heard"] == ["无人接听", "振铃 60.0 秒无人接听"]
    shown = await office.get(f"/cases/{case}")
    assert [call["clip"]["recording"] for call in notice["calls"]] == shown["recordings"]
    assert first["clip"]["from_ms"] == 200.0
    assert notice["finding"] == {"code": "no_answer", "title_zh": "无人接听"}
    assert notice["clauses"] == [CLAUSE]
    assert "15 秒" in notice["limits"]["words"]
    assert "折算口径" in notice["limits"]["words"]
    assert notice["answer"]["to"] == "县府办值班科 0000-5550000"

    async with office.database.unit_of_work() as session:
        line = await session.get_one(DutyLine, office.lines[0])
        line.number = "0000-1111111"
    assert await office.get(f"/cases/{case}/notice") == notice


async def test_no_notice_before_it_is_sent(office: Office) -> None:
    case = await office.case()
    assert (await office.client.get(f"/api/v1/cases/{case}/notice")).status_code == 404


async def test_the_deadline_counts_working_days_and_a_late_answer_is_marked(on_either: Office) -> None:
    office = on_either
    # Thursday's notice: Friday is 调休 off, Saturday is worked instead, Monday follows.
    async with office.database.unit_of_work() as session:
        for day, kind in ((27, "lieu_day"), (28, "makeup_workday")):
            session.add(
                CalendarDay(
                    day=datetime(2026, 11, day).date(),
                    kind=kind,
                    source="entered",
                    changed_at=office.at,
                )
            )
    case = await office.case()
    await office.proposed(case)
    shown = await office.post(f"/cases/{case}/notify", answer_to="值班科")
    until = datetime.fromisoformat(shown["answer_until"])
    assert until == datetime(2026, 11, 30, 16, 0, tzinfo=UTC), "midnight after Monday the 30th in Shanghai"
    notice = await office.get(f"/cases/{case}/notice")
    assert notice["answer"]["days_by_weekend_rule"] == ["2026-11-29", "2026-11-30"]
    refused = await office.post(f"/cases/{case}/confirm", ZHAO, expect=409)
    assert "答复期限未到" in refused["detail"]
    office.at = until - timedelta(milliseconds=2)
    await office.post(f"/cases/{case}/confirm", ZHAO, expect=409)
    office.at = until
    shown = await office.post(f"/cases/{case}/dispute", ZHAO, by="主任", grounds="邮件迟到")
    assert (shown["state"], shown["events"][-1]["content"]["late"]) == ("disputed", True)


async def test_an_answer_that_came_in_time_but_was_entered_late(office: Office) -> None:
    case = await office.case()
    await office.proposed(case)
    shown = await office.post(f"/cases/{case}/notify", answer_to="值班科")
    received = office.at + timedelta(hours=5)
    early = (office.at - timedelta(hours=5)).isoformat()
    office.at = datetime.fromisoformat(shown["answer_until"])
    shown = await office.post(f"/cases/{case}/confirm", LI)
    assert shown["counts"] is True
    await office.post(f"/cases/{case}/dispute", LI, expect=422, by="主任", grounds="x", received_at=early)
    future = (office.at + timedelta(hours=5)).isoformat()
    await office.post(f"/cases/{case}/dispute", LI, expect=422, by="主任", grounds="x", received_at=future)
    shown = await office.post(
        f"/cases/{case}/dispute",
        LI,
        by="主任",
        grounds="传真已于期限内送达",
        received_at=received.isoformat(),
    )
    assert (shown["state"], shown["counts"]) == ("disputed", False)
    assert shown["events"][-1]["content"]["late"] is False


async def test_the_confirmer_decides_no_dispute(office: Office) -> None:
    case = await office.case()
    await office.proposed(case)
    await office.post(f"/cases/{case}/notify", answer_to="值班科")
    await office.post(f"/cases/{case}/dispute", by="主任", grounds="停电")
    for who in (WANG, "王 督查", " 王督查 ", "王督查\u3000"):
        await office.post(f"/cases/{case}/uphold", who, expect=403, reason="不成立")
        await office.post(f"/cases/{case}/revoke", who, expect=403, cause="dispute_accepted", reason="成立")
    shown = await office.post(f"/cases/{case}/revoke", LI, cause="dispute_accepted", reason="成立")
    assert (shown["state"], shown["counts"]) == ("revoked", False)


async def test_names_in_latin_letters_are_compared_without_case(settings: Settings) -> None:
    async with running(settings) as office:
        case = await office.case()
        await office.proposed(case, "Wang Wei")
        await office.post(f"/cases/{case}/notify", answer_to="值班科")
        await office.post(f"/cases/{case}/dispute", by="主任", grounds="停电")
        await office.post(f"/cases/{case}/uphold", "WANGWEI", expect=403, reason="不成立")


async def test_a_dispute_after_publication_is_decided_by_another_too(office: Office) -> None:
    case = await office.case()
    await office.confirmed(case)
    await office.post("/publications", expect=201, kind="bulletin", title="通报", case_ids=[case])
    await office.post(f"/cases/{case}/uphold", LI, expect=409, reason="没有申辩")
    shown = await office.post(f"/cases/{case}/dispute", by="主任", grounds="新证据")
    assert (shown["state"], shown["dispute_open"], shown["counts"]) == ("published", True, True)
    await office.post(f"/cases/{case}/overturn", WANG, expect=403, cause="new_facts", reason="x")
    shown = await office.post(f"/cases/{case}/uphold", LI, reason="证据不足")
    assert shown["dispute_open"] is False
    # Nothing is in dispute any more: whoever finds the mistake may take it back.
    shown = await office.post(f"/cases/{case}/overturn", WANG, cause="our_fault", reason="线路串号")
    assert len(shown["affected"]) == 1

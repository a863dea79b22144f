"""An order is closed: its proposal is stored by the rules of its call, and a case opened where a person must look."""

from __future__ import annotations

import json
from datetime import UTC, date, timedelta
from urllib.parse import quote

import httpx
import pytest
from sqlalchemy import select

from app import clock
from app.checks import mitigations
from app.checks.closing import close
from app.checks.models import StoredProposal
from app.database import Database
from app.directory import service as directory
from app.directory.models import NumberChange, UnitExemption, UnitRegime
from app.errors import BadInputError, ConflictError, NotFoundError
from app.planning.models import CalendarDay
from app.reviews.models import Case
from app.rosters.models import Roster, Shift
from app.rules.service import in_force
from app.settings import Settings
from tests.web.apps import make_app
from tests.web.orders import (
    DOCUMENT,
    HOLIDAY,
    WHO,
    activate,
    add_line,
    behind_music,
    closed,
    missed,
    picked_up,
)


async def cases(database: Database) -> list[tuple[str, str, bool]]:
    async with database.reading() as session:
        rows = await session.scalars(select(Case).order_by(Case.id))
        return [(case.code, case.state, case.mitigated) for case in rows]


async def test_twice_unanswered_is_proposed_with_its_clauses_and_opens_a_case(
    either: Database, settings: Settings
) -> None:
    async with either.unit_of_work() as session:
        await activate(session, "baoji-2022", points={"no_answer": 2.0})
        _, line = await add_line(session, 1, "county")
        check, row = await closed(session, line, [missed(), missed()], settings)
        again = await close(session, check, settings)
        assert again.id == row.id
    assert (row.code, row.in_force, check.code, check.adverse) == ("no_answer", True, "no_answer", True)
    content = row.content
    assert (content["adverse"], content["needs_review"], content["points"]) == (True, True, 2.0)
    assert content["document"] == DOCUMENT
    assert content["rule_set"] == row.rule_set
    assert content["limits"]["basis"] == "折算口径"
    (clause,) = content["clauses"]
    assert (clause["article"], clause["binding"]) == ("第十条", "applies")
    assert "响铃3声之内接听" in clause["words"]
    first, second = content["attempts"]
    assert first["at"] == "2026-10-01T20:27:13.482+08:00"
    assert (first["ring_s"], first["code"], second["number"]) == (60.0, "no_answer", 2)
    assert content["reasons"][0] == "第 1 次（2026-10-01 20:27:13）：响铃 60.0 秒无人接听"
    assert await cases(either) == [("no_answer", "to_review", False)]


async def test_nothing_is_found_where_nothing_was_put_in_force(
    database: Database, settings: Settings
) -> None:
    async with database.unit_of_work() as session:
        _, line = await add_line(session, 1)
        _, row = await closed(session, line, [missed(), missed()], settings)
    assert (row.code, row.content["adverse"], row.content["bound"]) == ("no_answer", False, False)
    assert row.content["document"] is None
    assert await cases(database) == []


async def test_rules_calendar_and_regime_are_those_of_the_call(
    database: Database, settings: Settings
) -> None:
    """A later activation, a later entry of the calendar and a later regime say nothing of a call made before."""
    async with database.unit_of_work() as session:
        unit, line = await add_line(session, 1, "county")
        session.add(
            UnitRegime(unit_id=unit.id, first_day=date(2026, 1, 1), duty="onsite", leader="double", note="")
        )
        session.add(
            CalendarDay(
                day=HOLIDAY.date(), kind="holiday", name="国庆节", source="seed",
                changed_at=HOLIDAY - timedelta(days=300),
            )
        )  # fmt: skip
        await session.flush()
        row = await activate(session, "baoji-2022")
        row.from_at = HOLIDAY + timedelta(minutes=5)
        await session.flush()
        _, before = await closed(session, line, [missed(), missed()], settings)
        _, after = await closed(session, line, [missed(), missed()], settings, HOLIDAY + timedelta(hours=1))
        assert (await in_force(session, HOLIDAY)).document is None
    assert (before.content["adverse"], after.content["adverse"]) == (False, True)
    assert before.content["day"] == {"kind": "holiday", "sensitive": False, "known": True, "name": "国庆节"}
    assert before.content["regime"] == {"duty": "onsite", "leader": "double", "note": ""}


async def test_an_exemption_and_a_change_that_we_had_not_entered_spare_the_unit(
    either: Database, settings: Settings
) -> None:
    hour = timedelta(hours=1)
    async with either.unit_of_work() as session:
        await activate(session, "baoji-2022")
        spared, line = await add_line(session, 1, "county")
        session.add(
            UnitExemption(
                unit_id=spared.id, kind="emergency", first_at=HOLIDAY - hour, last_at=HOLIDAY + hour,
                reason="山洪处置", entered_by=WHO, entered_at=HOLIDAY,
            )
        )  # fmt: skip
        changed, other = await add_line(session, 2, "county")
        session.add(
            NumberChange(
                unit_id=changed.id, line_id=other.id, number="0000-5550777", received_at=HOLIDAY - hour,
                received_by=WHO, recorded_at=HOLIDAY, entered_at=HOLIDAY + hour,
            )
        )  # fmt: skip
        await session.flush()
        _, exempt = await closed(session, line, [missed(), missed()], settings)
        _, ours = await closed(session, other, [missed(), missed()], settings)
        _, between = await closed(
            session, other, [missed(), missed()], settings, HOLIDAY + 4 * hour, changed=2
        )
        late = HOLIDAY + timedelta(days=1)
        _, counted = await closed(session, line, [missed(), missed()], settings, late)
        _, entered = await closed(session, other, [missed(), missed()], settings, late)
    assert (exempt.code, exempt.content["needs_review"]) == ("no_answer", False)
    assert exempt.content["exempted"] == [{"kind": "emergency", "reason": "山洪处置"}]
    assert (ours.code, ours.content["needs_review"]) == ("change_pending", False)
    assert (between.code, between.content["needs_review"]) == ("change_pending", False)
    assert "0000-5550777" in ours.content["reasons"][0]
    assert counted.content["adverse"]
    assert entered.content["adverse"]
    assert [code for code, *_ in await cases(either)] == ["no_answer", "no_answer"]


async def test_a_line_exemption_takes_its_reading_away_and_is_shown(
    database: Database, settings: Settings
) -> None:
    async with database.unit_of_work() as session:
        await activate(session, "baoji-2022")
        _, line = await add_line(session, 1, "county")
        await directory.exempt(session, line, "crbt", HOLIDAY.date(), "号码迁移", HOLIDAY.date())
        _, row = await closed(session, line, [behind_music()], settings)
    assert (row.code, row.content["exempted"]) == ("within", [{"kind": "line", "reason": "号码迁移"}])


async def test_the_roster_stands_as_it_was_with_later_changes_beside_it(
    database: Database, settings: Settings
) -> None:
    async with database.unit_of_work() as session:
        unit, line = await add_line(session, 1, "county")
        for version, name, filed in (
            (1, "张三", HOLIDAY - timedelta(days=4)),
            (2, "李四", HOLIDAY + timedelta(minutes=30)),
        ):
            shift = Shift(
                name=name, title="科员", phone="13900000001",
                start_at=HOLIDAY - timedelta(hours=3), end_at=HOLIDAY + timedelta(hours=9),
            )  # fmt: skip
            session.add(
                Roster(
                    unit_id=unit.id, day=HOLIDAY.date(), kind="duty", version=version, filed_at=filed, shifts=[shift]
                )
            )  # fmt: skip
        await session.flush()
        _, row = await closed(session, line, [picked_up()], settings)
    roster = row.content["roster"]
    assert [shift["name"] for shift in roster["duty"]] == ["张三"]
    assert roster["version"]["duty"] == 1
    assert [change["version"] for change in roster["later"]] == [2]
    assert "13900000001" not in json.dumps(row.content, ensure_ascii=False)


async def test_our_own_faults_open_no_case_and_a_verification_is_never_judged(
    database: Database, settings: Settings
) -> None:
    async with database.unit_of_work() as session:
        await activate(session, "baoji-2022")
        _, line = await add_line(session, 1, "county")
        _, row = await closed(session, line, ["no socket", "phone process ended during the call"], settings)
        assert row.code == "our_side"
        _, lost = await closed(session, line, [missed(), missed()], settings, given_up=2)
        assert (lost.code, lost.content["attempts"][1]["code"]) == ("no_answer_review", "interrupted")
        _, none = await closed(session, line, [], settings)
        assert none.code == "our_side"
        with pytest.raises(ValueError, match="only verifies"):
            await closed(session, line, [missed()], settings, kind="verification")
    assert [code for code, *_ in await cases(database)] == ["no_answer_review"]


async def test_each_finding_of_an_order_has_its_case(database: Database, settings: Settings) -> None:
    async with database.unit_of_work() as session:
        await activate(session, "baoji-2022", points={"crbt": 1, "overtime": 0.5})
        _, line = await add_line(session, 1, "county")
        await closed(session, line, [behind_music(24_000.0)], settings)
    async with database.reading() as session:
        found = (await session.scalars(select(Case).order_by(Case.id))).all()
    assert [(case.code, case.proposal["code"], case.proposal["points"]) for case in found] == [
        ("crbt", "crbt", 1.0),
        ("overtime", "overtime", 0.5),
    ]


async def test_a_call_back_within_ten_minutes_mitigates_and_marks_the_case(
    either: Database, settings: Settings
) -> None:
    async with either.unit_of_work() as session:
        await activate(session, "baoji-2022")
        _, line = await add_line(session, 1, "county")
        check, _ = await closed(session, line, [missed(), missed()], settings)
        ended = HOLIDAY + timedelta(minutes=11, milliseconds=missed().ended_ms)
        with clock.running(lambda: HOLIDAY + timedelta(days=1)):
            late = ended + timedelta(minutes=10, seconds=1)
            _, counts = await mitigations.record(session, check.id, "called_back", late, WHO)
            assert not counts
            assert (await session.scalars(select(Case.mitigated))).all() == [False]
            row, counts = await mitigations.record(
                session, check.id, "called_back", ended + timedelta(minutes=10), WHO, number="0000-5550001"
            )
            assert (counts, row.recorded_by) == (True, WHO)
            for at in (HOLIDAY - timedelta(seconds=1), HOLIDAY + timedelta(days=2)):
                with pytest.raises(BadInputError):
                    await mitigations.record(session, check.id, "other", at, WHO)
            with pytest.raises(NotFoundError):
                await mitigations.record(session, check.id + 1, "other", ended, WHO)
        with clock.running(lambda: HOLIDAY - timedelta(days=1)), pytest.raises(NotFoundError):
            await mitigations.of_order(session, check.id)
    assert await cases(either) == [("no_answer", "to_review", True)]
    async with either.reading() as session:
        (stored,) = (await session.scalars(select(StoredProposal))).all()
    assert stored.content["mitigations"] == []


async def test_an_order_without_a_call_has_nothing_to_mitigate(
    database: Database, settings: Settings
) -> None:
    async with database.unit_of_work() as session:
        _, line = await add_line(session, 1)
        check, _ = await closed(session, line, [], settings)
        with clock.running(lambda: HOLIDAY + timedelta(days=1)), pytest.raises(ConflictError):
            await mitigations.record(session, check.id, "other", HOLIDAY, WHO)


async def test_what_mitigates_is_recorded_and_listed_over_the_api(
    database: Database, settings: Settings
) -> None:
    async with database.unit_of_work() as session:
        _, line = await add_line(session, 1, "county")
        check, _ = await closed(session, line, [missed()], settings)
    app = make_app(settings)
    at = (HOLIDAY + timedelta(minutes=3)).isoformat()
    body = {"kind": "called_back", "at": at, "number": "0000-5550001", "note": "值班员主动回电"}
    actor = {"X-DutyRing-Actor": quote(WHO)}
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver/api/v1") as client:
        path = f"/orders/{check.id}/mitigations"
        with clock.running(lambda: HOLIDAY.astimezone(UTC) + timedelta(days=1)):
            made = await client.post(path, json=body, headers=actor)
            late = await client.post(path, json=body | {"kind": "absent"}, headers=actor)
            listed = (await client.get(path)).json()["items"]
    await app.state.database.close()
    assert (made.status_code, late.status_code) == (201, 422)
    assert listed == [made.json()]
    assert (listed[0]["counts"], listed[0]["recorded_by"], listed[0]["note"]) == (True, WHO, body["note"])

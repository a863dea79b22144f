"""The list of records: its filters, its pages both ways, saved filters, columns, and tables of what it shows."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from pathlib import Path

import httpx
from sqlalchemy import select, update

from app.accounts.permissions import Role
from app.checks.models import Attempt, CallFacts, SpotCheck
from app.database import Database
from app.planning.models import Plan
from app.reviews.models import Case
from app.reviews.opening import open_case
from app.settings import Settings
from app.web import i18n
from tests.web.apps import own_doors
from tests.web.people import signed_in
from tests.web.reviewing import THURSDAY, WANG, Office, proposal, running

HEADS = r'id="check-(\d+)"'
TEMPLATES = Path(i18n.__file__).parent / "templates"


async def shown(office: Office, **query: str) -> list[int]:
    """The calls that the list shows with a filter, by key."""
    answer = await office.client.get("/checks", params=query)
    assert answer.status_code == 200, answer.text
    return [int(key) for key in re.findall(HEADS, answer.text)]


async def test_each_filter_shows_its_calls_alone(either_settings: Settings) -> None:
    async with running(either_settings, units=2) as office:
        quiet = await office.order(0, at=THURSDAY - timedelta(days=2))
        missed = await office.case(1)
        designated = await office.order(1, kind="designated", at=THURSDAY + timedelta(hours=1))
        async with office.database.unit_of_work() as session:
            session.add(Plan(id=7, name="第四季度", created_at=THURSDAY))
            await session.flush()
            await session.execute(update(SpotCheck).where(SpotCheck.id == quiet).values(plan_id=7))
            await session.execute(update(Attempt).where(Attempt.check_id == quiet).values(plan_id=7))
            first = await session.scalar(select(Attempt).where(Attempt.check_id == designated))
            assert first is not None
            facts = await session.get(CallFacts, first.id)
            assert facts is not None
            sign = {"kind": "sip_181", "grade": "definitive", "t_ms": 1.0, "detail": ""}
            facts.content = facts.content | {"forwarding": {"evidence": [sign], "grade": "definitive"}}
        await office.proposed(missed)
        one, two = [1], [2, 3]
        assert await shown(office) == [4, 3, 2, 1]
        assert await shown(office, plan="7") == one
        assert await shown(office, kind="designated") == [4]
        assert await shown(office, code="no_answer") == [3, 2]
        assert await shown(office, state="proposed") == [3, 2]
        assert await shown(office, state="confirmed") == []
        assert await shown(office, by=WANG) == [3, 2]
        assert await shown(office, by="别人") == []
        assert await shown(office, sign="sip_181") == [4]
        assert await shown(office, unit=str(office.units[1])) == [4, 3, 2]
        assert await shown(office, since="2026-11-26", kind="random") == sorted(two, reverse=True)
        assert await shown(office, until="2026-11-25") == one
        assert await shown(office, since="2026-11-26T11:00") == [4]
        assert await shown(office, verdict="no_answer", kind="random", state="proposed") == [3, 2]
        # What is not known does not narrow, and a day that is none is told.
        assert await shown(office, kind="odd", proof="odd", state="odd", plan="x") == [4, 3, 2, 1]
        odd = await office.client.get("/checks", params={"since": "2026-02-30"})
        assert "日期无法识别" in odd.text


async def test_grades_follow_the_newest_verdict_and_decisions_the_case(settings: Settings) -> None:
    async with running(settings, units=1) as office:
        case = await office.case()
        await office.confirmed(case)
        async with office.database.reading() as session:
            rows = (await session.scalars(select(Attempt).order_by(Attempt.id))).all()
        assert [(row.case_state, row.reviewer) for row in rows] == [("confirmed", WANG)] * 2
        page = (
            await office.client.post("/checks/columns", data={"column": ["standing", "reviewer"]})
        ).headers
        assert page["location"] == "/checks"
        text = (await office.client.get("/checks")).text
        assert f"<td>认定</td><td>{WANG}</td>" in re.sub(r">\s+<", "><", text)
        assert '<th scope="col">应答者</th>' not in text


async def test_what_a_person_has_decided_waits_for_nobody(either_settings: Settings) -> None:
    async with running(either_settings, units=2) as office:
        case = await office.case(0)
        waiting = await office.case(1)
        async with office.database.unit_of_work() as session:
            await session.execute(update(Attempt).values(needs_review=True))
        decided, open_ = [1, 2], [3, 4]
        assert sorted(await shown(office, review="1")) == decided + open_
        await office.confirmed(case)
        assert sorted(await shown(office, review="1")) == open_
        page = (await office.client.get("/checks", params={"state": "confirmed"})).text
        assert page.count("<td>认定</td>") == 2
        assert "待人工</span>" not in page
        await office.proposed(waiting)
        assert sorted(await shown(office, review="1")) == open_
        page = (await office.client.get("/checks", params={"state": "proposed"})).text
        assert page.count('<span class="person">拟认定</span>') == 2


async def test_a_further_case_waits_beside_one_that_was_taken_back(either_settings: Settings) -> None:
    async with running(either_settings, units=1) as office:
        case = await office.case(0)
        async with office.database.unit_of_work() as session:
            await session.execute(update(Attempt).values(needs_review=True))
        await office.hear(case)
        await office.post(f"/cases/{case}/revoke", cause="not_a_finding", reason="核实有人值守")
        assert await shown(office, review="1") == []
        async with office.database.unit_of_work() as session:
            order = await session.scalar(select(Case.check_id).where(Case.id == case))
            further = await open_case(
                session,
                unit_id=office.units[0],
                code="forwarded",
                proposal=proposal("forwarded"),
                check_id=order,
            )
            further_id = further.id
        assert sorted(await shown(office, review="1")) == [1, 2]
        assert sorted(await shown(office, state="to_review")) == [1, 2]
        async with office.database.unit_of_work() as session:
            # One is under way, the other one still waits for somebody.
            await session.execute(update(Case).where(Case.id == case).values(state="proposed"))
        page = (await office.client.get(f"/checks/{order}")).text
        assert "督查人员正在办理" not in page
        assert "待人工：" in page
        async with office.database.unit_of_work() as session:
            await session.execute(update(Case).where(Case.id == further_id).values(state="revoked"))
        page = (await office.client.get(f"/checks/{order}")).text
        assert "督查人员正在办理" in page
        assert "待人工：" not in page


async def test_pages_go_both_ways_and_keep_the_filter(either_settings: Settings) -> None:
    async with running(either_settings, units=1) as office:
        async with office.database.unit_of_work() as session:
            for number in range(125):
                at = THURSDAY + timedelta(seconds=number // 7)
                check = SpotCheck(
                    line_id=office.lines[0],
                    kind="random",
                    due_at=at,
                    state="done",
                    created_at=at,
                    closed_at=at,
                )
                session.add(check)
                await session.flush()
                session.add(
                    Attempt(
                        check_id=check.id,
                        line_id=office.lines[0],
                        unit_id=office.units[0],
                        target="x",
                        state="finished",
                        owner="o",
                        claimed_at=at,
                    )
                )
        address, seen, pages = "/checks?kind=random", list[str](), list[list[str]]()
        while address:
            page = (await office.client.get(address)).text
            pages.append(re.findall(HEADS, page))
            seen += pages[-1]
            following = re.search(r'rel="next" href="([^"]+)"', page)
            address = unescape(following[1]) if following else ""
            assert not address or "kind=random" in address
        assert seen == [str(number) for number in range(125, 0, -1)]
        for earlier in reversed(pages[:-1]):
            back = re.search(r'rel="prev" href="([^"]+)"', page)
            assert back is not None
            page = (await office.client.get(unescape(back[1]))).text
            assert re.findall(HEADS, page) == earlier
        assert 'rel="prev"' not in page
        for place in ("after", "before"):
            assert (await office.client.get(f"/checks?{place}=rubbish")).status_code == 400


async def test_filters_are_kept_by_name_for_their_account_alone(
    settings: Settings, database: Database
) -> None:
    app = own_doors(settings)
    mine = await signed_in(database, settings, Role.INSPECTOR)
    other = await signed_in(database, settings, Role.SUPERVISOR)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
        form = {"kind": "random", "state": "confirmed", "name": "已认定 <b>"}
        saved = await client.post("/checks/filters", data=form, headers=mine.headers)
        assert (saved.status_code, saved.headers["location"]) == (303, "/checks?kind=random&state=confirmed")
        listed = (await client.get("/checks", headers=mine.headers)).text
        assert "已认定 &lt;b&gt;" in listed
        assert "已认定 &lt;b&gt;" not in (await client.get("/checks", headers=other.headers)).text
        long = await client.post("/checks/filters", data=form | {"name": "长" * 41}, headers=mine.headers)
        assert long.status_code == 422
        assert "筛选名称须为 1 至 40 字" in long.text
        assert f'value="{"长" * 41}"' in long.text
        nothing = await client.post("/checks/filters", data={"name": "空"}, headers=mine.headers)
        assert "没有筛选条件" in nothing.text
        (key,) = re.findall(r"/checks/filters/(\d+)/delete", listed)
        foreign = await client.post(f"/checks/filters/{key}/delete", headers=other.headers)
        assert foreign.status_code == 404
        gone = await client.post(f"/checks/filters/{key}/delete", headers=mine.headers)
        assert gone.status_code == 303
        assert "已认定 &lt;b&gt;" not in (await client.get("/checks", headers=mine.headers)).text
    await app.state.database.close()


def test_every_word_of_these_pages_has_its_english() -> None:
    known = i18n.catalogue("en")
    missing: set[str] = set()
    for folder in ("checks", "reports"):
        for path in (TEMPLATES / folder).glob("*.html"):
            text = path.read_text(encoding="utf-8")
            missing |= {word for word in re.findall(r'_\("([^"]+)"', text) if word not in known}
    assert missing == set()
    from app.reports.filters import KINDS_ZH, PROOFS_ZH
    from app.reports.tables import TABLES
    from app.web.checks.routes import CHOICES
    from app.web.checks.views import COLUMNS

    words = {*COLUMNS.values(), *KINDS_ZH.values(), *PROOFS_ZH.values()}
    words |= {word for choice in CHOICES.values() for word in choice.values()}
    words |= {table.title for table in TABLES.values()}
    assert {word for word in words if word not in known} == set()

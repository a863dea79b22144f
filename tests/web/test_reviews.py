"""A case on its way from proposal to publication, through the API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from app.accounts import service as audit
from app.reviews.opening import mark_mitigated, open_case
from app.settings import Settings
from tests.web.reviewing import CLAUSE, LI, WANG, Office, as_person, proposal, running

CITED = {name: CLAUSE[name] for name in ("source", "article", "words")}


@pytest.fixture
async def office(settings: Settings) -> AsyncIterator[Office]:
    async with running(settings, units=2) as opened:
        yield opened


@pytest.fixture
async def on_either(either_settings: Settings) -> AsyncIterator[Office]:
    """An office on each kind of database, for what queries."""
    async with running(either_settings, units=2) as opened:
        yield opened


async def test_the_whole_way_to_a_bulletin_and_back(on_either: Office) -> None:
    office = on_either
    case = await office.case()
    shown = await office.get(f"/cases/{case}")
    assert (shown["state"], shown["state_zh"], shown["counts"]) == ("to_review", "待复核", False)
    assert shown["steps"] == ["propose", "revoke", "attach", "comment"]

    shown = await office.proposed(case)
    assert (shown["state"], shown["confirmed_by"], shown["confirmed_code"]) == ("proposed", WANG, "no_answer")
    heard = shown["events"][-1]["content"]["heard"]
    assert [(item["recording"], item["action"], item["who"]) for item in heard] == [
        (key, "play", WANG) for key in shown["recordings"]
    ]
    shown = await office.post(f"/cases/{case}/notify", answer_to="县府办值班科")
    assert shown["state"] == "notified"
    shown = await office.post(f"/cases/{case}/dispute", LI, by="单位主任", grounds="当晚停电，附供电证明")
    assert (shown["state"], shown["dispute_open"]) == ("disputed", True)
    assert shown["events"][-1]["content"]["late"] is False
    shown = await office.post(f"/cases/{case}/uphold", LI, reason="停电发生在次日")
    assert (shown["state"], shown["counts"], shown["dispute_open"]) == ("confirmed", True, False)

    published = await office.post(
        "/publications", expect=201, kind="bulletin", title="第3期通报", case_ids=[case]
    )
    table = await office.post("/publications", expect=201, kind="table", title="11月抽查表", case_ids=[case])
    assert [item["state"] for item in published["items"]] == ["published"]
    overturned = await office.post(
        f"/cases/{case}/overturn", LI, cause="new_facts", reason="供电局更正了日期"
    )
    assert [item["id"] for item in overturned["affected"]] == [published["id"], table["id"]]
    assert (overturned["state"], overturned["counts"], overturned["steps"]) == ("overturned", False, [])
    for key in (published["id"], table["id"]):
        assert (await office.get(f"/publications/{key}"))["overturned"] == 1
    listed = await office.get("/publications", params={"affected": True})
    assert [item["id"] for item in listed["items"]] == [table["id"], published["id"]]
    assert (await office.get("/publications", params={"affected": False}))["items"] == []

    events = (await office.get(f"/cases/{case}"))["events"]
    assert [event["action"] for event in events] == [
        "open", "propose", "notify", "dispute", "uphold", "publish", "publish", "overturn",
    ]  # fmt: skip
    assert [event["to_state"] for event in events[:-1]] == [event["from_state"] for event in events[1:]]
    async with office.database.reading() as session:
        lines = await audit.of_subject(session, f"case:{case}")
    assert [line.action for line in lines] == [
        "case_open",
        *(f"case_{event['action']}" for event in events[1:]),
    ]
    assert [line.who for line in lines] == [event["who"] for event in events]


async def test_nobody_confirms_what_was_not_heard(on_either: Office) -> None:
    office = on_either
    case = await office.case()
    refused = await office.post(f"/cases/{case}/propose", expect=409, code="no_answer")
    first, second = (await office.get(f"/cases/{case}"))["recordings"]
    assert [item["where"] for item in refused["errors"]] == [f"recording:{first}", f"recording:{second}"]
    # Looking at the headers is no listening; hearing one of two is not all.
    await office.client.head(f"/recordings/{first}")
    await office.client.get(f"/recordings/{second}", params={"download": True}, headers=as_person(WANG))
    await office.client.get(f"/recordings/{first}", headers=as_person(LI))
    refused = await office.post(f"/cases/{case}/propose", expect=409, code="no_answer")
    assert [item["where"] for item in refused["errors"]] == [f"recording:{first}"]
    await office.client.get(f"/recordings/{first}", headers=as_person(WANG))
    assert (await office.post(f"/cases/{case}/propose", code="no_answer"))["state"] == "proposed"


async def test_what_another_person_heard_counts_for_her_alone(office: Office) -> None:
    case = await office.case(rings=(None,))
    (key,) = (await office.get(f"/cases/{case}"))["recordings"]
    async with office.database.unit_of_work() as session:
        await audit.record(session, "play", f"recording:{key}", who=LI)
    await office.post(f"/cases/{case}/propose", WANG, expect=409, code="no_answer")
    assert (await office.post(f"/cases/{case}/propose", LI, code="no_answer"))["confirmed_by"] == LI


async def test_without_a_recording_the_person_says_on_what_it_rests(office: Office) -> None:
    case = await office.case(sound=False)
    refused = await office.post(f"/cases/{case}/propose", expect=422, code="no_answer")
    assert refused["errors"][0]["where"] == "without_recording"
    shown = await office.post(
        f"/cases/{case}/propose", code="no_answer", without_recording="存储盘损坏，依信令记录认定"
    )
    told = shown["events"][-1]["content"]
    assert told["without_recording"] == "存储盘损坏，依信令记录认定"
    assert len(told["unrecorded_attempts"]) == 2


async def test_a_step_names_a_person(office: Office) -> None:
    case = await office.case()
    await office.hear(case)
    for who in ("local", " LOCAL ", "ｌｏｃａｌ", "system"):
        await office.post(f"/cases/{case}/propose", who, expect=403, code="no_answer")
    assert (await office.get(f"/cases/{case}"))["state"] == "to_review"


async def test_a_step_without_a_person_is_refused(office: Office) -> None:
    case = await office.case()
    answer = await office.client.post(
        f"/api/v1/cases/{case}/revoke", json={"cause": "our_fault", "reason": "x"}
    )
    assert answer.status_code == 403


async def test_another_code_takes_a_reason_and_a_clause(office: Office) -> None:
    case = await office.case(code="slow_review", rings=(18_000.0,))
    await office.hear(case)
    await office.post(f"/cases/{case}/propose", expect=422, code="slow_review", reason="就是慢")
    refused = await office.post(f"/cases/{case}/propose", expect=422, code="overtime")
    assert refused["errors"][0]["where"] == "reason"
    refused = await office.post(f"/cases/{case}/propose", expect=422, code="fax", reason="其实是传真")
    assert refused["errors"][0]["where"] == "clauses"
    cited = {"source": "《规范》", "article": "第十条", "words": "分号设立"}
    await office.post(
        f"/cases/{case}/propose", expect=422, code="unprepared", reason="不熟悉", clauses=[cited]
    )
    shown = await office.post(f"/cases/{case}/propose", code="overtime", reason="听录音，四声后接听")
    assert shown["events"][-1]["content"]["clauses"] == [CLAUSE]
    assert (shown["code"], shown["confirmed_code"], shown["title_zh"]) == (
        "slow_review",
        "overtime",
        "超时接听",
    )


async def test_no_finding_without_a_clause_that_binds(office: Office) -> None:
    case = await office.case(more={"clauses": []})
    await office.hear(case)
    await office.post(f"/cases/{case}/propose", expect=422, code="no_answer")
    cited = {"source": "《本县规定》", "article": "三", "words": "须及时接听", "binding": "reference"}
    shown = await office.post(f"/cases/{case}/propose", code="no_answer", clauses=[cited])
    assert shown["events"][-1]["content"]["clauses"] == [cited | {"cited": True}]


@pytest.mark.parametrize(
    ("source", "hours", "other_unit", "works"),
    [
        ("on_site", 3, False, True), ("video", -20, False, True), ("superior", 2000, False, True),
        ("admission", 90, False, True), ("on_site", 25, False, False), ("hand_dialled", 0, False, False),
        ("on_site", 3, True, False),
    ],
)  # fmt: skip
async def test_an_empty_post_is_never_proven_by_telephone(
    settings: Settings, source: str, hours: int, other_unit: bool, works: bool
) -> None:
    async with running(settings, units=2) as office:
        case = await office.case()
        key = await office.manual(source, int(other_unit), at=office.at + timedelta(hours=hours))
        await office.hear(case)
        wanted = {"code": "off_post", "reason": "现场无人", "clauses": [CITED]}
        await office.post(f"/cases/{case}/propose", expect=422, **wanted)
        shown = await office.post(
            f"/cases/{case}/propose", expect=200 if works else 422, basis_manual_id=key, **wanted
        )
        if works:
            assert shown["events"][-1]["content"]["basis"] == {"manual": key, "source": source}


async def test_an_admission_on_paper_proves_it_too(office: Office) -> None:
    case, other = await office.case(), await office.case(1)
    await office.hear(case)
    keys = []
    for owner in (case, other):
        answer = await office.client.post(
            f"/api/v1/cases/{owner}/attachments", params={"name": "情况说明.txt"}, content="我确实离岗".encode(),
            headers={"Content-Type": "text/plain", "X-DutyRing-Actor": "W"},
        )  # fmt: skip
        keys.append(answer.json()["id"])
    wanted: dict[str, Any] = {"code": "off_post", "reason": "本人承认", "clauses": [CITED]}
    await office.post(f"/cases/{case}/propose", expect=422, admission_attachment_id=keys[1], **wanted)
    shown = await office.post(f"/cases/{case}/propose", admission_attachment_id=keys[0], **wanted)
    assert shown["confirmed_code"] == "off_post"


async def test_a_visit_needs_no_recording_but_words(office: Office) -> None:
    case, _ = await office.manual_case("on_site", "off_post")
    await office.post(f"/cases/{case}/propose", expect=422, code="off_post")
    shown = await office.post(
        f"/cases/{case}/propose", code="off_post", without_recording="两名检查员在场，附照片"
    )
    assert (shown["kind"], shown["state"]) == ("manual", "proposed")
    notified = await office.post(f"/cases/{case}/notify", answer_to="值班科")
    notice = notified["events"][-1]["content"]["notice"]
    assert (notice["calls"], notice["limits"]) == ([], None)
    assert notice["by_hand"]["source_zh"] == "实地检查"


async def test_of_two_who_decide_at_once_one_is_told_the_state(on_either: Office) -> None:
    office = on_either
    case = await office.case()
    for who in ("A", "C"):
        await office.hear(case, who)

    async def ask(path: str, who: str, **body: Any) -> tuple[int, str]:
        answer = await office.client.post(
            f"/api/v1/cases/{case}/{path}", json=body, headers={"X-DutyRing-Actor": who}
        )
        return answer.status_code, answer.text

    answers = await asyncio.gather(
        ask("propose", "A", code="no_answer"), ask("revoke", "B", cause="our_fault", reason="trunk"),
        ask("propose", "C", code="no_answer"),
    )  # fmt: skip
    # proposed may still be revoked by somebody who comes later; what was revoked takes no step.
    shown = await office.get(f"/cases/{case}")
    done = [status for status, _ in answers if status == 200]
    assert len(shown["events"]) == 1 + len(done) == shown["revision"] + 1
    lost = [text for status, text in answers if status != 200]
    assert lost
    assert all('"where":"state"' in text for text in lost)


async def test_a_step_on_what_was_seen_only(office: Office) -> None:
    case = await office.case()
    await office.proposed(case)
    refused = await office.post(
        f"/cases/{case}/revoke", LI, expect=409, cause="our_fault", reason="x", seen="to_review"
    )
    assert refused["errors"] == [{"where": "state", "message": "proposed"}]
    assert "拟认定" in refused["detail"]


async def test_a_case_is_opened_once(on_either: Office) -> None:
    office = on_either
    case = await office.case()
    order = (await office.get(f"/cases/{case}"))["check_id"]
    shown = await office.post(f"/cases/{case}/revoke", LI, cause="our_fault", reason="我方线路故障")
    assert shown["state"] == "revoked"
    async with office.database.unit_of_work() as session:
        again = await open_case(
            session, unit_id=office.units[0], code="no_answer", proposal=proposal("no_answer"), check_id=order
        )
        other = await open_case(
            session, unit_id=office.units[0], code="crbt", proposal=proposal("crbt"), check_id=order
        )
    assert (again.id, again.state) == (case, "revoked")
    assert other.id != case
    await office.post(f"/cases/{case}/propose", expect=409, code="no_answer")


async def test_one_order_gives_one_finding_of_a_code(office: Office) -> None:
    first = await office.case()
    order = (await office.get(f"/cases/{first}"))["check_id"]
    async with office.database.unit_of_work() as session:
        second = await open_case(
            session,
            unit_id=office.units[0],
            code="silence_review",
            proposal=proposal("silence_review"),
            check_id=order,
        )
    await office.proposed(first)
    refused = await office.post(f"/cases/{second.id}/propose", expect=409, code="no_answer", reason="也无人")
    assert f"事项 {first}" in refused["detail"]


async def test_a_verification_call_opens_no_case(office: Office) -> None:
    order = await office.order(kind="verification", rings=(None,), code="no_answer")
    async with office.database.unit_of_work() as session:
        with pytest.raises(ValueError, match="no case can come"):
            await open_case(
                session,
                unit_id=office.units[0],
                code="no_answer",
                proposal=proposal("no_answer"),
                check_id=order,
            )


async def test_only_confirmed_cases_are_published_and_all_or_none(on_either: Office) -> None:
    office = on_either
    ready, waiting, demo = await office.case(), await office.case(1), await office.case(kind="demo")
    await office.confirmed(ready)
    refused = await office.post(
        "/publications", expect=409, kind="table", title="表", case_ids=[ready, waiting]
    )
    assert f"{waiting}（待复核）" in refused["detail"]
    await office.confirmed(demo)
    await office.post("/publications", expect=422, kind="table", title="表", case_ids=[ready, demo])
    await office.post("/publications", expect=422, kind="table", title="表", case_ids=[ready, 10**12])
    assert (await office.get(f"/cases/{ready}"))["state"] == "confirmed"
    assert (await office.get("/publications"))["items"] == []


async def test_a_mitigation_marks_open_and_new_cases(office: Office) -> None:
    case = await office.case()
    plain = await office.case(1)
    order = (await office.get(f"/cases/{case}"))["check_id"]
    async with office.database.unit_of_work() as session:
        assert await mark_mitigated(session, order) == 1
        assert await mark_mitigated(session, order) == 0
    born = await office.case(more={"mitigations": [{"kind": "called_back"}]})
    listed = await office.get("/cases", params={"mitigated": True})
    assert [item["id"] for item in listed["items"]] == [born, case]
    listed = await office.get("/cases", params={"mitigated": False})
    assert [item["id"] for item in listed["items"]] == [plain]

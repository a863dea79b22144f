"""Phone records (电话记录单): from a call to a signed form, on both databases."""

from __future__ import annotations

import asyncio
import io
import zipfile
from datetime import timedelta
from typing import Any

import httpx
import pytest
from docx import Document
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from app.accounts.models import AuditEvent
from app.checks.models import Mitigation
from app.directory import service as directory
from app.evidence.forgetting import forget_all
from app.phone_records.models import PhoneRecord, PhoneRecordVersion
from app.settings import Settings
from tests.web.api import WHO, ask, client_of, new_key
from tests.web.orders import add_line
from tests.web.phone_recording import AT, bring, database_of, tone, transcribed
from tests.web.searching import MOMENT, add_call, add_report, say


async def test_a_record_by_hand_from_draft_to_correction(either_settings: Settings) -> None:
    async with client_of(either_settings) as client:
        body = {
            "called_at": AT,
            "fields": {
                "office": "云溪县人民政府值班室",
                "unit": "青石镇",
                "person": "王某",
                "recorder": "李值班",
            },
        }
        record = await ask(client, "POST", "/phone-records", 201, json=body)
        path = f"/phone-records/{record['id']}"
        assert (record["number"], record["state"], record["newest"]["version"]) == (
            f"{_year()}-0001",
            "draft",
            1,
        )
        assert record["newest"]["fields"]["day"] == "2026-11-22"
        await ask(client, "POST", f"{path}/sign", 422, json={"version": 1})
        change = {"version": 1, "fields": {"content": "水位上涨\n已转移三十人", "opinion": "请水利局核实"}}
        record = await ask(client, "POST", f"{path}/versions", 201, json=change)
        assert record["newest"]["version"] == 2
        # Somebody who still has the first version before them.
        await ask(client, "POST", f"{path}/versions", 409, json=change)
        await ask(client, "POST", f"{path}/sign", 409, json={"version": 1})
        signed = await ask(client, "POST", f"{path}/sign", json={"version": 2})
        assert (signed["state"], signed["signed_by"], signed["holds"]) == ("signed", WHO, True)
        await ask(client, "POST", f"{path}/versions", 409, json=change | {"version": 2})
        await ask(client, "POST", f"{path}/sign", 409, json={"version": 2})
        second = await ask(client, "POST", f"{path}/corrections", 201)
        assert (second["corrects_id"], second["state"]) == (record["id"], "draft")
        assert second["newest"]["fields"] == signed["newest"]["fields"]
        assert second["number"] == f"{_year()}-0002"
        await ask(client, "POST", f"{path}/corrections", 409)
        # What was written once stays.
        kept = await ask(client, "GET", f"{path}/versions")
        assert [row["fields"]["content"] for row in kept["items"]] == ["", "水位上涨\n已转移三十人"]
        async with database_of(client).unit_of_work() as session:
            (
                await session.scalars(select(PhoneRecordVersion).where(PhoneRecordVersion.version == 2))
            ).one().content = {
                **kept["items"][1],
                "fields": kept["items"][1]["fields"] | {"content": "别的话"},
                "machine": {},
                "origin": {},
                "withdrawn": False,
            }
        assert (await ask(client, "GET", path))["holds"] is False
        async with database_of(client).reading() as session:
            actions = list(await session.scalars(select(AuditEvent.action).order_by(AuditEvent.id)))
        assert actions == ["begin", "write", "sign", "correct"]


def _year() -> int:
    from app import clock

    return clock.now().astimezone(Settings().zone).year


async def test_a_call_back_begins_one(settings: Settings) -> None:
    async with client_of(settings) as client:
        async with database_of(client).unit_of_work() as session:
            unit, line = await add_line(session, 1, name="云溪县水利局")
            await add_call(session, line)
            row = Mitigation(
                check_id=1,
                kind="called_back",
                at=MOMENT + timedelta(minutes=3),
                number="0000-5550001",
                note="",
                recorded_at=MOMENT,
                recorded_by="phone",
            )
            session.add(row)
            await session.flush()
            key, unit_id = row.id, unit.id
        record = await ask(client, "POST", "/phone-records", 201, json={"call_back": key})
        assert (record["unit_id"], record["newest"]["fields"]["number"]) == (unit_id, "0000-5550001")
        assert record["newest"]["fields"]["unit"] == "云溪县水利局"
        assert record["origin"] == {"call_back": key, "order": 1}
        await ask(client, "POST", "/phone-records", 404, json={"call_back": key + 1})
        await ask(client, "POST", "/phone-records", 422, json={"call_back": key, "called_at": AT})
        await ask(client, "POST", "/phone-records", 422, json={})


async def test_none_is_made_of_a_call_that_we_placed(either_settings: Settings) -> None:
    async with client_of(either_settings) as client:
        async with database_of(client).unit_of_work() as session:
            _, line = await add_line(session, 1)
            recording = await add_call(session, line)
            key = recording.id
        body = {"called_at": AT, "recording_id": key}
        problem = await ask(client, "POST", "/phone-records", 409, json=body)
        assert "普通外呼抽查" in problem["detail"]
        # Nor past the code: the database itself refuses it.
        made = {
            "number": "2026-9",
            "source": "report",
            "recording_id": key,
            "called_at": MOMENT,
            "state": "draft",
            "created_at": MOMENT,
            "created_by": "local",
        }
        for kind in ("report", "check"):
            with pytest.raises(IntegrityError):
                async with database_of(client).unit_of_work() as session:
                    await session.execute(insert(PhoneRecord).values(made | {"recording_kind": kind}))
        await ask(client, "POST", "/phone-records", 404, json=body | {"recording_id": key + 7})
        async with database_of(client).unit_of_work() as session:
            kept = await add_report(session)
            await say(session, kept, ["我叫王建国，水位上涨"])
            report = kept.id
        record = await ask(client, "POST", "/phone-records", 201, json=body | {"recording_id": report})
        assert record["recording_id"] == report
        # It has a transcript already.
        assert record["newest"]["fields"]["person"] == "王建国"
        for bad in (
            {"called_at": "x"},
            {"called_at": AT, "fields": {"day": "x"}},
            {"called_at": AT, "more": 1},
        ):
            await ask(client, "POST", "/phone-records", 422, json=bad)
        path = f"/phone-records/{record['id']}/versions"
        await ask(client, "POST", path, 422, json={"version": 2})
        await ask(client, "POST", path, 422, json={"version": 2, "checked": ["x"]})


async def test_withdrawing_takes_the_words_and_keeps_the_hash(either_settings: Settings) -> None:
    async with client_of(either_settings) as client:
        first = await bring(client, tone(pitch_hz=440))
        second = await bring(client, tone(pitch_hz=550))
        third = await bring(client, tone(pitch_hz=660))
        for record in (first, second):
            await transcribed(client, either_settings, record["recording_id"], "我叫王建国，秘密的内容")
        path = f"/phone-records/{second['id']}"
        change = {"version": 2, "fields": {"opinion": "请核实"}, "checked": ["person", "content"]}
        await ask(client, "POST", f"{path}/versions", 201, json=change)
        signed = await ask(client, "POST", f"{path}/sign", json={"version": 3})
        for _ in range(2):
            async with database_of(client).unit_of_work() as session:
                for record in (first, second, third):
                    await forget_all(session, record["recording_id"])
        draft = await ask(client, "GET", f"/phone-records/{first['id']}")
        assert (draft["newest"]["fields"]["person"], draft["newest"]["fields"]["content"]) == ("", "")
        kept = await ask(client, "GET", path)
        assert (kept["signed_sha256"], kept["holds"], kept["withdrawn"]) == (
            signed["signed_sha256"],
            None,
            True,
        )
        assert (kept["newest"]["fields"]["person"], kept["newest"]["fields"]["content"]) == ("王建国", "")
        page = await client.get(f"http://testserver{path}")
        assert "内容已封存" in page.text
        await ask(client, "POST", f"{path}/corrections", 409)
        async with database_of(client).reading() as session:
            versions = list(await session.scalars(select(PhoneRecordVersion.content)))
        assert "秘密" not in str(versions)
        # What comes in late fills nothing any more.
        await transcribed(client, either_settings, third["recording_id"], "秘密的内容")
        async with database_of(client).reading() as session:
            assert "秘密" not in str(list(await session.scalars(select(PhoneRecordVersion.content))))


async def test_records_are_listed_newest_first_and_narrowed(either_settings: Settings) -> None:
    async with client_of(either_settings) as client:
        async with database_of(client).unit_of_work() as session:
            head, _ = await add_line(session, 1, name="云溪县水利局")
            below = await directory.add_unit(session, "003", "防汛办", parent=head)
            unit_id, below_id = head.id, below.id
        for number, unit in enumerate((unit_id, below_id, None, unit_id)):
            body: dict[str, Any] = {
                "called_at": (MOMENT + timedelta(hours=number // 2)).isoformat(),
                "source": "report" if number == 2 else "incoming",
                "fields": {"content": "一"},
            } | ({"unit_id": unit} if unit else {})
            await ask(client, "POST", "/phone-records", 201, json=body)
        await ask(client, "POST", "/phone-records/2/sign", json={"version": 1})

        async def listed(**narrowed: Any) -> list[int]:
            keys: list[int] = []
            while True:
                page = await ask(client, "GET", "/phone-records", limit=2, **narrowed)
                keys += [item["id"] for item in page["items"]]
                if page["next"] is None:
                    return keys
                narrowed["after"] = page["next"]

        assert await listed() == [4, 3, 2, 1]
        assert await listed(unit=unit_id) == [4, 2, 1]
        assert await listed(unit=below_id) == [2]
        assert await listed(state="signed") == [2]
        assert await listed(source="report") == [3]
        assert await listed(**{"from": (MOMENT + timedelta(minutes=1)).isoformat()}) == [4, 3]
        assert await listed(to=(MOMENT + timedelta(minutes=1)).isoformat()) == [2, 1]
        await ask(client, "GET", "/phone-records", 404, unit=99)
        await ask(client, "GET", "/phone-records/99", 404)
        # Begun at one moment, they have numbers of their own.
        answers = await asyncio.gather(
            *(client.post("/phone-records", json={"called_at": AT}, headers=new_key()) for _ in range(4))
        )
        numbers = sorted(answer.json()["number"] for answer in answers)
        again = answers[0].request.headers["Idempotency-Key"]
        answer = await client.post(
            "/phone-records", json={"called_at": AT}, headers={"Idempotency-Key": again}
        )
        assert (answer.status_code, answer.headers["Idempotent-Replay"]) == (201, "true")
        assert answer.json() == answers[0].json()
        answer = await client.post("/phone-records", json={"called_at": AT})
        assert answer.status_code == 422
        assert numbers == [f"{_year()}-{number:04}" for number in range(5, 9)]


async def test_page_and_document_say_what_stands_in_the_form(settings: Settings) -> None:
    async with client_of(settings) as client:
        wild = '<script>alert(1)</script> & "引号" \ufffe{{ 7*7 }}'
        fields = {"office": "云溪县人民政府值班室", "unit": "青石镇<b>", "opinion": "请核实"}
        fields["content"] = f"{wild}\n第二行"
        await ask(client, "POST", "/phone-records", 201, json={"called_at": AT, "fields": fields})
        page = await client.get("http://testserver/phone-records/1")
        assert page.status_code == 200
        assert "<script>alert" not in page.text
        assert "青石镇&lt;b&gt;" in page.text
        assert "{{ 7*7 }}" in page.text
        for words in ("云溪县人民政府值班室电话记录单", "2026年11月22日20时27分", "拟办意见", "未签"):
            assert words in page.text
        document = await _document(client)
        assert "未签" in document
        assert "来电单位：青石镇<b>" in document
        assert '<script>alert(1)</script> & "引号" {{ 7*7 }}' in document
        assert "第二行" in document
        signed = await ask(client, "POST", "/phone-records/1/sign", json={"version": 1})
        page = await client.get("http://testserver/phone-records/1")
        document = await _document(client)
        for text in (page.text, document):
            assert "未签" not in text
            assert signed["signed_sha256"] in text
            assert WHO in text
        second = await ask(client, "POST", "/phone-records/1/corrections", 201)
        page = await client.get(f"http://testserver/phone-records/{second['id']}")
        assert f"更正：{signed['number']}" in page.text
        for missing in ("9", "0", "99999999999999999999"):
            assert (await client.get(f"http://testserver/phone-records/{missing}")).status_code == 404
        async with database_of(client).reading() as session:
            trail = await session.scalars(select(AuditEvent).where(AuditEvent.action == "download"))
            assert [event.subject for event in trail] == ["phone_record:1", "phone_record:1"]


async def _document(client: httpx.AsyncClient) -> str:
    answer = await client.get("/phone-records/1/docx")
    assert answer.status_code == 200
    assert answer.headers["content-disposition"].startswith("attachment")
    made = Document(io.BytesIO(answer.content))
    section = made.sections[0]
    assert (round(section.page_width.cm, 1), round(section.page_height.cm, 1)) == (21.0, 29.7)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as parts:
        assert "仿宋_GB2312" in parts.read("word/styles.xml").decode()
    return "\n".join(paragraph.text for paragraph in made.paragraphs)

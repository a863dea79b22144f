"""Imports over the API: a file is brought, looked at, confirmed once, and kept for a day."""

from __future__ import annotations

import io
import os
import stat
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import openpyxl
import pytest

from app import clock
from app.accounts.service import of_subject
from app.imports import uploads
from app.imports.routes import XLSX
from app.settings import Settings
from tests.web.api import WHO, client_of
from tests.web.imports_county import workbook

ROWS = [["单位", "值班电话"], ["城关镇", "0917-3212345"], ["水利局", "3212347"]]


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(settings) as opened:
        yield opened


async def bring(client: httpx.AsyncClient, content: bytes, status: int = 201, kind: str = XLSX) -> Any:
    answer = await client.post(
        "/imports", content=content, params={"name": "C:\\名录\\名录.xlsx"}, headers={"Content-Type": kind}
    )
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_a_file_is_brought_looked_at_confirmed_once_and_gone_after_a_day(
    client: httpx.AsyncClient, settings: Settings
) -> None:
    told = await bring(client, workbook(通讯录=ROWS))
    assert (told["name"], told["state"], told["importable"], told["uploaded_by"]) == (
        "名录.xlsx",
        "open",
        True,
        WHO,
    )
    assert told["counts"] == {
        "单位": {"add": 2, "change": 0, "unchanged": 0, "not_named": 0},
        "线路": {"add": 2, "change": 0, "unchanged": 0, "not_named": 0},
    }
    assert told["changes"][2]["fields"][1] == {"column": "值班电话", "before": "", "after": "0917-3212345"}
    address = f"/imports/{told['id']}"
    assert (await client.get(address)).json() == told
    kept = uploads.folder(settings)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept.iterdir()} == {0o600}
    assert (await client.get("/units")).json()["items"] == []

    done = (await client.post(f"{address}/confirm")).json()
    assert (done["state"], done["confirmed_by"]) == ("confirmed", WHO)
    assert [unit["name"] for unit in (await client.get("/units")).json()["items"]] == ["城关镇", "水利局"]
    again = await client.post(f"{address}/confirm")
    assert (again.status_code, again.headers["Content-Type"]) == (409, "application/problem+json")
    async with client.app.state.database.reading() as session:  # type: ignore[attr-defined]
        (imported,) = await of_subject(session, "directory")
        (uploaded,) = await of_subject(session, f"import:{told['id']}")
    assert (imported.action, imported.who, uploaded.action, uploaded.who) == ("import", WHO, "upload", WHO)

    later = datetime.now(UTC) + timedelta(hours=24, seconds=1)
    with clock.running(lambda: later):
        assert (await client.get(address)).status_code == 404


async def test_what_nobody_confirmed_is_deleted_after_a_day(
    client: httpx.AsyncClient, settings: Settings
) -> None:
    await bring(client, workbook(通讯录=ROWS))
    kept = uploads.folder(settings)
    (kept / "0.json.1.draft").touch()
    long_ago = time.time() - 25 * 3600
    for path in kept.iterdir():
        os.utime(path, (long_ago, long_ago))
    told = await bring(client, workbook(通讯录=ROWS))
    assert {path.stem for path in kept.iterdir()} == {told["id"]}
    assert (await client.delete(f"/imports/{told['id']}")).status_code == 204
    assert list(kept.iterdir()) == []
    assert (await client.post(f"/imports/{told['id']}/confirm")).status_code == 404


async def test_a_bad_cell_stops_all_of_it_and_every_finding_can_be_read(client: httpx.AsyncClient) -> None:
    rows = [
        ["单位", "值班电话", "类别"],
        *([f"单位{number}", f"no{number}", "镇街"] for number in range(130)),
        ["好", "3212345", "镇街"],
    ]
    told = await bring(client, workbook(通讯录=rows))
    assert (told["importable"], told["errors"], len(told["findings"])) == (False, 130, 100)
    first = told["findings"][0]
    assert (first["cell"], first["value"], first["severity"], first["code"]) == (
        "B2",
        "no0",
        "error",
        "bad_number",
    )
    assert first["wrong"].startswith("不是电话号码")
    assert first["right_en"].startswith("such as 0917-")
    found, after = [], None
    while True:
        params = {"limit": "60"} | ({"after": after} if after else {})
        page = (await client.get(f"/imports/{told['id']}/findings", params=params)).json()
        found += [item["cell"] for item in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert found == [f"B{number}" for number in range(2, 132)]
    refused = await client.post(f"/imports/{told['id']}/confirm")
    assert refused.status_code == 409
    assert refused.json()["errors"][0]["where"] == "通讯录!B2"
    changes = (await client.get(f"/imports/{told['id']}/changes", params={"after": "nonsense"})).status_code
    assert changes == 422


async def test_what_is_no_such_file_is_refused_with_what_to_do(
    client: httpx.AsyncClient, settings: Settings
) -> None:
    old = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
    assert "另存为 .xlsx" in (await bring(client, old, 422))["detail"]
    assert (await bring(client, b"", 422))["detail"] == "文件是空的"
    assert "不是表单" in (await bring(client, b"x", 422, "multipart/form-data; boundary=x"))["detail"]
    nameless = await client.post("/imports", content=b"x", headers={"X-DutyRing-Actor": ""})
    assert nameless.status_code == 401
    for key in ("0" * 32, "..%2F..%2Fseal", "x"):
        assert (await client.get(f"/imports/{key}")).status_code in (404, 422)
    assert not uploads.folder(settings).exists()


async def test_the_directory_is_downloaded_by_a_named_person_and_put_on_record(
    client: httpx.AsyncClient,
) -> None:
    told = await bring(client, workbook(通讯录=ROWS))
    await client.post(f"/imports/{told['id']}/confirm")
    answer = await client.get("/directory.xlsx")
    assert answer.headers["Content-Type"] == XLSX
    sheet = openpyxl.load_workbook(io.BytesIO(answer.content))["线路"]
    assert [cell.value for cell in sheet["D"]] == ["值班电话", "0917-3212345", "3212347"]
    assert {cell.number_format for cell in sheet["D"]} == {"@"}
    assert sheet.freeze_panes == "A2"
    assert (await client.get("/directory.xlsx", params={"unit": "nowhere"})).status_code == 404
    assert (await client.get("/directory.xlsx", headers={"X-DutyRing-Actor": ""})).status_code == 401
    async with client.app.state.database.reading() as session:  # type: ignore[attr-defined]
        trail = await of_subject(session, "directory")
    assert [(line.action, line.who) for line in trail] == [("import", WHO), ("export", WHO)]

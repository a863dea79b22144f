"""Import as a page: a workbook with bad cells is brought, put right, brought again, then entered at once."""

from __future__ import annotations

import io
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import openpyxl
import pytest

from app.accounts.permissions import Role
from app.accounts.service import of_actions
from app.directory import repository
from app.imports import uploads
from app.imports.files import LARGEST_FILE
from app.imports.routes import XLSX
from app.imports.template import template
from app.settings import Settings
from tests.web.directory_office import Browser, Office, office_of, plain
from tests.web.imports_county import cells, workbook

HEAD = ["单位名称", "上级单位", "值班电话", "传真"]
BAD = [
    HEAD,
    ["财政局", "C01", "32l2346", ""],
    ["教育局", "云溪", "0917-3212347", ""],
    ["林业局", "C01", "0917-3212348", "0917-3212349"],
]
GOOD = [HEAD, ["财政局", "C01", "0917-3212346", ""], ["教育局", "云溪县", "0917-3212347", ""], BAD[3]]


@pytest.fixture
async def office(settings: Settings) -> AsyncIterator[Office]:
    async with office_of(settings) as opened:
        yield opened


@pytest.fixture
async def dispatcher(office: Office) -> Browser:
    return await office.person(Role.DISPATCHER)


async def bring(
    browser: Browser, content: bytes, status: int = 303, name: str = "名录.xlsx"
) -> httpx.Response:
    """Send the form of the page."""
    file = {"file": (name, content, XLSX)}
    answer = await browser.client.post("/units/import", headers=browser.headers, files=file)
    assert answer.status_code == status, plain(answer.text)[-500:]
    return answer


async def codes(office: Office) -> list[str]:
    async with office.database.reading() as session:
        return [unit.name for unit in await repository.units(session)]


async def test_bad_cells_are_named_put_right_and_then_all_of_it_is_entered(either_settings: Settings) -> None:
    async with office_of(either_settings) as office:
        duty = await office.person(Role.DISPATCHER)
        before = await codes(office)
        at = (await bring(duty, workbook(通讯录=BAD))).headers["location"]
        page = await duty.get(at)
        told = plain(page)
        assert "有 2 处错误，不能导入" in told
        assert re.search(r"通讯录 C2 32l2346 ▲ 不是电话号码.* 如 0917-3262000", told)
        assert re.search(r"通讯录 B3 云溪 ▲ ", told)
        assert "/confirm" not in page
        assert 'type="file"' in page
        assert "有 2 处错误，全部未导入" in plain((await duty.send(f"{at}/confirm", 422)).text)
        assert await codes(office) == before

        at = (await bring(duty, workbook(通讯录=GOOD))).headers["location"]
        told = plain(await duty.get(at))
        assert "可以导入：新增 7，变更 0。" in told
        assert re.search(r"线路 .*财政局.* 通讯录!2 ", told)
        assert await codes(office) == before
        assert (await duty.send(f"{at}/confirm")).headers["location"] == at
        assert "已全部导入" in plain(await duty.get(at))
        assert {"财政局", "教育局", "林业局"} <= set(await codes(office))
        assert "已于" in plain((await duty.send(f"{at}/confirm", 422)).text)
        assert "财政局" in plain(await duty.get("/units?q=0917-3212346"))
        async with office.database.reading() as session:
            (row,) = await of_actions(session, ["import"])
        assert row.who == "总值班室"


async def test_what_is_wrong_is_told_from_the_top_down(office: Office, dispatcher: Browser) -> None:
    """What no cell can be read as is met first, what the records do not know later."""
    rows = [HEAD, ["档案馆", "没有的县", "0917-3212346", ""], ["妇联", "C01", "32l2346", ""]]
    told = plain(await dispatcher.get((await bring(dispatcher, workbook(通讯录=rows))).headers["location"]))
    assert 0 < told.index("通讯录 B2 没有的县") < told.index("通讯录 C3 32l2346")


async def test_what_is_wrong_what_is_doubtful_and_what_would_change_stand_apart_in_pages(
    office: Office, dispatcher: Browser
) -> None:
    rows: list[list[Any]] = [HEAD]
    rows += [[f"村{number}", "C01", f"坏{number}", ""] for number in range(70)]
    rows += [["手机局", "C01", "13912345678", ""], ["城关镇", "", "0917-3212345", ""]]
    at = (await bring(dispatcher, workbook(通讯录=rows))).headers["location"]
    told = await dispatcher.get(f"{at}?show=error")
    assert "第 1–50 条，共 70 条" in plain(told)
    (more,) = re.findall(r'rel="next" href="([^"]+)"', told)
    rest = plain(await dispatcher.get(more.replace("&amp;", "&")))
    assert "第 51–70 条，共 70 条" in rest
    assert "通讯录 C71 坏69 ▲" in rest
    assert "值班电话是手机号码" in plain(await dispatcher.get(f"{at}?show=doubt"))
    assert "村1" in plain(await dispatcher.get(f"{at}?show=add"))
    english = plain(await dispatcher.get(f"{at}?show=error", english=True))
    assert "70 errors: it cannot be imported" in english
    assert "it is no telephone number" in english
    for wrong in ("show=add&after=x", "show=add&after=WyJ4Il0"):
        await dispatcher.get(f"{at}?{wrong}", 422)
    await dispatcher.send(f"{at}/discard")
    assert "没有这个导入文件" in plain(await dispatcher.get(at, 422))
    assert list(uploads.folder(office.settings).iterdir()) == []


async def test_a_change_shows_old_and_new(office: Office, dispatcher: Browser) -> None:
    sheet = [["单位编码", "单位名称", "分组"], ["C01-T1", "城关街道", "镇街"]]
    at = (await bring(dispatcher, workbook(单位=sheet))).headers["location"]
    assert re.search(
        r"单位名称 城关镇 → 城关街道 分组 — → 镇街", plain(await dispatcher.get(f"{at}?show=change"))
    )


async def test_records_that_changed_since_the_preview_are_not_run_over(
    office: Office, dispatcher: Browser
) -> None:
    sheet = [["单位编码", "单位名称"], ["C01-T1", "城关街道"]]
    at = (await bring(dispatcher, workbook(单位=sheet))).headers["location"]
    await dispatcher.change(f"/units/{office.keys['town']}/change", name="城关新区")
    refused = await dispatcher.send(f"{at}/confirm", 422)
    assert "预览之后名录已有变化" in plain(refused.text)
    assert "城关新区" in await codes(office)


async def test_the_empty_workbook_tells_how_it_is_filled_in_and_does_nothing_as_it_is(
    office: Office, dispatcher: Browser
) -> None:
    answer = await office.client.get("/units/import/template.xlsx", headers=dispatcher.headers)
    assert answer.headers["content-type"] == XLSX
    assert "attachment" in answer.headers["content-disposition"]
    book = openpyxl.load_workbook(io.BytesIO(answer.content))
    assert book.sheetnames == [
        "单位",
        "值班方式",
        "线路",
        "人员",
        "值班表",
        "带班表",
        "豁免",
        "日历",
        "填写说明",
    ]
    assert book["单位"]["B1"].value == "单位名称（必填）"
    assert "镇街" in book["单位"]["D1"].comment.text
    assert book["单位"].data_validations.dataValidation
    at = (await bring(dispatcher, answer.content)).headers["location"]
    told = plain(await dispatcher.get(at))
    assert "没有要录入的内容" in told
    assert "错误 0 存疑 0" in told

    book["单位"].append(["C09", "档案馆", "C01", "企事业单位", "", "08:30", None, None])
    book["线路"].append(["C09", "档案馆", "值班电话", "0917-3218888"])
    filled = io.BytesIO()
    book.save(filled)
    at = (await bring(dispatcher, filled.getvalue())).headers["location"]
    await dispatcher.send(f"{at}/confirm")
    assert "档案馆" in await codes(office)
    assert template() == answer.content


async def test_an_export_comes_back_as_nothing_to_enter_and_is_on_record(
    office: Office, dispatcher: Browser
) -> None:
    answer = await office.client.get("/units/directory.xlsx", headers=dispatcher.headers)
    assert answer.headers["content-type"] == XLSX
    assert len(cells(answer.content)["单位"]) == 8
    at = (await bring(dispatcher, answer.content)).headers["location"]
    assert "没有要录入的内容" in plain(await dispatcher.get(at))
    async with office.database.reading() as session:
        assert [row.who for row in await of_actions(session, ["export"])] == ["总值班室"]


async def test_what_is_no_workbook_is_refused_with_what_to_do(office: Office, dispatcher: Browser) -> None:
    answer = await dispatcher.send("/units/import", 422)
    assert "请选择文件" in plain(answer.text)
    old = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
    assert "另存为 .xlsx" in plain((await bring(dispatcher, old, 422, "旧.xls")).text)
    dispatcher.headers["Cookie"] += "; dutyring_language=en"
    assert "save it as .xlsx" in plain((await bring(dispatcher, old, 422, "old.xls")).text)
    large = await bring(dispatcher, bytes(LARGEST_FILE + 1), 422, "大.xlsx")
    assert "20 MB" in plain(large.text)
    assert not uploads.folder(office.settings).exists()
    await dispatcher.get(f"/units/import/{'0' * 32}", 422)
    await dispatcher.get("/units/import/..%2f..%2fetc", 404)


async def test_only_who_may_change_the_directory_brings_files(office: Office, dispatcher: Browser) -> None:
    at = (await bring(dispatcher, workbook(通讯录=GOOD))).headers["location"]
    inspector = await office.person(Role.INSPECTOR)
    for path in ("/units/import", at, "/units/directory.xlsx", "/units/import/template.xlsx"):
        await inspector.get(path, 403)
    await inspector.send(f"{at}/confirm", 403)
    await bring(inspector, workbook(通讯录=GOOD), 403)
    forged = await office.client.post(
        "/units/import",
        headers={"Cookie": dispatcher.headers["Cookie"]},
        files={"file": ("a.csv", b"x", "text/csv")},
    )
    assert forged.status_code == 403

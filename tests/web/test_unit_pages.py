"""单位与电话: the tree, its search, a unit's page and every form of it, each as the person sees it who may."""

from __future__ import annotations

import ast
import re
from collections.abc import AsyncIterator, Iterator
from html import escape
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import clock
from app.accounts.permissions import Role
from app.accounts.service import of_actions
from app.directory.models import DutyLine, NumberChange, Person, Unit, UnitExemption
from app.errors import BadInputError
from app.imports.columns import BY_KIND
from app.rosters.warnings import WARNING_CODES
from app.settings import Settings
from app.web.i18n import catalogue
from app.web.units.forms import Field, values_of
from tests.web.directory_office import LONG, WILD, Browser, Office, office_of, plain

WEB = Path(__file__).parents[2] / "app" / "web"
PLACE = "赴省城参加防汛会议"


@pytest.fixture
async def office(settings: Settings) -> AsyncIterator[Office]:
    async with office_of(settings) as opened:
        yield opened


@pytest.fixture
async def dispatcher(office: Office) -> Browser:
    return await office.person(Role.DISPATCHER)


async def test_the_tree_opens_branch_by_branch_and_tells_what_wants_a_person(
    either_settings: Settings,
) -> None:
    async with office_of(either_settings) as office:
        duty = await office.person(Role.DISPATCHER)
        whole = await duty.get("/units")
        assert plain(whole).count("云溪县") == 1
        assert "城关镇" not in whole
        assert "线路 3 待核号 1 ▲ 核号未通 1" in plain(whole)
        branch = plain(await duty.get(f"/units/branch?parent={office.keys['county']}&level=2"))
        assert branch.index("直属各局") < branch.index("城关镇")
        assert "城关镇 C01-T1 镇街 线路 3 待核号 1 ▲ 核号未通 1 ▲ 电话警示 2" in branch
        closed = await duty.get(f"/units/branch?parent={office.keys['departments']}&level=3")
        assert "原农机局 C01-B2 其他 线路 0 已撤销（至 2020-03-01）" in plain(closed)
        assert 'aria-level="3"' in closed
        wild = await duty.get(f"/units/branch?parent={office.keys['town']}&level=3")
        assert escape(WILD, quote=False) in wild.replace("&#34;", '"')
        assert "<script>alert" not in wild


async def test_the_tree_of_a_scope_begins_at_its_heads_and_shows_nothing_above_or_beside(
    either_settings: Settings,
) -> None:
    async with office_of(either_settings) as office:
        duty = await office.person(Role.DISPATCHER, units=["town", "wild", "water"])
        told = plain(await duty.get("/units"))
        assert [told.count(name) for name in ("云溪县", "直属各局", "水利局", "城关镇", "script")] == [
            0,
            0,
            1,
            1,
            0,
        ]
        page = await duty.get(f"/units/{office.keys['town']}")
        assert "云溪县" not in page
        assert "云溪县" not in await duty.get("/units/found?q=C01")
        for part in ("", "/rosters", "/history", "/change", "/whereabouts", "/children", "/people"):
            await duty.get(f"/units/{office.keys['county']}{part}", 404)
        await duty.get(f"/units/branch?parent={office.keys['departments']}", 404)


async def test_units_are_found_by_a_part_of_the_name_the_code_or_a_number(either_settings: Settings) -> None:
    async with office_of(either_settings) as office:
        duty = await office.person(Role.INSPECTOR)
        for asked, found in (
            ("q=关", "城关镇"),
            ("q=c01-t1-1-1", LONG),
            ("q=3210000", ""),
            ("q=0917-32123", "城关镇"),
            ("q=%25", ""),
            ("category=county_department", "水利局"),
            ("q=农机", "原农机局"),
            ("q=农机&closed=no", ""),
        ):
            told = plain(await duty.get(f"/units?{asked}"))
            assert (found in told) if found else ("没有符合条件的单位" in told), asked
            assert plain(await duty.get(f"/units/found?{asked}")).strip() in told
        assert "云溪县 › 直属各局" in plain(await duty.get("/units?q=水利"))
        assert 'value="C01-B1、C01-T1"' in await duty.get("/units/suggestions?unit=C01-B1、城关")


async def test_long_lists_go_on_behind_a_key(office: Office, dispatcher: Browser) -> None:
    async with office.database.unit_of_work() as session:
        town = office.keys["town"]
        for number in range(130):
            unit = Unit(code=f"N{number:03}", name=f"村{number}", parent_id=town, created_at=clock.now())
            session.add(unit)
            session.add(Person(unit_id=town, name=f"人员{number}"))
            await session.flush()
            unit.path = f"{office.keys['county']}/{town}/{unit.id}/"
            session.add(DutyLine(unit_id=unit.id, number=f"5{number:06}", target=f"5{number:06}"))
    seen: list[str] = []
    address: str | None = f"/units/branch?parent={town}&level=3"
    while address:
        page = await dispatcher.get(address)
        seen += re.findall(r">村(\d+)<", page)
        more = re.search(r'data-more="([^"]+)"', page)
        address = more and more[1].replace("&amp;", "&")
    assert seen == [str(number) for number in range(130)]
    for start, pattern, count in (
        ("/units?q=村", r">村(\d+)<", 130),
        ("/units/lines", r">(5\d{6})<", 130),
        (f"/units/{town}", r">人员(\d+)<", 130),
        (f"/units/{town}", r">村(\d+)<", 130),
        ("/units/confirmations", r">村(\d+)<", 130),
    ):
        assert len(set(await _all(dispatcher, start, pattern))) == count, start


async def _all(browser: Browser, address: str, pattern: str) -> list[str]:
    """What stands on a page and on all that follow it."""
    seen, waiting, known = [], [address], set[str]()
    while waiting:
        page = await browser.get(waiting.pop())
        seen += re.findall(pattern, page)
        for more in re.findall(r'(?:rel="next" href|hx-get)="([^"]*after=[^"]+)"', page):
            if more not in known:
                known.add(more)
                waiting.append(more.replace("&amp;", "&"))
    return seen


async def test_a_unit_shows_all_that_hangs_on_it(either_settings: Settings) -> None:
    async with office_of(either_settings) as office:
        duty = await office.person(Role.DISPATCHER)
        told = plain(await duty.get(f"/units/{office.keys['town']}"))
        for words in (
            "单位与电话 › 云溪县",
            "08:30",
            "在岗值班 电话带班",
            "传真与值班电话同号",
            "09173210000转8012 总机应答后拨 8012",
            "引示号 0917-3210000",
            "▲ 核号未通 未接通 3 次",
            "共用：水利局",
            "李四 科员 值班员 临聘 13800001111",
            "2020-01-01 起 现行",
            "0 次计入覆盖",
            "还没有抽查过",
            WILD,
        ):
            assert words in told, words
        shared = plain(await duty.get(f"/units/{office.keys['water']}"))
        assert "由 城关镇 负责，本单位共用" in shared
        deep = await duty.get(f"/units/{office.keys['deep']}")
        assert plain(deep).count(LONG) == 1
        assert "<script>alert" not in deep


async def test_who_may_only_read_sees_no_form_and_numbers_in_part(office: Office) -> None:
    inspector = await office.person(Role.INSPECTOR)
    page = await inspector.get(f"/units/{office.keys['town']}")
    assert "138******11" in page
    assert "13800001111" not in page
    assert "138******11" in await inspector.get(f"/units/{office.keys['town']}/people")
    for words in ("/change", "/new", "/import", "/whereabouts", "/move"):
        assert f'{words}"' not in page, words
    for path in ("change", "move", "lines/new", "whereabouts", "whereabouts/new", "rosters/2026-01-05/duty"):
        await inspector.get(f"/units/{office.keys['town']}/{path}", 403)
    await inspector.send(f"/units/{office.keys['town']}/close", 403, revision=1, last_day="2026-01-01")
    told = await inspector.get("/api/v1/people")
    assert "138******11" in told
    assert "13800001111" not in told
    administrator = await office.person(Role.ADMINISTRATOR)
    await administrator.get("/units", 403)


async def test_a_unit_is_entered_changed_moved_and_closed(office: Office, dispatcher: Browser) -> None:
    bad = await dispatcher.send(
        "/units/new", 422, parent_id="无此单位", code="坏 码", name="", handover_times="8点", category="x"
    )
    told = plain(bad.text)
    assert "没有代码或名称为“无此单位”的单位" in told
    assert 'value="坏 码"' in bad.text
    bad = await dispatcher.send("/units/new", 422, code="坏 码", name=" ", handover_times="8点", category="x")
    told = plain(bad.text)
    for words in ("有 4 处需要改正", "请填写", "请选择", "含有这里不能用的字符或写法"):
        assert words in told, words
    taken = await dispatcher.send("/units/new", 422, code="C01-T1", name="财政局", category="town")
    assert "单位代码 C01-T1 已有单位使用" in plain(taken.text)
    done = await dispatcher.change(
        "/units/new?parent=C01", code="C01-F", name="财政局", handover_times="08:30,18:00"
    )
    at = done.headers["location"]
    assert "财政局 C01-F" in plain(await dispatcher.get(at))

    first = await dispatcher.get(f"{at}/change")
    await dispatcher.change(f"{at}/change", name="财政局（金融办）", last_day="2030-01-01", kind="县直")
    stale = await dispatcher.send(
        f"{at}/change", 422, **_hidden(first), code="C01-F", name="别名", category="other"
    )
    assert "已被他人修改" in plain(stale.text)
    assert 'value="别名"' in stale.text
    await dispatcher.change(f"{at}/change", last_day="")
    assert "08:30、18:00" in plain(await dispatcher.get(at))

    below = f"/units/{office.keys['county']}/move"
    assert "不能作它的上级" in plain((await dispatcher.change(below, 422, parent_id="城关镇")).text)
    await dispatcher.change(f"{at}/move", parent_id="直属各局")
    assert "云溪县 › 直属各局" in plain(await dispatcher.get(at))
    going_on = await dispatcher.change(
        f"/units/{office.keys['departments']}/close", 422, last_day="2026-01-01"
    )
    assert "还有未撤销的单位" in plain(going_on.text)
    await dispatcher.change(f"{at}/close", last_day="2026-01-01")
    assert "已撤销（至 2026-01-01）" in plain(await dispatcher.get(at))
    history = plain(await dispatcher.get(f"{at}/history"))
    assert history.index("撤销单位") < history.index("调整上级") < history.index("新增单位")
    assert "修改单位 单位 " in history
    assert "停用日期" in history


def _hidden(page: str) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="(revision)" value="(\d+)"', page))


async def test_regimes_follow_each_other(office: Office, dispatcher: Browser) -> None:
    at = f"/units/{office.keys['town']}"
    overlap = await dispatcher.change(f"{at}/regimes/new", 422, first_day="2026-07-01", end_previous="")
    assert "日期重叠" in plain(overlap.text)
    await dispatcher.change(f"{at}/regimes/new", first_day="2026-07-01", leader="double", note="汛期")
    told = plain(await dispatcher.get(at))
    assert "2020-01-01 至 2026-06-30" in told
    assert "双带班 汛期" in told
    (regime,) = re.findall(
        r"/regimes/(\d+)\"[^>]*>[^<]*<span class=\"unseen\"> 2026-07-01", await dispatcher.get(at)
    )
    await dispatcher.change(f"{at}/regimes/{regime}", last_day="2026-09-30")
    assert "2026-07-01 至 2026-09-30" in plain(await dispatcher.get(at))
    wrong = await dispatcher.change(f"{at}/regimes/{regime}", 422, last_day="2026-02-31")
    assert "日期或时间不对" in plain(wrong.text)
    await dispatcher.get(f"/units/{office.keys['water']}/regimes/{regime}", 404)


async def test_lines_are_entered_changed_shared_and_exempted(office: Office, dispatcher: Browser) -> None:
    at = f"/units/{office.keys['town']}"
    for number, words in (
        ("32l2345", "含有不是号码的字符"),
        ("110", "禁拨"),
        ("09173212345", "该号码已登记为“城关镇”的线路"),
        ("", "请填写"),
    ):
        bad = await dispatcher.change(f"{at}/lines/new", 422, number=number)
        assert words in plain(bad.text), number
    await dispatcher.change(f"{at}/lines/new", number="转8013", name="值守", pilot_numbers="0917-3210000")
    assert "09173210000转8013" in plain(await dispatcher.get(at))

    line = f"{at}/lines/{office.keys['line']}"
    assert 'name="target" value=""' in await dispatcher.get(f"{line}/change")
    assert "09173210000转8012" in await dispatcher.get(f"{at}/lines/{office.keys['inner']}/change")
    await dispatcher.change(f"{line}/change", number="0917-3219999", last_day="2030-12-31")
    async with office.database.reading() as session:
        row = await session.get(DutyLine, office.keys["line"])
    assert row is not None
    assert (row.target, row.verification) == ("09173219999", "pending")
    await dispatcher.change(f"{line}/change", active="")
    assert "已停用" in plain(await dispatcher.get(at))
    assert "没有代码或名称为“无”的单位" in plain(
        (await dispatcher.change(f"{line}/share", 422, unit_ids="无")).text
    )
    await dispatcher.change(f"{line}/share", unit_ids="C01、水利局")
    assert "共用：云溪县、水利局" in plain(await dispatcher.get(at))

    backwards = await dispatcher.change(
        f"{line}/exemptions/new", 422, first_day="2026-05-02", last_day="2026-05-01", reason="抢修"
    )
    assert "不得早于起始日期" in plain(backwards.text)
    await dispatcher.change(f"{line}/exemptions/new", kind="crbt", first_day="2026-05-02", reason="局长批准")
    (row_id,) = re.findall(r"/line-exemptions/(\d+)", await dispatcher.get(at))
    await dispatcher.change(f"{at}/line-exemptions/{row_id}", last_day="2026-06-01")
    assert "允许彩铃 2026-05-02 至 2026-06-01 局长批准" in plain(await dispatcher.get(at))
    await dispatcher.get(f"/units/{office.keys['water']}/lines/{office.keys['line']}/change", 404)
    warned = plain(await dispatcher.get("/units/lines?warned=1"))
    assert "号码" in warned


async def test_people_are_entered_and_changed(office: Office, dispatcher: Browser) -> None:
    at = f"/units/{office.keys['town']}"
    assert "请填写" in plain((await dispatcher.change(f"{at}/people/new", 422, name="")).text)
    await dispatcher.change(f"{at}/people/new", name="王强", role="leader", staffing="established")
    person = f"{at}/people/{office.keys['officer']}/change"
    await dispatcher.change(person, title="", phone="", last_day="2026-03-01")
    told = plain(await dispatcher.get(at))
    assert "王强 — 带班领导 在编 —" in told
    assert "李四 — 值班员 临聘 — 至 2026-03-01 已停用" in told
    history = plain(await dispatcher.get(f"{at}/history"))
    assert "修改人员 李四 名称、职务" in history or "修改人员 李四" in history


async def test_a_reported_number_is_entered_or_dismissed(office: Office, dispatcher: Browser) -> None:
    at = f"/units/{office.keys['town']}"
    later = await dispatcher.change(
        f"{at}/number-changes/new", 422, received_at="2199-01-01T00:00", number="3268888"
    )
    assert "收到时间晚于现在" in plain(later.text)
    for number, line in (
        ("0917-3268888", str(office.keys["line"])),
        ("0917-3260001", ""),
        ("0917-3260002", ""),
    ):
        await dispatcher.change(
            f"{at}/number-changes/new",
            line_id=line,
            number=number,
            received_at="2026-11-01T09:10",
            note="镇办来电",
        )
    listed = plain(await dispatcher.get("/units/number-changes"))
    assert "城关镇 2026-11-01 09:10 0917-3212345 0917-3268888" in listed
    assert "3 条号码变更待录入" in plain(await dispatcher.get("/units"))
    third, second, first = re.findall(
        r"/number-changes/(\d+)/enter", await dispatcher.get("/units/number-changes")
    )
    await dispatcher.change(f"{at}/number-changes/{first}/enter")
    await dispatcher.change(f"{at}/number-changes/{second}/enter", line_id=str(office.keys["inner"]))
    assert "请填写" in plain((await dispatcher.change(f"{at}/number-changes/{third}/dismiss", 422)).text)
    await dispatcher.change(f"{at}/number-changes/{third}/dismiss", reason="误报")
    again = await dispatcher.change(f"{at}/number-changes/{third}/dismiss", 422, reason="误报")
    assert "已作废，不能再办" in plain(again.text)
    async with office.database.reading() as session:
        rows = [await session.get(NumberChange, int(key)) for key in (first, second, third)]
        line_row = await session.get(DutyLine, office.keys["line"])
    assert [row and row.outcome for row in rows] == ["entered", "entered", "dismissed"]
    assert line_row is not None
    assert (line_row.number, line_row.verification) == ("0917-3268888", "pending")
    assert "没有待办的号码变更" in plain(await dispatcher.get("/units/number-changes"))
    assert "已作废" in plain(await dispatcher.get("/units/number-changes?outcome=all"))


async def test_an_exemption_begins_and_ends(office: Office, dispatcher: Browser) -> None:
    at = f"/units/{office.keys['town']}"
    await dispatcher.change(
        f"{at}/exemptions/new", kind="emergency", first_at="2026-01-05T08:00", reason="抗洪"
    )
    assert "城关镇 2026-01-05 08:00 起，未定结束 应急处置中 全部线路 抗洪" in plain(
        await dispatcher.get("/units/exemptions")
    )
    (key,) = re.findall(r"/exemptions/(\d+)", await dispatcher.get("/units/exemptions"))
    bad = await dispatcher.change(f"{at}/exemptions/{key}", 422, last_at="2026-01-05T07:00")
    assert "结束时间须晚于开始时间" in plain(bad.text)
    await dispatcher.change(f"{at}/exemptions/{key}", last_at="2026-01-06T08:00")
    async with office.database.reading() as session:
        row = await session.get(UnitExemption, int(key))
    assert row is not None
    assert row.last_at is not None
    assert row.last_at.isoformat() == "2026-01-06T00:00:00+00:00"
    assert "现在没有生效的豁免" in plain(await dispatcher.get("/units/exemptions"))
    assert "抗洪" in plain(await dispatcher.get("/units/exemptions?all=1"))


async def test_confirmations_are_counted_and_given_once(either_settings: Settings) -> None:
    async with office_of(either_settings) as office:
        duty = await office.person(Role.DISPATCHER)
        told = plain(await duty.get("/units/confirmations?quarter=2026Q1"))
        assert "应核对 6 个单位，已核对 0，未核对 6" in told
        assert "原农机局" not in told
        assert "▲ 逾期未核对" in told
        form = f"/units/{office.keys['town']}/confirmations/new?quarter=2026Q1"
        await duty.change(form, note="无变动")
        assert "2026Q1 已核对" in plain((await duty.change(form, 422)).text)
        assert "含有这里不能用的字符或写法" in plain((await duty.change(form, 422, quarter="2026-1")).text)
        told = plain(await duty.get("/units/confirmations?quarter=2026Q1"))
        assert "已核对 1，未核对 5" in told
        assert "城关镇" not in told
        assert "城关镇" in plain(await duty.get("/units/confirmations?quarter=2026Q1&show=done"))
        await duty.get("/units/confirmations?quarter=x", 422)


async def test_a_place_is_read_one_by_one_and_each_reading_is_on_record(office: Office) -> None:
    supervisor = await office.person(Role.SUPERVISOR)
    at = f"/units/{office.keys['town']}/whereabouts"
    await supervisor.change(f"{at}/new", name="王镇长", place=PLACE)
    page = await supervisor.get(at)
    assert PLACE not in page
    assert "都已记录在案" in plain(page)
    (key,) = re.findall(r"/whereabouts/(\d+)/read", page)
    answer = await supervisor.send(f"{at}/{key}/read", 200)
    assert PLACE in answer.text
    await supervisor.send(f"/units/{office.keys['water']}/whereabouts/{key}/read", 404)
    await supervisor.send(f"{at}/{key}/forget")
    assert "没有登记去向" in plain(await supervisor.get(at))
    async with office.database.reading() as session:
        rows = await of_actions(session, ["whereabouts.read", "whereabouts.list", "whereabouts.delete"])
    assert [row.action for row in rows].count("whereabouts.read") == 1
    assert {row.who for row in rows} == {"督查"}
    assert PLACE not in str([(row.detail, row.subject) for row in rows])
    assert "去向" not in plain(await supervisor.get(f"/units/{office.keys['town']}/history")).replace(
        "履历 去向", ""
    )


async def test_a_form_without_the_token_of_its_session_changes_nothing(
    office: Office, dispatcher: Browser
) -> None:
    headers = {"Cookie": dispatcher.headers["Cookie"]}
    answer = await office.client.post("/units/new", headers=headers, data={"code": "X", "name": "X"})
    assert answer.status_code == 403
    page = await dispatcher.get("/units/new")
    (token,) = set(re.findall(r'name="csrf" value="([^"]+)"', page))
    sent = {"csrf": token, "code": "X1", "name": "新单位", "category": "other"}
    assert (await office.client.post("/units/new", headers=headers, data=sent)).status_code == 303


PAGES = (
    *("", "/history", "/rosters", "/whereabouts", "/change", "/move", "/close", "/regimes/new", "/lines/new"),
    *("/people/new", "/number-changes/new", "/exemptions/new", "/confirmations/new", "/whereabouts/new"),
)


async def test_every_page_is_there_in_english(office: Office, dispatcher: Browser) -> None:
    own = [f"/units/{office.keys['water']}{path}" for path in PAGES]
    others = ["", "/lines", "/number-changes", "/exemptions", "/confirmations", "/rosters", "/import", "/new"]
    for path in [*own, *(f"/units{path}" for path in others)]:
        words = plain(await dispatcher.get(path, english=True))
        for name in (
            "水利局",
            "直属各局",
            "云溪县",
            "城关镇",
            "原农机局",
            LONG,
            WILD,
            "值班电话",
            "夜间",
            "传真",
        ):
            words = words.replace(name, "")
        left = re.findall(r"[\u4e00-\u9fff]{2,}", re.sub(r"转8012|清空|单位|镇街", "", words))
        assert left == [], path
    wrong = await office.client.post(
        "/units/new",
        headers=dispatcher.headers | {"Cookie": dispatcher.headers["Cookie"] + "; dutyring_language=en"},
        data={"code": "", "name": ""},
    )
    assert "Please fill this in" in wrong.text


def _words_of_templates() -> Iterator[str]:
    for folder in ("units", "imports"):
        for path in (WEB / "templates" / folder).glob("*.html"):
            page = re.sub(r"{#.*?#}", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
            for block in re.findall(r"{{.*?}}|{%.*?%}", page, re.DOTALL):
                yield from re.findall(r'"([^"]*)"', block)


def _words_of_modules() -> Iterator[str]:
    for folder in ("units", "imports"):
        for path in (WEB / folder).glob("*.py"):
            nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
            passed = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
            passed |= {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
            for node in nodes:
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in passed:
                    yield node.value


def test_every_word_of_these_pages_has_its_english() -> None:
    headings = {
        column.names[0] for layout in BY_KIND.values() for column in layout.columns if column.exported
    }
    words = {*_words_of_templates(), *_words_of_modules(), *headings}
    words |= set(WARNING_CODES.values())
    chinese = {word for word in words if re.search(r"[\u4e00-\u9fff]", word)}
    assert chinese - set(catalogue("en")) <= {"周", *"一二三四五六日"} | {"\u9fff"}


@given(st.text(), st.text(), st.text(), st.text())
def test_whatever_is_typed_is_read_or_refused_by_its_field(
    day: str, moment: str, several: str, text: str
) -> None:
    fields = (
        Field("day", "", "day"),
        Field("moment", "", "moment"),
        Field("several", "", "list"),
        Field("text", "", needed=True),
        Field("tick", "", "tick"),
    )
    typed = {"day": day, "moment": moment, "several": several, "text": text}
    try:
        found = values_of(fields, typed, ZoneInfo("Asia/Shanghai"))
    except BadInputError as error:
        wrong = {fault.where for fault in error.faults}
    else:
        wrong = set()
        assert all(found["several"])
        assert set(found) == {"day", "moment", "several", "text", "tick"}
    assert wrong <= {"day", "moment"}

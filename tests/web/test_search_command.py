"""`dutyring search` and `dutyring phone-records`, as a duty office types them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest

from app.cli import main
from app.database import Database
from app.phone_records.service import Given, begin, get, newest, sign
from app.settings import Settings, get_settings
from tests.web.migrated import migrate
from tests.web.searching import MOMENT
from tests.web.test_search import three_calls


def commands(
    group: str, settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Return what runs a command on the data of these settings: its status, output and errors."""
    monkeypatch.setenv("DUTYRING_DATA_DIR", str(settings.data_dir))
    get_settings.cache_clear()

    def command(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main([group, *arguments])
        return int(ended.value.code or 0), *capsys.readouterr()

    return command


def test_calls_are_found_by_what_was_said(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = commands("search", settings, monkeypatch, capsys)
    assert command("您好") == (1, "nothing was found\n", "")

    async def enter() -> None:
        async with Database(settings.url) as database:
            await three_calls(database)

    migrate(settings)
    asyncio.run(enter())
    status, out, _ = command("张三", "--unit", "001")
    assert status == 0
    assert [line.split() for line in out.splitlines()] == [
        ["2026-11-22", "20:29:13+08:00", "水利局防汛办", "check", "3", "recording", "3"],
        ["11.40", "s", "them", "我是张三丰"],
        ["2026-11-22", "20:27:13+08:00", "云溪县水利局", "check", "1", "recording", "1"],
        ["11.40", "s", "them", "我是张三，电话零九五四二零三二"],
    ]
    status, out, _ = command("张三", "--to", "2026-11-22T20:28", "--limit", "1", "--json")
    told = json.loads(out)
    assert (told["schema"], told["more"], len(told["items"])) == ("dutyring.search/1", False, 1)
    assert told["items"][0]["hits"][0]["link"] == "/checks/1#attempt-1&t=11.40"
    for wrong in (["，"], ["张三", "--unit", "x"], ["张三", "--from", "x"], ["张三", "--channel", "left"]):
        status, out, err = command(*wrong)
        assert (status, out, err.count("\n")) == (2, "", 1)


def test_phone_records_are_listed_and_shown(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = commands("phone-records", settings, monkeypatch, capsys)
    assert command("list") == (0, "there are no phone records\n", "")

    async def enter(spoil: bool) -> str:
        async with Database(settings.url) as database, database.unit_of_work() as session:
            fields = {"unit": "青石镇", "person": "王某", "content": "水位\x1b[31m上涨"}
            given = Given(MOMENT, "report", fields)
            record = await begin(session, given, settings, "李值班")
            await sign(session, record.id, 1, "张主任")
            if spoil:
                version = newest(await get(session, record.id))
                version.content = version.content | {"fields": version.content["fields"] | {"person": "别人"}}
            return record.number

    first, second = asyncio.run(enter(False)), asyncio.run(enter(True))
    status, out, _ = command("show", first)
    assert status == 0
    assert "张主任" in out
    assert "来电单位：青石镇\n" in out
    assert "\x1b" not in out
    status, out, err = command("show", second)
    assert (status, "is not what was signed" in err) == (1, True)
    status, out, _ = command("list", "--state", "signed", "--limit", "1", "--json")
    told = json.loads(out)
    assert (status, told["more"], [item["number"] for item in told["items"]]) == (0, True, [second])
    status, out, _ = command("list")
    assert (status, first in out, second in out) == (0, True, True)
    for wrong in (["list", "--state", "x"], ["list", "--unit", "x"], ["show", "x"], ["list", "--from", "x"]):
        status, out, err = command(*wrong)
        assert (status, out, err.count("\n")) == (2, "", 1)

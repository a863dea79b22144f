"""`dutyring search`, as a duty office types it."""

from __future__ import annotations

import asyncio
import json

import pytest

from app.cli import main
from app.database import Database, upgrade
from app.settings import Settings, get_settings
from tests.web.test_search import three_calls


def test_calls_are_found_by_what_was_said(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DUTYRING_DATA_DIR", str(settings.data_dir))
    get_settings.cache_clear()

    def command(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["search", *arguments])
        return int(ended.value.code or 0), *capsys.readouterr()

    assert command("您好") == (1, "nothing was found\n", "")

    async def enter() -> None:
        async with Database(settings.url) as database:
            await three_calls(database)

    upgrade(settings)
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
    assert told["items"][0]["hits"][0]["link"] == "/checks/1#t=11.40"
    for wrong in (["，"], ["张三", "--unit", "x"], ["张三", "--from", "x"], ["张三", "--channel", "left"]):
        status, out, err = command(*wrong)
        assert (status, out, err.count("\n")) == (2, "", 1)

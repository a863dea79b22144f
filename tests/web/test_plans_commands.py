"""`dutyring plans`, `prompts` and `check`: as a duty office types them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest

from app.cli import main
from app.database import Database
from app.settings import Settings, get_settings
from tests.web.planning_office import enter_lines, tone

Command = Callable[..., tuple[int, str, str]]
PLAN = """
name = "年度抽查"
first_day = {first}
last_day = {last}
period = "whole"
opening_id = 1
[windows]
workday = [{{ start = "06:00", end = "24:00" }}]
weekend = [{{ start = "06:00", end = "24:00" }}]
"""


@pytest.fixture
def command(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    monkeypatch.setenv("DUTYRING_DATA_DIR", str(settings.data_dir))
    get_settings.cache_clear()

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main([*arguments])
        return int(ended.value.code or 0), *capsys.readouterr()

    return run


@pytest.fixture
def plan_file(tmp_path: Path) -> Path:
    file = tmp_path / "plan.toml"
    today = date.today()
    file.write_text(PLAN.format(first=today, last=today + timedelta(days=30)), encoding="utf-8")
    return file


def test_a_plan_from_its_file_to_its_end(command: Command, settings: Settings, plan_file: Path) -> None:
    import asyncio

    assert command("plans", "list") == (0, "there are no plans\n", "")

    async def lines() -> None:
        async with Database(settings.url) as database:
            await enter_lines(database, 2)

    asyncio.run(lines())
    status, out, err = command("plans", "create", str(plan_file), "--by", "李晓")
    assert (status, out, err) == (0, "plan 1: 年度抽查, draft\n", "")
    status, out, _ = command("plans", "preview", "1")
    assert status == 1
    assert "against it: opening_id: there is no such prompt" in out
    status, out, err = command("plans", "start", "1")
    assert (status, out) == (1, "")
    assert err.startswith("dutyring: plan 1 cannot be started: opening_id")
    assert len(err.splitlines()) == 1
    assert command("prompts", "add", "--shipped")[0] == 0
    assert command("prompts", "add", "--shipped")[1] == "the shipped prompts are there already\n"
    assert command("prompts", "approve", "1", "--by", "dutyring")[0] == 1
    assert "approved by 王督查" in command("prompts", "approve", "1", "--by", "王督查")[1]
    status, out, _ = command("plans", "preview", "1", "--json")
    assert (status, json.loads(out)["startable"]) == (0, True)
    status, out, _ = command("plans", "start", "1", "--by", "李晓")
    assert status == 0
    assert "by 李晓" in out
    assert "seed sealed until its period is over" in out
    status, out, _ = command("plans", "list", "--json")
    (listed,) = json.loads(out)["plans"]
    assert (listed["state"], listed["starts"]) == ("running", 1)
    assert command("plans", "pause", "1", "--reason", "会议")[0] == 0
    assert command("plans", "pause", "1", "--reason", "会议")[0] == 1
    assert command("plans", "resume", "1", "--reason", "会毕")[0] == 0
    assert command("plans", "cancel", "1", "--reason", "改期")[0] == 0
    status, out, _ = command("plans", "show", "1")
    assert "ended" in out
    assert "cancelled: 改期" in out
    status, out, _ = command("draw", "verify")
    assert (status, "its chain holds" in out) == (0, True)


def test_what_is_typed_wrong_is_one_line_and_exit_status_2(
    command: Command, plan_file: Path, tmp_path: Path
) -> None:
    spoiled = tmp_path / "spoiled.toml"
    spoiled.write_text(plan_file.read_text(encoding="utf-8").replace("06:00", "6 Uhr"), encoding="utf-8")
    strange = tmp_path / "strange.toml"
    strange.write_text("surprise = 1\n" + plan_file.read_text(encoding="utf-8"), encoding="utf-8")
    broken = tmp_path / "broken.toml"
    broken.write_bytes(b"\xff\xfe= [")
    sound = tmp_path / "late.wav"
    sound.write_bytes(tone(silent_s=1.5))
    told = {
        ("plans", "create", str(tmp_path / "none.toml")): "cannot be read",
        ("plans", "create", str(spoiled)): "windows.workday.0.start",
        ("plans", "create", str(broken)): "no TOML",
        ("plans", "create", str(strange)): "surprise: there is no member of this name",
        ("plans", "show", "0"): "ID",
        ("plans", "pause", "1"): "--reason",
        ("plans", "pause", "1", "--reason", " "): "--reason",
        ("plans", "show", "1", "--by", "x" * 81): "--by",
        ("prompts", "add"): "--shipped",
        ("prompts", "add", str(sound)): "--name",
        ("prompts", "add", str(sound), "--name", "x", "--words", "y"): "begins only after 1.5 s",
        (
            "prompts",
            "add",
            str(sound),
            "--name",
            "x",
            "--words",
            "y",
            "--kind",
            "hymn",
        ): "opening or a closing",
        ("check", "nobody", "--reason", "x"): "no unit's code",
        ("draw", "verify", "--plan", "x"): "--plan",
    }
    for arguments, words in told.items():
        status, out, err = command(*arguments)
        if arguments[:2] == ("plans", "show") and len(arguments) > 3:
            # `show` takes no --by at all.
            words = "--by"
        assert (status, out) == (2, ""), arguments
        assert words in err, (arguments, err)
        assert len(err.splitlines()) == 1, err


def test_what_does_not_hold_is_exit_status_1(command: Command, settings: Settings) -> None:
    import asyncio

    assert command("plans", "show", "7") == (1, "", "dutyring: there is no plan 7\n")

    async def lines() -> None:
        async with Database(settings.url) as database:
            await enter_lines(database, 1)

    asyncio.run(lines())
    status, _, err = command("check", "U0001", "--reason", "汛期")
    assert status == 1
    assert "no approved opening" in err
    command("prompts", "add", "--shipped")
    command("prompts", "approve", "1", "--by", "boss")
    arguments = ("check", "U0001", "--reason", "汛期", "--night-approved-by", "boss")
    status, out, _ = command(*arguments)
    assert (status, out.startswith("order 1: line 1")) == (0, True)
    assert "under way" in command(*arguments)[2]
    assert "under way" in command("check", "line:1", "--reason", "汛期", "--night-approved-by", "boss")[2]

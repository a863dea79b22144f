"""`dutyring calendar` with what a hurried hand types."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app import clock
from app.cli import main
from app.settings import Settings, get_settings

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Run]:
    """Runs the command in this process on the second of March 2026."""
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    get_settings.cache_clear()

    def here(*arguments: str) -> tuple[int, str, str]:
        with (
            pytest.raises(SystemExit) as ended,
            clock.running(lambda: datetime(2026, 3, 1, 16, 30, tzinfo=UTC)),
        ):
            main(["calendar", *arguments])
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    yield here
    get_settings.cache_clear()


def test_days_are_seeded_shown_marked_and_changed(run: Run) -> None:
    assert run("seed", "--year", "2026") == (0, "365 days added, 0 changed, 0 the same\n", "")
    code, out, err = run("show")
    assert (code, err) == (0, "")
    assert "2026-10-06 Tue" in out
    assert "lieu_day" in out
    assert "2026-03-02" not in out
    assert run("set", "2026-12-30", "--sensitive", "跨年", "--until", "2027-01-02")[:2] == (
        0,
        "2 days added, 2 changed, 0 the same\n",
    )
    assert run("set", "2027-01-01", "--kind", "holiday", "--name", "元旦") == (0, "", "")
    code, out, err = run("show", "--first", "2026-12-31", "--last", "2027-01-03", "--json", "--all")
    told = json.loads(out)
    assert told["schema"] == "dutyring.calendar/1"
    assert [(day["kind"], day["sensitive"], day["known"], day["name"]) for day in told["days"]] == [
        ("workday", True, True, "跨年"),
        ("holiday", True, True, "元旦、跨年"),
        ("weekend", True, False, "跨年"),
        ("weekend", False, False, ""),
    ]
    assert told["unknown"] == [{"first": "2027-01-02", "last": "2027-01-03"}]
    assert run("set", "2027-01-01", "--kind", "rule", "--name", "", "--not-sensitive")[0] == 0
    code, out, err = run("show", "--first", "2027-01-01", "--last", "2027-01-03")
    assert err == (
        "dutyring: warning: 3 days follow the plain weekend rule, holidays are not known: "
        "2027-01-01 to 2027-01-03\n"
    )


def test_a_file_goes_out_and_comes_back(run: Run, tmp_path: Path) -> None:
    run("seed", "--year", "2026")
    file = tmp_path / "calendar.csv"
    assert run("export", str(file), "--first", "2026-10-01") == (0, "", "")
    assert run("import", str(file)) == (0, "0 days added, 0 changed, 92 the same\n", "")
    assert run("export", "--first", "2026-10-06", "--last", "2026-10-06")[1].splitlines() == [
        "day,kind,sensitive,name,sensitive_name,note",
        "2026-10-06,lieu_day,no,国庆节,,",
    ]
    file.write_text("day,kind\n2026-10-06,workday\n2027-01-01,holiday\n", encoding="utf-8")
    assert (
        run("import", str(file), "--preview")[1]
        == "nothing entered yet: 1 days added, 1 changed, 0 the same\n"
    )
    assert "lieu_day" in run("export", "--first", "2026-10-06", "--last", "2026-10-06")[1]
    assert run("import", str(file), "--by", "王主任")[1] == "1 days added, 1 changed, 0 the same\n"
    assert "lieu_day" not in run("export", "--first", "2026-10-06", "--last", "2026-10-06")[1]


def test_every_wrong_line_of_a_file_is_named(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "calendar.csv"
    file.write_text("day,kind\n2026-02-30,workday\n2026-10-06,feast\n2027-01-01,holiday\n", encoding="utf-8")
    code, out, err = run("import", str(file))
    assert (code, out) == (2, "")
    lines = err.splitlines()
    assert lines[0].startswith("line 2, day: takes a day")
    assert lines[1].startswith("line 3, kind: takes one of workday")
    assert lines[2].startswith("dutyring: ")
    assert len(lines) == 3
    assert run("export")[1].splitlines() == ["day,kind,sensitive,name,sensitive_name,note"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("show", "--first", "2026-13-01"), "--first"),
        (("show", "--first", "2026-02-01", "--last", "2026-01-01"), "--last"),
        (("show", "--last", "9999-12-31"), "--last"),
        (("seed", "--year", "2150"), "'--year'"),
        (("set", "yesterday"), "DAY"),
        (("set", "2026-05-01", "--kind", "feast"), "--kind"),
        (("set", "2026-05-01", "--name", "=1"), "--name"),
        (("set", "2026-05-01", "--sensitive", "x", "--not-sensitive"), "--not-sensitive"),
        (("set", "2026-05-01", "--until", "2026-05-03"), "--until"),
        (("set", "2026-05-01", "--until", "2026-05-03", "--not-sensitive", "--kind", "workday"), "--until"),
        (("set", "2026-05-04", "--until", "2026-05-03", "--sensitive", "x"), "--until"),
        (("set", "2026-03-01", "--kind", "workday"), "--reason"),
        (("set", "2026-05-01", "--kind", "workday", "--by", ""), "--by"),
        (("import", "nowhere.csv"), "FILE"),
        (("import", "."), "FILE"),
        (("export", "nowhere/calendar.csv"), "FILE"),
    ],
)
def test_wrong_arguments_are_one_line(run: Run, arguments: tuple[str, ...], named: str) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("dutyring: ")
    assert err.count("\n") == 1
    assert named in err

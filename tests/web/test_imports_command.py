"""`dutyring directory`: preview, import, export, with what a hurried hand types."""

from __future__ import annotations

import json
from pathlib import Path

import openpyxl
import pytest

from app.settings import Settings
from tests.web.imports_county import workbook
from tests.web.test_commands import Enter, answer, entered

__all__ = ["entered"]
ROWS = [["单位", "值班电话"], ["城关镇", "0917-3212345"], ["水利局", "3212347"]]


@pytest.fixture
def good(tmp_path: Path) -> Path:
    file = tmp_path / "名录.xlsx"
    file.write_bytes(workbook(通讯录=ROWS))
    return file


def test_a_file_is_previewed_imported_and_exported(
    settings: Settings, entered: Enter, good: Path, tmp_path: Path
) -> None:
    seen = entered(settings, "directory", "preview", str(good))
    assert (seen.returncode, seen.stderr) == (0, "")
    assert "通讯录: 2 rows, read as 通讯录" in seen.stdout
    assert (
        "add    线路 城关镇 0917-3212345 (通讯录!2): 线路名称 值班电话; 值班电话 0917-3212345" in seen.stdout
    )
    told = json.loads(entered(settings, "directory", "preview", str(good), "--json").stdout)
    assert (told["schema"], told["importable"], told["counts"]["线路"]["add"]) == (
        "dutyring.import/1",
        True,
        2,
    )

    # Nobody has agreed, and nobody can be asked.
    refused = entered(settings, "directory", "import", str(good))
    assert (refused.returncode, "--yes" in refused.stderr, refused.stderr.count("\n")) == (2, True, 1)
    done = entered(settings, "directory", "import", str(good), "--yes", "--by", "王敏")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("imported: 4 to add, 0 to change, 0 unchanged\n")
    again = entered(settings, "directory", "import", str(good))
    assert (again.returncode, again.stderr) == (0, "")
    assert "nothing to import" in again.stdout

    out = tmp_path / "out.xlsx"
    assert entered(settings, "directory", "export", str(out), "--unit", "U0001").returncode == 0
    assert openpyxl.load_workbook(out)["单位"]["B2"].value == "城关镇"
    same = entered(settings, "directory", "import", str(out))
    assert (same.returncode, "nothing to import" in same.stdout) == (0, True)


def test_it_asks_on_a_terminal(settings: Settings, entered: Enter, good: Path) -> None:
    assert answer(settings, b"n\n", "directory", "import", str(good)) == 1
    assert json.loads(entered(settings, "directory", "preview", str(good), "--json").stdout)["importable"]
    assert answer(settings, b"y\n", "directory", "import", str(good)) == 0
    assert not json.loads(entered(settings, "directory", "preview", str(good), "--json").stdout)["importable"]


def test_a_bad_cell_is_named_and_nothing_is_imported(
    settings: Settings, entered: Enter, tmp_path: Path
) -> None:
    file = tmp_path / "值班电话.csv"
    file.write_bytes("单位,值班电话\n城关镇,0917-3212345\n水利局,32l2347\n".encode("gbk"))
    for arguments in (("preview",), ("import", "--yes")):
        done = entered(settings, "directory", arguments[0], str(file), *arguments[1:])
        assert done.returncode == 1
        assert "error 值班电话!B3 '32l2347': it is no telephone number (it holds 'l')" in done.stdout
        # It stands below what would be done, where the eye is when hundreds of lines have run through.
        assert done.stdout.index("error ") > done.stdout.rindex("add    ")
    assert done.stderr.endswith("nothing was imported: 1 error to mend, named above\n")
    file.write_bytes("单位,值班电话\n城关镇,0917-3212345\n".encode("gbk"))
    told = json.loads(entered(settings, "directory", "preview", str(file), "--json").stdout)
    assert (told["encoding"], told["counts"]["单位"]["add"]) == ("gb18030", 1)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("preview", "missing.xlsx"), "cannot be read"),
        (("import", "empty.csv", "--yes"), "the file is empty"),
        (("export", "out.csv"), ".xlsx"),
        (("export", "out.xlsx", "--unit", "nowhere"), "--unit"),
        (("export", "out.xlsx", "--since", "gestern"), "--since"),
        (("export", "nowhere/out.xlsx"), "cannot be written"),
    ],
)
def test_wrong_arguments_are_one_line(
    settings: Settings,
    entered: Enter,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty.csv").touch()
    done = entered(settings, "directory", *arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert said in done.stderr

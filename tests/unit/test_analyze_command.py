"""`dutyring analyze`: its table, its JSON, its drawing, and what it refuses in one line."""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from app.cli import main
from tests.line_sounds import BUSY, RINGBACK, cadence, voice, white_noise
from tests.unit.test_progress_files import write

SOUND = np.concatenate((cadence(RINGBACK, 6.0)[0], voice(3.0), cadence(BUSY, 4.0)[0]))


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    return write(tmp_path / "line.wav", SOUND)


def run(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["analyze", *map(str, arguments)])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def refused(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """Return the one line that a refusal writes."""
    assert run(*arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    return line


def test_the_json_keeps_its_members(sound: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(sound, "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert set(result) >= {
        "schema",
        "duration_ms",
        "segments",
        "rings",
        "early_media",
        "line_state",
        "announcements",
        "level",
        "errors",
    }
    assert {"kind", "start_ms", "end_ms", "confidence", "tone", "measured"} <= set(result["segments"][0])
    assert result["duration_ms"] == 13_000.0
    assert result["level"]["step_ms"] == 100.0
    assert len(result["level"]["dbm0"]) == 130
    assert result["level"]["dbm0"][:10] == [-10] * 10
    (told,) = result["announcements"]
    assert told["road"] == "tone"
    assert "busy" in told["detail"]
    assert told["start_ms"] == pytest.approx(9_000.0, abs=10.0)


def test_the_table_is_for_people(sound: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(sound) == 0
    printed = capsys.readouterr().out
    for words in ("ringback", "speech", "busy", "rings: 2", "5.00-6.00 s", "early media: ", "line state: "):
        assert words in printed
    assert "announced 9.00-" in printed


def test_notes_with_brackets_are_no_markup(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "[bold]cut[red].wav", SOUND)
    path.write_bytes(path.read_bytes()[:100_000])
    assert run(path) == 0
    assert "note: [bold]cut[red].wav: truncated" in capsys.readouterr().out


@pytest.mark.parametrize(("language", "word"), [("zh", "回铃音"), ("en", "ringback")])
def test_the_plot_is_one_whole_file(sound: Path, language: str, word: str) -> None:
    target = sound.with_name("out.svg")
    target.write_text("an older drawing", encoding="utf-8")
    assert run(sound, "--plot", target, "--lang", language, "--json") == 0
    root = ET.parse(target).getroot()
    assert root.tag.endswith("svg")
    assert word in {element.text for element in root.iter()}
    assert sorted(path.name for path in sound.parent.iterdir()) == ["line.wav", "out.svg"]
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(target.stat().st_mode) == 0o666 & ~mask


NOTHING = np.zeros(24_000)
HISS = white_noise(3.0, -58.0)
LOUD = np.clip(voice(3.0) * 30.0, -1.0, 1.0)


@pytest.mark.parametrize(
    ("columns", "options", "words"),
    [
        ([SOUND, SOUND * 0.0], [], "右声道全程无声，左声道有声音：请用 --channel left"),
        ([NOTHING, NOTHING, SOUND[:24_000]], [], "右声道全程无声，第 3 声道有声音：请用 --channel mix"),
        ([SOUND, -SOUND], ["--channel", "mix"], "各声道相互抵消：请用 --channel left 取其一"),
        ([NOTHING], [], "全程无声：最响的 20 毫秒为 -126 dBm0"),
        ([HISS], [], "声音过小：最响的 20 毫秒为 -5"),
        ([LOUD], [], "声音过载削波："),
        ([NOTHING, LOUD], [], "右声道过载削波："),
        ([SOUND * 0.5 - 0.25], [], "声音有直流偏移，为满刻度的 -25.0%"),
    ],
    ids=["dead", "third", "opposite", "silent", "quiet", "loud", "loud right", "offset"],
)
def test_the_errors_of_a_clip_stand_in_its_drawing(
    tmp_path: Path,
    columns: list[np.ndarray],
    options: list[str],
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path, target = write(tmp_path / "odd.wav", np.stack(columns, axis=1)), tmp_path / "odd.svg"
    assert run(path, "--plot", target, "--json", *options) == 0
    errors = json.loads(capsys.readouterr().out)["errors"]
    notes = [element.text or "" for element in ET.parse(target).iter() if element.get("class") == "note"]
    told = [note.removeprefix("▲ ") for note in notes if note.startswith("▲ ")]
    assert len(told) == len(errors)
    assert any(note.startswith(words) for note in told)
    # Nothing stays English but options and units.
    for note in told:
        assert re.fullmatch(r"[^a-zA-Z]*", re.sub(r"--channel \w+|dBm0", "", note)), note


def test_a_truncated_file_says_so_in_its_drawing(tmp_path: Path) -> None:
    path = write(tmp_path / "cut.wav", SOUND)
    path.write_bytes(path.read_bytes()[:100_000])
    assert run(path, "--plot", tmp_path / "zh.svg", "--json") == 0
    assert "cut.wav 不完整，分析到 6.25 秒为止" in (tmp_path / "zh.svg").read_text(encoding="utf-8")
    assert run(path, "--plot", tmp_path / "en.svg", "--lang", "en", "--json") == 0
    assert "cut.wav: truncated after 6.25 s" in (tmp_path / "en.svg").read_text(encoding="utf-8")


def test_a_plot_that_cannot_be_written_is_refused_before_any_work(
    sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # The sound file is not there either: the argument that names the drawing is looked at first.
    missing = tmp_path / "missing.wav"
    nowhere = refused(capsys, missing, "--plot", tmp_path / "no" / "out.svg")
    assert "'--plot'" in nowhere
    assert "cannot be written (No such file or directory)" in nowhere
    assert "is no file" in refused(capsys, missing, "--plot", tmp_path)
    assert "is no file" in refused(capsys, missing, "--plot", "/dev/null")
    assert "is the sound file itself" in refused(capsys, sound, "--plot", sound)
    link = tmp_path / "link.svg"
    link.hardlink_to(sound)
    assert "is the sound file itself" in refused(capsys, sound, "--plot", link)
    assert "'--plot'" in refused(capsys, sound, "--plot", sound / "out.svg")
    assert "'--plot'" in refused(capsys, sound, "--plot", tmp_path / ("x" * 300 + ".svg"))


def test_nothing_is_left_of_a_plot_without_a_sound(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "out.svg"
    target.write_text("an older drawing", encoding="utf-8")
    assert "no such file" in refused(capsys, tmp_path / "none.wav", "--plot", target)
    assert [path.name for path in tmp_path.iterdir()] == ["out.svg"]
    assert target.read_text(encoding="utf-8") == "an older drawing"


def test_wrong_words_are_refused(sound: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "'--lang'" in refused(capsys, sound, "--lang", "fr")
    assert "'--channel'" in refused(capsys, sound, "--channel", "both")


@pytest.mark.parametrize("content", [b"", b"RIFF", b"no sound" * 99])
def test_what_is_no_sound_is_an_argument_error(
    tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "thing.wav"
    path.write_bytes(content)
    assert "'FILE'" in refused(capsys, path)
    os.mkfifo(tmp_path / "pipe")
    assert "is no file" in refused(capsys, tmp_path / "pipe")

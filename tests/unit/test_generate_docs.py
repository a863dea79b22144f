"""`make docs` writes the reference pages that are made from the code."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

from tools import draw_examples, generate_docs

ROOT = Path(__file__).parents[2]


def test_pages_are_written_once(tmp_path: Path) -> None:
    assert sorted(generate_docs.write(tmp_path)) == [
        "alarms.md",
        "api-operations.md",
        "permissions.md",
        "review-states.md",
        "simulated-lines.md",
        "state-machines.md",
    ]
    assert generate_docs.write(tmp_path) == []
    (tmp_path / "state-machines.md").write_text("old", encoding="utf-8")
    assert generate_docs.write(tmp_path) == ["state-machines.md"]
    for name in generate_docs.PAGES:
        stored = (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")
        assert (tmp_path / name).read_text(encoding="utf-8") == stored


def test_the_example_is_what_the_code_draws(tmp_path: Path) -> None:
    assert draw_examples.write(tmp_path) == [draw_examples.NAME]
    assert draw_examples.write(tmp_path) == []
    stored = (draw_examples.FOLDER / draw_examples.NAME).read_text(encoding="utf-8")
    assert (tmp_path / draw_examples.NAME).read_text(encoding="utf-8") == stored, "run `make docs`"


def test_every_module_that_make_runs_is_there() -> None:
    modules = re.findall(
        r"bin/python -m ([\w.]+)|\$\(BIN\)/python -m ([\w.]+)", (ROOT / "Makefile").read_text()
    )
    names = {first or second for first, second in modules}
    assert "tools.generate_docs" in names
    for name in names:
        assert importlib.util.find_spec(name), f"the Makefile runs {name}, which there is not"

"""Draws the example of docs/how-to/read-the-picture.md: a call made by formula, the same every time."""

from __future__ import annotations

from pathlib import Path

from app.checks.rules import Rules
from app.picture import ZH, Sheet, draw, svg_file
from tests.drawn_calls import explained_call

FOLDER = Path(__file__).parents[1] / "docs" / "how-to"
NAME = "read-the-picture.svg"


def example() -> str:
    """Return the drawing as the text of an SVG file."""
    picture = draw(explained_call().to_dict(), Rules(), ZH)
    return svg_file(picture, Sheet("图示样例", "经模拟网关、已转移的一次抽查"))


def write(folder: Path = FOLDER) -> list[str]:
    """Write the example; return its name if it changed."""
    path, text = folder / NAME, example()
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return []
    path.write_text(text, encoding="utf-8")
    return [NAME]

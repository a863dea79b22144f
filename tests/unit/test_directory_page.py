"""docs/reference/directory.md names every route, kind and warning of directory and rosters."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from app.directory import schemas
from app.directory.lines import LineWarning
from app.rosters.warnings import WARNING_CODES
from app.settings import Settings
from tests.web.apps import make_app

TEXT = (Path(__file__).parents[2] / "docs/reference/directory.md").read_text(encoding="utf-8")
LINES_SOURCE = Path(__file__).parents[2] / "app/directory/lines.py"


def test_every_route_is_named(tmp_path: Path) -> None:
    app = make_app(Settings(data_dir=tmp_path, phone_process=False))
    paths = app.openapi()["paths"]
    ours = {
        re.sub(r"\{\w+\}", "{id}", path.removeprefix("/api/v1"))
        for path, methods in paths.items()
        if any({"directory", "rosters"} & set(each.get("tags", ())) for each in methods.values())
    }
    assert len(ours) > 25
    assert [path for path in sorted(ours) if f"{path}`" not in TEXT] == []


def test_every_word_and_warning_is_named() -> None:
    words = (schemas.Category, schemas.LineKind, schemas.Role, schemas.Staffing, schemas.Verification)
    for word in (value for kind in words for value in get_args(kind)):
        assert f"`{word}`" in TEXT, word
    told = re.findall(rf'{LineWarning.__name__}\("(\w+)"', LINES_SOURCE.read_text(encoding="utf-8"))
    for code in (*WARNING_CODES, *told):
        assert f"| `{code}` |" in TEXT, code

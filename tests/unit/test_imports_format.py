"""The page of the format names every sheet, heading, word and finding; and what an export writes can be read again."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.directory.models import (
    DUTY_REGIMES,
    LEADER_REGIMES,
    LINE_EXEMPTIONS,
    LINE_KINDS,
    PERSON_ROLES,
    STAFFINGS,
    UNIT_CATEGORIES,
    UNIT_EXEMPTIONS,
)
from app.imports import columns
from app.imports.catalogue import CATALOGUE
from app.imports.columns import LAYOUTS, Layout, folded
from app.imports.formats import kind_of, kind_of_code
from app.imports.headings import layout_of_title, ranges
from app.planning.models import DAY_KINDS

PAGE = (Path(__file__).parents[2] / "docs/reference/import-format.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.kind)
def test_every_sheet_and_heading_is_described(layout: Layout) -> None:
    section = PAGE.partition(f"### {layout.title}\n")[2].partition("\n### ")[0].partition("\n## ")[0]
    for title in layout.titles[1:]:
        assert title in section
    for column in layout.columns:
        assert f"| {column.names[0]} | {'、'.join(column.names[1:])} |" in section


def test_every_finding_is_described() -> None:
    for code, entry in CATALOGUE.items():
        assert f"| `{code}` | {entry.severity} |" in PAGE


@pytest.mark.parametrize(
    ("words", "meanings"),
    [
        (columns.CATEGORIES, UNIT_CATEGORIES),
        (columns.DUTY, DUTY_REGIMES),
        (columns.LEADING, LEADER_REGIMES),
        (columns.LINES, LINE_KINDS),
        (columns.ROLES, PERSON_ROLES),
        (columns.STAFFING, STAFFINGS),
        (columns.EXEMPTIONS, (*LINE_EXEMPTIONS, *UNIT_EXEMPTIONS)),
        (columns.DAYS, DAY_KINDS),
    ],
)
def test_every_kind_has_its_word(words: dict[str, str], meanings: tuple[str, ...]) -> None:
    assert set(words.values()) == set(meanings)
    assert all(word in PAGE for word in words)


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.kind)
def test_the_usual_headings_of_a_sheet_are_its_own(layout: Layout) -> None:
    headings = [folded(column.names[0]) for column in layout.columns]
    assert len(set(headings)) == len(headings)
    assert layout_of_title(layout.title) is layout
    assert layout_of_title(f"2026年1月{layout.title}（报）") is layout


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("yyyy-mm-dd", "date"),
        ('yyyy"年"m"月"d"日";@', "date"),
        ("[$-804]aaaa", "date"),
        ("m/d", "date"),
        ("yyyy/m/d h:mm", "date"),
        ("h:mm", "time"),
        ("[h]:mm:ss", "time"),
        ('上午/下午h"时"mm"分"', "time"),
        ("@", "number"),
        ("0.00E+00", "number"),
        ('0"days"', "number"),
        ("[Red]#,##0", "number"),
        ("General", "number"),
    ],
)
def test_a_format_says_whether_its_numbers_are_days(code: str, kind: str) -> None:
    assert kind_of_code(code) == kind
    assert kind_of(200, {200: code}) == kind


def test_the_built_in_formats_of_chinese_workbooks_are_known() -> None:
    assert [kind_of(number, {}) for number in (0, 14, 20, 31, 33, 57, 49)] == [
        "number", "date", "time", "date", "time", "date", "number",
    ]  # fmt: skip


def test_rows_are_named_short() -> None:
    assert ranges([3, 4, 5, 9]) == "3-5、9"
    assert ranges(list(range(1, 99, 2))).endswith("…")

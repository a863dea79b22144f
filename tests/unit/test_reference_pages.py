"""The reference pages are complete: every command, option and field of the public face is named in them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import typer

from app.cli import app
from sip import record

DOCS = Path(__file__).parents[2] / "docs"
ROOT = DOCS.parent


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Yield (full name, command) of every command below this one."""
    below = getattr(command, "commands", None)
    if below is None:
        yield name, command
        return
    if command.invoke_without_command:
        yield name, command
    for word, child in below.items():
        yield from commands(child, f"{name} {word}")


COMMANDS = dict(commands(typer.main.get_command(app), "dutyring"))


def section(name: str) -> str:
    """Return the part of cli.md that describes a command, or its group."""
    group = " ".join(name.split()[:2])
    found = re.search(rf"(?ms)^## `{group}\b.*?(?=^## |\Z)", page("reference/cli.md"))
    assert found, f"docs/reference/cli.md has no section on {group}"
    return found.group(0)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_described(name: str) -> None:
    text = section(name)
    assert name in text
    for parameter in COMMANDS[name].params:
        if parameter.param_type_name == "argument":
            assert str(parameter.name).upper() in text
            continue
        for option in parameter.opts:
            assert f"`{option}" in text, f"{name} {option} is not described"


def test_no_described_option_is_unknown() -> None:
    known = {option for command in COMMANDS.values() for p in command.params for option in p.opts}
    for option in re.findall(r"`(--[a-z-]+)", page("reference/cli.md")):
        assert option in known | {"--help"}, f"docs/reference/cli.md describes {option}, which there is not"


@pytest.mark.parametrize("name", ["cli", "settings", "alarms", "api-operations"])
def test_tables_have_a_head_and_say_nothing_twice(name: str) -> None:
    for table in re.findall(r"(?m)(?:^\|.*\n)+", page(f"reference/{name}.md")):
        rows = table.splitlines()
        assert len(rows) > 2
        assert re.fullmatch(r"[|: -]+", rows[1]), f"a table without a head: {rows[0]}"
        first = [row.split(" | ")[0] for row in rows[2:]]
        assert len(set(first)) == len(first), f"said twice: {max(first, key=first.count)}"


PARTS = [
    value
    for value in vars(record).values()
    if isinstance(value, type) and dataclasses.is_dataclass(value) and value is not record.TimelineEntry
]


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)
def test_every_field_of_the_record_is_described(part: type) -> None:
    text = page("reference/call-record.md")
    for field in dataclasses.fields(part):
        assert f"`{field.name}`" in text, f"{part.__name__}.{field.name} is not described"


@pytest.mark.parametrize(
    "literal",
    [
        "Outcome",
        "AnsweredBy",
        "AnswerSource",
        "EndedBy",
        "ThreeRing",
        "RingSource",
        "SegmentKind",
        "Grade",
        "AnnouncementRoad",
        "OtherMeaning",
        "EvidenceKind",
    ],
)
def test_every_word_of_the_record_is_described(literal: str) -> None:
    text = page("reference/call-record.md")
    for word in get_args(getattr(record, literal)):
        assert f"`{word}`" in text, f"{literal} {word} is not described"


PAGES = [ROOT / "README.md", ROOT / "README.zh-CN.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_pages(path: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), f"{path.name} links to {target}, which there is not"

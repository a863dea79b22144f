"""What the core promises about itself: its imports and its diagrams."""

from __future__ import annotations

import ast
from pathlib import Path

from sip.core import state_machines_page

ROOT = Path(__file__).parents[2]
FORBIDDEN = {"asyncio", "socket", "time", "logging", "selectors", "threading", "datetime"}


def test_the_core_imports_neither_clock_nor_network() -> None:
    for path in sorted((ROOT / "sip" / "core").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""] if node.level == 0 else []
                assert node.level < 2, f"{path.name} reaches out of its room"
            used = {name.partition(".")[0] for name in names}
            assert not used & FORBIDDEN, f"{path.name} imports {used & FORBIDDEN}"


def test_the_diagrams_are_those_of_the_tables() -> None:
    stored = (ROOT / "docs" / "reference" / "state-machines.md").read_text()
    assert stored == state_machines_page(), "write state_machines_page() to docs/reference/state-machines.md"


def test_every_state_is_reached_and_every_machine_can_end() -> None:
    for section in state_machines_page().split("## ")[1:]:
        arrows = [line.split(":")[0].split(" --> ") for line in section.splitlines() if " --> " in line]
        sources = {source.strip() for source, _ in arrows}
        targets = {target.strip() for _, target in arrows}
        assert sources <= targets | {"[*]"}, section.splitlines()[0]
        assert targets & {"Terminated", "Ended"}

"""The rooms import each other one way only: app -> recordings -> sip."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

FRONT = ("app.web", "app.cli", "app.commands", "app.demo", "app.bench", "app.main")
"""What only the outermost layer of the application may import."""

FRONT_FILES = ("web", "commands", "demo", "bench", "cli.py", "main.py", "__main__.py", "__init__.py")
"""The outermost layer itself, by the first part of its path under `app/`."""

FORBIDDEN_IN_CORE = {"asyncio", "socket", "time", "logging"}


def sources(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def imports_of(text: str, package: tuple[str, ...]) -> Iterator[str]:
    """Yield the absolute dotted name of everything that a module of `package` imports, also inside functions."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*base, *((node.module,) if node.module else ())))
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def imports(path: Path) -> Iterator[str]:
    return imports_of(path.read_text(encoding="utf-8"), path.relative_to(ROOT).parent.parts)


def reaches(name: str, room: str) -> bool:
    return name == room or name.startswith(f"{room}.")


def offences(folder: str, rooms: tuple[str, ...]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources(folder)
        for name in imports(path)
        if any(reaches(name, room) for room in rooms)
    ]


@pytest.mark.parametrize(
    ("folder", "rooms"),
    [
        ("sip", ("app", "recordings", "migrations")),
        ("recordings", ("app", "migrations")),
        ("sip/core", ("sip.transport", "sip.media", "sip.progress", "sip.simulator", "sip.phone")),
        ("sip/transport", ("sip.media", "sip.progress", "sip.simulator", "sip.phone")),
        ("sip/media", ("sip.core", "sip.transport", "sip.simulator", "sip.phone")),
        ("sip/progress", ("sip.core", "sip.transport", "sip.media", "sip.simulator", "sip.phone")),
        (
            "sip/trunks",
            (
                *("sip.transport", "sip.media", "sip.progress", "sip.simulator", "sip.phone"),
                *("asyncio", "socket", "time", "logging"),
            ),
        ),
        ("sip", ("tests", "benchmarks")),
        ("app", ("tests", "benchmarks")),
    ],
)
def test_rooms_import_one_way(folder: str, rooms: tuple[str, ...]) -> None:
    assert offences(folder, rooms) == []


def test_domain_folders_of_the_application_do_not_know_its_pages_or_commands() -> None:
    inner = [path for path in sources("app") if path.relative_to(ROOT / "app").parts[0] not in FRONT_FILES]
    found = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in inner
        for name in imports(path)
        if any(reaches(name, room) for room in FRONT)
    ]
    assert found == []


def test_signalling_core_does_no_input_or_output() -> None:
    found = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources("sip/core")
        for name in imports(path)
        if name.split(".")[0] in FORBIDDEN_IN_CORE
    ]
    assert found == []


def test_signalling_core_has_no_async_function() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in sources("sip/core")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.AsyncFunctionDef)
    ]
    assert found == []


def test_relative_imports_are_seen() -> None:
    """The reader of imports resolves `from . import x` and `from ..media import y`, or the arrows would be blind."""
    text = "from . import framing\nfrom ..media import engine\ndef f():\n    import time\n"
    found = list(imports_of(text, ("sip", "core")))
    assert found == ["sip.core", "sip.core.framing", "sip.media", "sip.media.engine", "time"]

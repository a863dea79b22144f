"""`dutyring db downgrade` and `dutyring serve` with what a hurried hand types."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

from app.database import current, upgrade
from app.settings import Settings

COMMAND = [sys.executable, "-m", "app.cli"]


def run(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        env=os.environ | settings.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


def answer(settings: Settings, text: bytes, *arguments: str) -> int:
    """Run a command on a terminal and type an answer to its question."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        env=os.environ | settings.environment(),
        stdin=theirs,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs)
    os.write(ours, text)
    try:
        return process.wait(60)
    finally:
        os.close(ours)


@pytest.mark.parametrize("revision", ["base", "-1"])
def test_evidence_is_not_deleted_without_a_yes(settings: Settings, revision: str) -> None:
    head = upgrade(settings)
    done = run(settings, "db", "downgrade", revision)
    assert done.returncode == 2
    assert done.stderr.startswith("dutyring: ")
    assert "--yes" in done.stderr
    assert done.stderr.count("\n") == 1
    assert answer(settings, b"n\n", "db", "downgrade", revision) == 1
    assert current(settings) == head


@pytest.mark.parametrize("revision", ["base", "-1"])
def test_down_with_a_yes(settings: Settings, revision: str) -> None:
    upgrade(settings)
    done = run(settings, "db", "downgrade", revision, "--yes")
    assert (done.returncode, done.stdout, done.stderr) == (0, "empty\n", "")
    assert current(settings) is None
    upgrade(settings)
    assert answer(settings, b"y\n", "db", "downgrade", revision) == 0
    assert current(settings) is None


@pytest.mark.parametrize(
    "arguments",
    [
        ("db", "downgrade", "--nonsense"),
        ("db", "downgrade", "nowhere", "--yes"),
        ("serve", "--port", "99999"),
        ("serve", "--port", "-1"),
    ],
)
def test_wrong_arguments_are_one_line(settings: Settings, arguments: tuple[str, ...]) -> None:
    done = run(settings, *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("dutyring: ")
    assert done.stderr.count("\n") == 1

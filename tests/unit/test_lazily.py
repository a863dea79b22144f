"""The faces of rooms that are loaded name by name: all is there, and no process loads what it does not use."""

from __future__ import annotations

import subprocess
import sys

import pytest

import sip.media
import sip.progress


@pytest.mark.parametrize("room", [sip.media, sip.progress], ids=["media", "progress"])
def test_every_public_name_can_be_had(room: object) -> None:
    for name in room.__all__:  # type: ignore[attr-defined]
        assert getattr(room, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        room.nothing  # type: ignore[attr-defined] # noqa: B018


@pytest.mark.parametrize(
    ("module", "unused"),
    [
        ("sip.media.writer", ("numpy", "asyncio", "sip.core")),
        ("sip.media.engine", ("soundfile", "asyncio", "sip.core", "sip.progress")),
    ],
)
def test_a_process_loads_what_it_uses(module: str, unused: tuple[str, ...]) -> None:
    code = f"import {module}, sys; print(*(name for name in {unused!r} if name in sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == []

"""What the phone tells of its calls while they last, and who asks to hear one: small files of the data folder.

The board is one file that the phone writes anew a few times a second while there are calls; the ledger's database, on
which the phone waits, is spared that. A listener asks by a file of the call's name that is touched each second. Both
are for this machine alone, as the captures are, and nothing of them is a fact: facts are what the call leaves behind.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from app import clock
from app.database import make_private_folder
from app.settings import Settings

STALE_S = 5.0
"""A board older than this is a dead phone's."""
WANTED_S = 3.0
"""So long after a listener's last sign the call is taken to be listened to."""
_SUFFIX = ".heard"


@dataclass(frozen=True, slots=True)
class Seen:
    """One call as the phone sees it; moments are Unix seconds."""

    phase: str
    """`dialling`, `ringing` or `answered`."""
    began_at: float
    ring_from: float | None = None
    rings: int | None = None
    """Rings that have begun so far."""
    early: str = "none"
    """What was heard before the answer, see `EarlyMedia.kind` of the call record."""
    answered_at: float | None = None


def folder_of(settings: Settings) -> Path:
    """Where the board and the listeners' files lie."""
    return settings.data_dir / "calls"


def publish(settings: Settings, calls: Mapping[str, Seen]) -> None:
    """Write the board; who reads it meets the old one or the new one. Keys are names of recordings."""
    folder = folder_of(settings)
    make_private_folder(folder)
    content = {
        "at": clock.now().timestamp(),
        "calls": {name: asdict(seen) for name, seen in calls.items()},
    }
    beside = folder / "board.new"
    descriptor = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file)
    beside.replace(folder / "board.json")


def read(settings: Settings) -> Mapping[str, Seen]:
    """The calls on the board; none where no phone has written it lately."""
    try:
        content = json.loads((folder_of(settings) / "board.json").read_text(encoding="utf-8"))
        if abs(clock.now().timestamp() - float(content["at"])) > STALE_S:
            return {}
        return {str(name): _seen(row) for name, row in content["calls"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _seen(row: Mapping[str, Any]) -> Seen:
    return Seen(**row)


def want_to_hear(settings: Settings, name: str) -> None:
    """Say that somebody listens to the call of this recording; say it again each second."""
    path = folder_of(settings) / f"{PurePosixPath(name).name}{_SUFFIX}"
    with contextlib.suppress(OSError):
        make_private_folder(path.parent)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
        now = clock.now().timestamp()
        os.utime(path, (now, now))


def heard_now(settings: Settings) -> frozenset[str]:
    """Last parts of the names of the recordings that somebody listens to; old signs are removed."""
    found: set[str] = set()
    now = clock.now().timestamp()
    try:
        entries = list(os.scandir(folder_of(settings)))
    except OSError:
        return frozenset()
    for entry in entries:
        if not entry.name.endswith(_SUFFIX):
            continue
        with contextlib.suppress(OSError):
            if now - entry.stat().st_mtime < WANTED_S:
                found.add(entry.name.removesuffix(_SUFFIX))
            else:
                Path(entry.path).unlink()
    return frozenset(found)

"""What the manifest says there is: which sound lies under which key, under which names, and what was erased."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from recordings.entries import Entry
from recordings.manifest import Manifest

KEPT = ("stored", "added", "adopted")
"""Kinds of entry by which a sound is kept."""


@dataclass(slots=True)
class Kept:
    """One object, as the manifest knows it."""

    sha256: str
    bytes: int
    entries: list[Entry] = field(default_factory=list)
    """Of sounds that are still kept under this key: usually one; the same sound twice is one object."""
    erased: list[Entry] = field(default_factory=list)
    first: dict[str, Entry] = field(default_factory=dict)
    """By name, every sound that was ever kept under this key."""

    @property
    def live(self) -> bool:
        """Whether the object has to be there."""
        return bool(self.entries)


class Index:
    """Reads the manifest once, and later only what was added to it."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._turn = threading.Lock()
        self._read = 0
        self.by_key: dict[str, Kept] = {}
        self.by_name: dict[str, Entry] = {}
        """The last entry by which a sound of this name was kept."""

    def refresh(self) -> Index:
        """Read what was added; return itself. Threads that share an archive take turns."""
        with self._turn:
            self._read_on()
        return self

    def _read_on(self) -> None:
        for end, whole, line in self._manifest.lines(self._read):
            if not whole:
                break
            self._read = end
            try:
                self.take(Entry.read(line))
            except (ValueError, KeyError, TypeError):
                continue  # `check_chain` names it

    def take(self, entry: Entry) -> None:
        """Take in one more entry. Raises `KeyError` or `TypeError` for one that lacks what its kind has."""
        said = entry.members
        if entry.kind in KEPT:
            name = said["name"]
            kept = self.by_key.setdefault(said["path"], Kept(said["sha256"], said["bytes"]))
            kept.entries.append(entry)
            kept.first.setdefault(name, entry)
            self.by_name[name] = entry
        elif entry.kind == "erased":
            # One of an earlier version may never have been entered.
            kept = self.by_key.setdefault(said["path"], Kept(said["sha256"], 0))
            kept.erased.append(entry)
            _let_go(kept, said)


def _let_go(kept: Kept, said: dict[str, Any]) -> None:
    """Take from the object the sound that was erased: the one of that name, else the oldest."""
    wanted: list[Callable[[Entry], bool]] = [
        lambda entry: entry.members["name"] == said.get("name"),
        lambda _: True,
    ]
    for fits in wanted:
        for entry in kept.entries:
            if fits(entry):
                kept.entries.remove(entry)
                return

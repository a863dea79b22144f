"""Finishing what a dead process had begun in the archive: captures, sounds brought from outside, erasures, drafts."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from recordings.encoding import describe
from recordings.errors import RecordingError, RecordingMissing, UnreadableCapture
from recordings.files import DRAFT
from recordings.places import CAPTURE, DERIVED, INTENT, OBJECTS, READY, SOUND, object_key
from sip.record import RecordingInfo

if TYPE_CHECKING:
    from recordings.archive import Archive

_log = logging.getLogger(__name__)


class Repair:
    """One repair of an archive; what it did and could not do is kept."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self.made: dict[str, RecordingInfo] = {}
        """Recordings by name that were made of captures, or finished."""
        self.done: list[str] = []
        """One line for each thing that was mended."""
        self.failed: list[str] = []
        """One line for each thing that could not be."""
        self.unstored: list[str] = []
        """Those of them that another try may mend: all but captures that cannot be read."""

    def run(self, names: Collection[str] | None = None) -> Repair:
        """Repair all, or of the captures only those of `names` and leave the rest for another time; return itself."""
        if not self._archive.folder.is_dir():
            return self
        wanted = sorted(self.begun() if names is None else names)
        for name in wanted:
            if any(self._archive.inside(name + suffix).exists() for suffix in (CAPTURE, READY)):
                self._try(name, self._capture)
        for name in sorted(self._archive.beside(INTENT)):
            self._try(name, self._added)
        if names is None:
            self._try("erasures", self._erased)
            self._try("drafts", self._drafts)
        return self

    def begun(self) -> set[str]:
        """Names of the recordings whose captures, or finished sounds, lie in the folder."""
        return {*self._archive.beside(CAPTURE), *self._archive.beside(READY)}

    def _try(self, name: str, step: Callable[[str], None]) -> None:
        try:
            with self._archive.lock(shared=False):
                step(name)
        except (RecordingError, OSError) as error:
            _log.warning("%s could not be repaired: %s", name, error)
            self.failed.append(f"{name}: {error}")
            if not isinstance(error, UnreadableCapture):
                self.unstored.append(self.failed[-1])

    def _capture(self, name: str) -> None:
        capture, ready = self._archive.inside(name + CAPTURE), self._archive.inside(name + READY)
        only_ready = ready.exists() and not capture.exists()
        if only_ready and self._entered(name, ready):
            # The capture goes last but one: its recording is stored.
            ready.unlink()
            self.done.append(f"{name}: finished")
            return
        self.made[name] = self._archive.finish(capture, name)
        self.done.append(f"{name}: {'finished' if only_ready else 'made of its capture'}")

    def _entered(self, name: str, ready: Path) -> bool:
        """Whether the manifest has ever had the sound that was made ready; whoever took the capture away meanwhile."""
        kept = self._archive.index.refresh().by_key.get(object_key(describe(ready).sha256, SOUND))
        return kept is not None and name in kept.first

    def _added(self, name: str) -> None:
        intent = self._archive.inside(name + INTENT)
        try:
            said = json.loads(intent.read_bytes())
            key, sha256 = said["path"], said["sha256"]
        except (ValueError, KeyError, TypeError) as error:
            raise RecordingError(intent, "cannot be read") from error
        kept = self._archive.index.refresh().by_key.get(key)
        entered = kept is not None and any(e.members["name"] == name for e in (*kept.entries, *kept.erased))
        try:
            there = self._archive.digest(key) == sha256
        except RecordingMissing:
            there = False
        if there and not entered:
            self._archive.manifest.append("added", **said)
        intent.unlink()
        self.done.append(
            f"{name}: {'finished' if there else 'was never brought whole; nothing is left of it'}"
        )

    def _erased(self, _: str) -> None:
        """Delete what the manifest says is erased, and what was derived of sounds that are not kept."""
        archive = self._archive
        known = archive.index.refresh().by_key
        gone = {key for key, kept in known.items() if kept.erased and not kept.live}
        for key in [key for key in archive.vault.keys(OBJECTS) if key in gone]:
            archive.remove(key)
            self.done.append(f"{key}: erased")
        for key in sorted(key for key in gone if not key.startswith(f"{OBJECTS}/")):
            if archive.inside(key).exists():
                archive.remove(key)
                self.done.append(f"{key}: erased")
        live = {kept.sha256 for kept in known.values() if kept.live}
        for key in list(archive.vault.keys(DERIVED)):
            kept = key.split("/")[-2] in live
            if not kept or not archive.derived_holds(key):
                archive.vault.delete(key)
                why = "was changed, removed" if kept else "its recording is not kept any more"
                self.done.append(f"{key}: {why}")

    def _drafts(self, _: str) -> None:
        for path in self._left():
            path.unlink()
            self.done.append(f"{path}: half written, removed")

    def _left(self) -> Iterator[Path]:
        roots = {self._archive.folder, *([self._archive.vault.folder] if self._archive.vault.folder else [])}
        for root in roots:
            yield from (path for path in root.rglob(f".*{DRAFT}") if path.is_file())

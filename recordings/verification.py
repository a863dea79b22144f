"""Whether manifest, objects and database agree: anything changed, missing, exchanged or added is found and named."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from recordings.archive import Archive
from recordings.chain import Problem, check_chain
from recordings.entries import Entry, SignedHead
from recordings.errors import ManifestError, RecordingError, RecordingLocked, RecordingMissing
from recordings.index import Kept
from recordings.places import DERIVED, OBJECTS, SOUND

SETTLING: Final = timedelta(minutes=10)
"""Entries younger than this may be ahead of the database, which is written after them."""
Progress = Callable[[str, int, int | None], None]
"""Told what is being read, how much of it has been, and of how many."""


@dataclass(frozen=True, slots=True)
class KnownRecording:
    """A recording as the database knows it."""

    id: int
    path: str
    sha256: str
    kind: str
    name: str | None
    """Its name where the database can tell it, as of a call."""
    duration_ms: float
    gone: bool


def verify_all(
    archive: Archive,
    rows: Iterable[KnownRecording],
    heads: Sequence[SignedHead] = (),
    progress: Progress = lambda *_: None,
) -> Iterator[Problem]:
    """Yield everything that does not hold, while other processes go on storing and erasing. It only reads.

    Raises `RecordingError` only where nothing at all can be said: the store cannot be listed, no key is there.
    """
    try:
        key = archive.manifest.public_key()
        yield from check_chain(archive.manifest, key, heads, lambda done: progress("entries", done, None))
    except ManifestError as error:
        if heads or archive.manifest.path.exists():
            yield Problem("key", error.path, error.reason)
    yield from _Verification(archive, rows, progress).run()


class _Verification:
    def __init__(self, archive: Archive, rows: Iterable[KnownRecording], progress: Progress) -> None:
        self._archive = archive
        self._progress = progress
        # Rows before the manifest: what they tell of is entered there already.
        self._rows: dict[str, list[KnownRecording]] = {}
        for row in rows:
            self._rows.setdefault(row.path, []).append(row)
        self._index = archive.index.refresh()
        self._old = (archive.manifest.now() - SETTLING).isoformat(timespec="milliseconds")

    def run(self) -> Iterator[Problem]:
        # First of all: a store that does not answer is said once, not of each recording.
        objects = list(self._archive.vault.keys(OBJECTS))
        live = sorted(key for key, kept in self._index.by_key.items() if kept.live)
        for done, key in enumerate(live):
            self._progress("recordings", done, len(live))
            yield from self._object(key)
        self._progress("recordings", len(live), len(live))
        yield from self._extra(objects)
        for path, rows in self._rows.items():
            yield from self._named(path, rows)
        for key, kept in self._index.by_key.items():
            if kept.live and key not in self._rows and all(self._settled(entry) for entry in kept.entries):
                names = ", ".join(entry.members["name"] for entry in kept.entries)
                yield Problem("database", key, f"no recording of the database is this one ({names})")

    def _object(self, key: str) -> Iterator[Problem]:
        kept = self._index.by_key[key]
        try:
            found = self._archive.digest(key)
        except RecordingError as error:
            if not isinstance(error, RecordingMissing) or self._still_kept(key):
                yield Problem(_kind_of(error), self._called(key, kept), error.reason)
            return
        if found == kept.sha256:
            return
        others = [other for other, one in self._index.by_key.items() if one.sha256 == found]
        if others:
            yield Problem("swapped", self._called(key, kept), f"holds the sound of {others[0]}")
        else:
            detail = f"was changed: its SHA-256 is {found}, the manifest says {kept.sha256}"
            yield Problem("changed", self._called(key, kept), detail)

    def _called(self, key: str, kept: Kept) -> str:
        names = [f"recording {row.id}" for row in self._rows.get(key, ())]
        names += [entry.members["name"] for entry in kept.entries]
        return f"{key} ({', '.join(names)})"

    def _still_kept(self, key: str) -> bool:
        """Whether it should be there, seen anew: it may have been erased just now."""
        return self._settle() and self._index.refresh().by_key[key].live

    def _settle(self) -> bool:
        """Wait until nobody is in the midst of storing; without a place for the lock nobody can be."""
        try:
            with self._archive.lock(shared=False):
                return True
        except RecordingError:
            return True

    def _extra(self, stored: list[str]) -> Iterator[Problem]:
        archive = self._archive
        objects = [key for key in stored if not self._is_live(key)]
        objects += [key for key in self._earlier() if not self._is_live(key)]
        if objects and self._settle():
            self._index.refresh()
        for key in objects:
            if self._is_live(key) or not self._there(key):
                continue
            if key in self._index.by_key:
                yield Problem("extra", key, "is still there, though the manifest says that it was erased")
            elif key not in self._rows:
                yield Problem("extra", key, "is in the archive, but not in the manifest")
        live = {kept.sha256 for kept in self._index.by_key.values() if kept.live}
        for key in archive.vault.keys(DERIVED):
            if key.split("/")[-2] not in live:
                yield Problem("extra", key, "was made of a recording that is not kept")
            elif not archive.derived_holds(key):
                yield Problem(
                    "changed", key, "was changed since it was made; `dutyring recordings repair` removes it"
                )

    def _is_live(self, key: str) -> bool:
        return key in self._index.by_key and self._index.by_key[key].live

    def _earlier(self) -> Iterator[str]:
        """Keys of the recordings that earlier versions left beside their captures."""
        for name in self._archive.beside(SOUND):
            yield f"{name}{SOUND}"

    def _there(self, key: str) -> bool:
        try:
            self._archive.open(key).close()
        except RecordingMissing:
            return False
        except RecordingError:
            return True
        return True

    def _named(self, path: str, rows: Sequence[KnownRecording]) -> Iterator[Problem]:
        """What the rows that name one object say, against what the manifest says of it."""
        kept = self._index.by_key.get(path)
        for row in rows:
            where = f"recording {row.id}"
            if kept is None:
                if not row.gone or self._there(path):
                    yield Problem("unlisted", where, f"{path} is not in the manifest{self._advice(path)}")
                continue
            yield from self._row(row, kept, where)
        if kept is None:
            return
        wanted, there = sum(not row.gone for row in rows), len(kept.entries)
        if there > wanted and all(self._settled(entry) for entry in kept.entries):
            yield Problem("database", _list_of(rows), f"{path} is gone by the database, kept by the manifest")
        if there < wanted and all(self._settled(entry) for entry in kept.erased):
            yield Problem(
                "database", _list_of(rows), f"{path} is erased by the manifest, kept by the database"
            )

    def _row(self, row: KnownRecording, kept: Kept, where: str) -> Iterator[Problem]:
        if row.sha256 != kept.sha256:
            detail = f"its SHA-256 is {row.sha256} in the database, {kept.sha256} in the manifest"
            yield Problem("database", where, detail)
        if row.name is not None and row.name not in kept.first:
            theirs = ", ".join(kept.first)
            yield Problem("swapped", where, f"is {row.name}, but {row.path} is that of {theirs}")
            return
        entries = [kept.first[row.name]] if row.name is not None else list(kept.first.values())
        if all(entry.members["kind"] != row.kind for entry in entries):
            yield Problem("database", where, f"is of kind {row.kind}, in the manifest it is another")
        if all(abs(entry.members["duration_ms"] - row.duration_ms) > 1e-3 for entry in entries):
            theirs = ", ".join(f"{entry.members['duration_ms']:g}" for entry in entries)
            yield Problem("database", where, f"lasts {row.duration_ms:g} ms, in the manifest {theirs} ms")

    def _advice(self, path: str) -> str:
        return "" if path.startswith(f"{OBJECTS}/") else "; `dutyring recordings repair` adopts it"

    def _settled(self, entry: Entry) -> bool:
        return datetime.fromisoformat(entry.at).isoformat(timespec="milliseconds") < self._old


def _kind_of(error: RecordingError) -> str:
    if isinstance(error, RecordingMissing):
        return "missing"
    return "unreadable" if isinstance(error, RecordingLocked) or "cannot be" in error.reason else "changed"


def _list_of(rows: Sequence[KnownRecording]) -> str:
    return ", ".join(f"recording {row.id}" for row in rows)

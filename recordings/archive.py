"""All recordings: their captures, their objects in the vault, and the manifest that attests them.

A recording has a name, which may hold folders (`2026/11/22/check-7-attempt-9`). During the call its capture lies at
`NAME.part`. Afterwards its sound is an object of the vault whose key is made of its SHA-256. The steps of storing, each
on the disk before the next begins:

1. `NAME.ready`: the sound file, whole;
2. its object in the vault;
3. its entry in the manifest: from here on it is stored;
4. the capture is removed, then `NAME.ready`.

Whatever step a process dies in, the next start goes on with the same bytes (`recordings.repair`). Recordings of earlier
versions lie at `NAME.flac` and stay there.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import logging
import re
from collections.abc import Collection, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

from recordings import derived
from recordings.encoding import describe, encode_as, gaps_of
from recordings.entries import Entry
from recordings.errors import (
    ManifestError,
    RecordingChanged,
    RecordingError,
    RecordingMissing,
    UnreadableCapture,
    UnwritableRecording,
)
from recordings.files import locked, sync_folder, write_whole
from recordings.index import Index
from recordings.manifest import MANIFEST, Manifest
from recordings.places import CAPTURE, DERIVED, INTENT, OBJECTS, READY, SOUND, derived_key, object_key
from recordings.vault import Vault
from sip.record import Gap, RecordingInfo

_log = logging.getLogger(__name__)
Erasure = Literal["expired", "removed", "withdrawn"]


class Archive:
    """Keeps recordings; `RecordingInfo.path` is the key that opens one. Every method may block."""

    def __init__(self, folder: Path, vault: Vault | None = None, manifest: Manifest | None = None) -> None:
        """`folder` holds captures, the manifest and recordings of earlier versions; its own vault is there too."""
        self.folder = folder.absolute()
        self._vault = vault
        self.manifest = manifest or Manifest(self.folder / MANIFEST, self.folder / "manifest.key")
        self.index = Index(self.manifest)

    @property
    def vault(self) -> Vault:
        """Where the objects are: by default in the folder, which is made on first use."""
        if self._vault is None:
            self._vault = Vault.at(self.folder)
        return self._vault

    def capture_path(self, name: str) -> Path:
        """Return where the writer keeps the raw sound of a call, its folder made. Raises `UnwritableRecording`."""
        path = self.inside(name + CAPTURE)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UnwritableRecording(path.parent, error.strerror or str(error)) from error
        return path

    def store(self, capture: Path, name: str, duration_ms: float | None = None) -> RecordingInfo:
        """Make the recording `name` of a capture, `duration_ms` long (None: as captured), then remove the capture.

        One that was begun before is finished as it was begun, so that a crash in between changes no evidence. Raises
        `RecordingError`; the capture then stays.
        """
        with self._at_work():
            return self.finish(capture, name, duration_ms)

    def finish(self, capture: Path, name: str, duration_ms: float | None = None) -> RecordingInfo:
        """Do what `store` does, for who holds the lock of the folder."""
        earlier = self.inside(name + SOUND)
        if earlier.is_file():
            info = self._adopt_own(earlier, name)
        elif capture.exists() or not (known := self.stored([name])):
            info = self._put(capture, name, duration_ms)
        else:
            info = known[name]
        try:
            capture.unlink(missing_ok=True)
            # On the disk before the other goes: a capture that came back alone would be stored a second time.
            sync_folder(capture.parent)
            self.inside(name + READY).unlink(missing_ok=True)
        except OSError as error:
            raise UnwritableRecording(capture, f"cannot be removed: {error.strerror or error}") from error
        return info

    def _put(self, capture: Path, name: str, duration_ms: float | None) -> RecordingInfo:
        ready = self.inside(name + READY)
        resumed = ready.exists()
        if resumed:
            info = describe(ready)
            entry = self.index.refresh().by_name.get(name)
            if entry is not None and entry.members["sha256"] == info.sha256:
                return info_of(entry)
            info = replace(info, gaps=_gaps_left(capture, info.duration_ms))
        else:
            info = encode_as("FLAC", capture, ready, duration_ms)
        key = object_key(info.sha256, SOUND)
        size = ready.stat().st_size
        self._keep(key, ready, info.sha256)
        info = replace(info, path=key)
        self.manifest.append("stored", **members_of(info, name, "check", size))
        return info

    def _keep(self, key: str, source: Path, sha256: str) -> None:
        """Put a sound into the vault. One that is there must be the same. Raises `RecordingChanged`."""
        if not self.vault.put(key, source) and self.digest(key) != sha256:
            raise RecordingChanged(key, "is in the archive already, with another content")

    def _adopt_own(self, path: Path, name: str) -> RecordingInfo:
        """Keep what an earlier version had made of the capture before it was killed."""
        info = replace(describe(path), path=path.relative_to(self.folder).as_posix())
        kept = self.index.refresh().by_key.get(info.path)
        if kept is None:
            self.manifest.append("adopted", **members_of(info, name, "check", path.stat().st_size))
        return info

    def add(self, file: Path, name: str, kind: str) -> RecordingInfo:
        """Keep a sound file that was brought from outside, as it is. Raises `RecordingError`.

        `kind` is what it is a recording of, such as `report`; the file itself stays where it is.
        """
        try:
            info = describe(file)
            size = file.stat().st_size
        except OSError as error:
            raise RecordingError(file, f"cannot be read: {error.strerror or error}") from error
        suffix = file.suffix.lower() if re.fullmatch(r"\.[a-z0-9]{1,5}", file.suffix.lower()) else ".sound"
        info = replace(info, path=object_key(info.sha256, suffix))
        members = members_of(info, name, kind, size)
        intent = self.inside(f"{name}{INTENT}")
        with self._at_work():
            try:
                write_whole(intent, [json.dumps(members).encode()])
                self._keep(info.path, file, info.sha256)
                self.manifest.append("added", **members)
                # Brought twice at once, the same sound has one intent: who is done first takes it away.
                intent.unlink(missing_ok=True)
            except OSError as error:
                raise UnwritableRecording(intent, f"cannot be written: {error.strerror or error}") from error
        return info

    def open(self, key: str) -> BinaryIO:
        """Open a recording by its key: seekable, decrypted. Raises `RecordingError`, while reading too.

        Who decodes it reads it whole first (`read`): decoders swallow what goes wrong in the middle.
        """
        if key.startswith(f"{OBJECTS}/"):
            return self.vault.open(self._key(key))
        try:
            return cast(BinaryIO, self.path(key).open("rb"))
        except OSError as error:
            raise RecordingError(key, f"cannot be read: {error.strerror or error}") from error

    def read(self, key: str, sha256: str | None = None) -> bytes:
        """Return a whole recording; with `sha256` only if that is its hash. Raises `RecordingError`."""
        with self.open(key) as file:
            data = file.read()
        if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
            raise RecordingChanged(key, "is not what was stored: its SHA-256 is another")
        return data

    def size(self, key: str) -> int:
        """Return how many bytes a recording has. Raises `RecordingError`."""
        if key.startswith(f"{OBJECTS}/"):
            return self.vault.size(self._key(key))
        return self.path(key).stat().st_size

    def digest(self, key: str) -> str:
        """Return the SHA-256 of a recording as it is now. Raises `RecordingError`."""
        with self.open(key) as file:
            try:
                return hashlib.file_digest(cast(io.BufferedReader, file), "sha256").hexdigest()
            except OSError as error:
                raise RecordingError(key, f"cannot be read: {error.strerror or error}") from error

    def path(self, key: str) -> Path:
        """Return the file of a recording that lies as it is in a local folder. Raises `RecordingMissing`."""
        root = self.vault.folder if key.startswith(f"{OBJECTS}/") else self.folder
        if root is None:
            raise RecordingMissing(key, "is not in a folder of this machine")
        path = self.inside(key, root)
        if not path.is_file():
            raise RecordingMissing(path, "is not in the archive")
        return path

    def erase(
        self, key: str, sha256: str, why: Erasure, reason: str, who: str, *, name: str | None = None
    ) -> None:
        """Delete a recording and all that was derived from it; the manifest says so first, and its hash stays there.

        The same sound may be kept under several names: its object goes with the last of them. `name` says which one
        is meant. Erased once more, e.g. after a crash, it is only made sure that nothing is left. Raises
        `RecordingError`.
        """
        # Alone: the very same sound, stored at this moment under another name, must not lose its object.
        with self.lock(shared=False):
            kept = self.index.refresh().by_key.get(key)
            done = kept is not None and (
                not kept.live or (name is not None and all(e.members["name"] != name for e in kept.entries))
            )
            if not done:
                said = {"path": key, "sha256": sha256, "why": why, "reason": reason, "who": who}
                self.manifest.append("erased", **said, **({} if name is None else {"name": name}))
                kept = self.index.refresh().by_key.get(key)
            if kept is None or not kept.live:
                self.drop_derived(sha256)
                self.remove(key)

    def remove(self, key: str) -> None:
        """Delete what lies under a key, should there be anything. Raises `UnwritableRecording`."""
        if key.startswith(f"{OBJECTS}/"):
            self.vault.delete(self._key(key))
            return
        path = self.inside(key)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise UnwritableRecording(path, f"cannot be deleted: {error.strerror or error}") from error

    def keep_derived(self, sha256: str, name: str, data: bytes) -> None:
        """Keep something made of a recording, such as a listening copy, until that is erased."""
        key = derived_key(sha256, name)
        with self._at_work():
            self.vault.write(key, derived.signed(key, data, self.manifest.key))

    def derived(self, sha256: str, name: str) -> bytes | None:
        """Return what was kept of that name; None where there is nothing, or what is there was changed.

        Raises `RecordingError`.
        """
        key = derived_key(sha256, name)
        with contextlib.suppress(RecordingMissing, RecordingChanged, ManifestError):
            data = derived.content(key, self.vault.read(key), self.manifest.public_key())
            if data is not None:
                return data
            _log.warning("%s was changed since it was made", key)
        return None

    def derived_holds(self, key: str) -> bool:
        """Whether what lies under a key of `derived/` is what was kept there; one that is gone is no fault."""
        try:
            return derived.content(key, self.vault.read(key), self.manifest.public_key()) is not None
        except RecordingChanged:
            return False
        except RecordingError:
            return True

    def drop_derived(self, sha256: str) -> None:
        """Delete everything that was made of a recording. Raises `RecordingError`."""
        for key in list(self.vault.keys(derived_key(sha256, "x").rpartition("/")[0])):
            self.vault.delete(key)

    def stored(self, names: Collection[str]) -> dict[str, RecordingInfo]:
        """Those of these names that are stored already, with what the manifest says of them."""
        known = self.index.refresh()
        found = {name: known.by_name[name] for name in names if name in known.by_name}
        return {
            name: info_of(entry)
            for name, entry in found.items()
            if any(one.n == entry.n for one in known.by_key[entry.members["path"]].entries)
        }

    def repair(self, names: Collection[str] | None = None) -> dict[str, RecordingInfo]:
        """Finish what was begun; return the recordings by name. See `recordings.repair.Repair`, which tells more.

        Only for captures that nobody writes any more: all, or those of `names`.
        """
        from recordings.repair import Repair

        return Repair(self).run(names).made

    def beside(self, suffix: str) -> Iterator[str]:
        """Yield the names, without it, of the files of this suffix in the folder, beside what its own vault holds."""
        for top in self.folder.iterdir() if self.folder.is_dir() else ():
            below = () if top.name in (OBJECTS, DERIVED) or not top.is_dir() else top.rglob(f"*{suffix}")
            for path in (top, *below):
                if path.name.endswith(suffix) and path.is_file():
                    yield path.relative_to(self.folder).as_posix().removesuffix(suffix)

    def inside(self, name: str, root: Path | None = None) -> Path:
        """Return the path of a name, which must not lead out of the folder. Raises `RecordingMissing`."""
        root = self.folder if root is None else root
        path = root / name
        if ".." in Path(name).parts or not path.is_relative_to(root):
            raise RecordingMissing(name, "leads out of the archive")
        return path

    def _key(self, key: str) -> str:
        self.inside(key)
        return key

    def _at_work(self) -> contextlib.AbstractContextManager[None]:
        """Held while something is stored, so that nobody takes for left over what is in use."""
        return self.lock(shared=True)

    @contextlib.contextmanager
    def lock(self, *, shared: bool) -> Iterator[None]:
        """Hold the lock of the folder. Raises `UnwritableRecording`."""
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(locked(self.folder / "archive.lock", shared=shared))
            except OSError as error:
                raise UnwritableRecording(self.folder, error.strerror or str(error)) from error
            yield


def _gaps_left(capture: Path, duration_ms: float) -> tuple[Gap, ...]:
    """The gaps of a sound that was made before; of a capture that has been lost since they are not known any more."""
    try:
        return gaps_of(capture, duration_ms)
    except UnreadableCapture as error:
        _log.warning("%s: where sound is missing is not known any more", error)
        return ()


def members_of(info: RecordingInfo, name: str, kind: str, size: int) -> dict[str, Any]:
    """What the manifest says of a recording."""
    said = asdict(info)
    said["gaps"] = [asdict(gap) for gap in info.gaps]
    return {"name": name, "kind": kind, "bytes": size, **said}


def info_of(entry: Entry) -> RecordingInfo:
    """The recording that an entry is about."""
    said = {
        name: entry.members[name] for name in ("path", "sha256", "duration_ms", "channels", "sample_rate")
    }
    return RecordingInfo(**said, gaps=tuple(Gap(**gap) for gap in entry.members.get("gaps", ())))

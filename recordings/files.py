"""Files that are there whole or not at all, and locks between processes."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

DRAFT: Final = ".tmp"
"""How the name of a file ends that is still being written; one that is left was cut off."""


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_whole(
    path: Path,
    parts: Iterable[bytes | memoryview],
    mode: int = 0o640,
    *,
    replace: bool = True,
    make_folder: bool = True,
) -> bool:
    """Write a file beside its place, flush it to the disk and move it there.

    Return whether it was put there: False when there is one already that must not be replaced. Raises `OSError`.
    """
    if make_folder:
        _make_folder(path.parent)
    handle, name = tempfile.mkstemp(prefix=".", suffix=DRAFT, dir=path.parent)
    draft = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        draft.chmod(mode)
        if replace:
            draft.replace(path)
        else:
            path.hardlink_to(draft)
    except FileExistsError:
        return False
    finally:
        with contextlib.suppress(OSError):
            draft.unlink()
    sync_folder(path.parent)
    return True


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it; their names survive a power cut as what is put there does."""
    made = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for one in reversed(made):
        sync_folder(one.parent)


@contextlib.contextmanager
def locked(path: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold a lock between processes and threads; the kernel gives it back however the process ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)

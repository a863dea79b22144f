"""One process of a kind on a data folder: by a lock that the kernel gives back however the process ends."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from app.database import make_private_folder, open_private
from app.settings import Settings


@contextmanager
def folder_lock(settings: Settings, name: str, taken: type[Exception]) -> Iterator[None]:
    """Hold `NAME.lock` of the data folder. Raises `taken` where another process holds it."""
    make_private_folder(settings.data_dir)
    with open_private(settings.data_dir / f"{name}.lock") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise taken(f"another {name} process runs on {settings.data_dir}") from error
        yield

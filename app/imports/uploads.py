"""Files that were brought for an import, kept privately in the data folder until they are confirmed or a day old."""

from __future__ import annotations

import json
import os
import re
import secrets
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from app import clock
from app.accounts.principal import limits
from app.accounts.service import asking
from app.database import make_private_folder
from app.errors import NotFoundError
from app.settings import Settings

KEPT = timedelta(hours=24)
MOST_KEPT = 50
"""Files at one time; with more the oldest go."""
_KEY = re.compile(r"[0-9a-f]{32}")
_FILE, _TOLD = ".file", ".json"


def folder(settings: Settings) -> Path:
    """Where the files lie."""
    return settings.data_dir / "imports"


def put(settings: Settings, content: bytes, told: dict[str, Any], who: str) -> dict[str, Any]:
    """Keep a file with what its preview told, under a name that nobody guesses; return what is kept of it."""
    place = folder(settings)
    make_private_folder(settings.data_dir)
    make_private_folder(place)
    purge(settings)
    key, now = secrets.token_hex(16), clock.now()
    kept = told | {
        "id": key,
        "state": "open",
        "size": len(content),
        "uploaded_at": now.isoformat(),
        "uploaded_by": who,
        "expires_at": (now + KEPT).isoformat(),
        "confirmed_at": None,
        "confirmed_by": None,
    }
    _write(place / f"{key}{_FILE}", content)
    _save(place, kept)
    return kept


def get(settings: Settings, key: str) -> dict[str, Any]:
    """Return what is kept of a file. Raises `NotFoundError` where it was never there, deleted, or is too old."""
    path = folder(settings) / f"{key}{_TOLD}"
    if not _KEY.fullmatch(key):
        raise _unknown()
    try:
        kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        expired = datetime.fromisoformat(kept["expires_at"]) <= clock.now()
    except (OSError, ValueError, KeyError) as error:
        raise _unknown() from error
    if expired:
        remove(settings, key)
        raise _unknown()
    if limits() is not None and kept.get("uploaded_by") != asking():
        # It may speak of units that whoever asks does not see.
        raise _unknown()
    return kept


def content_of(settings: Settings, key: str) -> bytes:
    """Return a file that is kept. Raises `NotFoundError`."""
    try:
        return (folder(settings) / f"{key}{_FILE}").read_bytes()
    except OSError as error:
        raise _unknown() from error


def confirmed(settings: Settings, kept: dict[str, Any], who: str) -> dict[str, Any]:
    """Write down that a file was imported; the file itself is needed no more."""
    kept = kept | {"state": "confirmed", "confirmed_at": clock.now().isoformat(), "confirmed_by": who}
    _save(folder(settings), kept)
    (folder(settings) / f"{kept['id']}{_FILE}").unlink(missing_ok=True)
    return kept


def remove(settings: Settings, key: str) -> None:
    """Delete a file and what is kept of it."""
    for ending in (_FILE, _TOLD):
        (folder(settings) / f"{key}{ending}").unlink(missing_ok=True)


def purge(settings: Settings) -> int:
    """Delete what is older than a day, and the oldest beyond the most that are kept; return how many."""
    try:
        ages = {path: path.stat().st_mtime for path in folder(settings).iterdir()}
    except OSError:
        return 0
    before = (clock.now() - KEPT).timestamp()
    for path, age in ages.items():
        if age <= before and not _KEY.fullmatch(path.stem):
            # What a process that was killed left half written.
            path.unlink(missing_ok=True)
    kept = sorted(
        (age, path.stem) for path, age in ages.items() if path.suffix == _TOLD and _KEY.fullmatch(path.stem)
    )
    gone = [key for place, (age, key) in enumerate(kept) if age <= before or place < len(kept) - MOST_KEPT]
    for key in gone:
        remove(settings, key)
    return len(gone)


def _save(place: Path, kept: dict[str, Any]) -> None:
    _write(place / f"{kept['id']}{_TOLD}", json.dumps(kept, ensure_ascii=False).encode())


def _write(path: Path, content: bytes) -> None:
    """Write a file for its owner alone, whole or not at all."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}.draft")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    draft.replace(path)


def _unknown() -> NotFoundError:
    return NotFoundError("没有这个导入文件：可能已过期（保留 24 小时）或已删除，请重新上传")

"""Files that belong to a case: bounded in type and size, kept by their SHA-256 for their owner alone."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from types import MappingProxyType

from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.errors import BadInputError, ConflictError, Fault
from app.reviews import repository, steps
from app.reviews.models import Attachment
from app.reviews.states import State, Step

MOST_BYTES = 20 * 2**20
MOST_FILES = 20
"""Of one case."""
FOLDER = "attachments"
TYPES: Mapping[str, tuple[bytes, ...]] = MappingProxyType(
    {
        "application/pdf": (b"%PDF-",),
        "image/jpeg": (b"\xff\xd8\xff",),
        "image/png": (b"\x89PNG\r\n\x1a\n",),
        "audio/wav": (b"RIFF",),
        "audio/flac": (b"fLaC",),
        "audio/mpeg": (b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2"),
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document": (b"PK\x03\x04",),
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": (b"PK\x03\x04",),
        "text/plain": (b"",),
    }
)
"""Accepted media types with the bytes that such a file begins with."""


class Draft:
    """A file that has been received whole and is not yet part of a case."""

    def __init__(self, path: Path, sha256: str, size: int) -> None:
        self.path = path
        self.sha256 = sha256
        self.size = size


def check_type(media_type: str) -> str:
    """Return the media type without its parameters. Raises `BadInputError` for one that is not accepted."""
    plain = media_type.split(";")[0].strip().lower()
    if plain not in TYPES:
        raise BadInputError(
            f"附件类型须为 {'、'.join(TYPES)} 之一 (this media type is not accepted)",
            [Fault("Content-Type", "not an accepted media type")],
        )
    return plain


async def receive(data_dir: Path, chunks: AsyncIterator[bytes], media_type: str) -> Draft:
    """Write what comes in into the data folder under a name of its own, bounded.

    Raises `BadInputError` for what is empty, too large, or does not begin as its type does; then no file is left.
    """
    folder = data_dir / FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"incoming-{secrets.token_hex(8)}"
    try:
        return await _write(path, chunks, TYPES[check_type(media_type)])
    except BaseException:
        path.unlink(missing_ok=True)
        raise


async def _write(path: Path, chunks: AsyncIterator[bytes], beginnings: tuple[bytes, ...]) -> Draft:
    digest, size, head = hashlib.sha256(), 0, b""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        async for chunk in chunks:
            size += len(chunk)
            if size > MOST_BYTES:
                raise BadInputError(
                    f"附件不得超过 {MOST_BYTES // 2**20} MB (too large)", [Fault("body", "too large")]
                )
            head = head if len(head) >= 16 else (head + chunk)[:16]
            digest.update(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    if not size:
        raise BadInputError("附件为空 (the body is empty)", [Fault("body", "empty")])
    if not any(head.startswith(beginning) for beginning in beginnings):
        raise BadInputError(
            "附件内容与所称类型不符 (the content is not of that type)", [Fault("body", "not of its type")]
        )
    return Draft(path, digest.hexdigest(), size)


def discard(draft: Draft) -> None:
    """Remove a file that did not become part of a case."""
    draft.path.unlink(missing_ok=True)


async def attach(
    session: AsyncSession,
    case_id: int,
    who: str,
    draft: Draft,
    name: str,
    media_type: str,
    data_dir: Path,
    seen: State | None = None,
) -> Attachment:
    """Make a received file part of a case. Raises `ConflictError` where the case is at its end or has too many."""
    case = await steps.begin(session, case_id, Step.ATTACH, who, seen)
    if len(await repository.attachments(session, case.id)) >= MOST_FILES:
        raise ConflictError(f"一个事项最多附 {MOST_FILES} 个文件 (this case has as many files as it may)")
    row = Attachment(
        case_id=case.id,
        name=name,
        media_type=check_type(media_type),
        size=draft.size,
        sha256=draft.sha256,
        path=f"{FOLDER}/{draft.sha256[:2]}/{draft.sha256}",
        added_at=clock.now(),
        added_by=who,
    )
    session.add(row)
    await session.flush()
    content = {"attachment": row.id, "name": name, "sha256": draft.sha256, "size": draft.size}
    await steps.take(session, case, Step.ATTACH, who, content)
    _keep(draft, data_dir / row.path)
    return row


def _keep(draft: Draft, path: Path) -> None:
    """Move the file to its place; the same content is kept once. It is there before the row is committed."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    draft.path.replace(path)
    for folder in (path.parent, path.parent.parent):
        with contextlib.suppress(OSError):
            handle = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


def file_of(row: Attachment, data_dir: Path) -> Path | None:
    """The stored file of an attachment; None where it is gone or points elsewhere."""
    root = (data_dir / FOLDER).resolve()
    path = (data_dir / row.path).resolve()
    return path if path.is_relative_to(root) and path.is_file() else None

"""Marks a stretch of a recording in the archive as a sample. Reading it is a listening, and goes on record as one."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts import service as audit
from app.accounts.principal import whole_office
from app.archive import open_archive
from app.checks import repository as checks
from app.database import Database
from app.errors import BadInputError, ConflictError, Fault, GoneError, NotFoundError, UnavailableError
from app.phone_records.sounds import FOLDER
from app.samples import service
from app.samples.models import AnnouncementSample
from app.samples.service import Description, PresentSampleError, SampleValueError, UnknownSampleError
from app.settings import Settings
from recordings import RecordingError
from sip.progress import AudioFileError
from sip.progress.marking import Marked, MarkError, mark_file

CHANNEL: Final = "right"
"""Theirs: what we say is no announcement of the network."""
MOST_S = 24 * 3600.0


async def mark_recording(
    database: Database,
    settings: Settings,
    recording_id: int,
    start_s: float,
    end_s: float,
    about: Description,
) -> AnnouncementSample:
    """Cut a stretch of the far side out of a check's recording and keep its prints; return the sample.

    Raises `NotFoundError`, `GoneError`, `BadInputError` for a stretch that cannot be a sample or a label that cannot be
    kept, `ForbiddenError` for an account for a part of the units, `ConflictError` where this recording of an
    announcement is a sample already, `UnavailableError`.
    """
    _check(about, start_s, end_s)
    async with database.reading() as session:
        attempt_id, path, sha256, length_s = await _kept(session, recording_id)
    # Every unit's calls are listened to by it from then on.
    whole_office()
    end_s = min(end_s, length_s)
    _check(about, start_s, end_s)
    async with database.unit_of_work() as session:
        # On record before anything of it is read.
        wanted = f"sample {start_s:g}-{end_s:g} s"
        await audit.record(session, "play", f"recording:{recording_id}", wanted, about.by)
    marked = await asyncio.to_thread(_marked, settings, path, sha256, start_s, end_s)
    cut = f"attempt {attempt_id}: {path} {marked.start_ms / 1000:.2f}-{marked.end_ms / 1000:.2f} s"
    async with database.unit_of_work() as session:
        # Withdrawn meanwhile: nothing of it may stay behind.
        await _kept(session, recording_id)
        try:
            return await service.add(session, marked, replace(about, source=cut))
        except PresentSampleError as error:
            raise ConflictError(
                f"这段提示音已是样本 (this announcement is a sample already: {error})"
            ) from error


async def withdraw(session: AsyncSession, sample_id: int, who: str) -> AnnouncementSample:
    """Listen for a sample no more. Raises `NotFoundError`, `ConflictError`, `ForbiddenError`."""
    try:
        row = await service.get(session, sample_id)
    except UnknownSampleError as error:
        raise NotFoundError(f"没有样本 {sample_id} (no such sample)") from error
    whole_office()
    if not row.active:
        raise ConflictError(f"样本 {sample_id} 已停用 (it was removed already)")
    return await service.remove(session, sample_id, who)


def _check(about: Description, start_s: float, end_s: float) -> None:
    try:
        about.check()
    except SampleValueError as error:
        names = {"meaning": "含义", "label": "名称", "by": "标记人", "trunk": "中继"}
        raise BadInputError(
            f"{names.get(error.member, error.member)}有误 ({error})", [Fault(error.member, str(error))]
        ) from error
    if not (math.isfinite(start_s) and math.isfinite(end_s) and 0 <= start_s < end_s <= MOST_S):
        raise BadInputError(
            "起止时间有误：起须早于止 (the start lies before the end)", [Fault("start", "is wrong")]
        )


async def _kept(session: AsyncSession, recording_id: int) -> tuple[int, str, str, float]:
    """The attempt, key, hash and seconds of a check's recording that may be heard."""
    found = await checks.recording(session, recording_id) if 0 < recording_id < 2**63 else None
    if found is None or found.attempt_id is None:
        raise NotFoundError(f"没有抽查录音 {recording_id} (no recording of a check)")
    if found.gone_why is not None:
        raise GoneError(f"录音 {recording_id} 已删除或封存 (its sound is gone)")
    return found.attempt_id, found.path, found.sha256, found.duration_ms / 1000


def _marked(settings: Settings, key: str, sha256: str, start_s: float, end_s: float) -> Marked:
    with TemporaryDirectory(prefix="sample-", dir=_private(settings)) as folder:
        path = Path(folder) / f"sound{PurePosixPath(key).suffix or '.flac'}"
        try:
            path.write_bytes(open_archive(settings).read(key, sha256))
        except (RecordingError, OSError) as error:
            raise UnavailableError("录音暂时读不出来，请稍后再试 (the recording cannot be read)") from error
        try:
            return mark_file(path, channel=CHANNEL, start_s=start_s, end_s=end_s)
        except (AudioFileError, MarkError) as error:
            raise BadInputError(
                f"这一段不能作样本：须有 1.5 秒以上的人声或音乐 ({_ascii(str(error))})",
                [Fault("start", str(error))],
            ) from error


def _private(settings: Settings) -> Path:
    """Sound lies in the data folder alone, also while it is measured; what a killed process leaves is tidied there."""
    folder = settings.data_dir / FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _ascii(text: str) -> str:
    return text.encode("ascii", "replace").decode()

"""Recordings as they are heard: the sound itself, its listening copies, its peaks and its clips.

What is made of a recording is kept beside it in the archive, under the recording's hash, and goes when it goes.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
from collections.abc import Awaitable, Callable
from functools import partial
from typing import BinaryIO, Final, TypeVar
from zoneinfo import ZoneInfo

import structlog

from app.archive import open_archive
from app.checks import repository
from app.checks.models import Recording
from app.database import Database
from app.errors import BadInputError, Fault, GoneError, NotFoundError, UnavailableError
from app.listening import names
from app.listening.response import Sound, unreadable
from app.settings import SettingError, Settings
from recordings import Archive, RecordingError, RecordingMissing
from recordings.clips import Channel, Clip, ClipError, SoundKind, cut
from recordings.copies import CopyError, CopyKind, CopyMaker
from recordings.peaks import Peaks, PeaksError, measure

log = structlog.get_logger(__name__)
T = TypeVar("T")
PEAKS: Final = "peaks"
GONE_ZH: Final = {
    "expired": "保存期限届满，已删除",
    "removed": "经审批提前删除",
    "withdrawn": "已封存",
}


class Listening:
    """What is to be heard of one recording, under the settings of the service."""

    def __init__(
        self, database: Database, settings: Settings, maker: CopyMaker, archive: Archive, recording: Recording
    ) -> None:
        self._database = database
        self._settings = settings
        self._maker = maker
        self._archive = archive
        self.recording = recording

    @classmethod
    async def of(
        cls, database: Database, settings: Settings, maker: CopyMaker, recording_id: int
    ) -> Listening:
        """Raises `NotFoundError` for no recording, `GoneError` for one whose sound was deleted or withdrawn."""
        recording = await _present(database, settings.zone, recording_id)
        archive = await asyncio.to_thread(_reading, partial(open_archive, settings))
        return cls(database, settings, maker, archive, recording)

    async def sound(self, *, download: bool) -> Sound:
        """Return the recording as it is kept. Raises `NotFoundError`, `UnavailableError`."""
        key, suffix = self.recording.path, names.suffix_of(self.recording)
        return Sound(
            open=partial(_reading, self._open),
            size=await asyncio.to_thread(_reading, partial(self._archive.size, key)),
            tag=f'"{self.recording.sha256}"',
            media_type=names.media_type(suffix),
            disposition=names.of_recording(self.recording, suffix, download=download),
        )

    async def copy(self, kind: CopyKind, *, download: bool) -> Sound:
        """Return a listening copy, made on first use. Raises `NotFoundError`, `UnavailableError`."""
        name = f"copy{names.SUFFIXES[kind]}"
        data = await self._derived(name)
        if data is None:
            make = partial(self._maker.convert, partial(_reading, self._whole), kind)
            data = await self._made(name, make)
        suffix = names.SUFFIXES[kind]
        return Sound(
            open=partial(io.BytesIO, data),
            size=len(data),
            tag=f'"{await asyncio.to_thread(_digest, data)}"',
            media_type=names.media_type(suffix),
            disposition=names.of_recording(self.recording, suffix, download=download),
        )

    async def peaks(self, per_second: int) -> Peaks:
        """Return the peaks, measured on first use. Raises `NotFoundError`, `UnavailableError`."""
        stored = await self._derived(PEAKS)
        found = None if stored is None else _read(stored)
        if found is None:
            found = Peaks.from_bytes(await self._made(PEAKS, self._measured))
        return await asyncio.to_thread(found.coarser, per_second)

    async def clip(self, from_ms: float, to_ms: float, lead_in_ms: float, channel: Channel) -> Clip:
        """Cut a stretch out. Raises `BadInputError` where there is no such stretch."""
        try:
            return await asyncio.to_thread(self._cut, from_ms, to_ms, lead_in_ms, channel)
        except ClipError as error:
            raise BadInputError(
                f"{error.where} {error}", [Fault(f"query.{error.where}", str(error))]
            ) from error

    async def encoded(self, clip: Clip, kind: SoundKind | CopyKind) -> bytes:
        """Return a clip as a file of this kind. Raises `UnavailableError`."""
        if kind == "opus" or kind == "mp3":
            plain = partial(io.BytesIO, await asyncio.to_thread(clip.encode, "flac"))
            return await _converted(self._maker.convert(plain, kind))
        return await asyncio.to_thread(clip.encode, kind)

    def _open(self) -> BinaryIO:
        return self._archive.open(self.recording.path)

    def _whole(self) -> BinaryIO:
        """The recording, read and compared with its hash before anything is made of it. Raises `RecordingError`."""
        return io.BytesIO(self._archive.read(self.recording.path, self.recording.sha256))

    def _cut(self, from_ms: float, to_ms: float, lead_in_ms: float, channel: Channel) -> Clip:
        return _reading(lambda: cut(self._whole(), from_ms, to_ms, lead_in_ms, channel))

    async def _measured(self) -> bytes:
        return await asyncio.to_thread(_reading, lambda: measure(self._whole()).to_bytes())

    async def _derived(self, name: str) -> bytes | None:
        return await asyncio.to_thread(_reading, partial(self._archive.derived, self.recording.sha256, name))

    async def _made(self, name: str, make: Callable[[], Awaitable[bytes]]) -> bytes:
        """Make something of the recording once for all who ask, and keep it."""

        async def work() -> bytes:
            began = self._archive.manifest.end()
            data = await make()
            await self._keep(name, data, began)
            return data

        # Looking and asking lie apart: who asks a moment later than the maker has ended makes it again, with
        # the same content.
        return await _converted(self._maker.once(f"{self.recording.sha256}/{name}", work))

    async def _keep(self, name: str, data: bytes, began: int) -> None:
        """Keep what was made, unless its recording went meanwhile: nothing of a withdrawn one may stay behind.

        `began`: where the manifest ended when the making began.
        """
        digest = self.recording.sha256
        try:
            await asyncio.to_thread(self._archive.keep_derived, digest, name, data)
        except (RecordingError, OSError) as error:
            log.warning("listening copy not kept", recording=self.recording.id, why=str(error))
        try:
            await _present(self._database, self._settings.zone, self.recording.id)
            await asyncio.to_thread(self._still_kept, began)
        except (GoneError, RecordingMissing):
            await asyncio.to_thread(self._archive.drop_derived, digest)
            raise

    def _still_kept(self, began: int) -> None:
        """The manifest says that a recording is erased before anything of it is deleted. Raises `RecordingMissing`.

        Only what came since is read: before, its sound was there. The whole takes seconds after some years.
        """
        key = self.recording.path
        for entry in self._archive.manifest.entries(began):
            if entry.kind == "erased" and entry.members.get("path") == key:
                raise RecordingMissing(key, "was erased")


async def _present(database: Database, zone: ZoneInfo, recording_id: int) -> Recording:
    async with database.reading() as session:
        found = await repository.recording(session, recording_id) if 0 < recording_id < 2**63 else None
    if found is None:
        raise NotFoundError("没有这条录音")
    if found.gone_why is not None:
        # Whoever decided that it goes: from then on nobody hears it, deleted already or not.
        why = GONE_ZH.get(found.gone_why, "已删除")
        at = "" if found.gone_at is None else f"（{found.gone_at.astimezone(zone):%Y-%m-%d %H:%M}）"
        raise GoneError(f"录音{why}{at}。其 SHA-256 {found.sha256} 仍在册。")
    return found


async def _converted(work: Awaitable[bytes]) -> bytes:
    try:
        return await work
    except RecordingMissing as error:
        raise NotFoundError("录音文件不在录音库中") from error
    except CopyError as error:
        log.warning("listening copy failed", why=str(error))
        raise UnavailableError("收听副本暂时无法生成，请收听 FLAC 原件，或稍后再试") from error


def _reading(work: Callable[[], T]) -> T:
    """Do something with the archive; what goes wrong there becomes an error of ours."""
    try:
        return work()
    except RecordingMissing as error:
        raise NotFoundError("录音文件不在录音库中") from error
    except (RecordingError, OSError, SettingError) as error:
        raise unreadable(error) from error


def _read(stored: bytes) -> Peaks | None:
    try:
        return Peaks.from_bytes(stored)
    except PeaksError:
        return None


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()

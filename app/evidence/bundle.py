"""Evidence bundles of an order or of one call: gathered, put on record, and streamed."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, BinaryIO

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.accounts import service as audit
from app.archive import open_archive
from app.checks.models import Recording
from app.checks.rules import rules_of
from app.database import Database
from app.errors import ConflictError, UnavailableError
from app.evidence import bundle_files as files
from app.evidence.bundle_page import Made, SoundState, page
from app.evidence.bundle_sources import BundleSources, CallSources, read
from app.listening.service import PEAKS
from app.settings import SettingError, Settings
from recordings import Archive, RecordingChanged, RecordingError, RecordingMissing
from recordings.bundle import ENTRIES, HEAD, KEY, SIGNATURE, STATEMENT, SUMS, Part, Proof, pack
from recordings.entries import Entry
from recordings.index import KEPT
from recordings.peaks import Peaks, PeaksError, measure

log = structlog.get_logger(__name__)
INDEX = "index.html"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle that is ready to be written."""

    sources: BundleSources
    parts: tuple[Part, ...]
    proof: Proof
    about: dict[str, Any]
    made_at: datetime

    @property
    def title(self) -> str:
        """Its file's name, with the unit's, whatever signs that holds."""
        unit = "".join(
            sign if sign.isalnum() or sign in "-_（）()" else "_" for sign in self.sources.check.unit.name
        )
        return f"证据包-{self.plain.removesuffix('.zip')}-{unit[:60]}.zip"

    @property
    def plain(self) -> str:
        """Its file's name in ASCII."""
        kind, _, key = self.sources.subject.partition(":")
        return f"{kind}-{int(key):06}.zip"

    def stream(self) -> Iterator[bytes]:
        """Yield the file in pieces; blocks. Raises `RecordingError` or `BundleError`: what came before is no ZIP."""
        return pack(self.parts, self.proof, self.about, self.made_at)


async def prepare(
    database: Database,
    settings: Settings,
    who: str,
    *,
    check_id: int | None = None,
    attempt_id: int | None = None,
) -> Bundle:
    """Gather a bundle and write its audit lines. Raises `NotFoundError`, `ConflictError`, `UnavailableError`."""
    async with database.reading() as session:
        sources = await read(session, settings, check_id=check_id, attempt_id=attempt_id)
    try:
        bundle = await asyncio.to_thread(_gathered, sources, settings, who)
    except (RecordingError, OSError, SettingError) as error:
        log.warning("bundle cannot be made", subject=sources.subject, why=str(error))
        raise UnavailableError("证据包暂时无法制作，请稍后再试；详情见服务日志") from error
    async with database.unit_of_work() as session:
        await _put_on_record(session, bundle, who)
    return bundle


async def _put_on_record(session: AsyncSession, bundle: Bundle, who: str) -> None:
    sources = bundle.sources
    await _still_so(session, [call.recording for call in sources.calls if call.recording is not None])
    await audit.record(session, "bundle", sources.subject, _names_of(sources), who)
    for recording in bundle.about["recordings"]:
        if recording["file"] is not None:
            await audit.record(session, "bundle", f"recording:{recording['recording']}", sources.subject, who)


async def _still_so(session: AsyncSession, read: Sequence[Recording]) -> None:
    """Raise `ConflictError` where a recording went while the bundle was gathered: its words are in it already."""
    query = select(Recording.id, Recording.gone_why).where(Recording.id.in_([row.id for row in read]))
    now = {row.id: row.gone_why for row in await session.execute(query)}
    if any(now.get(row.id) != row.gone_why for row in read):
        raise ConflictError("录音刚刚被封存或删除，请重新导出证据包 (a recording went meanwhile: ask again)")


def _names_of(sources: BundleSources) -> str:
    return "attempts " + ", ".join(str(call.attempt.id) for call in sources.calls)


def _gathered(sources: BundleSources, settings: Settings, who: str) -> Bundle:
    archive, made_at = open_archive(settings), clock.now()
    sounds = {call.attempt.id: _sound(archive, call) for call in sources.calls}
    recordings = [call.recording for call in sources.calls if call.recording is not None]
    entries = _entries(archive, recordings)
    proof = Proof(entries, archive.manifest.head() if entries else None, archive.manifest.key)
    missing = [*_missing(sources, sounds, entries), *files.missing(sources)]
    parts = list(files.files(sources))
    parts += [_part(archive, call, name) for call in sources.calls if (name := sounds[call.attempt.id].file)]
    names = [
        *(part.name for part in parts),
        *(ENTRIES, HEAD)[: 2 if entries else 1],
        KEY,
        SUMS,
        STATEMENT,
        SIGNATURE,
    ]
    key = proof.key.public_key().public_bytes_raw().hex()
    made = Made(made_at, who, settings.zone, key, rules_of(settings))
    index = Part(INDEX, page(sources, sounds, missing, names, made))
    about = {
        "made_by": who,
        "subject": sources.subject,
        "unit": sources.check.unit.name,
        "recordings": [_told(call, sounds[call.attempt.id]) for call in sources.calls if call.recording],
        "missing": missing,
    }
    return Bundle(sources, (index, *parts), proof, about, made_at)


def _told(call: CallSources, sound: SoundState) -> dict[str, Any]:
    """What the statement says of a recording."""
    row = call.recording
    assert row is not None
    gone = None
    if row.gone_why is not None:
        at = None if row.gone_at is None else row.gone_at.isoformat()
        gone = {"why": row.gone_why, "at": at, "by": row.gone_by}
    return {
        "recording": row.id,
        "attempt": row.attempt_id,
        "sha256": row.sha256,
        "duration_ms": row.duration_ms,
        "file": sound.file,
        "gone": gone,
    }


def _sound(archive: Archive, call: CallSources) -> SoundState:
    """See whether a call's sound is there and what it should be."""
    row = call.recording
    if row is None:
        return SoundState(why="not_recorded")
    if row.gone_why is not None:
        return SoundState(why=row.gone_why)
    try:
        sound = archive.read(row.path, row.sha256)
        return SoundState(files.sound_name(call), peaks=_peaks(archive, row, sound))
    except RecordingMissing:
        return SoundState(why="lost")
    except RecordingChanged:
        return SoundState(why="changed")
    except (RecordingError, OSError):
        return SoundState(why="unreadable")


def _peaks(archive: Archive, row: Recording, sound: bytes) -> Peaks:
    stored = archive.derived(row.sha256, PEAKS)
    if stored is not None:
        try:
            return Peaks.from_bytes(stored)
        except PeaksError:
            pass
    return measure(io.BytesIO(sound))


def _part(archive: Archive, call: CallSources, name: str) -> Part:
    row = call.recording
    assert row is not None
    opened: partial[BinaryIO] = partial(archive.open, row.path)
    return Part(name, opened, row.sha256)


def _entries(archive: Archive, recordings: Sequence[Recording]) -> tuple[Entry, ...]:
    """What the manifest says of these recordings, in its order."""
    wanted = {recording.sha256 for recording in recordings}
    if not wanted:
        return ()
    return tuple(entry for entry in archive.manifest.entries() if entry.members.get("sha256") in wanted)


def _missing(
    sources: BundleSources, sounds: dict[int, SoundState], entries: Sequence[Entry]
) -> Iterator[dict[str, Any]]:
    kept = {entry.members.get("sha256") for entry in entries if entry.kind in KEPT}
    for call in sources.calls:
        of = {"attempt": call.attempt.id}
        if sounds[call.attempt.id].file is None:
            yield of | {"what": "sound", "why": sounds[call.attempt.id].why}
        if call.recording is not None and call.recording.sha256 not in kept:
            yield of | {"what": "manifest", "why": "not_in_manifest"}

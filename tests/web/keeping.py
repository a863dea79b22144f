"""What the tests of kept recordings share: recordings in the real archive, and time that goes by."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from app.accounts.models import AuditEvent
from app.archive import open_archive
from app.archive_upkeep import known_recordings
from app.checks import alarms
from app.checks.models import Attempt, Recording
from app.checks.service import recording_name
from app.evidence import holds, withdrawal
from app.evidence.purging import Purged, Retention
from app.evidence.withdrawal import Withdrawn
from recordings import Archive
from recordings.verification import verify_all
from sip.record import RecordingInfo
from tests.web.reviewing import LI, Office

YEAR = timedelta(days=366)
HALF_YEAR = timedelta(days=181)


def archive_of(office: Office) -> Archive:
    """The archive of an office."""
    return open_archive(office.settings)


async def recorded(office: Office, position: int = 0, alike: bool = False, **order: Any) -> list[int]:
    """Enter a concluded order with one call for each of `rings`; its sounds lie in the archive. Keys of recordings.

    `alike`: every call has the very same sound.
    """
    order.setdefault("rings", (6_000.0,))
    check_id = await office.order(position, **order)
    return await archived(office, check_id, alike=alike)


async def archived(office: Office, check_id: int, alike: bool = False) -> list[int]:
    """Move the sounds of an order into the archive."""
    archive = archive_of(office)
    folder = office.settings.recordings_dir
    query = select(Recording, Attempt).join(Attempt).where(Attempt.check_id == check_id).order_by(Attempt.id)
    async with office.database.unit_of_work() as session:
        keys = []
        for recording, attempt in (await session.execute(query)).all():
            file = folder / recording.path
            made = file.with_name(f"sound-{recording.id}.flac")
            shutil.copy(file, made)
            if not alike:
                # FLAC readers do not mind what follows; the hash does.
                made.write_bytes(made.read_bytes() + str(recording.id).encode())
            info: RecordingInfo = archive.add(made, recording_name(attempt), "check")
            made.unlink()
            file.unlink()
            recording.path, recording.sha256 = info.path, info.sha256
            archive.keep_derived(info.sha256, "peaks.json", b"{}")
            keys.append(recording.id)
    return keys


async def row(office: Office, recording_id: int) -> Recording:
    """One recording as it stands in the database."""
    async with office.database.reading() as session:
        found = await session.get(Recording, recording_id)
    assert found is not None
    return found


async def sound_of(office: Office, recording_id: int) -> tuple[bool, bool]:
    """Whether the archive holds a recording's sound, and anything derived from it."""
    found = await row(office, recording_id)
    archive = archive_of(office)
    return archive.vault.exists(found.path), archive.derived(found.sha256, "peaks.json") is not None


async def hold(office: Office, recording_id: int, who: str = LI) -> int:
    """Hold a recording; return the key of the hold."""
    async with office.database.unit_of_work() as session:
        return (await holds.place(session, recording_id, "信访在办", who)).id


async def lift(office: Office, recording_id: int, hold_id: int) -> None:
    """Lift a hold."""
    async with office.database.unit_of_work() as session:
        await holds.lift(session, recording_id, hold_id, "已办结", LI)


async def withdraw(office: Office, recording_id: int, archive: Archive | None = None) -> Withdrawn:
    """Withdraw a recording."""
    return await withdrawal.withdraw(
        office.database, lambda: archive or archive_of(office), recording_id, "涉密", LI
    )


async def purge(office: Office, archive: Archive | None = None) -> Purged:
    """Let the hourly work run once."""
    retention = Retention(
        office.database,
        office.settings,
        lambda given: archive if archive is not None else open_archive(given),
    )
    return await retention.run()


async def standing(office: Office) -> dict[str, str]:
    """The detail of each alarm that stands, by kind."""
    async with office.database.reading() as session:
        return {found.kind: found.detail for found in await alarms.standing(session)}


async def trail(office: Office, recording_id: int) -> Sequence[tuple[str, str]]:
    """Action and name of the audit lines on a recording, oldest first."""
    query = select(AuditEvent).where(AuditEvent.subject == f"recording:{recording_id}")
    async with office.database.reading() as session:
        return [(line.action, line.who) for line in await session.scalars(query.order_by(AuditEvent.id))]


def erased(office: Office) -> list[dict[str, Any]]:
    """What the manifest says was erased."""
    return [dict(entry.members) for entry in archive_of(office).manifest.entries() if entry.kind == "erased"]


async def problems(office: Office) -> list[str]:
    """What does not hold between database, manifest and objects, as `dutyring recordings verify` says it."""
    async with office.database.reading() as session:
        rows = await known_recordings(session)
    return [str(found) for found in verify_all(archive_of(office), rows)]

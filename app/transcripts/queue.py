"""The queue of recordings to be transcribed: its rows are those of `transcriptions`. Verbs never commit.

A process takes a row by a conditional update and holds it by a lease. What dies with it is taken up again, twice at
most: a sound that takes its worker down each time must not keep the others waiting for ever.
"""

from __future__ import annotations

import hashlib
import os
import socket
import uuid
from collections.abc import Collection
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.checks import alarms
from app.transcripts import repository
from app.transcripts.models import Transcription

LEASE_S = 60.0
"""How long a row is held without a sign of life."""
BEAT_S = 15.0
EVERY_OLDEST = 4
"""Each so many-th is the oldest that waits: the newest are read first, and nothing is left behind."""
BEHIND_S = 3600.0
"""Whoever waits longer is an alarm."""
BEHIND = "transcription_behind"
TWICE = "识别进程两次中断，未能转写"


def machine_prefix(folder: Path) -> str:
    """Return how the owners of one machine and data folder begin: only one process of them runs at a time."""
    digest = hashlib.sha256(str(folder.absolute()).encode()).hexdigest()[:8]
    return f"{socket.gethostname()[:30]}:{digest}:"


def new_owner(folder: Path) -> str:
    """Return a name for this process that no other process ever has."""
    return f"{machine_prefix(folder)}{os.getpid()}:{uuid.uuid4().hex[:12]}"


def now() -> datetime:
    """The time by which leases run."""
    return clock.now()


async def claim(session: AsyncSession, owner: str, *, oldest: bool = False) -> Transcription | None:
    """Take the next row: the newest that waits, or the oldest; None where nothing waits or others were faster."""
    at = now()
    row = await repository.next_open(session, at, oldest=oldest)
    if row is None:
        return None
    if not await repository.take(session, row, owner, at, at + timedelta(seconds=LEASE_S)):
        return None
    return await repository.sound_of(session, row.id)


async def renew(session: AsyncSession, keys: Collection[int], owner: str) -> frozenset[int]:
    """Give a sign of life; return which of these rows are still ours: others were withdrawn."""
    return await repository.renew(session, keys, owner, clock.now() + timedelta(seconds=LEASE_S))


async def put_back(session: AsyncSession, row: Transcription) -> bool:
    """Let a row wait again that was not tried in earnest: the engine or the store was not there, or we stop."""
    tries = max(row.tries - 1, 0)
    return await repository.move(
        session, row.id, row.owner, state="waiting", owner=None, lease_until=None, tries=tries
    )


async def fail(session: AsyncSession, row: Transcription, reason: str) -> bool:
    """Say why a recording cannot be transcribed; it stays so until somebody asks again."""
    return await repository.move(
        session, row.id, row.owner, state="failed", error=reason, done_at=clock.now(), owner=None,
        lease_until=None,
    )  # fmt: skip


async def seize(session: AsyncSession, folder: Path) -> int:
    """Take up what an earlier process on this data folder left: it is dead, since we are the only one."""
    prefix = machine_prefix(folder)
    await repository.give_up(session, clock.now(), TWICE, prefix)
    return await repository.release_of(session, prefix)


async def tidy(session: AsyncSession) -> None:
    """Let what took its worker down twice fail, of any machine."""
    await repository.give_up(session, clock.now(), TWICE)


async def look_behind(session: AsyncSession, *_: object) -> bool:
    """Raise the alarm where the oldest waits too long, end it where none does; return whether it stands."""
    found = await repository.figures(session)
    waited_s = 0.0 if found.oldest_at is None else (clock.now() - found.oldest_at).total_seconds()
    if waited_s <= BEHIND_S:
        await alarms.clear_alarm(session, BEHIND)
        return False
    hours = int(waited_s // 3600)
    detail = f"{found.waiting} recordings wait for their transcripts, the oldest for {hours} h"
    await alarms.raise_alarm(session, BEHIND, "", detail)
    return True

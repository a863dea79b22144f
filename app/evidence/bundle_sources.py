"""What an evidence bundle is made of, read from the records in one session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.answers.books import answer_keys
from app.answers.models import AnswerItem
from app.checks import proposal_repository, repository, service
from app.checks.gathering import moment_of
from app.checks.models import LIVE_STATES, Attempt, Recording, SpotCheck, StoredProposal, StoredVerdict
from app.errors import ConflictError, NotFoundError
from app.rosters.service import roster_at
from app.settings import Settings
from app.transcripts.models import CallReading, Transcription

PCAP_SUFFIX = ".pcap"
WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class CallSources:
    """One dial and all that it left behind."""

    attempt: Attempt
    facts: dict[str, Any] | None
    reading: CallReading | None
    """Its facts read again with what was said; None where nobody has, or where the words were withdrawn."""
    verdict: StoredVerdict | None
    recording: Recording | None
    transcription: Transcription | None
    """The newest that is done."""
    untranscribed: str
    """Why there is none: `not_transcribed`, `waiting`, `failed`, `withdrawn`; empty where there is one."""
    answers: tuple[AnswerItem, ...]
    trace: Path | None
    pcap: Path | None

    @property
    def withdrawn(self) -> bool:
        """Whether its sound and its words were withdrawn (封存)."""
        return self.recording is not None and self.recording.gone_why == WITHDRAWN


@dataclass(frozen=True, slots=True)
class BundleSources:
    """An order, or one call of it."""

    check: SpotCheck
    calls: tuple[CallSources, ...]
    only: int | None
    """The key of the call that was asked for; None: all of them."""
    proposal: StoredProposal | None
    """Under the rules in force."""
    roster: dict[str, Any]
    """As it stood at the first call; without telephone numbers."""
    keys: frozenset[str]
    """Answer keys, to be masked."""

    @property
    def any_withdrawn(self) -> bool:
        """Whether a call of the order was withdrawn, be it in this bundle or not."""
        found = [attempt.recording for attempt in self.check.attempts]
        return any(recording is not None and recording.gone_why == WITHDRAWN for recording in found)

    @property
    def subject(self) -> str:
        """What the audit trail calls it."""
        return f"check:{self.check.id}" if self.only is None else f"attempt:{self.only}"


async def read(
    session: AsyncSession, settings: Settings, *, check_id: int | None = None, attempt_id: int | None = None
) -> BundleSources:
    """Read an order, or one call. Raises `NotFoundError`, and `ConflictError` while a call is under way."""
    check = await _check(session, check_id, attempt_id)
    attempts = [item for item in check.attempts if attempt_id in (None, item.id)]
    if any(item.state in LIVE_STATES for item in attempts):
        raise ConflictError("通话尚未结束，结束后才能导出证据包")
    first = moment_of(check.attempts[0])
    roster = await roster_at(session, check.unit_id, first, first, settings.zone)
    return BundleSources(
        check=check,
        calls=tuple([await _call(session, settings, item) for item in attempts]),
        only=attempt_id,
        proposal=(await proposal_repository.in_force(session, [check.id])).get(check.id),
        roster=roster.to_dict(),
        keys=await answer_keys(session, settings),
    )


async def _check(session: AsyncSession, check_id: int | None, attempt_id: int | None) -> SpotCheck:
    if attempt_id is not None and 0 < attempt_id < 2**63:
        found = await session.get(Attempt, attempt_id)
        if found is not None and check_id in (None, found.check_id):
            check_id = found.check_id
        else:
            check_id = None
    elif attempt_id is not None:
        check_id = None
    check = None
    if check_id is not None and 0 < check_id < 2**63:
        check = await repository.check(session, check_id)
    if check is None or not check.attempts:
        # One that is still to come is shown to nobody.
        raise NotFoundError("没有这次抽查" if attempt_id is None else "没有这次拨测")
    return check


async def _call(session: AsyncSession, settings: Settings, attempt: Attempt) -> CallSources:
    recording = attempt.recording
    withdrawn = recording is not None and recording.gone_why == WITHDRAWN
    newest = [] if recording is None or withdrawn else await _transcriptions(session, recording.id)
    done = next((row for row in newest if row.state == "done" and row.content), None)
    answers = select(AnswerItem).where(AnswerItem.attempt_id == attempt.id).order_by(AnswerItem.id)
    name = settings.recordings_dir / service.recording_name(attempt)
    return CallSources(
        attempt=attempt,
        facts=attempt.facts.content if attempt.facts else None,
        reading=None if withdrawn else await session.get(CallReading, attempt.id),
        verdict=attempt.verdicts[-1] if attempt.verdicts else None,
        recording=recording,
        transcription=done,
        untranscribed="" if done is not None else _why_not(recording, newest),
        answers=() if withdrawn else tuple((await session.scalars(answers)).all()),
        trace=_file(name, service.TRACE_SUFFIX),
        pcap=_file(name, PCAP_SUFFIX),
    )


async def _transcriptions(session: AsyncSession, recording_id: int) -> Sequence[Transcription]:
    query = select(Transcription).where(Transcription.recording_id == recording_id)
    return (await session.scalars(query.order_by(Transcription.id.desc()))).all()


def _why_not(recording: Recording | None, newest: Sequence[Transcription]) -> str:
    if recording is not None and recording.gone_why == WITHDRAWN:
        return WITHDRAWN
    if not newest:
        return "not_transcribed"
    return {"failed": "failed", "withdrawn": WITHDRAWN}.get(newest[0].state, "waiting")


def _file(name: Path, suffix: str) -> Path | None:
    path = name.with_name(name.name + suffix)
    return path if path.is_file() else None

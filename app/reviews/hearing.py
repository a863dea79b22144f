"""Whether a person has listened: the audit trail knows who played or downloaded a recording."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import BadInputError, ConflictError, Fault
from app.reviews import repository
from app.reviews.models import Case

WITHOUT = "without_recording"


@dataclass(frozen=True, slots=True)
class Heard:
    """What there was to hear in the calls of an order, and what of it was heard."""

    heard: tuple[dict[str, Any], ...] = ()
    """Recording, attempt, moment and name of the last hearing of each recording."""
    unheard: tuple[int, ...] = ()
    """Keys of recordings that were neither played nor downloaded."""
    unrecorded: tuple[int, ...] = ()
    """Keys of attempts that were dialled and have no recording, or one that went before it was heard."""

    @property
    def nothing(self) -> bool:
        """Whether there is no sound to go by, for a part of the calls or for all of it."""
        return bool(self.unrecorded) or not (self.heard or self.unheard)


async def heard(session: AsyncSession, case: Case, who: str) -> Heard:
    """Say what this person has heard of a case's calls: herself, whatever anybody else has played."""
    if case.check_id is None:
        return Heard()
    rows = await repository.recordings(session, case.check_id)
    recorded = {recording.id: attempt.id for attempt, recording in rows if recording is not None}
    lines = await repository.hearings(session, list(recorded), (who,))
    # A recording that has gone since can be heard no more: it asks for nothing, and what was heard of it stays so.
    gone = {r.attempt_id for _, r in rows if r is not None and r.gone_why is not None}
    last = {int(line.subject.removeprefix("recording:")): line for line in lines}
    return Heard(
        heard=tuple(
            {
                "recording": key,
                "attempt": recorded[key],
                "at": line.at.isoformat(),
                "who": line.who,
                "action": line.action,
            }
            for key, line in sorted(last.items())
        ),
        unheard=tuple(
            sorted(key for key, attempt_id in recorded.items() if key not in last and attempt_id not in gone)
        ),
        unrecorded=tuple(
            attempt.id
            for attempt, recording in rows
            if (recording is None and attempt.call_id is not None)
            or (recording is not None and attempt.id in gone and recording.id not in last)
        ),
    )


async def require(session: AsyncSession, case: Case, who: str, without_recording: str) -> dict[str, Any]:
    """Return what the event of a confirmation keeps about listening.

    Raises `ConflictError` that names the recordings still to be heard, `BadInputError` where there is no sound and
    nothing is said on what the finding rests.
    """
    found = await heard(session, case, who)
    if found.unheard:
        names = "、".join(str(key) for key in found.unheard)
        raise ConflictError(
            f"请先收听本次抽查的录音 {names}，再作认定 (these recordings were neither played nor downloaded)",
            [Fault(f"recording:{key}", "not heard") for key in found.unheard],
        )
    if found.nothing and not without_recording:
        raise BadInputError(
            "没有可听的录音时须说明认定依据 (without a recording, say on what the finding rests)",
            [Fault(WITHOUT, "takes the reason, in words")],
        )
    kept: dict[str, Any] = {"heard": list(found.heard)}
    if found.nothing:
        kept |= {"unrecorded_attempts": list(found.unrecorded), WITHOUT: without_recording}
    return kept

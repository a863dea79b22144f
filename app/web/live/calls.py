"""What is read of the calls under way: rows of the ledger, what the phone tells of them, what is said in them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.answers.books import answer_keys
from app.checks import by_hand, stops
from app.checks.live_board import Seen
from app.checks.models import IS_LIVE, Attempt, SpotCheck
from app.checks.service import name_of
from app.directory.models import DutyLine, Unit
from app.errors import ConflictError
from app.settings import Settings
from app.transcripts import live
from app.transcripts.showing import masked_utterance

LEDGER_PHASES = {"dialling": "dialling", "ringing": "ringing", "connected": "answered"}
"""What the ledger knows where the phone tells nothing. A call that is only claimed has not left: it is not shown."""
WORDS_SHOWN = 60
"""Signs of the words so far, the last ones."""


@dataclass(frozen=True, slots=True)
class Call:
    """One row of the page. Moments are Unix seconds."""

    id: int
    check_id: int
    number: int
    kind: str
    unit: str
    line: str
    phase: str
    """`dialling`, `ringing`, `answered`, `ending`, or `over`."""
    began_at: float
    ring_from: float | None = None
    rings: int | None = None
    early: str | None = None
    """None: not known."""
    answered_at: float | None = None
    words: str = ""
    """What the far side has said so far, its end."""
    notes: int = 0
    code: str | None = None
    """Verdict of a call that is over."""
    tone: str = ""
    path: str = ""
    """Of its unit: who may see the row."""
    name: str = ""
    """Of its recording."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """What the database says at one moment."""

    calls: tuple[Call, ...]
    stops: tuple[int, ...]
    """Keys of the emergency stops that hold."""
    keys: Collection[str] | None
    """Answer keys, which nobody is shown; None: they cannot be read, and no words are shown."""


async def ledger(session: AsyncSession, settings: Settings) -> Ledger:
    """Read the calls under way, the oldest first."""
    query = (
        select(
            Attempt.id,
            Attempt.check_id,
            Attempt.number,
            Attempt.kind,
            Attempt.state,
            Attempt.claimed_at,
            Attempt.started_at,
            Unit.name,
            Unit.path,
            DutyLine.number.label("line"),
        )
        .join(Unit, Unit.id == Attempt.unit_id)
        .join(DutyLine, DutyLine.id == Attempt.line_id)
        .where(IS_LIVE, Attempt.state != "claimed")
    )
    # Sorted here: asked for the order of keys, a planner goes through every call there ever was.
    rows = sorted((await session.execute(query)).all(), key=lambda row: int(row.id))
    noted = await by_hand.notes(session, [row.id for row in rows]) if rows else {}
    calls = tuple(
        Call(
            row.id,
            row.check_id,
            row.number,
            row.kind,
            row.name,
            row.line,
            LEDGER_PHASES[row.state],
            _unix(row.started_at or row.claimed_at),
            notes=len(noted.get(row.id, ())),
            path=row.path,
            name=name_of(row.claimed_at, row.check_id, row.id),
        )
        for row in rows
    )
    try:
        keys: Collection[str] | None = await answer_keys(session, settings) if rows else ()
    except ConflictError:
        keys = None
    return Ledger(calls, tuple(stop.id for stop in await stops.standing(session)), keys)


async def concluded(session: AsyncSession, calls: Sequence[Call]) -> list[Call]:
    """The same calls as they ended."""
    query = (
        select(Attempt.id, Attempt.verdict_code, Attempt.needs_review, Attempt.state)
        .join(SpotCheck, SpotCheck.id == Attempt.check_id)
        .where(Attempt.id.in_([call.id for call in calls]))
    )
    found = {row.id: row for row in await session.execute(query)}
    return [
        replace(
            call,
            phase="over",
            code=found[call.id].verdict_code,
            tone="person" if found[call.id].needs_review else "quiet",
            words="",
        )
        for call in calls
        if call.id in found
    ]


def told(call: Call, seen: Seen | None, was: Call | None) -> Call:
    """A call with what the phone tells of it; `was` is the row as it stood before."""
    if seen is None:
        # The phone is through with it, and its recording is being made; or it has told nothing yet.
        known = was is not None and was.early is not None
        return replace(was, phase="ending", notes=call.notes) if known and was is not None else call
    return replace(
        call,
        phase=seen.phase,
        began_at=seen.began_at,
        ring_from=seen.ring_from,
        rings=seen.rings,
        early=seen.early,
        answered_at=seen.answered_at,
    )


def with_words(call: Call, settings: Settings, keys: Collection[str]) -> Call:
    """A call with what is said so far, answer keys masked."""
    if call.phase != "answered":
        return call
    found = live.text_so_far(settings, call.id)
    if found is None:
        return call
    said = [*found.get("utterances", ()), {"text": found.get("partial", "")}]
    words = "".join(masked_utterance(item, keys)["text"] for item in said[-3:])
    return replace(call, words=words[-WORDS_SHOWN:])


def _unix(at: datetime) -> float:
    return round(at.timestamp(), 3)


def shown(call: Call) -> Mapping[str, object]:
    """The row as it goes to a browser."""
    return {
        "id": call.id,
        "check": call.check_id,
        "number": call.number,
        "kind": call.kind,
        "unit": call.unit,
        "line": call.line,
        "phase": call.phase,
        "began": call.began_at,
        "ring_from": call.ring_from,
        "rings": call.rings,
        "early": call.early,
        "answered": call.answered_at,
        "words": call.words,
        "notes": call.notes,
        "code": call.code,
        "tone": call.tone,
    }

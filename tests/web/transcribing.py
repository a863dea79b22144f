"""Recordings that are to be transcribed, and a small working recogniser without an engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.checks.facts import Facts
from app.checks.models import Attempt, Recording, SpotCheck, StoredVerdict
from app.checks.rules import Exemptions, Rules
from app.checks.verdict import judge
from app.directory.models import DutyLine
from app.settings import Settings
from app.transcripts.models import Transcription
from app.transcripts.requests import enqueue
from recordings.transcription import EngineInfo, Hints, Ranked, Sound
from recordings.transcription.ports import NO_HINTS
from sip.progress.transcript import Transcript, Utterance
from sip.record import CallRecord
from tests.web.fake import write_tone
from tests.web.orders import closed

INFO = EngineInfo("vosk", "0", "made-up", streams=True)
POWERED_OFF = "您好，您拨打的电话已关机，请稍后再拨"


def said(*utterances: tuple[float, float, str]) -> Transcript:
    """A transcript; times in seconds."""
    return Transcript("test", "zh", tuple(Utterance(s * 1e3, e * 1e3, text) for s, e, text in utterances))


@dataclass
class Recogniser:
    """Implements `Recognition`: says of each sound what it was told to, or raises it."""

    says: Transcript | Exception | Callable[[Sound], Transcript] = field(
        default_factory=lambda: said((0.5, 2.0, "您好"))
    )
    hold: asyncio.Event | None = None
    """Nothing is said until it is set."""
    begun: int = 0
    warmed: int = 0
    ranked: list[tuple[str, ...]] = field(default_factory=list)
    fed: list[int] = field(default_factory=list)
    """Samples that streams were given."""

    @property
    def info(self) -> EngineInfo:
        return INFO

    async def transcribe(
        self,
        samples: Sound,
        *,
        hints: Hints = NO_HINTS,
        start_ms: float = 0.0,
        patience_s: float | None = None,
    ) -> Transcript:
        self.begun += 1
        if self.hold is not None:
            await self.hold.wait()
        if isinstance(self.says, Exception):
            raise self.says
        return self.says if isinstance(self.says, Transcript) else self.says(samples)

    async def warm(self) -> None:
        self.warmed += 1

    async def rank(self, samples: Sound, phrases: Sequence[str], before: str = "") -> tuple[Ranked, ...]:
        self.ranked.append(tuple(phrases))
        return tuple(Ranked(phrase, -1.0 - at) for at, phrase in enumerate(phrases))

    @asynccontextmanager
    async def stream(self) -> AsyncIterator[Listening]:
        yield Listening(self.fed)


@dataclass
class Listening:
    """A stream that ends an utterance with each second piece."""

    fed: list[int]

    async def feed(self, samples: Sound) -> tuple[tuple[Utterance, ...], str]:
        self.fed.append(len(samples))
        if len(self.fed) % 2:
            return (), "我是值"
        return (Utterance(100.0, 900.0, "我是值班员"),), ""

    async def end(self) -> tuple[Utterance, ...]:
        return ()


async def recorded(
    session: AsyncSession, attempt: Attempt, folder: Path, duration_ms: float = 300.0
) -> Recording:
    """Give a call its recording and let that wait for its transcript."""
    info = write_tone(folder, f"check-{attempt.check_id}-attempt-{attempt.id}", duration_ms)
    recording = Recording(
        attempt_id=attempt.id, path=info.path, sha256=info.sha256, duration_ms=duration_ms, channels=2,
        sample_rate=8000, created_at=clock.now(),
    )  # fmt: skip
    session.add(recording)
    enqueue(session, recording)
    await session.flush()
    return recording


async def report(session: AsyncSession, folder: Path, name: str, data: bytes | None = None) -> Recording:
    """A sound file that was brought from outside, waiting; with `data` one that holds these bytes instead."""
    info = write_tone(folder, name, 300.0)
    sha256 = info.sha256
    if data is not None:
        import hashlib

        (folder / info.path).write_bytes(data)
        sha256 = hashlib.sha256(data).hexdigest()
    recording = Recording(
        kind="report", path=info.path, sha256=sha256, duration_ms=300.0, channels=2, sample_rate=8000,
        created_at=clock.now(),
    )  # fmt: skip
    session.add(recording)
    enqueue(session, recording)
    await session.flush()
    return recording


@dataclass
class Judged:
    """A closed order and the recording of its last call."""

    check: SpotCheck
    attempt: Attempt
    recording: Recording
    transcription: Transcription


async def judged(
    session: AsyncSession, line: DutyLine, calls: Sequence[CallRecord], settings: Settings
) -> Judged:
    """An order as the ledger leaves it when it is closed: calls with verdicts and columns, its proposal and cases."""
    from app.checks import proposal_repository, repository

    check, _ = await closed(session, line, calls, settings)
    attempts = await proposal_repository.attempts(session, [check.id])
    for attempt in attempts:
        assert attempt.facts is not None
        facts = attempt.facts.content
        verdict = judge(Facts.from_json(facts), Rules(), Exemptions())
        attempt.outcome, attempt.answered_by = facts["outcome"], facts["answered_by"]
        attempt.ring_to_answer_ms = facts["ring_to_answer_ms"]
        attempt.verdict_code, attempt.needs_review = verdict.code, verdict.needs_review
        session.add(
            StoredVerdict(
                attempt_id=attempt.id, rule_set=verdict.rule_set, code=verdict.code, lawful=verdict.lawful,
                needs_review=verdict.needs_review, content=verdict.to_dict(), judged_at=clock.now(),
            )
        )  # fmt: skip
    recordings = [await recorded(session, attempt, settings.recordings_dir) for attempt in attempts]
    from app.transcripts import repository as transcripts

    row = await transcripts.open_one(session, recordings[-1].id)
    assert row is not None
    assert await repository.recording_of(session, attempts[-1].id) is not None
    return Judged(check, attempts[-1], recordings[-1], row)

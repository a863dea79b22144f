"""The search in what was said: queries in, calls with the moments of what was found out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts import service as audit
from app.answers.books import answer_keys
from app.answers.masking import mask
from app.api.newest import Place
from app.checks.models import Attempt, Recording
from app.directory.models import Unit
from app.errors import BadInputError, Fault, NotFoundError
from app.phone_records.models import PhoneRecord
from app.settings import Settings
from app.transcripts import search_repository as repository
from app.transcripts.models import Transcription, TranscriptPiece
from app.transcripts.search_repository import Asked
from app.transcripts.search_words import find, merged, plain, read_query
from app.transcripts.word_times import word_time
from sip.progress.transcript import Transcript, Utterance

HITS_SHOWN = 5
"""Moments of one recording in a list of several; of one recording alone: as many as there are, up to the next."""
MOST_HITS = 200
AROUND = 30
"""Signs of the text that a snippet shows before the first mark and behind the last."""
WITHHELD = "查询含有上级值班室号码（答案号码），不予检索"


@dataclass(frozen=True, slots=True)
class Query:
    """What a person looks for."""

    text: str
    unit_id: int | None = None
    """This unit and all below it."""
    since: datetime | None = None
    until: datetime | None = None
    channel: str | None = None
    recording_id: int | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """An utterance in which a phrase was said."""

    channel: str
    at_ms: float
    """Time in the call at which the first phrase begins, by its first word where the engine timed words."""
    start_ms: float
    """Of the utterance."""
    end_ms: float
    snippet: str
    marks: tuple[tuple[int, int], ...]
    """Spans of the snippet that were looked for: first sign, and the one after the last."""


@dataclass(frozen=True, slots=True)
class Result:
    """A recording in which all that was looked for is said."""

    recording: Recording
    called_at: datetime
    attempt: Attempt | None
    """With its unit; None for a call that came in."""
    phone_record: PhoneRecord | None
    unit: Unit | None
    hits: tuple[Hit, ...]
    more_hits: int
    """Further utterances that are not shown."""


@dataclass(frozen=True, slots=True)
class Found:
    """A page of results."""

    results: tuple[Result, ...] = field(default=())
    next: Place | None = None
    notice: str = ""
    """Why nothing is found, where the query itself is the reason."""


async def search(
    session: AsyncSession, settings: Settings, query: Query, after: Place | None = None, limit: int = 50
) -> Found:
    """Return the newest calls in which everything is said that is looked for.

    Raises `BadInputError` for a query that cannot be read, `NotFoundError` for an unknown unit, `ConflictError` where
    the answer keys cannot be read.
    """
    phrases = read_query(query.text)
    keys = await answer_keys(session, settings)
    if mask(plain(query.text), keys) != plain(query.text):
        return Found(notice=WITHHELD)
    if query.since and query.until and query.since >= query.until:
        raise BadInputError("起止时间颠倒 (from lies behind to)", [Fault("from", "lies behind `to`")])
    unit = None
    if query.unit_id is not None:
        unit = (await repository.units(session, [query.unit_id])).get(query.unit_id)
        if unit is None:
            raise NotFoundError(f"没有单位 {query.unit_id} (no such unit)")
    asked = Asked(phrases, unit, query.since, query.until, query.channel, query.recording_id)
    rows = await repository.newest(session, asked, after, limit + 1)
    shown = rows[:limit]
    place = Place(shown[-1][1], shown[-1][0]) if len(rows) > limit else None
    return Found(await _results(session, asked, [key for key, _ in shown], keys), place)


async def audited(session: AsyncSession, query: Query, found: Found, who: str) -> None:
    """Put a search on record: who, how long the query was, how much came of it; never its words."""
    detail = f"{len(query.text)} signs, {len(found.results)} results"
    subject = "transcripts" if query.recording_id is None else f"recording:{query.recording_id}"
    await audit.record(session, "search", subject, detail, who)


async def _results(
    session: AsyncSession, asked: Asked, keys: Sequence[int], hidden: Collection[str]
) -> tuple[Result, ...]:
    recordings = await repository.recordings(session, keys)
    pieces: dict[int, list[TranscriptPiece]] = defaultdict(list)
    for piece in await repository.pieces(session, list(recordings), asked):
        pieces[piece.recording_id].append(piece)
    most = HITS_SHOWN if asked.recording_id is None else MOST_HITS
    chosen = {key: rows[:most] for key, rows in pieces.items()}
    transcriptions = await repository.transcriptions(
        session, sorted({piece.transcription_id for rows in chosen.values() for piece in rows})
    )
    of_calls = [row.attempt_id for row in recordings.values() if row.attempt_id is not None]
    attempts = await repository.attempts(session, of_calls)
    records = await repository.phone_records(
        session, [key for key in recordings if recordings[key].kind == "report"]
    )
    units = await repository.units(
        session, [row.unit_id for row in records.values() if row.unit_id is not None]
    )
    found = []
    for key in keys:
        hits = _hits(chosen.get(key, ()), asked, hidden, transcriptions)
        if key not in recordings or not hits:
            continue
        attempt = attempts.get(recordings[key].attempt_id or 0)
        record = records.get(key)
        found.append(
            Result(
                recording=recordings[key],
                called_at=pieces[key][0].called_at,
                attempt=attempt,
                phone_record=record,
                unit=attempt.unit if attempt else units.get(record.unit_id or 0) if record else None,
                hits=hits,
                more_hits=len(pieces[key]) - len(chosen[key]),
            )
        )
    return tuple(found)


def _hits(
    pieces: Iterable[TranscriptPiece],
    asked: Asked,
    hidden: Collection[str],
    transcriptions: Mapping[int, Transcription],
) -> tuple[Hit, ...]:
    found = []
    for piece in pieces:
        # A key that was entered after the text was indexed is masked here.
        text = mask(piece.text, hidden)
        spans = merged(span for phrase in asked.phrases for span in find(phrase, text))
        if spans:
            utterance = _utterance(transcriptions.get(piece.transcription_id), piece)
            at_ms = piece.start_ms if utterance is None else word_time(utterance, spans[0][0])
            snippet, marks = cut_out(text, spans)
            found.append(Hit(piece.channel, at_ms, piece.start_ms, piece.end_ms, snippet, marks))
    return tuple(found)


def _utterance(transcription: Transcription | None, piece: TranscriptPiece) -> Utterance | None:
    content = (transcription.content or {}).get(piece.channel) if transcription else None
    if content is None:
        return None
    for utterance in content["utterances"]:
        if utterance["start_ms"] == piece.start_ms and utterance["end_ms"] == piece.end_ms:
            return Transcript.from_json(content | {"utterances": [utterance]}).utterances[0]
    return None


def cut_out(text: str, spans: Sequence[tuple[int, int]]) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Return the part of a text around these spans, and where they stand in it; … where it was cut."""
    first = max(0, spans[0][0] - AROUND)
    last = min(len(text), spans[-1][1] + AROUND)
    before, behind = "…" if first else "", "…" if last < len(text) else ""
    shift = len(before) - first
    marks = tuple((start + shift, end + shift) for start, end in spans)
    return f"{before}{text[first:last]}{behind}", marks

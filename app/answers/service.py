"""Verbs of what was heard in answers. They never commit: the caller's unit of work does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.accounts import service as audit
from app.answers import repository
from app.answers.books import expected_at
from app.answers.found import Answers, Found, Question
from app.answers.models import ANSWERS, AnswerItem
from app.answers.ports import SecondPass
from app.answers.reading import questions, read
from app.checks.models import Attempt
from app.errors import BadInputError, ConflictError, Fault, NotFoundError
from app.settings import Settings
from app.transcripts.models import Transcription
from recordings.transcription.errors import TranscriptionError
from sip.progress.transcript import Transcript

SIDE = "them"
"""The channel on which the unit answers."""
MOST_NOTE = 500
"""Characters of a note."""


async def understand(
    session: AsyncSession,
    attempt: Attempt,
    transcription: Transcription,
    second_pass: SecondPass | None,
    settings: Settings,
) -> Sequence[AnswerItem]:
    """Find unit, names, titles and numbers in what the far side said and put them beside the books.

    Items of earlier transcriptions that nobody has answered are replaced; what a person has answered stays, and is not
    entered a second time. `transcription.content` must be there. Whatever is asked of the second pass depends on the
    transcript and the books alone. Raises `ConflictError` where the answer keys cannot be read.
    """
    said = Transcript.from_json((transcription.content or {}).get(SIDE) or Transcript().to_json())
    expected = await expected_at(session, attempt, settings)
    answers = await _asked(questions(said, expected), second_pass)
    kept = await repository.answered(session, attempt.id)
    await repository.drop_unanswered(session, attempt.id)
    items = [
        _item(attempt.id, transcription.id, found)
        for found in read(said, expected, answers)
        if not _is_kept(found, kept)
    ]
    session.add_all(items)
    await session.flush()
    return items


async def _asked(wanted: Iterable[Question], second_pass: SecondPass | None) -> Answers:
    """What the second pass says; nothing of what it cannot tell."""
    answers: Answers = {}
    if second_pass is None:
        return answers
    for question in wanted:
        try:
            ranked = await second_pass(question.start_ms, question.end_ms, question.phrases, question.before)
        except TranscriptionError:
            continue
        answers[question] = tuple((item.phrase, item.score) for item in ranked)
    return answers


def _is_kept(found: Found, kept: Iterable[AnswerItem]) -> bool:
    """Whether a person has answered this very thing already."""
    return any(
        item.kind == found.kind
        and item.expected == found.expected
        and item.start_ms < found.end_ms
        and found.start_ms < item.end_ms
        for item in kept
    )


def _item(attempt_id: int, transcription_id: int, found: Found) -> AnswerItem:
    return AnswerItem(
        attempt_id=attempt_id,
        transcription_id=transcription_id,
        kind=found.kind,
        heard=found.heard,
        heard_pinyin=found.pinyin,
        start_ms=found.start_ms,
        end_ms=found.end_ms,
        expected=found.expected,
        distance=found.distance,
        grade=found.grade,
        evidence=found.evidence,
    )


async def forget(session: AsyncSession, recording_id: int) -> None:
    """Take away what was heard in a recording that is withdrawn (封存).

    Of an item that a person has answered the answer stays, with when and by whom, and nothing of what was said.
    """
    await repository.forget(session, recording_id)
    # What the session still holds of them shows what was taken away; nothing else is read anew.
    for held in session.identity_map.values():
        if isinstance(held, AnswerItem):
            session.expire(held)


async def verify(session: AsyncSession, item_id: int, answer: str, who: str, note: str = "") -> AnswerItem:
    """A person says 是 (`yes`), 否 (`no`) or 未核实 (`unverified`).

    A later word takes the place of an earlier one; both are on record.

    Raises `NotFoundError`, `BadInputError` for another answer or a note that is too long, and `ConflictError` where the
    recording was withdrawn.
    """
    if answer not in ANSWERS:
        raise BadInputError("应答核实只能填是、否或未核实", [Fault("answer", "yes, no, unverified")])
    if len(note) > MOST_NOTE:
        raise BadInputError(f"说明至多 {MOST_NOTE} 字", [Fault("note", f"<= {MOST_NOTE}")])
    item = await session.get(AnswerItem, item_id, with_for_update=True, populate_existing=True)
    if item is None:
        raise NotFoundError(f"没有编号为 {item_id} 的应答内容")
    if item.evidence.get("withdrawn"):
        raise ConflictError("该录音已封存，其应答内容不能再核实")
    before = item.answer if item.answered_at else "none"
    item.answer, item.note = answer, note
    item.answered_at, item.answered_by = clock.now(), who
    detail = f"{item.kind} {before} -> {answer}"
    await audit.record(session, "answer.verify", f"answer:{item.id}", detail, who)
    await session.flush()
    return item

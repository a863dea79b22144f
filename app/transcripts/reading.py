"""A call read again with its words: its reading, and the verdict where the words change it.

Facts are never changed. The reading (`sip.reconsider`) stands beside them; a verdict that differs is a further row,
which becomes the newest, and the columns of the lists follow it.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.checks.conclusions import limits_at, note
from app.checks.facts import Facts
from app.checks.gathering import moment_of
from app.checks.models import Attempt, StoredVerdict
from app.checks.rules import CODES, Exemptions
from app.checks.verdict import Verdict, judge
from app.directory import repository as directory
from app.settings import Settings
from app.transcripts import repository
from app.transcripts.models import CallReading, Transcription
from sip.progress.transcript import Transcript
from sip.reconsider import reconsider

log = structlog.get_logger(__name__)
MARK = "+转写"
"""Stands behind the label of rules in what was judged anew with the words."""
_FOLLOWING = ("outcome", "answered_by", "ring_to_answer_ms", "ring_to_answer_min_ms", "three_ring")
"""Members of a record that lists show as columns."""


def marked(label: str, known: frozenset[str], most: int) -> str:
    """Return the label of rules that read the words, one that is not known yet, of at most so many signs."""
    number = 1
    while True:
        suffix = MARK if number == 1 else f"{MARK}{number}"
        found = label[: most - len(suffix)] + suffix
        if found not in known:
            return found
        number += 1


def unmarked(label: str) -> str:
    """Return the label of the rules themselves."""
    return label.partition(MARK)[0]


def read(facts: Mapping[str, Any], transcript: Transcript) -> dict[str, Any] | None:
    """Return the record with what its words add; None for the record of a version that cannot be read again.

    Where nothing was understood the record stays exactly as it was measured.
    """
    if not transcript.utterances:
        return copy.deepcopy(dict(facts)) | {"transcript": transcript.to_json()}
    try:
        return reconsider(facts, transcript)
    except (KeyError, TypeError, ValueError, AssertionError) as error:
        log.warning("a record cannot be read again", reason=type(error).__name__)
        return None


async def keep(
    session: AsyncSession,
    attempt: Attempt,
    transcription: Transcription,
    them: Transcript,
    settings: Settings,
) -> bool:
    """Store the reading of a call and, where its verdict is another one, that; return whether there is a reading.

    A call that was cut off, or failed on our side, is not read: what came of it says nothing of the unit.
    """
    if attempt.facts is None or attempt.state != "finished":
        return False
    content = read(attempt.facts.content, them)
    if content is None:
        return False
    row = await repository.reading(session, attempt.id)
    if row is None:
        row = CallReading(attempt_id=attempt.id, transcription_id=transcription.id, content=content)
        row.made_at = clock.now()
        session.add(row)
    elif row.content != content or row.transcription_id != transcription.id:
        row.transcription_id, row.content, row.made_at = transcription.id, content, clock.now()
    await session.flush()
    await _judge(session, attempt, content, settings)
    return True


async def _judge(
    session: AsyncSession, attempt: Attempt, content: Mapping[str, Any], settings: Settings
) -> None:
    if not attempt.verdicts:
        return
    known = attempt.verdicts[-1]
    at = moment_of(attempt)
    held = await directory.exemptions_on(session, attempt.line_id, at.astimezone(settings.zone).date())
    exemptions = Exemptions(**{item.kind: item.reason for item in held})
    rules = await limits_at(session, at, settings)
    if rules.version != unmarked(known.rule_set):
        # Rules of today must not slip in with the words.
        return
    verdict = judge(Facts.from_json(content), rules, exemptions)
    if _essence(verdict.to_dict()) == _essence(known.content):
        return
    _add(session, attempt, verdict, await repository.labels_of_verdicts(session, attempt.id))
    _follow(attempt, content, verdict)
    told = f"结合转写文字重新判读：由“{_title(known.code)}”改为“{verdict.title_zh}”"
    note(session, attempt, attempt.state, told)
    await session.flush()


def _add(session: AsyncSession, attempt: Attempt, verdict: Verdict, labels: frozenset[str]) -> None:
    label = marked(verdict.rule_set, labels, 80)
    session.add(
        StoredVerdict(
            attempt_id=attempt.id,
            rule_set=label,
            code=verdict.code,
            lawful=verdict.lawful,
            needs_review=verdict.needs_review,
            content=verdict.to_dict() | {"rule_set": label},
            judged_at=clock.now(),
        )
    )


def _follow(attempt: Attempt, content: Mapping[str, Any], verdict: Verdict) -> None:
    for name in _FOLLOWING:
        setattr(attempt, name, content.get(name))
    attempt.rings = (content.get("rings") or {}).get("count")
    attempt.verdict_code = verdict.code
    attempt.needs_review = verdict.needs_review


def _essence(content: Mapping[str, Any]) -> tuple[Any, ...]:
    """What makes a verdict another one: its code, whether it needs a person, and what was found how surely."""
    found = tuple((item["code"], item["grade"]) for item in content.get("findings") or ())
    return content.get("code"), content.get("lawful"), content.get("needs_review"), found


def _title(code: str) -> str:
    return next((info.zh for known, info in CODES.items() if known == code), code)

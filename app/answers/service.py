"""Verbs of what was heard in answers. They never commit: the caller's unit of work does."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from app.answers.models import AnswerItem
from app.answers.ports import SecondPass
from app.checks.models import Attempt
from app.settings import Settings
from app.transcripts.models import Transcription


async def understand(
    session: AsyncSession,
    attempt: Attempt,
    transcription: Transcription,
    second_pass: SecondPass | None,
    settings: Settings,
) -> Sequence[AnswerItem]:
    """Find unit, names, titles and numbers in what the far side said and put them beside the books.

    Items of earlier transcriptions that nobody has answered are replaced. `transcription.content` must be there.
    """
    raise NotImplementedError


async def forget(session: AsyncSession, recording_id: int) -> None:
    """Take away what was heard in a recording that is withdrawn (封存).

    Of an item that a person has answered the answer stays, with when and by whom, and nothing of what was said.
    """
    raise NotImplementedError

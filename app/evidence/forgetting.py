"""What else must be forgotten when the words of a recording are: each room that keeps some says here how."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sqlalchemy.ext.asyncio import AsyncSession

from app.answers import service as answers
from app.phone_records import service as phone_records
from app.transcripts import service as transcripts

__all__ = ["FORGETTERS", "forget_all"]

Forget = Callable[[AsyncSession, int], Awaitable[None]]
"""Takes out, within the session's unit of work, all that was made of the words of the recording with this id."""

FORGETTERS: list[Forget] = [
    phone_records.forget,
    transcripts.forget,
    answers.forget,
]
"""One line for each room that keeps words, in the order in which they are asked. Each may be called again.

Everybody locks the recording, then phone records, then transcriptions and what was made of them: PostgreSQL would end
one of two that wait for each other.
"""


async def forget_all(session: AsyncSession, recording_id: int) -> None:
    """Take out whatever was made of a recording's words; what is not there is no error."""
    for forget in FORGETTERS:
        await forget(session, recording_id)

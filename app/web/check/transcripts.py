"""The words beside the sound on the page of a check."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from app.answers.books import answer_keys
from app.checks.models import LIVE_STATES, Attempt
from app.errors import ConflictError
from app.evidence.sight import Sight
from app.settings import Settings
from app.transcriber_keeper import TranscriberKeeper
from app.transcripts import live, repository
from app.transcripts.repository import OPEN
from app.web.check.views import (
    HIDDEN_TRANSCRIPT,
    NO_TRANSCRIPT,
    AttemptView,
    TranscriptView,
    live_view,
    transcript_view,
)

LOCKED = "答案号码清单无法读取，文字暂不显示"
HELD_UP = {
    "off": "本机已关闭语音识别（DUTYRING_TRANSCRIBER=none）",
    "no_engine": "本机没有可用的语音识别模型（原因见 dutyring models list）。安装普通话模型：make whisper，"
    "或 dutyring models install vosk-small-cn；装好后自动开始，不必重启",
    "failing": "转写进程未能启动，原因见服务日志",
}
"""Why nothing is transcribed, by how transcription stands."""


async def shown(
    session: AsyncSession, attempts: Sequence[Attempt], settings: Settings, sight: Sight
) -> dict[int, TranscriptView]:
    """By attempt, what was said in it, or how its transcript stands; answer keys are masked.

    Where the answer keys cannot be read nothing that was said is shown, and nothing to who may not listen.
    """
    recordings = [attempt.recording.id for attempt in attempts if attempt.recording is not None]
    rows = await repository.for_recordings(session, recordings)
    try:
        keys = await answer_keys(session, settings)
    except ConflictError:
        return {attempt.id: TranscriptView("failed", error=LOCKED) for attempt in attempts}
    found: dict[int, TranscriptView] = {}
    for attempt in attempts:
        so_far = live.text_so_far(settings, attempt.id) if attempt.state in LIVE_STATES else None
        if not (sight.words if attempt.recording is not None else sight.live):
            found[attempt.id] = HIDDEN_TRANSCRIPT
        elif attempt.recording is not None:
            found[attempt.id] = transcript_view(rows[attempt.recording.id], keys)
        else:
            found[attempt.id] = NO_TRANSCRIPT if so_far is None else live_view(so_far, keys)
    return found


def awaited(attempts: Sequence[AttemptView], keeper: TranscriberKeeper | None) -> bool:
    """Whether words of this page are about to come: something waits, and something works on it."""
    at_work = keeper is not None and keeper.told in ("ready", "starting")
    return at_work and any(attempt.transcript.state in OPEN for attempt in attempts)


def held_up(keeper: TranscriberKeeper | None) -> str:
    """Say why recordings wait for their words; empty where they are worked on, or where nobody here knows."""
    return "" if keeper is None else HELD_UP.get(keeper.told, "")

"""Checks that were made by hand (人工补录): dialled, on site, by video, a superior's finding, an admission.

They stand beside the calls and are marked so; no random statistic counts them. Only here may a person write 脱岗
(`off_post`), and only for what was seen or admitted: no telephone call shows that a post was left.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.accounts import service as audit
from app.directory import repository as directory
from app.errors import BadInputError, Fault, NotFoundError
from app.planning import repository
from app.planning.models import ManualCheck
from app.reviews import service as reviews
from app.reviews.codes import BY_HAND, PRESENCE_SOURCES, confirmable, needs_presence
from app.rules.codes import FINDINGS
from app.settings import Settings

SOURCES_ZH = {
    "hand_dialled": "人工拨打",
    "on_site": "实地检查",
    "video": "视频检查",
    "superior": "上级抽查发现",
    "admission": "本人承认",
}
_AHEAD = timedelta(minutes=5)
"""How far a clock of the person who enters may be ahead of ours."""


async def enter(
    session: AsyncSession, settings: Settings, entry: ManualCheck, who: str
) -> tuple[ManualCheck, int | None]:
    """Keep a check that was made by hand; a code opens a case. Return it and the key of the case.

    Raises `BadInputError` for a moment that is still to come, an unknown code, 脱岗 by telephone, or a line of another
    unit, `NotFoundError` for an unknown unit or line.
    """
    now = clock.now()
    _check(entry, now)
    await _check_subject(session, entry)
    entry.entered_at, entry.entered_by = now, who
    session.add(entry)
    await session.flush()
    await audit.record(
        session, "manual_check", f"manual:{entry.id}", f"{entry.source} {entry.code or ''}", who
    )
    if entry.code is None:
        return entry, None
    case = await reviews.open_case(
        session,
        unit_id=entry.unit_id,
        code=entry.code,
        proposal=proposal_of(entry, settings),
        manual_id=entry.id,
        who=who,
    )
    return entry, case.id


def _check(entry: ManualCheck, now: datetime) -> None:
    if entry.at > now + _AHEAD:
        raise BadInputError("the check is still to come", [Fault("at", "takes a moment that has passed")])
    if entry.code is None:
        return
    if entry.code not in confirmable(by_hand=True):
        fault = Fault("code", f"takes one of {', '.join(confirmable(by_hand=True))}, or nothing")
        raise BadInputError(f"{entry.code} is no finding", [fault])
    if needs_presence(entry.code) and entry.source not in PRESENCE_SOURCES:
        fault = Fault("code", f"{entry.code} takes a source among {', '.join(PRESENCE_SOURCES)}")
        raise BadInputError("a telephone check never shows an empty post", [fault])


async def _check_subject(session: AsyncSession, entry: ManualCheck) -> None:
    if await repository.unit(session, entry.unit_id) is None:
        raise NotFoundError(f"there is no unit {entry.unit_id}")
    if entry.line_id is None:
        return
    line = await directory.line(session, entry.line_id)
    if line is None:
        raise NotFoundError(f"there is no line {entry.line_id}")
    if not await repository.reaches(session, entry.line_id, entry.unit_id):
        fault = Fault("line_id", f"line {entry.line_id} does not reach unit {entry.unit_id}")
        raise BadInputError("the line belongs to another unit", [fault])


def proposal_of(entry: ManualCheck, settings: Settings) -> dict[str, Any]:
    """Return the case's proposal of a check that was made by hand: a person's word, without calls or clauses."""
    code = entry.code or ""
    finding = BY_HAND.get(code) or FINDINGS[code]
    at = entry.at.astimezone(settings.zone)
    reason = f"人工补录（{SOURCES_ZH[entry.source]}，{entry.made_by}，{at:%Y-%m-%d %H:%M}）：{entry.found}"
    return {
        "schema": "dutyring.proposal/1",
        "origin": "manual",
        "code": code,
        "title_zh": finding.zh,
        "title_en": finding.en,
        "adverse": True,
        "needs_review": True,
        "grade": "none",
        "points": None,
        "clauses": [],
        "reasons": [reason],
        "attempts": [],
        "rule_set": None,
        "document": entry.document or None,
        "day": None,
        "regime": None,
        "roster": None,
        "exempted": [],
        "mitigations": [],
    }

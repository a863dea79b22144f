"""Verbs of notices. They never commit: the caller's unit of work does.

`keep` brings the notices up to what is wrong now: one stands for each kind, however often it is looked at. Once one has
stood for `notice_after_s` a message for each way that is set up goes into the log of deliveries, and one more, to those
that were told, when it is over. The log is what is sent from: `app.notices.sending`.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.accounts.permissions import Permission as P
from app.accounts.principal import Principal
from app.errors import ConflictError, NotFoundError
from app.notices import repository, wording
from app.notices.models import Delivery, Notice
from app.settings import Settings

PAUSES_S = (30.0, 120.0, 600.0, 1800.0, 7200.0, 21_600.0)
"""After each failed try, before the next; after the last of them it is given up."""
MOST_TRIES = len(PAUSES_S) + 1
SEEN_BY: Mapping[str, tuple[P, ...]] = {
    "phone_down": (P.ALARMS,),
    "trunk_down": (P.TRUNKS,),
    "calendar_ending": (P.CALENDAR_CHANGE,),
    "disk": (P.ALARMS,),
    "coverage_short": (P.PLANS,),
    "reviews_waiting": (P.REVIEW,),
    "other_alarms": (P.ALARMS,),
}
"""Who sees a kind on the pages: whoever carries any of these."""
LINKS: Mapping[str, str] = {
    "trunk_down": "/system/trunks",
    "calendar_ending": "/calendar",
    "coverage_short": "/plans",
    "reviews_waiting": "/checks",
}
"""Where to see to it; the others are on the page of notices."""
PAGE = "/system/notices"


@dataclass(frozen=True, slots=True)
class Standing:
    """A notice as it stands on a page."""

    kind: str
    count: int
    since: datetime
    title_zh: str
    title_en: str
    do_zh: str
    do_en: str
    link: str


async def standing_for(session: AsyncSession, settings: Settings, principal: Principal) -> Sequence[Standing]:
    """The notices that somebody may see, the oldest first.

    An account for a part of the units is told how many findings of that part wait; of plans, which may concern others,
    it is told nothing.
    """
    found = []
    for row in await repository.standing(session):
        if not any(principal.may(needed) for needed in SEEN_BY.get(row.kind, ())):
            continue
        count = row.count
        if principal.scope is not None:
            if row.kind == "coverage_short":
                continue
            if row.kind == "reviews_waiting":
                before = clock.now() - timedelta(hours=settings.notice_reviews_hours)
                count = await repository.unreviewed_since(session, before)
        if count:
            found.append(_shown(row, count))
    return found


def _shown(row: Notice, count: int) -> Standing:
    words = wording.KINDS[row.kind]
    return Standing(
        row.kind,
        count,
        row.raised_at,
        wording.title_zh(row.kind, count),
        wording.title_en(row.kind, count),
        words.do_zh,
        words.do_en,
        LINKS.get(row.kind, PAGE),
    )


def channels(settings: Settings) -> tuple[str, ...]:
    """The ways of sending that are set up."""
    ways = {"mail": settings.smtp_host, "webhook": settings.notice_webhook_url}
    return tuple(name for name, given in ways.items() if given is not None)


async def keep(session: AsyncSession, settings: Settings, found: Mapping[str, int], now: datetime) -> None:
    """Bring the notices up to what is wrong now. Only one process at a time may do it."""
    rows = {row.kind: row for row in await repository.standing(session)}
    for kind, count in found.items():
        row = rows.get(kind) or await _raise(session, kind, count, now)
        if row is None:
            continue
        row.count = count
        due_at = row.raised_at + timedelta(seconds=settings.notice_after_s)
        if row.told_at is None and now >= due_at:
            row.told_at = now
            for channel in channels(settings):
                session.add(_message(row, channel, "raised", count, row.raised_at, now))
    for kind, row in rows.items():
        if kind not in found:
            await _clear(session, settings, row, now)
    await session.flush()


async def _raise(session: AsyncSession, kind: str, count: int, now: datetime) -> Notice | None:
    row = Notice(kind=kind, count=count, raised_at=now)
    try:
        async with session.begin_nested():
            session.add(row)
    except IntegrityError:
        # Somebody else raised it just now: the next look takes it up.
        return None
    return row


async def _clear(session: AsyncSession, settings: Settings, row: Notice, now: datetime) -> None:
    row.cleared_at = now
    for delivery in await repository.waiting_of(session, row.id):
        # What is over need not be told any more.
        delivery.state, delivery.done_at = "withdrawn", now
    if row.kind == "test":
        return
    told = await repository.sent_by(session, row.id)
    for channel in channels(settings):
        if channel in told:
            session.add(_message(row, channel, "over", row.count, now, now))


async def test(session: AsyncSession, settings: Settings) -> int:
    """Put a test message for each way that is set up into the log; return how many. Raises `ConflictError`."""
    ways = channels(settings)
    if not ways:
        raise ConflictError("没有设置邮件或推送地址，无法发送测试提醒")
    now = clock.now()
    row = Notice(kind="test", count=len(ways), raised_at=now, told_at=now, cleared_at=now)
    session.add(row)
    await session.flush()
    for channel in ways:
        session.add(_message(row, channel, "raised", row.count, now, now))
    await session.flush()
    return len(ways)


async def again(session: AsyncSession, key: int) -> Delivery:
    """Let a message that was given up be tried anew. Raises `NotFoundError`, `ConflictError`."""
    row = await repository.delivery(session, key)
    if row is None:
        raise NotFoundError(f"没有编号为 {key} 的发送记录")
    if row.state != "given_up":
        raise ConflictError("只有已放弃的发送可以重试")
    row.state, row.tries, row.next_at, row.done_at = "waiting", 0, clock.now(), None
    await session.flush()
    return row


def _message(row: Notice, channel: str, event: str, count: int, at: datetime, now: datetime) -> Delivery:
    return Delivery(
        notice_id=row.id,
        channel=channel,
        event=event,
        message_id=uuid.uuid4().hex,
        count=count,
        at=at,
        next_at=now,
    )


def note_sent(row: Delivery, now: datetime, remark: str = "") -> None:
    """A message was taken."""
    row.tries += 1
    row.state, row.done_at, row.error = "sent", now, remark[:200]


def note_failed(row: Delivery, reason: str, now: datetime) -> None:
    """A message was not taken: it is tried again later, or given up."""
    row.tries += 1
    row.error = reason[:200]
    if row.tries >= MOST_TRIES:
        row.state, row.done_at = "given_up", now
    else:
        row.next_at = now + timedelta(seconds=PAUSES_S[row.tries - 1])

"""Keeps the notices and sends what the log of deliveries holds: one process at a time, by a lease.

A message is taken from the log, sent, and its end written down, one after the other. Whoever dies between the last two
leaves it waiting: it is then sent once more under the same id (`Message-ID`, `X-DutyRing-Id`), by which who receives it
knows it for the same.
"""

from __future__ import annotations

import asyncio
import os
import socket
import uuid
from collections.abc import Awaitable, Callable, Mapping

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app import clock
from app.checks import leases
from app.database import Database
from app.notices import gathering, mail, repository, service, webhook
from app.notices.errors import DeliveryError
from app.notices.models import Delivery
from app.notices.wording import Message, message
from app.settings import Settings

log = structlog.get_logger(__name__)
LEASE = "notices"
LEASE_S = 120.0
"""Longer than a message by any way may take: whoever holds it is not overtaken while it sends."""
LOOK_S = 5.0
AT_ONCE = 20
"""Messages of one look."""

Send = Callable[[Settings, Message], Awaitable[str]]
"""Sends a message and returns a remark, mostly empty, or raises `DeliveryError`."""
WAYS: Mapping[str, Send] = {"mail": mail.send, "webhook": webhook.send}


class NoticeKeeper:
    """Looks every few seconds; `phone_failing` says whether our phone process does not come up."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        phone_failing: Callable[[], bool] = lambda: False,
        ways: Mapping[str, Send] = WAYS,
    ) -> None:
        self._database, self._settings = database, settings
        self._phone_failing, self._ways = phone_failing, ways
        self._owner = f"{socket.gethostname()[:40]}:{os.getpid()}:{uuid.uuid4().hex[:12]}"

    async def run(self) -> None:
        """Keep and send until cancelled."""
        try:
            while True:
                await self.look()
                await asyncio.sleep(LOOK_S)
        finally:
            await asyncio.shield(self._let_go())

    async def look(self) -> int:
        """Keep the notices and send what is due; return how many messages were taken. 0 where another does it."""
        sent = 0
        try:
            async with self._database.unit_of_work() as session:
                if not await leases.hold(session, LEASE, self._owner, LEASE_S):
                    return 0
                now = clock.now()
                found = await gathering.gather(
                    session, self._settings, now, phone_failing=self._phone_failing()
                )
                await service.keep(session, self._settings, found, now)
            async with self._database.reading() as session:
                due = await repository.due(session, clock.now(), AT_ONCE)
            for row in due:
                if not await self._still_ours():
                    break
                sent += await self._deliver(row)
        except SQLAlchemyError:
            log.exception("notices could not be looked after")
        return sent

    async def _still_ours(self) -> bool:
        async with self._database.unit_of_work() as session:
            return await leases.hold(session, LEASE, self._owner, LEASE_S)

    async def _deliver(self, row: Delivery) -> bool:
        """Send one message; return whether it was taken."""
        reason, remark = None, ""
        if row.channel not in service.channels(self._settings):
            await self._end(row.id, withdrawn=True)
            return False
        try:
            remark = await self._ways[row.channel](self._settings, self._worded(row))
        except DeliveryError as error:
            reason = str(error)
        except Exception as error:
            # One message that cannot be made must not keep the others.
            log.exception("a notice could not be sent", delivery=row.id)
            reason = type(error).__name__
        # Whether we are told to stop or not: what was sent is written down.
        await asyncio.shield(self._end(row.id, reason, remark))
        log.info("notice", delivery=row.id, channel=row.channel, kind=row.notice.kind, failed=reason)
        return reason is None

    def _worded(self, row: Delivery) -> Message:
        return message(
            row.message_id,
            row.notice.kind,
            row.event,
            row.count,
            row.at,
            link_of(self._settings),
            self._settings.zone,
        )

    async def _end(
        self, key: int, reason: str | None = None, remark: str = "", *, withdrawn: bool = False
    ) -> None:
        async with self._database.unit_of_work() as session:
            row = await repository.delivery(session, key)
            if row is None or row.state != "waiting":
                return
            if withdrawn:
                row.state, row.done_at, row.error = "withdrawn", clock.now(), "this way is no longer set up"
            elif reason is None:
                service.note_sent(row, clock.now(), remark)
            else:
                service.note_failed(row, reason, clock.now())

    async def _let_go(self) -> None:
        try:
            async with self._database.unit_of_work() as session:
                await leases.give_back(session, LEASE, self._owner)
        except SQLAlchemyError:
            log.exception("the lease of the notices could not be given back")


def link_of(settings: Settings) -> str:
    """Where the notices stand on the pages."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    base = settings.public_url or f"http://{host}:{settings.port}"
    return base.rstrip("/") + service.PAGE

"""Sound that leaves an audit line when it is heard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from starlette.responses import FileResponse
from starlette.types import Message, Receive, Scope, Send

from app import clock
from app.accounts import service as audit
from app.accounts.models import AuditEvent
from app.database import Database

ONE_LISTENING = timedelta(hours=1)
"""How long the requests of one page view count as one listening."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the audit trail is to say."""

    subject: str
    action: str
    view: str
    """The page view that it belongs to; empty: it stands for itself."""
    wanted: str
    """The range that was asked for."""

    @property
    def detail(self) -> str:
        """Return the line's detail."""
        return " ".join(part for part in (self._mark, self.wanted) if part)

    @property
    def _mark(self) -> str:
        return f"view={self.view}" if self.view else ""

    async def write(self, database: Database) -> None:
        """Add the audit line, unless this page view has one already."""
        async with database.unit_of_work() as session:
            if not self.view or not self._told(await audit.of_subject(session, self.subject)):
                await audit.record(session, self.action, self.subject, self.detail)

    def _told(self, lines: Sequence[AuditEvent]) -> bool:
        since = clock.now() - ONE_LISTENING
        return any(
            line.action == self.action and line.detail.split(" ")[0] == self._mark and line.at >= since
            for line in lines
        )


class AuditedFile(FileResponse):
    """A file, whole or a range; the audit line is written before the first byte leaves, and only if one does."""

    def __init__(self, *arguments: Any, database: Database, reading: Reading, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._database = database
        self._reading = reading

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it. HEAD, a range that cannot be satisfied and a damaged one are no listening."""

        async def send_audited(message: Message) -> None:
            begins = message["type"] == "http.response.start" and message["status"] in (200, 206)
            if begins and scope["method"] != "HEAD":
                await self._reading.write(self._database)
            await send(message)

        await super().__call__(scope, receive, send_audited)

"""What the audit trail says of a listening."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

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
    who: str

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
                await audit.record(session, self.action, self.subject, self.detail, self.who)

    def _told(self, lines: Sequence[AuditEvent]) -> bool:
        # By the same person: else who knows another's view would hear without a line of their own.
        since = clock.now() - ONE_LISTENING
        return any(
            line.action == self.action
            and line.who == self.who
            and line.detail.split(" ")[0] == self._mark
            and line.at >= since
            for line in lines
        )

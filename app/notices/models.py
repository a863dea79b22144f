"""Notices that stand or stood, and what became of each message that was to be sent of them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.database import Base, BigId, one_of

KINDS = (
    "phone_down",
    "trunk_down",
    "calendar_ending",
    "disk",
    "coverage_short",
    "reviews_waiting",
    "other_alarms",
    "test",
)
CHANNELS = ("mail", "webhook")
EVENTS = ("raised", "over")
DELIVERY_STATES = ("waiting", "sent", "given_up", "withdrawn")
"""`withdrawn`: it was over before it could be sent, or its channel is no longer set up."""
_STANDING = "cleared_at IS NULL"


class Notice(Base):
    """Something that a person on our side has to see to: a kind and a count. It names nobody and no number."""

    __tablename__ = "notices"
    __table_args__ = (
        CheckConstraint(one_of("kind", KINDS), name="kind"),
        Index(
            "uq_notices_standing_kind",
            "kind",
            unique=True,
            sqlite_where=text(_STANDING),
            postgresql_where=text(_STANDING),
        ),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    count: Mapped[int] = mapped_column(default=0)
    """How many there are: now, or as long as it stood last."""
    raised_at: Mapped[datetime]
    told_at: Mapped[datetime | None]
    """When messages of it were put into the log of deliveries."""
    cleared_at: Mapped[datetime | None]
    """None: it stands."""


class Delivery(Base):
    """One message of a notice by one way. Rows are only ever added and brought to their end."""

    __tablename__ = "notice_deliveries"
    __table_args__ = (
        CheckConstraint(one_of("channel", CHANNELS), name="channel"),
        CheckConstraint(one_of("event", EVENTS), name="event"),
        CheckConstraint(one_of("state", DELIVERY_STATES), name="state"),
        UniqueConstraint("notice_id", "channel", "event"),
        UniqueConstraint("message_id"),
        Index("ix_notice_deliveries_state_next_at", "state", "next_at"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    notice_id: Mapped[int] = mapped_column(ForeignKey("notices.id", ondelete="RESTRICT"))
    channel: Mapped[str] = mapped_column(String(10))
    event: Mapped[str] = mapped_column(String(10))
    message_id: Mapped[str] = mapped_column(String(40))
    """The same in every try, so that who gets it twice knows it for one."""
    count: Mapped[int]
    """As it was when the message was made."""
    at: Mapped[datetime]
    """When that which it tells of happened."""
    state: Mapped[str] = mapped_column(String(10), default="waiting")
    tries: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[datetime]
    """When it is tried next."""
    done_at: Mapped[datetime | None]
    error: Mapped[str] = mapped_column(String(200), default="")
    """Why the last try failed."""

    notice: Mapped[Notice] = relationship(lazy="raise")

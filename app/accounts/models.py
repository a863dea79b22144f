"""Accounts, their sessions and tokens, and the audit trail (审计)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base, BigId, one_of

ACCOUNT_STATES = ("invited", "active", "closed")
GRANT_STATES = ("asked", "in_force", "refused", "over")
LINK_KINDS = ("first", "invitation", "reset", "expired", "demo")


class Account(Base):
    """A person who signs in. Never deleted: the trail and decisions name them."""

    __tablename__ = "accounts"
    __table_args__ = (CheckConstraint(one_of("state", ACCOUNT_STATES), name="state"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    login: Mapped[str] = mapped_column(String(40), unique=True)
    """Lower case."""
    name: Mapped[str] = mapped_column(String(80), unique=True)
    """The person's name; no two accounts share one, for decisions of two people are told apart by it."""
    state: Mapped[str] = mapped_column(String(10), default="invited")
    password_hash: Mapped[str | None] = mapped_column(String(200))
    """argon2; None until the person has set one."""
    password_changed_at: Mapped[datetime | None]
    former_hashes: Mapped[list[str]] = mapped_column(JSON, default=list)
    """Of the last passwords, which are not taken again."""
    failures: Mapped[int] = mapped_column(default=0)
    """Wrong passwords since the last right one or the last lock."""
    wrong_since: Mapped[int] = mapped_column(default=0)
    """Wrong passwords since the last right one, which the person is told of."""
    locked_until: Mapped[datetime | None]
    """After too many wrong passwords."""
    locked_by: Mapped[str | None] = mapped_column(String(80))
    """Who locked it, until somebody unlocks it; None where nobody did."""
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(80))
    last_signed_in_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]


class AccountGrant(Base):
    """The roles and the scope of an account, all of them at a time; one grant at most is in force."""

    __tablename__ = "account_grants"
    __table_args__ = (
        CheckConstraint(one_of("state", GRANT_STATES), name="state"),
        Index("ix_account_grants_account_id_state", "account_id", "state"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id", ondelete="RESTRICT"))
    state: Mapped[str] = mapped_column(String(10), default="asked")
    roles: Mapped[list[str]] = mapped_column(JSON)
    unit_ids: Mapped[list[int] | None] = mapped_column(JSON)
    """Heads of the subtrees that the account is for; null: every unit."""
    asked_at: Mapped[datetime]
    asked_by: Mapped[str] = mapped_column(String(80))
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str | None] = mapped_column(String(80))
    over_at: Mapped[datetime | None]


class OneTimeLink(Base):
    """A link that opens once: to create the first administrator, to take up an account, to set another password."""

    __tablename__ = "one_time_links"
    __table_args__ = (CheckConstraint(one_of("kind", LINK_KINDS), name="kind"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    kind: Mapped[str] = mapped_column(String(12))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    """SHA-256 of the secret in the link, which is kept nowhere."""
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id", ondelete="RESTRICT"), index=True)
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(80))
    expires_at: Mapped[datetime]
    needs_approval: Mapped[bool] = mapped_column(default=False)
    """三员分立: it opens with the code that a security officer is given when they approve it."""
    approved_at: Mapped[datetime | None]
    approved_by: Mapped[str | None] = mapped_column(String(80))
    code_digest: Mapped[str | None] = mapped_column(String(64))
    wrong_codes: Mapped[int] = mapped_column(default=0)
    used_at: Mapped[datetime | None]
    """When it was used, or stopped working."""


class Session(Base):
    """Someone who is signed in at a browser."""

    __tablename__ = "sessions"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    """SHA-256 of the cookie's secret, which is kept nowhere."""
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id", ondelete="RESTRICT"), index=True)
    csrf_secret: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    """The absolute limit; the idle limit runs from `seen_at`."""
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[str] = mapped_column(String(40), default="")
    address: Mapped[str] = mapped_column(String(64), default="")
    agent: Mapped[str] = mapped_column(String(200), default="")
    before_at: Mapped[datetime | None]
    """When this person signed in the time before."""
    wrong_before: Mapped[int] = mapped_column(default=0)
    """Wrong passwords between then and this session."""


class ApiToken(Base):
    """A secret by which a program acts for an account, within some of its permissions."""

    __tablename__ = "api_tokens"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id", ondelete="RESTRICT"), index=True)
    name: Mapped[str] = mapped_column(String(80))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    permissions: Mapped[list[str]] = mapped_column(JSON)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class AuditEvent(Base):
    """Who did what, when. Rows are only ever added: triggers of the database refuse to change or delete one."""

    __tablename__ = "audit_events"
    __table_args__ = (
        Index("ix_audit_events_subject", "subject", "at"),
        Index("ix_audit_events_who_at", "who", "at"),
        Index("ix_audit_events_action_at", "action", "at"),
        Index(
            "ix_audit_events_refused", "at", sqlite_where=text("done = 0"), postgresql_where=text("NOT done")
        ),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    who: Mapped[str] = mapped_column(String(80))
    """The person's name; `local` for whoever sits at this machine's command line."""
    action: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(80))
    """What it was done to, e.g. `recording:12`."""
    detail: Mapped[str] = mapped_column(Text, default="")
    account_id: Mapped[int | None] = mapped_column(BigId)
    address: Mapped[str] = mapped_column(String(64), default="")
    """Where the request came from; empty for what no request asked for."""
    done: Mapped[bool] = mapped_column(default=True)
    """False for what was refused or failed."""


class AuditLink(Base):
    """The chain over the trail: each line is sealed to the one before it."""

    __tablename__ = "audit_links"

    number: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    """1, 2, 3 ... without a gap."""
    event_id: Mapped[int] = mapped_column(ForeignKey("audit_events.id", ondelete="RESTRICT"), unique=True)
    digest: Mapped[str] = mapped_column(String(64))
    """SHA-256 over the digest before it and the line."""

"""Accounts and tokens as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.accounts.models import AccountGrant, ApiToken
from app.accounts.permissions import Permission, Role
from app.accounts.repository import Listed
from app.accounts.tokens import MOST_DAYS, holds
from app.api.text import Id, Name

Heads = Annotated[list[Id], Field(max_length=50)]


class ChargeIn(BaseModel):
    """What an account is to be for."""

    model_config = ConfigDict(extra="forbid")

    roles: Annotated[list[Role], Field(max_length=len(Role))]
    unit_ids: Heads | None = None
    """Heads of the subtrees that it is for; null: every unit."""


class InvitationIn(ChargeIn):
    """A person who is to have an account."""

    login: Annotated[str, Field(max_length=40)]
    name: Name


class GrantOut(BaseModel):
    """What was granted, or asked for."""

    roles: list[str]
    unit_ids: list[int] | None
    asked_at: datetime
    asked_by: str
    decided_at: datetime | None
    decided_by: str | None

    @classmethod
    def of(cls, row: AccountGrant | None) -> GrantOut | None:
        """Read a row."""
        return None if row is None else cls.model_validate(row, from_attributes=True)


class AccountOut(BaseModel):
    """One account."""

    id: int
    login: str
    name: str
    state: Literal["invited", "active", "closed"]
    locked: bool
    created_at: datetime
    created_by: str
    last_signed_in_at: datetime | None
    granted: GrantOut | None
    asked: GrantOut | None
    link_waits: bool
    """Whether a one-time link waits for a security officer."""

    @classmethod
    def of(cls, found: Listed) -> AccountOut:
        """Read an account with its grants."""
        account = found.account
        return cls.model_validate(
            {
                "id": account.id,
                "login": account.login,
                "name": account.name,
                "state": account.state,
                "locked": found.locked,
                "created_at": account.created_at,
                "created_by": account.created_by,
                "last_signed_in_at": account.last_signed_in_at,
                "granted": GrantOut.of(found.granted),
                "asked": GrantOut.of(found.asked),
                "link_waits": found.link is not None,
            }
        )


class LinkOut(BaseModel):
    """A one-time link, given once."""

    account_id: int
    link: str
    """Path below the address of the pages."""
    opens: bool
    """False until a security officer approves it."""


class AskedOut(BaseModel):
    """What became of what was asked."""

    in_force: bool


class ApprovedOut(BaseModel):
    """What was approved."""

    code: str | None
    """Without it the link does not open; null where no link waited. Given once."""


class TokenIn(BaseModel):
    """A token to be made."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    permissions: Annotated[list[Permission], Field(max_length=len(Permission))]
    days: Annotated[int, Field(ge=1, le=MOST_DAYS)] = 90


class TokenOut(BaseModel):
    """A token, without its secret."""

    id: int
    name: str
    permissions: list[str]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None
    holds: bool

    @classmethod
    def of(cls, row: ApiToken) -> TokenOut:
        """Read a row."""
        names = ("id", "name", "permissions", "created_at", "expires_at", "last_used_at", "revoked_at")
        return cls.model_validate({name: getattr(row, name) for name in names} | {"holds": holds(row)})


class TokenMade(BaseModel):
    """A token with its secret, given once."""

    token: TokenOut
    secret: str

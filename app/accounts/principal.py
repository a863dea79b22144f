"""Who asks: the account behind a request, and what it may see."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass, field

from app.accounts.permissions import Permission, Role
from app.errors import ForbiddenError


@dataclass(frozen=True, slots=True)
class Scope:
    """The part of the tree of units that an account is for: the subtrees below these units."""

    paths: tuple[str, ...] = ()
    """`Unit.path` of each head."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Someone who signed in, or a program with a token of theirs."""

    account_id: int
    login: str
    name: str
    """The person's name, as it stands in the audit trail, in decisions and in tables."""
    roles: frozenset[Role]
    permissions: frozenset[Permission]
    scope: Scope | None = None
    """None: every unit."""
    session_id: int | None = None
    token_id: int | None = None
    csrf_secret: str = field(default="", repr=False)
    """Of the session; empty for a token, which no browser sends unasked."""
    address: str = ""

    def may(self, permission: Permission | str) -> bool:
        """Whether this one may do that."""
        return Permission(permission) in self.permissions


_CURRENT: ContextVar[Principal | None] = ContextVar("principal", default=None)
_EVERY_UNIT: ContextVar[bool] = ContextVar("every_unit", default=False)


def current() -> Principal | None:
    """Return who asks; None outside a request: in the phone process, on the command line."""
    return _CURRENT.get()


def enter(principal: Principal | None) -> Token[Principal | None]:
    """Say who asks from here on, in this task; `leave` takes it back."""
    return _CURRENT.set(principal)


def leave(entered: Token[Principal | None]) -> None:
    """Let whoever was there before `enter` ask again: what runs later in this task is not this request's."""
    _CURRENT.reset(entered)


WHOLE_OFFICE_ONLY = "您的账号只管辖部分单位，此项须由管辖全部单位的账号办理"


@contextmanager
def every_unit() -> Iterator[None]:
    """Read beyond the scope of who asks, for what a rule needs whoever asks, e.g. the caps of a shared line.

    What is read so must not come back in the answer.
    """
    token = _EVERY_UNIT.set(True)
    try:
        yield
    finally:
        _EVERY_UNIT.reset(token)


def whole_office() -> None:
    """Raise `ForbiddenError` where who asks is for a part of the tree only: what follows concerns every unit."""
    if limits() is not None:
        raise ForbiddenError(WHOLE_OFFICE_ONLY)


def limits() -> Scope | None:
    """The scope of who asks; None where every unit may be seen."""
    asking = current()
    return None if asking is None or _EVERY_UNIT.get() else asking.scope

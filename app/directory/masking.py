"""Telephone numbers of people, for who may not see them whole."""

from __future__ import annotations

from app.accounts.permissions import Permission
from app.accounts.principal import current

_HEAD, _TAIL = 3, 2


def phone(text: str) -> str:
    """A person's number as who asks may see it: whole, or its first three and last two signs."""
    asking = current()
    if not text or asking is None or asking.may(Permission.NUMBERS):
        return text
    if len(text) <= _HEAD + _TAIL:
        return "*" * len(text)
    return f"{text[:_HEAD]}{'*' * (len(text) - _HEAD - _TAIL)}{text[-_TAIL:]}"

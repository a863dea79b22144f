"""Who asks. Until there are accounts, the caller names the person in a header, percent-encoded UTF-8.

Every request that changes something must carry it: the audit trail names a person, and a page elsewhere on the web
cannot send such a header unasked.
"""

from __future__ import annotations

from typing import Annotated
from urllib.parse import unquote

from fastapi import Depends, Header

from app.accounts.service import LOCAL
from app.errors import BadInputError, Fault

HEADER = "X-DutyRing-Actor"
MOST_SIGNS = 80


def _name(raw: str | None) -> str | None:
    if raw is None:
        return None
    try:
        name = unquote(raw, errors="strict").strip()
    except UnicodeDecodeError as error:
        raise BadInputError(f"{HEADER} is not percent-encoded UTF-8", [Fault(HEADER, "not UTF-8")]) from error
    if not 0 < len(name) <= MOST_SIGNS or not name.isprintable():
        fault = Fault(HEADER, f"takes a name of at most {MOST_SIGNS} signs")
        raise BadInputError(f"{HEADER} takes the name of the person who asks", [fault])
    return name


def named(raw: Annotated[str | None, Header(alias=HEADER)] = None) -> str:
    """The person who asks. Raises `BadInputError` where none is named."""
    name = _name(raw)
    if name is None:
        fault = Fault(HEADER, "is missing")
        raise BadInputError(f"{HEADER} must name the person who asks, percent-encoded", [fault])
    return name


def reader(raw: Annotated[str | None, Header(alias=HEADER)] = None) -> str:
    """The person who reads; `local` where none is named."""
    return _name(raw) or LOCAL


Actor = Annotated[str, Depends(named)]
"""Of a request that changes something, or reads what is put on record."""
Reader = Annotated[str, Depends(reader)]

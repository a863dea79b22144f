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
MUST_NAME = "Name of the person who asks, percent-encoded UTF-8; must be given"


def _name(raw: str) -> str:
    try:
        name = unquote(raw, errors="strict").strip() if raw.isascii() else ""
    except UnicodeDecodeError:
        name = ""
    if not 0 < len(name) <= MOST_SIGNS or not name.isprintable():
        fault = Fault(HEADER, f"takes a name of at most {MOST_SIGNS} signs, percent-encoded UTF-8")
        raise BadInputError(f"{HEADER} takes the name of the person who asks", [fault])
    return name


def named(
    raw: Annotated[
        str | None,
        Header(alias=HEADER, description=MUST_NAME),
    ] = None,
) -> str:
    """The person who asks. Raises `BadInputError` where none is named."""
    if raw is None:
        fault = Fault(HEADER, "is missing")
        raise BadInputError(f"{HEADER} must name the person who asks, percent-encoded", [fault])
    return _name(raw)


def reader(
    raw: Annotated[
        str | None, Header(alias=HEADER, description="Name of the person who reads, percent-encoded UTF-8")
    ] = None,
) -> str:
    """The person who reads; `local` where none is named."""
    return LOCAL if raw is None else _name(raw)


Actor = Annotated[str, Depends(named)]
"""Of a request that changes something, or reads what is put on record."""
Reader = Annotated[str, Depends(reader)]

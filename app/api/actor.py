"""Who asks, for the routes: the person's name as it goes on record."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from app.accounts.principal import current
from app.accounts.service import LOCAL


def named() -> str:
    """The person who asks."""
    asking = current()
    return LOCAL if asking is None else asking.name


Actor = Annotated[str, Depends(named)]
"""Of a request that changes something, or reads what is put on record."""
Reader = Annotated[str, Depends(named)]
"""Of a request that reads."""

"""Units as people name them in a form: by code, or by a name that only one has."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from app.directory.models import Unit
from app.errors import BadInputError, Fault
from app.web.units import repository
from app.web.units.forms import Values


async def unit_named(session: AsyncSession, text: str, field: str) -> Unit:
    """The unit of this code or name. Raises `BadInputError` that names the field."""
    found = await repository.units_by_text(session, text)
    if len(found) == 1:
        return found[0]
    told = f"没有代码或名称为“{text[:40]}”的单位" if not found else f"名称“{text[:40]}”不止一个单位，请填代码"
    raise BadInputError("", [Fault(field, told)])


async def one_key(session: AsyncSession, values: Values, field: str) -> Values:
    """Put the key of a unit in the place of what names it; None stays."""
    text = values.get(field)
    if text is None:
        return values
    return values | {field: (await unit_named(session, str(text), field)).id}


async def all_keys(session: AsyncSession, values: Values, field: str) -> Values:
    """Put the keys of units in the place of what names them."""
    units = [await unit_named(session, text, field) for text in values.get(field, ())]
    return values | {field: [unit.id for unit in units]}


def codes_of(units: Sequence[Unit]) -> str:
    """Units as the form shows them."""
    return "、".join(unit.code for unit in units)

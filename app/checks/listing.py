"""What the lists of orders and of attempts share: their tables, and the groups that filters make of their rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.newest import Group, Ledger
from app.checks import shelves
from app.directory.models import Unit

ORDERS = Ledger("spot_checks", "first_due_at", "ix_spot_checks_newest")
ATTEMPTS = Ledger("attempts", "claimed_at", "ix_attempts_claimed_at_id")
# From each shelf to the next one through the index: some dozens of steps, whatever the number of rows.
_SHELVES = """
    WITH RECURSIVE found(shelf) AS (
        SELECT min(shelf) FROM {table}
        UNION ALL
        SELECT (SELECT min(shelf) FROM {table} WHERE shelf > found.shelf) FROM found WHERE found.shelf IS NOT NULL
    )
    SELECT shelf FROM found WHERE shelf IS NOT NULL
"""


async def unit_group(session: AsyncSession, ledger: Ledger, unit_id: int, alone: bool) -> Group | None:
    """The rows of a unit and, unless `alone`, of all below it; None where there is no such unit."""
    unit = await session.get(Unit, unit_id)
    if unit is None:
        return None
    index = f"ix_{ledger.table}_of_unit"
    if alone or not unit.path:
        return Group("unit_id", index, (unit.id,))
    return Group("unit_id", index, below=unit.path)


async def shelves_of(session: AsyncSession, ledger: Ledger) -> Sequence[str]:
    """Every shelf on which there is a row."""
    return (await session.scalars(text(_SHELVES.format(table=ledger.table)))).all()


async def shelf_group(
    session: AsyncSession, ledger: Ledger, labels: tuple[str, ...], fits: Callable[[shelves.Labels], bool]
) -> Group | None:
    """The rows whose labels fit; None where those of every row do."""
    found = await shelves_of(session, ledger)
    fitting = tuple(shelf for shelf in found if fits(shelves.read(shelf, labels)))
    if len(fitting) == len(found):
        return None
    return Group("shelf", f"ix_{ledger.table}_shelf", fitting)


def match(found: shelves.Labels, asked: Mapping[str, object]) -> bool:
    """Whether labels are what was asked for; None leaves one open."""
    return all(value is None or found[name] == value for name, value in asked.items())

"""`dutyring rules compare | trunk-music`: what other rules, or later knowledge, make of orders that are closed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, time, timedelta
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncSession

from app.checks import recompute
from app.checks import trunk_music as music
from app.checks.rules import rules_of
from app.commands.rule_tools import day_of, given, local, own_of, print_json, print_table, run, say
from app.directory import repository as directory
from app.errors import BadInputError
from app.rules import service
from app.rules.force import RulesInForce
from app.rules.own import Own
from app.settings import get_settings


def compare(
    name: str, days: tuple[str, str], unit: str, own_file: Path | None, *, as_json: bool, by: str
) -> int:
    """Judge closed orders by another set; return the exit status."""
    settings = get_settings()
    first, last = (day_of(text, hint) for text, hint in zip(days, ("'--from'", "'--to'"), strict=True))
    own = own_of(own_file)
    given(lambda: own.limits.applied_to(rules_of(settings)), "'--own'")
    found: list[recompute.Comparison] = []
    span = (
        datetime.combine(first, time(), settings.zone),
        datetime.combine(last + timedelta(days=1), time(), settings.zone),
    )
    place: tuple[datetime, int] | None = None
    while not found or place is not None:
        found.append(_part(name, span, unit, own, place, by))
        place = found[-1].next
    return _compared(found, as_json)


def _part(
    name: str,
    span: tuple[datetime, datetime],
    unit: str,
    own: Own,
    after: tuple[datetime, int] | None,
    by: str,
) -> recompute.Comparison:
    """Compare the next orders: worked out beside the service, then stored in one short unit of work."""

    async def work(session: AsyncSession) -> recompute.Comparison:
        head = await directory.unit_by_code(session, unit) if unit else None
        if unit and head is None:
            raise BadInputError(f"there is no unit with the code {unit!r}")
        asked = recompute.Asked(*span, None if head is None else head.id, after)
        force = RulesInForce(await service.find(session, name), own, recompute.FOR_COMPARISON)
        return await recompute.compare(session, force, asked, get_settings())

    part = run(work, writes=False)

    async def keep(session: AsyncSession) -> None:
        await recompute.keep(session, part)
        await service.note_comparison(session, part.label, part.compared, by)

    run(keep)
    return part


def _compared(found: Sequence[recompute.Comparison], as_json: bool) -> int:
    differences = [item for part in found for item in part.differences]
    compared = sum(part.compared for part in found)
    if as_json:
        print_json(
            {
                "schema": "dutyring.comparison/1",
                "label": found[0].label,
                "compared": compared,
                "unjudged": sum(part.unjudged for part in found),
                "differences": [
                    asdict(item) | {"first_due_at": local(item.first_due_at)} for item in differences
                ],
            }
        )
        return 0
    print_table(
        ("order", "at", "in force", "adverse", "by this set", "adverse"),
        [
            (d.check_id, local(d.first_due_at), d.code, d.adverse, d.other_code, d.other_adverse)
            for d in differences
        ],
    )
    say(f"{compared} orders compared, {len(differences)} are seen otherwise; no case was touched")
    return 0


def trunk_music(*, correct: bool, as_json: bool, by: str) -> int:
    """List, or correct, orders whose 彩铃 was our own trunk's music; return 1 while any is left as it was."""
    settings = get_settings()

    async def work(session: AsyncSession) -> tuple[music.Correction, ...]:
        offered = await music.corrections(session, settings)
        if not correct:
            return offered
        return await music.correct(session, settings, by, [item.check_id for item in offered])

    found = run(work)
    if as_json:
        print_json(
            {"schema": "dutyring.corrections/1", "corrected": correct, "orders": [asdict(i) for i in found]}
        )
    else:
        print_table(
            ("order", "was", "is", "cases revoked" if correct else "cases to revoke", "cases for a person"),
            [(i.check_id, i.code, i.new_code, _keys(i.revocable), _keys(i.by_hand)) for i in found],
        )
        say(f"{len(found)} orders {'corrected' if correct else 'to correct'}")
    return 1 if found and not correct else 0


def _keys(keys: Sequence[int]) -> str:
    return ", ".join(str(key) for key in keys)

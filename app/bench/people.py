"""Who works in a filled database: somebody signed in with every role, for all units or a part; their plan."""

from __future__ import annotations

from datetime import date

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts import people, sessions
from app.accounts.gate import cookie_name
from app.accounts.permissions import Role
from app.bench.content import PLANS
from app.bench.year import WINDOWS
from app.database import Database
from app.planning import prompts, repository
from app.planning import service as planning
from app.planning.models import Plan
from app.planning.spec import PlanSpec, Scope
from app.settings import Settings

PLAN = "测量"


async def plans_of_year(
    database: Database, settings: Settings, year: int, county: int | None = None
) -> tuple[int, ...]:
    """Keys of plans of every unit; made where there are none.

    The first is a draft for the last month of the year; the second the newest one that was filled in, under way from
    the first day of the year to its last, by months. `county`: a third one is a draft as the first, for this unit and
    all below it.
    """
    async with database.unit_of_work() as session:
        opening_id = await _opening(session, settings)
        month = PlanSpec(
            first_day=date(year, 12, 1),
            last_day=date(year, 12, 31),
            period="month",
            windows=WINDOWS,
            calls_per_unit=1,
            opening_id=opening_id,
        )
        found = [await _draft(session, PLAN, month)]
        filled = await session.get(Plan, PLANS)
        if filled is not None:
            whole = month.model_copy(update={"first_day": date(year, 1, 1)})
            filled.content, filled.state, filled.running = whole.to_content(), "running", True
            found.append(filled.id)
        if county is not None:
            part = month.model_copy(update={"units": Scope(subtrees=[county])})
            found.append(await _draft(session, f"{PLAN} {county}", part))
        return tuple(found)


async def _opening(session: AsyncSession, settings: Settings) -> int:
    """Key of an opening that plans may play."""
    for prompt in await prompts.add_shipped(session, settings.data_dir, PLAN):
        if prompt.kind == "opening":
            await prompts.approve(session, prompt.id, PLAN + PLAN)
    opening = await repository.newest_prompt(session, "opening")
    assert opening is not None
    return opening.id


async def _draft(session: AsyncSession, name: str, spec: PlanSpec) -> int:
    found = await session.scalar(select(Plan.id).where(Plan.name == name))
    return (await planning.create(session, name, spec, PLAN)).id if found is None else found


async def signed_in(database: Database, settings: Settings, unit: int | None) -> str:
    """Begin a session; return what stands in the header `Cookie`. `unit`: head of the part; None: every unit."""
    login, name = ("bench", "测量") if unit is None else (f"bench-{unit}", f"测量 {unit}")
    async with database.unit_of_work() as session:
        account = await people.by_login(session, login)
        if account is None:
            account = await people.create(session, login, name, list(Role), None if unit is None else [unit])
        account.state = "active"
        secret = await sessions.begin(session, settings, account, "127.0.0.1", "bench")
    return f"{cookie_name(settings)}={secret}"

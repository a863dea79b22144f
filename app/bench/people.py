"""Who works in a filled database: somebody signed in with every role, for all units or a part; their plan."""

from __future__ import annotations

from datetime import date

from sqlalchemy import select

from app.accounts import people, sessions
from app.accounts.gate import cookie_name
from app.accounts.permissions import Role
from app.bench.year import WINDOWS
from app.database import Database
from app.planning import prompts
from app.planning import service as planning
from app.planning.models import Plan
from app.planning.spec import PlanSpec
from app.settings import Settings

PLAN = "测量"


async def plan_of_year(database: Database, settings: Settings, year: int) -> int:
    """Key of a draft that holds every unit for a year; it is made where there is none."""
    async with database.unit_of_work() as session:
        found = await session.scalar(select(Plan.id).where(Plan.name == PLAN))
        if found is not None:
            return found
        shipped = await prompts.add_shipped(session, settings.data_dir, PLAN)
        opening = next(prompt for prompt in shipped if prompt.kind == "opening")
        await prompts.approve(session, opening.id, PLAN + PLAN)
        spec = PlanSpec(
            first_day=date(year, 12, 1),
            last_day=date(year, 12, 31),
            period="month",
            windows=WINDOWS,
            calls_per_unit=1,
            opening_id=opening.id,
        )
        return (await planning.create(session, PLAN, spec, PLAN)).id


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

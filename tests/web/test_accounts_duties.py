"""三员分立 under any sequence of deeds: nobody does alone what takes two, and the office never loses its officers."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import HealthCheck, given
from hypothesis import settings as limits
from hypothesis import strategies as st
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts import appointing, people, principal, repository
from app.accounts.models import Account, AccountGrant, OneTimeLink
from app.accounts.permissions import Role, apart, carried_by
from app.accounts.principal import Principal
from app.database import Database
from app.errors import OfficeError
from app.settings import Settings

NAMES = ("甲", "乙", "丙", "丁")
FIRST = {"甲": Role.ADMINISTRATOR, "乙": Role.SECURITY, "丙": Role.DISPATCHER, "丁": Role.SUPERVISOR}
DEEDS = ("ask", "approve", "refuse", "make_link", "lock", "unlock", "close")
ONE_DEED = st.tuples(
    st.sampled_from(NAMES),
    st.sampled_from(DEEDS),
    st.sampled_from(NAMES),
    st.frozensets(st.sampled_from(Role), min_size=1, max_size=2),
)


@limits(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deeds=st.lists(ONE_DEED, min_size=5, max_size=25))
async def test_duties_stay_apart(
    database: Database, settings: Settings, deeds: list[tuple[str, str, str, frozenset[Role]]]
) -> None:
    keys = await _staffed(database)
    for doer, deed, other, roles in deeds:
        async with database.reading() as session:
            asking = await _as(session, doer)
        if asking is None:
            continue
        principal.enter(asking)
        try:
            async with database.unit_of_work() as session:
                await _do(session, settings, deed, keys[other], roles)
        except OfficeError:
            pass
        finally:
            principal.enter(None)
        async with database.reading() as session:
            await _holds(session)


async def _staffed(database: Database) -> Mapping[str, int]:
    """The office as it is at first, whatever was there before."""
    async with database.unit_of_work() as session:
        for table in (OneTimeLink, AccountGrant, Account):
            await session.execute(delete(table))
        keys = {}
        for number, (name, role) in enumerate(FIRST.items()):
            account = await people.create(session, f"user-{number}", name, {role})
            account.state, account.password_hash = "active", "x"
            keys[name] = account.id
        return keys


async def _as(session: AsyncSession, name: str) -> Principal | None:
    account = (await session.scalars(select(Account).where(Account.name == name))).one()
    found = await repository.one_listed(session, account.id)
    assert found is not None
    if account.state != "active" or found.granted is None or account.locked_by is not None:
        return None
    roles = frozenset(Role(role) for role in found.granted.roles)
    return Principal(account.id, account.login, name, roles, carried_by(roles), session_id=1)


async def _do(session: AsyncSession, settings: Settings, deed: str, key: int, roles: frozenset[Role]) -> None:
    asking = principal.current()
    assert asking is not None
    # What the doors ask for; who decides is asked by the verbs themselves.
    if deed in ("ask", "make_link", "close") and not asking.may("accounts_change"):
        return
    if deed == "ask":
        await appointing.ask(session, settings, key, appointing.charge_of(settings, roles, None))
    elif deed == "make_link":
        made = await appointing.make_link(session, settings, key)
        assert not made.in_force
        # Whoever made it alone does not get in.
        assert await people.link(session, made.secret) is None
    elif deed == "approve":
        code = await appointing.approve(session, settings, key)
        assert code is None or len(code) == people.CODE_DIGITS
    else:
        await getattr(appointing, deed)(session, settings, key)


async def _holds(session: AsyncSession) -> None:
    for role in (Role.ADMINISTRATOR, Role.SECURITY):
        assert await repository.holders(session, role, ("active",)), role
    grants = list(await session.scalars(select(AccountGrant)))
    names = {account.id: account.name for account in await session.scalars(select(Account))}
    for grant in grants:
        assert apart(Role(role) for role in grant.roles)
        if grant.state == "in_force" and grant.asked_by != "local":
            assert grant.decided_by not in (None, grant.asked_by, names[grant.account_id])
    in_force = [grant.account_id for grant in grants if grant.state == "in_force"]
    assert len(in_force) == len(set(in_force))
    links = await session.scalars(select(OneTimeLink).where(OneTimeLink.approved_at.is_not(None)))
    for link in links:
        assert link.approved_by not in (link.created_by, names[link.account_id or 0])
        assert link.code_digest is not None

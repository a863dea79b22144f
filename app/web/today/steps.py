"""What a new office does first: shown on 今日待办 to whom it falls to, until all of it is done."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.models import Account, AccountGrant
from app.accounts.permissions import Permission as P
from app.accounts.permissions import Role
from app.accounts.principal import Principal
from app.directory.models import Unit
from app.planning.models import Plan, Prompt
from app.rules.models import RuleActivation
from app.settings import Settings
from app.trunks.records import read as read_trunks

_AT_WORK = frozenset({Role.DISPATCHER, Role.SUPERVISOR, Role.INSPECTOR, Role.AUDITOR})


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do, in Chinese; translated where it is shown."""

    title: str
    link: str
    done: bool


async def first_steps(session: AsyncSession, who: Principal, settings: Settings) -> Sequence[Step]:
    """The steps that fall to somebody, done or not; none once all of them are done."""
    steps: list[Step] = []
    if who.may(P.ACCOUNTS_CHANGE):
        steps += await _of_the_administrator(session, settings)
    if who.may(P.PLANS_CHANGE):
        steps += await _of_the_office(session)
    return () if all(step.done for step in steps) else steps


async def _of_the_administrator(session: AsyncSession, settings: Settings) -> Sequence[Step]:
    held = await _roles_held(session)
    officer = not settings.separate_duties or Role.SECURITY in held
    trunk = bool(settings.trunks or (await read_trunks(session)).trunks)
    return (
        Step("任命安全管理员", "/system/accounts/new", officer),
        Step("为总值班室、督查、检查员和安全审计员开设账号", "/system/accounts", held >= _AT_WORK),
        Step("接入中继", "/system/trunks", trunk),
        Step("启用规则集", "/system/rules", await _any(session, select(RuleActivation.id))),
    )


async def _of_the_office(session: AsyncSession) -> Sequence[Step]:
    approved = select(Prompt.id).where(Prompt.approved_at.is_not(None), Prompt.retired_at.is_(None))
    return (
        Step("导入单位和值班电话", "/units/import", await _any(session, select(Unit.id))),
        Step("录入开场提示音，并请督查人员批准", "/prompts", await _any(session, approved)),
        Step("制定并启动抽查计划", "/plans", await _any(session, select(Plan.id))),
    )


async def _roles_held(session: AsyncSession) -> Set[str]:
    """The roles that somebody holds. Nothing is locked, unlike by `appointing.needs_officer`: this only looks."""
    query = (
        select(AccountGrant.roles)
        .join(Account, Account.id == AccountGrant.account_id)
        .where(AccountGrant.state == "in_force", Account.state != "closed")
    )
    return {role for roles in await session.scalars(query) for role in roles}


async def _any(session: AsyncSession, query: Select[Any]) -> bool:
    return await session.scalar(query.limit(1)) is not None

"""What the pages of accounts show of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts import repository
from app.accounts.models import AccountGrant
from app.accounts.permissions import ROLE_ZH, Role
from app.accounts.repository import Listed

STATES_ZH: Mapping[str, str] = {"invited": "待启用", "active": "在用", "closed": "已停用"}
GRANTS_ZH: Mapping[str, str] = {"asked": "待批", "in_force": "生效", "refused": "未批准", "over": "已失效"}
LINKS_ZH: Mapping[str, str] = {"invitation": "启用账号的链接", "reset": "重设口令的链接"}
FILTERS: Mapping[str, str] = {"": "全部", "waiting": "待审批", **STATES_ZH}


@dataclass(frozen=True, slots=True)
class Granted:
    """What an account is for, in words."""

    roles: Sequence[str]
    units: Sequence[str] | None
    """None: every unit."""
    state: str
    asked: str
    decided: str


@dataclass(frozen=True, slots=True)
class Row:
    """One account of the list."""

    id: int
    login: str
    name: str
    state: str
    closed: bool
    locked: bool
    waits: bool
    granted: Granted | None
    asked: Granted | None
    link: str
    """The kind of link that waits, in words."""
    link_by: str
    last: str
    created: str


def roles_zh(names: Sequence[str]) -> list[str]:
    """The names of roles, in the order of the office."""
    return [ROLE_ZH[role] for role in Role if role in names]


async def rows(session: AsyncSession, found: Sequence[Listed], zone: ZoneInfo) -> Sequence[Row]:
    """What a list shows of accounts."""
    grants = [grant for item in found for grant in (item.granted, item.asked) if grant is not None]
    units = await names_of(session, grants)
    return [_row(item, units, zone) for item in found]


async def names_of(session: AsyncSession, grants: Sequence[AccountGrant]) -> Mapping[int, str]:
    """The names of all units that these grants name."""
    return await repository.unit_names(session, {key for grant in grants for key in grant.unit_ids or ()})


def _row(item: Listed, units: Mapping[int, str], zone: ZoneInfo) -> Row:
    account = item.account
    return Row(
        account.id,
        account.login,
        account.name,
        STATES_ZH[account.state],
        account.state == "closed",
        item.locked,
        item.waits,
        granted(item.granted, units, zone),
        granted(item.asked, units, zone),
        LINKS_ZH.get(item.link.kind, "") if item.link else "",
        item.link.created_by if item.link else "",
        _at(account.last_signed_in_at, zone),
        f"{account.created_by} {_at(account.created_at, zone)}",
    )


def granted(row: AccountGrant | None, units: Mapping[int, str], zone: ZoneInfo) -> Granted | None:
    """What a grant says, in words."""
    if row is None:
        return None
    heads = None if row.unit_ids is None else [units.get(key, f"#{key}") for key in row.unit_ids]
    decided = f"{row.decided_by} {_at(row.decided_at, zone)}" if row.decided_by else ""
    asked = f"{row.asked_by} {_at(row.asked_at, zone)}"
    return Granted(roles_zh(row.roles), heads, GRANTS_ZH[row.state], asked, decided)


def _at(moment: datetime | None, zone: ZoneInfo) -> str:
    return "" if moment is None else moment.astimezone(zone).strftime("%Y-%m-%d %H:%M")

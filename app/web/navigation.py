"""The pages in the head of every page: each stands there for whom it is for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.accounts.permissions import Permission as P
from app.accounts.principal import Principal


@dataclass(frozen=True, slots=True)
class Place:
    """One page of the navigation."""

    section: str
    path: str
    name: str
    """In Chinese; translated where it is shown."""
    needs: tuple[P, ...]
    """Any of these opens it."""


PLACES = (
    Place("today", "/today", "今日待办", (P.CHECKS, P.ACCOUNTS, P.AUDIT, P.SYSTEM)),
    Place("overview", "/overview", "总览", (P.OVERVIEW,)),
    Place("live", "/live", "实时", (P.LIVE,)),
    Place("plans", "/plans", "抽查计划", (P.PLANS,)),
    Place("checks", "/checks", "抽查记录", (P.CHECKS,)),
    Place("recordings", "/recordings", "录音", (P.LISTEN,)),
    Place("phone-records", "/phone-records", "电话记录单", (P.PHONE_RECORDS,)),
    Place("units", "/units", "单位与电话", (P.DIRECTORY,)),
    Place("reports", "/reports", "报表通报", (P.TABLES,)),
    Place("system", "/system", "系统", (P.SYSTEM, P.ACCOUNTS, P.AUDIT)),
)


def places(principal: Principal | None) -> Sequence[Place]:
    """The pages that someone may open, in order."""
    if principal is None:
        return ()
    return [place for place in PLACES if any(principal.may(needed) for needed in place.needs)]

"""All queries of rule sets and of what was put in force."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from app.rules.models import RuleActivation, StoredRuleSet


async def by_sha256(session: AsyncSession, sha256: str) -> StoredRuleSet | None:
    """The stored set with this content."""
    return await session.scalar(select(StoredRuleSet).where(StoredRuleSet.sha256 == sha256))


async def by_key(session: AsyncSession, key: str) -> Sequence[StoredRuleSet]:
    """Every stored version of a set, the newest first."""
    query = select(StoredRuleSet).where(StoredRuleSet.key == key)
    return (await session.scalars(query.order_by(StoredRuleSet.id.desc()))).all()


async def sets(
    session: AsyncSession, after: tuple[str, str] | None = None, limit: int | None = None
) -> Sequence[StoredRuleSet]:
    """Stored sets by key and content, from a place on."""
    query = select(StoredRuleSet).order_by(StoredRuleSet.key, StoredRuleSet.sha256)
    if after is not None:
        query = query.where(tuple_(StoredRuleSet.key, StoredRuleSet.sha256) > tuple_(*after))
    return (await session.scalars(query if limit is None else query.limit(limit))).all()


async def activation_at(session: AsyncSession, at: datetime) -> RuleActivation | None:
    """What was in force at a moment, with its set."""
    query = (
        select(RuleActivation)
        .where(RuleActivation.from_at <= at)
        .options(joinedload(RuleActivation.rule_set))
        .order_by(RuleActivation.from_at.desc(), RuleActivation.id.desc())
        .limit(1)
    )
    return await session.scalar(query)


async def activations(
    session: AsyncSession, after: tuple[datetime, int] | None = None, limit: int = 50
) -> Sequence[RuleActivation]:
    """The history, what holds last first, with the sets."""
    query = select(RuleActivation).options(joinedload(RuleActivation.rule_set))
    if after is not None:
        query = query.where(tuple_(RuleActivation.from_at, RuleActivation.id) < tuple_(*after))
    query = query.order_by(RuleActivation.from_at.desc(), RuleActivation.id.desc())
    return (await session.scalars(query.limit(limit))).all()

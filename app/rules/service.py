"""Verbs of the rules. They never commit: the caller's unit of work does."""

from __future__ import annotations

import re
from datetime import datetime

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.accounts import service as audit
from app.checks.rules import Rules
from app.errors import BadInputError, ConflictError, Fault, NotFoundError
from app.rules import library, repository
from app.rules.force import RulesInForce, nothing_in_force
from app.rules.format import RuleSet, parse
from app.rules.models import RuleActivation, StoredRuleSet
from app.rules.own import Own, parse_own

_SHA256 = re.compile(r"[0-9a-f]{12,64}")


async def in_force(session: AsyncSession, at: datetime) -> RulesInForce:
    """The rules in force at a moment; the shipped neutral set, which binds nobody, where nothing was put in force."""
    activation = await repository.activation_at(session, at)
    return nothing_in_force() if activation is None else force_of(activation)


def force_of(activation: RuleActivation) -> RulesInForce:
    """What an activation puts in force; it comes with its set."""
    return RulesInForce(
        rules=parse(activation.rule_set.content),
        own=parse_own(activation.own),
        document=activation.document,
        activation_id=activation.id,
        from_at=activation.from_at,
    )


async def add(session: AsyncSession, rules: RuleSet, who: str) -> tuple[StoredRuleSet, bool]:
    """Store a version of a set; return its row and whether it is new. The same content is one row for ever."""
    known = await repository.by_sha256(session, rules.sha256)
    if known is not None:
        return known, False
    row = StoredRuleSet(
        key=rules.key,
        version=rules.version,
        title=rules.title,
        content=rules.to_json(),
        sha256=rules.sha256,
        created_at=clock.now(),
    )
    try:
        async with session.begin_nested():
            session.add(row)
    except IntegrityError:
        known = await repository.by_sha256(session, rules.sha256)
        if known is None:
            raise
        return known, False
    await audit.record(session, "rules_add", f"rule_set:{row.id}", f"{rules.key} {rules.sha256[:12]}", who)
    return row, True


async def find(session: AsyncSession, name: str) -> RuleSet:
    """The set with this key, or whose SHA-256 begins so (12 signs or more).

    Raises `NotFoundError`, and `ConflictError` for a key of which there are several versions.
    """
    stored = {row.sha256: row for row in await repository.sets(session)}
    every = {rules.sha256: rules for rules in library.shipped()}
    every |= {sha: parse(row.content) for sha, row in stored.items() if sha not in every}
    found = [rules for rules in every.values() if rules.key == name]
    if not found and _SHA256.fullmatch(name):
        found = [rules for sha, rules in every.items() if sha.startswith(name)]
    if not found:
        known = ", ".join(sorted({rules.key for rules in every.values()}))
        raise NotFoundError(f"there is no rule set {name!r}; there are {known}")
    if len(found) > 1:
        versions = ", ".join(sorted(f"{rules.sha256[:12]} ({rules.version})" for rules in found))
        raise ConflictError(f"there are several versions of {name!r}: give one of {versions}")
    return found[0]


async def activate(
    session: AsyncSession,
    rules: RuleSet,
    document: str,
    own: Own,
    who: str,
    *,
    limits: Rules,
    from_at: datetime | None = None,
) -> RuleActivation:
    """Put a set in force by a local document, from now on or from a moment to come.

    `limits` are those of the settings. Raises `BadInputError` for a moment that is over (no call is judged anew by what
    came after it), limits that cannot stand, and words for a clause that has its own.
    """
    document, now = document.strip(), clock.now()
    from_at = from_at or now
    _check_activation(document, from_at, now)
    own.limits.applied_to(limits)
    _check_words(rules, own)
    row, _ = await add(session, rules, who)
    activation = RuleActivation(
        rule_set_id=row.id,
        document=document,
        own=own.to_json(),
        from_at=from_at,
        activated_at=now,
        activated_by=who,
    )
    activation.rule_set = row
    session.add(activation)
    await session.flush()
    detail = f"{rules.key} {rules.sha256[:12]} from {from_at.isoformat(timespec='seconds')}: {document}"
    await audit.record(session, "rules_activate", f"rule_set:{row.id}", detail, who)
    return activation


def _check_activation(document: str, from_at: datetime, now: datetime) -> None:
    if not document:
        fault = Fault("document", "is missing")
        raise BadInputError(
            "the local document (本单位依据文件) by which the rules hold must be named", [fault]
        )
    if from_at < now:
        fault = Fault("from_at", "lies in the past")
        raise BadInputError(
            "rules are put in force from now on, not for calls that were made already", [fault]
        )


async def note_comparison(session: AsyncSession, label: str, compared: int, who: str) -> None:
    """Put on record that orders were judged by other rules, to compare."""
    await audit.record(session, "rules_compare", f"rules:{label}"[:80], f"{compared} orders", who)


def _check_words(rules: RuleSet, own: Own) -> None:
    local = {clause.id for clause in rules.clauses if clause.words is None}
    for mark in own.words:
        if mark not in local:
            takes = ", ".join(sorted(local)) or "none: this set has all its words"
            fault = Fault(f"own.words.{mark}", f"takes {takes}")
            raise BadInputError(f"{mark!r} is no clause that leaves its words to the office", [fault])

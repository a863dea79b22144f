"""What happens when an order is closed: its proposal is stored, and a case opened where a person must look."""

from __future__ import annotations

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.checks import proposal_repository as repository
from app.checks.gathering import Gathered, gather, moment_of
from app.checks.models import SpotCheck, StoredProposal
from app.checks.proposal import Proposal, propose
from app.checks.rules import rules_of
from app.evidence import retention
from app.reviews.service import open_case
from app.rules.service import in_force
from app.settings import Settings


async def close(session: AsyncSession, check: SpotCheck, settings: Settings) -> StoredProposal:
    """Judge a closed order by the rules in force at its first call; store what is proposed and open its cases.

    A second time it gives what was stored. Raises ValueError for a 核号 call: it is never judged.
    """
    if check.kind == "verification":
        raise ValueError(f"order {check.id} only verifies a number")
    attempts = await repository.attempts(session, [check.id])
    rules = await in_force(session, moment_of(attempts[0]) if attempts else check.first_due_at)
    limits = rules_of(settings)
    known = await repository.proposal(session, check.id, rules.label(limits))
    if known is not None:
        return known
    gathered = await gather(session, check, attempts, rules.limits(limits), settings.zone)
    proposal = propose(gathered.order, rules, limits)
    row = StoredProposal(
        check_id=check.id,
        rule_set=proposal.label,
        in_force=True,
        code=proposal.code,
        content=content_of(proposal, gathered),
        judged_at=clock.now(),
    )
    session.add(row)
    await session.flush()
    await retention.settle(session, check.id, settings)
    for finding in proposal.for_cases:
        content = content_of(proposal, gathered, finding.code)
        await open_case(
            session, unit_id=check.unit_id, code=finding.code, proposal=content, check_id=check.id
        )
    return row


def content_of(proposal: Proposal, gathered: Gathered, code: str | None = None) -> dict[str, Any]:
    """Return the stored JSON, headed by the finding with this code, else by what names the order."""
    head = next((item for item in proposal.findings if item.code == code), None)
    return proposal.to_dict(head, regime=gathered.regime, roster=gathered.roster)

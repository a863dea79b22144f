"""Tables and bulletins: in which of them a finding stands, so that an overturned one can be taken out of each."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.accounts import service as audit
from app.errors import BadInputError, ConflictError, Fault
from app.reviews import repository, steps
from app.reviews.models import Case, Publication, PublicationEntry
from app.reviews.states import STATE_ZH, TRANSITIONS, State, Step

MOST_CASES = 500
"""Of one publication."""


async def publish(
    session: AsyncSession, who: str, kind: str, title: str, case_ids: Sequence[int], note: str = ""
) -> Publication:
    """通报: enter a table or bulletin with the findings that stand in it, all of them or none.

    Raises `ConflictError` that names each case that is not confirmed, `BadInputError` for unknown ones and for the
    demonstration's.
    """
    steps.check_named(who)
    keys = sorted(set(case_ids))
    found = await repository.cases_by_key(session, keys)
    _check(keys, found)
    now = clock.now()
    publication = Publication(kind=kind, title=title, published_at=now, published_by=who, note=note)
    session.add(publication)
    await session.flush()
    session.add_all(PublicationEntry(publication_id=publication.id, case_id=key) for key in keys)
    content = {"publication": publication.id, "kind": kind, "title": title}
    for key in keys:
        await steps.take(session, found[key], Step.PUBLISH, who, content)
    await audit.record(session, "publish", f"publication:{publication.id}", f"{kind}, {len(keys)} cases", who)
    return publication


def _check(keys: Sequence[int], found: dict[int, Case]) -> None:
    wrong = [
        Fault(f"case_ids: {key}", "is of the demonstration" if key in found else "no such case")
        for key in keys
        if key not in found or found[key].kind == "demo"
    ]
    if wrong:
        raise BadInputError(
            "有事项不存在或属于演示，不能通报 (unknown cases, or of the demonstration)", wrong
        )
    early = [found[key] for key in keys if (State(found[key].state), Step.PUBLISH) not in TRANSITIONS]
    if early:
        named = "、".join(f"{case.id}（{STATE_ZH[State(case.state)]}）" for case in early[:20])
        raise ConflictError(
            f"只有已认定的事项可以通报；尚未认定或已撤销：{named} (only confirmed cases may be published)",
            [Fault(f"case_ids: {case.id}", f"is {case.state}") for case in early],
        )

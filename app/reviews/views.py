"""Cases as the API shows them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.accounts.principal import current
from app.evidence.sight import Sight, sight_of
from app.reviews import repository, steps
from app.reviews.codes import title_of
from app.reviews.models import COUNTING, Case, CaseEvent
from app.reviews.schemas import AttachmentOut, CaseDetail, CaseOut, EventOut, PublicationRef, UnitRef
from app.reviews.states import STATE_ZH, State, steps_from


async def rows(session: AsyncSession, cases: Sequence[Case]) -> list[CaseOut]:
    """Return cases as a list shows them."""
    units = await repository.units_named(session, (case.unit_id for case in cases))
    now = clock.now()
    return [_row(case, units[case.unit_id].name, now) for case in cases]


def _row(case: Case, unit_name: str, now: datetime) -> CaseOut:
    state = State(case.state)
    return CaseOut(
        id=case.id,
        kind=case.kind,
        check_id=case.check_id,
        manual_id=case.manual_id,
        unit=UnitRef(id=case.unit_id, name=unit_name),
        code=case.code,
        title_zh=title_of(case.confirmed_code or case.code, case.proposal),
        state=state,
        state_zh=STATE_ZH[state],
        confirmed_code=case.confirmed_code,
        confirmed_by=case.confirmed_by,
        happened_at=case.happened_at,
        opened_at=case.opened_at,
        changed_at=case.changed_at,
        answer_until=case.answer_until,
        mitigated=case.mitigated,
        revision=case.revision,
        age_s=round((now - case.opened_at).total_seconds(), 1),
    )


def _event(row: CaseEvent, sight: Sight) -> EventOut:
    """What a person wrote stands as it is; of what the machine told, what the reader may see."""
    found = EventOut.model_validate(row)
    told = {
        name: sight.told(found.content[name])
        for name in ("proposal", "notice")
        if isinstance(found.content.get(name), dict)
    }
    return found.model_copy(update={"content": found.content | told})


async def detail(session: AsyncSession, case: Case) -> CaseDetail:
    """Return a case with its history, as far as who asks may see it."""
    sight = sight_of(current())
    row = (await rows(session, [case]))[0]
    heard = await repository.recordings(session, case.check_id) if case.check_id is not None else []
    return CaseDetail(
        **row.model_dump(),
        proposal=sight.told(case.proposal),
        counts=case.state in COUNTING,
        steps=list(steps_from(State(case.state))),
        dispute_open=await steps.dispute_open(session, case),
        recordings=[recording.id for _, recording in heard if recording is not None],
        events=[_event(event, sight) for event in await repository.events(session, case.id)],
        attachments=[
            AttachmentOut.model_validate(found) for found in await repository.attachments(session, case.id)
        ],
        publications=[
            PublicationRef.model_validate(found)
            for found in await repository.publications_of(session, case.id)
        ],
    )

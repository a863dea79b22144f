"""Verbs of the review. They never commit: the caller's unit of work does.

Each takes the key of a case, the name of the person, and `seen`, the state that the person decided on (None: whatever
it is). Each raises `NotFoundError` for an unknown case, `ForbiddenError` where nobody is named, and `ConflictError`
where the case stands otherwise by now.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.errors import BadInputError, ConflictError, Fault
from app.planning.models import ManualCheck
from app.reviews import clauses, hearing, notice, repository, steps
from app.reviews.codes import PRESENCE_SOURCES, confirmable, needs_presence, title_of
from app.reviews.deadline import MOST_DAYS, USUAL_DAYS, deadline
from app.reviews.models import Case, Publication
from app.reviews.opening import mark_mitigated, open_case
from app.reviews.states import State, Step

__all__ = ["Basis", "mark_mitigated", "open_case"]

REVOKE_CAUSES = ("our_fault", "not_a_finding", "exempted", "dispute_accepted", "new_facts")
"""我方原因, 不构成问题, 豁免, 申辩成立, 新的事实."""
NEAR = timedelta(hours=24)
"""How far from a call a check on site or by video may lie that proves an empty post."""
_STILL_IN = ("proposed", "notified", "disputed", "confirmed", "published")


class Basis:
    """What a confirmation rests on beside the calls: a check by hand, or a written admission."""

    def __init__(self, manual_id: int | None = None, admission_id: int | None = None) -> None:
        self.manual_id = manual_id
        self.admission_id = admission_id


async def propose(
    session: AsyncSession,
    case_id: int,
    who: str,
    code: str,
    *,
    reason: str = "",
    without_recording: str = "",
    basis: Basis | None = None,
    cited: Sequence[Mapping[str, str]] = (),
    seen: State | None = None,
) -> Case:
    """拟认定: a named person has listened and takes the case for this finding.

    Raises `ConflictError` for recordings that she has not heard, `BadInputError` for a code that is no finding, one
    that differs from the machine's without a reason, 脱岗 without what proves it.
    """
    case = await steps.begin(session, case_id, Step.PROPOSE, who, seen)
    _check_code(case, code, reason)
    await _check_single(session, case, code)
    kept = await hearing.require(session, case, who, without_recording)
    proof = await _proof(session, case, code, basis or Basis())
    content = {
        "code": code,
        "proposed_code": case.code,
        "reason": reason,
        "basis": proof,
        "clauses": clauses.of_finding(case, code, cited),
    } | kept
    await steps.take(session, case, Step.PROPOSE, who, content, confirmed_code=code, confirmed_by=who)
    return case


def _check_code(case: Case, code: str, reason: str) -> None:
    known = confirmable(case.manual_id is not None)
    if code not in known:
        raise BadInputError(
            f"“{code}”不是可认定的事由 (takes one of {', '.join(known)})",
            [Fault("code", "not a finding code")],
        )
    if code != case.code and not reason:
        raise BadInputError(
            f"认定事由与系统提出的（{case.code}）不同时须说明理由 (say why the code is another one)",
            [Fault("reason", "takes the reason for another code")],
        )


async def _check_single(session: AsyncSession, case: Case, code: str) -> None:
    """One order yields a finding of one kind once, however many cases it has."""
    if case.check_id is None:
        return
    for other in await repository.cases_of_check(session, case.check_id):
        if other.id != case.id and other.confirmed_code == code and other.state in _STILL_IN:
            raise ConflictError(
                f"同一抽查已由事项 {other.id} 认定“{code}” (this order has that finding already)"
            )


async def _proof(session: AsyncSession, case: Case, code: str, basis: Basis) -> dict[str, object] | None:
    """Return what proves the finding beside the calls, as the event keeps it."""
    manual_id = basis.manual_id if basis.manual_id is not None else case.manual_id
    manual = await repository.manual(session, manual_id) if manual_id is not None else None
    if basis.manual_id is not None and manual is None:
        raise BadInputError(
            f"没有人工补录 {basis.manual_id} (no such check by hand)", [Fault("basis_manual_id", "unknown")]
        )
    if basis.admission_id is not None:
        found = await repository.attachment(session, basis.admission_id)
        if found is None or found.case_id != case.id:
            raise BadInputError(
                f"附件 {basis.admission_id} 不属于本事项 (not an attachment of this case)",
                [Fault("admission_attachment_id", "not of this case")],
            )
        return {"admission": basis.admission_id, "sha256": found.sha256}
    if manual is not None and _proves(case, manual):
        return {"manual": manual.id, "source": manual.source}
    if needs_presence(code):
        raise BadInputError(
            f"电话抽查不能认定“{title_of(code)}”：须有同一单位的实地、视频检查（前后24小时内）、上级抽查或本人承认 "
            f"({code} takes a check on site or by video, a superior's finding, or an admission)",
            [
                Fault("basis_manual_id", "a check by hand of this unit"),
                Fault("admission_attachment_id", "an attachment"),
            ],
        )
    return None


def _proves(case: Case, manual: ManualCheck) -> bool:
    if manual.unit_id != case.unit_id or manual.source not in PRESENCE_SOURCES:
        return False
    return manual.source in ("superior", "admission") or abs(manual.at - case.happened_at) <= NEAR


async def notify(
    session: AsyncSession,
    case_id: int,
    who: str,
    answer_to: str,
    zone: ZoneInfo,
    *,
    working_days: int = USUAL_DAYS,
    seen: State | None = None,
) -> Case:
    """告知: freeze the 核实通知单 and give the unit its working days for an answer."""
    if not 1 <= working_days <= MOST_DAYS:
        raise BadInputError(f"答复期限为 1 至 {MOST_DAYS} 个工作日", [Fault("working_days", "out of bounds")])
    case = await steps.begin(session, case_id, Step.NOTIFY, who, seen)
    now = clock.now()
    until, unknown = await deadline(session, now, working_days, zone)
    answer = notice.Answer(until, working_days, answer_to, [day.isoformat() for day in unknown])
    content = {"notice": await notice.build(session, case, who, now, answer, zone)}
    await steps.take(session, case, Step.NOTIFY, who, content, answer_until=until)
    return case


async def accept(
    session: AsyncSession, case_id: int, who: str, by: str, words: str = "", seen: State | None = None
) -> Case:
    """无异议: the unit says that it is so. The case may then be confirmed before its deadline."""
    case = await steps.begin(session, case_id, Step.ACCEPT, who, seen)
    await steps.take(session, case, Step.ACCEPT, who, {"by": by, "words": words})
    return case


async def dispute(
    session: AsyncSession,
    case_id: int,
    who: str,
    by: str,
    grounds: str,
    *,
    attachment_ids: Sequence[int] = (),
    received_at: datetime | None = None,
    seen: State | None = None,
) -> Case:
    """申辩: the unit's answer with grounds. One that comes late is accepted and marked so.

    A finding that was confirmed already counts no longer until the answer is decided; one that was published stays
    published until it is overturned.
    """
    case = await steps.begin(session, case_id, Step.DISPUTE, who, seen)
    now = clock.now()
    received = received_at or now
    notified = await repository.last_event(session, case.id, Step.NOTIFY.value)
    if received > now or (notified is not None and received < notified.at):
        raise BadInputError(
            "收到时间须在告知之后、现在之前 (received_at lies before the notice or in the future)",
            [Fault("received_at", "takes a moment between the notice and now")],
        )
    await _check_attached(session, case, attachment_ids)
    content = {
        "by": by,
        "grounds": grounds,
        "attachments": list(attachment_ids),
        "received_at": received.isoformat(),
        "late": case.answer_until is not None and received >= case.answer_until,
    }
    await steps.take(session, case, Step.DISPUTE, who, content)
    return case


async def _check_attached(session: AsyncSession, case: Case, attachment_ids: Sequence[int]) -> None:
    own = {found.id for found in await repository.attachments(session, case.id)}
    strangers = [key for key in attachment_ids if key not in own]
    if strangers:
        raise BadInputError(
            f"附件 {strangers[0]} 不属于本事项 (not an attachment of this case)",
            [Fault("attachment_ids", f"{key} is not of this case") for key in strangers],
        )


async def confirm(
    session: AsyncSession, case_id: int, who: str, reason: str = "", seen: State | None = None
) -> Case:
    """认定: the unit has accepted, or let its deadline pass without a word. Raises `ConflictError` before that."""
    case = await steps.begin(session, case_id, Step.CONFIRM, who, seen)
    accepted = await repository.last_event(session, case.id, Step.ACCEPT.value)
    until = case.answer_until
    told = until.isoformat() if until else "未定"
    if accepted is None and (until is None or clock.now() < until):
        raise ConflictError(
            f"答复期限未到（至 {told}），单位尚未答复 (its time to answer is not over)",
            [Fault("answer_until", told)],
        )
    content = {"reason": reason, "accepted": accepted is not None}
    await steps.take(session, case, Step.CONFIRM, who, content)
    return case


async def comment(
    session: AsyncSession, case_id: int, who: str, words: str, seen: State | None = None
) -> Case:
    """批注: words of a person beside a case; it stays where it stands."""
    case = await steps.begin(session, case_id, Step.COMMENT, who, seen)
    await steps.take(session, case, Step.COMMENT, who, {"words": words})
    return case


async def uphold(
    session: AsyncSession, case_id: int, who: str, reason: str, seen: State | None = None
) -> Case:
    """维持: somebody other than the confirmer does not follow the unit's grounds, and says why."""
    case = await steps.begin(session, case_id, Step.UPHOLD, who, seen)
    if not await steps.dispute_open(session, case):
        raise ConflictError(f"事项 {case.id} 没有待决的申辩 (there is no dispute to decide)")
    await steps.check_other(session, case, who)
    await steps.take(session, case, Step.UPHOLD, who, {"reason": reason})
    return case


async def revoke(
    session: AsyncSession, case_id: int, who: str, cause: str, reason: str, seen: State | None = None
) -> Case:
    """撤销: it is no finding; 我方原因 above all. An open dispute is decided by somebody other than the confirmer."""
    return await _end(session, case_id, Step.REVOKE, who, cause, reason, seen)


async def overturn(
    session: AsyncSession, case_id: int, who: str, cause: str, reason: str, seen: State | None = None
) -> tuple[Case, Sequence[Publication]]:
    """通报后撤销: the case counts nowhere any more; return every table and bulletin in which it stands."""
    case = await _end(session, case_id, Step.OVERTURN, who, cause, reason, seen)
    return case, await repository.publications_of(session, case.id)


async def _end(
    session: AsyncSession, case_id: int, step: Step, who: str, cause: str, reason: str, seen: State | None
) -> Case:
    if cause not in REVOKE_CAUSES:
        raise BadInputError(
            f"撤销原因取 {'、'.join(REVOKE_CAUSES)} 之一", [Fault("cause", "not one of the causes")]
        )
    case = await steps.begin(session, case_id, step, who, seen)
    if await steps.dispute_open(session, case):
        await steps.check_other(session, case, who)
    content: dict[str, object] = {"cause": cause, "reason": reason}
    if step is Step.OVERTURN:
        published = await repository.publications_of(session, case.id)
        content["publications"] = [
            {"id": row.id, "kind": row.kind, "title": row.title, "published_at": row.published_at.isoformat()}
            for row in published
        ]
    await steps.take(session, case, step, who, content, end_cause=cause)
    return case

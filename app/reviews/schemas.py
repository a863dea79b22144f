"""JSON of cases, publications and their steps."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.api.text import Code, Id, Long, Moment, Name, Title, Words
from app.reviews.deadline import MOST_DAYS, USUAL_DAYS
from app.reviews.publishing import MOST_CASES
from app.reviews.states import State, Step

Cause = Literal["our_fault", "not_a_finding", "exempted", "dispute_accepted", "new_facts"]


class UnitRef(BaseModel):
    """A unit as a case names it."""

    id: int
    name: str


class CaseOut(BaseModel):
    """One case in a list."""

    id: int
    kind: str = Field(description="Of the order: `random`, `designated`, `demo`; `manual`: a check by hand")
    check_id: int | None
    manual_id: int | None
    unit: UnitRef
    code: str = Field(description="As proposed")
    title_zh: str
    state: State
    state_zh: str
    confirmed_code: str | None
    confirmed_by: str | None
    happened_at: datetime
    opened_at: datetime
    changed_at: datetime
    answer_until: datetime | None
    mitigated: bool
    revision: int = Field(description="Steps since it was opened")
    age_s: float = Field(description="Seconds since it was opened")


class EventOut(BaseModel):
    """One step of a case."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    at: datetime
    who: str
    action: str
    from_state: str
    to_state: str
    content: dict[str, Any]


class AttachmentOut(BaseModel):
    """A file of a case."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    case_id: int
    name: str
    media_type: str
    size: int
    sha256: str
    added_at: datetime
    added_by: str


class PublicationRef(BaseModel):
    """A table or bulletin in which a case stands."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    kind: str
    title: str
    published_at: datetime
    published_by: str


class CaseDetail(CaseOut):
    """One case with its whole history."""

    proposal: dict[str, Any]
    counts: bool = Field(description="Whether it is a finding by now: confirmed, or published")
    steps: list[Step] = Field(description="What may be done with it in this state")
    dispute_open: bool
    recordings: list[int] = Field(description="Keys of the recordings that a confirmation must have heard")
    events: list[EventOut]
    attachments: list[AttachmentOut]
    publications: list[PublicationRef]


class Overturned(CaseDetail):
    """An overturned case, with every publication that must be put right."""

    affected: list[PublicationRef]


class QueueOut(BaseModel):
    """The review queue: what waits, oldest first, and how much stands where."""

    items: list[CaseOut]
    next: str | None
    counts: dict[str, int] = Field(description="Cases by state, of the units asked for")


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")

    seen: State | None = Field(
        default=None, description="The state that the person decided on; another one by now is a conflict"
    )


class ClauseIn(BaseModel):
    """A clause that a person cites for a code that the machine did not propose."""

    model_config = ConfigDict(extra="forbid")

    source: Title
    article: Name
    words: Words
    binding: Literal["applies", "reference"] = "applies"


class ProposeIn(_Body):
    """拟认定."""

    code: Code
    reason: Long = ""
    without_recording: Long = Field(default="", description="On what it rests where there is no recording")
    basis_manual_id: Id | None = Field(default=None, description="A check by hand that proves it")
    admission_attachment_id: Id | None = None
    clauses: Annotated[list[ClauseIn], Field(max_length=10)] = Field(
        default_factory=list, description="Cited for a code that the machine did not propose"
    )


class NotifyIn(_Body):
    """告知."""

    answer_to: Title = Field(description="Where the unit may answer")
    working_days: Annotated[int, Field(ge=1, le=MOST_DAYS)] = USUAL_DAYS


class AcceptIn(_Body):
    """无异议."""

    by: Name = Field(description="Who of the unit says so")
    words: Long = ""


class DisputeIn(_Body):
    """申辩."""

    by: Name = Field(description="Who of the unit answers")
    grounds: Words
    attachment_ids: Annotated[list[Id], Field(max_length=20)] = Field(default_factory=list)
    received_at: Moment | None = Field(default=None, description="When it was received; now unless given")


class ConfirmIn(_Body):
    """认定."""

    reason: Long = ""


class CommentIn(_Body):
    """批注."""

    words: Words


class OpenIn(BaseModel):
    """A case that a person opens where the machine put nothing forward."""

    model_config = ConfigDict(extra="forbid")

    code: Code
    reason: Words
    clauses: Annotated[list[ClauseIn], Field(min_length=1, max_length=10)]


class UpholdIn(_Body):
    """维持."""

    reason: Words


class RevokeIn(_Body):
    """撤销, or 通报后撤销."""

    cause: Cause
    reason: Words


class PublishIn(BaseModel):
    """A table or bulletin that is published."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["table", "bulletin"]
    title: Title
    case_ids: Annotated[list[Id], Field(min_length=1, max_length=MOST_CASES)]
    note: Long = ""


class PublicationOut(PublicationRef):
    """One publication in a list."""

    note: str
    cases: int
    overturned: int = Field(description="How many of its cases were overturned since: it must be put right")


class PublicationDetail(PublicationOut):
    """One publication with its cases."""

    items: list[CaseOut]

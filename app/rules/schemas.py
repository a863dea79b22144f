"""JSON of rule sets and of what is in force."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from app.api.text import Day, Id, Moment, Short, Title
from app.checks.recompute import MOST_ORDERS
from app.rules.format import RuleSet
from app.rules.own import Own

SetName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
"""Key of a set, or at least twelve signs of its SHA-256."""


class RuleSetOut(BaseModel):
    """A set as lists show it."""

    key: str
    version: str
    title: str
    sha256: str
    shipped: bool
    """It came with this version of the service."""
    stored_at: datetime | None
    """When it was stored here; null for a shipped one that was never put in force."""
    clauses: int
    findings: list[str]
    """Codes that its clauses support."""


class RuleSetDetail(RuleSetOut):
    """A set with its clauses."""

    content: RuleSet
    """The set in the format `dutyring.rules/1`."""


class ActivateIn(BaseModel):
    """By which document a set is to be put in force, and what is the office's own (本单位自定)."""

    model_config = ConfigDict(extra="forbid")

    document: Title
    """The local document (本单位依据文件)."""
    own: Own = Own()
    from_at: Moment | None = None
    """Now unless given; never in the past."""


class ActivationOut(BaseModel):
    """From when on a set was in force, and by which document."""

    id: int
    key: str
    version: str
    title: str
    sha256: str
    document: str
    own: dict[str, Any]
    from_at: datetime
    activated_at: datetime
    activated_by: str


class InForceOut(BaseModel):
    """What orders of a moment are judged by."""

    at: datetime
    activation: ActivationOut | None
    """Null: nothing was put in force by then; calls are read, no unit is found at fault."""
    label: str
    """As proposals name it."""
    limits: dict[str, Any]
    """Seconds of ringing, always a conversion (折算口径)."""
    rules: RuleSetOut


class CompareIn(BaseModel):
    """Which closed orders are to be judged by another set, to compare."""

    model_config = ConfigDict(extra="forbid")

    rule_set: SetName
    document: Short = ""
    own: Own = Own()
    first: Day
    last: Day
    unit: Id | None = None
    """This unit and all below it."""
    after: Annotated[str | None, Field(max_length=400)] = None
    limit: Annotated[int, Field(ge=1, le=MOST_ORDERS)] = MOST_ORDERS


class DifferenceOut(BaseModel):
    """An order that the other rules see otherwise."""

    model_config = ConfigDict(from_attributes=True)

    check_id: int
    unit_id: int
    first_due_at: datetime
    code: str
    adverse: bool
    other_code: str
    other_adverse: bool


class ComparisonOut(BaseModel):
    """What came of a comparison. No case was touched."""

    label: str
    compared: int
    unjudged: int
    changes: dict[str, int]
    differences: list[DifferenceOut]
    next: str | None


class CorrectionOut(BaseModel):
    """An order whose 彩铃 turned out to be our own trunk's music."""

    model_config = ConfigDict(from_attributes=True)

    check_id: int
    unit_id: int
    attempt_ids: list[int]
    code: str
    adverse: bool
    new_code: str
    new_adverse: bool
    revocable: list[int]
    """Keys of cases that a correction revokes."""
    by_hand: list[int]
    """Keys of cases on which a person decided something already."""


class CorrectionsOut(BaseModel):
    """Orders that are offered for correction, or were corrected."""

    items: list[CorrectionOut]


class CorrectIn(BaseModel):
    """Which orders are to be corrected."""

    model_config = ConfigDict(extra="forbid")

    check_ids: Annotated[list[Id], Field(min_length=1, max_length=200)]

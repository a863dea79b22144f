"""JSON of the directory."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from app.api.text import ONE_LINE, Code, Day, Id, Long, Moment, Name, Short, Title, Words
from app.directory import masking

Category = Literal["city", "county", "town", "city_department", "county_department", "institution", "other"]
LineKind = Literal["duty", "leader", "fax", "other"]
Verification = Literal["pending", "verified", "failed"]
Role = Literal["duty_officer", "leader", "principal", "contact"]
Staffing = Literal["established", "contract", "rehired", "intern", "worker", "unknown"]
LineExemptionKind = Literal["forwarding", "crbt", "fax"]
UnitExemptionKind = Literal["maintenance", "emergency"]
Outcome = Literal["pending", "entered", "dismissed"]
Group = Annotated[str, StringConstraints(strip_whitespace=True, max_length=40, pattern=ONE_LINE)]
Printed = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40, pattern=ONE_LINE)
]
Phone = Annotated[str, StringConstraints(strip_whitespace=True, max_length=40, pattern=ONE_LINE)]
ShownPhone = Annotated[str, AfterValidator(masking.phone)]
"""Of a person: in part for who may not see it whole."""
Target = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255, pattern=ONE_LINE)
]
TrunkName = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=ONE_LINE)]
ShortTitle = Annotated[str, StringConstraints(strip_whitespace=True, max_length=80, pattern=ONE_LINE)]
TimeOfDay = Annotated[str, StringConstraints(pattern=r"^(?:[01][0-9]|2[0-3]):[0-5][0-9]$")]
UnitName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120, pattern=ONE_LINE)
]
Revision = Annotated[int, Field(ge=1, lt=2**31, description="The state of the entry that the caller saw")]


class Given(BaseModel):
    """What a caller sends: nothing beside what is named."""

    model_config = ConfigDict(extra="forbid")


class Shown(BaseModel):
    """What is answered, read from rows."""

    model_config = ConfigDict(from_attributes=True)


class UnitOut(Shown):
    """A unit, in short."""

    id: int
    code: str
    name: str
    kind: str


class LineOut(Shown):
    """A duty line, in short."""

    id: int
    name: str
    number: str


class UnitFull(UnitOut):
    """A unit with its place in the tree."""

    category: str
    parent_id: int | None
    path: str
    """Keys from the root to the unit."""
    handover_times: list[str]
    first_day: date | None
    last_day: date | None
    revision: int


class UnitIn(Given):
    """A new unit."""

    code: Code
    name: UnitName
    kind: Group = ""
    category: Category = "other"
    parent_id: Id | None = None
    handover_times: Annotated[list[TimeOfDay], Field(max_length=12)] = []
    first_day: Day | None = None
    last_day: Day | None = None


class UnitChange(Given):
    """What changes of a unit; what is left out stays."""

    revision: Revision
    code: Code | None = None
    name: UnitName | None = None
    kind: Group | None = None
    category: Category | None = None
    handover_times: Annotated[list[TimeOfDay], Field(max_length=12)] | None = None
    first_day: Day | None = None
    last_day: Day | None = None


class MoveIn(Given):
    """Another place in the tree; null is the root."""

    revision: Revision
    parent_id: Id | None


class CloseIn(Given):
    """The last day of a unit."""

    revision: Revision
    last_day: Day


class RegimeIn(Given):
    """How a unit keeps duty between two days."""

    first_day: Day
    last_day: Day | None = None
    duty: Literal["onsite", "phone"]
    leader: Literal["onsite", "phone", "double", "none"]
    note: Short = ""
    end_previous: bool = False
    """Whether an open regime that began earlier ends the day before."""


class RegimeEnd(Given):
    """Another last day; null is none."""

    last_day: Day | None


class RegimeOut(Shown):
    """How a unit keeps duty between two days, both inclusive."""

    id: int
    unit_id: int
    first_day: date
    last_day: date | None
    duty: str
    leader: str
    note: str


class LineWarningOut(Shown):
    """What a person should look at."""

    code: str
    message: str


class LineFull(LineOut):
    """A duty line."""

    unit_id: int
    kind: str
    target: str
    trunk: str | None
    active: bool
    verification: str
    verified_at: datetime | None
    failed_calls: int
    target_since: datetime | None
    first_day: date | None
    last_day: date | None
    pilot_numbers: list[str]
    revision: int
    further_units: list[int] = []
    warnings: list[LineWarningOut] = []


class LineIn(Given):
    """A new line of a unit."""

    number: Printed
    """As the directory prints it: `3212345`, `3212345转8012`, or `-806` where one switchboard number is known."""
    target: Target | None = None
    """What is dialled, where it is not what the number says."""
    name: Name = "值班电话"
    kind: LineKind = "duty"
    trunk: TrunkName | None = None
    pilot_numbers: Annotated[list[Printed], Field(max_length=20)] = []
    first_day: Day | None = None
    last_day: Day | None = None


class LineChange(Given):
    """What changes of a line; what is left out stays."""

    revision: Revision
    number: Printed | None = None
    target: Target | None = None
    name: Name | None = None
    kind: LineKind | None = None
    trunk: TrunkName | None = None
    pilot_numbers: Annotated[list[Printed], Field(max_length=20)] | None = None
    first_day: Day | None = None
    last_day: Day | None = None
    active: bool | None = None


class SharedIn(Given):
    """The further units that a line reaches."""

    revision: Revision
    unit_ids: Annotated[list[Id], Field(max_length=50)]


class PersonIn(Given):
    """A new person of a unit."""

    name: Name
    title: ShortTitle = ""
    role: Role = "duty_officer"
    staffing: Staffing = "unknown"
    phone: Phone = ""
    first_day: Day | None = None
    last_day: Day | None = None


class PersonChange(Given):
    """What changes of a person; what is left out stays."""

    revision: Revision
    name: Name | None = None
    title: ShortTitle | None = None
    role: Role | None = None
    staffing: Staffing | None = None
    phone: Phone | None = None
    first_day: Day | None = None
    last_day: Day | None = None


class PersonOut(Shown):
    """A person of a unit."""

    id: int
    unit_id: int
    name: str
    title: str
    role: str
    staffing: str
    phone: ShownPhone
    first_day: date | None
    last_day: date | None
    revision: int


class LineExemptionIn(Given):
    """What a line may do that others may not."""

    kind: LineExemptionKind
    first_day: Day
    last_day: Day | None = None
    reason: Words


class LineExemptionEnd(Given):
    """The last day of an exemption."""

    last_day: Day


class LineExemptionOut(Shown):
    """What a line may do that others may not; both days inclusive."""

    id: int
    line_id: int
    kind: str
    first_day: date
    last_day: date | None
    reason: str


class UnitExemptionIn(Given):
    """A time without findings."""

    kind: UnitExemptionKind
    line_id: Id | None = None
    first_at: Moment
    last_at: Moment | None = None
    reason: Words


class UnitExemptionEnd(Given):
    """When an exemption is over."""

    last_at: Moment


class UnitExemptionOut(Shown):
    """A time without findings against a unit, or one line of it."""

    id: int
    unit_id: int
    line_id: int | None
    kind: str
    first_at: datetime
    last_at: datetime | None
    reason: str
    entered_by: str
    entered_at: datetime


class NumberChangeIn(Given):
    """What a unit reported."""

    unit_id: Id
    line_id: Id | None = None
    number: Phone
    """The new number; empty: the line was given up."""
    received_at: Moment | None = None
    """When the unit told it; now unless given."""
    note: Long = ""


class NumberChangeEnter(Given):
    """Let the directory follow a reported change."""

    line_id: Id | None = None
    """Which line changes, where the unit did not say; without it a further line is entered."""


class DismissIn(Given):
    """Why a reported change was none."""

    reason: Title


class NumberChangeOut(Shown):
    """A reported change of number."""

    id: int
    unit_id: int
    line_id: int | None
    number: str
    received_at: datetime
    received_by: str
    recorded_at: datetime
    outcome: str
    entered_at: datetime | None
    entered_by: str
    note: str


class ConfirmationIn(Given):
    """A unit's word that its entry is right."""

    quarter: Annotated[str, StringConstraints(pattern=r"^[0-9]{4}Q[1-4]$")] | None = None
    """The present one unless given."""
    note: Long = ""


class ConfirmationOut(BaseModel):
    """Where a unit stands in a quarter."""

    unit: UnitOut
    quarter: str
    state: Literal["confirmed", "early", "due", "overdue"]
    confirmed_at: datetime | None = None
    confirmed_by: str | None = None
    note: str = ""

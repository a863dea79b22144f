"""What an account may see of the tree, put into every query: what is out of scope is not in the SQL result.

An account for a part of the tree reads, changes and deletes through sessions whose statements all carry a condition on
the unit of each row (`with_loader_criteria`), joins, subqueries and loaded relations included. Statements written as
text put the condition in themselves (`app/api/newest.py`). Accounts for the whole tree, the phone process and the
command line read as before. What must see every unit whoever asks runs within `principal.every_unit()`, or with
`execution_options(every_unit=True)`; its rows must not come back in an answer.

Every model stands below: in one of the tables by which it belongs to a unit, or in `OF_NO_UNIT` with the reason. A test
holds that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Select, String, and_, cast, exists, false, func, literal, or_, select
from sqlalchemy.event import listens_for
from sqlalchemy.orm import ORMExecuteState, Session, with_loader_criteria

from app.accounts.models import Account, AccountGrant, ApiToken, AuditEvent, AuditLink, OneTimeLink
from app.accounts.models import Session as SignedIn
from app.accounts.principal import Scope, limits
from app.answers.models import AnswerItem
from app.api.models import IdempotencyKey
from app.checks.models import (
    Attempt,
    AttemptEvent,
    AttemptTarget,
    CallFacts,
    EmergencyStop,
    Lease,
    Mitigation,
    OfficeAlarm,
    Recording,
    SpotCheck,
    StoredProposal,
    StoredVerdict,
)
from app.directory.models import (
    Confirmation,
    DutyLine,
    LineExemption,
    LineUnit,
    NumberChange,
    Person,
    Unit,
    UnitExemption,
    UnitRegime,
)
from app.evidence.models import RecordingHold, RecordingRemoval
from app.notices.models import Delivery, Notice
from app.phone_records.models import PhoneRecord, PhoneRecordVersion
from app.planning.models import (
    CalendarChange,
    CalendarDay,
    DrawEpoch,
    DrawSkip,
    ManualCheck,
    Plan,
    PlanRun,
    Prompt,
)
from app.reports.models import ExportJob, ListColumns, SavedFilter
from app.reviews.models import Attachment, Case, CaseEvent, Publication, PublicationEntry
from app.rosters.models import Roster, Shift, Whereabouts
from app.rules.models import RuleActivation, StoredRuleSet
from app.samples.models import AnnouncementSample, TrunkTune
from app.transcripts.models import CallReading, Transcription, TranscriptPiece
from app.trunks.models import PolicyNumber, TrunkEvent, TrunkRecord, TrunkState, TrunkTest

BY_UNIT: tuple[Any, ...] = (
    Attempt,
    Case,
    Confirmation,
    DutyLine,
    LineUnit,
    ManualCheck,
    NumberChange,
    Person,
    PhoneRecord,
    Roster,
    SpotCheck,
    TranscriptPiece,
    UnitExemption,
    UnitRegime,
    Whereabouts,
)
"""Models with a `unit_id` of their own. A line that several units share is that of the unit it is entered for."""
BY_PARENT: Mapping[Any, tuple[str, Any]] = {
    AnswerItem: ("attempt_id", Attempt),
    AttemptEvent: ("attempt_id", Attempt),
    AttemptTarget: ("attempt_id", Attempt),
    CallFacts: ("attempt_id", Attempt),
    CallReading: ("attempt_id", Attempt),
    StoredVerdict: ("attempt_id", Attempt),
    Mitigation: ("check_id", SpotCheck),
    StoredProposal: ("check_id", SpotCheck),
    LineExemption: ("line_id", DutyLine),
    CaseEvent: ("case_id", Case),
    Attachment: ("case_id", Case),
    PublicationEntry: ("case_id", Case),
    Shift: ("roster_id", Roster),
    PhoneRecordVersion: ("record_id", PhoneRecord),
}
"""Models that belong to the unit of another row: by which column, and whose."""
BY_RECORDING: tuple[Any, ...] = (Transcription, RecordingHold, RecordingRemoval)
BY_PLAN: tuple[Any, ...] = (PlanRun,)
BY_RUN: tuple[Any, ...] = (DrawEpoch, DrawSkip)
BY_OWN_RULE: tuple[Any, ...] = (Unit, Recording, Plan, EmergencyStop, OfficeAlarm, Publication)
OF_NO_UNIT: Mapping[Any, str] = {
    Account: "of the office; doors ask for an account without a scope",
    AccountGrant: "as accounts",
    ApiToken: "as accounts; everybody sees their own",
    AuditEvent: "of the office; doors ask for an account without a scope",
    AuditLink: "as audit lines",
    OneTimeLink: "as accounts",
    SignedIn: "as accounts; everybody sees their own",
    IdempotencyKey: "read by who sent the key alone",
    Lease: "of the processes; no route reads it",
    CalendarDay: "one calendar for all",
    CalendarChange: "one calendar for all",
    Prompt: "one set of prompts for all",
    StoredRuleSet: "one set of rules for all",
    RuleActivation: "one set of rules for all",
    AnnouncementSample: "what networks announce; names no unit",
    TrunkTune: "prints of music, for the recognition alone; no route shows them",
    TrunkRecord: "our own trunks",
    TrunkState: "our own trunks",
    TrunkEvent: "our own trunks",
    TrunkTest: "our own trunks; it names no unit, and a number of the office as whoever asks may see numbers",
    PolicyNumber: "numbers that are never dialled; no route shows them",
    Notice: "a count and a link; names no unit",
    Delivery: "as notices",
    SavedFilter: "read by the account that saved it alone",
    ListColumns: "read by the account that chose them alone",
    ExportJob: "read by the account that ordered it alone; its rows were read within that one's scope",
}
"""Models whose rows belong to no unit, each with the reason why an account for a part of the tree may read them."""
UNITS = Unit.__table__


def within(scope: Scope) -> ColumnElement[bool]:
    """The condition on a row of `units`, as a table, to be in scope."""
    return _below(UNITS.c.path, scope)


def unit_ids(scope: Scope) -> Select[tuple[int]]:
    """The keys of the units in scope, for `IN (...)`."""
    return select(UNITS.c.id).where(within(scope))


def visible_units() -> list[ColumnElement[bool]]:
    """The condition on `Unit` to be in scope, for a query that counts beyond it: `every_unit` is its option then."""
    scope = limits()
    return [] if scope is None else [Unit.id.in_(unit_ids(scope))]


@lru_cache(maxsize=256)
def criteria(scope: Scope, dialect: str) -> Sequence[Any]:
    """The conditions of every model that belongs to a unit."""
    ids = unit_ids(scope)
    conditions: list[tuple[Any, Any]] = [(Unit, _below(Unit.path, scope))]
    conditions += [(model, model.unit_id.in_(ids)) for model in BY_UNIT]
    for model, (column, parent) in BY_PARENT.items():
        conditions.append((model, _has_parent(model, getattr(model, column), parent, ids)))
    conditions.append((Recording, _recorded(Recording, Recording, ids)))
    conditions += [(model, _of_recorded(model, ids)) for model in BY_RECORDING]
    plans = _plans(scope, dialect)
    conditions.append((Plan, Plan.id.in_(plans)))
    conditions += [(model, model.plan_id.in_(plans)) for model in BY_PLAN]
    runs = PlanRun.__table__
    conditions += [
        (model, model.run_id.in_(select(runs.c.id).where(runs.c.plan_id.in_(plans)))) for model in BY_RUN
    ]
    conditions.append((EmergencyStop, _stops(scope, ids)))
    conditions.append((OfficeAlarm, _alarms(plans)))
    conditions.append((Publication, Publication.id.in_(_publications(ids))))
    return tuple(
        with_loader_criteria(model, condition, include_aliases=True) for model, condition in conditions
    )


def _below(path: Any, scope: Scope) -> ColumnElement[bool]:
    parts = [path.startswith(head, autoescape=True) for head in scope.paths]
    return or_(*parts) if parts else false()


def _has_parent(model: Any, column: Any, parent: Any, ids: Select[tuple[int]]) -> ColumnElement[bool]:
    table = parent.__table__
    return select(table.c.id).where(table.c.id == column, table.c.unit_id.in_(ids)).correlate(model).exists()


def _recorded(model: Any, columns: Any, ids: Select[tuple[int]]) -> ColumnElement[bool]:
    """Of calls to units in scope, and of phone records of theirs; a report is its bringer's until it has a record.

    Row by row: as a list of keys it would be all recordings, gone through for each page.
    """
    records = PhoneRecord.__table__
    of_it = select(records.c.id).where(records.c.recording_id == columns.id)
    told = of_it.where(records.c.unit_id.in_(ids)).correlate(model).exists()
    untold = ~of_it.correlate(model).exists()
    return or_(columns.unit_id.in_(ids), and_(columns.kind == "report", or_(told, untold)))


def _of_recorded(model: Any, ids: Select[tuple[int]]) -> ColumnElement[bool]:
    """Of a recording in scope."""
    sounds = Recording.__table__
    of_it = select(sounds.c.id).where(sounds.c.id == model.recording_id, _recorded(sounds, sounds.c, ids))
    return of_it.correlate(model).exists()


def _plans(scope: Scope, dialect: str) -> Select[tuple[int]]:
    """Plans that name subtrees, all of them in scope: one that names none chooses from every unit."""
    plans = Plan.__table__
    if dialect == "sqlite":
        there = func.json_array_length(plans.c.content, "$.units.subtrees") > 0
        named = func.json_each(plans.c.content, "$.units.subtrees").table_valued("value", name="named")
    else:
        subtrees = func.json_extract_path(plans.c.content, "units", "subtrees")
        there = func.json_array_length(subtrees) > 0
        named = func.json_array_elements_text(subtrees).table_valued("value", name="named")
    key = _key_text(named.c.value)
    inside = exists(select(literal(1)).select_from(UNITS).where(_key_text(UNITS.c.id) == key, within(scope)))
    outside = exists(select(literal(1)).select_from(named).where(~inside))
    return select(plans.c.id).where(there, ~outside)


def _key_text(key: ColumnElement[Any]) -> ColumnElement[str]:
    return cast(key, String)


def _stops(scope: Scope, ids: Select[tuple[int]]) -> ColumnElement[bool]:
    """Stops that hold for some unit in scope: of every unit, of units above it, in it."""
    above = sorted({int(part) for path in scope.paths for part in path.split("/") if part})
    return or_(
        EmergencyStop.unit_id.is_(None), EmergencyStop.unit_id.in_(ids), EmergencyStop.unit_id.in_(above)
    )


def _alarms(plans: Select[tuple[int]]) -> ColumnElement[bool]:
    """Alarms of our own side; those of a plan are for who sees the plan."""
    inner = plans.subquery()
    seen = exists().where(OfficeAlarm.subject == literal("plan:").concat(_key_text(inner.c.id)))
    return or_(~OfficeAlarm.subject.startswith("plan:"), seen)


def _publications(ids: Select[tuple[int]]) -> Select[tuple[int]]:
    """Publications that name a finding of a unit in scope."""
    entries, cases = PublicationEntry.__table__, Case.__table__
    return (
        select(entries.c.publication_id)
        .join(cases, cases.c.id == entries.c.case_id)
        .where(cases.c.unit_id.in_(ids))
    )


@listens_for(Session, "do_orm_execute")
def _limit(state: ORMExecuteState) -> None:
    scope = limits()
    if scope is None or state.execution_options.get("every_unit"):
        return
    if state.is_select or state.is_update or state.is_delete:
        dialect = state.session.get_bind().dialect.name
        state.statement = state.statement.options(*criteria(scope, dialect))

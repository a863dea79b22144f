"""Spot checks, the attempt ledger, and what a call leaves behind.

A spot check (抽查) is an order to call one line at one moment. An attempt is one dial of it. Its row is
committed before the first INVITE leaves, and a partial unique index lets one live attempt at a time stand on
a line.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Computed,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
    and_,
    bindparam,
    false,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.checks import shelves
from app.checks.copies import (
    ListCopies,
    counted_index,
    fill_counts,
    fill_evidence,
    fill_unit,
    indices,
    only,
    recording_indices,
)
from app.database import Base, BigId, one_of
from app.directory.models import DutyLine, Unit
from app.planning.models import Plan

LIVE_STATES = ("claimed", "dialling", "ringing", "connected")
ATTEMPT_STATES = (*LIVE_STATES, "finished", "interrupted", "failed")
CHECK_STATES = ("planned", "due", "claimed", "retry", "done", "missed", "withdrawn")
"""`retry`: its last call asks for another, which comes at `due_at`; then it is `due` once more."""
CHECK_KINDS = ("random", "designated", "verification", "demo")
"""计划抽查, 指定抽查, 核号 (never scored), 演示."""
MITIGATIONS = ("called_back", "hung_up_to_verify", "refused_numbers", "other")
_LIVE_SQL = "state IN ('claimed', 'dialling', 'ringing', 'connected')"

RECORDING_KINDS = ("check", "report")  # of a call of ours; of one that came in, as a file


class SpotCheck(Base):
    """An order to call a line at or after `due_at`, with its repeats. Those of a plan appear here once they are due."""

    __tablename__ = "spot_checks"
    __table_args__ = (
        CheckConstraint(one_of("state", CHECK_STATES), name="state"),
        CheckConstraint(one_of("kind", CHECK_KINDS), name="kind"),
        Index("ix_spot_checks_state_due_at", "state", "due_at"),
        Index("ix_spot_checks_line_id_due_at", "line_id", "due_at"),
        # Of the lists, newest first; what stands behind the key lets them filter without reading the row.
        Index("ix_spot_checks_newest", "first_due_at", "id"),
        Index("ix_spot_checks_shelf", "shelf", "first_due_at", "id", "unit_id", "plan_id"),
        Index("ix_spot_checks_of_unit", "unit_id", "first_due_at", "id", "shelf", "plan_id"),
        Index("ix_spot_checks_of_line", "line_id", "first_due_at", "id", "shelf"),
        Index("ix_spot_checks_of_plan", "plan_id", "first_due_at", "id", "shelf", "unit_id"),
        counted_index(),
        UniqueConstraint("run_id", "epoch", "slot"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    line_id: Mapped[int] = mapped_column(ForeignKey("duty_lines.id", ondelete="RESTRICT"))
    unit_id: Mapped[int] = mapped_column(ForeignKey("units.id", ondelete="RESTRICT"))
    """The unit that answered for the line when the check was ordered; taken from the line unless given."""
    plan_id: Mapped[int | None] = mapped_column(ForeignKey("plans.id", ondelete="SET NULL"))
    kind: Mapped[str] = mapped_column(String(20), default="designated", server_default="designated")
    """`random`: drawn by a plan, the only kind that random statistics count."""
    run_id: Mapped[int | None] = mapped_column(ForeignKey("plan_runs.id", ondelete="RESTRICT"))
    epoch: Mapped[int | None]
    """Number of the draw, within its run, that gave the moment."""
    slot: Mapped[int | None]
    """Number of the order within its draw."""
    ordered_by: Mapped[str] = mapped_column(String(80), default="", server_default="")
    due_at: Mapped[datetime]
    """When it is to be called; of a repeat: when that is."""
    first_due_at: Mapped[datetime]
    """The moment of the first call, as drawn or ordered; `due_at` unless given."""
    closed_at: Mapped[datetime | None]
    """When nothing more was to be called for it."""
    closed_why: Mapped[str] = mapped_column(String(40), default="", server_default="")
    """Why nothing more is called: a `Why` of `app.checks.retry` or `app.checks.permission`; empty: not closed yet."""
    state: Mapped[str] = mapped_column(String(20), default="planned")
    reason: Mapped[str] = mapped_column(String(200), default="")
    """Why this line, why now, e.g. 计划抽查 or 指定抽查."""
    created_at: Mapped[datetime]
    code: Mapped[str | None] = mapped_column(String(40))
    """With the two below: of the proposal under the rules in force, copied here for the lists."""
    adverse: Mapped[bool | None]
    needs_review: Mapped[bool | None]
    counts: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether a call of it says anything of the unit: it has a verdict that is not of ours (`app.checks.copies`)."""
    shelf: Mapped[str] = mapped_column(
        String(shelves.SHELF_LENGTH),
        Computed(shelves.sql(shelves.ORDER_LABELS), persisted=True),
        deferred=True,
    )

    line: Mapped[DutyLine] = relationship(lazy="raise")
    unit: Mapped[Unit] = relationship(lazy="raise")
    plan: Mapped[Plan | None] = relationship(lazy="raise")
    attempts: Mapped[list[Attempt]] = relationship(
        back_populates="check", lazy="raise", order_by="Attempt.number"
    )


class Attempt(ListCopies, Base):
    """One dial. The ledger's row and, once the call is over, the columns that lists need."""

    __tablename__ = "attempts"
    __table_args__ = (
        CheckConstraint(one_of("state", ATTEMPT_STATES), name="state"),
        UniqueConstraint("check_id", "number"),
        Index("uq_attempts_live_line", "line_id", unique=True, **only(_LIVE_SQL)),
        Index("ix_attempts_line_id_id", "line_id", "id"),
        Index("ix_attempts_claimed_at_id", "claimed_at", "id"),
        Index("ix_attempts_verdict_code_claimed_at_id", "verdict_code", "claimed_at", "id"),
        Index("ix_attempts_shelf", "shelf", "claimed_at", "id", "unit_id"),
        Index("ix_attempts_of_check", "check_id", "unit_id", "id"),
        Index("ix_attempts_of_unit", "unit_id", "claimed_at", "id", "shelf"),
        *indices(),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    check_id: Mapped[int] = mapped_column(ForeignKey("spot_checks.id", ondelete="RESTRICT"))
    number: Mapped[int] = mapped_column(default=1)
    """1 for the first dial of its check."""
    line_id: Mapped[int] = mapped_column(ForeignKey("duty_lines.id", ondelete="RESTRICT"))
    unit_id: Mapped[int] = mapped_column(ForeignKey("units.id", ondelete="RESTRICT"))
    target: Mapped[str] = mapped_column(String(255))
    """What was dialled, as it stood in the directory then."""
    state: Mapped[str] = mapped_column(String(20), default="claimed")
    owner: Mapped[str] = mapped_column(String(80))
    """The phone process that holds it."""
    claimed_at: Mapped[datetime]
    lease_until: Mapped[datetime | None]
    """Until when its owner is taken to be alive; it is put off as long as the call lasts."""
    clock_offset_ms: Mapped[float | None]
    """How far this machine's clock was from the reference at the call, positive: ahead; None: not known."""
    opening_sha256: Mapped[str | None] = mapped_column(String(64))
    """Of the opening that was to be played after the answer; None: none was."""
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    call_id: Mapped[str | None] = mapped_column(String(255))
    snapshot: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """The dialog as the phone last wrote it down, for the BYE after a crash."""
    released_at: Mapped[datetime | None]
    """When an interrupted attempt's far end was released."""
    error: Mapped[str | None] = mapped_column(Text)

    outcome: Mapped[str | None] = mapped_column(String(20))
    answered_by: Mapped[str | None] = mapped_column(String(20))
    ring_to_answer_ms: Mapped[float | None]
    ring_to_answer_min_ms: Mapped[float | None]
    rings: Mapped[int | None]
    post_dial_delay_ms: Mapped[float | None]
    """From the INVITE to the ringing: the line's history, by which a later call rings late or not."""
    trunk: Mapped[str | None] = mapped_column(String(64))
    """Name of the trunk that carried the call; None for an attempt that never left, or of an earlier version."""
    three_ring: Mapped[str | None] = mapped_column(String(20))
    verdict_code: Mapped[str | None] = mapped_column(String(40))
    needs_review: Mapped[bool | None]
    shelf: Mapped[str] = mapped_column(
        String(shelves.SHELF_LENGTH),
        Computed(shelves.sql(shelves.ATTEMPT_LABELS), persisted=True),
        deferred=True,
    )

    check: Mapped[SpotCheck] = relationship(back_populates="attempts", lazy="raise")
    line: Mapped[DutyLine] = relationship(lazy="raise")
    unit: Mapped[Unit] = relationship(lazy="raise")
    facts: Mapped[CallFacts | None] = relationship(lazy="raise")
    recording: Mapped[Recording | None] = relationship(lazy="raise")
    verdicts: Mapped[list[StoredVerdict]] = relationship(lazy="raise", order_by="StoredVerdict.id")
    events: Mapped[list[AttemptEvent]] = relationship(lazy="raise", order_by="AttemptEvent.id")
    targets: Mapped[list[AttemptTarget]] = relationship(lazy="raise", order_by="AttemptTarget.position")


IS_LIVE = Attempt.state.in_(
    bindparam("live_states", LIVE_STATES, expanding=True, literal_execute=True, type_=String())
)
"""The condition on attempts under way, with its words written out: only so does the partial index above serve it."""
IS_COUNTED = and_(
    SpotCheck.counts,
    SpotCheck.kind.concat(SpotCheck.state)
    == bindparam("counted_as", "randomdone", literal_execute=True, type_=String()),
)
"""The same of random checks that are over and count. Both words in one: by its state alone a planner would go through
everybody's checks."""


class AttemptTarget(Base):
    """One INVITE of an attempt: which trunk it left by and what came of it.

    The row is committed before its INVITE leaves. Two indices hold what an attempt may do: one target is open at
    a time, and one target at most alerts the line.
    """

    __tablename__ = "attempt_targets"
    __table_args__ = (
        CheckConstraint("position >= 1", name="position"),
        UniqueConstraint("attempt_id", "position"),
        Index("uq_attempt_targets_open", "attempt_id", unique=True, **only("ended_at IS NULL")),
        Index("uq_attempt_targets_alerted", "attempt_id", unique=True, **only("alerted")),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    attempt_id: Mapped[int] = mapped_column(ForeignKey("attempts.id", ondelete="RESTRICT"))
    position: Mapped[int]
    """1 for the first target of its attempt."""
    trunk: Mapped[str | None] = mapped_column(String(64))
    """Name of the trunk; None for a SIP URI that was called directly."""
    uri: Mapped[str] = mapped_column(String(400))
    """What stood in the INVITE, as far as the phone wrote it down; else what was ordered."""
    call_id: Mapped[str | None] = mapped_column(String(255))
    started_at: Mapped[datetime]
    alerted: Mapped[bool] = mapped_column(default=False)
    """More than a 100 came back: no further target may be tried."""
    ended_at: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(String(40))
    """`passed_on` where the next target was tried, else the outcome of its call, `interrupted` or `failed`."""
    sip_status: Mapped[int | None]
    snapshot: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    released_at: Mapped[datetime | None]
    """When its far end had nothing more to be told."""


class AttemptEvent(Base):
    """A step of an attempt as the ledger saw it; rows are only ever added."""

    __tablename__ = "attempt_events"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    attempt_id: Mapped[int] = mapped_column(ForeignKey("attempts.id", ondelete="RESTRICT"), index=True)
    at: Mapped[datetime]
    state: Mapped[str] = mapped_column(String(20))
    detail: Mapped[str] = mapped_column(Text, default="")


class CallFacts(Base):
    """The call record's JSON, stored as it was given and never changed."""

    __tablename__ = "call_facts"

    attempt_id: Mapped[int] = mapped_column(
        ForeignKey("attempts.id", ondelete="RESTRICT"), primary_key=True, autoincrement=False
    )
    content: Mapped[dict[str, Any]] = mapped_column(JSON(none_as_null=True))


class Recording(Base):
    """A finished sound file; left us, right them. The row outlives the sound: its hash stays when the sound is gone."""

    __tablename__ = "recordings"
    __table_args__ = (
        CheckConstraint(one_of("kind", RECORDING_KINDS), name="kind"),
        CheckConstraint("(kind = 'check') = (attempt_id IS NOT NULL)", name="origin"),
        CheckConstraint("gone_at IS NULL OR gone_why IS NOT NULL", name="gone"),
        Index("ix_recordings_keep_until", "keep_until"),
        Index("ix_recordings_created_at_id", "created_at", "id"),
        Index("ix_recordings_sha256", "sha256"),
        *recording_indices(),
        # What a phone record points to, so that none can be made of a check.
        UniqueConstraint("id", "kind"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    kind: Mapped[str] = mapped_column(String(20), default="check", server_default="check")
    attempt_id: Mapped[int | None] = mapped_column(
        ForeignKey("attempts.id", ondelete="RESTRICT"), unique=True
    )
    unit_id: Mapped[int | None] = mapped_column(BigId)
    """That was called, copied from the attempt for the lists; None for a report: its phone records name units."""
    path: Mapped[str] = mapped_column(String(400))  # its key in the archive
    sha256: Mapped[str] = mapped_column(String(64))
    duration_ms: Mapped[float]
    channels: Mapped[int]
    sample_rate: Mapped[int]
    repaired: Mapped[bool] = mapped_column(default=False)
    """Made from the capture of a killed process."""
    gaps: Mapped[list[Any]] = mapped_column(JSON(none_as_null=True), default=list, server_default="[]")
    """Stretches of silence that stand for sound which was lost: `{"channel", "start_ms", "end_ms", "why"}`."""
    keep_until: Mapped[datetime | None]
    """When retention lets it go, unless something holds it; None: not settled yet, it is kept."""
    gone_at: Mapped[datetime | None]  # when its sound was deleted
    gone_why: Mapped[str | None] = mapped_column(String(20))
    """`expired`, `removed` (before its time, by two), `withdrawn` (封存): set first, from then on nobody hears it."""
    gone_by: Mapped[str | None] = mapped_column(String(80))
    gone_reason: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]


class StoredVerdict(Base):
    """A verdict as computed by one version of the rules; recomputing adds a row, it replaces none."""

    __tablename__ = "verdicts"
    __table_args__ = (UniqueConstraint("attempt_id", "rule_set"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    attempt_id: Mapped[int] = mapped_column(ForeignKey("attempts.id", ondelete="RESTRICT"))
    rule_set: Mapped[str] = mapped_column(String(80))
    code: Mapped[str] = mapped_column(String(40))
    lawful: Mapped[bool | None]
    needs_review: Mapped[bool]
    content: Mapped[dict[str, Any]] = mapped_column(JSON(none_as_null=True))
    judged_at: Mapped[datetime]


class StoredProposal(Base):
    """What one rule set makes of an order, all its attempts together. Another rule set adds a row, it replaces none."""

    __tablename__ = "proposals"
    __table_args__ = (UniqueConstraint("check_id", "rule_set"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    check_id: Mapped[int] = mapped_column(ForeignKey("spot_checks.id", ondelete="RESTRICT"))
    rule_set: Mapped[str] = mapped_column(String(120))
    """Name and version of the rules that were applied."""
    in_force: Mapped[bool]
    """Whether these were the rules in force at the call; others only compare."""
    code: Mapped[str] = mapped_column(String(40))
    content: Mapped[dict[str, Any]] = mapped_column(JSON(none_as_null=True))
    judged_at: Mapped[datetime]


class Mitigation(Base):
    """What speaks for the unit beside an order: a call back, hanging up to verify us, not telling strangers numbers."""

    __tablename__ = "mitigations"
    __table_args__ = (CheckConstraint(one_of("kind", MITIGATIONS), name="kind"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    check_id: Mapped[int] = mapped_column(ForeignKey("spot_checks.id", ondelete="RESTRICT"), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    at: Mapped[datetime]
    number: Mapped[str] = mapped_column(String(40), default="")
    """Of the caller, for a call back."""
    note: Mapped[str] = mapped_column(Text, default="")
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[str] = mapped_column(String(80))


class EmergencyStop(Base):
    """紧急停拨: no call to these units leaves until it is lifted by hand."""

    __tablename__ = "emergency_stops"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("units.id", ondelete="RESTRICT"))
    """Head of the subtree; None: all units."""
    reason: Mapped[str] = mapped_column(Text)
    placed_at: Mapped[datetime]
    placed_by: Mapped[str] = mapped_column(String(80))
    lifted_at: Mapped[datetime | None]
    lifted_by: Mapped[str | None] = mapped_column(String(80))
    lift_reason: Mapped[str | None] = mapped_column(Text)


class Lease(Base):
    """Who holds a part that only one process may play, e.g. the clock, and until when."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    holder: Mapped[str] = mapped_column(String(80))
    until: Mapped[datetime]


class OfficeAlarm(Base):
    """Something on our side that a person must see to: the clock, the calendar's end, coverage that cannot be met."""

    __tablename__ = "office_alarms"
    __table_args__ = (
        Index("uq_office_alarms_standing", "kind", "subject", unique=True, **only("cleared_at IS NULL")),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    kind: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(80), default="")
    detail: Mapped[str] = mapped_column(Text)
    raised_at: Mapped[datetime]
    cleared_at: Mapped[datetime | None]


shelves.fill_copies(SpotCheck, Attempt, StoredProposal)
fill_counts(SpotCheck, Attempt)
fill_unit(Recording, Attempt)
fill_evidence(Attempt, StoredVerdict, CallFacts)

"""The way of a case as data: which step leads from which state to which.

A case (待核事项) begins as the machine's proposal and counts as a finding in the states of `models.COUNTING` alone.
Each step is a row of `case_events`. What a step asks for beyond its state stands in `service`: who may take it, what
must have been heard, which deadline must be over. `review_states_page` is docs/reference/review-states.md; a test
compares them.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class State(StrEnum):
    """Where a case stands."""

    TO_REVIEW = "to_review"
    PROPOSED = "proposed"
    NOTIFIED = "notified"
    DISPUTED = "disputed"
    CONFIRMED = "confirmed"
    REVOKED = "revoked"
    PUBLISHED = "published"
    OVERTURNED = "overturned"


class Step(StrEnum):
    """What a person does with a case."""

    PROPOSE = "propose"
    NOTIFY = "notify"
    ACCEPT = "accept"
    DISPUTE = "dispute"
    CONFIRM = "confirm"
    UPHOLD = "uphold"
    REVOKE = "revoke"
    PUBLISH = "publish"
    OVERTURN = "overturn"
    ATTACH = "attach"
    COMMENT = "comment"


OPENED = "open"
"""Action of a case's first event."""

STATE_ZH: Mapping[State, str] = MappingProxyType(
    {
        State.TO_REVIEW: "待复核",
        State.PROPOSED: "拟认定",
        State.NOTIFIED: "已告知",
        State.DISPUTED: "申辩",
        State.CONFIRMED: "认定",
        State.REVOKED: "撤销",
        State.PUBLISHED: "已通报",
        State.OVERTURNED: "通报后撤销",
    }
)
DECIDED = frozenset({State.CONFIRMED, State.REVOKED, State.PUBLISHED, State.OVERTURNED})
"""A person has decided: nothing waits for anybody."""
STEP_ZH: Mapping[Step, str] = MappingProxyType(
    {
        Step.PROPOSE: "复核后拟认定",
        Step.NOTIFY: "发核实通知单",
        Step.ACCEPT: "单位无异议",
        Step.DISPUTE: "单位申辩",
        Step.CONFIRM: "认定",
        Step.UPHOLD: "申辩不成立，维持",
        Step.REVOKE: "撤销",
        Step.PUBLISH: "通报",
        Step.OVERTURN: "通报后撤销",
        Step.ATTACH: "附材料",
        Step.COMMENT: "批注",
    }
)
_MEANING: Mapping[State, str] = MappingProxyType(
    {
        State.TO_REVIEW: "The machine, or a check by hand, has put something forward. Nobody has looked at it yet.",
        State.PROPOSED: "A named person has listened to the calls and takes it for a finding.",
        State.NOTIFIED: "The unit has the 核实通知单 and may answer until its deadline.",
        State.DISPUTED: "The unit has answered with grounds; somebody other than the confirmer decides.",
        State.CONFIRMED: "It is a finding and counts.",
        State.REVOKED: "It is no finding and never was one. The end.",
        State.PUBLISHED: "It is a finding, counts, and stands in a table or bulletin.",
        State.OVERTURNED: "It was published and is no finding any more; what it stood in is listed. The end.",
    }
)
_ASKS: Mapping[Step, str] = MappingProxyType(
    {
        Step.PROPOSE: "the recordings of the order were played or downloaded; where there is none: in words, on what "
        "it rests; 脱岗: an on-site or video check, a superior's finding or an admission",
        Step.NOTIFY: "where to answer; two working days unless another number is given",
        Step.ACCEPT: "who of the unit says so",
        Step.DISPUTE: "grounds and who gives them; after the deadline it is accepted and marked late",
        Step.CONFIRM: "the deadline is over, or the unit accepts",
        Step.UPHOLD: "a reason; not by the confirmer",
        Step.REVOKE: "a cause and a reason; while a dispute is open not by the confirmer",
        Step.PUBLISH: "a publication that names the case",
        Step.OVERTURN: "a reason; while a dispute is open not by the confirmer; every publication is listed",
        Step.ATTACH: "a file within the bounds",
        Step.COMMENT: "words",
    }
)

BESIDE = (Step.ATTACH, Step.COMMENT)
"""Steps that leave a case where it stands."""
_OPEN = (State.TO_REVIEW, State.PROPOSED, State.NOTIFIED, State.DISPUTED, State.CONFIRMED, State.PUBLISHED)

TRANSITIONS: Mapping[tuple[State, Step], State] = MappingProxyType(
    {
        (State.TO_REVIEW, Step.PROPOSE): State.PROPOSED,
        (State.TO_REVIEW, Step.REVOKE): State.REVOKED,
        (State.PROPOSED, Step.NOTIFY): State.NOTIFIED,
        (State.PROPOSED, Step.REVOKE): State.REVOKED,
        (State.NOTIFIED, Step.ACCEPT): State.NOTIFIED,
        (State.NOTIFIED, Step.DISPUTE): State.DISPUTED,
        (State.NOTIFIED, Step.CONFIRM): State.CONFIRMED,
        (State.NOTIFIED, Step.REVOKE): State.REVOKED,
        (State.DISPUTED, Step.DISPUTE): State.DISPUTED,
        (State.DISPUTED, Step.UPHOLD): State.CONFIRMED,
        (State.DISPUTED, Step.REVOKE): State.REVOKED,
        # An answer that comes, or is entered, only after the confirmation: it counts no longer until it is decided.
        (State.CONFIRMED, Step.DISPUTE): State.DISPUTED,
        (State.CONFIRMED, Step.PUBLISH): State.PUBLISHED,
        (State.CONFIRMED, Step.REVOKE): State.REVOKED,
        # What is published stays so until it is overturned: an answer after it is kept beside it and decided.
        (State.PUBLISHED, Step.DISPUTE): State.PUBLISHED,
        (State.PUBLISHED, Step.UPHOLD): State.PUBLISHED,
        (State.PUBLISHED, Step.PUBLISH): State.PUBLISHED,
        (State.PUBLISHED, Step.OVERTURN): State.OVERTURNED,
    }
    | {(state, step): state for state in _OPEN for step in BESIDE}
)
"""The whole machine. What is not here cannot be done; no step leads back to `to_review`."""


def steps_from(state: State) -> tuple[Step, ...]:
    """What may be done with a case in this state, in the order of the table."""
    return tuple(step for source, step in TRANSITIONS if source is state)


_HEAD = """# Review: states and steps of a case

This page is made by `app.reviews.states.review_states_page()` from the table that drives the review. A case counts in
scores, tables and bulletins in the states `confirmed` and `published` alone.
"""


def review_states_page() -> str:
    """Return docs/reference/review-states.md."""
    lines = [_HEAD, "```mermaid", "stateDiagram-v2", f"    [*] --> {State.TO_REVIEW}: {OPENED}"]
    lines += [
        f"    {source} --> {target}: {step}"
        for (source, step), target in TRANSITIONS.items()
        if step not in BESIDE
    ]
    ends = [state for state in State if not steps_from(state)]
    lines += [f"    {state} --> [*]" for state in ends]
    lines += ["```", "", "`attach` and `comment` are possible in every state that is not an end.", ""]
    lines += ["## States", "", "| state | 状态 | what it means |", "|---|---|---|"]
    lines += [f"| `{state}` | {STATE_ZH[state]} | {_MEANING[state]} |" for state in State]
    lines += ["", "## Steps", "", "| step | 步骤 | from | what it asks for |", "|---|---|---|---|"]
    lines += [f"| `{step}` | {STEP_ZH[step]} | {_sources(step)} | {_ASKS[step]} |" for step in Step]
    return "\n".join([*lines, ""])


def _sources(step: Step) -> str:
    return ", ".join(f"`{state}`" for state, taken in TRANSITIONS if taken is step)

"""What the list of records shows: its columns, and the cells of a row. No words here: they stand in the templates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from app.checks import proposal_codes
from app.checks.models import Attempt
from app.checks.rules import Rules
from app.checks.wording import SIGNS
from app.reports.filters import KINDS_ZH, PROOFS, PROOFS_ZH
from app.reviews.states import DECIDED, STATE_ZH, State
from app.tables.cells import mask_mobiles
from app.web.views import RowView, row

COLUMNS: Mapping[str, str] = {
    "line": "值班电话",
    "kind": "方式",
    "plan": "计划",
    "outcome": "接听情况",
    "answerer": "应答者",
    "ring": "响铃",
    "verdict": "结论（拟）",
    "proposal": "拟认定",
    "proof": "证据",
    "standing": "认定",
    "reviewer": "复核人",
    "person": "人工办理",
}
"""Columns that can be chosen, in their order; time and unit are always there."""
USUAL = ("line", "outcome", "answerer", "ring", "verdict", "person")


@dataclass(frozen=True, slots=True)
class Record:
    """One call in the list."""

    row: RowView
    kind: str
    plan: str
    proposal: str
    proof: str
    sign: str
    standing: str
    decided: bool
    """A person has decided on what was found: it waits for nobody."""
    reviewer: str

    @property
    def moving(self) -> bool:
        """A person has taken it up, and has not decided yet."""
        return bool(self.standing) and not self.decided and self.standing != STATE_ZH[State.TO_REVIEW]


def record(
    attempt: Attempt,
    zone: ZoneInfo,
    rules: Rules,
    rang_ms: float | None,
    plans: Mapping[int, str],
    *,
    numbers: bool,
) -> Record:
    """Make one row; words in Chinese, empty where there is nothing to say. Mobile `numbers` are whole, or masked."""
    proposal = proposal_codes.CODES.get(attempt.proposal_code or "")
    shown = row(attempt, zone, rules, rang_ms)
    return Record(
        row=shown if numbers else replace(shown, line=mask_mobiles(shown.line)),
        kind=KINDS_ZH.get(attempt.kind, attempt.kind),
        plan=plans.get(attempt.plan_id or 0, ""),
        proposal="" if proposal is None else proposal.zh,
        proof=next((PROOFS_ZH[key] for key, grades in PROOFS.items() if attempt.grade in grades), ""),
        sign=SIGNS.get(attempt.sign or "", ""),
        standing=STATE_ZH[State(attempt.case_state)] if attempt.case_state else "",
        decided=attempt.case_state in DECIDED,
        reviewer=attempt.reviewer or "",
    )


def chosen(wanted: Sequence[str] | None) -> tuple[str, ...]:
    """The columns to be shown, in their order; the usual ones where nothing was chosen."""
    return tuple(name for name in COLUMNS if name in (USUAL if wanted is None else wanted))

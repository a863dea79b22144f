"""Any order gets one proposal that holds, and every code stands on its page."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from app.checks.facts import Facts
from app.checks.proposal import Spared, propose
from app.checks.proposal_codes import CODES, OUR_FAULT
from app.rules.codes import SUPPORTED
from app.rules.force import nothing_in_force
from tests.unit.test_app_proposal import DOCS, ROWS, SETS, force, order
from tests.unit.test_app_verdict import RULES

FACTS = [row[1].order.calls[n].facts for row in ROWS for n in range(len(row[1].order.calls))]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from(FACTS), max_size=4),
    st.sampled_from([60.0, 660.0, 1900.0]),
    st.sampled_from(sorted(SETS)),
    st.sampled_from(["county", "town", "city", "other", "city_department"]),
    st.booleans(),
    st.booleans(),
)
def test_any_order_has_one_proposal_that_holds(
    given_facts: list[Facts | None], gap_s: float, key: str, category: str, spared: bool, in_force: bool
) -> None:
    rules = force(key) if in_force else nothing_in_force()
    more = {"spared": (Spared("maintenance", "检修"),)} if spared else {}
    case = order(*given_facts, gap_s=gap_s, category=category, **more)
    proposal = propose(case, rules, RULES)
    assert proposal.to_dict() == propose(case, rules, RULES).to_dict()
    for item in proposal.findings:
        assert item.code in CODES
        assert not (item.adverse and item.needs_review)
        if item.adverse:
            assert item.clauses
            assert in_force
            assert not spared
            assert item.grade in ("definitive", "near_proof", "strong", "medium")
            rested = [call for call in case.calls if call.attempt_id in item.attempts]
            assert all(call.verdict.code not in OUR_FAULT for call in rested)
        if item.code == "no_answer":
            assert len(item.attempts) >= 2
    codes = [item.code for item in proposal.findings]
    assert len(codes) == len(set(codes))


def test_every_code_and_finding_is_documented() -> None:
    page = (DOCS / "verdicts.md").read_text(encoding="utf-8")
    for code, info in CODES.items():
        assert f"| `{code}` | {info.zh} |" in page, code
    for code, finding in SUPPORTED.items():
        assert f"| `{code}` | {finding.zh} |" in page, code

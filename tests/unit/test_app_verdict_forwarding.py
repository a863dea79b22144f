"""Every kind of evidence of forwarding before the verdict: proposed, reviewed, exempted, and named in Chinese."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import pytest

from app.checks import wording
from app.checks.facts import Sign
from app.checks.rules import Exemptions
from app.checks.verdict import judge
from sip.record import EvidenceKind
from tests.unit.test_app_verdict import NONE, RULES, answered, forwarded

SURE = ("sip_181", "redirect", "history_info", "diversion", "redirection_number")
"""Kinds that prove by themselves."""


def grades_of(kind: str) -> tuple[Any, ...]:
    """The grades that a kind of evidence may have, weakest first."""
    if kind in SURE:
        return ("definitive",)
    strong = (
        ("strong",) if kind in ("asserted_identity", "mobile_announcement", "transfer_announcement") else ()
    )
    return ("weak", "medium", *strong)


EVERY_SIGN = [(kind, grade) for kind in get_args(EvidenceKind) for grade in grades_of(kind) if kind != "crbt"]


@pytest.mark.parametrize(("kind", "grade"), EVERY_SIGN)
def test_every_kind_of_evidence_is_proposed_or_reviewed_and_respects_an_exemption(
    kind: str, grade: Any
) -> None:
    facts = forwarded(grade, kind)
    verdict = judge(facts, RULES, NONE)
    assert verdict.code == ("forwarded" if kind in SURE else "forwarding_review")
    assert verdict.needs_review
    (finding,) = verdict.findings
    assert (finding.grade, finding.t_ms) == (grade, 300.0)
    assert finding.detail not in ("", "有呼叫转移迹象")
    assert [clause.words for clause in finding.clauses] == ["严禁呼叫转移、设置彩铃或处理与值班无关的事务"]
    exempted = judge(facts, RULES, Exemptions(forwarding="工作时间准予转移"))
    assert (exempted.code, exempted.lawful, exempted.findings) == ("within", True, ())
    assert exempted.exempted == ("工作时间准予转移",)
    assert judge(facts, RULES, Exemptions(crbt="号码迁移期间", fax="防汛")).code == verdict.code


def test_near_proof_of_two_signs_is_proposed_by_the_stronger_of_them() -> None:
    signs = (Sign("crbt", "weak", 200.0, "x"), Sign("mobile_announcement", "strong", 300.0, "x"))
    facts = answered(
        6, forwarding_grade="near_proof", signs=(*signs, Sign("asserted_identity", "strong", 6000.0, "x"))
    )
    (finding,) = judge(facts, RULES, NONE).findings
    assert (finding.code, finding.grade, finding.t_ms) == ("forwarded", "near_proof", 300.0)


def test_weak_signs_beside_an_exempted_colour_ring_name_the_other_sign() -> None:
    signs = (Sign("crbt", "weak", 200.0, "x"), Sign("late_ringing", "weak", 9000.0, "x"))
    facts = answered(6, forwarding_grade="weak", signs=signs)
    (finding,) = judge(facts, RULES, Exemptions(crbt="号码迁移期间")).findings
    assert (finding.code, finding.t_ms) == ("forwarding_review", 9000.0)
    assert judge(facts, RULES, Exemptions(forwarding="准予", crbt="号码迁移期间")).code == "within"


def test_a_call_that_stays_within_its_unit_is_for_a_person_to_judge() -> None:
    facts = forwarded(
        "definitive", "history_info", forwarding_target="09173262001", forwarding_class="same_unit"
    )
    verdict = judge(facts, RULES, NONE)
    assert (verdict.code, verdict.lawful) == ("forwarding_review", None)
    assert verdict.findings[0].detail.endswith("转至本单位号码 09173262001")
    assert judge(replace(facts, forwarding_class="mobile"), RULES, NONE).code == "forwarded"


@pytest.mark.parametrize("kind", get_args(EvidenceKind))
def test_every_kind_of_evidence_has_words_of_its_own(kind: str) -> None:
    words = {wording.forwarding_sign(other, None) for other in get_args(EvidenceKind)}
    assert len(words) == len(get_args(EvidenceKind))
    assert wording.forwarding_sign("", None) not in words
    assert wording.forwarding_sign(kind, "13900000000").endswith("，转至 13900000000")

"""The table of verdicts, row by row: what is made of an order, all its calls together."""

from __future__ import annotations

import dataclasses
import json
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.checks.facts import Facts, Sign
from app.checks.order_reading import Call
from app.checks.proposal import Mitigating, Order, Proposal, Spared, propose
from app.checks.proposal_codes import ADVERSE, CODES, OUR_FAULT, REVIEWED
from app.checks.rules import Exemptions, Rules
from app.checks.verdict import judge, judge_failed, judge_interrupted
from app.planning.calendar import DayInfo
from app.rules.codes import BY_TELEPHONE, FINDINGS
from app.rules.force import RulesInForce, nothing_in_force
from app.rules.library import shipped
from app.rules.own import parse_own
from tests.unit.test_app_verdict import NONE, RULES, answered, crbt, failed, forwarded

ZONE = ZoneInfo("Asia/Shanghai")
START = datetime(2026, 10, 1, 20, 27, 13, 482_000, tzinfo=ZONE)
WORKDAY = DayInfo(date(2026, 10, 8), "workday", known=True)
HOLIDAY = DayInfo(date(2026, 10, 1), "holiday", name="国庆节", known=True)
SETS = {rules.key: rules for rules in shipped()}
DOCUMENT = "《云溪县值班抽查办法》"
DOCS = Path(__file__).parents[2] / "docs" / "reference"

MISSED = failed("no_answer", ring_started_ms=200.0)
BUSY = failed("busy", sip_status=486)


def force(key: str, **own: Any) -> RulesInForce:
    return RulesInForce(SETS[key], parse_own(own), DOCUMENT)


BAOJI = force("baoji-2022")
LOCAL = force(
    "neutral",
    words={
        mark: {"article": "第九条", "words": "本县的规定"}
        for mark in ("answer", "in-time", "no-mobile-forwarding", "no-crbt", "fax-apart", "attended")
    },
)


def calls(*given: Facts | None, gap_s: float = 660.0, exemptions: Exemptions = NONE) -> tuple[Call, ...]:
    """Calls of one order, eleven minutes apart; None: one that our side could not carry out."""
    return tuple(
        Call(
            attempt_id=number,
            number=number,
            at=START + timedelta(seconds=gap_s * (number - 1)),
            facts=facts,
            verdict=judge_failed(RULES, "no socket") if facts is None else judge(facts, RULES, exemptions),
            day=HOLIDAY,
        )
        for number, facts in enumerate(given, 1)
    )


def order(*given: Facts | None, category: str = "county", gap_s: float = 660.0, **more: Any) -> Order:
    return Order(calls(*given, gap_s=gap_s), category, **more)


def proposed(*given: Facts | None, rules: RulesInForce = BAOJI, **more: Any) -> Proposal:
    return propose(order(*given, **more), rules, RULES)


def to(where: str | None, grade: Any = "definitive", condition: str = "always", **more: Any) -> Facts:
    return forwarded(grade, forwarding_class=where, forwarding_condition=condition, **more)


def on_busy(facts: Facts) -> Facts:
    """The line was engaged, and the call went to a mobile for that (遇忙转移)."""
    sign = Sign("sip_181", "definitive", 300.0, "user-busy")
    passed_on: dict[str, Any] = {
        "forwarding_class": "mobile",
        "forwarding_condition": "busy",
        "signs": (sign,),
    }
    return dataclasses.replace(facts, forwarding_grade="definitive", **passed_on)


SILENT = answered(6, answered_by="silence", packets=300)
ROWS: list[tuple[str, Proposal, str, bool, bool]] = [
    # sentence of the table, proposal, code, adverse, for a person
    ("twice unanswered", proposed(MISSED, MISSED), "no_answer", True, True),
    ("thrice unanswered", proposed(MISSED, MISSED, MISSED), "no_answer", True, True),
    ("missed then answered", proposed(MISSED, answered(5)), "answered_on_repeat", False, False),
    ("missed then answered late", proposed(MISSED, answered(25)), "overtime", True, True),
    ("missed twice then answered", proposed(MISSED, MISSED, answered(5)), "answered_on_repeat", False, False),
    ("a single unanswered call", proposed(MISSED), "no_answer_review", False, True),
    ("unanswered twice within a minute", proposed(MISSED, MISSED, gap_s=60), "no_answer_review", False, True),
    (
        "unanswered twice, rung too shortly",
        proposed(MISSED, failed("no_answer", ring_started_ms=200.0, ended_ms=12_000.0)),
        "no_answer_review",
        False,
        True,
    ),
    ("unanswered, then our side failed", proposed(MISSED, None), "no_answer_review", False, True),
    ("unanswered, our side failed, unanswered", proposed(MISSED, None, MISSED), "no_answer", True, True),
    ("busy", proposed(BUSY), "busy", False, False),
    ("busy then answered", proposed(BUSY, answered(5)), "within", False, False),
    ("busy twice", proposed(BUSY, BUSY), "busy", False, False),
    ("busy three times in an hour", proposed(BUSY, BUSY, BUSY), "long_busy", False, True),
    ("busy three times in more", proposed(BUSY, BUSY, BUSY, gap_s=1900), "busy", False, False),
    ("busy, then unanswered once", proposed(BUSY, MISSED), "no_answer_review", False, True),
    ("unobtainable", proposed(failed("unobtainable", sip_status=404)), "number_check", False, True),
    (
        "out of service",
        proposed(failed("unreachable", line_state="suspended")),
        "number_check",
        False,
        True,
    ),
    ("changed", proposed(failed("unobtainable", line_state="number_changed")), "number_check", False, True),
    ("line fault", proposed(failed("unreachable", line_state="line_fault")), "number_check", False, True),
    ("480 without ringing", proposed(failed("unreachable", sip_status=480)), "number_check", False, True),
    (
        "unobtainable, then answered by another trunk",
        proposed(failed("unobtainable", sip_status=404), answered(5)),
        "within",
        False,
        False,
    ),
    ("rejected", proposed(failed("rejected", sip_status=603)), "rejected", False, True),
    ("silence, their packets arrived", proposed(SILENT), "silence_review", False, True),
    (
        "silence without packets",
        proposed(answered(6, answered_by="unknown", alarms=("one_way_audio",), packets=0)),
        "within",
        False,
        False,
    ),
    ("silence, then somebody speaks", proposed(SILENT, answered(4)), "within", False, False),
    ("15.0 s", proposed(answered(15.0)), "borderline", False, False),
    ("15 to 20 s", proposed(answered(15.001)), "slow_review", False, True),
    ("20.0 s", proposed(answered(20.0)), "slow_review", False, True),
    ("over 20.0 s", proposed(answered(20.001)), "overtime", True, True),
    ("over 20.0 s, at least 19.9 s", proposed(answered(23, least=19.9)), "slow_review", False, True),
    ("to a mobile, definitive", proposed(to("mobile")), "forwarded", True, True),
    ("to a mobile, near proof", proposed(to("mobile", "near_proof")), "forwarded", True, True),
    ("to a mobile, strong", proposed(to("mobile", "strong")), "forwarding_review", False, True),
    ("to another fixed line, all banned", proposed(to("other_fixed")), "forwarded", True, True),
    (
        "to another fixed line, not all banned",
        proposed(to("other_fixed"), rules=LOCAL),
        "forwarding_review",
        False,
        True,
    ),
    ("to a mobile, not all banned", proposed(to("mobile"), rules=LOCAL), "forwarded", True, True),
    ("within the unit", proposed(to("same_unit")), "forwarding_review", False, True),
    ("to nobody knows where", proposed(to(None)), "forwarding_review", False, True),
    ("to a mobile on busy", proposed(to("mobile", condition="busy")), "within", False, False),
    ("to a fixed line on busy", proposed(to("other_fixed", condition="busy")), "within", False, False),
    ("on busy to a mobile with 彩铃", proposed(on_busy(crbt("music", 4.0, 0.95))), "within", False, False),
    ("on busy to a voice mailbox", proposed(on_busy(answered(6, answered_by="machine"))), "within", False, False),
    ("on busy, answered late there", proposed(on_busy(answered(25))), "borderline", False, False),
    ("on busy, unanswered there twice", proposed(on_busy(MISSED), on_busy(MISSED)), "busy", False, False),
    ("on busy, unanswered there, then missed", proposed(on_busy(MISSED), MISSED), "no_answer_review", False, True),
    ("fax", proposed(answered(6, answered_by="fax")), "fax", True, True),
    ("彩铃", proposed(crbt("music", 4.0, 0.95)), "crbt", True, True),
    ("perhaps 彩铃", proposed(crbt("music", 1.0, 0.95)), "crbt_review", False, True),
    ("machine, no clause on it", proposed(answered(6, answered_by="machine")), "machine_review", False, True),
    ("machine", proposed(answered(6, answered_by="machine"), rules=LOCAL), "machine", True, True),
    ("unknown who", proposed(answered(6, answered_by="unknown")), "answerer_review", False, True),
    (
        "late behind our trunk's music",
        proposed(
            answered(24, early_media="crbt", alerting=False, alarms=("trunk_music",)),
        ),
        "unmeasured",
        False,
        True,
    ),
    ("our side", proposed(None), "our_side", False, False),
    ("stopped by us", proposed(failed("cancelled")), "cancelled", False, False),
    ("our process died", proposed(failed("cancelled", interrupted=True)), "interrupted", False, False),
    ("never called", proposed(), "our_side", False, False),
    (
        "a change of number not entered",
        proposed(MISSED, MISSED, changes=("报来新号码",)),
        "change_pending",
        False,
        False,
    ),
    (
        "a change of number not entered, answered all the same",
        proposed(answered(5), changes=("报来新号码",)),
        "within",
        False,
        False,
    ),
    (
        "an emergency at hand",
        proposed(MISSED, MISSED, spared=(Spared("emergency", "山洪处置"),)),
        "no_answer",
        False,
        False,
    ),
    (
        "a permitted forward that is not followed",
        propose(
            Order(calls(failed("redirected", sip_status=302), exemptions=Exemptions(forwarding="准予")), "county"),
            BAOJI,
            RULES,
        ),
        "line_check",
        False,
        False,
    ),
    ("no clause of its set", proposed(answered(6, answered_by="fax"), rules=LOCAL, category="town"), "fax", True, True),
    (
        "a clause that does not bind this unit",
        proposed(crbt("music", 4.0, 0.95), category="city"),
        "crbt",
        False,
        False,
    ),
    ("nothing in force", proposed(MISSED, MISSED, rules=nothing_in_force()), "no_answer", False, False),
]  # fmt: skip


@pytest.mark.parametrize(
    ("sentence", "proposal", "code", "adverse", "review"), ROWS, ids=[r[0] for r in ROWS]
)
def test_row(sentence: str, proposal: Proposal, code: str, adverse: bool, review: bool) -> None:
    assert (proposal.code, proposal.adverse, proposal.needs_review) == (code, adverse, review)
    content = json.loads(json.dumps(proposal.to_dict()))
    assert content["code"] == code
    assert content["title_zh"].startswith(CODES[code].zh)
    assert content["reasons"]
    assert (content["adverse"], content["needs_review"]) == (adverse, review)
    if adverse:
        assert content["clauses"]
        assert content["clauses"][0]["binding"] in ("applies", "reference")
        assert content["document"] == DOCUMENT
    else:
        assert content["points"] is None


def test_the_table_reaches_every_code() -> None:
    assert {row[2] for row in ROWS} == set(CODES)
    assert {row[2] for row in ROWS if row[3]} == set(ADVERSE)
    for code, info in CODES.items():
        assert set(info.leads_to) <= set(FINDINGS)
        assert bool(info.leads_to) == (code in ADVERSE | REVIEWED)
    assert set(ADVERSE) <= BY_TELEPHONE
    assert "off_post" not in CODES


def test_a_telephone_check_never_writes_off_post() -> None:
    """Even where every clause supports nothing else, what was read of a telephone call is no absence."""
    bare = SETS["neutral"].model_copy(
        update={"clauses": tuple(c for c in SETS["neutral"].clauses if c.id == "at-post")}
    )
    own = parse_own({"words": {"at-post": {"article": "一", "words": "在岗"}}})
    rules = RulesInForce(bare, own, DOCUMENT)
    for _, proposal, *_ in ROWS:
        again = propose(proposal.order, rules, RULES)
        assert not again.adverse
        assert "脱岗" not in json.dumps(again.to_dict(), ensure_ascii=False)


def test_a_clause_by_reference_is_shown_as_such() -> None:
    town = proposed(MISSED, MISSED, category="town")
    assert {item["binding_zh"] for item in town.to_dict()["clauses"]} == {"参照"}
    assert "条款对本单位为参照执行" in town.head.reasons
    assert {item["binding_zh"] for item in proposed(MISSED, MISSED).to_dict()["clauses"]} == {"适用"}


def test_what_is_not_bound_says_so_and_keeps_its_reading() -> None:
    content = proposed(answered(25), category="city").to_dict()
    assert (content["code"], content["bound"], content["clauses"]) == ("overtime", False, [])
    assert content["title_zh"] == "超时接听（无适用条款）"
    assert content["attempts"][0]["code"] == "overtime"
    assert any("没有当日约束本单位的条款" in reason for reason in content["reasons"])


def test_two_findings_of_one_order_stand_beside_each_other() -> None:
    late = dataclasses.replace(
        crbt("music", 20.0, 0.95),
        answered_ms=24_200.0,
        ring_to_answer_ms=24_000.0,
        ring_to_answer_min_ms=24_000.0,
    )
    proposal = propose(order(late), force("baoji-2022", points={"crbt": 1.0, "overtime": 0.5}), RULES)
    assert [item.code for item in proposal.for_cases] == ["crbt", "overtime"]
    content = proposal.to_dict()
    assert (content["points"], content["others"][0]["points"]) == (1.0, 0.5)
    second = proposal.to_dict(proposal.for_cases[1])
    assert (second["code"], second["points"], second["others"][0]["code"]) == ("overtime", 0.5, "crbt")
    # What does not bind stands behind what does.
    jinhu = propose(order(late), force("jinhu-2015"), RULES)
    assert [(item.code, item.bound) for item in jinhu.findings] == [("overtime", True), ("crbt", False)]


def test_what_is_proposed_is_not_reviewed_again_under_a_weaker_name() -> None:
    assert [item.code for item in proposed(to("mobile"), to("mobile", "medium")).for_cases] == ["forwarded"]


def test_a_strong_sign_of_forwarding_outranks_a_line_that_is_not_reached() -> None:
    def code(grade: Any) -> str:
        signs = (Sign("mobile_announcement", grade, 300.0, "powered_off"),)
        facts = failed("unreachable", line_state="powered_off", forwarding_grade=grade, signs=signs)
        return judge(facts, RULES, NONE).code

    assert code("strong") == "forwarding_review"
    assert code("medium") == code("weak") == "line_check"


def test_mitigations_are_told_and_hanging_up_to_verify_ends_the_review() -> None:
    back = Mitigating("called_back", START + timedelta(minutes=8), "", counts=True)
    late = dataclasses.replace(back, counts=False)
    proposal = proposed(MISSED, mitigations=(back,))
    assert proposal.mitigated
    assert any("10 分钟内主动回电" in reason for reason in proposal.head.reasons)
    assert not proposed(MISSED, mitigations=(late,)).mitigated
    verified = Mitigating("hung_up_to_verify", START + timedelta(minutes=1), "", counts=True)
    assert not proposed(SILENT, mitigations=(verified,)).needs_review
    # What is proposed stays proposed: a person weighs it.
    assert proposed(answered(25), mitigations=(verified, back)).adverse


def test_a_clause_must_hold_on_every_day_that_a_finding_rests_on() -> None:
    own = {"words": {"answer": {"article": "一", "words": "应接听"}}}
    clauses = tuple(
        item.model_copy(update={"days": ("holiday",)}) if item.id == "answer" else item
        for item in SETS["neutral"].clauses
    )
    rules = RulesInForce(SETS["neutral"].model_copy(update={"clauses": clauses}), parse_own(own), DOCUMENT)
    first, second = calls(MISSED, MISSED)
    over_midnight = (first, dataclasses.replace(second, day=WORKDAY))
    assert propose(Order((first, second), "town"), rules, RULES).adverse
    assert not propose(Order(over_midnight, "town"), rules, RULES).adverse


def test_regime_narrows_a_clause_and_an_unknown_regime_binds_nobody() -> None:
    def adverse(**about: Any) -> bool:
        return proposed(
            MISSED, MISSED, rules=force("jieyang-2009"), category="city_department", **about
        ).adverse

    assert adverse(duty_regime="phone")
    assert not adverse(duty_regime="onsite")
    assert not adverse()


def test_the_local_document_may_bind_a_category() -> None:
    assert not proposed(MISSED, MISSED, category="other").adverse
    bound = proposed(MISSED, MISSED, category="other", rules=force("baoji-2022", binds={"other": "applies"}))
    assert bound.adverse


def test_own_limits_judge_and_name_other_rules() -> None:
    strict = force("baoji-2022", limits={"limit_s": 14, "finding_s": 19})
    content = propose(order(answered(25)), strict, RULES).to_dict()
    assert content["limits"] == {
        "within_s": 11.0, "limit_s": 14.0, "finding_s": 19.0, "least_ring_s": 30.0, "basis": "折算口径",
    }  # fmt: skip
    assert strict.label(RULES) != BAOJI.label(RULES) != BAOJI.label(Rules(least_ring_s=25))
    assert len(strict.label(RULES)) <= 120


def test_our_own_faults_never_count_whatever_else_is_there() -> None:
    cut = Call(2, 2, START + timedelta(minutes=11), None, judge_interrupted(RULES, "stopped"), HOLIDAY)
    (first,) = calls(answered(25, our_failure=True, errors=("media engine lost",)))
    proposal = propose(Order((first, cut), "county"), BAOJI, RULES)
    assert proposal.code in OUR_FAULT
    assert not proposal.needs_review

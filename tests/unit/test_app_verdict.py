"""The verdict's table: one row per rule of the domain."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.checks.facts import Facts, Sign, Sound
from app.checks.rules import CODES, Exemptions, Rules
from app.checks.verdict import PROPOSED, judge, judge_failed, judge_interrupted
from sip.record import GRADES, CallRecord
from sip.trunks import MEANINGS, AlarmKind

NONE = Exemptions()
RULES = Rules()
DOCS = Path(__file__).parents[2] / "docs" / "reference"


def answered(seconds: float, least: float | None = None, **more: Any) -> Facts:
    """A call whose ringing took `seconds` after 200 ms of dialling."""
    least = seconds if least is None else least
    defaults: dict[str, Any] = {"answered_by": "human", "ended_ms": seconds * 1000 + 5200.0}
    return Facts(
        outcome="answered",
        ring_started_ms=200.0,
        answered_ms=200.0 + seconds * 1000,
        ring_to_answer_ms=seconds * 1000,
        ring_to_answer_min_ms=least * 1000,
        **(defaults | more),
    )


def failed(outcome: Any, **more: Any) -> Facts:
    return Facts(outcome=outcome, **({"ended_ms": 60_200.0} | more))


def forwarded(grade: Any, kind: str = "sip_181", **more: Any) -> Facts:
    return answered(6, forwarding_grade=grade, signs=(Sign(kind, grade, 300.0, "seen"),), **more)


def crbt(kind: Any, seconds: float, confidence: float) -> Facts:
    sound = Sound(kind, 500.0, 500.0 + seconds * 1000, confidence)
    return answered(6, early_media="crbt", early_sounds=(sound,))


TABLE = [
    # facts, code, lawful, needs a person
    (answered(0.0), "within", True, False),
    (answered(11.0), "within", True, False),
    (answered(11.001), "borderline", True, False),
    (answered(15.0), "borderline", True, False),
    (answered(15.001), "slow_review", None, True),
    (answered(20.0), "slow_review", None, True),
    (answered(20.001), "overtime", False, True),
    (answered(15.7, least=11.8), "borderline", True, False),
    (answered(15.7, least=10.8), "within", True, False),
    (answered(23.0, least=19.9), "slow_review", None, True),
    (answered(23.0, least=20.1), "overtime", False, True),
    (Facts("answered", "human", answered_ms=900.0, ended_ms=5000.0), "within", True, False),
    (Facts("answered", "human", answered_ms=14_000.0, ended_ms=20_000.0), "borderline", True, False),
    (Facts("answered", "human", answered_ms=40_000.0, ended_ms=50_000.0), "unmeasured", None, True),
    (failed("no_answer", ring_started_ms=200.0), "no_answer", None, True),
    (failed("no_answer", ring_started_ms=200.0, ended_ms=12_000.0), "no_answer", None, True),
    (failed("busy", sip_status=486), "busy", None, False),
    (failed("rejected", sip_status=603), "rejected", None, True),
    (failed("unobtainable", sip_status=404), "number_check", None, True),
    (failed("unreachable", line_state="not_reachable"), "line_check", None, True),
    (failed("network_failure", errors=("refused",)), "our_side", None, False),
    (failed("unreachable", line_state="arrears"), "our_side", None, False),
    (failed("cancelled"), "cancelled", None, False),
    (failed("cancelled", interrupted=True), "interrupted", None, False),
    (answered(30, our_failure=True, errors=("media engine lost",)), "our_side", None, False),
    (answered(30, our_failure=True, interrupted=True), "interrupted", None, False),
    (forwarded("definitive"), "forwarded", False, True),
    (forwarded("near_proof"), "forwarded", False, True),
    (forwarded("strong"), "forwarding_review", None, True),
    (forwarded("medium"), "forwarding_review", None, True),
    (forwarded("weak"), "forwarding_review", None, True),
    (
        failed(
            "redirected",
            sip_status=302,
            forwarding_grade="definitive",
            signs=(Sign("redirect", "definitive", 30.0, "302 -> 13900000000"),),
        ),
        "forwarded",
        False,
        True,
    ),
    (failed("redirected", sip_status=302), "forwarding_review", None, True),
    (crbt("music", 4.0, 0.95), "crbt", False, True),
    (crbt("music", 1.0, 0.95), "crbt_review", None, True),
    (crbt("music", 4.0, 0.5), "crbt_review", None, True),
    (crbt("speech", 4.0, 0.95), "crbt_review", None, True),
    (answered(6, answered_by="fax"), "fax", False, True),
    (answered(6, answered_by="machine"), "machine_review", None, True),
    (answered(6, answered_by="silence"), "silence_review", None, True),
    (answered(6, answered_by="unknown"), "answerer_review", None, True),
    (answered(30, answered_by="machine"), "overtime", False, True),
    (failed("unobtainable", sip_status=404, alarms=("dialling_rules",)), "our_side", None, False),
    (failed("unreachable", sip_status=480, alarms=("own_line_barred",)), "our_side", None, False),
    (failed("network_failure", alarms=("forbidden",)), "our_side", None, False),
    (failed("no_answer", ring_started_ms=200.0, alarms=("trunk_unreachable",)), "no_answer", None, True),
    (failed("busy", sip_status=486, alarms=("name_vanished",)), "busy", None, False),
    (failed("rejected", ring_started_ms=200.0, alarms=("trunk_failing",)), "rejected", None, True),
    (answered(6, answered_by="human", alarms=("trunk_unreachable",)), "within", True, False),
    (answered(6, answered_by="unknown", alarms=("one_way_audio",)), "silence_review", None, True),
    (answered(30, answered_by="machine", alarms=("one_way_audio",)), "overtime", False, True),
    (forwarded("definitive", answered_by="machine"), "forwarded", False, True),
]


@pytest.mark.parametrize(("facts", "code", "lawful", "review"), TABLE)
def test_row(facts: Facts, code: str, lawful: bool | None, review: bool) -> None:
    verdict = judge(facts, RULES, NONE)
    assert (verdict.code, verdict.lawful, verdict.needs_review) == (code, lawful, review)
    assert verdict.title_zh == CODES[verdict.code].zh
    assert verdict.rule_set == RULES.version


def test_every_headline_is_reached_by_the_table() -> None:
    assert {row[1] for row in TABLE} == set(CODES)


def test_several_findings_stand_together_and_the_gravest_names_the_verdict() -> None:
    facts = Facts(
        "answered",
        "human",
        ring_started_ms=200.0,
        answered_ms=30_200.0,
        ring_to_answer_ms=30_000.0,
        ring_to_answer_min_ms=30_000.0,
        early_media="crbt",
        early_sounds=(Sound("music", 300.0, 30_000.0, 0.9),),
        forwarding_grade="weak",
        signs=(Sign("crbt", "weak", 300.0, "music"),),
    )
    verdict = judge(facts, RULES, NONE)
    assert verdict.code == "crbt"
    # 彩铃 is weak evidence of forwarding, but a finding of its own: it is not counted twice.
    assert {item.code for item in verdict.findings} == {"crbt", "overtime"}
    overtime = next(item for item in verdict.findings if item.code == "overtime")
    assert [clause.article for clause in overtime.clauses] == ["第十条", "第八条"]
    assert "响铃3声之内接听" in overtime.clauses[0].words
    assert "30.0 秒" in overtime.detail


def test_the_window_of_the_answer_is_told_and_no_rounding_meets_a_limit() -> None:
    def told(facts: Facts) -> str:
        (found,) = judge(facts, RULES, NONE).findings
        return found.detail

    assert told(answered(19.7, least=15.8)) == "响铃 15.8–19.7 秒接听，折算限 15 秒"
    assert told(answered(25.0)) == "响铃 25.0 秒接听，折算限 15 秒"
    assert told(answered(15.04)) == "响铃 15.04 秒接听，折算限 15 秒"
    assert told(answered(15.004)) == "响铃 15.004 秒接听，折算限 15 秒"
    assert told(answered(20.0)) == "响铃 20.0 秒接听，折算限 15 秒"
    assert told(answered(20.01)) == "响铃 20.01 秒接听，折算限 15 秒"


def test_short_ringing_is_no_sure_no_answer() -> None:
    long = judge(failed("no_answer", ring_started_ms=200.0), RULES, NONE).findings[0]
    short = judge(failed("no_answer", ring_started_ms=200.0, ended_ms=12_000.0), RULES, NONE).findings[0]
    assert (long.grade, short.grade) == ("strong", "weak")
    assert "仅一次拨打" in long.detail


def test_the_busy_tone_after_the_ringing_is_no_ringing() -> None:
    def rang(seconds: float) -> tuple[str, str]:
        end_ms = 200.0 + seconds * 1000
        sounds = (Sound("ringback", 200.0, end_ms, 0.99), Sound("busy", end_ms, end_ms + 2000.0, 0.97))
        facts = failed("no_answer", ring_started_ms=200.0, ended_ms=end_ms + 2000.0, early_sounds=sounds)
        (found,) = judge(facts, RULES, NONE).findings
        return found.grade, found.detail

    assert rang(30.0) == ("strong", "响铃 30.0 秒无人接听，后转忙音，仅一次拨打")
    assert rang(29.0) == ("weak", "响铃 29.0 秒无人接听，后转忙音，仅一次拨打，不足 30 秒")
    assert rang(29.98) == ("weak", "响铃 29.98 秒无人接听，后转忙音，仅一次拨打，不足 30 秒")


def test_a_tone_before_the_last_ringback_ends_no_ringing() -> None:
    sounds = (
        Sound("ringback", 200.0, 10_000.0, 0.99),
        Sound("busy", 10_100.0, 10_500.0, 0.85),
        Sound("ringback", 10_600.0, 50_200.0, 0.99),
    )
    facts = failed("no_answer", ring_started_ms=200.0, ended_ms=50_200.0, early_sounds=sounds)
    assert facts.rung_ms == 50_000.0
    assert "忙音" not in judge(facts, RULES, NONE).findings[0].detail


@pytest.mark.parametrize(
    ("facts", "exemptions"),
    [
        (forwarded("definitive"), Exemptions(forwarding="夜间准予转移")),
        (crbt("music", 4.0, 0.95), Exemptions(crbt="号码迁移期间")),
        (answered(6, answered_by="fax"), Exemptions(fax="防汛传真自动接收")),
    ],
)
def test_exemption_is_applied_and_named(facts: Facts, exemptions: Exemptions) -> None:
    verdict = judge(facts, RULES, exemptions)
    assert (verdict.code, verdict.lawful, verdict.needs_review) == ("within", True, False)
    assert len(verdict.exempted) == 1
    assert verdict.exempted[0] in (exemptions.forwarding, exemptions.crbt, exemptions.fax)


def test_exempted_redirect_is_not_called_an_answer() -> None:
    facts = failed(
        "redirected", forwarding_grade="definitive", signs=(Sign("redirect", "definitive", 30.0, "302"),)
    )
    verdict = judge(facts, RULES, Exemptions(forwarding="准予"))
    assert (verdict.code, verdict.lawful) == ("line_check", None)


def test_a_redirect_with_an_exempted_colour_ring_is_looked_at_not_lawful() -> None:
    facts = failed(
        "redirected",
        sip_status=302,
        early_media="crbt",
        forwarding_grade="weak",
        signs=(Sign("crbt", "weak", 300.0, "music"),),
    )
    verdict = judge(facts, RULES, Exemptions(crbt="号码迁移期间"))
    assert (verdict.code, verdict.lawful, verdict.needs_review) == ("forwarding_review", None, True)
    assert verdict.exempted == ("号码迁移期间",)


def tone(kind: Any, start_s: float, end_s: float) -> Sound:
    return Sound(kind, start_s * 1000, end_s * 1000, 0.99)


def test_a_tone_is_the_evidence_and_the_487_to_our_own_cancel_is_not() -> None:
    def finding(outcome: Any, sound: Any, state: Any) -> tuple[float | None, str]:
        facts = failed(
            outcome, line_state=state, early_sounds=(sound,), sip_status=487, ended_by="us", ended_ms=2_500.0
        )
        (found,) = judge(facts, RULES, NONE).findings
        return found.t_ms, found.detail

    assert finding("busy", tone("busy", 0.6, 2.5), "busy") == (600.0, "线路占线，听到忙音")
    assert finding("unobtainable", tone("unobtainable", 0.7, 2.5), "unobtainable") == (
        700.0,
        "听到空号音，号码可能有误或已停用",
    )
    assert finding("network_failure", tone("congestion", 0.8, 2.5), "network_busy") == (800.0, "听到拥塞音")
    assert finding("unreachable", tone("speech", 0.3, 2.5), "powered_off") == (
        300.0,
        "提示音：关机，线路不通，未见振铃",
    )


def test_an_answer_of_the_network_is_named_and_has_no_sound() -> None:
    (found,) = judge(failed("busy", sip_status=486, ended_by="them"), RULES, NONE).findings
    assert (found.t_ms, found.detail) == (None, "线路占线，信令应答 486（用户忙）")
    rang = failed("rejected", sip_status=603, ended_by="them", ring_started_ms=200.0)
    (found,) = judge(rang, RULES, NONE).findings
    assert (found.t_ms, found.detail) == (200.0, "来电被拒接，信令应答 603（用户拒接）")
    (found,) = judge(failed("no_answer", ring_started_ms=200.0), RULES, NONE).findings
    assert found.t_ms == 200.0
    (found,) = judge(failed("unreachable", sip_status=487, ended_by="them"), RULES, NONE).findings
    assert found.detail.startswith("信令应答 487")


ERRORS = [
    "no response to the INVITE within 32 s (Timer B)",
    "the network refused the INVITE: Connection refused",
    "the far side wants credentials that it accepts (401 Unauthorized)",
    "pbx.invalid has no address: Name or service not known",
    "no route to 192.0.2.1: Network is unreachable",
    "NoTrunkError: a plain number needs a trunk: set DUTYRING_TRUNKS, or enter one with `dutyring trunks add`",
    "KeyError: 'x'",
]


@pytest.mark.parametrize("error", ERRORS)
def test_details_are_chinese_whatever_failed(error: str) -> None:
    facts = failed("network_failure", our_failure=True, errors=(error, error))
    for verdict in (judge(facts, RULES, NONE), judge_failed(RULES, error)):
        (found,) = verdict.findings
        assert found.detail
        assert not re.search(r"[A-Za-z_]{4,}", found.detail)
        assert "；" not in found.detail
    signs = [forwarded("definitive", kind, forwarding_target="13900000000") for kind in ("sip_181", "new")]
    for verdict in (judge(facts, RULES, NONE) for facts in signs):
        assert verdict.findings[0].detail.endswith("转至 13900000000")


@pytest.mark.parametrize("kind", list(AlarmKind))
def test_an_alarm_never_makes_a_finding_that_was_not_there(kind: AlarmKind) -> None:
    calls = [row[0] for row in TABLE if not row[0].alarms]
    for facts in calls:
        before, after = (judge(dataclasses.replace(facts, alarms=a), RULES, NONE) for a in ((), (kind,)))
        assert not (after.lawful is False and before.lawful is not False)
        proposed = {item.code for item in after.findings} & PROPOSED
        assert proposed <= {item.code for item in before.findings}


def test_the_alarm_says_in_chinese_what_was_wrong() -> None:
    facts = failed("network_failure", our_failure=True, errors=("403 Forbidden",), alarms=("forbidden",))
    (found,) = judge(facts, RULES, NONE).findings
    assert found.detail == MEANINGS[AlarmKind.FORBIDDEN].zh.removesuffix("。")
    assert found.clauses == ()


def test_our_side_is_never_a_finding() -> None:
    for verdict in (judge_interrupted(RULES, "stopped"), judge_failed(RULES, "no route")):
        assert verdict.lawful is None
        assert not verdict.needs_review
        assert verdict.findings[0].clauses == ()


def test_limits_come_from_the_rules() -> None:
    strict = Rules(within_s=5, limit_s=6, finding_s=7)
    assert judge(answered(6.5), strict, NONE).code == "slow_review"
    assert judge(answered(7.5), strict, NONE).code == "overtime"


def test_a_verdict_keeps_its_limits_and_other_limits_are_another_version() -> None:
    content = json.loads(json.dumps(judge(answered(3), RULES, NONE).to_dict()))
    assert content["limits"] == {"within_s": 11.0, "limit_s": 15.0, "finding_s": 20.0}
    assert content["rule_set"] == RULES.version == "three-ring/1:11/15/20/30"
    changed = [Rules(within_s=10), Rules(limit_s=14.5), Rules(finding_s=21), Rules(least_ring_s=25)]
    assert len({rules.version for rules in (RULES, *changed)}) == 5
    assert judge_failed(changed[1], "no route").limits.limit_s == 14.5
    assert RULES.version in (DOCS / "verdicts.md").read_text(encoding="utf-8")


def test_reads_the_json_of_a_call_record() -> None:
    record = CallRecord(
        target="sip:1@127.0.0.1", call_id="c", started_at="2026-11-22T20:27:13.482+08:00",
        clock_synchronised=None, outcome="answered", answered_by="human", ring_started_ms=200.0,
        answered_ms=9200.0, ended_ms=15_000.0, ring_to_answer_ms=9000.0, ring_to_answer_min_ms=9000.0,
    )  # fmt: skip
    verdict = judge(Facts.from_json(json.loads(json.dumps(record.to_dict()))), RULES, NONE)
    assert verdict.code == "within"
    assert Facts.from_json({"outcome": "busy"}).early_media == "none"


def test_stored_verdict_is_json_with_citations() -> None:
    content = json.loads(json.dumps(judge(answered(21), RULES, NONE).to_dict()))
    assert content["findings"][0]["clauses"][0]["citation"].endswith("（宝政办发〔2022〕43号）第十条")
    assert content["findings"][0]["title_zh"] == "超时接听"


outcomes = st.sampled_from(
    ["answered", "busy", "rejected", "no_answer", "unobtainable", "unreachable", "redirected", "cancelled"]
)
milliseconds = st.none() | st.floats(0, 100_000)


@given(
    st.builds(
        Facts,
        outcome=outcomes,
        answered_by=st.sampled_from([None, "human", "machine", "fax", "silence", "unknown"]),
        ring_started_ms=milliseconds,
        answered_ms=milliseconds,
        ring_to_answer_ms=milliseconds,
        ring_to_answer_min_ms=milliseconds,
        early_media=st.sampled_from(["none", "ringback", "crbt", "announcement"]),
        forwarding_grade=st.sampled_from(GRADES),
        signs=st.lists(
            st.builds(
                Sign,
                st.sampled_from(["crbt", "sip_181"]),
                st.sampled_from(GRADES),
                milliseconds,
                st.just("seen"),
            )
        ).map(tuple),
    ),
    st.builds(Exemptions, *[st.none() | st.just("准予")] * 3),
)
def test_any_facts_get_one_known_verdict(facts: Facts, exemptions: Exemptions) -> None:
    verdict = judge(facts, RULES, exemptions)
    assert verdict == judge(facts, RULES, exemptions)
    assert verdict.code in CODES
    assert (verdict.lawful is False) == (verdict.code in PROPOSED)
    if verdict.lawful is True:
        assert facts.outcome == "answered"
        assert not verdict.findings


def test_every_code_is_documented() -> None:
    page = (DOCS / "verdicts.md").read_text(encoding="utf-8")
    for code, info in CODES.items():
        assert f"`{code}`" in page
        assert info.zh in page


@pytest.mark.parametrize(("seconds", "confidence"), [(4.0, 0.95), (1.0, 0.5)])
def test_the_trunks_own_music_is_nothing_against_the_unit(seconds: float, confidence: float) -> None:
    facts = dataclasses.replace(
        crbt("music", seconds, confidence), alarms=("trunk_music",), signs=(), forwarding_grade="none"
    )
    verdict = judge(facts, RULES, NONE)
    assert (verdict.code, verdict.lawful, verdict.findings) == ("within", True, ())
    assert verdict.exempted == (MEANINGS[AlarmKind.TRUNK_MUSIC].zh.removesuffix("。"),)

"""Finding codes: what may stand against a unit in the end. Clauses say which of them they support.

A telephone check proposes only those of `BY_TELEPHONE`. The others are a person's word: 登记号码有误 once it is proven,
脱岗 after an on-site or video check, a superior's finding or an admission.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FindingInfo:
    """Titles of a finding code."""

    zh: str
    en: str


FINDINGS: dict[str, FindingInfo] = {
    "no_answer": FindingInfo("无人接听", "not answered"),
    "overtime": FindingInfo("超时接听", "answered too late"),
    "forwarded": FindingInfo("呼叫转移", "forwarded"),
    "crbt": FindingInfo("设置彩铃", "ringback music"),
    "fax": FindingInfo("传真占用", "a fax machine on the duty line"),
    "machine": FindingInfo("自动应答", "answered by a machine"),
    "long_busy": FindingInfo("长时间占线", "busy for a long time"),
    "rejected": FindingInfo("拒接", "rejected by hand"),
    "silent_answer": FindingInfo("接通无应答", "picked up, nobody spoke"),
    "number_wrong": FindingInfo("登记号码有误", "the registered number is wrong"),
    "off_post": FindingInfo("脱岗", "off post"),
}
"""Codes that the case of an order may be confirmed with; 脱岗 only beside what `NEEDS_SIGHT` asks for."""
BY_HAND: dict[str, FindingInfo] = {
    "leader_absent": FindingInfo("带班领导不在岗", "leader on duty absent"),
    "ineligible_staff": FindingInfo("值班人员不符合要求", "duty kept by ineligible staff"),
    "unprepared": FindingInfo("值班业务不熟悉", "duty officer not familiar with the work"),
    "late_report": FindingInfo("信息报送不及时", "late report"),
}
"""Findings of visits, talks and superiors' notices: no call proves them."""
SUPPORTED: dict[str, FindingInfo] = FINDINGS | BY_HAND
"""What the clauses of a rule set may support, and points may be given for."""

PROPOSED = frozenset({"no_answer", "overtime", "forwarded", "crbt", "fax", "machine"})
"""What the machine may propose as adverse, given a clause that binds."""
BY_TELEPHONE = PROPOSED | {"long_busy", "rejected", "silent_answer"}
"""What a telephone check can lead to; of what is not in `PROPOSED` only a person may make a finding."""
NEEDS_SIGHT = frozenset({"off_post", "leader_absent"})
"""Never by telephone: an on-site or video check, a superior's finding or an admission must be there."""
NEEDS_PROOF = frozenset({"number_wrong"})
"""By a person's word alone, once it is proven that the unit registered a wrong number."""

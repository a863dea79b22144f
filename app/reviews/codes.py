"""What a person may confirm: the finding codes of the rules, and a few that only checks by hand bring up."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from app.checks.proposal_codes import CODES
from app.rules.codes import FINDINGS, NEEDS_SIGHT, FindingInfo

BY_HAND: Mapping[str, FindingInfo] = MappingProxyType(
    {
        "leader_absent": FindingInfo("带班领导不在岗", "leader on duty absent"),
        "ineligible_staff": FindingInfo("值班人员不符合要求", "duty kept by ineligible staff"),
        "unprepared": FindingInfo("值班业务不熟悉", "duty officer not familiar with the work"),
        "late_report": FindingInfo("信息报送不及时", "late report"),
        "other": FindingInfo("其他问题", "another problem"),
    }
)
"""Findings of visits, talks and superiors' notices. No call proves them, so only cases of checks by hand take them."""
PRESENCE_SOURCES = ("on_site", "video", "superior", "admission")
"""Sources of a check by hand that can prove an empty post: 实地, 视频, 上级抽查, 本人承认."""
_SIGHT = NEEDS_SIGHT | {"leader_absent"}


def confirmable(by_hand: bool) -> tuple[str, ...]:
    """The codes that a case of an order, or of a check by hand, may be confirmed with."""
    return (*FINDINGS, *(BY_HAND if by_hand else ()))


def needs_presence(code: str) -> bool:
    """Whether the code takes a check on site or by video, a superior's finding, or an admission."""
    return code in _SIGHT


def follows(proposed: str, code: str) -> bool:
    """Whether a finding code is what the proposed code says, or may lead to: then the proposal's clauses support it."""
    info = CODES.get(proposed)
    return code == proposed or (info is not None and code in info.leads_to)


def title_of(code: str, proposal: Mapping[str, object] | None = None) -> str:
    """The Chinese title of a finding or proposal code; of one that is neither, the proposal's own."""
    known = FINDINGS.get(code) or BY_HAND.get(code) or CODES.get(code)
    if known is not None:
        return known.zh
    if proposal and proposal.get("code") == code:
        return str(proposal.get("title_zh") or code)
    return code

"""What a person may confirm: the finding codes (认定事由), beside the machine's own proposals.

A telephone call never proves that a post was left: `needs_presence` codes take a check on site or by video, a finding
of a superior office, or an admission.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class FindingCode:
    """One kind of finding."""

    zh: str
    en: str
    needs_presence: bool = False


FINDINGS: Mapping[str, FindingCode] = MappingProxyType(
    {
        "no_answer": FindingCode("无人接听", "not answered"),
        "overtime": FindingCode("超时接听", "answered too late"),
        "rejected": FindingCode("拒接", "rejected by hand"),
        "long_busy": FindingCode("长时间占线", "busy for a long time"),
        "forwarded": FindingCode("呼叫转移", "call forwarded"),
        "crbt": FindingCode("设置彩铃", "ringback music"),
        "fax": FindingCode("传真占用", "fax on the duty line"),
        "machine": FindingCode("自动应答", "answered by a machine instead of a person"),
        "silent_answer": FindingCode("接通无应答", "picked up, nobody spoke"),
        "number_wrong": FindingCode("登记号码有误", "the registered number is wrong"),
        "off_post": FindingCode("脱岗", "off post", needs_presence=True),
        "leader_absent": FindingCode("带班领导不在岗", "leader on duty absent", needs_presence=True),
        "ineligible_staff": FindingCode("值班人员不符合要求", "duty kept by ineligible staff"),
        "unprepared": FindingCode("值班业务不熟悉", "duty officer not familiar with the work"),
        "late_report": FindingCode("信息报送不及时", "late report"),
        "other": FindingCode("其他问题", "another problem"),
    }
)
PRESENCE_SOURCES = ("on_site", "video", "superior", "admission")
"""Sources of a check by hand that can prove a `needs_presence` code: 实地, 视频, 上级抽查, 本人承认."""


def title_of(code: str, proposal: Mapping[str, object] | None = None) -> str:
    """The Chinese title of a code; of one that is not ours the proposal's."""
    known = FINDINGS.get(code)
    if known is not None:
        return known.zh
    if proposal and proposal.get("code") == code:
        return str(proposal.get("title_zh") or code)
    return code

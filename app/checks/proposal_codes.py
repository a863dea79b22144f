"""Codes of proposals: what is made of an order, all its calls together. docs/reference/verdicts.md explains each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProposalInfo:
    """A proposal code: its titles, what a person does next, and the findings that could come of it."""

    zh: str
    en: str
    next_zh: str
    leads_to: tuple[str, ...] = ()
    """Finding codes (`app.rules.codes.FINDINGS`); where no clause supports any of them there is nothing to review."""


CODES: dict[str, ProposalInfo] = {
    "our_side": ProposalInfo("我方故障", "our side failed", "检查我方线路后另行抽查，不计入单位"),
    "cancelled": ProposalInfo("我方取消", "cancelled by us", "不计入单位"),
    "interrupted": ProposalInfo("拨测中断", "interrupted by a stop of the phone", "不计入单位，可另行抽查"),
    "change_pending": ProposalInfo(
        "改号未录", "a reported change of number was not entered yet", "录入单位已报的号码后另行抽查，不计入单位"
    ),
    "forwarded": ProposalInfo("呼叫转移", "forwarded (proposed)", "请听录音后认定或撤销", ("forwarded",)),
    "crbt": ProposalInfo("设置彩铃", "ringback music (proposed)", "请听录音后认定或撤销", ("crbt",)),
    "fax": ProposalInfo("传真占用", "fax on the duty line (proposed)", "请听录音后认定或撤销", ("fax",)),
    "machine": ProposalInfo("自动应答", "answered by a machine (proposed)", "请听录音后认定或撤销", ("machine",)),
    "no_answer": ProposalInfo(
        "无人接听", "two calls not answered (proposed)", "请听录音后认定或撤销", ("no_answer",)
    ),
    "overtime": ProposalInfo("超时接听", "answered too late (proposed)", "请听录音后认定或撤销", ("overtime",)),
    "no_answer_review": ProposalInfo(
        "未接待核", "one call not answered, no repeat decides", "请核实，单次未接不作认定", ("no_answer",)
    ),
    "rejected": ProposalInfo(
        "拒接待核", "rejected, for a person to judge", "请核实是否人为挂断", ("rejected", "no_answer")
    ),
    "long_busy": ProposalInfo(
        "长时间占线", "busy three times within an hour, for a person to judge", "请核实占线原因", ("long_busy",)
    ),
    "number_check": ProposalInfo(
        "号码核实", "number or line to be checked, no finding", "请核对通讯录并与单位核实号码", ("number_wrong",)
    ),
    "machine_review": ProposalInfo(
        "自动应答待核", "answered by a machine, for a person to judge", "请听录音，核实有无人员接听",
        ("machine", "no_answer"),
    ),
    "silence_review": ProposalInfo(
        "接通无声待核", "answered, nothing said", "请听录音，核实有无人员接听", ("silent_answer", "no_answer")
    ),
    "answerer_review": ProposalInfo(
        "应答者待核", "answered, by whom is unknown", "请听录音，核实接听人", ("silent_answer", "no_answer", "machine")
    ),
    "forwarding_review": ProposalInfo(
        "疑似呼转", "signs of forwarding, for a person to judge", "请听录音并核实是否呼叫转移", ("forwarded",)
    ),
    "crbt_review": ProposalInfo("疑似彩铃", "signs of ringback music", "请听录音并核实是否彩铃", ("crbt",)),
    "slow_review": ProposalInfo(
        "超时待核", "slow answer, for a person to judge", "请听录音，核定是否超时", ("overtime",)
    ),
    "unmeasured": ProposalInfo(
        "时长未核实", "answered, ring time not measurable", "请听录音，核定接听时长", ("overtime",)
    ),
    "line_check": ProposalInfo(
        "线路核实", "a permitted forward that is not followed", "准予转移的线路，请另行核实"
    ),
    "busy": ProposalInfo("占线", "busy, no finding", "无需处理"),
    "answered_on_repeat": ProposalInfo("复拨接听", "missed, then answered; no points", "无需处理，不扣分"),
    "borderline": ProposalInfo("临界接听", "answered before a fourth ring", "无需处理"),
    "within": ProposalInfo("三声内接听", "answered within three rings", "无需处理"),
}  # fmt: skip
"""Gravest first: of several things that count alike, the first names the order."""

ADVERSE: frozenset[str] = frozenset({"no_answer", "overtime", "forwarded", "crbt", "fax", "machine"})
"""Codes that are adverse where a clause binds the unit on that day."""
REVIEWED: frozenset[str] = frozenset(
    {
        "no_answer_review",
        "rejected",
        "long_busy",
        "number_check",
        "machine_review",
        "silence_review",
        "answerer_review",
        "forwarding_review",
        "crbt_review",
        "slow_review",
        "unmeasured",
    }
)
"""Codes that a person looks at; no finding follows from them by themselves."""
OUR_FAULT: frozenset[str] = frozenset({"our_side", "cancelled", "interrupted", "change_pending"})
"""Codes of orders that say nothing about the unit: they count for no coverage and no rate."""
ANSWERED: frozenset[str] = frozenset({"within", "borderline", "answered_on_repeat"})

"""The rule set: limits, clauses with their exact words, verdict codes with their titles.

No notice gives seconds for 响铃三声内; 11 s and 15 s are this rule set's conversion (折算口径): the third ring
ends at 11 s, a fourth begins at 15 s (national cadence, 1 s on, 4 s off: GB 3380-82). GB/T 33358-2016 asks
the same 15 s of government hotlines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from app.settings import Settings

RULE_SET = "three-ring/1"


@dataclass(frozen=True, slots=True)
class Clause:
    """An article of a regulation, with the words that a finding rests on."""

    source: str
    article: str
    words: str

    @property
    def citation(self) -> str:
        """Return source and article as a table prints them."""
        return f"{self.source}{self.article}"


BAOJI = "《宝鸡市政府系统值班工作规范（试行）》（宝政办发〔2022〕43号）"
JINHU = "《金湖县政府系统值班工作实施细则》（金政办〔2015〕17号）"

THREE_RINGS = Clause(BAOJI, "第十条", "时刻保持畅通，响铃3声之内接听")
THREE_RINGS_JINHU = Clause(JINHU, "第八条", "值班人员应认真及时接听每一个来电（原则上响铃三声内须接听）")
REACHABLE = Clause(BAOJI, "第十条", "值班带班电话应为专用固定座机电话，时刻保持畅通")
NO_FORWARDING = Clause(BAOJI, "第十条", "严禁呼叫转移、设置彩铃或处理与值班无关的事务")
FAX_APART = Clause(BAOJI, "第十条", "值班传真与值班电话应分号设立，避免因接发传真导致值班电话长时间占线")
DIRECTORY = Clause(BAOJI, "第九条", "建立健全覆盖本辖区本部门本系统的值班通信网络，并加强日常数据更新维护")

Code = Literal[
    "within",
    "borderline",
    "slow_review",
    "overtime",
    "unmeasured",
    "no_answer",
    "busy",
    "rejected",
    "number_check",
    "line_check",
    "forwarded",
    "forwarding_review",
    "crbt",
    "crbt_review",
    "fax",
    "machine_review",
    "silence_review",
    "answerer_review",
    "our_side",
    "cancelled",
    "interrupted",
]


@dataclass(frozen=True, slots=True)
class CodeInfo:
    """A verdict code's titles, and what is to be done next."""

    zh: str
    en: str
    next_zh: str


CODES: dict[Code, CodeInfo] = {
    "within": CodeInfo("三声内接听", "answered within three rings", "无需处理"),
    "borderline": CodeInfo("临界接听", "answered before a fourth ring", "无需处理"),
    "slow_review": CodeInfo("超时待核", "slow answer, for a person to judge", "请听录音，核定是否超时"),
    "overtime": CodeInfo("超时接听", "answered too late (proposed)", "请复核后确认或否定"),
    "unmeasured": CodeInfo("时长未核实", "answered, ring time not measurable", "请听录音，核定接听时长"),
    "no_answer": CodeInfo("无人接听", "not answered (proposed)", "建议间隔10分钟复拨后再定"),
    "busy": CodeInfo("占线", "busy", "稍后复拨"),
    "rejected": CodeInfo("拒接待核", "rejected", "请核实是否人为挂断"),
    "number_check": CodeInfo("号码核实", "number to be checked", "请核对通讯录号码"),
    "line_check": CodeInfo("线路核实", "line not reachable, to be checked", "请核实线路状态后复拨"),
    "forwarded": CodeInfo("呼叫转移", "call forwarded (proposed)", "请复核后确认或否定"),
    "forwarding_review": CodeInfo("疑似呼转", "signs of forwarding", "请听录音并核实是否呼叫转移"),
    "crbt": CodeInfo("设置彩铃", "ringback music (proposed)", "请复核后确认或否定"),
    "crbt_review": CodeInfo("疑似彩铃", "signs of ringback music", "请听录音并核实是否彩铃"),
    "fax": CodeInfo("传真占用", "fax on the duty line (proposed)", "请复核后确认或否定"),
    "machine_review": CodeInfo("自动应答待核", "answered by a machine", "请听录音，核实有无人员接听"),
    "silence_review": CodeInfo("接通无声待核", "answered, nothing said", "请听录音，排除线路单通后复拨"),
    "answerer_review": CodeInfo("应答者待核", "answered, by whom is unknown", "请听录音，核实接听人"),
    "our_side": CodeInfo("我方故障", "our side failed", "检查我方线路，不计入单位"),
    "cancelled": CodeInfo("我方取消", "cancelled by us", "不计入单位"),
    "interrupted": CodeInfo("拨测中断", "interrupted by a stop of the phone", "不计入单位，可另行抽查"),
}
"""Every code that a verdict may carry; docs/reference/verdicts.md explains each."""

HEADLINE: tuple[Code, ...] = (
    "cancelled",
    "interrupted",
    "our_side",
    "forwarded",
    "crbt",
    "fax",
    "overtime",
    "no_answer",
    "rejected",
    "busy",
    "number_check",
    "line_check",
    "machine_review",
    "silence_review",
    "answerer_review",
    "forwarding_review",
    "crbt_review",
    "slow_review",
    "unmeasured",
)
"""Which of several findings names the verdict: the first that is there."""
LINE_TROUBLES: frozenset[Code] = frozenset({"number_check", "line_check"})
"""They name the verdict only where no strong sign of forwarding says more."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits that an answer was judged by, seconds from ring start."""

    within_s: float
    limit_s: float
    finding_s: float


@dataclass(frozen=True, slots=True)
class Rules:
    """One version of the rules. Seconds are of ringing, from ring start."""

    within_s: float = 11.0
    limit_s: float = 15.0
    finding_s: float = 20.0
    """The limit plus one whole ring period: bell and ringback need not be in phase."""
    least_ring_s: float = 30.0
    crbt_least_s: float = 2.0
    """Least music for 彩铃 to be proposed; less asks for an ear."""
    crbt_confidence: float = 0.8

    @property
    def version(self) -> str:
        """Name the rule set with its limits: verdicts under other limits are verdicts of other rules."""
        limits = (self.within_s, self.limit_s, self.finding_s, self.least_ring_s)
        return f"{RULE_SET}:{'/'.join(f'{limit:g}' for limit in limits)}"

    @property
    def limits(self) -> Limits:
        """The limits of an answer, as a verdict keeps them."""
        return Limits(self.within_s, self.limit_s, self.finding_s)


@dataclass(frozen=True, slots=True)
class Exemptions:
    """What this line may do on the day of the call (豁免), each with its reason."""

    forwarding: str | None = None
    crbt: str | None = None
    fax: str | None = None


def rules_of(settings: Settings) -> Rules:
    """The limits of the settings; an office's own go before them, see `app.rules.force`."""
    return Rules(
        within_s=settings.three_ring_within_s,
        limit_s=settings.three_ring_limit_s,
        finding_s=settings.overtime_finding_s,
        least_ring_s=settings.no_answer_least_ring_s,
    )

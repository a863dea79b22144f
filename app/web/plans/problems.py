"""What is wrong with what was typed, in Chinese beside its field; English by the catalogue.

Two sources: pydantic's errors of a model (`of_model`), and sentences of the verbs of planning (`said`), which are
English for the command line and the API.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from app.errors import Fault, OfficeError
from app.web.i18n import gettext

GENERAL = ""
"""Where a problem stands that belongs to no field."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One sentence, translated when it is shown."""

    message: str
    """Chinese, a message of the catalogue."""
    values: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        text = gettext(self.message)
        return text % self.values if self.values else text


Problems = Mapping[str, Problem]
"""By field; `GENERAL` for those of none."""

_TYPES: Mapping[str, str] = {
    "missing": "请填写",
    "string_too_short": "请填写",
    "string_too_long": "最多 %(max_length)s 个字",
    "string_pattern_mismatch": "含有不能使用的字符",
    "string_type": "请填写",
    "int_parsing": "请填整数",
    "int_from_float": "请填整数",
    "int_type": "请填整数",
    "int_parsing_size": "数字太大",
    "float_parsing": "请填数字",
    "float_type": "请填数字",
    "finite_number": "请填数字",
    "greater_than_equal": "不能小于 %(ge)s",
    "less_than_equal": "不能大于 %(le)s",
    "less_than": "数字太大",
    "literal_error": "请从列出的选项中选择",
    "too_long": "最多 %(max_length)s 项",
    "too_short": "至少选一项",
}
_SENTENCES: Sequence[tuple[str, str]] = (
    # Of app.api.text and app.planning.spec.
    (r"takes a day such as", "请填日期，例如 2026-05-01"),
    (r"takes a day of the years|takes a moment of the years", "年份须在 1970 至 2200 之间"),
    (r"takes a moment such as|a moment needs its zone", "请填日期和时刻，例如 2026-05-01 08:30"),
    (r"takes a time of day such as", "请填时刻，例如 08:30"),
    (r"takes a time of day from", "时刻须在 00:00 至 24:00 之间"),
    (r"start is 24:00", "开始时刻不能是 24:00，请写成次日的 00:00"),
    (r"a window from .* is empty", "开始与结束相同；全天请填 00:00 至 24:00"),
    (r"last_day: .* lies before", "结束日期早于开始日期"),
    (r"last_day: a plan lasts three years", "一个计划最长三年"),
    (r"windows: every list is empty", "至少为一类日子填写一个时段"),
    (r"most_per_unit: ", "不能小于每周期必查次数"),
    (r"calls_per_unit: with", "必查次数、全年覆盖和加抽次数不能都是 0：那样谁也不会被抽查"),
    (r"after_min_s is", "最短间隔不能大于最长间隔"),
    (r"begins like a formula", "不能以 = + - @ 开头"),
    # Of the start of a plan.
    (r"takes an approved opening", "尚未选定开场语"),
    (r"there is no such prompt", "所选提示语不存在"),
    (r"is retired; enter it anew", "这条提示语已停用，请重新录入"),
    (r"prompt (?P<n>\d+) is retired", "提示语 %(n)s 已停用"),
    (r"prompt (?P<n>\d+) is not approved", "提示语 %(n)s 尚未审批"),
    (r"prompt (?P<n>\d+) is a ", "提示语 %(n)s 的类别不对"),
    (
        r"opening and closing take (?P<s>[\d.]+) s",
        "开场语和结束语共 %(s)s 秒，通话时限不能比它短",
    ),
    (r"between 00:00 and 06:00 they take", "有 00:00 至 06:00 的时段，须由督查人员批准夜间抽查"),
    (r"(?P<day>\d{4}-\d\d-\d\d) has passed", "结束日期 %(day)s 已过"),
    (r"this machine's clock is off", "本机时钟不准，请看告警"),
    (r"no unit with a line that may be called", "所选范围内没有可拨打的值班电话"),
    (r"things that it guarantees cannot be met", "计划保证的次数排不下，请看试算结果"),
    (r"were? changed just now|was changed just now", "计划、单位或日历刚刚有改动，请重新核对后再启动"),
    (r"only a draft or a cancelled plan", "只有草稿或已取消的计划才能修改和启动"),
    (r"entered moment by moment", "这个计划的时刻是人工逐条录入的，不能修改或启动"),
    (
        r"was written by (?P<who>.+); a supervisor must",
        "计划由%(who)s编写或改过，夜间抽查须由另一位督查人员批准",
    ),
    (r"has no window between 00:00", "计划没有 00:00 至 06:00 的时段，无须批准"),
    (r"plan \d+ is over", "计划已结束"),
    (r"plan \d+ is \w+, not \w+|plan \d+ is \w+ already", "计划的状态已经变了，请刷新后再试"),
    (r"beyond your units", "您的账号只管部分单位，这个计划超出了范围"),
    # Of designated checks and 核号.
    (r"cannot approve their own call", "夜间抽查不能由本人批准，请填另一位督查人员"),
    (r"there is no approved opening", "还没有经审批的开场语，请先审批一条"),
    (r"there is no room to record", "磁盘空间不足，录音无法完整保存，暂不能下达"),
    (r"name a unit or a line", "请选定单位或电话"),
    (r"there is no unit|there is no line", "没有这个单位或电话"),
    (r"no line that may be called", "该单位没有可拨打的值班电话"),
    (r"no 核号 call of line", "号码尚未核实，请先核号"),
    (r"nobody answered the 核号 calls", "核号一直无人接听，请先更正号码"),
    (r"a check of line \d+ is under way", "该电话正在抽查中"),
    (r"calls are stopped", "紧急停拨中"),
    (r"exemption \d+ \(emergency\)", "应急处置中，暂不抽查"),
    (r"exemption \d+ \(", "线路或设备维护中，暂不抽查"),
    (r"a handover .* is less than", "距交接班不足 15 分钟；确需抽查请写明理由"),
    (r"it takes a supervisor's approval", "00:00 至 06:00 须有督查人员批准"),
    (r"called at night in this month", "该电话本月已在夜间抽查过"),
    (r"is not called \(any more\)", "该电话不在可抽查范围（停用、传真或已过有效期）"),
    (r"number of line \d+ could not be verified", "号码核实未通过，请先更正号码"),
    (
        r"(?P<n>\d+) of at most (?P<most>\d+) calls were made to the line on this day",
        "该电话今天已拨 %(n)s 次，每日上限 %(most)s 次（计划核号计入）",
    ),
    (
        r"(?P<n>\d+) of at most (?P<most>\d+) calls were made to the line in this week",
        "该电话本周已拨 %(n)s 次，每周上限 %(most)s 次（计划核号计入）",
    ),
    (
        r"called less than (?P<h>[\d.]+) hours ago",
        "距上次拨打不足 %(h)s 小时（计划核号计入）",
    ),
    (r"had (?P<n>\d+) such calls within a day", "24 小时内已核号 %(n)s 次"),
    # Of prompts.
    (r"somebody else must approve it", "不能审批自己录入的提示语，请由另一人审批"),
    (r"it is no WAV or FLAC file|it is \w+; it takes WAV or FLAC", "不是可读取的 WAV 或 FLAC 文件"),
    (r"the file holds no sound|the file is silent throughout", "文件里没有声音"),
    (r"the voice begins only after (?P<s>[\d.]+) s", "%(s)s 秒后才有人声；开场语须在 0.5 秒内开口"),
    (r"the file has more than (?P<n>\d+) MiB", "文件超过 %(n)s MiB"),
    (r"it lasts (?P<s>[\d.]+) s", "长 %(s)s 秒，最长 20 秒"),
    (r"it takes 8 to 192 kHz", "采样率须为 8 至 192 kHz，最多 8 个声道"),
    # Of the calendar.
    (r"is changed with a reason only|calls may have been judged", "修改过去的日子须写明理由"),
    (r"the period ends before it begins|^lies before ", "结束日期早于开始日期"),
    (r"the period is too long|takes a period of at most", "一个时期最长 366 天"),
    (r"nothing was entered for", "这一天没有录入过，无须清除"),
    (r"the shipped data hold (?P<first>\d+) to (?P<last>\d+)", "随附数据只有 %(first)s 至 %(last)s 年"),
    (r"there are no shipped data of (?P<year>\d+)", "随附数据没有 %(year)s 年"),
    (
        r"takes the columns",
        "第一行须写明各列：day、kind、sensitive、name、sensitive_name、note，前两列必须有",
    ),
    (r"holds no days", "文件里没有日子"),
    (r"is neither UTF-8 nor GB 18030", "文件编码须为 UTF-8 或 GB 18030"),
    (r"the file has more than [\d,]+ lines", "文件行数太多"),
    (r"has more than [\d,]+ bytes", "文件太大"),
    (r"takes one of workday", "类别须为：工作日、双休日、法定节假日、调休工作日、调休后的公休日，或留空"),
    (r"takes yes or no", "请填 是 或 否"),
    (r"takes at most (?P<n>\d+) signs", "最多 %(n)s 个字"),
    (r"holds a control sign", "含有不能使用的字符"),
    (r"(?P<day>[\d-]+) stands on line (?P<n>\d+) too", "%(day)s 与第 %(n)s 行重复"),
    (r"has (?P<n>\d+) cells; the first line names (?P<m>\d+)", "有 %(n)s 格，首行只有 %(m)s 列"),
    (r"is no CSV", "不是 CSV 文件"),
    # Of checks by hand.
    (r"the check is still to come|takes a moment that has passed", "时间须是已经过去的时刻"),
    (
        r"never shows an empty post|takes a source among",
        "该项须有实地、视频检查、上级发现或本人承认，电话抽查不能认定",
    ),
    (r"is no finding|takes one of .*, or nothing", "请从列出的选项中选择"),
    (r"belongs to another unit|does not reach unit", "所选电话不是该单位的"),
)
_LINE = re.compile(r"line (\d+)(?:, (\w+))?$")
_FIELD_FIRST = re.compile(r"^(?:Value error, )?([a-z_]+): ")


def said(text: str) -> Problem:
    """A sentence of a verb in the language of the pages; one that is not known stays as it is."""
    for pattern, message in _SENTENCES:
        found = re.search(pattern, text)
        if found is not None:
            return Problem(message, found.groupdict())
    return Problem("%(text)s", {"text": text})


def of_model(error: ValidationError, name: Callable[[tuple[int | str, ...]], str]) -> dict[str, Problem]:
    """The first problem of each field; `name` gives the field of a place in the model."""
    found: dict[str, Problem] = {}
    for item in error.errors():
        where = name(item["loc"])
        if item["type"] == "value_error":
            problem = said(item["msg"])
            member = _FIELD_FIRST.match(item["msg"])
            if member is not None:
                where = name((*item["loc"], member[1]))
        else:
            message = _TYPES.get(item["type"])
            context = item.get("ctx", {})
            problem = said(item["msg"]) if message is None else _typed(message, context)
        found.setdefault(where, problem)
    return found


def _typed(message: str, context: Mapping[str, Any]) -> Problem:
    return Problem(message, {key: value for key, value in context.items() if f"%({key})s" in message})


def of_faults(faults: Iterable[Fault]) -> list[tuple[str, Problem]]:
    """Faults of an error, each with its place."""
    return [(fault.where, said(fault.message)) for fault in faults]


def of_lines(faults: Iterable[Fault]) -> list[tuple[Problem, Problem]]:
    """Faults of a file: where, and what."""
    return [(_place(fault.where), said(fault.message)) for fault in faults]


def _place(where: str) -> Problem:
    found = _LINE.match(where)
    if found is None:
        return Problem("整个文件") if where == "file" else Problem("%(text)s", {"text": where})
    values = {"n": found[1], "column": found[2]}
    return Problem("第 %(n)s 行 %(column)s 列", values) if found[2] else Problem("第 %(n)s 行", values)


def of_error(error: OfficeError) -> Problem:
    """What a verb says against being carried out: its first fault tells more than its sentence."""
    general = said(error.detail)
    if general.message == "%(text)s" and error.faults:
        return said(error.faults[0].message)
    return general

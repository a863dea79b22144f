"""What notices say: a kind, a count and a link, in both languages. No other word can get into them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of notice; `{n}` is the count."""

    zh: str
    en: str
    do_zh: str
    do_en: str


KINDS: Mapping[str, Kind] = {
    "phone_down": Kind(
        "拨测程序未能启动",
        "The phone does not come up",
        "目前不能拨测。请管理员查看日志。",
        "No calls are placed. Look into the log.",
    ),
    "trunk_down": Kind(
        "{n} 条中继不通或有告警",
        "{n} trunk(s) down or with an alarm",
        "请检查线路，必要时联系运营商。",
        "Check the line; ask the operator if need be.",
    ),
    "calendar_ending": Kind(
        "日历数据即将用完",
        "The calendar's data ends soon",
        "请导入下一年度的节假日安排。",
        "Import the next year's holidays.",
    ),
    "disk": Kind(
        "磁盘空间不足（告警 {n} 项）",
        "Disk space is short ({n} alarm(s))",
        "请腾出空间；放不下录音时停止拨测。",
        "Make room; without room for recordings no call is placed.",
    ),
    "coverage_short": Kind(
        "{n} 个抽查计划达不到覆盖要求",
        "{n} plan(s) cannot meet their coverage",
        "请调整计划的时段、上限或期限。",
        "Change the plan's windows, caps or period.",
    ),
    "reviews_waiting": Kind(
        "{n} 件待复核事项超过时限",
        "{n} finding(s) have waited too long for a review",
        "请督查人员复核。",
        "Review them.",
    ),
    "other_alarms": Kind(
        "本单位系统其他告警 {n} 项",
        "{n} other alarm(s) of this system",
        "请在页面上查看告警内容和处理办法。",
        "The pages say what they are and what to do.",
    ),
    "test": Kind(
        "这是一条测试提醒",
        "This is a test notice",
        "无需处理。",
        "Nothing needs to be done.",
    ),
}  # fmt: skip
OVER_ZH, OVER_EN = "已恢复：", "Over: "
NAME_ZH, NAME_EN = "值班电话抽查", "DutyRing"


@dataclass(frozen=True, slots=True)
class Message:
    """One message, ready to be sent."""

    id: str
    kind: str
    event: str
    count: int
    at: datetime
    link: str
    title_zh: str
    title_en: str
    text: str
    """Body of the e-mail, both languages."""


def message(id: str, kind: str, event: str, count: int, at: datetime, link: str, zone: ZoneInfo) -> Message:
    """Put a notice into words. These arguments are all that it can say."""
    words = KINDS[kind]
    over = event == "over"
    zh = (OVER_ZH if over else "") + words.zh.format(n=count)
    en = (OVER_EN if over else "") + words.en.format(n=count)
    moment = at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S %z")
    lines = [
        zh + "。",
        *([] if over else [words.do_zh]),
        f"时间：{moment}",
        f"查看：{link}",
        "",
        en + ".",
        *([] if over else [words.do_en]),
        f"Time: {moment}",
        f"See: {link}",
        "",
        "本邮件由系统自动发出，不含单位、号码和抽查结论。",
        "Sent by the system. It holds no unit, number or finding.",
    ]
    return Message(id, kind, event, count, at, link, zh, en, "\n".join(lines) + "\n")


def title_zh(kind: str, count: int) -> str:
    """One notice in Chinese, for the pages."""
    return KINDS[kind].zh.format(n=count)


def title_en(kind: str, count: int) -> str:
    """One notice in English, for the pages."""
    return KINDS[kind].en.format(n=count)

"""Words for the states, events and alarms of trunks; Chinese for the pages, English for the command line."""

from __future__ import annotations

from collections.abc import Iterable

from sip.trunks import MEANINGS, AlarmKind

ALARMED_ZH = "有告警"
STATES_ZH = {
    "up": "正常",
    "down": "不通",
    "registering": "注册中",
    "starting": "启动中",
    "stopped": "已停止",
    "unknown": "未核实",
    "disabled": "已停用",
    "shadowed": "未使用（设置中有同名中继）",
    "unusable": "设置有误",
}
KINDS = frozenset(AlarmKind)


def alarm_zh(kind: str) -> str:
    """Say an alarm in Chinese; one that this version does not know by its code."""
    return MEANINGS[AlarmKind(kind)].zh if kind in KINDS else kind


def alarms_zh(kinds: Iterable[str]) -> str:
    """Say several alarms in Chinese, as part of a longer sentence."""
    return "；".join(alarm_zh(kind).removesuffix("。") for kind in kinds)


def alarm_en(kind: str) -> str:
    """Say an alarm in English; one that this version does not know by its code."""
    return MEANINGS[AlarmKind(kind)].en if kind in KINDS else kind


def remedy_zh(kind: str) -> str:
    """Say in Chinese what to do about an alarm."""
    return MEANINGS[AlarmKind(kind)].do_zh if kind in KINDS else ""


def remedy_en(kind: str) -> str:
    """Say in English what to do about an alarm."""
    return MEANINGS[AlarmKind(kind)].do_en if kind in KINDS else ""

"""Words for the states, events and alarms of trunks; Chinese for the pages, English for the command line."""

from __future__ import annotations

STATES_ZH = {
    "up": "正常",
    "down": "不通",
    "starting": "启动中",
    "stopped": "已停止",
    "unknown": "未核实",
    "disabled": "已停用",
    "shadowed": "未使用（设置中有同名中继）",
    "unusable": "设置有误",
}
ALARMS: dict[str, tuple[str, str]] = {}
"""Chinese and English sentence of each alarm."""


def alarm_zh(kind: str) -> str:
    """Say an alarm in Chinese."""
    return ALARMS.get(kind, (kind, kind))[0]


def alarm_en(kind: str) -> str:
    """Say an alarm in English."""
    return ALARMS.get(kind, (kind, kind))[1]

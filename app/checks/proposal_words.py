"""Chinese sentences of proposals: why an order is read as it is. Whoever signs it reads these."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.checks.order_reading import Call

NEVER_CALLED = "未拨出电话，不计入单位"
NOT_BOUND = "启用的规则中没有当日约束本单位的条款，只作记录，不作认定"
FIXED_LINE = "转往其他固定电话，适用条款未禁止一切转移，由人工核定"
ON_BUSY = "遇忙转移不作认定"
BY_REFERENCE = "条款对本单位为参照执行"
CHANGED_BETWEEN = "几次拨打之间登记号码有变更，所拨不是同一号码，不计入单位"
HUNG_UP = "接听人挂断后向公布号码核实身份，不再复核"
SPARED = {"maintenance": "线路或设备维护", "emergency": "应急处置中"}
MITIGATIONS = {
    "called_back": "10 分钟内主动回电",
    "hung_up_to_verify": "挂断后向公布号码核实我方身份",
    "refused_numbers": "未向身份未核实的来电者提供号码",
    "other": "其他情况",
}
_ONLY_ONCE = "，仅一次拨打"


def of_call(call: Call, text: str) -> str:
    """Say which call it was, when, and what it showed."""
    return f"第 {call.number} 次（{call.at:%Y-%m-%d %H:%M:%S}）：{text}"


def details(texts: Sequence[str]) -> str:
    """Join what a call showed; that a call was the only one is the order's to say."""
    return "；".join(dict.fromkeys(text.replace(_ONLY_ONCE, "") for text in texts if text))


def spared(items: Sequence[tuple[str, str]]) -> str:
    """Say which exemption held."""
    told = dict.fromkeys(f"{SPARED.get(kind, kind)}（{reason}）" for kind, reason in items)
    return "豁免期间，不作认定：" + "；".join(told)


def mitigation(kind: str, at: datetime) -> str:
    """Say what speaks for the unit."""
    return f"从轻情节：{MITIGATIONS.get(kind, MITIGATIONS['other'])}（{at:%Y-%m-%d %H:%M:%S}）"


def pending_change(number: str, received_at: datetime) -> str:
    """Say that a reported change of number had not been entered by us."""
    what = f"新号码 {number}" if number else "停用原号码"
    return f"单位已于 {received_at:%Y-%m-%d %H:%M} 报来{what}，拨打时尚未录入，属我方责任"

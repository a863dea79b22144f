"""Test calls of the trunks (试呼) in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.principal import current
from app.checks import wording
from app.evidence.sight import sight_of
from app.trunks import trials_repository
from app.trunks.models import TEST_LIVE
from app.trunks.trials_schemas import TrunkTestOut, told
from app.trunks.wording import alarm_en, alarm_zh
from app.web.i18n import FIRST, gettext, language

SHOWN = 5
"""The latest of a trunk."""
STATE_ZH: Mapping[str, str] = {
    "waiting": "等待拨出",
    "dialling": "正在呼叫",
    "ringing": "正在振铃",
    "connected": "通话中",
    "finished": "已结束",
    "refused": "未拨出",
    "withdrawn": "已撤回",
    "interrupted": "中断",
    "failed": "本机出错",
}
OUTCOME_ZH: Mapping[str, str] = {
    "answered": "已接通",
    "no_answer": "振铃后无人接听",
    "busy": "对方占线",
    "rejected": "对方拒绝接听",
    "unobtainable": "空号或停机",
    "unreachable": "对方无法接通",
    "redirected": "被转往其他号码",
    "cancelled": "由我方挂断",
    "network_failure": "网络没有接续",
}
WHY_ZH: Mapping[str, str] = {
    "phone_not_running": "拨测程序没有运行，60 秒内无人受理",
    "stopped": "全部单位紧急停拨",
    "never_dialled": "该号码不得经这条中继拨打",
    "directory": "该号码是单位名录中的值班电话",
    "no_trunk": "拨测程序没有启用这条中继：新增的中继要重启服务后才使用",
    "phone_ended": "拨测程序中途停止",
    "own_error": "本机呼叫程序出错，详见日志",
}


@dataclass(frozen=True, slots=True)
class TrialView:
    """One test call, in the language of the page."""

    call: TrunkTestOut
    state: str
    why: str
    moving: bool
    """Whether it waits or is under way."""
    good: bool | None
    """Whether somebody answered; False: it failed on our side or in the network; None: it says nothing of the trunk."""
    outcome: str
    status: str
    errors: Sequence[str]
    """What went wrong on our side, each reason once."""


async def latest(session: AsyncSession, trunk: str) -> list[TrialView]:
    """The latest test calls of a trunk, as whoever asks may see them."""
    rows = await trials_repository.page(session, trunk, None, SHOWN)
    sight = sight_of(current())
    return [_view(told(row, sight)) for row in rows]


def _view(call: TrunkTestOut) -> TrialView:
    result = call.result
    outcome = "" if result is None else result.outcome or ""
    ours = result is not None and (result.our_failure or outcome == "network_failure")
    bad = ours or call.state in ("refused", "withdrawn", "interrupted", "failed")
    return TrialView(
        call,
        gettext(STATE_ZH.get(call.state, call.state)),
        gettext(WHY_ZH.get(call.why, "")) if call.why else "",
        call.state in ("waiting", *TEST_LIVE),
        False if bad else True if outcome == "answered" else None,
        gettext(OUTCOME_ZH.get(outcome, outcome)),
        _status(call),
        _errors(call),
    )


def _status(call: TrunkTestOut) -> str:
    """The answer of the network as it came."""
    if call.result is None or call.result.sip_status is None:
        return ""
    return f"{call.result.sip_status} {call.result.sip_reason or ''}".strip()


def _errors(call: TrunkTestOut) -> list[str]:
    """Our own errors and alarms in plain words; English pages have the words of the record."""
    if call.result is None:
        return []
    chinese = language() == FIRST
    errors = [wording.our_errors([text]) if chinese else text for text in call.result.errors]
    alarms = [(alarm_zh if chinese else alarm_en)(kind) for kind in call.result.alarms]
    return list(dict.fromkeys([*errors, *alarms]))

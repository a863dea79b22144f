"""Chinese words of findings: tones, line states, answers of the network, signs of forwarding, our own errors.

Facts keep their English words and codes; whoever signs a verdict reads these.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

TONES = {"busy": "忙音", "congestion": "拥塞音", "unobtainable": "空号音"}
"""Tones that tell why nobody answers."""
LINE_STATES = {
    "powered_off": "关机",
    "unobtainable": "空号",
    "suspended": "停机",
    "in_call": "正在通话",
    "declined": "用户拒接",
    "not_reachable": "无法接通",
    "service_paused": "暂停服务",
    "busy": "用户正忙",
    "wrong_prefix": "拨号方式不正确",
    "incoming_barred": "呼入限制",
    "call_reminder": "来电提醒",
    "forward_failed": "转移失败",
    "network_busy": "网络忙",
    "no_answer": "无人接听",
    "arrears": "我方欠费",
    "cannot_answer": "无法接听",
    "number_changed": "改号",
    "line_fault": "线路故障",
    "redial_later": "稍后再拨",
    "own_line": "我方线路受限",
}
_STATUSES = {
    401: "要求认证",
    403: "网络不予接续",
    404: "号码不存在",
    407: "要求认证",
    408: "超时无应答",
    410: "号码已停用",
    480: "暂时无法接通",
    484: "号码不全",
    486: "用户忙",
    487: "呼叫已撤销",
    488: "语音格式不被接受",
    500: "网络内部故障",
    502: "网关故障",
    503: "网络服务不可用",
    504: "网络超时",
    600: "用户忙",
    603: "用户拒接",
    604: "号码不存在",
    607: "用户拒接",
    608: "呼叫被网络拦截",
}
SIGNS = {
    "sip_181": "网络通知来电正在转移",
    "redirect": "被叫返回改号应答",
    "history_info": "信令中的转接历史指向其他号码",
    "diversion": "信令中带有来电转移信息",
    "redirection_number": "交换机信令告知来电转移",
    "asserted_identity": "网络标识的接听号码不是所拨号码",
    "mobile_announcement": "固定电话播出移动用户提示音",
    "transfer_announcement": "播出呼叫转移提示音",
    "ringback_restart": "回铃音中断后以另一音质重新开始",
    "late_ringing": "振铃明显晚于本线路以往拨测",
    "crbt": "接听前播放彩铃",
}
_OUR_ERRORS = (
    (r"no response to the INVITE", "呼叫发出后 32 秒内没有任何应答"),
    (r"network refused the INVITE", "网络拒收呼叫，对方地址或端口不通"),
    (r"wants credentials", "中继认证未通过，请核对用户名和密码"),
    (r"ledger could not be written", "台账无法写入，呼叫已中止"),
    (r"media engine|sip\.media", "本机媒体进程中断"),
    (r"recording", "录音未能保存"),
    (r"no session description", "接通时对方未给出语音通道"),
    (r"no G\.711", "对方不支持 G.711 语音编码"),
    (r"has no address|is no host name", "对方主机名无法解析"),
    (r"no route to", "到对方没有网络路由"),
    (r"cannot bind", "本机地址或端口不可用"),
    (r"cannot send media|no sound", "语音无法收发"),
    (r"plain number", "线路是普通号码，而没有可用的中继"),
    (r"is not registered|not registered:", "中继未注册"),
    (
        r"calls are under way, as many|calls a second are as many|in [\d.e+]+ s are as many",
        "超出中继呼叫限额，未拨出",
    ),
    (r"answer key|is never dialled|never dialled|may be dialled", "该号码不得拨打"),
    (r"certificate|TLS|authorit", "与中继的加密连接（TLS）失败"),
    (r"has alerted its line", "同一次抽查只允许振铃一次"),
    (r"DUTYRING_[A-Z_]+", "设置有误，详见日志"),
    (r"is not a SIP URI|another transport|names port", "线路地址不是可以拨打的 SIP 地址"),
    (r"phone process", "本机拨测程序停止"),
)
_UNNAMED = "本机呼叫程序出错，详见日志"


def line_state(state: str) -> str:
    """Name what an announcement or tone says of the line."""
    return LINE_STATES.get(state, "未核实")


def status(code: int) -> str:
    """Name a final answer of the network."""
    meaning = _STATUSES.get(code)
    return f"信令应答 {code}" + (f"（{meaning}）" if meaning else "")


def announced(text: str) -> str:
    """Name the marked sample of an announcement's detail, `sample 3: LABEL`, in Chinese; other text stays."""
    return re.sub(r"^sample (\d+): ", r"样本 \1：", text)


def forwarding_sign(kind: str, target: str | None, target_class: str | None = None) -> str:
    """Name a sign of forwarding and, where it is known, the number it leads to."""
    words = SIGNS.get(kind, "有呼叫转移迹象")
    own = "本单位号码 " if target_class == "same_unit" else ""
    return f"{words}，转至{own or ' '}{target}" if target else words


def our_errors(errors: Sequence[str]) -> str:
    """Say what went wrong on our side; each reason once."""
    return "；".join(dict.fromkeys(_our_error(text) for text in errors))


def seconds(ms: float, *limits_s: float) -> str:
    """Write seconds with one decimal, or as many more as keep them apart from a limit that they are not."""
    value = ms / 1000
    for digits in (1, 2):
        text = f"{value:.{digits}f}"
        if not any(float(text) == limit != round(value, 3) for limit in limits_s):
            return text
    return f"{value:.3f}"


def _our_error(text: str) -> str:
    return next((words for pattern, words in _OUR_ERRORS if re.search(pattern, text)), _UNNAMED)

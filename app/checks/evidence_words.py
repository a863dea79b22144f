"""Chinese words for what proves a sign of forwarding: the detail of each kind of evidence.

Facts keep their English text. What the signalling itself said (a header's value, a number) stays as it was sent: it is
the proof.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from app.checks import wording

_SAID = {
    "transfer": "正在转接",
    "mailbox": "留言信箱",
    "assistant": "通信助理",
    "menu": "语音菜单",
    "other": "其他提示",
}
"""What an announcement may say besides a state of the line."""
_ROADS = {"words": "按识别文字", "sample": "按提示音样本", "tone": "按信号音", "signalling": "按信令"}
_Rule = tuple[str, Callable[[re.Match[str]], str]]


def _source(text: str) -> str:
    """`words: “…” (phrase)`, `sample: sample 3: LABEL` or a road alone."""
    road, _, detail = text.partition(": ")
    known = _ROADS.get(road, "")
    if not known:
        return text
    return f"{known}：{wording.announced(detail)}" if detail else known


def _meaning(word: str) -> str:
    return _SAID.get(word) or wording.LINE_STATES.get(word, "其他提示")


def _redirect(found: re.Match[str]) -> str:
    return f"应答 {found[1]}，目标 {found[2]}"


def _identity(found: re.Match[str]) -> str:
    where = f"{found[1]} 应答" if found[1].isdigit() else f"{found[1]} 消息"
    return f"{where}中的标识：{found[2]}"


def _isup(found: re.Match[str]) -> str:
    number = found[2]
    if number is None:
        return f"ISUP {found[1]}：呼叫正在转移"
    return f"ISUP {found[1]}：转移号码 {'不予显示' if number == 'withheld' else number}"


def _late(found: re.Match[str]) -> str:
    delay, limit, calls, median = found.groups()
    return f"拨出后 {delay} 毫秒才振铃，超过 {limit} 毫秒；此前 {calls} 次的中位数为 {median} 毫秒"


def _pause(found: re.Match[str]) -> str:
    pause, usual, nominal = found.groups()
    return f"停顿 {pause} 秒，{'标称' if nominal else '本线路'}为 {usual} 秒"


_RULES: Mapping[str, tuple[_Rule, ...]] = {
    "sip_181": ((r"181 Call Is Being Forwarded", lambda _: "收到 181（来电正在转移）"),),
    "redirect": ((r"(\d{3}) with Contact (.*)", _redirect),),
    "history_info": ((r"History-Info: (.*)", lambda found: f"History-Info 头域：{found[1]}"),),
    "diversion": ((r"Diversion: (.*)", lambda found: f"Diversion 头域：{found[1]}"),),
    "redirection_number": (
        (r"ISUP (\S+): (?:Redirection Number (\S+)|the call is being forwarded)", _isup),
    ),
    "asserted_identity": ((r"identity in the (\S+): (.*)", _identity),),
    "mobile_announcement": (
        (
            r"(\w+) announced by (.*)",
            lambda found: f"播出“{_meaning(found[1])}”，{_source(found[2])}",
        ),
    ),
    "transfer_announcement": ((r"announced by (.*)", lambda found: f"播出转接提示，{_source(found[1])}"),),
    "ringback_restart": (
        (r"plan: ringback of plan (\S+) after that of plan (\S+)", lambda f: f"回铃音由 {f[2]} 制式变为 {f[1]} 制式"),
        (
            r"frequency: ringback at ([\d.]+) Hz after ([\d.]+) Hz",
            lambda f: f"回铃音频率由 {f[2]} Hz 变为 {f[1]} Hz",
        ),
        (
            r"level: ringback at (-?[\d.]+) dBm0 after (-?[\d.]+) dBm0",
            lambda f: f"回铃音电平由 {f[2]} dBm0 变为 {f[1]} dBm0",
        ),
        (r"cadence: a pause of ([\d.]+) s where the line's is ([\d.]+) s( \(nominal\))?", _pause),
        (r"music: music after ringback", lambda _: "回铃音之后转为音乐"),
    ),
    "late_ringing": (
        (r"post-dial delay (\d+) ms, over (\d+) ms; median of (\d+) earlier calls (\d+) ms", _late),
    ),
    "crbt": ((r"music or speech instead of ringback.*", lambda _: "接听前以音乐或人声代替回铃音"),),
}  # fmt: skip


def detail(kind: str, text: str) -> str:
    """Say in Chinese what proves a sign of this kind; a text of an unknown form stays as it is."""
    for pattern, write in _RULES.get(kind, ()):
        found = re.fullmatch(pattern, text, re.DOTALL)
        if found is not None:
            return write(found)
    return text

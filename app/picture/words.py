"""The words of the picture, in the two languages that it is drawn in.

The pages read their names of sounds and grades from here too, so that picture and page say the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.checks import wording
from app.picture.faults import fault_zh

SOUND_ZH = {
    "ringback": "回铃音",
    "busy": "忙音",
    "congestion": "拥塞音",
    "unobtainable": "空号音",
    "dial_tone": "拨号音",
    "call_waiting": "呼叫等待",
    "howler": "催挂音",
    "fax_cng": "传真呼叫音",
    "fax_ced": "传真应答音",
    "beep": "滴声",
    "music": "音乐",
    "speech": "人声",
    "announcement": "语音通知",
    "noise": "噪声",
    "silence": "静音",
    "crbt": "彩铃",
    "none": "无",
}
GRADE_ZH = {
    "definitive": "确证",
    "near_proof": "确证",
    "strong": "较强",
    "medium": "线索",
    "weak": "线索",
    "none": "—",
}
_MEANING_ZH = {
    "transfer": "转接",
    "mailbox": "语音信箱",
    "assistant": "语音助理",
    "menu": "语音菜单",
    "other": "其他提示",
}
MEANING_ZH = wording.LINE_STATES | _MEANING_ZH
"""What was announced."""
_ROAD_ZH = {"words": "词语", "sample": "样本", "tone": "信号音", "signalling": "信令"}
_MEASURED_ZH = {
    "level": "电平",
    "frequency": "频率",
    "deviation": "频偏",
    "pitch": "基频",
    "harmonicity": "谐波性",
    "peak": "最强分音",
    "peak_share": "最强分音占比",
    "share": "占比",
    "on": "鸣响",
    "off": "间断",
    "bursts": "鸣响次数",
    "cycles": "周期数",
    "flatness": "频谱平坦度",
    "second": "第二频率",
    "flux": "频谱变化",
    "centroid": "频谱重心",
    "swing": "电平起伏",
    "roughness": "粗糙度",
    "steady_peak": "稳定分音",
    "quiet_share": "停顿占比",
    "sounding_share": "有声占比",
    "steady_pitch_share": "稳定基频占比",
    "gliding_pitch_share": "滑动基频占比",
    "p_speech": "人声概率",
    "p_music": "音乐概率",
    "p_noise": "噪声概率",
    "repeat_likeness": "与前一次播放的相似度",
}
_UNITS = {"dbm0": "dBm0", "hz": "Hz", "ms": "ms", "s": "s", "db": "dB", "pct": "%", "ppm": "ppm"}


@dataclass(frozen=True, slots=True)
class Words:
    """One language. Templates in braces are filled with `str.format`."""

    language: str
    """BCP 47."""
    title: str
    description: str
    lanes: Mapping[str, str]
    limits: Mapping[str, str]
    """`{}` is the limit in seconds."""
    answer: str
    answer_after: str
    window: str
    end: str
    ended_by: Mapping[str, str]
    ring: str
    """`{n}`, `{span}`."""
    assumed: str
    seconds: str
    span: str
    axis: Mapping[str, str]
    """By the kind of what is drawn: `call` or `file`."""
    key: Mapping[str, str]
    ours: Mapping[str, str]
    details: bool
    """Whether details of facts, which are English, are shown."""
    more: str
    confidence: str
    columns: tuple[str, ...]
    """Heads of the table of what was measured: kind, from, to, confidence, measured."""
    unmeasured: str
    sounds: Mapping[str, str]
    grades: Mapping[str, str]
    meanings: Mapping[str, str]
    roads: Mapping[str, str]
    names: Mapping[str, str]
    """Of what was measured, without the unit."""
    channels: Mapping[str, str]
    facts: Mapping[str, str]
    """Parts of the line that sums up a file."""

    def sound(self, kind: str) -> str:
        """Name a kind of segment."""
        return self.sounds.get(kind, _plain(kind))

    def grade(self, grade: str) -> str:
        """Name a strength of evidence."""
        return self.grades.get(grade, _plain(grade))

    def meaning(self, meaning: str) -> str:
        """Name what was announced."""
        return self.meanings.get(meaning, _plain(meaning))

    def road(self, road: str) -> str:
        """Name how it was understood."""
        return self.roads.get(road, _plain(road))

    def sign(self, kind: str) -> str:
        """Name a sign of forwarding."""
        return (
            wording.forwarding_sign(kind, None)
            if self.language == "zh-CN"
            else SIGNS_EN.get(kind, _plain(kind))
        )

    def summary(self, analysis: Mapping[str, Any], channel: str) -> str:
        """Say in one line what the analysis of a sound file found."""
        rings = (analysis.get("rings") or {}).get("count")
        state = analysis.get("line_state")
        kind = (analysis.get("early_media") or {}).get("kind") or "none"
        length = f"{(analysis.get('duration_ms') or 0.0) / 1000:.2f}"
        parts = [
            self.facts["duration"].format(length),
            self.facts["channel"].format(self.channels.get(channel, channel)),
            self.facts["rings"].format(rings) if rings is not None else self.facts["no_rings"],
            self.facts["heard"].format(self.sound(kind)),
            self.facts["state"].format(self.meaning(state)) if state else self.facts["no_state"],
        ]
        return ("，" if self.language == "zh-CN" else ", ").join(parts)

    def fault(self, sentence: str) -> str:
        """Say what is wrong with a recording."""
        return fault_zh(sentence) if self.language == "zh-CN" else sentence

    def measured(self, values: Mapping[str, object] | None) -> str:
        """Write what a segment was told by, `频率 450.2 Hz，电平 -12.4 dBm0`; empty if nothing was measured."""
        comma = "，" if self.language == "zh-CN" else ", "
        return comma.join(self._one(name, value) for name, value in (values or {}).items())

    def _one(self, name: str, value: object) -> str:
        stem, _, unit = name.rpartition("_")
        # `beat_160_ms` is no time: it is a beat at 160 ms.
        if unit not in _UNITS or stem.rpartition("_")[2].isdigit():
            stem, unit = name, ""
        number = f"{value:.4g}" if isinstance(value, float | int) else str(value)
        return f"{self.names.get(stem, _plain(stem))} {number} {_UNITS.get(unit, '')}".rstrip()


SIGNS_EN: Mapping[str, str] = {
    "sip_181": "told by the network (181):",
    "redirect": "moved by the called side:",
    "history_info": "history in the signalling:",
    "diversion": "diversion in the signalling:",
    "redirection_number": "told by the exchange:",
    "asserted_identity": "another number answered:",
    "mobile_announcement": "announced by a mobile network:",
    "transfer_announcement": "announced as transferred:",
    "ringback_restart": "ringback of another kind:",
    "late_ringing": "rang later than usual:",
    "crbt": "music before the answer:",
}
"""Signs of forwarding, in English; their grade follows."""


def _plain(code: str) -> str:
    return code.replace("_", " ")


ZH = Words(
    language="zh-CN",
    title="通话图示",
    description="横轴为秒。",
    lanes={
        "rings": "响铃",
        "sounds": "声音",
        "said": "提示音",
        "signs": "转移迹象",
        "ours": "我方动作",
        "level": "电平",
        "spectrum": "频谱",
    },
    limits={"within": "三声止 {} 秒", "limit": "折算限 {} 秒", "finding": "拟认定线 {} 秒"},
    answer="接听",
    answer_after="接听，响铃 {} 秒",
    window="接听时刻在此区间内：{span}",
    end="结束",
    ended_by={"us": "我方挂断", "them": "对方挂断", "network": "网络中断"},
    ring="第 {n} 声 {span}",
    assumed="（按国标节拍推算）",
    seconds="{} 秒",
    span="{}–{} 秒",
    axis={"call": "自拨出起的时间（秒）", "file": "自文件开头起的时间（秒）"},
    key={
        "ring": "实测回铃音",
        "assumed": "推算响铃",
        "window": "接听所在区间",
        "lawful": "合规区间",
        "said": "已识别的提示音",
        "sign": "转移迹象：◆ 确证 ◈ 较强 ◇ 线索",
        "ours": "我方动作",
    },
    ours={"prompt": "播放提示", "hang_up": "我方挂断", "dtmf": "按键", "CANCEL": "我方取消"},
    details=False,
    more="另有 {} 条",
    confidence="置信度",
    columns=("声音", "起", "止", "置信度", "测得"),
    unmeasured="—",
    sounds=SOUND_ZH,
    grades=GRADE_ZH,
    meanings=MEANING_ZH,
    roads=_ROAD_ZH,
    names=_MEASURED_ZH,
    channels={"left": "左声道", "right": "右声道", "mix": "各声道相加"},
    facts={
        "duration": "时长 {} 秒",
        "channel": "取{}",
        "rings": "回铃音 {} 声",
        "no_rings": "未听到回铃音",
        "heard": "主要声音：{}",
        "state": "线路状态：{}",
        "no_state": "线路状态：未核实",
    },
)
EN = Words(
    language="en",
    title="Picture of the call",
    description="The horizontal axis is time in seconds.",
    lanes={
        "rings": "rings",
        "sounds": "sounds",
        "said": "announced",
        "signs": "forwarding",
        "ours": "our side",
        "level": "level",
        "spectrum": "spectrum",
    },
    limits={
        "within": "third ring ends {} s",
        "limit": "limit {} s",
        "finding": "proposed finding {} s",
    },
    answer="answered",
    answer_after="answered after {} s of ringing",
    window="the answer lies in here: {span}",
    end="end",
    ended_by={"us": "hung up by us", "them": "hung up by them", "network": "cut by the network"},
    ring="ring {n}: {span}",
    assumed=" (by the national cadence)",
    seconds="{} s",
    span="{}-{} s",
    axis={"call": "time since dialling (s)", "file": "time since the start of the file (s)"},
    key={
        "ring": "ringback heard",
        "assumed": "ring assumed",
        "window": "answer window",
        "lawful": "lawful time",
        "said": "announcement understood",
        "sign": "forwarding: ◆ proof ◈ strong ◇ hint",
        "ours": "what we did",
    },
    ours={"prompt": "prompt", "hang_up": "hung up by us", "dtmf": "digits", "CANCEL": "cancelled by us"},
    details=True,
    more="{} more",
    confidence="confidence",
    columns=("sound", "from", "to", "confidence", "measured"),
    unmeasured="-",
    sounds={"crbt": "ringback music", "dial_tone": "dial tone"},
    grades={
        "definitive": "proof",
        "near_proof": "proof",
        "strong": "strong",
        "medium": "hint",
        "weak": "hint",
    },
    meanings={},
    roads={},
    names={},
    channels={"left": "left channel", "right": "right channel", "mix": "channels added up"},
    facts={
        "duration": "{} s",
        "channel": "{}",
        "rings": "{} rings",
        "no_rings": "no ringback",
        "heard": "mostly: {}",
        "state": "line: {}",
        "no_state": "line: unknown",
    },
)
LANGUAGES = {"zh": ZH, "en": EN}

"""The words of the rows of 实时, in Chinese; translated where they are shown."""

from __future__ import annotations

from collections.abc import Mapping

from app.picture import SOUND_ZH

PHASE_ZH: Mapping[str, str] = {
    "dialling": "拨号中",
    "ringing": "振铃中",
    "answered": "通话中",
    "ending": "收线中",
    "over": "已结束",
}
EARLY_ZH: Mapping[str, str] = {**SOUND_ZH, "none": "无声", "announcement": "语音"}
"""What is heard before the answer; `EarlyMedia.kind` of the call record. Whether a voice is
an announcement or a 彩铃 is known at the end."""
KIND_ZH: Mapping[str, str] = {
    "random": "计划抽查",
    "designated": "指定抽查",
    "verification": "核号",
    "demo": "演示",
}

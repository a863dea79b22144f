"""Chinese words for what is wrong with a recording; the analysis itself names it in English."""

from __future__ import annotations

import re

_CHANNELS = {"left": "左声道", "right": "右声道"}
_WHAT = r"(?:the (?P<channel>\w+) channel|the sound)"
_FAULTS = (
    (
        rf"{_WHAT} is clipped: (?P<share>[\d.]+) % of its samples are cut off at full scale,"
        r" from (?P<begin>[\d.]+) s to (?P<end>[\d.]+) s",
        "{channel}过载削波：{share}% 的样点达到满刻度，自 {begin} 秒至 {end} 秒",
    ),
    (
        rf"{_WHAT} has a constant offset of (?P<share>[-\d.]+) % of full scale",
        "{channel}有直流偏移，为满刻度的 {share}%",
    ),
    (
        r"the (?P<channel>\w+) channel is silent throughout;"
        r" the (?P<other>\w+) one holds sound: (?P<take>--channel \w+)",
        "{channel}全程无声，{other}有声音：请用 {take}",
    ),
    (
        r"the channels cancel each other out: (?P<take>--channel \w+) takes one of them",
        "各声道相互抵消：请用 {take} 取其一",
    ),
    (
        r"the sound is silent throughout: its loudest 20 ms have (?P<level>-?\d+) dBm0",
        "全程无声：最响的 20 毫秒为 {level} dBm0",
    ),
    (
        r"the sound is very quiet: its loudest 20 ms have (?P<level>-?\d+) dBm0, (?P<least>-?\d+) dBm0 is .*",
        "声音过小：最响的 20 毫秒为 {level} dBm0，低于可靠分析所需的 {least} dBm0",
    ),
    (
        r"(?P<name>.*): truncated after (?P<end>[\d.]+) s \((?P<reason>.*)\)",
        "{name} 不完整，分析到 {end} 秒为止（{reason}）",
    ),
)


def fault_zh(sentence: str) -> str:
    """Say a sentence of the analysis' `errors` in Chinese; one that is not known stays as it is."""
    for pattern, words in _FAULTS:
        found = re.fullmatch(pattern, sentence, re.DOTALL)
        if found:
            parts = {name: value or "" for name, value in found.groupdict().items()}
            parts |= {name: _channel(parts[name]) for name in ("channel", "other") if name in parts}
            return words.format(**parts)
    return sentence


def _channel(name: str) -> str:
    number = re.fullmatch(r"(\d+)(rd|th)", name)
    return f"第 {number[1]} 声道" if number else _CHANNELS.get(name, "声音")

"""What is said in made-up duty calls, as transcripts and as pieces of the search. Nothing of it is real."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

from app.transcripts.search_words import sought

SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗"
GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰建国文斌"
PLACES = ("云溪县", "青石镇", "白水乡", "松岭街道", "城关镇", "河口乡")
OFFICES = ("应急管理局", "水利局", "林业局", "财政局", "教育局", "政府办", "卫生健康局")
RARE = "山洪"
"""Said in one call of 10,000."""
Row = dict[str, Any]


def utterances(chance: random.Random, number: int) -> Iterator[tuple[str, str]]:
    """What is said in one call: channel and words."""
    place, office = chance.choice(PLACES), chance.choice(OFFICES)
    name = chance.choice(SURNAMES) + "".join(chance.sample(GIVEN, chance.choice((1, 2, 2))))
    digits = "".join(chance.choices("零幺二三四五六拐八九", k=8))
    yield "us", "您好，这里是市政府总值班室，现在进行值班电话抽查，本次通话将录音"
    yield "them", f"您好，{place}{office}值班室"
    yield (
        "them",
        f"我是值班员{name}，带班领导是{chance.choice(SURNAMES)}{chance.choice(('局长', '主任', '科长'))}",
    )
    yield (
        "them",
        f"联系电话{digits}，{chance.choice(('今天一切正常', '没有突发情况', '正在处理来文', '刚刚巡查回来'))}",
    )
    yield (
        "them",
        f"{RARE}预警已经转发各村"
        if number % 10_000 == 77
        else chance.choice(("好的，再见", "谢谢，再见", "嗯，好")),
    )


def content(said: Sequence[tuple[str, str]]) -> tuple[Row, list[Row]]:
    """The transcript of a call, and its pieces."""
    channels: Row = {
        name: {"schema": "dutyring.transcript/1", "engine": "bench", "language": "zh", "utterances": []}
        for name in ("us", "them")
    }
    pieces: list[Row] = []
    at = 6_000.0
    for channel, words in said:
        timed = [
            {"text": sign, "start_ms": at + 200 * place, "end_ms": at + 200 * place + 180}
            for place, sign in enumerate(words)
            if sign != "，"
        ]
        end = at + 200 * len(words)
        channels[channel]["utterances"].append({"start_ms": at, "end_ms": end, "text": words, "words": timed})
        pieces.append(
            {"channel": channel, "start_ms": at, "end_ms": end, "text": words, "sought": sought(words)}
        )
        at = end + 500.0
    return channels, pieces

"""The drawing itself: read back as XML, its bars are where the facts say, whatever the facts are."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.checks.rules import Rules
from app.picture import EN, LANGUAGES, ZH, Sheet, Words, draw, svg_file, svg_fragment
from app.picture.labels import LEFT, RIGHT, WIDTH, text_width
from app.picture.notes import NOTE_SIZE
from app.picture.png import data_address, write_png
from sip.progress import Spectrogram
from sip.record import (
    Announcement,
    CallRecord,
    EarlyMedia,
    Evidence,
    Forwarding,
    LevelTrack,
    Segment,
    TimelineEntry,
)
from tests.line_sounds import sine
from tests.web.fake import answered, unanswered

RULES = Rules()
SVG = "{http://www.w3.org/2000/svg}"
ELEMENTS = {"svg", "title", "desc", "rect", "line", "polygon", "text", "image"}


def drawn(facts: dict[str, Any], words: Words = ZH) -> ET.Element:
    return ET.fromstring(svg_fragment(draw(facts, RULES, words), "one"))


def parts(root: ET.Element, kind: str) -> list[ET.Element]:
    return [element for element in root.iter() if kind in element.get("class", "").split()]


def texts(root: ET.Element, kind: str) -> list[str]:
    return [element.text or "" for element in parts(root, kind) if element.tag == f"{SVG}text"]


def told(element: ET.Element) -> str:
    return element.findtext(f"{SVG}title") or ""


def seconds_of(root: ET.Element, x: float) -> float:
    """Read a place off the time axis, as an eye does."""
    ticks = [(float(t.get("x", "0")), float(t.text or "0")) for t in parts(root, "tick")]
    (x0, s0), (x1, s1) = ticks[0], ticks[-1]
    return s0 + (x - x0) / (x1 - x0) * (s1 - s0)


def span_of(root: ET.Element, bar: ET.Element) -> tuple[float, float]:
    x, width = float(bar.get("x", "0")), float(bar.get("width", "0"))
    return seconds_of(root, x), seconds_of(root, x + width)


def rich_record() -> CallRecord:
    """A call with everything that a picture may show."""
    record = answered("x", 14_000.0, answered_window_ms=(11_200.0, 14_200.0), ring_to_answer_min_ms=11_000.0)
    signs = (
        Evidence("sip_181", "definitive", 150.0, "181 Call Is Being Forwarded"),
        Evidence("diversion", "strong", 160.0, "d"),
        Evidence("crbt", "weak", 900.0, "c"),
    )
    measured = {"frequency_hz": 450.2, "level_dbm0": -12.4}
    return replace(
        record,
        early_media=EarlyMedia(
            "ringback", (Segment("ringback", 200.0, 14_200.0, 0.99, "cn.ringback", measured),)
        ),
        forwarding=Forwarding(True, "definitive", None, None, None, signs),
        announcements=(
            Announcement("powered_off", "words", 2_000.0, 4_000.0, 0.96, "已关机 <script>", True),
        ),
        level=LevelTrack(0.0, 100.0, (None, None, -12, -13, *[-60] * 90, None, -20, -21)),
        timeline=(
            *record.timeline,
            TimelineEntry(14_800.0, "prompt", {"what": "started"}),
            TimelineEntry(15_500.0, "dtmf", {"digits": "8012"}),
        ),
    )


def test_every_bar_stands_where_the_record_says() -> None:
    record = rich_record()
    root = drawn(record.to_dict())
    for bar, burst in zip(parts(root, "ring"), record.rings.bursts, strict=True):
        assert span_of(root, bar) == pytest.approx((burst.start_ms / 1000, burst.end_ms / 1000), abs=0.02)
    ringback, speech = parts(root, "sound")
    assert span_of(root, ringback) == pytest.approx((0.2, 14.2), abs=0.02)
    assert span_of(root, speech) == pytest.approx((14.5, 16.7), abs=0.02)
    (window,) = (part for part in parts(root, "window"))
    assert span_of(root, window) == pytest.approx((11.2, 14.2), abs=0.02)
    (lawful,) = parts(root, "lawful")
    assert span_of(root, lawful) == pytest.approx((0.2, 15.2), abs=0.02)
    at = {
        kind: line.get("x1")
        for kind in ("within", "finding", "answer", "end")
        for line in parts(root, kind)[:1]
    }
    found = {kind: seconds_of(root, float(x or "0")) for kind, x in at.items()}
    assert found == pytest.approx({"within": 11.2, "finding": 20.2, "answer": 14.2, "end": 18.2}, abs=0.02)
    (said,) = (part for part in parts(root, "said") if part.tag == f"{SVG}rect")
    assert span_of(root, said) == pytest.approx((2.0, 4.0), abs=0.02)


def test_the_words_say_what_is_drawn() -> None:
    root = drawn(rich_record().to_dict())
    assert root.findtext(f"{SVG}title") == "通话图示"
    assert "接听，响铃 11.0–14.0 秒" in (root.findtext(f"{SVG}desc") or "")
    assert texts(root, "lane") == ["响铃", "声音", "提示音", "转移迹象", "我方动作", "电平"]
    assert texts(root, "note") == [
        "关机（词语）",
        "网络通知来电正在转移 确证",
        "信令中带有来电转移信息 较强",
        "接听前播放彩铃 线索",
        "播放提示",
        "按键 8012",
    ]
    assert told(parts(root, "ring")[0]) == "第 1 声 0.20–1.20 秒 450.2 Hz -12.0 dBm0"
    assert told(parts(root, "sound")[0]).splitlines() == [
        "回铃音 cn.ringback 0.20–14.20 秒",
        "置信度 0.99",
        "频率 450.2 Hz，电平 -12.4 dBm0",
    ]
    english = drawn(rich_record().to_dict(), EN)
    assert texts(english, "lane") == ["rings", "sounds", "announced", "forwarding", "our side", "level"]
    assert texts(english, "answer") == ["answered after 11.0–14.0 s of ringing"]


@pytest.mark.parametrize(
    ("measured", "zh", "en"),
    [
        ({}, "", ""),
        (None, "", ""),
        ({"cycles": 2.0}, "周期数 2", "cycles 2"),
        (
            {"second_hz": 480.04, "off_ms": 4_000},
            "第二频率 480 Hz，间断 4000 ms",
            "second 480 Hz, off 4000 ms",
        ),
        ({"quiet_share": 0.31}, "停顿占比 0.31", "quiet share 0.31"),
        ({"beat_160_ms": 0.5}, "beat 160 ms 0.5", "beat 160 ms 0.5"),
        ({"something_new_db": -3.25}, "something new -3.25 dB", "something new -3.25 dB"),
    ],
)
def test_what_was_measured_is_written_with_its_unit(
    measured: dict[str, float] | None, zh: str, en: str
) -> None:
    assert (ZH.measured(measured), EN.measured(measured)) == (zh, en)


def test_grades_differ_in_shape_and_words() -> None:
    root = drawn(rich_record().to_dict())
    proof, strong, hint = (part for part in parts(root, "sign"))
    assert proof.get("fill") != strong.get("fill") == hint.get("fill")
    assert len(parts(root, "dot")) == 1
    assert "转移迹象：◆ 确证 ◈ 较强 ◇ 线索" in texts(root, "legend")


def test_assumed_rings_are_hollow_and_say_so() -> None:
    facts = answered("x", 12_000.0).to_dict()
    facts["rings"] = {"count": 3, "source": "cadence", "bursts": []}
    root = drawn(facts)
    bars = parts(root, "ring")
    assert [bar.get("fill") for bar in bars] == ["#fff"] * 3
    assert all(bar.get("stroke-dasharray") for bar in bars)
    assert "按国标节拍推算" in told(bars[0])
    assert "推算响铃" in texts(root, "legend")


def test_the_level_is_drawn_only_where_something_came() -> None:
    root = drawn(rich_record().to_dict())
    before, after = parts(root, "level")
    first = [float(point.split(",")[0]) for point in (before.get("points") or "").split()]
    second = [float(point.split(",")[0]) for point in (after.get("points") or "").split()]
    assert seconds_of(root, min(first)) == pytest.approx(0.2, abs=0.02)
    assert seconds_of(root, max(first)) == pytest.approx(9.4, abs=0.02)
    assert seconds_of(root, min(second)) == pytest.approx(9.5, abs=0.02)
    assert seconds_of(root, max(second)) == pytest.approx(9.7, abs=0.02)
    heights = [float(point.split(",")[1]) for point in (before.get("points") or "").split()]
    loud, base = min(heights), max(heights)
    assert base - loud == pytest.approx((60 - 12) / 63 * 50.0, abs=0.5)
    old = rich_record().to_dict() | {"level": None}
    assert "电平" not in texts(drawn(old), "lane")


def analysis(**changes: Any) -> dict[str, Any]:
    bursts = [{"start_ms": 500.0, "end_ms": 1_500.0, "frequency_hz": 450.0, "level_dbm0": -10.0}]
    return {
        "schema": "dutyring.audio/1",
        "duration_ms": 12_000.0,
        "segments": [{"kind": "ringback", "start_ms": 500.0, "end_ms": 5_000.0, "confidence": 0.9}],
        "rings": {"count": 1, "source": "audio", "bursts": bursts, "plan": None},
        "early_media": {"kind": "ringback", "segments": []},
        "line_state": None,
        "announcements": [],
        "level": None,
        "errors": [],
    } | changes


def test_a_file_stands_for_itself() -> None:
    spectrogram = Spectrogram()
    spectrogram.push(sine(12.0, hz=1_000.0).reshape(-1, 160))
    picture = draw(analysis(), RULES, ZH, spectrogram)
    text = svg_file(picture, Sheet("a&b <c>.wav", ZH.summary(analysis(), "right"), ["x is clipped"]))
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<svg')
    root = ET.fromstring(text)
    assert texts(root, "title") == ["a&b <c>.wav"]
    assert texts(root, "summary") == [
        "时长 12.00 秒，取右声道，回铃音 1 声，主要声音：回铃音，线路状态：未核实"
    ]
    assert texts(root, "cell") == ["回铃音", "0.50", "5.00", "0.90", "—"]
    assert texts(root, "note") == ["▲ x is clipped"]
    assert sorted(texts(root, "limit")) == ["三声止 11 秒", "折算限 15 秒"]
    (image,) = parts(root, "heat")
    assert span_of(root, image) == pytest.approx((0.0, 12.0), abs=0.02)
    png = base64.b64decode((image.get("href") or "").removeprefix("data:image/png;base64,"))
    assert struct.unpack(">II", png[16:24]) == (600, 128)


def test_a_file_without_ringback_has_no_limits() -> None:
    facts = analysis(rings={"count": None, "source": None, "bursts": [], "plan": None})
    assert texts(ET.fromstring(svg_file(draw(facts, RULES), Sheet("x", ""))), "limit") == []


def test_hours_stay_readable() -> None:
    segments = [
        {"kind": "speech", "start_ms": n * 1_000.0, "end_ms": n * 1_000.0 + 900.0, "confidence": 0.9}
        for n in range(7_200)
    ]
    level = {"start_ms": 0.0, "step_ms": 3_200.0, "dbm0": [-20] * 2_250}
    picture = draw(analysis(duration_ms=7_200_000.0, segments=segments, level=level), RULES)
    assert [tick.text for tick in picture.ticks][:3] == ["0:00", "10:00", "20:00"]
    assert picture.ticks[-1].text == "2:00:00"
    assert sum(len(curve) for curve in picture.level) < 2_000
    root = ET.fromstring(svg_file(picture, Sheet("x", "")))
    assert texts(root, "cell")[-1] == "另有 7140 条"


@pytest.mark.parametrize("height_width", [(1, 1), (7, 13), (128, 2_000)])
def test_the_image_holds_its_pixels(height_width: tuple[int, int]) -> None:
    height, width = height_width
    pixels = np.random.default_rng(0).integers(0, 3, height_width).astype(np.uint8)
    png = write_png(pixels, ((255, 255, 255), (1, 2, 3), (0, 0, 0)))
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    chunks, at = {}, 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        name, data = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        assert struct.unpack(">I", png[at + 8 + length : at + 12 + length]) == (zlib.crc32(name + data),)
        chunks[name] = data
        at += 12 + length
    assert list(chunks) == [b"IHDR", b"PLTE", b"IDAT", b"IEND"]
    assert struct.unpack(">IIBBBBB", chunks[b"IHDR"]) == (width, height, 8, 3, 0, 0, 0)
    assert chunks[b"PLTE"] == bytes((255, 255, 255, 1, 2, 3, 0, 0, 0))
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, width + 1)
    assert not rows[:, 0].any()
    assert (rows[:, 1:] == pixels).all()
    assert data_address(png).startswith("data:image/png;base64,")
    with pytest.raises(ValueError, match="do not go with 2 colours"):
        write_png(np.full((2, 2), 2, np.uint8), ((0, 0, 0), (1, 1, 1)))


def coordinates(element: ET.Element) -> Iterator[tuple[float, float]]:
    """Yield the corners of an element; those of words are estimated."""
    number = {
        name: float(element.get(name, "0")) for name in ("x", "y", "width", "height", "x1", "y1", "x2", "y2")
    }
    match element.tag.removeprefix(SVG):
        case "rect" | "image":
            yield number["x"], number["y"]
            yield number["x"] + number["width"], number["y"] + number["height"]
        case "line":
            yield number["x1"], number["y1"]
            yield number["x2"], number["y2"]
        case "polygon":
            for point in (element.get("points") or "").split():
                x, y = point.split(",")
                yield float(x), float(y)
        case "text":
            width = text_width(element.text or "", float(element.get("font-size", "0")))
            share = {"middle": 0.5, "end": 1.0}.get(element.get("text-anchor", ""), 0.0)
            yield number["x"] - share * width, number["y"]
            yield number["x"] + (1.0 - share) * width, number["y"]


def assert_sound(text: str) -> ET.Element:
    """Assert that a drawing is valid, harmless and within its view box."""
    root = ET.fromstring(text)
    _, _, width, height = (float(part) for part in (root.get("viewBox") or "").split())
    for element in root.iter():
        assert element.tag.removeprefix(SVG) in ELEMENTS
        for name, value in element.attrib.items():
            assert not name.lower().startswith("on")
            assert name not in ("style", "filter", "clip-path", "mask")
            assert "href" not in name or value.startswith("data:image/png;base64,")
            assert "nan" not in value.split()
        for x, y in coordinates(element):
            assert -0.01 <= x <= width + 0.01, ET.tostring(element)
            assert -0.01 <= y <= height + 0.01, ET.tostring(element)
    return root


junk: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just([]) | st.just({})
)
moment = st.floats(-1_000.0, 200_000.0) | junk
word = st.text(max_size=40) | junk


def listed(members: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    return st.lists(st.fixed_dictionaries({}, optional=members) | junk, max_size=12) | junk


kind = st.sampled_from(["ringback", "speech", "music", "silence", "busy", "noise", "announcement"]) | word
segment_list = listed(
    {
        "kind": kind,
        "start_ms": moment,
        "end_ms": moment,
        "confidence": moment,
        "tone": word,
        "measured": st.dictionaries(st.text(max_size=8), st.floats() | junk, max_size=4) | junk,
    }
)
facts_json = st.fixed_dictionaries(
    {},
    optional={
        "schema": st.sampled_from(["dutyring.call/1", "dutyring.audio/1"]) | junk,
        "duration_ms": moment,
        "ring_started_ms": moment,
        "connected_ms": moment,
        "answered_ms": moment,
        "answered_window_ms": st.lists(moment, min_size=2, max_size=2) | junk,
        "ended_ms": moment,
        "ended_by": st.sampled_from(["us", "them"]) | junk,
        "ring_to_answer_ms": moment,
        "ring_to_answer_min_ms": moment,
        "rings": st.fixed_dictionaries(
            {},
            optional={
                "count": st.integers(0, 500) | junk,
                "source": st.sampled_from(["cadence", "audio"]) | junk,
                "bursts": listed(
                    {"start_ms": moment, "end_ms": moment, "frequency_hz": moment, "level_dbm0": moment}
                ),
            },
        )
        | junk,
        "segments": segment_list,
        "early_media": st.fixed_dictionaries({}, optional={"segments": segment_list, "kind": kind}) | junk,
        "after_answer": st.fixed_dictionaries({}, optional={"segments": segment_list}) | junk,
        "announcements": listed(
            {"meaning": word, "road": word, "start_ms": moment, "end_ms": moment, "detail": word}
        ),
        "forwarding": st.fixed_dictionaries(
            {},
            optional={
                "evidence": listed(
                    {
                        "kind": word,
                        "grade": st.sampled_from(["strong", "weak"]) | word,
                        "t_ms": moment,
                        "detail": word,
                    }
                )
            },
        )
        | junk,
        "timeline": listed(
            {
                "event": st.sampled_from(["prompt", "dtmf", "hang_up", "sent"]) | word,
                "method": st.just("CANCEL") | word,
                "t_ms": moment,
                "digits": word,
            }
        ),
        "level": st.fixed_dictionaries(
            {},
            optional={
                "start_ms": moment,
                "step_ms": st.floats(1.0, 5_000.0) | junk,
                "dbm0": st.lists(st.integers(-130, 5) | junk, max_size=40) | junk,
            },
        )
        | junk,
    },
)


@settings(max_examples=120, deadline=None)
@given(facts=facts_json, language=st.sampled_from(["zh", "en"]), name=st.text(max_size=60))
def test_any_record_gives_a_valid_and_harmless_drawing(
    facts: dict[str, Any], language: str, name: str
) -> None:
    picture = draw(facts, RULES, LANGUAGES[language])
    assert_sound(svg_fragment(picture, "p-1"))
    assert_sound(svg_file(picture, Sheet(name, name, [name])))
    for notes in (picture.said, picture.signs, picture.ours):
        for one, other in combinations(notes, 2):
            assert one.row != other.row or one.right <= other.left or other.right <= one.left
        for note in notes:
            assert text_width(note.text, NOTE_SIZE) <= WIDTH - LEFT - RIGHT


@settings(max_examples=25)
@given(st.text())
def test_whatever_a_far_side_says_stays_text(said: str) -> None:
    record = rich_record()
    evil = replace(record.announcements[0], detail=f'"><script>{said}</script><!--')
    root = assert_sound(svg_fragment(draw(replace(record, announcements=(evil,)).to_dict(), RULES), "x"))
    assert any("<script>" in told(part) for part in parts(root, "said"))


def test_the_same_call_gives_the_same_drawing() -> None:
    facts = rich_record().to_dict()
    assert svg_fragment(draw(facts, RULES), "a") == svg_fragment(draw(facts, RULES), "a")
    refused = unanswered("x", "busy", ring_started_ms=None, ended_ms=50.0).to_dict()
    assert_sound(svg_fragment(draw(refused, RULES), "b"))

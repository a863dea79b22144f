"""What the lanes of notes say: one act is named once, and in the language of the drawing."""

from __future__ import annotations

from typing import Any

from app.checks.rules import Rules
from app.picture import EN, ZH, draw

SAID = {"meaning": "powered_off", "road": "sample", "start_ms": 1_300.0, "end_ms": 4_900.0}
CALL: dict[str, Any] = {
    "ended_ms": 5_300.0,
    "announcements": [{**SAID, "detail": "sample 2: 移动关机"}],
    "timeline": [
        {"t_ms": 5_240.0, "event": "hang_up", "why": "announcement: powered_off"},
        {"t_ms": 5_241.0, "event": "sent", "method": "CANCEL"},
    ],
}


def test_giving_up_a_call_that_rings_is_one_act() -> None:
    assert [note.text for note in draw(CALL, Rules()).ours] == ["我方取消"]
    answered = {
        **CALL,
        "timeline": [CALL["timeline"][0], {"t_ms": 5_241.0, "event": "sent", "method": "BYE"}],
    }
    assert [note.text for note in draw(answered, Rules()).ours] == ["我方挂断"]


def test_a_marked_sample_is_named_in_the_language_of_the_drawing() -> None:
    titles = {words.language: draw(CALL, Rules(), words).said[0].title for words in (ZH, EN)}
    assert "样本 2：移动关机" in titles["zh-CN"]
    assert "sample 2: 移动关机" in titles["en"]

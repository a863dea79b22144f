"""Names, units and titles found by sound; the texts are what Whisper made of telephone calls with noise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.answers.expected import BookNumber, BookPerson, Expected
from app.answers.found import Found
from app.answers.names import between, book_name, nearest, same_sound
from app.answers.reading import questions, read
from app.answers.script import Script
from app.answers.units import forms_of
from sip.progress.transcript import Transcript, Utterance, Word

DAY = ("何轩佳", "彭涵怡", "黄宝海", "林宝宇", "范安青", "程睿瑞", "段云", "姜振", "蒋红德", "白远珍")
"""Who is on duty that day."""
HEARD = (
    ("为您后熟悉解刀办事出,请减资货执板或交合选下。", "何轩佳"),
    ("中午节奏办事处直办事,直班元彭韩尼,今天带班领导处在办公室。", "彭涵怡"),
    ("为年后长令先教育局,仅准输我执板,或叫黄宝汉。", "黄宝海"),
    ("大流宪政府职班室,职班员林寶宇今天带班领导不在办公室", "林宝宇"),
    ("您号懂胡先生副指板师,或是方案件,请问您是哪里。", "范安青"),
    ("您好东湖乡政府职办事,我是陈瑞瑞请问您是哪里?", "程睿瑞"),
    ("常理憲政府职班室职班原斷雲今天帶班領導部在辦公室", "段云"),
    ("您好,这里是长预先教育局职办室,我是职班员讲红诺。", "蒋红德"),
    ("您好望将郑政府及办事,我是白远郑请问您是哪里。", "白远珍"),
)
STRANGERS = (
    "您好远领先交通局职班室我是希望请问您是哪里?",
    "您好,这里是大楼县应急管理及举办室,我是举办员国店。",
    "您后这例子请产生交易局执板车或执板源于事害。",
    "喂你打错了我们这里是卖水果的",
)


def transcript(*texts: str) -> Transcript:
    return Transcript(
        "test",
        "zh",
        tuple(Utterance(at * 5_000.0, at * 5_000.0 + 4_000.0, text) for at, text in enumerate(texts)),
    )


def people(*names: str) -> tuple[BookPerson, ...]:
    return tuple(BookPerson(name, on_duty=True) for name in names)


def named(text: str, *names: str) -> list[Found]:
    return [item for item in read(transcript(text), Expected(people(*names))) if item.kind == "name"]


@pytest.mark.parametrize(("text", "name"), HEARD)
def test_a_name_of_the_day_is_found_in_what_was_understood_of_it(text: str, name: str) -> None:
    found = named(text, *DAY)
    assert [item.expected for item in found] == [name]
    assert found[0].grade != "none"
    assert found[0].pinyin
    assert found[0].evidence["books"][0]["on_duty"] is True


@pytest.mark.parametrize("text", STRANGERS)
def test_somebody_else_is_nobody_of_the_day(text: str) -> None:
    found = named(text, *DAY)
    assert [(item.expected, item.grade) for item in found] == [("", "none")]
    assert found[0].heard == text


def test_names_that_sound_alike_are_both_named_and_never_told_apart() -> None:
    (found,) = named("您好，值班员李伟。", "李伟", "李玮", "王芳")
    assert found.expected == "李伟、李玮"
    assert found.evidence["same_sound"] == ["李伟", "李玮"]
    assert (found.distance, found.grade) == (0.0, "medium")


def test_a_name_alike_in_sound_with_nothing_near_it_is_strong() -> None:
    (found,) = named("您好，值班员李伟。", "李伟", "王芳")
    assert (found.expected, found.grade, found.pinyin) == ("李伟", "strong", "li wei")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("单小红", "我是善小红"),
        ("曾志伟", "我叫增志伟"),
        ("覃海", "我是谈海"),
        ("覃海", "我是秦海"),
        ("仇英", "我叫求英"),
        ("乐嘉", "我是月家"),
        ("欧阳建国", "我是值班员欧阳建国"),
        ("尉迟恭", "我叫玉池功"),
        ("吕芳", "我叫旅方"),
    ],
)
def test_names_are_read_in_every_way_in_which_they_may_be(name: str, text: str) -> None:
    assert [item.expected for item in named(text, name, "赵铁柱")] == [name]


han = st.text("王李张刘陈杨黄赵吴周徐孙伟芳娜敏静丽强磊军洋勇艳单曾覃仇乐", min_size=2, max_size=4)


@given(han, han)
def test_the_distance_of_two_names_is_the_same_both_ways(one: str, other: str) -> None:
    assert between(one, other) == between(other, one)
    assert between(one, one) == 0.0
    assert same_sound(one, one)
    assert 0.0 <= between(one, other) <= 1.0


@given(han, st.text("您好我是值班员叫今天请问一二三，。 abc", max_size=30))
def test_what_is_like_a_name_stands_in_the_text(name: str, text: str) -> None:
    for group in nearest(text, [name]):
        for like in group:
            assert 0 <= like.start < like.end <= len(text)
            assert like.distance >= 0.0


def test_marks_of_a_name_are_not_read() -> None:
    assert book_name("李伟（大）").pinyin == book_name("李 伟").pinyin == "li wei"


def test_a_name_has_the_time_of_its_words() -> None:
    text = "我是王芳。"
    words = tuple(Word(sign, 100.0 * at, 100.0 * at + 90.0) for at, sign in enumerate(text))
    said = Transcript("test", "zh", (Utterance(0.0, 500.0, text, words),))
    (found,) = [item for item in read(said, Expected(people("王芳"))) if item.kind == "name"]
    assert (found.start_ms, found.end_ms) == (200.0, 390.0)
    script = Script(Transcript("test", "zh", (Utterance(1_000.0, 2_000.0, text),)))
    assert script.times(0, 5) == (1_000.0, 2_000.0)


def test_the_second_pass_decides_between_names_that_are_near() -> None:
    said, expected = transcript("您好，我是值班员陈瑞"), Expected(people("陈睿", "程睿"))
    (question,) = questions(said, expected)
    assert (question.phrases, question.before) == (("陈睿", "程睿"), "您好，我是值班员")
    for right, wrong in (("陈睿", "程睿"), ("程睿", "陈睿")):
        answers = {question: ((right, -1.0), (wrong, -4.0))}
        (found,) = [item for item in read(said, expected, answers) if item.kind == "name"]
        assert found.expected == right
        assert found.evidence["second_pass"] == {right: -1.0, wrong: -4.0}


def test_nothing_is_made_of_silence() -> None:
    assert read(Transcript(), Expected(people(*DAY))) == ()


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("您好，这里是云溪县应急管理局值班室", "云溪县应急管理局"),
        ("你好，应急局", "云溪县应急管理局"),
        ("喂，卫健委值班室", "固原市卫生健康委员会"),
        ("城关镇政府值班室", "云溪县城关镇"),
        ("这里是市政府办公室", "固原市人民政府办公室"),
        ("北关街道办", "北关街道"),
    ],
)
def test_a_unit_is_found_by_its_name_or_a_short_one(text: str, unit: str) -> None:
    found = [item for item in read(transcript(text), Expected(units=(unit,))) if item.kind == "unit"]
    assert [(item.expected, item.grade) for item in found] == [(unit, "strong")]


def test_another_unit_is_not_it() -> None:
    text = "您好，这里是云溪县教育局值班室"
    assert all(item.kind != "unit" for item in read(transcript(text), Expected(units=("云溪县水利局",))))
    assert forms_of("云溪县人民政府办公室")[0] == "云溪县人民政府办公室"
    assert "办公室" not in forms_of("云溪县人民政府办公室")


def test_a_title_of_the_books_is_found_and_a_longer_one_is_another() -> None:
    books = Expected((BookPerson("王芳", "局长", on_duty=True),))
    found = [item for item in read(transcript("局长不在，我是王芳"), books) if item.kind == "title"]
    assert [(item.expected, item.heard) for item in found] == [("局长", "局长")]
    assert all(item.kind != "title" for item in read(transcript("副局长不在"), books))


def test_numbers_stand_beside_those_of_the_books() -> None:
    books = Expected(numbers=(BookNumber("0917-3262000", "duty"),), keys=frozenset({"010-66071234"}))
    said = transcript(
        "座机三二六二零零零",
        "或者三二六二零零幺",
        "手机幺三八零零幺三八零零零",
        "上级是零幺零六六零七幺二三四",
    )
    found = [item for item in read(said, books) if item.kind == "number"]
    assert [(item.expected, item.grade) for item in found] == [
        ("0917-3262000", "strong"),
        ("0917-3262000", "weak"),
        ("", "none"),
        ("", "strong"),
    ]
    key = found[-1]
    assert key.evidence == {"matches": "answer_key"}
    assert set(key.heard) == {"＊"}
    assert not key.pinyin
    assert found[2].evidence["digits"] == "13800138000"


def test_a_number_that_is_announced_is_heard_again_with_digits_alone() -> None:
    said = transcript("您记一下后码石油五八油二三四三转")
    books = Expected(numbers=(BookNumber("15812234342", "shift"),), keys=frozenset({"010-66071234"}))
    (question,) = [asked for asked in questions(said, books) if "#" in asked.phrases]
    assert question.phrases == ("#", "15812234342")
    assert question.before == "您记一下号码是"
    near = {question: (("15812234343", -0.1), ("15812234342", -0.2))}
    (found,) = [item for item in read(said, books, near) if item.kind == "number"]
    assert (found.expected, found.grade, found.evidence["digits"]) == ("15812234342", "medium", "15812234342")
    far = {question: (("15812234343", -0.1), ("15812234342", -0.9))}
    (found,) = [item for item in read(said, books, far) if item.kind == "number"]
    assert (found.expected, found.grade, found.evidence["digits"]) == ("", "none", "15812234343")
    key = {question: (("01066071234", -0.1), ("15812234342", -0.2))}
    (found,) = [item for item in read(said, books, key) if item.kind == "number"]
    assert found.evidence == {"matches": "answer_key", "second_pass": True}
    assert "66071234" not in str(found)

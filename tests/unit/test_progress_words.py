"""Announcements understood from words: every state, tolerance, order, times, and what people say that is none."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, get_args

import pytest

from benchmarks.announcements import meanings, recall, recognised_texts
from sip.progress.transcript import Transcript, TranscriptError, Utterance, Word
from sip.progress.words import ORDER, announced, announced_in
from sip.record import Announcement, LineState
from tests.line_sounds import shared_sounds

ROOT = Path(__file__).parents[2]

SAID = [
    ("您好，您拨打的电话已关机。", "powered_off"),
    ("您好！您所拨打的号码是空号，请核对后再拨。", "unobtainable"),
    ("您好！您拨叫的用户已停机。", "suspended"),
    ("您拨打的电话已暂停服务。", "service_paused"),
    ("对不起，您拨打的电话已设置呼入限制。", "incoming_barred"),
    ("您好，您拨打的用户已改号。", "number_changed"),
    ("对不起，您拨打的电话线路故障，请稍后再拨。", "line_fault"),
    ("对不起，您拨打的用户呼叫转移失败，请稍后再拨。", "forward_failed"),
    ("欢迎使用来电提醒业务，本次呼叫将以点对点短信方式提醒您呼叫的用户，谢谢使用，再见。", "call_reminder"),
    ("您拨的是本地手机，请不要加拨0。", "wrong_prefix"),
    ("对不起，您拨的用户暂时无法接通，请稍后再拨。", "not_reachable"),
    ("您拨打的用户不在服务区，请稍后再拨。", "not_reachable"),
    ("您好！您拨叫的用户暂时无法接听电话，请稍后再拨。", "cannot_answer"),
    ("您好！您拨叫的用户暂时无人接听，请您稍后再拨。", "no_answer"),
    ("对不起，网络繁忙，请稍后再拨。", "network_busy"),
    ("您好！您拨叫的用户正在通话中，请稍后再拨。", "in_call"),
    ("用户忙，请稍后再拨。", "busy"),
    ("您好！您拨叫的用户正忙，请您稍后再拨。", "busy"),
    ("您好，您拨打的用户拒绝接听您的来电。", "declined"),
    ("对不起，请您稍后再拨。", "redial_later"),
    ("对不起！您的电话已欠费，请您续缴话费，谢谢！", "arrears"),
    ("您好，您的手机号码已被暂停服务。", "own_line"),
    ("Sorry! The number you dialed does not exist, please check it and redial.", "unobtainable"),
    ("Sorry! The subscriber you dialed is power off.", "powered_off"),
    (
        "Sorry, the subscriber you dialed can not be connected for the moment, please redial later.",
        "not_reachable",
    ),
    ("Sorry! The subscriber you dialed can't be connected, please redial later.", "not_reachable"),
    ("The number you have dialed is busy now, please redial later.", "busy"),
    ("Sorry, the number you dialed is out of service.", "suspended"),
    ("the subscriber you dialed is no answer", "no_answer"),
    ("Sorry, your telephone charge is overdue, please recharge it, thank you!", "arrears"),
]
MEANT = [
    ("您拨打的用户已设置呼叫转移，正在为您转接，请稍候。", "transfer"),
    ("您好，您已进入语音信箱，请留言。", "mailbox"),
    ("您的電話將轉接到語音信箱，嘟聲後開始計費", "mailbox"),
    ("您拨打的用户已开通天翼通信助理服务，感谢通知请挂机。", "assistant"),
    ("您好，我是机主的智能通话助理，请问您有什么事情，我可以帮您转达。", "assistant"),
    ("欢迎致电客户服务中心，普通话服务请按一，英语服务请按二。", "menu"),
    ("请输入分机号，按井号键结束。", "menu"),
]
PEOPLE = [
    "我们这个电话停机检修过，昨天下午才恢复。",
    "他已经关机了。",
    "局长的手机已关机，您打办公室电话吧。",
    "您拨打的是应急值班室。",
    "您拨打的是应急值班室吗？请讲。",
    "我们值班电话没有设置呼叫转移，也没有彩铃。",
    "请问有没有设置呼叫转移？",
    "昨天有人反映电话无人接听，我们已经整改了。",
    "对不起，领导正在开会，请稍后再打来。",
    "您拨打的用户正在开会。",
    "他正在通话中，您稍后再打过来好吗？",
    "您的手机号码是多少？我记一下。",
    "您的电话我记下了，回头给您打过去。",
    "请按一号通知执行。",
    "这个号码是空号吧？",
    "昨天停电，线路故障，网络忙。",
    "值班电话线路故障已经修复。",
    "我帮您转接办公室，请稍等。",
    "我现在不方便接听电话。",
    "您所撥的電話忙線中",
    "您好，县防汛办，昨天的值班电话号码不存在，您看一下是不是打错了",
    "喂，你好，我们局长电话是空号，换成新号码了",
    "我们这边暂停服务大厅的工作了",
    "您拨打的这个电话是县应急局的",
    "您拨打的电话是我们办公室的，值班室在隔壁",
    "您拨打的是防汛值班电话，请问什么事",
    "您打错了，这不是值班室",
    "手机没电关机了，刚充上电",
    "领导在外面开会，他手机关机",
    "对不起，我听不清，请您大声一点",
    "对不起，您再说一遍",
    "您好，我们单位停机房检修",
    "网络不好，我听不清楚",
    "线路有点问题，您稍后再打一下",
    "线路忙，我给您打过去",
    "昨天系统故障，今天已经恢复",
    "我在通话，您等一下",
    "您稍等，我正在通话",
    "我现在不方便，等会给您回过去",
    "您的电话是多少，我回给您",
    "您的手机停机了吗",
    "您的电话不能拨打进来吗",
    "短信通知已经发到各乡镇了",
    "已用短信通知各村",
    "我们有来电提醒，没接到会打回去",
    "我是局长助理小王",
    "我是办公室主任助理",
    "这是语音信箱吗",
    "我给您转接到值班室",
    "请稍候，正在帮您转接",
    "请您按照通知要求上报",
    "请按二级响应执行",
    "请按照预案，请按时上报",
    "按一下就行，再按二",
    "已欠费，我们马上去交",
    "单位电话欠费停机了，刚交上",
    "值班电话限制呼出，只能接",
    "我们这台电话不能呼出，号码已更改",
    "号码已经更改，新的是八八二三四五六七",
    "我们的用户无法接通水表",
    "用户正忙着办业务，请稍等",
    "供水用户停机维修，请稍后再来",
    "用户停水，停机检修",
    "我们设置了呼叫转移到值班手机",
    "呼叫转移是去年取消的",
    "没有人接听是因为去查水库了",
    "无人接听的情况不会再发生",
    "您好，请讲",
    "好的好的，再见",
    "嗯，收到，马上报告",
    "请留言板上登记",
    "请留言在微信群",
    "您好，欢迎致电县政务服务中心，我是话务员小李",
    "is busy now in the office",
    "power off the pump",
    "the system does not exist here",
    "我打的电话已关机",
    "我打了他的电话，已关机",
    "我打的那个号码是空号",
    "刚才打的电话无人接听",
    "我们拨打的电话无人接听",
    "他拨的号码是空号",
    "刚才拨打的用户已停机",
    "我拨打局长的电话，已经关机了",
    "我拨打了村里的电话，无人接听",
    "值班室拨打的电话正在通话中",
    "您打的这个电话已停机，请打新号码",
    "我们多次拨打该电话，均无法接通",
    "经拨打村委会电话无法接通",
    "",
    "。。。！？",
]


@pytest.mark.parametrize(("text", "state"), SAID)
def test_every_state_has_its_words(text: str, state: str) -> None:
    assert meanings(text) == {state}


def test_no_state_is_without_words() -> None:
    assert {state for _, state in SAID} == set(get_args(LineState)) == {*ORDER, "own_line"}


@pytest.mark.parametrize(("text", "meaning"), MEANT)
def test_what_is_no_state_of_the_line(text: str, meaning: str) -> None:
    assert meaning in meanings(text)
    assert not meanings(text) & set(get_args(LineState))


@pytest.mark.parametrize("text", PEOPLE)
def test_what_people_say_is_no_announcement(text: str) -> None:
    assert announced_in(text) == ()


def test_what_officers_of_the_simulated_lines_say_is_no_announcement() -> None:
    lines = tomllib.loads((ROOT / "sip/simulator/sounds/transcripts.toml").read_text(encoding="utf-8"))
    people = [v["text"] for n, v in lines.items() if n.startswith(("officer", "reply", "mobile"))]
    assert len(people) > 15
    assert [text for text in people if announced_in(text)] == []


def test_ordinary_sentences_are_no_announcement() -> None:
    sounds = shared_sounds("speech-zh")
    if not sounds:
        pytest.skip("DUTYRING_TEST_AUDIO is not set")
    lines = (sounds[0].parent / "transcripts.tsv").read_text(encoding="utf-8").splitlines()
    assert len(lines) >= 15
    assert [line for line in lines if announced_in(line.split("\t")[1])] == []


def test_recognised_announcements_are_found_and_people_are_not() -> None:
    """What Whisper base wrote of synthetic announcements; figures in docs/explanation/announcements.md."""
    rows = recognised_texts()
    clean = recall((row.expected, row.recognised) for row in rows if row.condition == "alaw")
    noisy = recall((row.expected, row.recognised) for row in rows if row.condition == "degraded")
    assert clean["recall"] >= 0.94
    assert noisy["recall"] >= 0.7
    assert clean["people_taken_for_announcements"] == noisy["people_taken_for_announcements"] == 0


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("您好 您撥打的用戶一關機 請稍後再播", "powered_off"),
        ("您播打的电画以观机", "powered_off"),
        ("您拨打的用户已已关机", "powered_off"),
        ("的用户已关机，请稍后再拨", "powered_off"),
        ("拨打的用户已关机", "powered_off"),
        ("您好，拨打的用户已关机", "powered_off"),
        ("您拨的号码是空好，请核对后再播", "unobtainable"),
        ("您拨打的用户无法接铜，请稍后再波", "not_reachable"),
        ("您拨打的用户正在同化中", "in_call"),
        ("您拨打的用户在通话中", "in_call"),
        ("Sorry, the subscriber you dial is powered off", "powered_off"),
    ],
)
def test_typical_errors_of_recognition(text: str, state: str) -> None:
    assert state in meanings(text)


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("您拨打的电话已欠费停机", "suspended"),
        ("您的电话已欠费停机", "arrears"),
        ("您的手机号码已停机", "own_line"),
        ("您拨打的手机号码已停机", "suspended"),
        ("您拨打的号码已暂停服务", "service_paused"),
        ("您的号码已暂停服务", "own_line"),
    ],
)
def test_our_own_line_is_not_the_called_one(text: str, state: str) -> None:
    assert meanings(text) == {state}


def test_of_states_in_one_message_the_first_of_the_order_is_taken() -> None:
    both = "您拨打的用户不在服务区或已关机，如需留言请按一。"
    assert {said.meaning for said in announced_in(both)} == {"powered_off", "mailbox"}
    trailed = "您好，您拨打的电话已关机，Sorry, the number you dialed is busy now, please redial later."
    assert meanings(trailed) == {"powered_off"}


@pytest.mark.parametrize(
    ("text", "mobile"),
    [
        ("您拨打的用户已关机", True),
        ("您拨打的用户不在服务区", True),
        ("您拨打的用户已开通来电提醒业务", True),
        ("您拨打的用户已开通天翼通信助理服务", True),
        ("您拨打的用户暂时无法接通", False),
        ("您拨打的用户已停机", False),
        ("对方已开通语音信箱服务", False),
    ],
)
def test_what_only_a_mobile_network_says(text: str, mobile: bool) -> None:
    (said,) = announced_in(text)
    assert said.mobile is mobile


def spoken(*words: tuple[str, float, float]) -> Utterance:
    return Utterance(words[0][1], words[-1][2], "", tuple(Word(*word) for word in words))


def test_times_are_those_of_the_words() -> None:
    utterance = spoken(
        ("您好", 1_000, 1_400), ("您拨打的", 1_500, 2_000), ("电话", 2_000, 2_300), ("已", 2_400, 2_500),
        ("关机", 2_500, 3_000), ("谢谢", 3_100, 3_500),
    )  # fmt: skip
    (said,) = announced(Transcript(utterances=(utterance,)))
    assert (said.start_ms, said.end_ms, said.road) == (1_500, 3_000, "words")
    assert "您拨打的电话已关机" in said.detail
    assert "已关机" in said.detail


def test_without_times_of_words_they_are_spread_over_the_utterance() -> None:
    text = "您好，您拨打的电话已关机"
    (said,) = announced(Transcript(utterances=(Utterance(10_000.0, 12_000.0, text),)))
    assert said.start_ms == pytest.approx(10_000.0 + 2_000.0 * 3 / len(text), abs=1.0)
    assert said.end_ms == pytest.approx(12_000.0, abs=1.0)


def test_an_announcement_may_be_parted_by_a_breath_and_not_by_a_long_pause() -> None:
    def parted(gap_ms: float) -> tuple[Announcement, ...]:
        first = Utterance(0.0, 1_000.0, "您好，您拨打的用户")
        second = Utterance(1_000.0 + gap_ms, 2_000.0 + gap_ms, "已关机")
        return announced(Transcript(utterances=(first, second)))

    assert [said.meaning for said in parted(600.0)] == ["powered_off"]
    assert parted(5_000.0) == ()


def test_a_repeated_announcement_is_one_entry_at_its_first_time() -> None:
    again = tuple(Utterance(at, at + 3_000.0, "您拨打的用户已关机") for at in (1_000.0, 9_000.0, 17_000.0))
    (said,) = announced(Transcript(utterances=again))
    assert said.start_ms == 1_000.0


def test_confidence_falls_with_the_distance() -> None:
    exact, near, far = (
        next(a.confidence for a in announced_in(text) if a.meaning == "not_reachable")
        for text in ("您拨打的用户暂时无法接通", "您拨打的用户暂时无法接东", "您拨打的用户暂四无花接冬")
    )
    assert 1.0 >= exact > near > far > 0.0


# --- the transcript as an input ----------------------------------------------------------------------------


def test_a_transcript_survives_its_json() -> None:
    words = (Word("您", 100.0, 200.0, 0.9), Word("好", 200.0, 300.0))
    transcript = Transcript("whisper base", "zh", (Utterance(100.0, 300.0, "您好", words, 0.8),))
    assert Transcript.from_json(transcript.to_json()) == transcript


GOOD: dict[str, Any] = {
    "schema": "dutyring.transcript/1",
    "engine": "x",
    "language": "zh",
    "utterances": [
        {"start_ms": 0, "end_ms": 10, "text": "喂", "words": [{"text": "喂", "start_ms": 0, "end_ms": 9}]}
    ],
}


def changed(**members: Any) -> dict[str, Any]:
    utterance = {**GOOD["utterances"][0], **members}
    return {**GOOD, "utterances": [utterance]}


def in_turn(*starts_ms: float) -> dict[str, Any]:
    return {**GOOD, "utterances": [{"start_ms": at, "end_ms": at + 9, "text": ""} for at in starts_ms]}


@pytest.mark.parametrize(
    ("value", "member"),
    [
        (None, "the transcript"),
        ([], "the transcript"),
        ({}, "schema"),
        ({**GOOD, "schema": "dutyring.transcript/2"}, "schema"),
        ({**GOOD, "engine": 3}, "engine"),
        ({**GOOD, "utterances": None}, "utterances"),
        ({**GOOD, "utterances": [1]}, "utterances[0]"),
        (changed(text=None), "utterances[0].text"),
        (changed(start_ms="0"), "utterances[0].start_ms"),
        (changed(start_ms=True), "utterances[0].start_ms"),
        (changed(end_ms=float("nan")), "utterances[0].end_ms"),
        (changed(end_ms=-1), "utterances[0].end_ms"),
        (changed(confidence=1.5), "utterances[0].confidence"),
        (changed(words={}), "utterances[0].words"),
        (changed(words=[{"text": "喂", "start_ms": 0}]), "utterances[0].words[0].end_ms"),
        (in_turn(5, 1), "utterances[1].start_ms"),
    ],
)  # fmt: skip
def test_a_malformed_transcript_names_the_member(value: Any, member: str) -> None:
    with pytest.raises(TranscriptError) as raised:
        Transcript.from_json(value)
    assert str(raised.value).startswith(f"{member}: ")


def test_confidences_and_words_may_be_missing() -> None:
    transcript = Transcript.from_json({**GOOD, "utterances": [{"start_ms": 0, "end_ms": 1, "text": "喂"}]})
    assert transcript.utterances == (Utterance(0.0, 1.0, "喂"),)


@pytest.mark.parametrize(
    "text", ["您打的电话我们主任关机了", "您拨的号码我们已更换，请打3262001", "您拨打的电话他停机了"]
)
def test_a_network_speaks_of_nobody_between_its_words(text: str) -> None:
    assert [a.meaning for a in announced_in(text)] == []

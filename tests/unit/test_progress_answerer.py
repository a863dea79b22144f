"""Who answered, with the signs of it: by sound never more than medium, by words strong, within 8 s."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sip.progress.answerer import WINDOW_MS, human_words_ms, who_answered
from sip.progress.heard import after_answer
from sip.progress.transcript import Transcript, Utterance, Word
from sip.progress.words import announced
from sip.record import GRADES, Announcement, AnsweredBy, AnswererSign, Segment
from tests.line_sounds import chords, listen, silence, sine, through, voice

ANSWERED_MS = 1_000.0


def segments_of(*parts: np.ndarray) -> tuple[Segment, ...]:
    """Return what follows the answer; the sound begins with it."""
    heard = listen(through("alaw", np.concatenate(parts)), ANSWERED_MS)
    return after_answer(heard, ANSWERED_MS, heard.until_ms)


def judged(
    segments: tuple[Segment, ...], *utterances: tuple[float, float, str], received: int = 400
) -> tuple[AnsweredBy, tuple[AnswererSign, ...]]:
    """Judge by segments and words, whose times are seconds after the answer."""
    if not utterances:
        return who_answered(segments, ANSWERED_MS, received)
    told = Transcript(
        utterances=tuple(Utterance(ANSWERED_MS + s * 1e3, ANSWERED_MS + e * 1e3, t) for s, e, t in utterances)
    )
    return who_answered(segments, ANSWERED_MS, received, told, announced(told))


GREETING = (silence(0.5), voice(2.5), silence(4.0))


@pytest.mark.parametrize(
    ("parts", "expected", "words"),
    [
        (GREETING, "human", "waits"),
        ((silence(0.5), voice(1.5), silence(2.0), voice(1.5, seed=3), silence(2.5)), "human", "2 times"),
        ((silence(0.5), voice(2.5)), "human", "not for long"),
        ((voice(5.0, seed=3), silence(0.4), sine(0.5, 1000.0), silence(4.0)), "machine", "beep"),
        ((silence(0.4), voice(12.0, seed=4)), "machine", "talks on"),
        ((silence(0.3), chords(9.0)), "machine", "music on hold"),
        ((silence(1.0), sine(3.0, 2100.0), silence(1.0)), "fax", "2100 Hz"),
        ((silence(9.0),), "silence", "held nothing"),
    ],
    ids=["greeting", "turns", "short call", "beep", "talks on", "hold", "fax", "silence"],
)
def test_signs_of_sound_are_weak_or_medium(parts: tuple[np.ndarray, ...], expected: str, words: str) -> None:
    who, signs = judged(segments_of(*parts))
    assert who == expected
    assert any(sign.who == expected and words in sign.detail for sign in signs)
    assert {sign.grade for sign in signs} <= {"weak", "medium"}
    assert [sign.t_ms for sign in signs] == sorted(sign.t_ms for sign in signs)


def test_speech_that_begins_with_the_answer_is_a_sign_and_decides_nothing() -> None:
    who, signs = judged(segments_of(voice(2.5), silence(4.0)))
    assert who == "human"
    assert [(sign.who, sign.grade) for sign in signs if "begins with" in sign.detail] == [("machine", "weak")]


@pytest.mark.parametrize(
    "late",
    [
        (sine(0.5, 1000.0), silence(2.0)),
        (sine(3.0, 2100.0),),
        (chords(6.0),),
        (voice(14.0, seed=5),),
    ],
    ids=["beep", "fax", "music", "speech"],
)
def test_what_comes_after_8_s_changes_nothing(late: tuple[np.ndarray, ...]) -> None:
    first = segments_of(silence(0.5), voice(2.5), silence(6.0))
    longer = segments_of(silence(0.5), voice(2.5), silence(6.0), *late)
    assert longer[-1].end_ms > first[-1].end_ms > ANSWERED_MS + WINDOW_MS
    assert judged(longer)[0] == judged(first)[0] == "human"
    assert {sign.who for sign in judged(longer)[1]} == {"human"}


def test_silence_takes_the_whole_call() -> None:
    quiet = segments_of(silence(8.5))
    assert judged(quiet)[0] == "silence"
    assert judged(quiet, received=0) == ("unknown", ())
    spoke_late = (*quiet, Segment("speech", 10_500.0, 12_000.0, 0.9))
    assert judged(spoke_late)[0] == "unknown"


@pytest.mark.parametrize(
    "text",
    [
        "您好，您已进入语音信箱，请在滴声后留言",
        "您好，我是机主的智能通话助理，请问您有什么事情，我可以帮您转达",
        "您拨打的用户已开通天翼通信助理服务，语音留言请按一，人工服务请按二",
        "您好，欢迎致电政务服务中心，办公室请按一，投诉请按二，查号请按零",
        "您好您以进入语音信相请在提示因后留言",
        "对不起，您拨打的用户暂时无法接通，请稍后再拨",
    ],
)
def test_words_of_machines_are_strong(text: str) -> None:
    who, signs = judged(segments_of(*GREETING), (0.5, 4.0, text))
    assert who == "machine"
    assert ("machine", "strong") in {(sign.who, sign.grade) for sign in signs}


@pytest.mark.parametrize(
    "text",
    [
        "您好，这里是云溪县应急管理局值班室，我是值班员周敏。",
        "喂，你好，柳河镇人民政府值班室，我姓孙。",
        "你好，青石乡政府值班室，我是值班员马小军，请讲。",
        "您好，应急管理局总值班室，请问您是哪里？",
        "喂您好，职班室，请讲",
    ],
)
def test_words_of_an_officer_are_strong_even_where_they_sound_like_a_machine(text: str) -> None:
    who, signs = judged(segments_of(voice(12.0, seed=4)), (0.3, 6.0, text))
    assert who == "human"
    assert ("human", "strong") in {(sign.who, sign.grade) for sign in signs}


def test_a_polite_word_alone_is_weak() -> None:
    who, signs = judged(segments_of(voice(12.0, seed=4)), (0.3, 6.0, "您好"))
    assert who == "machine"
    assert ("human", "weak") in {(sign.who, sign.grade) for sign in signs}


@pytest.mark.parametrize("text", ["今天降水量为零", "县委正在开会", "即便是一些高价低廉的别墅项目"])
def test_other_words_are_no_sign(text: str) -> None:
    who, signs = judged((), (0.5, 3.0, text))
    assert (who, signs) == ("unknown", ())


def test_words_after_8_s_are_no_sign() -> None:
    late = judged(segments_of(*GREETING), (9.0, 12.0, "您已进入语音信箱，请在滴声后留言"))
    assert late == judged(segments_of(*GREETING))
    word = Word("我是值班员", ANSWERED_MS + 8_500.0, ANSWERED_MS + 9_000.0)
    utterance = Utterance(
        ANSWERED_MS, ANSWERED_MS + 9_000.0, "嗯我是值班员", (Word("嗯", 1_100.0, 1_300.0), word)
    )
    told = Transcript(utterances=(utterance,))
    assert who_answered((), ANSWERED_MS, 400, told) == ("unknown", ())
    soon = replace(word, start_ms=ANSWERED_MS + 2_000.0)
    told = Transcript(utterances=(replace(utterance, words=(utterance.words[0], soon)),))
    assert who_answered((), ANSWERED_MS, 400, told)[0] == "human"


def test_who_spoke_first_answered() -> None:
    machine_later = judged((), (0.3, 2.0, "喂您好值班室请讲"), (5.0, 7.5, "您已进入语音信箱请留言"))
    assert machine_later[0] == "human"
    machine_first = judged((), (0.3, 2.5, "您已进入语音信箱请留言"), (6.0, 7.5, "喂您好值班室请讲"))
    assert machine_first[0] == "machine"


def test_when_a_person_is_first_understood() -> None:
    told = Transcript(utterances=(Utterance(500.0, 900.0, "嗯"), Utterance(2_000.0, 4_000.0, "值班室请讲")))
    assert human_words_ms(told, 0.0, 8_000.0) == 2_000.0
    assert human_words_ms(told, 0.0, 1_500.0) is None
    assert human_words_ms(Transcript(), 0.0, 8_000.0) is None


def test_every_grade_is_a_grade_of_the_record() -> None:
    _, signs = judged(segments_of(*GREETING), (0.5, 3.0, "喂您好值班室请讲"))
    assert {sign.grade for sign in signs} <= set(GRADES)


@pytest.mark.parametrize(("confidence", "who"), [(0.5, "human"), (0.7, "machine")])
def test_unclear_words_make_no_machine_of_a_person(confidence: float, who: str) -> None:
    unclear = Announcement(
        "menu", "words", ANSWERED_MS + 500.0, ANSWERED_MS + 2_000.0, confidence, "“请按医”"
    )
    assert who_answered(segments_of(*GREETING), ANSWERED_MS, 400, None, [unclear])[0] == who

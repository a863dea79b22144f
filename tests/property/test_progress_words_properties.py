"""Whatever is recognised: matching never fails, near sounds match, ordinary words do not."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from sip.progress.line_state import CallMoments, counting, vote
from sip.progress.phrases import Pattern, Phrase, phrase_book
from sip.progress.syllables import MISSING, TWIN, distance, find, tokens_of
from sip.progress.transcript import Transcript, TranscriptError, Utterance, Word
from sip.progress.words import LINE_STATES, announced, announced_in
from sip.record import Announcement

ORDINARY = tuple(
    word
    for line in (
        "今天 值班 我们 领导 办公室 水库 防汛 正常 情况 没有 已经 通知 各 乡镇 明天 上午 开会 记录 交接班 道路 天气",
        "下雨 应急 管理局 政府 县里 同志 负责 报告 书面 检查 学校 安全 森林 防火 巡查 人员 在岗 二十 分钟 之内 收到",
        "请 是 的 了 和 在 有",
    )
    for word in line.split()
)
"""Words of ordinary sentences of duty officers."""
_ALIKE = (
    "关光机鸡停庭空控号好暂站服湖务物忙满正镇在再通同话化无物法罚接街听厅不布人仁存纯拨波打达您你用永户互电店码马已以"
    "改盖欠嵌费废稍烧后厚请勤"
)
TWINS = dict(zip(_ALIKE[::2], _ALIKE[1::2], strict=True))
"""Characters that sound alike or nearly so."""
FRAMED = [
    "您拨打的用户已关机，请稍后再拨",
    "您拨打的号码是空号，请核对后再拨",
    "您拨打的电话已停机",
    "您拨打的电话已暂停服务",
    "您拨打的用户正在通话中，请稍后再拨",
    "您拨打的用户正忙，请稍后再拨",
    "您拨打的用户暂时无法接通，请稍后再拨",
    "您拨打的用户无法接听，请稍后再拨",
    "您拨打的电话无人接听，请稍后再拨",
    "您拨打的用户已改号",
    "您的电话已欠费，请您续交话费",
]


def states(text: str) -> set[str]:
    return {said.meaning for said in announced_in(text) if said.meaning in LINE_STATES}


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_understood_without_failing(text: str) -> None:
    for said in announced_in(text):
        assert 0.0 < said.confidence <= 1.0
        assert said.road == "words"


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["您拨打的", "用户", "已关机", "abc", "，", "1", "\ud800"]),
            st.floats(0, 9e3),
            st.floats(0, 9e3),
        ),
        max_size=8,
    )
)  # fmt: skip
def test_words_with_any_times_give_times_within_them(parts: list[tuple[str, float, float]]) -> None:
    words = tuple(Word(text, min(a, b), max(a, b)) for text, a, b in parts)
    start_ms = min((w.start_ms for w in words), default=0.0)
    end_ms = max((w.end_ms for w in words), default=0.0)
    text = "".join(word.text for word in words)
    transcript = Transcript(utterances=(Utterance(start_ms, end_ms, text, words),))
    for said in announced(transcript):
        assert start_ms - 0.01 <= said.start_ms <= end_ms + 0.01
        assert start_ms - 0.01 <= said.end_ms <= end_ms + 0.01


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(FRAMED), st.data())
def test_one_syllable_as_its_twin_or_twice_changes_no_state(text: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(text) - 1))
    twin = TWINS.get(text[at], text[at])
    doubled = text[: at + 1] + text[at:]
    assert states(text[:at] + twin + text[at + 1 :]) == states(doubled) == states(text)
    assert len(states(text)) == 1


def patterns() -> st.SearchStrategy[tuple[Phrase, Pattern]]:
    return st.sampled_from([(p, pattern) for p in phrase_book().phrases for pattern in p.patterns])


@settings(max_examples=60, deadline=None)
@given(patterns())
def test_every_phrase_of_the_book_finds_itself(entry: tuple[Phrase, Pattern]) -> None:
    _, pattern = entry
    if any(token.sound == "#" for token in pattern.tokens):
        text = tokens_of(pattern.text.replace("#", "三"))
    else:
        text = tokens_of(pattern.text)
    (hit,) = find(pattern.tokens, text, pattern.budget)
    assert (hit.first, hit.after, hit.cost) == (0, len(text), 0.0)
    assert pattern.budget >= TWIN


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(ORDINARY), max_size=25))
def test_ordinary_words_in_any_order_are_no_announcement(words: list[str]) -> None:
    assert announced_in("".join(words)) == ()


SYLLABLES = st.sampled_from(tokens_of("您拨打的用户已关机请稍后再拨空号停机暂停服务忙 power off busy 3"))


@settings(max_examples=100, deadline=None)
@given(SYLLABLES, SYLLABLES)
def test_distance_is_symmetric_and_bounded(one: object, other: object) -> None:
    cost = distance(one, other)  # type: ignore[arg-type]
    assert cost == distance(other, one)  # type: ignore[arg-type]
    assert 0.0 <= cost <= 1.0


@settings(max_examples=60, deadline=None)
@given(st.lists(SYLLABLES, min_size=1, max_size=6), st.lists(SYLLABLES, max_size=20), st.floats(0.0, 3.0))
def test_hits_lie_within_the_text_apart_and_within_budget(pattern: list, text: list, budget: float) -> None:
    hits = find(pattern, text, budget)
    assert all(0 <= h.first < h.after <= len(text) and h.cost <= budget + 1e-6 for h in hits)
    assert all(a.after <= b.first for a, b in itertools.pairwise(hits))
    # The cheapest alignment is never dearer than leaving the whole phrase out but for one syllable.
    if pattern[0] in text and budget >= MISSING * (len(pattern) - 1):
        assert hits


ANNOUNCEMENTS = st.builds(
    Announcement,
    st.sampled_from(
        ["powered_off", "busy", "in_call", "redial_later", "own_line", "mailbox", "unobtainable"]
    ),
    st.sampled_from(["words", "sample", "tone", "signalling"]),
    st.floats(0.0, 20_000.0),
    st.floats(20_000.0, 30_000.0),
    st.floats(0.0, 1.0),
    st.just("proof"),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(ANNOUNCEMENTS, max_size=6), st.randoms())
def test_the_vote_needs_no_order_and_names_what_was_announced(
    said: list[Announcement], random: object
) -> None:
    state, how = vote(said)
    mixed = said.copy()
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert vote(mixed)[0] == state
    assert (state is None) == (how is None)
    if how is not None:
        assert state in {a.meaning for a in said}
        assert 0.0 < how.confidence <= 1.0
        assert how.roads


@settings(max_examples=60, deadline=None)
@given(st.lists(ANNOUNCEMENTS, max_size=6), st.floats(0.0, 20_000.0))
def test_what_counts_is_part_of_what_was_said(said: list[Announcement], answered_ms: float) -> None:
    assert counting(said, CallMoments()) == tuple(said)
    assert set(counting(said, CallMoments(answered_ms, answered_ms))) <= set(said)


MEMBERS = st.sampled_from(["schema", "utterances", "text", "start_ms", "end_ms", "words", "confidence"])
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(MEMBERS, inner, max_size=5),
    max_leaves=8,
)


@settings(max_examples=80, deadline=None)
@given(JSON)
def test_whatever_is_no_transcript_is_refused_by_name(value: object) -> None:
    for candidate in (value, {"schema": "dutyring.transcript/1", "utterances": value}):
        transcript = refused_or_read(candidate)
        if transcript is not None:
            assert Transcript.from_json(transcript.to_json()) == transcript


def refused_or_read(value: object) -> Transcript | None:
    """Return the transcript, None where it is refused; any other error than the named one goes through."""
    try:
        return Transcript.from_json(value)
    except TranscriptError:
        return None

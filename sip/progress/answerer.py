"""Who answered (谁接听): a person, a machine, a fax, nobody; from sound, and from words where there are some.

Decided on the first 8 s after the answer, but for silence, which takes as long as it takes. From sound alone every
sign is weak or medium: a person who reads out a long text sounds like a machine, a short recorded greeting without a
beep like a person. Words can be strong. No verdict may rest on sound alone.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence

from sip.progress.heard import Heard, after_answer, clipped
from sip.progress.phrases import budget
from sip.progress.syllables import Token, find, pattern_of, tokens_of
from sip.progress.transcript import Transcript, Utterance
from sip.progress.words import LINE_STATES
from sip.record import GRADES, Announcement, AnnouncementMeaning, AnsweredBy, AnswererSign, Grade, Segment

WINDOW_MS = 8_000.0
"""Who answered must be known so long after the answer."""
_TALKS_ON_MS = 6_500.0
"""Still talking at the end of the window, after so long without a pause: a person stops for the other's answer."""
_TURN_MS = 5_000.0
"""A greeting is shorter (1 to 4 s, and some breath)."""
_WAITS_MS = 1_200.0
"""So long a pause is waiting for the other."""
_PAUSE_MS = 700.0
"""A shorter pause is within a sentence."""
_SHORTEST_SPEECH_MS = 200.0
_AT_ONCE_MS = 100.0
"""A person lifts the handset, and then speaks."""
_HOLD_MS = 3_000.0
"""So much music after the answer is a waiting loop."""
_NOTHING_MS = 5_000.0
"""So much of their silence is a finding."""
_CRACKLE_MS = 1_000.0
_SURE = 0.8
_CLEAR = 0.6
"""Less clear words are one of several readings: no sign of a machine."""

_MACHINES: frozenset[AnnouncementMeaning] = frozenset({"mailbox", "assistant", "menu"})
_VOICES = frozenset({"speech", "announcement"})
_WEIGHTS: dict[Grade, int] = {"weak": 1, "medium": 2, "strong": 5}
"""What signs of a grade count for; medium ones of sound never outweigh a strong word."""
HUMAN_PHRASES: tuple[tuple[str, Grade], ...] = (
    ("我是值班员", "strong"),
    ("我是今天的值班员", "strong"),
    ("请问您是哪里", "strong"),
    ("请问是哪位", "strong"),
    ("请问哪位", "strong"),
    ("请问您找谁", "strong"),
    ("值班员", "medium"),
    ("值班室", "medium"),
    ("总值班室", "medium"),
    ("请讲", "medium"),
    ("您说", "weak"),
    ("喂您好", "medium"),
    ("喂", "medium"),
    ("我姓", "weak"),
    ("我是", "weak"),
    ("您好", "weak"),
    ("哪里", "weak"),
)
"""What a person says who takes up a telephone; 您好 and 我是 machines say too."""


def answered_by(
    heard: Heard, answered_ms: float | None, ended_ms: float, packets_received: int
) -> AnsweredBy:
    """Tell human, machine, fax and silence apart by sound alone; `packets_received` counts theirs.

    `silence` takes 5 s after the answer in which their packets came and held nothing.
    """
    if answered_ms is None:
        return "unknown"
    segments = after_answer(heard, answered_ms, ended_ms)
    return who_answered(segments, answered_ms, packets_received)[0]


def who_answered(
    segments: Sequence[Segment],
    answered_ms: float,
    packets_received: int,
    transcript: Transcript | None = None,
    announcements: Iterable[Announcement] = (),
) -> tuple[AnsweredBy, tuple[AnswererSign, ...]]:
    """Return who answered and the signs of it, in order of time.

    `segments` are those after the answer; `announcements` what was understood on the line (words or a sample).
    """
    until_ms = answered_ms + WINDOW_MS
    window = clipped(tuple(segments), answered_ms, until_ms)
    signs = [
        *_fax(window),
        *_by_sound(window, answered_ms),
        *_announced(announcements, answered_ms, until_ms),
        *_said(transcript, answered_ms, until_ms),
    ]
    if not signs and packets_received > 0 and (quiet_ms := _quiet(segments, answered_ms)) is not None:
        detail = f"packets came and held nothing for {quiet_ms / 1000:.1f} s"
        signs.append(AnswererSign("silence", "medium", answered_ms, detail))
    return _decided(signs), tuple(sorted(signs, key=lambda sign: sign.t_ms))


def human_words_ms(transcript: Transcript, from_ms: float, until_ms: float) -> float | None:
    """Return when a person first spoke by their words, medium or better; None where none did."""
    signs = _said(transcript, from_ms, until_ms)
    return min((s.t_ms for s in signs if GRADES.index(s.grade) >= GRADES.index("medium")), default=None)


def _decided(signs: Sequence[AnswererSign]) -> AnsweredBy:
    if not signs:
        return "unknown"
    if any(sign.who == "fax" for sign in signs):
        return "fax"
    if any(sign.who == "silence" for sign in signs):
        return "silence"
    weights = {who: sum(_WEIGHTS[s.grade] for s in signs if s.who == who) for who in ("human", "machine")}
    spoken_ms = {who: [s.t_ms for s in signs if s.who == who and s.grade == "strong"] for who in weights}
    if spoken_ms["human"] and spoken_ms["machine"]:
        # A machine that hands over to a person, or a person who reads from a script: who answered was first.
        earlier_ms = min(spoken_ms["machine"]) - min(spoken_ms["human"])
        return "human" if earlier_ms > _TURN_MS / 2 else "machine"
    return "machine" if weights["machine"] > weights["human"] else "human"


# -- by sound ----------------------------------------------------------------------------------------------------


def _fax(window: Iterable[Segment]) -> list[AnswererSign]:
    """A called fax machine sends CED 0.2 to 4 s after it answers (ITU-T T.30)."""
    return [
        AnswererSign(
            "fax", "medium", s.start_ms, "fax tone 2100 Hz" if s.kind == "fax_ced" else "fax CNG 1100 Hz"
        )
        for s in window
        if s.kind in ("fax_ced", "fax_cng")
    ]


def _by_sound(window: Sequence[Segment], answered_ms: float) -> list[AnswererSign]:
    speech = [s for s in window if s.kind in _VOICES]
    signs: list[AnswererSign] = []
    music_ms = _length([s for s in window if s.kind == "music"])
    if music_ms >= _HOLD_MS:
        first = next(s.start_ms for s in window if s.kind == "music")
        signs.append(AnswererSign("machine", "medium", first, f"music on hold, {music_ms / 1000:.1f} s"))
    if _length(speech) < _SHORTEST_SPEECH_MS:
        return signs
    runs = _runs(speech)
    beep = next((s for s in window if s.kind == "beep" and s.start_ms >= runs[0][0]), None)
    if beep is not None:
        signs.append(AnswererSign("machine", "medium", beep.start_ms, "a beep after speech"))
    talks_on = _talks_on(runs, answered_ms)
    if talks_on is not None:
        detail = f"talks on for {(talks_on[1] - talks_on[0]) / 1000:.1f} s without a pause"
        signs.append(AnswererSign("machine", "medium", talks_on[0], detail))
    if runs[0][0] - answered_ms <= _AT_ONCE_MS:
        signs.append(AnswererSign("machine", "weak", runs[0][0], "speech begins with the answer"))
    signs += _turns(runs, window[-1].end_ms, alone=talks_on is None and beep is None)
    return signs


def _runs(speech: Iterable[Segment]) -> list[tuple[float, float]]:
    """Return the stretches of speech, pauses within sentences included."""
    runs: list[tuple[float, float]] = []
    for segment in speech:
        if runs and segment.start_ms - runs[-1][1] <= _PAUSE_MS:
            runs[-1] = (runs[-1][0], max(runs[-1][1], segment.end_ms))
        else:
            runs.append((segment.start_ms, segment.end_ms))
    return runs


def _talks_on(runs: Sequence[tuple[float, float]], answered_ms: float) -> tuple[float, float] | None:
    start_ms, end_ms = runs[-1]
    on = end_ms >= answered_ms + WINDOW_MS - 20.0 and end_ms - start_ms >= _TALKS_ON_MS
    return (start_ms, end_ms) if on else None


def _turns(runs: Sequence[tuple[float, float]], until_ms: float, *, alone: bool) -> list[AnswererSign]:
    """A person speaks for some seconds and waits; two such turns are better than one."""
    nexts = [*(start for start, _ in runs[1:]), until_ms]
    turns = [
        start
        for (start, end), following in zip(runs, nexts, strict=True)
        if end - start <= _TURN_MS and following - end >= _WAITS_MS
    ]
    if len(turns) > 1:
        return [AnswererSign("human", "medium", turns[0], f"speaks {len(turns)} times and waits")]
    if turns:
        return [AnswererSign("human", "weak", turns[0], "speaks and waits")]
    return [AnswererSign("human", "weak", runs[0][0], "speaks, and not for long")] if alone else []


def _quiet(segments: Sequence[Segment], answered_ms: float) -> float | None:
    """Return how long they sent nothing but silence, if that is a finding: what did not arrive may be our fault."""
    silence_ms = _length([s for s in segments if s.kind == "silence"])
    noise_ms = _length([s for s in segments if s.kind == "noise"])
    # The burst that the answer cut short is the network's.
    theirs = (s for s in segments if not (s.kind == "ringback" and s.start_ms == answered_ms))
    quiet = all(s.kind in ("silence", "noise") for s in theirs) and noise_ms < _CRACKLE_MS
    return silence_ms if quiet and silence_ms >= _NOTHING_MS else None


def _length(segments: Iterable[Segment]) -> float:
    return sum(s.end_ms - s.start_ms for s in segments)


# -- by words ----------------------------------------------------------------------------------------------------


def _announced(
    announcements: Iterable[Announcement], answered_ms: float, until_ms: float
) -> list[AnswererSign]:
    """What only machines say: a mailbox, an assistant, a menu, the network's own voice."""
    signs = []
    for said in announcements:
        inside = answered_ms - 1.0 <= said.start_ms < until_ms
        if said.road not in ("words", "sample") or said.confidence < _CLEAR or not inside:
            continue
        if said.meaning in _MACHINES or said.meaning in LINE_STATES or said.meaning == "transfer":
            grade: Grade = "strong" if said.confidence >= _SURE else "medium"
            detail = f"{said.meaning} announced by {said.road}: {said.detail}"
            signs.append(AnswererSign("machine", grade, said.start_ms, detail))
    return signs


def _said(transcript: Transcript | None, answered_ms: float, until_ms: float) -> list[AnswererSign]:
    """What a person says who takes up a telephone, the best sign of each utterance."""
    signs = []
    for utterance in () if transcript is None else transcript.utterances:
        if utterance.end_ms > answered_ms and utterance.start_ms < until_ms:
            signs += _greeting(utterance, answered_ms, until_ms)
    return signs


def _greeting(utterance: Utterance, answered_ms: float, until_ms: float) -> list[AnswererSign]:
    text = _text_before(utterance, answered_ms, until_ms)
    tokens = tokens_of(text)
    found = [
        (phrase, grade)
        for phrase, pattern, grade in _greetings()
        # One syllable sounds like many others: 喂 must be written so.
        if (find(pattern, tokens, budget(len(pattern), strict=True)) if len(pattern) > 1 else phrase in text)
    ]
    if not found:
        return []
    # Two things that either says alone are one that a person says.
    best = max((grade for _, grade in found), key=GRADES.index)
    distinct = [p for p, _ in found if not any(p != other and p in other for other, _ in found)]
    mediums = sum(grade == "medium" for phrase, grade in found if phrase in distinct)
    if best == "medium" and mediums > 1:
        best = "strong"
    detail = f"says {'、'.join(distinct)}"
    return [AnswererSign("human", best, max(utterance.start_ms, answered_ms), detail)]


def _text_before(utterance: Utterance, answered_ms: float, until_ms: float) -> str:
    """Return what of an utterance lies between the answer and the end of the window, by its words' times."""
    if not utterance.words:
        return utterance.text
    return "".join(w.text for w in utterance.words if w.end_ms > answered_ms and w.start_ms < until_ms)


@functools.cache
def _greetings() -> tuple[tuple[str, tuple[Token, ...], Grade], ...]:
    return tuple((phrase, pattern_of(phrase), grade) for phrase, grade in HUMAN_PHRASES)

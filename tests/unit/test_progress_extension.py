"""Behind a switchboard: the extension's ringing and answer, heard after the digits."""

from __future__ import annotations

import numpy as np
import pytest

from sip.assembly import CallIdentity, assemble, ending_of
from sip.call_log import CallLog
from sip.media import MediaReport
from sip.progress import (
    AnswerState,
    Heard,
    Limits,
    LineListener,
    Signals,
    answer_state,
    answered_by,
    failure_tone,
    ring_facts,
)
from sip.progress.outcome import decide_outcome
from sip.record import Announcement, MediaStatistics
from tests.line_sounds import (
    BUSY,
    RINGBACK,
    UNOBTAINABLE,
    cadence,
    chords,
    columns_of,
    listen,
    silence,
    sine,
    through,
    voice,
)

CONNECTED_MS = 200.0
MENU_S = 4.0
DIGITS_MS = 5_200.0
"""The menu talks from 1 s to 5 s; the digits end a little later."""
AFTER_MS = 6_000.0
"""Where the sound after the digits begins in these lines."""


def rings(seconds: float) -> np.ndarray:
    return cadence(RINGBACK, seconds)[0]


def line_sound(*after: np.ndarray) -> np.ndarray:
    """Pick up, menu, a pause in which the digits are sent, and what follows them."""
    menu = (silence(1.0), voice(MENU_S, seed=3), silence(1.0))
    return through("alaw", np.concatenate((*menu, *after)))


def line(*after: np.ndarray) -> Heard:
    return listen(line_sound(*after))


def signals(heard: Heard, **changes: float | None) -> Signals:
    return Signals(None, CONNECTED_MS, heard.until_ms, **{"digits_sent_ms": DIGITS_MS, **changes})


def outcome(heard: Heard, *, gave_up: bool = False) -> str:
    """The outcome as the call's end would decide it."""
    facts = ring_facts(signals(heard), heard)
    log = CallLog(connected_ms=CONNECTED_MS, digits_sent_ms=DIGITS_MS, gave_up=gave_up)
    tone = failure_tone(signals(heard), heard, facts.answered_ms)
    if tone is not None:
        log.tone, log.tone_ms = tone.kind, tone.start_ms
    return decide_outcome(ending_of(log, facts)).outcome


ANSWERED = (rings(7.5), silence(0.2), voice(4.0, seed=7))
SILENT_END = (silence(5.0),)


def test_ringing_begins_and_ends_after_the_digits() -> None:
    heard = line(*ANSWERED)
    facts = ring_facts(signals(heard), heard)
    assert facts.ring_started_ms == pytest.approx(AFTER_MS, abs=15.0)
    assert facts.post_dial_delay_ms == pytest.approx(AFTER_MS - DIGITS_MS, abs=15.0)
    assert facts.answered_ms == pytest.approx(AFTER_MS + 7_700.0, abs=80.0)
    assert facts.answer_source == "in_band"
    assert facts.answered_window_ms is not None
    assert facts.answered_window_ms[0] == pytest.approx(AFTER_MS + 6_000.0, abs=15.0)
    assert facts.ring_to_answer_ms == pytest.approx(7_700.0, abs=80.0)
    assert facts.ring_to_answer_min_ms == pytest.approx(6_000.0, abs=20.0)
    assert (facts.rings.count, facts.rings.source, facts.three_ring) == (2, "audio", "within")
    assert facts.early_media.kind == "ringback"
    assert facts.early_media.segments[0].start_ms >= DIGITS_MS - 1_000.0
    assert [s.kind for s in facts.after_answer.segments if s.kind != "silence"] == ["speech"]
    assert outcome(heard) == "answered"


def test_who_answered_is_told_by_the_extension_and_not_by_the_menu() -> None:
    menu = np.concatenate((silence(1.0), voice(14.0, seed=3), silence(1.0)))
    officer = (rings(2.0), silence(0.3), voice(2.0, seed=7), silence(2.0))
    heard = listen(through("alaw", np.concatenate((menu, *officer))))
    told = Signals(None, CONNECTED_MS, heard.until_ms, digits_sent_ms=15_200.0)
    facts = ring_facts(told, heard)
    assert answered_by(heard, CONNECTED_MS, heard.until_ms, 900) == "machine"
    assert answered_by(heard, facts.answered_ms, heard.until_ms, 900) == "human"


def test_four_rings_are_counted_against_the_limits() -> None:
    heard = line(rings(18.6), silence(0.2), voice(3.0, seed=7))
    facts = ring_facts(signals(heard), heard)
    assert (facts.rings.count, facts.three_ring) == (4, "exceeded")


def test_ringing_of_the_switchboard_itself_counts_for_nothing() -> None:
    heard = listen(
        through(
            "alaw", np.concatenate((rings(6.0), silence(0.3), voice(3.0, seed=3), silence(1.0), *ANSWERED))
        )
    )
    facts = ring_facts(Signals(10.0, 6_050.0, heard.until_ms, digits_sent_ms=9_900.0), heard)
    assert facts.ring_started_ms == pytest.approx(10_300.0, abs=20.0)
    assert facts.rings.count == 2
    assert facts.ring_to_answer_ms == pytest.approx(7_700.0, abs=80.0)


def test_an_announcement_before_the_ringing_is_no_answer() -> None:
    heard = line(voice(1.6, seed=5), silence(0.6), *ANSWERED)
    facts = ring_facts(signals(heard), heard)
    assert facts.ring_started_ms == pytest.approx(AFTER_MS + 2_200.0, abs=20.0)
    assert facts.answered_ms == pytest.approx(AFTER_MS + 2_200.0 + 7_700.0, abs=80.0)


def test_a_voice_without_ringing_is_an_answer_of_unknown_length() -> None:
    heard = line(voice(3.0, seed=7), silence(2.0))
    facts = ring_facts(signals(heard), heard)
    assert (facts.ring_started_ms, facts.post_dial_delay_ms, facts.ring_to_answer_ms) == (None, None, None)
    assert (facts.rings.count, facts.three_ring, facts.near_limit) == (None, "not_applicable", False)
    assert facts.answered_ms == pytest.approx(AFTER_MS, abs=80.0)
    assert facts.answered_window_ms == (DIGITS_MS, facts.answered_ms)
    assert answered_by(heard, facts.answered_ms, heard.until_ms, 900) == "human"
    assert outcome(heard) == "answered"


def test_color_ring_is_the_ringing_of_an_extension_too() -> None:
    heard = line(chords(6.0, seed=1), silence(0.5), voice(3.0, seed=7))
    facts = ring_facts(signals(heard), heard)
    assert facts.ring_started_ms == pytest.approx(AFTER_MS, abs=80.0)
    assert facts.answered_ms == pytest.approx(AFTER_MS + 6_500.0, abs=350.0)
    assert (facts.rings.count, facts.early_media.kind, facts.three_ring) == (None, "crbt", "within")


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ((rings(21.0),), "no_answer"),
        ((chords(12.0, seed=1),), "no_answer"),
        ((rings(10.0), cadence(BUSY, 4.0)[0]), "no_answer"),
        ((cadence(BUSY, 4.0)[0],), "busy"),
        ((cadence(UNOBTAINABLE, 6.0)[0],), "unobtainable"),
        (SILENT_END, "network_failure"),
        ((sine(0.3, 1_000.0), silence(6.0)), "network_failure"),
    ],
    ids=["rings on", "music on", "rung out", "busy", "no such extension", "nothing", "a receipt"],
)
def test_extensions_that_nobody_answers(after: tuple[np.ndarray, ...], expected: str) -> None:
    heard = line(*after)
    facts = ring_facts(signals(heard), heard)
    assert (facts.answered_ms, facts.three_ring) == (None, "not_applicable")
    assert outcome(heard, gave_up=True) == expected


def test_a_menu_that_talks_on_over_the_digits_is_no_answer() -> None:
    heard = listen(through("alaw", np.concatenate((silence(1.0), voice(9.0, seed=3), silence(2.0)))))
    assert ring_facts(signals(heard), heard).answered_ms is None


def test_a_tone_before_the_digits_says_nothing_of_the_extension() -> None:
    sound = np.concatenate((silence(1.0), cadence(BUSY, 3.5)[0], silence(1.5), *ANSWERED))
    heard = listen(through("alaw", sound))
    told = signals(heard)
    assert [tone.kind for tone in heard.recognised] == ["busy"]
    assert failure_tone(told, heard, None) is None
    assert failure_tone(signals(heard, digits_sent_ms=None), heard, None) is not None


def test_without_digits_nothing_changes() -> None:
    heard = line(*ANSWERED)
    facts = ring_facts(signals(heard, digits_sent_ms=None), heard)
    assert (facts.answered_ms, facts.answer_source, facts.ring_started_ms) == (
        CONNECTED_MS,
        "signalling",
        None,
    )


# --- while the call lasts -------------------------------------------------------------------------------


def states(sound: np.ndarray) -> list[tuple[float, AnswerState]]:
    """Return the state every 200 ms; the digits are known to be sent once they are."""
    columns = columns_of(sound)
    listener = LineListener()
    found = []
    for at in range(0, len(columns), 10):
        part = columns[at : at + 10]
        listener.push(at * 20.0, part, np.ones(len(part), np.bool_))
        now_ms = (at + len(part)) * 20.0
        sent_ms = DIGITS_MS if now_ms >= DIGITS_MS else None
        known = Signals(
            None, CONNECTED_MS if now_ms >= CONNECTED_MS else None, now_ms, digits_sent_ms=sent_ms
        )
        found.append((now_ms, answer_state(known, listener.heard())))
    return found


def test_the_clocks_start_again_at_the_digits_and_at_the_ringing() -> None:
    seen = states(line_sound(*ANSWERED))
    waiting = [state for now_ms, state in seen if DIGITS_MS <= now_ms < AFTER_MS]
    assert {(state.state, state.since_ms) for state in waiting} == {("waiting", DIGITS_MS)}
    ringing = [state for now_ms, state in seen if AFTER_MS + 1_500.0 < now_ms < AFTER_MS + 7_700.0]
    assert {state.state for state in ringing} == {"ringing"}
    assert all(state.since_ms == pytest.approx(AFTER_MS, abs=20.0) for state in ringing)
    last = seen[-1][1]
    assert (last.state, last.source) == ("answered", "in_band")
    assert last.answered_ms == pytest.approx(AFTER_MS + 7_700.0, abs=80.0)
    first = next(now_ms for now_ms, state in seen if now_ms > DIGITS_MS and state.state == "answered")
    assert AFTER_MS + 7_700.0 < first < AFTER_MS + 9_000.0


def test_the_menu_counts_as_the_answer_until_the_digits_are_sent() -> None:
    seen = states(line_sound(*ANSWERED))
    assert {state.state for now_ms, state in seen if 2_000.0 < now_ms < DIGITS_MS} == {"answered"}


def test_an_announcement_is_never_taken_for_the_officer_while_ringback_follows() -> None:
    seen = states(line_sound(voice(1.6, seed=5), silence(0.6), *ANSWERED))
    early = [state.state for now_ms, state in seen if DIGITS_MS <= now_ms < AFTER_MS + 9_800.0]
    assert "answered" not in early


def test_a_voice_without_ringing_becomes_the_answer_after_some_seconds_at_its_own_time() -> None:
    seen = states(line_sound(voice(6.0, seed=7), silence(1.0)))
    first = next(
        (now_ms, state) for now_ms, state in seen if now_ms > DIGITS_MS and state.state == "answered"
    )
    assert AFTER_MS + 4_000.0 <= first[0] <= AFTER_MS + 4_400.0
    assert first[1].answered_ms == pytest.approx(AFTER_MS, abs=80.0)


def test_what_a_switchboard_says_before_it_rings_an_extension_is_no_color_ring() -> None:
    """Its own 180 and answer are long over; one of its announcements is known by a sample, the other is not."""
    heard = line(voice(2.0), silence(1.0), voice(4.0, seed=3), silence(1.0), rings(1.2), voice(2.0, seed=5))
    log = CallLog(first_180_ms=100.0, connected_ms=CONNECTED_MS, status=200, digits_sent_ms=DIGITS_MS)
    log.ended_ms = heard.until_ms
    log.announcements = [Announcement("transfer", "sample", AFTER_MS, AFTER_MS + 2_000.0, 0.9, "sample 1")]
    report = MediaReport(MediaStatistics(received=900))
    record = assemble(CallIdentity("sip:3262000@a", "1", True), log, heard, report, Limits(), "PCMA")
    assert record.outcome == "answered"
    assert record.early_media.kind != "crbt"

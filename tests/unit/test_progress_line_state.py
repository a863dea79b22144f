"""The vote on the state of a line, what it makes of a call's record, and what words add to it afterwards."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest

from app.checks.facts import Facts
from app.checks.rules import Exemptions, Rules
from app.checks.verdict import judge
from sip.assembly import CallIdentity, assemble
from sip.call_log import CallLog
from sip.media import MediaReport
from sip.own_side import facts_of_call
from sip.progress import Heard, Limits
from sip.progress.line_state import CallMoments, counting, vote
from sip.progress.outcome import STATE_OUTCOMES, Ending, decide_outcome
from sip.progress.signalled import signalled, told_by_tone
from sip.record import Announcement, AnnouncementRoad, CallRecord, LineState, MediaStatistics, Segment
from sip.trunks import AlarmBoard
from sip.understanding import decisive_announcement
from tests.line_sounds import BUSY, RINGBACK, cadence, listen, silence, sine, through, voice

IDENTITY = CallIdentity("sip:3262000@gov.example", "id", True)


def said(
    meaning: Any,
    start_s: float = 1.0,
    road: AnnouncementRoad = "words",
    confidence: float = 0.95,
    lasting_s: float = 3.0,
) -> Announcement:
    return Announcement(meaning, road, start_s * 1e3, (start_s + lasting_s) * 1e3, confidence, "proof")


# --- signalling and tones as roads ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "q850", "rang", "state"),
    [
        (404, None, False, "unobtainable"),
        (604, None, False, "unobtainable"),
        (410, None, False, "number_changed"),
        (486, None, False, "busy"),
        (600, None, True, "busy"),
        (486, None, True, "declined"),
        (603, None, False, "declined"),
        (402, None, False, "arrears"),
        (480, None, False, None),
        (408, None, False, None),
        (487, None, False, None),
        (480, None, True, "no_answer"),
        (403, None, False, None),
        (484, None, False, None),
        (503, None, False, None),
        (480, 1, False, "unobtainable"),
        (480, 17, False, "busy"),
        (480, 17, True, "declined"),
        (480, 20, False, "not_reachable"),
        (480, 21, False, "declined"),
        (410, 22, False, "number_changed"),
        (502, 27, False, "line_fault"),
        (503, 34, False, "network_busy"),
        (503, 42, False, "network_busy"),
        (403, 52, False, "own_line"),
        (480, 19, True, "no_answer"),
        (480, 18, False, None),
        (480, 31, False, None),
        (None, None, False, None),
    ],
)
def test_a_status_alone_names_a_state_only_where_it_is_specific(
    status: int | None, q850: int | None, rang: bool, state: str | None
) -> None:
    named, how = vote(signalled(status, q850, rang=rang, t_ms=100.0))
    assert named == state
    assert (how is None) is (state is None)
    assert how is None or how.roads == ("signalling",)


def test_the_487_to_our_own_cancel_says_nothing() -> None:
    assert signalled(487, None, rang=True, t_ms=1.0, own_cancel=True) == ()


def test_busy_tone_ends_unanswered_ringing() -> None:
    assert vote(told_by_tone("busy", 1.0, 2.0, rang=False))[0] == "busy"
    assert vote(told_by_tone("busy", 1.0, 2.0, rang=True))[0] == "no_answer"
    assert vote(told_by_tone("unobtainable", 1.0, 2.0, rang=False))[0] == "unobtainable"
    assert told_by_tone("dial_tone", 1.0, 2.0, rang=False) == ()


# --- the vote ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("road", ["words", "sample"])
def test_what_was_said_beats_the_status_and_the_disagreement_is_visible(road: AnnouncementRoad) -> None:
    status = signalled(486, 17, rang=False, t_ms=1.0)
    state, how = vote([said("powered_off", road=road), *status])
    assert (state, how.roads if how else None) == ("powered_off", (road,))
    assert how is not None
    assert how.against == ("signalling: busy",)
    alone = vote([said("powered_off", road=road)])[1]
    assert alone is not None
    assert how.confidence < alone.confidence


def test_roads_that_agree_add_up() -> None:
    words = said("unobtainable", confidence=0.8)
    state, both = vote([words, *signalled(404, 1, rang=False, t_ms=1.0)])
    alone = vote([words])[1]
    assert state == "unobtainable"
    assert both is not None
    assert alone is not None
    assert both.roads == ("words", "signalling")
    assert both.against == ()
    assert both.confidence > alone.confidence


@pytest.mark.parametrize(
    ("state", "status"), [("in_call", 486), ("powered_off", 480), ("suspended", 480), ("suspended", 404)]
)
def test_a_coarse_status_does_not_disagree(state: Any, status: int) -> None:
    named, how = vote([said(state), *signalled(status, None, rang=False, t_ms=1.0)])
    assert named == state
    assert how is not None
    assert how.roads == ("words", "signalling")
    assert how.against == ()


def test_the_busy_tone_behind_an_announcement_does_not_hide_it() -> None:
    state, how = vote([said("in_call"), *told_by_tone("busy", 5_000.0, 8_000.0, rang=False)])
    assert (state, how.against if how else None) == ("in_call", ())


def test_unclear_words_lose_against_a_tone() -> None:
    tone = told_by_tone("unobtainable", 1.0, 2.0, rang=False)
    assert vote([said("busy", confidence=0.5), *tone])[0] == "unobtainable"
    assert vote([said("busy", confidence=0.5)]) == (None, None)


def test_redial_later_trails_everything() -> None:
    trailing = said("redial_later", 3.0)
    assert vote([trailing, said("line_fault", confidence=0.7)])[0] == "line_fault"
    assert vote([trailing, *told_by_tone("busy", 1.0, 2.0, rang=False)])[0] == "busy"
    assert vote([trailing])[0] == "redial_later"


def test_what_is_no_state_does_not_vote() -> None:
    assert vote([said("transfer"), said("mailbox"), said("menu")]) == (None, None)


def test_what_is_said_after_the_answer_counts_only_at_once_and_where_nobody_spoke() -> None:
    answered = CallMoments(connected_ms=10_000.0, answered_ms=10_000.0)
    early, at_once, later = said("powered_off", 5.0), said("powered_off", 10.8), said("powered_off", 15.0)
    assert counting([early, at_once, later], answered) == (early, at_once)
    spoke = replace(answered, spoken_ms=10_200.0)
    assert counting([early, at_once], spoke) == (early,)
    unsure = said("powered_off", 10.8, confidence=0.7)
    assert counting([unsure], answered) == ()
    digits = CallMoments(0.0, None, from_ms=4_000.0)
    assert counting([said("busy", 2.0), said("busy", 5.0)], digits) == (said("busy", 5.0),)


@pytest.mark.parametrize("state", get_args(LineState))
def test_every_state_says_an_outcome(state: LineState) -> None:
    quiet, rang = (decide_outcome(Ending(announced=state, rang=r, connected=True)) for r in (False, True))
    assert quiet.outcome == STATE_OUTCOMES[state]
    unanswered = state in ("no_answer", "cannot_answer")
    assert rang.outcome == ("no_answer" if unanswered else quiet.outcome)
    assert quiet.line_state == rang.line_state == state
    assert decide_outcome(Ending(announced=state, interrupted=True)).outcome == "cancelled"


# --- in the record of a call -----------------------------------------------------------------------------------


def line(*parts: np.ndarray) -> Heard:
    return listen(through("alaw", np.concatenate(parts)))


def record_of(log: CallLog, heard: Heard, received: int = 300) -> CallRecord:
    log.ended_ms = log.ended_ms or heard.until_ms
    report = MediaReport(MediaStatistics(received=received))
    return assemble(IDENTITY, log, heard, report, Limits(), "PCMA")


EARLY = line(silence(1.0), voice(3.5), silence(1.0))
"""Early media with a voice from 1 to 4.5 s."""


def test_an_announcement_in_early_media_says_the_outcome() -> None:
    log = CallLog(status=480, announcements=[said("powered_off", road="sample")])
    record = record_of(log, EARLY)
    assert (record.outcome, record.line_state) == ("unreachable", "powered_off")
    assert record.early_media.kind == "announcement"
    assert {s.kind for s in record.early_media.segments} == {"silence", "announcement"}
    assert [a.road for a in record.announcements] == ["sample", "signalling"]
    assert record.line_state_vote is not None
    assert record.line_state_vote.roads == ("sample", "signalling")


def test_an_announcement_after_a_200_out_of_nothing_is_no_answer() -> None:
    log = CallLog(connected_ms=500.0, status=200, announcements=[said("unobtainable", road="sample")])
    record = record_of(log, EARLY)
    assert (record.outcome, record.answered_by, record.answered_ms) == ("unobtainable", None, None)
    assert (record.three_ring, record.line_state) == ("not_applicable", "unobtainable")
    assert record.after_answer.segments == ()
    assert record.early_media.kind == "announcement"


def test_a_mailbox_that_answers_is_a_machine_and_the_state_stays_visible() -> None:
    announcements = [said("cannot_answer", 1.0, "sample"), said("mailbox", 2.0, "sample")]
    log = CallLog(first_180_ms=100.0, connected_ms=900.0, status=200, announcements=announcements)
    record = record_of(log, line(silence(1.0), voice(4.0), silence(3.0)))
    assert (record.outcome, record.answered_by, record.line_state) == ("answered", "machine", "cannot_answer")
    assert {(sign.who, sign.grade) for sign in record.answerer} >= {("machine", "strong")}


def test_whoever_takes_the_call_after_a_call_waiting_notice_has_answered() -> None:
    """请不要挂机，您拨打的电话正在通话中: and then they took the call."""
    heard = line(silence(1.0), voice(3.0), silence(3.0), voice(2.0, seed=4), silence(2.0))
    log = CallLog(first_180_ms=100.0, connected_ms=6_800.0, status=200)
    log.announcements = [said("in_call", road="sample", lasting_s=2.9)]
    record = record_of(log, heard)
    assert (record.outcome, record.answered_by, record.line_state) == ("answered", "human", None)
    assert record.early_media.kind == "announcement"
    assert [a.meaning for a in record.announcements] == ["in_call"]


def test_whoever_cuts_a_recording_off_has_answered() -> None:
    """85 % of a recording are enough to know it: its end may lie behind the answer that cut it off."""
    heard = line(silence(1.0), voice(2.6), silence(0.6), voice(2.0, seed=4), silence(2.0))
    log = CallLog(first_180_ms=100.0, connected_ms=3_700.0, status=200)
    log.announcements = [said("in_call", road="sample", lasting_s=3.0)]
    record = record_of(log, heard)
    assert (record.outcome, record.answered_ms, record.line_state) == ("answered", 3_700.0, None)


def test_an_announcement_that_is_repeated_behind_a_200_is_no_answer() -> None:
    """A gateway that takes voices for answers sends its 200 while the network repeats what it says."""
    heard = line(silence(1.0), voice(3.0), silence(0.8), voice(3.0), silence(1.0))
    log = CallLog(connected_ms=4_200.0, status=200)
    log.announcements = [said("powered_off", start_s, "sample") for start_s in (1.0, 4.8)]
    record = record_of(log, heard)
    assert (record.outcome, record.line_state, record.answered_by) == ("unreachable", "powered_off", None)


@pytest.mark.parametrize(("kind", "decides"), [("announcement", True), ("speech", False), ("music", False)])
def test_a_recording_that_goes_on_behind_what_was_understood_is_nobody(kind: Any, decides: bool) -> None:
    off, after = said("powered_off", 1.0), (Segment(kind, 4_200.0, 7_000.0, 0.9),)
    decisive = decisive_announcement((off,), CallMoments(4_200.0, 4_200.0, heard_ms=4_200.0), after)
    assert decisive == (off if decides else None)


def test_an_announcement_that_goes_on_over_a_200_is_no_answer() -> None:
    log = CallLog(first_180_ms=100.0, connected_ms=2_500.0, status=200)
    log.announcements = [said("not_reachable", road="sample", lasting_s=3.5)]
    assert record_of(log, EARLY).outcome == "unreachable"


def test_what_a_loudspeaker_in_their_room_announces_is_no_sign_of_forwarding() -> None:
    log = CallLog(first_180_ms=0.0, connected_ms=3_000.0, status=200)
    log.announcements = [replace(said("powered_off", 9.0, "sample"), mobile=True)]
    record = record_of(log, line(silence(3.4), voice(2.0), silence(3.6), voice(3.0, seed=2), silence(1.0)))
    assert (record.outcome, record.line_state, record.forwarding.grade) == ("answered", None, "none")
    assert [a.meaning for a in record.announcements] == ["powered_off"]


def test_no_answer_announced_after_ringing_and_before_it() -> None:
    ringing = line(cadence(RINGBACK, 12.0)[0], voice(3.0), silence(1.0))
    after = CallLog(first_180_ms=0.0, status=480, announcements=[said("no_answer", 12.0, "sample")])
    assert record_of(after, ringing).outcome == "no_answer"
    before = CallLog(status=480, announcements=[said("no_answer", 1.0, "sample")])
    assert record_of(before, EARLY).outcome == "unreachable"


def test_busy_tone_after_a_ring_stays_no_answer() -> None:
    heard = line(cadence(RINGBACK, 10.0)[0], cadence(BUSY, 4.0)[0])
    record = record_of(CallLog(first_180_ms=0.0, status=487, gave_up=False), heard)
    assert (record.outcome, record.line_state) == ("no_answer", "no_answer")
    assert record.line_state_vote is not None
    assert "tone" in record.line_state_vote.roads


def test_an_answered_call_is_in_no_state() -> None:
    log = CallLog(first_180_ms=0.0, connected_ms=3_000.0, status=200)
    record = record_of(log, line(silence(3.4), voice(2.0), silence(3.0)))
    assert (record.outcome, record.line_state, record.line_state_vote) == ("answered", None, None)
    assert record.announcements == ()
    assert {sign.grade for sign in record.answerer} <= {"weak", "medium"}


# --- our own line ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "alarm"),
    [("arrears", "account_overdue"), ("own_line", "own_line_barred"), ("wrong_prefix", "dialling_rules")],
)
@pytest.mark.parametrize("connected_ms", [None, 500.0])
def test_what_is_said_of_our_own_line_is_an_alarm_and_never_the_unit_s(
    state: Any, alarm: str, connected_ms: float | None
) -> None:
    log = CallLog(connected_ms=connected_ms, status=200 if connected_ms else 480)
    log.announcements = [said(state, road="sample")]
    record = record_of(log, EARLY)
    assert (record.outcome, record.line_state) == ("network_failure", state)
    board = AlarmBoard()
    noted = board.note_call("gov", facts_of_call("3262000", record, log, MediaReport()), 1.0)
    assert alarm in {kind.value for kind in noted.shown}
    verdict = judge(Facts.from_json(record.to_dict()), Rules(), Exemptions())
    assert (verdict.code, verdict.lawful) == ("our_side", None)


def test_low_credit_that_is_told_before_an_answered_call_is_an_alarm_too() -> None:
    log = CallLog(first_180_ms=4_600.0, connected_ms=6_000.0, status=200)
    log.announcements = [said("arrears", road="sample")]
    record = record_of(log, line(silence(1.0), voice(3.5), silence(2.0), voice(2.0, seed=3), silence(2.0)))
    assert (record.outcome, record.line_state) == ("answered", None)
    noted = AlarmBoard().note_call("gov", facts_of_call("3262000", record, log, MediaReport()), 1.0)
    assert "account_overdue" in {kind.value for kind in noted.shown}


@pytest.mark.parametrize(
    ("state", "after", "who"),
    [
        ("arrears", silence(7.0), "silence"),
        ("in_call", np.concatenate((silence(0.5), sine(3.0, 2_100.0))), "fax"),
    ],
)
def test_a_line_that_rings_on_behind_an_announcement_may_be_answered_without_a_word(
    state: Any, after: np.ndarray, who: str
) -> None:
    log = CallLog(first_180_ms=4_500.0, connected_ms=9_000.0, status=200)
    log.announcements = [said(state, 0.5, "sample")]
    heard = line(silence(0.5), voice(3.0), silence(1.0), cadence(RINGBACK, 4.5)[0], after)
    record = record_of(log, heard)
    assert (record.outcome, record.answered_by, record.three_ring) == ("answered", who, "within")


def test_a_state_by_signalling_alone_is_not_called_an_announcement() -> None:
    record = record_of(CallLog(status=404), Heard(until_ms=300.0), received=0)
    assert record.line_state == "unobtainable"
    (found,) = judge(Facts.from_json(record.to_dict()), Rules(), Exemptions()).findings
    assert "提示音" not in found.detail
    assert "404" in found.detail

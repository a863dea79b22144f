"""Alarms of our side: what raises them, what does not, what clears them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest

from sip.core import RegistrationProblem
from sip.transport.errors import ResolutionFailure
from sip.transport.failures import TransportFailure
from sip.trunks import (
    MEANINGS,
    PHONE,
    Alarm,
    AlarmBoard,
    AlarmKind,
    CallFacts,
    Noted,
    TrunkStatus,
    alarms_page,
)
from sip.trunks.signs import SURE_TROUBLES

T = "gov"
NUMBERS = ["0917-3262000", "0917-3262001", "029-88881234", "13912345678", "3262009", "3262008"]
WELL = {"status": 200, "answered": True, "alerted": True, "talk_s": 20.0}
SOUND = {"received_packets": 900, "sent_packets": 1000}


def call(board: AlarmBoard, now: float = 0.0, called: str = NUMBERS[0], **facts: Any) -> Noted:
    return board.note_call(T, CallFacts(called, **facts), now)


def standing(board: AlarmBoard, now: float = 1e6, trunk: str = T) -> set[str]:
    return {alarm.kind.value for alarm in board.status(trunk, now).alarms}


@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        ({"status": 415}, "media_refused"),
        ({"status": 488}, "media_refused"),
        ({"status": 606}, "media_refused"),
        ({"trouble": "media_refused"}, "media_refused"),
        ({**WELL, "sent_packets": 900}, "one_way_audio"),
        ({**WELL, "received_packets": 900}, "one_way_audio"),
        ({**WELL, **SOUND, "remote_loss": 1.0}, "one_way_audio"),
        ({"status": 401}, "bad_credentials"),
        ({"status": 407}, "bad_credentials"),
        ({"trouble": "bad credentials"}, "bad_credentials"),
        ({"status": 402}, "account_overdue"),
        ({"status": 487, "alerted": True, "line_state": "arrears"}, "account_overdue"),
        ({"status": 403, "q850": 52}, "own_line_barred"),
        ({"line_state": "own_line"}, "own_line_barred"),
        ({"line_state": "wrong_prefix"}, "dialling_rules"),
        ({"status": 503, "retry_after_s": 30.0}, "trunk_overloaded"),
        ({"trouble": "refused"}, "trunk_unreachable"),
        ({"trouble": "timeout"}, "trunk_unreachable"),
        ({"trouble": "dns_vanished"}, "name_vanished"),
        ({"trouble": "dns_timeout"}, "dns_failed"),
        ({"trouble": "tls_expired"}, "certificate_expired"),
        ({"trouble": "tls_name"}, "certificate_untrusted"),
        ({"trouble": "tls_untrusted"}, "certificate_untrusted"),
        ({"trouble": "tls_other"}, "tls_failed"),
        ({"trouble": "ports"}, "ports_exhausted"),
        ({"trouble": "caps"}, "caps_reached"),
    ],
)
def test_one_sure_sign_raises_an_alarm(facts: dict[str, Any], kind: str) -> None:
    board = AlarmBoard()
    noted = call(board, **facts)
    assert noted.shown == noted.raised == (AlarmKind(kind),)
    assert standing(board) == {kind}
    assert call(board, 5.0, **facts).raised == ()
    alarm = board.status(T, 6.0).alarms[0]
    assert (alarm.since, alarm.last, alarm.count) == (0.0, 5.0, 2)


@pytest.mark.parametrize(
    "facts",
    [
        {"status": 486, "reason": "Busy Here"},
        {"status": 404},
        {"status": 403},
        {"status": 480},
        {"status": 500},
        {"status": 503},
        {"status": 603},
        {"status": 487, "cancelled": True},
        {"cancelled": True},
        {**WELL, **SOUND},
        {**WELL, "talk_s": 1.0, "sent_packets": 50},
        {"status": 486, "line_state": "suspended"},
        {"trouble": "something new"},
        {**WELL, **SOUND, "remote_loss": 0.2},
    ],
)
def test_what_a_called_line_may_say_by_itself_raises_nothing(facts: dict[str, Any]) -> None:
    board = AlarmBoard()
    for now in range(10):
        assert call(board, float(now), **facts) == Noted()
    assert standing(board) == set()


@pytest.mark.parametrize(
    ("status", "kind", "needed"),
    [
        (403, "forbidden", 3),
        (503, "trunk_overloaded", 2),
        (500, "trunk_failing", 3),
        (504, "trunk_failing", 3),
        (404, "dialling_rules", 5),
        (484, "dialling_rules", 5),
    ],
)
def test_different_numbers_in_a_row_must_show_what_one_line_may_cause(
    status: int, kind: str, needed: int
) -> None:
    board = AlarmBoard()
    for index in range(needed - 1):
        for _ in range(3):
            assert call(board, called=NUMBERS[index], status=status).raised == ()
    assert call(board, called="+86" + NUMBERS[0].removeprefix("0"), status=status).raised == ()
    assert call(board, called=NUMBERS[needed - 1], status=status).raised == (AlarmKind(kind),)
    assert call(board, called=NUMBERS[0], status=status).shown == (AlarmKind(kind),)
    assert MEANINGS[AlarmKind(kind)].needed == needed


@pytest.mark.parametrize("between", [{"status": 486}, {**WELL, **SOUND}, {"status": 487, "alerted": True}])
def test_one_call_that_gets_through_begins_the_count_anew(between: dict[str, Any]) -> None:
    board = AlarmBoard()
    for number in NUMBERS[:2]:
        call(board, called=number, status=403)
    call(board, called=NUMBERS[3], **between)
    assert call(board, called=NUMBERS[2], status=403).raised == ()
    assert call(board, called=NUMBERS[0], status=403).raised == ()
    assert call(board, called=NUMBERS[1], status=403).raised == (AlarmKind.FORBIDDEN,)


@pytest.mark.parametrize(
    "between", [{"cancelled": True}, {"status": 487, "cancelled": True}, {"trouble": "caps"}]
)
def test_a_call_that_says_nothing_of_the_trunk_changes_no_count(between: dict[str, Any]) -> None:
    board = AlarmBoard()
    for number in NUMBERS[:2]:
        call(board, called=number, status=403)
    call(board, called=NUMBERS[3], **between)
    assert AlarmKind.FORBIDDEN in call(board, called=NUMBERS[2], status=403).raised


@pytest.mark.parametrize(
    ("wrong", "contrary", "other"),
    [
        ({"status": 488}, {**WELL}, {"status": 486}),
        ({**WELL, "sent_packets": 900}, {**WELL, **SOUND}, {"status": 486}),
        ({"status": 401}, {"status": 404}, {"trouble": "refused"}),
        ({"status": 402}, {"status": 486}, {"status": 404}),
        ({"line_state": "own_line"}, {**WELL, **SOUND}, {"status": 487, "cancelled": True}),
        ({"status": 503, "retry_after_s": 1.0}, {"status": 404}, {"status": 500}),
        ({"trouble": "dns_vanished"}, {"status": 403}, {"cancelled": True}),
        ({"trouble": "tls_expired"}, {"status": 503}, {"trouble": "dns_timeout"}),
        ({"trouble": "ports"}, {**WELL, **SOUND}, {"status": 486}),
        ({"trouble": "caps"}, {"status": 486}, {"trouble": "refused"}),
        ({"line_state": "wrong_prefix"}, {"status": 600}, {"status": 404}),
    ],
)
def test_the_contrary_clears_an_alarm_and_nothing_else_does(
    wrong: dict[str, Any], contrary: dict[str, Any], other: dict[str, Any]
) -> None:
    board = AlarmBoard()
    (kind,) = call(board, **wrong).raised
    assert kind not in call(board, 1.0, **other).cleared
    assert kind in standing(board)
    assert kind in call(board, 2.0, **contrary).cleared
    assert kind not in standing(board)
    assert call(board, 3.0, **wrong).raised == (kind,)


def test_forbidden_is_cleared_by_a_call_that_is_let_through() -> None:
    board = AlarmBoard()
    for number in NUMBERS[:3]:
        call(board, called=number, status=403)
    assert standing(board) == {"forbidden"}
    assert call(board, status=486).cleared == (AlarmKind.FORBIDDEN,)


def test_a_lost_engine_and_the_clock_stand_against_the_phone_itself() -> None:
    board = AlarmBoard()
    assert call(board, trouble="engine_lost").raised == (AlarmKind.MEDIA_ENGINE_LOST,)
    assert board.note_clock(False, 0.0).raised == (AlarmKind.CLOCK_UNSYNCHRONISED,)
    assert board.note_clock(None, 1.0) == Noted()
    assert standing(board) == set()
    assert standing(board, trunk=PHONE) == {"media_engine_lost", "clock_unsynchronised"}
    assert board.status(PHONE, 1.0).state == "up"
    assert board.note_clock(True, 2.0).cleared == (AlarmKind.CLOCK_UNSYNCHRONISED,)
    call(board, 3.0, **WELL, **SOUND)
    assert board.status(PHONE, 3.0).is_well


def test_a_full_engine_is_the_phone_s_until_it_has_room() -> None:
    board = AlarmBoard()
    assert board.note_engine(full=False, detail="", now=0.0) == Noted()
    assert board.note_clock(True, 0.0) == Noted(), "nothing has ever stood against the phone"
    assert call(board, trouble="engine_full").shown == (AlarmKind.MEDIA_ENGINE_FULL,)
    assert board.note_engine(full=True, detail="about 900 calls", now=1.0).raised == ()
    assert [alarm.detail for alarm in board.status(PHONE, 1.0).alarms] == ["about 900 calls"]
    call(board, 2.0, **WELL, **SOUND)
    assert standing(board, trunk=PHONE) == {"media_engine_full"}, "calls under way say nothing of more"
    assert board.note_engine(full=False, detail="", now=3.0).cleared == (AlarmKind.MEDIA_ENGINE_FULL,)
    assert board.status(PHONE, 3.0).is_well


def test_health_turns_a_trunk_up_and_down() -> None:
    board = AlarmBoard()
    board.add_trunk(T, 0.0)
    assert board.status(T, 0.0).state == "unknown"
    assert board.note_health(T, 10.0, up=False).raised == (AlarmKind.TRUNK_UNREACHABLE,)
    status = board.status(T, 15.0)
    assert (status.state, status.since, status.is_well) == ("down", 10.0, False)
    assert board.note_health(T, 20.0, up=True, status=405).cleared == (AlarmKind.TRUNK_UNREACHABLE,)
    status = board.status(T, 25.0)
    assert (status.state, status.since, status.is_well) == ("up", 20.0, True)
    assert board.note_health(T, 30.0, up=True, status=503).raised == (AlarmKind.TRUNK_OVERLOADED,)
    assert board.status(T, 30.0).state == "up"
    assert board.note_health(T, 40.0, up=False, trouble="tls_expired").raised == (
        AlarmKind.CERTIFICATE_EXPIRED,
    )
    board.note_health(T, 50.0, up=True, status=200)
    assert standing(board) == set()


def test_a_call_tells_the_state_of_a_trunk_without_health_checks() -> None:
    board = AlarmBoard()
    call(board, status=486)
    assert board.status(T, 0.0).state == "up"
    call(board, 1.0, trouble="refused")
    assert board.status(T, 1.0).state == "down"
    call(board, 2.0, trouble="caps")
    assert board.status(T, 2.0).state == "down"


def test_the_life_of_a_registration() -> None:
    board = AlarmBoard()
    board.add_trunk(T, 0.0, registers=True)
    assert board.status(T, 0.0).state == "registering"
    board.note_registration(T, 1.0, until=601.0)
    assert (board.status(T, 1.0).state, board.status(T, 1.0).registered_until) == ("up", 601.0)
    noted = board.note_registration(
        T, 300.0, until=601.0, trouble="unavailable", status=500, detail="500 Oops"
    )
    assert noted.raised == (AlarmKind.REGISTRATION_FAILED,)
    assert board.status(T, 600.0).state == "up"
    assert board.status(T, 601.0).state == "down"
    assert standing(board, 602.0) == {"registration_failed", "registration_expired"}
    noted = board.note_registration(T, 700.0, until=1300.0)
    assert set(noted.cleared) == {AlarmKind.REGISTRATION_FAILED, AlarmKind.REGISTRATION_EXPIRED}
    assert board.status(T, 700.0).is_well


@pytest.mark.parametrize(
    ("trouble", "status", "alarms", "state"),
    [
        ("bad credentials", 401, {"bad_credentials", "registration_failed"}, "down"),
        ("forbidden", 403, {"registration_failed"}, "down"),
        ("overloaded", 503, {"trunk_overloaded", "registration_failed"}, "down"),
        ("timeout", None, {"trunk_unreachable", "registration_failed"}, "down"),
        ("dns_vanished", None, {"name_vanished", "registration_failed"}, "down"),
        ("tls_untrusted", None, {"certificate_untrusted", "registration_failed"}, "down"),
    ],
)
def test_a_failed_registration_says_why(
    trouble: str, status: int | None, alarms: set[str], state: str
) -> None:
    board = AlarmBoard()
    board.note_registration(T, 0.0, until=None, trouble=trouble, status=status)
    assert standing(board) == alarms
    assert board.status(T, 0.0).state == state
    board.note_registration(T, 1.0, until=601.0)
    assert standing(board, 2.0) == set()


def test_a_binding_that_is_taken_from_us_is_an_expired_registration() -> None:
    board = AlarmBoard()
    board.note_registration(T, 0.0, until=600.0)
    noted = board.note_registration(T, 300.0, until=None, trouble="forbidden", status=403)
    assert AlarmKind.REGISTRATION_EXPIRED in noted.raised


def test_a_registration_that_we_give_up_is_no_alarm() -> None:
    board = AlarmBoard()
    board.note_registration(T, 0.0, until=600.0)
    assert board.note_unregistered(T, 1.0) == Noted()
    status = board.status(T, 700.0)
    assert (status.state, status.registered_until, status.alarms) == ("registering", None, ())


def test_every_problem_of_a_registration_raises_an_alarm() -> None:
    for problem in get_args(RegistrationProblem):
        noted = AlarmBoard().note_registration(T, 0.0, until=None, trouble=problem)
        assert AlarmKind.REGISTRATION_FAILED in noted.raised


def test_every_trouble_of_the_transport_has_an_alarm() -> None:
    assert {kind.value for kind in TransportFailure} <= SURE_TROUBLES.keys()
    assert {f"dns_{kind.value}" for kind in ResolutionFailure} <= SURE_TROUBLES.keys()


def test_what_calls_showed_is_not_cleared_by_a_registration() -> None:
    board = AlarmBoard()
    board.note_registration(T, 0.0, until=600.0)
    call(board, 1.0, status=407)
    board.note_registration(T, 300.0, until=900.0)
    assert standing(board, 301.0) == {"bad_credentials"}
    call(board, 302.0, status=486)
    assert standing(board, 303.0) == set()


def test_any_response_clears_what_kept_us_from_the_trunk() -> None:
    board = AlarmBoard()
    board.note_health(T, 0.0, up=False)
    call(board, 1.0, trouble="closed")
    assert call(board, 2.0, status=403).cleared == (AlarmKind.TRUNK_UNREACHABLE,)
    assert board.status(T, 2.0).state == "up"


def test_changes_are_told_once() -> None:
    board = AlarmBoard()
    board.add_trunk(T, 0.0)
    board.add_trunk("other", 0.0)
    board.take_changed()
    call(board, status=486)
    assert board.take_changed() == (T,)
    call(board, status=486)
    assert board.take_changed() == ()
    call(board, status=488)
    board.note_clock(False, 0.0)
    assert board.take_changed() == (T, PHONE)
    board.forget(T)
    assert [status.name for status in board.statuses(1.0)] == ["other", PHONE]


def test_a_status_travels_as_json() -> None:
    board = AlarmBoard()
    board.note_registration(T, 1.5, until=601.0)
    call(board, 2.0, status=488, reason="Not Acceptable Here")
    (status,) = board.statuses(3.0, {T: 2})
    assert status.calls_now == 2
    assert status.alarms[0].detail == "488 Not Acceptable Here"
    assert TrunkStatus.from_dict(json.loads(json.dumps(status.to_dict()))) == status


@pytest.mark.parametrize(
    "wrong",
    [
        {"state": "fine"},
        {"alarms": [{"kind": "odd", "since": 0, "last": 0, "count": 1}]},
        {"alarms": [{"kind": "forbidden", "since": "x", "last": 0, "count": 1}]},
        {"alarms": [{"kind": "forbidden"}]},
    ],
)
def test_a_status_that_cannot_be_read_is_refused(wrong: dict[str, Any]) -> None:
    stored = {"name": T, "state": "up", "since": 0.0, "alarms": []} | wrong
    with pytest.raises((ValueError, KeyError)):
        TrunkStatus.from_dict(stored)


def test_every_alarm_has_words_and_stands_in_the_reference() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "alarms.md").read_text(encoding="utf-8")
    assert page == alarms_page()
    assert set(MEANINGS) == set(AlarmKind)
    for kind in AlarmKind:
        meaning = Alarm(kind, 0.0, 0.0, 1).meaning
        assert f"## `{kind}`" in page
        for text in (meaning.en, meaning.zh, meaning.do_en, meaning.do_zh, meaning.raised, meaning.cleared):
            assert text in page
        assert meaning.en.endswith(".")
        assert meaning.zh.endswith("。")

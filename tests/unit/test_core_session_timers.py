"""Session timers (RFC 4028): who refreshes, how, and what happens when nobody does."""

from __future__ import annotations

import pytest

from sip.core import (
    Answered,
    Datagram,
    Ended,
    Endpoint,
    LocalProtocolError,
    Message,
    Rejected,
    RequestFailed,
    SessionChanged,
    parse_message,
)
from tests.unit.test_core_incoming import VIA, Caller, reply_to
from tests.unit.test_core_network import OFFER, find, invite, make_endpoint
from tests.unit.test_core_outgoing import SDP, Bench

TIMER = "Supported: timer\r\n"
UPDATES = "Allow: INVITE, ACK, BYE, UPDATE\r\n"


def placed(**changes: object) -> Bench:
    bench = Bench.__new__(Bench)
    bench.phone, bench.now, bench.events, bench.sent = make_endpoint(), 50.0, [], []
    bench.call = bench.phone.place_call(invite(**changes), bench.now)
    bench.invite = bench.out("INVITE")[0]
    return bench


def talking(expires: str, more: str = UPDATES, **changes: object) -> Bench:
    """A call whose 200 says this about the session's length."""
    bench = placed(session_expires_s=1800, **changes)
    bench.respond(bench.invite, 200, body=SDP, headers=f"{TIMER}{more}Session-Expires: {expires}\r\n")
    bench.call.acknowledge(bench.now)
    bench.out("ACK")
    return bench


def until_sent(phone: Endpoint, limit_s: float) -> tuple[float, list[Datagram]]:
    """Let timers fire until something leaves; return when, and what."""
    while (due := phone.deadline()) is not None and due <= limit_s:
        phone.advance(due)
        if sent := phone.take_datagrams():
            return due, sent
    return limit_s, []


def ended(bench: Bench) -> list[tuple[str, str]]:
    return [(e.by, e.reason) for e in bench.find(Ended)]


def test_the_invite_asks_for_what_it_was_told_to() -> None:
    assert placed().invite.header("session-expires") is None
    asking = placed(session_expires_s=600).invite
    assert (asking.header("session-expires"), asking.header("min-se")) == ("600", None)
    with pytest.raises(LocalProtocolError, match="90"):
        make_endpoint().prepare_call(invite(session_expires_s=89))


class TestTooSmall:
    """422 Session Interval Too Small."""

    def test_the_invite_comes_again_with_their_least(self) -> None:
        bench = placed(session_expires_s=90)
        bench.respond(bench.invite, 100, tag="")
        bench.respond(bench.invite, 422, headers="Min-SE: 1800\r\n")
        ack, again = bench.out("ACK", "INVITE")
        assert ack.via.branch == bench.invite.via.branch
        assert again.call_id == bench.invite.call_id
        assert again.from_.tag == bench.invite.from_.tag
        assert again.cseq.number == bench.invite.cseq.number + 1
        assert (again.header("session-expires"), again.header("min-se")) == ("1800", "1800")
        assert len(again.headers("session-expires")) == 1
        assert again.body == bench.invite.body
        assert bench.find(Rejected) == []
        bench.respond(again, 200, body=SDP)
        assert len(bench.find(Answered)) == 1

    @pytest.mark.parametrize("least", ["Min-SE: 90\r\n", "Min-SE: x\r\n", ""])
    def test_without_a_larger_least_it_is_the_final_answer(self, least: str) -> None:
        bench = placed(session_expires_s=90)
        bench.respond(bench.invite, 422, headers=least)
        bench.out("ACK")
        assert [r.status for r in bench.find(Rejected)] == [422]

    def test_once_only(self) -> None:
        bench = placed(session_expires_s=90)
        bench.respond(bench.invite, 422, headers="Min-SE: 200\r\n")
        again = bench.out("ACK", "INVITE")[1]
        bench.respond(again, 422, headers="Min-SE: 400\r\n")
        bench.out("ACK")
        assert [(r.status, r.alerted) for r in bench.find(Rejected)] == [(422, False)]

    def test_a_line_that_has_rung_is_not_rung_again(self) -> None:
        bench = placed(session_expires_s=90)
        bench.respond(bench.invite, 180)
        bench.respond(bench.invite, 422, headers="Min-SE: 1800\r\n")
        bench.out("ACK")
        assert [(r.status, r.alerted) for r in bench.find(Rejected)] == [(422, True)]

    def test_a_cancelled_call_does_not_come_again(self) -> None:
        bench = placed(session_expires_s=90)
        bench.call.cancel(bench.now)
        bench.respond(bench.invite, 422, headers="Min-SE: 1800\r\n")
        bench.out("ACK")
        assert len(bench.find(Rejected)) == 1
        bench.must_be_left_with_nothing()


class TestWeRefresh:
    def test_by_update_at_half_the_interval_again_and_again(self) -> None:
        bench = talking("90;refresher=uac")
        for _ in range(3):
            bench.wait(44.9)
            bench.out()
            bench.wait(0.2)
            (update,) = bench.out("UPDATE")
            assert update.header("session-expires") == "90;refresher=uac"
            assert update.body == b""
            assert update.contacts
            bench.respond(update, 200, headers=f"{TIMER}Session-Expires: 90;refresher=uac\r\n")
        assert ended(bench) == []
        bench.call.hang_up(bench.now)
        (bye,) = bench.out("BYE")
        bench.respond(bye, 200)
        bench.must_be_left_with_nothing()

    def test_by_reinvite_with_the_same_description_if_they_take_no_update(self) -> None:
        bench = talking("100;refresher=uac", "Allow: INVITE, ACK, BYE\r\n")
        bench.wait(50.1)
        (again,) = bench.out("INVITE")
        assert again.sdp_body == OFFER
        assert (again.to.tag, again.cseq.number) == ("t1", 2)
        bench.request("INVITE", body=SDP)
        bench.out("491/INVITE")
        bench.respond(again, 100, tag="")
        answer = f"{TIMER}Session-Expires: 100;refresher=uac\r\n"
        bench.respond(again, 200, body=SDP, headers=answer)
        bench.respond(again, 200, body=SDP, headers=answer)
        ack, repeated = bench.out("ACK", "ACK+")
        assert (ack.cseq.number, ack.via.branch == repeated.via.branch) == (2, True)
        assert ack.via.branch != again.via.branch
        assert bench.find(SessionChanged) == []
        bench.request("INVITE", cseq=901, body=SDP)
        bench.out("200/INVITE")

    def test_a_new_description_in_the_answer_is_told(self) -> None:
        bench = talking("100;refresher=uac", "")
        bench.wait(50.1)
        (again,) = bench.out("INVITE")
        ulaw = SDP.replace(b"AVP 8 0 101", b"AVP 0 101")
        bench.respond(again, 200, body=ulaw, contact="<sip:moved@198.51.100.4>")
        bench.out("ACK")
        assert bench.sent[-1].destination.host == "198.51.100.4"
        assert [c.remote.raw for c in bench.find(SessionChanged)] == [ulaw]

    def test_a_reinvite_while_an_ack_is_missing_comes_later(self) -> None:
        bench = talking("90;refresher=uac", "")
        bench.wait(44.0)
        refresh = f"{TIMER}Session-Expires: 2;refresher=uas\r\n"
        bench.request("INVITE", body=SDP, headers=refresh)
        bench.wait(4.0)
        assert {d.method for d in bench.phone.take_datagrams() if d.is_request} == set()
        bench.request("ACK")
        _, sent = until_sent(bench.phone, bench.now + 5.0)
        assert [d.method for d in sent] == ["INVITE"]

    def test_an_answer_without_description_or_after_the_end_is_acknowledged(self) -> None:
        for over in (False, True):
            bench = talking("90;refresher=uac", "")
            bench.wait(45.1)
            (again,) = bench.out("INVITE")
            if over:
                bench.call.hang_up(bench.now)
                (bye,) = bench.out("BYE")
                bench.respond(bye, 200)
            bench.respond(again, 200)
            (ack,) = bench.out("ACK")
            assert ack.cseq.number == again.cseq.number
            if not over:
                bench.request("INVITE", body=SDP)
                bench.out("200/INVITE")

    @pytest.mark.parametrize("status", [405, 501])
    def test_an_update_that_is_not_taken_after_all(self, status: int) -> None:
        bench = talking("90;refresher=uac")
        bench.wait(45.1)
        (update,) = bench.out("UPDATE")
        bench.respond(update, status)
        (again,) = bench.out("INVITE")
        bench.respond(again, status)
        bench.out("ACK")
        bench.wait(9.9)
        bench.out()
        bench.wait(0.2)
        bench.out("INVITE")

    def test_the_answer_may_change_length_and_roles_or_end_the_timer(self) -> None:
        bench = talking("90;refresher=uac")
        bench.wait(45.1)
        (update,) = bench.out("UPDATE")
        bench.respond(update, 200, headers=f"{TIMER}Session-Expires: 300;refresher=uac\r\n")
        bench.wait(149.9)
        bench.out()
        bench.wait(0.2)
        (second,) = bench.out("UPDATE")
        bench.respond(second, 200)
        bench.wait(4000.0)
        bench.out()
        assert ended(bench) == []

    @pytest.mark.parametrize("status", [408, 481, None])
    def test_a_far_side_that_is_gone_is_hung_up(self, status: int | None) -> None:
        bench = talking("90;refresher=uac")
        bench.wait(45.1)
        (update,) = bench.out("UPDATE")
        if status is None:
            bench.wait(32.1)
            assert bench.phone.take_datagrams()[-1].method == "BYE"
        else:
            bench.respond(update, status)
            (bye,) = bench.out("BYE")
            assert bye.header("reason") == 'SIP;cause=408;text="Session expired"'
            bench.respond(bye, 481)
        bench.wait(40.0)
        assert ended(bench) == [("network", "session expired")]
        assert [f.method for f in bench.find(RequestFailed)] == ["UPDATE"]
        bench.must_be_left_with_nothing()

    def test_after_a_glare_it_waits_its_turn(self) -> None:
        bench = talking("90;refresher=uac")
        bench.wait(45.1)
        (update,) = bench.out("UPDATE")
        bench.respond(update, 491)
        # RFC 3261 section 14.1: who made the Call-ID waits 2.1 to 4 s.
        at, sent = until_sent(bench.phone, bench.now + 10)
        assert [d.method for d in sent] == ["UPDATE"]
        assert 2.1 <= at - bench.now <= 4.0

    def test_a_refresh_that_is_too_short_for_them(self) -> None:
        bench = talking("90;refresher=uac")
        bench.wait(45.1)
        (update,) = bench.out("UPDATE")
        bench.respond(update, 422, headers="Min-SE: 600\r\n")
        (second,) = bench.out("UPDATE")
        assert (second.header("session-expires"), second.header("min-se")) == ("600;refresher=uac", "600")
        bench.respond(second, 422, headers="Min-SE: 600\r\n")
        bench.out()
        bench.wait(10.1)
        bench.out("UPDATE")

    def test_other_failures_are_tried_again_until_the_session_runs_out(self) -> None:
        bench = talking("90;refresher=uac")
        bench.wait(45.1)
        (update,) = bench.out("UPDATE")
        bench.respond(update, 503, headers="Retry-After: 20\r\n")
        bench.wait(19.9)
        bench.out()
        bench.wait(0.2)
        (second,) = bench.out("UPDATE")
        bench.respond(second, 500)
        bench.wait(10.1)
        (third,) = bench.out("UPDATE")
        bench.respond(third, 500)
        bench.wait(10.1)
        (fourth,) = bench.out("UPDATE")
        bench.respond(fourth, 500)
        bench.wait(5.0)
        bench.out("BYE")

    def test_an_interval_below_the_least_neither_kills_nor_floods(self) -> None:
        bench = talking("1;refresher=uac")
        bench.wait(3.5)
        assert [d.method for d in bench.phone.take_datagrams()][:2] == ["UPDATE", "UPDATE"]
        assert ended(bench) == []

    def test_nothing_is_refreshed_once_we_hang_up(self) -> None:
        bench = talking("90;refresher=uac")
        bench.wait(44.0)
        bench.call.hang_up(bench.now)
        bench.wait(2.0)
        assert {d.method for d in bench.phone.take_datagrams()} == {"BYE"}


class TestTheyRefresh:
    def test_their_silence_ends_the_call(self) -> None:
        bench = talking("300;refresher=uas")
        # A third of the interval, at most 32 s, before its end (section 10).
        bench.wait(267.9)
        bench.out()
        bench.wait(0.2)
        (bye,) = bench.out("BYE")
        bench.respond(bye, 200)
        assert ended(bench) == [("network", "session expired")]
        bench.must_be_left_with_nothing()

    @pytest.mark.parametrize("method", ["UPDATE", "INVITE"])
    def test_their_refresh_is_answered(self, method: str) -> None:
        bench = talking("90;refresher=uas")
        for n in range(3):
            bench.wait(45.0)
            refresh = f"{TIMER}Session-Expires: 90;refresher=uac\r\n"
            bench.request(method, cseq=900 + n, headers=refresh, body=SDP if method == "INVITE" else b"")
            (reply,) = bench.out(f"200/{method}")
            assert reply.header("session-expires") == "90;refresher=uac"
            assert "timer" in reply.values("require")
            if method == "INVITE":
                bench.request("ACK", cseq=900 + n)
        assert ended(bench) == []
        bench.wait(60.1)
        bench.out("BYE")

    def test_a_request_without_a_length_keeps_the_one_there_is(self) -> None:
        bench = talking("90;refresher=uac")
        bench.wait(40.0)
        bench.request("INVITE", body=SDP, headers=TIMER)
        (reply,) = bench.out("200/INVITE")
        assert reply.header("session-expires") == "90;refresher=uas"
        bench.request("ACK")
        bench.wait(44.0)
        bench.out()
        bench.wait(1.1)
        bench.out("UPDATE")

    def test_a_far_side_without_timers_ends_the_limit(self) -> None:
        bench = talking("90;refresher=uac")
        bench.wait(40.0)
        bench.request("INVITE", body=SDP, headers="Supported: 100rel\r\n")
        (reply,) = bench.out("200/INVITE")
        assert reply.header("session-expires") is None
        bench.request("ACK")
        bench.wait(500.0)
        bench.out()

    def test_a_bye_while_ours_is_on_its_way(self) -> None:
        bench = talking("90;refresher=uas")
        bench.wait(60.1)
        bench.out("BYE")
        bench.request("BYE")
        bench.out("200/BYE")
        assert ended(bench) == [("network", "session expired")]

    @pytest.mark.parametrize("value", ["", "x", "0", "-5", "90000000000000"])
    def test_what_cannot_be_read_is_no_length(self, value: str) -> None:
        bench = talking(value)
        bench.wait(100_000.0)
        bench.out()


class TestCalled:
    def answered(self, headers: str) -> tuple[Caller, Message]:
        caller = Caller()
        call = caller.call(headers=headers)
        call.answer(caller.now, OFFER)
        (reply,) = caller.out("200/INVITE")
        caller.send("ACK", to_tag=call.local_tag, via=VIA + "ack")
        return caller, reply

    @pytest.mark.parametrize(
        ("asked", "granted", "required"),
        [
            ("", None, False),
            (TIMER, None, False),
            (f"{TIMER}Session-Expires: 120\r\n", "120;refresher=uac", True),
            (f"{TIMER}x: 120;refresher=uas\r\n", "120;refresher=uas", False),
            ("Session-Expires: 120\r\n", "120;refresher=uas", False),
            ("Session-Expires: 120;refresher=uac\r\n", "120;refresher=uas", False),
        ],
    )
    def test_we_grant_what_is_asked_for_and_ask_for_nothing(
        self, asked: str, granted: str | None, required: bool
    ) -> None:
        _, reply = self.answered(asked)
        assert reply.header("session-expires") == granted
        assert ("timer" in reply.values("require")) is required

    def test_a_caller_who_falls_silent_is_hung_up(self) -> None:
        caller, _ = self.answered(f"{TIMER}Session-Expires: 120\r\n")
        caller.wait(87.9)
        caller.out()
        caller.wait(0.2)
        caller.out("BYE")
        caller.receive(reply_to(parse_message(caller.sent[-1].data), 200))
        assert caller.ended() == [("network", "session expired")]
        caller.must_be_left_with_nothing()

    def test_we_refresh_where_the_caller_wants_it(self) -> None:
        caller, _ = self.answered(f"{TIMER}{UPDATES}Session-Expires: 120;refresher=uas\r\n")
        caller.wait(60.1)
        caller.out("UPDATE")
        update = parse_message(caller.sent[-1].data)
        assert update.to.tag == "caller"
        caller.receive(reply_to(update, 491))
        # Who did not make the Call-ID waits at most 2 s (RFC 3261 section 14.1).
        at, sent = until_sent(caller.line, caller.now + 10)
        assert [d.method for d in sent] == ["UPDATE"]
        assert at - caller.now <= 2.0
        caller.out()
        assert [f.reason for f in find(caller.events, RequestFailed)] == ["491 x"]

"""Requests that want something of us, reasons that both sides give, and whether somebody may have been rung."""

from __future__ import annotations

import pytest

from sip.core import (
    Address,
    Answered,
    Cancelled,
    Cause,
    Credentials,
    DtmfInfo,
    Ended,
    ForkAnswered,
    IncomingInvite,
    Provisional,
    Refused,
    Rejected,
    RequestReceived,
    TimedOut,
    parse_message,
)
from tests.unit.test_core_incoming import VIA, Caller, reply_to
from tests.unit.test_core_network import LINE, OFFER, find
from tests.unit.test_core_outgoing import SDP, Bench
from tests.unit.test_core_session_timers import placed


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def caller() -> Caller:
    return Caller()


class TestInfo:
    def info(self, bench: Bench, kind: str, body: str, cseq: int = 900, more: str = "") -> None:
        bench.receive(
            f"INFO sip:dutyring@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP {LINE};branch=z9hG4bKinfo{cseq}\r\n"
            f"From: <sip:62@{LINE}>;tag=t1\r\nTo: <sip:dutyring@192.0.2.1>;tag={bench.call.local_tag}\r\n"
            f"Call-ID: {bench.call.call_id}\r\nCSeq: {cseq} INFO\r\n{more}Content-Type: {kind}\r\n\r\n{body}".encode()
        )

    @pytest.mark.parametrize(
        ("kind", "body", "digits", "duration_ms"),
        [
            ("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", "5", 160),
            ("application/dtmf-relay", "Signal= #\nDuration= x", "#", None),
            ("Application/DTMF-Relay; charset=x", "signal: d", "D", None),
            ("application/dtmf-relay", "Signal=11\r\nDuration=100", "#", 100),
            ("application/dtmf", "7", "7", None),
            ("application/dtmf", " *\r\n", "*", None),
        ],
    )
    def test_digits_are_told(
        self, bench: Bench, kind: str, body: str, digits: str, duration_ms: int | None
    ) -> None:
        bench.answer()
        self.info(bench, kind, body)
        bench.out("200/INFO")
        assert [(d.digits, d.duration_ms, d.call_id) for d in bench.find(DtmfInfo)] == [
            (digits, duration_ms, bench.call.call_id)
        ]

    @pytest.mark.parametrize(
        ("kind", "body"),
        [
            ("application/dtmf-relay", "Duration=160"),
            ("application/dtmf-relay", "Signal=hello"),
            ("application/dtmf", ""),
            ("application/dtmf", "\x00"),
            ("application/media_control+xml", "<x/>"),
        ],
    )
    def test_other_information_is_taken_and_left_alone(self, bench: Bench, kind: str, body: str) -> None:
        bench.answer()
        self.info(bench, kind, body)
        bench.out("200/INFO")
        assert bench.find(DtmfInfo) == []

    def test_a_package_is_469(self, bench: Bench) -> None:
        bench.answer()
        self.info(bench, "application/x", "y", more="Info-Package: foo\r\n")
        (reply,) = bench.out("469/INFO")
        assert reply.header("recv-info") == ""


@pytest.mark.parametrize("method", ["SUBSCRIBE", "NOTIFY", "PUBLISH"])
def test_event_packages_are_unknown_within_and_outside_of_calls(
    bench: Bench, caller: Caller, method: str
) -> None:
    bench.answer()
    bench.request(method, headers="Event: refer\r\n")
    bench.request(method, cseq=901)
    bench.out(f"489/{method}", f"405/{method}")
    caller.send(method, headers="Event: presence\r\n")
    caller.send(method, via=VIA + "2")
    caller.out(f"489/{method}", f"405/{method}")


def test_unknown_demands_within_a_call_are_420(bench: Bench) -> None:
    bench.answer()
    bench.request("INVITE", body=SDP, headers="Require: timer, gruu\r\n")
    (reply,) = bench.out("420/INVITE")
    assert reply.values("unsupported") == ["gruu"]
    bench.request("ACK")
    bench.request("UPDATE", cseq=901, headers="Require: timer\r\n")
    bench.out("200/UPDATE")
    assert [r.status for r in bench.find(RequestReceived)] == [420, 200]


def test_a_prack_for_nothing_is_481(bench: Bench, caller: Caller) -> None:
    bench.answer()
    bench.request("PRACK", headers="RAck: 1 1 INVITE\r\n")
    bench.out("481/PRACK")
    caller.send("PRACK")
    caller.out("481/PRACK")


def test_options_within_a_call(bench: Bench) -> None:
    bench.answer()
    bench.request("OPTIONS")
    (reply,) = bench.out("200/OPTIONS")
    assert "PRACK" in reply.values("allow")
    assert "timer" in reply.values("supported")
    assert "application/sdp" in reply.values("accept")


class TestReplaces:
    def invite(self, caller: Caller, value: str, status: int) -> None:
        caller.send("INVITE", call_id="other", via=VIA + "r", headers=f"{value}\r\n")
        caller.out(f"{status}/INVITE")
        assert len(find(caller.events, IncomingInvite)) == 1

    def test_a_call_that_is_up_is_not_given_away(self, caller: Caller) -> None:
        call = caller.answered()
        self.invite(caller, f"Replaces: in1;to-tag={call.local_tag};from-tag=caller", 603)
        assert caller.ended() == []

    @pytest.mark.parametrize(
        ("value", "status"),
        [
            ("Replaces: in1;to-tag=x;from-tag=caller", 481),
            ("Replaces: nobody;from-tag=a;to-tag=b", 481),
            ("Replaces: in1;from-tag=caller", 400),
            ("Replaces: a;from-tag=a;to-tag=b\r\nReplaces: c;from-tag=a;to-tag=b", 400),
        ],
    )
    def test_what_names_no_call_of_ours(self, caller: Caller, value: str, status: int) -> None:
        caller.call()
        self.invite(caller, value, status)

    def test_an_early_or_ended_dialog_of_a_caller_is_none(self, caller: Caller) -> None:
        call = caller.call()
        call.progress(180, caller.now)
        caller.out("180/INVITE")
        value = f"Replaces: in1;to-tag={call.local_tag};from-tag=caller"
        self.invite(caller, value, 481)
        call.reject(486, caller.now)
        caller.out("486/INVITE")
        caller.send("INVITE", call_id="third", via=VIA + "s", headers=f"{value}\r\n")
        caller.out("481/INVITE")


class TestReasons:
    def test_ours_when_giving_up_and_when_hanging_up(self, bench: Bench) -> None:
        bench.respond(bench.invite, 180)
        bench.call.hang_up(bench.now, why='not "answered"')
        (cancel,) = bench.out("CANCEL")
        assert cancel.header("reason") == r'SIP;cause=487;text="not \"answered\""'
        talking = Bench()
        talking.answer()
        talking.call.hang_up(talking.now, why="talk time\r\nover")
        (bye,) = talking.out("BYE")
        assert bye.header("reason") == 'Q.850;cause=16;text="talk time over"'

    def test_a_given_one_stands(self, bench: Bench) -> None:
        bench.respond(bench.invite, 180)
        bench.call.cancel(bench.now, (("reason", "SIP;cause=480"),), why="x")
        assert bench.out("CANCEL")[0].headers("reason") == ["SIP;cause=480"]

    def test_without_words_the_usual_ones(self, bench: Bench) -> None:
        bench.respond(bench.invite, 180)
        bench.call.cancel(bench.now)
        assert bench.out("CANCEL")[0].header("reason") == 'SIP;cause=487;text="Given up by the caller"'

    def test_a_line_says_why_it_hangs_up_if_told_to(self, caller: Caller) -> None:
        call = caller.answered()
        call.hang_up(caller.now, why="closing")
        caller.out("BYE")
        assert b'Reason: Q.850;cause=16;text="closing"' in caller.sent[-1].data

    def test_theirs_in_every_event_that_ends_something(self, bench: Bench, caller: Caller) -> None:
        field = 'Reason: Q.850 ;cause=17;text="User busy", sip;cause=x\r\nReason: ;\r\n'
        theirs = (Cause("Q.850", 17, "User busy"), Cause("SIP", None))
        bench.respond(bench.invite, 183, headers=field)
        bench.respond(bench.invite, 486, headers=field)
        assert bench.find(Provisional)[0].causes == theirs
        assert bench.find(Rejected)[0].causes == theirs
        talking = Bench()
        talking.answer()
        talking.request("BYE", headers=field)
        assert talking.find(Ended)[0].causes == theirs
        caller.call()
        caller.send("CANCEL", headers=field)
        assert find(caller.events, Cancelled)[0].causes == theirs
        assert find(caller.events, Ended)[0].causes == theirs


class TestAlerted:
    """Whether another way may be tried: only if nothing but 100 came."""

    @pytest.mark.parametrize(
        ("before", "alerted"),
        [
            ((), False),
            ((("100", ""),), False),
            ((("100", "x"),), True),
            ((("183", ""),), True),
            ((("180", "a"),), True),
        ],
    )
    def test_a_rejection(self, bench: Bench, before: tuple[tuple[str, str], ...], alerted: bool) -> None:
        for status, tag in before:
            bench.respond(bench.invite, status, tag=tag)
        bench.respond(bench.invite, 503, headers="Retry-After: 120 (maintenance);duration=60\r\n")
        told = bench.find(Rejected)[0]
        assert (told.alerted, told.retry_after_s, bench.call.alerted) == (alerted, 120, alerted)

    @pytest.mark.parametrize("value", ["", "soon", "-1", "99999999999"])
    def test_a_retry_after_that_cannot_be_read(self, bench: Bench, value: str) -> None:
        bench.respond(bench.invite, 503, headers=f"Retry-After: {value}\r\n")
        assert bench.find(Rejected)[0].retry_after_s is None

    def test_a_network_that_refuses(self, bench: Bench) -> None:
        bench.phone.refused(LINE, bench.now, "Connection refused")
        bench.wait(0.0)
        assert [r.alerted for r in bench.find(Refused)] == [False]


class TestOddOrders:
    """Orders of messages that real networks bring about."""

    def test_401_after_100(self) -> None:
        bench = placed(credentials=Credentials("u", "p"))
        bench.respond(bench.invite, 100, tag="")
        bench.respond(bench.invite, 401, headers='WWW-Authenticate: Digest realm="r", nonce="n"\r\n')
        ack, again = bench.out("ACK", "INVITE")
        assert (ack.cseq.number, again.cseq.number) == (1, 2)
        bench.respond(again, 100, tag="")
        bench.respond(again, 180)
        assert [p.status for p in bench.find(Provisional)] == [100, 100, 180]

    def test_401_after_180_is_not_answered_with_a_second_ring(self) -> None:
        bench = placed(credentials=Credentials("u", "p"))
        bench.respond(bench.invite, 180)
        bench.respond(bench.invite, 401, headers='WWW-Authenticate: Digest realm="r", nonce="n"\r\n')
        bench.out("ACK")
        assert [(r.status, r.alerted) for r in bench.find(Rejected)] == [(401, True)]

    def test_183_after_180_and_a_wrong_description_put_right(self, bench: Bench) -> None:
        wrong = SDP.replace(b"50000", b"50002")
        bench.respond(bench.invite, 180)
        bench.respond(bench.invite, 183, body=wrong)
        bench.respond(bench.invite, 200, body=SDP)
        early, final = bench.find(Provisional)[1], bench.find(Answered)[0]
        assert early.sdp is not None
        assert final.sdp is not None
        assert (early.sdp.address, final.sdp.address) == (
            Address("192.0.2.2", 50002),
            Address("192.0.2.2", 50000),
        )

    def test_a_200_that_comes_after_everything_was_given_up(self, bench: Bench) -> None:
        bench.respond(bench.invite, 180)
        bench.call.cancel(bench.now)
        (cancel,) = bench.out("CANCEL")
        bench.respond(cancel, 481)
        bench.wait(32.5)
        assert [e.by for e in bench.find(Ended)] == ["network"]
        bench.phone.take_datagrams()
        bench.respond(bench.invite, 200, body=SDP)
        ack, bye = bench.out("ACK", "BYE")
        assert (ack.to.tag, bye.to.tag) == ("t1", "t1")
        assert bench.find(Answered) == []
        assert [f.dialog_key for f in bench.find(ForkAnswered)] == ["t1"]
        bench.must_be_left_with_nothing()

    def test_a_200_that_was_lost_before_the_cancel(self, bench: Bench) -> None:
        bench.respond(bench.invite, 180)
        bench.wait(5.0)
        # Their 200 was dropped on the way. We give up; they say that it is too late for that.
        bench.call.hang_up(bench.now, why="not answered")
        (cancel,) = bench.out("CANCEL")
        bench.respond(cancel, 200)
        bench.respond(bench.invite, 200, body=SDP)
        _, bye = bench.out("ACK", "BYE")
        bench.respond(bye, 200)
        assert [a.after_cancel for a in bench.find(Answered)] == [True]
        assert [(e.by, e.reason) for e in bench.find(Ended)] == [("us", "BYE")]
        bench.must_be_left_with_nothing()

    def test_a_200_that_is_repeated_for_32_s(self, bench: Bench) -> None:
        bench.answer()
        for _ in range(10):
            bench.wait(3.2)
            bench.respond(bench.invite, 200, body=SDP)
            bench.out("ACK+")
        assert len(bench.find(Answered)) == 1

    @pytest.mark.parametrize("status", [300, 301, 302, 305, 380])
    def test_no_redirection_is_followed(self, bench: Bench, status: int) -> None:
        bench.respond(bench.invite, status, contact="<sip:13900000000@mobile.example>")
        bench.out("ACK")
        assert bench.find(Rejected)[0].contacts == ("sip:13900000000@mobile.example",)
        bench.must_be_left_with_nothing()

    def test_nothing_at_all(self, bench: Bench) -> None:
        bench.wait(33.0)
        assert len(bench.find(TimedOut)) == 1
        assert not bench.call.alerted


def test_a_bye_of_a_line_whose_caller_rejects_it(caller: Caller) -> None:
    call = caller.call()
    call.answer(caller.now, OFFER)
    caller.wait(32.1)
    bye = next(d for d in caller.line.take_datagrams() if d.method == "BYE")
    assert b'Reason: SIP;cause=408;text="No ACK"' in bye.data
    caller.receive(reply_to(parse_message(bye.data), 481))
    assert caller.ended() == [("us", "BYE: 481 x")]

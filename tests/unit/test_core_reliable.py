"""Reliable provisional responses (RFC 3262) on both sides, against bytes written by hand."""

from __future__ import annotations

import pytest

from sip.core import (
    Credentials,
    Ended,
    ForkAnswered,
    IncomingCall,
    IncomingInvite,
    LocalProtocolError,
    Message,
    Provisional,
    Rejected,
    Request,
    RequestFailed,
    Response,
    SessionChanged,
    parse_message,
)
from tests.unit.test_core_incoming import VIA, Caller
from tests.unit.test_core_network import LINE, OFFER, find, invite, make_endpoint
from tests.unit.test_core_outgoing import SDP, Bench, make_response

SDP_TYPE = "Content-Type: application/sdp\r\n"


def reliable(number: int, more: str = "") -> str:
    return f"Require: 100rel\r\nRSeq: {number}\r\n{more}"


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def caller() -> Caller:
    return Caller()


class TestCalling:
    def test_a_reliable_183_is_acknowledged(self, bench: Bench) -> None:
        bench.respond(bench.invite, 183, body=SDP, headers=reliable(776655))
        (prack,) = bench.out("PRACK")
        assert isinstance(prack, Request)
        assert prack.header("rack") == "776655 1 INVITE"
        assert (prack.cseq.number, prack.to.tag, prack.uri) == (2, "t1", f"sip:62@{LINE}")
        assert prack.body == b""
        told = bench.find(Provisional)
        assert [(p.status, p.reliable) for p in told] == [(183, True)]
        bench.respond(prack, 200)
        bench.respond(bench.invite, 180, headers=reliable(776656))
        (second,) = bench.out("PRACK")
        assert (second.header("rack"), second.cseq.number) == ("776656 1 INVITE", 3)
        bench.respond(second, 200)
        bench.answer()
        bench.call.hang_up(bench.now)
        (bye,) = bench.out("BYE")
        assert bye.cseq.number == 4
        bench.respond(bye, 200)
        assert bench.find(RequestFailed) == []
        bench.must_be_left_with_nothing()

    def test_an_ordinary_18x_is_not_acknowledged(self, bench: Bench) -> None:
        bench.respond(bench.invite, 180)
        bench.respond(bench.invite, 183, headers="RSeq: 5\r\n")
        bench.respond(bench.invite, 183, tag="x", headers="Require: 100rel\r\n")
        bench.respond(bench.invite, 183, tag="y", headers=reliable(0))
        bench.respond(bench.invite, 183, tag="", headers=reliable(7))
        bench.respond(bench.invite, 100, tag="z", headers=reliable(8))
        bench.out()
        assert [p.reliable for p in bench.find(Provisional)][:4] == [False] * 4

    def test_the_prack_is_repeated_until_it_is_answered_and_not_by_the_183(self, bench: Bench) -> None:
        bench.respond(bench.invite, 183, headers=reliable(1))
        bench.respond(bench.invite, 183, headers=reliable(1))
        (prack,) = bench.out("PRACK")
        bench.wait(1.6)
        bench.out("PRACK+", "PRACK+")
        bench.respond(prack, 200)
        bench.wait(10.0)
        bench.out()
        assert len(bench.find(Provisional)) == 1

    def test_what_comes_out_of_order_waits_for_its_repetition(self, bench: Bench) -> None:
        bench.respond(bench.invite, 183, headers=reliable(10))
        (first,) = bench.out("PRACK")
        bench.respond(first, 200)
        bench.respond(bench.invite, 180, headers=reliable(12))
        bench.out()
        assert [p.status for p in bench.find(Provisional)] == [183]
        bench.respond(bench.invite, 181, headers=reliable(11))
        (second,) = bench.out("PRACK")
        bench.respond(second, 200)
        bench.respond(bench.invite, 180, headers=reliable(12))
        (third,) = bench.out("PRACK")
        assert third.header("rack") == "12 1 INVITE"
        bench.respond(bench.invite, "181 Again", headers=reliable(11))
        bench.out()
        assert [p.status for p in bench.find(Provisional)] == [183, 181, 180]

    def test_each_fork_counts_for_itself(self, bench: Bench) -> None:
        bench.respond(bench.invite, 183, tag="a", headers=reliable(500), contact="<sip:a@198.51.100.1>")
        bench.respond(bench.invite, 183, tag="b", headers=reliable(3), contact="<sip:b@198.51.100.2>")
        bench.respond(bench.invite, 180, tag="a", headers=reliable(501), contact="<sip:a@198.51.100.1>")
        bench.respond(bench.invite, 180, tag="b", headers=reliable(501), contact="<sip:b@198.51.100.2>")
        pracks = bench.out("PRACK", "PRACK", "PRACK")
        assert [(p.to.tag, p.header("rack"), p.cseq.number) for p in pracks] == [
            ("a", "500 1 INVITE", 2),
            ("b", "3 1 INVITE", 2),
            ("a", "501 1 INVITE", 3),
        ]
        assert [d.destination.host for d in bench.sent[-3:]] == [
            "198.51.100.1",
            "198.51.100.2",
            "198.51.100.1",
        ]
        assert [(p.dialog_key, p.status) for p in bench.find(Provisional)] == [
            ("a", 183),
            ("b", 183),
            ("a", 180),
        ]
        bench.respond(bench.invite, 200, tag="b", body=SDP, contact="<sip:b@198.51.100.2>")
        bench.call.acknowledge(bench.now)
        bench.respond(bench.invite, 200, tag="a", body=SDP, contact="<sip:a@198.51.100.1>")
        mine, extra, bye = bench.out("ACK", "ACK", "BYE")
        assert (mine.to.tag, extra.to.tag, bye.to.tag, bye.cseq.number) == ("b", "a", "a", 4)
        assert bye.header("reason") == 'SIP;cause=200;text="Call completed elsewhere"'
        assert len(bench.find(ForkAnswered)) == 1

    @pytest.mark.parametrize(("status", "why"), [(481, "481 Gone"), (503, "503 Gone"), (None, "timeout")])
    def test_a_prack_that_fails_does_not_end_the_call(
        self, bench: Bench, status: int | None, why: str
    ) -> None:
        bench.respond(bench.invite, 180, headers=reliable(1))
        (prack,) = bench.out("PRACK")
        if status is None:
            bench.wait(33.0)
            bench.phone.take_datagrams()
        else:
            bench.respond(prack, f"{status} Gone")
        assert [(f.method, f.reason, f.dialog_key) for f in bench.find(RequestFailed)] == [
            ("PRACK", why, "t1")
        ]
        bench.answer()
        assert bench.call.state.value == "Confirmed"

    def test_a_challenged_prack_is_signed(self) -> None:
        phone = make_endpoint()
        phone.place_call(invite(credentials=Credentials("u", "p")), 0.0)
        request = parse_message(phone.take_datagrams()[0].data)
        phone.receive(make_response(request, 180, headers=reliable(1)), LINE, 1.0)
        prack = parse_message(phone.take_datagrams()[0].data)
        challenge = 'Proxy-Authenticate: Digest realm="r", nonce="n"\r\n'
        phone.receive(make_response(prack, "407 Who", headers=challenge), LINE, 1.0)
        signed = parse_message(phone.take_datagrams()[0].data)
        assert (signed.cseq.method, signed.header("rack")) == ("PRACK", "1 1 INVITE")
        assert 'username="u"' in (signed.header("proxy-authorization") or "")

    def test_a_cancelled_call_still_acknowledges(self, bench: Bench) -> None:
        bench.call.cancel(bench.now)
        bench.respond(bench.invite, 183, headers=reliable(4))
        prack, cancel = bench.out("PRACK", "CANCEL")
        bench.respond(prack, 200)
        bench.respond(cancel, 200)
        bench.respond(bench.invite, 487)
        bench.out("ACK")
        assert [r.status for r in bench.find(Rejected)] == [487]
        bench.must_be_left_with_nothing()

    def test_a_199_ends_one_early_dialog_only(self, bench: Bench) -> None:
        bench.respond(bench.invite, 183, tag="a", body=SDP)
        bench.respond(bench.invite, 180, tag="b")
        bench.respond(bench.invite, 199, tag="a", headers='Reason: SIP;cause=486;text="Busy Here"\r\n')
        told = bench.find(Provisional)[-1]
        assert (told.status, told.dialog_key) == (199, "a")
        assert [(c.protocol, c.number, c.text) for c in told.causes] == [("SIP", 486, "Busy Here")]
        bench.request("UPDATE", tag="a")
        bench.request("UPDATE", cseq=901, tag="b")
        bench.out("481/UPDATE", "200/UPDATE")
        bench.respond(bench.invite, 200, tag="a", body=SDP)
        bench.call.acknowledge(bench.now)
        bench.out("ACK")

    def test_early_media_as_the_network_allows_it(self, bench: Bench) -> None:
        bench.respond(bench.invite, 180)
        bench.respond(bench.invite, 183, headers="P-Early-Media: sendonly,gated\r\n")
        assert [p.early_media for p in bench.find(Provisional)] == [None, "sendonly,gated"]


class TestOffersInProvisionals:
    """An INVITE without offer: the offer comes in the first reliable response (RFC 3262 section 5)."""

    def begin(self, **changes: object) -> Bench:
        bench = Bench.__new__(Bench)
        bench.phone, bench.now, bench.events, bench.sent = make_endpoint(), 50.0, [], []
        bench.call = bench.phone.place_call(invite(offer=None, **changes), bench.now)
        bench.invite = bench.out("INVITE")[0]
        return bench

    def test_nobody_to_answer_so_100rel_is_not_offered(self) -> None:
        bench = self.begin()
        assert "100rel" not in bench.invite.values("supported")
        bench.respond(bench.invite, 183, body=SDP, headers=reliable(1))
        prack, cancel = bench.out("PRACK", "CANCEL")
        assert prack.body == b""
        assert cancel.header("reason") == 'SIP;cause=488;text="The offered session cannot be taken"'

    def test_the_prack_answers(self) -> None:
        offers: list[bytes] = []

        def answerer(offer: bytes) -> bytes:
            offers.append(offer)
            return OFFER

        bench = self.begin(answerer=answerer)
        assert "100rel" in bench.invite.values("supported")
        bench.respond(bench.invite, 183, body=SDP, headers=reliable(1))
        (prack,) = bench.out("PRACK")
        assert (prack.sdp_body, offers) == (OFFER, [SDP])
        told = bench.find(SessionChanged)
        assert [(c.method, c.dialog_key, c.remote.raw, c.local.raw) for c in told] == [
            ("PRACK", "t1", SDP, OFFER)
        ]
        bench.respond(bench.invite, 183, body=SDP, headers=reliable(2))
        (again,) = bench.out("PRACK")
        assert again.body == b""


class TestCalled:
    def ring(
        self, caller: Caller, status: int = 183, body: bytes | None = OFFER
    ) -> tuple[IncomingCall, Response]:
        call = caller.call(headers="Supported: 100rel\r\n" + SDP_TYPE)
        call.progress(status, caller.now, body=body, reliable=True)
        return call, caller.out(f"{status}/INVITE")[0]

    def prack(self, caller: Caller, to: Message, rack: str = "", cseq: int = 2, body: bytes = b"") -> None:
        rseq = to.header("rseq")
        headers = f"RAck: {rack or f'{rseq} 1 INVITE'}\r\n"
        headers += SDP_TYPE if body else ""
        via = f"{VIA}prack{cseq}"
        caller.send("PRACK", cseq, to_tag=to.to.tag, via=via, headers=headers, body=body)

    def test_it_is_repeated_until_its_prack(self, caller: Caller) -> None:
        _, ringing = self.ring(caller)
        assert ringing.values("require") == ["100rel"]
        assert 1 <= int(ringing.header("rseq") or "0") < 2**31
        caller.wait(4.0)
        caller.out("183/INVITE+", "183/INVITE+", "183/INVITE+")
        self.prack(caller, ringing)
        caller.out("200/PRACK")
        caller.wait(20.0)
        caller.out()
        self.prack(caller, ringing, cseq=3)
        caller.out("481/PRACK")

    def test_without_prack_the_call_ends_with_504(self, caller: Caller) -> None:
        self.ring(caller, 180, None)
        caller.wait(31.0)
        # T1 doubles without the limit T2: after 0.5, 1.5, 3.5, 7.5, 15.5 and 31.5 s (section 3).
        caller.out(*["180/INVITE+"] * 5)
        caller.wait(1.5)
        assert caller.line.take_datagrams()[-1].status == 504
        assert caller.ended() == [("network", "no PRACK")]
        caller.must_be_left_with_nothing()

    def test_one_after_the_other(self, caller: Caller) -> None:
        call, first = self.ring(caller)
        call.progress(180, caller.now, reliable=True)
        call.progress(182, caller.now)
        caller.out("182/INVITE")
        self.prack(caller, first)
        _, second = caller.out("200/PRACK", "180/INVITE")
        assert int(second.header("rseq") or "0") == int(first.header("rseq") or "0") + 1
        self.prack(caller, second, cseq=3)
        caller.out("200/PRACK")

    @pytest.mark.parametrize(
        "rack", ["1 1 INVITE", "{rseq} 2 INVITE", "{rseq} 1 BYE", "x", "{rseq} 1", "-1 1 INVITE"]
    )
    def test_a_prack_for_something_else_is_481(self, caller: Caller, rack: str) -> None:
        _, ringing = self.ring(caller)
        self.prack(caller, ringing, rack.format(rseq=ringing.header("rseq")))
        caller.out("481/PRACK")
        caller.wait(0.6)
        caller.out("183/INVITE+")

    def test_the_200_waits_for_the_prack_of_the_answer(self, caller: Caller) -> None:
        call, ringing = self.ring(caller)
        call.answer(caller.now, OFFER)
        caller.out()
        with pytest.raises(LocalProtocolError):
            call.progress(180, caller.now)
        self.prack(caller, ringing)
        _, answer = caller.out("200/PRACK", "200/INVITE")
        assert answer.sdp_body == OFFER
        caller.send("ACK", to_tag=answer.to.tag, via=VIA + "ack")
        caller.wait(10.0)
        caller.out()

    def test_the_200_does_not_wait_for_one_without_description(self, caller: Caller) -> None:
        call, ringing = self.ring(caller, 180, None)
        call.answer(caller.now, OFFER)
        caller.out("200/INVITE")
        self.prack(caller, ringing)
        caller.out("200/PRACK")
        caller.send("ACK", to_tag=ringing.to.tag, via=VIA + "ack")
        caller.wait(10.0)
        caller.out()

    @pytest.mark.parametrize(
        ("end", "status", "by"),
        [("CANCEL", 487, "them"), ("hang_up", 480, "us"), ("timeout", 504, "network")],
    )
    def test_the_end_of_a_call_whose_200_waits(self, caller: Caller, end: str, status: int, by: str) -> None:
        call, _ = self.ring(caller)
        call.answer(caller.now, OFFER)
        if end == "CANCEL":
            caller.send("CANCEL", headers='Reason: SIP;cause=480;text="no answer"\r\n')
        elif end == "hang_up":
            call.hang_up(caller.now)
        else:
            caller.wait(32.5)
        assert status in [d.status for d in caller.line.take_datagrams()]
        assert [e[0] for e in caller.ended()] == [by]
        causes = find(caller.events, Ended)[0].causes
        assert [c.number for c in causes] == ([480] if end == "CANCEL" else [])
        caller.must_be_left_with_nothing()

    def test_only_for_callers_that_know_it_and_always_for_those_that_require_it(self, caller: Caller) -> None:
        call = caller.call()
        assert not call.takes_reliable
        with pytest.raises(LocalProtocolError):
            call.progress(180, caller.now, reliable=True)
        call.progress(180, caller.now)
        caller.out("180/INVITE")
        strict = Caller()
        demanded = strict.call(headers="Require: 100rel\r\n")
        demanded.progress(100, strict.now)
        demanded.progress(180, strict.now)
        _, ringing = strict.out("100/INVITE", "180/INVITE")
        assert ringing.header("rseq")

    def test_what_still_waits_at_the_end_is_not_sent(self, caller: Caller) -> None:
        call, ringing = self.ring(caller, 180, None)
        call.progress(182, caller.now, reliable=True)
        call.reject(486, caller.now)
        caller.out("486/INVITE")
        caller.send("ACK", to_tag=call.local_tag)
        self.prack(caller, ringing)
        caller.out("481/PRACK")
        caller.must_be_left_with_nothing()

    def test_our_offer_is_answered_in_the_prack(self, caller: Caller) -> None:
        caller.send("INVITE", headers="Supported: 100rel\r\n")
        caller.out("100/INVITE")
        call = find(caller.events, IncomingInvite)[0].call
        call.progress(183, caller.now, body=SDP, reliable=True)
        (ringing,) = caller.out("183/INVITE")
        self.prack(caller, ringing, body=OFFER)
        caller.out("200/PRACK")
        assert [(c.method, c.remote.raw) for c in find(caller.events, SessionChanged)] == [("PRACK", OFFER)]

    def test_an_offer_in_the_prack_is_answered(self, caller: Caller) -> None:
        _, ringing = self.ring(caller, body=SDP)
        self.prack(caller, ringing, body=OFFER.replace(b"sendrecv", b"sendonly"))
        (reply,) = caller.out("200/PRACK")
        assert b"a=recvonly" in (reply.sdp_body or b"")
        self.prack(caller, ringing, cseq=3)
        caller.out("481/PRACK")

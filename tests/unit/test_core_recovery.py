"""What a killed process left behind."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sip.core import Address, Ended, Endpoint, LocalProtocolError, Message, Request, parse_message
from tests.unit.test_core_network import LINE, PHONE, find, invite, make_endpoint
from tests.unit.test_core_outgoing import SDP, Bench, make_response

NEXT = Address(PHONE.host, 5099)


class Heir:
    """A new process that finds a snapshot."""

    def __init__(self, snapshot: dict[str, Any], local: Address = NEXT) -> None:
        self.phone: Endpoint = make_endpoint(local)
        self.now = 500.0
        self.call_id = self.phone.recover(json.loads(json.dumps(snapshot)), self.now)

    def out(self, *expected: str) -> list[Request]:
        taken = self.phone.take_datagrams()
        assert [d.method + ("+" if d.retransmission else "") for d in taken] == list(expected)
        assert {d.call_id for d in taken} <= {self.call_id}
        return [message for d in taken if isinstance(message := parse_message(d.data), Request)]

    def receive(self, request: Message, status: int, tag: str = "t1", body: bytes = b"") -> None:
        self.phone.receive(make_response(request, status, tag, body), LINE, self.now)

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while (due := self.phone.deadline()) is not None and due <= end:
            self.now = max(due, self.now)
            self.phone.advance(self.now)
        self.now = end

    def ended(self) -> list[str]:
        return [e.by for e in find(self.phone.take_events(), Ended)]

    def must_be_left_with_nothing(self) -> None:
        self.wait(100.0)
        assert self.phone.idle


def test_an_answered_call_is_hung_up() -> None:
    dead = Bench()
    dead.answer()
    heir = Heir(dead.call.snapshot())
    (bye,) = heir.out("BYE")
    assert (bye.from_.tag, bye.to.tag, bye.call_id) == (dead.call.local_tag, "t1", dead.call.call_id)
    assert bye.cseq.number > 2
    assert bye.uri == f"sip:62@{LINE}"
    assert heir.ended() == []
    heir.receive(bye, 200)
    assert heir.ended() == ["us"]
    heir.must_be_left_with_nothing()


def test_an_answer_whose_ack_never_left_is_acknowledged_first() -> None:
    dead = Bench()
    dead.respond(dead.invite, 200, body=SDP)
    heir = Heir(dead.call.snapshot())
    ack, _ = heir.out("ACK", "BYE")
    assert ack.cseq.number == 1
    heir.receive(dead.invite, 200, body=SDP)
    heir.out("ACK+")
    heir.must_be_left_with_nothing()


def test_a_ringing_call_is_cancelled_with_its_own_branch() -> None:
    dead = Bench()
    dead.respond(dead.invite, 180, tag="a")
    dead.respond(dead.invite, 183, tag="b", body=SDP)
    heir = Heir(dead.call.snapshot())
    bye_a, bye_b, cancel = heir.out("BYE", "BYE", "CANCEL")
    assert {bye_a.to.tag, bye_b.to.tag} == {"a", "b"}
    assert cancel.headers("via") == dead.invite.headers("via")
    assert (cancel.uri, cancel.cseq.number, cancel.from_.tag) == (f"sip:62@{LINE}", 1, dead.call.local_tag)
    heir.receive(cancel, 200)
    heir.receive(dead.invite, 487, tag="a")
    (ack,) = heir.out("ACK")
    assert ack.via.branch == dead.invite.via.branch
    for bye in (bye_a, bye_b):
        assert heir.ended() == []
        heir.receive(bye, 481)
    assert heir.ended() == ["us"]
    heir.must_be_left_with_nothing()


def test_an_answer_that_comes_after_the_crash_is_acknowledged_and_hung_up() -> None:
    dead = Bench()
    heir = Heir(dead.call.snapshot())
    heir.out("CANCEL")
    heir.receive(dead.invite, 200, tag="late", body=SDP)
    ack, bye = heir.out("ACK", "BYE")
    assert (ack.to.tag, bye.to.tag) == ("late", "late")
    heir.receive(dead.invite, 200, tag="late", body=SDP)
    heir.out("ACK+")
    heir.receive(bye, 200)
    assert heir.ended() == ["us"]
    heir.receive(dead.invite, 200, tag="later", body=SDP)
    heir.out("ACK", "BYE")
    heir.must_be_left_with_nothing()


def test_an_early_fork_of_an_answered_call_needs_nothing() -> None:
    dead = Bench()
    dead.respond(dead.invite, 180, tag="early")
    dead.answer()
    heir = Heir(dead.call.snapshot())
    (bye,) = heir.out("BYE")
    assert bye.to.tag == "t1"


def test_the_far_side_hangs_up_what_is_being_recovered() -> None:
    dead = Bench()
    dead.answer()
    heir = Heir(dead.call.snapshot())
    heir.out("BYE")
    dead.phone = heir.phone
    dead.request("BYE")
    assert [d.status for d in heir.phone.take_datagrams()] == [200]
    heir.wait(33.0)
    assert [e.by for e in find([*dead.events, *heir.phone.take_events()], Ended)] == ["us"]


def test_nobody_there_any_more() -> None:
    dead = Bench()
    dead.respond(dead.invite, 180)
    heir = Heir(dead.call.snapshot())
    heir.wait(33.0)
    assert heir.ended() == ["us"]
    heir.must_be_left_with_nothing()


def test_an_invite_that_never_left() -> None:
    heir = Heir(Bench().call.snapshot())
    (cancel,) = heir.out("CANCEL")
    heir.receive(cancel, 481)
    assert heir.ended() == ["us"]
    heir.must_be_left_with_nothing()


def test_a_call_that_had_ended_is_left_alone() -> None:
    dead = Bench()
    dead.respond(dead.invite, 180)
    dead.respond(dead.invite, 486)
    heir = Heir(dead.call.snapshot())
    heir.out()
    assert heir.ended() == ["us"]
    heir.must_be_left_with_nothing()


@pytest.mark.parametrize(
    "snapshot",
    [{}, {"call_id": "x"}, [], None, {"destination": 5}, "text"],
)
def test_what_is_not_a_snapshot(snapshot: Any) -> None:
    with pytest.raises(LocalProtocolError):
        make_endpoint().recover(snapshot, 0.0)


def test_a_living_call_is_not_recovered() -> None:
    bench = Bench()
    with pytest.raises(LocalProtocolError):
        bench.phone.recover(bench.call.snapshot(), bench.now)


def test_an_early_dialog_whose_prack_was_on_its_way() -> None:
    dead = Bench()
    dead.respond(dead.invite, 183, tag="a", body=SDP)
    snapshot = dead.call.snapshot()
    # What the ledger holds is older than the PRACKs that follow.
    for number in (1, 2, 3):
        dead.respond(dead.invite, 180, tag="a", headers=f"Require: 100rel\r\nRSeq: {number}\r\n")
    pracks = dead.out("PRACK", "PRACK", "PRACK")
    heir = Heir(snapshot)
    bye, cancel = heir.out("BYE", "CANCEL")
    assert bye.cseq.number > pracks[-1].cseq.number
    heir.receive(pracks[-1], 200)
    heir.receive(dead.invite, 180, tag="a")
    heir.out()
    heir.receive(bye, 200)
    heir.receive(cancel, 200)
    heir.receive(dead.invite, 487, tag="a")
    heir.out("ACK")
    assert heir.ended() == ["us"]
    heir.must_be_left_with_nothing()


def test_a_reliable_response_to_a_dead_call_is_left_to_its_cancel() -> None:
    dead = Bench()
    heir = Heir(dead.call.snapshot())
    (cancel,) = heir.out("CANCEL")
    data = make_response(dead.invite, 183, "b", SDP, "Require: 100rel\r\nRSeq: 9\r\n")
    heir.phone.receive(data, LINE, heir.now)
    heir.out()
    heir.receive(cancel, 200)
    heir.receive(dead.invite, 487)
    assert heir.ended() == ["us"]


def test_a_call_over_a_connection_is_ended_over_one() -> None:
    ours, theirs = PHONE._replace(transport="tcp"), LINE._replace(transport="tcp")
    phone = make_endpoint(ours)
    call = phone.place_call(invite(destination=theirs), 0.0)
    request = parse_message(phone.take_datagrams()[0].data)
    contact = f"<sip:62@{LINE};transport=tcp>"
    headers = "Require: 100rel\r\nRSeq: 1\r\n"
    phone.receive(make_response(request, 183, "t1", SDP, headers, contact), theirs, 1.0)
    assert [(d.method, d.destination) for d in phone.take_datagrams()] == [("PRACK", theirs)]
    heir = Heir(call.snapshot(), Address(PHONE.host, 5099, "tcp"))
    taken = heir.phone.take_datagrams()
    assert [(d.method, d.destination) for d in taken] == [("BYE", theirs), ("CANCEL", theirs)]
    assert all(b"Via: SIP/2.0/TCP" in d.data for d in taken)
    heir.wait(30.0)
    # Nothing is repeated on a connection.
    heir.out()
    heir.wait(3.0)
    assert heir.ended() == ["us"]
    heir.must_be_left_with_nothing()

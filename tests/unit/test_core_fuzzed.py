"""What fuzzing found in the core, each as the shortest story that shows it."""

from __future__ import annotations

import pytest

from sip.core import (
    Address,
    Ended,
    ForkAnswered,
    IncomingInvite,
    Malformed,
    Request,
    Response,
    Stray,
    parse_message,
    uri_address,
)
from sip.core.compose import respond
from tests.unit.test_core_incoming import Caller
from tests.unit.test_core_network import LINE, OFFER, find, invite, make_endpoint
from tests.unit.test_core_outgoing import SDP, Bench


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def caller() -> Caller:
    return Caller()


@pytest.mark.parametrize("how", ["cancel", "hang_up"])
def test_a_call_that_was_only_prepared_ends_and_is_forgotten(how: str) -> None:
    phone = make_endpoint()
    call = phone.prepare_call(invite())
    getattr(call, how)(1.0)
    call.hush()
    assert len(find(phone.take_events(), Ended)) == 1
    phone.advance(100.0)
    assert phone.idle
    assert phone.take_datagrams() == []


@pytest.mark.parametrize(
    "headers",
    [
        "Record-Route: <sip:p\rx@192.0.2.2;lr>\r\n",
        "Contact: <sip:p\rx@192.0.2.2>\r\n",
        "From: <sip:a\rb@h>;tag=\ra\r\n",
    ],
)
def test_a_lone_return_in_a_value_does_not_keep_a_call_from_ending(caller: Caller, headers: str) -> None:
    data = (
        f"INVITE sip:62@{LINE} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n{headers}"
        f"{'' if 'From' in headers else 'From: <sip:a@h>;tag=a' + chr(13) + chr(10)}"
        f"To: <sip:62@{LINE}>\r\nCall-ID: x\ry\r\nCSeq: 1 INVITE\r\nContent-Length: {len(OFFER)}\r\n"
        "Content-Type: application/sdp\r\n\r\n"
    ).encode() + OFFER
    caller.receive(data)
    (event,) = find(caller.events, IncomingInvite)
    event.call.answer(caller.now, OFFER)
    sent = caller.line.take_datagrams()
    assert all(b"\r" not in datagram.data.replace(b"\r\n", b"") for datagram in sent)
    event.call.hang_up(caller.now)
    caller.wait(100.0)
    assert [datagram.method for datagram in caller.line.take_datagrams() if datagram.is_request][:1] == [
        "BYE"
    ]
    assert event.call.over
    assert find(caller.events, Malformed) == []


@pytest.mark.parametrize("branch", [b"z9hG4bK\xb0\xa1", b"z9hG4bK\xe5\x80\xa0", b"z9hG4bK\xff\xa0"])
def test_the_branch_comes_back_byte_for_byte(branch: bytes) -> None:
    data = b"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.7;rport;branch=" + branch
    data += b"\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n\r\n"
    request = parse_message(data)
    assert isinstance(request, Request)
    assert b";branch=" + branch + b";" in respond(request, Address("192.0.2.2", 5062), 200)


def test_a_field_name_is_found_again_whatever_its_letters() -> None:
    message = parse_message(
        b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=1\r\nFrom: <sip:a@b>\r\nTo: <sip:c@d>\r\nCall-ID: x\r\n"
        b"CSeq: 1 BYE\r\nX-\xc4\xd6: value\r\n\r\n"
    )
    assert [message.header(name) for name in message.field_names][-1] == "value"


def test_an_invite_under_the_name_of_a_call_of_ours_is_a_loop(bench: Bench) -> None:
    """Whoever follows the call by its Call-ID would be told of a stranger's instead."""
    bench.answer()
    bench.phone.take_datagrams()
    bench.receive(
        f"INVITE sip:x@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP {LINE};branch=z9hG4bKforged\r\n"
        f"From: <sip:62@{LINE}>;tag=forged\r\nTo: <sip:x@192.0.2.1>\r\nCall-ID: {bench.call.call_id}\r\n"
        "CSeq: 1 INVITE\r\n\r\n".encode()
    )
    (answer,) = (parse_message(datagram.data) for datagram in bench.phone.take_datagrams())
    assert isinstance(answer, Response)
    assert answer.status == 482
    assert find(bench.events, IncomingInvite) == []
    assert len(find(bench.events, Stray)) == 1
    assert not bench.call.over


def test_a_second_invite_under_the_name_of_a_call_of_theirs_is_refused_while_it_lasts(caller: Caller) -> None:
    call = caller.call()
    caller.line.take_datagrams()
    second = "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKsecond;rport"
    caller.send("INVITE", 2, via=second, body=OFFER)
    caller.out("482/INVITE")
    call.reject(401, caller.now)
    caller.line.take_datagrams()
    caller.send("INVITE", 3, via=second.replace("second", "third"), body=OFFER)
    assert len(find(caller.events, IncomingInvite)) == 2


def test_a_telephone_that_did_not_get_the_call_cannot_end_it(bench: Bench) -> None:
    """Of two that answered, the second is hung up; its own BYE may cross ours, and is about itself alone."""
    bench.answer()
    bench.respond(bench.invite, 200, tag="other", body=SDP)
    assert len(find(bench.events, ForkAnswered)) == 1
    bench.request("BYE", tag="other")
    assert not bench.call.over
    bench.request("BYE", 901)
    assert [event.by for event in find(bench.events, Ended)] == ["them"]


@pytest.mark.parametrize("host", ["dead:beef", "::::", "1:2:3:4:5:6:7:8:9", "fe80::1%eth0", "::"])
def test_what_only_looks_like_an_address_is_none(host: str) -> None:
    """A socket would ask the name servers for it, and all calls would wait."""
    assert uri_address(f"sip:62@[{host}]:5060") is None
    assert uri_address("sip:62@[2001:db8::1]:5070") == Address("2001:db8::1", 5070)

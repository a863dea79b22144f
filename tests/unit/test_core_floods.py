"""What is kept of requests that belong to no call, and of far ends that do not stop: bounded, whatever comes."""

from __future__ import annotations

import pytest

from sip.call_log import MOST_MESSAGES, MOST_REPEATS, CallLog
from sip.core import (
    Address,
    Answered,
    Datagram,
    Endpoint,
    Fault,
    ForkAnswered,
    IncomingInvite,
    MessageReceived,
    Request,
    Stray,
    parse_message,
)
from sip.core.description import audio_choices, parse_sdp
from sip.core.endpoint import MOST_SERVED
from sip.core.multipart import read_parts
from sip.core.outgoing import MOST_DIALOGS
from sip.core.transactions import MOST_SEEN
from tests.attacks import weapons

from .test_core_network import LINE, PHONE, find, invite, make_endpoint

FAR = (LINE.host, LINE.port)
US = (PHONE.host, PHONE.port)


def knocking(fault: Fault | None) -> tuple[Endpoint, list[Address]]:
    knocked: list[Address] = []

    def knock(request: Request, source: Address, at: float) -> Fault | None:
        knocked.append(source)
        return fault

    return make_endpoint(PHONE, knock=knock), knocked


def test_an_invite_that_is_not_let_in_leaves_nothing_behind() -> None:
    phone, knocked = knocking(Fault(503, "Not now", (("Retry-After", "10"),)))
    asked = weapons.invite(US, FAR)
    phone.receive(asked, LINE, 1.0)
    phone.receive(asked, LINE, 1.5)
    first, again = phone.take_datagrams()
    assert first.data == again.data
    assert first.data.startswith(b"SIP/2.0 503 Not now\r\n")
    assert b"\r\nRetry-After: 10\r\n" in first.data
    assert (first.destination, first.status, first.retransmission) == (LINE, 503, False)
    assert knocked == [LINE, LINE]
    assert phone.idle
    assert {type(event) for event in phone.take_events()} == {Stray}


def test_an_invite_that_is_let_in_becomes_a_call_and_is_asked_for_once() -> None:
    phone, knocked = knocking(None)
    asked = weapons.invite(US, FAR)
    phone.receive(asked, LINE, 1.0)
    phone.receive(asked, LINE, 1.5)
    assert len(find(phone.take_events(), IncomingInvite)) == 1
    assert knocked == [LINE]


def test_nothing_but_an_invite_knocks() -> None:
    phone, knocked = knocking(Fault(503, ""))
    phone.receive(weapons.request("OPTIONS", US, FAR), LINE, 1.0)
    phone.receive(weapons.request("BYE", US, FAR, to_tag="x"), LINE, 1.0)
    assert [datagram.status for datagram in phone.take_datagrams()] == [200, 481]
    assert knocked == []


def test_two_requests_get_different_tags_and_nobody_can_tell_them_before() -> None:
    asked = weapons.invite(US, FAR), weapons.invite(US, FAR)
    tags = []
    for phone in (make_endpoint(PHONE), make_endpoint(PHONE)):
        for data in asked:
            phone.receive(data.replace(b"INVITE", b"MESSAGE"), LINE, 1.0)
        tags += [parse_message(datagram.data).to.tag for datagram in phone.take_datagrams()]
    assert len(set(tags)) == 4


def answered() -> tuple[Endpoint, bytes, list[Datagram]]:
    """A call of ours that has been answered and acknowledged."""
    phone = make_endpoint(PHONE)
    call = phone.place_call(invite(), 1.0)
    (sent,) = phone.take_datagrams()
    body = weapons.SDP.format(host=LINE.host, port=9)
    ok = weapons.response(sent.data, 200, headers=("Content-Type: application/sdp",), body=body)
    phone.receive(ok, LINE, 1.1)
    call.acknowledge(1.1)
    phone.take_datagrams()
    phone.take_events()
    return phone, sent.data, []


def within(method: str, first: bytes, number: int) -> bytes:
    tag = weapons.header(first, "From").partition("tag=")[2]
    call_id = weapons.header(first, "Call-ID")
    return weapons.request(method, US, FAR, call_id=call_id, from_tag="far", to_tag=tag, cseq=number)


def test_a_storm_within_a_call_is_served_up_to_a_number_and_its_bye_is_taken() -> None:
    phone, first, _ = answered()
    for number in range(300):
        phone.receive(within("INFO", first, number + 1), LINE, 2.0)
    statuses = [datagram.status for datagram in phone.take_datagrams()]
    assert statuses == [200] * MOST_SERVED + [500] * (300 - MOST_SERVED)
    assert len(phone.wire.servers) == MOST_SERVED
    phone.receive(within("BYE", first, 400), LINE, 3.0)
    (bye,) = phone.take_datagrams()
    assert (bye.method, bye.status) == ("BYE", 200)
    for _ in range(5):
        phone.receive(within("BYE", first, 401), LINE, 3.1)
    assert [datagram.status for datagram in phone.take_datagrams()] == [481] * 5
    phone.advance(60.0)
    assert phone.idle


def test_requests_are_served_again_once_the_first_ones_are_forgotten() -> None:
    phone, first, _ = answered()
    for number in range(MOST_SERVED + 1):
        phone.receive(within("INFO", first, number + 1), LINE, 2.0)
    phone.advance(40.0)
    phone.take_datagrams()
    phone.receive(within("INFO", first, 500), LINE, 41.0)
    assert [datagram.status for datagram in phone.take_datagrams()] == [200]


def test_far_ends_beyond_number_are_no_telephones() -> None:
    phone = make_endpoint(PHONE)
    phone.place_call(invite(), 1.0)
    (sent,) = phone.take_datagrams()
    for number in range(200):
        phone.receive(weapons.response(sent.data, 180, tag=f"early{number}"), LINE, 1.1)
    assert len(phone.dialogs) == MOST_DIALOGS
    # The answer is taken, whoever it comes from; of the others those that ring, or would have been followed.
    for number in range(200):
        phone.receive(weapons.response(sent.data, 200, tag=f"answer{number}"), LINE, 1.2)
    phone.receive(weapons.response(sent.data, 200, tag="early7"), LINE, 1.3)
    events = phone.take_events()
    assert [event.dialog_key for event in find(events, Answered)] == ["answer0"]
    assert [event.dialog_key for event in find(events, ForkAnswered)] == ["early7"]
    assert len(phone.dialogs) == MOST_DIALOGS + 1


def test_different_responses_without_end_are_told_apart_up_to_a_number() -> None:
    phone = make_endpoint(PHONE)
    phone.place_call(invite(), 1.0)
    (sent,) = phone.take_datagrams()
    for number in range(2 * MOST_SEEN):
        phone.receive(weapons.response(sent.data, 183, headers=(f"Subject: {number}",)), LINE, 1.1)
    received = find(phone.take_events(), MessageReceived)
    assert sum(not event.retransmission for event in received) == MOST_SEEN
    (transaction,) = phone.wire.clients.values()
    assert len(transaction._seen) == MOST_SEEN
    phone.receive(weapons.response(sent.data, 200), LINE, 2.0)
    assert len(find(phone.take_events(), Answered)) == 1


def test_the_time_line_of_a_call_is_bounded_and_has_room_for_what_matters() -> None:
    log = CallLog(t0=0.0)
    again = Datagram(b"", LINE, "c", "ACK", retransmission=True)
    for _ in range(3 * MOST_REPEATS):
        log.sent(again, 1.0)
    assert len(log.timeline) == MOST_REPEATS
    log.sent(Datagram(b"", LINE, "c", "BYE"), 2.0)
    assert log.timeline[-1].fields["method"] == "BYE"
    for _ in range(2 * MOST_MESSAGES):
        log.sent(Datagram(b"", LINE, "c", "INFO", 200), 3.0)
    assert len(log.timeline) == MOST_MESSAGES
    assert log.left_out == 2 * MOST_REPEATS + 2 * MOST_MESSAGES - (MOST_MESSAGES - MOST_REPEATS - 1)
    log.note(4.0, "answered")
    assert log.timeline[-1].event == "answered"


@pytest.mark.parametrize(
    ("line", "boundary"),
    [
        ("--a", "a"),
        ("--a b", "a b"),
        ("--a  \t", "a"),
        ("--" + "x" * 70, "x" * 70),
        ("--=_Part.1", "=_Part.1"),
    ],
)
def test_a_boundary_that_nobody_named_is_still_found(line: str, boundary: str) -> None:
    body = f"{line}\r\nContent-Type: text/plain\r\n\r\nhello\r\n--{boundary}--\r\n".encode()
    headers = {"content-type": "multipart/mixed"}
    (part,) = read_parts(body, headers.get, lambda note: None)
    assert part.body == b"hello"


def test_thousands_of_media_lines_are_not_all_weighed_against_each_other() -> None:
    """One such description of 60 kB kept the phone busy for a minute; now it is read four times at most."""
    body = b"v=0\r\nc=IN IP4 192.0.2.9\r\n" + b"m=audio 9 RTP/SAVP 8\r\n" * 2_800
    description = parse_sdp(body)
    assert description.media_count < 800
    assert len(audio_choices(description)) <= 4
    assert "longer than" in description.notes[0]
    few = b"v=0\r\nc=IN IP4 192.0.2.9\r\n" + b"m=audio 9 RTP/SAVP 8\r\n" * 2 + b"m=audio 9 RTP/AVP 8\r\n"
    assert [choice.profile for choice in audio_choices(parse_sdp(few))] == ["RTP/SAVP", "RTP/SAVP", "RTP/AVP"]

"""Messages as they come from real gateways."""

from __future__ import annotations

import pytest

from sip.core import ProtocolError, RemoteProtocolError, Request, Response, SipError, parse_message

RINGING = b"""SIP/2.0 180 Ringing
Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;rport
From: <sip:a@192.0.2.1>;tag=f1
To: <sip:62@192.0.2.2>;tag=t1
Call-ID: c1@192.0.2.1
CSeq: 1 INVITE
Content-Length: 0

""".replace(b"\n", b"\r\n")
SDP = b"v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n"


def response(data: bytes) -> Response:
    message = parse_message(data)
    assert isinstance(message, Response)
    return message


def changed(old: bytes, new: bytes) -> Response:
    assert old in RINGING
    return response(RINGING.replace(old, new))


def test_a_plain_response() -> None:
    message = response(RINGING)
    assert (message.status, message.reason) == (180, "Ringing")
    assert (message.via.host, message.via.port, message.via.branch) == ("192.0.2.1", 5060, "z9hG4bK1")
    assert message.via.parameters["rport"] == ""
    assert (message.from_.tag, message.to.tag, message.call_id) == ("f1", "t1", "c1@192.0.2.1")
    assert (message.cseq.number, message.cseq.method) == (1, "INVITE")
    assert message.raw == RINGING
    assert message.notes == []


def test_a_plain_request() -> None:
    message = parse_message(RINGING.replace(b"SIP/2.0 180 Ringing", b"INVITE sip:6%32@h;a=b SIP/2.0"))
    assert isinstance(message, Request)
    assert (message.method, message.uri) == ("INVITE", "sip:6%32@h;a=b")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"180 Ringing", b"180", ""),
        (b"180 Ringing", b"180 ", ""),
        (b"180 Ringing", "180 振铃".encode(), "振铃"),
        (b"180 Ringing", "180 振铃".encode("gbk"), "振铃"),
        (b"SIP/2.0 180 Ringing", b"\r\n\r\nSIP/2.0 180 Ringing", "Ringing"),
        (b"SIP/2.0", b"sip/2.0", "Ringing"),
        (b"\r\n", b"\n", "Ringing"),
        (b"Via:", b"v :", "Ringing"),
        (b"Call-ID: ", b"i:", "Ringing"),
        (b"CSeq: 1 INVITE", b"cseq:   0001    INVITE", "Ringing"),
        (b"tag=f1\r\n", b"\r\n ;tag=f1\r\n", "Ringing"),
        (b"Content-Length: 0\r\n", b"", "Ringing"),
        (b"Content-Length: 0", b"l:0", "Ringing"),
    ],
)
def test_bent_but_readable(old: bytes, new: bytes, reason: str) -> None:
    message = changed(old, new)
    assert message.status == 180
    assert message.reason == reason
    assert (message.from_.uri, message.from_.tag) == ("sip:a@192.0.2.1", "f1")
    assert message.call_id == "c1@192.0.2.1"
    assert message.cseq.number == 1


@pytest.mark.parametrize(
    ("value", "name", "uri", "tag"),
    [
        ("值班室 <sip:62@h>;tag=t".encode(), "值班室", "sip:62@h", "t"),
        ("值班室 <sip:62@h>;tag=t".encode("gb18030"), "值班室", "sip:62@h", "t"),
        (b"\xff\xfe <sip:62@h>;tag=t", "\xff\xfe", "sip:62@h", "t"),
        (b'"A \\"B\\" <x>;tag=no" <sip:62@h;tag=inner>;tag=t', 'A "B" <x>;tag=no', "sip:62@h;tag=inner", "t"),
        (b"sip:62@h;tag=t", "", "sip:62@h", "t"),
        (b"<sip:62@h;transport=UDP> ; TAG = t", "", "sip:62@h;transport=UDP", "t"),
        (b'"open <sip:62@h>;tag=t', '"open', "sip:62@h", "t"),
        (b"<sip:62@h>;tag=a%20b!x", "", "sip:62@h", "a%20b!x"),
        (b"<sip:62@h>", "", "sip:62@h", ""),
    ],
)
def test_names_of_the_far_side(value: bytes, name: str, uri: str, tag: str) -> None:
    message = changed(b"<sip:62@192.0.2.2>;tag=t1", value)
    assert (message.to.name, message.to.uri, message.to.tag) == (name, uri, tag)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (b"Record-Route: <sip:p1;lr>, <sip:p2;lr>", ["sip:p1;lr", "sip:p2;lr"]),
        (b"Record-Route: <sip:p1;lr>\r\nRecord-Route: <sip:p2;x=a,b;lr>", ["sip:p1;lr", "sip:p2;x=a,b;lr"]),
        (b'Record-Route: "a, b" <sip:p1;lr>,<sip:p2>,', ["sip:p1;lr", "sip:p2"]),
        (b"record-route:", []),
        (b'Record-Route: "a \\", <sip:no>" <sip:p1;lr>, <sip:p2;lr>', ["sip:p1;lr", "sip:p2;lr"]),
    ],
)
def test_several_values(header: bytes, expected: list[str]) -> None:
    message = changed(b"Content-Length: 0", header)
    assert [address.uri for address in message.addresses("Record-Route")] == expected


def test_several_vias_in_one_field() -> None:
    message = changed(b"Via: ", b"Via: SIP/2.0/UDP [2001:db8::1]:5070;branch=top , ")
    assert (message.via.host, message.via.port, message.via.branch) == ("2001:db8::1", 5070, "top")


@pytest.mark.parametrize(
    ("length", "body", "notes"),
    [
        (b"Content-Length: %d" % len(SDP), SDP, 0),
        (b"Content-Length:%d" % len(SDP), SDP, 0),
        (b"X: y", SDP, 0),
        (b"Content-Length: 10", SDP[:10], 0),
        (b"Content-Length: 5000", SDP, 1),
        (b"Content-Length: -1", SDP, 1),
        (b"Content-Length: 99999999999999999999", SDP, 1),
    ],
)
def test_content_length(length: bytes, body: bytes, notes: int) -> None:
    message = response(RINGING.replace(b"Content-Length: 0", length) + SDP)
    assert message.body == body
    assert len(message.notes) == notes


def test_a_broken_header_is_absent_and_noted() -> None:
    message = changed(b"Content-Length: 0", b"Contact: <>\r\nno colon here\r\n: no name\r\n folded")
    assert message.contacts == ()
    assert len(message.notes) == 3
    assert message.header("Expires") is None


def test_the_session_description_is_found() -> None:
    kind = b"Content-Type: application/SDP;x=y\r\nX: y"
    assert response(RINGING.replace(b"Content-Length: 0", kind) + SDP).sdp_body == SDP
    assert response(RINGING.replace(b"Content-Length: 0", b"X: y") + SDP).sdp_body == SDP
    assert response(RINGING.replace(b"Content-Length: 0", b"c: text/plain") + SDP).sdp_body is None
    assert response(RINGING).sdp_body is None


def test_the_session_description_in_a_multipart_body() -> None:
    kind = b'Content-Type: multipart/mixed; boundary="b 1"'
    body = b"--b 1\r\nContent-Type: application/isup\r\n\r\n\x00\x01\r\n--b 1\r\nContent-Type: application/sdp\r\n\r\n"
    message = response(RINGING.replace(b"Content-Length: 0", kind) + body + SDP + b"--b 1--\r\n")
    assert message.sdp_body == SDP
    without = response(RINGING.replace(b"Content-Length: 0", b"c: multipart/mixed") + body + SDP)
    assert without.sdp_body == SDP
    assert without.notes == ["a multipart body names no boundary", "a multipart body is not closed"]


@pytest.mark.parametrize(
    "data",
    [
        b"hello",
        b"\x00\x01\x00\x00!\x12\xa4B",
        RINGING.replace(b"Via", b"Xia"),
        RINGING.replace(b"SIP/2.0/UDP 192.0.2.1:5060", b"SIP/2.0"),
        RINGING.replace(b"From", b"Form"),
        RINGING.replace(b"<sip:62@192.0.2.2>;tag=t1", b""),
        RINGING.replace(b"c1@192.0.2.1", b""),
        RINGING.replace(b"1 INVITE", b"INVITE"),
        RINGING.replace(b"1 INVITE", b"99999999999 INVITE"),
        RINGING.replace(b"1 INVITE", b"-1 INVITE"),
        RINGING.replace(b"180", b"18x"),
        RINGING.replace(b"180", b"999"),
        RINGING.replace(b"SIP/2.0 180", b"SIP/3.0 180"),
        RINGING.replace(b"SIP/2.0 180 Ringing", b"BYE sip:a@b SIP/2.0"),
        RINGING.replace(b"SIP/2.0 180 Ringing", b"IN(VITE sip:a@b SIP/2.0"),
        RINGING.replace(b"SIP/2.0 180 Ringing", b"INVITE sip:a@b SIP/7.0"),
        b"",
    ],
)
def test_unusable(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        parse_message(data)
    assert str(caught.value)
    assert isinstance(caught.value, ProtocolError)
    assert isinstance(caught.value, SipError)


def test_a_contact_that_cannot_be_read_is_a_note_of_every_message_that_brings_it() -> None:
    broken = b"CSeq: 1 INVITE\r\nContact: <sip:a@192.0.2.2>, <>"
    for _ in range(2):
        message = changed(b"CSeq: 1 INVITE", broken)
        assert [contact.uri for contact in message.contacts] == ["sip:a@192.0.2.2"]
        assert len(message.contacts) == 1
        assert message.notes == ["contact cannot be read"]

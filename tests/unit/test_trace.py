"""A call's trace: what it keeps, what it hides, what people read of it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip.blanking import blank_secrets
from sip.core import Address, parse_message
from sip.trace import CallTrace
from sip.transport import WireMessage

HERE, THERE = Address("192.0.2.1", 5060), Address("192.0.2.9", 5060)
INVITE = (
    b"INVITE sip:62@192.0.2.9 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;rport\r\n"
    b'From: "\xd6\xb5\xb0\xe0\xca\xd2" <sip:a@192.0.2.1>;tag=f\r\nTo: <sip:62@192.0.2.9>\r\nCall-ID: c1\r\n'
    b"CSeq: 1 INVITE\r\nSubject: \xe6\x8a\xbd\xe6\x9f\xa5\r\nContent-Length: 0\r\n\r\n"
)


def wire(data: bytes, at: float, direction: str = "sent", **changes: object) -> WireMessage:
    fields = {"clock": "kernel", "local": HERE, "remote": THERE, "call_id": "c1", **changes}
    return WireMessage(direction, at, data=data, **fields)


def headed(*lines: bytes, body: bytes = b"") -> bytes:
    return INVITE[:-4] + b"\r\n" + b"\r\n".join(lines) + b"\r\n\r\n" + body


DIGEST = (
    b'Digest username="duty",realm="pbx",nonce="n-1",uri="sip:62@192.0.2.9",qop=auth,nc=00000001,'
    b'cnonce="SECRETcn",response="SECRET0123456789abcdef",algorithm=SHA-256'
)


@pytest.mark.parametrize(
    "message",
    [
        headed(b"Authorization: " + DIGEST),
        headed(b"proxy-AUTHORIZATION  :\t" + DIGEST),
        headed(b"Authorization: " + DIGEST.replace(b",", b"\r\n ,")),
        headed(b"Authorization: " + DIGEST.replace(b",", b"\n\t,")),
        headed(
            b"Authorization: " + DIGEST.replace(b'response="SECRET0123456789abcdef"', b"response = SECRET01")
        ),
        headed(b"Authorization: " + DIGEST.replace(b'"SECRET0123', b'"SECRET\\"SECRET')),
        headed(b'Authorization: Digest username="a", response="SECRET'),
        headed(b"Authorization: Basic U0VDUkVUSECRET=="),
        headed(b"Authorization: Bearer SECRET.SECRET"),
        headed(b"Authorization:SECRET"),
        headed(b'Authentication-Info: rspauth="SECRET", cnonce="SECRET", nextnonce="n-2"'),
        headed(b"Identity: SECRET.SECRET.SECRET;info=<https://SECRET>"),
        headed(b"y: SECRET.SECRET.SECRET"),
        headed(b"Contact: <sip:duty:SECRET@192.0.2.1>, sips:x:SECRET@[::1]:5061"),
        headed(b"Refer-To: <sip:62@h?Replaces=1&Authorization=Digest%20response%3DSECRET&x=1>"),
        headed(
            b"Content-Type: application/sdp",
            body=b"v=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:SECRETkey+/==|2^31|1:4;inline:SECRET2 KDR=1\r\n"
            b"k=base64:SECRET\r\na=ice-pwd:SECRET\r\na=key-mgmt:mikey SECRET\r\na=rtpmap:8 PCMA/8000\r\n",
        ),
        headed(b"Content-Type: multipart/mixed;boundary=b", body=b"--b\n\na=crypto:1 X inline:SECRET\n--b--"),
        b"\r\n\r\nSIP/2.0 200 OK\nAuthentication-Info: rspauth=SECRET\n\nk=clear:SECRET",
    ],
)
def test_no_secret_is_left_and_nothing_moves(message: bytes) -> None:
    blanked = blank_secrets(message)
    assert b"SECRET" in message
    assert b"SECRET" not in blanked
    assert len(blanked) == len(message)
    assert blanked.count(b"\n") == message.count(b"\n")
    assert b"xxxxxx" in blanked


def test_what_explains_a_failed_login_stays() -> None:
    blanked = blank_secrets(headed(b"Proxy-Authorization: " + DIGEST))
    for kept in (
        b'username="duty"',
        b'realm="pbx"',
        b'nonce="n-1"',
        b"qop=auth",
        b"nc=00000001",
        b"algorithm=SHA-256",
    ):
        assert kept in blanked
    assert b'response="%b"' % (b"x" * 22) in blanked


def test_the_kind_of_a_key_stays() -> None:
    body = b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:abc/+=|2^31|1:4\r\nm=audio 4000 RTP/SAVP 8\r\n"
    assert b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:xxxxxx|2^31|1:4\r\nm=audio" in blank_secrets(
        headed(body=body)
    )


@pytest.mark.parametrize(
    "message",
    [
        INVITE,
        headed(b'WWW-Authenticate: Digest realm="pbx", nonce="n-1", algorithm=MD5'),
        headed(
            b"Contact: <sip:62@192.0.2.9:5060;transport=tcp>", b"Subject: response=open", b"X-Identity: open"
        ),
        headed(b"Record-Route: <sip:192.0.2.7:5060;lr>,<sip:p@h>", body=b"see k=1 and inline:open"),
    ],
)
def test_nothing_else_is_blanked(message: bytes) -> None:
    assert blank_secrets(message) == message


@given(
    st.binary(max_size=300)
    | st.text('Authorization: Digestcnonce="\\,\r\n a=crypto inline:@sip').map(str.encode)
)
def test_any_bytes_keep_their_length(message: bytes) -> None:
    assert len(blank_secrets(message)) == len(message)


def test_a_trace_keeps_messages_in_order_without_secrets() -> None:
    trace = CallTrace()
    trace.add(wire(headed(b"Authorization: " + DIGEST), 10.0))
    trace.add(wire(b"SIP/2.0 100 Trying\r\n\r\n", 10.01, "received"))
    assert [message.at for message in trace.messages] == [10.0, 10.01]
    assert b"SECRET" not in b"".join(message.data for message in trace.messages)
    assert "SECRET" not in trace.to_text() + repr(trace.messages)
    assert parse_message(trace.messages[0].data).header("Call-ID") == "c1"
    assert (len(trace), trace.left_out) == (2, 0)


def test_the_text_says_when_which_way_and_what() -> None:
    trace = CallTrace(wall_offset_s=1_795_000_000.0)
    trace.add(wire(INVITE, 10.0))
    over_tls = {"local": HERE._replace(transport="tls"), "remote": Address("2001:db8::9", 5061, "tls")}
    trace.add(wire(b"SIP/2.0 180\r\nX: \x00\x1b[31m\r\n\r\n", 10.2013, "received", clock="user", **over_tls))
    first, second = trace.to_text().split("\n\n=== ")
    assert re.match(r"=== 2026-11-1\dT\d\d:\d\d:50\.000[+-]\d\d:\d\d  0\.000 ms  sent  ", first)
    assert "192.0.2.1:5060 -> 192.0.2.9:5060  udp" in first
    assert "clock: kernel" in first
    assert '"值班室" <sip:a@192.0.2.1>' in first
    assert "Subject: 抽查" in first
    assert "201.300 ms  received  192.0.2.1:5060 <- [2001:db8::9]:5061  tls" in second
    assert "clock: user" in second
    assert "X: \\x00\\x1b[31m" in second


def test_times_count_from_the_first_invite() -> None:
    trace = CallTrace()
    trace.add(wire(INVITE.replace(b"INVITE", b"OPTIONS"), 9.0))
    trace.add(wire(INVITE, 10.0))
    trace.add(wire(INVITE, 10.5))
    assert [re.search(r"  (\S+) ms  ", block)[1] for block in trace.to_text().split("\n\n=== ")] == [
        "-1000.000",
        "0.000",
        "500.000",
    ]


@pytest.mark.parametrize("limits", [{"max_messages": 10}, {"max_bytes": 10 * len(INVITE)}])
def test_a_full_trace_keeps_both_ends_and_says_what_is_missing(limits: dict[str, int]) -> None:
    trace = CallTrace(**limits)
    for number in range(100):
        trace.add(wire(INVITE, float(number)))
    assert [message.at for message in trace.messages] == [0, 1, 2, 3, 4, 95, 96, 97, 98, 99]
    assert trace.left_out == 90
    assert "90 messages are left out here" in trace.to_text()
    assert trace.to_text().index("left out here") > trace.to_text().index("4000.000 ms")


def test_one_message_larger_than_the_room_is_left_out() -> None:
    trace = CallTrace(max_bytes=1000)
    trace.add(wire(INVITE + bytes(5000), 1.0))
    assert (len(trace), trace.left_out) == (0, 1)


def test_an_empty_trace_is_empty_text() -> None:
    assert CallTrace().to_text() == ""

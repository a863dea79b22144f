"""Session descriptions."""

from __future__ import annotations

import pytest

from sip.core import Address, build_answer, build_offer, negotiate, parse_sdp

GATEWAY = b"""v=0
o=HuaweiSoftX3000 20518 20519 IN IP4 198.51.100.7
s=Sip Call
c=IN IP4 198.51.100.7
t=0 0
m=audio 24680 RTP/AVP 18 8 0 97
a=rtpmap:8 PCMA/8000
a=rtpmap:97 telephone-event/8000
a=fmtp:97 0-15
a=ptime:20
a=maxptime:40
a=sendrecv
"""


def test_what_a_gateway_offers() -> None:
    found = parse_sdp(GATEWAY)
    assert found.address == Address("198.51.100.7", 24680)
    assert found.direction == "sendrecv"
    assert [(p.number, p.encoding, p.clock_hz) for p in found.payload_types] == [
        (18, "G729", 8000),
        (8, "PCMA", 8000),
        (0, "PCMU", 8000),
        (97, "TELEPHONE-EVENT", 8000),
    ]
    assert (found.ptime_ms, found.maxptime_ms, found.telephone_event) == (20.0, 40.0, 97)
    assert found.origin == "HuaweiSoftX3000 20518 20519 IN IP4 198.51.100.7"
    assert (found.rejected, found.on_hold, found.notes) == (False, False, ())


def test_our_offer_reads_back() -> None:
    for host in ("192.0.2.1", "2001:db8::1"):
        found = parse_sdp(build_offer(Address(host, 40000), 12))
        assert found.address == Address(host, 40000)
        assert [p.number for p in found.payload_types] == [8, 0, 101]
        assert [p.encoding for p in found.payload_types] == ["PCMA", "PCMU", "TELEPHONE-EVENT"]
        assert found.payload_types[2].parameters == "0-15"
        assert found.ptime_ms == 20
        assert found.notes == ()


@pytest.mark.parametrize(
    ("old", "new", "check"),
    [
        (b"\n", b"\r\n", lambda s: s.address == Address("198.51.100.7", 24680)),
        (b"\n", b"\r", lambda s: s.address == Address("198.51.100.7", 24680)),
        (b"a=sendrecv", b"a=sendonly", lambda s: s.direction == "sendonly" and s.on_hold),
        (b"t=0 0", b"t=0 0\na=inactive", lambda s: s.direction == "sendrecv"),
        (b"a=sendrecv", b"c=IN IP4 203.0.113.9", lambda s: s.address == Address("203.0.113.9", 24680)),
        (b"c=IN IP4 198.51.100.7", b"c=IN IP4 0.0.0.0", lambda s: s.on_hold),
        (b"c=IN IP4 198.51.100.7", b"c=IN IP4 224.2.1.1/127", lambda s: s.address.host == "224.2.1.1"),
        (b"c=IN IP4 198.51.100.7", b"c=x", lambda s: s.address is None and s.notes),
        (b"24680", b"0", lambda s: s.rejected and s.address is None),
        (b"24680", b"24680/2", lambda s: s.address.port == 24680),
        (b"24680", b"70000", lambda s: s.address is None and not s.rejected and s.notes),
        (b"24680", b"-1", lambda s: s.address is None and s.notes),
        (b"18 8 0 97", b"18 8 x 200 97", lambda s: len(s.payload_types) == 3 and len(s.notes) == 2),
        (b"18 8 0 97", b"", lambda s: s.payload_types == ()),
        (b"PCMA/8000", b"pcma/8000/1", lambda s: s.payload_types[1].encoding == "PCMA"),
        (b"a=rtpmap:8 PCMA/8000", b"a=rtpmap:8", lambda s: s.payload_types[1].encoding == "PCMA" and s.notes),
        (b"a=ptime:20", b"a=ptime:nan", lambda s: s.ptime_ms is None and s.notes),
        (b"a=ptime:20", b"a=ptime:1e9", lambda s: s.ptime_ms is None and s.notes),
        (b"a=ptime:20", b"a=ptime: 30 ", lambda s: s.ptime_ms == 30),
        (b"telephone-event/8000", b"telephone-event/16000", lambda s: s.telephone_event is None),
        (
            b"m=audio",
            b"m=video 5000 RTP/AVP 96\nm=audio",
            lambda s: s.audio_index == 1 and s.address.port == 24680,
        ),
        (b"m=audio", b"m=audio 0 RTP/AVP 0\nm=audio", lambda s: s.audio_index == 1 and not s.rejected),
        (b"m=audio", b"m=image", lambda s: s.audio_index == -1 and s.address is None),
        (b"s=Sip Call", b"s=\xd6\xb5\xb0\xe0", lambda s: s.address is not None),
    ],
)
def test_bent_descriptions(old: bytes, new: bytes, check: object) -> None:
    assert old in GATEWAY
    assert callable(check)
    assert check(parse_sdp(GATEWAY.replace(old, new)))


def test_the_answer_to_a_gateway() -> None:
    body = build_answer(parse_sdp(GATEWAY), Address("192.0.2.1", 40000), 5)
    assert body is not None
    found = parse_sdp(body)
    assert [p.number for p in found.payload_types] == [8, 97]
    assert found.address == Address("192.0.2.1", 40000)
    assert found.direction == "sendrecv"


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("sendrecv", "sendrecv"), ("sendonly", "recvonly"), ("recvonly", "sendonly"), ("inactive", "inactive")],
)
def test_the_answer_mirrors_the_direction(theirs: str, ours: str) -> None:
    offer = parse_sdp(GATEWAY.replace(b"sendrecv", theirs.encode()))
    body = build_answer(offer, Address("192.0.2.1", 40000), 5)
    assert body is not None
    assert parse_sdp(body).direction == ours
    agreed = negotiate(offer)
    assert agreed is not None
    assert agreed.direction == ours


def test_the_answer_has_as_many_media_as_the_offer() -> None:
    offer = parse_sdp(GATEWAY + b"m=video 5000 RTP/AVP 96 97\nm=image 6000 udptl t38\nm=x\n")
    body = build_answer(offer, Address("192.0.2.1", 40000), 5)
    assert body is not None
    lines = [line for line in body.decode().splitlines() if line.startswith("m=")]
    assert lines[0].startswith("m=audio 40000 RTP/AVP 8")
    assert lines[1:] == ["m=video 0 RTP/AVP 96 97", "m=image 0 udptl t38", "m=audio 0 RTP/AVP 0"]


def test_nothing_in_common() -> None:
    offer = parse_sdp(GATEWAY.replace(b"18 8 0 97", b"18 97"))
    assert build_answer(offer, Address("192.0.2.1", 40000), 5) is None
    assert negotiate(offer) is None
    assert negotiate(None) is None
    assert negotiate(parse_sdp(b"")) is None
    assert negotiate(parse_sdp(GATEWAY.replace(b"24680", b"0"))) is None


def test_what_we_agree_on() -> None:
    agreed = negotiate(parse_sdp(GATEWAY))
    assert agreed is not None
    assert agreed.remote == Address("198.51.100.7", 24680)
    assert (agreed.payload_type, agreed.codec, agreed.ptime_ms, agreed.telephone_event) == (
        8,
        "PCMA",
        20.0,
        97,
    )
    mu = negotiate(parse_sdp(GATEWAY.replace(b"18 8 0 97", b"0 8").replace(b"a=ptime:20\n", b"a=ptime:60\n")))
    assert mu is not None
    assert (mu.codec, mu.ptime_ms, mu.telephone_event) == ("PCMU", 40.0, None)
    dynamic = negotiate(parse_sdp(GATEWAY.replace(b"18 8 0", b"100").replace(b"rtpmap:8 ", b"rtpmap:100 ")))
    assert dynamic is not None
    assert (dynamic.payload_type, dynamic.codec) == (100, "PCMA")


def test_ipv6() -> None:
    text = GATEWAY.replace(b"c=IN IP4 198.51.100.7", b"c=IN IP6 2001:db8::7")
    assert parse_sdp(text).address == Address("2001:db8::7", 24680)


def test_rtcp_as_the_far_side_names_it() -> None:
    with_port = parse_sdp(GATEWAY + b"a=rtcp:24699\na=rtcp-mux\n")
    assert (with_port.rtcp, with_port.rtcp_mux) == (Address("198.51.100.7", 24699), True)
    elsewhere = parse_sdp(GATEWAY + b"a=rtcp:24699 IN IP4 203.0.113.4\n")
    assert elsewhere.rtcp == Address("203.0.113.4", 24699)
    agreed = negotiate(elsewhere)
    assert agreed is not None
    assert (agreed.rtcp, agreed.rtcp_mux, agreed.srtp) == (elsewhere.rtcp, False, None)
    for ours in (False, True):
        both = negotiate(with_port, rtcp_mux=ours)
        assert both is not None
        assert both.rtcp_mux is ours
    for bad in (b"a=rtcp:x\n", b"a=rtcp:0\n", b"a=rtcp\n", b"a=rtcp:70000\n"):
        found = parse_sdp(GATEWAY + bad)
        assert (found.rtcp, found.notes) == (None, ("a=rtcp cannot be read",))


def test_rtcp_is_named_only_if_asked() -> None:
    here = Address("192.0.2.1", 40000)
    plain = build_offer(here, 1)
    assert b"rtcp" not in plain
    assert b"a=rtcp:40007\r\na=rtcp-mux" in build_offer(
        here, 1, rtcp=Address("192.0.2.1", 40007), rtcp_mux=True
    )
    assert b"a=rtcp:7 IN IP6 2001:db8::1\r\n" in build_offer(here, 1, rtcp=Address("2001:db8::1", 7))
    muxed = parse_sdp(GATEWAY + b"a=rtcp-mux\n")
    for offer, ours, expected in (
        (muxed, True, True),
        (muxed, False, False),
        (parse_sdp(GATEWAY), True, False),
    ):
        body = build_answer(offer, here, 1, rtcp_mux=ours)
        assert body is not None
        assert parse_sdp(body).rtcp_mux is expected


def test_silence_suppression_is_asked_to_be_off_and_comfort_noise_not_offered() -> None:
    offer = build_offer(Address("192.0.2.1", 40000), 1, codecs=("PCMU", "PCMA"), ptime_ms=30)
    assert b"m=audio 40000 RTP/AVP 0 8 101\r\n" in offer
    assert b"a=silenceSupp:off - - - -\r\na=ptime:30\r\n" in offer
    answer = build_answer(parse_sdp(GATEWAY.replace(b"8 0", b"13 8 0")), Address("192.0.2.1", 40000), 1)
    assert answer is not None
    assert b"m=audio 40000 RTP/AVP 8 97\r\n" in answer


def test_the_same_offer_has_the_same_bytes() -> None:
    here = Address("192.0.2.1", 40000)
    assert build_offer(here, 7, 3) == build_offer(here, 7, 3)
    assert build_offer(here, 7, 3) != build_offer(here, 7, 4)


def test_what_browsers_offer_beside_is_left_out_of_the_answer() -> None:
    browser = GATEWAY.replace(b"t=0 0\n", b"t=0 0\na=group:BUNDLE 0\na=ice-lite\n").replace(
        b"RTP/AVP", b"RTP/AVPF"
    )
    offer = parse_sdp(browser + b"a=mid:0\na=ice-ufrag:x\na=candidate:1 1 UDP 1 192.0.2.5 9 typ host\n")
    body = build_answer(offer, Address("192.0.2.1", 40000), 1)
    assert body is not None
    assert b"m=audio 40000 RTP/AVPF 8 97\r\n" in body
    for word in (b"BUNDLE", b"ice", b"candidate", b"mid"):
        assert word not in body


@pytest.mark.parametrize(
    ("media", "answered"),
    [
        (b"m=image 6000 udptl t38\n", None),
        (b"m=audio 0 RTP/AVP 8\nm=image 6000 udptl t38\n", None),
        (b"m=audio 0 RTP/AVP 8\n", [b"m=audio 0 RTP/AVP 8"]),
        (
            b"m=audio 5000 RTP/AVP 8\nm=image 6000 udptl t38\n",
            [b"m=audio 40000 RTP/AVP 8", b"m=image 0 udptl t38"],
        ),
    ],
)
def test_fax_is_refused_and_the_call_kept(media: bytes, answered: list[bytes] | None) -> None:
    offer = parse_sdp(b"v=0\no=- 1 1 IN IP4 192.0.2.2\nc=IN IP4 192.0.2.2\n" + media)
    body = build_answer(offer, Address("192.0.2.1", 40000), 1)
    assert (body and [line for line in body.splitlines() if line.startswith(b"m=")]) == answered

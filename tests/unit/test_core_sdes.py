"""SRTP keys in session descriptions: what is offered, what is answered, and what both sides then use."""

from __future__ import annotations

import base64
import itertools

import pytest

from sip.core import (
    Address,
    Answered,
    Endpoint,
    Event,
    IncomingInvite,
    OutgoingCall,
    RequestReceived,
    Sdes,
    SessionDescription,
    SrtpMode,
    build_answer,
    build_offer,
    mismatch,
    negotiate,
    own_keys,
    parse_sdp,
)
from tests.unit.test_core_network import LINE, PHONE, Network, find, invite, make_endpoint

HERE, THERE = Address("192.0.2.1", 40000), Address("192.0.2.2", 50000)
KEY = bytes(range(30))
TEXT = base64.b64encode(KEY).decode()
LONG, SHORT = "AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32"


def keys(mode: SrtpMode, seed: int = 1) -> Sdes:
    numbers = itertools.count(seed)
    return Sdes.make(mode, lambda size: bytes([next(numbers)]) * size)


def theirs(*lines: str, profile: str = "RTP/SAVP", codecs: str = "8 101") -> SessionDescription:
    head = ["v=0", "o=- 1 1 IN IP4 192.0.2.2", "s=-", "c=IN IP4 192.0.2.2", "t=0 0"]
    return parse_sdp("\r\n".join([*head, f"m=audio 50000 {profile} {codecs}", *lines, ""]).encode())


def crypto(tag: int = 1, suite: str = LONG, rest: str = "") -> str:
    return f"a=crypto:{tag} {suite} inline:{TEXT}{rest}"


def words(body: bytes | None, start: str) -> list[str]:
    assert body is not None
    return [line for line in body.decode().splitlines() if line.startswith(start)]


@pytest.mark.parametrize(
    ("mode", "profile", "count"),
    [("off", "RTP/AVP", 0), ("optional", "RTP/AVP", 2), ("required", "RTP/SAVP", 2)],
)
def test_how_each_mode_offers(mode: SrtpMode, profile: str, count: int) -> None:
    body = build_offer(HERE, 1, crypto=keys(mode))
    assert words(body, "m=") == [f"m=audio 40000 {profile} 8 0 101"]
    lines = words(body, "a=crypto")
    assert [line.split()[:2] for line in lines] == [["a=crypto:1", LONG], ["a=crypto:2", SHORT]][:count]
    found = parse_sdp(body)
    assert found.crypto == keys(mode).lines
    assert own_keys(found) == keys(mode)
    assert len({line.key for line in found.crypto}) == count


def test_the_keys_of_an_answer_are_those_of_the_line_it_names() -> None:
    offered = keys("required")
    for line in offered.lines:
        answer = theirs(crypto(line.tag, line.suite))
        agreed = negotiate(answer, crypto=offered)
        assert agreed is not None
        assert agreed.srtp is not None
        assert (agreed.srtp.suite, agreed.srtp.send_key, agreed.srtp.receive_key) == (
            line.suite,
            line.key,
            KEY,
        )


@pytest.mark.parametrize("ours", ["optional", "required"])
@pytest.mark.parametrize("offer_mode", ["optional", "required"])
def test_both_sides_use_the_same_keys(ours: SrtpMode, offer_mode: SrtpMode) -> None:
    caller, callee = keys(offer_mode), keys(ours, seed=100)
    offer = parse_sdp(build_offer(HERE, 1, crypto=caller))
    body = build_answer(offer, THERE, 2, crypto=callee)
    assert words(body, "m=") == [f"m=audio 50000 {offer.profile} 8 101"]
    assert len(words(body, "a=crypto:1 " + LONG)) == 1
    assert body is not None
    at_caller = negotiate(parse_sdp(body), crypto=caller)
    at_callee = negotiate(offer, crypto=callee, answering=True)
    assert at_caller is not None
    assert at_callee is not None
    assert at_caller.srtp is not None
    assert at_callee.srtp is not None
    assert at_caller.srtp.send_key == at_callee.srtp.receive_key == caller.lines[0].key
    assert at_caller.srtp.receive_key == at_callee.srtp.send_key == callee.lines[0].key


def test_an_offer_in_another_order_is_answered_with_its_tag() -> None:
    offer = theirs("a=crypto:7 F8_128_HMAC_SHA1_80 inline:x", crypto(9, SHORT), crypto(8, LONG))
    callee = keys("required")
    body = build_answer(offer, HERE, 1, crypto=callee)
    (line,) = words(body, "a=crypto")
    assert line == f"a=crypto:9 {SHORT} inline:{base64.b64encode(callee.lines[1].key).decode()}"
    agreed = negotiate(offer, crypto=callee, answering=True)
    assert agreed is not None
    assert agreed.srtp is not None
    assert (agreed.srtp.suite, agreed.srtp.send_key) == (SHORT, callee.lines[1].key)


@pytest.mark.parametrize("profile", ["RTP/AVP", "RTP/AVPF", "rtp/avp"])
def test_without_keys_a_call_is_plain_unless_srtp_is_required(profile: str) -> None:
    plain = theirs(profile=profile)
    for mode in ("off", "optional"):
        agreed = negotiate(plain, crypto=keys(mode))
        assert agreed is not None
        assert agreed.srtp is None
        assert words(build_answer(plain, HERE, 1, crypto=keys(mode)), "a=crypto") == []
    assert negotiate(plain, crypto=keys("required")) is None
    assert build_answer(plain, HERE, 1, crypto=keys("required")) is None
    assert mismatch(plain, crypto=keys("required")) == "the far side has no SRTP, and ours is required"


def test_keys_beside_plain_rtp_are_used_only_if_we_want_them() -> None:
    offer = theirs(crypto(), profile="RTP/AVP")
    for off in (None, keys("off")):
        assert words(build_answer(offer, HERE, 1, crypto=off), "a=crypto") == []
        agreed = negotiate(offer, crypto=off, answering=True)
        assert agreed is not None
        assert agreed.srtp is None
    for mode in ("optional", "required"):
        assert len(words(build_answer(offer, HERE, 1, crypto=keys(mode)), "a=crypto")) == 1


@pytest.mark.parametrize(
    ("description", "mode", "answering", "reason"),
    [
        (theirs(crypto()), "off", True, "the far side wants SRTP, and ours is off"),
        (theirs(crypto()), None, False, "the far side wants SRTP, and ours is off"),
        (theirs(), "optional", False, "gives no key that we can use"),
        (theirs(crypto(rest="|1:4")), "required", True, "(a=crypto:1 has an MKI, which we do not do)"),
        (theirs(crypto(3)), "required", False, "a line that we did not offer"),
        (theirs(crypto(1, SHORT), profile="RTP/AVP"), "optional", False, "a line that we did not offer"),
        (theirs("a=fingerprint:sha-256 AA"), "required", True, "keys by DTLS (RTP/SAVP)"),
        (theirs(profile="UDP/TLS/RTP/SAVPF"), "off", True, "keys by DTLS (UDP/TLS/RTP/SAVPF)"),
        (theirs(profile="TCP/RTP/AVP"), "off", True, "goes by TCP/RTP/AVP"),
        (
            theirs(profile="RTP/AVP", codecs="18 96"),
            "off",
            True,
            "the far side has G729, 96, we have PCMA, PCMU",
        ),
        (theirs(profile="RTP/AVP", codecs=""), "off", True, "the far side has nothing"),
        (None, "off", False, "sent no session description"),
        (parse_sdp(b""), "off", False, "describes no sound"),
        (parse_sdp(b"m=audio 0 RTP/AVP 8"), "off", False, "refused the sound"),
        (parse_sdp(b"m=audio 9 RTP/AVP 8"), "off", False, "names no address"),
    ],
)
def test_why_there_is_no_sound(
    description: SessionDescription | None, mode: SrtpMode | None, answering: bool, reason: str
) -> None:
    ours = keys(mode) if mode else None
    assert reason in mismatch(description, crypto=ours, answering=answering)
    assert negotiate(description, crypto=ours, answering=answering) is None
    if description is not None and description.address is not None and answering:
        assert build_answer(description, HERE, 1, crypto=ours) is None


@pytest.mark.parametrize(
    ("value", "usable"),
    [
        (crypto(), True),
        (crypto().replace("inline", "INLINE").replace(LONG, LONG.lower()), True),
        (crypto(rest="|2^20"), True),
        (crypto(rest="|1048576"), True),
        (crypto(rest=" WSH=64 KDR=0 -FOO=1"), True),
        (crypto().removesuffix("="), True),
        (crypto(rest="|2^20|1:4"), False),
        (crypto(rest="|1:4"), False),
        (crypto(rest=";inline:" + TEXT), False),
        (crypto(rest=" UNENCRYPTED_SRTP"), False),
        (crypto(rest=" UNENCRYPTED_SRTCP"), False),
        (crypto(rest=" UNAUTHENTICATED_SRTP"), False),
        (crypto(rest=" KDR=24"), False),
        (crypto(rest=" FOO"), False),
        (f"a=crypto:1 AES_256_CM_HMAC_SHA1_80 inline:{TEXT}", False),
        (f"a=crypto:1 {LONG} inline:{TEXT[:36]}", False),
        (f"a=crypto:1 {LONG} inline:{TEXT[:-1]}*", False),
        (f"a=crypto:1 {LONG} uri:{TEXT}", False),
        (f"a=crypto:1 inline:{TEXT}", False),
        (f"a=crypto:x {LONG} inline:{TEXT}", False),
        (f"a=crypto:1 inline: {TEXT} {TEXT}", False),
        ("a=crypto", False),
    ],
)
def test_which_lines_can_be_used(value: str, usable: bool) -> None:
    found = theirs(value)
    assert [line.key for line in found.crypto] == [KEY] * usable
    assert len(found.notes) == (not usable)
    assert TEXT[:20] not in repr(found)
    assert str(KEY[:5])[2:-1] not in repr(found)


def test_of_several_media_lines_the_one_with_srtp_is_taken_if_we_do_it() -> None:
    both = parse_sdp(
        b"v=0\no=- 1 1 IN IP4 192.0.2.2\nc=IN IP4 192.0.2.2\n"
        b"m=audio 50000 RTP/AVP 8\nm=audio 50002 RTP/SAVP 8\n" + crypto().encode() + b"\n"
    )
    for mode, expected in (
        ("off", ["40000", "0"]),
        ("optional", ["0", "40000"]),
        ("required", ["0", "40000"]),
    ):
        body = build_answer(both, HERE, 1, crypto=keys(mode))
        assert [line.split()[1] for line in words(body, "m=")] == expected
        agreed = negotiate(both, crypto=keys(mode), answering=True)
        assert agreed is not None
        assert agreed.remote.port == (50000 if mode == "off" else 50002)


def test_keys_are_not_shown() -> None:
    ours = keys("required", seed=65)
    agreed = negotiate(theirs(crypto()), crypto=ours)
    assert agreed is not None
    shown = repr((ours, agreed, invite(offer=build_offer(HERE, 1, crypto=ours)), parse_sdp(b"a=crypto")))
    assert "AAAA" not in shown
    assert "QUFB" not in shown
    assert TEXT[:10] not in shown


def test_keys_must_be_whole() -> None:
    with pytest.raises(ValueError, match="30 bytes"):
        Sdes.make("optional", lambda size: b"short")
    assert Sdes.make("off", lambda size: b"") == Sdes("off")


def reinvited(call: OutgoingCall, tag: str, number: int, body: bytes) -> bytes:
    """Return a re-INVITE of the far side."""
    head = (
        f"INVITE sip:dutyring@{PHONE} SIP/2.0\r\nVia: SIP/2.0/UDP {LINE};branch=z9hG4bK{number}\r\n"
        f"From: <sip:62@{LINE}>;tag={tag}\r\nTo: <sip:dutyring@192.0.2.1>;tag={call.local_tag}\r\n"
        f"Call-ID: {call.call_id}\r\nCSeq: {number} INVITE\r\nContact: <sip:{LINE}>\r\n"
    )
    return (head + ("Content-Type: application/sdp\r\n\r\n" if body else "\r\n")).encode() + body


def test_a_call_keeps_its_keys_and_the_order_of_its_codecs() -> None:
    """A re-INVITE with a new key is answered with ours, under its tag; one without an offer gets all of ours."""
    network = Network(make_endpoint(PHONE), make_endpoint(LINE))
    phone = network.endpoints[PHONE]
    caller, callee = keys("required"), keys("required", seed=100)
    offer = build_offer(HERE, 1, 1, ("PCMU", "PCMA"), crypto=caller)

    def react(endpoint: Endpoint, event: Event, now: float) -> None:
        if isinstance(event, IncomingInvite) and event.sdp is not None:
            event.call.answer(now, build_answer(event.sdp, THERE, 2, crypto=callee))
        elif isinstance(event, Answered):
            call.acknowledge(now)

    network.react = react
    call = phone.place_call(invite(offer=offer), network.now)
    network.run(1.0)
    (incoming,) = find(network.events[LINE], IncomingInvite)
    tag = incoming.call.local_tag

    def answer(number: int, body: bytes) -> bytes:
        phone.receive(reinvited(call, tag, number, body), LINE, network.now)
        (found,) = [d.data for d in phone.take_datagrams() if d.status == 200]
        ack = reinvited(call, tag, number, b"").replace(b"INVITE", b"ACK").replace(b"z9hG4bK", b"z9hG4bKa")
        phone.receive(ack, LINE, network.now)
        return found.partition(b"\r\n\r\n")[2]

    held = answer(1, build_offer(THERE, 2, 2, direction="sendonly", crypto=keys("required", seed=200)))
    network.run(0.0)
    (received,) = find(network.events[PHONE], RequestReceived)
    assert (received.status, received.sdp is not None and received.sdp.on_hold) == (200, True)
    assert words(held, "a=crypto") == [caller.lines[0].text]
    assert words(held, "m=") == ["m=audio 40000 RTP/SAVP 8 101"]
    assert words(held, "a=recvonly")
    full = answer(2, b"")
    assert words(full, "m=") == ["m=audio 40000 RTP/SAVP 0 8 101"]
    assert words(full, "a=crypto") == [line.text for line in caller.lines]

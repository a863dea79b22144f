"""The lean far end of the benchmarks answers as a line does: its figures are worth no more than it is."""

from __future__ import annotations

import itertools

import pytest

from app.bench.far_signalling import GIVE_UP_S, Manners, Signalling

CALLER = ("127.0.0.1", 5060)
SDP = b"v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 40000 RTP/AVP 8 0 101\r\n"


def request(method: str, call_id: str = "a", body: bytes = b"", *, tag: str = "") -> bytes:
    cseq = 1 if method in ("INVITE", "ACK", "CANCEL") else 2
    return (
        f"{method} sip:line@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK{method}\r\n"
        f"From: <sip:us@127.0.0.1>;tag=us\r\nTo: <sip:line@127.0.0.1>{tag}\r\nCall-ID: {call_id}\r\n"
        f"CSeq: {cseq} {method}\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


class Sounds:
    """Notes what the far end asks of its sound."""

    def __init__(self, room: int = 10) -> None:
        self.room = room
        self.log: list[tuple[str, int]] = []
        self._slots = itertools.count()

    def open(self, _host: str, port: int, payload: int) -> tuple[int, int] | None:
        self.log.append(("open", port))
        self.payload = payload
        return (next(self._slots), 30_000) if self.room else None

    def answer(self, slot: int) -> None:
        self.log.append(("answer", slot))

    def close(self, slot: int) -> None:
        self.log.append(("close", slot))


@pytest.fixture
def sounds() -> Sounds:
    return Sounds()


def line(sounds: Sounds, **manners: object) -> Signalling:
    chosen = Manners(ring_s=1.0, **manners)  # type: ignore[arg-type]
    return Signalling("127.0.0.1", 5070, chosen, sounds.open, sounds.answer, sounds.close)


def first_lines(messages: list[tuple[bytes, tuple[str, int]]]) -> list[bytes]:
    return [data.split(b"\r\n")[0] for data, _ in messages]


def test_a_call_rings_is_answered_and_ends(sounds: Sounds) -> None:
    far = line(sounds)
    (ringing,) = far.receive(request("INVITE", body=SDP), CALLER, 10.0)
    assert ringing[0].startswith(b"SIP/2.0 183 ")
    assert b"m=audio 30000 RTP/AVP 8 101" in ringing[0]
    assert b";tag=far" in ringing[0]
    assert ringing[1] == CALLER
    assert far.deadline() == 11.0
    assert far.advance(10.9) == []
    assert first_lines(far.advance(11.0)) == [b"SIP/2.0 200 OK"]
    assert far.receive(request("ACK", tag=";tag=far"), CALLER, 11.1) == []
    assert first_lines(far.receive(request("BYE", tag=";tag=far"), CALLER, 12.0)) == [b"SIP/2.0 200 OK"]
    assert sounds.log == [("open", 40_000), ("answer", 0), ("close", 0)]
    assert (far.counts.answered, far.counts.acknowledged, far.counts.ended) == (1, 1, 1)
    far.advance(20.0)
    assert not far.calls


def test_the_answer_is_repeated_until_its_ack_and_not_for_ever(sounds: Sounds) -> None:
    far = line(sounds, early_sound=False)
    (ringing,) = far.receive(request("INVITE", body=SDP), CALLER, 0.0)
    assert ringing[0].startswith(b"SIP/2.0 180 ")
    answers = 0
    while (deadline := far.deadline()) is not None:
        answers += len(far.advance(deadline))
    assert answers == 11, "0, 0.5, 1.5, 3.5, 7.5, then each 4 s (RFC 3261 section 13.3.1.4)"
    assert far.counts.repeated == answers - 1
    assert GIVE_UP_S == 32.0


def test_a_repeated_invite_is_no_second_call(sounds: Sounds) -> None:
    far = line(sounds)
    once = far.receive(request("INVITE", body=SDP), CALLER, 0.0)
    assert far.receive(request("INVITE", body=SDP), CALLER, 0.5) == once
    assert (far.counts.invites, far.counts.repeated) == (1, 1)


def test_a_cancelled_call_ends_with_487(sounds: Sounds) -> None:
    far = line(sounds)
    far.receive(request("INVITE", body=SDP), CALLER, 0.0)
    out = far.receive(request("CANCEL"), CALLER, 0.5)
    assert first_lines(out) == [b"SIP/2.0 200 OK", b"SIP/2.0 487 Request Terminated"]
    assert b"CSeq: 1 CANCEL" in out[0][0]
    assert b"CSeq: 1 INVITE" in out[1][0]
    assert far.advance(1.0) == [], "nobody answers it any more"
    assert sounds.log[-1] == ("close", 0)


def test_an_offer_of_mu_law_alone_gets_it_and_no_room_means_no_sound(sounds: Sounds) -> None:
    far = line(sounds)
    (ringing,) = far.receive(request("INVITE", body=SDP.replace(b"8 0 101", b"0 101")), CALLER, 0.0)
    assert b"RTP/AVP 0 101" in ringing[0]
    assert sounds.payload == 0
    (without,) = line(Sounds(room=0)).receive(request("INVITE", body=SDP), CALLER, 0.0)
    assert without[0].startswith(b"SIP/2.0 180 ")


@pytest.mark.parametrize("data", [b"", b"\r\n", b"SIP/2.0 200 OK\r\n\r\n", b"\xff\x00", b"BYE\r\n"])
def test_what_is_no_request_harms_nothing(sounds: Sounds, data: bytes) -> None:
    far = line(sounds)
    assert far.receive(data, CALLER, 0.0) == []
    assert not far.calls
    (unknown,) = far.receive(request("BYE", "never"), CALLER, 0.0)
    assert unknown[0].startswith(b"SIP/2.0 481 ")

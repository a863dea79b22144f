"""Reliable provisional responses (100rel, RFC 3262) and UPDATE before the answer (RFC 3311), against sipp."""

from __future__ import annotations

import pytest

from tests.interop.checks import check_answered
from tests.interop.conftest import Place, PlacedCall
from tests.interop.far_media import session_description

pytestmark = pytest.mark.peer("sipp")

TALK = ("--max-talk", "1")


def acknowledged(call: PlacedCall) -> list[str]:
    """Return the RAck of each PRACK that sipp got, without retransmissions."""
    return list(dict.fromkeys(message.header("RAck") for message in call.received("PRACK")))


@pytest.mark.interop("sipp", "100rel")
def test_each_reliable_response_gets_its_prack(place: Place) -> None:
    call = place("prack", *TALK)
    check_answered(call)
    (invite, *_) = call.received("INVITE")
    number = invite.header("CSeq").split()[0]
    assert acknowledged(call) == [f"776 {number} INVITE", f"777 {number} INVITE"]
    assert "100rel" in invite.header("Supported")
    assert call.record["ring_started_ms"] == call.timeline("received", status=180)[0]["t_ms"]
    # The answer stood in the 183 alone.
    assert len(call.heard) > 50


@pytest.mark.interop("sipp", "100rel", "loss")
def test_a_lost_prack_is_sent_again(place: Place) -> None:
    lost: list[bytes] = []

    def lose_first(datagram: bytes) -> tuple[bytes, ...]:
        if datagram.startswith(b"PRACK ") and not lost:
            lost.append(datagram)
            return ()
        return (datagram,)

    call = place("prack", *TALK, inward=lose_first)
    check_answered(call)
    assert lost
    assert len(acknowledged(call)) == 2


@pytest.mark.interop("sipp", "100rel")
def test_a_refused_prack_does_not_end_the_call(place: Place) -> None:
    call = place("prack-refused", *TALK)
    check_answered(call)
    assert call.record["ring_to_answer_ms"] == pytest.approx(call.gap_ms("180", "200"), abs=1500)


@pytest.mark.interop("sipp", "100rel")
def test_a_gap_in_the_numbering_waits(place: Place) -> None:
    """RSeq 3 before 2: no PRACK for it until 2 has come (section 4)."""
    call = place("prack-gap", *TALK)
    check_answered(call)
    assert [value.split()[0] for value in acknowledged(call)] == ["1", "2", "3"]


@pytest.mark.interop("sipp", "100rel", "fork")
def test_each_fork_has_a_numbering_of_its_own(place: Place) -> None:
    call = place("fork-100rel", *TALK)
    check_answered(call)
    tags = [
        (m.header("RAck").split()[0], m.header("To").rpartition("tag=")[2]) for m in call.received("PRACK")
    ]
    assert list(dict.fromkeys(tags)) == [("10", "first"), ("4000", "second")]
    (bye,) = call.received("BYE")
    assert bye.header("To").endswith("tag=second")


@pytest.mark.interop("sipp", "update", "early-media")
def test_the_early_sound_moves_by_update(place: Place) -> None:
    keys = {"moved": session_description("@moved@", version=2)}
    call = place("early-update", *TALK, keys=keys)
    check_answered(call)
    assert len(call.moved) > 50
    (answer,) = [m for m in call.received("200") if m.header("CSeq").endswith("UPDATE")]
    assert "m=audio " in answer.text

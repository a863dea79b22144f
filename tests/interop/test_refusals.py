"""Calls that the far end refuses, with and without ringing, against sipp."""

from __future__ import annotations

import pytest

from tests.interop.checks import check_not_answered
from tests.interop.conftest import Place

pytestmark = pytest.mark.peer("sipp")

SERVER = "Server: far end"


@pytest.mark.interop("sipp", "refused")
@pytest.mark.parametrize(
    ("final", "outcome"),
    [
        ("486 Busy Here", "busy"),
        ("600 Busy Everywhere", "busy"),
        ("603 Decline", "rejected"),
        ("608 Rejected", "rejected"),
        ("404 Not Found", "unobtainable"),
        ("484 Address Incomplete", "unobtainable"),
        ("604 Does Not Exist Anywhere", "unobtainable"),
        ("408 Request Timeout", "unreachable"),
        ("480 Temporarily Unavailable", "unreachable"),
        ("487 Request Terminated", "unreachable"),
        ("503 Service Unavailable", "network_failure"),
        ("488 Not Acceptable Here", "network_failure"),
        ("403 Forbidden", "network_failure"),
        ("699", "network_failure"),
    ],
)
def test_refused_at_once(place: Place, final: str, outcome: str) -> None:
    call = place("refuse", keys={"final": final})
    check_not_answered(call, outcome)
    status, _, reason = final.partition(" ")
    assert call.record["sip_status"] == int(status)
    assert (call.record["sip_reason"] or "") == reason
    assert call.record["ring_started_ms"] is None
    assert call.record["rings"]["count"] is None
    assert len(call.received("INVITE")) == 1
    assert len(call.received("ACK")) == 1


@pytest.mark.interop("sipp", "refused")
@pytest.mark.parametrize(
    ("final", "outcome"),
    [
        ("486 Busy Here", "rejected"),
        ("480 Temporarily Unavailable", "no_answer"),
        ("408 Request Timeout", "no_answer"),
        ("487 Request Terminated", "no_answer"),
        ("603 Decline", "rejected"),
        ("404 Not Found", "unobtainable"),
        ("500 Server Internal Error", "network_failure"),
    ],
)
def test_refused_after_ringing(place: Place, final: str, outcome: str) -> None:
    call = place("ring-then-refuse", keys={"final": final}, wait_ms=800)
    check_not_answered(call, outcome)
    assert call.record["sip_status"] == int(final[:3])
    assert call.record["ring_started_ms"] == call.timeline("received", status=180)[0]["t_ms"]
    assert call.record["post_dial_delay_ms"] == call.record["ring_started_ms"]
    assert call.record["ended_by"] == "them"


@pytest.mark.interop("sipp", "reason")
@pytest.mark.parametrize(
    ("scenario", "cause", "outcome"),
    [
        ("refuse", 1, "unobtainable"),
        ("refuse", 17, "busy"),
        ("refuse", 18, "unreachable"),
        ("refuse", 20, "unreachable"),
        ("refuse", 21, "rejected"),
        ("refuse", 34, "network_failure"),
        ("ring-then-refuse", 17, "rejected"),
        ("ring-then-refuse", 19, "no_answer"),
    ],
)
def test_cause_of_the_exchange_goes_before_the_status(
    place: Place, scenario: str, cause: int, outcome: str
) -> None:
    reason = f'Reason: SIP;cause=480, Q.850 ; cause={cause} ;text="by the exchange"'
    call = place(scenario, keys={"final": "500 Server Internal Error", "header": reason}, wait_ms=500)
    check_not_answered(call, outcome)
    assert call.record["q850"] == cause
    assert call.record["sip_status"] == 500


@pytest.mark.interop("sipp", "forwarding")
def test_redirection_is_reported_and_not_followed(place: Place) -> None:
    contact = "Contact: <sip:13800138000@127.0.0.1:5999>;q=1.0"
    call = place("refuse", keys={"final": "302 Moved Temporarily", "header": contact}, proves_forwarding=True)
    check_not_answered(call, "redirected")
    forwarding = call.record["forwarding"]
    assert forwarding["detected"] is True
    assert forwarding["grade"] == "definitive"
    assert "13800138000" in forwarding["target"]
    assert forwarding["target_class"] == "mobile"
    (evidence,) = [entry for entry in forwarding["evidence"] if entry["kind"] == "redirect"]
    assert evidence["grade"] == "definitive"
    assert evidence["t_ms"] == call.timeline("received", status=302)[0]["t_ms"]
    assert len(call.received("INVITE")) == 1


def test_redirection_to_the_same_user_is_no_proof(place: Place) -> None:
    contact = "Contact: <sip:62@127.0.0.1:5999>"
    call = place("refuse", keys={"final": "302 Moved Temporarily", "header": contact})
    check_not_answered(call, "redirected")
    assert call.record["forwarding"]["grade"] != "definitive"


def test_retransmitted_refusal_is_acknowledged_again_without_a_second_entry(place: Place) -> None:
    call = place("refuse", keys={"final": "486 Busy Here"})
    assert len(call.timeline("received", status=486)) == 1


@pytest.mark.interop("sipp", "forwarding", "refused")
def test_several_places_are_named_in_one_redirection(place: Place) -> None:
    """None of them is called, whatever its q (RFC 3261 section 8.1.3.4)."""
    contact = "Contact: <sip:13800138000@127.0.0.1>;q=0.9, <sip:3262001@127.0.0.1>;q=0.2, <tel:+8613900139000>;q=0.1"
    call = place("refuse", keys={"final": "300 Multiple Choices", "header": contact}, proves_forwarding=True)
    check_not_answered(call, "redirected")
    assert "13800138000" in call.record["forwarding"]["target"]
    assert len(call.received("INVITE")) == 1


@pytest.mark.interop("sipp", "refused")
@pytest.mark.parametrize(
    ("final", "header"),
    [
        ("503 Service Unavailable", "Retry-After: 30 (in maintenance);duration=3600"),
        ("415 Unsupported Media Type", "Accept: application/sdp"),
        ("488 Not Acceptable Here", 'Warning: 304 far "Media type not available"'),
        ("606 Not Acceptable", 'Warning: 305 far "Incompatible media format"'),
        ("420 Bad Extension", "Unsupported: timer"),
        ("421 Extension Required", "Require: x-unheard-of"),
        ("513 Message Too Large", "Server: far end"),
    ],
)
def test_what_is_wrong_between_us_is_no_matter_of_the_unit(place: Place, final: str, header: str) -> None:
    call = place("refuse", keys={"final": final, "header": header})
    check_not_answered(call, "network_failure")
    assert call.record["sip_status"] == int(final[:3])
    assert len(call.received("INVITE")) == 1


@pytest.mark.interop("sipp", "reason")
def test_the_cause_of_a_183_tells_why_the_call_failed(place: Place) -> None:
    """Exchanges say the cause in a 183 before the announcement, and only 480 at its end."""
    reason = 'Reason: Q.850;cause=1;text="Unallocated number"'
    call = place(
        "ring-then-refuse", keys={"final": "480 Temporarily Unavailable", "header": reason}, wait_ms=300
    )
    assert call.record["q850"] == 1
    check_not_answered(call, "unobtainable")

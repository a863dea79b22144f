"""Calls that the far end refuses, with and without ringing, against sipp."""

from __future__ import annotations

import pytest

from tests.interop.checks import check_not_answered
from tests.interop.conftest import Place

pytestmark = pytest.mark.peer("sipp")

SERVER = "Server: far end"


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


def test_redirection_is_reported_and_not_followed(place: Place) -> None:
    contact = "Contact: <sip:13800138000@127.0.0.1:5999>;q=1.0"
    call = place("refuse", keys={"final": "302 Moved Temporarily", "header": contact})
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

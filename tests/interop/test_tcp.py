"""The same calls over TCP, against sipp."""

from __future__ import annotations

import pytest

from tests.interop.checks import check_answered, check_honest, check_not_answered
from tests.interop.conftest import Place

pytestmark = pytest.mark.peer("sipp")

PASSWORD = {"DUTY_SECRET": "three rings"}
CHALLENGE = 'WWW-Authenticate: Digest realm="county", nonce="6a2f", algorithm=MD5, qop="auth"'


@pytest.mark.interop("sipp", "tcp", "answer")
def test_rings_and_answers(place: Place) -> None:
    call = place("answer", "--max-talk", "1", transport="tcp")
    check_answered(call)
    assert call.record["ring_to_answer_ms"] == pytest.approx(call.gap_ms("180", "200"), abs=120)
    (entry,) = call.timeline("received", status=180)
    # TCP has no kernel time of a message, only that of our read.
    assert entry["clock"] == "user"
    (invite,) = call.received("INVITE")
    assert "SIP/2.0/TCP" in invite.header("Via")
    assert "transport=tcp" in invite.header("Contact").lower()
    assert len(call.heard) > 30


@pytest.mark.interop("sipp", "tcp", "refused")
def test_busy(place: Place) -> None:
    call = place("refuse", keys={"final": "486 Busy Here"}, transport="tcp")
    check_not_answered(call, "busy")


@pytest.mark.interop("sipp", "tcp", "cancel")
def test_nobody_answers(place: Place) -> None:
    call = place("never", "--max-ring", "1", transport="tcp")
    check_not_answered(call, "no_answer")
    assert len(call.received("CANCEL")) == 1


@pytest.mark.interop("sipp", "tcp", "far-hang-up")
def test_far_end_hangs_up(place: Place) -> None:
    call = place("hang-up-with-header", keys={"more": "Reason: Q.850;cause=16"}, transport="tcp", wait_ms=500)
    check_honest(call)
    assert (call.record["outcome"], call.record["ended_by"]) == ("answered", "them")


@pytest.mark.interop("sipp", "tcp", "digest")
def test_credentials_are_given(place: Place) -> None:
    login = ("--user", "duty", "--password-env", "DUTY_SECRET")
    keys = {"status": "401 Unauthorized", "challenge": CHALLENGE}
    call = place("digest", *login, "--max-talk", "1", keys=keys, environment=PASSWORD, transport="tcp")
    check_answered(call)
    assert len(call.received("INVITE")) == 2


@pytest.mark.interop("sipp", "ipv6", "tcp")
def test_over_ipv6(place: Place) -> None:
    call = place("answer", "--max-talk", "1", host="::1", transport="tcp")
    check_answered(call)
    assert len(call.heard) > 30

"""Session timers (RFC 4028), against sipp. The slow ones wait for real; the other times run on a virtual clock."""

from __future__ import annotations

import pytest

from tests.interop.checks import check_answered
from tests.interop.conftest import Place

pytestmark = pytest.mark.peer("sipp")

SHORT = {"expires": "4"}
"""Less than anybody may ask for, so that a test need not wait 45 s for the refresh."""


@pytest.mark.interop("sipp", "session-timer")
def test_the_interval_is_too_short(place: Place) -> None:
    call = place("session-too-short", "--max-talk", "1", wait_ms=300)
    check_answered(call)
    first, second = call.received("INVITE")
    assert int(second.header("CSeq").split()[0]) == int(first.header("CSeq").split()[0]) + 1
    assert int(second.header("Session-Expires").split(";")[0]) >= 1800
    assert first.header("Call-ID") == second.header("Call-ID")


@pytest.mark.interop("sipp", "session-timer", "update")
def test_we_refresh_the_session(place: Place) -> None:
    call = place("session-refreshed-by-us", "--max-talk", "3.5", keys=SHORT, wait_ms=300)
    check_answered(call)
    (refresh,) = {m.text for m in call.received("UPDATE")}
    assert "Session-Expires: " in refresh
    assert "m=audio" not in refresh


@pytest.mark.interop("sipp", "session-timer", "glare")
def test_our_refresh_meets_a_glare(place: Place) -> None:
    """Who made the Call-ID waits 2.1 to 4 s before the next try (RFC 3261 section 14.1)."""
    call = place("session-refresh-glare", "--max-talk", "7.5", keys=SHORT, wait_ms=300)
    check_answered(call)
    refreshes = [m for m in call.received("UPDATE") if m.header("CSeq")]
    first, second = (refreshes[0], refreshes[-1])
    assert int(second.header("CSeq").split()[0]) == int(first.header("CSeq").split()[0]) + 1
    assert 2.0 < second.at_s - first.at_s < 4.6


@pytest.mark.interop("sipp", "session-timer", "re-invite")
def test_the_far_end_refreshes_the_session(place: Place) -> None:
    call = place("session-refreshed-by-them", "--max-talk", "1.5", wait_ms=300)
    check_answered(call)
    (answer,) = [m for m in call.received("200") if m.header("CSeq").endswith("INVITE")]
    assert answer.header("Session-Expires").startswith("1800")
    assert answer.header("Require") == "timer"


@pytest.mark.interop("sipp", "session-timer")
@pytest.mark.timeout(150)
def test_a_session_that_nobody_refreshes_ends(place: Place) -> None:
    """The least interval is 90 s, and we hang up a third of it before its end (RFC 4028 sections 4 and 10)."""
    call = place("session-expires", "--max-talk", "100", keys={"expires": "90"}, wait_ms=300, limit_s=120)
    check_answered(call)
    record = call.record
    assert record["ended_ms"] - record["answered_ms"] == pytest.approx(60_000, abs=1500)
    assert record["ended_by"] in ("us", "network")

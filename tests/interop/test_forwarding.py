"""Signs of forwarding (呼叫转移) in the signalling, against sipp."""

from __future__ import annotations

import pytest

from tests.interop.checks import check_answered
from tests.interop.conftest import Place
from tests.interop.far_media import session_description

pytestmark = pytest.mark.peer("sipp")

TALK = ("--max-talk", "1")


def kinds(record: dict) -> dict[str, str]:
    return {entry["kind"]: entry["grade"] for entry in record["forwarding"]["evidence"]}


@pytest.mark.interop("sipp", "forwarding")
def test_181_before_the_bell(place: Place) -> None:
    call = place("forwarded", *TALK, proves_forwarding=True)
    check_answered(call)
    assert call.record["forwarding"]["detected"] is True
    assert "sip_181" in kinds(call.record)
    (evidence,) = [e for e in call.record["forwarding"]["evidence"] if e["kind"] == "sip_181"]
    assert evidence["t_ms"] == call.timeline("received", status=181)[0]["t_ms"]
    assert call.record["ring_started_ms"] == call.timeline("received", status=180)[0]["t_ms"]


@pytest.mark.interop("sipp", "forwarding")
def test_history_with_a_cause_is_definitive(place: Place) -> None:
    header = (
        "History-Info: <sip:62@127.0.0.1>;index=1, "
        "<sip:13900139000@127.0.0.1;user=phone;cause=302>;index=1.1;mp=1"
    )
    call = place("ringing-with-header", *TALK, keys={"header": header}, proves_forwarding=True)
    check_answered(call)
    forwarding = call.record["forwarding"]
    assert kinds(call.record)["history_info"] == "definitive"
    assert forwarding["grade"] in ("definitive",)
    assert "13900139000" in forwarding["target"]
    assert forwarding["target_class"] == "mobile"
    assert forwarding["condition"] == "always"


@pytest.mark.interop("sipp", "forwarding")
@pytest.mark.parametrize(
    ("reason", "condition"), [("no-answer", "no_answer"), ("user-busy", "busy"), ("unconditional", "always")]
)
def test_diversion(place: Place, reason: str, condition: str) -> None:
    header = f"Diversion: <sip:62@127.0.0.1>;reason={reason};counter=1"
    call = place("ringing-with-header", *TALK, keys={"header": header}, proves_forwarding=True)
    check_answered(call)
    assert "diversion" in kinds(call.record)
    assert call.record["forwarding"]["detected"] is True
    assert call.record["forwarding"]["condition"] == condition


def test_a_plain_call_shows_no_sign(place: Place) -> None:
    call = place("answer", *TALK)
    assert call.record["forwarding"] == {
        "detected": False,
        "grade": "none",
        "target": None,
        "target_class": None,
        "condition": None,
        "evidence": [],
    }


@pytest.mark.interop("sipp", "early-media")
@pytest.mark.parametrize("permission", ["sendonly", "inactive", "sendrecv, gated"])
def test_what_the_network_says_of_early_media(place: Place, permission: str) -> None:
    """P-Early-Media (RFC 5009) is taken as it is; the call does not depend on it."""
    keys = {
        "more": f"P-Early-Media: {permission}",
        "type": "application/sdp",
        "body": session_description("@port@"),
    }
    call = place("progress-with-body", *TALK, keys=keys)
    check_answered(call)
    assert len(call.heard) > 30


@pytest.mark.interop("sipp", "reason")
def test_a_cause_in_a_183_does_not_harm_a_call_that_is_answered(place: Place) -> None:
    keys = {
        "more": 'Reason: Q.850;cause=31;text="Normal, unspecified"',
        "type": "application/sdp",
        "body": session_description("@port@"),
    }
    call = place("progress-with-body", *TALK, keys=keys)
    check_answered(call)


@pytest.mark.interop("sipp", "connected-identity")
def test_who_is_asserted_to_have_answered(place: Place) -> None:
    """P-Asserted-Identity in the 200 names another number than the one that was dialled (RFC 3325)."""
    keys = {
        "more": "P-Asserted-Identity: <tel:+8613800138000>",
        "contact": "<sip:62@[local_ip]:[local_port]>",
        "type": "application/sdp",
        "body": session_description("@port@"),
    }
    call = place("answer-with-body", *TALK, keys=keys)
    check_answered(call)
    forwarding = call.record["forwarding"]
    assert kinds(call.record) == {"asserted_identity": "strong"}
    assert (forwarding["detected"], forwarding["target_class"]) == (True, "mobile")
    assert forwarding["target"] == "+8613800138000"
    assert forwarding["evidence"][0]["t_ms"] == call.timeline("received", status=200)[0]["t_ms"]

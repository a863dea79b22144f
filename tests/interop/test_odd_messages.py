"""Messages as old exchanges and cheap gateways send them: a phone that refuses one leaves a handset off hook."""

from __future__ import annotations

import pytest

from tests.interop.checks import check_answered, check_not_answered
from tests.interop.conftest import Place

pytestmark = pytest.mark.peer("sipp")

TALK = ("--max-talk", "1")


def test_compact_and_folded_headers_without_a_reason_phrase(place: Place) -> None:
    call = place("odd-compact", *TALK, keys={"fold": "\r\n "})
    check_answered(call)
    assert call.timeline("received", status=180)[0]["reason"] in ("", None)
    assert call.record["ring_to_answer_ms"] == pytest.approx(call.gap_ms("180", "200"), abs=80)


def test_no_tag_before_the_answer(place: Place) -> None:
    call = place("odd-no-tag", *TALK)
    check_answered(call)
    assert call.record["ring_started_ms"] == call.timeline("received", status=180)[0]["t_ms"]


def test_empty_lines_before_the_status_line(place: Place) -> None:
    call = place("answer", *TALK, outward=lambda datagram: (b"\r\n\r\n" + datagram,))
    check_answered(call)
    assert call.timeline("received", status=180)


def test_keepalives_and_rubbish_between_the_messages(place: Place) -> None:
    call = place(
        "answer", *TALK, outward=lambda datagram: (b"\r\n\r\n", b"\x00", b"SIP/2.0 \xff\r\n\r\n", datagram)
    )
    check_answered(call)


def test_each_response_comes_twice(place: Place) -> None:
    call = place(
        "ring-then-refuse", keys={"final": "486 Busy Here"}, outward=lambda datagram: (datagram, datagram)
    )
    check_not_answered(call, "rejected")


def test_display_name_in_gbk(place: Place) -> None:
    """Old exchanges write 值班室 in GBK, which is not UTF-8."""
    name = 'P-Asserted-Identity: "值班室" <sip:62@127.0.0.1>'.encode("gbk")
    call = place("ringing-with-header", *TALK, keys={"header": name})
    check_answered(call)
    assert call.record["sip_status"] == 200


def test_reason_phrase_in_gbk(place: Place) -> None:
    call = place("refuse", keys={"final": "486 用户忙".encode("gbk")})
    check_not_answered(call, "busy")


def test_unreadable_headers_do_not_matter(place: Place) -> None:
    lines = "\r\n".join(
        (
            "Date: yesterday",
            "Allow: ,,,",
            "History-Info: <<>>;;cause=",
            "Reason: Q.850;cause=x",
            "Diversion: \x01",
        )
    )
    call = place("ringing-with-header", *TALK, keys={"header": lines})
    check_answered(call)
    assert call.record["forwarding"]["detected"] is False
    assert call.record["q850"] is None

"""Forwarding by ISUP and by the identity of whom the call reached, from whole messages to the verdict's evidence."""

from __future__ import annotations

import pytest

from sip.call_log import CallLog
from sip.core import Address, MessageReceived, parse_message
from sip.progress.forwarding import RoutingSign, classify_target, detect_forwarding
from sip.progress.isup import IsupMessage
from sip.record import Forwarding
from tests.unit.test_progress_isup import ACM, ANM, CPG_ALWAYS, MOBILE_NUMBER, number, optional, rel

DIALLED = "sip:05173212345@pbx.example"
THERE = Address("192.0.2.9", 5060)


def received(log: CallLog, start: str, *headers: str, body: bytes = b"", kind: str = "") -> None:
    """Give the log a message of the far side; a response answers our INVITE, a request is theirs within the call."""
    request = not start.startswith("SIP/2.0")
    ours, theirs = "<sip:4000@192.0.2.1>;tag=o", f"<{DIALLED}>;tag=t"
    method = start.split()[0] if request else "INVITE"
    lines = [
        start,
        "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1",
        *([] if any(h.startswith("From:") for h in headers) else [f"From: {theirs if request else ours}"]),
        f"To: {ours if request else theirs}",
        "Call-ID: c",
        f"CSeq: 1 {method}",
        *headers,
        *([f"Content-Type: {kind}"] if kind else []),
    ]
    message = parse_message("\r\n".join([*lines, "", ""]).encode() + body)
    log.received(MessageReceived("c", 1.0, message, THERE, False), "kernel")


def found_in(*arguments: str, **options: object) -> Forwarding:
    log = CallLog(t0=0.9)
    received(log, *arguments, **options)  # type: ignore[arg-type]
    return detect_forwarding(DIALLED, log.signs)


OK, RINGING = "SIP/2.0 200 OK", "SIP/2.0 180 Ringing"
UPDATE, REINVITE = "UPDATE sip:4000@192.0.2.1 SIP/2.0", "INVITE sip:4000@192.0.2.1 SIP/2.0"
MOBILE_FROM = "From: <sip:+8613900001811@ims.example>;tag=t"


@pytest.mark.parametrize(
    ("start", "header"),
    [
        (RINGING, f'P-Asserted-Identity: "x" <sip:+86{MOBILE_NUMBER}@ims.example;user=phone>'),
        (OK, f"P-Asserted-Identity: <sip:duty@pbx>, <tel:+86-{MOBILE_NUMBER}>"),
        (OK, f"Remote-Party-ID: <sip:{MOBILE_NUMBER}@gw>;party=called;screen=yes;privacy=off"),
        (OK, f"Remote-Party-ID: <sip:{MOBILE_NUMBER}@gw>;screen=no"),
        (UPDATE, MOBILE_FROM),
        (REINVITE, MOBILE_FROM),
        (UPDATE, f"P-Asserted-Identity: <tel:+86{MOBILE_NUMBER}>"),
    ],
)
def test_another_number_that_answers_is_strong(start: str, header: str) -> None:
    found = found_in(start, header)
    assert (found.detected, found.grade, found.target_class, found.condition) == (
        True,
        "strong",
        "mobile",
        "unknown",
    )
    (evidence,) = found.evidence
    assert evidence.kind == "asserted_identity"
    assert MOBILE_NUMBER in evidence.detail.replace("-", "")
    assert start.replace("SIP/2.0 ", "").split()[0] in evidence.detail
    assert evidence.t_ms == pytest.approx(100.0)


@pytest.mark.parametrize(
    ("start", "header"),
    [
        (OK, "P-Asserted-Identity: <sip:+865173212345@ims.example>"),
        (OK, "P-Asserted-Identity: <sip:3212345@pbx>"),
        (OK, "P-Asserted-Identity: <sip:345@pbx>"),
        (OK, f"P-Asserted-Identity: <sip:05173212345@ims>, <tel:+86{MOBILE_NUMBER}>"),
        (OK, "P-Asserted-Identity: <sip:anonymous@anonymous.invalid>"),
        (OK, "P-Asserted-Identity: <sip:pbx.example>"),
        (OK, "P-Asserted-Identity: <sip:4000@ims.example>"),
        (OK, "P-Asserted-Identity: "),
        (OK, "P-Asserted-Identity: \x01<<<"),
        (OK, "Remote-Party-ID: <sip:13900001111@gw>;party=calling"),
        (UPDATE, "X: y"),
        ("BYE sip:4000@192.0.2.1 SIP/2.0", MOBILE_FROM),
        ("ACK sip:4000@192.0.2.1 SIP/2.0", MOBILE_FROM),
    ],
)
def test_another_way_to_name_the_line_proves_nothing(start: str, header: str) -> None:
    assert found_in(start, header) == Forwarding()


def sign(*identities: str, isup: IsupMessage | None = None) -> RoutingSign:
    return RoutingSign(5.0, 200, identities=identities, isup=isup)


def test_a_name_can_be_compared_with_no_number() -> None:
    assert detect_forwarding("sip:duty@h", [sign(f"<sip:{MOBILE_NUMBER}@h>")]) == Forwarding()


def test_numbers_of_the_unit_itself_prove_nothing() -> None:
    pilot = sign("<tel:+865178888000>")
    assert detect_forwarding(DIALLED, [pilot]).grade == "strong"
    assert detect_forwarding(DIALLED, [pilot], same_unit=["0517-8888000"]) == Forwarding()
    contacts = RoutingSign(5.0, 302, contacts=("<sip:05178888000@h>",))
    assert detect_forwarding(DIALLED, [contacts], same_unit=["0517-8888000"]).target_class == "same_unit"
    assert classify_target("05178888000", ["8888000"]) == "same_unit"


def test_behind_a_switchboard_only_a_mobile_is_another_line() -> None:
    assert detect_forwarding(DIALLED, [sign("<tel:+865178888000>")], switchboard=True) == Forwarding()
    assert detect_forwarding(DIALLED, [sign(f"<tel:{MOBILE_NUMBER}>")], switchboard=True).grade == "strong"


def test_a_short_number_may_be_the_end_of_a_long_one() -> None:
    assert detect_forwarding("sip:8012@h", [sign("<tel:+865173218012>")]) == Forwarding()
    assert detect_forwarding("sip:1811@h", [sign(f"<tel:{MOBILE_NUMBER}>")]).target_class == "mobile"
    assert detect_forwarding("sip:8012@h", [sign("<sip:8013@h>")]).grade == "strong"


def test_the_redirection_number_of_an_exchange_is_definitive() -> None:
    isup = ACM + optional((0x36, b"\x12"), (0x0C, number(MOBILE_NUMBER)))
    body = b"--b\r\nContent-Type: application/isup\r\n\r\n" + isup + b"\r\n--b--\r\n"
    found = found_in("SIP/2.0 183 Session Progress", body=body, kind="multipart/mixed;boundary=b")
    assert (found.grade, found.target, found.target_class, found.condition) == (
        "definitive",
        MOBILE_NUMBER,
        "mobile",
        "no_answer",
    )
    assert [(e.kind, e.detail) for e in found.evidence] == [
        ("redirection_number", f"ISUP ACM: Redirection Number {MOBILE_NUMBER}")
    ]


def test_an_exchange_that_forwards_without_a_number() -> None:
    found = found_in("INFO sip:4000@192.0.2.1 SIP/2.0", body=CPG_ALWAYS + b"\0", kind="application/isup")
    assert (found.grade, found.target, found.condition) == ("definitive", None, "always")


def test_a_withheld_number_is_not_shown() -> None:
    isup = ACM + optional((0x0C, number(MOBILE_NUMBER)), (0x40, b"\x01"))
    found = found_in("SIP/2.0 183 x", body=isup, kind="application/isup")
    assert (found.grade, found.target) == ("definitive", None)
    assert MOBILE_NUMBER not in found.evidence[0].detail


@pytest.mark.parametrize(
    "isup",
    [
        ACM + optional((0x0C, number("5173212345"))),
        ACM + optional((0x29, b"\x02")),
        ACM + optional(),
        ANM + optional((0x21, number("5173212345"))),
        b"\xff\xff",
        b"\0",
    ],
)
def test_an_exchange_that_reaches_the_dialled_line_proves_nothing(isup: bytes) -> None:
    assert found_in("SIP/2.0 183 x", body=isup, kind="application/isup") == Forwarding()


def test_a_connected_number_is_an_identity() -> None:
    found = found_in(OK, body=ANM + optional((0x21, number(MOBILE_NUMBER))), kind="application/isup")
    assert [(e.kind, e.grade) for e in found.evidence] == [("asserted_identity", "strong")]


def test_the_strongest_evidence_names_the_target() -> None:
    log = CallLog(t0=0.9)
    received(log, OK, "P-Asserted-Identity: <tel:+865178888000>")
    received(log, OK, f"Diversion: <sip:{MOBILE_NUMBER}@h>;reason=user-busy")
    found = detect_forwarding(DIALLED, log.signs)
    assert (found.grade, found.target, found.condition) == ("definitive", MOBILE_NUMBER, "busy")
    assert [e.kind for e in found.evidence] == ["asserted_identity", "diversion"]


@pytest.mark.parametrize(
    ("reason", "body", "cause"),
    [
        ((), rel(b"\x82\x94"), 20),
        (("Reason: Q.850;cause=17",), rel(b"\x82\x94"), 17),
        ((), ACM + optional(), None),
        ((), rel(b""), None),
    ],
)
def test_the_cause_of_a_release_counts_where_no_reason_says_another(
    reason: tuple[str, ...], body: bytes, cause: int | None
) -> None:
    log = CallLog(t0=0.9)
    received(log, "SIP/2.0 480 x", *reason, body=body, kind="application/isup")
    assert log.q850 == cause
    received(log, "BYE sip:4000@192.0.2.1 SIP/2.0", body=rel(b"\x82\x90"), kind="application/isup")
    assert log.q850 == (16 if cause is None else cause)


def test_the_time_line_keeps_what_may_prove_something() -> None:
    log = CallLog(t0=0.9)
    told = ("P-Early-Media: sendonly", "RSeq: 7", "Session-Expires: 1800;refresher=uas", "Require: 100rel")
    received(log, RINGING, *told, "X-Other: y")
    headers = log.timeline[-1].fields["headers"]
    assert {f"{name}: {values[0]}" for name, values in headers.items()} == set(told)

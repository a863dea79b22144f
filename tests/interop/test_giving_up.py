"""Calls that we give up: nobody answers, nothing comes, the user interrupts; and the races of CANCEL, against sipp."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from tests.interop.checks import check_answered, check_not_answered
from tests.interop.conftest import DUTYRING, Place, run_dutyring
from tests.interop.far_media import session_description
from tests.interop.relay import Back
from tests.interop.sipp import Sipp, sipp

pytestmark = pytest.mark.peer("sipp")


@pytest.mark.interop("sipp", "cancel")
def test_nobody_answers(place: Place) -> None:
    call = place("never", "--max-ring", "2")
    check_not_answered(call, "no_answer")
    record = call.record
    assert record["ended_by"] == "us"
    assert record["ended_ms"] - record["ring_started_ms"] == pytest.approx(2000, abs=250)
    assert len(call.received("CANCEL")) == 1
    assert call.timeline("sent", method="CANCEL")
    (invite,), (cancel,), (ack,) = (call.received(name) for name in ("INVITE", "CANCEL", "ACK"))
    assert invite.header("Via") == cancel.header("Via") == ack.header("Via")


def test_only_trying(place: Place) -> None:
    call = place("trying-only", "--max-ring", "1.5")
    check_not_answered(call, "network_failure")
    assert call.record["ring_started_ms"] is None
    assert len(call.received("CANCEL")) == 1
    assert call.record["ended_ms"] == pytest.approx(1500, abs=300)


@pytest.mark.timeout(90)
def test_nothing_at_all(tmp_path: Path) -> None:
    """Timer B of RFC 3261 section 17.1.1.2: 64 * T1 = 32 s, the INVITE sent again at doubling distances."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as dead:
        dead.bind(("127.0.0.1", 0))
        dead.settimeout(0.2)
        port = dead.getsockname()[1]
        done = run_dutyring("call", f"sip:62@127.0.0.1:{port}", "--json", cwd=tmp_path)
        invites = _drain(dead)
    record = json.loads(done.stdout)
    assert done.returncode == 0
    assert record["outcome"] == "network_failure"
    assert record["sip_status"] is None
    assert record["ring_started_ms"] is None
    assert record["ended_ms"] == pytest.approx(32_000, abs=500)
    assert len(invites) == 7
    assert len(set(invites)) == 1
    assert invites[0].startswith(b"INVITE ")


def _drain(dead: socket.socket) -> list[bytes]:
    datagrams = []
    while True:
        try:
            datagrams.append(dead.recv(65_535))
        except TimeoutError:
            return datagrams


@pytest.mark.interop("sipp", "cancel")
def test_answer_crosses_our_cancel(place: Place) -> None:
    """Without ACK and BYE the duty officer's handset would stay off hook."""
    call = place("answer-crosses-cancel", "--max-ring", "1")
    check_answered(call)
    assert call.record["answered_by"] == "unknown"
    assert call.record["ended_by"] == "us"
    starts = [message.start for message in call.trace if not message.sent]
    assert starts == ["INVITE", "CANCEL", "ACK", "BYE"]


@pytest.mark.interop("sipp", "loss")
def test_each_retransmitted_answer_is_acknowledged(place: Place) -> None:
    """Two of our ACKs are lost, so sipp sends its 200 three times; the call goes on as if nothing had been."""
    acks: list[bytes] = []

    def lose_two(datagram: bytes) -> tuple[bytes, ...]:
        if datagram.startswith(b"ACK "):
            acks.append(datagram)
        return () if datagram.startswith(b"ACK ") and len(acks) < 3 else (datagram,)

    call = place("answer-unheard", "--max-talk", "3", inward=lose_two)
    check_answered(call)
    assert len(acks) == 3
    assert len(set(acks)) == 1
    assert call.record["connected_ms"] == call.timeline("received", status=200)[0]["t_ms"]
    assert call.record["ended_ms"] - call.record["answered_ms"] == pytest.approx(3000, abs=300)


@pytest.mark.interop("sipp", "loss")
def test_lost_requests_are_sent_again(place: Place) -> None:
    """The first INVITE and the first CANCEL are lost (RFC 3261 section 17.1)."""
    lost: set[bytes] = set()

    def lose_first(datagram: bytes) -> tuple[bytes, ...]:
        method = datagram.split()[0]
        first = method not in lost
        lost.add(method)
        return () if first and method != b"ACK" else (datagram,)

    call = place("never", "--max-ring", "1", inward=lose_first)
    check_not_answered(call, "no_answer")
    assert lost >= {b"INVITE", b"CANCEL"}
    assert call.timeline("sent", method="CANCEL", retransmission=True)


@pytest.mark.interop("sipp", "fork")
def test_second_of_two_early_dialogs_answers(place: Place) -> None:
    call = place("early-forks", "--max-talk", "1")
    check_answered(call)
    assert call.record["ring_to_answer_ms"] == pytest.approx(call.gap_ms("180", "200"), abs=80)


@pytest.mark.interop("sipp", "fork")
def test_extra_answer_of_a_fork_is_hung_up(place: Place) -> None:
    call = place("two-answers", "--max-talk", "2")
    check_answered(call)
    assert [message.header("To").rpartition("tag=")[2] for message in call.received("BYE")] == [
        "second",
        "first",
    ]
    assert call.record["ended_ms"] - call.record["answered_ms"] == pytest.approx(2000, abs=400)


@pytest.mark.interop("sipp", "fork")
def test_two_extra_answers_are_hung_up(place: Place) -> None:
    call = place("three-answers", "--max-talk", "2")
    check_answered(call)
    tags = [message.header("To").rpartition("tag=")[2] for message in call.received("BYE")]
    assert tags == ["second", "third", "first"]


@pytest.mark.interop("sipp", "fork")
def test_one_fork_is_over_before_the_other_answers(place: Place) -> None:
    """199 is no refusal of the call (RFC 6228)."""
    call = place("early-dialog-ended", "--max-talk", "1")
    check_answered(call)
    (bye,) = call.received("BYE")
    assert bye.header("To").endswith("tag=second")


@pytest.mark.interop("sipp", "cancel", "loss")
def test_an_answer_was_lost_before_our_cancel(place: Place) -> None:
    """The 200 does not reach us, so we give up; when it comes after all it is acknowledged and hung up."""
    lost: list[bytes] = []

    def lose_first_answers(datagram: bytes) -> tuple[bytes, ...]:
        answer = datagram.startswith(b"SIP/2.0 200") and b"INVITE" in datagram and b" CANCEL" not in datagram
        if answer and not any(b" CANCEL" in other for other in lost):
            lost.append(datagram)
            return ()
        if b" CANCEL" in datagram:
            lost.append(datagram)
        return (datagram,)

    call = place("answer-lost", "--max-ring", "2", outward=lose_first_answers, wait_ms=500)
    check_answered(call)
    assert (call.record["answered_by"], call.record["ended_by"]) == ("unknown", "us")


@pytest.mark.interop("sipp", "loss")
def test_an_answer_that_comes_eleven_times_is_acknowledged_each_time(place: Place) -> None:
    """As a far end sends it for 32 s when no ACK of ours arrives (RFC 3261 section 13.3.1.4)."""
    acks: list[bytes] = []
    answers: list[bytes] = []

    def keep(datagram: bytes) -> tuple[bytes, ...]:
        if datagram.startswith(b"SIP/2.0 200") and b" INVITE" in datagram:
            answers.append(datagram)
        return (datagram,)

    def answer_again(datagram: bytes) -> tuple[bytes, ...]:
        if not datagram.startswith(b"ACK "):
            return (datagram,)
        acks.append(datagram)
        return (datagram,) if len(acks) == 11 else (Back(answers[0]),) if len(acks) < 11 else ()

    call = place("queued", "--max-talk", "1", outward=keep, inward=answer_again, wait_ms=300)
    check_answered(call)
    assert len(acks) >= 11
    assert len(set(acks)) == 1
    assert len(call.timeline("sent", method="BYE")) == 1


@pytest.mark.interop("sipp", "cancel")
@pytest.mark.timeout(150)
def test_no_final_response_follows_the_cancel(place: Place) -> None:
    """After 64 * T1 the call is over for us all the same (RFC 3261 section 9.1)."""
    call = place("cancel-no-final", "--max-ring", "1")
    check_not_answered(call, "no_answer")
    assert call.record["ended_by"] == "us"


@pytest.mark.parametrize(("scenario", "outcome"), [("never", "cancelled"), ("answer", "cancelled")])
def test_interrupt_ends_the_call_properly(tmp_path: Path, scenario: str, outcome: str) -> None:
    """Ctrl-C while it rings gives CANCEL, after the answer BYE; the record says so."""
    keys = {"sdp": session_description(9), "header": "Server: far end"}
    with sipp(scenario, tmp_path, keys, wait_ms=300, limit_s=30) as far:
        process = subprocess.Popen(
            [DUTYRING, "call", f"sip:62@127.0.0.1:{far.port}", "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            cwd=tmp_path,
        )
        _wait_for(far, "ACK" if scenario == "answer" else "INVITE")
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=15)
        assert far.finish(5) == 0
    assert process.returncode == 0
    record = json.loads(out)
    assert record["outcome"] == outcome
    assert record["ended_by"] == "us"


def _wait_for(far: Sipp, start: str) -> None:
    deadline = time.monotonic() + 30
    while not any(message.start == start and not message.sent for message in far.trace.messages()):
        assert time.monotonic() < deadline, f"no {start} came"
        time.sleep(0.02)
    time.sleep(0.4)

"""ISUP in SIP: what an exchange says of diversion and causes, and that no bytes can break the reading."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip.core import Address
from sip.pcap import CapturedPacket, write_packets
from sip.progress.isup import IsupMessage, read_isup
from tests.peers import program

ACM = b"\x06\x16\x04"
CPG_ALERTING, CPG_BUSY, CPG_NO_REPLY, CPG_ALWAYS = (b"\x2c" + bytes([event]) for event in (1, 0x84, 5, 6))
ANM, CON = b"\x09", b"\x07\x16\x04"
MOBILE_NUMBER = "13900001811"


def number(digits: str, nature: int = 3) -> bytes:
    """An address parameter: odd/even and nature, ISDN plan, digits in halves."""
    padded = [*digits, "0"] if len(digits) % 2 else list(digits)
    halves = [int(x) for x in padded]
    octets = bytes(low | high << 4 for low, high in zip(halves[::2], halves[1::2], strict=True))
    return bytes([nature | (0x80 if len(digits) % 2 else 0), 0x10]) + octets


def optional(*parameters: tuple[int, bytes]) -> bytes:
    """The pointer to the optional part, and it."""
    if not parameters:
        return b"\0"
    return b"\x01" + b"".join(bytes([name, len(value)]) + value for name, value in parameters) + b"\0"


def rel(cause: bytes, *parameters: tuple[int, bytes]) -> bytes:
    behind = bytes([len(cause)]) + cause
    rest = optional(*parameters)
    pointer = len(behind) + 1 if rest[0] else 0
    return b"\x0c\x02" + bytes([pointer]) + behind + rest[1:]


def test_a_redirection_number_with_its_reason() -> None:
    body = ACM + optional((0x36, b"\x12"), (0x2C, b"\xfb"), (0x0C, number(MOBILE_NUMBER)))
    assert read_isup(body) == IsupMessage(
        "ACM", diverting=True, condition="no_answer", redirection_number=MOBILE_NUMBER
    )


@pytest.mark.parametrize(
    ("body", "condition"), [(CPG_BUSY, "busy"), (CPG_NO_REPLY, "no_answer"), (CPG_ALWAYS, "always")]
)
def test_a_progress_message_says_that_the_call_is_forwarded(body: bytes, condition: str) -> None:
    found = read_isup(body + optional())
    assert found == IsupMessage("CPG", diverting=True, condition=condition)


@pytest.mark.parametrize(
    ("value", "condition"),
    [(0x0A, "busy"), (0x12, "no_answer"), (0x1A, "always"), (0x22, "unknown"), (0x02, "unknown")],
)
def test_reasons_of_a_diversion(value: int, condition: str) -> None:
    found = read_isup(CPG_ALERTING + optional((0x36, bytes([value]))))
    assert found is not None
    assert (found.diverting, found.condition) == (True, condition)


@pytest.mark.parametrize(
    "body", [ACM + optional(), CPG_ALERTING + optional(), ANM + optional(), CON + optional(), ANM]
)
def test_an_ordinary_call_says_nothing(body: bytes) -> None:
    found = read_isup(body)
    assert found is not None
    assert found == IsupMessage(found.name)


def test_a_diversion_that_may_occur_is_only_that() -> None:
    assert read_isup(ACM + optional((0x29, b"\x02"))) == IsupMessage("ACM", may_divert=True)
    assert read_isup(ACM + optional((0x29, b"\x01"))) == IsupMessage("ACM")


def test_the_other_numbers_and_natures() -> None:
    body = ANM + optional(
        (0x21, number("85212345678", 4)),
        (0x0B, number("5173212345")),
        (0x28, number("3212345", 1)),
        (0x40, b"\x01"),
    )
    assert read_isup(body) == IsupMessage(
        "ANM",
        connected_number="+85212345678",
        redirecting_number="5173212345",
        original_called_number="3212345",
        redirection_restricted=True,
    )


@pytest.mark.parametrize(
    ("cause", "value"),
    [(b"\x82\x91", 17), (b"\x84\x93", 19), (b"\x02\x80\x81", 1), (b"\x82", None), (b"", None)],
)
def test_the_cause_of_a_release(cause: bytes, value: int | None) -> None:
    found = read_isup(rel(cause))
    assert found == IsupMessage("REL", cause=value)


def test_a_release_with_a_redirection_number() -> None:
    found = read_isup(rel(b"\x82\x94", (0x0C, number(MOBILE_NUMBER))))
    assert found == IsupMessage("REL", cause=20, redirection_number=MOBILE_NUMBER)


@pytest.mark.parametrize("body", [b"", b"\x01\x00", b"\xff" * 9])
def test_what_no_called_side_sends_is_nothing(body: bytes) -> None:
    assert read_isup(body) is None


@given(
    st.binary(max_size=60)
    | st.builds(bytes.__add__, st.sampled_from([ACM, ANM, b"\x0c", b"\x2c"]), st.binary())
)
def test_any_bytes_can_be_read(body: bytes) -> None:
    found = read_isup(body)
    if found is not None:
        assert found.cause is None or 0 <= found.cause < 128
        assert found.redirection_number is None or found.redirection_number.strip("+0123456789*#") == ""


@given(st.integers(0, 40))
def test_a_message_cut_off_anywhere_says_less_but_nothing_else(length: int) -> None:
    whole = ACM + optional((0x36, b"\x12"), (0x0C, number(MOBILE_NUMBER)))
    found = read_isup(whole[:length])
    if found is not None:
        assert found.condition in ("no_answer", "unknown")
        assert MOBILE_NUMBER.startswith(found.redirection_number or "")


@pytest.mark.peer("tshark")
def test_wireshark_reads_the_same(tmp_path: Path) -> None:
    """The bytes of these tests are ISUP, not only our idea of it."""
    bodies = [
        ACM + optional((0x36, b"\x12"), (0x2C, b"\xfb"), (0x0C, number(MOBILE_NUMBER))),
        CPG_NO_REPLY + optional(),
        rel(b"\x82\x94", (0x0C, number(MOBILE_NUMBER))),
        ANM + optional((0x21, number("85212345678", 4))),
    ]
    head = (
        "SIP/2.0 183 x\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@c>\r\n"
        "Call-ID: x\r\nCSeq: 1 INVITE\r\nContent-Type: application/isup;version=itu-t92+\r\nContent-Length: {}\r\n\r\n"
    )
    ends = Address("127.0.0.1", 5060), Address("127.0.0.1", 5061)
    write_packets(
        tmp_path / "isup.pcap",
        [CapturedPacket(1.0, *ends, head.format(len(body)).encode() + body) for body in bodies],
    )
    fields = "isup.message_type", "isup.redirection_number", "isup.cause_indicator", "isup.event_ind"
    done = subprocess.run(
        [program("tshark"), "-n", "-r", tmp_path / "isup.pcap", "-Y", "isup && !_ws.malformed", "-Tfields"]
        + [f"-e{name}" for name in fields],
        capture_output=True,
        text=True,
        timeout=60,
    )
    ours = [read_isup(body) for body in bodies]
    theirs = [line.split("\t") for line in done.stdout.splitlines()]
    assert [int(row[0]) for row in theirs] == [6, 44, 12, 9]
    assert [row[1].rstrip("F") for row in theirs] == [isup.redirection_number or "" for isup in ours if isup]
    assert [row[2] for row in theirs] == [str(isup.cause or "") for isup in ours if isup]
    assert theirs[1][3] == "5"

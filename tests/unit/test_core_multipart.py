"""Bodies of several parts: what SIP-I gateways and odd ones send (RFC 5621, RFC 2046)."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip.core import Message, parse_message
from sip.core.isup_body import with_isup
from tests.unit.test_core_framing import RINGING, SDP

ISUP = b"\x06\x16\x04\x00\r\n\r\n--not a boundary\r\n"


def message(body: bytes, kind: str = "multipart/mixed;boundary=b1", *headers: str) -> Message:
    lines = "\r\n".join([f"Content-Type: {kind}", *headers]).encode()
    return parse_message(RINGING.replace(b"Content-Length: 0", lines) + body)


def part(kind: str, content: bytes, *headers: str) -> bytes:
    head = "\r\n".join([f"Content-Type: {kind}", *headers] if kind else headers).encode()
    return b"--b1\r\n" + head + (b"\r\n\r\n" if head else b"\r\n") + content + b"\r\n"


END = b"--b1--\r\n"
SIP_I = part(
    "application/isup;version=chn;base=itu-t92+", ISUP, "Content-Disposition: Signal ; handling=Optional"
)


@pytest.mark.parametrize(
    "body",
    [
        SIP_I + part("application/sdp", SDP) + END,
        part("application/sdp", SDP) + SIP_I + END,
        b"This is a preamble.\r\n"
        + SIP_I
        + part("APPLICATION/SDP ; x=y", SDP, "Content-ID: <1@h>")
        + END
        + b"epilogue",
        SIP_I + part("", SDP) + END,
        (SIP_I + part("application/sdp", SDP) + END)
        .replace(b"--b1", b"--b1 \t")
        .replace(b"--b1 \t--", b"--b1--  "),
        (SIP_I + part("application/sdp", SDP.rstrip()) + END).rstrip(),
        SIP_I + part("application/sdp", base64.encodebytes(SDP), "Content-Transfer-Encoding: BASE64") + END,
        SIP_I + part("application/sdp", SDP, "Content-Length: 7", "content-disposition: session") + END,
    ],
)
def test_the_session_description_is_found_wherever_it_stands(body: bytes) -> None:
    found = message(body)
    assert found.sdp_body == SDP
    assert found.notes == []
    isup = found.part("application/isup")
    assert isup is not None
    assert isup.body == ISUP
    assert (isup.disposition, isup.handling, isup.parameters["version"]) == ("signal", "optional", "chn")


def test_bare_line_feeds() -> None:
    body = (part("text/plain", b"hello") + part("application/sdp", SDP) + END).replace(b"\r\n", b"\n")
    assert message(body).sdp_body == SDP.replace(b"\r\n", b"\n")


def test_nested_parts_stand_in_their_place() -> None:
    inner = part("application/sdp", SDP) + part("text/html", b"<p>") + END
    outer = b"--o\r\nContent-Type: text/plain\r\n\r\nfirst\r\n--o\r\n"
    outer += b"Content-Type: multipart/alternative;boundary=b1\r\n\r\n"
    found = message(outer + inner + b"\r\n--o\r\n\r\nlast\r\n--o--", 'multipart/related ; boundary="o"')
    assert [p.content_type for p in found.parts] == ["text/plain", "application/sdp", "text/html", ""]
    assert [p.body for p in found.parts][::3] == [b"first", b"last"]
    assert found.sdp_body == SDP


@pytest.mark.parametrize(
    ("body", "kind", "note"),
    [
        (SIP_I + part("application/sdp", SDP), "multipart/mixed;boundary=b1", "is not closed"),
        (SIP_I + part("application/sdp", SDP) + END, "multipart/mixed", "names no boundary"),
        (
            SIP_I + part("application/sdp", SDP) + END,
            "multipart/mixed;boundary=other",
            "without the boundary",
        ),
        (SIP_I + part("application/sdp", SDP) + END, 'multipart/mixed;boundary="', "without the boundary"),
    ],
)
def test_a_broken_boundary_is_a_note_and_no_loss(body: bytes, kind: str, note: str) -> None:
    found = message(body, kind)
    assert found.sdp_body == SDP
    assert any(note in text for text in found.notes)


@pytest.mark.parametrize(
    ("body", "kind", "types"),
    [
        (b"", "multipart/mixed;boundary=b1", []),
        (b"\r\n", "application/sdp", []),
        (b"no boundary at all", "multipart/mixed;boundary=b1", []),
        (SDP, "application/sdp", ["application/sdp"]),
        (b"x", "application/isup;version=x", ["application/isup"]),
        (b"--b1\r\n--b1\r\n\r\n--b1--", "multipart/mixed;boundary=b1", ["", ""]),
    ],
)
def test_bodies_without_much_in_them(body: bytes, kind: str, types: list[str]) -> None:
    found = message(body, kind)
    assert [p.content_type for p in found.parts] == types
    assert (found.sdp_body is not None) == (types == ["application/sdp"])


def test_a_part_that_is_not_base64_is_kept_with_a_note() -> None:
    found = message(part("text/plain", b"a", "Content-Transfer-Encoding: base64") + END)
    assert found.parts[0].body == b"a"
    assert any("base64" in note for note in found.notes)


def test_parts_within_parts_and_parts_without_number_end_somewhere() -> None:
    many = message(part("text/plain", b"x") * 500 + END)
    assert len(many.parts) == 32
    assert any("more than 32" in note for note in many.notes)
    deep = b"".join(
        b"--b%d\r\nContent-Type: multipart/mixed;boundary=b%d\r\n\r\n" % (n, n + 1) for n in range(1, 40)
    )
    found = message(deep)
    assert found.parts == ()
    assert any("too deeply" in note for note in found.notes)


@given(st.binary(max_size=200) | st.text('-b1\r\n:; ="Content-Type/mixed multipart boundary').map(str.encode))
def test_any_bytes_are_parts_or_none(body: bytes) -> None:
    for kind in ("multipart/mixed;boundary=b", "multipart/mixed", "multipart/mixed;boundary=1", "text/plain"):
        found = message(body, kind)
        assert sum(len(p.body) for p in found.parts) <= len(body)
        assert found.parts is found.parts


@given(st.binary(min_size=1, max_size=60), st.sampled_from([b"", SDP]))
def test_an_exchange_s_message_is_read_as_it_was_put_beside_the_description(isup: bytes, sdp: bytes) -> None:
    headers, body = with_isup((("Contact", "<sip:62@h>"), ("Content-Type", "application/sdp")), sdp, isup)
    assert headers[0] == ("Contact", "<sip:62@h>")
    (kind,) = [value for name, value in headers if name == "Content-Type"]
    found = message(body, kind)
    read = found.part("application/isup")
    assert read is not None
    assert read.body == isup
    assert (found.sdp_body or b"") == sdp


def test_a_boundary_that_stands_in_a_part_is_made_longer() -> None:
    isup = b"--isup-beside-sdp\r\n--isup-beside-sdp-\r\n"
    headers, body = with_isup((), SDP, isup)
    read = message(body, headers[0][1]).part("application/isup")
    assert read is not None
    assert read.body == isup

"""RFC 4475 and what gateways add to it: each message of `tests/fixtures/torture/table.toml` read and answered."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from sip.core import IncomingInvite, Malformed, Message, RemoteProtocolError, Response, parse_message
from tests.unit.test_core_network import LINE, PHONE, find, make_endpoint

FOLDER = Path(__file__).parent.parent / "fixtures" / "torture"
TABLE: list[dict[str, Any]] = tomllib.loads((FOLDER / "table.toml").read_text("utf-8"))["message"]
SECTIONS = [
    *(f"3.1.1.{n}" for n in range(1, 14)),
    *(f"3.1.2.{n}" for n in range(1, 20)),
    "3.2.1",
    *(f"3.3.{n}" for n in range(1, 16)),
    "3.4.1",
]


def messages(**wanted: Any) -> Any:
    rows = [row for row in TABLE if all(row.get(key) == value for key, value in wanted.items())]
    return pytest.mark.parametrize("row", [pytest.param(row, id=row["file"]) for row in rows])


def bytes_of(row: dict[str, Any]) -> bytes:
    return (FOLDER / f"{row['file']}.dat").read_bytes()


def value_of(message: Message, name: str) -> Any:
    """Return what a name of the table stands for."""
    special = {
        "sdp": lambda: message.sdp_body is not None,
        "parts": lambda: [part.content_type for part in message.parts],
        "body": lambda: message.body.decode(),
        "body_length": lambda: len(message.body),
        "vias": lambda: len(message.values("via")),
    }
    if name in special:
        return special[name]()
    if name.isupper() or name[:1].isupper():
        found = message.header(name)
        return "-absent-" if found is None else found
    here: Any = message
    head, _, rest = name.partition(".parameters.")
    for step in head.split("."):
        here = here[int(step)] if step.isdigit() else getattr(here, step)
    return here.parameters[rest] if rest else here


def test_every_message_of_the_rfc_is_here_once() -> None:
    assert sorted(row["section"] for row in TABLE if row["section"]) == sorted(SECTIONS)
    files = [row["file"] for row in TABLE]
    assert sorted(files) == sorted(path.stem for path in FOLDER.glob("*.dat"))
    assert len(set(files)) == len(files)


def test_where_we_are_more_patient_than_the_rfc_the_table_says_why() -> None:
    for row in TABLE:
        assert row["oddity"]
        assert len(row["why"]) > (30 if row.get("tolerated") else 10), row["file"]


@messages()
def test_what_is_read(row: dict[str, Any]) -> None:
    try:
        message = parse_message(bytes_of(row))
    except RemoteProtocolError:
        assert "values" not in row
        return
    wanted = {key: value for key, value in row.get("values", {}).items() if not key.startswith("answer.")}
    assert {key: value_of(message, key) for key in wanted} == wanted
    for name in message.field_names:
        message.addresses(name)


@messages()
def test_what_is_answered(row: dict[str, Any]) -> None:
    line = make_endpoint(LINE)
    line.receive(bytes_of(row), PHONE, 1.0)
    sent, events = line.take_datagrams(), line.take_events()
    assert [datagram.status for datagram in sent] == ([row["answer"]] if row["answer"] else [])
    assert not [event.why for event in find(events, Malformed) if event.why.startswith("internal error")]
    assert len(find(events, IncomingInvite)) == (row["answer"] == 100)
    for datagram in sent:
        wanted = {k[7:]: v for k, v in row.get("values", {}).items() if k.startswith("answer.")}
        answer = parse_answer(datagram.data)
        assert {name: answer.header(name) for name in wanted} == wanted


def parse_answer(data: bytes) -> Response:
    """Read our answer; one to a request without From and To lacks them too."""
    for name in (b"From", b"To", b"Call-ID"):
        if b"\r\n" + name + b": " not in data:
            data = data.replace(b"\r\nCSeq", b"\r\n" + name + b": <sip:none@invalid>\r\nCSeq", 1)
    if b"CSeq: 36893488147419103232" in data:
        data = data.replace(b"36893488147419103232", b"1")
    answer = parse_message(data)
    assert isinstance(answer, Response)
    return answer


@pytest.mark.parametrize("file", ["request_scalars_too_large", "unknown_version", "method_mismatch"])
def test_a_refusal_without_a_transaction_can_be_matched_by_its_sender(file: str) -> None:
    line, row = make_endpoint(LINE), next(row for row in TABLE if row["file"] == file)
    data = bytes_of(row)
    line.receive(data, PHONE, 1.0)
    (sent,) = line.take_datagrams()
    answer = sent.data.decode()
    assert sent.destination == PHONE
    for name in ("From", "Call-ID", "CSeq"):
        written = next(x for x in data.decode().split("\r\n") if x.startswith(name))
        assert f"{name}: {written.partition(':')[2].strip()}\r\n" in answer
    assert f";received={PHONE.host};rport={PHONE.port}\r\n" in answer
    assert ";branch=z9hG4bK" in answer
    to = next(line for line in answer.split("\r\n") if line.startswith("To:"))
    assert ";tag=" in to
    assert line.idle


@pytest.mark.parametrize(
    ("start", "via"),
    [
        (b"ACK sip:62@h SIP/2.0", b"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1"),
        (b"SIP/2.0 700 No", b"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1"),
        (b"INVITE sip:62@h SIP/2.0", b"X: y"),
        (b"INVITE sip:62@h SIP/2.0", b"Via: nonsense"),
        (b"hello", b"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1"),
    ],
)
def test_what_cannot_be_answered_is_not(start: bytes, via: bytes) -> None:
    line = make_endpoint(LINE)
    line.receive(start + b"\r\n" + via + b"\r\nCSeq: nonsense\r\n\r\n", PHONE, 1.0)
    assert line.take_datagrams() == []
    assert len(find(line.take_events(), Malformed)) == 1


def test_an_old_request_without_rport_is_answered_at_the_port_of_its_via() -> None:
    line = make_endpoint(LINE)
    line.receive(
        b"INVITE sip:62@h SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.77:5099;branch=z9hG4bK1\r\n\r\n", PHONE, 1.0
    )
    (sent,) = line.take_datagrams()
    assert (sent.destination.host, sent.destination.port) == (PHONE.host, 5099)
    assert b";received=192.0.2.1\r\n" in sent.data


def test_two_requests_whose_branch_is_only_the_cookie_are_told_apart() -> None:
    row = next(row for row in TABLE if row["file"] == "branch_is_only_the_cookie")
    line = make_endpoint(LINE)
    line.receive(bytes_of(row), PHONE, 1.0)
    line.receive(bytes_of(row).replace(b"duty@", b"other@"), PHONE, 1.1)
    line.receive(bytes_of(row), PHONE, 1.2)
    first, other, again = line.take_datagrams()
    assert first.data == again.data
    tags = [parse_message(datagram.data).to.tag for datagram in (first, other)]
    assert len(set(tags)) == 2
    assert [datagram.status for datagram in (first, other)] == [200, 200]


@pytest.mark.parametrize("method", ["BYE", "INVITE"])
def test_within_a_call_a_wrong_length_is_forgiven(method: str) -> None:
    """A request with a To-tag is never judged by its framing: here its call is not known, so 481, not 400."""
    line = make_endpoint(LINE)
    line.receive(
        f"{method} sip:62@h SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\n"
        f"To: <sip:62@h>;tag=2\r\nCall-ID: x\r\nCSeq: 2 {method}\r\nContent-Length: 900\r\n\r\n".encode(),
        PHONE,
        1.0,
    )
    assert [datagram.status for datagram in line.take_datagrams()] == [481]


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        (
            "Content-Type: application/x-note\r\nContent-Disposition: render;handling=optional\r\n",
            "hello",
            100,
        ),
        (
            "Content-Type: application/x-note\r\nContent-Disposition: render;handling=REQUIRED\r\n",
            "hello",
            415,
        ),
        ("Content-Type: application/sdp\r\nContent-Encoding: gzip\r\n", "v=0", 415),
        ("Content-Type: application/sdp\r\nContent-Encoding: identity\r\n", "v=0", 100),
        ("Content-Type: application/isup\r\n", "\x01", 100),
        ("Accept: application/sdp;level=1, text/html\r\n", "", 100),
        ("Accept: */*\r\n", "", 100),
        ("Accept: \r\n", "", 406),
        ("", "", 100),
    ],
)
def test_bodies_that_need_not_be_understood(headers: str, body: str, status: int) -> None:
    line = make_endpoint(LINE)
    line.receive(
        "INVITE sip:62@h SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\n"
        f"To: <sip:62@h>\r\nCall-ID: x\r\nCSeq: 2 INVITE\r\n{headers}\r\n{body}".encode(),
        PHONE,
        1.0,
    )
    assert [datagram.status for datagram in line.take_datagrams()] == [status]

"""What attackers send, and a few honest peers beside them: plain sockets, blocking, bounded in number."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

Address = tuple[str, int]
SDP = (
    "v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=audio {port} RTP/AVP 8 0 101\r\n"
    "a=rtpmap:101 telephone-event/8000\r\n"
)
PATIENCE_S = 5.0


def free_port(host: str = "127.0.0.1") -> int:
    """Return a UDP port that nobody uses now."""
    with udp(host) as probe:
        return int(probe.getsockname()[1])


def udp(host: str = "127.0.0.1") -> socket.socket:
    """Return a UDP socket on a free port of an address of 127.0.0.0/8."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((host, 0))
    sock.settimeout(PATIENCE_S)
    return sock


def tcp(target: Address, host: str = "127.0.0.1") -> socket.socket:
    """Return a TCP connection from an address of 127.0.0.0/8."""
    sock = socket.socket()
    sock.settimeout(PATIENCE_S)
    sock.bind((host, 0))
    sock.connect(target)
    return sock


def request(
    method: str,
    target: Address,
    source: Address,
    *,
    transport: str = "UDP",
    call_id: str | None = None,
    branch: str | None = None,
    to_tag: str = "",
    from_tag: str = "",
    cseq: int = 1,
    uri: str | None = None,
    headers: Iterable[str] = (),
    body: str | bytes = b"",
    length: int | None = None,
) -> bytes:
    """Return a request as a stranger would write it; what is not given is made up anew."""
    body = body.encode() if isinstance(body, str) else body
    host, port = source
    uri = uri or f"sip:62@{target[0]}:{target[1]}"
    lines = [
        f"{method} {uri} SIP/2.0",
        f"Via: SIP/2.0/{transport} {host}:{port};branch={branch or 'z9hG4bK' + secrets.token_hex(8)};rport",
        f"From: <sip:stranger@{host}>;tag={from_tag or secrets.token_hex(4)}",
        f"To: <{uri}>" + (f";tag={to_tag}" if to_tag else ""),
        f"Call-ID: {call_id or secrets.token_hex(8)}",
        f"CSeq: {cseq} {'INVITE' if method == 'ACK' else method}",
        f"Contact: <sip:stranger@{host}:{port}>",
        "Max-Forwards: 70",
        *headers,
        f"Content-Length: {len(body) if length is None else length}",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def invite(target: Address, source: Address, **values: Any) -> bytes:
    """Return an INVITE with a session description."""
    values.setdefault("body", SDP.format(host=source[0], port=9))
    return request("INVITE", target, source, headers=("Content-Type: application/sdp",), **values)


def flood(
    sock: socket.socket, target: Address, packets: Iterable[bytes], *, every: int = 50, pause_s: float = 0.004
) -> int:
    """Send packets as fast as the receiver's buffer takes them; returns how many."""
    count = 0
    for count, packet in enumerate(packets, 1):
        sock.sendto(packet, target)
        if count % every == 0:
            time.sleep(pause_s)
    return count


def answers(sock: socket.socket, quiet_s: float = 0.3) -> list[bytes]:
    """Return what has come, until nothing comes for a while."""
    found: list[bytes] = []
    sock.settimeout(quiet_s)
    try:
        while True:
            found.append(sock.recv(65_535))
    except TimeoutError:
        return found
    finally:
        sock.settimeout(PATIENCE_S)


def status(data: bytes) -> int:
    """Return the status of a response, 0 of anything else."""
    return int(data[8:11]) if data.startswith(b"SIP/2.0 ") else 0


def header(data: bytes, name: str) -> str:
    """Return the first value of a header field."""
    for line in data.partition(b"\r\n\r\n")[0].decode("utf-8", "replace").split("\r\n")[1:]:
        field, _, value = line.partition(":")
        if field.lower() == name.lower():
            return value.strip()
    raise AssertionError(f"no {name} in {data[:300]!r}")


def options(target: Address) -> int:
    """Ask whether somebody is there, as often as it takes; returns the status."""
    with udp() as sock:
        asked = request("OPTIONS", target, sock.getsockname())
        sock.settimeout(0.5)
        for _ in range(20):
            sock.sendto(asked, target)
            try:
                return status(sock.recv(65_535))
            except TimeoutError:
                continue
    return 0


def response(to: bytes, code: int, *, tag: str = "far", headers: Iterable[str] = (), body: str = "") -> bytes:
    """Return a response to a request of the phone."""
    lines = to.partition(b"\r\n\r\n")[0].decode().split("\r\n")
    kept = [line for line in lines[1:] if line.split(":")[0] in ("Via", "From", "Call-ID", "CSeq", "To")]
    kept = [
        line + f";tag={tag}" if line.startswith("To:") and tag and "tag=" not in line else line
        for line in kept
    ]
    text = "\r\n".join([f"SIP/2.0 {code} X", *kept, *headers, f"Content-Length: {len(body)}", "", body])
    return text.encode()


def whole_call(target: Address, host: str = "127.0.0.9") -> None:
    """Call the phone, be answered, acknowledge and hang up, as a trusted peer does."""
    with udp(host) as sock:
        source = sock.getsockname()
        call_id, tag = secrets.token_hex(8), secrets.token_hex(4)
        asked = invite(target, source, call_id=call_id, from_tag=tag)
        sock.settimeout(0.5)
        answer = b""
        for _ in range(20):
            if not answer:
                sock.sendto(asked, target)
            try:
                answer = sock.recv(65_535)
            except TimeoutError:
                continue
            if status(answer) >= 200:
                break
        assert status(answer) == 200, answer[:400]
        to_tag = header(answer, "To").partition("tag=")[2]
        for method, number in (("ACK", 1), ("BYE", 2)):
            sock.sendto(
                request(method, target, source, call_id=call_id, from_tag=tag, to_tag=to_tag, cseq=number),
                target,
            )
            time.sleep(0.2)
        sock.settimeout(PATIENCE_S)
        while True:
            answer = sock.recv(65_535)
            if "BYE" in header(answer, "CSeq"):
                assert status(answer) == 200
                return


def rtp(number: int, *, ssrc: int, timestamp: int, payload: bytes, kind: int = 8) -> bytes:
    """Return an RTP packet."""
    head = bytes((0x80, kind)) + (number & 0xFFFF).to_bytes(2, "big")
    return head + (timestamp & 0xFFFFFFFF).to_bytes(4, "big") + ssrc.to_bytes(4, "big") + payload


def sources(count: int) -> Iterator[str]:
    """Addresses of 127.0.0.0/8 that stand for as many attackers."""
    for number in range(count):
        yield f"127.{1 + number // 62_500}.{number // 250 % 250}.{1 + number % 250}"


def note(**figures: float) -> None:
    """Keep the figures of an attack where the environment asks for it (`DUTYRING_ATTACK_FIGURES`, a file)."""
    if path := os.environ.get("DUTYRING_ATTACK_FIGURES"):
        test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition("::")[2].rpartition(" (")[0]
        rounded = {name: round(value, 3) for name, value in figures.items()}
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"attack": test, **rounded}) + "\n")


def scaled(count: int) -> int:
    """Return a number of packets, times `DUTYRING_ATTACK_SCALE` where the environment asks for a longer form."""
    return round(count * float(os.environ.get("DUTYRING_ATTACK_SCALE", "1")))


def throw(sock: socket.socket, packet: bytes, target: Address) -> None:
    """Send a datagram; that nobody takes it there (ICMP) is no matter."""
    with contextlib.suppress(ConnectionRefusedError):
        sock.sendto(packet, target)


def _nested(depth: int, size: int) -> str:
    """Multipart in multipart, filled up with parts to a size."""
    body = "x"
    for level in range(depth):
        body = f"--b{level}\r\nContent-Type: multipart/mixed;boundary=b{level - 1}\r\n\r\n{body}\r\n--b{level}--\r\n"
    return body[:size]


_MULTIPART = "Content-Type: multipart/mixed;boundary="
BOMBS: dict[str, tuple[tuple[str, ...], str]] = {
    "a body of 60 kB": (("Content-Type: application/sdp",), "v=0\r\n" + "a=x\r\n" * 12_000),
    "one line of 60 kB": (("Content-Type: application/sdp",), "v=0\r\na=" + "x" * 60_000),
    "media of 60 kB": (("Content-Type: application/sdp",), "v=0\r\n" + "m=audio 9 RTP/AVP 8\r\n" * 2_800),
    "nested": ((_MULTIPART + "b999",), _nested(1000, 60_000)),
    "many parts": ((_MULTIPART + "b",), "--b\r\n\r\n\r\n" * 6_000),
    "parts in parts": (
        (_MULTIPART + "b",),
        "--b\r\nContent-Type: multipart/mixed;boundary=c\r\n\r\n--c\r\n" * 1_000,
    ),
    "no boundary": (("Content-Type: multipart/mixed",), ("--" + " " * 68 + " " * 1_900 + "!\r\n") * 30),
    "1,000 headers": (tuple(f"X-{number}: {number}" for number in range(1_000)), ""),
    "one header 6,000 times": (("Reason: Q.850;cause=16",) * 2_500, ""),
    "10,000 Via values": (("Via: " + ",".join(["SIP/2.0/UDP a"] * 4_000),), ""),
    "10,000 Via fields": (("v:a",) * 10_000, ""),
    "folded for ever": (("Subject: x" + "\r\n x" * 15_000,), ""),
    "quoted for ever": (('Contact: "' + "\\" * 60_000,), ""),
    "brackets": (("Record-Route: " + "<" * 60_000,), ""),
    "commas": (("Require: " + "," * 60_000,), ""),
    "parameters": (("Accept: application/sdp" + ";a=b" * 15_000,), ""),
    "digest": (("Authorization: Digest " + 'a="b",' * 10_000,), ""),
}
"""Headers and bodies that are meant to cost time or memory, each within one datagram."""

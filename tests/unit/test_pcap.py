"""Captures as Wireshark's own dissectors read them."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from sip.core import Address
from sip.media.packet_log import PacketLog, pack_log_header
from sip.pcap import CapturedPacket, write_packets
from sip.trace import CallTrace
from sip.transport import WireMessage
from tests.peers import program

CHECKSUMS = [f"-o{name}.check_checksum:TRUE" for name in ("ip", "udp", "tcp")]
FAMILIES = {4: ("192.0.2.1", "198.51.100.9"), 6: ("2001:db8::1", "2001:db8:0:1::9")}


@dataclass(frozen=True)
class Packet:
    """An entry of a media log."""

    at: float
    direction: Literal["sent", "received"]
    local: tuple[str, int]
    remote: tuple[str, int]
    data: bytes


def tshark(path: Path, *options: str) -> list[str]:
    command = [program("tshark"), "-n", "-r", path, *CHECKSUMS, *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def sdp(host: str, port: int) -> bytes:
    family = 6 if ":" in host else 4
    return (
        f"v=0\r\no=- 1 1 IN IP{family} {host}\r\ns=-\r\nc=IN IP{family} {host}\r\n"
        f"t=0 0\r\nm=audio {port} RTP/AVP 8\r\n"
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:U0VDUkVUa2V5c2VjcmV0a2V5c2VjcmV0a2V5c2Vj\r\n"
    ).encode()


def sip_message(start: str, near: Address, body: bytes) -> bytes:
    return (
        f"{start}\r\nVia: SIP/2.0/{near.transport.upper()} {near};branch=z9hG4bK1\r\nFrom: <sip:a@x>;tag=f\r\n"
        "To: <sip:62@x>;tag=t\r\nCall-ID: c1\r\nCSeq: 1 INVITE\r\n"
        'Proxy-Authorization: Digest username="u", realm="r", nonce="n", uri="sip:62@x", response="SECRET0123"\r\n'
        f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def call(near: Address, far: Address, size: int = 0) -> CallTrace:
    """A trace of an INVITE and its 200, with media on port 4000 here and 5000 there."""
    trace = CallTrace(wall_offset_s=1_795_000_000.0)
    padding = b"a=x-padding:" + b"p" * size + b"\r\n" if size else b""
    asked = sip_message("INVITE sip:62@x SIP/2.0", near, sdp(near.host, 4000) + padding)
    answered = sip_message("SIP/2.0 200 OK", near, sdp(far.host, 5000) + padding)
    trace.add(WireMessage("sent", 10.0, "kernel", asked, near, far, "c1"))
    trace.add(WireMessage("received", 10.2, "kernel", answered, near, far, "c1"))
    return trace


def rtp(near: Address, far: Address, count: int) -> Iterator[Packet]:
    for number in range(count):
        data = struct.pack("!BBHII", 0x80, 8, number, number * 160, 7) + b"\xd5" * 160
        ends = (near.host, 4000), (far.host, 5000)
        yield Packet(10.3 + number * 0.02, "sent", *ends, data)
        yield Packet(10.301 + number * 0.02, "received", *ends, data[:8] + b"\0\0\0\x09" + data[12:])


@pytest.mark.peer("tshark")
@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(
    ("transport", "port"),
    [("udp", 5060), ("udp", 34_567), ("tcp", 5060), ("tcp", 40_001), ("tls", 5061), ("tls", 7001)],
)
def test_wireshark_reads_signalling_and_sound(
    tmp_path: Path, version: int, transport: str, port: int
) -> None:
    near, far = (
        Address(host, at, transport) for host, at in zip(FAMILIES[version], (45_060, port), strict=True)
    )
    path = tmp_path / "call.pcap"
    assert call(near, far).write_pcap(path, rtp(near, far, 20)) == 42
    fields = "frame.number", "sip.Request-Line", "sip.Status-Code", "sdp.media", "sip.auth.realm"
    lines = tshark(path, "-Y", "sip", "-Tfields", *(f"-e{name}" for name in fields))
    assert [line.split("\t") for line in lines] == [
        ["1", "INVITE sip:62@x SIP/2.0", "", "audio 4000 RTP/AVP 8", '"r"'],
        ["2", "", "200", "audio 5000 RTP/AVP 8", '"r"'],
    ]
    ends = {
        tuple(line.split()) for line in tshark(path, "-Y", "rtp", "-Tfields", "-ertp.ssrc", "-eudp.dstport")
    }
    assert ends == {("0x00000007", "5000"), ("0x00000009", "4000")}
    streams = [line for line in tshark(path, "-q", "-zrtp,streams") if "g711A" in line]
    assert len(streams) == 2
    assert all(" 20 " in line and "0 (0.0%)" in line for line in streams)
    assert tshark(path, "-Y", "_ws.malformed || ip.checksum.status==0 || udp.checksum.status==0") == []
    assert (
        tshark(path, "-Y", "tcp.checksum.status==0 || tcp.analysis.flags || _ws.expert.severity==error") == []
    )
    content = path.read_bytes()
    assert b"SECRET" not in content
    assert b"U0VDUk" not in content


@pytest.mark.peer("tshark")
def test_packets_stand_at_their_time_of_day_and_in_its_order(tmp_path: Path) -> None:
    near, far = Address("127.0.0.1", 5070), Address("127.0.0.1", 5080)
    late = Packet(10.1, "sent", ("127.0.0.1", 4000), ("127.0.0.1", 5000), b"\x80\xc8\0\x01abcd")
    call(near, far).write_pcap(tmp_path / "call.pcap", [*rtp(near, far, 1), late])
    times = [float(line) for line in tshark(tmp_path / "call.pcap", "-Tfields", "-eframe.time_epoch")]
    assert times == pytest.approx([1_795_000_010.0 + s for s in (0.0, 0.1, 0.2, 0.3, 0.301)], abs=1e-5)


@pytest.mark.peer("tshark")
def test_the_log_of_the_media_engine(tmp_path: Path) -> None:
    near, far = Address("127.0.0.1", 5070), Address("127.0.0.1", 5080)
    log = PacketLog()
    log.t0 = 10.0
    for packet in rtp(near, far, 5):
        log.add(packet.at, packet.remote, packet.data, local=packet.local, sent=packet.direction == "sent")
    (tmp_path / "log").write_bytes(pack_log_header(1_795_000_010.0, 10.0) + log.take()[1])
    assert call(near, far).write_pcap(tmp_path / "call.pcap", tmp_path / "log") == 12
    lines = tshark(tmp_path / "call.pcap", "-Y", "rtp", "-Tfields", "-ertp.seq", "-eudp.srcport")
    assert lines[:3] == ["0\t4000", "0\t5000", "1\t4000"]


@pytest.mark.peer("tshark")
def test_a_message_larger_than_a_packet_over_tcp(tmp_path: Path) -> None:
    near, far = Address("127.0.0.1", 45_070, "tcp"), Address("127.0.0.1", 5060, "tcp")
    call(near, far, 70_000).write_pcap(tmp_path / "call.pcap")
    lines = tshark(tmp_path / "call.pcap", "-Y", "sip", "-Tfields", "-esip.Method", "-esip.Status-Code")
    assert lines == ["INVITE\t", "\t200"]
    assert len(tshark(tmp_path / "call.pcap")) == 4


@pytest.mark.peer("tshark")
@pytest.mark.parametrize(
    ("source", "destination"),
    [
        ("::ffff:192.0.2.1", "192.0.2.2"),
        ("fe80::1%lo", "fe80::2"),
        ("not an address", "192.0.2.2"),
        ("192.0.2.1", "::1"),
    ],
)
def test_odd_addresses_give_a_readable_capture(tmp_path: Path, source: str, destination: str) -> None:
    packet = CapturedPacket(1.0, Address(source, 5060), Address(destination, 5060), b"\r\n\r\n")
    assert write_packets(tmp_path / "odd.pcap", [packet]) == 1
    assert len(tshark(tmp_path / "odd.pcap", "-Y", "udp && !_ws.malformed && !udp.checksum.bad")) == 1


@pytest.mark.parametrize("size", [0, 1, 65_507, 70_000])
def test_the_file_holds_what_its_records_say(tmp_path: Path, size: int) -> None:
    packet = CapturedPacket(1.5, Address("::1", 1), Address("::1", 2), bytes(size))
    write_packets(tmp_path / "a.pcap", [packet, packet])
    content = (tmp_path / "a.pcap").read_bytes()
    at, records = 24, []
    while at < len(content):
        seconds, nanoseconds, kept, whole = struct.unpack_from("<IIII", content, at)
        records.append((seconds, nanoseconds, kept == whole))
        at += 16 + kept
    assert (at, records) == (len(content), [(1, 500_000_000, True)] * 2)


def test_a_folder_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="missing"):
        CallTrace().write_pcap(tmp_path / "missing" / "a.pcap")

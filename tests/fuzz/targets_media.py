"""The targets of the media side: packets of sound and of reports, and the files that are read back after a crash."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

from sip.media import PacketLogError, read_packets
from sip.media.capture import CaptureReader
from sip.media.errors import CaptureError
from sip.media.model import RemoteMedia
from sip.media.receive import Receiver
from sip.media.rtcp import Received, Reports, Sent, parse_reports
from sip.media.rtp import build, is_rtcp, parse
from sip.media.timeline import HeardMatrix, TimeLine

OURS = 0x01020304
SOURCES = (("127.0.0.1", 4000), ("127.0.0.1", 5000))
MOST_PACKETS = 24
MATRIX = HeardMatrix(2)


def _pieces(data: bytes) -> list[bytes]:
    """Cut bytes into packets: each has its length in front."""
    found = []
    while len(data) > 1 and len(found) < MOST_PACKETS:
        length = data[0]
        found.append(data[1 : 1 + length])
        data = data[1 + length :]
    return found


def rtp(data: bytes) -> None:
    """Packets of one call, the first byte of each telling its source and how late it comes."""
    line = TimeLine(MATRIX, 1)
    receiver = Receiver(line)
    receiver.connect(RemoteMedia(*SOURCES[0], telephone_event_pt=101, final=True), 0.0)
    reports = Reports()
    receiver.on_rtcp = lambda packet, source, at: reports.take(packet, OURS, at, at)
    now = 0.0
    for piece in _pieces(data):
        how, packet = piece[:1] or b"\0", piece[1:]
        now += 0.02 if how[0] < 0xF0 else (how[0] & 0x0F) * 0.1
        receiver.packet(packet, SOURCES[how[0] & 1], now, 0.0)
        _check_packet(packet)
    receiver.expire(now * 1000 + 5000)
    counts = receiver.statistics()
    used = counts.received + counts.duplicated + counts.ignored
    assert 0 <= used <= MOST_PACKETS
    assert counts.lost >= 0
    taken = line.take(round(now * 8000) + 8000)
    assert taken is None or len(taken[1]) <= round(now * 8000) + 8000


def _check_packet(data: bytes) -> None:
    found = parse(data)
    if found is None:
        return
    assert len(found.payload) <= len(data) - 12
    again = build(
        *(found.payload_type, found.sequence, found.timestamp, found.ssrc, found.payload), marker=found.marker
    )
    assert parse(again) == found


def rtcp(data: bytes) -> None:
    """A compound: reports are whole or left out, and what we build of them is read again."""
    assert isinstance(is_rtcp(data), bool)
    found = parse_reports(data)
    assert sum(len(report.blocks) for report in found) * 24 <= len(data)
    reports = Reports()
    for at, piece in enumerate(_pieces(data) or [data], 1):
        reports.take(piece, OURS, float(at), float(at))
    assert reports.remote_lost is None or reports.remote_lost >= 0
    ours = reports.build(Sent(OURS, 160, 1, 160), Received(1, 10, 2, 10, 1.5), 40.0, 1e9)
    (report,) = parse_reports(ours)
    assert report.ssrc == OURS
    assert report.blocks[0].lost == 2


def capture(data: bytes) -> None:
    """A recording that a crash left behind: every whole block of it, or that it is none."""
    try:
        reader = CaptureReader(io.BytesIO(data), Path("fuzz"))
        blocks = list(reader.blocks())
    except CaptureError:
        return
    assert sum(len(block.codes) for block in blocks) <= len(data)
    assert all(block.position >= 0 for block in blocks)


FOLDER = tempfile.TemporaryDirectory(prefix="dutyring-fuzz-")


def packets(data: bytes) -> None:
    """A log of packets, as far as it is whole."""
    path = Path(FOLDER.name) / "packets"
    path.write_bytes(data)
    try:
        found = list(read_packets(path))
    except PacketLogError:
        return
    assert sum(len(packet.data) for packet in found) <= len(data)

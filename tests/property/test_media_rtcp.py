"""No RTCP can harm, what we write is what we read, and a packet log bears any cut."""

from __future__ import annotations

import struct
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from sip.media import read_packets
from sip.media.digits import EVENT_DIGITS, DigitSender, parse_digits
from sip.media.packet_log import PacketLog, pack_log_header
from sip.media.rtcp import Received, Reports, Sent, parse_reports

words = st.integers(0, 0xFFFFFFFF)


@st.composite
def almost_rtcp(draw: st.DrawFn) -> bytes:
    """Packets whose headers are right or nearly so."""
    data = b""
    for _ in range(draw(st.integers(1, 4))):
        body = draw(st.binary(max_size=120))
        length = draw(st.one_of(st.just(len(body) // 4), st.integers(0, 0xFFFF)))
        first = 0x80 | draw(st.integers(0, 31))
        data += struct.pack("!BBH", first, draw(st.sampled_from([200, 201, 202, 203, 207])), length) + body
    return data


@settings(max_examples=500, deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=200), almost_rtcp()), max_size=5), st.floats(0, 4e9))
def test_no_datagram_can_harm(datagrams: list[bytes], wall_s: float) -> None:
    reports = Reports()
    for data in datagrams:
        for report in parse_reports(data):
            assert len(report.blocks) <= 31
        reports.take(data, 5, 1.0, wall_s)
    ours = reports.build(Sent(5, 1, 1, 1), Received(7, 9, 3, 9, 1.0), 2.0, wall_s)
    (report,) = parse_reports(ours)
    assert report.ssrc == 5
    assert reports.round_trip_ms is None or 0 <= reports.round_trip_ms < 60_000


@given(words, words, st.integers(0, 1 << 40), st.integers(0, 1 << 40), words, st.floats(0, 1e9))
def test_what_is_written_is_read(
    ssrc: int, theirs: int, expected: int, lost: int, highest: int, jitter: float
) -> None:
    reports = Reports()
    packet = reports.build(
        Sent(ssrc, 1 << 33, 1 << 33, 1 << 40),
        Received(theirs, expected, min(lost, expected), highest, jitter),
        1.0,
        1.7e9,
        bye=True,
    )
    (report,) = parse_reports(packet)
    assert len(packet) % 4 == 0
    assert report.ssrc == ssrc
    (block,) = report.blocks
    assert (block.ssrc, block.highest, block.lost) == (theirs, highest, min(lost, expected, 0x7FFFFF))


@settings(deadline=None)
@given(st.lists(st.tuples(st.binary(max_size=60), st.booleans(), st.booleans()), max_size=8), st.data())
def test_a_log_that_is_cut_yields_its_beginning(
    packets: list[tuple[bytes, bool, bool]], data: st.DataObject
) -> None:
    log = PacketLog()
    log.t0 = 10.0
    for number, (body, sent, rtcp) in enumerate(packets):
        remote = ("2001:db8::1", number) if rtcp else ("192.0.2.1", number)
        local = ("::1", 9) if rtcp else ("127.0.0.1", 9)
        log.add(10.0 + number, remote, body, local=local, sent=sent, rtcp=rtcp)
    whole = pack_log_header(1.0, 10.0) + log.take()[1]
    cut = data.draw(st.integers(0, len(whole)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        path.write_bytes(whole[:cut])
        read = list(read_packets(path))
    assert len(read) == len(packets) if cut == len(whole) else len(read) <= len(packets)
    for number, packet in enumerate(read):
        assert packet.data == packets[number][0]
        assert packet.at_ms == number * 1000
        assert (packet.direction == "sent", packet.kind == "rtcp") == packets[number][1:]


@given(
    st.text(EVENT_DIGITS + "w", min_size=1, max_size=12).filter(lambda text: text.strip("w")),
    st.lists(st.sampled_from([80, 160, 240, 320]), min_size=1, max_size=30),
    st.lists(st.booleans(), min_size=1, max_size=30),
)
def test_digits_are_sent_whole_whatever_changes_meanwhile(
    text: str, lengths: list[int], kinds: list[bool]
) -> None:
    sender = DigitSender()
    sender.add(parse_digits(text))
    began, ends, finished, tone = 0, 0, 0, 0
    for number in range(3000):
        if not sender.busy:
            break
        samples = lengths[number % len(lengths)]
        step = sender.step(samples, "PCMA", events=kinds[number % len(kinds)])
        began, ends, finished = began + step.begins, ends + step.ends, finished + step.finished
        if step.sound is not None:
            assert len(step.sound) == samples
            tone += samples
    digits = len(text.replace("w", ""))
    assert (began, ends, finished) == (digits, digits, 1)
    assert digits * 800 <= tone < digits * (800 + 320)

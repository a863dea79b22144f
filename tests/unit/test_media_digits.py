"""Digits that are sent: as RTP events and as tones, and what the recording keeps of them."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import AsyncIterator
from itertools import groupby, pairwise
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from sip.media import (
    DigitsSent,
    DtmfReceived,
    MediaEngine,
    MediaEvent,
    PlayFinished,
    RemoteMedia,
    SessionSpec,
    decode,
    encode,
    parse_digits,
    read_capture,
)
from sip.media.digits import tone_codes
from sip.media.send import Sender, Sound
from tests.unit.media_peer import Peer, tone, until

EVENTS = RemoteMedia("127.0.0.1", 4000, telephone_event_pt=96)
TONES = RemoteMedia("127.0.0.1", 4000)
Q23 = {
    "1": (697, 1209), "2": (697, 1336), "3": (697, 1477), "A": (697, 1633),
    "4": (770, 1209), "5": (770, 1336), "6": (770, 1477), "B": (770, 1633),
    "7": (852, 1209), "8": (852, 1336), "9": (852, 1477), "C": (852, 1633),
    "*": (941, 1209), "0": (941, 1336), "#": (941, 1477), "D": (941, 1633),
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "digits"), [("ww6001#", "ww6001#"), ("*abcd", "*ABCD"), ("W1", "w1"), ("0123456789*#ABCD",) * 2]
)
def test_digits_are_read(text: str, digits: str) -> None:
    assert parse_digits(text) == digits


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("12,3", "character 3 is ','"),
        ("60 01", "character 3 is ' '"),
        ("e", "character 1 is 'e'"),
        ("1\u0661", "character 2 is"),
        ("", "no digit"),
        ("ww", "no digit"),
    ],
)
def test_what_cannot_be_sent_is_named(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_digits(text)


def head(packet: bytes) -> tuple[int, bool, int, int]:
    """Payload type, marker, sequence, timestamp."""
    _, second, sequence, timestamp, _ = struct.unpack("!BBHII", packet[:12])
    return second & 0x7F, second >= 0x80, sequence, timestamp


def dialled(remote: RemoteMedia, digits: str) -> tuple[Sender, list[bytes], list[bytes]]:
    """Send digits to their end; return the packets and their sounds, after one packet of silence."""
    sender = Sender()
    sender.connect(remote)
    first = sender.packet()
    packets, sounds = [first[0]], [first[1]]
    sender.digits.add(digits)
    finished = False
    while sender.digits.busy:
        packet, sound, step = sender.digit_packet()
        packets.append(packet)
        sounds.append(sound)
        finished = step.finished
    assert finished
    return sender, packets, sounds


@pytest.mark.parametrize(("ptime_ms", "updates"), [(10, 10), (20, 5), (30, 4), (40, 3)])
def test_an_event_is_as_rfc_4733_says(ptime_ms: int, updates: int) -> None:
    remote = RemoteMedia("127.0.0.1", 4000, telephone_event_pt=96, ptime_ms=ptime_ms)
    sender, packets, _ = dialled(remote, "5")
    step = ptime_ms * 8
    heads = [head(packet) for packet in packets]
    events = [packet for packet in packets if head(packet)[0] == 96]
    bodies = [struct.unpack("!BBH", packet[12:]) for packet in events]
    assert [body[0] for body in bodies] == [5] * (updates + 2)
    assert [body[2] for body in bodies] == [step * n for n in range(1, updates + 1)] + [step * updates] * 2
    assert [body[1] >> 7 for body in bodies] == [0] * (updates - 1) + [1] * 3, "the end is sent three times"
    assert {body[1] & 0x7F for body in bodies} == {10}
    start = (heads[0][3] + step) & 0xFFFFFFFF
    assert [head(packet)[1:2] + head(packet)[3:] for packet in events] == [(True, start)] + [
        (False, start)
    ] * (updates + 1)
    assert {(b[2] - a[2]) & 0xFFFF for a, b in pairwise(heads)} == {1}
    after = head(sender.packet()[0])
    assert (after[3] - heads[0][3]) & 0xFFFFFFFF == len(packets) * step, "the sound lies where it would have"
    assert len(packets) * ptime_ms >= 200


def test_a_number_is_a_row_of_events_with_gaps_and_pauses() -> None:
    _, packets, _ = dialled(EVENTS, "w60w1")
    kinds = [(kind, len(list(run))) for kind, run in groupby(packets, lambda packet: head(packet)[0])]
    assert kinds == [(8, 26), (96, 7), (8, 3), (96, 7), (8, 28), (96, 7), (8, 3)]
    starts = [packet for packet in packets if head(packet)[0] == 96 and head(packet)[1]]
    assert [packet[12] for packet in starts] == [6, 0, 1]
    times = [head(packet)[3] for packet in starts]
    assert [(b - a) & 0xFFFFFFFF for a, b in pairwise(times)] == [1600, 5600]


@pytest.mark.parametrize("codec", ["PCMA", "PCMU"])
@pytest.mark.parametrize("digit", list(Q23))
def test_tones_are_those_of_the_keypad(digit: str, codec: str) -> None:
    codes = tone_codes(digit, "PCMA" if codec == "PCMA" else "PCMU")[:800]
    samples = decode(codes, "PCMA" if codec == "PCMA" else "PCMU").astype(float) / 32768
    spectrum = np.abs(np.fft.rfft(samples, 8000)) / 400
    low, high = Q23[digit]
    strongest = np.argsort(spectrum)[-2:]
    assert {round(float(f)) for f in strongest} <= {low - 1, low, low + 1, high - 1, high, high + 1}
    for frequency, level_dbm0 in ((low, -10), (high, -8)):
        assert 20 * np.log10(spectrum[frequency]) + 3.14 == pytest.approx(level_dbm0, abs=0.5)


def test_tones_are_sent_where_no_events_are_taken() -> None:
    _, packets, sounds = dialled(RemoteMedia("127.0.0.1", 4000, payload_type=0, codec="PCMU"), "19")
    assert {head(packet)[0] for packet in packets} == {0}
    assert [packet[12:] for packet in packets] == sounds
    silence = b"\xff" * 160
    assert [sound == silence for sound in sounds] == [True] + ([False] * 5 + [True] * 5) * 2
    assert b"".join(sounds[1:6]) == tone_codes("1", "PCMU")[:800]


def test_the_recording_of_an_event_holds_its_tone() -> None:
    _, _, sounds = dialled(EVENTS, "7")
    assert b"".join(sounds) == b"\xd5" * 160 + tone_codes("7", "PCMA")[:800] + b"\xd5" * 800


def test_a_sound_waits_for_the_digits() -> None:
    sender = Sender()
    sender.connect(EVENTS)
    sound = tone(0.06)
    sender.play(Sound(sound.tobytes()), loop=False)
    said = [sender.packet()[1]]
    sender.digits.add("1")
    packets = []
    while sender.digits.busy:
        packets.append(sender.digit_packet()[0])
    after = [sender.packet() for _ in range(2)]
    assert b"".join(said + [payload for _, payload, _ in after]) == encode(sound, "PCMA")
    marked = [number for number, packet in enumerate(packets) if head(packet)[1]]
    assert marked == [0, 7], "the event begins, and the sound after its last packet"
    assert after[-1][2]


def test_a_digit_stays_an_event_when_the_answer_changes_amid_it() -> None:
    sender = Sender()
    sender.connect(EVENTS)
    sender.digits.add("12")
    packets = [sender.digit_packet()[0]]
    sender.connect(RemoteMedia("127.0.0.1", 4000, ptime_ms=10, payload_type=0, codec="PCMU"))
    while sender.digits.busy:
        packets.append(sender.digit_packet()[0])
    kinds = [(kind, len(list(run))) for kind, run in groupby(packets, lambda packet: head(packet)[0])]
    assert kinds == [(96, 11), (0, 28)]
    bodies = [struct.unpack("!BBH", packet[12:]) for packet in packets[:11]]
    assert [body[2] for body in bodies] == [160, 240, 320, 400, 480, 560, 640, 720, 800, 800, 800]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def engine() -> AsyncIterator[MediaEngine]:
    async with await MediaEngine.start(bank=None, capacity=8) as engine:
        yield engine


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("event_pt", [101, None])
async def test_digits_of_a_call(engine: MediaEngine, tmp_path: Path, event_pt: int | None) -> None:
    """One of our own calls dials into another; both recordings have the sound where it was."""
    events: list[MediaEvent] = []
    heard: list[MediaEvent] = []
    one = await engine.open(SessionSpec("127.0.0.1", tmp_path / "one.part", analyse=False), events.append)
    two = await engine.open(SessionSpec("127.0.0.1", tmp_path / "two.part", analyse=False), heard.append)
    t0 = time.monotonic()
    for session, other in ((one, two), (two, one)):
        session.begin(t0)
        session.connect(RemoteMedia(*other.local, telephone_event_pt=event_pt, final=True))
    one.send_digits("w60")
    one.send_digits("01#")
    await until(lambda: sum(isinstance(event, DigitsSent) for event in events) == 2)
    one.play(tone(0.1))
    await until(lambda: any(isinstance(event, PlayFinished) for event in events))
    await asyncio.sleep(0.1)
    end_ms = (time.monotonic() - t0) * 1000
    await asyncio.gather(one.close(end_ms), two.close(end_ms))

    sent = [event for event in events if isinstance(event, DigitsSent)]
    assert sent[0].t_ms - sent[0].began_ms == pytest.approx(300)
    assert sent[1].t_ms - sent[1].began_ms == pytest.approx(500)
    assert sent[1].began_ms - sent[0].t_ms == pytest.approx(100)
    assert 490 < sent[0].began_ms < 900
    left = np.abs(read_capture(tmp_path / "one.part").left.astype(int)) > 1000
    loud_ms = np.nonzero(left)[0] / 8
    assert loud_ms[0] == pytest.approx(sent[0].began_ms, abs=2)
    assert loud_ms[loud_ms < sent[1].t_ms + 50][-1] == pytest.approx(sent[1].t_ms, abs=2)
    (finished,) = [event.t_ms for event in events if isinstance(event, PlayFinished)]
    assert loud_ms[-1] == pytest.approx(finished, abs=2)
    right = np.abs(read_capture(tmp_path / "two.part").right.astype(int)) > 1000
    if event_pt is not None:
        digits = [event for event in heard if isinstance(event, DtmfReceived)]
        assert "".join(digit.digit for digit in digits) == "6001#"
        assert {digit.duration_ms for digit in digits} == {100.0}
        assert digits[0].t_ms == pytest.approx(sent[0].began_ms, abs=25)
        assert not right[: round(sent[1].t_ms * 8)].any(), "events are no sound to the far side"
    else:
        assert np.nonzero(right)[0][0] / 8 == pytest.approx(sent[0].began_ms, abs=25)


@pytest.mark.asyncio(loop_scope="module")
async def test_digits_wait_for_the_answer_and_wrong_ones_are_refused(engine: MediaEngine) -> None:
    events: list[MediaEvent] = []
    session = await engine.open(SessionSpec("127.0.0.1", analyse=False), events.append)
    session.begin(time.monotonic())
    with pytest.raises(ValueError, match="character 2"):
        session.send_digits("1-2")
    session.send_digits("1")
    await asyncio.sleep(0.1)
    assert events == []
    with Peer() as peer:
        session.connect(RemoteMedia(*peer.address, telephone_event_pt=96, final=True))
        await until(lambda: any(isinstance(event, DigitsSent) for event in events))
        await session.close(1000.0)
        assert [head(packet)[0] for packet in peer.received()][:7] == [96] * 7

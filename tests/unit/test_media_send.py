"""The packets of one call, tick by tick."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from sip.media import RemoteMedia, encode
from sip.media.send import Sender, Sound
from tests.unit.media_peer import tone

FAR = RemoteMedia("127.0.0.1", 4000)


def header(packet: bytes) -> tuple[int, int, int, int, int]:
    return struct.unpack("!BBHII", packet[:12])


def ticks(sender: Sender, count: int) -> list[list[bytes]]:
    return [[sender.packet()[0] for _ in range(sender.due())] for _ in range(count)]


@pytest.mark.parametrize(
    ("ptime_ms", "pattern"),
    [(10, [1, 2, 2, 2, 2, 2]), (20, [1] * 6), (30, [1, 0, 1, 1, 0, 1]), (40, [1, 0, 1, 0, 1, 0])],
)
def test_packets_per_tick(ptime_ms: int, pattern: list[int]) -> None:
    sender = Sender()
    sender.connect(RemoteMedia("127.0.0.1", 4000, ptime_ms=ptime_ms))
    assert [len(packets) for packets in ticks(sender, 6)] == pattern


def test_sequence_and_timestamp_wrap() -> None:
    sender = Sender()
    sender.connect(FAR)
    heads = [header(packet) for packets in ticks(sender, 70_000) for packet in packets]
    sequences = np.array([head[2] for head in heads])
    assert set(np.diff(sequences) & 0xFFFF) == {1}
    assert set(np.diff([head[3] for head in heads]) & 0xFFFFFFFF) == {160}
    assert sequences.max() == 0xFFFF


def test_streams_begin_at_random() -> None:
    starts = set()
    for _ in range(8):
        sender = Sender()
        sender.connect(FAR)
        starts.add(header(sender.packet()[0])[2:])
    assert len(starts) == 8


def test_a_new_answer_keeps_the_stream() -> None:
    sender = Sender()
    sender.connect(FAR)
    first = header(sender.packet()[0])
    sender.connect(RemoteMedia("127.0.0.2", 6000, payload_type=0, codec="PCMU", final=True))
    assert sender.remote == ("127.0.0.2", 6000)
    second = header(sender.packet()[0])
    assert (second[2] - first[2]) & 0xFFFF == 1
    assert second[1] & 0x7F == 0
    assert second[4] == first[4]


def test_a_sound_that_plays_changes_its_law_with_the_answer() -> None:
    sender = Sender()
    sound = tone(0.06)
    sender.connect(FAR)
    sender.play(Sound(sound.tobytes()), loop=False)
    payloads = [sender.packet()[1]]
    sender.connect(RemoteMedia("127.0.0.1", 4000, payload_type=0, codec="PCMU"))
    payloads += [sender.packet()[1], sender.packet()[1]]
    assert payloads[0] == encode(sound[:160], "PCMA")
    assert payloads[1] + payloads[2] == encode(sound[160:], "PCMU")


def test_the_last_packet_is_filled_with_silence() -> None:
    sender = Sender()
    sender.connect(FAR)
    sender.play(Sound(tone(0.025).tobytes()), loop=False)
    packets = [sender.packet() for _ in range(3)]
    assert [ended for _, _, ended in packets] == [False, True, False]
    assert packets[1][1] == encode(tone(0.025)[160:], "PCMA") + b"\xd5" * 120
    assert packets[2][1] == b"\xd5" * 160
    assert [header(data)[1] >> 7 for data, _, _ in packets] == [1, 0, 0]


def test_a_loop_shorter_than_a_packet() -> None:
    sender = Sender()
    sender.connect(FAR)
    sound = tone(0.007)  # 56 samples
    sender.play(Sound(sound.tobytes()), loop=True)
    stream = b"".join(sender.packet()[1] for _ in range(7))
    assert stream == encode(sound, "PCMA") * 20


def test_skipped_ticks_move_the_clock_of_the_stream() -> None:
    sender = Sender()
    sender.connect(FAR)
    before = header(sender.packet()[0])
    sender.skip(10)
    after = header(sender.packet()[0])
    assert (after[3] - before[3]) & 0xFFFFFFFF == 11 * 160
    assert (after[2] - before[2]) & 0xFFFF == 1

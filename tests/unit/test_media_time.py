"""Where sound lies in a recording: far ends with wrong clocks, poor networks, pauses and new streams."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.far_clock import FarClock, Packets, Recorded, find_clicks, packets_of
from sip.media import Block, RemoteMedia, SessionSpec, encode, read_capture
from sip.media.call import Call
from sip.media.capture_header import pack_header
from sip.media.fitting import fitted
from sip.media.g711 import decode
from sip.media.outlet import Outlet
from sip.media.receive import Receiver
from sip.media.send import Sound
from sip.media.timeline import HeardMatrix, TimeLine
from tests.unit.media_peer import rtp

SECONDS = 120.0
LIMIT_MS = 20.0
FAR = ("127.0.0.1", 4000)
QUIET = 0xD5

CLOCKS = [FarClock(f"{ppm:+.0f} ppm", ppm) for ppm in (20.0, -20.0, 100.0, -100.0, 300.0, -300.0)]
NETWORKS = [
    FarClock("jitter 20, loss 1 %", 300.0, 20.0, 0.01, seed=7),
    FarClock("jitter 60, loss 5 %, fast", -300.0, 60.0, 0.05, seed=4),
    FarClock("jitter 60, loss 5 %", 50.0, 60.0, 0.05, seed=5),
]
OTHERS = [
    FarClock("pauses", 300.0, talk_s=(8.0, 13.0)),
    FarClock("pauses, fast, jitter 60", -300.0, 60.0, talk_s=(8.0, 13.0), seed=5),
    FarClock("new streams", 300.0, new_stream_s=37.0),
    FarClock("new streams, fast, jitter 30", -300.0, 30.0, new_stream_s=37.0, seed=3),
    FarClock("30 ms", 300.0, ptime_ms=30),
    FarClock("40 ms, fast", -300.0, ptime_ms=40),
    FarClock("digital silence", 300.0, noise=0.0),
    FarClock("digital silence, fast", -300.0, noise=0.0),
]
FARS = [*CLOCKS, *NETWORKS, *OTHERS]


def stereo(fars: list[FarClock], packets: list[Packets], folder: Path, *, together: bool) -> list[np.ndarray]:
    """The right channels of the recordings."""
    calls = Recorded(len(fars), folder)
    if together:
        calls.receive_together(packets)
    else:
        for row, each in enumerate(packets):
            calls.receive_one_by_one(row, each)
    return [calls.finish(row, SECONDS + 2)[:, 1] for row in range(len(fars))]


@pytest.fixture(scope="module")
def received(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Packets, np.ndarray, Path]]:
    packets = [packets_of(far, SECONDS) for far in FARS]
    folder = tmp_path_factory.mktemp("together")
    sounds = stereo(FARS, packets, folder, together=True)
    return {
        far.name: (sent, sound, folder / f"{row}.part")
        for row, (far, sent, sound) in enumerate(zip(FARS, packets, sounds, strict=True))
    }


@pytest.mark.parametrize("far", FARS, ids=lambda far: far.name)
def test_every_click_lies_where_it_belongs_and_in_one_piece(
    far: FarClock, received: dict[str, tuple[Packets, np.ndarray, Path]]
) -> None:
    sent, sound, _ = received[far.name]
    found = find_clicks(sound, sent.clicks)
    assert found.sent > 12
    assert (found.heard, found.whole) == (found.sent, found.sent)
    assert found.worst_ms(3.0) <= LIMIT_MS


@pytest.mark.parametrize("far", NETWORKS, ids=lambda far: far.name)
def test_what_was_lost_is_said_to_be_missing(
    far: FarClock, received: dict[str, tuple[Packets, np.ndarray, Path]]
) -> None:
    sent, _, path = received[far.name]
    missing = read_capture(path).missing
    lost_s = sum(end - start for start, end in sent.lost)
    assert sum(end - start for start, end in missing) / 8000 == pytest.approx(lost_s, abs=0.1)
    middles = np.array([(start + end) / 2 for start, end in missing]) / 8000
    near = [np.abs(middles - (start + end) / 2).min() for start, end in sent.lost[5:-5]]
    assert np.median(near) < 0.01


@pytest.mark.parametrize("far", [*CLOCKS, OTHERS[0]], ids=lambda far: far.name)
def test_nothing_is_missing_where_nothing_was_lost(
    far: FarClock, received: dict[str, tuple[Packets, np.ndarray, Path]]
) -> None:
    assert read_capture(received[far.name][2]).missing == ()


def test_packet_by_packet_it_is_the_same(
    received: dict[str, tuple[Packets, np.ndarray, Path]], tmp_path: Path
) -> None:
    some = [far for far in FARS if far.name in ("+300 ppm", "jitter 60, loss 5 %", "pauses", "40 ms, fast")]
    sounds = stereo(some, [received[far.name][0] for far in some], tmp_path, together=False)
    for far, sound in zip(some, sounds, strict=True):
        assert np.array_equal(sound, received[far.name][1]), far.name


# The first packets, and what comes late


class Line:
    """A receiver; the sound of a packet is one code."""

    def __init__(self) -> None:
        self.line = TimeLine(HeardMatrix(1), 0)
        self.receiver = Receiver(self.line)

    def packet(self, at_ms: float, number: int, code: int, size: int = 160, **more: int) -> None:
        self.receiver.packet(rtp(number, number * size, bytes([code]) * size, **more), FAR, at_ms / 1000, 0.0)

    def heard(self, end_ms: int) -> dict[int, tuple[float, float]]:
        taken = self.line.take(end_ms * 8)
        assert taken is not None
        sound = np.frombuffer(taken.codes, np.uint8)
        places = {
            code: np.flatnonzero(sound == code) + taken.position for code in set(sound.tolist()) - {QUIET}
        }
        return {code: (place[0] / 8, (place[-1] + 1) / 8) for code, place in places.items()}


@pytest.fixture
def line() -> Line:
    return Line()


def test_what_a_late_first_packet_misplaced_is_moved_before_anybody_reads_it(line: Line) -> None:
    line.packet(350, 0, 1)
    line.packet(352, 1, 2)
    line.packet(351, 2, 3)
    for number in range(3, 20):
        line.packet(300 + 20 * number, number, 1 + number)
    assert line.heard(900) == {1 + n: (300 + 20 * n, 320 + 20 * n) for n in range(20)}


def test_what_is_moved_never_covers_the_stream_before(line: Line) -> None:
    for number in range(5):
        line.packet(20 * number, number, 1 + number)
    line.packet(110, 5, 50, ssrc=9)
    line.packet(111, 6, 51, ssrc=9)
    line.packet(120, 7, 52, ssrc=9)
    heard = line.heard(400)
    assert {code: heard[code] for code in range(1, 6)} == {1 + n: (20 * n, 20 * n + 20) for n in range(5)}
    assert heard[50][0] >= 100


def test_a_network_that_held_400_ms_back_delivers_it_in_order(line: Line) -> None:
    for number in range(10):
        line.packet(20 * number, number, 1 + number)
    for number in range(10, 30):
        line.packet(600, number, 1 + number)
    for number in range(30, 40):
        line.packet(20 * number + 1, number, 1 + number)
    heard = line.heard(1000)
    assert set(heard) == set(range(1, 41))
    assert sorted(heard, key=lambda code: heard[code]) == list(range(1, 41))
    assert max(abs(heard[1 + n][0] - 20 * n) for n in range(40)) <= LIMIT_MS


def test_a_longer_way_is_followed_and_nothing_is_torn(line: Line) -> None:
    """From the fifth second on all packets take 45 ms longer: the line follows within the next seconds."""
    heard: list[int] = []
    for number in range(800):
        late_ms = 45 if number >= 250 else 0
        line.packet(20 * number + late_ms, number, 1 + number % 100)
        if number % 50 == 49:
            taken = line.line.take((20 * number - 400) * 8)
            heard += np.frombuffer(taken.codes, np.uint8).tolist() if taken is not None else []
    runs = [code for place, code in enumerate(heard) if not place or heard[place - 1] != code]
    codes = [code for code in runs if code != QUIET]
    assert codes == [1 + number % 100 for number in range(len(codes))], "each packet once and in one piece"
    assert line.receiver.statistics().lost == 0
    course = line.receiver.current.course() if line.receiver.current else None
    assert course is not None
    assert abs(course.position / 8 - (20 * 799 + 45)) < 8


@pytest.mark.parametrize("first_ms", [0, 20])
def test_a_digit_lies_where_sound_of_its_timestamp_would(line: Line, first_ms: int) -> None:
    """Senders differ in whether the first packet of an event tells of the 20 ms before it or of none."""
    for number in range(10):
        line.packet(100 + 20 * number, number, 1 + number)
    ended = []
    for update in range(5):
        flags = 0x8A if update == 4 else 0x0A
        payload = struct.pack("!BBH", 5, flags, 8 * (first_ms + 20 * update))
        data = rtp(10 + update, 1600, payload, pt=101, marker=not update)
        ended += line.receiver.packet(data, FAR, 0.3 + 0.02 * update, 0.0)
    assert [(digit.digit, digit.t_ms) for digit in ended] == [("5", 300.0)]


# How packets are made longer and shorter


@pytest.mark.parametrize("wanted", [1, -1, 4, -4, 60, -60, 200, -200, 700, -700])
def test_a_sound_is_changed_where_it_is_quiet(wanted: int) -> None:
    rng = np.random.default_rng(3)
    sound = rng.normal(0, 400, 160).astype(np.int16)
    sound[40:72] = (24_000 * np.cos(np.arange(32) * np.pi / 4)).astype(np.int16)
    change, codes = fitted(encode(sound, "PCMA"), wanted, "PCMA")
    assert np.sign(change) == np.sign(wanted)
    assert 1 <= abs(change) <= min(8, abs(wanted))
    assert len(codes) == 160 + change
    loud = np.flatnonzero(np.abs(decode(codes, "PCMA").astype(int)) > 8000)
    whole = np.flatnonzero(np.abs(sound.astype(int)) > 8000)
    assert loud[-1] - loud[0] == whole[-1] - whole[0], "the click is as long as it was"


@pytest.mark.parametrize("wanted", [5, -5, 400, -400])
def test_a_pause_takes_much_more(wanted: int) -> None:
    change, codes = fitted(bytes([QUIET]) * 160, wanted, "PCMA")
    assert change == max(-80, min(80, wanted))
    assert codes == bytes([QUIET]) * (160 + change)


@pytest.mark.parametrize("payload", [b"", b"\x2a", b"\x2a" * 3])
def test_a_packet_that_is_too_short_stays_as_it_is(payload: bytes) -> None:
    assert fitted(payload, -100, "PCMU") == (0, payload)


# What the capture says


def test_a_pause_of_the_far_end_is_not_missing(tmp_path: Path) -> None:
    path = tmp_path / "a.part"
    blocks = [
        Block("heard", 0, "PCMA", b"\x2a" * 160),
        Block("heard", 320, "PCMA", b"\x2a" * 160),
        Block("heard", 8000, "PCMA", b"\x2a" * 160),
        Block.pause(480, 7840),
        Block("ended", 9000),
    ]
    path.write_bytes(pack_header() + b"".join(block.pack() for block in blocks))
    capture = read_capture(path)
    assert capture.missing == ((160, 320), (7840, 8000))
    assert capture.notes == ()
    assert np.flatnonzero(capture.right).tolist() == [*range(160), *range(320, 480), *range(8000, 8160)]


# What we send


@pytest.mark.parametrize("ptime_ms", [20, 30, 40])
def test_what_we_send_lies_at_the_tick_that_sent_it(ptime_ms: int, tmp_path: Path) -> None:
    """Five minutes of ticks; the sound is told to play at known ones, and once the far side holds the call."""
    t0, ticks = 50.0, 15_000
    call = Call(0, 0, TimeLine(HeardMatrix(1), 0), SessionSpec("127.0.0.1", analyse=False))
    call.recorded = True
    call.begin(t0)
    outlet = Outlet(1, lambda *told: None, lambda call: pytest.fail("a tick failed"))
    outlet.add(call)
    remote = RemoteMedia("127.0.0.1", 9, ptime_ms=ptime_ms, final=True)
    call.connect(remote, t0)
    click = Sound(np.full(8, 30_000, np.int16).tobytes())
    played, blocks = [], []
    for tick in range(1, ticks):
        slot = t0 + tick * 0.02
        if tick in (6000, 7003):
            outlet.recall(call)
            held = RemoteMedia("127.0.0.1", 9, ptime_ms=ptime_ms, final=True, wants_sound=tick != 6000)
            call.connect(held, slot)
        if tick % 517 == 3 and not 5990 < tick < 7020:
            outlet.recall(call)
            call.sender.play(click, loop=False)
            played.append(tick * 0.02)
        outlet.run(slot)
        if tick % 25 == 0:
            outlet.collect(call)
            blocks += call.harvest(call.position(slot - 0.3))
    outlet.recall(call)
    blocks += call.last_harvest(ticks * 160)
    call.close()
    path = tmp_path / "a.part"
    path.write_bytes(pack_header() + b"".join(block.pack() for block in blocks))
    loud = np.flatnonzero(read_capture(path).left > 20_000)[::8] / 8000
    assert len(loud) == len(played)
    # With longer packets the next one, which begins to play, is due up to a tick later.
    assert np.abs(loud - np.array(played)).max() <= (0.0 if ptime_ms == 20 else 0.02) + 1e-9


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(1, 400)), max_size=12), st.integers(1, 5000))
def test_what_came_is_told_from_what_did_not(spans: list[tuple[int, int]], harvest: int) -> None:
    """Sounds with holes of any length between them, taken out in two goes."""
    line = TimeLine(HeardMatrix(1), 0)
    sound = bytearray(bytes([QUIET]) * 12_000)
    at = 0
    expected: set[int] = set()
    for gap, length in spans:
        at += gap if gap >= 160 else 0  # a shorter hole within one column has no place that could be told
        line.write(at, b"\x2a" * length)
        sound[at : at + length] = b"\x2a" * length
        expected |= set(range(at, at + length))
        at += length
    found: set[int] = set()
    for end in (harvest, 12_000):
        taken = line.take(end)
        for first, codes in taken.spans() if taken is not None else ():
            assert codes == sound[first : first + len(codes)]
            found |= set(range(first, first + len(codes)))
    assert found == expected

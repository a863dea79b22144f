"""Streams, their time line and their counts, packet by packet on a made-up clock."""

from __future__ import annotations

import gc
from dataclasses import replace

import numpy as np
import pytest

from sip.media.model import RemoteMedia
from sip.media.receive import Receiver
from sip.media.stream import Stream
from sip.media.timeline import HeardMatrix, TimeLine
from tests.unit.media_peer import rtp

A = ("127.0.0.1", 4000)
B = ("127.0.0.1", 5000)
C = ("127.0.0.1", 6000)
SILENCE = 0xD5


class Line:
    """A receiver with its time line; sound of a packet is one code, so that it can be recognised."""

    def __init__(self) -> None:
        self.matrix = HeardMatrix(2)
        self.line = TimeLine(self.matrix, 1)
        self.receiver = Receiver(self.line)

    def packet(
        self, at_ms: float, sequence: int, timestamp: int, code: int, source: tuple[str, int] = A, **more: int
    ) -> None:
        self.receiver.packet(rtp(sequence, timestamp, bytes([code]) * 160, **more), source, at_ms / 1000, 0.0)

    def sound(self, end_ms: int) -> np.ndarray:
        taken = self.line.take(end_ms * 8)
        sound = np.full(end_ms * 8, SILENCE, np.uint8)
        if taken is not None:
            sound[taken[0] : taken[0] + len(taken[1])] = np.frombuffer(taken[1], np.uint8)
        return sound

    def heard(self, end_ms: int) -> dict[int, tuple[float, float]]:
        """Return each code's (start, end) in milliseconds."""
        sound = self.sound(end_ms)
        places = {code: np.nonzero(sound == code)[0] for code in set(sound.tolist()) - {SILENCE}}
        return {code: (place[0] / 8, (place[-1] + 1) / 8) for code, place in places.items()}

    def present(self, columns: int) -> list[bool]:
        rows = np.full(columns, 1)
        came = self.matrix.column(rows, np.arange(columns))[1]
        assert (came.all(axis=1) == came.any(axis=1)).all()
        return came.all(axis=1).tolist()


def test_a_stream_lies_where_its_timestamps_say_from_its_first_arrival() -> None:
    line = Line()
    line.packet(50, 1, 9000, 1)
    line.packet(75, 2, 9160, 2)  # 5 ms late
    line.packet(88, 3, 9320, 3)  # 2 ms early
    assert line.heard(200) == {1: (50, 70), 2: (70, 90), 3: (90, 110)}


def test_sequence_and_timestamp_wrap_without_a_seam() -> None:
    line = Line()
    for step in range(6):
        line.packet(20 * step, 0xFFFD + step & 0xFFFF, 0xFFFFFF00 + 160 * step & 0xFFFFFFFF, step + 1)
    assert line.heard(200) == {step + 1: (20 * step, 20 * step + 20) for step in range(6)}
    assert line.receiver.statistics().lost == 0
    assert line.receiver.statistics().received == 6


def test_reordered_and_duplicated_packets_fill_their_places() -> None:
    line = Line()
    line.packet(0, 1, 0, 1)
    line.packet(40, 3, 320, 3)
    line.packet(41, 2, 160, 2)
    line.packet(42, 2, 160, 9)
    line.packet(60, 4, 480, 4)
    counts = line.receiver.statistics()
    assert (counts.received, counts.lost, counts.reordered, counts.duplicated) == (4, 0, 1, 1)
    assert line.heard(200) == {1: (0, 20), 2: (20, 40), 3: (40, 60), 4: (60, 80)}


def test_a_gap_is_lost_silent_and_not_present() -> None:
    line = Line()
    line.packet(0, 1, 0, 1)
    line.packet(60, 4, 480, 4)
    assert line.present(4) == [True, False, False, True]
    assert line.receiver.statistics().lost == 2
    assert line.heard(200) == {1: (0, 20), 4: (60, 80)}


def test_silence_suppression_is_no_loss_and_counts_as_present() -> None:
    line = Line()
    line.packet(0, 1, 0, 1)
    line.receiver.packet(rtp(2, 160, b"\x40", pt=13), A, 0.02, 0.0)
    assert line.present(5) == [True] * 5
    line.packet(500, 3, 4000, 3, marker=True)
    assert line.receiver.statistics().lost == 0
    assert line.heard(600) == {1: (0, 20), 3: (500, 520)}
    assert line.present(30)[27:] == [False] * 3


def test_a_pause_whose_timestamps_stood_still_is_anchored_by_arrival() -> None:
    line = Line()
    line.packet(0, 1, 0, 1)
    line.packet(900, 2, 160, 2)
    line.packet(920, 3, 320, 3)
    assert line.heard(1000) == {1: (0, 20), 2: (900, 920), 3: (920, 940)}


def test_a_short_pause_with_a_marker_is_anchored_by_arrival() -> None:
    line = Line()
    line.packet(0, 1, 0, 1)
    line.packet(150, 2, 160, 2, marker=True)
    assert line.heard(300) == {1: (0, 20), 2: (150, 170)}


def test_a_timestamp_jump_is_anchored_by_arrival() -> None:
    line = Line()
    line.packet(0, 1, 0, 1)
    line.packet(20, 2, 900_000, 2)
    line.packet(40, 3, 900_160, 3)
    line.packet(60, 4, 77, 4)
    assert line.heard(200) == {1: (0, 20), 2: (20, 40), 3: (40, 60), 4: (60, 80)}


def test_a_new_ssrc_is_a_new_stream_and_the_newest_wins() -> None:
    line = Line()
    line.packet(0, 1, 0, 1)
    line.packet(20, 900, 5_000_000, 2, ssrc=5)
    line.packet(25, 2, 160, 3)  # the old one goes on
    line.packet(40, 901, 5_000_160, 4, ssrc=5)
    counts = line.receiver.statistics()
    line.packet(45, 3, 320, 5)
    assert line.heard(200) == {1: (0, 20), 2: (20, 40), 4: (40, 60)}
    assert (counts.received, counts.lost, counts.ignored) == (4, 0, 0)
    assert line.receiver.statistics().ignored == 1


def test_an_older_stream_comes_back_when_the_newer_one_is_quiet() -> None:
    line = Line()
    line.packet(0, 1, 0, 1)
    line.packet(20, 900, 5_000_000, 2, ssrc=5)
    line.packet(40, 901, 5_000_160, 3, ssrc=5)
    line.packet(400, 2, 3200, 4)
    assert line.heard(500) == {1: (0, 20), 2: (20, 40), 3: (40, 60), 4: (400, 420)}


def test_a_stray_packet_of_another_stream_mutes_nothing() -> None:
    line = Line()
    for number in range(10):
        line.packet(20 * number, number, 160 * number, 1 + number)
        if number in (3, 6):
            line.packet(20 * number + 5, 900 + number, 77, 99, ssrc=5)
    counts = line.receiver.statistics()
    assert line.heard(300) == {1 + n: (20 * n, 20 * n + 20) for n in range(10)}
    assert (counts.received, counts.lost, counts.ignored) == (10, 0, 2)


def test_a_stray_packet_in_a_gap_mutes_nothing_after_it() -> None:
    line = Line()
    line.packet(0, 1, 0, 1)
    line.packet(20, 2, 160, 2)
    line.packet(90, 900, 77, 9, ssrc=5)
    line.packet(120, 7, 960, 3)
    line.packet(140, 8, 1120, 4)
    assert line.heard(300) == {1: (0, 20), 2: (20, 40), 9: (90, 110), 3: (120, 140), 4: (140, 160)}


def test_a_change_of_ssrc_in_a_running_stream_has_no_seam() -> None:
    line = Line()
    for number in range(5):
        line.packet(20 * number, number, 160 * number, 1 + number)
    for number in range(5, 10):
        line.packet(20 * number, 7000 + number, 160 * number + 999, 1 + number, ssrc=5)
    counts = line.receiver.statistics()
    assert line.heard(300) == {1 + n: (20 * n, 20 * n + 20) for n in range(10)}
    assert (counts.received, counts.lost, counts.ignored) == (10, 0, 0)


def test_a_source_that_makes_up_streams_is_forgotten_in_time() -> None:
    """Every one of its packets has an SSRC of its own; losses of the forgotten ones stay counted."""
    line = Line()
    line.packet(0, 1, 0, 1)
    line.packet(20, 4, 480, 1)
    for number in range(1, 500):
        line.packet(300 * number, 1, 0, 2, ssrc=1000 + number)
        line.line.floor = 2400 * number // 160 * 160
    counts = line.receiver.statistics()
    assert (counts.received, counts.lost) == (501, 2)
    held = [o for o in gc.get_objects() if isinstance(o, Stream)]
    assert len(held) < 50


@pytest.mark.parametrize(
    ("sounds", "packets", "pause_ms"),
    [(14, 35, 0), (14, 35, 600), (20, 3, 0), (3, 101, 0), (3, 102, 0), (2, 160, 0), (2, 101, 900)],
)
@pytest.mark.parametrize("start", [100, 0xFFF0])
def test_a_recording_sent_again_and_again_is_heard_whole(
    sounds: int, packets: int, pause_ms: int, start: int
) -> None:
    line = Line()
    length_ms = 20 * packets + pause_ms
    expected: dict[int, float] = {}
    heard: dict[int, float] = {}
    for sound in range(sounds):
        for number in range(packets):
            at_ms = sound * length_ms + 20 * number
            code = 1 + (sound * packets + number) % 200
            line.packet(at_ms, start + number, 1000 + 160 * number, code)
            expected[at_ms] = code
            behind = at_ms // 20 * 160 - 800
            if behind > line.line.floor and (taken := line.line.take(behind)) is not None:
                heard |= {(taken[0] + n) / 8: taken[1][n] for n in range(0, len(taken[1]), 160)}
    taken = line.line.take(sounds * length_ms * 8)
    assert taken is not None
    heard |= {(taken[0] + n) / 8: taken[1][n] for n in range(0, len(taken[1]), 160)}
    counts = line.receiver.statistics()
    assert {at_ms: code for at_ms, code in heard.items() if code != SILENCE} == expected
    assert (counts.received, counts.lost, counts.duplicated) == (sounds * packets, 0, 0)


def test_another_recording_under_numbers_just_before_the_last_is_heard() -> None:
    line = Line()
    for number in range(20):
        line.packet(20 * number, 500 + number, 160 * number, 1 + number)
    for number in range(20, 60):
        line.packet(20 * number, 450 + number, 5000 + 160 * number, 1 + number)
    assert line.heard(1500) == {1 + n: (20 * n, 20 * n + 20) for n in range(60)}
    assert line.receiver.statistics().ignored == 0


def test_a_burst_that_a_network_delivers_twice_is_duplicates() -> None:
    line = Line()
    for number in range(6):
        line.packet(20 * number, number, 160 * number, 1 + number)
    for number in range(6):
        line.packet(101 + number, number, 160 * number, 99)
    for number in range(6, 9):
        line.packet(20 * number, number, 160 * number, 1 + number)
    counts = line.receiver.statistics()
    assert line.heard(300) == {1 + n: (20 * n, 20 * n + 20) for n in range(9)}
    assert (counts.received, counts.duplicated) == (9, 6)


def test_a_path_that_delivers_everything_twice_adds_duplicates_alone() -> None:
    line = Line()
    for number in range(50):
        line.packet(20 * number, number, 160 * number, 1 + number)
        if number >= 5:
            line.packet(20 * number + 3, number - 5, 160 * (number - 5), 99)
    counts = line.receiver.statistics()
    assert line.heard(1100) == {1 + n: (20 * n, 20 * n + 20) for n in range(50)}
    assert (counts.received, counts.duplicated, counts.lost) == (50, 45, 0)


@pytest.mark.parametrize("drift_ppm", [2000, -2000])
def test_a_clock_that_drifts_is_followed(drift_ppm: int) -> None:
    """A clock 0.2 % off is 120 ms off after a minute; arrivals and time line stay within 60 ms."""
    line = Line()
    worst = 0.0
    for number in range(3000):
        at_ms = number * 20 * (1 + drift_ppm / 1e6)
        line.packet(at_ms, number & 0xFFFF, number * 160, 1 + number % 2)
        if number % 100 == 99:
            taken = line.line.take(round(at_ms * 8) + 8000)
            assert taken is not None
            last = np.nonzero(np.frombuffer(taken[1], np.uint8) == 1 + number % 2)[0][-1]
            worst = max(worst, abs((taken[0] + last + 1) / 8 - 20 - at_ms))
            line.line.floor = round(at_ms * 8) // 160 * 160
    assert worst < 60
    assert line.receiver.statistics().lost == 0


def test_packets_of_one_burst_lie_behind_each_other() -> None:
    """A network that held 100 ms back delivers it at once; the sound still lies where it belongs."""
    line = Line()
    for number in range(5):
        line.packet(20 * number, number, 160 * number, 1 + number)
    for number in range(5, 10):
        line.packet(185, number, 160 * number, 1 + number)
    assert line.heard(400) == {1 + n: (20 * n, 20 * n + 20) for n in range(10)}


def test_jitter_is_that_of_rfc_3550() -> None:
    line = Line()
    expected, arrivals = 0.0, [0, 25, 40, 66, 80, 99]
    for number, at_ms in enumerate(arrivals):
        line.packet(at_ms, number, 160 * number, 1)
        if number:
            change = abs(at_ms - arrivals[number - 1] - 20)
            expected += (change - expected) / 16
    assert line.receiver.statistics().jitter_ms == pytest.approx(expected)


def test_mu_law_is_heard_as_mu_law_and_laws_may_change() -> None:
    line = Line()
    line.packet(0, 1, 0, 0x80, pt=0)
    pcm, _ = line.matrix.column(np.array([1]), np.array([0]))
    assert pcm[0, 0] == pytest.approx(32124 / 32768)
    line.packet(20, 2, 160, 0xAA, pt=8)
    pcm, _ = line.matrix.column(np.array([1, 1]), np.array([0, 1]))
    assert pcm[0, 0] == pytest.approx(32256 / 32768)
    assert pcm[1, 0] == pytest.approx(32256 / 32768)
    assert line.receiver.statistics().codec == "PCMA"


def test_before_the_answer_the_newest_source_is_heard() -> None:
    line = Line()
    line.packet(0, 1, 0, 1, A)
    line.packet(20, 50, 0, 2, B, ssrc=8)
    line.packet(40, 51, 160, 3, B, ssrc=8)
    assert line.heard(100) == {1: (0, 20), 2: (20, 40), 3: (40, 60)}
    assert line.receiver.statistics().ignored == 0


def test_after_the_answer_only_the_answered_dialog_is_heard() -> None:
    line = Line()
    line.receiver.connect(RemoteMedia(*A))
    line.receiver.connect(RemoteMedia(*B))
    line.packet(0, 1, 0, 1, A)
    line.receiver.connect(RemoteMedia(*B, final=True))
    line.packet(20, 2, 160, 2, A)
    line.packet(40, 70, 0, 3, B, ssrc=8)
    line.packet(60, 3, 480, 4, A)
    line.packet(60, 9, 480, 5, C, ssrc=9)
    assert line.heard(100) == {1: (0, 20), 3: (40, 60)}
    assert line.receiver.statistics().ignored == 3
    assert line.receiver.statistics().lost == 0


def test_a_source_behind_nat_is_latched_after_the_answer() -> None:
    line = Line()
    line.receiver.connect(RemoteMedia("10.0.0.1", 4000, final=True))
    line.packet(0, 1, 0, 1, A)
    line.packet(20, 1, 0, 2, B, ssrc=8)
    line.packet(40, 2, 320, 3, A)
    assert line.heard(100) == {1: (0, 20), 3: (40, 60)}
    assert line.receiver.statistics().ignored == 1


def test_the_address_of_the_answer_beats_a_latched_source() -> None:
    line = Line()
    line.receiver.connect(RemoteMedia(*B, final=True))
    line.packet(0, 1, 0, 1, A)
    line.packet(300, 1, 0, 2, B, ssrc=8)
    line.packet(320, 2, 2560, 3, A)
    assert line.heard(400) == {1: (0, 20), 2: (300, 320)}


EARLY = RemoteMedia(*A, dialog="one")
SAME_HOST = ("127.0.0.1", 4100)
ELSEWHERE = ("192.0.2.9", 4000)


def stream(
    line: Line, source: tuple[str, int], ssrc: int, span_ms: tuple[int, int], code: int, first: int = 0
) -> None:
    for number, at_ms in enumerate(range(*span_ms, 20), first):
        line.packet(at_ms, number, 160 * number, code, source, ssrc=ssrc)


@pytest.mark.parametrize("source", [SAME_HOST, ELSEWHERE])
def test_the_answered_dialog_is_heard_from_wherever_it_goes_on(source: tuple[str, int]) -> None:
    """183 and 200 name the same port, and the voice comes from another one."""
    line = Line()
    line.receiver.connect(EARLY)
    stream(line, A, 1, (0, 400), 1)
    line.receiver.connect(replace(EARLY, final=True))
    stream(line, source, 2, (400, 1000), 2)
    heard = line.heard(1200)
    assert heard[1] == (0, 400)
    assert heard[2][0] <= 600
    assert heard[2][1] == 1000


def test_the_old_address_of_the_answered_dialog_stays_its_own() -> None:
    """The 200 names a new port, and the sound keeps coming from the old one."""
    line = Line()
    line.receiver.connect(EARLY)
    stream(line, A, 1, (0, 400), 1)
    line.receiver.connect(RemoteMedia(*B, dialog="one", final=True))
    stream(line, A, 1, (400, 800), 2, first=20)
    stream(line, B, 2, (800, 1000), 3)
    assert line.heard(1200) == {1: (0, 400), 2: (400, 800), 3: (800, 1000)}


def test_the_old_address_of_the_answered_dialog_may_speak_first_after_the_answer() -> None:
    line = Line()
    line.receiver.connect(EARLY)
    line.receiver.connect(RemoteMedia(*B, dialog="one", final=True))
    stream(line, A, 1, (400, 800), 1)
    assert line.heard(1000) == {1: (400, 800)}


def test_another_dialog_is_never_heard_after_the_answer() -> None:
    line = Line()
    line.receiver.connect(EARLY)
    line.receiver.connect(RemoteMedia(*B, dialog="two"))
    stream(line, B, 2, (0, 400), 2)
    line.receiver.connect(replace(EARLY, final=True))
    stream(line, B, 2, (400, 1000), 3, first=20)
    assert line.heard(1200) == {2: (0, 400)}
    assert line.receiver.statistics().ignored == 30
    assert line.receiver.statistics().jitter_ms is not None


def test_a_port_that_two_dialogs_share_is_the_answered_ones() -> None:
    line = Line()
    line.receiver.connect(EARLY)
    line.receiver.connect(RemoteMedia(*A, dialog="two"))
    line.receiver.connect(RemoteMedia(*B, dialog="two", final=True))
    stream(line, A, 1, (0, 200), 1)
    assert line.heard(400) == {1: (0, 200)}


@pytest.mark.parametrize("source", [SAME_HOST, ELSEWHERE])
def test_nobody_takes_over_a_stream_that_is_heard(source: tuple[str, int]) -> None:
    line = Line()
    line.receiver.connect(replace(EARLY, final=True))
    for number in range(50):
        line.packet(20 * number, number, 160 * number, 1, A)
        line.packet(20 * number + 1, number, 160 * number, 2, source, ssrc=2)
    assert line.heard(1200) == {1: (0, 1000)}
    assert line.receiver.statistics().ignored == 50


def test_the_port_of_the_answer_takes_its_call_back() -> None:
    """Somebody else came in while it was quiet."""
    line = Line()
    line.receiver.connect(replace(EARLY, final=True))
    stream(line, A, 1, (0, 200), 1)
    stream(line, ELSEWHERE, 2, (500, 700), 2)
    for number in range(10):
        line.packet(700 + 20 * number, 35 + number, 160 * (35 + number), 3, A, ssrc=1)
        line.packet(701 + 20 * number, 10 + number, 160 * (10 + number), 4, ELSEWHERE, ssrc=2)
    heard = line.heard(1000)
    assert heard[3] == (700, 900)
    assert heard[2][1] <= 700


def test_a_second_answer_may_move_the_media() -> None:
    line = Line()
    line.receiver.connect(RemoteMedia(*A, final=True))
    stream(line, A, 1, (0, 200), 1)
    line.receiver.connect(RemoteMedia(*B, final=True))
    stream(line, A, 1, (200, 400), 2, first=10)
    stream(line, B, 2, (400, 600), 3)
    assert line.heard(800) == {1: (0, 200), 2: (200, 400), 3: (400, 600)}


def test_an_address_is_the_same_however_it_is_written() -> None:
    line = Line()
    line.receiver.connect(RemoteMedia("2001:DB8:0::1", 4000, dialog="one"))
    line.receiver.connect(RemoteMedia(*B, dialog="two", final=True))
    stream(line, ("2001:db8::1", 4000), 1, (0, 200), 1)
    assert line.heard(400) == {}


def test_header_extensions_csrcs_and_padding_are_not_sound() -> None:
    line = Line()
    head = rtp(1, 0, b"")
    extended = bytes([0x80 | 0x10 | 0x20 | 2]) + head[1:] + bytes(8) + b"\xbe\xde\x00\x01" + bytes(4)
    line.receiver.packet(extended + b"\x01" * 160 + b"\x00\x00\x03", A, 0.0, 0.0)
    assert line.heard(100) == {1: (0, 20)}


def test_a_sequence_that_starts_anew_loses_nothing() -> None:
    line = Line()
    line.packet(0, 1000, 0, 1)
    line.packet(20, 40000, 160, 2)
    line.packet(40, 40001, 320, 3)
    line.packet(60, 40002, 480, 4)
    counts = line.receiver.statistics()
    assert (counts.received, counts.lost, counts.ignored) == (4, 0, 0)
    assert line.heard(100) == {1: (0, 20), 2: (20, 40), 3: (40, 60), 4: (60, 80)}


def test_one_packet_with_a_number_from_elsewhere_is_ignored() -> None:
    line = Line()
    line.packet(0, 1000, 0, 1)
    line.packet(10, 40000, 160, 9)
    line.packet(20, 1001, 160, 2)
    line.packet(40, 1002, 320, 3)
    counts = line.receiver.statistics()
    assert (counts.received, counts.lost, counts.ignored) == (3, 0, 1)
    assert line.heard(100) == {1: (0, 20), 2: (20, 40), 3: (40, 60)}


def test_an_unknown_payload_type_is_ignored_without_a_loss() -> None:
    line = Line()
    line.packet(0, 1, 0, 1)
    line.packet(20, 2, 160, 2, pt=97)
    line.packet(40, 3, 320, 3)
    counts = line.receiver.statistics()
    assert (counts.received, counts.lost, counts.ignored) == (2, 0, 1)


def test_the_ring_turns_over() -> None:
    """Five seconds are in the ring; a call lasts longer."""
    line = Line()
    for number in range(1000):
        line.packet(number * 20, number, number * 160, 1 + number % 100)
        if number % 25 == 24:
            taken = line.line.take(number * 160)
            assert taken is not None
            first = taken[0] // 160
            expected = b"".join(bytes([1 + n % 100]) * 160 for n in range(first, number))
            assert taken[1] == expected

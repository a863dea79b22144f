"""What a caller hears on the simulated lines, in real time, decoded from the RTP that arrives."""

import asyncio
import io
import itertools
import struct
from dataclasses import dataclass

import numpy as np
import pytest
import pytest_asyncio
import soundfile

from sip.simulator import RATE_HZ, Simulator, level_dbm0, sound

from .test_simulator_calls import calling

LISTEN_S = {"61": 6.5, "90": 6.0, "95": 10.5, "91": 10.5, "31": 5.5, "87": 3.5, "93": 9.5, "96": 14.5}
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("simulator_line_sound")]


@dataclass
class LineSound:
    """The stream of one call; times in seconds from its first packet."""

    samples: np.ndarray
    first_s: float
    """Monotonic."""
    answered_s: float | None
    """From the first packet."""
    ringing_s: float | None
    gaps: int
    """Packets missing in the sequence."""
    payload_types: set
    ended: object

    def between(self, start_s, end_s):
        return self.samples[round(max(0, start_s) * RATE_HZ) : round(end_s * RATE_HZ)]

    def bursts(self, floor_dbm0=-30.0):
        """(start, end) of what is louder than the floor, by 10 ms frames; pauses under 60 ms are bridged."""
        frames = self.samples[: len(self.samples) // 80 * 80].reshape(-1, 80)
        loud = np.array([level_dbm0(frame) > floor_dbm0 for frame in frames])
        edges = np.flatnonzero(np.diff(np.concatenate(([0], loud.astype(int), [0])))).reshape(-1, 2) / 100
        joined = []
        for start, end in edges:
            if joined and start - joined[-1][1] < 0.06:
                joined[-1][1] = end
            else:
                joined.append([start, end])
        return joined


def decode(heard):
    """Place the A-law of every packet by its RTP timestamp."""
    numbers, types, parts = [], set(), {}
    for _, packet in heard.packets:
        kind, number, stamp = struct.unpack_from("!BHI", packet, 1)
        numbers.append(number)
        types.add(kind & 0x7F)
        parts[stamp] = packet[12:]
    first = min(parts)
    alaw = bytearray(b"\xd5" * (max(parts) - first + 160))
    for stamp, payload in parts.items():
        alaw[stamp - first : stamp - first + len(payload)] = payload
    samples, _ = soundfile.read(
        io.BytesIO(bytes(alaw)), dtype="int16", channels=1, samplerate=RATE_HZ, format="RAW", subtype="ALAW"
    )
    missing = (numbers[-1] - numbers[0]) % 65536 + 1 - len(set(numbers))
    return samples, types, missing


async def listen(simulator, extension, seconds):
    async with calling(simulator, extension) as caller:
        await caller.until(
            lambda seen: seen.ended or seen.rejected, seconds + 1
        ) if extension == "96" else None
        if extension != "96":
            await asyncio.sleep(seconds)
        seen = await caller.finish(cancel=caller.seen.answered is None)
    samples, types, missing = decode(seen.heard)
    first_s = seen.heard.packets[0][0]
    ringing = [at - first_s for at, event in seen.provisional if event.status == 180]
    return LineSound(
        samples,
        first_s,
        seen.answered[0] - first_s if seen.answered else None,
        ringing[0] if ringing else None,
        missing,
        types,
        seen.ended,
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lines():
    async with Simulator() as far_end:
        heard = await asyncio.gather(*(listen(far_end, *item) for item in LISTEN_S.items()))
    return dict(zip(LISTEN_S, heard, strict=True))


def peak_hz(samples):
    return float(
        np.argmax(np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 1 << 16))) * RATE_HZ / (1 << 16)
    )


@pytest.mark.parametrize("extension", LISTEN_S)
async def test_one_unbroken_stream_of_a_law(lines, extension):
    assert lines[extension].payload_types == {8}
    assert lines[extension].gaps == 0


async def test_ringback_begins_with_the_180_and_ends_with_the_answer(lines):
    line = lines["61"]
    (start, end), *speech = line.bursts()
    assert abs(start - line.ringing_s) < 0.1
    assert end - start == pytest.approx(1.0, abs=0.025)
    burst = line.between(start + 0.05, end - 0.05)
    assert peak_hz(burst) == pytest.approx(450, abs=1)
    assert level_dbm0(burst) == pytest.approx(-10, abs=0.5)
    assert speech[0][0] > line.answered_s + 0.3


async def test_the_officer_speaks_the_clip(lines):
    line = lines["61"]
    clip = sound("officer_06")[:RATE_HZ].astype(float)
    spoken = line.between(line.answered_s, line.answered_s + 2.2).astype(float)
    match = np.correlate(spoken, clip, "valid")
    assert match.max() > 0.95 * (clip @ clip)
    assert np.argmax(match) / RATE_HZ == pytest.approx(0.4, abs=0.1)


async def test_early_media_may_be_silent_long_before_the_bell(lines):
    line = lines["31"]
    assert line.ringing_s == pytest.approx(3.0, abs=0.2)
    assert not np.any(np.abs(line.between(0, line.ringing_s - 0.1)) > 16)
    assert line.bursts()[0][0] == pytest.approx(line.ringing_s, abs=0.1)


async def test_busy_tone_without_a_final_response(lines):
    on, off = [], []
    bursts = lines["87"].bursts()
    for (start, end), (following, _) in itertools.pairwise(bursts):
        on.append(end - start)
        off.append(following - end)
    assert len(on) >= 3
    assert on == pytest.approx([0.35] * len(on), abs=0.025)
    assert off == pytest.approx([0.35] * len(off), abs=0.025)
    assert lines["87"].answered_s is None


async def test_color_ring_is_the_tune(lines):
    line = lines["90"]
    tune = sound("melody").astype(float)
    heard = line.between(2, 4).astype(float)
    scores = np.abs(np.correlate(tune[: 6 * RATE_HZ], heard, "valid"))
    assert scores.max() > 0.95 * (heard @ heard)
    assert line.answered_s is None


async def test_a_gateway_rings_after_the_answer_and_then_somebody_speaks(lines):
    line = lines["91"]
    bursts = line.bursts()
    assert line.answered_s < 0.1
    assert [end - start for start, end in bursts[:2]] == pytest.approx([1.0, 1.0], abs=0.025)
    assert bursts[1][0] - bursts[0][0] == pytest.approx(5.0, abs=0.025)
    assert bursts[2][0] - bursts[0][0] == pytest.approx(8.33, abs=0.12)


async def test_silence_is_sent_as_packets(lines):
    line = lines["95"]
    assert len(line.samples) > 0.8 * RATE_HZ
    assert line.bursts(floor_dbm0=-55.0) == []


async def test_a_fax_answers_with_2100_hz(lines):
    line = lines["93"]
    start, end = line.bursts()[0]
    assert peak_hz(line.between(start + 0.1, start + 2.9)) == pytest.approx(2100, abs=1)
    assert start - line.answered_s == pytest.approx(0.4, abs=0.1)
    assert end - start == pytest.approx(3.0, abs=0.03)


async def test_hanging_up_in_the_middle_of_a_word(lines):
    line = lines["96"]
    assert line.ended.by == "them"
    length_s = len(line.samples) / RATE_HZ
    assert length_s == pytest.approx(2.1, abs=0.15)
    assert line.bursts()[-1][1] > length_s - 0.2

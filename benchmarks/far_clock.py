"""Calls with a far end whose clock is off, made up packet by packet: where its clicks lie in the recording.

A far end counts 8,000 samples to a second of its own clock, sends each packet when its sound is due, and the network
adds what it likes. Each call is received as in the engine, either through the short way of regular packets (all calls
at once) or packet by packet, captured, encoded, and its clicks are looked for in the sound file. No time passes.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from recordings import encode as encode_recording
from sip.media import SAMPLE_RATE_HZ, RemoteMedia, SessionSpec, encode
from sip.media.call import Call
from sip.media.capture_header import pack_header
from sip.media.inbox import Batch
from sip.media.intake import Intake
from sip.media.timeline import HeardMatrix, TimeLine

T0 = 1000.0
SOURCE = ("127.0.0.1", 4000)
BEGIN_S = 0.5
"""When the far end begins to send, after the call's time 0."""
CLICK_EVERY_S = 3.017
"""No multiple of a packet, so that clicks lie anywhere in one."""
CLICK_SAMPLES = 32
_SLOT = 2112
_HARVEST_S = 0.5
_DELAY_S = 0.3
"""As in the engine."""
_LOUD = 8000

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class FarClock:
    """A far end and the way from it."""

    name: str
    ppm: float = 0.0
    """How much longer its second is than ours, in millionths."""
    jitter_ms: float = 0.0
    """A packet takes up to so much longer than the quickest; those behind it may overtake it."""
    loss: float = 0.0
    ptime_ms: int = 20
    talk_s: tuple[float, float] = (0.0, 0.0)
    """Seconds of sound and of silence that is announced (RFC 3389), in turn; (0, 0): sound throughout."""
    new_stream_s: float = 0.0
    """Every so many seconds it goes on as another stream (SSRC, numbers and timestamps), as after a re-INVITE."""
    noise: float = 300.0
    """Its own noise, mean level of 16 bits; 0 makes digital silence."""
    seed: int = 1


@dataclass
class Packets:
    """What arrives of one far end, in the order of arrival."""

    at: Floats
    """Seconds since time 0."""
    data: list[bytes]
    clicks: Floats
    """When those clicks would be heard that arrived, had the quickest packet brought each: seconds since time 0."""
    lost: list[tuple[float, float]] = field(default_factory=list)


def _click() -> npt.NDArray[np.int16]:
    time_s = np.arange(CLICK_SAMPLES) / SAMPLE_RATE_HZ
    return (24_000 * np.cos(2 * np.pi * 1000 * time_s)).astype(np.int16)


def packets_of(far: FarClock, seconds: float) -> Packets:
    """Return what arrives in a call of some seconds."""
    rng = np.random.default_rng(far.seed)
    size = far.ptime_ms * SAMPLE_RATE_HZ // 1000
    count = int(seconds * 1000 / far.ptime_ms)
    sound = rng.normal(0, far.noise, count * size) if far.noise else np.zeros(count * size)
    starts = np.arange(SAMPLE_RATE_HZ, count * size - size, int(CLICK_EVERY_S * SAMPLE_RATE_HZ))
    stretch = (1 + far.ppm / 1e6) / SAMPLE_RATE_HZ
    sent = BEGIN_S + np.arange(count) * size * stretch
    silent = _silent(far, sent)
    arrived = (rng.random(count) >= far.loss) & ~silent
    spans = np.stack([starts // size, (starts + CLICK_SAMPLES - 1) // size])
    starts = starts[arrived[spans[0]] & arrived[spans[1]]]
    for start in starts:
        sound[start : start + CLICK_SAMPLES] = _click()
    codes = encode(np.clip(sound, -32000, 32000).astype(np.int16), "PCMA")
    at = sent + rng.random(count) * far.jitter_ms / 1000
    heads = _heads(far, sent, silent, size)
    data = [heads[n] + (b"\x40" if silent[n] else codes[n * size : n * size + size]) for n in range(count)]
    used = np.flatnonzero(arrived | (silent & ~np.roll(silent, 1)))
    order = used[np.argsort(at[used], kind="stable")]
    lost = [(sent[n], sent[n] + size * stretch) for n in np.flatnonzero(~arrived & ~silent)]
    return Packets(at[order], [data[n] for n in order], BEGIN_S + starts * stretch, lost)


def _silent(far: FarClock, sent: Floats) -> npt.NDArray[np.bool_]:
    talk, silence = far.talk_s
    return (sent - BEGIN_S) % (talk + silence) >= talk if silence else np.zeros(len(sent), np.bool_)


def _heads(far: FarClock, sent: Floats, silent: npt.NDArray[np.bool_], size: int) -> list[bytes]:
    """Return the RTP headers; packets that are not sent (silence but its first) take no number."""
    heads, number, stream = [], far.seed * 1000, 0
    for place, at in enumerate(sent):
        beginning = silent[place] and not (place and silent[place - 1])
        number += not silent[place] or beginning
        stream = int((at - BEGIN_S) / far.new_stream_s) if far.new_stream_s else 0
        marker = 0x80 if place and silent[place - 1] and not silent[place] else 0
        second = 13 if silent[place] else 8 | marker
        stamp = place * size + stream * 1_000_003 & 0xFFFFFFFF
        heads.append(struct.pack("!BBHII", 0x80, second, number + 777 * stream & 0xFFFF, stamp, 5 + stream))
    return heads


class Recorded:
    """Calls that are received and captured."""

    def __init__(self, calls: int, folder: Path) -> None:
        self._folder = folder
        self.matrix = HeardMatrix(calls)
        self.intake = Intake(self.matrix, lambda call, digits: None, self._fail)
        self.calls = [self._call(row) for row in range(calls)]
        self._due = [_HARVEST_S] * calls
        self._files = [self.path(row).open("wb") for row in range(calls)]
        for call, file in zip(self.calls, self._files, strict=True):
            file.write(pack_header(0.0))
            self.intake.add(call)

    @staticmethod
    def _fail(call: Call) -> None:
        raise AssertionError(f"call {call.number} failed")

    def _call(self, row: int) -> Call:
        call = Call(row, row, TimeLine(self.matrix, row), SessionSpec("127.0.0.1", analyse=False))
        call.begin(T0)
        call.connect(RemoteMedia(*SOURCE, final=True), T0)
        return call

    def path(self, row: int) -> Path:
        """Return the capture of a call."""
        return self._folder / f"{row}.part"

    def harvest(self, row: int, now_s: float) -> None:
        """Do what the engine does twice a second, as far as it is due at a time of the call."""
        while self._due[row] <= now_s:
            call, due_s = self.calls[row], self._due[row]
            blocks = call.harvest(call.position(T0 + due_s - _DELAY_S))
            self._files[row].write(b"".join(block.pack() for block in blocks))
            self._due[row] += _HARVEST_S

    def receive_one_by_one(self, row: int, packets: Packets) -> None:
        """Receive a call packet by packet, as a call does that is encrypted or logged."""
        call = self.calls[row]
        for at, data in zip(packets.at.tolist(), packets.data, strict=True):
            if at >= self._due[row]:
                self.harvest(row, at)
            call.take(data, SOURCE, T0 + at)

    def receive_together(self, packets: Sequence[Packets]) -> int:
        """Receive all calls through the intake, one packet of each at a time; return how many took the short way."""
        short = 0
        for batch in _batches(packets):
            for row, at in zip(batch.rows.tolist(), (batch.at - T0).tolist(), strict=True):
                if at >= self._due[row]:
                    self.harvest(row, at)
            self.intake.take(batch)
            short += 1
        return short

    def finish(self, row: int, end_s: float) -> npt.NDArray[np.int16]:
        """End a call and return its recording, [samples, 2]."""
        call = self.calls[row]
        self.intake.recall(call)
        self._files[row].write(b"".join(b.pack() for b in call.last_harvest(round(end_s * SAMPLE_RATE_HZ))))
        self._files[row].close()
        self.intake.remove(call)
        call.close()
        path = self._folder / f"{row}.flac"
        encode_recording(self.path(row), path)
        sound: npt.NDArray[np.int16] = soundfile.read(path, dtype="int16")[0]
        return sound


def _batches(packets: Sequence[Packets]) -> Iterator[Batch]:
    """Yield the n-th packets of all calls, for every n."""
    data = np.zeros((len(packets), _SLOT), np.uint8)
    name = struct.pack("=H", socket.AF_INET) + struct.pack("!H", SOURCE[1]) + socket.inet_aton(SOURCE[0])
    names = np.tile(np.frombuffer(name.ljust(32, b"\0"), np.uint64), (len(packets), 1))
    for turn in range(max(len(each.data) for each in packets)):
        rows = [row for row, each in enumerate(packets) if turn < len(each.data)]
        for place, row in enumerate(rows):
            datagram = packets[row].data[turn]
            data[place, : len(datagram)] = np.frombuffer(datagram, np.uint8)
        lengths = np.array([len(packets[row].data[turn]) for row in rows], np.int64)
        at = T0 + np.array([packets[row].at[turn] for row in rows])
        count = len(rows)
        drops = np.zeros(count, np.int64)
        yield Batch(np.array(rows, np.intp), data[:count], lengths, names[:count], at, drops)


@dataclass(frozen=True)
class Found:
    """The clicks of a recording against those that were sent."""

    sent: int
    errors_ms: Floats
    """Of each click: where it lies, less where it should (later is above 0)."""
    at_s: Floats
    """When they were due."""
    whole: int
    """Those that lie in one piece, within two samples as long as they were sent."""
    heard: int

    def worst_ms(self, after_s: float = 0.0) -> float:
        """Return the largest error of the clicks from `after_s` on."""
        return float(np.abs(self.errors_ms[self.at_s >= after_s]).max(initial=0.0))


def find_clicks(sound: npt.NDArray[np.int16], clicks: Floats) -> Found:
    """Look for clicks on a channel: sounds louder than any noise, no more than 2 ms quiet within."""
    loud = np.flatnonzero(np.abs(sound.astype(np.int32)) > _LOUD)
    groups = np.split(loud, np.flatnonzero(np.diff(loud) > 16) + 1) if len(loud) else []
    starts = np.array([group[0] for group in groups]) / SAMPLE_RATE_HZ
    lengths = np.array([group[-1] - group[0] + 1 for group in groups])
    sent_length = len(np.flatnonzero(np.abs(_click().astype(np.int32)) > _LOUD))
    reach = np.flatnonzero(np.abs(_click().astype(np.int32)) > _LOUD)
    sent_length = int(reach[-1] - reach[0] + 1)
    whole = int((np.abs(lengths - sent_length) <= 2).sum())
    nearest = np.abs(starts[:, None] - clicks[None, :]).argmin(axis=0) if len(starts) else np.zeros(0, int)
    errors = (starts[nearest] - clicks) * 1000 if len(starts) else np.full(len(clicks), np.inf)
    return Found(len(clicks), errors, clicks, whole, len(groups))

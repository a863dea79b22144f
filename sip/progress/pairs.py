"""Bursts of two tones that sound together (440 + 480 Hz), found in the quarters of 5 ms of the feature columns.

In the projection at 450 Hz such a pair is two lines, at -10 and +30 Hz. They beat, so that amplitude and phase tell
nothing over 20 ms; what tells is that for 50 ms and more nearly all of the power lies in that band, and that a
spectrum of 200 ms of it holds two lines of about equal power, at frequencies of the plan, and nothing else. A voice
or an instrument passes the first test now and then and fails the second.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from sip.progress import features as f
from sip.progress.middle import median, places
from sip.progress.plan import Tone, TonePlan
from sip.progress.tones import ToneBurst, mean_square

_WINDOW = 12
"""Quarters, 60 ms: at least one whole beat of a pair 20 Hz apart."""
_MARGIN = 24
_SHARE = 0.72
"""Of the power that the band holds of a pair: the projection loses some away from 450 Hz."""
_FIRST_LOOK = 40
"""Quarters, 200 ms: lines 25 Hz apart are separate."""
_LONGEST = 200
"""Quarters that are looked at, 1 s; a longer burst is watched by its power alone."""
_SIZE = 1_024
_LINE_HZ = 12.0
"""Half the width of a line under a Hann window of 200 ms."""
_TWIST = 0.25
"""Of the stronger line's power the weaker one has: 6 dB."""
_PURE = 0.8
_LOOKS = 3
"""A lost packet spoils the first look at a burst, seldom two."""
_SHORTEST_MS = 180.0
_EDGE = 0.08
_QUIET = 0.1
_RATE_HZ = 1_000.0 / f.QUARTER_MS

Complex = npt.NDArray[np.complex64]
Floats = npt.NDArray[np.float32]


@dataclass(slots=True)
class _Run:
    """A stretch whose power lies in the band, [start, end) in quarters since the stream's start."""

    start: int
    end: int
    before: float
    taken: int
    """Until here its quarters are in the sums."""
    z: list[Complex] = field(default_factory=list)
    kept: int = 0
    power: float = 0.0
    quarters: int = 0
    look_at: int = _FIRST_LOOK
    lines_hz: tuple[float, float] | None = None
    refused: bool = False
    looks: int = 0
    purity: float = 0.0
    variation: float = 0.0


class PairTracker:
    """Finds the bursts of the plan's pairs in one call's quarters, pushed in order and without gaps."""

    def __init__(self, plan: TonePlan, tones: Sequence[Tone]) -> None:
        """Start with an empty stream; only those of `tones` with two frequencies count."""
        self._pairs = [tone for tone in tones if len(tone.frequencies_hz) == 2]
        self._bridge = round(plan.bridge_ms / f.QUARTER_MS)
        self._floor = mean_square(plan.floor_dbm0 - 2.0)
        self._z: Complex = np.zeros(_MARGIN, np.complex64)
        self._p: Floats = np.zeros(_MARGIN, np.float32)
        self._recent = [(self._z, self._p, np.zeros(_MARGIN, np.float32))]
        """The newest quarters, block by block: amplitude, power, the amplitude's square."""
        self._kept = _MARGIN
        self._next = 0
        """Number of quarters pushed."""
        self._origin_ms = 0.0
        self._run: _Run | None = None
        self.bursts: list[ToneBurst] = []
        """Bursts not yet taken away by the owner, oldest first; only the last may be open."""
        self.changes = 0
        """Grows whenever `bursts` changes."""

    def push(self, start_ms: float, z: Complex, p: Floats) -> None:
        """Add quarters [n]: amplitude at 450 Hz and power; `start_ms` counts for the first only, no gaps follow."""
        if not self._next:
            self._origin_ms = start_ms
        self._add(z, p)

    def finish(self) -> None:
        """End the stream: what is open ends with it."""
        pad = self._bridge + 2 * _WINDOW
        self._add(np.zeros(pad, np.complex64), np.zeros(pad, np.float32))

    def _add(self, z: Complex, p: Floats) -> None:
        count = len(z)
        strong = np.square(z.real) + np.square(z.imag)
        self._recent.append((z, p, strong))
        self._kept += count
        if self._pairs and (self._run is not None or self._any_in_band(strong, p)):
            # Put together only where there may be something: most of a call passes by.
            self._z, self._p, strong = (
                np.concatenate(parts)[-_MARGIN - count :] for parts in zip(*self._recent, strict=True)
            )
            self._decide(strong, count)
        while self._kept - len(self._recent[0][0]) >= _MARGIN:
            self._kept -= len(self._recent.pop(0)[0])
        self._next += count

    def _any_in_band(self, strong: Floats, p: Floats) -> bool:
        """Tell whether any quarter could end a window of the band; most of a call passes here."""
        return bool(((strong > _SHARE * p) & (strong > self._floor)).any())

    def _decide(self, strong: Floats, count: int) -> None:
        """Decide the windows that end with each of the last `count` quarters."""
        sums = np.cumsum(np.stack((strong, self._p)), axis=1, dtype=np.float64)
        inside = sums[:, -count:] - sums[:, -count - _WINDOW : -_WINDOW]
        on = (inside[0] > _SHARE * inside[1]) & (inside[0] > _WINDOW * self._floor)
        edges = (places(on[1:] != on[:-1]) + 1).tolist()
        for begin, end in itertools.pairwise([0, *edges, count]):
            if on[begin]:
                self._sound(begin, end, strong)
            elif self._run is not None and self._next + end - self._run.end > self._bridge + _WINDOW:
                self._end()
        self._publish()

    def _sound(self, begin: int, end: int, strong: Floats) -> None:
        """The windows ending in quarters [begin, end) of the newest ones are of the band."""
        run = self._run
        if run is not None and self._next + begin - _WINDOW + 1 - run.end > self._bridge:
            self._end()
            run = None
        if run is None:
            head = _MARGIN + begin - _WINDOW + 1
            window = strong[head : head + _WINDOW]
            skip = int(np.argmax(window > _EDGE * float(window.max())))
            begin_at = head + skip
            before = median(self._p[max(begin_at - 10, 0) : max(begin_at - 1, 1)])
            start = self._next - _MARGIN + begin_at
            run = self._run = _Run(start, start, before, start)
        first = max(_MARGIN + run.taken - self._next, 0)
        after = _MARGIN + end
        run.taken = self._next + end
        run.power += float(strong[first:after].sum())
        run.quarters += after - first
        if run.kept < _LONGEST:
            run.z.append(self._z[first:after])
            run.kept += after - first
        part = strong[first:after]
        loud = places(part > _EDGE * run.power / max(run.quarters, 1))
        if len(loud):
            run.end = self._next - _MARGIN + first + int(loud[-1]) + 1
        if run.quarters >= run.look_at and not run.refused:
            self._look(run)

    def _look(self, run: _Run) -> None:
        """Ask the spectrum what the run is; and again when there is twice as much of it."""
        run.look_at = 2 * run.quarters if run.kept < _LONGEST else 1 << 40
        z = np.concatenate(run.z)[:_LONGEST]
        found = _two_lines(z)
        pair = found is not None and any(tone.suits(found[:2]) for tone in self._pairs)
        if found is None or not pair:
            run.looks += 1
            run.lines_hz, run.refused = None, run.looks >= _LOOKS
            return
        run.lines_hz, run.purity = (found[0], found[1]), found[2]
        run.variation = _unevenness(z, found[1] - found[0])

    def _publish(self) -> None:
        run = self._run
        if run is None or run.lines_hz is None:
            return
        self._drop_open()
        self.bursts.append(self._burst(run, open_=True))
        self.changes += 1

    def _end(self) -> None:
        run, self._run = self._run, None
        if run is None:
            return
        self._drop_open()
        if not run.refused and run.quarters * f.QUARTER_MS >= _SHORTEST_MS:
            self._look(run)
        if run.lines_hz is None:
            return
        burst = self._burst(run, open_=False)
        at = _MARGIN + run.end - self._next
        after = self._p[at + 2 : at + 12] if at > 0 else self._p[:0]
        mean = float(after.mean()) if len(after) else 0.0
        burst.into_quiet = mean <= _QUIET * run.power / run.quarters
        self.bursts.append(burst)
        self.changes += 1

    def _drop_open(self) -> None:
        if self.bursts and self.bursts[-1].open:
            self.bursts.pop()
            self.changes += 1

    def _burst(self, run: _Run, open_: bool) -> ToneBurst:
        lower, upper = run.lines_hz or (0.0, 0.0)
        # The last window holds quiet as well, which is no part of the burst.
        power = run.power / max(run.end - run.start, 1)
        return ToneBurst(
            self._origin_ms + run.start * f.QUARTER_MS,
            self._origin_ms + run.end * f.QUARTER_MS,
            frequency_hz=lower,
            level_dbm0=float(f.power_dbm0(np.array(power))),
            open=open_,
            from_quiet=run.before <= _QUIET * power,
            at_stream_start=run.start <= f.QUARTERS,
            variation=run.variation,
            second_hz=upper,
            purity=run.purity,
        )


def _two_lines(z: Complex) -> tuple[float, float, float] | None:
    """Return the frequencies of the two lines that this is, the lower first, and their share; None: it is no pair."""
    window = np.hanning(len(z) + 2)[1:-1].astype(np.float32)
    power = np.square(np.abs(np.fft.fft(z * window, _SIZE)))
    total = float(power.sum())
    if total <= 0.0:
        return None
    width = math.ceil(_LINE_HZ * _SIZE / _RATE_HZ)
    rest = power.copy()
    lines: list[tuple[float, float]] = []
    for _ in range(2):
        peak = int(rest.argmax())
        near = np.arange(peak - width, peak + width + 1) % _SIZE
        share = float(rest[near].sum()) / total
        lines.append((_between(power, peak), share))
        rest[near] = 0.0
    if lines[1][1] < _TWIST * lines[0][1] or lines[0][1] + lines[1][1] < _PURE:
        return None
    lower, upper = sorted(hz for hz, _ in lines)
    return lower, upper, lines[0][1] + lines[1][1]


def _between(power: npt.NDArray[np.floating], peak: int) -> float:
    """Return the frequency of a peak of the spectrum in hertz, by a parabola through the logarithms."""
    below, here, above = (math.log(max(float(power[(peak + k) % _SIZE]), 1e-30)) for k in (-1, 0, 1))
    curve = below - 2.0 * here + above
    shift = 0.5 * (below - above) / curve if curve < 0.0 else 0.0
    bin_ = peak + shift
    return f.TONE_HZ + (bin_ - _SIZE if bin_ > _SIZE / 2 else bin_) * _RATE_HZ / _SIZE


def _unevenness(z: Complex, apart_hz: float) -> float:
    """Return how much the amplitude varies from beat to beat: near 0 for a machine's pair."""
    beats = max(round(_RATE_HZ / apart_hz * max(1, round(apart_hz / 20.0))), 4)
    whole = len(z) // beats
    if whole < 3:
        return 0.0
    power = np.square(np.abs(z[: whole * beats])).reshape(whole, beats).mean(axis=1)[1:-1]
    return float(0.5 * power.std() / max(float(power.mean()), 1e-12))

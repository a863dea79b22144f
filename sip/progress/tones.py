"""Bursts of the exchange's single tones (450 Hz), found in the quarters of 5 ms that the feature columns carry.

A window of four quarters is tone when most of its power turns coherently at a frequency of the plan. Windows
that touch make a burst; what a loss of packets tore apart is joined. The edges are then refined: the amplitude
of the quarter in which a burst begins or ends tells how much of that quarter it fills.

A hole in which nothing but lost packets lies tells of no pause. It is bridged up to a length that no pause of a
plan stays below, and a longer one where its two sides together are as long as a ring. No burst is held the worse for
it, and one beside which packets were lost may have been longer: rings are counted where one packet in five is lost.
"""

from __future__ import annotations

import cmath
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from sip.progress import features as f
from sip.progress.lost import LostQuarters
from sip.progress.middle import median, places
from sip.progress.plan import FREQUENCY_SLACK_HZ, Tone, TonePlan

_WINDOW = 4
_MARGIN = 20
"""Quarters kept before the undecided ones: the 50 ms before a burst tell whether it came out of quiet."""
_AHEAD = 8
"""Quarters of look-ahead: a window and the refinement of its edge."""
_PURITY = 0.7
_WINDOW_SLACK_HZ = 10.0
"""A single window of 20 ms knows its frequency less well than a burst does."""
_BURST_PURITY = 0.8
_SHORTEST_MS = 60.0
_STEADY_MS = 700.0
_COVERED, _LONG_MS = 0.65, 300.0
"""A long burst is tone for most of its length: between the nulls of two tones that beat there is less."""
_LONGEST_HOLE = 20
"""Quarters that may be lost in one piece: 100 ms, the shortest pause of a plan."""
_LONGEST_TORN = 32
"""The same within what is as long as a ring: 160 ms, less than the pause of any double ring."""
_HOLE_COSTS = 3
"""Quarters beside a hole that no window vouches for, beyond its own."""
_MOST_PIECES = 2
"""Pieces that a ring may be heard in before its last one."""
_ONE_TONE_HZ, _ONE_TONE_DB = 4.0, 3.0
"""Two pieces of one burst differ less."""
_STEADY_VARIATION = 0.12
_ROUGH_VARIATION = 0.25
_HZ_PER_RADIAN = 1000.0 / (2.0 * math.pi * f.QUARTER_MS)
_SOUND_FLOOR_DBM0 = -45.0
_NOT_MUCH_QUIETER = 0.03
_QUIET = 0.1
"""Quiet beside a burst: 10 dB below it."""

Complex = npt.NDArray[np.complex64]
Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]


@dataclass(slots=True)
class ToneBurst:
    """A burst of the exchange tone; it grows while it is `open`."""

    start_ms: float
    end_ms: float
    frequency_hz: float = 0.0
    level_dbm0: float = 0.0
    open: bool = True
    from_quiet: bool = True
    """At least 10 dB quieter in the 50 ms before it, or the stream began with it."""
    at_stream_start: bool = False
    into_quiet: bool = True
    """The same of the 60 ms after it; taken for granted while it is open."""
    sound_before_ms: float = 0.0
    """Other sound between the burst before (or the stream's beginning) and this one, less than 15 dB below it."""
    variation: float = 0.0
    """Standard deviation of its amplitude over the mean: near 0 for a machine's tone."""
    second_hz: float = 0.0
    """The upper frequency of two that sound together; 0 for a single tone."""
    purity: float = 1.0
    """Share of the power in it that the tone is."""
    lost_before_ms: float = 0.0
    """Of what was lost right before it; it may have begun so much earlier."""
    lost_after_ms: float = 0.0
    """The same after it; 0 while it is open."""

    @property
    def frequencies_hz(self) -> tuple[float, ...]:
        """One or two frequencies, the lower first."""
        return (self.frequency_hz, self.second_hz) if self.second_hz else (self.frequency_hz,)

    @property
    def on_ms(self) -> float:
        """Length until now."""
        return self.end_ms - self.start_ms

    @property
    def longest_ms(self) -> float:
        """Length if it filled what was lost on both sides of it."""
        return self.on_ms + self.lost_before_ms + self.lost_after_ms

    @property
    def steady(self) -> bool:
        """A machine's tone, not an instrument's or a voice's."""
        return self.variation <= _STEADY_VARIATION


@dataclass(slots=True)
class _Run:
    """Sums over a burst in progress; times in quarters since the stream's start."""

    start: float
    end: float
    before: float
    """Median power before it: a packet lost just after a burst's beginning leaves a splinter of tone there."""
    loud_before: int = 0
    sounding: bool = True
    turn: complex = 0j
    strength: float = 0.0
    power: float = 0.0
    windows: int = 0
    amplitude: float = 0.0
    square: float = 0.0
    quarters: int = 0
    lost: float = 0.0
    """Quarters within it of which nothing can be known, for packets were lost."""
    lost_before: int = 0
    """Quarters right before it that were lost."""

    def plateau(self) -> float:
        if self.quarters:
            return self.amplitude / self.quarters
        return math.sqrt(self.strength / max(self.windows, 1))


class ToneTracker:
    """Finds the bursts in one call's quarters, pushed in order and without gaps."""

    def __init__(self, plan: TonePlan, tones: Sequence[Tone]) -> None:
        """Start with an empty stream; the single ones of `tones` tell which frequencies count."""
        self._plan = plan
        single = [tone for tone in tones if len(tone.frequencies_hz) == 1]
        self._lowest_hz = min(tone.frequencies_hz[0] - tone.tolerance_hz for tone in single)
        self._highest_hz = max(tone.frequencies_hz[0] + tone.tolerance_hz for tone in single)
        self._ring_ms = {
            tone.on_ms for tone in single if tone.kind == "ringback" and len(tone.on_off_ms) == 2
        }
        self._floor = mean_square(plan.floor_dbm0 - 2.0)
        self._z: Complex = np.zeros(_MARGIN + _AHEAD, np.complex64)
        self._p: Floats = np.zeros(_MARGIN + _AHEAD, np.float32)
        self._next = -_AHEAD
        """The first quarter whose window is not decided; negative ones lie before the stream."""
        self._origin_ms = 0.0
        self._run: _Run | None = None
        self._loud = 0
        """Quarters since the last burst that are not much quieter than it."""
        self._lost = LostQuarters(self._floor)
        self._loud_power = mean_square(_SOUND_FLOOR_DBM0)
        self.bursts: list[ToneBurst] = []
        """Bursts not yet taken away by the owner, oldest first; only the last may be open."""
        self.changes = 0
        """Grows whenever `bursts` changes."""

    @property
    def decided_ms(self) -> float:
        """Until here the bursts are known."""
        return self._ms(max(self._next, 0))

    def push(self, start_ms: float, z: Complex, p: Floats, lost: Bools) -> None:
        """Add quarters [n]: amplitude at 450 Hz, power, and whether they were lost.

        `start_ms` counts for the first only, no gaps follow.
        """
        if self._next == -_AHEAD and len(self._z) == _MARGIN + _AHEAD:
            self._origin_ms = start_ms
        self._lost.note(self._next + _AHEAD, lost, (z, p), (self._z, self._p))
        self._add(z, p)

    def finish(self) -> None:
        """End the stream: what is open ends with it."""
        pad = _AHEAD + int(self._plan.bridge_ms / f.QUARTER_MS) + 2 * _WINDOW
        self._add(np.zeros(pad, np.complex64), np.zeros(pad, np.float32))

    def _add(self, z: Complex, p: Floats) -> None:
        self._z = np.concatenate((self._z, z))
        self._p = np.concatenate((self._p, p))
        count = len(self._z) - _MARGIN - _AHEAD
        self._decide(count)
        self._z = self._z[count:]
        self._p = self._p[count:]
        self._next += count

    def _decide(self, count: int) -> None:
        """Decide the windows that begin at the next `count` quarters."""
        if self._run is None and not self._any_tone(count):
            self._count_loud(0, count)
            return
        z = self._z[_MARGIN : _MARGIN + count + _WINDOW - 1]
        p = self._p[_MARGIN : _MARGIN + count + _WINDOW - 1]
        turns = z[1:] * np.conj(z[:-1])
        turn = (turns[:-2] + turns[1:-1] + turns[2:]) * np.float32(1.0 / 3.0)
        power = (p[:-3] + p[1:-2] + p[2:-1] + p[3:]) * np.float32(0.25)
        strength = np.abs(turn)
        on = (strength > self._floor) & (strength > _PURITY * power)
        if on.any():
            hertz = np.angle(turn) * np.float32(_HZ_PER_RADIAN) + np.float32(f.TONE_HZ)
            on &= (hertz >= self._lowest_hz - _WINDOW_SLACK_HZ) & (
                hertz <= self._highest_hz + _WINDOW_SLACK_HZ
            )
        edges = places(on[1:] != on[:-1]) + 1
        bounds = [0, *edges.tolist(), count]
        for begin, end in itertools.pairwise(bounds):
            if begin < end and on[begin]:
                self._sound(begin, end, turn, strength, power)
            elif begin < end:
                self._pause(begin, end)
        self._publish()

    def _any_tone(self, count: int) -> bool:
        """Tell whether any quarter could begin a burst at all; most of a call passes here."""
        z = self._z[_MARGIN : _MARGIN + count + _WINDOW]
        strong = np.square(z.real) + np.square(z.imag)
        p = self._p[_MARGIN : _MARGIN + count + _WINDOW]
        return bool(((strong > 0.5 * self._floor) & (strong > 0.5 * p)).any())

    def _sound(self, begin: int, end: int, turn: Complex, strength: Floats, power: Floats) -> None:
        run = self._run
        here = _MARGIN + begin
        fresh = run is None or not run.sounding
        amplitudes = np.abs(self._z[here + (2 if fresh else 0) : _MARGIN + end])
        if fresh:
            plateau = float(amplitudes.mean()) if end - begin > _WINDOW else math.sqrt(float(strength[begin]))
            start = self._next + begin - 3 + _leading_edge(np.abs(self._z[here - 3 : here + 5]), plateau)
            hole = run is not None and self._lost.is_hole(run.end, start, _LONGEST_HOLE)
            if run is not None and not hole and (start - run.end) * f.QUARTER_MS > self._plan.bridge_ms:
                self._end(run)
                run = None
            elif run is not None and hole:
                run.lost += start - run.end + _HOLE_COSTS
            if run is None:
                before = median(self._p[here - 13 : here - 3])
                run = self._run = _Run(start=start, end=start, before=before, loud_before=self._loud)
                run.lost_before = self._lost.before(start)
        assert run is not None
        run.sounding = True
        run.end = self._next + end + _WINDOW - 1
        run.turn += complex(turn[begin:end].sum())
        run.strength += float(strength[begin:end].sum())
        run.power += float(power[begin:end].sum())
        run.windows += end - begin
        run.amplitude += float(amplitudes.sum())
        run.square += float(np.dot(amplitudes, amplitudes))
        run.quarters += len(amplitudes)

    def _pause(self, begin: int, end: int) -> None:
        run = self._run
        if run is None:
            self._count_loud(begin, end - _WINDOW)
            return
        if run.sounding:
            run.sounding = False
            here = _MARGIN + begin
            tail = np.abs(self._z[here - 3 : here + 6])[::-1]
            run.end = self._next + begin + 6 - _leading_edge(tail, run.plateau())
        quiet = self._next + end - run.end
        over = quiet * f.QUARTER_MS > self._plan.bridge_ms + 5 * f.QUARTER_MS
        if over and not self._lost.is_hole(run.end, self._next + end - _WINDOW, _LONGEST_HOLE):
            self._end(run)
            self._count_loud(max(math.ceil(run.end) + _WINDOW - self._next, begin), end - _WINDOW)

    def _count_loud(self, begin: int, end: int) -> None:
        if end > begin:
            p = self._p[_MARGIN + begin : _MARGIN + end]
            self._loud += int(np.count_nonzero(p > self._loud_power))

    def _end(self, run: _Run) -> None:
        """The run is over: keep it as a burst, or drop it."""
        self._run = None
        at = _MARGIN + math.ceil(run.end) - self._next
        after = self._p[at + 2 : at + 12]
        burst = self._measured(run, open_=False)
        self._drop_open()
        if burst is not None:
            mean = float(after.mean()) if len(after) else 0.0
            burst.into_quiet = mean <= _QUIET * run.strength / run.windows
            burst.lost_after_ms = self._lost.after(run.end) * f.QUARTER_MS
            self._keep(burst)
            self._loud = 0
            floor = mean_square(_SOUND_FLOOR_DBM0)
            self._loud_power = max(floor, _NOT_MUCH_QUIETER * run.strength / run.windows)

    def _keep(self, burst: ToneBurst) -> None:
        """Add a burst; it and those before it are one where losses within a ring part them."""
        whole, pieces = burst, 0
        for count, before in enumerate(reversed(self.bursts[-_MOST_PIECES:]), 1):
            if not self._is_torn(before, whole):
                break
            whole = _joined(before, whole)
            if any(self._plan.may_fit(whole.on_ms, whole.longest_ms, ring_ms) for ring_ms in self._ring_ms):
                burst, pieces = whole, count
        del self.bursts[len(self.bursts) - pieces :]
        self.bursts.append(burst)
        self.changes += 1

    def _is_torn(self, one: ToneBurst, other: ToneBurst) -> bool:
        """Tell whether nothing but a loss parts two pieces of one tone."""
        return (
            self._lost.is_hole(self._quarter(one.end_ms), self._quarter(other.start_ms), _LONGEST_TORN)
            and abs(one.frequency_hz - other.frequency_hz) <= _ONE_TONE_HZ
            and abs(one.level_dbm0 - other.level_dbm0) <= _ONE_TONE_DB
        )

    def _publish(self) -> None:
        """Show the run in progress as an open burst."""
        if self._run is None:
            return
        self._drop_open()
        burst = self._measured(self._run, open_=True)
        if burst is not None:
            self.bursts.append(burst)
            self.changes += 1

    def _drop_open(self) -> None:
        if self.bursts and self.bursts[-1].open:
            self.bursts.pop()
            self.changes += 1

    def _measured(self, run: _Run, open_: bool) -> ToneBurst | None:
        """Return the burst that the run is, None when it is none."""
        burst = ToneBurst(self._ms(run.start), self._ms(run.end), open=open_)
        if burst.on_ms < _SHORTEST_MS:
            return None
        power = run.strength / run.windows
        burst.level_dbm0 = float(f.power_dbm0(np.array(run.plateau() ** 2)))
        burst.lost_before_ms = run.lost_before * f.QUARTER_MS
        burst.frequency_hz = f.TONE_HZ + cmath.phase(run.turn) * _HZ_PER_RADIAN
        burst.from_quiet = run.before <= _QUIET * power
        burst.sound_before_ms = run.loud_before * f.QUARTER_MS
        burst.at_stream_start = run.start <= f.QUARTERS
        spread = run.square / max(run.quarters, 1) - run.plateau() ** 2
        burst.variation = math.sqrt(max(spread, 0.0)) / max(run.plateau(), 1e-9)
        burst.purity = run.strength / max(run.power, 1e-12)
        known = run.end - run.start - run.lost
        covered = run.quarters >= _COVERED * known or burst.on_ms < _LONG_MS
        return burst if covered and self._plausible(burst) else None

    def _plausible(self, burst: ToneBurst) -> bool:
        slack_hz = FREQUENCY_SLACK_HZ
        alone = burst.from_quiet or (burst.steady and burst.on_ms >= _STEADY_MS)
        return (
            burst.purity >= _BURST_PURITY
            and alone
            and self._lowest_hz - slack_hz <= burst.frequency_hz <= self._highest_hz + slack_hz
            and burst.variation <= _ROUGH_VARIATION
            and burst.level_dbm0 >= self._plan.floor_dbm0
        )

    def _ms(self, quarter: float) -> float:
        return self._origin_ms + quarter * f.QUARTER_MS

    def _quarter(self, at_ms: float) -> float:
        return (at_ms - self._origin_ms) / f.QUARTER_MS


def _joined(one: ToneBurst, other: ToneBurst) -> ToneBurst:
    """Return the burst of which two pieces were heard: what is measured comes from the longer one."""
    longer = max(one, other, key=lambda piece: piece.on_ms)
    return replace(
        longer,
        start_ms=one.start_ms,
        end_ms=other.end_ms,
        from_quiet=one.from_quiet,
        at_stream_start=one.at_stream_start,
        sound_before_ms=one.sound_before_ms,
        lost_before_ms=one.lost_before_ms,
        into_quiet=other.into_quiet,
        lost_after_ms=other.lost_after_ms,
    )


def mean_square(level_dbm0: float) -> float:
    """Return the mean square of full scale 1.0 of a level in dBm0."""
    return math.pow(10.0, (level_dbm0 - f.FULL_SCALE_SINE_DBM0) / 10.0) / 2.0


def _leading_edge(amplitudes: Floats, plateau: float) -> float:
    """Return where, in quarters from the first of `amplitudes`, a tone of this plateau begins."""
    loud = places(amplitudes >= 0.75 * plateau)
    first = int(loud[0]) if len(loud) else len(amplitudes) - 1
    if first == 0:
        return 0.0
    fill = float(amplitudes[first - 1]) / max(plateau, 1e-9)
    return first - (min(fill, 1.0) if fill > 0.15 else 0.0)

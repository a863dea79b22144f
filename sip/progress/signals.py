"""Single tones beside the exchange's: fax, howler, reminder, beeps. Found in the strongest partial of each column.

A tone is a run of columns whose power lies almost wholly in one partial that stays where it is. A hole of up to 60 ms
does not end it: a lost packet, or the reversal of phase that ANSam (ITU-T V.8) makes every 450 ms. Its edges are
refined to the quarter of 5 ms.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from sip.progress import features as f
from sip.progress.middle import median, places
from sip.progress.plan import Tone, TonePlan
from sip.progress.tones import mean_square
from sip.record import Segment, SegmentKind

_PURE_SHARE = 0.8
"""A howler that drives the codec to its limits is a square wave: 0.87 of its power in the band are its own."""
_STEP_HZ = 15.0
_SHORTEST = 7
"""Columns; a tone of 180 ms fills seven wholly."""
_AFTER = 4
"""Columns after a tone that tell whether it stands alone."""
_AROUND = 3
_QUIET = 0.1
"""Ten decibels below the tone."""
_EDGE = 0.25
_FEWEST_PURE = 0.7
_SWING = 0.25
"""Most a beep's level swings, standard deviation over mean of its power: a voice's partial swings more."""
_EXCHANGE_HZ, _EXCHANGE_HALF_HZ = 442.5, 30.5
"""Tones of these frequencies are bursts of the exchange's, whatever they mean."""
_MEANINGLESS_MS = 1_220.0
"""A longer single tone that is nothing of the plan is noise; a shorter one is part of what is around it."""
_QUARTER = np.full(f.QUARTERS, 1.0 / f.QUARTERS, np.float32)


@dataclass(slots=True)
class SignalBurst:
    """One single tone as heard."""

    start_ms: float
    end_ms: float
    frequency_hz: float
    level_dbm0: float
    alone: bool
    """At least 10 dB quieter before and after it."""
    steady: bool
    open: bool = False

    @property
    def on_ms(self) -> float:
        """Length until now."""
        return self.end_ms - self.start_ms


@dataclass(slots=True)
class _Run:
    first: int
    last: int
    hertz: float
    head: npt.NDArray[np.float32]
    """Quarter powers of its first column, of the one before, and of up to three before that. Most runs are a voice's
    and soon over: what these say is worked out for the others alone."""
    powers: list[float] = field(default_factory=list)
    lost: int = 0

    @property
    def start_quarter(self) -> int:
        """The quarter in which it begins."""
        quarters = self.head[-2 * f.QUARTERS :]
        loud = places(quarters > _EDGE * self.powers[0])
        return (self.first + 1) * f.QUARTERS - len(quarters) + (int(loud[0]) if len(loud) else 0)

    @property
    def before(self) -> float:
        """The usual power of what was heard before it."""
        return median(self.head[: -2 * f.QUARTERS])


class SignalTracker:
    """Finds the single tones in one call's columns, pushed in order and without gaps."""

    def __init__(self, plan: TonePlan) -> None:
        """Start with an empty stream."""
        self._bridge = round(plan.bridge_ms / f.COLUMN_MS)
        self._floor = mean_square(plan.floor_dbm0 - 2.0)
        self._plan = plan
        self._recent: npt.NDArray[np.float32] = np.zeros((0, f.QUARTERS), np.float32)
        """Quarter powers of the newest columns, the last one that of column `_count` - 1."""
        self._count = 0
        self._origin_ms = 0.0
        self._run: _Run | None = None
        self._bursts: list[SignalBurst] = []
        """Tones that are over and may mean something, oldest first."""
        self._named: list[Segment] = []
        self._named_count = 0

    @property
    def segments(self) -> list[Segment]:
        """Return what was heard until now, the tone in progress included once it is long enough to have a name."""
        if self._named_count != len(self._bursts):
            self._named = _segments(self._bursts, self._plan)
            self._named_count = len(self._bursts)
        burst = self._open()
        return self._named if burst is None else [*self._named, *_segments([burst], self._plan)]

    def _open(self) -> SignalBurst | None:
        run = self._run
        if run is None or run.last - run.first + 1 < _SHORTEST:
            return None
        burst = self._measured(run, self._origin_ms + (run.last + 1) * f.COLUMN_MS, alone=True)
        burst.open = True
        return burst

    def push(self, start_ms: float, columns: npt.NDArray[np.float32]) -> None:
        """Add columns [n, F]; `start_ms` counts for the first ones only."""
        if not self._count:
            self._origin_ms = start_ms
        power = columns[:, f.POWER] @ _QUARTER
        self._recent = np.concatenate((self._recent[-_AROUND - self._bridge - _AFTER :], columns[:, f.POWER]))
        self._count += len(columns)
        hertz = columns[:, f.PEAK_HZ]
        pure = (columns[:, f.PEAK_SHARE] > _PURE_SHARE) & (power > self._floor)
        pure &= np.abs(hertz - _EXCHANGE_HZ) > _EXCHANGE_HALF_HZ
        base = self._count - len(columns)
        for at in places(pure).tolist():
            self._pure(base + at, float(hertz[at]), float(power[at]))
        if self._run is not None and self._count - 1 - self._run.last > self._bridge + _AFTER:
            self._end()

    def finish(self) -> None:
        """End the stream: what is open ends with it."""
        if self._run is not None:
            self._end()

    def _pure(self, index: int, hertz: float, power: float) -> None:
        run = self._run
        if run is not None:
            hole = index - run.last - 1
            if hole <= self._bridge and abs(hertz - run.hertz) < _STEP_HZ:
                run.last = index
                run.lost += hole
                run.powers.append(power)
                run.hertz += (hertz - run.hertz) / min(len(run.powers), 25)
                return
            self._end()
        self._run = _Run(index, index, hertz, self._quarters(index - 1 - _AROUND, index + 1), [power])

    def _quarters(self, first: int, after: int) -> npt.NDArray[np.float32]:
        """Return the quarter powers of columns [first, after) as far as they are kept."""
        base = self._count - len(self._recent)
        return self._recent[max(first - base, 0) : max(after - base, 0)].reshape(-1)

    def _end(self) -> None:
        run, self._run = self._run, None
        if run is None or run.last - run.first + 1 < _SHORTEST:
            return
        if len(run.powers) < _FEWEST_PURE * (run.last - run.first + 1):
            return
        mean = float(np.mean(run.powers))
        quarters = self._quarters(run.last, run.last + 2)
        loud = places(quarters > _EDGE * run.powers[-1])
        end = run.last * f.QUARTERS + (int(loud[-1]) + 1 if len(loud) else f.QUARTERS)
        around = self._quarters(run.last + 2, run.last + 2 + _AROUND)
        alone = max(run.before, median(around)) <= _QUIET * mean
        burst = self._measured(run, self._origin_ms + end * f.QUARTER_MS, alone)
        if _meaningful(burst, self._plan):
            self._bursts.append(burst)

    def _measured(self, run: _Run, end_ms: float, alone: bool) -> SignalBurst:
        inner = run.powers[1:-1] or run.powers
        mean = math.fsum(inner) / len(inner)
        swing = math.sqrt(math.fsum((p - mean) ** 2 for p in inner) / len(inner)) if len(inner) < 500 else 0.0
        return SignalBurst(
            start_ms=self._origin_ms + run.start_quarter * f.QUARTER_MS,
            end_ms=end_ms,
            frequency_hz=run.hertz,
            level_dbm0=float(f.power_dbm0(np.array(mean))),
            alone=alone,
            steady=swing <= _SWING * mean,
        )


def _meaningful(burst: SignalBurst, plan: TonePlan) -> bool:
    """Tell whether a tone is worth keeping: a voice makes many that are nothing."""
    return (
        (burst.alone and burst.on_ms > _MEANINGLESS_MS)
        or _by_itself(burst, plan.signals) is not None
        or any(
            tone.on_off_ms and tone.suits((burst.frequency_hz,)) and plan.fits(burst.on_ms, tone.on_ms)
            for tone in plan.signals
        )
    )


def _segments(bursts: list[SignalBurst], plan: TonePlan) -> list[Segment]:
    """Return the segments that these tones are, with their names; a long one of no meaning is noise."""
    signals = plan.signals
    trains = _trains(bursts, plan)
    found = []
    for at, burst in enumerate(bursts):
        tone = trains.get(at) or _by_itself(burst, signals)
        if tone is not None and burst.open and math.isfinite(tone.maximum_ms):
            continue
        if tone is not None:
            confidence = 0.95 if at in trains else 0.9
            measured = _figures(at, bursts, tone)
            found.append(
                Segment(tone.kind, burst.start_ms, burst.end_ms, confidence, tone.full_name, measured)
            )
        elif burst.alone and burst.on_ms > _MEANINGLESS_MS:
            kind: SegmentKind = "noise"
            found.append(Segment(kind, burst.start_ms, burst.end_ms, 0.6, None, _figures(at, bursts, None)))
    return found


def _by_itself(burst: SignalBurst, signals: tuple[Tone, ...]) -> Tone | None:
    for tone in signals:
        known = tone.minimum_ms > 0.0 and tone.matches(burst.frequency_hz, burst.on_ms)
        if known and (tone.kind != "beep" or (burst.alone and burst.steady)):
            return tone
    return None


def _trains(bursts: list[SignalBurst], plan: TonePlan) -> dict[int, Tone]:
    """Return which bursts belong to a tone with a cadence that has come round, by position."""
    found: dict[int, Tone] = {}
    for tone in plan.signals:
        if len(tone.on_off_ms) != 2:
            continue
        fitting = [
            at
            for at, burst in enumerate(bursts)
            if tone.suits((burst.frequency_hz,)) and plan.fits(burst.on_ms, tone.on_ms)
        ]
        for this, other in itertools.pairwise(fitting):
            if plan.fits(bursts[other].start_ms - bursts[this].end_ms, tone.off_ms):
                found[this] = found[other] = tone
    return found


def _figures(at: int, bursts: list[SignalBurst], tone: Tone | None) -> dict[str, float]:
    burst = bursts[at]
    figures = {
        "frequency_hz": round(burst.frequency_hz, 1),
        "level_dbm0": round(burst.level_dbm0, 1),
        "on_ms": round(burst.on_ms, 1),
        "cycles": 1.0,
    }
    before = bursts[at - 1] if at else None
    if (
        tone is not None
        and len(tone.on_off_ms) == 2
        and before is not None
        and tone.suits((before.frequency_hz,))
    ):
        figures["off_ms"] = round(burst.start_ms - before.end_ms, 1)
    return figures

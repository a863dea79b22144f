"""The tone plan (信号音): which tone means what, as data. One file of TOML for each country or trunk in `plans/`.

The format is described in docs/reference/tone-plans.md. A line is listened to with one plan, its trunk's; of the other
shipped plans only the ringback is listened for, so that a call that rings abroad or behind a private exchange is
heard to ring, under that plan's name.
"""

from __future__ import annotations

import functools
import math
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from sip.record import SegmentKind

MEASUREMENT_SLACK_MS = 12.0
"""Added to both sides of a cadence's tolerance: two edges of 5 ms each, and a little."""
FREQUENCY_SLACK_HZ = 2.0
"""The same of a frequency."""
EXCHANGE_BAND_HZ = (360.0, 540.0)
"""Within this the feature columns follow amplitude and phase every 5 ms; pairs of tones are told only here."""
SIGNAL_BAND_HZ = (200.0, 3_300.0)
NOT_TONES = frozenset({"speech", "music", "announcement", "noise", "silence"})
DEFAULT_PLAN = "cn"
PLAN_FOLDER = Path(__file__).parent / "plans"


class TonePlanError(ValueError):
    """A tone plan cannot be used: names the file, the tone and the member, and what it takes."""

    def __init__(self, where: str, member: str, takes: str) -> None:
        """`where`: the file, with the tone inside it where one is meant."""
        super().__init__(f"tone plan {where}: {member}: {takes}" if member else f"tone plan {where}: {takes}")
        self.where, self.member, self.takes = where, member, takes


@dataclass(frozen=True, slots=True)
class Tone:
    """One tone of a plan."""

    plan: str
    name: str
    """Within its plan: `ringback`, `toll_notice`."""
    kind: SegmentKind
    frequencies_hz: tuple[float, ...]
    """One, or two that sound together."""
    tolerance_hz: float
    on_off_ms: tuple[float, ...] = ()
    """On and off in turn; empty for a tone without cadence."""
    minimum_ms: float = 0.0
    """A tone without cadence is one after this long."""
    maximum_ms: float = math.inf

    @property
    def full_name(self) -> str:
        """`cn.ringback`: what stands in a segment."""
        return f"{self.plan}.{self.name}"

    @property
    def on_ms(self) -> float:
        """First on period; 0 for a continuous tone."""
        return self.on_off_ms[0] if self.on_off_ms else 0.0

    @property
    def off_ms(self) -> float:
        """Last off period; 0 for a continuous tone."""
        return self.on_off_ms[-1] if self.on_off_ms else 0.0

    @property
    def sounding_ms(self) -> float:
        """A period without its last pause: one ring, inner pauses of a double ring included."""
        return sum(self.on_off_ms[:-1])

    @property
    def of_exchange(self) -> bool:
        """Whether it lies in the band in which bursts are followed every 5 ms."""
        return all(EXCHANGE_BAND_HZ[0] <= hz <= EXCHANGE_BAND_HZ[1] for hz in self.frequencies_hz)

    def suits(self, frequencies_hz: Sequence[float], slack_hz: float = FREQUENCY_SLACK_HZ) -> bool:
        """Tell whether a sound of these frequencies, lowest first, may be this tone."""
        limit = self.tolerance_hz + slack_hz
        if len(frequencies_hz) == len(self.frequencies_hz) == 1:
            return abs(frequencies_hz[0] - self.frequencies_hz[0]) <= limit
        return len(frequencies_hz) == len(self.frequencies_hz) and all(
            abs(hz - nominal) <= limit
            for hz, nominal in zip(frequencies_hz, self.frequencies_hz, strict=True)
        )

    def off_by(self, frequencies_hz: Sequence[float]) -> float:
        """Return the largest deviation from the nominal frequencies, in hertz."""
        return max(abs(hz - nominal) for hz, nominal in zip(frequencies_hz, self.frequencies_hz, strict=True))

    def matches(self, frequency_hz: float, duration_ms: float) -> bool:
        """Tell whether a steady tone of this frequency and length is this signal."""
        near = (
            len(self.frequencies_hz) == 1 and abs(frequency_hz - self.frequencies_hz[0]) <= self.tolerance_hz
        )
        return near and self.minimum_ms <= duration_ms <= self.maximum_ms


@dataclass(frozen=True, slots=True)
class TonePlan:
    """All tones of a country with the tolerances they are accepted in."""

    name: str
    cadence_tolerance: float
    floor_dbm0: float
    bridge_ms: float
    cycles: int
    exchange: tuple[Tone, ...]
    """The tones of the band around 450 Hz."""
    signals: tuple[Tone, ...]
    """The single tones of other frequencies: fax, howler, reminder, beep."""

    @property
    def tone_hz(self) -> float:
        """Return the frequency of the ringback, the lower of two."""
        return next(tone.frequencies_hz[0] for tone in self.exchange if tone.kind == "ringback")

    def cadence(self, kind: SegmentKind) -> Tone | None:
        """Return the first exchange tone of this kind, None when the plan has none."""
        return next((tone for tone in self.exchange if tone.kind == kind), None)

    def fits(self, measured_ms: float, nominal_ms: float) -> bool:
        """Tell whether an on or off period is within the plan's tolerance of its nominal length."""
        return abs(measured_ms - nominal_ms) <= self.cadence_tolerance * nominal_ms + MEASUREMENT_SLACK_MS

    def may_fit(self, least_ms: float, most_ms: float, nominal_ms: float) -> bool:
        """Tell whether a period of which only bounds are known, for its edges were lost, may have this length."""
        return least_ms <= self.longest(nominal_ms) and most_ms >= self.shortest(nominal_ms)

    def shortest(self, nominal_ms: float) -> float:
        """Return the shortest accepted length of a period."""
        return (1.0 - self.cadence_tolerance) * nominal_ms - MEASUREMENT_SLACK_MS

    def longest(self, nominal_ms: float) -> float:
        """Return the longest accepted length of a period."""
        return (1.0 + self.cadence_tolerance) * nominal_ms + MEASUREMENT_SLACK_MS


def load_plan(path: Path) -> TonePlan:
    """Read a tone plan. Raises `TonePlanError` for a file that is none, OSError for one that cannot be read."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TonePlanError(path.name, "", f"it is no TOML ({error})") from error
    plan = _Table(path.name, data)
    name = plan.text("name")
    tolerance_hz = plan.number("frequency_tolerance_hz", 1.0, 100.0)
    entries = data.get("tone")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise TonePlanError(path.name, "tone", "at least one table [[tone]] is needed")
    tones = tuple(_tone(path.name, at, entry, name, tolerance_hz) for at, entry in enumerate(entries, 1))
    names = [tone.name for tone in tones]
    twice = next((n for n in names if names.count(n) > 1), None)
    if twice is not None:
        raise TonePlanError(path.name, f"tone {twice}", "a name is given once")
    if not any(tone.kind == "ringback" and tone.of_exchange and tone.on_off_ms for tone in tones):
        low, high = EXCHANGE_BAND_HZ
        takes = f"a plan has a ringback with a cadence, its frequencies from {low:g} to {high:g} Hz"
        raise TonePlanError(path.name, "tone", takes)
    return TonePlan(
        name=name,
        cadence_tolerance=plan.number("cadence_tolerance", 0.0, 0.3),
        floor_dbm0=plan.number("floor_dbm0", -60.0, 0.0),
        bridge_ms=plan.number("bridge_ms", 0.0, 60.0),
        cycles=int(plan.number("cycles", 1, 10)),
        exchange=tuple(tone for tone in tones if tone.of_exchange),
        signals=tuple(tone for tone in tones if not tone.of_exchange),
    )


def shipped_plans() -> tuple[str, ...]:
    """Return the names of the plans that ship."""
    return tuple(sorted(path.stem for path in PLAN_FOLDER.glob("*.toml")))


@functools.cache
def shipped_plan(name: str) -> TonePlan:
    """Return a shipped plan. Raises `TonePlanError` for a name that none has."""
    if name not in shipped_plans():
        known = ", ".join(shipped_plans())
        raise TonePlanError(name, "", f"there is none; shipped are {known}, and a path ends in .toml")
    return load_plan(PLAN_FOLDER / f"{name}.toml")


@functools.cache
def find_plan(name_or_path: str) -> TonePlan:
    """Return the shipped plan of this name, or the plan in this file, which is read once.

    Raises `TonePlanError` for what is neither, and for a file with a mistake.
    """
    if name_or_path in shipped_plans():
        return shipped_plan(name_or_path)
    path = Path(name_or_path)
    if path.suffix != ".toml" and not path.is_file():
        return shipped_plan(name_or_path)
    try:
        return load_plan(path)
    except OSError as error:
        raise TonePlanError(str(path), "", f"it cannot be read ({error.strerror})") from error


def default_plan() -> TonePlan:
    """Return the plan of mainland China."""
    return shipped_plan(DEFAULT_PLAN)


@functools.cache
def foreign_ringbacks(own: str) -> tuple[Tone, ...]:
    """Return the ringback of every shipped plan but the one named."""
    plans = (shipped_plan(name) for name in shipped_plans() if name != own)
    return tuple(tone for plan in plans for tone in plan.exchange if tone.kind == "ringback")


@dataclass(frozen=True, slots=True)
class _Table:
    """A table of the file, read with errors that name its members."""

    where: str
    data: dict[str, Any]

    def text(self, member: str) -> str:
        value = self.data.get(member)
        if not isinstance(value, str) or not value.replace("_", "").replace("-", "").isalnum():
            raise TonePlanError(self.where, member, "it takes a name of letters, digits, _ and -")
        return value

    def number(self, member: str, least: float, most: float, default: float | None = None) -> float:
        value: Any = self.data.get(member, default)
        if not _is_number(value) or not least <= value <= most:
            raise TonePlanError(self.where, member, f"it takes a number from {least:g} to {most:g}")
        return float(value)

    def numbers(self, member: str, least: float, most: float, takes: str) -> tuple[float, ...]:
        values = self.data.get(member)
        sound = isinstance(values, list) and all(_is_number(v) and least <= v <= most for v in values)
        if not sound or values is None:
            raise TonePlanError(self.where, member, f"it takes {takes}")
        return tuple(float(value) for value in values)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _tone(file: str, at: int, entry: dict[str, Any], plan: str, tolerance_hz: float) -> Tone:
    name = _Table(f"{file}, tone {at}", entry).text("name")
    table = _Table(f"{file}, tone {name}", entry)
    kinds = [kind for kind in get_args(SegmentKind) if kind not in NOT_TONES]
    if entry.get("kind") not in kinds:
        raise TonePlanError(table.where, "kind", f"it takes one of {', '.join(kinds)}")
    tone = Tone(
        plan=plan,
        name=name,
        kind=entry["kind"],
        frequencies_hz=_frequencies(table),
        tolerance_hz=table.number("tolerance_hz", 1.0, 1_000.0, tolerance_hz),
        on_off_ms=_periods(table),
        minimum_ms=table.number("minimum_ms", 0.0, 60_000.0, 0.0),
        maximum_ms=table.number("maximum_ms", 0.0, 3_600_000.0, 0.0) or math.inf,
    )
    if len(tone.on_off_ms) > 2 and not tone.of_exchange:
        low, high = EXCHANGE_BAND_HZ
        takes = f"one burst and one pause for a tone outside {low:g} to {high:g} Hz"
        raise TonePlanError(table.where, "cadence_ms", takes)
    if not tone.on_off_ms and not tone.minimum_ms:
        raise TonePlanError(
            table.where, "minimum_ms", "a tone without cadence takes the shortest length it is named at"
        )
    if tone.minimum_ms > tone.maximum_ms:
        raise TonePlanError(table.where, "maximum_ms", "it takes no less than minimum_ms")
    return tone


def _frequencies(table: _Table) -> tuple[float, ...]:
    low, high = SIGNAL_BAND_HZ
    takes = f"a list of one frequency from {low:g} to {high:g} Hz, or of two"
    found = table.numbers("frequencies_hz", low, high, takes)
    if len(found) not in (1, 2):
        raise TonePlanError(table.where, "frequencies_hz", f"it takes {takes}")
    low, high = EXCHANGE_BAND_HZ
    if len(found) == 2 and not (all(low <= hz <= high for hz in found) and found[1] - found[0] >= 20.0):
        takes = f"two frequencies from {low:g} to {high:g} Hz, the lower first, at least 20 Hz apart"
        raise TonePlanError(table.where, "frequencies_hz", f"it takes {takes}")
    return found


def _periods(table: _Table) -> tuple[float, ...]:
    takes = "periods of 40 to 60000 ms, on and off in turn and so of an even count; or []"
    found = table.numbers("cadence_ms", 40.0, 60_000.0, takes)
    if len(found) % 2:
        raise TonePlanError(table.where, "cadence_ms", f"it takes {takes}")
    return found

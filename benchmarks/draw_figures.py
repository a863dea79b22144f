"""What a whole year of a draw looks like to somebody who tries to learn its pattern.

A figure of fit is a chi-square statistic brought to the normal scale (Wilson and Hilferty 1931): 0 on average with a
deviation of 1 where the moments are what they should be, over 4 by chance once in 30,000 draws.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from random import Random
from zoneinfo import ZoneInfo

from app.planning.calendar import CalendarBook, DayInfo
from app.planning.calendar_seed import days
from app.planning.caps import OpenTime
from app.planning.draw import DrawInputs, DrawnSlot
from app.planning.spec import PlanSpec
from app.planning.windows import DrawMoment, LineFacts, UnitFacts, build_inputs

ZONE = ZoneInfo("Asia/Shanghai")
YEAR = 2026
SEED = bytes(range(32))
DAY_S = 86_400
WORKDAY = [
    {"start": "08:00", "end": "12:00"},
    {"start": "14:00", "end": "17:30"},
    {"start": "19:00", "end": "23:00"},
]
DAY_OFF = [{"start": "09:00", "end": "21:30"}, {"start": "23:00", "end": "24:00"}]


def year_inputs(units: int, **members: object) -> DrawInputs:
    """Return a year's plan over so many units with one line each; a third of them changes over at other hours."""
    windows = {"workday": WORKDAY, "weekend": DAY_OFF, "holiday": DAY_OFF}
    content = {"first_day": date(YEAR, 1, 1), "last_day": date(YEAR, 12, 31), "windows": windows, **members}
    book = CalendarBook.of(DayInfo(day, kind, False, name, True) for day, kind, name in days(YEAR))
    facts = [
        UnitFacts(key, [LineFacts(100_000 + key)], (480, 1020) if key % 3 else (510, 1050, 1290))
        for key in range(1, units + 1)
    ]
    start = datetime(YEAR, 1, 1, tzinfo=ZONE)
    return build_inputs(PlanSpec.model_validate(content), book, ZONE, facts, DrawMoment(0, start))


def normal_fit(counts: Mapping[object, int], expected: Mapping[object, float]) -> float:
    """Return how well counts fit what is expected of them, on the normal scale."""
    keys = [key for key, mean in expected.items() if mean > 0]
    assert all(count == 0 or expected.get(key, 0.0) > 0 for key, count in counts.items())
    statistic = sum((counts.get(key, 0) - expected[key]) ** 2 / expected[key] for key in keys)
    freedom = len(keys) - 1
    spread = 2 / (9 * freedom)
    return ((statistic / freedom) ** (1 / 3) - (1 - spread)) / math.sqrt(spread)


class Year:
    """A draw, beside what uniform chance within each period would give."""

    def __init__(self, inputs: DrawInputs, slots: Sequence[DrawnSlot]) -> None:
        self.inputs = inputs
        self.slots = slots
        self.open = [OpenTime(inputs, group) for group in inputs.groups]
        self.group = {line.line_id: line.group for unit in inputs.units for line in unit.lines}
        self._drawn = Counter(self._share_key(slot) for slot in slots)

    def _share_key(self, slot: DrawnSlot) -> tuple[int, int]:
        time = self.open[self.group[slot.line_id]]
        return self.group[slot.line_id], time.periods[self._stretch(slot)]

    def _stretch(self, slot: DrawnSlot) -> int:
        time = self.open[self.group[slot.line_id]]
        return bisect_right(time.starts, int(slot.at.timestamp())) - 1

    def fit(self, class_of: Callable[[int], object], step_s: int = 1_800) -> float:
        """Fit the number of calls in classes of time of the year; open time is looked at in steps of `step_s`."""
        expected: dict[object, float] = defaultdict(float)
        for (group, period), count in self._drawn.items():
            time = self.open[group]
            span = time.span("period", period)
            rate = count / time.seconds(span)
            for stretch in range(*span):
                at, end = time.starts[stretch], time.ends[stretch]
                while at < end:
                    following = min(end, at - at % step_s + step_s)
                    expected[class_of(at)] += rate * (following - at)
                    at = following
        counts = Counter(class_of(int(slot.at.timestamp())) for slot in self.slots)
        return normal_fit(counts, expected)

    def inside(self, parts: int) -> float:
        """Fit where in its stretch of open time a call lies, in so many equal parts."""
        counts: Counter[object] = Counter()
        for slot in self.slots:
            time = self.open[self.group[slot.line_id]]
            stretch = self._stretch(slot)
            start, end = time.starts[stretch], time.ends[stretch]
            counts[(int(slot.at.timestamp()) - start) * parts // (end - start)] += 1
        return normal_fit(counts, {part: len(self.slots) / parts for part in range(parts)})

    def second_of_minute(self) -> float:
        """Fit the seconds of the moments; windows and guards begin and end on whole minutes."""
        counts: Counter[object] = Counter(slot.at.second for slot in self.slots)
        return normal_fit(counts, {second: len(self.slots) / 60 for second in range(60)})

    def by_line(self) -> Iterable[list[int]]:
        """Return the moments of each line in order."""
        found: dict[int, list[int]] = {line: [] for line in self.group}
        for slot in self.slots:
            found[slot.line_id].append(int(slot.at.timestamp()))
        return found.values()

    def gap_spread(self) -> float:
        """Return the deviation of the time between two calls of a line over its mean: 1 for chance, 0 for a clock."""
        gaps = [later - first for moments in self.by_line() for first, later in itertools.pairwise(moments)]
        mean = sum(gaps) / len(gaps)
        return math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) / mean

    def chance_after(self, days_: float) -> float:
        """Return the chance of another call within so many days after one, over that from any moment on.

        1: a call tells nothing of the next. Moments without a whole such time behind them are left out.
        """
        reach = int(days_ * DAY_S)
        first, last = self.inputs.pieces[0].start, self.inputs.pieces[-1].end - reach
        dice = Random(1)
        after, calls, plain, looks = 0, 0, 0, 0
        for moments in self.by_line():
            for at in moments:
                if at <= last:
                    calls += 1
                    after += _any_between(moments, at, at + reach)
            for _ in range(6):
                at = dice.randrange(first, last)
                looks += 1
                plain += _any_between(moments, at, at + reach)
        return (after / calls) / (plain / looks)

    def coverage(self) -> float:
        """Return the share of units that were called."""
        return len({slot.unit_id for slot in self.slots}) / len(self.inputs.units)

    def broken_caps(self) -> int:
        """Count days, weeks and gaps of a line beyond its caps."""
        caps = self.inputs.caps
        broken = 0
        for moments in self.by_line():
            local = [datetime.fromtimestamp(at, UTC).astimezone(ZONE).date() for at in moments]
            broken += sum(count > caps.day for count in Counter(local).values())
            broken += sum(
                count > caps.week for count in Counter(day.isocalendar()[:2] for day in local).values()
            )
            broken += sum(later - first < caps.gap_s for first, later in itertools.pairwise(moments))
        return broken

    def order_of_units(self) -> float:
        """Correlate the keys of units with the moments of their calls within each period, on the normal scale."""
        total, weight = 0.0, 0
        periods: dict[int, list[DrawnSlot]] = defaultdict(list)
        for slot in self.slots:
            periods[self._share_key(slot)[1]].append(slot)
        for slots in periods.values():
            if len(slots) > 2:
                total += _correlation([slot.unit_id for slot in slots]) * len(slots)
                weight += len(slots)
        return total / weight * math.sqrt(weight)


def _any_between(moments: Sequence[int], first: int, last: int) -> bool:
    """Whether a call comes after `first` and not after `last`."""
    return bisect_right(moments, last) > bisect_right(moments, first)


def _correlation(values: Sequence[int]) -> float:
    """Correlate values with their place in the list."""
    count = len(values)
    mean, middle = sum(values) / count, (count - 1) / 2
    product = sum((value - mean) * (place - middle) for place, value in enumerate(values))
    spread = math.sqrt(
        sum((value - mean) ** 2 for value in values) * sum((n - middle) ** 2 for n in range(count))
    )
    return product / spread if spread else 0.0


def local_hour(second: int) -> int:
    """The local hour of a moment."""
    return datetime.fromtimestamp(second, ZONE).hour


def minute_of_hour(second: int) -> int:
    """The minute of a moment."""
    return second // 60 % 60


def weekday(second: int) -> int:
    """The local weekday of a moment, Monday 0."""
    return datetime.fromtimestamp(second, ZONE).weekday()


def local_day(second: int) -> int:
    """The local day of a moment."""
    return datetime.fromtimestamp(second, ZONE).toordinal()

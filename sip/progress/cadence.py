"""From bursts of exchange tones to what they mean: ringback, busy, congestion, unobtainable, ...

A tone whose cadence is short is named once it has come round; a ringback burst is named by itself, because a
call may be answered before a second one. What a burst is may therefore change while it is young: labels are
worked out anew from the bursts whenever one of them changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sip.progress.heard import RecognisedTone
from sip.progress.plan import Tone, TonePlan
from sip.progress.tones import ToneBurst

Labels = list[Tone | None]

_CUT_MS = 100.0
"""A shorter piece of ringback is no ring."""
_CRACKLE_MS = 250.0
"""More sound than this in the pause was an answer: a tone in a voice is no ring that goes on."""
_UNDECIDED_MS = 1000.0
"""A short burst in ringback's place may be the first of a busy tone: the next would follow within this."""
_LATE_NEWS_MS = 400.0
"""A burst is known this long after its beginning at the latest: 60 ms of it, look-ahead and the caller's block."""
_DOUBLE_RING_MS = 900.0
"""After so much quiet the second half of a double ring was its end."""
_ONE_GENERATOR_HZ = 5.0
_APART_HZ, _APART_DB = 4.0, 3.0
"""Two bursts of one tone differ less; measured over rough lines: 0.05 Hz and 0.2 dB."""
_RING_VARIATION, _RING_PURITY = 0.2, 0.88
"""A ring that is named by itself is no worse; measured over rough lines (15 dB of noise, 5 % loss): 0.04 and 0.96.
The rest is for lines behind a vocoder."""


@dataclass(frozen=True, slots=True)
class _Line:
    """The bursts of a line with what their labels depend on."""

    bursts: Sequence[ToneBurst]
    gaps: list[float]
    """The quiet after each burst; that after the last lasts at least until now."""
    labels: Labels
    plan: TonePlan

    def on(self, at: int, tone: Tone, nominal_ms: float) -> bool:
        """Tell whether burst `at` has this tone's frequency and, within tolerance, may have this length."""
        return self.fits(at, nominal_ms) and tone.suits(self.bursts[at].frequencies_hz)

    def fits(self, at: int, nominal_ms: float) -> bool:
        """Tell whether burst `at` may have this length; where its edge was lost, it may have been longer."""
        burst = self.bursts[at]
        return self.plan.may_fit(burst.on_ms, burst.longest_ms, nominal_ms)

    def alike(self, at: int) -> bool:
        """Tell whether burst `at` and the next may come from one generator: a melody's notes seldom do."""
        one, other = self.bursts[at], self.bursts[at + 1]
        apart_hz = abs(one.frequency_hz - other.frequency_hz)
        return apart_hz <= _APART_HZ and abs(one.level_dbm0 - other.level_dbm0) <= _APART_DB

    def off(self, at: int, nominal_ms: float) -> bool:
        """Tell whether the pause after burst `at` may have this length; what was lost at its ends may be bursts'."""
        lost_ms = self.bursts[at].lost_after_ms
        if at + 1 < len(self.bursts):
            lost_ms += self.bursts[at + 1].lost_before_ms
        return self.plan.may_fit(self.gaps[at] - lost_ms, self.gaps[at], nominal_ms)


def label_bursts(
    bursts: Sequence[ToneBurst],
    now_ms: float,
    plan: TonePlan,
    foreign: Sequence[Tone] = (),
    *,
    over: bool = False,
) -> Labels:
    """Return what each burst is, None where it is nothing of the plan (yet); `over`: nothing follows any more.

    `foreign`: ringback of other plans, which what the plan does not know may be.
    """
    labels: Labels = [None] * len(bursts)
    if not bursts:
        return labels
    line = _Line(bursts, _gaps(bursts, now_ms), labels, plan)
    if over:
        line.gaps[-1] = max(line.gaps[-1], _UNDECIDED_MS)
    own = plan.exchange
    for tone in own:
        if len(tone.on_off_ms) > 2 and tone.kind != "ringback":
            _label_pattern(tone, line)
    for tone in own:
        if len(tone.on_off_ms) == 2 and tone.kind not in ("ringback", "call_waiting"):
            _label_repeated(tone, line)
    for tone in own:
        if tone.kind == "ringback":
            _label_ringback(tone, line)
    for tone in own:
        if len(tone.on_off_ms) == 2 and tone.kind == "call_waiting":
            _label_repeated(tone, line)
    for tone in foreign:
        _label_ringback(tone, line)
    _label_continuous(own, line)
    _name_by_frequency(line, [tone for tone in (*own, *foreign) if tone.kind == "ringback"])
    return labels


def recognised_tones(
    bursts: Sequence[ToneBurst], labels: Labels, now_ms: float, plan: TonePlan
) -> list[RecognisedTone]:
    """Return the tones other than ringback that are certain by `now_ms`, one entry for each stretch."""
    found = []
    for first, after in stretches(labels):
        tone = labels[first]
        if tone is None or tone.kind == "ringback":
            continue
        at_ms = _certain_at(tone, bursts[first:after], plan)
        if at_ms is not None and at_ms <= now_ms:
            found.append(RecognisedTone(tone.kind, bursts[first].start_ms, at_ms))
    return found


def stretches(labels: Sequence[Tone | None]) -> list[tuple[int, int]]:
    """Return [first, after) of each run of equal labels."""
    bounds = [i for i in range(1, len(labels)) if labels[i] is not labels[i - 1]]
    if not labels:
        return []
    return list(zip([0, *bounds], [*bounds, len(labels)], strict=True))


def _gaps(bursts: Sequence[ToneBurst], now_ms: float) -> list[float]:
    following = [burst.start_ms for burst in bursts[1:]]
    return [max(after - burst.end_ms, 0.0) for burst, after in zip(bursts, [*following, now_ms], strict=True)]


def _certain_at(tone: Tone, bursts: Sequence[ToneBurst], plan: TonePlan) -> float | None:
    if not tone.on_off_ms:
        return bursts[0].start_ms + tone.minimum_ms
    first = 1 if bursts[0].longest_ms < plan.shortest(min(tone.on_off_ms[::2])) else 0
    last = first + plan.cycles * len(tone.on_off_ms) // 2 - 1
    if last >= len(bursts):
        return None
    complete_ms = bursts[last].end_ms + plan.shortest(tone.off_ms)
    if last + 1 < len(bursts):
        complete_ms = min(complete_ms, bursts[last + 1].start_ms)
    return complete_ms


def _label_pattern(tone: Tone, line: _Line) -> None:
    """Label a tone whose period has several bursts, wherever one whole period of it is heard, in any phase.

    Where its bursts are all alike only its pauses tell it from a simpler tone, so all of them must have been heard.
    """
    on, off = tone.on_off_ms[::2], tone.on_off_ms[1::2]
    period, count = len(on), len(line.bursts)
    right_on = {length: [line.on(at, tone, length) for at in range(count)] for length in set(on)}
    if not all(any(right) for right in right_on.values()):
        return
    right_off = {length: [line.off(at, length) for at in range(count)] for length in set(off)}
    gaps = period if min(on) == max(on) else period - 1
    for first in range(count - period + 1):
        if not all(line.alike(first + k) for k in range(period - 1)):
            continue
        for phase in range(period):
            ons = all(right_on[on[(phase + k) % period]][first + k] for k in range(period))
            if ons and all(right_off[off[(phase + k) % period]][first + k] for k in range(gaps)):
                for k in range(period):
                    line.labels[first + k] = tone
    _adopt_cut(tone, line)


def _label_repeated(tone: Tone, line: _Line) -> None:
    """Label a tone of one burst a period where two of them follow each other with the right gap."""
    labels = line.labels

    def whole(at: int) -> bool:
        return labels[at] in (None, tone) and line.on(at, tone, tone.on_ms)

    for i in range(len(line.bursts) - 1):
        if whole(i) and whole(i + 1) and line.off(i, tone.off_ms) and line.alike(i):
            labels[i] = labels[i + 1] = tone
    _adopt_cut(tone, line)


def _adopt_cut(tone: Tone, line: _Line) -> None:
    """Give a labelled stretch the piece before it, with which the stream began, and the piece it ends with."""
    bursts, labels, plan = line.bursts, line.labels, line.plan
    longest_on, longest_off = plan.longest(max(tone.on_off_ms[::2])), max(tone.on_off_ms[1::2])

    def adoptable(at: int, gap: int) -> bool:
        short = bursts[at].on_ms <= longest_on and line.gaps[gap] <= plan.longest(longest_off)
        return short and labels[at] is None and tone.suits(bursts[at].frequencies_hz)

    for first, after in stretches(labels):
        if labels[first] is not tone:
            continue
        before = first - 1
        if before >= 0 and bursts[before].at_stream_start and adoptable(before, before):
            labels[before] = tone
        if after == len(bursts) - 1 and adoptable(after, after - 1):
            labels[after] = tone


def _label_ringback(tone: Tone, line: _Line) -> None:
    if len(tone.on_off_ms) > 2:
        _label_double_ring(tone, line)
        return
    bursts, labels, plan = line.bursts, line.labels, line.plan
    for i, burst in enumerate(bursts):
        if labels[i] is not None or not tone.suits(burst.frequencies_hz):
            continue
        last = i == len(bursts) - 1
        follows = i > 0 and labels[i - 1] is tone and line.off(i - 1, tone.off_ms)
        follows = follows and burst.from_quiet and burst.sound_before_ms <= _CRACKLE_MS
        if follows and _CUT_MS <= burst.on_ms <= plan.longest(tone.on_ms):
            # In ringback's place: a ring, perhaps cut off by the answer; but the pips of another tone come soon.
            if (last and burst.open) or line.gaps[i] >= _UNDECIDED_MS or line.fits(i, tone.on_ms):
                labels[i] = tone
        elif _whole_ring(i, tone, line, last) or _joined_late(i, tone, line):
            labels[i] = tone


def _whole_ring(i: int, tone: Tone, line: _Line, last: bool) -> bool:
    """Tell whether a burst is a ring by itself, whatever came before it."""
    burst, plan = line.bursts[i], line.plan
    if not line.fits(i, tone.on_ms):
        return False
    alone = burst.from_quiet and (burst.into_quiet or burst.steady)
    if not alone or burst.variation > _RING_VARIATION or burst.purity < _RING_PURITY:
        return False
    congestion = plan.cadence("congestion")
    if congestion is None or not line.on(i, congestion, congestion.on_ms):
        return True
    # As long as the longest congestion burst: the pause tells, or that something else follows at once.
    return line.gaps[i] > plan.longest(congestion.off_ms) + _LATE_NEWS_MS or (
        last and not burst.open and not burst.into_quiet
    )


def _joined_late(i: int, tone: Tone, line: _Line) -> bool:
    """Tell whether the stream began in the middle of this ring: the next whole one shows it."""
    bursts, plan = line.bursts, line.plan
    if i + 1 >= len(bursts) or not bursts[i].at_stream_start:
        return False
    short = _CUT_MS <= bursts[i].on_ms <= plan.longest(tone.on_ms)
    return short and line.off(i, tone.off_ms) and line.on(i + 1, tone, tone.on_ms)


def _label_double_ring(tone: Tone, line: _Line) -> None:
    """Label rings of two bursts: both of their length, the short pause between them, a long one behind."""
    first_on, short_off, second_on, _ = tone.on_off_ms[:4]
    for i in range(len(line.bursts) - 1):
        free = line.labels[i] is None and line.labels[i + 1] is None
        if not (free and line.on(i, tone, first_on) and line.on(i + 1, tone, second_on)):
            continue
        if line.off(i, short_off) and line.alike(i) and line.gaps[i + 1] >= _DOUBLE_RING_MS:
            line.labels[i] = line.labels[i + 1] = tone


def _label_continuous(own: Sequence[Tone], line: _Line) -> None:
    for tone in own:
        if tone.on_off_ms:
            continue
        for i, burst in enumerate(line.bursts):
            long_enough = burst.on_ms >= tone.minimum_ms and burst.steady
            if line.labels[i] is None and long_enough and tone.suits(burst.frequencies_hz):
                line.labels[i] = tone


def _name_by_frequency(line: _Line, ringbacks: Sequence[Tone]) -> None:
    """Name each ring by the plan whose frequency is nearest at its cadence: 425 Hz is no 450 Hz.

    Rings of one generator keep one name, also half way between two frequencies.
    """
    before: ToneBurst | None = None
    name: Tone | None = None
    for i, burst in enumerate(line.bursts):
        tone = line.labels[i]
        if tone is None or tone.kind != "ringback":
            continue
        same = before is not None and name is not None and name.on_off_ms == tone.on_off_ms
        if not (
            same and before is not None and abs(burst.frequency_hz - before.frequency_hz) <= _ONE_GENERATOR_HZ
        ):
            alike = (other for other in ringbacks if other.on_off_ms == tone.on_off_ms)
            suiting = [other for other in alike if other.suits(burst.frequencies_hz)]
            name = min(suiting, key=lambda other: other.off_by(burst.frequencies_hz), default=tone)
        line.labels[i] = name
        before = burst

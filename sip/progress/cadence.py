"""From bursts of the exchange tone to what they mean: ringback, busy, congestion, unobtainable, ...

A tone whose cadence is short is named once it has come round; a ringback burst is named by itself, because a
call may be answered before a second one. What a burst is may therefore change while it is young: labels are
worked out anew from the bursts whenever one of them changes.
"""

from __future__ import annotations

from collections.abc import Sequence

from sip.progress.heard import RecognisedTone
from sip.progress.plan import Cadence, TonePlan
from sip.progress.tones import ToneBurst
from sip.record import SegmentKind

Labels = list[SegmentKind | None]

_CUT_MS = 100.0
"""A shorter piece of ringback is no ring."""
_CRACKLE_MS = 250.0
"""More sound than this in the pause was an answer: a tone in a voice is no ring that goes on."""
_UNDECIDED_MS = 1000.0
"""A short burst in ringback's place may be the first of a busy tone: the next would follow within this."""
_LATE_NEWS_MS = 400.0
"""A burst is known this long after its beginning at the latest: 60 ms of it, look-ahead and the caller's block."""


def label_bursts(bursts: Sequence[ToneBurst], now_ms: float, plan: TonePlan, *, over: bool = False) -> Labels:
    """Return what each burst is, None where it is nothing of the plan (yet); `over`: nothing follows any more."""
    labels: Labels = [None] * len(bursts)
    if not bursts:
        return labels
    gaps = _gaps(bursts, now_ms)
    if over:
        gaps[-1] = max(gaps[-1], _UNDECIDED_MS)
    for cadence in plan.cadences:
        if len(cadence.on_off_ms) > 2:
            _label_pattern(cadence, bursts, gaps, labels, plan)
    for kind in ("busy", "congestion"):
        cadence_ = plan.cadence(kind)
        if cadence_ is not None:
            _label_repeated(cadence_, bursts, gaps, labels, plan)
    ringback = plan.cadence("ringback")
    if ringback is not None:
        _label_ringback(ringback, bursts, gaps, labels, plan)
    waiting = plan.cadence("call_waiting")
    if waiting is not None:
        _label_repeated(waiting, bursts, gaps, labels, plan)
    _label_continuous(bursts, labels, plan)
    return labels


def recognised_tones(
    bursts: Sequence[ToneBurst], labels: Labels, now_ms: float, plan: TonePlan
) -> list[RecognisedTone]:
    """Return the tones other than ringback that are certain by `now_ms`, one entry for each stretch."""
    found = []
    for first, after in stretches(labels):
        kind = labels[first]
        if kind is None or kind == "ringback":
            continue
        at_ms = _certain_at(kind, bursts[first:after], plan)
        if at_ms is not None and at_ms <= now_ms:
            found.append(RecognisedTone(kind, bursts[first].start_ms, at_ms))
    return found


def stretches(labels: Sequence[SegmentKind | None]) -> list[tuple[int, int]]:
    """Return [first, after) of each run of equal labels."""
    bounds = [i for i in range(1, len(labels)) if labels[i] != labels[i - 1]]
    if not labels:
        return []
    return list(zip([0, *bounds], [*bounds, len(labels)], strict=True))


def _gaps(bursts: Sequence[ToneBurst], now_ms: float) -> list[float]:
    """Return the quiet after each burst; that after the last lasts at least until now."""
    following = [burst.start_ms for burst in bursts[1:]]
    return [max(after - burst.end_ms, 0.0) for burst, after in zip(bursts, [*following, now_ms], strict=True)]


def _certain_at(kind: SegmentKind, bursts: Sequence[ToneBurst], plan: TonePlan) -> float | None:
    cadence = plan.cadence(kind)
    if cadence is None:
        return None
    if not cadence.on_off_ms:
        return bursts[0].start_ms + cadence.minimum_ms
    first = 1 if bursts[0].on_ms < plan.shortest(min(cadence.on_off_ms[::2])) else 0
    last = first + plan.cycles * len(cadence.on_off_ms) // 2 - 1
    if last >= len(bursts):
        return None
    complete_ms = bursts[last].end_ms + plan.shortest(cadence.off_ms)
    if last + 1 < len(bursts):
        complete_ms = min(complete_ms, bursts[last + 1].start_ms)
    return complete_ms


def _label_pattern(
    cadence: Cadence, bursts: Sequence[ToneBurst], gaps: list[float], labels: Labels, plan: TonePlan
) -> None:
    """Label a tone whose period has several bursts, wherever one whole period of it is heard, in any phase."""
    on, off = cadence.on_off_ms[::2], cadence.on_off_ms[1::2]
    period = len(on)

    def fits(at: int, phase: int, check_gap: bool) -> bool:
        right_on = plan.fits(bursts[at].on_ms, on[phase % period])
        return right_on and (not check_gap or plan.fits(gaps[at], off[phase % period]))

    for first in range(len(bursts) - period + 1):
        for phase in range(period):
            if all(fits(first + k, phase + k, k < period - 1) for k in range(period)):
                for k in range(period):
                    labels[first + k] = cadence.kind
    _adopt_cut(cadence, bursts, gaps, labels, plan)


def _label_repeated(
    cadence: Cadence, bursts: Sequence[ToneBurst], gaps: list[float], labels: Labels, plan: TonePlan
) -> None:
    """Label a tone of one burst a period where two of them follow each other with the right gap."""

    def whole(at: int) -> bool:
        return labels[at] in (None, cadence.kind) and plan.fits(bursts[at].on_ms, cadence.on_ms)

    for i in range(len(bursts) - 1):
        if whole(i) and whole(i + 1) and plan.fits(gaps[i], cadence.off_ms):
            labels[i] = labels[i + 1] = cadence.kind
    _adopt_cut(cadence, bursts, gaps, labels, plan)


def _adopt_cut(
    cadence: Cadence, bursts: Sequence[ToneBurst], gaps: list[float], labels: Labels, plan: TonePlan
) -> None:
    """Give a labelled stretch the piece before it, with which the stream began, and the piece it ends with."""
    longest_on, longest_off = plan.longest(max(cadence.on_off_ms[::2])), max(cadence.on_off_ms[1::2])

    def adoptable(at: int, gap: int) -> bool:
        short = bursts[at].on_ms <= longest_on and gaps[gap] <= plan.longest(longest_off)
        return short and labels[at] is None

    for first, after in stretches(labels):
        if labels[first] != cadence.kind:
            continue
        before = first - 1
        if before >= 0 and bursts[before].at_stream_start and adoptable(before, before):
            labels[before] = cadence.kind
        if after == len(bursts) - 1 and adoptable(after, after - 1):
            labels[after] = cadence.kind


def _label_ringback(
    cadence: Cadence, bursts: Sequence[ToneBurst], gaps: list[float], labels: Labels, plan: TonePlan
) -> None:
    for i, burst in enumerate(bursts):
        if labels[i] is not None:
            continue
        last = i == len(bursts) - 1
        follows = i > 0 and labels[i - 1] == "ringback" and plan.fits(gaps[i - 1], cadence.off_ms)
        follows = follows and burst.from_quiet and burst.sound_before_ms <= _CRACKLE_MS
        if follows and _CUT_MS <= burst.on_ms <= plan.longest(cadence.on_ms):
            # In ringback's place: a ring, perhaps cut off by the answer; but the pips of another tone come soon.
            if (last and burst.open) or gaps[i] >= _UNDECIDED_MS or plan.fits(burst.on_ms, cadence.on_ms):
                labels[i] = "ringback"
        elif _whole_ring(burst, gaps[i], last, cadence, plan) or _joined_late(i, bursts, gaps, cadence, plan):
            labels[i] = "ringback"


def _whole_ring(burst: ToneBurst, gap_ms: float, last: bool, cadence: Cadence, plan: TonePlan) -> bool:
    """Tell whether a burst is a ring by itself, whatever came before it."""
    nominal_ms = cadence.on_ms
    if not plan.fits(burst.on_ms, nominal_ms):
        return False
    alone = burst.from_quiet and (burst.into_quiet or burst.steady)
    if not alone:
        return False
    congestion = plan.cadence("congestion")
    if congestion is None or not plan.fits(burst.on_ms, congestion.on_ms):
        return True
    # As long as the longest congestion burst: the pause tells, or that something else follows at once.
    return gap_ms > plan.longest(congestion.off_ms) + _LATE_NEWS_MS or (
        last and not burst.open and not burst.into_quiet
    )


def _joined_late(
    i: int, bursts: Sequence[ToneBurst], gaps: list[float], cadence: Cadence, plan: TonePlan
) -> bool:
    """Tell whether the stream began in the middle of this ring: the next whole one shows it."""
    if i + 1 >= len(bursts) or not bursts[i].at_stream_start:
        return False
    short = _CUT_MS <= bursts[i].on_ms <= plan.longest(cadence.on_ms)
    return short and plan.fits(gaps[i], cadence.off_ms) and plan.fits(bursts[i + 1].on_ms, cadence.on_ms)


def _label_continuous(bursts: Sequence[ToneBurst], labels: Labels, plan: TonePlan) -> None:
    for cadence in plan.cadences:
        if cadence.on_off_ms:
            continue
        for i, burst in enumerate(bursts):
            if labels[i] is None and burst.on_ms >= cadence.minimum_ms and burst.steady:
                labels[i] = cadence.kind

"""The picture of a call or of a sound file: where everything lies on one time line.

Pure geometry in the units of the SVG's view box; `app.picture.svg` writes it down.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.checks import wording
from app.checks.rules import Rules
from app.picture.heat import Heat, heat_of
from app.picture.labels import LEFT, RIGHT, WIDTH, Label, Mark, lay_out, text_width
from app.picture.notes import NOTE_ROW, Note, NoteText, place
from app.picture.reading import Reading, Stretch, number
from app.picture.scale import LEAST_SPAN_MS, Bar, Scale, Tick
from app.picture.words import ZH, Words
from sip.progress import Spectrogram

RING_ON_MS, RING_PERIOD_MS = 1_000.0, 5_000.0
"""National cadence: 1 s on, 4 s off (GB 3380-82)."""
_HEARD = frozenset({"noise", "silence"})
"""Sounds that alone are not worth a picture."""
SOUND_SIZE = 12.0
LOWEST_DBM0, HIGHEST_DBM0 = -60.0, 3.0
"""Ends of the level scale: the noise of G.711 and its full scale."""
_LANE_HEIGHTS = {"rings": 46.0, "sounds": 44.0, "level": 62.0, "spectrum": 116.0}
_LANE_GAP = 8.0
_SPOKEN = frozenset({"words", "sample"})
"""Roads whose details are words of the line or of an operator, not ours."""
_PROOF = {"definitive": "proof", "near_proof": "proof", "strong": "strong"}


@dataclass(frozen=True, slots=True)
class Lane:
    """A horizontal strip with a name of its own."""

    kind: str
    name: str
    top: float
    height: float

    @property
    def bottom(self) -> float:
        """Lower edge."""
        return self.top + self.height


@dataclass(frozen=True, slots=True)
class Measured:
    """One segment with what it was told by: a row of the table."""

    kind: str
    sound: str
    tone: str
    start_s: float
    end_s: float
    confidence: float | None
    measured: str


@dataclass(frozen=True, slots=True)
class Picture:
    """All that is drawn."""

    words: Words
    lanes: tuple[Lane, ...]
    rings: tuple[Bar, ...]
    assumed: bool
    """The rings are counted by the national cadence, not heard."""
    sounds: tuple[Bar, ...]
    said: tuple[Note, ...]
    """Announcements, as they were understood."""
    signs: tuple[Note, ...]
    """Evidence of forwarding."""
    ours: tuple[Note, ...]
    """What we did on the line."""
    level: tuple[tuple[tuple[float, float], ...], ...]
    """Curves of (x, share of the lane's height), one for each stretch in which something came."""
    heat: Heat | None
    """The spectrogram of a file."""
    marks: tuple[Mark, ...]
    limits: tuple[Mark, ...]
    labels: tuple[Label, ...]
    """The words over limits, answer and end, laid out so that none covers another or another's line."""
    window: Bar | None
    """Where the answer lies somewhere in; None when it is one moment."""
    lawful: Bar | None
    """From ring start to the limit."""
    ticks: tuple[Tick, ...]
    axis: str
    top: float
    """Upper edge of the chart, below the labels."""
    crossed_s: float | None
    """Seconds from our CANCEL to an answer that crossed it; None when none did."""
    measured: tuple[Measured, ...]
    width: float = WIDTH
    left: float = LEFT
    right: float = WIDTH - RIGHT
    kinds: tuple[str, ...] = field(default=())
    """The kinds of segments that are drawn, for the key."""

    @property
    def bottom(self) -> float:
        """Lower edge of the chart."""
        return self.lanes[-1].bottom

    def lane(self, kind: str) -> Lane | None:
        """Return a lane by its kind."""
        return next((lane for lane in self.lanes if lane.kind == kind), None)


def worth_drawing(facts: Mapping[str, Any]) -> bool:
    """Whether a call has a shape: it rang, was answered, or something was heard."""
    reading = Reading(facts)
    shaped = (reading.ms("ring_started_ms"), reading.ms("answered_ms"))
    return any(t is not None for t in shaped) or any(
        segment.text("kind") not in _HEARD for segment in reading.segments()
    )


def ring_seconds(most_ms: float | None, least_ms: float | None, rules: Rules) -> str:
    """Write the ringing to an answer in seconds, a span where the answer's moment is one; empty if unknown."""
    if most_ms is None:
        return ""
    limits_s = (rules.within_s, rules.limit_s, rules.finding_s)
    most = wording.seconds(most_ms, *limits_s)
    least = most if least_ms is None else wording.seconds(min(least_ms, most_ms), *limits_s)
    return most if least == most else f"{least}–{most}"


def draw(
    facts: Mapping[str, Any], rules: Rules, words: Words = ZH, spectrogram: Spectrogram | None = None
) -> Picture:
    """Lay out a call from its stored facts, or a file from its analysis, with the limits of the rules that judge it."""
    reading = Reading(facts)
    limits = _limits(reading.ring_start(), rules)
    ended = reading.end()
    shown = [(kind, t_ms) for kind, t_ms in limits if t_ms <= max(ended, LEAST_SPAN_MS) * 1.6]
    # Right of the last limit there is room for its words.
    scale = Scale(max([ended * 1.03, LEAST_SPAN_MS, *(t_ms * 1.13 for _, t_ms in shown)]))
    rings, assumed = _rings(reading, scale, words)
    marks = _marks(reading, scale)
    limit_marks = tuple(scale.mark(kind, t_ms) for kind, t_ms in shown)
    labels, top = lay_out([(mark, _text(mark, reading, rules, words)) for mark in (*marks, *limit_marks)])
    said, said_rows = place(_said(reading, scale, words), words.more)
    signs, sign_rows = place(_signs(reading, scale, words), words.more)
    ours, our_rows = place(_ours(reading, scale, words), words.more)
    level = _level(reading, scale)
    heat = None if spectrogram is None else heat_of(spectrogram, scale)
    rows = {"said": said_rows, "signs": sign_rows, "ours": our_rows}
    return Picture(
        words=words,
        lanes=_lanes(top, rows, bool(level), heat is not None, words),
        rings=rings,
        assumed=assumed,
        sounds=tuple(_sound(segment, scale, words) for segment in reading.segments()),
        said=said,
        signs=signs,
        ours=ours,
        level=level,
        heat=heat,
        marks=marks,
        limits=limit_marks,
        labels=labels,
        window=_window(reading, scale, words),
        lawful=_lawful(reading.ring_start(), rules, scale),
        ticks=scale.ticks(),
        axis=words.axis["file" if reading.is_file else "call"],
        top=top,
        crossed_s=_crossed_s(reading),
        measured=tuple(_measured(segment, words) for segment in reading.segments()),
        kinds=tuple(dict.fromkeys(segment.text("kind") for segment in reading.segments())),
    )


def _limits(ring_start: float | None, rules: Rules) -> list[tuple[str, float]]:
    if ring_start is None:
        return []
    seconds = (("within", rules.within_s), ("limit", rules.limit_s), ("finding", rules.finding_s))
    return [(kind, ring_start + limit_s * 1000) for kind, limit_s in seconds]


def _lawful(ring_start: float | None, rules: Rules, scale: Scale) -> Bar | None:
    if ring_start is None:
        return None
    return scale.bar("lawful", ring_start, ring_start + rules.limit_s * 1000)


def _lanes(top: float, rows: Mapping[str, int], level: bool, heat: bool, words: Words) -> tuple[Lane, ...]:
    heights = {"rings": _LANE_HEIGHTS["rings"], "sounds": _LANE_HEIGHTS["sounds"]}
    heights |= {kind: count * NOTE_ROW + 6.0 for kind, count in rows.items() if count}
    heights |= {"level": _LANE_HEIGHTS["level"]} if level else {}
    heights |= {"spectrum": _LANE_HEIGHTS["spectrum"]} if heat else {}
    lanes = []
    at = top
    for kind, height in heights.items():
        lanes.append(Lane(kind, words.lanes[kind], at, height))
        at += height
    return tuple(lanes)


def _text(mark: Mark, reading: Reading, rules: Rules, words: Words) -> str:
    limits_s = {"within": rules.within_s, "limit": rules.limit_s, "finding": rules.finding_s}
    if mark.kind in limits_s:
        return words.limits[mark.kind].format(f"{limits_s[mark.kind]:g}")
    if mark.kind == "answer":
        took, least = reading.ms("ring_to_answer_ms"), reading.ms("ring_to_answer_min_ms")
        rang = ring_seconds(took, least, rules)
        return words.answer_after.format(rang) if rang else words.answer
    if mark.kind == "end":
        connected = reading.ms("connected_ms") is not None
        who = words.ended_by.get(str(reading.facts.get("ended_by"))) if connected else None
        comma = "，" if words.language == "zh-CN" else ", "
        return words.end + (comma + who if who else "")
    return ""


def _crossed_s(reading: Reading) -> float | None:
    """How long after our CANCEL the answer came, when it came all the same."""
    answered = reading.ms("answered_ms")
    cancels = (
        entry.start_ms
        for entry in reading.timeline()
        if entry.text("event") == "sent" and entry.text("method") == "CANCEL"
    )
    cancelled = next(cancels, None)
    if answered is None or cancelled is None or answered < cancelled:
        return None
    return (answered - cancelled) / 1000


def _rings(reading: Reading, scale: Scale, words: Words) -> tuple[tuple[Bar, ...], bool]:
    bursts = [(burst.start_ms, burst.end_ms, _tone_of(burst)) for burst in reading.bursts()]
    rings = reading.facts.get("rings")
    known = rings if isinstance(rings, Mapping) else {}
    start = reading.ring_start()
    assumed = not bursts and start is not None and known.get("source") == "cadence"
    if assumed and start is not None:
        end = reading.ms("answered_ms") or reading.ms("ended_ms") or start
        count = number(known.get("count")) or 0.0
        most = min(int(count), int(max(end - start, 0.0) // RING_PERIOD_MS) + 1)
        begins = (start + n * RING_PERIOD_MS for n in range(most))
        bursts = [(t, min(t + RING_ON_MS, end), "") for t in begins if t < end]
    bars = []
    for n, (begin, end, tone) in enumerate(bursts, 1):
        title = words.ring.format(n=n, span=_span(words, begin, end)) + (words.assumed if assumed else tone)
        bar = scale.bar("ring", begin, end, str(n), title)
        fits = bar.width >= text_width(bar.text, SOUND_SIZE) + 4.0
        bars.append(bar if fits else scale.bar("ring", begin, end, "", title))
    return tuple(bars), assumed


def _tone_of(burst: Stretch) -> str:
    hz, level = number(burst.members.get("frequency_hz")), number(burst.members.get("level_dbm0"))
    known = [f"{hz:.1f} Hz"] if hz is not None else []
    known += [f"{level:.1f} dBm0"] if level is not None else []
    return "".join(f" {part}" for part in known)


def _span(words: Words, start_ms: float, end_ms: float) -> str:
    return words.span.format(f"{start_ms / 1000:.2f}", f"{end_ms / 1000:.2f}")


def _sound(segment: Stretch, scale: Scale, words: Words) -> Bar:
    row = _measured(segment, words)
    name = f"{row.sound} {row.tone}".rstrip()
    title = f"{name} {_span(words, segment.start_ms, segment.end_ms)}"
    if row.confidence is not None:
        title += f"\n{words.confidence} {row.confidence:.2f}"
    if row.measured:
        title += f"\n{row.measured}"
    bar = scale.bar(row.kind, segment.start_ms, segment.end_ms, row.sound, title)
    fits = bar.width >= text_width(row.sound, SOUND_SIZE) + 6.0
    return bar if fits else scale.bar(row.kind, segment.start_ms, segment.end_ms, "", title)


def _measured(segment: Stretch, words: Words) -> Measured:
    values = segment.members.get("measured")
    return Measured(
        kind=segment.text("kind"),
        sound=words.sound(segment.text("kind")),
        tone=segment.text("tone"),
        start_s=segment.start_ms / 1000,
        end_s=segment.end_ms / 1000,
        confidence=number(segment.members.get("confidence")),
        measured=words.measured(values if isinstance(values, Mapping) else None),
    )


def _said(reading: Reading, scale: Scale, words: Words) -> Iterator[NoteText]:
    for said in reading.announcements():
        bar = scale.bar("said", said.start_ms, said.end_ms)
        meaning, road = words.meaning(said.text("meaning")), words.road(said.text("road"))
        text = f"{meaning}（{road}）" if words.language == "zh-CN" else f"{meaning} ({road})"
        title = f"{text} {_span(words, said.start_ms, said.end_ms)}"
        if words.details or said.text("road") in _SPOKEN:
            detail = said.text("detail")
            title += f"\n{detail if words.details else wording.announced(detail)}"
        yield NoteText(bar.x, max(bar.width, 3.0), "said", text, title, bar.start_s)


def _signs(reading: Reading, scale: Scale, words: Words) -> Iterator[NoteText]:
    for sign in reading.evidence():
        grade = sign.text("grade")
        text = f"{words.sign(sign.text('kind'))} {words.grade(grade)}"
        title = f"{text} {words.seconds.format(f'{sign.start_ms / 1000:.2f}')}"
        if words.details:
            title += f"\n{sign.text('detail')}"
        at = scale.x(sign.start_ms)
        yield NoteText(at, 0.0, _PROOF.get(grade, "hint"), text, title, sign.start_ms / 1000)


def _ours(reading: Reading, scale: Scale, words: Words) -> Iterator[NoteText]:
    timeline = reading.timeline()
    cancelled = any(entry.text("method") == "CANCEL" and entry.text("event") == "sent" for entry in timeline)
    for entry in timeline:
        event = entry.text("method") if entry.text("event") == "sent" else entry.text("event")
        # A call that was cancelled had nothing to hang up yet: it is one act, named once.
        if event not in words.ours or (cancelled and event == "hang_up"):
            continue
        text = f"{words.ours[event]} {entry.text('digits')}".rstrip()
        title = f"{text} {words.seconds.format(f'{entry.start_ms / 1000:.2f}')}"
        yield NoteText(scale.x(entry.start_ms), 0.0, "ours", text, title, entry.start_ms / 1000)


def _level(reading: Reading, scale: Scale) -> tuple[tuple[tuple[float, float], ...], ...]:
    """Return the curves: the loudest step of each unit of the paper, parted where nothing came."""
    runs: list[list[tuple[float, float]]] = []
    last_ms, over_ms = float("-inf"), reading.end()
    for start_ms, step_end_ms, dbm0 in reading.level():
        # The last step may reach beyond the end.
        end_ms = min(step_end_ms, max(over_ms, start_ms))
        share = (min(max(dbm0, LOWEST_DBM0), HIGHEST_DBM0) - LOWEST_DBM0) / (HIGHEST_DBM0 - LOWEST_DBM0)
        x = scale.x(start_ms)
        if start_ms - last_ms > 1.0:
            _close(runs, scale.x(last_ms))
            runs.append([(x, share)])
        elif x - runs[-1][-1][0] < 1.0:
            runs[-1][-1] = (runs[-1][-1][0], max(runs[-1][-1][1], share))
        else:
            runs[-1] += [(x, runs[-1][-1][1]), (x, share)]
        last_ms = end_ms
    _close(runs, scale.x(last_ms))
    return tuple(tuple(run) for run in runs)


def _close(runs: list[list[tuple[float, float]]], end_x: float) -> None:
    """Draw the last step to its end."""
    if runs:
        runs[-1].append((max(end_x, runs[-1][-1][0]), runs[-1][-1][1]))


def _marks(reading: Reading, scale: Scale) -> tuple[Mark, ...]:
    if reading.is_file:
        return ()
    moments: Sequence[tuple[str, float | None]] = (
        ("ring_start", reading.ms("ring_started_ms")),
        ("answer", reading.ms("answered_ms")),
        ("end", reading.ms("ended_ms")),
    )
    return tuple(scale.mark(kind, t_ms) for kind, t_ms in moments if t_ms is not None)


def _window(reading: Reading, scale: Scale, words: Words) -> Bar | None:
    window = reading.window()
    if window is None:
        return None
    title = words.window.format(span=_span(words, *window))
    return scale.bar("window", *window, title=title)

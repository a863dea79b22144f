"""The waveform of a recording as inline SVG: no script, no style sheet, looks as attributes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

import numpy as np

from recordings.peaks import Peaks

WIDTH: Final = 1000
_LANE: Final = 70
_GAP: Final = 14
_AXIS: Final = 22
_INK: Final = "#2f4b6e"
_SIDES: Final = {"us": "我方 us", "them": "对方 them"}


@dataclass(frozen=True, slots=True)
class Moment:
    """A line across the waveform."""

    t_ms: float
    label: str


def wave(peaks: Peaks, moments: Iterable[Moment]) -> str:
    """Return the `<svg>` element."""
    lanes = [name for name in ("us", "them") if name in peaks.names]
    bottom = _GAP + len(lanes) * (_LANE + _GAP)
    total_ms = max(peaks.duration_ms, 1.0)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom + _AXIS}" width="100%" role="img" '
        f'aria-label="录音波形 waveform"><title>录音波形 waveform</title>'
    ]
    for number, name in enumerate(lanes):
        top = _GAP + number * (_LANE + _GAP)
        parts.append(f'<rect x="0" y="{top}" width="{WIDTH}" height="{_LANE}" fill="#f3f5f8"/>')
        parts.append(f'<path d="{_path(peaks, peaks.names.index(name), top)}" stroke="{_INK}" fill="none"/>')
        parts.append(_text(4, top + 12, _SIDES[name]))
    for moment in moments:
        if 0 <= moment.t_ms <= total_ms:
            x = round(moment.t_ms / total_ms * WIDTH, 1)
            parts.append(
                f'<line x1="{x}" x2="{x}" y1="0" y2="{bottom}" stroke="#b3261e">'
                f"<title>{escape(moment.label)}</title></line>"
            )
    parts += _ticks(total_ms, bottom)
    return "".join((*parts, "</svg>"))


def _path(peaks: Peaks, channel: int, top: float) -> str:
    columns = peaks.columns[channel]
    if not len(columns):
        return ""
    edges = np.unique(np.linspace(0, len(columns), min(WIDTH, len(columns)), endpoint=False).astype(int))
    least = np.minimum.reduceat(columns[:, 0], edges)
    most = np.maximum.reduceat(columns[:, 1], edges)
    middle, scale = top + _LANE / 2, _LANE / 2 / 128
    return "".join(
        f"M{x * WIDTH / len(columns):.1f} {middle - int(high) * scale:.1f}V{middle - int(low) * scale + 0.5:.1f}"
        for x, low, high in zip(edges, least, most, strict=True)
    )


def _ticks(total_ms: float, bottom: float) -> Iterator[str]:
    step_s = next((s for s in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600) if total_ms / 1000 / s <= 12), 3600)
    for second in range(0, int(total_ms / 1000) + 1, step_s):
        x = round(second * 1000 / total_ms * WIDTH, 1)
        yield f'<line x1="{x}" x2="{x}" y1="{bottom}" y2="{bottom + 4}" stroke="#667"/>'
        yield _text(min(x + 2, WIDTH - 34), bottom + 16, f"{second} s")


def _text(x: float, y: float, words: str) -> str:
    return f'<text x="{x}" y="{y}" font-size="11" fill="#445">{escape(words)}</text>'

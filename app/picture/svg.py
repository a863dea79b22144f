"""Writes a picture as SVG: for a page under a strict content security policy, or as a file of its own.

Looks are presentation attributes: no style sheet, no `style`, no script. Classes are there for tests and for whoever
wants to find a part. All text goes through an XML tree, so nothing that came from a file or a far side is markup.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.picture.geometry import SOUND_SIZE, Lane, Picture
from app.picture.key import Entry, entries
from app.picture.labels import text_width
from app.picture.notes import NOTE_ROW, NOTE_SIZE, Note
from app.picture.paper import (
    BLUE,
    HAIR,
    INK,
    LINE,
    PALE,
    RED,
    SOFT,
    SOUND_LOOKS,
    TONE_LOOK,
    Attributes,
    Paper,
)
from app.picture.scale import Bar

_AXIS_ROOM = 46.0
_KEY_ROW = 18.0
_HEAD = 50.0
_TABLE_ROW = 17.0
_MOST_ROWS = 60
_LIMITS = ("within", "limit", "finding")


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a file of its own carries beside the picture."""

    title: str
    """What is drawn: the file's name."""
    summary: str
    notes: Sequence[str] = ()
    """What is wrong with the recording, a line each."""


def svg_fragment(picture: Picture, ident: str) -> str:
    """Return the `<svg>` element for a page; `ident` is unique on the page and holds letters, digits and `-`."""
    paper = Paper()
    height = _chart(paper, picture, 0.0)
    return paper.xml(picture.words, picture.width, height, ident, picture.words.title, _description(picture))


def svg_file(picture: Picture, sheet: Sheet) -> str:
    """Return a whole SVG file, with a title, the table of what was measured, and notes."""
    paper = Paper()
    paper.write(16.0, 24.0, sheet.title, size=16, weight="700", kind="title")
    if sheet.summary:
        paper.write(16.0, 42.0, sheet.summary, size=12, fill=SOFT, kind="summary")
    at = _chart(paper, picture, _HEAD)
    at = _table(paper, picture, at + 10.0)
    for note in sheet.notes:
        paper.write(16.0, at + 14.0, f"▲ {note}", size=11, kind="note")
        at += _TABLE_ROW
    title = f"{picture.words.title}: {sheet.title}"
    text = paper.xml(picture.words, picture.width, at + 14.0, "picture", title, _description(picture))
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _description(picture: Picture) -> str:
    """Say in words what is drawn, for whoever does not see it."""
    words = picture.words
    stop = "；" if words.language == "zh-CN" else "; "
    parts = [words.description]
    parts += [label.text for label in sorted(picture.labels, key=lambda label: label.mark.x)]
    parts += [bar.title.replace("\n", " ") for bar in (*picture.rings, *picture.sounds)[:_MOST_ROWS]]
    parts += [note.title.replace("\n", " ") for note in (*picture.said, *picture.signs, *picture.ours)]
    return stop.join(parts)


def _chart(paper: Paper, picture: Picture, shift: float) -> float:
    """Draw everything but head and table; return where it ends."""
    paper.shift = shift
    if picture.lawful is not None:
        _area(paper, picture, picture.lawful, fill=PALE)
    for lane in picture.lanes:
        _lane(paper, picture, lane)
    _heat(paper, picture)
    _level(paper, picture)
    # Limits lie behind what happened: words in a bar stay readable.
    _lines(paper, picture, _LIMITS)
    _rings(paper, picture)
    _sounds(paper, picture)
    if picture.window is not None:
        _area(
            paper, picture, picture.window, fill=INK, fill_opacity="0.16", stroke=INK, stroke_dasharray="2 2"
        )
    _lines(paper, picture, ("answer", "end"))
    for kind, notes in (("said", picture.said), ("signs", picture.signs), ("ours", picture.ours)):
        for note in notes:
            _note(paper, picture, kind, note)
    _axis(paper, picture)
    return _key(paper, picture, picture.bottom + _AXIS_ROOM) + shift


def _area(paper: Paper, picture: Picture, bar: Bar, **look: str) -> None:
    lanes = [lane for lane in picture.lanes if lane.kind != "spectrum"]
    height = lanes[-1].bottom - picture.top
    paper.rect(bar.x, picture.top, bar.width, height, bar.kind, bar.title, **look)


def _lane(paper: Paper, picture: Picture, lane: Lane) -> None:
    paper.write(
        picture.left - 8.0, lane.top + _name_y(lane), lane.name, size=12, fill=SOFT, anchor="end", kind="lane"
    )
    paper.line(picture.left, lane.bottom, picture.right, lane.bottom, "base", stroke=HAIR)


def _name_y(lane: Lane) -> float:
    return 15.0 if lane.kind in ("said", "signs", "ours") else lane.height / 2 + 6.0


def _rings(paper: Paper, picture: Picture) -> None:
    lane = picture.lane("rings")
    assert lane is not None
    for mark in picture.marks:
        if mark.kind == "ring_start":
            paper.line(mark.x, picture.top, mark.x, picture.bottom, "start", stroke=BLUE)
    look: Attributes = (
        {"fill": "#fff", "stroke": BLUE, "stroke-dasharray": "3 2"} if picture.assumed else {"fill": BLUE}
    )
    kind = "ring assumed" if picture.assumed else "ring"
    for bar in picture.rings:
        paper.rect(bar.x, lane.top + 10.0, bar.width, lane.height - 10.0, kind, bar.title, **look)
        ink = BLUE if picture.assumed else "#fff"
        _inside(paper, bar, lane.bottom - 14.0, ink)


def _inside(paper: Paper, bar: Bar, y: float, ink: str, halo: str = "") -> None:
    if bar.text:
        middle = bar.x + bar.width / 2
        paper.write(middle, y, bar.text, size=SOUND_SIZE, fill=ink, anchor="middle", kind="in-bar", halo=halo)


def _sounds(paper: Paper, picture: Picture) -> None:
    lane = picture.lane("sounds")
    assert lane is not None
    for bar in picture.sounds:
        look = SOUND_LOOKS.get(bar.kind, TONE_LOOK)
        height = look.height
        paper.rect(
            bar.x,
            lane.bottom - 6.0 - height,
            bar.width,
            height,
            f"sound {bar.kind}",
            bar.title,
            **look.attributes,
        )
        y = lane.bottom - 6.0 - height / 2 + 4.5 if height > 20.0 else lane.bottom - 10.0 - height
        above = height <= 20.0
        _inside(paper, bar, y, look.ink, _ground(picture, bar.x + bar.width / 2) if above else "")


def _lines(paper: Paper, picture: Picture, kinds: Sequence[str]) -> None:
    """Draw the vertical lines of these kinds and their words."""
    looks: dict[str, Attributes] = {
        "within": {"stroke": SOFT, "stroke-dasharray": "4 3"},
        "limit": {"stroke": SOFT, "stroke-dasharray": "4 3"},
        "finding": {"stroke": RED, "stroke-dasharray": "8 3"},
        "answer": {"stroke": INK, "stroke-width": "2"},
        "end": {"stroke": "#98a3b2"},
    }
    for label in picture.labels:
        kind = label.mark.kind
        if kind not in kinds:
            continue
        name = f"limit {kind}" if kind in _LIMITS else kind
        paper.line(label.mark.x, label.y - 9.0, label.mark.x, picture.bottom, name, **looks[kind])
        size, weight = (13, "700") if kind == "answer" else (11, "400")
        fill = {"answer": INK, "finding": RED}.get(kind, SOFT)
        paper.write(
            label.x, label.y, label.text, size=size, fill=fill, anchor=label.anchor, weight=weight, kind=name
        )


def _note(paper: Paper, picture: Picture, lane_kind: str, note: Note) -> None:
    lane = picture.lane(lane_kind)
    assert lane is not None
    middle = lane.top + 3.0 + note.row * NOTE_ROW + NOTE_ROW / 2
    if note.sign == "said":
        look: Attributes = {"fill": "#fff", "stroke": BLUE, "stroke-width": "1.5"}
        paper.rect(note.x, middle - 7.0, note.width, 14.0, "said", note.title, **look)
    elif note.sign == "ours":
        paper.pointer(note.x, middle, "ours", note.title, fill=INK)
    elif note.sign:
        _diamond(paper, note, middle)
    paper.write(
        note.text_x,
        middle + 4.0,
        note.text,
        size=NOTE_SIZE,
        anchor=note.anchor,
        kind="note",
        title=note.title,
        halo="" if note.inside else _ground(picture, (note.left + note.right) / 2),
    )


def _ground(picture: Picture, x: float) -> str:
    """Return the colour of the paper at a place."""
    lawful = picture.lawful
    return PALE if lawful is not None and lawful.x <= x <= lawful.x + lawful.width else "#fff"


def _diamond(paper: Paper, note: Note, middle: float) -> None:
    """A full diamond is proof, one with a dot is strong, an empty one is a hint."""
    fill = RED if note.sign == "proof" else "#fff"
    paper.diamond(note.x, middle, 5.0, f"sign {note.sign}", note.title, fill=fill, stroke=RED)
    if note.sign == "strong":
        paper.diamond(note.x, middle, 2.0, "dot", fill=RED)


def _level(paper: Paper, picture: Picture) -> None:
    lane = picture.lane("level")
    if lane is None:
        return
    floor, room = lane.bottom - 4.0, lane.height - 12.0
    for dbm0 in (0, -20, -40):
        y = floor - (dbm0 + 60.0) / 63.0 * room
        paper.line(picture.left, y, picture.right, y, "grid", stroke=HAIR)
        paper.write(picture.right + 4.0, y + 3.5, f"{dbm0}", size=9, fill=SOFT, kind="scale")
    paper.write(
        picture.left - 8.0,
        lane.top + lane.height / 2 + 18.0,
        "dBm0",
        size=9,
        fill=SOFT,
        anchor="end",
        kind="scale",
    )
    for curve in picture.level:
        outline = [(x, floor - share * room) for x, share in curve]
        closed = [(curve[0][0], floor), *outline, (curve[-1][0], floor)]
        paper.curve(closed, "level", fill="#c9d6ea", stroke=BLUE, stroke_width="0.8", stroke_linejoin="round")


def _heat(paper: Paper, picture: Picture) -> None:
    lane = picture.lane("spectrum")
    if lane is None or picture.heat is None:
        return
    top, height = lane.top + 4.0, lane.height - 8.0
    paper.image(picture.heat.x, top, picture.heat.width, height, picture.heat.address)
    paper.rect(picture.left, top, picture.right - picture.left, height, "frame", "", fill="none", stroke=LINE)
    for khz in range(5):
        y = top + height * (1.0 - khz / 4.0)
        paper.line(picture.right, y, picture.right + 3.0, y, "grid", stroke=LINE)
        paper.write(picture.right + 5.0, y + 3.5, f"{khz}", size=9, fill=SOFT, kind="scale")
    paper.write(
        picture.left - 8.0,
        lane.top + lane.height / 2 + 18.0,
        "kHz",
        size=9,
        fill=SOFT,
        anchor="end",
        kind="scale",
    )


def _axis(paper: Paper, picture: Picture) -> None:
    y = picture.bottom + 6.0
    paper.line(picture.left, y, picture.right, y, "axis", stroke="#98a3b2")
    for tick in picture.ticks:
        paper.line(tick.x, y, tick.x, y + 5.0, "axis", stroke="#98a3b2")
        paper.write(tick.x, y + 17.0, tick.text, size=11, fill=SOFT, anchor="middle", kind="tick")
    paper.write(picture.right, y + 32.0, picture.axis, size=11, fill=SOFT, anchor="end", kind="unit")


def _key(paper: Paper, picture: Picture, top: float) -> float:
    """Draw what the signs mean, as many rows as it takes; return where they end."""
    x, y = picture.left, top
    # The first row stands beside the words of the axis.
    reserved = text_width(picture.axis, 11.0) + 16.0
    for entry in entries(picture):
        room = 20.0 if entry.height else 0.0
        width = room + text_width(entry.text, 11.0)
        if x + width > picture.right - (reserved if y == top else 0.0):
            x, y = picture.left, y + _KEY_ROW
        _swatch(paper, entry, x, y)
        paper.write(x + room, y - 4.0, entry.text, size=11, fill=SOFT, kind="legend")
        x += width + 16.0
    return y + 8.0


def _swatch(paper: Paper, entry: Entry, x: float, y: float) -> None:
    if entry.height:
        paper.rect(x, y - entry.height - 2.0, 15.0, entry.height, "legend", "", **entry.look)


def _table(paper: Paper, picture: Picture, top: float) -> float:
    """Draw the segments with what was measured; return where the table ends."""
    paper.shift = 0.0
    if not picture.measured:
        return top
    heads, places = picture.words.columns, (16.0, 190.0, 250.0, 310.0, 384.0)
    for head, x in zip(heads, places, strict=True):
        paper.write(x, top + 12.0, head, size=11, fill=SOFT, kind="head")
    at = top + _TABLE_ROW
    paper.line(16.0, at, picture.right + 18.0, at, "rule", stroke=LINE)
    for row in picture.measured[:_MOST_ROWS]:
        name = f"{row.sound} {row.tone}".rstrip()
        confidence = picture.words.unmeasured if row.confidence is None else f"{row.confidence:.2f}"
        measured = row.measured or picture.words.unmeasured
        cells = (name, f"{row.start_s:.2f}", f"{row.end_s:.2f}", confidence, measured)
        for cell, x, most in zip(cells, places, (170.0, 56.0, 56.0, 66.0, 600.0), strict=True):
            paper.write(x, at + 13.0, _shortened(cell, most), size=11, kind="cell")
        at += _TABLE_ROW
        paper.line(16.0, at, picture.right + 18.0, at, "rule", stroke=HAIR)
    left_out = len(picture.measured) - _MOST_ROWS
    if left_out > 0:
        paper.write(16.0, at + 13.0, picture.words.more.format(left_out), size=11, fill=SOFT, kind="cell")
        at += _TABLE_ROW
    return at + 4.0


def _shortened(text: str, width: float) -> str:
    if text_width(text, 11.0) <= width:
        return text
    while text and text_width(text, 11.0) > width - 11.0:
        text = text[:-1]
    return text + "…"

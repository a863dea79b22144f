"""The key of a picture: what its signs mean, of those that it holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from app.picture.geometry import Picture
from app.picture.paper import BLUE, INK, PALE, SOUND_LOOKS, TONE_LOOK, Attributes

SWATCH = 12.0


@dataclass(frozen=True, slots=True)
class Entry:
    """A small sample and its meaning; height 0: the words carry their own signs."""

    text: str
    look: Attributes
    height: float = SWATCH


def entries(picture: Picture) -> Iterator[Entry]:
    """Yield the entries in the order of the lanes."""
    key = picture.words.key
    if picture.lawful is not None:
        yield Entry(key["lawful"], {"fill": PALE, "stroke": "#9fb6d8", "stroke-width": "0.5"})
    if picture.window is not None:
        look = {"fill": INK, "fill-opacity": "0.16", "stroke": INK, "stroke-dasharray": "2 2"}
        yield Entry(key["window"], look)
    if picture.rings and picture.assumed:
        yield Entry(key["assumed"], {"fill": "#fff", "stroke": BLUE, "stroke-dasharray": "3 2"})
    elif picture.rings:
        yield Entry(key["ring"], {"fill": BLUE})
    for kind in picture.kinds:
        look_of = SOUND_LOOKS.get(kind, TONE_LOOK)
        yield Entry(picture.words.sound(kind), look_of.attributes, min(look_of.height, SWATCH))
    if picture.said:
        yield Entry(key["said"], {"fill": "#fff", "stroke": BLUE, "stroke-width": "1.5"}, 9.0)
    if any(note.sign for note in picture.signs):
        yield Entry(key["sign"], {}, 0.0)
    if any(note.sign for note in picture.ours):
        yield Entry(f"▼ {key['ours']}", {}, 0.0)

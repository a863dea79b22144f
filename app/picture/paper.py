"""The sheet that a picture is drawn on: an XML tree, the colours, and how each sound looks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from app.picture.words import Words

INK, SOFT, LINE, HAIR = "#1c2430", "#5b6675", "#c5cdd8", "#e3e8ee"
BLUE, PALE, RED = "#173f7a", "#e8eef7", "#b3261e"
"""The colours of the pages."""
FACES = "'Source Han Sans SC','Noto Sans CJK SC','Microsoft YaHei',sans-serif"

Attributes = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Look:
    """How a kind of sound is drawn. Height and outline tell kinds apart where colour does not print."""

    attributes: Attributes
    height: float = 28.0
    ink: str = INK


_OUTLINED = {"stroke": SOFT, "stroke-width": "1"}
TONE_LOOK = Look({"fill": "#dfe5ed", **_OUTLINED})
"""Busy tone and its kin."""
SOUND_LOOKS = {
    "ringback": Look({"fill": "#9fb6d8"}),
    "speech": Look({"fill": "#41648c"}, ink="#fff"),
    "music": Look({"fill": "#26303e"}, ink="#fff"),
    "announcement": Look({"fill": "#fff", "stroke": BLUE, "stroke-width": "2"}),
    "beep": Look({"fill": SOFT}, ink="#fff"),
    "noise": Look({"fill": "#d5dbe3", **_OUTLINED}, height=10.0),
    "silence": Look({"fill": "#fff", "stroke": "#98a3b2", "stroke-width": "0.8"}, height=5.0),
}


class Paper:
    """Takes rectangles, lines and words in order; `shift` moves what follows down."""

    def __init__(self) -> None:
        self._root = ET.Element("svg")
        self.shift = 0.0

    def y(self, y: float) -> float:
        """Return the place of a height on the sheet."""
        return y + self.shift

    def rect(
        self, x: float, y: float, width: float, height: float, kind: str, title: str = "", **look: str
    ) -> None:
        """Draw a rectangle."""
        place = {"x": _n(x), "y": _n(self.y(y)), "width": _n(width), "height": _n(height)}
        self._add("rect", kind, place, look, title)

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str, **look: str) -> None:
        """Draw a line."""
        place = {"x1": _n(x1), "y1": _n(self.y(y1)), "x2": _n(x2), "y2": _n(self.y(y2))}
        self._add("line", kind, place, look)

    def diamond(self, x: float, y: float, radius: float, kind: str, title: str = "", **look: str) -> None:
        """Draw a square that stands on its corner."""
        middle = self.y(y)
        corners = ((x, middle - radius), (x + radius, middle), (x, middle + radius), (x - radius, middle))
        self._polygon(corners, kind, title, look)

    def pointer(self, x: float, y: float, kind: str, title: str = "", **look: str) -> None:
        """Draw a triangle that points down."""
        middle = self.y(y)
        self._polygon(
            ((x - 4.0, middle - 4.0), (x + 4.0, middle - 4.0), (x, middle + 4.0)), kind, title, look
        )

    def curve(self, points: list[tuple[float, float]], kind: str, **look: str) -> None:
        """Draw a closed outline."""
        self._polygon(tuple((x, self.y(y)) for x, y in points), kind, "", look)

    def write(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float,
        kind: str,
        fill: str = INK,
        anchor: str = "start",
        weight: str = "400",
        title: str = "",
        halo: str = "",
    ) -> None:
        """Write words whose base line begins, has its middle or ends at a place.

        A `halo` of the ground's colour clears the lines behind them.
        """
        look = {"fill": fill, "font-size": f"{size:g}"}
        if anchor != "start":
            look["text-anchor"] = anchor
        if weight != "400":
            look["font-weight"] = weight
        if halo:
            look |= {
                "stroke": halo,
                "stroke-width": "3",
                "stroke-linejoin": "round",
                "paint-order": "stroke",
            }
        element = self._add("text", kind, {"x": _n(x), "y": _n(self.y(y))}, look)
        element.text = _clean(text)
        _tell(element, title)

    def image(self, x: float, y: float, width: float, height: float, address: str) -> None:
        """Put in an image, stretched to its place."""
        place = {"x": _n(x), "y": _n(self.y(y)), "width": _n(width), "height": _n(height)}
        self._add("image", "heat", {**place, "preserveAspectRatio": "none", "href": address}, {})

    def xml(self, words: Words, width: float, height: float, ident: str, title: str, description: str) -> str:
        """Return the `<svg>` element with everything that was drawn; title and description are for who cannot see."""
        root = ET.Element(
            "svg",
            {
                "xmlns": "http://www.w3.org/2000/svg",
                "class": "picture",
                "viewBox": f"0 0 {_n(width)} {_n(height)}",
                "width": _n(width),
                "height": _n(height),
                "role": "img",
                "aria-labelledby": f"{ident}-title {ident}-desc",
                "{http://www.w3.org/XML/1998/namespace}lang": words.language,
                "font-family": FACES,
                "font-variant-numeric": "tabular-nums",
            },
        )
        for name, text in (("title", title), ("desc", description)):
            element = ET.SubElement(root, name, {"id": f"{ident}-{name}"})
            element.text = _clean(text)
        ground = {"width": _n(width), "height": _n(height), "fill": "#fff"}
        ET.SubElement(root, "rect", {"class": "ground", "x": "0", "y": "0", **ground})
        root.extend(self._root)
        return ET.tostring(root, encoding="unicode")

    def _polygon(
        self, corners: tuple[tuple[float, float], ...], kind: str, title: str, look: Attributes
    ) -> None:
        points = " ".join(f"{_n(x)},{_n(y)}" for x, y in corners)
        self._add("polygon", kind, {"points": points}, look, title)

    def _add(self, name: str, kind: str, place: Attributes, look: Attributes, title: str = "") -> ET.Element:
        dashed = {key.replace("_", "-"): value for key, value in look.items()}
        element = ET.SubElement(self._root, name, {"class": kind, **place, **dashed})
        _tell(element, title)
        return element


def _tell(element: ET.Element, title: str) -> None:
    """Give an element the words that show when one points at it."""
    if title:
        ET.SubElement(element, "title").text = _clean(title)


def _n(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _clean(text: str) -> str:
    """Return text without what XML 1.0 does not allow."""
    return "".join(sign if _allowed(ord(sign)) else "\N{REPLACEMENT CHARACTER}" for sign in text)


def _allowed(code: int) -> bool:
    return code in (0x9, 0xA) or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or code >= 0x1_0000

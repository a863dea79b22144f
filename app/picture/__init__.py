"""The picture of a call or of a sound file (通话图示): one drawing, for the page of a check and for `analyze --plot`.

The face of this room:

    draw(facts, rules, words=ZH, spectrogram=None) -> Picture     where everything lies; pure
    svg_fragment(picture, ident) -> str                           the drawing within a page
    svg_file(picture, Sheet(...)) -> str                          the drawing as a file of its own
    worth_drawing(facts), ring_seconds(most, least, rules)
"""

from app.picture.geometry import Measured, Picture, draw, ring_seconds, worth_drawing
from app.picture.svg import Sheet, svg_file, svg_fragment
from app.picture.words import EN, GRADE_ZH, LANGUAGES, MEANING_ZH, SOUND_ZH, ZH, Words

__all__ = [
    "EN",
    "GRADE_ZH",
    "LANGUAGES",
    "MEANING_ZH",
    "SOUND_ZH",
    "ZH",
    "Measured",
    "Picture",
    "Sheet",
    "Words",
    "draw",
    "ring_seconds",
    "svg_file",
    "svg_fragment",
    "worth_drawing",
]

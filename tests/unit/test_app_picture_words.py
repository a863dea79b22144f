"""What a sound was told by is written in the words of the page, whatever was measured."""

from __future__ import annotations

import re

import numpy as np

from app.picture import ZH
from tests.line_sounds import (
    BUSY,
    RINGBACK,
    cadence,
    chords,
    listen,
    silence,
    sine,
    through,
    voice,
    white_noise,
)


def test_everything_that_is_measured_has_a_chinese_name() -> None:
    said = voice(3.0, seed=4)
    sound = np.concatenate(
        (
            *(cadence(RINGBACK, 9.0)[0], silence(0.5), said, silence(0.9), said, silence(0.8)),
            *(
                chords(6.0),
                silence(0.8),
                white_noise(3.0, -30.0),
                silence(0.8),
                sine(3.0, 2100.0),
                silence(0.8),
            ),
            *(cadence(BUSY, 4.0)[0],),
        )
    )
    segments = [segment for segment in listen(through("alaw", sound)).segments if segment.measured]
    assert {"ringback", "music", "noise", "fax_ced", "busy"} <= {segment.kind for segment in segments}
    names = {name for segment in segments for name in segment.measured or {}}
    assert {"p_speech", "frequency_hz", "swing_db"} <= names
    for name in names:
        written = ZH.measured({name: 1.0})
        assert not re.search(r"[a-z]{3,}", written.replace("dBm0", "")), written

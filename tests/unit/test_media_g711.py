"""G.711 against values of the standard and against its own definition."""

from __future__ import annotations

import numpy as np
import pytest

from sip.media import decode, encode

ALL = np.arange(256, dtype=np.uint8)
SAMPLES = np.arange(-32768, 32768).astype(np.int16)


@pytest.mark.parametrize(
    ("codec", "code", "level"),
    [
        # ITU-T G.711 tables 1 and 2, the 13- and 14-bit values shifted up to 16 bits.
        ("PCMA", 0xD5, 8),
        ("PCMA", 0x55, -8),
        ("PCMA", 0xAA, 32256),
        ("PCMA", 0x2A, -32256),
        ("PCMA", 0x80, 5504),
        ("PCMU", 0xFF, 0),
        ("PCMU", 0x7F, 0),
        ("PCMU", 0x80, 32124),
        ("PCMU", 0x00, -32124),
        ("PCMU", 0xFE, 8),
        ("PCMU", 0x7E, -8),
    ],
)
def test_known_levels(codec: str, code: int, level: int) -> None:
    assert decode(bytes([code]), codec).tolist() == [level]


@pytest.mark.parametrize(
    ("codec", "sample", "code"),
    [
        ("PCMA", 0, 0xD5),
        ("PCMA", -1, 0x55),
        ("PCMA", 32767, 0xAA),
        ("PCMA", -32768, 0x2A),
        ("PCMU", 0, 0xFF),
        ("PCMU", 32767, 0x80),
        ("PCMU", -32768, 0x00),
        ("PCMU", 1000, 0xCE),
        ("PCMA", 1000, 0xFA),
    ],
)
def test_known_codes(codec: str, sample: int, code: int) -> None:
    assert encode(np.array([sample], np.int16), codec) == bytes([code])


@pytest.mark.parametrize("codec", ["PCMA", "PCMU"])
def test_every_code_survives(codec: str) -> None:
    back = np.frombuffer(encode(decode(ALL, codec), codec), np.uint8)
    assert np.array_equal(decode(back, codec), decode(ALL, codec))
    assert (back != ALL).sum() == (1 if codec == "PCMU" else 0), "only µ-law has a negative zero"


@pytest.mark.parametrize("codec", ["PCMA", "PCMU"])
def test_the_error_is_at_most_half_a_step(codec: str) -> None:
    """The step of a segment is at most a sixteenth of its level, which µ-law counts from 132 below zero (G.711)."""
    inside = SAMPLES[np.abs(SAMPLES.astype(int)) <= 32000]
    error = np.abs(decode(encode(inside, codec), codec).astype(int) - inside)
    assert (error <= np.maximum((np.abs(inside.astype(int)) + 132) / 32, 8)).all()


@pytest.mark.parametrize("codec", ["PCMA", "PCMU"])
def test_louder_stays_louder(codec: str) -> None:
    assert (np.diff(decode(encode(SAMPLES, codec), codec).astype(int)) >= 0).all()

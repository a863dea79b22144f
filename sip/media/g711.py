"""G.711 A-law and µ-law (ITU-T G.711), as tables over whole arrays."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from sip.media.model import Codec

CODECS: Final[tuple[Codec, Codec]] = ("PCMA", "PCMU")
"""The order of the codecs in files and tables."""
SILENCE: Final[dict[Codec, int]] = {"PCMA": 0xD5, "PCMU": 0xFF}
"""The code of the smallest positive level."""

Codes = npt.NDArray[np.uint8]
Samples = npt.NDArray[np.int16]


def _alaw_levels() -> Samples:
    code = np.arange(256, dtype=np.int32) ^ 0x55
    segment = (code & 0x70) >> 4
    magnitude = ((code & 0x0F) << 4) + np.where(segment == 0, 8, 0x108)
    magnitude = magnitude << np.maximum(segment - 1, 0)
    levels: Samples = np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)
    return levels


def _ulaw_levels() -> Samples:
    code = ~np.arange(256, dtype=np.int32) & 0xFF
    magnitude = ((((code & 0x0F) << 3) + 0x84) << ((code & 0x70) >> 4)) - 0x84
    levels: Samples = np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)
    return levels


def _exponent(value: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Return the position of the highest set bit (0 for 1); exact for all 16-bit values."""
    return (np.frexp(value.astype(np.float64))[1] - 1).astype(np.int32)


def _alaw_codes() -> Codes:
    sample = _by_uint16()
    magnitude = np.where(sample >= 0, sample, ~sample) >> 3
    segment = np.clip(_exponent(np.maximum(magnitude, 1)) - 4, 0, 7)
    mantissa = (magnitude >> np.maximum(segment, 1)) & 0x0F
    code = (segment << 4) | mantissa
    codes: Codes = (code ^ np.where(sample >= 0, 0xD5, 0x55)).astype(np.uint8)
    return codes


def _ulaw_codes() -> Codes:
    sample = _by_uint16()
    magnitude = np.minimum(np.abs(sample), 32635) + 0x84
    segment = _exponent(magnitude) - 7
    mantissa = (magnitude >> (segment + 3)) & 0x0F
    codes: Codes = (~(np.where(sample < 0, 0x80, 0) | (segment << 4) | mantissa) & 0xFF).astype(np.uint8)
    return codes


def _by_uint16() -> npt.NDArray[np.int32]:
    """Return all 16-bit samples in the order of their bit patterns."""
    return np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32)


_LEVELS: Final[dict[Codec, Samples]] = {"PCMA": _alaw_levels(), "PCMU": _ulaw_levels()}
_CODES: Final[dict[Codec, Codes]] = {"PCMA": _alaw_codes(), "PCMU": _ulaw_codes()}

DECODE_FLOAT: Final[npt.NDArray[np.float32]] = np.concatenate(
    [_LEVELS[c].astype(np.float32) for c in CODECS]
) * np.float32(2.0**-15)
"""[512]: levels in units of full scale (1.0 = 32768), A-law codes first, then µ-law codes."""

TRANSLATE: Final[dict[Codec, bytes]] = {
    "PCMU": _CODES["PCMU"][_LEVELS["PCMA"].view(np.uint16)].tobytes(),
    "PCMA": _CODES["PCMA"][_LEVELS["PCMU"].view(np.uint16)].tobytes(),
}
"""`bytes.translate` tables from the other law into the named one."""

QUIETEST: Final = 4
"""Bits of a 16-bit sample that `MAGNITUDES` leaves out."""
MAGNITUDES: Final[dict[Codec, bytes]] = {
    codec: np.minimum(np.abs(levels.astype(np.int32)) >> QUIETEST, 255).astype(np.uint8).tobytes()
    for codec, levels in _LEVELS.items()
}
"""`bytes.translate` tables from codes to how loud they are: the level without its last bits, 255 at most."""


def decode(codes: bytes | Codes, codec: Codec) -> Samples:
    """Return the 16-bit samples of G.711 codes."""
    array = np.frombuffer(codes, np.uint8) if isinstance(codes, bytes | bytearray | memoryview) else codes
    return _LEVELS[codec][array]


def encode(samples: Samples, codec: Codec) -> bytes:
    """Return the G.711 codes of 16-bit samples."""
    return _CODES[codec][np.ascontiguousarray(samples, np.int16).view(np.uint16)].tobytes()

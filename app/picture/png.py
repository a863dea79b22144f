"""A picture of indexed colours as PNG (ISO/IEC 15948), for embedding: the same bytes every time."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_BITS, _INDEXED = 8, 3

Colour = tuple[int, int, int]


def write_png(pixels: npt.NDArray[np.uint8], palette: Sequence[Colour]) -> bytes:
    """Return the PNG file of `pixels` [height, width], each an index into the palette (at most 256 colours).

    Raises ValueError where a pixel has no colour or there is no pixel.
    """
    height, width = pixels.shape
    if not height or not width or int(pixels.max()) >= len(palette) or len(palette) > 256:
        raise ValueError(f"{height} x {width} pixels do not go with {len(palette)} colours")
    rows = np.zeros((height, width + 1), np.uint8)
    # The first byte of a row names its filter: none.
    rows[:, 1:] = pixels
    header = struct.pack(">IIBBBBB", width, height, _BITS, _INDEXED, 0, 0, 0)
    colours = bytes(part for colour in palette for part in colour)
    chunks = (
        (b"IHDR", header),
        (b"PLTE", colours),
        (b"IDAT", zlib.compress(rows.tobytes(), 9)),
        (b"IEND", b""),
    )
    return SIGNATURE + b"".join(_chunk(name, data) for name, data in chunks)


def data_address(png: bytes) -> str:
    """Return the `data:` address that holds the file itself."""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

"""The header of a capture (see `sip.media.capture`): all that the writer needs of the format."""

from __future__ import annotations

import struct
import zlib
from typing import Final

VERSION: Final = 1
MAGIC: Final = b"DUTYRING"
HEADER: Final = struct.Struct("<8sHHd")
CRC: Final = struct.Struct("<I")


def pack_header(wall_time_s: float = 0.0) -> bytes:
    """Return the header of a new capture."""
    head = HEADER.pack(MAGIC, VERSION, 0, wall_time_s)
    return head + CRC.pack(zlib.crc32(head))

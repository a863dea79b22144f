"""What worker and pool say to each other: frames of JSON, each with sound behind it, over a pair of pipes.

A frame is two unsigned 32-bit lengths (big endian), so many bytes of JSON (an object), so many bytes of sound (int16,
8 kHz, machine order). One request, one answer; a worker's first frame, unasked, says `ready` or what is wrong.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from sip.progress.transcript import Transcript, Utterance

HEAD = struct.Struct(">II")
LARGEST_JSON = 32 << 20
LARGEST_SOUND = 1 << 30
"""A frame that promises more is no frame."""


class ProtocolError(Exception):
    """What came is no frame."""


def pack(members: Mapping[str, Any], sound: bytes = b"") -> bytes:
    """Return a frame."""
    text = json.dumps(members, ensure_ascii=False).encode()
    return HEAD.pack(len(text), len(sound)) + text + sound


def lengths(head: bytes) -> tuple[int, int]:
    """Return how many bytes of JSON and of sound follow a frame's head. Raises ProtocolError."""
    text, sound = HEAD.unpack(head)
    if text > LARGEST_JSON or sound > LARGEST_SOUND:
        raise ProtocolError(f"a frame of {text} and {sound} bytes")
    return text, sound


def members_of(text: bytes) -> dict[str, Any]:
    """Return a frame's object. Raises ProtocolError."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise ProtocolError(f"no JSON ({error})") from None
    if not isinstance(value, dict):
        raise ProtocolError("no object")
    return value


def utterances_to_json(utterances: tuple[Utterance, ...]) -> list[dict[str, Any]]:
    """Return utterances as JSON."""
    return [asdict(utterance) for utterance in utterances]


def utterances_from_json(value: object) -> tuple[Utterance, ...]:
    """Read utterances. Raises ProtocolError."""
    try:
        return Transcript.from_json({"schema": "dutyring.transcript/1", "utterances": value}).utterances
    except ValueError as error:
        raise ProtocolError(str(error)) from None

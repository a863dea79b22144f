"""Packets spoilt at random, and what RFC 3261 says of those that are not spoilt enough."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

NUMBERS = (b"0", b"1", b"65536", b"4294967295", b"4294967296", b"99999999999999999999", b"-1", b"1e9")
PIECES = (b"\r\n", b"\r\n\r\n", b"\0", b"\xff\xfe", b";tag=", b"\t", b",", b"<", b">", b'"', b"%00", b"\r\n ")


class Mutator:
    """Spoils packets; the same seed and the same packets give the same again."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def spoil(self, packets: Sequence[bytes], ways: Sequence[Way]) -> bytes:
        """Return one of the packets, spoilt in one to four of the ways."""
        data = self.random.choice(packets)
        for _ in range(self.random.choice((1, 1, 1, 2, 2, 3, 4))):
            data = self.random.choice(ways)(self.random, data, packets)
        return data[:60_000]


Way = Callable[[random.Random, bytes, Sequence[bytes]], bytes]


def _flip(chance: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    spoilt = bytearray(data or b"\0")
    for _round in range(chance.choice((1, 1, 2, 8))):
        spoilt[chance.randrange(len(spoilt))] ^= 1 << chance.randrange(8)
    return bytes(spoilt)


def _cut(chance: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def _double(chance: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    start = chance.randrange(len(data) + 1)
    end = min(len(data), start + chance.choice((1, 10, 80, 400)))
    return data[:end] + data[start:end] * chance.choice((1, 1, 2, 30)) + data[end:]


def _splice(chance: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    other = chance.choice(others)
    return data[: chance.randrange(len(data) + 1)] + other[chance.randrange(len(other) + 1) :]


def _piece(chance: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + chance.choice(PIECES) + data[at + chance.choice((0, 1, 4)) :]


def _shuffle(chance: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    head, gap, body = data.partition(b"\r\n\r\n")
    start, *lines = head.split(b"\r\n")
    chance.shuffle(lines)
    return b"\r\n".join([start, *lines]) + gap + body


def _drop_line(chance: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    lines = data.split(b"\r\n")
    del lines[chance.randrange(len(lines))]
    return b"\r\n".join(lines)


def _number(chance: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    found = list(re.finditer(rb"\d+", data))
    if not found:
        return data
    place = chance.choice(found)
    return data[: place.start()] + chance.choice(NUMBERS) + data[place.end() :]


def _word(chance: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """Write a few bytes at a place of a header of RTP or RTCP."""
    at = chance.choice((0, 1, 2, 4, 8, 12, 20, 24))
    return (
        data[:at]
        + chance.choice((b"\0", b"\xff", b"\x7f\xff", b"\x80", bytes(4), b"\xff" * 4))
        + data[at + 1 :]
    )


TEXT: tuple[Way, ...] = (_flip, _cut, _double, _splice, _piece, _shuffle, _drop_line, _number)
"""Ways to spoil a SIP message."""
BINARY: tuple[Way, ...] = (_flip, _flip, _cut, _double, _splice, _word)
"""Ways to spoil a packet of RTP or RTCP."""


@dataclass(frozen=True, slots=True)
class DialogNames:
    """What a request must name to belong to a dialog of ours (RFC 3261 section 12.2.2)."""

    call_id: bytes
    ours: bytes
    theirs: bytes


_CALL_ID = re.compile(rb"^(?:call-id|i)\s*:\s*(\S+)", re.IGNORECASE | re.MULTILINE)
_FROM = re.compile(rb"^(?:from|f)\s*:[^\n]*?;\s*tag\s*=\s*([^;\s>]+)", re.IGNORECASE | re.MULTILINE)
_TO = re.compile(rb"^(?:to|t)\s*:[^\n]*?;\s*tag\s*=\s*([^;\s>]+)", re.IGNORECASE | re.MULTILINE)
_FOLD = re.compile(rb"\r?\n[ \t]")
_ACTING = re.compile(rb"^\s*(?:BYE|INVITE|UPDATE|INFO|CANCEL|PRACK)\s", re.IGNORECASE)


def may_act(data: bytes, dialogs: Sequence[DialogNames]) -> bool:
    """Whether a request may rightly change a call: it names one of the dialogs, and asks for something.

    Read with patterns of its own, so that the phone's reader is not judged by itself. Who can write such a request has
    read the call's messages on their way; RFC 3261 knows no defence but TLS and digest (section 26).
    """
    data = _FOLD.sub(b" ", data)
    if not _ACTING.match(data):
        return False
    called, asked, answered = _CALL_ID.findall(data), _FROM.findall(data), _TO.findall(data)
    return any(
        dialog.call_id in called and dialog.theirs in asked and dialog.ours in answered for dialog in dialogs
    )


def nearly(chance: random.Random, data: bytes, dialog: DialogNames) -> bytes:
    """Spoil just one of the names by which a request belongs to a dialog."""
    changes = (
        (dialog.call_id, dialog.call_id + b"x"),
        (dialog.call_id, dialog.call_id[:-1]),
        (dialog.ours, dialog.ours[:-1]),
        (dialog.ours, dialog.theirs),
        (b";tag=" + dialog.ours, b""),
        (dialog.theirs, dialog.theirs[::-1]),
        (dialog.theirs, dialog.theirs + b"\0"),
        (b";tag=" + dialog.theirs, b";tag"),
    )
    old, new = chance.choice(changes)
    return data.replace(old, new)

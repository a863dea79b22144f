"""Digits that we send: as RTP events (RFC 4733), or as tones where the far side takes no events.

A digit sounds for 100 ms and is followed by 100 ms of silence, both rounded up to whole packets. As an event it
is one packet each packet time, with the timestamp of its beginning and a growing duration; the last one, which
carries the end bit, is sent three times (RFC 4733 section 2.5.1.4). The timestamps of the sound run on
meanwhile, so that the sound after a digit lies where it would have lain without it.
"""

from __future__ import annotations

import struct
from collections import deque
from functools import cache
from typing import Final, NamedTuple

import numpy as np

from sip.media.g711 import encode
from sip.media.model import SAMPLE_RATE_HZ, Codec

EVENT_DIGITS: Final = "0123456789*#ABCD"
"""The digits in the order of their event codes (RFC 4733 section 3.2, table 3)."""
PAUSE: Final = "w"
_EVENT: Final = struct.Struct("!BBH")
_VOLUME: Final = 10
"""-10 dBm0, what the tones have, too (RFC 4733 section 2.3.3)."""
_END: Final = 0x80
_TONE_SAMPLES: Final = 800
"""100 ms; ITU-T Q.24 wants 40 ms to be enough, gateways are happier with more."""
_GAP_SAMPLES: Final = 800
_PAUSE_SAMPLES: Final = SAMPLE_RATE_HZ // 2
_REPEATS: Final = 2
"""The end packet once more and once more again."""

_ROWS_HZ: Final = (697, 770, 852, 941)
_COLUMNS_HZ: Final = (1209, 1336, 1477, 1633)
_KEYS: Final = "123A456B789C*0#D"
"""The keypad of ITU-T Q.23, row by row."""
_LOW_DBM0: Final = -10.0
_HIGH_DBM0: Final = -8.0
"""The high group is sent 2 dB louder, as telephones do; both are far within what Q.24 receivers accept."""
_FULL_SCALE_DBM0: Final = 3.14
"""A sine of full scale in A-law (ITU-T G.711 table 5)."""
_LONGEST_TONE: Final = _TONE_SAMPLES + 40 * 8
"""Up to one packet of 40 ms more than a digit lasts."""


def parse_digits(text: str) -> str:
    """Return the digits of `text` in upper case, pauses as `w` (0.5 s each).

    `ValueError` names the first character that is none of 0-9, *, #, A-D and w, or says that there is no digit.
    """
    digits = text.upper().replace(PAUSE.upper(), PAUSE)
    for place, character in enumerate(digits, 1):
        if character not in EVENT_DIGITS and character != PAUSE:
            raise ValueError(
                f"{text!r} cannot be sent as digits: character {place} is {text[place - 1]!r}; "
                "0 to 9, *, #, A to D and w (a pause of half a second) can be sent"
            )
    if not digits.strip(PAUSE):
        raise ValueError(f"{text!r} holds no digit to be sent")
    return digits


@cache
def tone_codes(digit: str, codec: Codec) -> bytes:
    """Return the two tones of a digit in G.711, some 140 ms of them."""
    row, column = divmod(_KEYS.index(digit), 4)
    time_s = np.arange(_LONGEST_TONE) / SAMPLE_RATE_HZ
    low = _amplitude(_LOW_DBM0) * np.sin(2 * np.pi * _ROWS_HZ[row] * time_s)
    high = _amplitude(_HIGH_DBM0) * np.sin(2 * np.pi * _COLUMNS_HZ[column] * time_s)
    return encode(np.rint(low + high).astype(np.int16), codec)


def _amplitude(level_dbm0: float) -> float:
    return float(32767 * 10 ** ((level_dbm0 - _FULL_SCALE_DBM0) / 20))


class Step(NamedTuple):
    """What one packet of a digit is."""

    event: bytes | None
    """The payload of an event packet; None: the packet is sound."""
    sound: bytes | None
    """G.711 of the packet, or of what an event stands for; None: silence."""
    begins: bool
    """Whether a digit begins with it."""
    ends: bool
    """Whether the tone of a digit ends with it."""
    finished: bool
    """Whether it is the last packet of a `send_digits`."""


class DigitSender:
    """Walks through the digits of one call, a packet at a time."""

    def __init__(self) -> None:
        self._waiting: deque[str] = deque()
        """Characters to come; an empty one ends what one `add` brought."""
        self._digit = ""
        self._elapsed = self._tone_end = self._repeats = 0
        self._as_event = False
        self.busy = False
        """Whether there is something left to send."""

    def add(self, digits: str) -> None:
        """Send checked digits (see `parse_digits`) after those that wait already."""
        self._waiting += [*digits, ""]
        self.busy = True

    def step(self, samples: int, codec: Codec, *, events: bool) -> Step:
        """Return the next packet, `samples` long; call only while `busy`.

        `events` says whether the far side takes RTP events; a digit that has begun stays what it is.
        """
        begins = not self._digit
        if begins:
            self._digit, self._elapsed, self._repeats = self._waiting.popleft(), 0, _REPEATS
            self._tone_end, self._as_event = 0, events
        start, self._elapsed = self._elapsed, self._elapsed + samples
        if self._digit == PAUSE:
            return Step(None, None, False, False, self._over(self._elapsed >= _PAUSE_SAMPLES))
        if not self._tone_end:
            return self._tone(start, codec, begins=begins)
        event = None
        if self._as_event and self._repeats:
            self._repeats -= 1
            event = self._payload(self._tone_end, _END)
        return Step(event, None, False, False, self._over(self._gap_over()))

    def _tone(self, start: int, codec: Codec, *, begins: bool) -> Step:
        ends = self._elapsed >= _TONE_SAMPLES
        if ends:
            self._tone_end = self._elapsed
        event = self._payload(self._elapsed, _END if ends else 0) if self._as_event else None
        return Step(event, tone_codes(self._digit, codec)[start : self._elapsed], begins, ends, False)

    def _payload(self, duration: int, flags: int) -> bytes:
        return _EVENT.pack(EVENT_DIGITS.index(self._digit), flags | _VOLUME, duration)

    def _gap_over(self) -> bool:
        return self._elapsed - self._tone_end >= _GAP_SAMPLES and not (self._as_event and self._repeats)

    def _over(self, over: bool) -> bool:
        """Leave the character when it is over; return whether it was the last one of an `add`."""
        if not over:
            return False
        self._digit = ""
        if self._waiting[0]:
            return False
        self._waiting.popleft()
        self.busy = bool(self._waiting)
        return True

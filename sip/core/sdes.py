"""Keys of SRTP in session descriptions (SDES, RFC 4568): the `a=crypto` lines.

Only what the media engine can do is taken: the two AES-CM-128 suites with HMAC-SHA1, one key a line, no MKI, no key
derivation rate, everything encrypted and authenticated. A line that asks for more is passed over, as RFC 4568
section 6.3 demands for unknown session parameters, and its reason kept.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

SrtpMode = Literal["off", "optional", "required"]
SrtpSuite = Literal["AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32"]
SUITES: tuple[SrtpSuite, ...] = ("AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32")
"""What we speak, the preferred first (RFC 4568 section 6.2)."""
KEY_BYTES = 30
"""Master key (128 bits) and master salt (112 bits) of both suites."""


@dataclass(frozen=True, slots=True)
class CryptoLine:
    """One usable `a=crypto`: the key with which the side that wrote it sends."""

    tag: int
    suite: SrtpSuite
    key: bytes = field(repr=False)
    """Master key and master salt, 30 bytes."""

    @property
    def text(self) -> str:
        """The line as it stands in SDP. It holds the key: not for logs."""
        return f"a=crypto:{self.tag} {self.suite} inline:{base64.b64encode(self.key).decode()}"


@dataclass(frozen=True, slots=True)
class Sdes:
    """Our side of SRTP in one call: whether we want it, and our keys. Made by `Sdes.make`."""

    mode: SrtpMode
    lines: tuple[CryptoLine, ...] = ()

    @classmethod
    def make(cls, mode: SrtpMode, token_bytes: Callable[[int], bytes]) -> Sdes:
        """Return new keys for a call, none for `off`; `token_bytes(n)` gives n unpredictable bytes.

        Raises `ValueError` if it does not.
        """
        if mode == "off":
            return cls(mode)
        keys = [token_bytes(KEY_BYTES) for _ in SUITES]
        if any(len(key) != KEY_BYTES for key in keys):
            raise ValueError(f"token_bytes did not give {KEY_BYTES} bytes")
        lines = zip(range(1, len(SUITES) + 1), SUITES, keys, strict=True)
        return cls(mode, tuple(CryptoLine(tag, suite, key) for tag, suite, key in lines))

    def matched(self, theirs: tuple[CryptoLine, ...]) -> Sdes:
        """Return what we answer to their lines: the first one whose suite we have, with their tag and our key."""
        ours = {line.suite: line.key for line in self.lines}
        found = [CryptoLine(line.tag, line.suite, ours[line.suite]) for line in theirs if line.suite in ours]
        return Sdes(self.mode, tuple(found[:1]))


@dataclass(frozen=True, slots=True)
class SrtpKeys:
    """What both sides of a call encrypt with."""

    suite: SrtpSuite
    send_key: bytes = field(repr=False)
    """Ours: master key and master salt, 30 bytes."""
    receive_key: bytes = field(repr=False)
    """Theirs."""


def parse_crypto(value: str) -> CryptoLine | str:
    """Read the value of one `a=crypto`; a text says why the line cannot be used."""
    words = value.split()
    if len(words) < 3 or not (words[0].isascii() and words[0].isdigit() and len(words[0]) <= 9):
        return "a=crypto cannot be read"
    suite = next((known for known in SUITES if known == words[1].upper()), None)
    if suite is None:
        return f"a=crypto:{words[0]} has the suite {_shown(words[1])}, which we do not have"
    for parameter in words[3:]:
        if not _bearable(parameter):
            return f"a=crypto:{words[0]} demands {_shown(parameter)}, which we do not do"
    key = _key(words[2])
    return CryptoLine(int(words[0]), suite, key) if isinstance(key, bytes) else f"a=crypto:{words[0]} {key}"


def _shown(word: str) -> str:
    """Return a word for a note, unless a key may have slipped into its place."""
    name = word.partition("=")[0]
    plain = len(name) <= 32 and name.isascii() and name.replace("_", "").isalnum() and name == name.upper()
    return name if plain else "something unreadable"


def _bearable(parameter: str) -> bool:
    """A session parameter (section 6.3): WSH is a hint, `-` marks what may be ignored, a rate of 0 is the default."""
    return parameter.startswith("-") or parameter.upper().startswith("WSH=") or parameter.upper() == "KDR=0"


def _key(text: str) -> bytes | str:
    """Read `inline:key|lifetime|MKI:length`, the lifetime of which may be left out (section 6.1).

    Our calls end long before any lifetime that is worth writing.
    """
    method, _, rest = text.partition(":")
    if method.lower() != "inline" or ";" in rest:
        return "has not exactly one inline key"
    encoded, *others = rest.split("|")
    if any(":" in other for other in others):
        return "has an MKI, which we do not do"
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        return "has a key that is not base64"
    return key if len(key) == KEY_BYTES else f"has a key of {len(key)} bytes instead of {KEY_BYTES}"

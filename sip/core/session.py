"""Our side of the session: how we last described our stream, and how their later offers are answered.

The stream itself stays where it is: an answer follows their hold, their choice of codec and their packet
length, refuses all media but the audio, and counts `o=` up only when it says something new (RFC 3264
section 8).
"""

from __future__ import annotations

from collections.abc import Callable

from .sdes import Sdes
from .sdp import CODECS, PTIME_MS, SessionDescription, build_answer, build_offer, own_keys, parse_sdp
from .types import Address, Answerer


class Session:
    """What one call has described of its own audio."""

    def __init__(self, offer: bytes | None = None, answerer: Answerer | None = None) -> None:
        self.local: bytes | None = None
        """Our last description."""
        self._answerer = answerer
        self._address: Address | None = None
        self._id, self._version = 1, 1
        self._codecs: tuple[str, ...] = CODECS
        self._ptime_ms: float | None = None
        self._keys = Sdes("off")
        if offer:
            spoken = (p.encoding for p in self._describe(offer).payload_types)
            self._codecs = tuple(codec for codec in spoken if codec in CODECS) or CODECS

    def describe(self, body: bytes) -> None:
        """Take a description of ours that somebody else made."""
        self._describe(body)

    def _describe(self, body: bytes) -> SessionDescription:
        self.local = body
        ours = parse_sdp(body)
        self._address = ours.address or self._address
        self._ptime_ms = self._ptime_ms or ours.ptime_ms
        self._keys = self._keys if self._keys.lines else own_keys(ours)
        words = ours.origin.split()
        if len(words) > 2 and words[1].isdigit() and words[2].isdigit():
            self._id, self._version = int(words[1]), int(words[2])
        return ours

    def answer(self, offer: bytes) -> bytes | None:
        """Return our answer to a later offer and remember it; None if we cannot take it."""
        theirs, address = parse_sdp(offer), self._address
        if self._answerer is not None:
            return self._remember(self._answerer(offer))
        if address is None:
            return None
        return self._numbered(
            lambda n: build_answer(theirs, address, self._id, n, self._codecs, crypto=self._keys)
        )

    def offer(self) -> bytes | None:
        """Return a full offer for a re-INVITE that brought none and remember it; None without a stream."""
        address = self._address
        if address is None:
            return self.local
        ptime_ms = round(self._ptime_ms or PTIME_MS)
        return self._numbered(
            lambda n: build_offer(address, self._id, n, self._codecs, ptime_ms, crypto=self._keys)
        )

    def _numbered(self, build: Callable[[int], bytes | None]) -> bytes | None:
        """Count the version up if there is something new to say."""
        made = build(self._version)
        return self._remember(made if made is None or made == self.local else build(self._version + 1))

    def _remember(self, body: bytes | None) -> bytes | None:
        if body is not None:
            self.describe(body)
        return body

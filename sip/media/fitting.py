"""Packets made a little longer or shorter, so that a time line follows the far end's clock unheard.

Samples are added and left out where the packet is quietest, never over a neighbour: nothing that was said is torn or
comes twice. What is added repeats the sample beside it.
"""

from __future__ import annotations

from typing import Final

from sip.media.g711 import MAGNITUDES, QUIETEST
from sip.media.model import SAMPLE_RATE_HZ, Codec

_SAMPLES_PER_MS: Final = SAMPLE_RATE_HZ // 1000
_QUIET: Final = 256 >> QUIETEST
"""A packet without a louder sample (-42 dB of full scale) is a pause, in which milliseconds can be moved."""
_IN_PAUSES: Final = 10 * _SAMPLES_PER_MS
_IN_SOUND: Final = ((20 * _SAMPLES_PER_MS, 8), (10 * _SAMPLES_PER_MS, 4), (0, 1))
"""(beyond this error, samples of each packet): 0.6 % of 20 ms for what a clock that is off comes to, up to 5 % for what
a first packet that came late has put wrong."""

_STRETCH: Final = 16
_EACH: Final = 2
"""So many samples are changed in one stretch of so many."""


def fitted(payload: bytes, wanted: int, codec: Codec) -> tuple[int, bytes]:
    """Return (change, payload): as many of the `wanted` samples more (or less, below 0) as one packet bears unheard."""
    levels = payload.translate(MAGNITUDES[codec])
    size = abs(wanted)
    if max(levels, default=0) <= _QUIET:
        size = min(size, _IN_PAUSES, len(payload) // 2)
        if wanted > 0:
            return size, payload[:size] + payload
        return -size, payload[size:]
    most = next(samples for error, samples in _IN_SOUND if size > error)
    size = min(size, most, len(payload) // (_STRETCH // _EACH))
    places = _quietest(levels, size)
    return (size if wanted > 0 else -size), _changed(payload, places, longer=wanted > 0)


def _quietest(levels: bytes, count: int) -> list[int]:
    """Return some places, in order, where a packet is quiet: two in a stretch, far from what is loud."""
    stretches = sorted((max(levels[at : at + _STRETCH]), at) for at in range(0, len(levels), _STRETCH))
    places: list[int] = []
    for _, start in stretches:
        within = range(start, min(start + _STRETCH, len(levels)))
        places += sorted(within, key=levels.__getitem__)[: min(_EACH, count - len(places))]
        if len(places) == count:
            break
    return sorted(places)


def _changed(payload: bytes, places: list[int], *, longer: bool) -> bytes:
    """Return a payload in which the samples at some places come twice, or not at all."""
    parts, start = [], 0
    for place in places:
        parts.append(payload[start : place + 1 if longer else place])
        start = place if longer else place + 1
    return b"".join([*parts, payload[start:]])

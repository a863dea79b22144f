"""The tones of a Chinese exchange and of a fax machine, by formula: int16 mono at 8 kHz.

Levels are dBm0 with a full-scale sine at +3.14 dBm0 (G.711). Exchange tones: 450 Hz at -10 dBm0 with the cadences of
GB/T 3380 and YDN 065-1997 (回铃音 1/4 s, 忙音 0.35/0.35 s, 拥塞音 0.7/0.7 s, 空号音 3 x 0.1/0.1 s and 0.4/0.4 s).
Fax tones: ITU-T T.30, V.8 and V.21.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]
"""Mono, 8 kHz."""

RATE_HZ = 8000
FULL_SCALE_SINE_DBM0 = 3.14
FULL_SCALE = 32767
EXCHANGE_TONE_HZ = 450.0
EXCHANGE_LEVEL_DBM0 = -10.0
EDGE_S = 0.002
"""Rise and fall of a burst: short enough for a cadence to the millisecond, long enough not to click."""

CED_HZ = 2100.0
CNG_HZ = 1100.0
ANSAM_MODULATION_HZ = 15.0
ANSAM_REVERSAL_S = 0.45
V21_BIT_RATE = 300
V21_MARK_HZ, V21_SPACE_HZ = 1650.0, 1850.0
"""V.21 channel 2, which T.30 uses for its control frames."""
HDLC_FLAG = (0, 1, 1, 1, 1, 1, 1, 0)


def amplitude(level_dbm0: float) -> float:
    """Return the peak of a sine of this level, on the int16 scale."""
    return FULL_SCALE * 10 ** ((level_dbm0 - FULL_SCALE_SINE_DBM0) / 20)


def level_dbm0(samples: NDArray[np.int16] | NDArray[np.float64]) -> float:
    """Return the RMS level of the samples; minus infinity for digital silence."""
    power = float(np.mean(np.square(samples, dtype=np.float64))) if len(samples) else 0.0
    return 10 * math.log10(2 * power / FULL_SCALE**2) + FULL_SCALE_SINE_DBM0 if power else -math.inf


def silence(seconds: float) -> Samples:
    """Return digital silence."""
    return np.zeros(round(seconds * RATE_HZ), np.int16)


def tone(frequency_hz: float, seconds: float, level: float = EXCHANGE_LEVEL_DBM0) -> Samples:
    """Return one burst of a sine with soft edges of `EDGE_S`."""
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    edges = np.clip(np.minimum(time_s, seconds - time_s) / EDGE_S, 0, 1)
    return _pcm(amplitude(level) * edges * np.sin(2 * np.pi * frequency_hz * time_s))


def cadence(
    *on_off_s: tuple[float, float],
    frequency_hz: float = EXCHANGE_TONE_HZ,
    level: float = EXCHANGE_LEVEL_DBM0,
) -> Samples:
    """Return one period of a cadence given as (on, off) pairs; made for looping."""
    parts = [(tone(frequency_hz, on, level), silence(off)) for on, off in on_off_s]
    return np.concatenate([part for pair in parts for part in pair])


def ringback() -> Samples:
    """回铃音, one period: 1 s on, 4 s off."""
    return cadence((1.0, 4.0))


def ringback_far() -> Samples:
    """回铃音 of another exchange, one period: 455 Hz at -22 dBm0, as a forwarded call may ring on."""
    return cadence((1.0, 4.0), frequency_hz=455.0, level=-22.0)


def ringback_us() -> Samples:
    """Ringback of North America, one period: 440 and 480 Hz together, 2 s on, 4 s off (ITU-T E.180 supplement 2)."""
    pair = [tone(hertz, 2.0, EXCHANGE_LEVEL_DBM0 - 3.0).astype(np.float64) for hertz in (440.0, 480.0)]
    return np.concatenate([_pcm(pair[0] + pair[1]), silence(4.0)])


def busy() -> Samples:
    """忙音, one period: 0.35 s on, 0.35 s off."""
    return cadence((0.35, 0.35))


def congestion() -> Samples:
    """拥塞音, one period: 0.7 s on, 0.7 s off."""
    return cadence((0.7, 0.7))


def unobtainable() -> Samples:
    """空号音, one period of 1.4 s: three bursts of 0.1 s, one of 0.4 s."""
    return cadence((0.1, 0.1), (0.1, 0.1), (0.1, 0.1), (0.4, 0.4))


def called_fax(seconds: float = 3.0) -> Samples:
    """CED of T.30: the called fax's 2100 Hz."""
    return tone(CED_HZ, seconds, -12.0)


def called_modem(seconds: float = 3.0) -> Samples:
    """ANSam of V.8: 2100 Hz, its amplitude moved by a fifth at 15 Hz, its phase turned each 450 ms."""
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    turned = np.where(np.floor(time_s / ANSAM_REVERSAL_S) % 2, -1.0, 1.0)
    swing = 1 + 0.2 * np.sin(2 * np.pi * ANSAM_MODULATION_HZ * time_s)
    return _pcm(amplitude(-12.0) * swing * turned * np.sin(2 * np.pi * CED_HZ * time_s))


def calling_fax() -> Samples:
    """CNG of T.30, one period: 1100 Hz, 0.5 s on, 3 s off."""
    return cadence((0.5, 3.0), frequency_hz=CNG_HZ)


def fax_answer() -> Samples:
    """What a called fax sends (T.30 section 5.3): CED, then three times the V.21 preamble and a control frame."""
    frame = np.concatenate([v21(HDLC_FLAG * 37 + _DIS_BITS), silence(3.0)])
    return np.concatenate([silence(0.4), called_fax(), silence(0.075), *([frame] * 3)])


def v21(bits: tuple[int, ...]) -> Samples:
    """Return the bits as V.21 channel 2 frequency shift keying with continuous phase."""
    count = len(bits) * RATE_HZ // V21_BIT_RATE
    bit_of_sample = np.arange(count) * V21_BIT_RATE // RATE_HZ
    hertz = np.where(np.array(bits)[bit_of_sample], V21_MARK_HZ, V21_SPACE_HZ)
    return _pcm(amplitude(-13.0) * np.sin(2 * np.pi * np.cumsum(hertz) / RATE_HZ))


def beep() -> Samples:
    """The tone after which a mailbox records: 1000 Hz for 1 s."""
    return tone(1000.0, 1.0, -12.0)


def _bits(octets: bytes) -> tuple[int, ...]:
    """Least significant bit first, as HDLC sends them."""
    return tuple(octet >> position & 1 for octet in octets for position in range(8))


_DIS_BITS = _bits(bytes((0xFF, 0xC8, 0x01, 0x00, 0x77, 0x5F, 0x23, 0x01, 0x01, 0x3C))) + HDLC_FLAG
"""Address, control and capability octets as in a digital identification signal, close enough for a listener."""


def _pcm(values: NDArray[np.float64]) -> Samples:
    return np.round(values).astype(np.int16)

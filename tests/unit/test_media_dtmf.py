"""RFC 4733 digits, packet by packet."""

from __future__ import annotations

import struct

import pytest

from sip.media.dtmf import DigitReceiver
from sip.record import DtmfDigit


def event(digit: int, duration: int, *, end: bool = False) -> bytes:
    return struct.pack("!BBH", digit, 0x8A if end else 0x0A, duration)


@pytest.mark.parametrize(("number", "digit"), list(enumerate("0123456789*#ABCD")))
def test_every_digit(number: int, digit: str) -> None:
    receiver = DigitReceiver()
    assert receiver.packet(800, event(number, 160), 120.0) == []
    assert receiver.packet(800, event(number, 800, end=True), 200.0) == [DtmfDigit(digit, 100.0, 100.0)]


def test_an_end_that_is_sent_three_times_is_one_digit() -> None:
    receiver = DigitReceiver()
    ended = [digit for _ in range(3) for digit in receiver.packet(800, event(1, 400, end=True), 50.0)]
    assert ended == [DtmfDigit("1", 0.0, 50.0)]


def test_the_same_digit_twice_is_two_digits() -> None:
    receiver = DigitReceiver()
    assert len(receiver.packet(800, event(1, 400, end=True), 50.0)) == 1
    assert len(receiver.packet(2400, event(1, 400, end=True), 250.0)) == 1


def test_the_next_digit_ends_one_whose_end_was_lost() -> None:
    receiver = DigitReceiver()
    receiver.packet(800, event(1, 160), 20.0)
    receiver.packet(800, event(1, 480), 60.0)
    assert receiver.packet(2400, event(2, 160), 220.0) == [DtmfDigit("1", 0.0, 60.0)]
    assert receiver.packet(2400, event(2, 480, end=True), 260.0) == [DtmfDigit("2", 200.0, 60.0)]


def test_silence_ends_a_digit_whose_end_was_lost() -> None:
    receiver = DigitReceiver()
    receiver.packet(800, event(1, 400), 50.0)
    assert receiver.expire(240.0) == []
    assert receiver.expire(260.0) == [DtmfDigit("1", 0.0, 50.0)]
    assert receiver.expire(500.0) == []
    assert receiver.packet(800, event(1, 400, end=True), 600.0) == [], (
        "an end that comes after all is old news"
    )


def test_a_reordered_update_shortens_nothing() -> None:
    receiver = DigitReceiver()
    receiver.packet(800, event(1, 320), 40.0)
    receiver.packet(800, event(1, 160), 41.0)
    assert receiver.packet(800, event(1, 320, end=True), 60.0)[0].duration_ms == 40.0


@pytest.mark.parametrize("payload", [b"", b"\x01\x8a\x01", event(16, 400, end=True), event(200, 1, end=True)])
def test_what_is_no_digit_is_passed_over(payload: bytes) -> None:
    receiver = DigitReceiver()
    assert receiver.packet(800, payload, 50.0) == []
    assert receiver.expire(1000.0) == []

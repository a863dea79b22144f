"""Where sound comes from and goes to, and the digits in it, against sipp's far end."""

from __future__ import annotations

import numpy as np
import pytest

from tests.interop.checks import check_answered, check_honest
from tests.interop.conftest import Place
from tests.interop.far_media import heard_digits, session_description
from tests.interop.sounds import Sound, alaw, ringback, silence

pytestmark = pytest.mark.peer("sipp")


@pytest.mark.interop("sipp", "early-media", "latching")
def test_sound_from_another_port_than_announced_is_latched_on(place: Place) -> None:
    """A gateway behind NAT sends from elsewhere: we hear it, and send where it sends from (symmetric RTP)."""
    sound = Sound(alaw(ringback(2)))
    keys = {"sdp": session_description("@moved@")}
    call = place("session-progress", "--max-talk", "1", wait_ms=6500, sounds={183: sound}, keys=keys)
    check_answered(call)
    assert call.record["rings"]["count"] == 2
    assert call.record["early_media"]["kind"] == "ringback"
    assert len(call.heard) > 250
    assert len(call.moved) < 50


@pytest.mark.interop("sipp", "dtmf-received")
def test_digits_that_come_as_events(place: Place) -> None:
    sound = Sound(alaw(silence(3.0)), digits="62#")
    keys = {"sdp": session_description("@port@", events=True)}
    call = place("answer", "--max-talk", "3", wait_ms=300, sounds={200: sound}, keys=keys)
    check_answered(call)
    assert [entry["digit"] for entry in call.record["dtmf"]] == ["6", "2", "#"]
    assert all(50 <= entry["duration_ms"] <= 150 for entry in call.record["dtmf"])


@pytest.mark.interop("sipp", "dtmf-sent")
def test_digits_that_we_send_as_events(place: Place) -> None:
    keys = {"sdp": session_description("@port@", events=True)}
    call = place("answer", "--max-ring", "3", "--send-digits", "w6001#", wait_ms=300, keys=keys)
    check_honest(call)
    assert call.timeline("digits_sent")
    assert heard_digits(call.heard) == "6001#"
    ends = [p for p in call.heard if p.payload_type == 101 and p.payload[1] & 0x80]
    # The end of each comes three times (RFC 4733 section 2.5.1.4).
    assert len(ends) == 15


@pytest.mark.interop("sipp", "dtmf-sent")
def test_digits_that_we_send_as_tones(place: Place) -> None:
    """The far end takes no events, so the digits are sound: 6 is 770 and 1477 Hz (ITU-T Q.23)."""
    call = place("answer", "--max-ring", "2", "--send-digits", "w6", wait_ms=300)
    check_honest(call)
    assert {packet.payload_type for packet in call.heard} == {8}
    codes = np.frombuffer(b"".join(packet.payload for packet in call.heard), dtype=np.uint8)
    linear = decoded(codes)
    power = np.abs(np.fft.rfft(linear)) ** 2
    frequencies = np.fft.rfftfreq(len(linear), 1 / 8000)
    near = sum(power[np.abs(frequencies - hz) < 25].sum() for hz in (770, 1477))
    assert near / power[frequencies > 100].sum() > 0.9


def decoded(codes: np.ndarray) -> np.ndarray:
    """Decode A-law by the table of all 256 codes, made with our own encoder."""
    steps = np.linspace(-1, 1, 8192, endpoint=False)
    encoded = np.frombuffer(alaw(steps), dtype=np.uint8)
    table = np.array(
        [steps[encoded == code].mean() if np.any(encoded == code) else 0.0 for code in range(256)]
    )
    return table[codes]

"""Signs of forwarding that are heard or that come of the line's history, and what must never be taken for one."""

from __future__ import annotations

import base64

import numpy as np
import pytest
import soundfile

from sip.simulator.clips import SOUNDS_FOLDER
from sip.simulator.music import melody
from tests.interop.checks import check_answered, check_honest
from tests.interop.conftest import Place
from tests.interop.far_media import session_description
from tests.interop.sounds import Sound, alaw, silence, tone
from tests.interop.test_forwarding import kinds

pytestmark = pytest.mark.peer("sipp")

SHORT = ("--max-talk", "0.3")
NUMBER = "09173262000"


def ring(seconds: float, *, hz: float = 450.0, dbm0: float = -10.0) -> np.ndarray:
    return np.concatenate([tone(1.0, hz, dbm0), silence(seconds - 1.0)])


def clip(name: str) -> np.ndarray:
    samples, _ = soundfile.read(SOUNDS_FOLDER / f"{name}.flac", dtype="float64")
    return np.asarray(samples)


# What is found


@pytest.mark.interop("sipp", "forwarding", "multipart")
def test_the_redirection_number_of_an_exchange(place: Place) -> None:
    """SIP-I: an ACM beside the description names where the call goes."""
    acm = bytes.fromhex("0616040136011a0c08831031090010180400")
    parts = (
        "--edge\r\nContent-Type: application/sdp\r\n\r\n" + session_description("@port@"),
        "--edge\r\nContent-Type: application/isup;version=itu-t92+\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + base64.b64encode(acm).decode(),
        "--edge--",
    )
    keys = {"type": "multipart/mixed;boundary=edge", "body": "\r\n".join(parts), "more": "MIME-Version: 1.0"}
    call = place("progress-with-body", *SHORT, keys=keys, wait_ms=200, proves_forwarding=True)
    check_answered(call)
    forwarding = call.record["forwarding"]
    assert kinds(call.record) == {"redirection_number": "definitive"}
    assert (forwarding["target"], forwarding["target_class"]) == ("13900001814", "mobile")
    assert forwarding["condition"] == "always"
    assert forwarding["evidence"][0]["t_ms"] == call.timeline("received", status=183)[0]["t_ms"]


@pytest.mark.interop("sipp", "forwarding")
@pytest.mark.parametrize(
    ("earlier_ms", "late"),
    [((20, 40, 30, 35), True), ((20, 40), False), ((2400, 20, 2300, 2600, 900), False)],
)
def test_ringing_that_begins_late_for_this_line(
    place: Place, earlier_ms: tuple[int, ...], late: bool
) -> None:
    history = [word for delay_ms in earlier_ms for word in ("--history", str(delay_ms))]
    call = place("late-ringing", *SHORT, *history, wait_ms=2200)
    check_answered(call)
    assert kinds(call.record) == ({"late_ringing": "weak"} if late else {})
    assert call.record["forwarding"]["detected"] is False
    if late:
        (evidence,) = call.record["forwarding"]["evidence"]
        assert evidence["t_ms"] == call.record["ring_started_ms"]
        assert "over 2032 ms; median of 4 earlier calls 32 ms" in evidence["detail"]


@pytest.mark.interop("sipp", "forwarding")
def test_ringback_that_begins_anew_with_another_sound(place: Place) -> None:
    far = ring(5.0, hz=455.0, dbm0=-22.0)
    heard = np.concatenate([ring(5.0), ring(6.5), far, far])
    call = place("ringing-with-sdp", *SHORT, sounds={180: Sound(alaw(heard))}, wait_ms=14_500)
    check_answered(call)
    assert kinds(call.record) == {"ringback_restart": "medium"}
    assert call.record["forwarding"]["detected"] is False
    assert call.record["forwarding"]["evidence"][0]["t_ms"] == pytest.approx(11_500, abs=500)


@pytest.mark.interop("sipp", "forwarding")
def test_a_colour_ring_is_a_weak_sign(place: Place) -> None:
    music = Sound(alaw(melody() / 32768), loop=True)
    call = place("ringing-with-sdp", *SHORT, sounds={180: music}, wait_ms=4500)
    check_answered(call)
    assert call.record["early_media"]["kind"] == "crbt"
    assert kinds(call.record) == {"crbt": "weak"}
    assert call.record["forwarding"]["detected"] is False


@pytest.mark.interop("sipp", "forwarding")
@pytest.mark.parametrize(
    ("name", "kind"), [("powered_off", "mobile_announcement"), ("transfer_notice", "transfer_announcement")]
)
def test_an_announcement_is_a_sign_only_where_it_is_understood(place: Place, name: str, kind: str) -> None:
    """Without a library of samples nobody knows what is said: the kind at most, and never more than strong."""
    sounds = {183: Sound(alaw(clip(name)))}
    call = place(
        "progress-then-refuse", sounds=sounds, wait_ms=6000, keys={"final": "480 Temporarily Unavailable"}
    )
    check_honest(call)
    assert call.record["outcome"] == "unreachable"
    assert kinds(call.record) in ({}, {kind: "strong"})


# What is none


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("P-Asserted-Identity: <tel:+86-917-3262000>", id="with the country"),
        pytest.param("P-Asserted-Identity: <sip:3262000@ims.example>", id="without the area"),
        pytest.param("P-Asserted-Identity: <sip:2000@pbx.example>", id="its extension"),
        pytest.param("P-Asserted-Identity: <tel:+869173266666>", id="the pilot number"),
        pytest.param("P-Asserted-Identity: <sip:anonymous@anonymous.invalid>", id="nobody"),
        pytest.param(
            f"Remote-Party-ID: <sip:0086{NUMBER[1:]}@gw>;party=called;screen=yes", id="remote party"
        ),
        pytest.param(
            f"History-Info: <sip:{NUMBER}@a>;index=1, <sip:{NUMBER}@10.0.0.9:5080>;index=1.1;rc=1",
            id="rc alone",
        ),
        pytest.param(f"History-Info: <sip:{NUMBER}@a>;index=1, <sip:8012@b>;index=1.1", id="no cause"),
        pytest.param(
            f"History-Info: <sip:{NUMBER}@a>;index=1, <sip:+869173262000@b;cause=302>;index=1.1;mp=1",
            id="itself with a cause",
        ),
        pytest.param("Diversion: <sip:gateway.example>;reason=unconditional", id="nobody diverts"),
    ],
)
def test_another_writing_of_the_line_is_no_sign(place: Place, header: str) -> None:
    options = (*SHORT, "--same-unit", "0917-326 6666")
    call = place("ringing-with-header", *options, keys={"header": header}, user=NUMBER, wait_ms=150)
    assert call.sipp_status == 0
    assert (call.record["outcome"], call.record["errors"]) == ("answered", [])
    assert call.record["forwarding"]["evidence"] == []


def test_the_pilot_number_of_a_switchboard_is_no_sign(place: Place) -> None:
    """Digits were sent for an extension: the identity is the switchboard's."""
    header = "P-Asserted-Identity: <tel:+862988880000>"
    options = ("--send-digits", "8012", "--max-talk", "1", "--max-ring", "3")
    call = place("ringing-with-header", *options, keys={"header": header}, user=NUMBER, wait_ms=150)
    assert call.timeline("digits_sent")
    assert call.record["forwarding"]["evidence"] == []


def test_a_network_that_changes_its_mind_does_not_forward(place: Place) -> None:
    """183, 180, 183: media opens twice and the ringback goes on."""
    heard = np.concatenate([ring(5.0), ring(5.0)])
    call = place("session-progress-then-ringing", *SHORT, sounds={183: Sound(alaw(heard))}, wait_ms=7000)
    check_answered(call)
    assert call.record["forwarding"]["evidence"] == []


def test_lost_packets_do_not_make_ringback_begin_anew(place: Place) -> None:
    """One second of the pause and half a burst are lost on the way."""
    first = ring(5.0)
    holes = Sound(alaw(np.concatenate([first, silence(0.5), first[4000:], first])), suppress_silence=True)
    call = place("ringing-with-sdp", *SHORT, sounds={180: holes}, wait_ms=13_000)
    check_answered(call)
    assert call.record["forwarding"]["evidence"] == []

"""Marked announcements against sipp: the command knows the library of its data folder and hangs up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sip.simulator.clips import SOUNDS_FOLDER, sound
from tests.interop.checks import check_honest, check_not_answered
from tests.interop.conftest import Place, run_dutyring
from tests.interop.sounds import Samples, Sound, alaw, silence

pytestmark = pytest.mark.peer("sipp")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A data folder in which the carrier's 关机 and its notice of a transfer were marked."""
    chosen = {"DUTYRING_DATA_DIR": str(tmp_path / "data")}
    clip = str(SOUNDS_FOLDER / "powered_off.flac")
    described = ("--meaning", "powered_off", "--label", "关机", "--mobile")
    done = run_dutyring("samples", "add", clip, *described, cwd=tmp_path, **chosen)
    assert done.returncode == 0, done.stderr
    clip = str(SOUNDS_FOLDER / "transfer_notice.flac")
    done = run_dutyring(
        "samples", "add", clip, "--meaning", "transfer", "--label", "转接", cwd=tmp_path, **chosen
    )
    assert done.returncode == 0, done.stderr
    return chosen


def announcement(name: str = "powered_off") -> Samples:
    """The recording once, then a long silence in which nobody needs to wait."""
    return np.concatenate((silence(0.3), 0.3 * sound(name) / 32768.0, silence(30.0)))


def check_hung_up(call, method: str) -> None:
    check_not_answered(call, "unreachable")
    record = call.record
    (heard,) = record["announcements"]
    assert (heard["meaning"], heard["road"], heard["mobile"]) == ("powered_off", "sample", True)
    assert record["line_state"] == "powered_off"
    assert record["ended_by"] == "us"
    assert call.timeline("hang_up")[0]["why"] == "announcement: powered_off"
    assert call.timeline("announcement")
    assert record["ended_ms"] - heard["end_ms"] < 1_500
    assert call.timeline("sent", method=method)
    signs = [(sign["kind"], sign["grade"]) for sign in record["forwarding"]["evidence"]]
    assert signs == [("mobile_announcement", "strong")]
    assert record["forwarding"]["grade"] == "strong"


def test_an_announcement_in_early_media_ends_the_call(place: Place, environment: dict[str, str]) -> None:
    sounds = {183: Sound(alaw(announcement()))}
    check_hung_up(place("progress-until-cancelled", sounds=sounds, environment=environment), "CANCEL")


def test_a_200_that_carries_an_announcement_is_no_answer(place: Place, environment: dict[str, str]) -> None:
    sounds = {200: Sound(alaw(announcement()))}
    check_hung_up(place("answer-at-once", sounds=sounds, environment=environment), "BYE")


def test_a_notice_of_a_transfer_is_a_sign_and_ends_nothing(place: Place, environment: dict[str, str]) -> None:
    sounds = {183: Sound(alaw(announcement("transfer_notice")))}
    final = {"final": "480 Temporarily Unavailable"}
    call = place("progress-then-refuse", sounds=sounds, wait_ms=8000, keys=final, environment=environment)
    check_honest(call)
    record = call.record
    assert (record["outcome"], record["ended_by"]) == ("unreachable", "them")
    assert ("transfer", "sample") in [(said["meaning"], said["road"]) for said in record["announcements"]]
    signs = [(sign["kind"], sign["grade"]) for sign in record["forwarding"]["evidence"]]
    assert signs == [("transfer_announcement", "strong")]
    assert record["forwarding"]["condition"] == "always"

"""An error that is met in another process arrives as what it is: its kind, its words and what it names."""

from __future__ import annotations

import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

import recordings
from recordings.clips import ClipError
from sip.media.errors import CaptureError, EngineFull, SoundFileError
from sip.media.model import CapacityEstimate
from sip.trunks.errors import TrunkError

FULL = EngineFull(CapacityEstimate(12, "behind", 19.0, 12, 900.0, sessions=12))

ERRORS: tuple[tuple[Exception, str], ...] = (
    (recordings.RecordingError("a.flac", "is odd"), "a.flac: is odd"),
    (
        recordings.UnreadableCapture("a.part", "No such file or directory"),
        "a.part: No such file or directory",
    ),
    (recordings.UnwritableRecording(Path("a.flac"), "is full"), "a.flac: is full"),
    (recordings.RecordingChanged("a.flac", "was changed"), "a.flac: was changed"),
    (recordings.ManifestError("manifest", "is cut off"), "manifest: is cut off"),
    (ClipError("to_ms", "leaves not one sample"), "leaves not one sample"),
    (CaptureError(Path("a.part"), "is not a DutyRing capture"), "a.part: is not a DutyRing capture"),
    (SoundFileError(Path("a.wav"), "cannot be read"), "a.wav: cannot be read"),
    (FULL, str(FULL.estimate)),
    (TrunkError("city", "port", "a number"), "trunk 'city': port takes a number"),
)


@pytest.mark.parametrize(("error", "words"), ERRORS, ids=lambda given: type(given).__name__)
def test_an_error_is_the_same_behind_a_pipe(error: Exception, words: str) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error) == words
    assert vars(again) == vars(error)


def test_who_lets_another_process_encode_is_told_what_is_wrong(tmp_path: Path) -> None:
    missing = tmp_path / "call.part"
    with (
        ProcessPoolExecutor(1, get_context("spawn")) as pool,
        pytest.raises(recordings.UnreadableCapture, match=r"call\.part: No such file") as told,
    ):
        pool.submit(recordings.encode, missing, tmp_path / "call.flac").result()
    assert told.value.path == str(missing)

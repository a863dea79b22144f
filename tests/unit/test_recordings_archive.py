"""Sound files from captures, and the folder that keeps them."""

from __future__ import annotations

import hashlib
import logging
import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from recordings import (
    Archive,
    RecordingError,
    RecordingMissing,
    UnreadableCapture,
    UnwritableRecording,
    encode,
)
from recordings.encoding import encode_as, gaps
from sip.media import Block
from sip.media import encode as g711
from sip.media.capture_header import pack_header
from sip.record import Gap
from tests.unit.media_peer import tone

NAME = "2026/11/22/check-7-attempt-9"


def capture(path: Path, end_ms: int | None = 2000) -> Path:
    """Us from 0.5 s and them from 1 s on, for half a second each."""
    blocks = [
        Block("sent", 4000, "PCMA", g711(tone(0.5, 1000), "PCMA")),
        Block("heard", 8000, "PCMA", g711(tone(0.5), "PCMA")),
    ]
    if end_ms is not None:
        blocks.append(Block("ended", end_ms * 8))
    path.write_bytes(pack_header() + b"".join(block.pack() for block in blocks))
    return path


def loud_ms(side: np.ndarray) -> tuple[float, float]:
    place = np.nonzero(np.abs(side.astype(int)) > 500)[0]
    return place[0] / 8, place[-1] / 8


@pytest.mark.parametrize("name", ["call.flac", "call.wav", "call.FLAC"])
def test_a_recording_is_stereo_with_us_on_the_left(tmp_path: Path, name: str) -> None:
    destination = tmp_path / name
    info = encode(capture(tmp_path / "a.part"), destination, 2000.4)
    sound, rate_hz = soundfile.read(destination, dtype="int16")
    assert (rate_hz, sound.shape) == (8000, (16003, 2))
    assert loud_ms(sound[:, 0]) == pytest.approx((500, 1000), abs=1)
    assert loud_ms(sound[:, 1]) == pytest.approx((1000, 1500), abs=1)
    assert info.path == str(destination)
    assert info.sha256 == hashlib.sha256(destination.read_bytes()).hexdigest()
    assert (info.channels, info.sample_rate) == (2, 8000)
    assert info.duration_ms == pytest.approx(2000.4, abs=0.2)
    assert soundfile.info(destination).subtype == "PCM_16"


@pytest.mark.parametrize("duration_ms", [700.0, 2000.0, 9000.0])
def test_a_recording_is_exactly_as_long_as_the_call(tmp_path: Path, duration_ms: float) -> None:
    encode(capture(tmp_path / "a.part"), tmp_path / "a.flac", duration_ms)
    sound, _ = soundfile.read(tmp_path / "a.flac", dtype="int16")
    assert len(sound) == duration_ms * 8
    assert not sound[12100:].any()


def test_without_a_duration_it_is_as_long_as_was_captured(tmp_path: Path) -> None:
    info = encode(capture(tmp_path / "a.part", None), tmp_path / "a.wav")
    assert info.duration_ms == 1500


def test_only_sound_files_are_left_behind(tmp_path: Path) -> None:
    source = capture(tmp_path / "a.part")
    encode(source, tmp_path / "a.flac", 100.0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.flac", "a.part"]


@pytest.mark.parametrize(
    ("destination", "reason"),
    [("nowhere/a.flac", "cannot be written: No such file"), ("a.mp3", r"is a \.flac or a \.wav file")],
)
def test_a_destination_that_cannot_be_is_named(tmp_path: Path, destination: str, reason: str) -> None:
    source = capture(tmp_path / "a.part")
    with pytest.raises(UnwritableRecording, match=reason) as caught:
        encode(source, tmp_path / destination, 100.0)
    assert str(tmp_path / destination) in str(caught.value)
    assert source.exists()


def test_a_folder_in_the_way_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    source = capture(tmp_path / "a.part")
    (tmp_path / "a.flac").mkdir()
    with pytest.raises(UnwritableRecording, match="Is a directory"):
        encode(source, tmp_path / "a.flac", 100.0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.flac", "a.part"]


def test_a_capture_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableCapture, match=r"gone\.part: No such file"):
        encode(tmp_path / "gone.part", tmp_path / "a.flac", 100.0)
    assert not (tmp_path / "a.flac").exists()


def test_the_archive_stores_and_opens(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "recordings")
    source = capture(archive.capture_path(NAME))
    info = archive.store(source, NAME, 1800.0)
    assert info.path == f"objects/{info.sha256[:2]}/{info.sha256}.flac"
    assert info.duration_ms == 1800
    assert not source.exists()
    assert archive.path(info.path) == tmp_path / "recordings" / info.path
    with archive.open(info.path) as file:
        assert hashlib.sha256(file.read()).hexdigest() == info.sha256


def test_storing_what_is_stored_changes_nothing(tmp_path: Path) -> None:
    """The ledger may not know yet that the recording is there."""
    archive = Archive(tmp_path)
    first = archive.store(capture(archive.capture_path(NAME)), NAME, 1800.0)
    assert archive.store(archive.capture_path(NAME), NAME) == first
    assert [entry.kind for entry in archive.manifest.entries()] == ["opened", "stored"]


def test_a_capture_stays_when_its_recording_cannot_be_made(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    source = archive.capture_path(NAME)
    source.write_bytes(b"no capture")
    with pytest.raises(RecordingError):
        archive.store(source, NAME, 100.0)
    assert source.read_bytes() == b"no capture"


def test_repair_makes_recordings_of_what_was_left(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    archive = Archive(tmp_path)
    whole = capture(archive.capture_path(NAME), None)
    cut = capture(archive.capture_path("cut"), None)
    cut.write_bytes(cut.read_bytes()[:-1000])
    empty = archive.capture_path("empty")
    empty.touch()
    other = archive.capture_path("other")
    other.write_bytes(b"something else")
    with caplog.at_level(logging.WARNING):
        repaired = archive.repair()
    assert sorted(repaired) == [NAME, "cut", "empty"]
    assert repaired[NAME].duration_ms == 1500
    assert repaired["cut"].duration_ms == 1000
    assert repaired["empty"].duration_ms < 1
    for info in repaired.values():
        with archive.open(info.path) as file:
            assert hashlib.sha256(file.read()).hexdigest() == info.sha256
    assert not whole.exists()
    assert other.read_bytes() == b"something else"
    assert "other.part" in caplog.text
    assert archive.repair() == {}


@pytest.mark.parametrize("left", ["nothing", "unreadable"])
def test_a_sound_that_was_ready_is_stored_though_its_capture_is_lost(tmp_path: Path, left: str) -> None:
    archive = Archive(tmp_path)
    source = capture(archive.capture_path(NAME))
    made = encode_as("FLAC", source, archive.inside(f"{NAME}.ready"), 1800.0)
    source.unlink()
    if left == "unreadable":
        source.write_bytes(b"\0" * 100)
    info = archive.repair()[NAME]
    assert (info.sha256, info.duration_ms, info.gaps) == (made.sha256, 1800.0, ())
    assert archive.read(info.path, info.sha256)
    assert archive.repair() == {}
    assert not list(tmp_path.rglob("*.ready"))


def test_nothing_to_repair_in_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert Archive(tmp_path / "new").repair() == {}


@pytest.mark.parametrize("name", ["../x.flac", "/etc/passwd", "gone.flac", "a/../../x"])
def test_nothing_outside_of_the_archive_is_opened(tmp_path: Path, name: str) -> None:
    (tmp_path / "x.flac").touch()
    with pytest.raises(RecordingMissing):
        Archive(tmp_path / "inner").path(name)


def test_an_archive_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UnwritableRecording, match=os.fspath(tmp_path / "file")):
        Archive(tmp_path / "file").capture_path(NAME)


def test_gaps_say_where_sound_was_lost(tmp_path: Path) -> None:
    tones = g711(tone(0.5), "PCMA")
    blocks = [Block("heard", start * 8, "PCMA", tones) for start in (1000, 1510, 2050, 3000)]
    blocks += [Block.pause(2550 * 8, 2900 * 8), Block("ended", 4000 * 8)]
    archive = Archive(tmp_path)
    source = archive.capture_path(NAME)
    source.write_bytes(pack_header() + b"".join(block.pack() for block in blocks))
    info = archive.store(source, NAME, 3900.0)
    assert info.gaps == (
        Gap("them", 2010.0, 2050.0, "lost", 40.0),
        Gap("them", 2900.0, 3000.0, "lost", 100.0),
    )
    assert archive.stored([NAME]) == {NAME: info}


@given(
    st.lists(st.tuples(st.integers(0, 5_000_000), st.integers(1, 5000)), max_size=2500), st.floats(0, 600_000)
)
def test_gaps_are_in_order_apart_and_not_too_many(found: list[tuple[int, int]], duration_ms: float) -> None:
    made = gaps([(start, start + length) for start, length in found], duration_ms)
    assert len(made) <= 1001
    assert all(20 <= gap.silent_ms <= gap.end_ms - gap.start_ms for gap in made)
    assert all(one.end_ms < other.start_ms for one, other in pairwise(made))
    assert all(gap.end_ms <= duration_ms + 1 for gap in made)
    assert [gap.why for gap in made[:1000]] == ["lost"] * len(made[:1000])

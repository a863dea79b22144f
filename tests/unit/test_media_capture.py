"""Reading captures: where sound lies, and what is said of files that are not whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sip.media import Block, CaptureError, CaptureReader, decode, read_capture
from sip.media.capture_header import pack_header


def written(path: Path, *blocks: Block, wall_time_s: float = 0.0) -> Path:
    path.write_bytes(pack_header(wall_time_s) + b"".join(block.pack() for block in blocks))
    return path


def test_both_sides_lie_at_their_positions(tmp_path: Path) -> None:
    path = written(
        tmp_path / "a.part",
        Block("heard", 800, "PCMA", b"\x2a" * 80),
        Block("sent", 400, "PCMU", b"\x00" * 40),
        Block("alive", 1600),
        wall_time_s=1_700_000_000.25,
    )
    capture = read_capture(path)
    assert capture.duration_ms == 200
    assert len(capture.left) == len(capture.right) == 1600
    assert np.nonzero(capture.right)[0].tolist() == list(range(800, 880))
    assert np.nonzero(capture.left)[0].tolist() == list(range(400, 440))
    assert set(capture.right[800:880].tolist()) == set(decode(b"\x2a", "PCMA").tolist())
    assert set(capture.left[400:440].tolist()) == set(decode(b"\x00", "PCMU").tolist())
    assert capture.wall_time_s == 1_700_000_000.25
    assert not capture.ended
    assert capture.notes == ()


def test_the_end_of_the_call_cuts_the_sound(tmp_path: Path) -> None:
    path = written(tmp_path / "a.part", Block("heard", 0, "PCMA", b"\x2a" * 800), Block("ended", 500))
    capture = read_capture(path)
    assert capture.ended
    assert len(capture.left) == len(capture.right) == 500


def test_a_call_without_sound_has_its_length(tmp_path: Path) -> None:
    capture = read_capture(written(tmp_path / "a.part", Block("alive", 0), Block("ended", 4000)))
    assert capture.duration_ms == 500
    assert not capture.right.any()
    assert capture.wall_time_s is None


@pytest.mark.parametrize("content", [b"", b"DUTY", pack_header()[:-1]])
def test_a_file_cut_off_in_its_header_is_empty(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.part"
    path.write_bytes(content)
    capture = read_capture(path)
    assert capture.duration_ms == 0
    assert capture.notes == ("cut off within its header",)


def test_damage_in_the_middle_loses_one_block(tmp_path: Path) -> None:
    blocks = [Block("heard", 100 * n, "PCMA", bytes([0x2A]) * 100) for n in range(3)]
    data = bytearray(pack_header() + b"".join(block.pack() for block in blocks))
    data[len(pack_header()) + len(blocks[0].pack()) + 60] ^= 0xFF
    path = tmp_path / "a.part"
    path.write_bytes(data)
    capture = read_capture(path)
    assert (capture.right[:100] != 0).all()
    assert (capture.right[100:200] == 0).all()
    assert (capture.right[200:] != 0).all()
    assert len(capture.notes) == 1
    assert "damaged at byte" in capture.notes[0]


def test_blocks_can_be_read_one_by_one(tmp_path: Path) -> None:
    blocks = [Block("sent", 0, "PCMU", b"abc"), Block("heard", 9, "PCMA", b"d"), Block("alive", 12)]
    path = written(tmp_path / "a.part", *blocks)
    with path.open("rb") as file:
        assert list(CaptureReader(file, path).blocks()) == blocks


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"RIFF" + bytes(60), "is not a DutyRing capture"), (b"DUTYRING\x09\x00" + bytes(40), "version 9")],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "a.part"
    path.write_bytes(content)
    with pytest.raises(CaptureError, match=reason) as caught:
        read_capture(path)
    assert caught.value.path == path


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match=r"gone\.part: No such file"):
        read_capture(tmp_path / "gone.part")

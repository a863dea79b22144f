"""What recognisers are given: a side of a recording, and a capture that is still growing."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from app.transcripts.live import Tail
from app.transcripts.sounds import BrokenSoundError, cut, sides
from sip.media import Block, decode
from sip.media.capture_header import pack_header


def file(wave: np.ndarray, rate_hz: int = 8000) -> io.BytesIO:
    data = io.BytesIO()
    soundfile.write(data, wave, rate_hz, format="FLAC")
    data.seek(0)
    return data


def test_of_a_check_only_their_side_of_a_report_both() -> None:
    wave = np.stack([np.full(800, 100, np.int16), np.full(800, 200, np.int16)], axis=1)
    found = sides(file(wave), "check")
    assert list(found) == ["them"]
    assert set(found["them"].tolist()) == {200}
    both = sides(file(wave), "report")
    assert {name: int(side[0]) for name, side in both.items()} == {"us": 100, "them": 200}
    assert len(cut(found["them"], 50.0, 75.0)) == 200
    assert len(cut(found["them"], -10.0, 1e9)) == 800


def test_any_rate_and_one_channel_become_8_khz() -> None:
    wave = (8000 * np.sin(2 * np.pi * 440 * np.arange(44_100) / 44_100)).astype(np.int16)
    found = sides(file(wave, 44_100), "report")
    assert list(found) == ["them"]
    assert abs(len(found["them"]) - 8000) <= 1
    assert found["them"].dtype == np.int16
    assert 5000 < np.abs(found["them"]).max() < 9000


@pytest.mark.parametrize("data", [b"", b"RIFF", b"no sound at all" * 100])
def test_what_is_no_sound_is_named(data: bytes) -> None:
    with pytest.raises(BrokenSoundError):
        sides(io.BytesIO(data), "check")


def test_a_growing_capture_is_read_to_its_last_whole_block_and_on(tmp_path: Path) -> None:
    path = tmp_path / "a.part"
    blocks = [Block("heard", at, "PCMA", bytes([0x2A + n]) * 800) for n, at in enumerate((0, 800, 2400))]
    whole = pack_header(0.0) + b"".join(block.pack() for block in blocks)
    tail = Tail(path)
    heard = np.zeros(0, np.int16)
    # Whatever the writer has got to, also within a block.
    for end in (5, 20, 24, 400, 850, 1700, 1701, 2500, len(whole)):
        path.write_bytes(whole[:end])
        position, sound = tail.read()
        assert not len(sound) or position == len(heard)
        heard = np.concatenate([heard, sound])
    wanted = np.zeros(3200, np.int16)
    for block in blocks:
        wanted[block.position : block.end] = decode(block.codes, "PCMA")
    assert heard.tolist() == wanted.tolist()
    assert not tail.ended
    path.write_bytes(whole + Block("ended", 3200).pack())
    assert len(tail.read()[1]) == 0
    assert tail.ended


def test_reading_along_may_begin_in_the_middle(tmp_path: Path) -> None:
    path = tmp_path / "a.part"
    path.write_bytes(pack_header(0.0) + Block("heard", 0, "PCMA", b"\x2a" * 800).pack())
    position, sound = Tail(path).read(first=500)
    assert (position, len(sound)) == (500, 300)

"""A capture that was cut anywhere, or damaged anywhere, still yields its whole blocks."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from sip.media import Block, CaptureReader, read_capture
from sip.media.capture_header import pack_header

blocks = st.lists(
    st.builds(
        Block,
        kind=st.sampled_from(["heard", "sent"]),
        position=st.integers(0, 80_000),
        codec=st.sampled_from(["PCMA", "PCMU"]),
        codes=st.binary(max_size=200) | st.just(b"blk:" * 20),
    ),
    max_size=8,
)


def read(data: bytes) -> tuple[list[Block], list[str]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.part"
        path.write_bytes(data)
        with path.open("rb") as file:
            reader = CaptureReader(file, path)
            found = list(reader.blocks())
        capture = read_capture(path)
        assert len(capture.left) == len(capture.right) == max((block.end for block in found), default=0)
    return found, reader.notes


@settings(deadline=None)
@given(blocks, st.data())
def test_cut_anywhere(content: list[Block], data: st.DataObject) -> None:
    packed = [block.pack() for block in content]
    whole = pack_header() + b"".join(packed)
    cut = data.draw(st.integers(0, len(whole)))
    found, notes = read(whole[:cut])
    expected, end = 0, len(pack_header())
    while expected < len(packed) and end + len(packed[expected]) <= cut:
        end += len(packed[expected])
        expected += 1
    assert found == content[:expected]
    assert bool(notes) == (cut != end)


@settings(deadline=None)
@given(blocks.filter(bool), st.data())
def test_one_damaged_byte_costs_one_block(content: list[Block], data: st.DataObject) -> None:
    packed = [block.pack() for block in content]
    whole = bytearray(pack_header() + b"".join(packed))
    place = data.draw(st.integers(len(pack_header()), len(whole) - 1))
    whole[place] ^= data.draw(st.integers(1, 255))
    hit, end = 0, len(pack_header()) + len(packed[0])
    while place >= end:
        hit += 1
        end += len(packed[hit])
    found, notes = read(bytes(whole))
    assert found == content[:hit] + content[hit + 1 :]
    assert notes

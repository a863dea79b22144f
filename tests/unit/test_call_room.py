"""A full disk: nothing is dialled that could not be kept whole, and what fills it in mid-call is said and kept."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.cli import main
from app.commands.call_line import CallArguments
from app.commands.call_room import LEAST_FREE_MB, MB, no_room
from recordings import encode
from sip.media import Block, read_capture
from sip.media.capture import BlockKind
from sip.media.capture_header import pack_header
from sip.phone import Phone, Script
from sip.simulator import Simulator
from tests.unit.test_phone import ANSWERS_SOON

SMALL_BYTES = 32_768
"""Two seconds of both sides."""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system that a call fills within seconds."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SMALL_BYTES},mode=0700", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("a small file system takes the rights to mount one")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def arguments(record: Path | None, pcap: Path | None = None) -> CallArguments:
    unset = (None,) * 4
    return CallArguments("sip:1@127.0.0.1", *unset, 60.0, 20.0, None, record, False, None, False, pcap=pcap)


def test_room_is_looked_for_where_the_files_are_to_be(tmp_path: Path) -> None:
    full, wide = tmp_path / "full", tmp_path / "wide"
    free = {full: LEAST_FREE_MB * MB - 1, wide: LEAST_FREE_MB * MB}
    assert no_room(arguments(None), free.__getitem__) is None
    assert no_room(arguments(wide / "a.flac", wide / "a.pcap"), free.__getitem__) is None
    for given in (arguments(full / "a.flac"), arguments(wide / "a.flac", full / "a.pcap")):
        told = no_room(given, free.__getitem__)
        assert told is not None
        assert "49 MB left" in told
    assert no_room(arguments(tmp_path / "nowhere" / "a.flac")) is None


def test_a_call_without_room_for_its_recording_is_refused_before_it_rings(
    small_disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["call", "sip:200@127.0.0.1:9", "--record", str(small_disk / "a.flac"), "--json"])
    told = capsys.readouterr()
    record = json.loads(told.out)
    assert (ended.value.code, record["our_failure"], record["timeline"]) == (3, True, [])
    assert "Nothing was dialled" in told.err
    assert list(small_disk.iterdir()) == []


async def test_a_disk_that_fills_in_mid_call_is_said_and_what_was_captured_is_kept(
    small_disk: Path, tmp_path: Path
) -> None:
    capture = small_disk / "call.part"
    async with Simulator(scenario={ANSWERS_SOON.extension: ANSWERS_SOON}) as far_end, Phone() as phone:
        uri = f"sip:{ANSWERS_SOON.extension}@{far_end.local}"
        record = await phone.call(uri, Script(max_talk_s=6.0, capture=capture))
    assert record.outcome == "answered"
    assert record.our_failure
    assert any("the recording failed" in error and "No space" in error for error in record.errors)
    assert not read_capture(capture).ended
    info = encode(capture, tmp_path / "call.flac", record.ended_ms)
    assert info.duration_ms == pytest.approx(record.ended_ms, abs=1)
    rest = [gap for gap in info.gaps if gap.why == "unwritten"]
    # What we sent lies on the disk some 0.3 s before what was heard at that time, and may just have found room.
    assert [(gap.channel, gap.end_ms) for gap in rest][-1] == ("them", info.duration_ms)
    # The call was ended as soon as it could not be recorded any more.
    assert 200 < rest[-1].silent_ms < 5_000


@pytest.mark.parametrize(
    ("last", "gaps"),
    [
        (("sent", 16_000, 4_000), [("them", 1_700.0)]),
        (("heard", 13_440, 4_000), [("us", 2_000.0), ("them", 2_180.0)]),
        (("alive", 19_000, 0), [("us", 2_375.0), ("them", 2_375.0)]),
    ],
)
def test_what_a_full_disk_took_of_one_side_alone_is_a_gap_of_that_side(
    tmp_path: Path, last: tuple[BlockKind, int, int], gaps: list[tuple[str, float]]
) -> None:
    """Of each half second the disk gets what was sent, then what was heard, then until when that is all."""
    kind, position, length = last
    blocks = [
        Block("sent", 8_000, "PCMA", b"\x55" * 8_000),
        Block("heard", 5_440, "PCMA", b"\x55" * 8_000),
        Block("alive", 13_600, "PCMA", b""),
        Block(kind, position, "PCMA", b"\x55" * length),
    ]
    capture = tmp_path / "call.part"
    capture.write_bytes(pack_header() + b"".join(block.pack() for block in blocks))
    found = encode(capture, tmp_path / "call.flac", 2_500.0).gaps
    assert [(gap.channel, gap.start_ms) for gap in found if gap.why == "unwritten"] == gaps
    assert {gap.end_ms for gap in found} == {2_500.0}

"""The archive after SIGKILL: at every step of storing, bringing and erasing, real processes, real kills."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import soundfile

from recordings import Archive
from recordings.repair import Repair
from recordings.verification import KnownRecording, verify_all
from tests.unit.killed import Killer
from tests.unit.test_recordings_archive import NAME, capture

LENGTH_MS = 1800.0


@pytest.fixture(scope="module")
def killer() -> Iterator[Killer]:
    killer = Killer()
    yield killer
    killer.close()


def prepared(folder: Path) -> Archive:
    """An archive that is in use: its key is there, and so is what loads late."""
    archive = Archive(folder)
    archive.store(capture(archive.capture_path("earlier")), "earlier", 900.0)
    return Archive(folder)


def rows(archive: Archive) -> list[KnownRecording]:
    """A database that knows of what is stored."""
    return [
        KnownRecording(
            number, key, kept.sha256, entry.members["kind"], entry.members["name"], entry.members["duration_ms"], False
        )
        for number, (key, kept) in enumerate(Archive(archive.folder).index.refresh().by_key.items(), 1)
        for entry in kept.entries
    ]  # fmt: skip


def left(folder: Path) -> list[str]:
    """Everything that lies in the folder beside what always does."""
    known = {"manifest.jsonl", "manifest.key", "manifest.pub", "archive.lock"}
    return sorted(
        p.name for p in folder.rglob("*") if p.is_file() and p.name not in known and "torn" not in p.name
    )


def test_a_process_that_is_killed_while_it_stores_loses_and_doubles_nothing(
    tmp_path: Path, killer: Killer
) -> None:
    step, killed, lengths = 0, True, set()
    while killed:
        folder = tmp_path / str(step)
        archive = prepared(folder)
        source = capture(archive.capture_path(NAME))
        killed = killer.killed(step, folder, "store", str(source), NAME, LENGTH_MS)
        again = Archive(folder)
        repair = Repair(again).run()
        assert repair.failed == []
        info = (repair.made | again.stored([NAME]))[NAME]
        with again.open(info.path) as file:
            data = file.read()
        assert hashlib.sha256(data).hexdigest() == info.sha256
        # What was begun with the length of the call stays as long; else it is as long as was captured.
        lengths.add(info.duration_ms)
        assert [entry.kind for entry in again.manifest.entries()] == ["opened", "stored", "stored"], step
        assert len(left(folder)) == 2, (step, left(folder))
        assert list(verify_all(Archive(folder), rows(again))) == []
        assert Repair(Archive(folder)).run().done == []
        step += 1
    assert step > 15
    assert lengths == {LENGTH_MS, 2000.0}


def test_a_process_that_is_killed_while_it_takes_a_sound_in_leaves_all_or_nothing(
    tmp_path: Path, killer: Killer
) -> None:
    step, killed, kept = 0, True, set()
    sound = tmp_path / "report.wav"
    soundfile.write(sound, [0.1, 0.2] * 400, 8000)
    while killed:
        folder = tmp_path / str(step)
        prepared(folder)
        killed = killer.killed(step, folder, "add", str(sound), "reports/1", "report")
        again = Archive(folder)
        assert Repair(again).run().failed == []
        there = "reports/1" in again.stored(["reports/1"])
        kept.add(there)
        assert len(left(folder)) == 1 + there, (step, left(folder))
        assert list(verify_all(Archive(folder), rows(again))) == []
        step += 1
    assert kept == {True, False}


def test_a_process_that_is_killed_while_it_erases_is_finished_by_the_next(
    tmp_path: Path, killer: Killer
) -> None:
    step, killed, gone = 0, True, set()
    while killed:
        folder = tmp_path / str(step)
        archive = prepared(folder)
        info = archive.store(capture(archive.capture_path(NAME)), NAME, LENGTH_MS)
        archive.keep_derived(info.sha256, "peaks", b"peaks")
        erasure = (info.path, info.sha256, "withdrawn", "wrong number", "zhang")
        killed = killer.killed(step, folder, "erase", *erasure)
        again = Archive(folder)
        assert Repair(again).run().failed == []
        there = NAME in again.stored([NAME])
        gone.add(not there)
        assert len(left(folder)) == (3 if there else 1), (step, left(folder))
        assert list(verify_all(Archive(folder), rows(again))) == []
        again.erase(info.path, info.sha256, "withdrawn", "wrong number", "zhang")
        assert [entry.kind for entry in again.manifest.entries()][-2:] == ["stored", "erased"]
        assert len(left(folder)) == 1
        step += 1
    assert gone == {True, False}


def test_two_repairs_at_once_make_one_recording(tmp_path: Path) -> None:
    archive = prepared(tmp_path)
    for number in range(5):
        capture(archive.capture_path(f"call-{number}"))
    with ThreadPoolExecutor(3) as threads:
        repairs = list(threads.map(lambda _: Repair(Archive(tmp_path)).run(), range(3)))
    assert [repair.failed for repair in repairs] == [[]] * 3
    names = [entry.members.get("name") for entry in archive.manifest.entries()]
    assert sorted(name for name in names if name) == [*(f"call-{n}" for n in range(5)), "earlier"]

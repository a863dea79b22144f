"""Everything that is done to a stored recording behind the archive's back is found and named."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from recordings import Archive, Keyring, Manifest, RecordingChanged, RecordingError, Vault
from recordings.entries import SignedHead
from recordings.repair import Repair
from recordings.verification import KnownRecording, verify_all
from sip.record import RecordingInfo
from tests.unit.test_recordings_archive import capture

NOW = datetime(2026, 11, 26, 20, 27, 13, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
KEY = Keyring([b"k" * 32])


def archive_of(folder: Path, now: datetime = LATER, keys: Keyring | None = None) -> Archive:
    manifest = Manifest(folder / "manifest.jsonl", folder / "manifest.key", lambda: now)
    return Archive(folder, Vault.at(folder, keys), manifest)


class Office:
    """Three recordings of calls and one that was brought, and a database that knows of them."""

    def __init__(self, folder: Path, keys: Keyring | None = None) -> None:
        self.folder = folder
        self.keys = keys
        archive = archive_of(folder, NOW, keys)
        self.infos: list[RecordingInfo] = []
        self.rows: list[KnownRecording] = []
        for number in range(3):
            name = f"2026/11/26/check-{number}-attempt-{number}"
            info = archive.store(capture(archive.capture_path(name)), name, 900.0 + number)
            self._know(info, "check", name)
        sound = folder.parent / f"{folder.name}.wav"
        soundfile.write(sound, [0.1, 0.2] * 400, 8000)
        self._know(archive.add(sound, "reports/1", "report"), "report", None)
        self.head = archive.manifest.head()

    def _know(self, info: RecordingInfo, kind: str, name: str | None) -> None:
        self.infos.append(info)
        row = KnownRecording(len(self.rows) + 1, info.path, info.sha256, kind, name, info.duration_ms, False)
        self.rows.append(row)

    def file(self, number: int) -> Path:
        return self.folder / self.infos[number].path

    def faults(self, *heads: SignedHead, rows: list[KnownRecording] | None = None) -> list[tuple[str, str]]:
        found = verify_all(
            archive_of(self.folder, keys=self.keys), self.rows if rows is None else rows, heads
        )
        return [(problem.what, str(problem)) for problem in found]


@pytest.fixture(params=[None, KEY], ids=["plain", "encrypted"])
def office(request: pytest.FixtureRequest, tmp_path: Path) -> Office:
    return Office(tmp_path / "recordings", request.param)


def test_what_is_as_it_was_holds(office: Office) -> None:
    assert office.faults(office.head) == []


def changed(office: Office) -> str:
    data = bytearray(office.file(1).read_bytes())
    data[len(data) // 2] ^= 1
    office.file(1).write_bytes(bytes(data))
    return office.infos[1].path


def cut_off(office: Office) -> str:
    office.file(1).write_bytes(office.file(1).read_bytes()[:-1])
    return office.infos[1].path


def missing(office: Office) -> str:
    office.file(1).unlink()
    return office.infos[1].path


def exchanged(office: Office) -> str:
    one, other = office.file(0), office.file(1)
    held = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(held)
    return office.infos[1].path


def added(office: Office) -> str:
    path = office.folder / "objects" / "zz" / "more.flac"
    path.parent.mkdir()
    shutil.copy(office.file(0), path)
    return "objects/zz/more.flac"


def beside(office: Office) -> str:
    shutil.copy(office.file(0), office.folder / "2026" / "more.flac")
    return "2026/more.flac"


def derived_left(office: Office) -> str:
    archive_of(office.folder, keys=office.keys).keep_derived("0" * 64, "peaks", b"x")
    return f"derived/00/{'0' * 64}/peaks"


def derived_changed(office: Office) -> str:
    archive, digest = archive_of(office.folder, keys=office.keys), office.infos[1].sha256
    archive.keep_derived(digest, "peaks", b"peaks")
    key = f"derived/{digest[:2]}/{digest}/peaks"
    path = office.folder / key
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    assert archive.derived(digest, "peaks") is None
    return key


def derived_exchanged(office: Office) -> str:
    """A listening copy of one recording in the place of another's."""
    archive = archive_of(office.folder, keys=office.keys)
    one, other = (info.sha256 for info in office.infos[:2])
    for digest in (one, other):
        archive.keep_derived(digest, "copy.ogg", digest.encode())
    keys = [f"derived/{digest[:2]}/{digest}/copy.ogg" for digest in (one, other)]
    shutil.copy(office.folder / keys[0], office.folder / keys[1])
    assert archive.derived(one, "copy.ogg") == one.encode()
    assert archive.derived(other, "copy.ogg") is None
    return keys[1]


def of_no_row(office: Office) -> str:
    return office.rows.pop(1).path


def row_of_another(office: Office) -> str:
    office.rows[1] = replace(office.rows[1], path=office.rows[0].path, sha256=office.rows[0].sha256)
    return "recording 2"


def row_with_another_hash(office: Office) -> str:
    office.rows[1] = replace(office.rows[1], sha256="0" * 64)
    return "recording 2"


def row_with_another_length(office: Office) -> str:
    office.rows[3] = replace(office.rows[3], duration_ms=7.0)
    return "recording 4"


def row_that_says_gone(office: Office) -> str:
    office.rows[1] = replace(office.rows[1], gone=True)
    return "recording 2"


def row_of_nothing(office: Office) -> str:
    office.rows.append(replace(office.rows[1], id=9, path="objects/ff/ffff.flac"))
    return "recording 9"


def erased_alone(office: Office) -> str:
    info = office.infos[1]
    archive_of(office.folder, NOW, office.keys).erase(info.path, info.sha256, "removed", "", "x")
    return "recording 2"


def erased_and_back(office: Office) -> str:
    held = office.file(1).read_bytes()
    erased_alone(office)
    office.file(1).parent.mkdir(exist_ok=True)
    office.file(1).write_bytes(held)
    office.rows[1] = replace(office.rows[1], gone=True)
    return office.infos[1].path


DEEDS: list[tuple[str, Callable[[Office], str]]] = [
    ("changed", changed),
    ("changed", cut_off),
    ("missing", missing),
    ("extra", added),
    ("extra", beside),
    ("extra", derived_left),
    ("changed", derived_changed),
    ("changed", derived_exchanged),
    ("database", of_no_row),
    ("swapped", row_of_another),
    ("database", row_with_another_hash),
    ("database", row_with_another_length),
    ("database", row_that_says_gone),
    ("unlisted", row_of_nothing),
    ("database", erased_alone),
    ("extra", erased_and_back),
]


@pytest.mark.parametrize(("what", "deed"), DEEDS, ids=[deed.__name__ for _, deed in DEEDS])
def test_a_deed_is_found_and_named(office: Office, what: str, deed: Callable[[Office], str]) -> None:
    named = deed(office)
    found = office.faults(office.head)
    assert any(kind == what and named in text for kind, text in found), found


def test_exchanged_files_are_found_and_in_plain_ones_their_owner(office: Office) -> None:
    exchanged(office)
    found = office.faults()
    assert {kind for kind, _ in found} == {"changed" if office.keys else "swapped"}
    assert len(found) == 2
    if not office.keys:
        assert office.infos[0].path in found[0][1]
        assert office.infos[1].path in found[0][1]


def test_exchanged_rows_are_found(office: Office) -> None:
    """Even when whoever did it took care of path, hash and length."""
    one, other = office.rows[:2]
    office.rows[0] = replace(other, id=one.id, name=one.name)
    office.rows[1] = replace(one, id=other.id, name=other.name)
    assert [kind for kind, _ in office.faults()] == ["swapped", "swapped"]


@pytest.fixture(scope="module", params=[None, KEY], ids=["plain", "encrypted"])
def kept(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Office:
    return Office(tmp_path_factory.mktemp("kept") / "recordings", request.param)


@given(st.integers(0, 3), st.floats(0, 1, exclude_max=True), st.integers(0, 7))
def test_any_flipped_bit_of_a_recording_is_found(kept: Office, number: int, place: float, bit: int) -> None:
    path = kept.file(number)
    whole = path.read_bytes()
    data = bytearray(whole)
    data[int(place * len(data))] ^= 1 << bit
    path.write_bytes(bytes(data))
    try:
        found = kept.faults()
    finally:
        path.write_bytes(whole)
    assert len(found) == 1
    assert kept.infos[number].path in found[0][1]


def test_a_manifest_that_was_cut_or_is_gone_is_found(office: Office) -> None:
    lines = (office.folder / "manifest.jsonl").read_bytes().splitlines(keepends=True)
    (office.folder / "manifest.jsonl").write_bytes(b"".join(lines[:-1]))
    assert {kind for kind, _ in office.faults(office.head)} == {"head", "unlisted"}
    (office.folder / "manifest.jsonl").unlink()
    found = office.faults(office.head)
    assert len([text for kind, text in found if kind == "unlisted"]) == 4
    assert [text for kind, text in found if kind == "head"]


def test_the_last_minutes_may_be_ahead_of_the_database(tmp_path: Path) -> None:
    office = Office(tmp_path / "recordings")
    office.rows.pop(1)
    now = archive_of(office.folder, NOW + timedelta(minutes=1))
    assert list(verify_all(now, office.rows)) == []


def test_another_key_is_said_once_for_each_recording(tmp_path: Path) -> None:
    office = Office(tmp_path / "recordings", KEY)
    office.keys = Keyring([b"x" * 32])
    assert [kind for kind, _ in office.faults()] == ["unreadable"] * 4


def test_an_erased_recording_leaves_its_hash(office: Office) -> None:
    archive = archive_of(office.folder, NOW, office.keys)
    info = office.infos[1]
    archive.keep_derived(info.sha256, "peaks", b"peaks")
    assert archive.derived(info.sha256, "peaks") == b"peaks"
    archive.erase(info.path, info.sha256, "withdrawn", "a private call", "zhang")
    archive.erase(info.path, info.sha256, "withdrawn", "a private call", "zhang")
    assert archive.derived(info.sha256, "peaks") is None
    with pytest.raises(RecordingError):
        archive.open(info.path)
    (entry,) = [entry for entry in archive.manifest.entries() if entry.kind == "erased"]
    assert entry.members == {
        "path": info.path, "sha256": info.sha256, "why": "withdrawn", "reason": "a private call", "who": "zhang",
    }  # fmt: skip
    office.rows[1] = replace(office.rows[1], gone=True)
    assert office.faults(office.head) == []
    assert not [path for path in (office.folder / "derived").rglob("*") if path.is_file()]


def test_what_was_made_of_a_recording_and_changed_is_removed_by_a_repair(office: Office) -> None:
    key = derived_changed(office)
    repair = Repair(archive_of(office.folder, keys=office.keys)).run()
    assert repair.done == [f"{key}: was changed, removed"]
    assert office.faults(office.head) == []


def test_a_sound_brought_while_the_same_is_erased_is_there_or_not_known(tmp_path: Path) -> None:
    sound = tmp_path / "report.wav"
    soundfile.write(sound, [0.1, 0.2] * 400, 8000)
    folder = tmp_path / "recordings"
    info = archive_of(folder).add(sound, "reports/0", "report")
    with ThreadPoolExecutor(2) as threads:
        for number in range(1, 16):
            kept = threads.submit(archive_of(folder).add, sound, f"reports/{number}", "report")
            erase = archive_of(folder).erase
            gone = threads.submit(
                erase, info.path, info.sha256, "removed", "twice", "li", name=f"reports/{number - 1}"
            )
            kept.result()
            gone.result()
            assert archive_of(folder).size(info.path) == sound.stat().st_size


def test_the_same_sound_twice_is_one_object_until_the_last_is_erased(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "recordings")
    first, second = (archive.store(capture(archive.capture_path(name)), name, 500.0) for name in ("a", "b"))
    assert first == second
    archive.erase(first.path, first.sha256, "expired", "", "x", name="a")
    archive.erase(first.path, first.sha256, "expired", "", "x", name="a")
    assert archive.size(first.path) > 0
    assert archive.stored(["a", "b"]) == {"b": second}
    archive.erase(first.path, first.sha256, "expired", "", "x", name="b")
    with pytest.raises(RecordingError):
        archive.size(first.path)


def test_what_is_no_longer_what_was_stored_is_not_read_as_it(office: Office) -> None:
    archive, info = archive_of(office.folder, NOW, office.keys), office.infos[1]
    assert len(archive.read(info.path, info.sha256)) == archive.size(info.path)
    changed(office)
    with pytest.raises(RecordingChanged):
        archive.read(info.path, info.sha256)


def test_nothing_is_stored_over_another_content(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "recordings")
    info = archive.store(capture(archive.capture_path("a")), "a", 500.0)
    (archive.folder / info.path).write_bytes(b"planted")
    source = capture(archive.capture_path("b"))
    with pytest.raises(RecordingChanged, match="with another content"):
        archive.store(source, "b", 500.0)
    assert source.exists()


def test_recordings_in_a_store_far_away_hold(tmp_path: Path) -> None:
    archive = Archive(tmp_path, Vault.at("memory:", KEY))
    info = archive.store(capture(archive.capture_path("a")), "a", 500.0)
    row = KnownRecording(1, info.path, info.sha256, "check", "a", info.duration_ms, False)
    assert list(verify_all(archive, [row])) == []
    assert not list(tmp_path.rglob("*.flac"))
    with pytest.raises(RecordingError, match="not in a folder of this machine"):
        archive.path(info.path)

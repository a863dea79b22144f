"""The manifest: signed, chained, only ever longer, and nothing of it changes unseen."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from recordings import Manifest, ManifestError
from recordings.entries import FIRST, SignedHead
from recordings.index import Index

AT = datetime(2026, 11, 26, 20, 27, 13, tzinfo=UTC)


def manifest(folder: Path) -> Manifest:
    return Manifest(folder / "manifest.jsonl", folder / "keys" / "manifest.key", lambda: AT)


def filled(folder: Path, count: int = 3) -> Manifest:
    made = manifest(folder)
    for number in range(count):
        made.append(
            "stored",
            name=f"call-{number}",
            path=f"objects/{number}",
            sha256=f"{number:064}",
            bytes=9,
            名="值",
        )
    return made


def faults(made: Manifest, *heads: SignedHead) -> list[str]:
    return [str(problem) for problem in manifest(made.path.parent).verify(heads)]


def kinds(made: Manifest) -> list[str]:
    return [entry.kind for entry in made.entries()]


def test_entries_follow_each_other(tmp_path: Path) -> None:
    made = filled(tmp_path)
    entries = list(made.entries())
    assert [entry.n for entry in entries] == [1, 2, 3, 4]
    assert [entry.previous for entry in entries] == [FIRST, *(entry.sha256 for entry in entries[:-1])]
    assert entries[0].kind == "opened"
    assert entries[1].members == {
        "name": "call-0", "path": "objects/0", "sha256": f"{0:064}", "bytes": 9, "名": "值",
    }  # fmt: skip
    assert entries[1].at == "2026-11-26T20:27:13.000+00:00"
    assert faults(made) == []


def test_the_key_is_for_its_owner_and_its_public_half_lies_beside_it(tmp_path: Path) -> None:
    made = filled(tmp_path)
    assert made.key_file.stat().st_mode & 0o777 == 0o600
    assert made.key_file.with_suffix(".pub").read_text().startswith("-----BEGIN PUBLIC KEY-----")
    made.key_file.unlink()
    assert faults(made) == []


def test_a_key_that_is_gone_or_another_is_not_gone_on_with(tmp_path: Path) -> None:
    made = filled(tmp_path)
    before = made.path.read_bytes()
    made.key_file.unlink()
    with pytest.raises(
        ManifestError, match=r"manifest\.key: the manifest's key cannot be read: No such file"
    ):
        manifest(tmp_path).append("stored")
    made.key_file.write_text("no key")
    with pytest.raises(ManifestError, match="it takes an Ed25519 key, PKCS 8"):
        manifest(tmp_path).append("stored")
    other = Manifest(tmp_path / "other.jsonl", made.key_file)
    made.key_file.unlink()
    other.append("stored")
    with pytest.raises(ManifestError, match="was begun with the key"):
        manifest(tmp_path).append("stored")
    assert made.path.read_bytes() == before
    assert any("was not signed by" in fault for fault in faults(made))


@given(st.data())
def test_any_flipped_bit_is_found_and_its_line_named(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    made = FILLED.get("made") or FILLED.setdefault("made", filled(tmp_path_factory.mktemp("flipped")))
    whole = made.path.read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    changed = bytearray(whole)
    changed[place] ^= 1 << data.draw(st.integers(0, 7))
    made.path.write_bytes(bytes(changed))
    try:
        found = faults(made)
    finally:
        made.path.write_bytes(whole)
    line = whole[:place].count(b"\n") + 1
    assert any(f"manifest.jsonl line {line}" in fault for fault in found), found


FILLED: dict[str, Manifest] = {}


def test_a_line_that_is_removed_or_exchanged_is_found(tmp_path: Path) -> None:
    made = filled(tmp_path, 4)
    lines = made.path.read_bytes().splitlines(keepends=True)
    made.path.write_bytes(b"".join([*lines[:2], *lines[3:]]))
    assert faults(made) == ["manifest.jsonl line 3: is entry 4 where entry 3 is due"]
    made.path.write_bytes(b"".join([lines[0], lines[2], lines[1], *lines[3:]]))
    assert faults(made)[0] == "manifest.jsonl line 2: is entry 3 where entry 2 is due"


def test_a_rewritten_entry_is_found_by_its_signature(tmp_path: Path) -> None:
    """Whoever has no key can make hashes that fit, not signatures."""
    made, forged = filled(tmp_path), manifest(tmp_path / "forged")
    forged.append("stored", name="call-0", path="objects/0", sha256=f"{7:064}", bytes=9)
    lines = made.path.read_bytes().splitlines(keepends=True)
    made.path.write_bytes(lines[0] + forged.path.read_bytes().splitlines(keepends=True)[1])
    assert any("does not follow the line before" in fault for fault in faults(made))
    assert any("was not signed by the key" in fault for fault in faults(made))


def test_entries_that_were_cut_off_are_found_against_a_head(tmp_path: Path) -> None:
    made = filled(tmp_path)
    head = made.head()
    made.append("stored", name="later", path="objects/9", sha256=f"{9:064}", bytes=9)
    assert faults(made, head) == []
    lines = made.path.read_bytes().splitlines(keepends=True)
    made.path.write_bytes(b"".join(lines[:3]))
    assert faults(made) == []
    (fault,) = faults(made, head)
    assert "ends with entry 3; the head of 2026-11-26T20:27:13.000+00:00 names entry 4" in fault
    made.append("stored", name="call-2", path="objects/x", sha256=f"{1:064}", bytes=9)
    assert faults(made, head) == [
        "manifest.jsonl line 4: entry 4 is not the one that the head of 2026-11-26T20:27:13.000+00:00 names"
    ]
    made.path.unlink()
    assert "ends with entry 0" in faults(made, head)[0]


def test_a_head_survives_its_file_and_a_changed_one_does_not_hold(tmp_path: Path) -> None:
    made = filled(tmp_path)
    head = made.head()
    path = tmp_path / "head.json"
    path.write_text(head.to_json())
    assert SignedHead.load(path) == head
    told = json.loads(head.to_json())
    for name in ("sha256", "at", "signature"):
        changed = SignedHead(
            **{**told, name: told[name].replace(told[name][0], "f" if told[name][0] != "f" else "e", 1)}
        )
        assert any("its signature does not hold" in fault for fault in faults(made, changed)), name
    theirs = SignedHead.make(head.n, head.sha256, AT, Ed25519PrivateKey.generate())
    assert any("1 of 1 are of another key" in fault for fault in faults(made, theirs))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"n": "1"}', "\xff"])
def test_a_file_that_is_no_head_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "head.json").write_text(text)
    with pytest.raises(ManifestError, match=r"head\.json: is not the head of a manifest"):
        SignedHead.load(tmp_path / "head.json")


@settings(max_examples=20)
@given(st.data())
def test_a_line_cut_off_by_a_crash_is_set_aside_and_told(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("torn")
    made = filled(folder)
    whole = made.path.read_bytes()
    last = whole.splitlines(keepends=True)[-1]
    cut = data.draw(st.integers(1, len(last) - 1))
    made.path.write_bytes(whole[: len(whole) - len(last) + cut])
    (fault,) = faults(made)
    assert f"manifest.jsonl line 4: is cut off ({cut} bytes)" in fault
    entry = manifest(folder).append("stored", name="next", path="objects/9", sha256=f"{9:064}", bytes=9)
    assert kinds(made) == ["opened", "stored", "stored", "torn", "stored"]
    torn = list(made.entries())[3]
    assert (folder / torn.members["file"]).read_bytes() == last[:cut]
    assert entry.previous == torn.sha256
    assert faults(made) == []


def test_a_first_line_that_was_cut_off_is_no_end_of_it(tmp_path: Path) -> None:
    made = filled(tmp_path, 1)
    made.path.write_bytes(made.path.read_bytes()[:50])
    manifest(tmp_path).append("stored", name="next", path="objects/9", sha256=f"{9:064}", bytes=9)
    assert kinds(made) == ["opened", "torn", "stored"]
    assert faults(made) == []


def test_a_damaged_last_line_is_no_end_of_it(tmp_path: Path) -> None:
    """Calls go on being recorded; the damage stays to be seen."""
    made = filled(tmp_path)
    made.path.write_bytes(made.path.read_bytes().replace(b"call-2", b"call-3"))
    manifest(tmp_path).append("stored", name="next", path="objects/9", sha256=f"{9:064}", bytes=9)
    assert kinds(made) == ["opened", "stored", "stored", "resumed", "stored"]
    assert faults(made) == ["manifest.jsonl line 4: was changed: its SHA-256 is another"]


def test_a_full_disk_leaves_whole_lines(tmp_path: Path) -> None:
    """In a process whose files may not grow beyond what the manifest has."""
    made = filled(tmp_path)
    size = made.path.stat().st_size
    program = (
        "import resource, signal, sys\nfrom pathlib import Path\nfrom recordings import *\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({size + 50}, {size + 50}))\n"
        "made = Manifest(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "try:\n    made.append('stored', name='x' * 200)\n"
        "except UnwritableRecording as error:\n    print(error.reason)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, made.path, made.key_file], capture_output=True, text=True, check=True
    )
    assert done.stdout == "cannot be written: File too large\n"
    assert made.path.stat().st_size == size
    assert faults(made) == []


def test_processes_that_write_at_once_make_one_chain(tmp_path: Path) -> None:
    children = []
    for _ in range(4):
        child = os.fork()
        if child == 0:
            for _ in range(10):
                manifest(tmp_path).append("stored", name="x", path="objects/x", sha256="0" * 64, bytes=1)
            os._exit(0)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
    made = manifest(tmp_path)
    assert [entry.n for entry in made.entries()] == list(range(1, 42))
    assert faults(made) == []


def test_what_is_read_while_others_write_is_whole_lines(tmp_path: Path) -> None:
    made = filled(tmp_path)
    lines = made.lines()
    next(lines)
    made.append("stored", name="later")
    assert len(list(lines)) == 3


def test_the_index_reads_on_where_it_was(tmp_path: Path) -> None:
    made = filled(tmp_path)
    index = Index(made).refresh()
    assert set(index.by_name) == {"call-0", "call-1", "call-2"}
    made.append("erased", path="objects/1", sha256=f"{1:064}", why="expired", reason="", who="")
    made.append("stored", name="again", path="objects/0", sha256=f"{0:064}", bytes=9)
    made.append(
        "erased", path="objects/0", sha256=f"{0:064}", why="expired", reason="", who="", name="call-0"
    )
    assert {key: kept.live for key, kept in index.refresh().by_key.items()} == {
        "objects/0": True, "objects/1": False, "objects/2": True,
    }  # fmt: skip
    assert [entry.members["name"] for entry in index.by_key["objects/0"].entries] == ["again"]


def test_a_manifest_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    made = Manifest(tmp_path / "file" / "manifest.jsonl", tmp_path / "manifest.key")
    with pytest.raises(ManifestError, match=r"manifest\.jsonl: cannot be read: Not a directory"):
        made.append("stored")
    with pytest.raises(ManifestError, match="cannot be read: No such file"):
        manifest(tmp_path).head()

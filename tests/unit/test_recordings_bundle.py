"""The form of an evidence bundle: what is signed holds, and whatever is changed afterwards is found and named."""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from recordings.bundle import ENTRIES, HEAD, KEY, SIGNATURE, STATEMENT, SUMS, BundleError, Part, Proof, pack
from recordings.bundle_check import check
from recordings.entries import FIRST, Entry, SignedHead

AT = datetime(2026, 11, 26, 10, 0, tzinfo=UTC)
SOUND = bytes(range(256)) * 40
DIGEST = hashlib.sha256(SOUND).hexdigest()
SIGNER = Ed25519PrivateKey.from_private_bytes(b"1" * 32)
OTHER = Ed25519PrivateKey.from_private_bytes(b"2" * 32)
NAME = "attempt-1/recording.flac"


def proof(*kinds: str, key: Ed25519PrivateKey = SIGNER, digest: str = DIGEST) -> Proof:
    entries, previous = [], FIRST
    for number, kind in enumerate(kinds, 1):
        entries.append(Entry.make(number, AT, kind, {"sha256": digest}, previous, key))
        previous = entries[-1].sha256
    head = SignedHead.make(len(entries), previous, AT, key) if entries else None
    return Proof(tuple(entries), head, key)


def packed(
    given_proof: Proof | None = None, file: str | None = NAME, gone: dict[str, str] | None = None, **more: Any
) -> bytes:
    parts = [Part("index.html", b"<p>hello</p>" * 20), Part("attempt-1/facts.json", b'{"a": 1}\n')]
    if file is not None:
        parts.append(Part(file, lambda: io.BytesIO(SOUND), DIGEST))
    recordings = [{"recording": 1, "sha256": DIGEST, "file": file, "gone": gone}]
    about = {"subject": "check:1", "recordings": recordings, "missing": []} | more
    return b"".join(pack(parts, given_proof or proof("stored"), about, AT))


WHOLE = packed()


def faults(data: bytes, key: Ed25519PrivateKey | None = SIGNER) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "b.zip"
        path.write_bytes(data)
        return list(check(path, None if key is None else key.public_key()))


def contents(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def again(files: dict[str, bytes]) -> bytes:
    """A ZIP of these files, made by somebody else."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return target.getvalue()


def test_what_was_signed_holds() -> None:
    assert faults(WHOLE) == []
    assert faults(WHOLE, None) == []
    assert packed() == WHOLE
    files = contents(WHOLE)
    assert list(files)[-3:] == [SUMS, STATEMENT, SIGNATURE]
    for line in files[SUMS].decode().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256(files[name]).hexdigest() == digest
    with zipfile.ZipFile(io.BytesIO(WHOLE)) as archive:
        assert archive.getinfo(NAME).compress_type == zipfile.ZIP_STORED
        assert archive.testzip() is None
    # Packed anew by another program it still holds: what counts is what the files hold.
    assert faults(again(files)) == []


@settings(max_examples=150)
@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_a_changed_byte_is_found_or_changes_nothing_that_counts(at: int, flip: int) -> None:
    changed = bytearray(WHOLE)
    changed[at] ^= flip
    if not faults(bytes(changed)):
        assert contents(bytes(changed)) == contents(WHOLE)


@settings(max_examples=60)
@given(st.data())
def test_a_changed_byte_of_any_file_is_named(data: st.DataObject) -> None:
    files = contents(WHOLE)
    name = data.draw(st.sampled_from(sorted(files)))
    at = data.draw(st.integers(0, len(files[name]) - 1))
    body = bytearray(files[name])
    body[at] ^= data.draw(st.integers(1, 255))
    found = faults(again(files | {name: bytes(body)}))
    assert found
    assert any(name in line or (name == SIGNATURE and STATEMENT in line) for line in found)


@pytest.mark.parametrize("name", sorted(contents(WHOLE)))
def test_a_file_that_is_missing_is_named(name: str) -> None:
    files = contents(WHOLE)
    del files[name]
    told = STATEMENT if name == SIGNATURE else name
    assert any(told in line for line in faults(again(files)))


def test_what_does_not_belong_is_named() -> None:
    files = contents(WHOLE)
    assert faults(again(files | {"attempt-1/more.txt": b"x"})) == [
        "attempt-1/more.txt: does not belong to the bundle"
    ]
    assert any("before it" in line for line in faults(b"MZ" * 40 + WHOLE))
    with_comment = io.BytesIO(WHOLE)
    with zipfile.ZipFile(with_comment, "a") as archive:
        archive.comment = b"believe me"
    assert any("comment" in line for line in faults(with_comment.getvalue()))
    twice = io.BytesIO(WHOLE)
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(twice, "a") as archive:
        archive.writestr(NAME, b"another")
    assert f"{NAME}: is there twice" in faults(twice.getvalue())
    assert faults(b"no zip at all")[0].startswith("the file is no whole ZIP")
    assert faults(WHOLE[: len(WHOLE) // 2])[0].startswith("the file is no whole ZIP")


def test_another_key_is_told() -> None:
    assert f"{KEY}: is another key than the one given" in faults(WHOLE, OTHER)
    forged = packed(proof("stored", key=OTHER))
    assert faults(forged, None) == []
    assert f"{KEY}: is another key than the one given" in faults(forged)
    assert f"{STATEMENT}: its signature does not hold" in faults(forged)


def _resigned(change: Callable[[dict[str, Any]], None]) -> list[str]:
    files = contents(WHOLE)
    statement = json.loads(files[STATEMENT])
    change(statement)
    files[STATEMENT] = json.dumps(statement).encode()
    return faults(again(files | {SIGNATURE: SIGNER.sign(files[STATEMENT])}))


def test_a_signed_statement_that_says_something_else() -> None:
    assert _resigned(lambda said: said.update(schema="other")) == [
        f"{STATEMENT}: is no statement of schema dutyring.bundle/1"
    ]
    assert _resigned(lambda said: said.update(files=[])) != []
    assert _resigned(lambda said: said["files"].pop(NAME)) != []
    assert f"{STATEMENT}: names another key" in _resigned(lambda said: said.update(public_key="0" * 64))


def test_the_manifest_must_carry_the_hash() -> None:
    missing = f"recording 1: no manifest entry carries the hash of its sound, {DIGEST}"
    assert faults(packed(proof("stored", digest="0" * 64))) == [missing]
    assert faults(packed(proof())) == [missing]
    assert faults(packed(proof("adopted"))) == []
    mixed = proof("stored")
    entry = Entry.make(1, AT, "stored", {"sha256": DIGEST}, FIRST, OTHER)
    found = faults(packed(Proof((entry,), mixed.head, SIGNER)))
    assert f"{ENTRIES}: the signature of entry 1 does not hold" in found
    strange = SignedHead.make(1, entry.sha256, AT, OTHER)
    assert faults(packed(Proof(mixed.entries, strange, SIGNER))) == [f"{HEAD}: is no head signed by this key"]
    older = SignedHead.make(0, FIRST, AT, SIGNER)
    assert faults(packed(Proof(mixed.entries, older, SIGNER))) == [
        f"{HEAD}: is older than an entry in {ENTRIES}"
    ]


def test_a_sound_that_is_gone_by_decision() -> None:
    gone = {"why": "withdrawn", "at": AT.isoformat()}
    assert faults(packed(proof("stored", "erased"), None, gone)) == []
    assert faults(packed(proof("stored"), None, gone)) == [
        "recording 1: no manifest entry says that its sound was erased"
    ]


def test_a_sound_of_another_hash_is_not_packed() -> None:
    parts = [Part(NAME, b"other sound", DIGEST)]
    with pytest.raises(BundleError, match="its SHA-256 is"):
        list(pack(parts, proof("stored"), {}, AT))
    for name in ("../x", "/x", "a//b", SUMS, "a b", "x/../y", "é"):
        with pytest.raises(BundleError, match="no name"):
            list(pack([Part(name, b"")], proof("stored"), {}, AT))

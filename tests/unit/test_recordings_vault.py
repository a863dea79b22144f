"""Objects in a folder and in a store that is none."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings import Keyring, RecordingError, RecordingMissing, UnwritableRecording, Vault
from recordings.cipher import MAGIC

KEY = "objects/ab/abc.flac"
MEMORY = "memory:"


@pytest.fixture(params=["folder", "memory", "folder, encrypted", "memory, encrypted"])
def vault(request: pytest.FixtureRequest, tmp_path: Path) -> Vault:
    place, _, encrypted = request.param.partition(", ")
    keys = Keyring([b"k" * 32]) if encrypted else None
    return Vault.at(tmp_path / "vault" if place == "folder" else MEMORY, keys)


def source(tmp_path: Path, data: bytes = b"sound") -> Path:
    path = tmp_path / "source"
    path.write_bytes(data)
    return path


def test_what_was_put_is_read_and_listed(vault: Vault, tmp_path: Path) -> None:
    data = bytes(range(256)) * 3000
    assert vault.put(KEY, source(tmp_path, data))
    assert vault.read(KEY) == data
    assert vault.size(KEY) == len(data)
    assert vault.exists(KEY)
    assert list(vault.keys("objects")) == [KEY]
    with vault.open(KEY) as file:
        assert file.seek(-5, io.SEEK_END) == len(data) - 5
        assert file.read(100) == data[-5:]


def test_an_object_is_never_overwritten(vault: Vault, tmp_path: Path) -> None:
    assert vault.put(KEY, source(tmp_path))
    assert not vault.put(KEY, source(tmp_path, b"another"))
    assert vault.read(KEY) == b"sound"


def test_what_is_written_may_be_replaced(vault: Vault) -> None:
    vault.write("derived/x/y/peaks", b"one")
    vault.write("derived/x/y/peaks", b"two")
    assert vault.read("derived/x/y/peaks") == b"two"


def test_deleted_is_gone_and_may_be_deleted_again(vault: Vault, tmp_path: Path) -> None:
    vault.put(KEY, source(tmp_path))
    vault.delete(KEY)
    vault.delete(KEY)
    assert not vault.exists(KEY)
    assert list(vault.keys("objects")) == []
    with pytest.raises(RecordingMissing, match="is not in the archive"):
        vault.open(KEY)
    assert vault.put(KEY, source(tmp_path))


@given(st.binary(max_size=300), st.integers(0, 400), st.integers(0, 400))
def test_ranges_of_a_store_far_away(data: bytes, start: int, count: int) -> None:
    vault = Vault.at(MEMORY)
    vault.write("a", data)
    with vault.open("a") as file:
        file.seek(start)
        assert file.read(count) == data[start : start + count]


def test_nothing_half_written_is_listed_or_left(tmp_path: Path) -> None:
    vault = Vault.at(tmp_path / "vault")
    vault.put(KEY, source(tmp_path))
    (tmp_path / "vault" / "objects" / "ab" / ".x.tmp").touch()
    assert list(vault.keys("objects")) == [KEY]
    with pytest.raises(UnwritableRecording, match=f"{KEY}/x: cannot be stored"):
        vault.put(f"{KEY}/x", source(tmp_path))
    assert {path.name for path in (tmp_path / "vault").rglob("*") if path.is_file()} == {"abc.flac", ".x.tmp"}


def test_what_was_stored_before_there_was_a_key_is_read(tmp_path: Path) -> None:
    Vault.at(tmp_path / "vault").put(KEY, source(tmp_path))
    vault = Vault.at(tmp_path / "vault", Keyring([b"k" * 32]))
    assert vault.read(KEY) == b"sound"
    vault.put("objects/cd/c.flac", source(tmp_path))
    assert (tmp_path / "vault" / "objects" / "cd" / "c.flac").read_bytes().startswith(MAGIC)


@pytest.mark.parametrize("url", ["gs://bucket", "http://host/x", "s3://"])
def test_a_place_that_cannot_be_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=url):
        Vault.at(url)


def test_a_store_that_does_not_answer_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_ENDPOINT": "http://127.0.0.1:9",
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    vault = Vault.at("s3://bucket/prefix")
    with pytest.raises(UnwritableRecording, match=f"{KEY}: cannot be stored"):
        vault.put(KEY, source(tmp_path))
    with pytest.raises(RecordingError):
        vault.read(KEY)

"""Recordings in S3: over HTTP, with ranges, and with a server that fails half way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from recordings import Archive, Keyring, RecordingError, Vault
from recordings.cipher import MAGIC
from recordings.repair import Repair
from recordings.verification import KnownRecording, verify_all
from tests.unit.s3_server import S3Server
from tests.unit.test_recordings_archive import NAME, capture

KEY = Keyring([b"k" * 32])


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    with S3Server() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server


def archive_of(folder: Path, keys: Keyring | None = None) -> Archive:
    return Archive(folder, Vault.at("s3://bucket/office", keys))


@pytest.mark.parametrize("keys", [None, KEY], ids=["plain", "encrypted"])
def test_a_recording_lies_in_the_bucket_and_is_read_from_there(
    tmp_path: Path, server: S3Server, keys: Keyring | None
) -> None:
    archive = archive_of(tmp_path, keys)
    info = archive.store(capture(archive.capture_path(NAME)), NAME, 1800.0)
    (key,) = server.objects
    assert key == f"office/{info.path}"
    assert server.objects[key].startswith(MAGIC if keys else b"fLaC")
    assert len(archive.read(info.path, info.sha256)) == archive.size(info.path)
    row = KnownRecording(1, info.path, info.sha256, "check", NAME, info.duration_ms, False)
    assert list(verify_all(archive_of(tmp_path, keys), [row])) == []
    archive.keep_derived(info.sha256, "peaks", b"peaks")
    archive.erase(info.path, info.sha256, "expired", "", "x")
    assert server.objects == {}


def test_only_what_is_asked_for_is_fetched(tmp_path: Path, server: S3Server) -> None:
    vault = Vault.at("s3://bucket/office", KEY)
    vault.write("a", bytes(4_000_000))
    server.requests.clear()
    with vault.open("a") as file:
        file.seek(2_000_000)
        assert file.read(1000) == bytes(1000)
    ranges = [wanted for method, wanted in server.requests if method == "GET"]
    assert len(ranges) == 2
    assert all(int(end) - int(start) < 600_000 for start, end in (one[6:].split("-") for one in ranges))


def test_a_server_that_fails_half_way_costs_nothing(tmp_path: Path, server: S3Server) -> None:
    archive = archive_of(tmp_path)
    source = capture(archive.capture_path(NAME))
    server.broken = True
    with pytest.raises(RecordingError, match="cannot be stored"):
        archive.store(source, NAME, 1800.0)
    assert source.exists()
    assert Repair(archive).run([NAME]).unstored
    server.broken = False
    repair = Repair(archive_of(tmp_path)).run([NAME])
    assert repair.failed == []
    assert repair.made[NAME].duration_ms == 1800
    assert list(server.objects) == [f"office/{repair.made[NAME].path}"]
    assert not source.exists()


def test_an_object_of_another_office_is_not_overwritten(tmp_path: Path, server: S3Server) -> None:
    archive = archive_of(tmp_path)
    info = archive.store(capture(archive.capture_path("a")), "a", 500.0)
    again = archive.store(capture(archive.capture_path("b")), "b", 500.0)
    assert again == info
    server.objects[f"office/{info.path}"] = b"planted"
    with pytest.raises(RecordingError, match="with another content"):
        archive.store(capture(archive.capture_path("c")), "c", 500.0)

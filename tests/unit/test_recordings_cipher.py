"""Sound encrypted at rest: read anywhere, and nothing of it changes unseen."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings import Keyring, RecordingChanged, RecordingLocked, Vault
from recordings.cipher import CHUNK, HEADER_BYTES, TAG, Opened, seal
from recordings.reading import BlockReader, Sealed

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))
NAME = "objects/ab/abcd.flac"


class Stored:
    """The bytes of an object; what was read of it is noted."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.length = len(data)
        self.read: list[tuple[int, int]] = []

    def read_at(self, start: int, length: int) -> bytes:
        self.read.append((start, length))
        return self.data[start : start + length]

    def close(self) -> None:
        self.read.append((-1, 0))


def sealed(data: bytes, key: bytes = KEY, name: str = NAME) -> bytes:
    return b"".join(seal(io.BytesIO(data), name, Keyring([key])))


def opened(stored: bytes, *keys: bytes, name: str = NAME) -> io.BufferedReader:
    opened = Opened(stored[:HEADER_BYTES], len(stored), name, Keyring(keys or [KEY]))
    source = Stored(stored)
    return io.BufferedReader(BlockReader(Sealed(opened, source), source))


def content(length: int) -> bytes:
    return (bytes(range(251)) * (length // 251 + 1))[:length]


LENGTHS = st.one_of(
    st.integers(0, 300),
    st.sampled_from([CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK - 1, 2 * CHUNK, 2 * CHUNK + 7]),
)


@given(LENGTHS, st.lists(st.tuples(st.integers(0, 2 * CHUNK + 50), st.integers(0, CHUNK)), max_size=4))
def test_any_range_reads_as_it_was_written(length: int, ranges: list[tuple[int, int]]) -> None:
    data = content(length)
    with opened(sealed(data)) as file:
        assert file.seek(0, io.SEEK_END) == length
        for start, count in ranges:
            file.seek(start)
            assert file.read(count) == data[start : start + count]
        file.seek(0)
        assert file.read() == data


@given(LENGTHS, st.data())
def test_any_changed_byte_is_found(length: int, data: st.DataObject) -> None:
    stored = bytearray(sealed(content(length)))
    place = data.draw(st.integers(0, len(stored) - 1))
    stored[place] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises((RecordingChanged, RecordingLocked)), opened(bytes(stored)) as file:
        file.read()


@given(LENGTHS, st.data())
def test_what_is_cut_off_or_added_is_found(length: int, data: st.DataObject) -> None:
    stored = sealed(content(length))
    cut = data.draw(st.integers(0, len(stored) - 1))
    for other in (stored[:cut], stored + b"\0" * data.draw(st.integers(1, CHUNK + 2 * TAG))):
        with pytest.raises((RecordingChanged, RecordingLocked)), opened(other) as file:
            file.read()


def test_chunks_cannot_change_places() -> None:
    stored = sealed(content(3 * CHUNK))
    one, other = (
        slice(HEADER_BYTES + n * (CHUNK + TAG), HEADER_BYTES + (n + 1) * (CHUNK + TAG)) for n in (0, 1)
    )
    exchanged = stored[: one.start] + stored[other] + stored[one] + stored[other.stop :]
    with pytest.raises(RecordingChanged, match="chunk 1 of 3 was changed"), opened(exchanged) as file:
        file.read()


def test_objects_cannot_change_places() -> None:
    with pytest.raises(RecordingChanged), opened(sealed(b"sound"), name="objects/cd/cdef.flac") as file:
        file.read()


def test_only_the_chunks_that_are_asked_for_are_read() -> None:
    stored = Stored(sealed(content(10 * CHUNK)))
    blocks = Sealed(Opened(stored.data[:HEADER_BYTES], stored.length, NAME, Keyring([KEY])), stored)
    reader = BlockReader(blocks, stored)
    reader.seek(7 * CHUNK + 100)
    assert reader.read(50) == content(10 * CHUNK)[7 * CHUNK + 100 : 7 * CHUNK + 150]
    assert stored.read == [(HEADER_BYTES + 7 * (CHUNK + TAG), CHUNK + TAG)]


def test_the_first_key_encrypts_and_all_open() -> None:
    old, new = sealed(b"old", OTHER), b"".join(seal(io.BytesIO(b"new"), NAME, Keyring([KEY, OTHER])))
    with opened(old, KEY, OTHER) as file:
        assert file.read() == b"old"
    with opened(new, KEY) as file:
        assert file.read() == b"new"


def test_the_same_sound_is_never_encrypted_alike() -> None:
    assert sealed(b"silence") != sealed(b"silence")


def test_a_wrong_key_and_a_missing_one_are_said(tmp_path: Path) -> None:
    source = tmp_path / "sound"
    source.write_bytes(b"sound")
    Vault.at(tmp_path / "vault", Keyring([KEY])).put(NAME, source)
    with pytest.raises(
        RecordingLocked, match=r"is encrypted with the key [0-9a-f]{16}; given are [0-9a-f]{16}"
    ):
        Vault.at(tmp_path / "vault", Keyring([OTHER])).open(NAME)
    with pytest.raises(RecordingLocked, match="no key is given"):
        Vault.at(tmp_path / "vault").open(NAME)
    with Vault.at(tmp_path / "vault", Keyring([OTHER, KEY])).open(NAME) as file:
        assert file.read() == b"sound"


@pytest.mark.parametrize("keys", [[], [b"short"], [KEY, KEY + b"x"]])
def test_keys_of_a_wrong_size_are_refused(keys: list[bytes]) -> None:
    with pytest.raises(ValueError, match="key"):
        Keyring(keys)

"""Sealed values: AES-256-GCM under the key of this installation.

Coming draws and location data are kept sealed, so that a look into the database, a backup of it or an export tells
nobody what they say. The key is read from `DUTYRING_SEAL_KEY_FILE`, by default `seal.key` in the data folder, which is
made on first use for its owner alone.
"""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.settings import SettingError, Settings

KEY_BYTES = 32
_NONCE_BYTES = 12


class SealError(ValueError):
    """A sealed value cannot be opened: it was changed, or sealed under another key or for another purpose."""


class Sealer:
    """Seals and opens values. `purpose` is bound to each: a value sealed for one cannot be passed off as another."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"the key has {len(key)} bytes; it takes {KEY_BYTES}")
        self._cipher = AESGCM(key)

    def seal(self, plain: bytes, purpose: str) -> str:
        """Return the sealed value as text."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, plain, purpose.encode())
        return base64.b64encode(nonce + sealed).decode()

    def open(self, sealed: str, purpose: str) -> bytes:
        """Return what was sealed. Raises `SealError`."""
        try:
            raw = base64.b64decode(sealed, validate=True)
            return self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], purpose.encode())
        except (InvalidTag, ValueError) as error:
            raise SealError(f"a sealed value for {purpose} cannot be opened with this key") from error


def sealer(settings: Settings) -> Sealer:
    """Return the sealer of this installation, making its key on first use. Raises `SettingError`."""
    path = settings.seal_key_file or settings.data_dir / "seal.key"
    if settings.seal_key_file is None:
        _make_key(path)
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
        return Sealer(key)
    except (OSError, ValueError) as error:
        raise SettingError(
            f"DUTYRING_SEAL_KEY_FILE: {path} cannot be used; it takes a file with {KEY_BYTES} bytes in hex"
        ) from error


def _make_key(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        # Written whole under another name first: two processes that start together must not see half a key.
        draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(KEY_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        finally:
            draft.unlink()

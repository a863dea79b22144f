"""The Ed25519 key that signs the manifest, kept as PEM for its owner alone, with its public half beside it."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from recordings.errors import ManifestError
from recordings.files import sync_folder


def load_or_make(path: Path, *, may_make: bool) -> Ed25519PrivateKey:
    """Return the key of a file; make it where there is none and that is allowed. Raises `ManifestError`."""
    try:
        if may_make and not path.exists():
            _make(path)
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except OSError as error:
        raise ManifestError(path, f"the manifest's key cannot be read: {error.strerror or error}") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ManifestError(
            path, "the manifest's key cannot be read; it takes an Ed25519 key, PKCS 8"
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ManifestError(path, "the manifest's key is of another kind; it takes an Ed25519 key")
    _publish(path.with_suffix(".pub"), key.public_key())
    return key


def load_public(path: Path) -> Ed25519PublicKey:
    """Return the public key of a PEM file. Raises `ManifestError`."""
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise ManifestError(path, f"the public key cannot be read: {error.strerror or error}") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ManifestError(path, "the public key cannot be read; it takes PEM") from error
    if not isinstance(key, Ed25519PublicKey):
        raise ManifestError(path, "the public key is of another kind; it takes an Ed25519 key")
    return key


def _make(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    text = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    # Written whole under another name first: two processes that start together must not see half a key.
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)
    finally:
        draft.unlink()
    sync_folder(path.parent)


def _publish(path: Path, key: Ed25519PublicKey) -> None:
    text = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    with contextlib.suppress(OSError):
        # Only a copy for others, e.g. on a read-only disk it is not needed.
        if not path.exists() or path.read_bytes() != text:
            path.write_bytes(text)

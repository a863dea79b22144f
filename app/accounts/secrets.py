"""Secrets that a browser or a program carries: only their digests are kept."""

from __future__ import annotations

import hashlib
import hmac
import secrets

BYTES = 32


def new() -> str:
    """Return a secret of 256 bits, fit for addresses, cookies and headers."""
    return secrets.token_urlsafe(BYTES)


def digest(secret: str) -> str:
    """What is kept of a secret. It has 256 bits of its own: no salt and no slow hash is needed."""
    return hashlib.sha256(secret.encode()).hexdigest()


def csrf_token(csrf_secret: str) -> str:
    """Return a token for one page: the session's secret under a pad of its own.

    No two pages carry the same one, so that a compressed page does not give it away (BREACH).
    """
    secret = hashlib.sha256(csrf_secret.encode()).digest()
    pad = secrets.token_bytes(len(secret))
    return (pad + bytes(a ^ b for a, b in zip(pad, secret, strict=True))).hex()


def csrf_fits(csrf_secret: str, token: str) -> bool:
    """Whether a token is one of this session's."""
    try:
        raw = bytes.fromhex(token)
    except ValueError:
        return False
    secret = hashlib.sha256(csrf_secret.encode()).digest()
    if not csrf_secret or len(raw) != 2 * len(secret):
        return False
    found = bytes(a ^ b for a, b in zip(raw[: len(secret)], raw[len(secret) :], strict=True))
    return hmac.compare_digest(found, secret)

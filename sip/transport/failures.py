"""Why nothing came of sending: one name for each kind of trouble, and a sentence for people."""

from __future__ import annotations

import errno
import os
import ssl
from dataclasses import dataclass
from enum import StrEnum


class TransportFailure(StrEnum):
    """The kinds of trouble between us and another address."""

    REFUSED = "refused"
    """Nobody listens there (TCP reset, ICMP port unreachable)."""
    TIMEOUT = "timeout"
    """No answer to our attempt to connect, or what we send is not taken."""
    UNREACHABLE = "unreachable"
    """No way there, or our own machine forbids it."""
    TLS_UNTRUSTED = "tls_untrusted"
    """A certificate is signed by nobody whom the other side trusts: self-signed, or an unknown authority."""
    TLS_EXPIRED = "tls_expired"
    """A certificate is out of its time."""
    TLS_NAME = "tls_name"
    """Their certificate is for another name."""
    TLS_OTHER = "tls_other"
    """TLS failed for another reason."""
    CLOSED = "closed"
    """A connection that stood was closed or reset."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What went wrong towards one destination."""

    kind: TransportFailure
    reason: str
    """A sentence that names what failed, and whose certificate it is about."""
    unsent: bool = False
    """True if there was never a connection: nothing can have reached anybody."""

    def __str__(self) -> str:
        return self.reason


_UNSENT_ERRORS = {
    errno.ECONNREFUSED: TransportFailure.REFUSED,
    errno.ETIMEDOUT: TransportFailure.TIMEOUT,
}
# X509_V_ERR_* of <openssl/x509_vfy.h>
_NOT_YET_VALID, _EXPIRED, _SELF_SIGNED, _SELF_SIGNED_CHAIN, _NO_ISSUER, _NO_LEAF_ISSUER = (
    9,
    10,
    18,
    19,
    20,
    21,
)
_OTHER_NAME, _OTHER_ADDRESS = 62, 64
_VERIFICATION: dict[int, tuple[TransportFailure, str]] = {
    _NOT_YET_VALID: (TransportFailure.TLS_EXPIRED, "their certificate is not valid yet"),
    _EXPIRED: (TransportFailure.TLS_EXPIRED, "their certificate has expired"),
    _SELF_SIGNED: (TransportFailure.TLS_UNTRUSTED, "their certificate is self-signed"),
    _SELF_SIGNED_CHAIN: (
        TransportFailure.TLS_UNTRUSTED,
        "their certificate chain ends in a self-signed certificate that is not trusted here",
    ),
    _NO_ISSUER: (TransportFailure.TLS_UNTRUSTED, "their certificate is signed by an unknown authority"),
    _NO_LEAF_ISSUER: (TransportFailure.TLS_UNTRUSTED, "their certificate is signed by an unknown authority"),
    _OTHER_NAME: (TransportFailure.TLS_NAME, "their certificate is for another name"),
    _OTHER_ADDRESS: (TransportFailure.TLS_NAME, "their certificate does not name this address"),
}
_ALERTS: tuple[tuple[str, TransportFailure, str], ...] = (
    ("CERTIFICATE_REQUIRED", TransportFailure.TLS_OTHER, "they demand a client certificate"),
    ("ALERT_CERTIFICATE_EXPIRED", TransportFailure.TLS_EXPIRED, "they say that our certificate has expired"),
    ("ALERT_UNKNOWN_CA", TransportFailure.TLS_UNTRUSTED, "they do not trust who signed our certificate"),
    ("ALERT_BAD_CERTIFICATE", TransportFailure.TLS_UNTRUSTED, "they refuse our certificate"),
    ("ALERT_CERTIFICATE_REVOKED", TransportFailure.TLS_UNTRUSTED, "they say that our certificate is revoked"),
    ("WRONG_VERSION_NUMBER", TransportFailure.TLS_OTHER, "what answers there does not speak TLS"),
    ("HTTP_REQUEST", TransportFailure.TLS_OTHER, "what answers there does not speak TLS"),
    ("UNSUPPORTED_PROTOCOL", TransportFailure.TLS_OTHER, "they offer no TLS version of ours (1.2 or later)"),
    ("PROTOCOL_VERSION", TransportFailure.TLS_OTHER, "they offer no TLS version of ours (1.2 or later)"),
    ("HANDSHAKE_FAILURE", TransportFailure.TLS_OTHER, "they broke the TLS handshake off"),
)
"""Parts of OpenSSL's reason names, alerts of the other side among them."""


def trouble_of(error: BaseException, what: str, *, unsent: bool, expected_name: str = "") -> Trouble:
    """Turn an exception into a `Trouble`.

    `what` begins the sentence ("TLS with 192.0.2.1:5061"); `expected_name` is what their certificate should bear.
    """
    kind, why = _kind_and_words(error, unsent, expected_name)
    return Trouble(kind, f"{what}: {why}", unsent)


def network_trouble(code: int, what: str) -> Trouble:
    """Return the `Trouble` of an errno that the kernel reported for a datagram."""
    kind = _UNSENT_ERRORS.get(code, TransportFailure.UNREACHABLE)
    return Trouble(kind, f"{os.strerror(code)} ({what})")


def _kind_and_words(error: BaseException, unsent: bool, expected_name: str) -> tuple[TransportFailure, str]:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _verification(error, expected_name)
    if isinstance(error, ssl.SSLError):
        return _tls(error)
    if isinstance(error, ConnectionError) and error.errno is None:
        return TransportFailure.TLS_OTHER, "they closed the connection during the TLS handshake"
    if isinstance(error, TimeoutError) and not getattr(error, "errno", None):
        return TransportFailure.TIMEOUT, "no answer"
    if isinstance(error, OSError):
        return _os(error, unsent)
    return TransportFailure.CLOSED, str(error) or type(error).__name__


def _verification(error: ssl.SSLCertVerificationError, expected_name: str) -> tuple[TransportFailure, str]:
    fallback = (TransportFailure.TLS_UNTRUSTED, f"their certificate is refused: {error.verify_message}")
    kind, words = _VERIFICATION.get(error.verify_code, fallback)
    if kind is TransportFailure.TLS_NAME and expected_name:
        words = f"their certificate is not for {expected_name}"
    return kind, words


def _tls(error: ssl.SSLError) -> tuple[TransportFailure, str]:
    name = error.reason or ""
    if isinstance(error, ssl.SSLEOFError) or "UNEXPECTED_EOF" in name:
        return TransportFailure.TLS_OTHER, "they closed the connection during TLS"
    for part, kind, words in _ALERTS:
        if part in name:
            return kind, words
    return TransportFailure.TLS_OTHER, name.replace("_", " ").lower() or str(error)


def _os(error: OSError, unsent: bool) -> tuple[TransportFailure, str]:
    # asyncio puts a text of its own in the place of the kernel's.
    words = (
        os.strerror(error.errno) if error.errno and error.errno > 0 else str(error) or type(error).__name__
    )
    if not unsent:
        kind = TransportFailure.TIMEOUT if error.errno == errno.ETIMEDOUT else TransportFailure.CLOSED
        return kind, words
    if isinstance(error, ConnectionResetError | ConnectionAbortedError):
        return TransportFailure.REFUSED, words
    return _UNSENT_ERRORS.get(error.errno or 0, TransportFailure.UNREACHABLE), words

"""TLS for SIP: contexts made of `TlsSettings`, with our own mistakes named before anything is sent."""

from __future__ import annotations

import datetime
import logging
import ssl
from pathlib import Path

from sip.trunks import TlsSettings

from .errors import TlsError

log = logging.getLogger(__name__)
_PEM_BEGIN, _PEM_END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
_SEQUENCE, _VERSION, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0xA0, 0x17, 0x18
_warned: set[TlsSettings] = set()


def client_context(settings: TlsSettings) -> ssl.SSLContext:
    """Return the context of connections that we open: TLS 1.2 or later, their certificate verified.

    Raises `TlsError` for files that cannot be read, do not fit together or are out of their time.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.verify:
        _load_authorities(context, settings)
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if settings not in _warned:
            _warned.add(settings)
            log.warning(
                "TLS certificates are not verified (verify is off): anybody may answer in their place"
            )
    if settings.certificate is not None:
        _load_own(context, settings)
    return context


def server_context(settings: TlsSettings) -> ssl.SSLContext | None:
    """Return the context of connections that others open, None where we have no certificate to show.

    Raises `TlsError` as `client_context`.
    """
    if settings.certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load_own(context, settings)
    return context


def certificate_times(path: Path) -> tuple[datetime.datetime, datetime.datetime]:
    """Return from when to when the first certificate of a PEM file is valid. Raises `TlsError`."""
    text = _read(path)
    start, end = text.find(_PEM_BEGIN), text.find(_PEM_END)
    if start < 0 or end < start:
        raise TlsError(f"{path} holds no certificate in PEM form")
    try:
        der = ssl.PEM_cert_to_DER_cert(text[start : end + len(_PEM_END)])
        return _validity(der)
    except (ValueError, IndexError) as error:
        raise TlsError(f"{path} holds a certificate that cannot be read") from error


def _load_authorities(context: ssl.SSLContext, settings: TlsSettings) -> None:
    if settings.ca_file is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
        return
    text = _read(settings.ca_file)
    if _PEM_BEGIN not in text:
        raise TlsError(f"{settings.ca_file} holds no certificate of an authority in PEM form")
    try:
        context.load_verify_locations(cadata=text)
    except ssl.SSLError as error:
        raise TlsError(f"the authorities in {settings.ca_file} cannot be used: {error.reason}") from error


def _load_own(context: ssl.SSLContext, settings: TlsSettings) -> None:
    certificate = settings.certificate
    assert certificate is not None
    _check_times(certificate)
    key = settings.key or certificate
    if "PRIVATE KEY" not in _read(key):
        raise TlsError(f"{key} holds no private key in PEM form")
    try:
        # Without the empty password an encrypted key would make OpenSSL ask for one on the terminal.
        context.load_cert_chain(certificate, settings.key, password="")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise TlsError(f"the key in {key} does not belong to the certificate in {certificate}") from error
        if "ENCRYPTED" in _read(key):
            raise TlsError(f"the key in {key} is encrypted; it takes one without a passphrase") from error
        why = error.reason or "it cannot be read"
        raise TlsError(f"the certificate {certificate} with the key {key} cannot be used: {why}") from error


def _check_times(certificate: Path) -> None:
    begins, ends = certificate_times(certificate)
    now = datetime.datetime.now(datetime.UTC)
    if now > ends:
        raise TlsError(f"our certificate {certificate} expired on {ends:%Y-%m-%d %H:%M} UTC")
    if now < begins:
        raise TlsError(f"our certificate {certificate} is not valid before {begins:%Y-%m-%d %H:%M} UTC")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise TlsError(f"{path} cannot be read: {error.strerror or error}") from error


def _validity(der: bytes) -> tuple[datetime.datetime, datetime.datetime]:
    """Read the times out of a certificate (RFC 5280 section 4.1): `ssl` has no face for our own."""
    _, certificate, _ = _element(der)
    _, signed, _ = _element(certificate)
    tag, _, rest = _element(signed)
    if tag == _VERSION:
        _, _, rest = _element(rest)
    # rest: after the serial number come signature algorithm and issuer, then the validity.
    for _skipped in range(2):
        _, _, rest = _element(rest)
    tag, validity, _ = _element(rest)
    if tag != _SEQUENCE:
        raise ValueError("no validity")
    first_tag, first, rest = _element(validity)
    second_tag, second, _ = _element(rest)
    return _time(first_tag, first), _time(second_tag, second)


def _element(data: bytes) -> tuple[int, bytes, bytes]:
    """Return the tag and the content of the first DER element, and what follows it."""
    tag, length, start = data[0], data[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(data[2:start], "big")
    if start + length > len(data):
        raise ValueError("cut short")
    return tag, data[start : start + length], data[start + length :]


def _time(tag: int, content: bytes) -> datetime.datetime:
    """Read a UTCTime (two digits of the year, 50 and up are 19xx) or a GeneralizedTime."""
    text = content.decode("ascii")
    if tag == _UTC_TIME:
        text = ("19" if text[:2] >= "50" else "20") + text
    elif tag != _GENERALIZED_TIME:
        raise ValueError("no time")
    return datetime.datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=datetime.UTC)

"""Secrets taken out of SIP messages before anybody else sees them.

What could be used again is overwritten by as many letters `x`, so Content-Length and every offset stay true and what
reads keys as base64 still can (Wireshark calls a message malformed whose SRTP key is none):

- the answer of a digest (`response`, `rspauth`, and the `cnonce` that goes with it): with nonce, realm and user
  name, which stay, the password could be guessed offline; the whole credential of any other scheme;
- SRTP keys: `inline:` of `a=crypto` (RFC 4568), `k=` (RFC 4566), `a=key-mgmt` (RFC 4567), `a=ice-pwd` (RFC 8839);
- a password in a SIP URI (RFC 3261 section 19.1.1) and credentials in its headers;
- the signed token of Identity (RFC 8224).
"""

from __future__ import annotations

import re

_SECRET_HEADER = re.compile(
    rb"^(?P<name>authorization|proxy-authorization|authentication-info|proxy-authentication-info|identity|y)"
    rb"[ \t]*:(?P<value>(?:[^\n]|\n[ \t])*)",
    re.IGNORECASE | re.MULTILINE,
)
_SCHEME = re.compile(rb"\s*(?P<scheme>[A-Za-z0-9_.!%*+`'~-]+)(?=\s)")
_DIGEST_SECRET = re.compile(
    rb"(?<![A-Za-z0-9_-])(?:response|rspauth|cnonce|auts)\s*=\s*(?P<secret>\"(?:[^\"\\]|\\.)*\"?|[^\s,]*)",
    re.IGNORECASE | re.DOTALL,
)
_ANYWHERE = (
    re.compile(rb"^a=crypto:[^\n]*", re.IGNORECASE | re.MULTILINE),
    re.compile(rb"^k=(?P<secret>[^\n]*)", re.MULTILINE),
    re.compile(rb"^a=(?:key-mgmt|ice-pwd):(?P<secret>[^\n]*)", re.IGNORECASE | re.MULTILINE),
    re.compile(rb"\bsips?:[^\s@<>:;?\"]*:(?P<secret>[\w.!~*'()%&=+$,-]+)(?=@)", re.IGNORECASE),
    re.compile(rb"[?&](?:proxy-)?authorization=(?P<secret>[^&>\s\"]*)", re.IGNORECASE),
)
_INLINE = re.compile(rb"inline:(?P<secret>[^\s;|]*)", re.IGNORECASE)
_COVERED = re.compile(rb"\S")


def blank_secrets(message: bytes) -> bytes:
    """Return the message with its secrets overwritten, byte for byte as long as it was; takes any bytes."""
    head, gap, body = _parted(message)
    text = _SECRET_HEADER.sub(_header, head) + gap + body
    for pattern in _ANYWHERE:
        text = pattern.sub(_found, text)
    return text


def _parted(message: bytes) -> tuple[bytes, bytes, bytes]:
    """Return header and body with what parts them; blank lines before the start line belong to the header."""
    begin = len(message) - len(message.lstrip(b"\r\n"))
    end = re.compile(rb"\r?\n\r?\n").search(message, begin)
    if end is None:
        return message, b"", b""
    return message[: end.start()], end[0], message[end.end() :]


def _header(match: re.Match[bytes]) -> bytes:
    name, value = match["name"].lower(), match["value"]
    before = match[0][: match.start("value") - match.start()]
    if name in (b"identity", b"y"):
        return before + _cover(value)
    scheme = _SCHEME.match(value)
    if name.endswith(b"info") or (scheme is not None and scheme["scheme"].lower() == b"digest"):
        return before + _DIGEST_SECRET.sub(_found, value)
    kept = scheme.end() if scheme is not None else 0
    return before + value[:kept] + _cover(value[kept:])


def _found(match: re.Match[bytes]) -> bytes:
    """Cover the secret of a match; the keys of an `a=crypto` line stand in it several times."""
    if "secret" not in match.re.groupindex:
        return _INLINE.sub(_found, match[0])
    first, after = match.start("secret") - match.start(), match.end("secret") - match.start()
    return match[0][:first] + _cover(match[0][first:after]) + match[0][after:]


def _cover(secret: bytes) -> bytes:
    """Cover all but white space and the quotes around it."""
    if len(secret) > 1 and secret[:1] == secret[-1:] == b'"':
        return b'"' + _COVERED.sub(b"x", secret[1:-1]) + b'"'
    return _COVERED.sub(b"x", secret)

"""A body with ISUP in it, as an exchange sends one (SIP-I, ITU-T Q.1912.5; RFC 3204)."""

from __future__ import annotations

from .types import HeaderList

_TYPE = "application/isup;version=itu-t92+"
_BOUNDARY = b"isup-beside-sdp"


def with_isup(headers: HeaderList, sdp: bytes, isup: bytes) -> tuple[HeaderList, bytes]:
    """Put an ISUP message beside a session description, or alone where there is none.

    Returns the headers, their Content-Type changed, and the body. A boundary that stands in a part is made longer.
    """
    others = tuple((name, value) for name, value in headers if name != "Content-Type")
    if not sdp:
        return (*others, ("Content-Type", _TYPE)), isup
    boundary = _BOUNDARY
    while boundary in isup + sdp:
        boundary += b"-"
    signal = (_TYPE.encode(), b"Content-Disposition: signal;handling=optional\r\n", isup)
    parts = ((b"application/sdp", b"", sdp), signal)
    body = b"".join(
        b"--%b\r\nContent-Type: %b\r\n%b\r\n%b\r\n" % (boundary, kind, more, content)
        for kind, more, content in parts
    )
    kind = f'multipart/mixed;boundary="{boundary.decode()}"'
    return (*others, ("Content-Type", kind)), body + b"--%b--\r\n" % boundary

"""What was made of a recording, such as a listening copy, as it is kept: signed, since no manifest knows of it.

```
8s "DRMADE01"  64s Ed25519 signature of "dutyring derived", its key in the vault and the content's SHA-256  content
```

One that was changed or exchanged is found (`recordings.verification`), and made anew when it is asked for.
"""

from __future__ import annotations

import hashlib
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_MAGIC: Final = b"DRMADE01"
_BODY: Final = len(_MAGIC) + 64


def signed(name: str, data: bytes, key: Ed25519PrivateKey) -> bytes:
    """Return a content as it is kept under this name."""
    return _MAGIC + key.sign(_said(name, data)) + data


def content(name: str, kept: bytes, key: Ed25519PublicKey) -> bytes | None:
    """Return the content of what is kept under this name; None: it is not what was signed."""
    signature, data = kept[len(_MAGIC) : _BODY], kept[_BODY:]
    try:
        key.verify(signature, _said(name, data))
    except InvalidSignature:
        return None
    return data if kept.startswith(_MAGIC) else None


def _said(name: str, data: bytes) -> bytes:
    return b"dutyring derived\n" + name.encode() + b"\n" + hashlib.sha256(data).digest()

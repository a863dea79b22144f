"""What things of the archive are called: files beside a recording's name, and keys of the vault."""

from __future__ import annotations

import re
from typing import Final

from recordings.files import DRAFT

CAPTURE: Final = ".part"
READY: Final = ".ready"
INTENT: Final = ".adding"
"""A sound that is being brought from outside: what its entry will say."""
SOUND: Final = ".flac"
OBJECTS: Final = "objects"
DERIVED: Final = "derived"
_SHA256: Final = re.compile("[0-9a-f]{64}")
_NAME: Final = re.compile(r"[\w.-]{1,80}")


def object_key(sha256: str, suffix: str) -> str:
    """The key of a sound."""
    return f"{OBJECTS}/{sha256[:2]}/{sha256}{suffix}"


def derived_key(sha256: str, name: str) -> str:
    """The key of something made of a sound. Raises `ValueError` for names that cannot be."""
    if not _SHA256.fullmatch(sha256) or not _NAME.fullmatch(name) or name.endswith(DRAFT):
        raise ValueError(f"{name!r} of {sha256!r} cannot be kept")
    return f"{DERIVED}/{sha256[:2]}/{sha256}/{name}"

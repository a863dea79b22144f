"""Which version this is."""

from __future__ import annotations

from functools import lru_cache
from importlib import metadata


@lru_cache(maxsize=1)
def version() -> str:
    """The version of the installed package; `unknown` where it runs without being installed."""
    try:
        return metadata.version("dutyring")
    except metadata.PackageNotFoundError:
        return "unknown"

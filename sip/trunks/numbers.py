"""How a trunk wants numbers written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Style = Literal["as_is", "national", "international", "plus", "local"]


@dataclass(frozen=True, slots=True)
class NumberRules:
    """How a number of the directory is written on this trunk."""

    country: str = "86"
    area_code: str | None = None
    """Our own area code without its 0, such as 917; needed for `local` and to complete local numbers."""
    style: Style = "as_is"
    access_code: str = ""
    """Put first: the digits for an outside line."""
    replace: tuple[tuple[str, str], ...] = ()
    """(prefix, replacement) on the number's digits as given; the longest prefix that fits."""

    def rewrite(self, number: str) -> str:
        """Return `number` as this trunk must be sent it."""
        return self.access_code + number

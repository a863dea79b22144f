"""What can be wrong with a trunk or a call through it.

::

    TrunkError(ValueError)     a setting of a trunk cannot be used; names the trunk, the field and what it takes
    CapError(RuntimeError)     a call would exceed a cap of the trunk (`sip.trunks.limits`)
    NumberError(ValueError)    a text is no telephone number (`sip.numbers`)
"""

from __future__ import annotations


class TrunkError(ValueError):
    """A setting of a trunk cannot be used."""

    def __init__(self, trunk: str, field: str, takes: str) -> None:
        super().__init__(trunk, field, takes)
        self.trunk = trunk
        self.field = field
        self.takes = takes

    def __str__(self) -> str:
        return f"trunk {self.trunk!r}: {self.field} takes {self.takes}"

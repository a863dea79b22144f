"""What can be wrong with a trunk or a call through it.

::

    TrunkError(ValueError)     a setting of a trunk cannot be used; names the trunk, the field and what it takes
    CapError(RuntimeError)     a call would exceed a cap of ours (`sip.trunks.limits`)
"""

from __future__ import annotations


class TrunkError(ValueError):
    """A setting of a trunk cannot be used."""

    def __init__(self, trunk: str, field: str, takes: str) -> None:
        super().__init__(f"trunk {trunk!r}: {field} takes {takes}")
        self.trunk = trunk
        self.field = field


class CapError(RuntimeError):
    """A call would exceed a cap of the trunk; nothing was sent."""

    def __init__(self, which: str, retry_after_s: float | None, detail: str) -> None:
        super().__init__(detail)
        self.which = which
        """`concurrency`, `rate`, `per_called` or `per_caller`."""
        self.retry_after_s = retry_after_s
        """Seconds until the same call would be admitted; None where only the end of another call can tell."""

"""One SIP message as it crossed a socket."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sip.core import Address
from sip.kernel_time import ClockSource


@dataclass(frozen=True, slots=True)
class WireMessage:
    """A message that left or arrived, as the transport saw it."""

    direction: Literal["sent", "received"]
    at: float
    """Monotonic seconds: handed to the kernel, or arrived."""
    clock: ClockSource
    """Where `at` comes from."""
    data: bytes
    """The whole message; over TLS as it was before encryption."""
    local: Address
    remote: Address
    call_id: str | None = None
    """None for what belongs to no call."""

    def __repr__(self) -> str:
        start = self.data.lstrip(b"\r\n").partition(b"\r\n")[0][:60]
        return f"<{self.direction} {start!r} {self.local} {self.remote} {self.remote.transport}>"

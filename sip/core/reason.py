"""The Reason header field (RFC 3326): why a call was given up, refused or ended."""

from __future__ import annotations

from dataclasses import dataclass

from .framing import Message
from .types import HeaderList
from .values import parse_parameters, quote


@dataclass(frozen=True, slots=True)
class Cause:
    """One value of a Reason field."""

    protocol: str
    """Upper case: `SIP`, `Q.850`, ..."""
    number: int | None
    """A SIP status or a Q.850 cause value; None if it cannot be read."""
    text: str = ""

    @property
    def field(self) -> tuple[str, str]:
        """The header field that says this."""
        number = "" if self.number is None else f";cause={self.number}"
        text = f";text={quote(' '.join(self.text.split()))}" if self.text.strip() else ""
        return "Reason", f"{self.protocol}{number}{text}"


GIVEN_UP = Cause("SIP", 487, "Given up by the caller")
HUNG_UP = Cause("Q.850", 16, "Normal call clearing")
ELSEWHERE = Cause("SIP", 200, "Call completed elsewhere")
SESSION_EXPIRED = Cause("SIP", 408, "Session expired")
NOT_ACCEPTABLE = Cause("SIP", 488, "The offered session cannot be taken")
NO_ACK = Cause("SIP", 408, "No ACK")
"""What we say ourselves. Q.850 cause 16 is normal call clearing (ITU-T Q.850 table 1)."""


def causes(message: Message) -> tuple[Cause, ...]:
    """Return the readable values of the Reason fields, in order."""
    found = []
    for value in message.values("reason"):
        protocol, _, rest = value.partition(";")
        parameters = parse_parameters(rest)
        number = parameters.get("cause", "")
        known = int(number) if number.isascii() and number.isdigit() and len(number) < 4 else None
        if protocol.strip():
            found.append(Cause(protocol.strip().upper(), known, parameters.get("text", "")))
    return tuple(found)


def with_reason(headers: HeaderList, cause: Cause, why: str = "") -> HeaderList:
    """Return the headers with a Reason, unless they hold one; `why` replaces the cause's own text."""
    if any(name.lower() == "reason" for name, _ in headers):
        return headers
    return (*headers, Cause(cause.protocol, cause.number, why or cause.text).field)

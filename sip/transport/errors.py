"""What can go wrong below SIP.

::

    SipTransportError
    ├── BindError           no socket on the wanted local address
    ├── TlsError            our own certificate, key or authorities cannot be used
    └── ResolutionError     a host name has no address
"""

from __future__ import annotations

from enum import StrEnum


class SipTransportError(Exception):
    """Our own side of the network failed."""


class BindError(SipTransportError):
    """The local address cannot be used."""


class TlsError(SipTransportError):
    """Our own certificate, key or authorities cannot be used."""


class ResolutionFailure(StrEnum):
    """Why a name could not be turned into an address."""

    VANISHED = "vanished"
    """DNS says that there is no such name (NXDOMAIN)."""
    NO_ANSWER = "no_answer"
    """The name exists and has no such record."""
    TIMEOUT = "timeout"
    """No name server answered in time."""
    SERVER = "server"
    """The name servers answered with errors (SERVFAIL, REFUSED)."""
    BAD_NAME = "bad_name"
    """The text is no host name."""
    OTHER = "other"


class ResolutionError(SipTransportError):
    """The host of a target has no address."""

    def __init__(
        self,
        message: str,
        *,
        name: str = "",
        record: str = "",
        kind: ResolutionFailure = ResolutionFailure.OTHER,
    ) -> None:
        super().__init__(message)
        self.name = name
        """The name that was looked up."""
        self.record = record
        """The type of record, such as `A` or `SRV`."""
        self.kind = kind

"""The exceptions of the signalling core.

::

    SipError
    +-- ProtocolError
        +-- LocalProtocolError     the caller asked for something SIP does not allow
        +-- RemoteProtocolError    what came from the network cannot be used
"""

from __future__ import annotations


class SipError(Exception):
    """Something went wrong in the signalling core."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or (self.__doc__ or "").strip())


class ProtocolError(SipError):
    """A rule of the protocol was broken."""


class LocalProtocolError(ProtocolError):
    """Our own side asked for something that SIP does not allow, such as answering a call twice."""


class RemoteProtocolError(ProtocolError):
    """A received message cannot be used."""

    def __init__(self, message: str = "", status_hint: int = 400) -> None:
        super().__init__(message)
        self.status_hint = status_hint
        """The status with which a request like this would be refused."""

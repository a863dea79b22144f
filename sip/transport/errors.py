"""What can go wrong below SIP.

::

    SipTransportError
    ├── BindError           no socket on the wanted local address
    └── ResolutionError     a host name has no address
"""

from __future__ import annotations


class SipTransportError(Exception):
    """Our own side of the network failed."""


class BindError(SipTransportError):
    """The local address cannot be used."""


class ResolutionError(SipTransportError):
    """The host of a target has no address."""

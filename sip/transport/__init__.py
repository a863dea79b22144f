"""Sockets for SIP (UDP with kernel receive timestamps, TCP, TLS), names to addresses, and the shell of an endpoint.

::

    SipAgent.open(bind, transports=("udp", "tcp"), ...)     an endpoint on its sockets
    Resolver().resolve(host, port, transport)               where to send (RFC 3263)
    Trouble(kind, reason)                                   why nothing came of sending, by kind
"""

from sip.kernel_time import ArrivalClock, ClockSource, enable_timestamps, stamp_of
from sip.trunks import TlsSettings

from .agent import CallHandler, OnStray, SipAgent
from .connection import StreamLimits
from .errors import BindError, ResolutionError, ResolutionFailure, SipTransportError, TlsError
from .failures import TransportFailure, Trouble
from .resolver import Resolver
from .stream import StreamTransport
from .stream_framing import LINE, KeepAlive, StreamError, StreamFramer
from .tls import certificate_times
from .udp import UdpTransport
from .wire_message import WireMessage

__all__ = [
    "LINE",
    "ArrivalClock",
    "BindError",
    "CallHandler",
    "ClockSource",
    "KeepAlive",
    "OnStray",
    "ResolutionError",
    "ResolutionFailure",
    "Resolver",
    "SipAgent",
    "SipTransportError",
    "StreamError",
    "StreamFramer",
    "StreamLimits",
    "StreamTransport",
    "TlsError",
    "TlsSettings",
    "TransportFailure",
    "Trouble",
    "UdpTransport",
    "WireMessage",
    "certificate_times",
    "enable_timestamps",
    "stamp_of",
]

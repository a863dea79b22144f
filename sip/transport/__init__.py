"""Sockets for SIP, with kernel receive timestamps, and the asyncio shell that runs a core endpoint on one."""

from sip.kernel_time import ArrivalClock, ClockSource, enable_timestamps, stamp_of

from .agent import CallHandler, SipAgent
from .errors import BindError, ResolutionError, SipTransportError
from .udp import UdpTransport
from .wire_message import WireMessage

__all__ = [
    "ArrivalClock",
    "BindError",
    "CallHandler",
    "ClockSource",
    "ResolutionError",
    "SipAgent",
    "SipTransportError",
    "UdpTransport",
    "WireMessage",
    "enable_timestamps",
    "stamp_of",
]

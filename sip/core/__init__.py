"""Sans-IO SIP signalling: bytes and a clock in, events and bytes out.

Imports no asyncio, socket, time or logging; a test holds that.
"""

from .authorizer import Authorizer, Denial
from .diagrams import state_machines_page
from .endpoint import Endpoint
from .errors import LocalProtocolError, ProtocolError, RemoteProtocolError, SipError
from .events import (
    Acknowledged,
    AckTimedOut,
    Answered,
    Cancelled,
    Ended,
    Event,
    ForkAnswered,
    IncomingInvite,
    Malformed,
    MessageReceived,
    Provisional,
    Refused,
    Rejected,
    RequestReceived,
    Stray,
    TimedOut,
)
from .framing import Message, Request, Response, decode, parse_message
from .incoming import IncomingCall, IncomingState
from .outgoing import OutgoingCall, OutgoingState
from .sdp import (
    Negotiated,
    PayloadType,
    SessionDescription,
    build_answer,
    build_offer,
    negotiate,
    parse_sdp,
)
from .types import (
    DEFAULT_PORTS,
    TRANSPORTS,
    Address,
    Credentials,
    Datagram,
    HeaderList,
    Invite,
    Timers,
    TransportName,
)
from .values import NameAddress, Via, parse_uri, uri_address, uri_transport

__all__ = [
    "DEFAULT_PORTS",
    "TRANSPORTS",
    "AckTimedOut",
    "Acknowledged",
    "Address",
    "Answered",
    "Authorizer",
    "Cancelled",
    "Credentials",
    "Datagram",
    "Denial",
    "Ended",
    "Endpoint",
    "Event",
    "ForkAnswered",
    "HeaderList",
    "IncomingCall",
    "IncomingInvite",
    "IncomingState",
    "Invite",
    "LocalProtocolError",
    "Malformed",
    "Message",
    "MessageReceived",
    "NameAddress",
    "Negotiated",
    "OutgoingCall",
    "OutgoingState",
    "PayloadType",
    "ProtocolError",
    "Provisional",
    "Refused",
    "Rejected",
    "RemoteProtocolError",
    "Request",
    "RequestReceived",
    "Response",
    "SessionDescription",
    "SipError",
    "Stray",
    "TimedOut",
    "Timers",
    "TransportName",
    "Via",
    "build_answer",
    "build_offer",
    "decode",
    "negotiate",
    "parse_message",
    "parse_sdp",
    "parse_uri",
    "state_machines_page",
    "uri_address",
    "uri_transport",
]

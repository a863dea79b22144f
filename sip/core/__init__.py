"""Sans-IO SIP signalling: bytes and a clock in, events and bytes out.

Imports no asyncio, socket, time or logging; a test holds that.
"""

from .authorizer import Authorizer, Denial
from .binding import Binding
from .client import OptionsResult, Outcome, OutsideRequest, ServerHealth
from .diagrams import state_machines_page
from .endpoint import Endpoint
from .errors import LocalProtocolError, ProtocolError, RemoteProtocolError, SipError
from .events import (
    Acknowledged,
    AckTimedOut,
    Answered,
    Cancelled,
    DtmfInfo,
    Ended,
    Event,
    ForkAnswered,
    IdentityChanged,
    IncomingInvite,
    Malformed,
    MessageReceived,
    Provisional,
    Refused,
    Registered,
    RegistrationEvent,
    RegistrationFailed,
    RegistrationProblem,
    Rejected,
    RequestFailed,
    RequestReceived,
    SessionChanged,
    Stray,
    TimedOut,
    Unregistered,
    WayChanged,
)
from .framing import Message, Request, Response, decode, parse_message
from .incoming import IncomingCall
from .incoming_states import IncomingState
from .multipart import BodyPart
from .outgoing import OutgoingCall
from .outgoing_states import OutgoingState
from .reason import Cause
from .registration import RegistrationClient, RegistrationPlan, RegistrationState
from .sanity import Fault
from .sdes import CryptoLine, Sdes, SrtpKeys, SrtpMode, SrtpSuite
from .sdp import (
    Negotiated,
    PayloadType,
    SessionDescription,
    build_answer,
    build_offer,
    mismatch,
    negotiate,
    own_keys,
    parse_sdp,
)
from .stateless import Knock
from .types import (
    DEFAULT_PORTS,
    TRANSPORTS,
    Address,
    Answerer,
    Credentials,
    Datagram,
    HeaderList,
    Invite,
    Setback,
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
    "Answerer",
    "Authorizer",
    "Binding",
    "BodyPart",
    "Cancelled",
    "Cause",
    "Credentials",
    "CryptoLine",
    "Datagram",
    "Denial",
    "DtmfInfo",
    "Ended",
    "Endpoint",
    "Event",
    "Fault",
    "ForkAnswered",
    "HeaderList",
    "IdentityChanged",
    "IncomingCall",
    "IncomingInvite",
    "IncomingState",
    "Invite",
    "Knock",
    "LocalProtocolError",
    "Malformed",
    "Message",
    "MessageReceived",
    "NameAddress",
    "Negotiated",
    "OptionsResult",
    "Outcome",
    "OutgoingCall",
    "OutgoingState",
    "OutsideRequest",
    "PayloadType",
    "ProtocolError",
    "Provisional",
    "Refused",
    "Registered",
    "RegistrationClient",
    "RegistrationEvent",
    "RegistrationFailed",
    "RegistrationPlan",
    "RegistrationProblem",
    "RegistrationState",
    "Rejected",
    "RemoteProtocolError",
    "Request",
    "RequestFailed",
    "RequestReceived",
    "Response",
    "Sdes",
    "ServerHealth",
    "SessionChanged",
    "SessionDescription",
    "Setback",
    "SipError",
    "SrtpKeys",
    "SrtpMode",
    "SrtpSuite",
    "Stray",
    "TimedOut",
    "Timers",
    "TransportName",
    "Unregistered",
    "Via",
    "WayChanged",
    "build_answer",
    "build_offer",
    "decode",
    "mismatch",
    "negotiate",
    "own_keys",
    "parse_message",
    "parse_sdp",
    "parse_uri",
    "state_machines_page",
    "uri_address",
    "uri_transport",
]

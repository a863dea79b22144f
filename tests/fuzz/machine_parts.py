"""What the call machine's far side can say, and what is kept of one call."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from hypothesis import strategies as st

from sip.core import (
    Address,
    Ended,
    Event,
    IncomingCall,
    Message,
    OutgoingCall,
    Refused,
    Rejected,
    TimedOut,
    build_offer,
)

PHONE = Address("192.0.2.1", 5060)
PHONE_TCP = Address("192.0.2.1", 5060, "tcp")
LINES = (Address("192.0.2.2", 5062), Address("192.0.2.3", 5060), Address("192.0.2.2", 5062, "tcp"))
OFFER = build_offer(Address("192.0.2.1", 40000), 7)
THEIRS = build_offer(Address("192.0.2.2", 50000), 8)
BODIES = (
    b"",
    THEIRS,
    THEIRS.replace(b"sendrecv", b"inactive"),
    THEIRS.replace(b"AVP 8 0 101", b"AVP 18"),
    b"\xff",
)
STATUSES = (
    100,
    180,
    181,
    183,
    199,
    200,
    200,
    200,
    202,
    302,
    401,
    407,
    408,
    422,
    481,
    486,
    487,
    491,
    500,
    503,
    603,
)
EXTRAS = (
    "",
    "Contact: <sip:62@192.0.2.3:5060>\r\nAllow: UPDATE, INFO\r\n",
    "Contact: <sip:62@nowhere.example>\r\nRecord-Route: <sip:192.0.2.9;lr>, <sip:192.0.2.8>\r\n",
    "Require: 100rel\r\nRSeq: 1\r\n",
    "Require: 100rel\r\nRSeq: 2\r\n",
    "Supported: timer\r\nSession-Expires: 90;refresher=uac\r\n",
    "Supported: timer, 100rel\r\nRequire: timer\r\nSession-Expires: 4;refresher=uas\r\n",
    "Min-SE: 200\r\nRetry-After: 0\r\nUnsupported: 100rel\r\n",
    'WWW-Authenticate: Digest realm="r", nonce="n"\r\nProxy-Authenticate: Digest realm="p", nonce="m", stale=true\r\n',
    'Reason: Q.850;cause=16;text="\xd6"\r\nContact: *\r\nSession-Expires: x\r\nRSeq: 99999999999\r\n',
    "Contact: <sip:a\rb@192.0.2.2>\r\nRecord-Route: <sip:c\rd@192.0.2.2;lr>\r\n",
)
METHODS = ("BYE", "INVITE", "UPDATE", "INFO", "OPTIONS", "PRACK", "ACK", "CANCEL", "REFER", "NOTIFY", "BOGUS")
TAGS = ("a", "a", "b", "b", "c", "", "d\re")
TERMINAL = (Ended, Rejected, TimedOut, Refused)
WAITS = (0.0, 0.3, 0.6, 3.0, 11.0, 33.0, 70.0)
END_WITHIN_S = 65.0
"""Timer B and the wait behind a CANCEL, or the wait for an ACK and then for the answer to a BYE: two times 64*T1."""
IDLE_WITHIN_S = 260.0
MOST_CALLS = 4

index = st.integers(0, 7)
legs = st.sampled_from((0, 0, 0, 0, 1, 1, 2, 3))
"""Mostly the first call: orders in which one thing follows another matter more than many calls."""
far_tags = st.sampled_from(TAGS)
more_lines = st.sampled_from(("", "", "", "", *EXTRAS))


@dataclass
class Leg:
    """One call of ours or of theirs, and what went over the wire for it."""

    call: OutgoingCall | IncomingCall
    terminal: list[Event] = field(default_factory=list)
    told_to_end: float | None = None
    answered: list[str] = field(default_factory=list)
    """To-tags whose 2xx the core told of."""
    again: Counter[str] = field(default_factory=Counter)
    """2xx of a tag that came after its first ACK."""
    acks: Counter[str] = field(default_factory=Counter)
    byes: set[str] = field(default_factory=set)
    """Their tags in dialogs that we hung up."""
    hung_up: set[str] = field(default_factory=set)
    """Their tags in dialogs that they hung up."""
    rung: bool = False
    """Anything but 100 came for the INVITE that was out."""
    provisional: set[str] = field(default_factory=set)
    """Branches that have had a provisional response."""
    invites: list[Message] = field(default_factory=list)
    requests: list[Message] = field(default_factory=list)
    finals: set[int] = field(default_factory=set)
    """Statuses of our final responses to their INVITE."""

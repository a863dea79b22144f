"""Trunks: our ways into the telephone network, as values and small machines. No socket, no clock of its own.

The face of this room:

    Trunk(...)                       all settings of one way; `uri_for(number)`, `identity_headers()`, `limits`
    NumberRules(...).rewrite(number) the number as the trunk must be sent it
    Admission(caps).admit(now, called, caller) -> Ticket, or CapError; release(ticket); next_slot(now)
"""

from sip.trunks.config import (
    DEFAULT_PORTS,
    Network,
    Registration,
    SrtpMode,
    TlsSettings,
    Transport,
    Trunk,
    networks,
)
from sip.trunks.errors import TrunkError
from sip.trunks.limits import Admission, CapError, Caps, Quota, Ticket
from sip.trunks.numbers import NumberRules, Style

__all__ = [
    "DEFAULT_PORTS",
    "Admission",
    "CapError",
    "Caps",
    "Network",
    "NumberRules",
    "Quota",
    "Registration",
    "SrtpMode",
    "Style",
    "Ticket",
    "TlsSettings",
    "Transport",
    "Trunk",
    "TrunkError",
    "networks",
]

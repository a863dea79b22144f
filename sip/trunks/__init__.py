"""Trunks: our ways into the telephone network, as values and small machines. No socket, no clock of its own.

The face of this room:

    Trunk(...)                       all settings of one way; `uri_for(number)`, `identity_headers()`, `limits`
    NumberRules(...).rewrite(number) the number as the trunk must be sent it
    Admission(caps).admit(now, called, caller) -> Ticket, or CapError; release(ticket); next_slot(now)
    AlarmBoard().note_call(trunk, CallFacts(...), now) -> Noted; note_registration, note_health, note_clock;
        status(trunk, now, calls_now) -> TrunkStatus; take_changed() -> names
"""

from sip.core import SrtpMode
from sip.numbers import NumberError, PhoneNumber, parse_number, split_extension
from sip.trunks.alarms import MEANINGS, Alarm, AlarmKind, Meaning, alarms_page
from sip.trunks.board import PHONE, AlarmBoard, Noted
from sip.trunks.config import (
    Network,
    Registration,
    TlsSettings,
    Trunk,
    networks,
)
from sip.trunks.errors import TrunkError
from sip.trunks.limits import Admission, CapError, Caps, Quota, Ticket
from sip.trunks.numbers import NumberRules, Style
from sip.trunks.signs import CallFacts
from sip.trunks.status import TrunkState, TrunkStatus

__all__ = [
    "MEANINGS",
    "PHONE",
    "Admission",
    "Alarm",
    "AlarmBoard",
    "AlarmKind",
    "CallFacts",
    "CapError",
    "Caps",
    "Meaning",
    "Network",
    "Noted",
    "NumberError",
    "NumberRules",
    "PhoneNumber",
    "Quota",
    "Registration",
    "SrtpMode",
    "Style",
    "Ticket",
    "TlsSettings",
    "Trunk",
    "TrunkError",
    "TrunkState",
    "TrunkStatus",
    "alarms_page",
    "networks",
    "parse_number",
    "split_extension",
]

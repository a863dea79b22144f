"""What one call leaves behind while it lasts: the time line and the facts that its record is made of."""

from __future__ import annotations

import datetime
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sip.core import Datagram, Message, MessageReceived, Request, Response
from sip.progress.facts import Signals
from sip.progress.forwarding import RoutingSign
from sip.record import Announcement, DtmfDigit, EndedBy, TimelineEntry
from sip.routing_signs import isup_of, routing_sign
from sip.transport import ClockSource

TOLD_HEADERS = (
    "Contact",
    "Diversion",
    "History-Info",
    "Min-SE",
    "P-Asserted-Identity",
    "P-Early-Media",
    "RSeq",
    "Reason",
    "Remote-Party-ID",
    "Require",
    "Retry-After",
    "Server",
    "Session-Expires",
    "User-Agent",
    "Warning",
)
"""Header fields kept in the time line: they may prove something."""
_TOLD = tuple((name.lower(), name) for name in TOLD_HEADERS)
_Q850 = re.compile(r"^\s*Q\.850\b.*?;\s*cause\s*=\s*(\d{1,3})", re.IGNORECASE)

MOST_REPEATS = 500
"""Retransmissions and provisional responses kept in the time line: a far end may send them for ever."""
MOST_MESSAGES = 2_000
"""Messages of all kinds kept there."""
MOST_VALUES, LONGEST_VALUE = 16, 1_000
"""Of a header field: values kept there, and characters of each. The trace has the message as it came."""
MOST_ERRORS = 50
MOST_SIGNS = 200
MOST_DIGITS = 1_000

log = logging.getLogger(__name__)
OnUpdate = Callable[[TimelineEntry], None]


@dataclass(slots=True)
class CallLog:
    """The growing facts of one call. Times are milliseconds since `t0`."""

    on_update: OnUpdate | None = None
    t0: float | None = None
    """Monotonic seconds at which the first INVITE was handed to the kernel."""
    started_at: str | None = None
    """The wall clock at `t0`, ISO 8601 with offset."""
    timeline: list[TimelineEntry] = field(default_factory=list)
    signs: list[RoutingSign] = field(default_factory=list)
    first_provisional_ms: float | None = None
    first_180_ms: float | None = None
    early_sound: bool = False
    """A response before the 200 announced sound."""
    connected_ms: float | None = None
    ended_ms: float | None = None
    ended_by: EndedBy | None = None
    status: int | None = None
    reason: str | None = None
    q850: int | None = None
    tone: str | None = None
    tone_ms: float | None = None
    announcements: list[Announcement] = field(default_factory=list)
    """What was announced on the line, as far as it was understood while the call lasted."""
    announced: Announcement | None = None
    """What was announced in place of an answer and ended the call."""
    trunk_music: bool = False
    """The music before the answer is our trunk's: it was heard alike on lines of several units."""
    interrupted: bool = False
    gave_up: bool = False
    crossed: bool = False
    """A 200 crossed our CANCEL."""
    our_failure: bool = False
    alerted: bool = False
    """Something but 100 came back: somebody may have been rung."""
    way_failed: bool = False
    """Our way into the network did not carry the call: silence, a network error, 503, credentials not accepted."""
    trouble: str | None = None
    """What failed on our side, by the alarm board's name for it (`sip.trunks.CallFacts`)."""
    retry_after_s: float | None = None
    """How long a 503 asks us to wait."""
    digits_sent_ms: float | None = None
    """The end of the last digit that was sent for an extension."""
    dtmf_info: list[DtmfDigit] = field(default_factory=list)
    """Digits that came by INFO."""
    digits_due: bool = False
    """Digits for an extension are wanted and have not all been sent."""
    silent_by_word: bool = False
    """The far side answered that it sends no sound (`a=inactive`, `a=recvonly`), and never said otherwise."""
    media_lost: bool = False
    """The media engine or its writer died in mid-call."""
    errors: list[str] = field(default_factory=list)
    left_out: int = 0
    """Messages that are not in the time line, for it is full."""
    events: set[str] = field(default_factory=set)
    """The kinds of entries in the time line: what has happened at least once."""
    _messages: int = 0
    _repeats: int = 0

    def ms(self, at: float) -> float:
        """Turn a monotonic time into call time."""
        return 0.0 if self.t0 is None else (at - self.t0) * 1000

    def signals(self, until_ms: float) -> Signals:
        """Return what signalling says of the call until a moment: the present one, or its end."""
        return Signals(
            self.first_180_ms,
            self.connected_ms,
            until_ms,
            self.digits_sent_ms,
            early_sound=self.early_sound,
            trunk_music=self.trunk_music,
        )

    @property
    def may_try_another(self) -> bool:
        """Whether another way may be tried: nobody can have been rung, and this way failed."""
        return not (self.alerted or self.interrupted) and (self.way_failed or self.gave_up)

    def digits_by_info(self, digits: str, at: float, duration_ms: int | None) -> None:
        """Keep digits that came by INFO; the length that it names is kept where there is one."""
        room = max(0, MOST_DIGITS - len(self.dtmf_info))
        self.dtmf_info += [DtmfDigit(digit, self.ms(at), float(duration_ms or 0)) for digit in digits[:room]]
        self.note(self.ms(at), "dtmf", digits=digits, by="INFO")

    def note(self, t_ms: float, event: str, **fields: Any) -> None:
        """Add one entry to the time line and tell whoever watches."""
        entry = TimelineEntry(t_ms, event, fields)
        self.timeline.append(entry)
        self.events.add(event)
        if self.on_update is None:
            return
        try:
            self.on_update(entry)
        except Exception:
            # Whoever watches must not be able to harm the call.
            log.exception("the watcher of a call failed")

    def fail(self, reason: str, *, ours: bool = False) -> None:
        """Keep an error; `ours` marks a failure of our own side."""
        if len(self.errors) < MOST_ERRORS:
            self.errors.append(reason)
        self.our_failure = self.our_failure or ours

    def sent(self, datagram: Datagram, at: float) -> None:
        """Note a message that left; the first INVITE sets time 0."""
        if self.t0 is None and datagram.method == "INVITE" and datagram.is_request:
            self.t0 = at
            self.started_at = now_iso()
        if not self._has_room(datagram.retransmission or 100 <= (datagram.status or 0) < 200):
            return
        fields: dict[str, Any] = {"method": datagram.method}
        if not datagram.is_request:
            fields = {"status": datagram.status, "reason": datagram.reason, "request": datagram.method}
        if datagram.retransmission:
            fields["retransmission"] = True
        self.note(self.ms(at), "sent", **fields)

    def received(self, event: MessageReceived, clock: ClockSource) -> None:
        """Note a message that came, with the headers that may prove something."""
        message, t_ms = event.message, self.ms(event.at)
        provisional = isinstance(message, Response) and message.status < 200
        if not self._has_room(event.retransmission or provisional):
            return
        fields: dict[str, Any] = {}
        if isinstance(message, Response):
            fields = {"status": message.status, "reason": message.reason, "sdp": message.sdp_body is not None}
            if message.cseq.method != "INVITE":
                fields["request"] = message.cseq.method
        elif isinstance(message, Request):
            fields = {"method": message.method, "sdp": message.sdp_body is not None}
        fields["clock"] = clock
        if event.retransmission:
            fields["retransmission"] = True
        there = message.field_names
        headers = {
            name: [value[:LONGEST_VALUE] for value in message.headers(key)[:MOST_VALUES]]
            for key, name in _TOLD
            if key in there
        }
        if headers:
            fields["headers"] = headers
        if message.notes:
            fields["notes"] = list(message.notes)
        self.note(t_ms, "received", **fields)
        self._keep_proofs(message, t_ms)

    def _has_room(self, repeat: bool) -> bool:
        """Whether a message still finds room in the time line; what repeats itself leaves room for what does not."""
        if self._messages >= MOST_MESSAGES or (repeat and self._repeats >= MOST_REPEATS):
            self.left_out += 1
            return False
        self._messages += 1
        self._repeats += repeat
        return True

    def _keep_proofs(self, message: Message, t_ms: float) -> None:
        for value in message.values("Reason"):
            cause = _Q850.match(value)
            if cause:
                self.q850 = int(cause[1])
        isup = isup_of(message)
        if self.q850 is None and isup is not None:
            self.q850 = isup.cause
        sign = routing_sign(message, t_ms)
        if sign is not None and len(self.signs) < MOST_SIGNS:
            self.signs.append(sign)


def now_iso() -> str:
    """The wall clock in local time with offset, to the millisecond."""
    return datetime.datetime.now().astimezone().isoformat(timespec="milliseconds")

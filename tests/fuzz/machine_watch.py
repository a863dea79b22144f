"""What the call machine sees of its endpoint, and what it holds against it at once."""

from __future__ import annotations

from hypothesis.stateful import RuleBasedStateMachine

from sip.core import (
    Address,
    Answered,
    Datagram,
    Endpoint,
    Event,
    ForkAnswered,
    IncomingCall,
    IncomingInvite,
    Malformed,
    OutgoingCall,
    ProtocolError,
    Response,
    parse_message,
)
from tests.fuzz.machine_parts import OFFER, PHONE, PHONE_TCP, TERMINAL, Leg


class Watched(RuleBasedStateMachine):
    """An endpoint, a clock, and a book of what went over the wire for each call."""

    def __init__(self) -> None:
        super().__init__()
        self.phone = Endpoint(PHONE, others=(PHONE_TCP,))
        self.now = 100.0
        self.last_at = 0.0
        self.legs: list[Leg] = []
        self.arrived: list[tuple[bytes, Address]] = []
        self.probes: list[int] = []
        self.serial = 0
        self.prompt = True
        """Whether the phone acknowledges at once."""

    def collect(self) -> None:
        """Take all that has left and happened."""
        for datagram in self.phone.take_datagrams():
            self._sent(datagram)
        for event in self.phone.take_events():
            self._happened(event)
        for datagram in self.phone.take_datagrams():
            self._sent(datagram)

    def _leg(self, call_id: str | None) -> Leg | None:
        return next((leg for leg in reversed(self.legs) if leg.call.call_id == call_id), None)

    def _sent(self, datagram: Datagram) -> None:
        leg = self._leg(datagram.call_id)
        if leg is None:
            return
        message = parse_message(datagram.data)
        if isinstance(message, Response):
            asked = leg.call.request if isinstance(leg.call, IncomingCall) else None
            ours = asked is not None and (message.cseq, message.via.branch) == (asked.cseq, asked.via.branch)
            if ours and message.status >= 200:
                leg.finals.add(message.status)
            return
        method = message.cseq.method
        if method == "ACK":
            leg.acks[message.to.tag] += 1
        elif method == "BYE":
            leg.byes.add(message.to.tag)
        elif method == "CANCEL":
            assert message.via.branch in leg.provisional, "CANCEL before any provisional response"
        if method == "INVITE" and not message.to.tag and not datagram.retransmission:
            assert not leg.rung, "an INVITE that rang somebody is sent once more"
            leg.invites.append(message)
        if method != "ACK" and not datagram.retransmission:
            leg.requests.append(message)

    def _happened(self, event: Event) -> None:
        assert event.at >= self.last_at, f"{event} comes behind one of {self.last_at}"
        assert event.at <= self.now, f"{event} is of the future"
        self.last_at = event.at
        if isinstance(event, Malformed):
            assert not event.why.startswith("internal error"), event.why
        if isinstance(event, IncomingInvite):
            self.legs.append(Leg(event.call))
        leg = self._leg(event.call_id)
        if leg is None:
            return
        if isinstance(event, TERMINAL):
            leg.terminal.append(event)
            assert len(leg.terminal) == 1, leg.terminal
            assert leg.call.over
        elif isinstance(event, Answered | ForkAnswered):
            leg.answered.append(event.dialog_key)
            if self.prompt and isinstance(event, Answered) and isinstance(leg.call, OutgoingCall):
                leg.call.acknowledge(self.now, OFFER if leg.call.invite.offer is None else None)

    def deliver(self, data: bytes, source: Address) -> None:
        """Let a datagram arrive, and take note of what it is by its own words."""
        self.arrived.append((data, source))
        try:
            message = parse_message(data)
        except ProtocolError:
            message = None
        leg = self._leg(message.call_id) if message is not None else None
        if isinstance(message, Response) and leg is not None:
            self._note_response(leg, message)
        elif (
            message is not None
            and leg is not None
            and message.cseq.method == "BYE"
            and message.to.tag == leg.call.local_tag
        ):
            leg.hung_up.add(message.from_.tag)
        self.phone.receive(data, source, self.now)
        self.collect()

    def _note_response(self, leg: Leg, message: Response) -> None:
        known = [invite for invite in leg.invites if invite.via.branch == message.via.branch]
        if message.cseq.method != "INVITE" or not known or message.cseq != known[0].cseq:
            return
        if message.status < 200:
            leg.provisional.add(message.via.branch)
        if 200 <= message.status < 300 and leg.acks[message.to.tag] and self._current(leg, message):
            leg.again[message.to.tag] += 1

    def _current(self, leg: Leg, message: Response) -> bool:
        """Whether the core still knows this INVITE: it is the last one, and the call was there a moment ago."""
        ended = leg.terminal[0].at if leg.terminal else self.now
        return message.via.branch == leg.invites[-1].via.branch and self.now - ended < 32.0

    def outgoing(self, number: int) -> Leg | None:
        """Return some call that we place."""
        found = [leg for leg in self.legs if isinstance(leg.call, OutgoingCall)]
        return found[number % len(found)] if found else None

    def incoming(self, number: int) -> Leg | None:
        """Return some call that was placed to us."""
        found = [leg for leg in self.legs if isinstance(leg.call, IncomingCall)]
        return found[number % len(found)] if found else None

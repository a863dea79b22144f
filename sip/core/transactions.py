"""The four transactions of RFC 3261 section 17, with the Accepted states of RFC 6026.

Each is a table: in a state, a step leads to a state and a list of acts. A step that is not in the table is
ignored, which is what the RFC asks for. A change of state stops all timers of the transaction; the acts start
those of the new state.

- Timer A repeats an INVITE (T1, doubling), B ends it after 64*T1 without any response. The first provisional
  response leaves Calling and so ends both: a duty phone may ring for minutes.
- D, K, I, J, L and M are the times during which retransmissions of the other side are still absorbed.
- E and F are A and B of the other methods; G and H repeat a final response to an INVITE until its ACK.
- An ACK of a 2xx is a matter of the call, not of the transaction, and so are retransmissions of a 2xx.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from typing import ClassVar

from .compose import OutRequest, respond, response_destination, sent_by
from .events import WayChanged
from .framing import Request, Response
from .timers import Timer
from .types import Address, Datagram, HeaderList, Setback, Timers
from .wire import MAGIC_COOKIE, ServerKey, Wire


class State(StrEnum):
    """The states of all four transactions."""

    CALLING = "Calling"
    TRYING = "Trying"
    PROCEEDING = "Proceeding"
    COMPLETED = "Completed"
    CONFIRMED = "Confirmed"
    ACCEPTED = "Accepted"
    TERMINATED = "Terminated"


class Step(StrEnum):
    """What may happen to a transaction."""

    RECEIVED_1XX = "1xx"
    RECEIVED_2XX = "2xx"
    RECEIVED_FAILURE = "3xx-6xx"
    FAILED = "transport error"
    ABANDON = "abandoned"
    REQUEST = "request again"
    ACK = "ACK"
    SEND_1XX = "send 1xx"
    SEND_2XX = "send 2xx"
    SEND_FAILURE = "send 3xx-6xx"
    TIMER_A = "timer A"
    TIMER_B = "timer B"
    TIMER_D = "timer D"
    TIMER_E = "timer E"
    TIMER_F = "timer F"
    TIMER_G = "timer G"
    TIMER_H = "timer H"
    TIMER_I = "timer I"
    TIMER_J = "timer J"
    TIMER_K = "timer K"
    TIMER_L = "timer L"
    TIMER_M = "timer M"


class Act(StrEnum):
    """What a transaction does on a step."""

    PASS = "pass on"
    SEND = "send"
    SEND_ACK = "ACK"
    RESEND = "send again"
    TIMEOUT = "report timeout"
    FAILURE = "report failure"
    START_A = "start A"
    START_B = "start B"
    START_D = "start D"
    START_E = "start E"
    START_E_SLOW = "start E at T2"
    START_F = "start F"
    START_G = "start G"
    START_H = "start H"
    START_I = "start I"
    START_J = "start J"
    START_K = "start K"
    START_L = "start L"
    START_M = "start M"


Table = dict[tuple[State, Step], tuple[State, tuple[Act, ...]]]

_S, _T, _A = State, Step, Act

INVITE_CLIENT: Table = {
    (_S.CALLING, _T.TIMER_A): (_S.CALLING, (_A.RESEND, _A.START_A)),
    (_S.CALLING, _T.TIMER_B): (_S.TERMINATED, (_A.TIMEOUT,)),
    (_S.CALLING, _T.FAILED): (_S.TERMINATED, (_A.FAILURE,)),
    (_S.CALLING, _T.RECEIVED_1XX): (_S.PROCEEDING, (_A.PASS,)),
    (_S.CALLING, _T.RECEIVED_2XX): (_S.ACCEPTED, (_A.START_M, _A.PASS)),
    (_S.CALLING, _T.RECEIVED_FAILURE): (_S.COMPLETED, (_A.SEND_ACK, _A.START_D, _A.PASS)),
    (_S.PROCEEDING, _T.RECEIVED_1XX): (_S.PROCEEDING, (_A.PASS,)),
    (_S.PROCEEDING, _T.RECEIVED_2XX): (_S.ACCEPTED, (_A.START_M, _A.PASS)),
    (_S.PROCEEDING, _T.RECEIVED_FAILURE): (_S.COMPLETED, (_A.SEND_ACK, _A.START_D, _A.PASS)),
    (_S.PROCEEDING, _T.ABANDON): (_S.TERMINATED, ()),
    (_S.COMPLETED, _T.RECEIVED_FAILURE): (_S.COMPLETED, (_A.SEND_ACK,)),
    (_S.COMPLETED, _T.TIMER_D): (_S.TERMINATED, ()),
    (_S.ACCEPTED, _T.RECEIVED_2XX): (_S.ACCEPTED, (_A.PASS,)),
    (_S.ACCEPTED, _T.TIMER_M): (_S.TERMINATED, ()),
}

NON_INVITE_CLIENT: Table = {
    (_S.TRYING, _T.TIMER_E): (_S.TRYING, (_A.RESEND, _A.START_E)),
    (_S.TRYING, _T.TIMER_F): (_S.TERMINATED, (_A.TIMEOUT,)),
    (_S.TRYING, _T.FAILED): (_S.TERMINATED, (_A.FAILURE,)),
    (_S.TRYING, _T.RECEIVED_1XX): (_S.PROCEEDING, (_A.START_E_SLOW, _A.START_F)),
    (_S.TRYING, _T.RECEIVED_2XX): (_S.COMPLETED, (_A.START_K, _A.PASS)),
    (_S.TRYING, _T.RECEIVED_FAILURE): (_S.COMPLETED, (_A.START_K, _A.PASS)),
    (_S.PROCEEDING, _T.TIMER_E): (_S.PROCEEDING, (_A.RESEND, _A.START_E_SLOW)),
    (_S.PROCEEDING, _T.TIMER_F): (_S.TERMINATED, (_A.TIMEOUT,)),
    (_S.PROCEEDING, _T.RECEIVED_2XX): (_S.COMPLETED, (_A.START_K, _A.PASS)),
    (_S.PROCEEDING, _T.RECEIVED_FAILURE): (_S.COMPLETED, (_A.START_K, _A.PASS)),
    (_S.COMPLETED, _T.TIMER_K): (_S.TERMINATED, ()),
}

INVITE_SERVER: Table = {
    (_S.PROCEEDING, _T.REQUEST): (_S.PROCEEDING, (_A.RESEND,)),
    (_S.PROCEEDING, _T.SEND_1XX): (_S.PROCEEDING, (_A.SEND,)),
    (_S.PROCEEDING, _T.SEND_2XX): (_S.ACCEPTED, (_A.SEND, _A.START_L)),
    (_S.PROCEEDING, _T.SEND_FAILURE): (_S.COMPLETED, (_A.SEND, _A.START_G, _A.START_H)),
    (_S.COMPLETED, _T.REQUEST): (_S.COMPLETED, (_A.RESEND,)),
    (_S.COMPLETED, _T.TIMER_G): (_S.COMPLETED, (_A.RESEND, _A.START_G)),
    (_S.COMPLETED, _T.TIMER_H): (_S.TERMINATED, ()),
    (_S.COMPLETED, _T.ACK): (_S.CONFIRMED, (_A.START_I,)),
    (_S.CONFIRMED, _T.TIMER_I): (_S.TERMINATED, ()),
    (_S.ACCEPTED, _T.SEND_2XX): (_S.ACCEPTED, (_A.RESEND,)),
    (_S.ACCEPTED, _T.TIMER_L): (_S.TERMINATED, ()),
}

NON_INVITE_SERVER: Table = {
    (_S.TRYING, _T.SEND_1XX): (_S.PROCEEDING, (_A.SEND,)),
    (_S.TRYING, _T.SEND_2XX): (_S.COMPLETED, (_A.SEND, _A.START_J)),
    (_S.TRYING, _T.SEND_FAILURE): (_S.COMPLETED, (_A.SEND, _A.START_J)),
    (_S.PROCEEDING, _T.REQUEST): (_S.PROCEEDING, (_A.RESEND,)),
    (_S.PROCEEDING, _T.SEND_1XX): (_S.PROCEEDING, (_A.SEND,)),
    (_S.PROCEEDING, _T.SEND_2XX): (_S.COMPLETED, (_A.SEND, _A.START_J)),
    (_S.PROCEEDING, _T.SEND_FAILURE): (_S.COMPLETED, (_A.SEND, _A.START_J)),
    (_S.COMPLETED, _T.REQUEST): (_S.COMPLETED, (_A.RESEND,)),
    (_S.COMPLETED, _T.TIMER_J): (_S.TERMINATED, ()),
}

_FAST = frozenset({_S.CALLING, _S.TRYING})
"""The states of a client transaction in which nothing has come back."""


class _Transaction(ABC):
    """Walks through a table; subclasses know how to send."""

    table: ClassVar[Table]

    def __init__(self, wire: Wire, table: Table, state: State, now: float, timers: Timers) -> None:
        self.wire = wire
        self.timers = timers
        """Those of the transport that carries the transaction."""
        self.table_used = table
        self.state = state
        self.began = now
        self._timers: list[Timer] = []
        self._interval = timers.t1

    @property
    def over(self) -> bool:
        """Whether the transaction is terminated."""
        return self.state is State.TERMINATED

    def step(self, step: Step, now: float) -> bool:
        """Take a step; False if the table does not know it in this state."""
        found = self.table_used.get((self.state, step))
        if found is None:
            return False
        state, acts = found
        if state is not self.state:
            self._stop_timers()
            self.state = state
            self._left(state)
        for act in acts:
            self._do(act, now)
        return True

    @abstractmethod
    def _left(self, state: State) -> None:
        """The state has just become `state`."""

    def _do(self, act: Act, now: float) -> None:
        timers = self.timers
        if act in _WAITS:
            name, step = _WAITS[act]
            self._start(now + float(getattr(timers, name)), step)
        elif act in (Act.START_A, Act.START_E, Act.START_G, Act.START_E_SLOW):
            self._start_repeat(act, now)
        elif act in (Act.START_B, Act.START_F):
            self._start(self.began + timers.timeout, Step.TIMER_B if act is Act.START_B else Step.TIMER_F)

    def _start_repeat(self, act: Act, now: float) -> None:
        """Timers A, E and G: double each time, E and G up to T2; not at all on a reliable transport."""
        timers = self.timers
        if timers.reliable:
            return
        if act is Act.START_E_SLOW:
            self._interval = timers.t2
        self._start(now + self._interval, _REPEATS[act])
        self._interval *= 2
        if act is not Act.START_A:
            self._interval = min(self._interval, timers.t2)

    def _start(self, at: float, step: Step) -> None:
        def fire(now: float) -> None:
            self._timers.remove(timer)
            self.step(step, now)

        timer = self.wire.queue.start(at, fire)
        self._timers.append(timer)

    def _stop_timers(self) -> None:
        for timer in self._timers:
            timer.stop()
        self._timers.clear()


_WAITS: dict[Act, tuple[str, Step]] = {
    Act.START_D: ("wait_d", Step.TIMER_D),
    Act.START_H: ("timeout", Step.TIMER_H),
    Act.START_I: ("wait_i", Step.TIMER_I),
    Act.START_J: ("wait_j", Step.TIMER_J),
    Act.START_K: ("wait_i", Step.TIMER_K),
    Act.START_L: ("timeout", Step.TIMER_L),
    Act.START_M: ("timeout", Step.TIMER_M),
}
_REPEATS = {
    Act.START_A: Step.TIMER_A,
    Act.START_E: Step.TIMER_E,
    Act.START_E_SLOW: Step.TIMER_E,
    Act.START_G: Step.TIMER_G,
}

OnResponse = Callable[[Response, float], None]
OnFailure = Callable[[str, float], None]
MOST_SEEN = 500
"""Different responses of one request that are told apart; a far end that says more only repeats itself."""
TIMEOUT = "timeout"
"""The reason given to `OnFailure` by Timers B and F."""


class ClientTransaction(_Transaction):
    """A request of ours and what comes back."""

    def __init__(
        self,
        wire: Wire,
        request: OutRequest,
        destination: Address,
        on_response: OnResponse,
        on_failure: OnFailure,
        now: float,
    ) -> None:
        invite = request.method == "INVITE"
        super().__init__(
            wire,
            INVITE_CLIENT if invite else NON_INVITE_CLIENT,
            _S.CALLING if invite else _S.TRYING,
            now,
            wire.timers_of(destination.transport),
        )
        self.request = request
        self.destination = destination
        self._on_response = on_response
        self._on_failure = on_failure
        self._data = request.encode()
        self._response: Response | None = None
        self._why = ""
        self._seen: set[object] = set()
        self._renewed = False
        self.quiet = False
        """Send it no more; what comes back is still taken."""
        self.on_moved: Callable[[OutRequest, Address], None] | None = None
        """Told when the request goes another way than was asked for, with a new branch."""
        self._launch(now)

    def _launch(self, now: float) -> None:
        self.key = (self.request.branch, self.request.method)
        self.wire.clients[self.key] = self
        self.wire.unanswered.setdefault(self.destination, {})[self.key] = self
        self.wire.send_request(self.request, self.destination, self._data)
        invite = self.request.method == "INVITE"
        self._do(Act.START_A if invite else Act.START_E, now)
        self._do(Act.START_B if invite else Act.START_F, now)

    def is_repeat(self, response: Response) -> bool:
        """Whether this response came before; takes note of it."""
        mark: object = hash(response.raw) if response.status < 200 else (response.status, response.to.tag)
        if mark in self._seen or len(self._seen) >= MOST_SEEN:
            return True
        self._seen.add(mark)
        return False

    def unsee(self, response: Response) -> None:
        """Take the next arrival of the same bytes for the first: this one came out of order."""
        self._seen.discard(hash(response.raw))

    def receive(self, response: Response, now: float) -> bool:
        """Take a response that matches this transaction; False if it has no use for it any more."""
        before, self._response = self._response, response
        step = Step.RECEIVED_1XX
        if response.status >= 200:
            step = Step.RECEIVED_2XX if response.status < 300 else Step.RECEIVED_FAILURE
        taken = self.step(step, now)
        if not taken:
            self._response = before
        return taken

    def fail(self, reason: str, now: float, setback: Setback = "refused") -> None:
        """The network did not carry the request.

        One that took TCP for its length alone, and that nobody can have seen, takes UDP instead (RFC 3261 section
        18.1.1). One whose connection was lost is sent once more on a new one, except an INVITE: it may have rung.
        """
        if setback == "unsent" and self.request.for_size and not self.quiet:
            self._fall_back(reason, now)
        elif setback == "lost" and self.request.method != "INVITE" and not self._renewed:
            self._renewed = True
            self._do(Act.RESEND, now)
        else:
            self._why = reason
            self.step(Step.FAILED, now)

    def _fall_back(self, reason: str, now: float) -> None:
        self._stop_timers()
        self._no_longer_unanswered()
        self.wire.clients.pop(self.key, None)
        branch = self.wire.new_branch()
        self.request = replace(self.request, via=self.wire.via(branch), branch=branch, for_size=False)
        self.destination = self.destination._replace(transport="udp")
        self.timers, self.began = self.wire.timers, now
        self._interval = self.timers.t1
        self._data = self.request.encode()
        self.wire.emit(WayChanged(self.request.call_id, now, self.request.method, self.destination, reason))
        self._launch(now)
        if self.on_moved is not None:
            self.on_moved(self.request, self.destination)

    def _no_longer_unanswered(self) -> None:
        waiting = self.wire.unanswered.get(self.destination)
        if waiting is not None and waiting.pop(self.key, None) is not None and not waiting:
            del self.wire.unanswered[self.destination]

    def _left(self, state: State) -> None:
        self._no_longer_unanswered()
        if state is State.TERMINATED:
            self.wire.clients.pop(self.key, None)

    def _do(self, act: Act, now: float) -> None:
        if act is Act.PASS and self._response is not None:
            self._on_response(self._response, now)
        elif act is Act.RESEND:
            if not self.quiet:
                self.wire.send_request(self.request, self.destination, self._data, again=True)
        elif act is Act.SEND_ACK and self._response is not None:
            ack = self.request.ack(self._response.to.tag)
            again = ("ack", self._response.to.tag) in self._seen
            if len(self._seen) < MOST_SEEN:
                self._seen.add(("ack", self._response.to.tag))
            self.wire.send_request(ack, self.destination, again=again)
        elif act is Act.TIMEOUT:
            self._on_failure(TIMEOUT, now)
        elif act is Act.FAILURE:
            self._on_failure(self._why, now)
        else:
            super()._do(act, now)


class ServerTransaction(_Transaction):
    """A request of theirs and what we answer."""

    def __init__(
        self, wire: Wire, request: Request, source: Address, call_id: str | None, now: float
    ) -> None:
        invite = request.method == "INVITE"
        super().__init__(
            wire,
            INVITE_SERVER if invite else NON_INVITE_SERVER,
            _S.PROCEEDING if invite else _S.TRYING,
            now,
            wire.timers_of(source.transport),
        )
        self.request = request
        self.source = source
        self.call_id = call_id
        """The call that the answers are labelled with."""
        self.status = 0
        """The last status sent."""
        self._reason = ""
        self._data = b""
        self.key = server_key(request)
        self.on_over: Callable[[], None] | None = None
        wire.servers[self.key] = self

    def respond(
        self,
        status: int,
        now: float,
        reason: str | None = None,
        *,
        to_tag: str = "",
        headers: HeaderList = (),
        body: bytes = b"",
    ) -> None:
        """Send a response."""
        data = respond(self.request, self.source, status, reason, to_tag=to_tag, headers=headers, body=body)
        self.status, self._data = status, data
        self._reason = data[12 : data.index(b"\r\n")].decode("utf-8", "replace")
        if status < 200:
            self.step(Step.SEND_1XX, now)
        else:
            self.step(Step.SEND_2XX if status < 300 else Step.SEND_FAILURE, now)

    def again(self, now: float) -> None:
        """Send the 2xx once more."""
        self.step(Step.SEND_2XX, now)

    def _left(self, state: State) -> None:
        if state is State.TERMINATED:
            self.wire.servers.pop(self.key, None)
            if self.on_over is not None:
                self.on_over()

    def _do(self, act: Act, now: float) -> None:
        if act in (Act.SEND, Act.RESEND):
            if self._data:
                self._send(again=act is Act.RESEND)
        else:
            super()._do(act, now)

    def _send(self, again: bool) -> None:
        destination = response_destination(self.request, self.source)
        label = Datagram(
            self._data,
            destination,
            self.call_id,
            self.request.cseq.method,
            self.status,
            self._reason,
            again,
            otherwise=sent_by(self.request, self.source),
        )
        self.wire.datagrams.append(label)


def server_key(request: Request) -> ServerKey:
    """Return what identifies the server transaction of a request; an ACK or CANCEL has that of its INVITE.

    RFC 3261 section 17.2.3: branch and sent-by. For branches without the magic cookie, or with nothing behind it
    (RFC 4475 section 3.2.1), section 17.2.3's older rule, shortened.
    """
    via = request.via
    method = "INVITE" if request.method == "ACK" else request.method
    if via.branch.startswith(MAGIC_COOKIE) and via.branch != MAGIC_COOKIE:
        return (via.branch, f"{via.host.lower()}:{via.port or 5060}", method, 0)
    identity = f"{request.call_id}\n{request.from_.tag}\n{via.host.lower()}:{via.port or 5060}\n{via.branch}"
    return (identity, "", method, request.cseq.number)


def invite_key(cancel: Request) -> ServerKey:
    """Return the key of the INVITE that a CANCEL is meant for."""
    branch, sent_by, _, number = server_key(cancel)
    return (branch, sent_by, "INVITE", number)

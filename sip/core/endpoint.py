"""One SIP endpoint on one local address, driven from outside by bytes and a clock."""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable
from typing import Any

from .authorizer import Authorizer
from .call import Call
from .caller import Caller
from .client import OnOptions, OnOutcome, OutsideRequest, options_request, options_result, send_request
from .dialog import Dialog, DialogKey
from .digest import Verifier
from .errors import LocalProtocolError, RemoteProtocolError
from .events import Event, IncomingInvite, Malformed, MessageReceived, Stray
from .framing import Request, Response, parse_message
from .incoming import IncomingCall
from .outgoing import OutgoingCall
from .recovery import Recovery
from .registration import RegistrationClient, RegistrationPlan
from .sanity import Fault, answer_unreadable, fault_of, unsupported
from .sdp import parse_sdp
from .stateless import Knock, refuse
from .transactions import ServerTransaction, State, Step, invite_key, server_key
from .types import Address, Credentials, Datagram, HeaderList, Invite, Setback, Timers
from .values import parse_parameters
from .wire import ServerKey, Wire
from .within import ABILITIES, refusal, retry_after

MOST_SERVED = 100
"""Requests of the far side within one call that are served or remembered at once; each is for 32 s over UDP. Digits by
INFO, the quickest of honest ones, come at two a second."""


def _token() -> str:
    return secrets.token_hex(8)


class Endpoint:
    """Places and takes calls.

    `local` is the address that others reach us at, `others` are those of further transports: they stand in Via
    and Contact, so they must name a host, not `0.0.0.0`. `advertised` is the host that stands there in their place
    behind a static NAT. `known_hosts` gives the address of a URI with a host name, if somebody has looked it up;
    requests within a dialog go where its first one went otherwise.
    `token` makes the random tokens of tags, branches and Call-IDs; tests give their own. `knock` is asked of each
    INVITE before anything is kept of it.
    """

    def __init__(
        self,
        local: Address,
        *,
        others: tuple[Address, ...] = (),
        advertised: str | None = None,
        user_agent: str = "DutyRing",
        timers: Timers | None = None,
        auto_trying: bool = True,
        token: Callable[[], str] = _token,
        known_hosts: Callable[[str], Address | None] | None = None,
        knock: Knock | None = None,
    ) -> None:
        self.wire = Wire((local, *others), advertised, user_agent, timers or Timers(), token)
        if known_hosts is not None:
            self.wire.known_hosts = known_hosts
        self.dialogs: dict[DialogKey, tuple[Call, Dialog]] = {}
        self.verifier = Verifier(secrets.token_bytes(16))
        self._auto_trying = auto_trying
        self._knock = knock
        self._secret = secrets.token_bytes(16)
        self._callers: dict[str, Caller] = {}
        self._incoming: dict[ServerKey, IncomingCall] = {}
        self._invites: set[tuple[str, str, int]] = set()
        """Call-ID, From-tag and number of the INVITEs being served, to know merged ones (section 8.2.2.2)."""
        self._called: dict[str, IncomingCall] = {}
        """The latest call placed to us under each Call-ID."""

    @property
    def local(self) -> Address:
        """Our address."""
        return self.wire.local

    @property
    def invited(self) -> int:
        """How many INVITEs of others have transactions that stand."""
        return len(self._incoming)

    @property
    def idle(self) -> bool:
        """Whether nothing at all is left: no transaction, dialog, call or timer."""
        wire = self.wire
        transactions = (wire.clients, wire.servers, wire.unanswered)
        calls = (self.dialogs, self._callers, self._incoming, self._invites, self._called)
        return not (any(transactions) or any(calls) or len(wire.queue))

    @property
    def calling(self) -> bool:
        """Whether a call that we placed has not ended on the wire yet."""
        return any(not caller.over for caller in self._callers.values())

    # Outwards

    def place_call(self, invite: Invite, now: float) -> OutgoingCall:
        """Prepare a call and start it at once; its INVITE is among the next datagrams."""
        call = self.prepare_call(invite)
        call.start(now)
        return call

    def prepare_call(self, invite: Invite) -> OutgoingCall:
        """Return a call of which nothing leaves before its `start`, so that it can be written down first.

        Raises `LocalProtocolError` if the target is not a URI, a header holds a line break, or the Call-ID is
        in use.
        """
        if invite.call_id is not None and invite.call_id in self._callers:
            raise LocalProtocolError(f"the Call-ID {invite.call_id} is in use")
        call = OutgoingCall(self, invite)
        self._callers[call.call_id] = call
        return call

    def recover(
        self, snapshot: dict[str, Any], now: float, credentials: Credentials | Authorizer | None = None
    ) -> str:
        """End a call that another process left behind, from its `snapshot()`; returns its Call-ID.

        `Ended` follows when the far side has confirmed or 64*T1 have passed. Raises `LocalProtocolError` for
        anything else.
        """
        if isinstance(snapshot, dict) and snapshot.get("call_id") in self._callers:
            raise LocalProtocolError("this call is alive here")
        recovery = Recovery(self, snapshot, now, credentials)
        self._callers[recovery.call_id] = recovery
        return recovery.call_id

    def register(
        self, plan: RegistrationPlan, now: float, spread: Callable[[], float] = random.random
    ) -> RegistrationClient:
        """Register with a registrar, and stay so until `RegistrationClient.unregister`.

        `Registered` and `RegistrationFailed` follow. `spread` gives numbers from 0 to 1 by which waits differ.
        Raises `LocalProtocolError` for values that cannot stand in a message.
        """
        return RegistrationClient(self.wire, plan, now, spread)

    def send_request(self, request: OutsideRequest, now: float, on_done: OnOutcome) -> str:
        """Send a request outside any dialog and call `on_done` once; returns its Call-ID.

        Challenges are met. Raises `LocalProtocolError` for a method of calls, and for values that cannot stand in
        a message.
        """
        return send_request(self, request, now, on_done)

    def send_options(
        self,
        uri: str,
        destination: Address,
        now: float,
        on_done: OnOptions,
        headers: HeaderList = (),
        *,
        from_uri: str | None = None,
        route: tuple[str, ...] = (),
        credentials: Credentials | Authorizer | None = None,
    ) -> str:
        """Ask a server whether it is alive and call `on_done` once; returns the Call-ID.

        Raises `LocalProtocolError` for values that cannot stand in a message.
        """
        request = options_request(self, uri, destination, from_uri, headers, route, credentials)
        return send_request(self, request, now, lambda outcome: on_done(options_result(outcome)))

    def take_datagrams(self) -> list[Datagram]:
        """Return and forget the bytes to send, in order."""
        taken, self.wire.datagrams = self.wire.datagrams, []
        return taken

    def take_events(self) -> list[Event]:
        """Return and forget what happened, in order."""
        taken, self.wire.events = self.wire.events, []
        return taken

    # Inwards

    def deadline(self) -> float | None:
        """Return when `advance` is due, None if nothing waits."""
        return self.wire.queue.deadline()

    def advance(self, now: float) -> None:
        """Let the clock reach `now`."""
        self.wire.queue.advance(now)

    def refused(self, destination: Address, at: float, reason: str, setback: Setback = "refused") -> None:
        """The network refused what we sent there: ends the requests that have had no response.

        See `ClientTransaction.fail` for those that go another way, or once more.
        """
        for transaction in list(self.wire.unanswered.get(destination, {}).values()):
            transaction.fail(reason, at, setback)

    def receive(self, data: bytes, source: Address, at: float) -> None:
        """Take one datagram; never raises for its content."""
        if not data.strip(b"\r\n\0 "):
            return
        try:
            message = parse_message(data)
            if isinstance(message, Response):
                self._on_response(message, source, at)
            else:
                self._on_request(message, source, at)
        except RemoteProtocolError as error:
            self.wire.emit(Malformed(None, at, source, str(error)))
            answer = answer_unreadable(data, source, error, self.wire.token())
            self.wire.datagrams += [answer] if answer is not None else []
        except Exception as error:
            # One datagram, whatever is in it, must not end the calls of all the others.
            self.wire.emit(Malformed(None, at, source, f"internal error: {error!r}"))

    def forget(self, call: Call) -> None:
        """Drop a call that has ended; called by the call itself."""
        if self._callers.get(call.call_id) is call:
            del self._callers[call.call_id]
        if self._called.get(call.call_id) is call:
            del self._called[call.call_id]

    # Responses

    def _on_response(self, response: Response, source: Address, at: float) -> None:
        transaction = self.wire.clients.get((response.via.branch, response.cseq.method))
        if transaction is not None and transaction.request.call_id == response.call_id:
            repeated = transaction.is_repeat(response)
            self.wire.emit(MessageReceived(response.call_id, at, response, source, repeated))
            if not (repeated and response.status < 200) and transaction.receive(response, at):
                return
            if response.status < 200 or response.status >= 300 or response.cseq.method != "INVITE":
                return
            # A 2xx of another branch after the final refusal: its telephone is off hook and has to be told.
            self._on_late(response, at)
            return
        caller = self._callers.get(response.call_id)
        if caller is not None and caller.sent(response):
            self.wire.emit(MessageReceived(response.call_id, at, response, source, False))
            caller.on_late(response, at)
            return
        self.wire.emit(Stray(None, at, response, source))

    def _on_late(self, response: Response, at: float) -> None:
        caller = self._callers.get(response.call_id)
        if caller is not None:
            caller.on_late(response, at)

    # Requests

    def _on_request(self, request: Request, source: Address, at: float) -> None:
        known = self.wire.servers.get(server_key(request))
        if request.method == "ACK":
            self._on_ack(request, known, source, at)
        elif known is not None:
            self.wire.emit(MessageReceived(known.call_id, at, request, source, True))
            known.step(Step.REQUEST, at)
        elif request.method == "CANCEL":
            self._on_cancel(request, source, at)
        elif request.to.tag:
            self._on_dialog_request(request, source, at)
        elif fault := self._unwelcome(request, source, at) or fault_of(request):
            self._refuse(request, source, fault.status, at, fault.headers, fault.reason)
        elif unknown := unsupported(request):
            self._refuse(request, source, 420, at, (("Unsupported", ", ".join(unknown)),))
        elif request.method == "INVITE":
            self._on_invite(request, source, at)
        else:
            self._on_other(request, source, at)

    def _on_ack(self, request: Request, known: ServerTransaction | None, source: Address, at: float) -> None:
        if known is not None and known.state in (State.COMPLETED, State.CONFIRMED):
            repeated = not known.step(Step.ACK, at)
            self.wire.emit(MessageReceived(known.call_id, at, request, source, repeated))
            return
        found = self.dialogs.get((request.call_id, request.to.tag, request.from_.tag))
        if found is None:
            self.wire.emit(Stray(None, at, request, source))
        else:
            found[0].on_ack(request, source, at)

    def _on_cancel(self, request: Request, source: Address, at: float) -> None:
        call = self._incoming.get(invite_key(request))
        if call is None:
            self._refuse(request, source, 481, at)
            return
        transaction = ServerTransaction(self.wire, request, source, call.call_id, at)
        self.wire.emit(MessageReceived(call.call_id, at, request, source, False))
        transaction.respond(200, at, to_tag=call.local_tag)
        call.on_cancel(request, at)

    def _on_dialog_request(self, request: Request, source: Address, at: float) -> None:
        found = self.dialogs.get((request.call_id, request.to.tag, request.from_.tag))
        if found is None:
            self._refuse(request, source, 481, at)
            return
        call, dialog = found
        bye = request.method == "BYE"
        if call.served >= MOST_SERVED and (call.over or not bye):
            # A storm within a call: its end is taken all the same.
            self._refuse(request, source, 481 if bye else 500, at, () if bye else (retry_after(),))
            return
        transaction = ServerTransaction(self.wire, request, source, call.call_id, at)
        call.serve(transaction)
        call.on_request(dialog, request, transaction, source, at)

    def _on_invite(self, request: Request, source: Address, at: float) -> None:
        mark = (request.call_id, request.from_.tag, request.cseq.number)
        if mark in self._invites or self._in_use(request.call_id):
            self._refuse(request, source, 482, at)
            return
        if request.header("replaces") is not None:
            self._refuse(request, source, self._replacing(request), at)
            return
        transaction = ServerTransaction(self.wire, request, source, request.call_id, at)
        call = IncomingCall(self, request, transaction, source)
        self._incoming[transaction.key] = self._called[call.call_id] = call
        self._invites.add(mark)

        def over() -> None:
            self._incoming.pop(transaction.key, None)
            self._invites.discard(mark)

        transaction.on_over = over
        if self._auto_trying:
            transaction.respond(100, at)
        self.wire.emit(MessageReceived(request.call_id, at, request, source, False))
        sdp = request.sdp_body
        self.wire.emit(
            IncomingInvite(request.call_id, at, call, request, source, parse_sdp(sdp) if sdp else None)
        )

    def _in_use(self, call_id: str) -> bool:
        """Whether a call that goes on has this Call-ID: another one under it is our own that came back, or a forgery.

        Whoever follows the first by its Call-ID must not be told of the second.
        """
        calls = (self._callers.get(call_id), self._called.get(call_id))
        return any(call is not None and not call.over for call in calls)

    def _unwelcome(self, request: Request, source: Address, at: float) -> Fault | None:
        """Ask whether a new INVITE may become a call."""
        if self._knock is None or request.method != "INVITE":
            return None
        return self._knock(request, source, at)

    def _on_other(self, request: Request, source: Address, at: float) -> None:
        if request.method == "OPTIONS":
            self._refuse(request, source, 200, at, ABILITIES)
        elif request.method in ("BYE", "INFO", "PRACK", "UPDATE"):
            self._refuse(request, source, 481, at)
        else:
            status, headers = refusal(request)
            self._refuse(request, source, status, at, headers)

    def _replacing(self, request: Request) -> int:
        """Return how an INVITE with Replaces is refused (RFC 3891 section 3): no call of ours is taken over.

        400 if it names not exactly one dialog, 481 if there is none such or it is an early one of a caller, else 603.
        """
        values = request.headers("replaces")
        call_id, _, rest = values[0].partition(";")
        tags = parse_parameters(rest)
        if len(values) != 1 or not tags.get("to-tag") or not tags.get("from-tag"):
            return 400
        found = self.dialogs.get((call_id.strip(), tags["to-tag"], tags["from-tag"]))
        if found is None or found[0].over:
            return 481
        call, dialog = found
        return 481 if isinstance(call, IncomingCall) and not dialog.confirmed else 603

    def _refuse(
        self,
        request: Request,
        source: Address,
        status: int,
        at: float,
        headers: tuple[tuple[str, str], ...] = (),
        reason: str | None = None,
    ) -> None:
        """Answer a request that belongs to no call, and keep nothing of it."""
        self.wire.emit(Stray(None, at, request, source))
        self.wire.datagrams.append(
            refuse(request, source, Fault(status, reason or "", headers), self._secret)
        )

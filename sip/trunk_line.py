"""One trunk at work: its sockets, its account, who is admitted, and where its calls go."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from sip.call_log import CallLog
from sip.core import (
    DEFAULT_PORTS,
    Address,
    Authorizer,
    Fault,
    IncomingInvite,
    Invite,
    OptionsResult,
    Registered,
    RegistrationFailed,
    Request,
    TransportName,
    Unregistered,
    uri_address,
)
from sip.media import EngineFull, MediaReport
from sip.own_side import facts_of_call, facts_of_trouble, trouble_of
from sip.record import CallRecord
from sip.targets import (
    NoRouteError,
    Target,
    check_number,
    is_uri,
    local_host,
    own_uri,
    parse_target,
    reachable,
)
from sip.transport import (
    BindError,
    CallHandler,
    OnStray,
    Resolver,
    SipAgent,
    TlsError,
    TransportFailure,
    Trouble,
    WireMessage,
)
from sip.trunk_watch import TrunkWatch
from sip.trunks import Admission, AlarmBoard, CapError, Ticket, Trunk, TrunkStatus

USER_AGENT = "DutyRing"
WAIT_FOR_SLOT_S = 120.0
"""How long a call waits for a free slot of its trunk: two unanswered calls before it."""
_LONGEST_PAUSE_S = 1.0
_ANYWHERE = ("", "0.0.0.0", "::")
_SHARED: tuple[TransportName, ...] = ("udp", "tcp")
"""One agent serves both: a request too long for UDP leaves by TCP (RFC 3261 section 18.1.1)."""


@dataclass(frozen=True, slots=True)
class Destination:
    """One place that a call may be sent to."""

    uri: str
    """The request-URI."""
    address: Address


class LineError(Exception):
    """The trunk cannot carry calls at present."""


class OnIncoming(Protocol):
    """Takes an incoming call of a trunk; returns its handler, or None to refuse it."""

    def __call__(self, event: IncomingInvite, line: TrunkLine, agent: SipAgent) -> CallHandler | None:
        """Take the call."""


class OnKnock(Protocol):
    """Says why an INVITE does not become a call; None where it may."""

    def __call__(
        self, request: Request, source: Address, at: float, line: TrunkLine, agent: SipAgent
    ) -> Fault | None:
        """Look at the INVITE."""


class TrunkLine:
    """A trunk's sockets and rules; opened by the `Phone`."""

    def __init__(
        self,
        trunk: Trunk,
        resolver: Resolver,
        board: AlarmBoard,
        on_incoming: OnIncoming,
        on_knock: OnKnock,
        on_stray: OnStray,
        on_wire: Callable[[WireMessage], None],
        changed: Callable[[], None],
    ) -> None:
        self.trunk = trunk
        self._resolver = resolver
        self._board = board
        self._changed = changed
        self._on_incoming = on_incoming
        self._on_knock = on_knock
        self._on_stray = on_stray
        self._on_wire = on_wire
        self._agents: dict[tuple[str, int, tuple[TransportName, ...]], SipAgent] = {}
        self.account = Authorizer(trunk.credentials) if trunk.credentials else None
        """Shared by calls, registration and probes: what one has learned of a challenge serves the next."""
        rules = trunk.numbers
        self._admission = Admission(trunk.limits, area_code=rules.area_code, country=rules.country)
        self._freed = asyncio.Event()
        self._server_hosts: set[str] = set()
        self._names: dict[Address, str] = {}
        """The name under which an address was asked for: a certificate must bear it."""
        self._watch = TrunkWatch(self, self)
        if not trunk.is_direct:
            board.add_trunk(trunk.name, time.time(), registers=trunk.registration is not None)

    @property
    def name(self) -> str:
        """The trunk's name."""
        return self.trunk.name

    @property
    def agents(self) -> tuple[SipAgent, ...]:
        """The agents opened so far, one for each local address and kind of transport."""
        return tuple(self._agents.values())

    # -- where calls go --------------------------------------------------------------------------------------------

    def request_uri(self, target: str) -> str:
        """Return the request-URI for a target on this trunk.

        Raises `TargetError`, `NumberError` or `TrunkError` for what cannot be called here.
        """
        if is_uri(target):
            parse_target(target)
            return target
        return self.trunk.uri_for(check_number(target))

    async def destinations(self, target: str) -> list[Destination]:
        """Return where a call to the target may be sent, the first to be tried first.

        Raises as `request_uri`, and `ResolutionError`.
        """
        uri = self.request_uri(target)
        trunk = self.trunk
        if trunk.server is not None:
            # A registrar that we are known to may be the only one of its kind that takes our calls.
            found = sorted(await self.server_addresses(), key=lambda address: address != self._watch.home)
            return [Destination(uri, address) for address in found]
        return [Destination(uri, address) for address in await self._resolve(parse_target(uri))]

    async def server_addresses(self) -> list[Address]:
        """Return where the trunk's server is, the first address preferred. Raises `ResolutionError`."""
        trunk = self.trunk
        assert trunk.server is not None
        # UDP and TCP have SRV records of their own; a trunk that says UDP means UDP.
        found = await self._resolver.resolve(trunk.server, trunk.port, trunk.transport, family=self._family)
        self._server_hosts = {address.host for address in found}
        self._names = {**self._names, **dict.fromkeys(found, trunk.server)}
        return reachable(found)

    @property
    def _family(self) -> Literal[4, 6] | None:
        """Our own address decides which addresses of the far side can be reached."""
        bind = self.trunk.bind
        if bind is None or not bind.host:
            return None
        return 6 if ":" in bind.host else 4

    async def _resolve(self, where: Target) -> list[Address]:
        transport = where.transport or (None if self.trunk.transport == "udp" else self.trunk.transport)
        literal = uri_address(where.uri)
        if literal is not None:
            if self._family is not None and self._family != (6 if ":" in literal.host else 4):
                assert self.trunk.bind is not None
                raise NoRouteError(
                    f"no route from {self.trunk.bind.host} to {literal.host}: one is IPv4, the other IPv6"
                )
            chosen = transport or "udp"
            return [Address(literal.host, where.port or DEFAULT_PORTS[chosen], chosen)]
        secure = where.uri.lower().startswith("sips:")
        found = await self._resolver.resolve(
            where.host, where.port, transport, secure=secure, family=self._family
        )
        self._names = {**self._names, **dict.fromkeys(found, where.host)}
        return reachable(found)

    def agent_towards(self, destination: Address) -> SipAgent:
        """Return the agent on the local address of this route; an unspecified one would not do in Contact and SDP.

        Raises `BindError`, and `TlsError` where our certificate or the authorities' cannot be used.
        """
        bind = self.trunk.bind or Address("", 0)
        host = local_host(destination) if bind.host in _ANYWHERE else bind.host
        transports: tuple[TransportName, ...] = ("tls",) if destination.transport == "tls" else _SHARED
        key = (host, bind.port, transports)
        if key not in self._agents:
            self._agents[key] = self._open(Address(host, bind.port, transports[0]), transports)
        agent = self._agents[key]
        if (
            destination.transport == "tls"
            and destination in self._names
            and self.trunk.tls.server_name is None
        ):
            agent.expect_name(destination, self._names[destination])
        return agent

    def _on_trouble(self, destination: Address, at: float, trouble: Trouble) -> None:
        if trouble.kind is TransportFailure.CLOSED:
            self._watch.flow_lost(destination)

    def recovery_agent(self, local: Address, name: str | None) -> SipAgent:
        """Return a new agent on the very address that an earlier process used. Raises `BindError`.

        `name` is the one that certificates must bear, where the settings name none.
        """
        return self._open(local, ("tls",) if local.transport == "tls" else _SHARED, name)

    def _open(
        self, bind: Address, transports: tuple[TransportName, ...], name: str | None = None
    ) -> SipAgent:
        def incoming(event: IncomingInvite) -> CallHandler | None:
            return self._on_incoming(event, self, agent)

        def knock(request: Request, source: Address, at: float) -> Fault | None:
            return self._on_knock(request, source, at, self, agent)

        agent = SipAgent.open(
            bind,
            user_agent=USER_AGENT,
            transports=transports,
            tls=replace(self.trunk.tls, server_name=self.trunk.tls.server_name or name),
            dscp=self.trunk.dscp_signalling,
            advertised=self.trunk.advertised,
            on_incoming=incoming,
            on_knock=knock,
            on_stray=self._on_stray,
            on_wire=self._on_wire,
            on_trouble=self._on_trouble,
            resolver=self._resolver,
        )
        return agent

    def invite(self, destination: Destination, agent: SipAgent, offer: bytes) -> Invite:
        """Return the INVITE of a call to the destination, with this trunk's identity and account."""
        trunk = self.trunk
        known_as = self._watch.associated
        own = known_as[0] if known_as else own_uri(trunk.advertised or agent.local.host)
        from_uri, display_name = trunk.identity(own)
        return Invite(
            target=destination.uri,
            destination=destination.address,
            from_uri=from_uri,
            display_name=display_name,
            offer=offer,
            credentials=self.account,
            route=self._watch.service_route or trunk.route,
            headers=trunk.identity_headers(),
            session_expires_s=trunk.session_expires_s,
        )

    # -- who is admitted -------------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def admitted(self, target: str, stop: asyncio.Event | None) -> AsyncIterator[None]:
        """Hold one of the trunk's slots; waits for a free one and for the rate.

        Raises `CapError` where the quota of this number or of our identity is used up, or where no slot came free
        within `WAIT_FOR_SLOT_S` or before `stop`.
        """
        ticket = await self._admit(target, stop)
        try:
            yield
        except EngineFull as full:
            if full.nothing_left:
                self._admission.withdraw(ticket)
            raise
        finally:
            self._admission.release(ticket)
            self._freed.set()

    async def _admit(self, target: str, stop: asyncio.Event | None) -> Ticket:
        caller = self.trunk.from_uri or ""
        until = time.monotonic() + WAIT_FOR_SLOT_S
        while True:
            now = time.monotonic()
            try:
                return self._admission.admit(now, target, caller)
            except CapError as error:
                stopped = stop is not None and stop.is_set()
                if error.which not in ("concurrency", "rate") or now >= until or stopped:
                    raise
                pause_s = min(until - now, _LONGEST_PAUSE_S, error.retry_after_s or _LONGEST_PAUSE_S)
            self._freed.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._freed.wait(), pause_s)

    # -- how it fares ----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Listen where our address is given, register and watch the server where the trunk wants it."""
        bind = self.trunk.bind
        if bind is not None and bind.host not in _ANYWHERE:
            try:
                self.agent_towards(bind._replace(transport=self.trunk.transport))
            except (BindError, TlsError) as error:
                # Each call says so again, in its record.
                self.lost(error)
        if not self.trunk.is_direct:
            self._watch.start()

    async def ready(self, stop: asyncio.Event | None = None) -> None:
        """Return once calls may leave. Raises `LineError` that says why they may not, at `stop` at the latest."""
        reason = await self._watch.ready(stop)
        if reason is not None:
            raise LineError(reason)

    def registration(
        self, event: Registered | RegistrationFailed | Unregistered, trouble: str | None
    ) -> None:
        """The registrar has spoken, or been silent."""
        now = time.time()
        offset_s = now - time.monotonic()
        if isinstance(event, Registered):
            self._board.note_registration(self.name, now, until=event.until + offset_s)
        elif isinstance(event, RegistrationFailed):
            until = None if event.until is None else event.until + offset_s
            words = f"{event.status} {event.reason}" if event.status else event.reason
            named = event.kind if event.status else trouble or event.kind
            self._board.note_registration(
                self.name, now, until=until, trouble=named, status=event.status, detail=words
            )
        else:
            self._board.note_unregistered(self.name, now)
        self._changed()

    def health(self, result: OptionsResult, trouble: str | None) -> None:
        """The server has answered an OPTIONS, or not."""
        up, named = result.kind != "down", None if result.status else trouble or "timeout"
        detail = f"{result.status or ''} {result.reason}".strip()
        self._board.note_health(
            self.name, time.time(), up=up, status=result.status, trouble=named, detail=detail
        )
        self._changed()

    def lost(self, error: Exception) -> None:
        """The server could not even be looked for."""
        self._board.note_health(
            self.name, time.time(), up=False, trouble=trouble_of(error), detail=str(error)
        )
        self._changed()

    def trouble(self, called: str, error: Exception) -> tuple[str, ...]:
        """Take note that a call could not leave; returns the codes of what is wrong on our side."""
        if isinstance(error, LineError):
            # The registrar's own alarm stands already.
            return tuple(alarm.kind.value for alarm in self.status().alarms)
        noted = self._board.note_call(self.name, facts_of_trouble(called, error), time.time())
        self._changed()
        return tuple(kind.value for kind in noted.shown)

    def judge(self, called: str, record: CallRecord, facts: CallLog, report: MediaReport) -> tuple[str, ...]:
        """Take note of how a call went; returns the codes of what was wrong on our own side with it."""
        noted = self._board.note_call(self.name, facts_of_call(called, record, facts, report), time.time())
        self._changed()
        return tuple(kind.value for kind in noted.shown)

    def status(self) -> TrunkStatus:
        """How the trunk is now."""
        return self._board.status(self.name, time.time(), self._admission.calls_now)

    # -- who may call us ---------------------------------------------------------------------------------------------

    def trusts(self, source: Address) -> bool:
        """Whether an incoming call from there needs no challenge: the trunk's server, and whom its settings trust."""
        return source.host in self._server_hosts or self.trunk.trusts(source.host)

    @property
    def realm(self) -> str:
        """The realm of our challenges."""
        return self.trunk.domain or self.trunk.server or "dutyring"

    async def close(self) -> None:
        """Give the registration up and release the sockets."""
        await self._watch.close()
        for agent in self._agents.values():
            agent.close()

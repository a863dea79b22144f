"""Keeps one trunk registered and asks its server whether it is alive.

Both go on until `close`. What happens is told to the `AlarmBoard` of the phone, which knows what it means.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import replace
from typing import Protocol

from sip.core import (
    Address,
    Authorizer,
    Datagram,
    Event,
    OptionsResult,
    Registered,
    RegistrationClient,
    RegistrationFailed,
    RegistrationPlan,
    RegistrationState,
    Unregistered,
)
from sip.kernel_time import ClockSource
from sip.transport import BindError, ResolutionError, SipAgent, TlsError
from sip.trunks import Trunk, TrunkError

log = logging.getLogger(__name__)

FIRST_ANSWER_S = 10.0
"""How long a call waits for the first answer of the registrar."""
GOODBYE_S = 2.0
RETRY_S = 30.0
"""Until a server whose name or route could not be found is looked for again."""
STEADY_S = 120.0
"""A connection that stood so long was a good one (RFC 5626 section 4.5)."""


class Ways(Protocol):
    """What the watch needs of its trunk: where the server is and the socket towards it."""

    trunk: Trunk
    account: Authorizer | None

    async def server_addresses(self) -> list[Address]:
        """Return the server's addresses, the first one preferred. Raises `ResolutionError`."""

    def agent_towards(self, destination: Address) -> SipAgent:
        """Return the agent of this route. Raises `BindError` and `TlsError`."""


class WatchTold(Protocol):
    """Who is told what the watch sees."""

    def registration(
        self, event: Registered | RegistrationFailed | Unregistered, trouble: str | None
    ) -> None:
        """The registrar has spoken, or been silent; `trouble` is what the transport found wrong, by its name."""

    def health(self, result: OptionsResult, trouble: str | None) -> None:
        """The server has answered an OPTIONS, or not; `trouble` as above."""

    def lost(self, error: Exception) -> None:
        """The server could not even be looked for."""


class TrunkWatch:
    """Watches one trunk that has a server. It is the handler of the registration's events."""

    def __init__(self, ways: Ways, told: WatchTold) -> None:
        self._ways = ways
        self._told = told
        self._tasks: set[asyncio.Task[None]] = set()
        self._client: RegistrationClient | None = None
        self._agent: SipAgent | None = None
        self._destination: Address | None = None
        self._silent: set[Address] = set()
        """Addresses of the server that have not answered since the last binding."""
        self._again: asyncio.TimerHandle | None = None
        self._bound_at = 0.0
        self._losses = 0
        """Connections that ended soon after a binding, in a row."""
        self._answered = asyncio.Event()
        self._left = asyncio.Event()
        self.service_route: tuple[str, ...] = ()
        """The route set that the registrar wants for our calls (RFC 3608)."""
        self.associated: tuple[str, ...] = ()
        """The identities that it knows us by; the first is the default one (RFC 7315 section 4.1)."""
        self.failure: str | None = None
        """Why the last REGISTER was not accepted."""

    def start(self) -> None:
        """Register and probe from now on."""
        trunk = self._ways.trunk
        if trunk.registration is not None:
            self._run(self._register())
        if trunk.health_s is not None:
            self._run(self._probe(trunk.health_s))
        if trunk.registration is None and trunk.health_s is None and trunk.bind is not None:
            self._run(self._look_up())

    @property
    def registered(self) -> bool:
        """Whether a binding stands."""
        return self._client is not None and self._client.registered(time.monotonic())

    @property
    def home(self) -> Address | None:
        """Where a binding of ours stands: calls go there before any other address of the server."""
        return self._destination if self.registered else None

    async def ready(self, stop: asyncio.Event | None = None) -> str | None:
        """Return None once calls may leave, or why they may not; waits for the registrar's first answer or `stop`."""
        if self._ways.trunk.registration is None:
            return None
        waits = [asyncio.ensure_future(event.wait()) for event in (self._answered, stop) if event is not None]
        try:
            await asyncio.wait(waits, timeout=FIRST_ANSWER_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if self.registered:
            return None
        return f"not registered: {self.failure or 'the registrar has not answered yet'}"

    def flow_lost(self, destination: Address) -> None:
        """A connection that we keep has ended: calls to us come over it, so register anew (RFC 5626 section 4.4).

        A server that ends each connection at once is asked ever less often (section 4.5).
        """
        if destination != self._destination or self._again is not None:
            return
        if time.monotonic() - self._bound_at > STEADY_S:
            self._losses = 0
        wait_s = min(RETRY_S, 2.0**self._losses - 1)
        self._losses = min(self._losses + 1, 10)
        self._again = asyncio.get_running_loop().call_later(wait_s, self._register_anew)

    def _register_anew(self) -> None:
        self._again = None
        if self._client is not None and self._agent is not None and self._is(RegistrationState.REGISTERED):
            self._client.refresh(time.monotonic())
            self._agent.flush()

    def _is(self, state: RegistrationState) -> bool:
        return self._client is not None and self._client.state is state

    async def close(self) -> None:
        """Give the registration up and stop."""
        if self._again is not None:
            self._again.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        # A REGISTER under way may yet bind us: its answer is waited for.
        bound = self.registered or self._is(RegistrationState.REGISTERING)
        if self._client is None or self._agent is None or not bound:
            return
        self._client.unregister(time.monotonic())
        self._agent.flush()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._left.wait(), GOODBYE_S)

    def _run(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        except Exception as error:
            # What nobody foresaw must not end in silence: the trunk would seem to be as it was last seen.
            log.exception("the watch of trunk %s failed", self._ways.trunk.name)
            self._not_found(error)

    async def _look_up(self) -> None:
        """Learn where the server is, for its calls to be known before we have called it."""
        while True:
            try:
                await self._ways.server_addresses()
            except ResolutionError:
                # Each call of ours says so in its record.
                await asyncio.sleep(RETRY_S)
            else:
                return

    # -- registering -----------------------------------------------------------------------------------------------

    async def _register(self) -> None:
        async for destination, agent in self._found():
            self._agent, self._destination = agent, destination
            self._client = agent.register(self._plan(destination), self)
            return

    def _keep_alive(self, event: Registered) -> None:
        """Keep the flow to the registrar open, at least as often as it asks for (RFC 5626 section 4.4)."""
        seconds = self._ways.trunk.keep_alive_s
        if seconds and self._agent is not None and self._destination is not None:
            self._agent.keep_alive(self._destination, min(seconds, event.flow_timer_s or seconds))

    async def _try_another(self) -> None:
        """Register with the server's next address: the one in use does not answer (RFC 3263 section 4.3)."""
        async for _first, agent in self._found():
            untried = [a for a in await self._ways.server_addresses() if a not in self._silent]
            if untried and self._client is not None and agent is self._agent:
                self._destination = untried[0]
                self._client.refresh(time.monotonic(), untried[0])
                agent.flush()
            elif not untried:
                # All are silent. After the next wait each is tried once more, not the last one alone.
                self._silent.clear()
            return

    def _plan(self, destination: Address) -> RegistrationPlan:
        trunk = self._ways.trunk
        wanted = trunk.registration
        assert wanted is not None
        account = trunk.credentials.username if trunk.credentials else ""
        # A private identity is a user and a realm (3GPP TS 23.003 section 13.3).
        user = wanted.user or _user_of(trunk.from_uri) or account.partition("@")[0]
        if not user:
            takes = "a user, where neither from_uri nor credentials name one"
            raise TrunkError(trunk.name, "registration.user", takes)
        # An address of record has no port (RFC 3261 section 10.3).
        domain = replace(trunk, port=None).host_part
        return RegistrationPlan(
            registrar=wanted.registrar or f"sip:{domain}",
            aor=f"sip:{user}@{domain}",
            destination=destination,
            contact_user=wanted.contact_user or user,
            expires_s=wanted.expires_s,
            credentials=self._ways.account,
            route=trunk.route,
            label=trunk.name,
        )

    def on_event(self, event: Event, clock: ClockSource) -> None:
        """Take an event of the registration."""
        if isinstance(event, Registered):
            self.failure = None
            self.service_route, self.associated = event.service_route, event.associated
            self._silent.clear()
            self._bound_at = event.at
            self._keep_alive(event)
        elif isinstance(event, RegistrationFailed):
            self.failure = f"{event.status} {event.reason}" if event.status else event.reason
            if event.kind in ("timeout", "unreachable") and self._destination is not None:
                self._silent.add(self._destination)
                self._run(self._try_another())
        elif isinstance(event, Unregistered):
            self._left.set()
        else:
            return
        self._answered.set()
        self._told.registration(event, _trouble(self._agent, self._destination))

    def on_sent(self, datagram: Datagram, at: float) -> None:
        """Nothing is kept of the registration's messages."""

    # -- probing ---------------------------------------------------------------------------------------------------

    async def _probe(self, period_s: float) -> None:
        while True:
            async for destination, agent in self._found():
                result = await self._ask(destination, agent)
                self._told.health(result, _trouble(agent, destination))
                break
            await asyncio.sleep(period_s)

    async def _ask(self, destination: Address, agent: SipAgent) -> OptionsResult:
        answer: asyncio.Future[OptionsResult] = asyncio.get_running_loop().create_future()
        trunk = self._ways.trunk
        agent.endpoint.send_options(
            f"sip:{trunk.host_part}",
            destination,
            time.monotonic(),
            _settle(answer),
            from_uri=trunk.from_uri,
            route=trunk.route,
            credentials=self._ways.account,
        )
        agent.flush()
        return await answer

    async def _found(self) -> AsyncIterator[tuple[Address, SipAgent]]:
        """Yield the server's address and the agent towards it, again and again until there is one."""
        while True:
            try:
                destination = (await self._ways.server_addresses())[0]
                agent = self._ways.agent_towards(destination)
            except (ResolutionError, BindError, TlsError) as error:
                self._not_found(error)
                await asyncio.sleep(RETRY_S)
                continue
            yield destination, agent

    def _not_found(self, error: Exception) -> None:
        self.failure = str(error)
        self._answered.set()
        self._told.lost(error)


def _trouble(agent: SipAgent | None, destination: Address | None) -> str | None:
    """Return what the transport last found wrong with a way, by its name."""
    trouble = None if agent is None or destination is None else agent.trouble_with(destination)
    return None if trouble is None else trouble.kind.value


def _settle(answer: asyncio.Future[OptionsResult]) -> Callable[[OptionsResult], None]:
    def take(result: OptionsResult) -> None:
        if not answer.done():
            answer.set_result(result)

    return take


def _user_of(uri: str | None) -> str:
    """Return the user part of a URI or the number of a tel URI, "" without one."""
    scheme, _, rest = (uri or "").partition(":")
    user = rest if scheme.lower() == "tel" else rest.rpartition("@")[0]
    return user.partition(";")[0]

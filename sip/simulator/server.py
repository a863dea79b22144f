"""The simulator: one SIP endpoint and one media engine for any number of simulated lines."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from urllib.parse import unquote

from sip.core import Address, IncomingInvite, TransportName
from sip.media import MediaEngine
from sip.simulator.behaviours import (
    BEHAVIOURS,
    DIGEST_PASSWORD,
    DIGEST_USER,
    FIRST_LOAD_LINE,
    load_line,
)
from sip.simulator.clips import load_sounds
from sip.simulator.line import LineCall, Site
from sip.simulator.steps import Behaviour, Challenge
from sip.transport import SipAgent

log = logging.getLogger(__name__)

LOOPBACK = Address("127.0.0.1", 0)
SPARE_SESSIONS = 256
"""Sound for calls beside those of the load lines."""


class Simulator:
    """Simulated duty lines on one address: `async with Simulator(Address("127.0.0.1", 5062)) as far_end: ...`

    `scenario` adds or replaces lines by extension, `lines` adds that many load lines from extension 20000 on,
    `password` is what line 98 wants, and `speed` divides the waits (not the sounds), for tests of signalling.
    `transports` are those by which the lines are reached, all on the one port.
    """

    def __init__(
        self,
        listen: Address = LOOPBACK,
        *,
        scenario: Mapping[str, Behaviour] | None = None,
        lines: int = 0,
        password: str = DIGEST_PASSWORD,
        speed: float = 1.0,
        transports: Sequence[TransportName] = ("udp",),
    ) -> None:
        self._listen = listen
        self._behaviours = {**BEHAVIOURS, **(scenario or {})}
        self._load_lines = {str(FIRST_LOAD_LINE + number) for number in range(lines)}
        self._password = password
        self._speed = speed
        self._transports = tuple(transports)
        self._calls: dict[asyncio.Task[None], LineCall] = {}
        self._site: Site

    @property
    def local(self) -> Address:
        """Where the lines are reached, with the port that was really taken."""
        return self._site.agent.local

    @property
    def live_calls(self) -> int:
        """Calls that have not ended yet."""
        return len(self._calls)

    def behaviour(self, extension: str) -> Behaviour | None:
        """Return what is behind an extension; None means 404."""
        known = self._behaviours.get(extension)
        if known is None and extension in self._load_lines:
            return load_line(extension)
        return known

    async def start(self) -> None:
        """Bind and start the media engine. Raises `sip.transport.BindError` or `sip.media.MediaError`."""
        capacity = SPARE_SESSIONS + len(self._load_lines)
        # A tune computed in the middle of a call would delay the answers of all other calls.
        await asyncio.to_thread(load_sounds)
        engine = await MediaEngine.start(writer=False, bank=None, capacity=capacity, measured=False)
        try:
            # The socket comes last: whoever can reach it is answered.
            agent = SipAgent.open(
                self._listen,
                user_agent="DutyRing simulator",
                transports=self._transports,
                on_incoming=self._incoming,
            )
        except BaseException:
            await engine.close()
            raise
        self._site = Site(agent, engine, self._speed)

    async def stop(self) -> None:
        """End live calls properly, then close the socket and the engine."""
        for call in self._calls.values():
            call.end()
        await asyncio.gather(*self._calls, return_exceptions=True)
        self._site.agent.close()
        await self._site.engine.close()

    async def __aenter__(self) -> Simulator:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _incoming(self, invite: IncomingInvite) -> LineCall | None:
        user = _user_of(invite.request.uri)
        behaviour = self.behaviour(user)
        if behaviour is None:
            log.info("no line %r", user)
            invite.call.reject(404, time.monotonic())
            return None
        challenge = next((step for step in behaviour.steps if isinstance(step, Challenge)), None)
        if challenge is not None and not self._knows(invite, challenge):
            return None
        return self._begin(LineCall(self._site, behaviour, invite, user))

    def _begin(self, call: LineCall) -> LineCall:
        task = asyncio.get_running_loop().create_task(call.run())
        self._calls[task] = call
        task.add_done_callback(self._ended)
        return call

    def _ended(self, task: asyncio.Task[None]) -> None:
        call = self._calls.pop(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("line %s failed", call.behaviour.extension, exc_info=task.exception())

    def _knows(self, invite: IncomingInvite, challenge: Challenge) -> bool:
        """Whether the call brings the right credentials; if not it has been challenged."""
        now = time.monotonic()
        result = invite.call.verify({DIGEST_USER: self._password}.get, now)
        if result != "right":
            stale = result == "stale"
            invite.call.challenge(challenge.realm, now, challenge.algorithm, stale=stale, proxy=True)
        return result == "right"


def _user_of(uri: str) -> str:
    """Return the user part of a SIP URI, escapes resolved; empty without one. It may hold `#`, which parsers refuse."""
    user, at, _ = uri.partition(":")[2].rpartition("@")
    return unquote(user.partition(";")[0].partition(":")[0]) if at else ""

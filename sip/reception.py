"""Who may ring here: incoming calls are let in, or refused without a trace.

Whoever is not a trusted source of the trunk must answer a digest challenge first, and no source may ring more often
than `SourceLimiter` allows.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from sip.answering import RingingCall
from sip.core import Address, Fault, IncomingInvite, Request
from sip.media import MediaEngine
from sip.transport import SipAgent
from sip.trunk_line import TrunkLine

log = logging.getLogger(__name__)

CALLS_AT_ONCE: Final = 8
"""Incoming calls that are served at one time; a further one hears busy."""
RETRY_AFTER_S: Final = 10
INVITED_AT_ONCE: Final = 1_000
"""INVITEs of others whose transactions stand on one socket (for 32 s after their end): more of them are a flood."""
CHALLENGES: Final = ("SHA-256", "MD5")
"""What an unknown caller may answer with, the preferred one first (RFC 8760 section 2.4); many exchanges know MD5
alone."""


_LATER: Final = Fault(503, "", (("Retry-After", str(RETRY_AFTER_S)),))


OnCall = Callable[[RingingCall], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class MissedCall:
    """A call to us that nobody takes, from a source that the trunk trusts."""

    trunk: str
    caller: str
    """The URI of who calls: the network's word for it, else what the caller says of itself."""
    at: float
    """Seconds since 1970."""


OnMissed = Callable[[MissedCall], None]


class SourceLimiter:
    """How often one source may ring: a token bucket for each address. Times are monotonic seconds."""

    def __init__(self, per_s: float = 1.0, burst: int = 5, most_sources: int = 4096) -> None:
        self._per_s, self._burst, self._most = per_s, burst, most_sources
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def allows(self, host: str, now: float) -> bool:
        """Whether the source may ring now; counts it if so."""
        tokens, filled_at = self._buckets.pop(host, (float(self._burst), now))
        tokens = min(float(self._burst), tokens + (now - filled_at) * self._per_s)
        allowed = tokens >= 1
        self._buckets[host] = (tokens - allowed, now)
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        return allowed


class Reception:
    """Where incoming calls arrive: who may ring, and who is told."""

    def __init__(self, engine: Callable[[], MediaEngine], limiter: SourceLimiter | None = None) -> None:
        self.on_call: OnCall | None = None
        self.on_missed: OnMissed | None = None
        self._engine = engine
        self._limiter = limiter or SourceLimiter()
        self._tasks: set[asyncio.Task[None]] = set()

    def knock(
        self, request: Request, source: Address, at: float, line: TrunkLine, agent: SipAgent
    ) -> Fault | None:
        """Return why an INVITE does not become a call, None where it may ring.

        Whoever may not ring costs nothing but the answer: no call, no transaction, no repetition (RFC 3261 sections
        8.2.7 and 26.3.2.4 want challenges to be so).
        """
        if self.on_call is None:
            self._tell_missed(request, source, line)
            return Fault(480, "")
        if not self._limiter.allows(source.host, time.monotonic()):
            return _LATER
        if not line.trusts(source) and line.trunk.challenge_incoming:
            fault = self._unproven(request, line, agent, at)
            if fault is not None:
                return fault
        if agent.endpoint.invited >= INVITED_AT_ONCE:
            return _LATER
        return Fault(486, "") if len(self._tasks) >= CALLS_AT_ONCE else None

    def take(self, event: IncomingInvite, line: TrunkLine, agent: SipAgent) -> RingingCall | None:
        """Take a new incoming call that has knocked; returns its handler."""
        if self.on_call is None:
            return None
        account = None
        if not line.trusts(event.source) and line.trunk.challenge_incoming:
            credentials = line.trunk.credentials
            account = None if credentials is None else credentials.username
        ringing = RingingCall(event, line, agent, self._engine(), account)
        task = asyncio.get_running_loop().create_task(self._serve(self.on_call, ringing))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return ringing

    def _tell_missed(self, request: Request, source: Address, line: TrunkLine) -> None:
        """Who calls through the trunk's own server is told of; a stranger's word for who it is says nothing."""
        known = line.trusts(source)
        if self.on_missed is None or not known or not self._limiter.allows(source.host, time.monotonic()):
            return
        asserted = request.addresses("p-asserted-identity")
        caller = asserted[0].uri if asserted else request.from_.uri
        try:
            self.on_missed(MissedCall(line.name, caller, time.time()))
        except Exception:
            # Whoever takes note must not be able to harm the phone's other calls.
            log.exception("a missed call could not be told of")

    def _unproven(self, request: Request, line: TrunkLine, agent: SipAgent, at: float) -> Fault | None:
        """Return the challenge or the refusal of a caller who has not proved the trunk's account.

        That account serves both ways, as exchanges that call each other keep it.
        """
        known, verifier = line.trunk.credentials, agent.endpoint.verifier
        if known is None:
            return Fault(403, "")
        verdict = verifier.verify(request, "INVITE", {known.username: known.password}.get, at)
        if verdict == "right":
            return None
        if verdict == "wrong":
            return Fault(403, "")
        stale = verdict == "stale"
        challenges = [verifier.challenge(line.realm, algorithm, at, stale) for algorithm in CHALLENGES]
        return Fault(401, "", tuple(("WWW-Authenticate", challenge) for challenge in challenges))

    async def _serve(self, on_call: OnCall, call: RingingCall) -> None:
        try:
            await on_call(call)
        except Exception:
            # Whoever answers must not be able to harm the phone's other calls.
            log.exception("an incoming call could not be served")
            call.reject(500)
        finally:
            call.reject(480)

    async def close(self) -> None:
        """End what is under way."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

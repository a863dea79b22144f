"""The phone: places calls and gives back their records.

    async with Phone(trunk) as phone:
        record = await phone.call("sip:62@127.0.0.1:5060", Script(max_ring_s=60))

Runs in the phone process; the media engine and its writer are its children.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from sip.assembly import CallIdentity, assemble, early_outcome
from sip.call_log import CallLog, OnUpdate, now_iso
from sip.core import (
    Address,
    Credentials,
    Datagram,
    Ended,
    Event,
    Invite,
    LocalProtocolError,
    build_offer,
    parse_uri,
    uri_address,
)
from sip.driver import CallDriver, CallPlan, Journal
from sip.guard import refuse_emergency
from sip.media import MediaEngine, MediaError, MediaReport, SessionSpec
from sip.progress import Limits, LineListener
from sip.record import CallRecord
from sip.system_clock import clock_synchronised
from sip.transport import BindError, ClockSource, ResolutionError, SipAgent

log = logging.getLogger(__name__)

USER_AGENT = "DutyRing"
DEFAULT_PORT = 5060
RECOVERY_S = 33.0
"""64*T1 and a little: by then every transaction of a recovery has ended."""


class TargetError(ValueError):
    """The target is not a SIP URI that can be called."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a call goes."""

    uri: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Trunk:
    """How the phone stands in the network."""

    from_uri: str | None = None
    """Our identity; None: `sip:dutyring@<local address>`."""
    bind: Address | None = None
    """Local SIP address; None: chosen by the route to each target, port ephemeral."""
    credentials: Credentials | None = None


@dataclass(frozen=True, slots=True)
class Script:
    """What to do on one call."""

    max_ring_s: float = 60.0
    max_talk_s: float = 20.0
    say: npt.NDArray[np.int16] | None = None
    """Prompt after the answer, mono samples at 8 kHz (`sip.media.load_prompt`)."""
    capture: Path | None = None
    """Where the raw sound of both sides is kept; `recordings.encode` makes a sound file of it."""
    limits: Limits = field(default_factory=Limits)


def parse_target(text: str) -> Target:
    """Read a `sip:` URI. Raises `TargetError` that says what is wrong and what would be right."""
    uri = parse_uri(text)
    if uri is None or uri.scheme not in ("sip", "sips") or not uri.host:
        raise TargetError(f"{text!r} is not a SIP URI; it takes one such as sip:62@127.0.0.1:5060")
    if uri.scheme == "sips" or (uri.parameters.get("transport") or "udp").lower() != "udp":
        raise TargetError(f"{text!r} asks for another transport than UDP, the only one there is")
    port = DEFAULT_PORT if uri.port is None else uri.port
    if not 0 < port < 65_536:
        raise TargetError(f"{text!r} names port {port}; it takes 1 to 65535")
    return Target(text, uri.host.strip("[]"), port)


class Phone:
    """Places calls, many at once. Use it as an async context manager."""

    def __init__(self, trunk: Trunk | None = None) -> None:
        self._trunk = trunk or Trunk()
        self._agents: dict[str, SipAgent] = {}
        self._engine: MediaEngine

    async def __aenter__(self) -> Phone:
        self._engine = await MediaEngine.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for agent in self._agents.values():
            agent.close()
        await self._engine.close()

    @property
    def lost(self) -> asyncio.Future[str]:
        """Done, with the reason, when the media engine or its writer died; a new Phone is then needed."""
        return self._engine.lost

    async def call(
        self,
        target: str,
        script: Script,
        *,
        journal: Journal | None = None,
        on_update: OnUpdate | None = None,
        stop: asyncio.Event | None = None,
    ) -> CallRecord:
        """Place one call and return its record, whatever came of it.

        `journal` is awaited with a JSON-able snapshot of the dialog before the INVITE leaves, at each early
        dialog and at the 200 before its ACK; `Phone.recover` ends what such a snapshot left behind.
        `on_update` is told each entry of the time line as it happens. Setting `stop` ends the call (outcome
        `cancelled`). Raises `TargetError` and `NeverDialledError` before anything is sent.
        """
        where = parse_target(target)
        refuse_emergency(target)
        facts = CallLog(on_update)
        identity = CallIdentity(target, "", clock_synchronised())
        try:
            destination = await _resolve(where)
            agent = self._agent_towards(destination)
            return await self._place(where, destination, agent, script, facts, journal, stop)
        except (ResolutionError, BindError, MediaError) as error:
            facts.fail(str(error), ours=True)
            return _never_left(identity, facts)

    async def recover(self, snapshot: dict[str, Any]) -> None:
        """End what a killed process left behind: CANCEL or BYE, from the same port where it is free.

        Returns when the far side has confirmed, at the latest after 33 s. Raises `LocalProtocolError` for what
        is no snapshot, `BindError` where no socket can be had.
        """
        agent = _agent_like(snapshot)
        ended = asyncio.Event()
        try:
            agent.recover(snapshot, _Until(ended))
            async with asyncio.timeout(RECOVERY_S):
                await ended.wait()
        except TimeoutError:
            log.warning("the far side of %s did not confirm its end", snapshot.get("call_id"))
        finally:
            agent.close()

    async def _place(
        self,
        where: Target,
        destination: Address,
        agent: SipAgent,
        script: Script,
        facts: CallLog,
        journal: Journal | None,
        stop: asyncio.Event | None,
    ) -> CallRecord:
        spec = SessionSpec(bind_host=agent.local.host, capture=script.capture)
        listener = LineListener()
        holder: list[CallDriver] = []
        session = await self._engine.open(spec, lambda event: holder[0].on_media(event) if holder else None)
        plan = CallPlan(script.max_ring_s, script.max_talk_s, script.say, listener)
        driver = CallDriver(agent, session, plan, facts, journal, stop)
        holder.append(driver)
        invite = Invite(
            target=where.uri,
            destination=destination,
            from_uri=self._trunk.from_uri or _own_uri(agent.local),
            offer=build_offer(Address(*session.local), secrets.randbits(31)),
            credentials=self._trunk.credentials,
        )
        call = agent.prepare_call(invite, driver)
        identity = CallIdentity(where.uri, call.call_id, clock_synchronised())
        report = MediaReport()
        try:
            await driver.run(call)
        finally:
            report = await session.close(facts.ended_ms or 0.0)
        if report.lost and not facts.media_lost:
            facts.media_lost = True
            facts.fail(f"the media engine was lost: {report.lost}", ours=True)
        return assemble(identity, facts, driver.heard(), report, script.limits, driver.codec)

    def _agent_towards(self, destination: Address) -> SipAgent:
        bind = self._trunk.bind or Address(_local_host(destination), 0)
        agent = self._agents.get(bind.host)
        if agent is None:
            agent = self._agents[bind.host] = SipAgent.open(bind, user_agent=USER_AGENT)
        return agent


class _Until:
    """The handler of a recovery: waits for its end."""

    def __init__(self, ended: asyncio.Event) -> None:
        self._ended = ended

    def on_event(self, event: Event, clock: ClockSource) -> None:
        if isinstance(event, Ended):
            self._ended.set()

    def on_sent(self, datagram: Datagram, at: float) -> None:
        """Nothing is kept of a recovery's messages."""


def _agent_like(snapshot: dict[str, Any]) -> SipAgent:
    """An agent on the address of the killed process, so that late responses find it; else on a free port."""
    old = uri_address(str(snapshot.get("contact", "")).strip("<>"))
    if old is None:
        raise LocalProtocolError("not a snapshot of a call: it names no local address")
    try:
        return SipAgent.open(old, user_agent=USER_AGENT)
    except BindError:
        return SipAgent.open(Address(old.host, 0), user_agent=USER_AGENT)


async def _resolve(target: Target) -> Address:
    literal = uri_address(target.uri)
    if literal is not None:
        return Address(literal.host, target.port)
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(target.host, target.port, type=socket.SOCK_DGRAM)
    except OSError as error:
        raise ResolutionError(f"{target.host} has no address: {error.strerror or error}") from error
    return Address(*found[0][4][:2])


def _local_host(destination: Address) -> str:
    """The address from which the kernel would send to `destination`; nothing is sent."""
    family = socket.AF_INET6 if ":" in destination.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((destination.host, destination.port))
        except OSError as error:
            raise BindError(f"no route to {destination.host}: {error.strerror}") from error
        return str(probe.getsockname()[0])


def _own_uri(local: Address) -> str:
    host = f"[{local.host}]" if ":" in local.host else local.host
    return f"sip:dutyring@{host}"


def _never_left(identity: CallIdentity, facts: CallLog) -> CallRecord:
    return CallRecord(
        target=identity.target,
        call_id=identity.call_id,
        started_at=now_iso(),
        clock_synchronised=identity.clock_synchronised,
        outcome=early_outcome(facts).outcome,
        ended_by="us",
        errors=tuple(facts.errors),
        our_failure=True,
    )

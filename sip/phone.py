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

from sip.assembly import CallIdentity, assemble
from sip.call_log import CallLog, OnUpdate, now_iso
from sip.core import (
    Address,
    Credentials,
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
from sip.recovery import RecoveryDesk
from sip.system_clock import clock_synchronised
from sip.transport import BindError, ResolutionError, SipAgent

log = logging.getLogger(__name__)

USER_AGENT = "DutyRing"
DEFAULT_PORT = 5060


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
        self._agents: dict[Address, SipAgent] = {}
        self._recoveries = RecoveryDesk(USER_AGENT, self._trunk.credentials)
        self._engine: MediaEngine

    async def __aenter__(self) -> Phone:
        """Start the media engine. Raises `MediaError` where it cannot be had."""
        try:
            self._engine = await MediaEngine.start()
        except OSError as error:
            raise MediaError(f"the media engine could not be started: {error.strerror or error}") from error
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
        try:
            destination = await _resolve(where)
            agent = self._agent_towards(destination)
            return await self._place(where, destination, agent, script, facts, journal, stop)
        except LocalProtocolError as error:
            raise TargetError(f"{target!r}: {error}") from error
        except (ResolutionError, BindError, MediaError) as error:
            return failed_record(target, str(error))

    async def recover(self, snapshot: dict[str, Any]) -> None:
        """End what a killed process left behind: CANCEL or BYE, from the same port where it is free.

        Returns when the far side has confirmed, at the latest after 33 s. Raises `LocalProtocolError` for what
        is no snapshot, `BindError` where no socket can be had.
        """
        await self._recoveries.recover(snapshot)

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
        report = MediaReport()
        try:
            call = agent.prepare_call(invite, driver)
            await driver.run(call)
        finally:
            report = await session.close(facts.ended_ms or 0.0)
        if report.lost and not facts.media_lost:
            facts.media_lost = True
            facts.fail(f"the media engine was lost: {report.lost}", ours=True)
        identity = CallIdentity(where.uri, call.call_id, clock_synchronised())
        return assemble(identity, facts, driver.heard(), report, script.limits, driver.codec)

    def _agent_towards(self, destination: Address) -> SipAgent:
        """The agent on the local address of this route; an unspecified one would not do in Contact and SDP."""
        bind = self._trunk.bind or Address("", 0)
        if bind.host in ("", "0.0.0.0", "::"):
            bind = Address(_local_host(destination), bind.port)
        if bind not in self._agents:
            self._agents[bind] = SipAgent.open(bind, user_agent=USER_AGENT)
        return self._agents[bind]


async def _resolve(target: Target) -> Address:
    literal = uri_address(target.uri)
    if literal is not None:
        return Address(literal.host, target.port)
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(target.host, target.port, type=socket.SOCK_DGRAM)
    except OSError as error:
        raise ResolutionError(f"{target.host} has no address: {error.strerror or error}") from error
    except UnicodeError as error:
        raise ResolutionError(f"{target.host} is no host name: {error}") from error
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


def failed_record(target: str, reason: str) -> CallRecord:
    """The record of a call that never left, because our own side could not carry it."""
    return CallRecord(
        target=target,
        call_id="",
        started_at=now_iso(),
        clock_synchronised=clock_synchronised(),
        outcome="network_failure",
        ended_by="us",
        errors=(reason,),
        our_failure=True,
    )

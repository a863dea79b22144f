"""Ending the calls that a killed process left behind, from its own address where that is free."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from sip.core import Address, Datagram, Ended, Event, LocalProtocolError, parse_uri, uri_address
from sip.kernel_time import ClockSource
from sip.transport import BindError, SipAgent
from sip.trunk_line import TrunkLine

log = logging.getLogger(__name__)

RECOVERY_S = 33.0
"""64*T1 and a little: by then every transaction of a recovery has ended."""


class RecoveryDesk:
    """Recovers calls. All that left from one address share one socket on it: late answers go to that address."""

    def __init__(self) -> None:
        self._agents: dict[Address, SipAgent] = {}
        self._users: dict[Address, int] = {}

    async def recover(self, snapshot: dict[str, Any], line: TrunkLine) -> None:
        """End a call of the trunk `line`, see `Phone.recover`."""
        old = _local_address(snapshot)
        if (standing := next((agent for agent in line.agents if old in agent.locals), None)) is not None:
            # The trunk has a fixed address and is at work on it already: what comes for the old call comes there.
            await _end(snapshot, standing, line)
            return
        agent = self._take(old, line, _name_of_server(snapshot, line))
        try:
            await _end(snapshot, agent, line)
        finally:
            self._give_back(old)

    def _take(self, old: Address, line: TrunkLine, name: str | None) -> SipAgent:
        if old not in self._agents:
            self._agents[old] = _agent_on(old, line, name)
        self._users[old] = self._users.get(old, 0) + 1
        return self._agents[old]

    def _give_back(self, old: Address) -> None:
        self._users[old] -= 1
        if not self._users[old]:
            del self._users[old]
            self._agents.pop(old).close()


async def _end(snapshot: dict[str, Any], agent: SipAgent, line: TrunkLine) -> None:
    ended = asyncio.Event()
    agent.recover(snapshot, _Until(ended), line.trunk.credentials)
    try:
        async with asyncio.timeout(RECOVERY_S):
            await ended.wait()
    except TimeoutError:
        log.warning("the far side of %s did not confirm its end", snapshot.get("call_id"))
    finally:
        agent.forget(str(snapshot.get("call_id")))


class _Until:
    """The handler of a recovery: waits for its end."""

    def __init__(self, ended: asyncio.Event) -> None:
        self._ended = ended

    def on_event(self, event: Event, clock: ClockSource) -> None:
        if isinstance(event, Ended):
            self._ended.set()

    def on_sent(self, datagram: Datagram, at: float) -> None:
        """Nothing is kept of a recovery's messages."""


def _local_address(snapshot: dict[str, Any]) -> Address:
    """Where the call left from; a snapshot of an earlier version names it by its Contact alone."""
    if "local" in snapshot:
        try:
            return Address.stored(snapshot["local"])
        except (TypeError, ValueError) as error:
            raise LocalProtocolError(f"not a snapshot of a call: {error}") from error
    old = uri_address(str(snapshot.get("contact", "")).strip("<>"))
    if old is None:
        raise LocalProtocolError("not a snapshot of a call: it names no local address")
    return old


def _name_of_server(snapshot: dict[str, Any], line: TrunkLine) -> str | None:
    """Return the name that a certificate must bear: the snapshot holds the address that it was resolved to."""
    if line.trunk.server is not None:
        return line.trunk.server
    uri = parse_uri(str(snapshot.get("request_uri", "")))
    return None if uri is None else uri.host.strip("[]")


def _agent_on(old: Address, line: TrunkLine, name: str | None) -> SipAgent:
    try:
        return line.recovery_agent(old, name)
    except BindError:
        return line.recovery_agent(Address(old.host, 0, old.transport), name)

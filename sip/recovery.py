"""Ending the calls that a killed process left behind, from its own address where that is free."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from sip.core import Address, Datagram, Ended, Event, LocalProtocolError, uri_address
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
        agent = self._take(old, line)
        ended = asyncio.Event()
        try:
            agent.recover(snapshot, _Until(ended), line.trunk.credentials)
            async with asyncio.timeout(RECOVERY_S):
                await ended.wait()
        except TimeoutError:
            log.warning("the far side of %s did not confirm its end", snapshot.get("call_id"))
        finally:
            self._give_back(old)

    def _take(self, old: Address, line: TrunkLine) -> SipAgent:
        if old not in self._agents:
            self._agents[old] = _agent_on(old, line)
        self._users[old] = self._users.get(old, 0) + 1
        return self._agents[old]

    def _give_back(self, old: Address) -> None:
        self._users[old] -= 1
        if not self._users[old]:
            del self._users[old]
            self._agents.pop(old).close()


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


def _agent_on(old: Address, line: TrunkLine) -> SipAgent:
    try:
        return line.recovery_agent(old)
    except BindError:
        return line.recovery_agent(Address(old.host, 0, old.transport))

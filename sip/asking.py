"""Asks a trunk's server once whether it is there (OPTIONS, RFC 3261 section 11), from a port of its own.

It disturbs no call, registration or alarm: a phone that runs on the same trunk knows nothing of it.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace

from sip.core import Address, Fault, LocalProtocolError, OptionsResult
from sip.transport import BindError, ResolutionError, Resolver, TlsError
from sip.trunk_line import TrunkLine
from sip.trunks import AlarmBoard, Trunk

PATIENCE_S = 8.0
"""Repeated over UDP after 0.5, 1, 2 and 4 s: enough to tell a lost packet from a server that is away."""


@dataclass(frozen=True, slots=True)
class ServerAnswer:
    """What came of it."""

    alive: bool
    status: int | None
    """SIP status of the answer; any but 408 and 503 says that the server is there."""
    reason: str
    """Its reason phrase, or why there is none."""
    round_trip_ms: float | None
    address: str
    """Where it was asked; empty where the name leads nowhere."""


async def ask_server(trunk: Trunk, patience_s: float = PATIENCE_S) -> ServerAnswer:
    """Ask the server of a trunk, which must have one."""
    bind = None if trunk.bind is None else Address(trunk.bind.host, 0, trunk.bind.transport)
    plain = replace(trunk, bind=bind, registration=None, health_s=None)
    # Whoever calls this port is refused.
    line = TrunkLine(
        plain,
        Resolver(),
        AlarmBoard(),
        lambda *_: None,
        lambda *_: Fault(480, ""),
        lambda _: None,
        lambda _: None,
        lambda: None,
    )
    address = ""
    try:
        async with asyncio.timeout(patience_s):
            destination = (await line.server_addresses())[0]
            address = f"{destination.host}:{destination.port}/{destination.transport}"
            found = await _ask(line, destination)
    except TimeoutError:
        return ServerAnswer(False, None, f"no answer within {patience_s:g} s", None, address)
    except (ResolutionError, BindError, TlsError, LocalProtocolError, OSError) as error:
        return ServerAnswer(False, None, str(error), None, address)
    finally:
        await line.close()
    return ServerAnswer(found.kind == "alive", found.status, found.reason, found.round_trip_ms, address)


async def _ask(line: TrunkLine, destination: Address) -> OptionsResult:
    agent = line.agent_towards(destination)
    answer: asyncio.Future[OptionsResult] = asyncio.get_running_loop().create_future()

    def take(result: OptionsResult) -> None:
        if not answer.done():
            answer.set_result(result)

    agent.endpoint.send_options(
        f"sip:{line.trunk.host_part}",
        destination,
        time.monotonic(),
        take,
        from_uri=line.trunk.from_uri,
        route=line.trunk.route,
        credentials=line.account,
    )
    agent.flush()
    return await answer

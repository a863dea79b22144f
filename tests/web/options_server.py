"""A SIP server for tests that answers every OPTIONS with 200 and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any


class _Answering(asyncio.DatagramProtocol):
    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        lines = data.decode().split("\r\n")
        if not lines[0].startswith("OPTIONS "):
            return
        copied = [line for line in lines[1:] if line.split(":")[0] in ("Via", "From", "Call-ID", "CSeq")]
        to = next(line for line in lines if line.startswith("To:"))
        answer = ["SIP/2.0 200 OK", *copied, f"{to};tag=there", "Content-Length: 0", "", ""]
        self.transport.sendto("\r\n".join(answer).encode(), addr)


@asynccontextmanager
async def options_server() -> AsyncIterator[tuple[str, int]]:
    """Run it on an ephemeral port of the loopback address; gives its address."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(_Answering, local_addr=("127.0.0.1", 0))
    try:
        host, port = transport.get_extra_info("sockname")[:2]
        yield host, port
    finally:
        transport.close()

"""A mail server for tests: takes what it is sent and keeps it; it can refuse, and lose the connection afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage


@dataclass
class MailServer:
    port: int = 0
    taken: list[EmailMessage] = field(default_factory=list)
    envelopes: list[list[str]] = field(default_factory=list)
    refuse: str = ""
    """Answer to MAIL FROM in place of 250."""
    refused: tuple[str, ...] = ()
    """Addresses that are refused."""
    drop_after_data: bool = False
    """Lose the connection once a message was taken."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def say(line: str) -> None:
            writer.write(f"{line}\r\n".encode())
            await writer.drain()

        to: list[str] = []
        await say("220 test")
        while line := (await reader.readline()).decode().strip():
            verb = line.split(" ")[0].upper()
            if verb in ("EHLO", "HELO"):
                await say("250 test")
            elif verb == "MAIL":
                to = []
                await say(self.refuse or "250 ok")
            elif verb == "RCPT":
                address = line.partition("<")[2].partition(">")[0]
                if address in self.refused:
                    await say("550 no such address")
                    continue
                to.append(address)
                await say("250 ok")
            elif verb == "DATA":
                await say("354 go on")
                lines = []
                while (part := await reader.readline()) != b".\r\n":
                    lines.append(part.removeprefix(b".") if part.startswith(b"..") else part)
                self.taken.append(message_from_bytes(b"".join(lines), policy=policy.default))  # type: ignore[arg-type]
                self.envelopes.append(to)
                await say("250 taken")
                if self.drop_after_data:
                    break
            elif verb == "QUIT":
                await say("221 bye")
                break
            else:
                await say("250 ok" if verb == "RSET" else "502 not here")
        writer.close()


@asynccontextmanager
async def mail_server() -> AsyncIterator[MailServer]:
    kept = MailServer()
    server = await asyncio.start_server(kept.serve, "127.0.0.1", 0)
    kept.port = server.sockets[0].getsockname()[1]
    async with server:
        yield kept

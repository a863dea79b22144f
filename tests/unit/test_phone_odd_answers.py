"""Far ends that answer as the test has it: what they say of their sound, and what our own alarms make of it."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from sip.answering import RingingCall
from sip.core import Address
from sip.guard import DialPolicy
from sip.phone import Phone, Script, Trunk
from sip.record import CallRecord
from sip.transport import Resolver, TlsSettings
from sip.trunks import Caps, networks
from tests.interop.certificates import Authority

from .dns_server import dns_server

pytestmark = [pytest.mark.timeout(60)]

NUMBER = "0917-3262000"


def described(port: int, direction: str = "sendrecv", version: int = 1) -> bytes:
    """A description of sound that never comes: nobody sends from its port."""
    lines = ["v=0", f"o=- 5 {version} IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0"]
    lines += [f"m=audio {port} RTP/AVP 8", f"a={direction}", ""]
    return "\r\n".join(lines).encode()


@dataclass
class FarEnd(asyncio.DatagramProtocol):
    """Answers at once with `first`; sends `later` in a re-INVITE after 0.3 s."""

    first: bytes
    later: bytes | None = None
    heard: list[str] = field(default_factory=list)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)
        self.local = Address(*transport.get_extra_info("sockname")[:2])

    def datagram_received(self, data: bytes, source: tuple[str, int]) -> None:
        head = data.partition(b"\r\n\r\n")[0].decode()
        self.heard.append(head.partition("\r\n")[0])
        fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:])
        if head.startswith("INVITE"):
            self._send(self._ok(fields), self.first, source)
            if self.later is not None:
                again = self._again(fields)
                asyncio.get_running_loop().call_later(0.3, self._send, again, self.later, source)
        elif head.startswith("BYE"):
            self._send(self._ok(fields), b"", source)

    def _ok(self, fields: dict[str, str]) -> list[str]:
        kept = [f"{name}: {fields[name]}" for name in ("Via", "From", "Call-ID", "CSeq")]
        to = fields["To"] if "tag=" in fields["To"] else f"{fields['To']};tag=far"
        return ["SIP/2.0 200 OK", *kept, f"To: {to}"]

    def _again(self, fields: dict[str, str]) -> list[str]:
        return [
            f"INVITE {fields['Contact'].strip('<>')} SIP/2.0",
            f"Via: SIP/2.0/UDP {self.local};branch=z9hG4bKagain",
            "Max-Forwards: 70",
            f"From: {fields['To']};tag=far",
            f"To: {fields['From']}",
            f"Call-ID: {fields['Call-ID']}",
            "CSeq: 9 INVITE",
        ]

    def _send(self, head: list[str], body: bytes, where: tuple[str, int]) -> None:
        head = [*head, f"Contact: <sip:far@{self.local}>"]
        head += ["Content-Type: application/sdp"] if body else []
        self._transport.sendto(
            "\r\n".join([*head, f"Content-Length: {len(body)}", "", ""]).encode() + body, where
        )

    def close(self) -> None:
        self._transport.close()


@asynccontextmanager
async def far_end(first: bytes, later: bytes | None = None) -> AsyncIterator[FarEnd]:
    loop = asyncio.get_running_loop()
    _, made = await loop.create_datagram_endpoint(lambda: FarEnd(first, later), local_addr=("127.0.0.1", 0))
    yield made
    made.close()
    await asyncio.sleep(0)


async def called(first: bytes, later: bytes | None = None) -> CallRecord:
    async with far_end(first, later) as far:
        main = Trunk(
            name="main",
            server=far.local.host,
            port=far.local.port,
            caps=Caps.unlimited(),
            session_expires_s=None,
        )
        async with Phone(main, policy=DialPolicy.open()) as phone:
            return await phone.call(NUMBER, Script(max_talk_s=3.5))


@pytest.mark.parametrize(
    ("direction", "alarms"),
    [("sendrecv", ("one_way_audio",)), ("inactive", ()), ("recvonly", ())],
)
async def test_silence_that_was_announced_is_no_fault(direction: str, alarms: tuple[str, ...]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        record = await called(described(silent.getsockname()[1], direction))
    assert (record.outcome, record.media.received, record.alarms) == ("answered", 0, alarms)


async def test_sound_that_ends_in_mid_call_does_not_mean_that_ours_was_refused() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        record = await called(described(port, "inactive"), described(0, "inactive", version=2))
    assert record.outcome == "answered"
    assert "port 0" in record.errors[0]
    assert record.alarms == ()


@pytest.mark.peer("openssl")
async def test_a_call_by_tls_is_ended_after_a_crash_under_the_name_of_its_server(tmp_path: Path) -> None:
    """The snapshot holds the server's address; its certificate bears the name alone."""
    authority = Authority(tmp_path)
    server = authority.identity("server", names="subjectAltName=DNS:far.test")
    snapshots: list[dict[str, Any]] = []
    gone = asyncio.Event()

    async def journal(snapshot: dict[str, Any]) -> None:
        snapshots.append(json.loads(json.dumps(snapshot)))

    async def ring(call: RingingCall) -> None:
        call.ring()
        await call.gone()
        gone.set()

    settings = TlsSettings(certificate=server.certificate, key=server.key)
    inward = Trunk(
        name="in",
        bind=Address("127.0.0.1", 0, "tls"),
        transport="tls",
        tls=settings,
        trusted=networks("127.0.0.1"),
    )
    async with Phone(inward) as callee, dns_server({("far.test", "A"): ["127.0.0.1"]}) as names:
        callee.on_call = ring
        resolver = Resolver(nameservers=["127.0.0.1"], dns_port=names.port)
        outward = Trunk(
            name="main",
            server="far.test",
            port=callee.addresses[0].port,
            transport="tls",
            tls=TlsSettings(ca_file=authority.ca_file),
            caps=Caps.unlimited(),
        )
        async with Phone(outward, policy=DialPolicy.open(), resolver=resolver) as killed:
            task = asyncio.create_task(killed.call(NUMBER, Script(), journal=journal))
            async with asyncio.timeout(10):
                while len(snapshots) < 2:
                    await asyncio.sleep(0.02)
            for agent in killed._lines["main"].agents:
                agent.close()
            async with Phone(outward, policy=DialPolicy.open(), resolver=resolver) as second:
                # The answer to the INVITE went with its connection, so the recovery itself waits for its whole time.
                recovery = asyncio.create_task(second.recover(snapshots[-1]))
                async with asyncio.timeout(10):
                    await gone.wait()
                recovery.cancel()
            task.cancel()
            await asyncio.gather(task, recovery, return_exceptions=True)

"""A small real DNS server on 127.0.0.1 for the tests: answers what it was given, counts what it was asked."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import cast

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

Zone = dict[tuple[str, str], list[str]]
"""Records in their text form by name and type."""


@dataclass
class DnsServer(asyncio.DatagramProtocol):
    """Answers by UDP. A name without any record is NXDOMAIN, one without this record has no answer."""

    zone: Zone
    ttl: int = 60
    silent: frozenset[str] = frozenset()
    """Types of questions that are never answered."""
    failing: bool = False
    """Answer SERVFAIL to everything."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    port: int = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, source: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        if kind not in self.silent:
            self._transport.sendto(self._answer(query, question.name, name, kind).to_wire(), source)

    def _answer(
        self, query: dns.message.Message, full: dns.name.Name, name: str, kind: str
    ) -> dns.message.Message:
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.RA
        if self.failing:
            reply.set_rcode(dns.rcode.SERVFAIL)
            return reply
        alias = self.zone.get((name, "CNAME"))
        if alias and kind != "CNAME":
            reply.answer.append(dns.rrset.from_text(full, self.ttl, "IN", "CNAME", *alias))
            name = alias[0].rstrip(".")
            full = dns.name.from_text(name)
        records = self.zone.get((name, kind))
        if records:
            reply.answer.append(dns.rrset.from_text(full, self.ttl, "IN", kind, *records))
        elif not any(known == name for known, _ in self.zone):
            reply.set_rcode(dns.rcode.NXDOMAIN)
        return reply


@contextlib.asynccontextmanager
async def dns_server(
    zone: Zone, made_by: type[DnsServer] | None = None, **options: object
) -> AsyncIterator[DnsServer]:
    """Run a server on a free port; `made_by` is a kind of it that answers otherwise."""
    make = made_by or DnsServer
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(
        lambda: make(zone, **options),  # type: ignore[arg-type]
        local_addr=("127.0.0.1", 0),
    )
    try:
        yield server
    finally:
        transport.close()
        await asyncio.sleep(0)

"""Name servers of others: what they make us do is bounded, and what does not answer our question is not believed."""

from __future__ import annotations

import dns.message
import dns.rrset
import pytest

from sip.core import Address
from sip.transport import ResolutionError, Resolver
from tests.unit.dns_server import DnsServer, Zone, dns_server


def resolver(server: DnsServer) -> Resolver:
    return Resolver(nameservers=["127.0.0.1"], dns_port=server.port, timeout_s=3.0)


async def test_thousands_of_records_lead_to_sixteen_addresses() -> None:
    services = [f"0 0 5060 host{number}.test." for number in range(900)]
    zone: Zone = {("_sip._udp.many.test", "SRV"): services, ("many.test", "TXT"): ["x"]}
    for number in range(900):
        zone[f"host{number}.test", "A"] = [
            f"127.{1 + number // 250}.{number % 250}.{at}" for at in range(1, 4)
        ]
    async with dns_server(zone) as server:
        found = await resolver(server).resolve("many.test", None, "udp", family=4)
        assert len(found) == 16
        assert len(server.asked) <= 20


async def test_names_that_lead_in_a_circle_are_given_up() -> None:
    zone: Zone = {("a.test", "CNAME"): ["b.test."], ("b.test", "CNAME"): ["a.test."]}
    async with dns_server(zone) as server:
        with pytest.raises(ResolutionError):
            await resolver(server).resolve("a.test", 5060, "udp", family=4)
        assert len(server.asked) < 50


class Forger(DnsServer):
    """Sends answers under other numbers than ours before the right one, whole or cut off."""

    def datagram_received(self, data: bytes, source: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        for number in range(1, 60):
            reply = dns.message.make_response(query)
            reply.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", "A", "127.6.6.6"))
            reply.id = (query.id + number) & 0xFFFF
            self._transport.sendto(reply.to_wire()[: 12 if number % 3 == 0 else None], source)
        super().datagram_received(data, source)


async def test_answers_under_another_number_are_not_believed() -> None:
    async with dns_server({("right.test", "A"): ["127.0.0.1"]}, made_by=Forger) as server:
        found = await resolver(server).resolve("right.test", 5060, "udp", family=4)
    assert found == [Address("127.0.0.1", 5060, "udp")]

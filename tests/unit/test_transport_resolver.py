"""Names to addresses, asked of a real DNS server on this machine."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from sip.core import Address
from sip.transport import ResolutionError, ResolutionFailure, Resolver

from .dns_server import DnsServer, dns_server

EMPTY = Path("/dev/null")


def resolver(server: DnsServer, hosts: Path = EMPTY, timeout_s: float = 5.0, **options: object) -> Resolver:
    return Resolver(  # type: ignore[arg-type]
        nameservers=["127.0.0.1"], dns_port=server.port, hosts_file=hosts, timeout_s=timeout_s, **options
    )


async def failure(asking: object) -> ResolutionError:
    with pytest.raises(ResolutionError) as caught:
        await asking  # type: ignore[misc]
    return caught.value


class TestLiterals:
    """An address needs no name server."""

    @pytest.mark.parametrize(
        ("host", "port", "transport", "secure", "expected"),
        [
            ("192.0.2.1", None, None, False, Address("192.0.2.1", 5060, "udp")),
            ("192.0.2.1", 5070, "tcp", False, Address("192.0.2.1", 5070, "tcp")),
            ("192.0.2.1", None, "tls", False, Address("192.0.2.1", 5061, "tls")),
            ("192.0.2.1", None, None, True, Address("192.0.2.1", 5061, "tls")),
            ("[2001:db8::1]", None, None, False, Address("2001:db8::1", 5060, "udp")),
            ("2001:DB8::1", 5062, None, False, Address("2001:db8::1", 5062, "udp")),
        ],
    )
    async def test_address(self, host, port, transport, secure, expected) -> None:
        async with dns_server({}) as server:
            assert await resolver(server).resolve(host, port, transport, secure) == [expected]
            assert server.asked == []

    async def test_address_of_the_other_family(self) -> None:
        async with dns_server({}) as server:
            error = await failure(resolver(server).resolve("192.0.2.1", None, None, family=6))
            assert error.kind is ResolutionFailure.NO_ANSWER


class TestAddresses:
    """A and AAAA records."""

    async def test_a_port_leads_straight_to_the_address(self) -> None:
        zone = {
            ("sip.example", "A"): ["192.0.2.1"],
            ("_sip._udp.sip.example", "SRV"): ["1 1 9 other.example."],
        }
        async with dns_server(zone) as server:
            found = await resolver(server).resolve("sip.example", 5070, "udp")
            assert found == [Address("192.0.2.1", 5070, "udp")]
            assert {kind for _, kind in server.asked} == {"A", "AAAA"}

    async def test_both_families_ipv4_first_or_the_wanted_one(self) -> None:
        zone = {("sip.example", "A"): ["192.0.2.1", "192.0.2.2"], ("sip.example", "AAAA"): ["2001:db8::1"]}
        async with dns_server(zone) as server:
            ours = resolver(server)
            both = await ours.resolve("sip.example", 1, "tcp")
            assert [address.host for address in both][2:] == ["2001:db8::1"]
            assert {address.host for address in both[:2]} == {"192.0.2.1", "192.0.2.2"}
            six = await ours.resolve("sip.example", 1, "tcp", family=6)
            assert six == [Address("2001:db8::1", 1, "tcp")]

    async def test_alias(self) -> None:
        zone = {("www.example", "CNAME"): ["sip.example."], ("sip.example", "A"): ["192.0.2.1"]}
        async with dns_server(zone) as server:
            assert await resolver(server).resolve("www.example", 1, "udp") == [Address("192.0.2.1", 1, "udp")]

    async def test_default_ports(self) -> None:
        zone = {("sip.example", "A"): ["192.0.2.1"]}
        async with dns_server(zone) as server:
            ours = resolver(server)
            assert await ours.resolve("sip.example", None, "udp") == [Address("192.0.2.1", 5060, "udp")]
            assert await ours.resolve("sip.example", None, "tls") == [Address("192.0.2.1", 5061, "tls")]
            assert await ours.resolve("sip.example", None, None) == [Address("192.0.2.1", 5060, "udp")]
            assert await ours.resolve("sip.example", None, None, True) == [Address("192.0.2.1", 5061, "tls")]

    async def test_name_in_chinese(self) -> None:
        zone = {("xn--fiqs8s.example", "A"): ["192.0.2.1"]}
        async with dns_server(zone) as server:
            found = await resolver(server).resolve("中国.example", 1, "udp")
            assert found == [Address("192.0.2.1", 1, "udp")]

    async def test_answers_are_kept_for_their_time_to_live(self) -> None:
        async with dns_server({("sip.example", "A"): ["192.0.2.1"]}) as server:
            ours = resolver(server)
            for _ in range(3):
                await ours.resolve("sip.example", 1, "udp", family=4)
            assert server.asked == [("sip.example", "A")]

    async def test_answers_without_time_to_live_are_not_kept(self) -> None:
        zone = {("sip.example", "A"): ["192.0.2.1"]}
        async with dns_server(zone, ttl=0) as server:
            ours = resolver(server)
            await ours.resolve("sip.example", 1, "udp", family=4)
            zone["sip.example", "A"] = ["192.0.2.9"]
            found = await ours.resolve("sip.example", 1, "udp", family=4)
            assert found == [Address("192.0.2.9", 1, "udp")]


class TestServices:
    """SRV and NAPTR records."""

    async def test_priority_decides(self) -> None:
        zone = {
            ("_sip._tcp.example", "SRV"): [
                "20 0 5062 b.example.",
                "10 0 5061 a.example.",
                "30 0 5063 c.example.",
            ],
            ("a.example", "A"): ["192.0.2.1"],
            ("b.example", "A"): ["192.0.2.2"],
        }
        async with dns_server(zone) as server:
            found = await resolver(server).resolve("example", None, "tcp")
            # c.example has no address: the others serve.
            assert found == [Address("192.0.2.1", 5061, "tcp"), Address("192.0.2.2", 5062, "tcp")]

    async def test_weight_shares(self) -> None:
        zone = {
            ("_sip._udp.example", "SRV"): ["1 90 5060 a.example.", "1 10 5060 b.example."],
            ("a.example", "A"): ["192.0.2.1"],
            ("b.example", "A"): ["192.0.2.2"],
        }
        async with dns_server(zone) as server:
            ours = resolver(server)
            first = Counter(
                [(await ours.resolve("example", None, "udp", family=4))[0].host for _ in range(300)]
            )
        # Expected 270 and 30; a fair coin would give 150 each.
        assert first["192.0.2.1"] > 220
        assert first["192.0.2.2"] > 0

    async def test_each_transport_has_its_service(self) -> None:
        zone = {
            ("_sip._udp.example", "SRV"): ["1 1 5060 a.example."],
            ("_sip._tcp.example", "SRV"): ["1 1 5070 a.example."],
            ("_sips._tcp.example", "SRV"): ["1 1 5080 a.example."],
            ("a.example", "A"): ["192.0.2.1"],
        }
        async with dns_server(zone) as server:
            ours = resolver(server)
            assert await ours.resolve("example", None, "udp") == [Address("192.0.2.1", 5060, "udp")]
            assert await ours.resolve("example", None, "tcp") == [Address("192.0.2.1", 5070, "tcp")]
            assert await ours.resolve("example", None, "tls") == [Address("192.0.2.1", 5080, "tls")]
            assert await ours.resolve("example", None, None, secure=True) == [
                Address("192.0.2.1", 5080, "tls")
            ]
            assert await ours.resolve("example", None, None) == [Address("192.0.2.1", 5060, "udp")]

    async def test_other_transport_where_the_first_has_no_service(self) -> None:
        zone = {("_sip._tcp.example", "SRV"): ["1 1 5070 a.example."], ("a.example", "A"): ["192.0.2.1"]}
        async with dns_server(zone) as server:
            assert await resolver(server).resolve("example", None, None) == [
                Address("192.0.2.1", 5070, "tcp")
            ]

    async def test_naptr_says_which_transport_is_wanted(self) -> None:
        zone = {
            ("example", "NAPTR"): [
                '50 50 "s" "SIPS+D2T" "" _sips._tcp.example.',
                '40 50 "s" "SIP+D2S" "" _sip._sctp.example.',
                '90 50 "s" "SIP+D2T" "" _sip._tcp.elsewhere.example.',
                '100 50 "s" "SIP+D2U" "" _sip._udp.example.',
            ],
            ("_sips._tcp.example", "SRV"): ["1 1 5061 a.example."],
            ("_sip._tcp.elsewhere.example", "SRV"): ["1 1 5070 a.example."],
            ("a.example", "A"): ["192.0.2.1"],
        }
        async with dns_server(zone) as server:
            found = await resolver(server).resolve("example", None, None)
            assert found == [Address("192.0.2.1", 5061, "tls")]
            plain = resolver(server, transports=("udp", "tcp"))
            assert await plain.resolve("example", None, None) == [Address("192.0.2.1", 5070, "tcp")]

    async def test_name_server_that_ignores_naptr(self) -> None:
        zone = {("example", "A"): ["192.0.2.1"]}
        async with dns_server(zone, silent=frozenset({"NAPTR"})) as server:
            found = await resolver(server, timeout_s=2).resolve("example", None, None)
            assert found == [Address("192.0.2.1", 5060, "udp")]

    async def test_service_that_is_declared_absent(self) -> None:
        zone = {("_sip._udp.example", "SRV"): ["0 0 0 ."], ("example", "A"): ["192.0.2.1"]}
        async with dns_server(zone) as server:
            error = await failure(resolver(server).resolve("example", None, "udp"))
            assert (error.kind, error.record) == (ResolutionFailure.NO_ANSWER, "SRV")
            assert "no such service" in str(error)

    async def test_target_without_address_is_named(self) -> None:
        zone = {("_sip._udp.example", "SRV"): ["1 1 5060 gone.example."]}
        async with dns_server(zone) as server:
            error = await failure(resolver(server).resolve("example", None, "udp"))
            assert (error.name, error.kind) == ("gone.example", ResolutionFailure.VANISHED)


class TestHostsFile:
    """What the machine's own table says comes first."""

    async def test_name_of_the_table(self, tmp_path: Path) -> None:
        table = tmp_path / "hosts"
        table.write_text(
            "# 192.0.2.7 pbx\n192.0.2.8\tpbx.local PBX # the old one\n::1 pbx\n", encoding="ascii"
        )
        async with dns_server({("pbx", "A"): ["192.0.2.1"]}) as server:
            ours = resolver(server, table)
            found = await ours.resolve("pbx", None, "tcp")
            assert found == [Address("192.0.2.8", 5060, "tcp"), Address("::1", 5060, "tcp")]
            assert await ours.resolve("pbx", 9, "udp", family=6) == [Address("::1", 9, "udp")]
            assert server.asked == []

    async def test_table_without_the_wanted_family(self, tmp_path: Path) -> None:
        table = tmp_path / "hosts"
        table.write_text("::1 pbx\n", encoding="ascii")
        async with dns_server({("pbx", "A"): ["192.0.2.1"]}) as server:
            found = await resolver(server, table).resolve("pbx", 9, "udp", family=4)
            assert found == [Address("192.0.2.1", 9, "udp")]

    async def test_the_systems_own_sources_serve_without_a_table(self) -> None:
        # `localhost` is in the table of every machine, which getaddrinfo reads by itself.
        async with dns_server({}) as server:
            ours = resolver(server, ask_system=True)
            assert await ours.resolve("localhost", 9, "udp", family=4) == [Address("127.0.0.1", 9, "udp")]
            error = await failure(resolver(server).resolve("localhost", 9, "udp"))
            assert error.kind is ResolutionFailure.VANISHED


class TestFailures:
    """Each names what was asked and what came of it."""

    async def test_vanished_name(self) -> None:
        async with dns_server({}) as server:
            error = await failure(resolver(server).resolve("gone.example", None, "udp"))
            assert (error.name, error.record, error.kind) == ("gone.example", "A", ResolutionFailure.VANISHED)
            assert "vanished name" in str(error)

    async def test_name_without_address(self) -> None:
        async with dns_server({("mail.example", "MX"): ["1 a.example."]}) as server:
            error = await failure(resolver(server).resolve("mail.example", 5060, "udp", family=4))
            assert (error.kind, error.record) == (ResolutionFailure.NO_ANSWER, "A")

    async def test_silence_is_bounded(self) -> None:
        async with dns_server({}, silent=frozenset({"A", "AAAA", "SRV", "NAPTR"})) as server:
            error = await failure(resolver(server, timeout_s=0.3).resolve("slow.example", 5060, "udp"))
            assert (error.name, error.record, error.kind) == ("slow.example", "A", ResolutionFailure.TIMEOUT)
            error = await failure(resolver(server, timeout_s=0.3).resolve("slow.example", None, "tcp"))
            assert (error.name, error.record) == ("_sip._tcp.slow.example", "SRV")

    async def test_failing_name_server(self) -> None:
        async with dns_server({}, failing=True) as server:
            error = await failure(resolver(server, timeout_s=2).resolve("a.example", 5060, "udp", family=4))
            assert error.kind in (ResolutionFailure.SERVER, ResolutionFailure.TIMEOUT)
            assert "a.example A" in str(error)

    @pytest.mark.parametrize("name", ["", "a..b", "x" * 64 + ".example", ".".join(["x" * 60] * 5), "."])
    async def test_no_host_name(self, name: str) -> None:
        async with dns_server({}) as server:
            error = await failure(resolver(server).resolve(name, 5060, "udp"))
            assert error.kind in (ResolutionFailure.BAD_NAME, ResolutionFailure.VANISHED)

    async def test_many_at_once(self) -> None:
        zone = {(f"h{n}.example", "A"): [f"192.0.2.{n}"] for n in range(50)}
        async with dns_server(zone) as server:
            ours = resolver(server)
            asked = [ours.resolve(f"h{n}.example", 1, "udp", family=4) for n in range(50)]
            found = await asyncio.gather(*asked)
        assert [address[0].host for address in found] == [f"192.0.2.{n}" for n in range(50)]

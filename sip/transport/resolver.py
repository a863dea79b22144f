"""Names to addresses as RFC 3263 asks: NAPTR, SRV by priority and weight, then A and AAAA.

What stands in the hosts file is taken first; a name that DNS does not know is asked of the system, which may have
other sources. Answers are kept for their time to live.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import dns.asyncresolver
import dns.exception
import dns.name
import dns.rdatatype
import dns.resolver
from dns.rdtypes.IN.SRV import SRV

from sip.core import DEFAULT_PORTS, TRANSPORTS, Address, TransportName

from .errors import ResolutionError, ResolutionFailure

TIMEOUT_S = 5.0
NAPTR_PATIENCE = 0.3
"""The part of the time that the question for NAPTR may take."""
MAX_ADDRESSES = 16
MAX_SERVICES = 8
CACHE_SIZE = 1000
HOSTS_FILE = Path("/etc/hosts")
Family = Literal[4, 6]

_SERVICES: dict[TransportName, str] = {"udp": "_sip._udp", "tcp": "_sip._tcp", "tls": "_sips._tcp"}
"""RFC 3263 section 4.1."""
_NAPTR_SERVICES: dict[bytes, TransportName] = {b"SIP+D2U": "udp", b"SIP+D2T": "tcp", b"SIPS+D2T": "tls"}


class Resolver:
    """Looks names up. One serves a whole process; use it from one event loop.

    `nameservers` with `dns_port` replace those of the system (addresses). `ask_system` says whether the system is
    asked about names that DNS does not know: by default only without `nameservers`. `transports` are those that we
    speak, in order of preference where the other side has none.
    """

    def __init__(
        self,
        *,
        nameservers: Sequence[str] | None = None,
        dns_port: int = 53,
        transports: Sequence[TransportName] = TRANSPORTS,
        hosts_file: Path = HOSTS_FILE,
        ask_system: bool | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._transports = tuple(transports)
        self._hosts_file = hosts_file
        self._timeout_s = timeout_s
        self._ask_system = nameservers is None if ask_system is None else ask_system
        self._dns = _dns_resolver(nameservers, dns_port, timeout_s)

    async def resolve(
        self,
        host: str,
        port: int | None,
        transport: TransportName | None,
        secure: bool = False,
        family: Family | None = None,
    ) -> list[Address]:
        """Return where to send, the first to be tried first; never an empty list.

        `port` and `transport` are those that a URI names, `secure` says that it is a `sips:` one. `family` leaves
        only IPv4 (4) or IPv6 (6) addresses. Raises `ResolutionError` with name, record and kind.
        """
        chosen: TransportName | None = "tls" if secure else transport
        literal = _literal(host)
        if literal is not None:
            if family is not None and literal.version != family:
                raise _no_record(host, "A" if family == 4 else "AAAA")
            way = chosen or "udp"
            return [Address(str(literal), port or DEFAULT_PORTS[way], way)]
        question = _Question(self, _host_name(host), family)
        try:
            async with asyncio.timeout(self._timeout_s):
                found = await question.addresses(port, chosen)
        except TimeoutError:
            message = (
                f"no name server answered the question for {question.asked} within {self._timeout_s:g} s"
            )
            name, _, record = question.asked.rpartition(" ")
            raise ResolutionError(message, name=name, record=record, kind=ResolutionFailure.TIMEOUT) from None
        return list(dict.fromkeys(found))[:MAX_ADDRESSES]

    def hosts(self, name: str) -> list[str]:
        """Return the addresses of a name in the hosts file."""
        try:
            lines = self._hosts_file.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return []
        wanted, found = name.rstrip(".").lower(), []
        for line in lines:
            address, *names = line.partition("#")[0].split() or [""]
            if wanted in (known.lower() for known in names) and _literal(address) is not None:
                found.append(address)
        return found

    async def records(self, name: str, record: str, patience: float = 1.0) -> dns.resolver.Answer:
        """Ask DNS, for this part of the time there is. Raises `ResolutionError`."""
        if self._dns is None:
            raise _vanished(name, record)
        try:
            return await self._dns.resolve(name, record, search=False, lifetime=self._timeout_s * patience)
        except dns.resolver.NXDOMAIN as error:
            raise _vanished(name, record) from error
        except dns.resolver.NoAnswer as error:
            raise _no_record(name, record) from error
        except dns.exception.Timeout as error:
            message = f"no name server answered the question for {name} {record}"
            raise ResolutionError(
                message, name=name, record=record, kind=ResolutionFailure.TIMEOUT
            ) from error
        except (dns.exception.DNSException, OSError) as error:
            message = f"the name servers could not answer the question for {name} {record}: {error}"
            raise ResolutionError(message, name=name, record=record, kind=ResolutionFailure.SERVER) from error

    async def system_addresses(self, name: str) -> list[str]:
        """Ask the system, whatever its sources are; an empty list if it knows nothing."""
        if not self._ask_system:
            return []
        try:
            found = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_DGRAM)
        except (OSError, UnicodeError):
            return []
        return [str(entry[4][0]) for entry in found]

    @property
    def transports(self) -> tuple[TransportName, ...]:
        """What we speak."""
        return self._transports


class _Question:
    """One name on its way to addresses."""

    def __init__(self, resolver: Resolver, name: str, family: Family | None) -> None:
        self._resolver = resolver
        self._name = name
        self._family = family
        self.asked = f"{name} A"
        """Name and record of the question under way."""

    async def addresses(self, port: int | None, transport: TransportName | None) -> list[Address]:
        if port is None and not self._resolver.hosts(self._name):
            found = await self._by_service(transport)
            if found:
                return found
        way = transport or "udp"
        hosts = await self._hosts(self._name)
        return [Address(host, port or DEFAULT_PORTS[way], way) for host in hosts]

    async def _by_service(self, transport: TransportName | None) -> list[Address]:
        """Follow NAPTR and SRV; an empty list where there are none."""
        wanted = self._resolver.transports if transport is None else (transport,)
        services = await self._naptr() if transport is None else []
        services = services or [(f"{_SERVICES[way]}.{self._name}", way) for way in wanted]
        for name, way in services[:MAX_SERVICES]:
            targets = await self._srv(name)
            if targets:
                return await self._targets(targets, way)
        return []

    async def _naptr(self) -> list[tuple[str, TransportName]]:
        """Return names of SRV records and their transports, in the order that the other side wants."""
        try:
            # Some small name servers never answer questions of this kind; the usual records decide then.
            answer = await self._ask(self._name, "NAPTR", NAPTR_PATIENCE)
        except ResolutionError:
            return []
        found = []
        for record in sorted(answer, key=lambda record: (record.order, record.preference)):
            way = _NAPTR_SERVICES.get(record.service.upper())
            if way in self._resolver.transports and way is not None and record.flags.lower() == b"s":
                found.append((record.replacement.to_text(omit_final_dot=True), way))
        return found

    async def _srv(self, name: str) -> list[tuple[str, int]]:
        """Return hosts and ports by priority and weight (RFC 2782); an empty list without such records."""
        try:
            answer = await self._ask(name, "SRV")
        except ResolutionError as error:
            if error.kind in (ResolutionFailure.VANISHED, ResolutionFailure.NO_ANSWER):
                return []
            raise
        records = answer.rrset.processing_order() if answer.rrset is not None else []
        found = [
            (record.target.to_text(omit_final_dot=True), record.port)
            for record in records
            if isinstance(record, SRV) and record.target != dns.name.root
        ]
        if not found:
            message = f"{name} SRV says that there is no such service"
            raise ResolutionError(message, name=name, record="SRV", kind=ResolutionFailure.NO_ANSWER)
        return found

    async def _targets(self, targets: list[tuple[str, int]], way: TransportName) -> list[Address]:
        found: list[Address] = []
        failure: ResolutionError | None = None
        for host, port in targets[:MAX_ADDRESSES]:
            try:
                found += [Address(address, port, way) for address in await self._hosts(host)]
            except ResolutionError as error:
                failure = failure or error
        if not found and failure is not None:
            raise failure
        return found

    async def _hosts(self, name: str) -> list[str]:
        """Return the addresses of a host name, of the wanted family, IPv4 first."""
        listed = self._fitting(self._resolver.hosts(name))
        if listed:
            return listed
        found: list[str] = []
        failure: ResolutionError | None = None
        for record, family in (("A", 4), ("AAAA", 6)):
            if self._family in (None, family):
                try:
                    found += [entry.address for entry in await self._ask(name, record)]
                except ResolutionError as error:
                    failure = failure or error
        if not found and failure is not None and failure.kind is not ResolutionFailure.TIMEOUT:
            found = self._fitting(await self._resolver.system_addresses(name))
        if not found:
            raise failure or _no_record(name, "A")
        return found

    def _fitting(self, addresses: list[str]) -> list[str]:
        literals = [literal for text in addresses if (literal := _literal(text)) is not None]
        fitting = [literal for literal in literals if self._family in (None, literal.version)]
        return [str(literal) for literal in sorted(fitting, key=lambda literal: literal.version)]

    async def _ask(self, name: str, record: str, patience: float = 1.0) -> dns.resolver.Answer:
        self.asked = f"{name} {record}"
        return await self._resolver.records(name, record, patience)


def _dns_resolver(
    nameservers: Sequence[str] | None, port: int, timeout_s: float
) -> dns.asyncresolver.Resolver | None:
    try:
        resolver = dns.asyncresolver.Resolver(configure=nameservers is None)
    except dns.resolver.NoResolverConfiguration:
        return None
    if nameservers is not None:
        resolver.nameservers = list(nameservers)
        resolver.port = port
    resolver.lifetime = timeout_s
    resolver.cache = dns.resolver.LRUCache(CACHE_SIZE)
    return resolver


def _literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


def _host_name(text: str) -> str:
    """Return the name as DNS writes it. Raises `ResolutionError` for what is none."""
    try:
        name = dns.name.from_text(text, idna_codec=dns.name.IDNA_2003_Practical)
        # The longest service label must fit before it.
        dns.name.from_text(_SERVICES["tls"], None).concatenate(name)
        return name.to_text(omit_final_dot=True)
    except (dns.exception.DNSException, UnicodeError) as error:
        raise ResolutionError(
            f"{text!r} is no host name: {error}", name=text, kind=ResolutionFailure.BAD_NAME
        ) from error


def _vanished(name: str, record: str) -> ResolutionError:
    message = f"{name} has no address: DNS does not know the name (vanished name, NXDOMAIN for {record})"
    return ResolutionError(message, name=name, record=record, kind=ResolutionFailure.VANISHED)


def _no_record(name: str, record: str) -> ResolutionError:
    message = f"{name} has no address: the name has no {record} record"
    return ResolutionError(message, name=name, record=record, kind=ResolutionFailure.NO_ANSWER)

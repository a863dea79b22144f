"""A registering trunk through the phone's face. The registrar is a socket of the test that answers as it is told."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import cast

import pytest

from sip.core import Address, Credentials
from sip.guard import DialPolicy
from sip.phone import Phone, Script, Trunk
from sip.transport import Resolver
from sip.trunks import Caps, Registration

from .dns_server import dns_server

pytestmark = [pytest.mark.timeout(60)]

NUMBER = "0917-3262000"
OURS = Registration(user="62")


def answer_to(request: bytes, status: int = 200) -> bytes:
    """A response without body; the Contact of a REGISTER is bound as it was asked for."""
    kept = ("Via", "From", "Call-ID", "CSeq", *(("Contact",) if request.startswith(b"REGISTER") else ()))
    lines = request.decode().partition("\r\n\r\n")[0].split("\r\n")
    fields = [line for line in lines if line.partition(":")[0] in kept]
    to = next(line for line in lines if line.startswith("To:"))
    return "\r\n".join(
        [f"SIP/2.0 {status} X", *fields, f"{to};tag=far", "Content-Length: 0", "", ""]
    ).encode()


@dataclass
class Registrar(asyncio.DatagramProtocol):
    """Keeps what it is asked and answers with `status`; None: not at all."""

    status: int | None = 200
    asked: list[str] = field(default_factory=list)
    local: Address = field(init=False)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)
        self.local = Address(*transport.get_extra_info("sockname")[:2])

    def datagram_received(self, data: bytes, source: tuple[str, int]) -> None:
        if not data.strip():
            return
        self.asked.append(data.decode())
        if self.status is not None:
            self._transport.sendto(answer_to(data, self.status), source)

    def values(self, method: str, name: str) -> list[str]:
        """What each request of the method says in a header field; "" for the request line."""
        requests = [text for text in self.asked if text.startswith(method)]
        if not name:
            return [text.partition("\r\n")[0] for text in requests]
        return [found[1] for text in requests if (found := re.search(rf"\n{name}: (.*)\r", text))]

    async def close(self) -> None:
        self._transport.close()
        # The socket is released in the next turn of the loop.
        await asyncio.sleep(0)


async def listen(host: str = "127.0.0.1", port: int = 0, **options: object) -> Registrar:
    loop = asyncio.get_running_loop()
    made = await loop.create_datagram_endpoint(
        lambda: Registrar(**options),  # type: ignore[arg-type]
        local_addr=(host, port),
    )
    return made[1]


@pytest.fixture
async def registrar() -> AsyncIterator[Registrar]:
    opened = await listen()
    yield opened
    await opened.close()


def trunk(far: Address, **changes: object) -> Trunk:
    values: dict[str, object] = {"registration": OURS, "caps": Caps.unlimited(), **changes}
    return Trunk(name="main", server=far.host, port=far.port, transport=far.transport, **values)  # type: ignore[arg-type]


def phone_on(*trunks: Trunk, resolver: Resolver | None = None) -> Phone:
    return Phone(trunks, policy=DialPolicy.open(), resolver=resolver)


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(15):
        while not holds():
            await asyncio.sleep(0.01)


async def test_a_binding_is_made_and_given_up(registrar: Registrar) -> None:
    async with phone_on(trunk(registrar.local)) as phone:
        await until(lambda: phone.trunks()[0].state == "up")
    assert registrar.values("REGISTER", "Expires") == ["600", "0"]
    assert registrar.values("REGISTER", "To") == ["<sip:62@127.0.0.1>"] * 2
    assert registrar.values("REGISTER", "")[0] == "REGISTER sip:127.0.0.1 SIP/2.0"


async def test_a_registrar_at_an_ipv6_address_is_asked_under_its_whole_address() -> None:
    registrar = await listen("::1")
    async with phone_on(trunk(registrar.local)) as phone:
        await until(lambda: phone.trunks()[0].state == "up")
    await registrar.close()
    assert registrar.values("REGISTER", "")[0] == "REGISTER sip:[::1] SIP/2.0"
    assert registrar.values("REGISTER", "To")[0] == "<sip:62@[::1]>"


@pytest.mark.parametrize(
    ("changes", "user"),
    [
        ({"from_uri": "sip:3262000@county.example"}, "3262000"),
        ({"from_uri": "tel:+869173262000"}, "+869173262000"),
        ({"credentials": Credentials("+869173262000@ims.example", "x")}, "+869173262000"),
    ],
)
async def test_whom_we_register_where_the_settings_do_not_say(
    registrar: Registrar, changes: dict[str, object], user: str
) -> None:
    async with phone_on(trunk(registrar.local, registration=Registration(), **changes)):
        await until(lambda: registrar.asked)
    assert registrar.values("REGISTER", "To")[0] == f"<sip:{user}@127.0.0.1>"


async def test_a_trunk_without_any_user_says_so_at_once(registrar: Registrar) -> None:
    async with phone_on(trunk(registrar.local, registration=Registration())) as phone:
        record = await asyncio.wait_for(phone.call(NUMBER, Script()), 5)
    assert registrar.asked == []
    assert record.our_failure
    assert "user" in record.errors[0]


@pytest.mark.parametrize(("status", "alarm"), [(403, "registration_failed"), (401, "bad_credentials")])
async def test_a_trunk_that_is_refused_carries_no_call(registrar: Registrar, status: int, alarm: str) -> None:
    registrar.status = status
    async with phone_on(trunk(registrar.local)) as phone:
        record = await phone.call(NUMBER, Script())
        assert phone.trunks()[0].state == "down"
    assert (record.outcome, record.our_failure, record.targets) == ("network_failure", True, ())
    assert str(status) in record.errors[0]
    assert alarm in record.alarms
    assert registrar.values("INVITE", "") == []


async def test_what_never_left_does_not_use_up_the_quota_of_a_number(registrar: Registrar) -> None:
    registrar.status = 403
    caps = Caps(concurrency=None, calls_per_s=None, per_called=(1, 3600.0))
    async with phone_on(trunk(registrar.local, caps=caps)) as phone:
        records = [await phone.call(NUMBER, Script()) for _ in range(2)]
    assert ["not registered" in record.errors[0] for record in records] == [True, True]
    assert all("caps_reached" not in record.alarms for record in records)


async def test_a_phone_that_is_closed_while_it_registers_leaves_no_binding(registrar: Registrar) -> None:
    registrar.status = None
    async with phone_on(trunk(registrar.local)):
        await until(lambda: registrar.asked)
        registrar.status = 200
    assert registrar.values("REGISTER", "Expires")[-1] == "0"


async def test_a_registrar_that_ends_each_connection_is_not_flooded() -> None:
    asked = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        request = await reader.readuntil(b"\r\n\r\n")
        asked += 1
        writer.write(answer_to(request))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    far = Address("127.0.0.1", server.sockets[0].getsockname()[1], "tcp")
    async with phone_on(trunk(far)) as phone:
        await until(lambda: asked >= 2)
        await asyncio.sleep(0.5)
        assert phone.trunks()[0].registered_until is not None
    server.close()
    await server.wait_closed()
    # The first, the one at once after the loss, and the last, which gives the binding up.
    assert asked <= 3


async def test_a_server_of_two_addresses_that_were_both_silent_is_found_again() -> None:
    """Each address is tried again, not only the last one: the first may be the one that comes back."""
    second = await listen("127.0.0.3", status=None)
    port = second.local.port
    async with dns_server({("far.test", "A"): ["127.0.0.2", "127.0.0.3"]}) as names:
        await second.close()
        resolver = Resolver(nameservers=["127.0.0.1"], dns_port=names.port)
        two = Trunk(name="main", server="far.test", port=port, registration=OURS, caps=Caps.unlimited())
        async with phone_on(two, resolver=resolver) as phone:
            watch = phone._lines["main"]._watch
            places: set[str] = set()
            for _ in range(4):
                await until(lambda: watch._client is not None and watch._client.state == "Waiting")
                await asyncio.sleep(0.1)
                assert watch._client is not None
                assert watch._agent is not None
                # The wait of half a minute is over.
                watch._client.refresh(asyncio.get_running_loop().time())
                watch._agent.flush()
                await asyncio.sleep(0.3)
                places.add(str(watch._destination))
            assert places == {f"127.0.0.2:{port}", f"127.0.0.3:{port}"}


async def test_calls_go_to_the_address_that_we_are_registered_at() -> None:
    """The server's other addresses may not know us, even one that is to be preferred by now."""
    here = await listen("127.0.0.3")
    there = await listen("127.0.0.2", status=None)
    service = ("_sip._udp.far.test", "SRV")
    zone = {
        ("here.far.test", "A"): ["127.0.0.3"],
        ("there.far.test", "A"): ["127.0.0.2"],
        service: [f"10 0 {here.local.port} here.far.test."],
    }
    async with dns_server(zone, ttl=0) as names:
        resolver = Resolver(nameservers=["127.0.0.1"], dns_port=names.port)
        named = Trunk(name="main", server="far.test", registration=OURS, caps=Caps.unlimited())
        async with phone_on(named, resolver=resolver) as phone:
            await until(lambda: phone.trunks()[0].state == "up")
            zone[service].append(f"1 0 {there.local.port} there.far.test.")
            here.status = 404
            record = await phone.call(NUMBER, Script(max_ring_s=1))
            here.status = 200
    await here.close()
    await there.close()
    assert (record.sip_status, there.asked) == (404, [])


async def test_an_interrupt_does_not_wait_for_a_silent_registrar(registrar: Registrar) -> None:
    registrar.status = None
    stop = asyncio.Event()
    async with phone_on(trunk(registrar.local)) as phone:
        calling = asyncio.create_task(phone.call(NUMBER, Script(), stop=stop))
        await until(lambda: registrar.asked)
        stop.set()
        # Timer F and the wait for the registrar's first answer are both longer than this.
        record = await asyncio.wait_for(calling, 5)
    assert (record.outcome, record.our_failure, record.targets) == ("cancelled", False, ())
    assert registrar.values("INVITE", "") == []

"""TLS on real sockets with certificates made for the test: who is trusted, and how every failure is named."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import logging
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sip.core import Address
from sip.transport import (
    StreamLimits,
    StreamTransport,
    TlsError,
    TlsSettings,
    TransportFailure,
    Trouble,
    certificate_times,
)
from tests.interop.certificates import Authority, Identity
from tests.peers import program

from .stream_peers import TLS, Ear, closed_port, message, peer_to, server, streams, until

pytestmark = pytest.mark.peer("openssl")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def line(authority: Authority) -> Identity:
    """The certificate of a line at 127.0.0.1."""
    return authority.identity("line")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("stranger"))


def shown(identity: Identity) -> TlsSettings:
    return TlsSettings(certificate=identity.certificate, key=identity.key)


@contextlib.asynccontextmanager
async def tls_server(
    identity: Identity, clients: Path | None = None, received: list[bytes] | None = None
) -> AsyncIterator[Address]:
    """A far end that is not ours and answers nothing; with `clients` it demands certificates of that authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity.certificate, identity.key)
    if clients is not None:
        context.load_verify_locations(clients)
        context.verify_mode = ssl.CERT_REQUIRED
    writers = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with contextlib.suppress(OSError):
            while data := await reader.read(1000):
                if received is not None:
                    received.append(data)
        writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context, ssl_shutdown_timeout=0.5)
    try:
        yield Address(*listener.sockets[0].getsockname(), "tls")
    finally:
        listener.close()
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def strict_server(identity: Identity, *, tells_why: bool = True) -> AsyncIterator[Address]:
    """A far end that demands a client certificate of an authority of its own, and says so by a TLS alert, or not."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity.certificate, identity.key)
    context.load_verify_locations(identity.certificate)
    context.verify_mode = ssl.CERT_REQUIRED

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        session = context.wrap_bio(incoming, outgoing, server_side=True)
        refused = False
        while data := await reader.read(65_536):
            incoming.write(data)
            try:
                session.do_handshake()
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError:
                refused = True
            if refused and not tells_why:
                break
            writer.write(outgoing.read())
        writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield Address(*listener.sockets[0].getsockname(), "tls")
    finally:
        listener.close()
        await asyncio.sleep(0.02)


async def trouble_towards(address: Address, settings: TlsSettings, name: str | None = None) -> Trouble:
    """What becomes of a message sent there."""
    async with streams(TLS, tls=settings, limits=StreamLimits(check_s=0.02, connect_s=2)) as (transport, ear):
        if name is not None:
            transport.expect_name(address, name)
        transport.send(message(), address, ear.on_sent)
        await until(lambda: ear.troubles)
        return ear.trouble


async def test_messages_in_both_directions(authority: Authority, line: Identity) -> None:
    trusting = TlsSettings(ca_file=authority.ca_file)
    async with streams(TLS, tls=shown(line)) as (ours, heard), streams(TLS, tls=trusting) as (phone, ear):
        phone.send(message(), ours.local, ear.on_sent)
        await until(lambda: heard.messages)
        data, source, _, clock = heard.messages[0]
        assert (data, source.transport, clock) == (message(), "tls", "user")
        ours.send(message(2), source)
        await until(lambda: ear.messages)
        assert ear.messages[0][:2] == (message(2), ours.local)


async def test_our_certificate_is_shown_where_it_is_demanded(authority: Authority, line: Identity) -> None:
    us = authority.identity("client")
    settings = TlsSettings(ca_file=authority.ca_file, certificate=us.certificate, key=us.key)
    received: list[bytes] = []
    async with (
        tls_server(line, authority.ca_file, received) as address,
        streams(TLS, tls=settings) as (phone, ear),
    ):
        phone.send(message(), address, ear.on_sent)
        await until(lambda: received)
        assert received == [message()]
        assert ear.troubles == []


async def test_without_a_certificate_nobody_is_let_in_and_the_port_is_kept() -> None:
    async with streams(TLS, tls=TlsSettings()) as (transport, _):
        with pytest.raises(OSError, match="Connect call failed"):
            await asyncio.open_connection(*transport.local[:2])
        with pytest.raises(OSError, match="in use"):
            await asyncio.start_server(lambda reader, writer: None, *transport.local[:2])


class TestRefusals:
    """A certificate that does not convince, by kind."""

    async def test_authority_of_the_system_does_not_know_ours(self, line: Identity) -> None:
        async with tls_server(line) as address:
            trouble = await trouble_towards(address, TlsSettings())
        assert (trouble.kind, trouble.unsent) == (TransportFailure.TLS_UNTRUSTED, True)
        assert "unknown authority" in trouble.reason

    async def test_self_signed(self, authority: Authority, stranger: Authority) -> None:
        itself = Identity(stranger.ca_file, stranger.ca_file.with_name("ca.key"))
        async with tls_server(itself) as address:
            trouble = await trouble_towards(address, TlsSettings(ca_file=authority.ca_file))
        assert trouble.kind is TransportFailure.TLS_UNTRUSTED
        assert "self-signed" in trouble.reason

    async def test_expired(self, authority: Authority) -> None:
        async with tls_server(authority.identity("old", days=-1)) as address:
            trouble = await trouble_towards(address, TlsSettings(ca_file=authority.ca_file))
        assert trouble.kind is TransportFailure.TLS_EXPIRED
        assert "their certificate has expired" in trouble.reason

    async def test_other_address(self, authority: Authority) -> None:
        other = authority.identity("other", names="subjectAltName=IP:192.0.2.1,DNS:sip.example")
        async with tls_server(other) as address:
            trouble = await trouble_towards(address, TlsSettings(ca_file=authority.ca_file))
        assert trouble.kind is TransportFailure.TLS_NAME
        assert "127.0.0.1" in trouble.reason

    async def test_other_name(self, authority: Authority, line: Identity) -> None:
        settings = TlsSettings(ca_file=authority.ca_file, server_name="sip.example")
        async with tls_server(line) as address:
            trouble = await trouble_towards(address, settings)
        assert trouble.kind is TransportFailure.TLS_NAME
        assert "not for sip.example" in trouble.reason

    async def test_name_that_was_resolved_goes_before_the_setting(
        self, authority: Authority, line: Identity
    ) -> None:
        settings = TlsSettings(ca_file=authority.ca_file, server_name="localhost")
        async with tls_server(line) as address:
            trouble = await trouble_towards(address, settings, name="proxy.example")
        assert "not for proxy.example" in trouble.reason

    async def test_client_certificate_demanded(self, authority: Authority, line: Identity) -> None:
        async with strict_server(line) as address:
            trouble = await trouble_towards(address, TlsSettings(ca_file=authority.ca_file))
        assert (trouble.kind, trouble.unsent) == (TransportFailure.TLS_OTHER, False)
        assert "they demand a client certificate" in trouble.reason

    async def test_our_certificate_is_not_trusted(
        self, authority: Authority, line: Identity, stranger: Authority
    ) -> None:
        us = stranger.identity("us")
        settings = TlsSettings(ca_file=authority.ca_file, certificate=us.certificate, key=us.key)
        async with strict_server(line) as address:
            trouble = await trouble_towards(address, settings)
        assert trouble.kind is TransportFailure.TLS_UNTRUSTED
        assert "our certificate" in trouble.reason

    async def test_closed_without_a_word_after_the_handshake(
        self, authority: Authority, line: Identity
    ) -> None:
        async with strict_server(line, tells_why=False) as address:
            trouble = await trouble_towards(address, TlsSettings(ca_file=authority.ca_file))
        assert (trouble.kind, trouble.unsent) == (TransportFailure.TLS_OTHER, False)
        assert "right after the TLS handshake" in trouble.reason

    async def test_no_tls_there(self, authority: Authority) -> None:
        async with server() as plain:
            address = plain.address._replace(transport="tls")
            sending = asyncio.create_task(trouble_towards(address, TlsSettings(ca_file=authority.ca_file)))
            (await plain.peer()).writer.write(b"SIP/2.0 400 Bad Request\r\n\r\n")
            trouble = await sending
        assert trouble.kind is TransportFailure.TLS_OTHER
        assert "does not speak TLS" in trouble.reason

    async def test_closed_during_the_handshake(self, authority: Authority) -> None:
        async with server() as plain:
            address = plain.address._replace(transport="tls")
            sending = asyncio.create_task(trouble_towards(address, TlsSettings(ca_file=authority.ca_file)))
            await (await plain.peer()).close()
            trouble = await sending
        assert trouble.unsent
        assert trouble.kind in (TransportFailure.TLS_OTHER, TransportFailure.REFUSED)

    async def test_closed_port(self) -> None:
        with closed_port() as address:
            trouble = await trouble_towards(address._replace(transport="tls"), TlsSettings())
        assert trouble.kind is TransportFailure.REFUSED


async def test_name_decides_where_the_address_alone_would_not(authority: Authority) -> None:
    named = authority.identity("named", names="subjectAltName=DNS:sip.example")
    async with (
        streams(TLS, tls=TlsSettings(ca_file=authority.ca_file)) as (transport, ear),
        tls_server(named) as far,
    ):
        transport.expect_name(far, "sip.example")
        transport.send(message(), far, ear.on_sent)
        await until(lambda: ear.sent)
        # Another name on the same address: what was verified for the first does not count.
        transport.expect_name(far, "other.example")
        transport.send(message(), far, ear.on_sent)
        await until(lambda: ear.troubles)
        assert ear.trouble.kind is TransportFailure.TLS_NAME
        assert len(ear.sent) == 1


async def test_verification_is_switched_off_loudly_and_once(
    stranger: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    settings = TlsSettings(verify=False, server_name="anything.example")
    with caplog.at_level(logging.WARNING):
        async with tls_server(stranger.identity("any")) as address:
            for _ in range(2):
                async with streams(TLS, tls=settings) as (transport, ear):
                    transport.send(message(), address, ear.on_sent)
                    await until(lambda ear=ear: ear.sent)
    assert [record.message for record in caplog.records if "not verified" in record.message] == [
        "TLS certificates are not verified (verify is off): anybody may answer in their place"
    ]


async def test_client_that_never_finishes_the_handshake_is_dropped(line: Identity) -> None:
    limits = StreamLimits(check_s=0.02, connect_s=0.3, connections=1)
    async with streams(TLS, tls=shown(line), limits=limits) as (transport, ear):
        async with peer_to(transport.local) as slow:
            assert await slow.closed() == b""
        # Its place is free again.
        async with streams(TLS, tls=TlsSettings(verify=False)) as (other, sending):
            await until(lambda: other.send(message(), transport.local, sending.on_sent) or ear.messages)
            await until(lambda: ear.messages)


class TestOurOwnFiles:
    """Mistakes of ours are named before anything is sent."""

    def fails(self, settings: TlsSettings) -> str:
        ear = Ear()
        with pytest.raises(TlsError) as caught:
            StreamTransport.open(TLS, ear.on_message, ear.on_refused, tls=settings)
        return str(caught.value)

    async def test_missing_file(self, tmp_path: Path) -> None:
        assert "nothing.pem cannot be read" in self.fails(TlsSettings(ca_file=tmp_path / "nothing.pem"))
        assert "nothing.pem cannot be read" in self.fails(TlsSettings(certificate=tmp_path / "nothing.pem"))

    async def test_not_a_certificate(self, tmp_path: Path) -> None:
        text = tmp_path / "text.pem"
        text.write_text("hello", encoding="ascii")
        assert "no certificate of an authority" in self.fails(TlsSettings(ca_file=text))
        assert "no certificate in PEM form" in self.fails(TlsSettings(certificate=text))

    async def test_damaged_certificate(self, line: Identity, tmp_path: Path) -> None:
        damaged = tmp_path / "damaged.pem"
        lines = line.certificate.read_text().splitlines()
        damaged.write_text("\n".join([*lines[:2], *lines[-1:]]), encoding="ascii")
        assert "cannot be read" in self.fails(TlsSettings(certificate=damaged))
        assert "cannot be used" in self.fails(TlsSettings(ca_file=damaged))

    async def test_expired_certificate_of_ours(self, authority: Authority) -> None:
        old = authority.identity("ours", days=-1)
        assert "expired on" in self.fails(shown(old))

    async def test_no_key(self, line: Identity) -> None:
        assert "holds no private key" in self.fails(TlsSettings(certificate=line.certificate))

    async def test_key_of_another(self, line: Identity, authority: Authority) -> None:
        other = authority.identity("mismatch")
        settings = TlsSettings(certificate=line.certificate, key=other.key)
        assert "does not belong to the certificate" in self.fails(settings)

    async def test_encrypted_key_is_not_asked_for_on_the_terminal(
        self, line: Identity, tmp_path: Path
    ) -> None:
        locked = tmp_path / "locked.key"
        words = [program("openssl"), "ec", "-in", line.key, "-aes128", "-passout", "pass:x", "-out", locked]
        subprocess.run(words, check=True, capture_output=True, timeout=30)
        settings = TlsSettings(certificate=line.certificate, key=locked)
        assert "encrypted" in self.fails(settings)

    async def test_certificate_and_key_in_one_file(self, line: Identity) -> None:
        async with streams(TLS, tls=TlsSettings(certificate=line.both())) as (transport, _):
            assert transport.local.port

    def test_times_of_a_certificate(self, line: Identity) -> None:
        begins, ends = certificate_times(line.certificate)
        assert ends - begins == datetime.timedelta(days=2)
        assert begins <= datetime.datetime.now(datetime.UTC) <= ends

"""Calls through kamailio, the registrar and proxy in front of most trunks."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from sip.core import Credentials
from sip.phone import Phone, Trunk
from sip.trunks import Registration
from tests.interop.baresip import TONE_HZ, Baresip, Registrar, start_baresip
from tests.interop.calls import check_record, check_two_ways, prompt_file
from tests.interop.certificates import Authority
from tests.interop.conftest import Dial
from tests.interop.foreign import Foreigners
from tests.interop.kamailio import PASSWORD, REALM, USER, Kamailio, start_kamailio
from tests.interop.linphone import start_linphone

pytestmark = [pytest.mark.peer("kamailio"), pytest.mark.peer("baresip")]

LOGIN = ("--user", USER, "--password-env", "DUTY_SECRET")
SECRET = {"DUTY_SECRET": PASSWORD}


def registered(foreigners: Foreigners, proxy: Kamailio, name: str = "baresip") -> Baresip:
    """Start a baresip that is registered as number 62."""
    where = Registrar(f"sip:127.0.0.1:{proxy.port}", f"127.0.0.1:{proxy.port}", USER, PASSWORD)
    return start_baresip(foreigners, name=name, registrar=where)


@pytest.mark.interop("kamailio", "udp", "answer", "digest", "record-route", "media")
def test_call_through_the_proxy(foreigners: Foreigners, dial: Dial, tmp_path: Path) -> None:
    """407, the same call again with credentials, and every later request along the Record-Route."""
    proxy = start_kamailio(foreigners)
    phone = registered(foreigners, proxy)
    options = (*LOGIN, "--max-talk", "3", "--record", "call.wav", "--say", str(prompt_file(tmp_path)))
    running = dial(f"sip:62@127.0.0.1:{proxy.port}", *options, environment=SECRET)
    phone.wait_event("CALL_INCOMING")
    phone.command("accept")
    call = running.finish()
    check_record(call, "answered")
    assert [request.authorised for request in proxy.seen("INVITE")] == [False, True]
    assert call.timeline("received", status=407)
    assert len(proxy.seen("BYE")) == 1
    # The ACK of the 200; that of the 407 is taken before the script.
    assert len(proxy.seen("ACK")) == 1
    check_two_ways(call, tmp_path / "call.wav", TONE_HZ, phone.heard(), 1.5)


@pytest.mark.interop("kamailio", "digest")
@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_nobody_is_registered(foreigners: Foreigners, dial: Dial, algorithm: str) -> None:
    proxy = start_kamailio(foreigners, algorithm=algorithm)
    call = dial(f"sip:61@127.0.0.1:{proxy.port}", *LOGIN, environment=SECRET).finish()
    check_record(call, "unobtainable")
    assert call.record["sip_status"] == 404
    assert [request.authorised for request in proxy.seen("INVITE")] == [False, True]


@pytest.mark.interop("kamailio", "digest")
def test_wrong_password_is_our_own_failure(foreigners: Foreigners, dial: Dial) -> None:
    proxy = start_kamailio(foreigners)
    call = dial(f"sip:62@127.0.0.1:{proxy.port}", *LOGIN, environment={"DUTY_SECRET": "wrong"}).finish()
    check_record(call, "network_failure", exit_status=3)
    assert call.record["sip_status"] == 407
    assert len(proxy.seen("INVITE")) == 2


@pytest.mark.interop("kamailio", "far-hang-up")
def test_far_end_hangs_up_through_the_proxy(foreigners: Foreigners, dial: Dial) -> None:
    proxy = start_kamailio(foreigners)
    phone = registered(foreigners, proxy)
    running = dial(f"sip:62@127.0.0.1:{proxy.port}", *LOGIN, environment=SECRET)
    phone.wait_event("CALL_INCOMING")
    phone.command("accept")
    phone.wait_event("CALL_ESTABLISHED")
    phone.command("hangup")
    call = running.finish()
    check_record(call, "answered")
    assert call.record["ended_by"] == "them"
    assert len(proxy.seen("BYE")) == 1


@pytest.mark.interop("kamailio", "cancel")
def test_nobody_takes_the_call(foreigners: Foreigners, dial: Dial) -> None:
    proxy = start_kamailio(foreigners)
    phone = registered(foreigners, proxy)
    target = f"sip:62@127.0.0.1:{proxy.port}"
    running = dial(target, *LOGIN, "--max-ring", "1", environment=SECRET)
    phone.wait_event("CALL_INCOMING")
    phone.wait_event("CALL_CLOSED")
    call = running.finish()
    check_record(call, "no_answer")
    assert len(proxy.seen("CANCEL")) == 1


@pytest.mark.interop("kamailio", "fork")
def test_two_places_ring_and_one_answers(foreigners: Foreigners, dial: Dial) -> None:
    """The other is told so by a CANCEL; the call goes on with the one that answered."""
    proxy = start_kamailio(foreigners)
    first, second = (registered(foreigners, proxy, name) for name in ("first", "second"))
    # Long enough for a foreign phone that begins to speak late on a busy machine.
    running = dial(f"sip:62@127.0.0.1:{proxy.port}", *LOGIN, "--max-talk", "3", environment=SECRET)
    first.wait_event("CALL_INCOMING")
    second.wait_event("CALL_INCOMING")
    second.command("accept")
    first.wait_event("CALL_CLOSED")
    call = running.finish()
    check_record(call, "answered")
    assert call.record["media"]["received"] > 30
    assert "CANCEL sip:" in first.process.text()
    assert "CANCEL sip:" not in second.process.text()
    assert "BYE sip:" in second.process.text()
    # Both 180s reached us, each with a tag of its own.
    assert len(call.timeline("received", status=180)) == 2


@pytest.mark.interop("kamailio", "refused", "fork")
def test_both_places_decline(foreigners: Foreigners, dial: Dial) -> None:
    proxy = start_kamailio(foreigners)
    phones = [registered(foreigners, proxy, name) for name in ("first", "second")]
    running = dial(f"sip:62@127.0.0.1:{proxy.port}", *LOGIN, environment=SECRET)
    for phone in phones:
        phone.wait_event("CALL_INCOMING")
    for phone in phones:
        phone.command("hangup")
    call = running.finish()
    check_record(call, "rejected")
    assert len(call.timeline("received", status=486)) == 1


NUMBER = "0917-5550002"
DIALLED = "09175550002"


def trunk_environment(proxy: Kamailio, **members: object) -> dict[str, str]:
    """Return the settings of a trunk `main` that leads to this proxy, and its password."""
    trunk = {
        "host": "127.0.0.1",
        "port": proxy.port,
        "user": USER,
        "password_env": "DUTY_SECRET",
        "identity": f"sip:{USER}@{REALM}.example",
        "health_s": None,
        **members,
    }
    allowed = {"DUTYRING_ALLOW_NUMBERS": json.dumps([NUMBER])}
    return {"DUTYRING_TRUNKS": json.dumps({"main": trunk}), **allowed, **SECRET}


def duty_line(foreigners: Foreigners, proxy: Kamailio, **more: str) -> Baresip:
    """Start a baresip that is registered under the number of the trunk tests."""
    place = f"127.0.0.1:{proxy.port}"
    return start_baresip(
        foreigners, registrar=Registrar(f"sip:{place}", place, USER, PASSWORD, DIALLED), **more
    )


@pytest.mark.interop("kamailio", "register", "digest", "record-route")
@pytest.mark.parametrize(
    "transport", ["udp", pytest.param("tcp", marks=pytest.mark.interop("kamailio", "tcp"))]
)
def test_call_by_a_registered_trunk(foreigners: Foreigners, dial: Dial, transport: str) -> None:
    """REGISTER with 401, INVITE with 407, ACK and BYE along the Record-Route, all by one transport."""
    proxy = start_kamailio(foreigners)
    phone = duty_line(foreigners, proxy)
    before = len(proxy.seen("REGISTER"))
    settings = trunk_environment(proxy, registration=True, transport=transport, domain=f"{REALM}.example")
    running = dial(NUMBER, "--trunk", "main", "--max-talk", "1", environment=settings)
    phone.wait_event("CALL_INCOMING")
    phone.command("accept")
    call = running.finish()
    check_record(call, "answered")
    assert call.record["trunk"] == "main"
    ours = proxy.seen("REGISTER")[before:]
    assert [request.authorised for request in ours][:2] == [False, True]
    invites = proxy.seen("INVITE")
    assert {request.uri for request in invites} == {f"sip:{DIALLED}@{REALM}.example"}
    assert invites[-1].authorised
    assert len(proxy.seen("BYE")) == 1
    assert {request.transport for request in ours} == {transport}
    # An INVITE that is too long for a datagram goes by TCP (RFC 3261 section 18.1.1), and its call with it.
    assert {request.transport for request in (*invites, *proxy.seen("BYE"))} <= {transport, "tcp"}
    assert call.record["media"]["received"] > 20


@pytest.mark.interop("kamailio", "register")
async def test_the_registration_is_refreshed_and_taken_back(foreigners: Foreigners) -> None:
    proxy = start_kamailio(foreigners, max_expires_s=3)
    trunk = Trunk(
        "main",
        server="127.0.0.1",
        port=proxy.port,
        credentials=Credentials(USER, PASSWORD),
        registration=Registration(user=USER, expires_s=60),
    )
    async with Phone(trunk):
        for _ in range(200):
            if len(proxy.seen("REGISTER")) >= 3:
                break
            await asyncio.sleep(0.1)
        refreshed = len(proxy.seen("REGISTER"))
    assert refreshed >= 3
    # The nonce is used again, so only the first one is challenged.
    assert [request.authorised for request in proxy.seen("REGISTER")[:3]] == [False, True, True]
    assert len(proxy.seen("REGISTER")) == refreshed + 1


@pytest.mark.interop("kamailio", "register", "digest")
def test_a_registration_with_a_wrong_password_is_an_alarm_of_ours(foreigners: Foreigners, dial: Dial) -> None:
    proxy = start_kamailio(foreigners)
    settings = {**trunk_environment(proxy, registration=True), "DUTY_SECRET": "wrong"}
    call = dial(NUMBER, "--trunk", "main", environment=settings).finish()
    check_record(call, "network_failure", exit_status=3)
    assert "bad_credentials" in call.record["alarms"]
    assert "wrong" not in call.stderr + json.dumps(call.record)


@pytest.mark.peer("kamailio-tls")
@pytest.mark.peer("openssl")
@pytest.mark.interop("kamailio", "tls", "srtp", "register")
def test_call_over_tls_with_encrypted_sound(
    foreigners: Foreigners, dial: Dial, authority: Authority, tmp_path: Path
) -> None:
    """Signalling by TLS to the proxy, SRTP from end to end; the proxy's certificate is checked."""
    proxy = start_kamailio(foreigners, authority=authority)
    phone = duty_line(foreigners, proxy, account=";mediaenc=srtp-mand")
    settings = trunk_environment(
        proxy,
        port=proxy.tls_port,
        transport="tls",
        tls_ca_file=str(authority.ca_file),
        srtp="required",
        registration=True,
    )
    options = ("--max-talk", "1.5", "--record", "call.wav", "--say", str(prompt_file(tmp_path)))
    running = dial(NUMBER, "--trunk", "main", *options, environment=settings)
    phone.wait_event("CALL_INCOMING")
    phone.command("accept")
    call = running.finish()
    check_record(call, "answered")
    assert {request.transport for request in proxy.seen("INVITE")} == {"tls"}
    assert {request.transport for request in proxy.seen("BYE")} == {"tls"}
    check_two_ways(call, tmp_path / "call.wav", TONE_HZ, phone.heard(), 1.5)


@pytest.mark.peer("kamailio-tls")
@pytest.mark.peer("openssl")
@pytest.mark.peer("linphone")
@pytest.mark.interop("linphone", "tls", "srtp", "register")
def test_linphone_behind_the_proxy_over_tls_with_encrypted_sound(
    foreigners: Foreigners, dial: Dial, authority: Authority, tmp_path: Path
) -> None:
    """Both phones speak TLS to the proxy and trust its authority only; linphone demands SRTP."""
    proxy = start_kamailio(foreigners, authority=authority)
    # Its TLS looks for the name of the server and not for its address.
    where = f"localhost:{proxy.tls_port}"
    register = f"register sip:{DIALLED}@{where} sip:{where};transport=tls {PASSWORD}"
    login = {"auth_info_0": {"username": DIALLED, "userid": USER, "passwd": PASSWORD, "realm": REALM}}
    phone = start_linphone(
        foreigners, srtp=True, ca_file=authority.ca_file, register=register, sections=login
    )
    settings = trunk_environment(
        proxy, port=proxy.tls_port, transport="tls", tls_ca_file=str(authority.ca_file), srtp="required"
    )
    options = ("--max-talk", "2", "--record", "call.wav", "--say", str(prompt_file(tmp_path)))
    call = dial(NUMBER, "--trunk", "main", *options, environment=settings).finish()
    check_record(call, "answered")
    check_two_ways(call, tmp_path / "call.wav", TONE_HZ, phone.heard(), 1.5)
    assert {request.transport for request in proxy.seen("INVITE")} == {"tls"}

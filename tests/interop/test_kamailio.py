"""Calls through kamailio, the registrar and proxy in front of most trunks."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.baresip import TONE_HZ, Baresip, Registrar, start_baresip
from tests.interop.calls import check_record, check_two_ways, prompt_file
from tests.interop.conftest import Dial
from tests.interop.foreign import Foreigners
from tests.interop.kamailio import PASSWORD, USER, Kamailio, start_kamailio

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
    options = (*LOGIN, "--max-talk", "1.5", "--record", "call.wav", "--say", str(prompt_file(tmp_path)))
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
    running = dial(f"sip:62@127.0.0.1:{proxy.port}", *LOGIN, "--max-talk", "1", environment=SECRET)
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

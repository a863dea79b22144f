"""Calls to baresip over TCP and TLS, with plain and encrypted sound, and what a wrong certificate does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.interop.baresip import TONE_HZ, Baresip, start_baresip
from tests.interop.calls import FinishedCall, check_record, check_two_ways, prompt_file
from tests.interop.certificates import Authority
from tests.interop.conftest import Dial
from tests.interop.foreign import Foreigners

pytestmark = [pytest.mark.peer("baresip"), pytest.mark.peer("openssl")]


def answered(phone: Baresip, dial: Dial, folder: Path, target: str, *options: str) -> FinishedCall:
    """Call, let the phone answer, and check that each heard the other."""
    more = ("--max-talk", "1.5", "--record", "call.wav", "--say", str(prompt_file(folder)))
    running = dial(target, *options, *more)
    phone.wait_event("CALL_INCOMING")
    phone.command("accept")
    call = running.finish()
    check_record(call, "answered")
    check_two_ways(call, folder / "call.wav", TONE_HZ, phone.heard(), 1.5)
    return call


@pytest.mark.interop("baresip", "tcp")
def test_over_tcp(foreigners: Foreigners, dial: Dial, tmp_path: Path) -> None:
    phone = start_baresip(foreigners)
    answered(phone, dial, tmp_path, f"sip:62@127.0.0.1:{phone.port};transport=tcp")
    assert "Via: SIP/2.0/TCP" in phone.process.text()


@pytest.mark.interop("baresip", "tls")
def test_over_tls(foreigners: Foreigners, dial: Dial, authority: Authority, tmp_path: Path) -> None:
    phone = start_baresip(foreigners, identity=authority.identity("baresip"))
    target = f"sip:62@127.0.0.1:{phone.tls_port};transport=tls"
    call = answered(phone, dial, tmp_path, target, "--tls-ca", str(authority.ca_file))
    assert "Via: SIP/2.0/TLS" in phone.process.text()
    assert "RTP/AVP 8" in phone.process.text()
    assert call.timeline("received", status=180)[0]["clock"] == "user"


@pytest.mark.interop("baresip", "srtp", "tls")
@pytest.mark.parametrize(
    ("srtp", "theirs", "profile"),
    [("required", "srtp-mand", "RTP/SAVP"), ("optional", "srtp", "RTP/AVP"), ("optional", "", "RTP/AVP")],
)
def test_encrypted_sound(
    foreigners: Foreigners,
    dial: Dial,
    authority: Authority,
    tmp_path: Path,
    srtp: str,
    theirs: str,
    profile: str,
) -> None:
    """Where it is optional, keys stand beside a plain description, and who does not know them answers without."""
    account = f";mediaenc={theirs}" if theirs else ""
    phone = start_baresip(foreigners, identity=authority.identity("baresip"), account=account)
    target = f"sip:62@127.0.0.1:{phone.tls_port};transport=tls"
    answered(phone, dial, tmp_path, target, "--tls-ca", str(authority.ca_file), "--srtp", srtp)
    offer, answer = re.findall(r"(?s)m=audio .*?(?=\x1b)", phone.process.text())[:2]
    assert profile in offer.splitlines()[0]
    assert "a=crypto:" in offer
    assert ("a=crypto:" in answer) is bool(theirs)


@pytest.mark.interop("baresip", "srtp")
def test_encryption_is_wanted_and_not_to_be_had(
    foreigners: Foreigners, dial: Dial, authority: Authority
) -> None:
    """A phone that offers plain sound only is not called in the clear."""
    phone = start_baresip(foreigners, identity=authority.identity("baresip"), account=";mediaenc=srtp-mand")
    target = f"sip:62@127.0.0.1:{phone.tls_port};transport=tls"
    call = dial(target, "--tls-ca", str(authority.ca_file), "--srtp", "off").finish()
    assert call.record["outcome"] == "network_failure"
    assert call.record["sip_status"] == 488
    assert call.record["answered_ms"] is None


@pytest.mark.interop("baresip", "tls")
@pytest.mark.parametrize("wrong", ["expired", "stranger", "other name"])
def test_a_certificate_that_does_not_hold(
    foreigners: Foreigners, dial: Dial, authority: Authority, tmp_path: Path, wrong: str
) -> None:
    """Nothing is sent to a server that cannot prove who it is; it is a failure of ours, never of the unit."""
    if wrong == "stranger":
        identity = Authority(tmp_path / "stranger").identity("baresip")
    else:
        names = (
            "subjectAltName=DNS:elsewhere.example" if wrong == "other name" else "subjectAltName=IP:127.0.0.1"
        )
        identity = authority.identity(
            wrong.replace(" ", "-"), days=-1 if wrong == "expired" else 2, names=names
        )
    phone = start_baresip(foreigners, identity=identity)
    target = f"sip:62@127.0.0.1:{phone.tls_port};transport=tls"
    call = dial(target, "--tls-ca", str(authority.ca_file)).finish()
    check_record(call, "network_failure", exit_status=3)
    assert call.record["sip_status"] is None
    assert "certificate" in " ".join(call.record["errors"]).lower()
    assert "INVITE sip:" not in phone.process.text()

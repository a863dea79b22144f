"""Credentials, asked for by sipp; the answer is checked by a calculation of this test (RFC 7616 section 3.4)."""

from __future__ import annotations

import hashlib
import re

import pytest

from tests.interop.checks import check_answered, check_honest
from tests.interop.conftest import Place, PlacedCall
from tests.interop.sipp import TraceMessage

pytestmark = pytest.mark.peer("sipp")

USER, PASSWORD, REALM, NONCE = "duty", "three rings", "county", "6a2f"
LOGIN = ("--user", USER, "--password-env", "DUTY_SECRET")
SECRET = {"DUTY_SECRET": PASSWORD}
HASHES = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}


def challenge(algorithm: str | None, qop: str | None, header: str = "WWW-Authenticate") -> str:
    parts = [f'{header}: Digest realm="{REALM}"', f'nonce="{NONCE}"', 'opaque="far"']
    parts += [f"algorithm={algorithm}"] if algorithm else []
    parts += [f'qop="{qop}"'] if qop else []
    return ", ".join(parts)


def parameters(message: TraceMessage, header: str) -> dict[str, str]:
    value = message.header(header).removeprefix("Digest ")
    return {
        name: bare or quoted for name, quoted, bare in re.findall(r'(\w+)=(?:"([^"]*)"|([^",\s]+))', value)
    }


def expected_response(given: dict[str, str], method: str = "INVITE") -> str:
    def digest(text: str) -> str:
        return hashlib.new(HASHES[given.get("algorithm", "MD5")], text.encode()).hexdigest()

    secret = digest(f"{USER}:{REALM}:{PASSWORD}")
    request = digest(f"{method}:{given['uri']}")
    middle = f"{given['nc']}:{given['cnonce']}:{given['qop']}:" if "qop" in given else ""
    return digest(f"{secret}:{NONCE}:{middle}{request}")


def check_credentials(call: PlacedCall, header: str) -> dict[str, str]:
    check_answered(call)
    first, second = call.received("INVITE")
    assert first.header(header) == ""
    given = parameters(second, header)
    assert given["response"] == expected_response(given)
    assert given["username"] == USER
    assert given["uri"] == second.text.split()[1]
    assert given["opaque"] == "far"
    assert first.header("Call-ID") == second.header("Call-ID")
    assert first.header("From") == second.header("From")
    assert int(second.header("CSeq").split()[0]) == int(first.header("CSeq").split()[0]) + 1
    assert first.header("Via") != second.header("Via")
    return given


@pytest.mark.interop("sipp", "digest")
@pytest.mark.parametrize(
    ("algorithm", "qop", "status"),
    [
        ("MD5", "auth", "401 Unauthorized"),
        ("SHA-256", "auth", "401 Unauthorized"),
        (None, None, "401 Unauthorized"),
        ("MD5", "auth,auth-int", "407 Proxy Authentication Required"),
        ("SHA-256", "auth", "407 Proxy Authentication Required"),
    ],
)
def test_credentials_satisfy_the_challenge(
    place: Place, algorithm: str | None, qop: str | None, status: str
) -> None:
    asked, given = (
        ("Proxy-Authenticate", "Proxy-Authorization")
        if status.startswith("407")
        else ("WWW-Authenticate", "Authorization")
    )
    keys = {"status": status, "challenge": challenge(algorithm, qop, asked)}
    call = place("digest", *LOGIN, "--max-talk", "1", keys=keys, environment=SECRET)
    answer = check_credentials(call, given)
    assert answer.get("qop") == ("auth" if qop else None)
    assert PASSWORD not in call.stderr
    assert call.record["ring_to_answer_ms"] == pytest.approx(call.gap_ms("180", "200"), abs=80)


@pytest.mark.interop("sipp", "digest")
def test_the_stronger_of_two_challenges_is_taken(place: Place) -> None:
    both = "\r\n".join((challenge("MD5", "auth"), challenge("SHA-256", "auth")))
    keys = {"status": "401 Unauthorized", "challenge": both}
    call = place("digest", *LOGIN, "--max-talk", "1", keys=keys, environment=SECRET)
    assert check_credentials(call, "Authorization")["algorithm"] == "SHA-256"


def test_an_unknown_algorithm_is_passed_over(place: Place) -> None:
    both = "\r\n".join((challenge("SHA3-999", "auth"), challenge("MD5", "auth")))
    keys = {"status": "401 Unauthorized", "challenge": both}
    call = place("digest", *LOGIN, "--max-talk", "1", keys=keys, environment=SECRET)
    check_credentials(call, "Authorization")


def test_wrong_credentials_are_our_own_failure(place: Place) -> None:
    call = place("digest-refused", *LOGIN, environment={"DUTY_SECRET": "wrong"})
    check_honest(call, exit_status=3)
    assert call.record["outcome"] == "network_failure"
    assert call.record["sip_status"] == 401
    assert call.record["errors"]
    assert len(call.received("INVITE")) == 2


def test_no_credentials_at_all_are_our_own_failure(place: Place) -> None:
    call = place("refuse", keys={"final": "401 Unauthorized", "header": challenge("MD5", "auth")})
    check_honest(call, exit_status=3)
    assert call.record["outcome"] == "network_failure"
    assert call.record["errors"]
    assert len(call.received("INVITE")) == 1


@pytest.mark.interop("sipp", "digest")
def test_sha_512_256_is_the_strongest(place: Place) -> None:
    three = "\r\n".join(challenge(name, "auth") for name in ("MD5", "SHA-256", "SHA-512-256"))
    keys = {"status": "401 Unauthorized", "challenge": three}
    call = place("digest", *LOGIN, "--max-talk", "1", keys=keys, environment=SECRET)
    assert check_credentials(call, "Authorization")["algorithm"] == "SHA-512-256"


@pytest.mark.interop("sipp", "digest")
def test_challenged_after_a_trying(place: Place) -> None:
    keys = {"challenge": challenge("MD5", "auth")}
    call = place("digest-after-trying", *LOGIN, "--max-talk", "1", keys=keys, environment=SECRET)
    check_credentials(call, "Authorization")
    assert call.record["ring_to_answer_ms"] == pytest.approx(call.gap_ms("180", "200"), abs=80)


@pytest.mark.interop("sipp", "digest")
def test_a_stale_nonce_is_not_a_wrong_password(place: Place) -> None:
    again = challenge("MD5", "auth").replace(NONCE, "fresh") + ", stale=TRUE"
    keys = {"challenge": challenge("MD5", "auth"), "again": again}
    call = place("digest-stale", *LOGIN, "--max-talk", "1", keys=keys, environment=SECRET)
    check_answered(call)
    given = [parameters(message, "Authorization").get("nonce") for message in call.received("INVITE")]
    assert given == [None, NONCE, "fresh"]


@pytest.mark.interop("sipp", "digest")
def test_a_proxy_and_the_exchange_behind_it_both_ask(place: Place) -> None:
    keys = {
        "proxy": 'Digest realm="proxy", nonce="p1", qop="auth"',
        "server": 'Digest realm="exchange", nonce="s1", algorithm=SHA-256, qop="auth"',
    }
    call = place("digest-two-places", *LOGIN, "--max-talk", "1", keys=keys, environment=SECRET)
    check_answered(call)
    last = call.received("INVITE")[-1]
    assert parameters(last, "Authorization")["realm"] == "exchange"
    assert parameters(last, "Proxy-Authorization")["realm"] == "proxy"


@pytest.mark.interop("sipp", "digest")
def test_the_hang_up_needs_credentials_too(place: Place) -> None:
    """The 200 announced a nextnonce; the BYE is challenged once more and must come through all the same."""
    keys = {"challenge": challenge("MD5", "auth")}
    call = place("digest-of-bye", *LOGIN, "--max-talk", "1", keys=keys, environment=SECRET)
    check_answered(call)
    first, second = call.received("BYE")
    assert parameters(first, "Authorization").get("nonce") in (None, "announced", NONCE)
    given = parameters(second, "Authorization")
    assert given["response"] == expected_response(given, "BYE")

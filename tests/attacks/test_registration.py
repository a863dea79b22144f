"""Somebody else wants to be the registrar, or to register with us, or to end our calls from elsewhere."""

from __future__ import annotations

import secrets
import time

import pytest

from . import weapons
from .attacked import Attacked
from .far_ends import FarEnd, polite
from .weapons import header, request, response

pytestmark = pytest.mark.timeout(90)


def registered(attacked: Attacked) -> bytes:
    """Wait until the phone is registered; returns its REGISTER."""
    until = time.monotonic() + 20
    while attacked.ask("trunk", name="registered")["state"] != "up":
        assert time.monotonic() < until, attacked.ask("trunk", name="registered")
        time.sleep(0.1)
    return next(data for data in attacked.registrar.asked if data.startswith(b"REGISTER"))


@pytest.mark.parametrize("code", [200, 301, 401, 403, 423, 503])
def test_forged_answers_to_our_register(attacked: Attacked, code: int) -> None:
    """Whoever knows all of our REGISTER but its branch, which nobody can guess, changes nothing; nor does a replay."""
    asked, where = registered(attacked), attacked.addresses["registered"]
    before = attacked.registrar.count("REGISTER")
    headers = (
        "Contact: <sip:62@127.0.0.66:5060>;expires=1",
        "Expires: 1",
        "Min-Expires: 9000",
        'WWW-Authenticate: Digest realm="evil", nonce="evil"',
        "Service-Route: <sip:evil@127.0.0.66;lr>",
    )
    branch = header(asked, "Via").partition("branch=")[2].partition(";")[0].encode()
    with attacked.bounded(packets=300), weapons.udp("127.0.0.66") as sock:
        for number in range(300):
            guess = (
                asked
                if number % 3 == 0
                else asked.replace(branch, b"z9hG4bK" + secrets.token_hex(8).encode())
            )
            sock.sendto(response(guess, code, headers=headers), where)
        assert weapons.answers(sock) == []
    time.sleep(0.5)
    assert attacked.ask("trunk", name="registered") == {"state": "up", "alarms": []}
    assert attacked.registrar.count("REGISTER") == before


@pytest.mark.parametrize("method", ["REGISTER", "NOTIFY", "PUBLISH", "SUBSCRIBE", "REFER", "OPTIONS"])
def test_requests_to_our_contact_move_nothing(attacked: Attacked, method: str) -> None:
    asked, where = registered(attacked), attacked.addresses["registered"]
    before = attacked.registrar.count("REGISTER")
    headers = (
        "Event: reg",
        "Subscription-State: terminated",
        "Refer-To: <sip:evil@127.0.0.66>",
        "Expires: 0",
    )
    with weapons.udp("127.0.0.66") as sock:
        for call_id in (header(asked, "Call-ID"), None):
            sock.sendto(request(method, where, sock.getsockname(), call_id=call_id, headers=headers), where)
        statuses = {weapons.status(answer) for answer in weapons.answers(sock)}
    assert statuses == ({200} if method == "OPTIONS" else {405} if method in ("REGISTER", "REFER") else {489})
    assert attacked.ask("trunk", name="registered")["state"] == "up"
    assert attacked.registrar.count("REGISTER") == before


def test_a_call_to_our_contact_from_somebody_else_is_challenged(attacked: Attacked) -> None:
    registered(attacked)
    where = attacked.addresses["registered"]
    with weapons.udp("127.0.0.66") as sock:
        sock.sendto(weapons.invite(where, sock.getsockname()), where)
        answers = weapons.answers(sock)
    assert [weapons.status(answer) for answer in answers] == [401]


STRANGE = ("BYE", "CANCEL", "INVITE", "UPDATE", "INFO", "ACK")


def test_a_call_is_not_ended_by_a_stranger(attacked: Attacked) -> None:
    """Who knows its Call-ID but not its tags (64 random bits are ours) is told that there is no such call."""
    with FarEnd(polite) as far, attacked.talking(1), attacked.bounded(packets=600) as grown:
        attacked.ask("call", uri=far.uri, calls=1, talk_s=2.0, until="answered")
        invite = next(data for data in far.asked if data.startswith(b"INVITE"))
        with weapons.udp("127.0.0.66") as sock:
            for number in range(600):
                method = STRANGE[number % len(STRANGE)]
                forged = request(
                    method,
                    attacked.sip,
                    sock.getsockname(),
                    call_id=header(invite, "Call-ID"),
                    from_tag="far",
                    to_tag="" if method == "CANCEL" else secrets.token_hex(8),
                    branch=header(invite, "Via").partition("branch=")[2].partition(";")[0],
                    cseq=2 + number,
                )
                weapons.flood(sock, attacked.sip, [forged], every=1, pause_s=0.0002)
            answers = weapons.answers(sock)
    assert {weapons.status(answer) for answer in answers} == {481}
    told = {header(answer, "CSeq").split()[1] for answer in answers}
    assert told == set(STRANGE) - {"ACK"}
    assert grown["servers"] <= 1
    assert attacked.other["outcome"] == "answered"
    assert attacked.other["ended_by"] == "us"
    talked_ms = attacked.other["ended_ms"] - attacked.other["connected_ms"]
    assert 1980 < talked_ms < 3500

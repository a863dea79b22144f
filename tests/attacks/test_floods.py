"""Floods of SIP packets over UDP: from one source, from many, with and without sense."""

from __future__ import annotations

import secrets

import pytest

from . import weapons
from .attacked import Attacked

pytestmark = pytest.mark.timeout(90)
PACKETS = weapons.scaled(3000)


def test_invites_from_one_source(attacked: Attacked) -> None:
    with attacked.talking(), attacked.bounded(packets=PACKETS) as grown, weapons.udp("127.0.0.2") as sock:
        source = sock.getsockname()
        weapons.flood(sock, attacked.sip, (weapons.invite(attacked.sip, source) for _ in range(PACKETS)))
    assert grown["servers"] < 20
    assert grown["dialogs"] < 20
    assert "flooded" in attacked.ask("trunk", name="phone")["alarms"]
    attacked.still_serves()


def test_invites_from_many_sources(attacked: Attacked) -> None:
    hosts = list(weapons.sources(PACKETS // 3))
    with attacked.talking(), attacked.bounded(packets=PACKETS) as grown:
        for host in hosts:
            with weapons.udp(host) as sock:
                source = sock.getsockname()
                weapons.flood(
                    sock,
                    attacked.sip,
                    (weapons.invite(attacked.sip, source) for _ in range(3)),
                    every=3,
                    pause_s=0.0003,
                )
    assert grown["servers"] < 20
    assert grown["dialogs"] < 20
    attacked.still_serves()


def test_invites_in_the_name_of_the_trusted_peer(attacked: Attacked) -> None:
    """Whoever forges that address is challenged by nobody; the calls that ring at once are bounded all the same."""
    with attacked.talking(), attacked.bounded(packets=PACKETS) as grown, weapons.udp("127.0.0.9") as sock:
        source = sock.getsockname()
        weapons.flood(sock, attacked.sip, (weapons.invite(attacked.sip, source) for _ in range(PACKETS)))
    assert grown["servers"] < 40
    assert grown["dialogs"] < 40
    assert weapons.options(attacked.sip) == 200


def test_a_flood_is_not_multiplied(attacked: Attacked) -> None:
    """With a forged source our answers hit somebody else: never more of them than there were requests."""
    with weapons.udp("127.0.0.3") as sock:
        source = sock.getsockname()
        sock.setsockopt(weapons.socket.SOL_SOCKET, weapons.socket.SO_RCVBUF, 4 << 20)
        weapons.flood(sock, attacked.sip, (weapons.invite(attacked.sip, source) for _ in range(500)))
        # Timer G would have sent each refusal four times by then.
        answers = weapons.answers(sock, quiet_s=4.5)
    assert 400 < len(answers) <= 500
    assert sum(map(len, answers)) < 500 * len(weapons.invite(attacked.sip, source)) * 1.2


ANSWERS = {
    "REGISTER": {405},
    "OPTIONS": {200},
    "NOTIFY": {405},
    "MESSAGE": {405},
    "BYE": {481},
    "CANCEL": {481},
    "ACK": set(),
    "NONSENSE": {501},
}


def test_other_requests(attacked: Attacked) -> None:
    with attacked.talking(), attacked.bounded(packets=PACKETS) as grown:
        for method, expected in ANSWERS.items():
            with weapons.udp("127.0.0.4") as sock:
                source = sock.getsockname()
                tags = ("", "guessed") if method in ("BYE", "ACK") else ("",)
                packets = (
                    weapons.request(method, attacked.sip, source, to_tag=tags[number % len(tags)])
                    for number in range(PACKETS // len(ANSWERS))
                )
                weapons.flood(sock, attacked.sip, packets)
                assert {weapons.status(answer) for answer in weapons.answers(sock, 0.2)} == expected
    assert grown["servers"] < 20


def test_one_invite_over_and_over(attacked: Attacked) -> None:
    with attacked.talking(), attacked.bounded(packets=PACKETS) as grown, weapons.udp("127.0.0.5") as sock:
        packet = weapons.invite(attacked.sip, sock.getsockname())
        weapons.flood(sock, attacked.sip, (packet for _ in range(PACKETS)))
    assert grown["servers"] < 20


def test_responses_to_nothing(attacked: Attacked) -> None:
    with attacked.talking(), attacked.bounded(packets=PACKETS) as grown, weapons.udp("127.0.0.6") as sock:
        source = sock.getsockname()
        asked = (weapons.invite(attacked.sip, source) for _ in range(PACKETS))
        codes = (100, 180, 200, 401, 486, 503)
        packets = (weapons.response(data, codes[number % 6]) for number, data in enumerate(asked))
        weapons.flood(sock, attacked.sip, packets)
        assert weapons.answers(sock) == []
    assert grown["servers"] <= 1
    assert grown["clients"] <= 0


def test_noise(attacked: Attacked) -> None:
    with attacked.talking(), attacked.bounded(packets=PACKETS), weapons.udp("127.0.0.7") as sock:
        weapons.flood(
            sock, attacked.sip, (secrets.token_bytes(20 + number % 900) for number in range(PACKETS))
        )


@pytest.mark.parametrize("bomb", weapons.BOMBS)
def test_oversized_and_nested(attacked: Attacked, bomb: str) -> None:
    headers, body = weapons.BOMBS[bomb]
    count = 60
    with attacked.bounded(packets=count, cpu_ms=15.0) as grown, weapons.udp("127.0.0.9") as sock:
        source = sock.getsockname()
        packets = [
            weapons.request(method, attacked.sip, source, headers=headers, body=body)
            for method in ("INVITE", "OPTIONS")
            for _ in range(count // 2)
        ]
        assert max(map(len, packets)) < 65_500
        weapons.flood(sock, attacked.sip, packets, every=5)
    assert grown["servers"] < 40


@pytest.mark.parametrize("length", ["99999999999999999999", "-1", "65536", "4294967296", "1e9"])
def test_a_content_length_that_lies(attacked: Attacked, length: str) -> None:
    with weapons.udp("127.0.0.8") as sock:
        asked = weapons.request("OPTIONS", attacked.sip, sock.getsockname())
        sock.sendto(asked.replace(b"Content-Length: 0", b"Content-Length: " + length.encode()), attacked.sip)
        assert weapons.status(sock.recv(65_535)) == 400

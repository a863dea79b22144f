"""Calls of ours to far ends that do not stop: they end in time, and other calls do not notice."""

from __future__ import annotations

from typing import Any

import pytest

from . import weapons
from .attacked import Attacked
from .far_ends import FarEnd, bombing, repeating, storming

pytestmark = pytest.mark.timeout(90)
PACKETS = weapons.scaled(2000)
KEPT = 2_100
"""Messages in the time line of a call, and what else stands there."""


def call(
    attacked: Attacked, far: FarEnd, packets: int, cpu_ms: float = 2.0
) -> tuple[dict[str, float], dict[str, Any]]:
    """Call the far end beside calls in progress; returns what grew while it lasted and the facts of the call."""
    with attacked.talking(), attacked.bounded(packets=packets, cpu_ms=cpu_ms) as grown:
        attacked.ask("call", uri=far.uri, calls=1, talk_s=1.5, until="begun")
        assert far.done.wait(30)
    assert weapons.options(attacked.sip) == 200
    return grown, attacked.other


def test_200_for_ever(attacked: Attacked) -> None:
    """After the ACK and after the BYE: each is acknowledged once, the call ends when its time is over."""
    with FarEnd(repeating(PACKETS)) as far:
        grown, record = call(attacked, far, 2 * PACKETS)
    assert record["outcome"] == "answered"
    assert record["ended_by"] == "us"
    assert far.count("BYE") == 1
    assert far.count("ACK") <= PACKETS
    assert record["entries"] < KEPT
    assert grown["dialogs"] <= 8


def test_200_with_a_new_tag_each_time(attacked: Attacked) -> None:
    """Each is a telephone off hook, as far as we can tell; more than 32 of them are none."""
    with FarEnd(repeating(PACKETS, tags=True)) as far:
        grown, record = call(attacked, far, 2 * PACKETS)
    assert record["outcome"] == "answered"
    assert grown["dialogs"] <= 45
    assert grown["clients"] <= 45
    hung_up = {weapons.header(data, "To") for data in far.asked if data.startswith(b"BYE")}
    assert 30 <= len(hung_up) <= 33
    assert record["entries"] < KEPT


@pytest.mark.parametrize("tags", [False, True])
def test_ringing_for_ever(attacked: Attacked, tags: bool) -> None:
    with FarEnd(repeating(PACKETS, tags=tags, code=180)) as far:
        grown, record = call(attacked, far, PACKETS)
    assert record["outcome"] == "answered"
    assert record["ended_by"] == "us"
    assert grown["dialogs"] <= 45
    assert record["entries"] < 700


def test_401_for_ever(attacked: Attacked) -> None:
    """A far end that wants credentials again and again gets three INVITEs at most."""

    def challenge(far: FarEnd, data: bytes) -> None:
        if data.startswith(b"INVITE"):
            nonce = f'WWW-Authenticate: Digest realm="r", nonce="{len(far.asked)}", stale=true'
            for _ in range(500):
                far.send(weapons.response(data, 401, headers=(nonce,)))
            far.done.set()

    with FarEnd(challenge) as far:
        _, record = call(attacked, far, PACKETS)
    assert record["outcome"] == "network_failure"
    assert far.count("INVITE") <= 3


@pytest.mark.parametrize("method", ["INVITE", "UPDATE", "INFO"])
def test_requests_without_end_within_a_call(attacked: Attacked, method: str) -> None:
    """A hundred are served; beyond that the far end is asked to come later, and nothing is kept of it."""
    with FarEnd(storming(PACKETS, method)) as far:
        grown, record = call(attacked, far, PACKETS)
    assert record["outcome"] == "answered"
    assert grown["servers"] <= 110
    assert record["entries"] < KEPT
    assert record["ended_by"] == "us"


def test_oversized_and_nested_from_whom_we_called(attacked: Attacked) -> None:
    """Here bodies are read and descriptions negotiated; the sound and the end of the call are right all the same."""
    rounds = 3
    with FarEnd(bombing(rounds)) as far:
        _, record = call(attacked, far, (rounds + 1) * len(weapons.BOMBS), cpu_ms=25.0)
    assert record["outcome"] == "answered"
    assert record["ended_by"] == "us"
    assert record["entries"] < 300

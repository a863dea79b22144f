"""Whose sound is let into a call: packet by packet on a made-up clock, and against an injector on real sockets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from sip.media import MediaEngine, MediaReport, MediaSession, RemoteMedia, SessionSpec, encode, read_capture
from sip.media.gate import Gate, Named
from tests.unit.media_peer import Peer, rtp, tone

A = ("127.0.0.1", 4000)
B = ("127.0.0.1", 5000)
NAT = ("192.0.2.7", 61000)
OTHER = ("192.0.2.8", 62000)


class Door:
    """A gate on a made-up clock; packets are their own names."""

    def __init__(self) -> None:
        self.named = Named()
        self.gate = Gate(self.named, lambda data: None if data.startswith(b"bad") else data)
        self.let_in: list[bytes] = []

    def connect(self, remote: RemoteMedia, at_ms: float) -> None:
        waiting = self.gate.connect(remote, self.named.learn(remote), at_ms / 1000)
        for held in waiting:
            self._take(held.data, held.source, held.at)

    def packet(self, data: str, source: tuple[str, int], at_ms: float) -> None:
        self._take(data.encode(), source, at_ms / 1000)

    def _take(self, data: bytes, source: tuple[str, int], at: float) -> None:
        if source == self.gate.trusted:
            self.gate.last_at = at
            self.let_in.append(data)
        else:
            self.let_in += [held.data for held in self.gate.knock(data, source, at)]

    def stream(self, name: str, source: tuple[str, int], start_ms: int, end_ms: int) -> list[str]:
        names = [f"{name}{at_ms}" for at_ms in range(start_ms, end_ms, 20)]
        for at_ms, packet in zip(range(start_ms, end_ms, 20), names, strict=True):
            self.packet(packet, source, at_ms)
        return names

    def heard(self) -> list[str]:
        return [data.decode() for data in self.let_in]


@pytest.fixture
def door() -> Door:
    return Door()


def test_nothing_is_let_in_before_an_answer(door: Door) -> None:
    door.stream("a", A, 0, 5000)
    door.stream("n", NAT, 5000, 9000)
    assert door.heard() == []
    assert door.gate.refused > 0


def test_what_overtook_its_answer_is_let_in_with_it(door: Door) -> None:
    early = door.stream("a", A, 0, 100)
    door.stream("n", NAT, 0, 100)
    door.connect(RemoteMedia(*A), 105)
    assert door.heard() == early


def test_what_came_long_before_its_answer_is_forgotten(door: Door) -> None:
    early = door.stream("a", A, 0, 3000)
    door.connect(RemoteMedia(*A), 3000)
    heard = door.heard()
    assert early[-len(heard) :] == heard
    assert 0.5 <= len(heard) * 0.02 <= 0.8


def test_the_announced_address_alone_is_heard_however_long_it_is_silent(door: Door) -> None:
    door.connect(RemoteMedia(*A, final=True), 0)
    sound = door.stream("a", A, 20, 40)
    door.stream("n", NAT, 40, 60_000)
    sound += door.stream("b", A, 60_000, 60_100)
    assert door.heard() == sound
    assert door.gate.rejected_sources == {NAT}


def test_a_far_side_behind_nat_is_latched_after_half_a_second_and_loses_nothing(door: Door) -> None:
    door.connect(RemoteMedia(*A, final=True), 0)
    sound = door.stream("n", NAT, 100, 480)
    assert door.heard() == []
    sound += door.stream("n", NAT, 480, 1000)
    assert door.heard() == sound
    assert door.gate.latched == NAT
    assert door.gate.rejected_sources == set()


def test_the_first_source_is_latched_and_not_a_later_one(door: Door) -> None:
    door.connect(RemoteMedia(*A, final=True), 0)
    for at_ms in range(100, 1000, 20):
        door.packet(f"n{at_ms}", NAT, at_ms)
        door.packet(f"o{at_ms}", OTHER, at_ms + 1)
    assert door.gate.latched == NAT
    assert all(name.startswith("n") for name in door.heard())
    assert door.gate.rejected_sources == {OTHER}


def test_a_first_source_that_stopped_is_passed_over(door: Door) -> None:
    door.connect(RemoteMedia(*A, final=True), 0)
    door.stream("n", NAT, 0, 100)
    door.stream("o", OTHER, 100, 1000)
    assert door.gate.latched == OTHER


def test_a_stray_packet_is_not_latched(door: Door) -> None:
    door.connect(RemoteMedia(*A, final=True), 0)
    door.packet("n", NAT, 600)
    door.packet("n", NAT, 620)
    assert door.heard() == []
    assert door.gate.trusted is None


def test_what_is_no_sound_of_the_call_is_not_latched(door: Door) -> None:
    door.connect(RemoteMedia(*A, final=True), 0)
    door.stream("bad", NAT, 0, 3000)
    assert door.heard() == []
    assert door.gate.refused == 150


def test_a_far_side_that_must_send_from_its_address_is_not_latched(door: Door) -> None:
    door.connect(RemoteMedia(*A, final=True, latch=False), 0)
    door.stream("n", NAT, 0, 3000)
    assert door.heard() == []


def test_a_latched_source_is_kept_while_it_lives(door: Door) -> None:
    door.connect(RemoteMedia(*A, final=True), 0)
    sound = door.stream("n", NAT, 0, 1000)
    door.stream("o", OTHER, 1000, 2900)
    sound += door.stream("n", NAT, 2900, 3000)
    assert door.heard() == sound
    door.stream("o", OTHER, 3000, 6000)
    assert door.gate.latched == OTHER


def test_the_announced_address_takes_its_call_back_from_a_latched_one(door: Door) -> None:
    door.connect(RemoteMedia(*A, final=True), 0)
    sound = door.stream("n", NAT, 0, 1000)
    for at_ms in range(1000, 4000, 20):
        door.packet(f"a{at_ms}", A, at_ms)
        door.packet(f"n{at_ms}", NAT, at_ms + 1)
        sound.append(f"a{at_ms}")
    door.stream("n", NAT, 4000, 9000)
    assert door.heard() == sound
    assert door.gate.latched is None


def test_a_new_answer_lets_another_source_be_latched(door: Door) -> None:
    """183 and 200 name the same address, and the voice comes from another one."""
    door.connect(RemoteMedia(*A, dialog="one"), 0)
    sound = door.stream("a", A, 0, 1000)
    door.connect(RemoteMedia(*A, dialog="one", final=True), 1000)
    sound += door.stream("n", NAT, 1000, 3000)
    assert door.heard() == sound


def test_the_old_address_of_the_answered_dialog_stays_its_own(door: Door) -> None:
    door.connect(RemoteMedia(*A, dialog="one"), 0)
    door.connect(RemoteMedia(*B, dialog="one", final=True), 100)
    sound = []
    for at_ms in range(100, 4000, 20):
        door.packet(f"a{at_ms}", A, at_ms)
        door.packet(f"n{at_ms}", NAT, at_ms + 1)
        sound.append(f"a{at_ms}")
    sound += door.stream("b", B, 4000, 5000)
    assert door.heard() == sound
    assert door.gate.steady(5.0) == B


def test_the_address_of_another_dialog_is_refused_after_the_answer(door: Door) -> None:
    door.connect(RemoteMedia(*A, dialog="one"), 0)
    door.connect(RemoteMedia(*B, dialog="two"), 0)
    sound = door.stream("a", A, 0, 100) + door.stream("b", B, 100, 200)
    door.connect(RemoteMedia(*B, dialog="two", final=True), 200)
    door.stream("a", A, 200, 3000)
    assert door.heard() == sound


def test_what_was_latched_for_another_dialog_is_not_heard_after_the_answer(door: Door) -> None:
    door.connect(RemoteMedia(*A, dialog="one"), 0)
    door.stream("n", NAT, 0, 1000)
    assert door.gate.latched == NAT
    door.connect(RemoteMedia(*B, dialog="two", final=True), 1000)
    assert door.gate.latched is None
    before = len(door.let_in)
    door.stream("b", B, 1000, 1100)
    door.stream("n", NAT, 1100, 5000)
    assert door.heard()[before:] == [f"b{at_ms}" for at_ms in range(1000, 1100, 20)]


def test_a_repeated_answer_keeps_what_is_latched(door: Door) -> None:
    door.connect(RemoteMedia(*A, dialog="one"), 0)
    sound = door.stream("n", NAT, 0, 1000)
    door.connect(RemoteMedia(*A, dialog="one", final=True), 1000)
    sound += door.stream("n", NAT, 1000, 1200)
    assert door.heard() == sound


def test_only_a_settled_final_address_is_left_to_the_kernel(door: Door) -> None:
    remote = RemoteMedia(*A)
    door.connect(remote, 0)
    door.stream("a", A, 0, 2000)
    assert door.gate.steady(2.0) is None
    door.connect(replace(remote, final=True), 2000)
    door.stream("a", A, 2000, 2500)
    assert door.gate.steady(2.5) is None
    door.stream("a", A, 2500, 3100)
    assert door.gate.steady(3.1) == A
    assert door.gate.steady(4.0) is None, "it is not heard now"


def test_a_flood_of_sources_is_bounded(door: Door) -> None:
    for number in range(3000):
        door.packet("x", ("198.51.100.1", 1024 + number), number / 10)
    door.connect(RemoteMedia(*A, final=True), 300)
    for number in range(3000):
        door.packet("x", ("198.51.100.1", 1024 + number), 300 + number / 10)
    sound = door.stream("a", A, 600, 700)
    assert door.heard() == sound
    assert len(door.gate.rejected_sources) == 64
    door.gate.expire(float("inf"))
    assert door.gate.refused == 6000


# Against an injector, on real sockets

pytest_loop = pytest.mark.asyncio(loop_scope="module")
FALSE = 0x2A
"""A-law of full scale; the real sound never reaches it."""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def engine() -> AsyncIterator[MediaEngine]:
    async with await MediaEngine.start(bank=None, capacity=8) as engine:
        yield engine


class Injector:
    """Floods a call with what looks like its own stream: it knows SSRC, numbers, timestamps and port."""

    def __init__(self, to: tuple[str, int], hosts: tuple[str, ...] = ("127.0.0.1", "127.0.0.2")) -> None:
        self._peers = [Peer(host) for host in hosts]
        self._to = to
        self._task = asyncio.ensure_future(self._run())

    async def _run(self) -> None:
        began = time.monotonic()
        while True:
            at = round((time.monotonic() - began) * 50)
            for peer in self._peers:
                for number in range(100 + at, 103 + at):
                    peer.send(rtp(number, 5000 + 160 * (number - 100), bytes([FALSE]) * 160), self._to)
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        for peer in self._peers:
            peer.socket.close()


async def opened(engine: MediaEngine, capture: Path) -> tuple[MediaSession, float]:
    session = await engine.open(SessionSpec("127.0.0.1", capture, analyse=False))
    t0 = time.monotonic()
    session.begin(t0)
    await engine.health()
    return session, t0


async def closed(session: MediaSession, t0: float) -> MediaReport:
    return await session.close((time.monotonic() - t0) * 1000)


def sound(seconds: float) -> list[bytes]:
    codes = encode(tone(seconds), "PCMA")
    return [codes[at : at + 160] for at in range(0, len(codes), 160)]


def assert_real_alone(capture: Path, seconds: float) -> None:
    """The recording holds the real tone, whole and once, and nothing of the injector.

    A crowded machine sends the tone itself with a hiccup here and there.
    """
    heard = read_capture(capture).right.astype(int)
    assert np.abs(heard).max() < 9000
    loud = np.nonzero(np.abs(heard) > 200)[0]
    assert (loud[-1] - loud[0]) / 8000 == pytest.approx(seconds, abs=0.2)


@pytest_loop
@pytest.mark.parametrize("final", [True, False])
async def test_an_injector_before_during_and_after_the_stream_is_never_recorded(
    engine: MediaEngine, tmp_path: Path, final: bool
) -> None:
    path = tmp_path / "call.part"
    session, t0 = await opened(engine, path)
    injector = Injector(session.local)
    with Peer() as peer:
        await asyncio.sleep(0.5)
        session.connect(RemoteMedia(*peer.address, final=final))
        await peer.stream(session.local, sound(2.0))
        await asyncio.sleep(2.5)
        await injector.stop()
        report = await closed(session, t0)
    assert_real_alone(path, 2.0)
    assert report.statistics.received == 100
    assert report.rejected_sources == 2
    assert report.latched is None


async def is_refused(stranger: Peer) -> bool:
    """Tell whether the kernel says that nobody listens."""
    for _ in range(50):
        try:
            stranger.socket.send(b"x")
        except ConnectionRefusedError:
            return True
        await asyncio.sleep(0.01)
    return False


@pytest_loop
async def test_the_kernel_keeps_an_injector_out_and_a_new_answer_opens_the_door_again(
    engine: MediaEngine, tmp_path: Path
) -> None:
    path = tmp_path / "call.part"
    session, t0 = await opened(engine, path)
    with Peer() as peer, Peer() as moved:
        session.connect(RemoteMedia(*peer.address, final=True))
        stream = asyncio.ensure_future(peer.stream(session.local, sound(2.0)))
        await asyncio.sleep(1.8)
        with Peer() as stranger:
            stranger.send(rtp(1, 1, b"\x2a" * 160), session.local)
            await asyncio.sleep(0.05)
            # Whom the kernel shuts out it tells that nobody listens there.
            stranger.socket.connect(session.local)
            assert await is_refused(stranger)
        await stream
        session.connect(RemoteMedia(*moved.address, final=True))
        await engine.health()
        await moved.stream(session.local, sound(0.5), ssrc=78, sequence=9)
        report = await closed(session, t0)
    assert_real_alone(path, 2.5)
    assert report.statistics.received == 125
    assert report.rejected_sources == 0


@pytest_loop
async def test_an_injector_is_kept_out_of_a_call_behind_nat(engine: MediaEngine, tmp_path: Path) -> None:
    """Who was heard first in place of the announced address keeps its place, and gets our sound."""
    path = tmp_path / "call.part"
    session, t0 = await opened(engine, path)
    with Peer("127.0.0.3") as peer, Peer() as announced:
        session.connect(RemoteMedia(*announced.address, final=True))
        stream = asyncio.ensure_future(peer.stream(session.local, sound(3.0)))
        await asyncio.sleep(0.1)
        injector = Injector(session.local)
        await stream
        await asyncio.sleep(1.0)
        await injector.stop()
        report = await closed(session, t0)
        assert len(peer.received()) > 100
        assert 15 < len(announced.received()) < 100, "until the other one was latched"
    assert_real_alone(path, 3.0)
    assert report.statistics.received == 150
    assert report.latched == peer.address
    assert report.rejected_sources == 2


@pytest_loop
async def test_features_wait_for_a_source_that_is_not_accepted_yet(tmp_path: Path) -> None:
    """A ring that begins before its source is latched begins at its time in the analysis, too."""
    from sip.media import HeardBlock
    from tests.unit.media_peer import BANK

    async with await MediaEngine.start(bank=BANK, writer=False) as engine:
        blocks: list[HeardBlock] = []
        session = await engine.open(
            SessionSpec("127.0.0.1"),
            lambda event: blocks.append(event) if isinstance(event, HeardBlock) else None,
        )
        t0 = time.monotonic()
        session.begin(t0)
        with Peer("127.0.0.3") as peer, Peer() as announced:
            session.connect(RemoteMedia(*announced.address, final=True))
            await engine.health()
            began_ms = (time.monotonic() - t0) * 1000
            await peer.stream(session.local, sound(1.5))
            await closed(session, t0)
    power = np.concatenate([block.features[:, 0] for block in blocks])
    assert np.nonzero(power > 1e-4)[0][0] == pytest.approx(began_ms / 20, abs=1.5)

"""Encrypted sound: keys per dialog, wrong keys, plain packets, and calls of two engines over real sockets."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import pytest_asyncio
from pylibsrtp import Policy, Session

from sip.media import (
    DtmfReceived,
    MediaEngine,
    MediaEvent,
    MediaReport,
    MediaSession,
    RemoteMedia,
    SessionSpec,
    SrtpPolicy,
    SrtpSuite,
    encode,
    read_capture,
    read_packets,
)
from sip.media.srtp import Crypto
from tests.unit.media_peer import Peer, rtp, tone, until

ONE, TWO, THREE = bytes(range(30)), bytes(range(30, 60)), bytes(range(60, 90))
SUITE_80: SrtpSuite = "AES_CM_128_HMAC_SHA1_80"
SUITE_32: SrtpSuite = "AES_CM_128_HMAC_SHA1_32"
OURS = SrtpPolicy(SUITE_80, ONE, TWO)
THEIRS = SrtpPolicy(SUITE_80, TWO, ONE)
SOUND = b"\xd5" * 160


def answer(policy: SrtpPolicy | None, *, dialog: str = "", final: bool = False) -> RemoteMedia:
    return RemoteMedia("127.0.0.1", 4000, srtp=policy, dialog=dialog, final=final)


def crypto(*answers: RemoteMedia) -> Crypto:
    made = Crypto()
    for one in answers:
        made.connect(one)
    return made


def test_keys_are_never_shown() -> None:
    remote = answer(OURS)
    assert "send_key" not in repr(remote)
    assert str(ONE) not in repr(remote)
    assert SUITE_80 in repr(remote)


@pytest.mark.parametrize(("suite", "key"), [("AES_GCM", ONE), (SUITE_80, ONE[:29]), (SUITE_32, b"")])
def test_a_policy_that_cannot_work_is_refused(suite: SrtpSuite, key: bytes) -> None:
    with pytest.raises(ValueError, match="SRTP") as caught:
        SrtpPolicy(suite, ONE, key)
    assert str(ONE) not in str(caught.value)


@pytest.mark.parametrize(("suite", "tag"), [(SUITE_80, 10), (SUITE_32, 4)])
def test_both_suites_of_rfc_4568(suite: SrtpSuite, tag: int) -> None:
    here = crypto(answer(SrtpPolicy(suite, ONE, TWO)))
    there = crypto(answer(SrtpPolicy(suite, TWO, ONE)))
    assert get_args(SrtpSuite) == (SUITE_80, SUITE_32)
    for number in range(70_000, 70_100):
        packet = rtp(number, 160 * number, SOUND)
        wire = here.protect(packet)
        assert len(wire) == len(packet) + tag
        assert wire[12:-tag] != SOUND
        assert there.unprotect(wire) == packet
    report = struct.pack("!BBHI", 0x80, 201, 1, 77)
    wire = here.protect_rtcp(report)
    assert len(wire) == len(report) + 14, "RTCP always has the long tag (RFC 4568 section 6.2.2)"
    assert there.unprotect(wire, rtcp=True) == report
    assert there.failures == 0


def test_what_no_key_fits_is_counted() -> None:
    here = crypto(answer(OURS))
    for packet in (rtp(1, 1, SOUND), crypto(answer(OURS)).protect(rtp(1, 1, SOUND)), b"", bytes(2000)):
        assert here.unprotect(packet) is None
    assert here.failures == 4


def test_a_packet_that_came_before_is_not_used_again() -> None:
    here, there = crypto(answer(OURS)), crypto(answer(THEIRS))
    wire = there.protect(rtp(1, 1, SOUND))
    assert here.unprotect(wire) is not None
    assert here.unprotect(wire) is None
    assert here.failures == 0


def test_without_a_policy_nothing_changes() -> None:
    plain = crypto(answer(None, final=True))
    assert not plain.active
    assert not plain.sends
    assert plain.protect(b"x") == plain.protect_rtcp(b"x") == b"x"


def test_a_repeated_answer_does_not_begin_anew() -> None:
    """The receiver has seen the numbers wrap; a sender that forgot it would be mute."""
    here, there = crypto(answer(OURS)), crypto(answer(THEIRS))
    for number in range(65_500, 65_600):
        assert here.unprotect(there.protect(rtp(number, 160 * number, SOUND)))
    here.connect(answer(OURS, final=True))
    there.connect(answer(THEIRS, final=True))
    assert here.unprotect(there.protect(rtp(65_600, 0, SOUND)))


def test_a_new_key_replaces_the_old_one_without_a_gap() -> None:
    old, new = SrtpPolicy(SUITE_80, ONE, TWO), SrtpPolicy(SUITE_32, ONE, THREE)
    here = crypto(answer(old, dialog="a", final=True))
    there = crypto(answer(THEIRS, dialog="b", final=True))
    assert here.unprotect(there.protect(rtp(1, 1, SOUND)))
    here.connect(answer(new, dialog="a", final=True))
    assert here.unprotect(there.protect(rtp(2, 2, SOUND))), "it was under way"
    there.connect(answer(SrtpPolicy(SUITE_32, THREE, ONE), dialog="b", final=True))
    for number in range(3, 50):
        assert here.unprotect(there.protect(rtp(number, number, SOUND)))
    assert here.failures == 0


def test_early_dialogs_have_keys_of_their_own_until_one_answers() -> None:
    first = crypto(answer(SrtpPolicy(SUITE_80, TWO, ONE)))
    second = crypto(answer(SrtpPolicy(SUITE_80, THREE, ONE)))
    here = crypto(answer(OURS, dialog="1"), answer(SrtpPolicy(SUITE_80, ONE, THREE), dialog="2"))
    for number in range(10):
        assert here.unprotect(first.protect(rtp(number, number, SOUND)))
        assert here.unprotect(second.protect(rtp(number, number, SOUND, ssrc=8)))
    here.connect(answer(OURS, dialog="1", final=True))
    assert here.unprotect(first.protect(rtp(11, 11, SOUND)))
    assert here.unprotect(second.protect(rtp(11, 11, SOUND, ssrc=8))) is None
    assert here.failures == 1


def test_a_plain_early_dialog_beside_an_encrypted_one() -> None:
    there = crypto(answer(THEIRS))
    here = crypto(answer(OURS, dialog="1"), answer(None, dialog="2"))
    assert here.unprotect(there.protect(rtp(1, 1, SOUND))) == rtp(1, 1, SOUND)
    assert here.unprotect(rtp(5, 5, SOUND)) == rtp(5, 5, SOUND)
    here.connect(answer(OURS, dialog="1", final=True))
    assert here.unprotect(rtp(6, 6, SOUND)) is None


# Over real sockets

engine_loop = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def engine() -> AsyncIterator[MediaEngine]:
    async with await MediaEngine.start(bank=None, capacity=8) as engine:
        yield engine


async def begun(engine: MediaEngine, folder: Path, name: str) -> tuple[MediaSession, list[MediaEvent], float]:
    events: list[MediaEvent] = []
    spec = SessionSpec("127.0.0.1", folder / f"{name}.part", False, packets=folder / f"{name}.packets")
    session = await engine.open(spec, events.append)
    t0 = time.monotonic()
    session.begin(t0)
    await engine.health()
    return session, events, t0


async def closed(session: MediaSession, t0: float) -> MediaReport:
    return await session.close((time.monotonic() - t0) * 1000)


@engine_loop
@pytest.mark.parametrize("suite", [SUITE_80, SUITE_32])
async def test_two_calls_hear_each_other(engine: MediaEngine, tmp_path: Path, suite: SrtpSuite) -> None:
    one, _, t0 = await begun(engine, tmp_path, "one")
    two, events, _ = await begun(engine, tmp_path, "two")
    for session, other, keys in ((one, two, (ONE, TWO)), (two, one, (TWO, ONE))):
        policy = SrtpPolicy(suite, *keys)
        session.connect(RemoteMedia(*other.local, srtp=policy, telephone_event_pt=101, final=True))
    one.send_digits("5")
    one.play(tone(0.3))
    await until(lambda: any(isinstance(event, DtmfReceived) for event in events))
    await asyncio.sleep(0.6)
    second, first = await closed(two, t0), await closed(one, t0)
    heard, said = read_capture(tmp_path / "two.part").right, read_capture(tmp_path / "one.part").left
    assert np.abs(heard.astype(int)).max() > 7000
    assert np.count_nonzero(np.abs(said.astype(int)) > 500) > np.count_nonzero(
        np.abs(heard.astype(int)) > 500
    )
    assert second.statistics.received > 25
    assert (first.srtp_failures, second.srtp_failures) == (0, 0)
    assert first.rtcp_received == 1, "the BYE's report of the other end, which ended first"
    assert first.remote_lost == 0
    logged = list(read_packets(tmp_path / "two.packets"))
    assert all(packet.encrypted and not packet.refused for packet in logged)
    sound = [packet.data for packet in logged if packet.kind == "rtp" and packet.direction == "received"]
    assert b"\xd5" * 160 in [data[12:] for data in sound], "the log holds them as they were before"


@engine_loop
async def test_wrong_keys_and_plain_packets_are_dropped(engine: MediaEngine, tmp_path: Path) -> None:
    session, _, t0 = await begun(engine, tmp_path, "call")
    loud = encode(tone(0.02, level=20_000), "PCMA")
    with Peer() as peer:
        session.connect(RemoteMedia(*peer.address, srtp=OURS, final=True))
        wrong = Session(Policy(key=THREE, ssrc_type=Policy.SSRC_ANY_OUTBOUND))
        right = Session(Policy(key=TWO, ssrc_type=Policy.SSRC_ANY_OUTBOUND))
        await engine.health()
        for number in range(20):
            peer.send(wrong.protect(rtp(number, 160 * number, loud)), session.local)
            peer.send(rtp(number, 160 * number, loud), session.local)
            peer.send(right.protect(rtp(number, 160 * number, SOUND)), session.local)
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.05)
        report = await closed(session, t0)
        assert all(len(data) == 182 for data in peer.received() if data[1] & 0x7F == 8)
    assert report.statistics.received == 20
    assert report.srtp_failures == 40
    assert report.statistics.ignored == 40
    assert np.abs(read_capture(tmp_path / "call.part").right.astype(int)).max() < 100
    refused = [packet for packet in read_packets(tmp_path / "call.packets") if packet.refused]
    assert len(refused) == 40
    assert not any(packet.encrypted for packet in refused)


@engine_loop
async def test_only_who_knows_the_key_is_latched(engine: MediaEngine, tmp_path: Path) -> None:
    session, _, t0 = await begun(engine, tmp_path, "call")
    key = Session(Policy(key=TWO, ssrc_type=Policy.SSRC_ANY_OUTBOUND))
    with Peer() as announced, Peer("127.0.0.2") as stranger, Peer("127.0.0.3") as behind_nat:
        session.connect(RemoteMedia(*announced.address, srtp=OURS, final=True))
        for number in range(50):
            stranger.send(rtp(number, 160 * number, b"\x2a" * 160), session.local)
            if number >= 10:
                behind_nat.send(key.protect(rtp(number, 160 * number, SOUND)), session.local)
            await asyncio.sleep(0.02)
        report = await closed(session, t0)
        assert report.latched == behind_nat.address
    assert report.statistics.received == 40, "what it sent before it was latched is used, too"
    assert report.srtp_failures == 0, "a stranger's packets are no failures of this call's key"
    assert np.abs(read_capture(tmp_path / "call.part").right.astype(int)).max() < 100

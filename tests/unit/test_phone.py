"""The phone through its face: targets, the ledger's snapshots, stopping, prompts, our own failures."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sip.core import Address, Credentials
from sip.guard import NeverDialledError
from sip.media import load_prompt
from sip.phone import Phone, Script, TargetError, Trunk, parse_target
from sip.record import TimelineEntry
from sip.simulator import (
    DIGEST_PASSWORD,
    DIGEST_USER,
    Answer,
    Behaviour,
    Expectation,
    HangUp,
    Never,
    Play,
    Provisional,
    Quiet,
    Reject,
    Say,
    Simulator,
    Wait,
)

pytestmark = [pytest.mark.timeout(90)]

ANSWERS_SOON = Behaviour(
    "200",
    "answers-soon",
    "马上接听",
    (Provisional(180), Wait(0.3), Answer(), Wait(20), HangUp()),
    Expectation("answered"),
)
RINGS_ON = Behaviour("180", "rings-on", "一直振铃", (Provisional(180), Never()), Expectation("no_answer"))


@pytest.fixture
async def far_end() -> AsyncIterator[Simulator]:
    async with Simulator(scenario={line.extension: line for line in (ANSWERS_SOON, RINGS_ON)}) as simulator:
        yield simulator


@pytest.fixture
async def phone() -> AsyncIterator[Phone]:
    async with Phone() as ready:
        yield ready


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("sip:62@127.0.0.1:5062", "127.0.0.1", 5062),
        ("sip:62@127.0.0.1", "127.0.0.1", None),
        ("sip:62@[::1]:5070", "::1", 5070),
        ("sip:3212345@pbx.example;transport=UDP", "pbx.example", None),
        ("sips:62@pbx.example:5071", "pbx.example", 5071),
    ],
)
def test_targets(text: str, host: str, port: int) -> None:
    target = parse_target(text)
    assert (target.uri, target.host, target.port) == (text, host, port)


@pytest.mark.parametrize(
    "text",
    ["", "62", "tel:3212345", "http://x", "sip:", "sip:62@", "sip:62@h:0", "sip:62@h:70000",
     "sip:62@h;transport=sctp", "sip:6 2@h"],
)  # fmt: skip
def test_what_is_no_target_is_named(text: str) -> None:
    with pytest.raises(TargetError, match=r"it takes|asks for|names port"):
        parse_target(text)


async def test_emergency_numbers_never_leave(phone: Phone, far_end: Simulator) -> None:
    with pytest.raises(NeverDialledError):
        await phone.call(f"sip:110@{far_end.local}", Script())
    assert far_end.live_calls == 0


async def test_the_ledger_is_written_before_anything_leaves(phone: Phone, far_end: Simulator) -> None:
    written: list[dict[str, Any]] = []
    alive_at_first: list[int] = []

    async def journal(snapshot: dict[str, Any]) -> None:
        if not written:
            await asyncio.sleep(0.2)
            alive_at_first.append(far_end.live_calls)
        written.append(json.loads(json.dumps(snapshot)))

    record = await phone.call(f"sip:200@{far_end.local}", Script(max_talk_s=0.5), journal=journal)
    assert record.outcome == "answered"
    assert alive_at_first == [0]
    assert written[0]["dialogs"] == []
    assert written[0]["call_id"] == record.call_id
    early, answered = written[1], written[-1]
    assert len(early["dialogs"]) == 1
    assert answered["dialogs"][0]["acknowledged"] is False


async def test_a_ledger_that_fails_is_our_failure_and_the_far_end_is_let_go(
    phone: Phone, far_end: Simulator
) -> None:
    calls = 0

    async def journal(_: dict[str, Any]) -> None:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise OSError("disk full")

    record = await phone.call(f"sip:200@{far_end.local}", Script(), journal=journal)
    assert record.our_failure
    assert any("disk full" in error for error in record.errors)
    async with asyncio.timeout(5):
        while far_end.live_calls:
            await asyncio.sleep(0.05)


async def test_what_cannot_be_written_down_is_not_dialled(phone: Phone, far_end: Simulator) -> None:
    async def journal(_: dict[str, Any]) -> None:
        raise OSError("disk full")

    record = await phone.call(f"sip:200@{far_end.local}", Script(), journal=journal)
    assert (record.outcome, record.our_failure, record.timeline) == ("network_failure", True, ())
    assert "disk full" in record.errors[0]


async def test_another_calls_traffic_does_not_send_an_unwritten_call(
    phone: Phone, far_end: Simulator
) -> None:
    written = asyncio.Event()

    async def slow(_: dict[str, Any]) -> None:
        if not written.is_set():
            await asyncio.sleep(1.0)
            assert far_end.live_calls <= 1
            written.set()

    first = asyncio.create_task(phone.call(f"sip:200@{far_end.local}", Script(max_talk_s=1.5)))
    second = asyncio.create_task(phone.call(f"sip:200@{far_end.local}", Script(max_talk_s=0.5), journal=slow))
    records = await asyncio.gather(first, second)
    assert [record.outcome for record in records] == ["answered", "answered"]
    assert not records[1].errors


@pytest.mark.parametrize("extension", ["180", "200"])
async def test_stop_ends_the_call(extension: str, phone: Phone, far_end: Simulator) -> None:
    stop = asyncio.Event()
    seen: list[TimelineEntry] = []

    def update(entry: TimelineEntry) -> None:
        seen.append(entry)
        if entry.fields.get("status") == int(extension):
            asyncio.get_running_loop().call_later(0.3, stop.set)

    record = await phone.call(f"sip:{extension}@{far_end.local}", Script(), stop=stop, on_update=update)
    assert (record.outcome, record.ended_by) == ("cancelled", "us")
    sent = [e.fields.get("method") for e in seen if e.event == "sent"]
    assert sent[0] == "INVITE"
    assert ("BYE" if extension == "200" else "CANCEL") in sent
    assert tuple(sorted(seen, key=lambda e: e.t_ms)) == record.timeline


async def test_a_cancelled_task_leaves_nobody_off_hook(phone: Phone, far_end: Simulator) -> None:
    task = asyncio.create_task(phone.call(f"sip:200@{far_end.local}", Script()))
    async with asyncio.timeout(10):
        while far_end.live_calls == 0:
            await asyncio.sleep(0.02)
    await asyncio.sleep(1.0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(5):
        while far_end.live_calls:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("extension", ["180", "200"])
async def test_recovery_from_a_snapshot(extension: str, far_end: Simulator) -> None:
    snapshots: list[dict[str, Any]] = []

    async def journal(snapshot: dict[str, Any]) -> None:
        snapshots.append(json.loads(json.dumps(snapshot)))

    async with Phone() as first:
        task = asyncio.create_task(first.call(f"sip:{extension}@{far_end.local}", Script(), journal=journal))
        wanted = 2 if extension == "180" else 3
        async with asyncio.timeout(10):
            while len(snapshots) < wanted:
                await asyncio.sleep(0.02)
        # A process that is killed sends nothing more: its socket is gone.
        for agent in first._direct.agents:
            agent.close()
        assert far_end.live_calls == 1
        async with Phone() as second:
            await second.recover(snapshots[-1])
        async with asyncio.timeout(5):
            while far_end.live_calls:
                await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_closed_port_is_our_failure() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    async with Phone() as phone:
        record = await phone.call(f"sip:62@127.0.0.1:{port}", Script())
    assert (record.outcome, record.our_failure, record.ended_by) == ("network_failure", True, "network")
    assert "refused" in record.errors[0]
    assert record.timeline[0].fields == {"method": "INVITE"}


async def test_a_taken_sip_port_is_named(phone: Phone, far_end: Simulator) -> None:
    async with Phone(Trunk(bind=far_end.local)) as other:
        record = await other.call(f"sip:62@{far_end.local}", Script())
    assert record.our_failure
    assert str(far_end.local.port) in record.errors[0]
    assert record.timeline == ()


async def test_an_unresolvable_host_is_named(phone: Phone) -> None:
    record = await phone.call("sip:62@no-such-host.invalid", Script())
    assert record.our_failure
    assert "no-such-host.invalid" in record.errors[0]


async def test_the_prompt_is_heard_by_the_far_end(phone: Phone, far_end: Simulator, tmp_path: Path) -> None:
    from recordings import encode
    from sip.simulator import sound

    samples = np.asarray(sound("officer_02"), np.int16)
    capture = tmp_path / "call.part"
    script = Script(max_talk_s=4.0, say=samples, capture=capture)
    record = await phone.call(f"sip:200@{far_end.local}", script)
    info = encode(capture, tmp_path / "call.wav", record.ended_ms)
    ours = load_stereo(Path(info.path))[:, 0]
    answered = round((record.answered_ms or 0) * 8)
    assert np.abs(ours[:answered]).max() < 0.01
    # It begins within a second of the answer.
    assert np.abs(ours[answered : answered + 8000]).max() > 0.05


def load_stereo(path: Path) -> np.ndarray:
    import soundfile

    return soundfile.read(path)[0]


async def test_addresses_of_the_machine_are_chosen_by_the_route(phone: Phone, far_end: Simulator) -> None:
    record = await phone.call(f"sip:200@{far_end.local}", Script(max_talk_s=0.2))
    assert record.call_id.endswith("@127.0.0.1")
    assert Address(*far_end.local).host == "127.0.0.1"


def test_a_prompt_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    from sip.media import SoundFileError

    broken = tmp_path / "prompt.wav"
    broken.write_bytes(b"not a sound")
    with pytest.raises(SoundFileError, match=r"prompt\.wav"):
        load_prompt(broken)


TONE_THEN_480 = Behaviour(
    "350",
    "tone-then-480",
    "忙音两拍后 480",
    (Provisional(183, sdp=True), Play("busy", loop=True), Wait(1.45), Reject(480)),
    Expectation("busy"),
)
LATE_GATEWAY = Behaviour(
    "250",
    "late-gateway",
    "200 之后带内回铃，再有人接听",
    (
        Provisional(180),
        Wait(0.2),
        Answer(),
        Play("ringback", loop=True),
        Wait(4.0),
        Quiet(),
        Wait(0.3),
        Say("officer_03"),
        Wait(20),
        HangUp(),
    ),
    Expectation("answered"),
)


async def test_a_tone_that_ends_with_the_call_still_says_what_it_was(phone: Phone) -> None:
    async with Simulator(scenario={"350": TONE_THEN_480}) as far_end:
        record = await phone.call(f"sip:350@{far_end.local}", Script())
    assert (record.outcome, record.line_state) == ("busy", "busy")
    # On a crowded machine the 480 may come so late that our CANCEL is first.
    assert record.sip_status in (480, 487)


async def test_the_prompt_waits_for_the_answer_behind_a_gateway(phone: Phone) -> None:
    prompt = np.full(8000, 3000, np.int16)
    async with Simulator(scenario={"250": LATE_GATEWAY}) as far_end:
        record = await phone.call(f"sip:250@{far_end.local}", Script(max_talk_s=3.0, say=prompt))
    assert record.answer_source == "in_band"
    assert record.answered_ms is not None
    answered = [entry for entry in record.timeline if entry.event == "answered"]
    assert [entry.t_ms for entry in answered] == [record.answered_ms]
    started = [entry.t_ms for entry in record.timeline if entry.event == "prompt"]
    assert started[-1] >= record.answered_ms
    assert record.ended_ms >= record.answered_ms + 3_000
    assert record.level is not None
    loud = [level for level in record.level.dbm0 if level is not None and level > -30]
    assert loud
    assert record.level.start_ms + len(record.level.dbm0) * record.level.step_ms <= record.ended_ms + 200.0


async def test_two_calls_of_a_killed_process_are_both_ended(far_end: Simulator) -> None:
    snapshots: dict[str, dict[str, Any]] = {}

    async def journal(snapshot: dict[str, Any]) -> None:
        snapshots[snapshot["call_id"]] = json.loads(json.dumps(snapshot))

    async with Phone() as first:
        tasks = [
            asyncio.create_task(first.call(f"sip:180@{far_end.local}", Script(), journal=journal))
            for _ in range(2)
        ]
        async with asyncio.timeout(10):
            while len(snapshots) < 2 or not all(s["dialogs"] for s in snapshots.values()):
                await asyncio.sleep(0.02)
        for agent in first._direct.agents:
            agent.close()
        async with Phone() as second:
            await asyncio.gather(*(second.recover(snapshot) for snapshot in snapshots.values()))
        async with asyncio.timeout(5):
            while far_end.live_calls:
                await asyncio.sleep(0.05)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_the_ledger_learns_of_the_invite_that_met_a_challenge(far_end: Simulator) -> None:
    snapshots: list[dict[str, Any]] = []

    async def journal(snapshot: dict[str, Any]) -> None:
        snapshots.append(json.loads(json.dumps(snapshot)))

    credentials = Credentials(DIGEST_USER, DIGEST_PASSWORD)
    async with Phone(Trunk(credentials=credentials)) as phone:
        record = await phone.call(f"sip:98@{far_end.local}", Script(max_talk_s=0.2), journal=journal)
    assert record.outcome == "answered"
    first, second = snapshots[:2]
    assert (first["cseq"], second["cseq"]) == (1, 2)
    assert first["branch"] != second["branch"]
    assert second["dialogs"] == []


async def test_a_watcher_that_fails_harms_no_call(phone: Phone, far_end: Simulator) -> None:
    def watch(_: TimelineEntry) -> None:
        raise RuntimeError("broken display")

    record = await phone.call(f"sip:200@{far_end.local}", Script(max_talk_s=0.3), on_update=watch)
    assert (record.outcome, record.errors) == ("answered", ())


async def test_an_interrupt_before_any_response_does_not_wait_for_timer_b(phone: Phone) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(0.3, stop.set)
        async with asyncio.timeout(10):
            record = await phone.call(f"sip:1@127.0.0.1:{silent.getsockname()[1]}", Script(), stop=stop)
    assert (record.outcome, record.ended_by, record.our_failure) == ("cancelled", "us", False)


async def test_an_unspecified_bind_address_is_never_written_on_the_wire(far_end: Simulator) -> None:
    async with Phone(Trunk(bind=Address("0.0.0.0", 0))) as phone:
        record = await phone.call(f"sip:200@{far_end.local}", Script(max_talk_s=0.2))
    assert record.outcome == "answered"
    assert record.call_id.endswith("@127.0.0.1")


async def test_a_host_that_is_no_name_is_named(phone: Phone) -> None:
    record = await phone.call(f"sip:1@{'x' * 70}.example", Script())
    assert record.our_failure
    assert "xxx" in record.errors[0]


async def test_incoming_calls_are_refused_at_once(phone: Phone, far_end: Simulator) -> None:
    """Nobody takes calls on the phone's port: a caller must hear so, not wait."""
    await phone.call(f"sip:200@{far_end.local}", Script(max_talk_s=0.1))
    ours = phone.addresses[0]
    async with Phone() as caller:
        record = await caller.call(f"sip:anybody@{ours}", Script())
    assert (record.sip_status, record.outcome) == (480, "unreachable")

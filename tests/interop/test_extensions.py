"""Extensions behind simulated switchboards, called over loopback with digits (RFC 4733)."""

from __future__ import annotations

import asyncio

import pytest

from sip.phone import Phone, Script, Trunk
from sip.record import CallRecord
from sip.simulator import BEHAVIOURS, Simulator, differences

pytestmark = [pytest.mark.timeout(120), pytest.mark.xdist_group("simulated_lines")]
LINES = ("9421", "9422", "9423", "9424", "9425")
WRONG = "wwww7777#"


async def call_all() -> dict[str, CallRecord]:
    """Call every extension with its digits, and one with wrong ones, at once."""
    wanted = {extension: (extension, BEHAVIOURS[extension].digits) for extension in LINES} | {
        "wrong": (LINES[0], WRONG)
    }
    async with Simulator() as far, Phone(Trunk()) as phone:

        async def one(extension: str, digits: str) -> CallRecord:
            script = Script(max_ring_s=14.0, max_talk_s=10.0, digits=digits)
            return await phone.call(f"sip:{extension}@{far.local}", script)

        records = await asyncio.gather(*(one(*call) for call in wanted.values()))
    return dict(zip(wanted, records, strict=True))


@pytest.fixture(scope="module")
def records() -> dict[str, CallRecord]:
    return asyncio.run(call_all())


def digits_sent_ms(record: CallRecord) -> float:
    return next(entry.t_ms for entry in record.timeline if entry.event == "digits_sent")


@pytest.mark.parametrize("extension", LINES)
def test_the_record_is_what_the_extension_does(extension: str, records: dict[str, CallRecord]) -> None:
    assert differences(BEHAVIOURS[extension].expect, records[extension]) == ()
    assert not records[extension].errors


@pytest.mark.parametrize("extension", LINES)
def test_the_switchboard_is_connected_and_the_extension_comes_after_the_digits(
    extension: str, records: dict[str, CallRecord]
) -> None:
    record = records[extension]
    sent_ms = digits_sent_ms(record)
    assert record.connected_ms is not None
    assert record.connected_ms < sent_ms
    for later_ms in (record.ring_started_ms, record.answered_ms):
        assert later_ms is None or later_ms > sent_ms


def test_the_limits_run_from_the_extension(records: dict[str, CallRecord]) -> None:
    rung, answered = records["9422"], records["9421"]
    assert rung.ring_started_ms is not None
    assert answered.answered_ms is not None
    assert rung.ended_ms - rung.ring_started_ms == pytest.approx(14_000.0, abs=1_500.0)
    assert answered.ended_ms - answered.answered_ms == pytest.approx(10_000.0, abs=1_500.0)


def test_a_wrong_extension_is_no_finding(records: dict[str, CallRecord]) -> None:
    record = records["wrong"]
    assert (record.answered_ms, record.ring_started_ms, record.three_ring) == (None, None, "not_applicable")
    assert (record.outcome, record.ended_by) == ("network_failure", "them")

"""Marked announcements in running calls: what ends a call and what does not."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
import pytest_asyncio

from sip.guard import DialPolicy
from sip.phone import Phone, Script, Trunk
from sip.progress.line_state import CallMoments
from sip.progress.marking import mark
from sip.progress.samples import Sample, SampleLibrary
from sip.record import Announcement, AnnouncementMeaning, CallRecord
from sip.simulator import (
    BEHAVIOURS,
    Answer,
    Behaviour,
    Expectation,
    HangUp,
    Never,
    Play,
    Provisional,
    Say,
    Simulator,
    Wait,
)
from sip.simulator.clips import sound
from sip.trunks import Caps
from sip.tune_watch import TuneWatch
from sip.understanding import ending_announcement

pytestmark = [pytest.mark.timeout(90)]

MARKED: dict[str, AnnouncementMeaning] = {
    "powered_off": "powered_off",
    "transfer_notice": "transfer",
    "mailbox": "mailbox",
}


def library() -> SampleLibrary:
    def sample(number: int, name: str) -> Sample:
        marked = mark((sound(name) / 32768.0).astype(np.float32))
        return Sample(number, MARKED[name], name, marked.phases, marked.length_ms, name == "powered_off")

    return SampleLibrary(tuple(sample(number, name) for number, name in enumerate(MARKED, 1)))


def line(extension: str, *steps: object) -> Behaviour:
    return Behaviour(extension, f"line-{extension}", "测试线路", steps, Expectation("answered"))  # type: ignore[arg-type]


LINES = (
    BEHAVIOURS["99"],
    line("200", Wait(0.2), Answer(), Wait(0.3), Say("powered_off"), Never()),
    line("201", Wait(0.2), Answer(), Wait(0.3), Say("mailbox"), Wait(1.0), HangUp()),
    line(
        *("202", Provisional(183, sdp=True), Say("transfer_notice"), Provisional(180), Wait(0.5)),
        *(Answer(), Say("officer_01"), HangUp()),
    ),
    line(
        *("203", Wait(0.2), Provisional(180), Wait(0.5), Answer(), Wait(0.3), Say("officer_01"), Wait(2.5)),
        *(Say("powered_off"), Wait(1.0), HangUp()),
    ),
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def records() -> dict[str, CallRecord]:
    """Every line called at the same time by one phone."""
    async with (
        Simulator(scenario={item.extension: item for item in LINES}) as far_end,
        Phone(samples=library()) as phone,
    ):
        calls = [phone.call(f"sip:{item.extension}@{far_end.local}", Script(20.0, 15.0)) for item in LINES]
        made = await asyncio.gather(*calls)
    return dict(zip((item.extension for item in LINES), made, strict=True))


def whys(record: CallRecord) -> list[str]:
    return [entry.fields["why"] for entry in record.timeline if entry.event == "hang_up"]


def meanings(record: CallRecord) -> list[str]:
    return [item.meaning for item in record.announcements]


def test_a_switched_off_mobile_is_hung_up_on_while_it_is_announced(
    records: dict[str, CallRecord],
) -> None:
    record = records["99"]
    assert (record.outcome, record.line_state, record.ended_by) == ("unreachable", "powered_off", "us")
    assert whys(record) == ["announcement: powered_off"]
    (heard,) = record.announcements
    assert (heard.road, heard.mobile, heard.detail) == ("sample", True, "sample 1: powered_off")
    marked = mark((sound("powered_off") / 32768.0).astype(np.float32))
    assert heard.start_ms == pytest.approx(1_300 + marked.start_ms, abs=120)
    assert heard.end_ms - heard.start_ms == pytest.approx(marked.length_ms, abs=1)
    # The line would say it a second time and end the call after some 10 s itself.
    assert record.ended_ms - heard.end_ms < 1_500


def test_a_200_that_only_carries_the_announcement_is_no_answer(
    records: dict[str, CallRecord],
) -> None:
    record = records["200"]
    assert (record.outcome, record.line_state) == ("unreachable", "powered_off")
    assert record.connected_ms is not None
    assert record.answered_ms is None
    assert whys(record) == ["announcement: powered_off"]


def test_a_machine_that_speaks_for_the_line_ends_nothing(records: dict[str, CallRecord]) -> None:
    record = records["201"]
    assert meanings(record) == ["mailbox"]
    assert (record.outcome, record.ended_by, record.line_state) == ("answered", "them", None)


def test_a_transfer_notice_ends_nothing(records: dict[str, CallRecord]) -> None:
    record = records["202"]
    assert meanings(record) == ["transfer"]
    assert (record.outcome, record.ended_by) == ("answered", "them")


def test_what_is_announced_beside_an_officer_takes_no_answer_away(records: dict[str, CallRecord]) -> None:
    """They answer, and try the leader's mobile on the loudspeaker of the other telephone."""
    record = records["203"]
    assert meanings(record) == ["powered_off"]
    assert (record.outcome, record.ended_by, record.line_state) == ("answered", "them", None)
    assert (record.forwarding.grade, record.three_ring) == ("none", "within")


def announced(meaning: AnnouncementMeaning, start_ms: float, end_ms: float) -> Announcement:
    return Announcement(meaning, "sample", start_ms, end_ms, 0.9, "sample 1: x")


@pytest.mark.parametrize(
    ("announcement", "answered_ms", "digits_sent_ms", "heard_ms", "expected"),
    [
        (announced("powered_off", 1_000, 4_000), None, None, None, True),
        (announced("own_line", 1_000, 4_000), None, None, None, True),
        (announced("transfer", 1_000, 4_000), None, None, None, False),
        (announced("menu", 1_000, 4_000), None, None, None, False),
        # Low credit is told before calls that go through.
        (announced("arrears", 1_000, 4_000), None, None, None, False),
        # Somebody picked up while it was said, or just as it ended.
        (announced("in_call", 1_000, 4_000), 4_200, None, None, False),
        (announced("in_call", 1_000, 4_000), 3_600, None, 3_600, False),
        (announced("in_call", 1_000, 4_000), 900, None, 1_000, True),
        (announced("in_call", 1_000, 4_000), 2_000, None, 2_000, True),
        # Not at once, but the first that is heard: a gateway dials after its 200.
        (announced("powered_off", 8_000, 11_000), 1_000, None, 7_500, True),
        # Whoever answered put it on the loudspeaker.
        (announced("powered_off", 8_000, 11_000), 1_000, None, 1_500, False),
        # Long after an answer it is no answer's announcement any more.
        (announced("powered_off", 20_000, 23_000), 5_000, None, 20_000, False),
        (announced("powered_off", 20_000, 23_000), 15_000, 15_000, 15_500, True),
        (announced("powered_off", 10_000, 13_000), 15_000, 15_000, None, False),
    ],
)
def test_what_ends_a_call(announcement, answered_ms, digits_sent_ms, heard_ms, expected) -> None:
    moments = CallMoments(answered_ms, answered_ms, digits_sent_ms, heard_ms=heard_ms)
    ending = ending_announcement((announcement,), moments, (), ringing=False)
    assert ending == (announcement if expected else None)


def test_a_line_that_rings_while_it_is_in_a_call_may_still_be_answered() -> None:
    moments, waiting = CallMoments(), announced("in_call", 1_000, 4_000)
    assert ending_announcement((waiting,), moments, (), ringing=True) is None
    assert ending_announcement((waiting,), moments, (), ringing=False) == waiting
    off = announced("powered_off", 1_000, 4_000)
    assert ending_announcement((off,), moments, (), ringing=True) == off


def ringing_with_music(number: str) -> Behaviour:
    steps = (Provisional(183, sdp=True), Provisional(180), Play("melody", loop=True), Wait(5.0))
    return line(number, *steps, Answer(), Say("officer_01"), HangUp())


async def test_music_heard_alike_on_three_units_lines_is_the_trunks() -> None:
    """Calls at once by one trunk; their ends, and so their order, are some 0.3 s apart."""
    numbers = [f"0917326200{n}" for n in range(4)]
    told: list[str] = []

    async with Simulator(scenario={n: ringing_with_music(n) for n in numbers}) as far_end:
        trunk = Trunk(
            name="main",
            server=far_end.local.host,
            port=far_end.local.port,
            caps=Caps.unlimited(),
            health_s=None,
        )
        watch = TuneWatch(on_tune=lambda tune: told.append(tune.owner))
        async with Phone(trunk, policy=DialPolicy.open(), tunes=watch) as phone:

            async def call(index: int, owner: str) -> CallRecord:
                await asyncio.sleep(index * 0.4)
                return await phone.call(numbers[index], Script(20.0, 2.0, owner=owner))

            owners = ("a", "b", "b", "c")
            made = await asyncio.gather(*(call(index, owner) for index, owner in enumerate(owners)))
            (status,) = [item for item in phone.trunks() if item.name == "main"]
    assert [record.early_media.kind for record in made] == ["crbt"] * 4
    assert sorted(told) == ["a", "b", "b", "c"]
    third = next(record for record in made if record.alarms)
    assert third.alarms == ("trunk_music",)
    assert third.forwarding.evidence == ()
    assert [alarm.kind.value for alarm in status.alarms] == ["trunk_music"]
    assert made[0].alarms == ()
    assert [sign.kind for sign in made[0].forwarding.evidence] == ["crbt"]

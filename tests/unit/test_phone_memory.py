"""What a call has heard goes when the call goes, without waiting for the collector of cycles."""

from __future__ import annotations

import gc

from sip.driver import CallDriver
from sip.phone import Phone, Script
from sip.progress import LineListener
from sip.simulator import Simulator


def alive() -> list[object]:
    return [thing for thing in gc.get_objects() if isinstance(thing, CallDriver | LineListener)]


async def test_nothing_of_an_ended_call_waits_for_the_collector() -> None:
    gc.collect()
    async with Simulator(speed=10.0) as far, Phone() as phone:
        gc.disable()
        try:
            for extension in ("86", "11"):
                record = await phone.call(f"sip:{extension}@{far.local}", Script(max_talk_s=0.5))
                assert record.outcome in ("busy", "answered")
            left = len(alive())
        finally:
            gc.enable()
    assert left == 0

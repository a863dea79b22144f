"""baresip-python in the comparison: asyncio above the C stack of baresip and libre; nothing is recorded."""

from __future__ import annotations

import asyncio
import importlib
import itertools
from typing import Any

from benchmarks.peer_phones.tally import HOST, Tally, Task, task

baresip: Any = importlib.import_module("baresip")
events: Any = importlib.import_module("baresip.events")


async def _one(agent: Any, wanted: Task, number: int, tally: Tally) -> None:
    call = await agent.dial(f"sip:line-{number}@{HOST}:{wanted.port}")
    ended = asyncio.Event()

    def told(event: Any) -> None:
        if event.event == events.Event.CALL_CLOSED:
            ended.set()

    call.on(told)
    try:
        await call.wait_established(timeout=10.0)
        tally.answered += 1
        await asyncio.sleep(wanted.talk_s)
        await call.hangup()
        await asyncio.wait_for(ended.wait(), 2.0)
    except TimeoutError:
        pass
    except baresip.BaresipError:
        tally.failed += 1


async def main() -> None:
    """Place the calls."""
    wanted, numbers = task(), itertools.count()
    runtime = baresip.Runtime()
    config = baresip.Config(net_interface=HOST, max_concurrent_calls=None)
    await runtime.start(config)
    account = baresip.Account(user="bench", domain=f"{HOST}:{wanted.port}", password="", reg_interval=0)
    agent = await baresip.UserAgent.create(runtime, account)
    tally = Tally()

    def told(event: Any) -> None:
        status = {events.Event.CALL_RINGING: "180", events.Event.CALL_ANSWERED: "200"}.get(event.event)
        if event.event == events.Event.CALL_ESTABLISHED:
            status = "200"
        if status and event.call_id:
            tally.note(event.call_id, status)

    runtime.subscribe(told)

    async def worker() -> None:
        while (number := next(numbers)) < wanted.calls:
            await _one(agent, wanted, number, tally)

    await asyncio.gather(*(worker() for _ in range(wanted.at_once)))
    tally.tell()


if __name__ == "__main__":
    asyncio.run(main())

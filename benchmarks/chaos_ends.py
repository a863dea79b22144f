"""The two ends of a bad network, each in a process of its own: `python -m benchmarks.chaos_ends far|near`.

Both read one line of JSON. `far` reads the users to answer as, such as `62.loss-5`: the simulated line 62, once more
for every level of faults; it says `ready`, and when its standard input closes, how many calls have not ended. `near`
reads the calls, places all of them at once by one phone and prints their records with their recordings and verdicts.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import recordings
from app.checks.facts import Facts
from app.checks.rules import Exemptions, Rules
from app.checks.verdict import judge
from benchmarks.bad_network import FAR, NEAR
from sip.core import Address
from sip.phone import Phone, Script, Trunk
from sip.simulator import BEHAVIOURS, Behaviour, Simulator

PORT = 5062
APART_S = 0.1
"""Between the beginnings of two calls: a hundred set-ups in one moment would measure the machine."""
LOOK_S = 0.1
FAREWELL_S = 40.0
"""Longer than a BYE without an answer may be repeated (Timer F, 32 s)."""


def line_of(user: str) -> Behaviour:
    """Return the simulated line that a user such as `62.loss-5` is."""
    return dataclasses.replace(BEHAVIOURS[user.partition(".")[0]], extension=user)


async def far(users: list[str]) -> None:
    """Answer until the standard input closes."""
    scenario = {user: line_of(user) for user in users}
    async with Simulator(Address(FAR, PORT), scenario=scenario, transports=("udp", "tcp")) as simulator:
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.read)
        for _ in range(int(FAREWELL_S / LOOK_S)):
            if not simulator.live_calls:
                break
            await asyncio.sleep(LOOK_S)
        print(json.dumps({"left": simulator.live_calls}), flush=True)


async def near(folder: Path, calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Place the calls; each names `user`, `max_ring_s`, `max_talk_s` and `transport`."""
    async with Phone(Trunk(bind=Address(NEAR, 0))) as phone:
        return await asyncio.gather(
            *(_call(phone, folder, call, n * APART_S) for n, call in enumerate(calls))
        )


async def _call(phone: Phone, folder: Path, call: dict[str, Any], after_s: float) -> dict[str, Any]:
    await asyncio.sleep(after_s)
    user = call["user"]
    capture = folder / f"{user}.part"
    script = Script(call["max_ring_s"], call["max_talk_s"], digits=line_of(user).digits, capture=capture)
    transport = "" if call["transport"] == "udp" else f";transport={call['transport']}"
    record = await phone.call(f"sip:{user}@{FAR}:{PORT}{transport}", script)
    if capture.exists():
        info = await asyncio.to_thread(recordings.encode, capture, folder / f"{user}.flac", record.ended_ms)
        record = dataclasses.replace(record, recording=info)
    plain = record.to_dict()
    return {"user": user, "record": plain, "verdict": verdict_of(plain)}


def verdict_of(record: dict[str, Any]) -> str:
    """Return the code of the reading of a call (docs/reference/verdicts.md)."""
    return judge(Facts.from_json(record), Rules(), Exemptions()).code


def serve() -> None:
    """Be the end that the command line names."""
    given = json.loads(sys.stdin.readline())
    if sys.argv[1] == "far":
        asyncio.run(far(given))
        return
    print(json.dumps(asyncio.run(near(Path(given["folder"]), given["calls"]))))


if __name__ == "__main__":
    serve()

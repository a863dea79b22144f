"""How many calls a second the phone sets up, and whether its times stay true at that rate.

    python -m benchmarks.setups --rate 300 --seconds 10
    python -m benchmarks.setups --ramp 100,200,300,400 --until-broken
    python -m benchmarks.setups --ramp 100,200,300,400 --until-broken --signalling-only

Each call is a whole one: a media session is opened, INVITE, 180, 200 after 0.2 s, ACK, BYE 0.2 s later, its 200, the
session closed, the record made. `--no-recorded` keeps no sound. `--signalling-only` opens no media session at all: no
socket, no packet, nothing to be heard, which is what the signalling can do by itself. Calls leave at a steady rate
whatever becomes of those before (an open loop), through one `sip.phone.Phone`, to a lean far end; another process takes
the same packets off the wire (AF_PACKET, needs root).

`setups_per_s`: INVITEs that left, by the wire; `backlog_ms`: how late a call began, against its moment (99th
percentile). `error_ms`: times of 180 and 200 in the records against the wire, both since the INVITE.
`cpu_ms_per_call`: of the signalling process, beginning to end. `held`: every call was answered, the 99th percentile of
the errors is at most 2 ms, and INVITEs left at the wanted rate, to 2 %. The exit status is 1 where a rate was not held;
`--until-broken` ends the ramp there, and says in a last line which rate was the last to hold and which broke.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from app.bench.calls_figures import percentile, spread, timing_errors
from app.bench.far_process import FarProcess, far_process
from app.bench.processes import parts_of, spent_s
from app.bench.wire_witness import Times, Witness
from benchmarks.setups_engine import NoMedia
from sip.media import MediaEngine
from sip.phone import Phone, Script
from sip.record import CallRecord
from sip.seldom import collect_seldom

LIMIT_MS = 2.0
RATE_HELD = 0.98
"""Share of the wanted rate at which INVITEs must leave: a phone that falls behind is not right, only slow."""
RING_S = TALK_S = 0.2
WARM_UP_CALLS = 20


async def _at(moment: float, phone: Phone, target: str, script: Script, delays: list[float]) -> CallRecord:
    """Place one call at its moment."""
    await asyncio.sleep(max(0.0, moment - time.monotonic()))
    delays.append(1000 * (time.monotonic() - moment))
    return await phone.call(target, script)


async def place(
    far: FarProcess, rate: float, seconds: float, folder: Path | None, *, media: bool = True
) -> tuple[list[CallRecord], dict[str, Any]]:
    """Place calls at this rate; return their records and what they cost."""
    async with Phone(start_engine=MediaEngine.start if media else NoMedia.ready) as phone:
        warm = Script(max_talk_s=TALK_S)
        await asyncio.gather(*(phone.call(far.uri(0), warm) for _ in range(WARM_UP_CALLS)))
        parts = {**parts_of(), "far_end": far.pid}
        before = {part: spent_s(pid) for part, pid in parts.items()}
        begun, delays = time.monotonic() + 0.1, list[float]()
        count = round(rate * seconds)
        calls = []
        for number in range(count):
            script = Script(max_talk_s=TALK_S, capture=folder / f"{number}.part" if folder else None)
            calls.append(_at(begun + number / rate, phone, far.uri(number), script, delays))
        records = await asyncio.gather(*calls)
        span_s = time.monotonic() - begun
        spent = {part: spent_s(pid) - before[part] for part, pid in parts.items()}
        health = await phone.media_health(round(50 * span_s))
    return list(records), {
        "backlog_ms_p99": round(percentile(delays, 0.99), 2),
        "cpu_ms_per_call": {part: round(1000 * value / count, 2) for part, value in spent.items()},
        "cpu_pct": {part: round(100 * value / span_s, 1) for part, value in spent.items()},
        "tick_ms_p99": round(health.tick_ms_p99, 2),
        "late_pct": round(
            100 * sum(r.media.late for r in records) / max(1, sum(r.media.sent for r in records)), 3
        ),
    }


def wire_rate(records: list[CallRecord], times: Times) -> float:
    """Return INVITEs a second as the wire saw them."""
    left = sorted(times[r.call_id]["INVITE"] for r in records if "INVITE" in times.get(r.call_id, {}))
    return (len(left) - 1) / (left[-1] - left[0]) if len(left) > 1 and left[-1] > left[0] else 0.0


def measure(rate: float, seconds: float, recorded: bool, *, media: bool = True) -> dict[str, Any]:
    """Run one rate with processes of its own."""
    room = round(4 * rate * (RING_S + TALK_S) + 100) if media else 0
    recorded = recorded and media
    with (
        tempfile.TemporaryDirectory(prefix="dutyring-setups-") as name,
        far_process(room, ring_s=RING_S, early_sound=False, stamps=True, realtime=False) as far,
        Witness(far.port) as witness,
    ):
        records, spent = asyncio.run(place(far, rate, seconds, Path(name) if recorded else None, media=media))
    if not witness.sees:
        raise SystemExit("the witness of the wire needs the right to open raw sockets (root)")
    errors = timing_errors(records, witness.times)
    figures = {
        "what": "whole set-ups" if media else "signalling only",
        "rate": rate,
        "calls": len(records),
        "answered": sum(record.outcome == "answered" for record in records),
        "setups_per_s": round(wire_rate(records, witness.times), 1),
        "error_ms": {**spread(errors), "max": round(max(errors, default=0.0), 3)},
        "repeated": far.counts["calls"]["repeated"],
        "dialogs_left": far.counts["open"],
        "recorded": recorded,
        **spent,
    }
    return {**figures, "held": held(figures)}


def held(figures: dict[str, Any]) -> bool:
    """Whether this rate was held: all answered, times true, and as many set-ups as were wanted."""
    return bool(
        figures["answered"] == figures["calls"]
        and (figures["error_ms"]["p99"] or 99) <= LIMIT_MS
        and figures["setups_per_s"] >= RATE_HELD * figures["rate"]
    )


def ramp(rates: list[float], seconds: float, recorded: bool, *, media: bool, until_broken: bool) -> bool:
    """Run the rates one after the other, a line of JSON each; True where all of them were held."""
    last, good = None, True
    for rate in rates:
        figures = measure(rate, seconds, recorded, media=media)
        print(json.dumps({"benchmark": "setups", **figures}), flush=True)
        good = good and figures["held"]
        if until_broken and not good:
            break
        last = rate
    if until_broken:
        print(json.dumps({"benchmark": "setups", "held_until": last, "broke_at": None if good else rate}))
    return good


def main() -> None:
    """Print the measurements, one line of JSON each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rate", type=float, default=300.0)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--ramp", default="", help="rates in place of --rate, parted by commas")
    parser.add_argument("--recorded", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--signalling-only", action="store_true", help="open no media session")
    parser.add_argument("--until-broken", action="store_true", help="end at the first rate that is not held")
    options = parser.parse_args()
    rates = [float(rate) for rate in options.ramp.split(",") if rate] or [options.rate]
    collect_seldom()
    media, until_broken = not options.signalling_only, options.until_broken
    good = ramp(rates, options.seconds, options.recorded, media=media, until_broken=until_broken)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()

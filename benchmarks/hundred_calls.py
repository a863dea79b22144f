"""A hundred calls at once, recorded and analysed, against simulated lines on the same machine.

    python -m benchmarks.hundred_calls --calls 100 --seconds 20

`late_pct`: packets of ours that left more than 10 ms after their slot. `lost_pct`: packets of the far end that were
missing in our reception. `kernel_drops`: datagrams that the kernel threw away for want of buffer, on the whole machine.
CPU is in per cent of one core, over the seconds in which all calls talk. The exit status is 1 when a call was not
answered, or late packets, lost packets or the media engine's CPU are over their limit.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

import recordings
from benchmarks.far_end import FarEnd, far_end
from benchmarks.table import percentile, show
from sip.phone import Phone, Script
from sip.record import CallRecord
from sip.simulator import FIRST_LOAD_LINE

LATE_LIMIT_PCT = 0.1
MEDIA_CPU_LIMIT_PCT = 40.0
RING_S = 4.5
"""A load line answers 4 s after its bell; then all calls talk."""
PLACES_PER_S = 50


def kernel_drops() -> int:
    """Return how many UDP datagrams the kernel has thrown away for want of buffer so far."""
    names, values = [
        line.split() for line in Path("/proc/net/snmp").read_text().splitlines() if line.startswith("Udp:")
    ]
    return int(dict(zip(names, values, strict=True))["RcvbufErrors"])


def processes() -> dict[str, psutil.Process]:
    """Return our processes by their part: signalling is this one, the engine and its writer are below it."""
    own = psutil.Process()
    parts = {"signalling": own}
    for child in own.children(recursive=True):
        words = " ".join(child.cmdline())
        for part, module in (("media", "sip.media.engine"), ("writer", "sip.media.writer")):
            if module in words and _ancestor_is(child, own):
                parts[part] = child
    return parts


def _ancestor_is(process: psutil.Process, own: psutil.Process) -> bool:
    """Whether no other program stands between the two (the far end has an engine and a writer too)."""
    between = [parent for parent in process.parents() if own in parent.parents()]
    return all("sip.media" in " ".join(parent.cmdline()) for parent in between)


def _busy_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


async def measure_load(seconds: float) -> dict[str, Any]:
    """Wait until all calls talk, then measure the processes for this long."""
    await asyncio.sleep(RING_S)
    parts = processes()
    before, begun = {part: _busy_s(process) for part, process in parts.items()}, time.monotonic()
    await asyncio.sleep(seconds)
    span = time.monotonic() - begun
    return {
        "cpu_pct": {
            part: round(100 * (_busy_s(process) - before[part]) / span, 1) for part, process in parts.items()
        },
        "rss_mb": {part: round(process.memory_info().rss / 1e6, 1) for part, process in parts.items()},
    }


async def one_call(phone: Phone, far: FarEnd, number: int, talk_s: float, folder: Path) -> CallRecord:
    """Place one recorded call."""
    await asyncio.sleep(number / PLACES_PER_S)
    script = Script(max_talk_s=talk_s, capture=folder / f"{number}.part")
    return await phone.call(far.uri(FIRST_LOAD_LINE + number), script)


async def run(
    far: FarEnd, calls: int, seconds: float, folder: Path
) -> tuple[list[CallRecord], dict[str, Any]]:
    """Place all calls; return their records and the load."""
    dialling_s = calls / PLACES_PER_S
    async with Phone() as phone:
        load = asyncio.create_task(_later(dialling_s, seconds))
        talk_s = dialling_s + seconds + 2
        records = await asyncio.gather(
            *(one_call(phone, far, number, talk_s, folder) for number in range(calls))
        )
        return list(records), await load


async def _later(delay_s: float, seconds: float) -> dict[str, Any]:
    await asyncio.sleep(delay_s)
    return await measure_load(seconds)


def figures(records: list[CallRecord], load: dict[str, Any], drops: int, folder: Path) -> dict[str, Any]:
    """Return what was measured."""
    sent = sum(record.media.sent for record in records)
    received = sum(record.media.received for record in records)
    lost = sum(record.media.lost for record in records)
    encoded = [
        recordings.encode(folder / f"{number}.part", folder / f"{number}.flac", record.ended_ms)
        for number, record in enumerate(records)
    ]
    errors = [abs(info.duration_ms - record.ended_ms) for info, record in zip(encoded, records, strict=True)]
    return {
        "benchmark": "hundred_calls",
        "calls": len(records),
        "answered": sum(record.outcome == "answered" for record in records),
        "rings_heard": sum(record.rings.source == "audio" and record.rings.count == 1 for record in records),
        "packets": sent + received,
        "late_pct": round(100 * sum(record.media.late for record in records) / max(1, sent), 4),
        "lost_pct": round(100 * lost / max(1, received + lost), 4),
        "kernel_drops": drops,
        "recording_error_ms": {"p99": round(percentile(errors, 0.99), 2), "max": round(max(errors), 2)},
        **load,
    }


def main() -> None:
    """Print the measurement."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, far_end(lines=options.calls) as far:
        before = kernel_drops()
        records, load = asyncio.run(run(far, options.calls, options.seconds, Path(name)))
        result = figures(records, load, kernel_drops() - before, Path(name))
    show(result)
    good = result["answered"] == result["calls"] and not result["kernel_drops"] and not result["lost_pct"]
    good = good and result["late_pct"] < LATE_LIMIT_PCT and result["cpu_pct"]["media"] < MEDIA_CPU_LIMIT_PCT
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()

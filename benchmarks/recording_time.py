"""Does a moment of a call's events lie where it belongs in the recording? `python -m benchmarks.recording_time`

    python -m benchmarks.recording_time [--seconds 180] [--ppm 200] [--made-up 1800] [--json]

First many calls of far ends whose clocks are off, made up packet by packet (`benchmarks.far_clock`), each received both
ways; then one call through the phone, in real time, to a line in another process with such a clock
(`benchmarks.skewed_far_end`): its clicks, its digit, its answer and its hanging up, and clicks of ours, against the
recording. The exit status is 1 when anything lies more than 20 ms off (of made-up calls: after their first two
seconds), or when a click came twice, torn or not at all.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from benchmarks.far_clock import BEGIN_S, FarClock, Found, Recorded, find_clicks, packets_of
from benchmarks.table import show_parts
from recordings import encode
from sip.media import SAMPLE_RATE_HZ, read_capture
from sip.phone import Phone, Script
from sip.record import CallRecord

SCHEMA = "dutyring.bench.recording_time/1"
LIMIT_MS = 20.0
SETTLED_S = 2.0
"""A stream whose first packet came late is put right within so long."""
OUR_CLICKS = 7 * SAMPLE_RATE_HZ
"""Each at the beginning of a packet."""


def cases() -> list[FarClock]:
    """Return the far ends that are made up."""
    clocks = (20.0, -20.0, 100.0, -100.0, 300.0, -300.0)
    found = [FarClock(f"clock {ppm:+.0f} ppm", ppm=ppm) for ppm in clocks]
    found += [
        FarClock(f"jitter {jitter:.0f} ms, loss {loss:.0%}, {ppm:+.0f} ppm", ppm, jitter, loss, seed=seed)
        for seed, (jitter, loss, ppm) in enumerate(
            ((20, 0.01, 300.0), (20, 0.01, -300.0), (60, 0.05, 300.0), (60, 0.05, -300.0), (60, 0.05, 20.0)),
            2,
        )
    ]
    found += [
        FarClock(
            f"pauses, jitter {jitter:.0f} ms, {ppm:+.0f} ppm", ppm, jitter, talk_s=(8.0, 13.0), seed=seed
        )
        for seed, (jitter, ppm) in enumerate(((0, 300.0), (0, -300.0), (60, -300.0)), 2)
    ]
    found += [
        FarClock(
            f"new streams, jitter {jitter:.0f} ms, {ppm:+.0f} ppm", ppm, jitter, new_stream_s=37.0, seed=seed
        )
        for seed, (jitter, ppm) in enumerate(((0, 300.0), (30, -300.0)), 2)
    ]
    found += [
        FarClock(f"packets of {ptime} ms, {ppm:+.0f} ppm", ppm, ptime_ms=ptime)
        for ptime in (30, 40)
        for ppm in (300.0, -300.0)
    ]
    return [
        *found,
        *(FarClock(f"digital silence, {ppm:+.0f} ppm", ppm, noise=0.0) for ppm in (300.0, -300.0)),
    ]


def made_up(seconds: float) -> dict[str, Found]:
    """Receive all made-up calls both ways; return their clicks by name."""
    fars = cases()
    packets = [packets_of(far, seconds) for far in fars]
    found: dict[str, Found] = {}
    for way in ("one by one", "together"):
        with tempfile.TemporaryDirectory() as folder:
            calls = Recorded(len(fars), Path(folder))
            if way == "together":
                calls.receive_together(packets)
            else:
                for row, each in enumerate(packets):
                    calls.receive_one_by_one(row, each)
            for row, far in enumerate(fars):
                sound = calls.finish(row, BEGIN_S + seconds * (1 + far.ppm / 1e6) + 1)
                found[f"{far.name} ({way})"] = find_clicks(sound[:, 1], packets[row].clicks)
    return found


def line_of(found: Found) -> tuple[str, bool]:
    """Return the figures of a made-up call as a line, and whether it holds."""
    worst_ms = found.worst_ms(BEGIN_S + SETTLED_S)
    holds = worst_ms <= LIMIT_MS and found.sent == found.heard == found.whole
    clicks = f"{found.whole} of {found.sent} clicks whole"
    errors = f"{found.errors_ms.min():+.1f} to {found.errors_ms.max():+.1f} ms"
    return f"{errors}, {clicks}{'' if holds else '  FAILED'}", holds


async def real_call(ppm: float, seconds: float, folder: Path) -> tuple[CallRecord, dict[str, list[float]]]:
    """Call the line with the wrong clock; return the record and what the line did when."""
    command = [sys.executable, "-m", "benchmarks.skewed_far_end", str(ppm), str(seconds)]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, limit=1 << 20)
    assert process.stdout is not None
    port = int(await process.stdout.readline())
    prompt = np.zeros(int((seconds - 5) * SAMPLE_RATE_HZ), np.int16)
    for start in range(SAMPLE_RATE_HZ, len(prompt) - SAMPLE_RATE_HZ, OUR_CLICKS):
        prompt[start : start + 8], prompt[start + 8 : start + 16] = 32_000, -32_000
    async with Phone() as phone:
        script = Script(max_talk_s=seconds + 60, say=prompt, capture=folder / "call.part")
        record = await phone.call(f"sip:line@127.0.0.1:{port}", script)
    told = json.loads(await process.stdout.readline())
    await process.wait()
    return record, told


def _span(found: Found) -> str:
    errors_ms = found.errors_ms
    return f"{errors_ms.min():+.1f} to {errors_ms.max():+.1f} ms, {found.heard} of {found.sent}"


def compare(record: CallRecord, told: dict[str, list[float]], folder: Path) -> tuple[dict[str, Any], bool]:
    """Return how far each event of a real call lies from where it belongs, in milliseconds."""
    encode(folder / "call.part", folder / "call.flac", record.ended_ms)
    sound = soundfile.read(folder / "call.flac", dtype="int16")[0]
    answered_s = (record.answered_ms or 0.0) / 1000
    began = told["answered"][0] - answered_s  # the call's time 0 on the machine's clock
    theirs = find_clicks(sound[:, 1], np.array(told["clicks"]) - began)
    ours = find_clicks(sound[:, 0], np.array(told["heard"]) - began)
    digits = [digit.t_ms - (at - began) * 1000 for digit, at in zip(record.dtmf, told["digits"], strict=True)]
    ended_ms = record.ended_ms - (told["ended"][0] - began) * 1000
    figures = {
        "clicks of the line": _span(theirs),
        "clicks of ours": _span(ours),
        "digit": f"{digits[0]:+.1f} ms",
        "end": f"{ended_ms:+.1f} ms; the recording is {len(sound) / 8 - record.ended_ms:+.1f} ms longer",
        "missing": len(read_capture(folder / "call.part").missing),
        "late": f"{record.media.late} packets of ours, those of the line up to {told['late'][0] * 1000:.1f} ms",
        "outcome": record.outcome,
    }
    errors = [theirs.worst_ms(), ours.worst_ms(), abs(digits[0]), abs(ended_ms)]
    whole = theirs.sent == theirs.heard and ours.sent == ours.heard > 0
    return figures, whole and max(errors) <= LIMIT_MS


def main() -> None:
    """Print how far things lie off."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=180.0, help="length of the real call; 0: none")
    parser.add_argument("--ppm", type=float, default=200.0, help="how much slower the line's clock is")
    parser.add_argument("--made-up", type=float, default=1800.0, help="length of the made-up calls; 0: none")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    figures: dict[str, Any] = {"schema": SCHEMA}
    holds = True
    if given.made_up:
        lines = {name: line_of(found) for name, found in made_up(given.made_up).items()}
        figures[f"made up, {given.made_up:.0f} s"] = {name: line for name, (line, _) in lines.items()}
        holds = all(good for _, good in lines.values())
    if given.seconds:
        with tempfile.TemporaryDirectory() as folder:
            record, told = asyncio.run(real_call(given.ppm, given.seconds, Path(folder)))
            figures[f"in real time, {given.seconds:.0f} s, {given.ppm:+.0f} ppm"], good = compare(
                record, told, Path(folder)
            )
            holds = holds and good
    show_parts(figures, as_json=given.json)
    sys.exit(not holds)


if __name__ == "__main__":
    main()

"""Calls over a bad network: are outcomes right, times within bounds, losses reported, recordings whole?

    python -m benchmarks.chaos [--seed N] [--lines 61,62,...] [--levels loss-5,...]

Calls simulated lines through `benchmarks.bad_network` at every level of faults, all at once: the lines in one network
namespace, the phone in another. What the records say is compared with the lines' own scripts and with the network's
log of each packet. The exit status is 1 where anything is wrong. Needs root.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.bad_network import FAR, BadNetwork, Faults, NetworkLog, missing_rights
from benchmarks.chaos_ends import PORT, verdict_of
from benchmarks.chaos_truth import faults_of, true_ring_ms

LEVELS = {
    "clear": Faults(),
    "loss-1": Faults(loss=0.01),
    "loss-5": Faults(loss=0.05),
    "loss-20": Faults(loss=0.20),
    "reorder-5": Faults(hold=0.05),
    "repeat-5": Faults(repeat=0.05),
    "delay-300": Faults(delay_ms=300.0),
    "all": Faults(loss=0.05, repeat=0.02, hold=0.02, delay_ms=100.0),
}
"""Reordered packets come 50 ms late; a delay is that of each way."""
TCP_LEVEL = "loss-5"
LINES = ("61", "62", "70", "71", "86", "87", "88", "91", "181", "302", "480", "603", "1811", "4040", "9421")
MAX_RING_S, MAX_TALK_S = 12.0, 4.0
LIMIT_S = 150.0


@dataclass(frozen=True, slots=True)
class Round:
    """What came of one round of calls."""

    calls: tuple[dict[str, Any], ...]
    """`user`, `record` (as in docs/reference/call-record.md) and `verdict` (its code)."""
    log: NetworkLog
    left: int
    """Calls that the far end still had at the end."""


def run(
    users: Sequence[str], folder: Path, *, seed: int, tcp: Sequence[str] = (), command: Sequence[str] = ()
) -> Round:
    """Place a call to every user at once; those of `tcp` by TCP, those of `command` by `dutyring call`.

    The users of these have levels of their own names: `62.loss-5-tcp`, `62.loss-5-command`.
    """
    levels = {f"{name}{way}": faults for name, faults in LEVELS.items() for way in ("", "-tcp", "-command")}
    everyone = [*users, *tcp]
    with BadNetwork(levels, seed=seed, tcp=TCP_LEVEL) as network:
        far = _end(network, "far", [*everyone, *command])
        try:
            assert far.stdout is not None
            if far.stdout.readline() != "ready\n":
                raise RuntimeError(f"the far end did not start (exit status {far.wait(5)})")
            calls = [
                {
                    "user": user,
                    "max_ring_s": MAX_RING_S,
                    "max_talk_s": MAX_TALK_S,
                    "transport": "tcp" if user in tcp else "udp",
                }
                for user in everyone
            ]
            near = _end(network, "near", {"folder": str(folder), "calls": calls})
            typed = [(user, _command(network, user, folder)) for user in command]
            out, _ = near.communicate(timeout=LIMIT_S)
            records = [(user, json.loads(process.communicate(timeout=LIMIT_S)[0])) for user, process in typed]
            left = json.loads(far.communicate(timeout=60)[0])["left"]
        finally:
            if far.poll() is None:
                far.kill()
                far.communicate()
        judged = ({"user": user, "record": record, "verdict": verdict_of(record)} for user, record in records)
        return Round((*json.loads(out), *judged), network.log(), left)


def _end(network: BadNetwork, end: str, given: Any) -> subprocess.Popen[str]:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    process = network.start(end, [sys.executable, "-m", "benchmarks.chaos_ends", end], **pipes)
    assert process.stdin is not None
    process.stdin.write(json.dumps(given) + "\n")
    process.stdin.flush()
    return process


def _command(network: BadNetwork, user: str, folder: Path) -> subprocess.Popen[str]:
    """Start `dutyring call` at the near end."""
    limits = ["--max-ring", str(MAX_RING_S), "--max-talk", str(MAX_TALK_S)]
    options = ["--json", "--tones-only", "--record", str(folder / f"{user}.flac"), *limits]
    command = [sys.executable, "-m", "app.cli", "call", f"sip:{user}@{FAR}:{PORT}", *options]
    return network.start("near", command, stdout=subprocess.PIPE)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lines", default=",".join(LINES))
    parser.add_argument("--levels", default=",".join(LEVELS))
    options = parser.parse_args()
    if (reason := missing_rights()) is not None:
        sys.exit(reason)
    levels = options.levels.split(",")
    users = [f"{line}.{level}" for level in levels for line in options.lines.split(",")]
    over_tcp = [f"{line}.{TCP_LEVEL}-tcp" for line in options.lines.split(",") if TCP_LEVEL in levels]
    with tempfile.TemporaryDirectory() as name:
        done = run(users, Path(name), seed=options.seed, tcp=over_tcp)
    found = {call["user"]: faults_of(call, done.log) for call in done.calls}
    for level in [*levels, f"{TCP_LEVEL}-tcp"]:
        print(
            _row(level, [call for call in done.calls if call["user"].endswith(f".{level}")], done.log, found)
        )
    for user, faults in found.items():
        for fault in faults:
            print(f"{user}: {fault}")
    print(f"packets that the network itself handed on late: {done.log.other['late']}")
    if done.left:
        print(f"the far end has {done.left} calls that never ended")
    sys.exit(1 if done.left or any(found.values()) else 0)


def _row(level: str, calls: list[dict[str, Any]], log: NetworkLog, found: dict[str, list[str]]) -> str:
    """One line of the table: what the network did, and what the records say."""
    differences = [
        abs(measured - true)
        for call in calls
        if (measured := call["record"]["ring_to_answer_ms"]) is not None
        and (true := true_ring_ms(call["user"], log)) is not None
    ]
    users = {call["user"] for call in calls}
    streams = [stream for stream in log.sound if stream["user"] in users and stream["way"] == "in"]
    told = sum(call["record"]["media"]["lost"] for call in calls)
    return (
        f"{level:<12} calls {len(calls):>3}  wrong {sum(bool(found[user]) for user in users):>2}  "
        f"measured {len(differences):>2}  worst {max(differences, default=0.0):7.1f} ms  "
        f"packets to us {sum(s['sent'] for s in streams):>6}  lost {sum(s['lost'] for s in streams):>5}  told {told:>5}"
    )


if __name__ == "__main__":
    main()

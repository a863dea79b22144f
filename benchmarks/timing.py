"""Is `ring_to_answer_ms` true? Compares it with a witness of the wire, call by call.

    python -m benchmarks.timing --calls 50 --busy

All calls are placed at once through `sip.phone.Phone` to simulated lines in another process, with a thread that never
rests beside the signalling (`--busy`). A third process takes the same packets off the wire with an AF_PACKET socket.
The exit status is 1 when the 99th percentile of the differences is over 2 ms. Needs root.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import threading
from collections.abc import Iterator
from typing import Any

from app.bench.wire_witness import Witness
from benchmarks.far_end import FarEnd, far_end
from benchmarks.table import percentile, show
from sip.phone import Phone, Script
from sip.record import CallRecord

LIMIT_MS = 2.0
EXTENSIONS = (11, 12)
"""Lines that ring by signalling alone (180) and answer in the first and the second ring."""


@contextlib.contextmanager
def busy_loop(wanted: bool) -> Iterator[None]:
    """Let a thread of this process compute without a pause."""
    stop = threading.Event()

    def spin() -> None:
        number = 0
        while not stop.is_set():
            number = (number * 3 + 1) % 1_000_003

    thread = threading.Thread(target=spin, daemon=True)
    if wanted:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        if wanted:
            thread.join()


def wire_ms(witness: Witness, call_id: str) -> float | None:
    """Return the time between the first 180 and the 200 on the wire."""
    seen = witness.times.get(call_id, {})
    return (seen["200"] - seen["180"]) * 1000 if {"180", "200"} <= seen.keys() else None


async def place(far: FarEnd, calls: int) -> list[CallRecord]:
    """Place all calls at once."""
    async with Phone() as phone:
        script = Script(max_talk_s=1.0)
        targets = [far.uri(EXTENSIONS[number % len(EXTENSIONS)]) for number in range(calls)]
        return list(await asyncio.gather(*(phone.call(target, script) for target in targets)))


def compare(records: list[CallRecord], witness: Witness) -> dict[str, Any]:
    """Return the figures: how far the phone's times are from the wire's."""
    differences, unseen = [], 0
    for record in records:
        between_ms = wire_ms(witness, record.call_id)
        if between_ms is None or record.ring_to_answer_ms is None:
            unseen += 1
            continue
        differences.append(abs(record.ring_to_answer_ms - between_ms))
    return {
        "benchmark": "timing",
        "calls": len(records),
        "compared": len(differences),
        "not_compared": unseen,
        "difference_ms": {
            "p50": round(percentile(differences, 0.5), 4),
            "p99": round(percentile(differences, 0.99), 4),
            "max": round(max(differences, default=float("nan")), 4),
        },
        "limit_ms": LIMIT_MS,
    }


def main() -> None:
    """Print the comparison."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=50)
    parser.add_argument("--busy", action=argparse.BooleanOptionalAction, default=True)
    options = parser.parse_args()
    with far_end() as far, Witness(far.port) as witness, busy_loop(options.busy):
        if not witness.sees:
            raise SystemExit("the witness of the wire needs the right to open raw sockets (root)")
        records = asyncio.run(place(far, options.calls))
    figures = compare(records, witness) | {"busy": options.busy}
    show(figures)
    good = figures["not_compared"] == 0 and figures["difference_ms"]["p99"] <= LIMIT_MS
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()

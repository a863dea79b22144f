"""pyVoIP in the comparison: threads, one for each call's sound; it tells of no 180 and records nothing."""

from __future__ import annotations

import importlib
import itertools
import socket
import threading
import time
from typing import Any

from benchmarks.peer_phones.tally import HOST, Tally, Task, task

voip: Any = importlib.import_module("pyVoIP.VoIP")
POLL_S = 0.01
"""It has no event for an answer: a program has to look."""
PATIENCE_S = 5.0


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _one(phone: Any, wanted: Task, number: int, tally: Tally) -> None:
    try:
        call = phone.call(f"line-{number}")
        until = time.monotonic() + PATIENCE_S
        while call.state != voip.CallState.ANSWERED and time.monotonic() < until:
            time.sleep(POLL_S)
        if call.state != voip.CallState.ANSWERED:
            tally.failed += 1
            return
        tally.answered += 1
        time.sleep(wanted.talk_s)
        call.hangup()
    except Exception:
        # Whatever it raises counts as a call that failed.
        tally.failed += 1


def main() -> None:
    """Place the calls."""
    wanted, numbers = task(), itertools.count()
    phone = voip.VoIPPhone(
        HOST, wanted.port, "bench", "", myIP=HOST, sipPort=_free_port(), rtpPortLow=20_000, rtpPortHigh=24_000
    )
    phone.start()
    until = time.monotonic() + PATIENCE_S
    while phone.get_status() != voip.PhoneStatus.REGISTERED and time.monotonic() < until:
        time.sleep(POLL_S)
    tally, lock = Tally(), threading.Lock()

    def worker() -> None:
        while True:
            with lock:
                number = next(numbers)
            if number >= wanted.calls:
                return
            _one(phone, wanted, number, tally)

    threads = [threading.Thread(target=worker, daemon=True) for _ in range(wanted.at_once)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tally.tell()


if __name__ == "__main__":
    main()

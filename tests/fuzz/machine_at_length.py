"""Looks for orders of messages and timers that the call machine does not survive.

    python -m tests.fuzz.machine_at_length --seconds 600

Each round draws anew. What fails is shrunk and printed as a list of steps, with a line that repeats it.
"""

from __future__ import annotations

import argparse
import sys
import time

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.fuzz.machine import CallMachine

ROUND = 500
"""Examples of one round."""


def main() -> int:
    """Run rounds until the time is over; a finding ends them with its traceback and the exit status 1."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--steps", type=int, default=60, help="of one example, at most")
    given = parser.parse_args()
    wanted = settings(
        max_examples=ROUND,
        stateful_step_count=given.steps,
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    until, rounds = time.monotonic() + given.seconds, 0
    while time.monotonic() < until:
        run_state_machine_as_test(CallMachine, settings=wanted)
        rounds += 1
    print(f"{rounds} rounds of {ROUND} examples, none of which failed")
    return 0


if __name__ == "__main__":
    sys.exit(main())

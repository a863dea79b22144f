"""The call machine under any order of messages, timers and wishes; see `tests.fuzz.machine` for what must hold.

A failure prints the steps that lead to it. `python -m tests.fuzz.machine_at_length` looks for more.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.fuzz.machine import CallMachine

EXAMPLES, STEPS = 300, 50
"""Some 8 s of processor."""


@pytest.mark.timeout(280)
def test_any_order_of_messages_and_timers_ends_well_and_leaves_nothing() -> None:
    wanted = settings(
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(CallMachine, settings=wanted)

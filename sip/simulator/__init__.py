"""Simulated duty lines: the far end of the demo, the tests and the benchmarks.

`BEHAVIOURS` says what each extension does and what an honest phone must find there.
"""

from __future__ import annotations

from sip.simulator.behaviours import (
    BEHAVIOURS,
    DIGEST_PASSWORD,
    DIGEST_USER,
    FIRST_LOAD_LINE,
    load_line,
    ring_ms,
    three_ring,
)
from sip.simulator.clips import Clip, clips, duration_s, sound, sound_names
from sip.simulator.compare import differences
from sip.simulator.page import lines_list, lines_page
from sip.simulator.scenario import ScenarioError, read_scenario
from sip.simulator.server import Simulator
from sip.simulator.steps import (
    Answer,
    AwaitDigits,
    Behaviour,
    Challenge,
    Expectation,
    HangUp,
    Never,
    Play,
    Provisional,
    Quiet,
    Redirect,
    Reject,
    Say,
    Step,
    Wait,
    faults,
)
from sip.simulator.tones import RATE_HZ, Samples, level_dbm0

__all__ = [
    "BEHAVIOURS",
    "DIGEST_PASSWORD",
    "DIGEST_USER",
    "FIRST_LOAD_LINE",
    "RATE_HZ",
    "Answer",
    "AwaitDigits",
    "Behaviour",
    "Challenge",
    "Clip",
    "Expectation",
    "HangUp",
    "Never",
    "Play",
    "Provisional",
    "Quiet",
    "Redirect",
    "Reject",
    "Samples",
    "Say",
    "ScenarioError",
    "Simulator",
    "Step",
    "Wait",
    "clips",
    "differences",
    "duration_s",
    "faults",
    "level_dbm0",
    "lines_list",
    "lines_page",
    "load_line",
    "read_scenario",
    "ring_ms",
    "sound",
    "sound_names",
    "three_ring",
]

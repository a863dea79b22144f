"""The built-in lines behind a switchboard (总机转分机): it answers by itself and connects after the digits."""

from __future__ import annotations

from dataclasses import replace

from sip.simulator.script_parts import END, RINGBACK, RINGING, SET_UP_S, answered, failed
from sip.simulator.steps import (
    Answer,
    AwaitDigits,
    Behaviour,
    Expectation,
    Never,
    Play,
    Quiet,
    Say,
    Step,
    Wait,
)

EXTENSION_DIGITS = "6001#"
"""What the switchboards want to hear."""


def _behind_a_switchboard(
    extension: str, name: str, title_zh: str, steps: tuple[Step, ...], expect: Expectation, digits: str = ""
) -> Behaviour:
    """A switchboard that rings once, answers by itself and connects to its extension after the digits."""
    menu = (Wait(SET_UP_S), RINGING, Wait(1), Answer(), Wait(0.3), AwaitDigits(EXTENSION_DIGITS), Wait(1.2))
    expect = replace(expect, sip_status=200)
    return Behaviour(
        extension, name, title_zh, (*menu, *steps), expect, digits=digits or f"wwww{EXTENSION_DIGITS}"
    )


SWITCHBOARDS = (
    _behind_a_switchboard(
        "9421",
        "extension-answers",
        "总机转分机 6001：带内回铃两声后有人接听",
        (RINGBACK, Wait(8), Quiet(), Wait(0.3), Say("officer_05"), *END),
        replace(answered(2), ring_to_answer_ms=8330.0, tolerance_ms=250.0, answer_source="in_band"),
    ),
    _behind_a_switchboard(
        "9422",
        "extension-never",
        "总机转分机 6001：有回铃音，无人接听",
        (RINGBACK, Never()),
        failed(Expectation("no_answer", forwarded=False)),
    ),
    _behind_a_switchboard(
        "9423",
        "extension-busy",
        "总机转分机 6001：送忙音",
        (Play("busy", loop=True), Never()),
        failed(Expectation("busy", line_state=("busy",))),
    ),
    _behind_a_switchboard(
        "9424",
        "extension-unheard",
        "总机转分机 6001：没有回铃音，有人直接说话",
        (Say("officer_06"), *END),
        Expectation(
            "answered",
            answered_by=("human",),
            three_ring="not_applicable",
            answer_source="in_band",
            forwarded=False,
        ),
    ),
    _behind_a_switchboard(
        "9425",
        "extension-announced",
        "总机转分机 6001：先报正在转接，再带内回铃一声后接听",
        (Say("transfer_notice"), Wait(0.6), RINGBACK, Wait(3.5), Quiet(), Wait(0.3), Say("officer_07"), *END),
        replace(
            answered(1),
            ring_to_answer_ms=3830.0,
            tolerance_ms=250.0,
            answer_source="in_band",
            forwarded=None,
        ),
    ),
)

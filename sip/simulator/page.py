"""The built-in lines for a reader: the list of `dutyring simulate --list` and docs/reference/simulated-lines.md."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import assert_never

from sip.simulator.behaviours import BEHAVIOURS, DIGEST_PASSWORD, DIGEST_USER, FIRST_LOAD_LINE
from sip.simulator.clips import FORMULAS, clips
from sip.simulator.steps import (
    STEPS,
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
)


def lines_list(behaviours: Iterable[Behaviour] = BEHAVIOURS.values()) -> str:
    """Return one line of text for each behaviour: extension, name, title."""
    return "\n".join(f"{line.extension:<6} {line.name:<18} {line.title_zh}" for line in behaviours)


def lines_page() -> str:
    """Return the reference page in Markdown."""
    rows = [
        f"| {line.extension} | {line.name} | {line.title_zh} | {_script(line)} | {_findings(line.expect)} |"
        for line in BEHAVIOURS.values()
    ]
    spoken = [f"| {clip.name} | {clip.voice} | {clip.text} |" for clip in clips().values()]
    return _PAGE.format(
        rows="\n".join(rows),
        steps="\n".join(_vocabulary()),
        spoken="\n".join(spoken),
        user=DIGEST_USER,
        password=DIGEST_PASSWORD,
        load=FIRST_LOAD_LINE,
        formulas=", ".join(f"`{name}`" for name in FORMULAS),
    )


def step_text(step: Step) -> str:
    """Return a step as a reader would say it."""
    match step:
        case Provisional(status=status, sdp=sdp, headers=headers, isup=isup):
            bodies = [*(["SDP"] if sdp else []), *(["ISUP"] if isup else [])]
            return " ".join([str(status), *bodies, *(name for name, _ in headers)])
        case Wait(seconds=seconds):
            return f"{seconds:g} s"
        case Play(sound=sound, loop=loop):
            return f"play {sound}{' (loop)' if loop else ''}"
        case Say(sound=sound):
            return f"say {sound}"
        case Quiet():
            return "quiet"
        case Answer(headers=headers):
            return " ".join(["**200**", *(name for name, _ in headers)])
        case AwaitDigits(digits=digits, sound=sound):
            return f"play {sound} (loop) until `{digits}`"
        case Reject(status=status):
            return f"**{status}**"
        case Redirect(to=to, status=status):
            return f"**{status}** to {to}"
        case Challenge(algorithm=algorithm):
            return f"407 ({algorithm})"
        case HangUp():
            return "BYE"
        case Never():
            return "nothing more"
        case _:
            assert_never(step)


def _script(line: Behaviour) -> str:
    text = ", ".join(step_text(step) for step in line.steps)
    if line.digits:
        text += f"; the caller sends `{line.digits}`"
    if line.history_ms:
        text += f"; the caller brings {' '.join(f'`--history {ms:g}`' for ms in line.history_ms)}"
    return f"{text}; CANCEL is answered by 200" if line.ignore_cancel else text


def _findings(expect: Expectation) -> str:
    parts = [f"`{expect.outcome}`"]
    for field in fields(expect)[1:]:
        value = getattr(expect, field.name)
        if value is not None and value != () and field.name != "tolerance_ms":
            parts.append(f"{field.name} {_value(value)}")
    if expect.ring_to_answer_ms is not None:
        parts.append(f"± {expect.tolerance_ms:g}")
    return ", ".join(parts)


def _value(value: object) -> str:
    if isinstance(value, tuple):
        return " or ".join("null" if item is None else str(item) for item in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _vocabulary() -> Iterable[str]:
    for step in STEPS:
        keys = ", ".join(f"`{field.name}`" for field in fields(step)) or "-"
        purpose = (step.__doc__ or "").strip().splitlines()[0]
        yield f"| `{step.word}` | {keys} | {purpose} |"


_PAGE = """# Simulated duty lines

`dutyring simulate [--listen 127.0.0.1:5062] [--scenario FILE] [--lines N] [--list]` answers calls as simulated duty
lines. The user part of
the dialled URI chooses the behaviour: `dutyring call sip:62@127.0.0.1:5062`. An extension that is not listed gets 404.
This page is generated from the table in `sip/simulator/behaviours.py` (`make docs`), and a test compares the two.

## Lines

Times add up from the INVITE, which is answered by 100 at once. The last column is what an honest phone must find,
in the words of the call record; what it leaves out is not compared.

| extension | name | 含义 | what it does | what must be found |
|---|---|---|---|---|
{rows}

Line 98 wants user `{user}`, password `{password}`; `--password-env VAR` takes another.
Line 97 answers only when the caller cancels.
With `--lines N` the extensions {load} to {load} + N - 1 ring for 4 s with true ringback, answer, and talk until the
caller hangs up.

## Scenario files

`--scenario FILE` adds lines to the table or replaces them by extension:

```toml
[[line]]
extension = "21"
name = "slow"
title_zh = "第三声接听"
steps = [
    {{do = "wait", seconds = 0.2}},
    {{do = "provisional", status = 180}},
    {{do = "wait", seconds = 14}},
    {{do = "answer"}},
    {{do = "say", sound = "officer_01"}},
    {{do = "hang_up"}},
]
expect = {{outcome = "answered", answered_by = ["human"], three_ring = "borderline"}}
```

| `do` | keys | meaning |
|---|---|---|
{steps}

`headers` is a table of names and values; `{{user}}` and `{{host}}` in them (and in `to`) stand for the dialled
extension and the simulator's address. The last step must be `reject`, `redirect`, `hang_up` or `never`.

## Spoken clips

Synthetic voices; every county, office, name and number is invented. See `sip/simulator/sounds/README.md`.
Beside them `sound` knows the tones and the tune {formulas}.

| sound | voice | words |
|---|---|---|
{spoken}
"""

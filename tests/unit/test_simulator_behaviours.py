"""The table of simulated lines: every script can be played, and what is expected follows from it."""

from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from app.commands.simulate import MOST_LINES
from sip.phone import Phone
from sip.record import EvidenceKind
from sip.simulator import (
    BEHAVIOURS,
    FIRST_LOAD_LINE,
    Answer,
    AwaitDigits,
    Challenge,
    HangUp,
    Never,
    Play,
    Provisional,
    Redirect,
    Reject,
    Say,
    Wait,
    duration_s,
    faults,
    lines_list,
    lines_page,
    load_line,
    ring_ms,
    three_ring,
)

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "simulated-lines.md"
LINES = [pytest.param(line, id=extension) for extension, line in BEHAVIOURS.items()]
ASKED_FOR = (
    "11 12 13 14 15 61 62 63 64 65 31 70 71 72 86 87 88 603 404 4040 480 503 "
    "181 302 1811 1812 1813 1814 943 994 995 996 997 998 90 91 92 93 94 95 96 97 98 99 9421 9422 9423 9424 9425"
)


def moment_ms(line, kind):
    """When the first step of a kind comes, from the INVITE; None if it never does."""
    now_s = 0.0
    for step in line.steps:
        if isinstance(step, kind):
            return now_s * 1000
        now_s += (
            step.seconds if isinstance(step, Wait) else duration_s(step.sound) if isinstance(step, Say) else 0
        )
    return None


def test_the_lines_that_the_product_needs_are_there():
    assert set(ASKED_FOR.split()) <= set(BEHAVIOURS)
    assert all(extension == line.extension for extension, line in BEHAVIOURS.items())
    assert len({line.name for line in BEHAVIOURS.values()}) == len(BEHAVIOURS)
    with pytest.raises(TypeError):
        BEHAVIOURS["11"] = BEHAVIOURS["12"]


@pytest.mark.parametrize("line", LINES)
def test_every_script_can_be_played(line):
    assert list(faults(line)) == []


@pytest.mark.parametrize("line", LINES)
def test_a_line_that_waits_for_digits_names_them_to_its_callers(line):
    wanted = [step.digits for step in line.steps if isinstance(step, AwaitDigits)]
    assert [line.digits.lstrip("w")] == (wanted or [""])


@pytest.mark.parametrize("line", LINES)
def test_expectations_follow_from_the_script(line):
    expect = line.expect
    answers = any(isinstance(step, Answer) for step in line.steps)
    if expect.answer_source == "signalling" and expect.ring_to_answer_ms is not None:
        ring = next(step for step in line.steps if isinstance(step, Provisional | Play) and step_rings(step))
        start_ms = moment_ms(line, type(ring)) if isinstance(ring, Play) else moment_of_status(line, 180)
        assert moment_ms(line, Answer) - start_ms == pytest.approx(expect.ring_to_answer_ms)
        assert expect.three_ring == three_ring(expect.ring_to_answer_ms)
    if expect.rings is not None and expect.answer_source == "signalling":
        assert expect.rings == int(expect.ring_to_answer_ms // 5000) + 1
    if expect.outcome == "answered":
        assert answers or line.ignore_cancel
    else:
        assert not expect.answered_by
        assert expect.three_ring == "not_applicable"
    rejected = [step.status for step in line.steps if isinstance(step, Reject | Redirect)]
    if expect.sip_status and expect.sip_status >= 300:
        assert rejected == [expect.sip_status]


def step_rings(step):
    return (isinstance(step, Provisional) and step.status == 180) or (
        isinstance(step, Play) and step.sound in ("ringback", "melody")
    )


def moment_of_status(line, status):
    now_s = 0.0
    for step in line.steps:
        if isinstance(step, Provisional) and step.status == status:
            return now_s * 1000
        now_s += (
            step.seconds if isinstance(step, Wait) else duration_s(step.sound) if isinstance(step, Say) else 0
        )
    raise AssertionError(f"{line.extension} never sends {status}")


@pytest.mark.parametrize(("ring", "seconds"), [(1, 4), (2, 9), (3, 14), (4, 19), (5, 24)])
def test_ring_n_means_n_bursts_begun(ring, seconds):
    assert ring_ms(ring) == seconds * 1000
    for extension in (f"1{ring}", f"6{ring}"):
        assert BEHAVIOURS[extension].expect.rings == ring


@pytest.mark.parametrize(
    ("milliseconds", "label"),
    [
        (4000, "within"),
        (11000, "within"),
        (11000.1, "borderline"),
        (15000, "borderline"),
        (15000.1, "exceeded"),
    ],
)
def test_the_three_ring_label_of_a_time(milliseconds, label):
    assert three_ring(milliseconds) == label


def test_every_kind_of_finding_is_covered():
    expected = [line.expect for line in BEHAVIOURS.values()]
    outcomes = {expect.outcome for expect in expected}
    assert outcomes >= {
        "answered",
        "busy",
        "rejected",
        "no_answer",
        "unobtainable",
        "unreachable",
        "redirected",
        "network_failure",
    }
    assert {by for expect in expected for by in expect.answered_by} == {
        "human",
        "machine",
        "fax",
        "silence",
        "unknown",
    }
    assert {expect.three_ring for expect in expected} >= {
        "within",
        "borderline",
        "exceeded",
        "not_applicable",
    }
    assert {expect.answer_source for expect in expected} >= {"signalling", "in_band"}
    assert sum(expect.forwarded is True for expect in expected) >= 4


@pytest.mark.parametrize("kind", get_args(EvidenceKind))
def test_every_kind_of_evidence_of_forwarding_has_a_line(kind):
    shown = {line.extension: line.expect for line in BEHAVIOURS.values()}
    assert any(kind in (*expect.evidence, *expect.evidence_if_understood) for expect in shown.values())


@pytest.mark.parametrize("line", LINES)
def test_only_a_line_that_proves_it_may_be_said_to_be_forwarded(line):
    proof = {"definitive", "near_proof"} & set(line.expect.forwarding_grade)
    assert bool(proof) == (line.expect.forwarded is True and line.expect.forwarding_grade != ("strong",))
    if line.expect.forwarded:
        assert line.expect.evidence


def test_people_speak_soon_and_nobody_waits_for_ever():
    for line in BEHAVIOURS.values():
        if line.expect.answered_by == ("human",) and line.expect.answer_source == "signalling":
            answer = next(n for n, step in enumerate(line.steps) if isinstance(step, Answer))
            assert line.steps[answer + 1 : answer + 2] == (Wait(0.4),)
            assert isinstance(line.steps[answer + 2], Say)
            assert isinstance(line.steps[-1], HangUp)


def test_load_lines_talk_until_the_caller_ends_the_call():
    line = load_line(str(FIRST_LOAD_LINE))
    assert list(faults(line)) == []
    assert isinstance(line.steps[-1], Never)
    assert Play("officer_01", loop=True) in line.steps


def test_every_load_line_may_be_called() -> None:
    phone = Phone()
    for number in range(FIRST_LOAD_LINE, FIRST_LOAD_LINE + MOST_LINES):
        phone.check(f"sip:{number}@127.0.0.1:5060")


@pytest.mark.parametrize(
    ("steps", "place", "words"),
    [
        ((), 0, "no steps"),
        ((Answer(),), 1, "last step"),
        ((Provisional(100), Never()), 1, "101 to 199"),
        ((Reject(302),), 1, "400 to 699"),
        ((Redirect("sip:1@h", 404),), 1, "300 to 399"),
        ((Wait(-1), Never()), 1, "0 to 3600"),
        ((Provisional(183, isup="06161"), Never()), 1, "pairs of hexadecimal digits"),
        ((Provisional(180, sdp=True), Play("trumpet"), Never()), 2, "must be one of ringback"),
        ((Provisional(180), Play("ringback"), Never()), 2, "needs media"),
        ((Provisional(180), HangUp()), 2, "needs an answer"),
        ((Answer(), Provisional(180), HangUp()), 2, "cannot follow the answer"),
        ((Reject(486), Wait(1), Never()), 1, "steps follow"),
        ((Challenge(algorithm="ROT13"), Never()), 1, "MD5 or SHA-256"),
        ((AwaitDigits("6001#"), Never()), 1, "needs an answer"),
        ((Answer(), AwaitDigits("60o1"), Never()), 2, "0-9, A-D, * and #"),
        ((Answer(), AwaitDigits(""), Never()), 2, "1 to 32"),
        ((Answer(), AwaitDigits("1", sound="trumpet"), Never()), 2, "must be one of ringback"),
        ((Answer(), AwaitDigits("1", refusal="trumpet"), Never()), 2, "must be one of ringback"),
    ],
)
def test_a_script_that_cannot_work_says_where_and_why(steps, place, words):
    found = list(faults(replace(BEHAVIOURS["86"], steps=steps)))
    assert any(number == place and words in fault for number, fault in found), found


def test_the_list_names_every_line():
    rows = lines_list().splitlines()
    assert [row.split()[0] for row in rows] == list(BEHAVIOURS)


def test_the_reference_page_is_the_table():
    assert PAGE.read_text(encoding="utf-8") == lines_page()

"""Calls over a network that loses, reorders, repeats and delays packets: the records stay true.

The network is of the test's own (`benchmarks.bad_network`), and so is its log of what it did to each packet, which the
records are held against; `benchmarks.chaos_truth` derives the bounds. `python -m benchmarks.chaos` is the full matrix.
"""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.bad_network import missing_rights
from benchmarks.chaos import Round, run
from benchmarks.chaos_truth import faults_of
from tests.peers import skip_for

USERS = (
    "62.loss-1",
    "86.loss-5",
    "91.loss-5",
    "62.loss-20",
    "70.loss-20",
    "87.loss-20",
    "603.loss-20",
    "61.reorder-5",
    "61.repeat-5",
    "62.delay-300",
    "1811.all",
)
TCP = ("62.loss-5-tcp",)
COMMAND = ("61.loss-5-command",)
SEED = 1

pytestmark = [pytest.mark.timeout(180), pytest.mark.xdist_group("chaos")]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Round:
    """One round of all calls at once."""
    reason = missing_rights()
    if reason is not None:
        skip_for(reason)
    return run(USERS, tmp_path_factory.mktemp("chaos"), seed=SEED, tcp=TCP, command=COMMAND)


def call_to(user: str, done: Round) -> dict[str, Any]:
    return next(call for call in done.calls if call["user"] == user)


@pytest.mark.parametrize("user", [*USERS, *TCP, *COMMAND])
def test_record_is_true_over_a_bad_network(user: str, done: Round) -> None:
    """Outcome, rings, times within the bounds, counts of lost, repeated and overtaken packets, recording, verdict."""
    assert faults_of(call_to(user, done), done.log) == []


@pytest.mark.parametrize(
    ("user", "least_pct", "most_pct"),
    [
        ("62.loss-1", 0.1, 3.0),
        ("91.loss-5", 2.0, 9.0),
        ("62.loss-20", 14.0, 26.0),
        ("62.loss-5-tcp", 2.0, 9.0),
    ],
)
def test_the_network_lost_what_it_should_and_the_record_says_so(
    user: str, least_pct: float, most_pct: float, done: Round
) -> None:
    media = call_to(user, done)["record"]["media"]
    assert least_pct <= 100 * media["lost"] / (media["lost"] + media["received"]) <= most_pct


def test_reordering_and_repetition_are_told_apart_from_loss(done: Round) -> None:
    reordered = call_to("61.reorder-5", done)["record"]["media"]
    repeated = call_to("61.repeat-5", done)["record"]["media"]
    assert reordered["reordered"] > 3
    assert repeated["duplicated"] > 3
    assert (reordered["lost"], repeated["lost"]) == (0, 0)
    assert (reordered["duplicated"], repeated["reordered"]) == (0, 0)


def test_a_delay_moves_events_and_not_the_time_between_them(done: Round) -> None:
    record = call_to("62.delay-300", done)["record"]
    assert record["post_dial_delay_ms"] >= 600
    # There and back take longer than T1: the INVITE was sent twice, and it was one call.
    assert len(done.log.of("62.delay-300", "out", "INVITE")) == 2
    assert abs(record["ring_to_answer_ms"] - 9000) < 500


def test_every_dialog_was_ended_on_both_sides(done: Round) -> None:
    assert done.left == 0
    # What goes by TCP the network does not read; the far end's count holds for it.
    for call in (call for call in done.calls if call["user"] not in TCP):
        hung_up = done.log.of(call["user"], "out", "BYE")
        if hung_up:
            confirmed = done.log.of(call["user"], "in", "200 BYE")
            assert any(message["arrived_s"] for message in confirmed), call["user"]
        if call["record"]["connected_ms"] is not None:
            acks = done.log.of(call["user"], "out", "ACK")
            assert any(message["arrived_s"] for message in acks), call["user"]

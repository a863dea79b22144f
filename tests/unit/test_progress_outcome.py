"""The outcome rules, row by row, and their order."""

import pytest

from sip.progress.outcome import Ending, decide_outcome
from sip.record import Outcome


@pytest.mark.parametrize(
    ("ending", "outcome"),
    [
        # (1) the user's interrupt comes before everything
        (Ending(interrupted=True, connected=True, answered=True), "cancelled"),
        (Ending(interrupted=True, tone="busy"), "cancelled"),
        # (2) a tone before the answer, even after a 200
        (Ending(tone="busy"), "busy"),
        (Ending(tone="busy", rang=True), "no_answer"),
        (Ending(tone="busy", connected=True), "busy"),
        (Ending(tone="congestion", rang=True), "network_failure"),
        (Ending(tone="unobtainable", status=480), "unobtainable"),
        # (3) a 200
        (Ending(connected=True, answered=True, rang=True, status=200), "answered"),
        (Ending(connected=True, answered=True, q850=16), "answered"),
        (Ending(connected=True, rang=True, gave_up=True, status=200), "no_answer"),
        # (4) the cause comes before the status
        (Ending(status=480, q850=1), "unobtainable"),
        (Ending(status=503, q850=22), "unobtainable"),
        (Ending(status=503, q850=28), "unobtainable"),
        (Ending(status=480, q850=17), "busy"),
        (Ending(status=480, q850=17, rang=True), "rejected"),
        (Ending(status=503, q850=18), "unreachable"),
        (Ending(status=503, q850=19, rang=True), "no_answer"),
        (Ending(status=480, q850=20, rang=True), "unreachable"),
        (Ending(status=404, q850=27), "unreachable"),
        (Ending(status=486, q850=21), "rejected"),
        (Ending(status=486, q850=34), "network_failure"),
        (Ending(status=486, q850=38), "network_failure"),
        (Ending(status=486, q850=41), "network_failure"),
        (Ending(status=486, q850=42), "network_failure"),
        (Ending(status=486, q850=16), "busy"),
        # (5) the status
        (Ending(status=302), "redirected"),
        (Ending(status=486), "busy"),
        (Ending(status=486, rang=True), "rejected"),
        (Ending(status=600), "busy"),
        (Ending(status=600, rang=True), "busy"),
        (Ending(status=603), "rejected"),
        (Ending(status=607), "rejected"),
        (Ending(status=608), "rejected"),
        (Ending(status=404), "unobtainable"),
        (Ending(status=410), "unobtainable"),
        (Ending(status=484), "unobtainable"),
        (Ending(status=604), "unobtainable"),
        (Ending(status=408), "unreachable"),
        (Ending(status=408, rang=True), "no_answer"),
        (Ending(status=480), "unreachable"),
        (Ending(status=480, rang=True), "no_answer"),
        (Ending(status=487), "unreachable"),
        (Ending(status=487, rang=True), "no_answer"),
        (Ending(status=401), "network_failure"),
        (Ending(status=403), "network_failure"),
        (Ending(status=415), "network_failure"),
        (Ending(status=488), "network_failure"),
        (Ending(status=503, rang=True), "network_failure"),
        # (6) we gave up
        (Ending(status=487, gave_up=True, rang=True), "no_answer"),
        (Ending(status=487, gave_up=True), "network_failure"),
        (Ending(gave_up=True, rang=True), "no_answer"),
        (Ending(gave_up=True), "network_failure"),
        (Ending(), "network_failure"),
        # our own side
        (Ending(our_failure=True), "network_failure"),
        (Ending(our_failure=True, status=407, rang=True), "network_failure"),
        (Ending(our_failure=True, connected=True, answered=True), "answered"),
        # Behind a gateway it was ringing when our side failed: nobody has failed to answer.
        (Ending(our_failure=True, connected=True, rang=True), "network_failure"),
    ],
)
def test_first_rule_that_holds_decides(ending: Ending, outcome: Outcome) -> None:
    assert decide_outcome(ending).outcome == outcome


def test_tones_name_the_state_of_the_line() -> None:
    assert decide_outcome(Ending(tone="busy")).line_state == "busy"
    assert decide_outcome(Ending(tone="busy", rang=True)).line_state == "no_answer"
    assert decide_outcome(Ending(tone="unobtainable")).line_state == "unobtainable"
    assert decide_outcome(Ending(tone="congestion")).line_state == "network_busy"
    assert decide_outcome(Ending(status=404)).line_state is None

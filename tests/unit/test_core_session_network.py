"""Session features between two endpoints of ours, over a network that loses messages."""

from __future__ import annotations

import itertools
import random

import pytest

from sip.core import (
    Answered,
    Datagram,
    Ended,
    Endpoint,
    Event,
    IncomingCall,
    IncomingInvite,
    Provisional,
    Rejected,
    TimedOut,
    build_answer,
)
from tests.unit.test_core_network import LINE, PHONE, Network, find, invite, make_endpoint


def answer_of(event: IncomingInvite) -> bytes:
    assert event.sdp is not None
    answer = build_answer(event.sdp, LINE._replace(port=50000), 5)
    assert answer is not None
    return answer


class FarEnd:
    """Rings reliably in three steps, answers after them, and acknowledges for the near end."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.call: IncomingCall
        network.react = self.react

    def react(self, endpoint: Endpoint, event: Event, now: float) -> None:
        if isinstance(event, IncomingInvite):
            call = self.call = event.call
            body = answer_of(event)
            call.progress(183, now, body=body, reliable=True)
            call.progress(181, now, reliable=True)
            self.network.at(1.0, lambda: self.ring(call))
            self.network.at(9.0, lambda: self.pick_up(call, body))
        elif isinstance(event, Answered):
            placed = endpoint._callers[event.call_id or ""]
            placed.acknowledge(now)  # type: ignore[attr-defined]

    def ring(self, call: IncomingCall) -> None:
        if not call.over:
            call.progress(180, self.network.now, reliable=True)

    def pick_up(self, call: IncomingCall, body: bytes) -> None:
        if not call.over:
            call.answer(self.network.now, body)


def test_ringing_answering_and_refreshing_without_loss() -> None:
    phone, line = make_endpoint(PHONE), make_endpoint(LINE)
    network = Network(phone, line)
    far = FarEnd(network)
    call = phone.place_call(invite(session_expires_s=90), network.now)
    network.run(300.0)
    assert [p.status for p in find(network.events[PHONE], Provisional)] == [100, 183, 181, 180]
    asked = [d.method for _, d in network.sent if d.is_request]
    assert asked[:6] == ["INVITE", "PRACK", "PRACK", "PRACK", "ACK", "UPDATE"]
    assert set(asked[5:]) == {"UPDATE"}
    # At half of 90 s each, from second 9 on.
    assert len(asked[5:]) == 6
    assert not any(d.retransmission for _, d in network.sent)
    call.hang_up(network.now)
    network.run(100.0)
    assert [e.by for e in find(network.events[PHONE], Ended)] == ["us"]
    assert [e.by for e in find(network.events[LINE], Ended)] == ["them"]
    assert far.call.over
    assert phone.idle
    assert line.idle


def test_a_far_end_that_vanishes_is_hung_up_after_the_next_refresh() -> None:
    phone, line = make_endpoint(PHONE), make_endpoint(LINE)
    network = Network(phone, line)
    FarEnd(network)
    call = phone.place_call(invite(session_expires_s=90), network.now)
    network.run(20.0)
    assert call.state.value == "Confirmed"
    network.lose = lambda datagram: True
    network.run(200.0)
    ends = [(e.by, e.reason) for e in find(network.events[PHONE], Ended)]
    assert ends == [("network", "session expired")]
    # The other side waits for the refresh and gives up by itself.
    assert [e.by for e in find(network.events[LINE], Ended)] == ["network"]
    assert phone.idle
    assert line.idle


@pytest.mark.parametrize("seed", range(12))
def test_a_bad_network_delays_but_orders_all(seed: int) -> None:
    chance = random.Random(seed)
    phone, line = make_endpoint(PHONE), make_endpoint(LINE)
    network = Network(phone, line, delay=0.03)

    def lost(datagram: Datagram) -> bool:
        return chance.random() < 0.3

    network.lose = lost
    network.jitter = lambda: chance.random() * 0.2
    FarEnd(network)
    call = phone.place_call(invite(session_expires_s=90), network.now)
    network.run(150.0)
    told = [p for p in find(network.events[PHONE], Provisional) if p.reliable]
    statuses = [p.status for p in told]
    assert statuses == [s for s in (183, 181, 180) if s in statuses]
    numbers = [int(p.response.header("rseq") or "0") for p in told]
    assert [b - a for a, b in itertools.pairwise(numbers)] == [1] * (len(numbers) - 1)
    if find(network.events[PHONE], Answered):
        # The 200 waits for the PRACK of the answer, so whoever sees it has seen the 183.
        assert statuses[:1] == [183]
    call.hang_up(network.now)
    network.lose = lambda datagram: False
    network.run(200.0)
    assert call.over
    ends = [e for e in network.events[PHONE] if isinstance(e, Ended | Rejected | TimedOut)]
    assert len(ends) == 1
    assert phone.idle
    assert line.idle

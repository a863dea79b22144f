"""Two endpoints on a network without time.

Packets may be lost or late, the clock is ours. Other test files import the network.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable, Iterable
from typing import TypeVar

import pytest

from sip.core import (
    Acknowledged,
    AckTimedOut,
    Address,
    Answered,
    Cancelled,
    Datagram,
    Ended,
    Endpoint,
    Event,
    IncomingCall,
    IncomingInvite,
    Invite,
    MessageReceived,
    Provisional,
    Rejected,
    TimedOut,
    build_answer,
    build_offer,
    parse_sdp,
)

E = TypeVar("E", bound=Event)
PHONE = Address("192.0.2.1", 5060)
LINE = Address("192.0.2.2", 5062)
OFFER = build_offer(Address("192.0.2.1", 40000), session_id=7)
BRANCH_COUNT = itertools.count()


def make_endpoint(local: Address = PHONE, **options: object) -> Endpoint:
    return Endpoint(local, **options)  # type: ignore[arg-type]


def invite(**changes: object) -> Invite:
    values: dict[str, object] = {
        "target": f"sip:62@{LINE}",
        "destination": LINE,
        "from_uri": "sip:dutyring@192.0.2.1",
        "offer": OFFER,
        **changes,
    }
    return Invite(**values)  # type: ignore[arg-type]


def find(events: Iterable[Event], kind: type[E]) -> list[E]:
    return [event for event in events if isinstance(event, kind)]


class Network:
    """Carries datagrams between endpoints with a delay, losing those that `lose` names.

    `react` plays the far end.
    """

    def __init__(self, *endpoints: Endpoint, delay: float = 0.01) -> None:
        self.endpoints = {endpoint.local: endpoint for endpoint in endpoints}
        self.now = 100.0
        self.delay = delay
        self.lose: Callable[[Datagram], bool] = lambda datagram: False
        self.jitter: Callable[[], float] = lambda: 0.0
        self.react: Callable[[Endpoint, Event, float], None] = lambda endpoint, event, now: None
        self.sent: list[tuple[float, Datagram]] = []
        self.events: dict[Address, list[Event]] = {local: [] for local in self.endpoints}
        self._flying: list[tuple[float, int, Datagram, Address]] = []
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def at(self, delay: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (self.now + delay, next(self._order), action))

    def collect(self) -> None:
        busy = True
        while busy:
            busy = False
            for local, endpoint in self.endpoints.items():
                for event in endpoint.take_events():
                    busy = True
                    self.events[local].append(event)
                    self.react(endpoint, event, self.now)
                for datagram in endpoint.take_datagrams():
                    busy = True
                    self.sent.append((self.now, datagram))
                    if not self.lose(datagram):
                        due = self.now + self.delay + self.jitter()
                        heapq.heappush(self._flying, (due, next(self._order), datagram, local))

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        self.collect()
        while (moment := self._next()) <= end:
            self.now = max(self.now, moment)
            self._deliver()
            self.collect()
        self.now = end

    def _next(self) -> float:
        moments = [queue[0][0] for queue in (self._flying, self._agenda) if queue]
        moments += [d for endpoint in self.endpoints.values() if (d := endpoint.deadline()) is not None]
        return min(moments, default=float("inf"))

    def _deliver(self) -> None:
        while self._agenda and self._agenda[0][0] <= self.now:
            heapq.heappop(self._agenda)[2]()
        while self._flying and self._flying[0][0] <= self.now:
            _, _, datagram, source = heapq.heappop(self._flying)
            target = self.endpoints.get(datagram.destination)
            if target is not None:
                target.receive(datagram.data, source, self.now)
        for endpoint in self.endpoints.values():
            endpoint.advance(self.now)

    def line(self, sent: Iterable[tuple[float, Datagram]] | None = None) -> list[str]:
        """What was sent, in words: `INVITE`, `180/INVITE`; a retransmission has a `+`."""
        return [
            (f"{d.status}/" if d.status else "") + d.method + ("+" if d.retransmission else "")
            for _, d in (self.sent if sent is None else sent)
        ]


def answering(
    ring_s: float, status: int = 180, talk_s: float | None = None
) -> Callable[[Network], Callable[[Endpoint, Event, float], None]]:
    """A far end that rings, answers and perhaps hangs up; a near end that acknowledges."""

    def bound(network: Network) -> Callable[[Endpoint, Event, float], None]:
        def react(endpoint: Endpoint, event: Event, now: float) -> None:
            if isinstance(event, IncomingInvite):
                call = event.call
                call.progress(status, now)
                network.at(ring_s, lambda: pick_up(call, network))
            elif isinstance(event, Acknowledged) and talk_s is not None:
                network.at(talk_s, lambda: network.endpoints[LINE].take_events() or None)

        return react

    return bound


def pick_up(call: IncomingCall, network: Network) -> None:
    if call.state.value == "Proceeding":
        offer = parse_sdp(call.request.sdp_body or b"")
        call.answer(network.now, build_answer(offer, Address(LINE.host, 50000), 9))


@pytest.fixture
def network() -> Network:
    return Network(make_endpoint(PHONE), make_endpoint(LINE))


def test_a_plain_call_from_dial_tone_to_bye(network: Network) -> None:
    network.react = answering(2.0)(network)
    phone = network.endpoints[PHONE]
    call = phone.place_call(invite(), network.now)
    network.run(3.0)
    call.acknowledge(network.now)
    network.run(5.0)
    call.hang_up(network.now)
    network.run(1.0)
    assert [line for line in network.line() if not line.endswith("+")] == [
        "INVITE", "100/INVITE", "180/INVITE", "200/INVITE", "ACK", "BYE", "200/BYE",
    ]  # fmt: skip
    events = network.events[PHONE]
    assert [p.status for p in find(events, Provisional)] == [100, 180]
    answer = find(events, Answered)[0]
    assert answer.sdp is not None
    assert answer.sdp.address == Address("192.0.2.2", 50000)
    assert [(e.by, e.reason) for e in find(events, Ended)] == [("us", "BYE")]
    assert [(e.by, e.reason) for e in find(network.events[LINE], Ended)] == [("them", "BYE")]
    network.run(70.0)
    assert all(endpoint.idle for endpoint in network.endpoints.values())


def test_nobody_there_is_a_timeout_after_32_seconds() -> None:
    network = Network(make_endpoint(PHONE))
    network.endpoints[PHONE].place_call(invite(), 100.0)
    network.run(31.9)
    assert find(network.events[PHONE], TimedOut) == []
    assert network.line() == ["INVITE"] + ["INVITE+"] * 6
    assert [round(at - 100.0, 3) for at, _ in network.sent] == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    network.run(0.2)
    assert len(find(network.events[PHONE], TimedOut)) == 1
    network.run(33.0)
    assert network.endpoints[PHONE].idle


def test_ringing_outlasts_timer_b(network: Network) -> None:
    network.react = answering(120.0)(network)
    call = network.endpoints[PHONE].place_call(invite(), network.now)
    network.run(121.0)
    assert call.state.value == "Answered"


def test_cancel_of_a_ringing_call(network: Network) -> None:
    network.react = answering(60.0)(network)
    call = network.endpoints[PHONE].place_call(invite(), network.now)
    network.run(5.0)
    call.cancel(network.now)
    network.run(1.0)
    assert network.line()[-4:] == ["CANCEL", "200/CANCEL", "487/INVITE", "ACK"]
    assert [e.status for e in find(network.events[PHONE], Rejected)] == [487]
    assert len(find(network.events[LINE], Cancelled)) == 1
    assert [e.by for e in find(network.events[LINE], Ended)] == ["them"]
    network.run(70.0)
    assert all(endpoint.idle for endpoint in network.endpoints.values())


def test_cancel_waits_for_the_first_provisional(network: Network) -> None:
    call = network.endpoints[PHONE].place_call(invite(), network.now)
    call.cancel(network.now)
    network.run(0.005)
    assert network.line() == ["INVITE"]
    network.run(1.0)
    assert network.line() == ["INVITE", "100/INVITE", "CANCEL", "200/CANCEL", "487/INVITE", "ACK"]


def test_a_200_that_crosses_our_cancel_is_acknowledged_and_hung_up(network: Network) -> None:
    def react(endpoint: Endpoint, event: Event, now: float) -> None:
        if isinstance(event, IncomingInvite):
            event.call.ignore_cancel = True
            event.call.progress(180, now)
        elif isinstance(event, Cancelled):
            calls[0].answer(now, OFFER)

    calls: list[IncomingCall] = []
    network.react = lambda endpoint, event, now: (
        calls.append(event.call) if isinstance(event, IncomingInvite) else None,
        react(endpoint, event, now),
    )[1]
    call = network.endpoints[PHONE].place_call(invite(), network.now)
    network.run(3.0)
    call.cancel(network.now)
    network.run(1.0)
    assert network.line()[-5:] == ["200/CANCEL", "200/INVITE", "ACK", "BYE", "200/BYE"]
    answer = find(network.events[PHONE], Answered)[0]
    assert answer.after_cancel
    assert [e.by for e in find(network.events[PHONE], Ended)] == ["us"]
    assert [e.by for e in find(network.events[LINE], Ended)] == ["them"]


def test_a_200_whose_ack_never_comes_is_repeated_and_then_hung_up(network: Network) -> None:
    network.react = answering(1.0)(network)
    network.endpoints[PHONE].place_call(invite(), network.now)
    network.lose = lambda datagram: datagram.method == "ACK"
    network.run(40.0)
    assert network.line().count("200/INVITE+") >= 9
    assert len(find(network.events[LINE], AckTimedOut)) == 1
    assert [e.by for e in find(network.events[LINE], Ended)] == ["us"]
    repeats = [e for e in find(network.events[PHONE], MessageReceived) if e.retransmission]
    assert len(repeats) >= 9
    assert len(find(network.events[PHONE], Answered)) == 1


@pytest.mark.parametrize("seed", range(25))
def test_a_bad_network_still_ends_every_call(seed: int) -> None:
    chance = random.Random(seed)
    network = Network(make_endpoint(PHONE), make_endpoint(LINE))
    network.lose = lambda datagram: chance.random() < 0.3
    network.jitter = lambda: chance.random() * 0.3
    phone = network.endpoints[PHONE]

    def react(endpoint: Endpoint, event: Event, now: float) -> None:
        if isinstance(event, IncomingInvite):
            event.call.progress(180, now)
            network.at(chance.random() * 6, lambda: pick_up(event.call, network))
        elif isinstance(event, Answered) and not event.after_cancel:
            call.acknowledge(now)
            network.at(chance.random() * 5, lambda: call.hang_up(network.now))

    network.react = react
    call = phone.place_call(invite(), network.now)
    if seed % 3 == 0:
        network.at(chance.random() * 6, lambda: call.cancel(network.now))
    network.run(300.0)
    ends = [e for e in network.events[PHONE] if isinstance(e, Ended | Rejected | TimedOut)]
    assert len(ends) == 1
    assert call.over
    assert all(endpoint.idle for endpoint in network.endpoints.values())

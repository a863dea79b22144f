"""An incoming call to which things happen in any order: one end, nothing left over."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sip.core import Ended, IncomingInvite, LocalProtocolError, Malformed, parse_message
from tests.unit.test_core_incoming import VIA, Caller, reply_to
from tests.unit.test_core_network import OFFER, find

TIMER = "Supported: timer, 100rel\r\nAllow: UPDATE\r\nSession-Expires: 90;refresher=uas\r\n"
ACTIONS = st.one_of(
    st.tuples(
        st.just("progress"),
        st.sampled_from([100, 180, 181, 183]),
        st.booleans(),
        st.sampled_from([None, True]),
    ),
    st.tuples(st.just("prack"), st.booleans(), st.integers(2, 5)),
    st.tuples(st.sampled_from(["answer", "challenge", "hang_up", "cancel", "invite_again", "ignore_cancel"])),
    st.tuples(st.just("reject"), st.sampled_from([302, 404, 486, 603])),
    st.tuples(
        st.just("request"),
        st.sampled_from(["ACK", "BYE", "INFO", "INVITE", "UPDATE"]),
        st.integers(1, 4),
        st.sampled_from([b"", OFFER]),
        st.sampled_from(["", TIMER]),
    ),
    st.tuples(st.just("settle"), st.sampled_from([100, 200, 401, 408, 481, 491])),
    st.tuples(st.just("wait"), st.sampled_from([0.1, 0.6, 5.0, 33.0])),
)


class Chaos:
    """The far side of one call and its caller, both erratic."""

    def __init__(self) -> None:
        self.caller = Caller()
        self.caller.send("INVITE", body=OFFER, headers=TIMER)
        self.call = find(self.caller.events, IncomingInvite)[0].call
        self.asked: list[bytes] = []
        self.rseq = ""

    def do(self, action: tuple[Any, ...]) -> None:
        try:
            getattr(self, f"do_{action[0]}")(*action[1:])
        except LocalProtocolError:
            assert self.call.state.value != "Proceeding"
        self.collect()

    def collect(self) -> None:
        self.caller.events += self.caller.line.take_events()
        for datagram in self.caller.line.take_datagrams():
            if datagram.is_request and datagram.method != "ACK":
                self.asked.append(datagram.data)
            elif not datagram.is_request:
                self.rseq = parse_message(datagram.data).header("rseq") or self.rseq

    def do_progress(self, status: int, body: bool, reliable: bool | None) -> None:
        self.call.progress(status, self.caller.now, body=OFFER if body else None, reliable=reliable)

    def do_prack(self, right: bool, cseq: int) -> None:
        rack = f"RAck: {self.rseq if right else 1} 1 INVITE\r\n"
        self.caller.send("PRACK", cseq, to_tag=self.call.local_tag, via=f"{VIA}prack{cseq}", headers=rack)

    def do_answer(self) -> None:
        self.call.answer(self.caller.now, OFFER)

    def do_challenge(self) -> None:
        self.call.challenge("r", self.caller.now)

    def do_reject(self, status: int) -> None:
        self.call.reject(status, self.caller.now)

    def do_hang_up(self) -> None:
        self.call.hang_up(self.caller.now)

    def do_ignore_cancel(self) -> None:
        self.call.ignore_cancel = True

    def do_cancel(self) -> None:
        self.caller.send("CANCEL")

    def do_invite_again(self) -> None:
        """A retransmission, as long as a caller would send one (Timer B)."""
        if self.call.over or self.caller.now > 40.0:
            return
        self.caller.send("INVITE", body=OFFER, headers=TIMER)

    def do_request(self, method: str, cseq: int, body: bytes, headers: str) -> None:
        if body:
            headers += "Content-Type: application/sdp\r\n"
        via = VIA if method == "ACK" and cseq == 1 else f"{VIA}{method}{cseq}"
        self.caller.send(method, cseq, to_tag=self.call.local_tag, via=via, body=body, headers=headers)

    def do_settle(self, status: int) -> None:
        if self.asked:
            self.caller.receive(reply_to(parse_message(self.asked[-1]), status))

    def do_wait(self, seconds: float) -> None:
        self.caller.wait(seconds)


@given(st.lists(ACTIONS, max_size=25))
@settings(deadline=None, max_examples=200)
def test_any_order_of_things_ends_once_and_leaves_nothing(actions: list[tuple[Any, ...]]) -> None:
    chaos = Chaos()
    for action in actions:
        chaos.do(action)
    chaos.do(("hang_up",))
    chaos.do(("wait", 500.0))
    assert [event.why for event in find(chaos.caller.events, Malformed)] == []
    assert chaos.call.over
    assert len(find(chaos.caller.events, Ended)) == 1
    assert len(find(chaos.caller.events, IncomingInvite)) == 1
    assert chaos.caller.line.idle

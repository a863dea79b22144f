"""Whatever addresses send and whatever answers come: what is let in, and what is counted."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from sip.media.gate import Gate, Named
from sip.media.model import RemoteMedia

ADDRESSES = [("127.0.0.1", 4000), ("127.0.0.1", 4002), ("192.0.2.1", 4000), ("192.0.2.2", 9)]
packets = st.tuples(
    st.sampled_from([0, 5, 20, 20, 20, 300, 800, 2500]), st.sampled_from(ADDRESSES), st.booleans()
)
streams = st.tuples(st.just("stream"), st.sampled_from(ADDRESSES), st.integers(5, 60))
answers = st.builds(
    RemoteMedia,
    st.just("127.0.0.1"),
    st.sampled_from([4000, 4002, 4004]),
    dialog=st.sampled_from(["", "one", "two"]),
    final=st.booleans(),
    latch=st.booleans(),
)


class Door:
    """A gate with a count of everything."""

    def __init__(self) -> None:
        self.named = Named()
        self.gate = Gate(self.named, lambda data: data if data == b"good" else None)
        self.arrived = self.let_in = 0
        self.at_s = 0.0
        self.answered = False

    def packet(self, data: bytes, source: tuple[str, int], at: float) -> None:
        if source == self.gate.trusted:
            self.gate.last_at = at
            self.let_in += 1
            return
        for held in self.gate.knock(data, source, at):
            self.let_in += 1
            assert held.source in self.named or held.source == self.gate.latched
            assert not self.named.anothers(held.source)
            assert self.answered

    def answer(self, remote: RemoteMedia) -> None:
        self.answered = True
        for held in self.gate.connect(remote, self.named.learn(remote), self.at_s):
            self.packet(held.data, held.source, held.at)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.one_of(packets, packets, streams, answers), max_size=60))
def test_every_packet_is_let_in_or_refused_once(happenings: list[tuple | RemoteMedia]) -> None:
    door = Door()
    for happening in happenings:
        if isinstance(happening, RemoteMedia):
            door.answer(happening)
        elif happening[0] == "stream":
            for _ in range(happening[2]):
                door.at_s += 0.02
                door.arrived += 1
                door.packet(b"good", happening[1], door.at_s)
        else:
            wait_ms, source, good = happening
            door.at_s += wait_ms / 1000
            door.arrived += 1
            door.packet(b"good" if good else b"bad", source, door.at_s)
        trusted = door.gate.trusted
        assert trusted is None or trusted in (door.gate.announced, door.gate.latched)
    door.gate.expire(float("inf"))
    assert door.let_in + door.gate.refused == door.arrived
    assert door.gate.held_since() is None


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 19), st.sampled_from(ADDRESSES[2:])), max_size=300),
    st.integers(2, 400),
    st.booleans(),
)
def test_nobody_comes_in_beside_an_announced_address_that_speaks(
    attacks: list[tuple[int, tuple[str, int]]], pause_ms: int, final: bool
) -> None:
    """The real stream may begin late and pause; attackers send whenever they like, for as long as they like."""
    door = Door()
    door.answer(RemoteMedia(*ADDRESSES[0], final=final))
    door.packet(b"good", ADDRESSES[0], pause_ms / 1000)
    at_s = pause_ms / 1000
    for wait_ms, source in attacks:
        at_s += wait_ms
        door.packet(b"good", source, at_s)
    assert door.let_in == 1

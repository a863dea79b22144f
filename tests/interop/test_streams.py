"""What TCP does to messages: cut anywhere, joined, a connection that goes away; and INVITEs too long for UDP."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.interop.calls import check_record
from tests.interop.checks import check_answered
from tests.interop.conftest import Dial, Place
from tests.interop.far_media import session_description
from tests.interop.tcp_peer import Cut, TcpPeer, crumbs, joined, whole

Peer = Callable[..., TcpPeer]


@pytest.fixture
def peer() -> Iterator[Peer]:
    """Return a function that starts a `TcpPeer`."""
    started: list[TcpPeer] = []

    def start(cut: Cut = whole, *, closes: bool = False) -> TcpPeer:
        started.append(TcpPeer(cut, closes=closes, description=session_description(9) + "\r\n"))
        started[-1].start()
        return started[-1]

    yield start
    for thread in started:
        thread.stop()


@pytest.mark.parametrize("cut", [joined, crumbs])
def test_messages_are_found_in_the_stream(peer: Peer, dial: Dial, cut: Cut) -> None:
    far = peer(cut)
    call = dial(f"sip:62@127.0.0.1:{far.port};transport=tcp", "--max-talk", "0.5").finish()
    check_record(call, "answered")
    assert [entry["status"] for entry in call.timeline("received") if "request" not in entry] == [180, 200]
    assert far.methods() == ["INVITE", "ACK", "BYE"]


def test_the_connection_goes_away_in_mid_call(peer: Peer, dial: Dial) -> None:
    """The BYE opens a new one (RFC 3261 section 18.2.2 asks as much of a server)."""
    far = peer(closes=True)
    call = dial(f"sip:62@127.0.0.1:{far.port};transport=tcp", "--max-talk", "1").finish()
    assert call.record["outcome"] == "answered"
    assert call.record["ended_ms"] - call.record["answered_ms"] == pytest.approx(1000, abs=500)
    assert far.methods()[:2] == ["INVITE", "ACK"]
    assert far.methods()[-1] == "BYE"


@pytest.mark.peer("sipp")
@pytest.mark.interop("sipp", "tcp", "mtu")
def test_a_long_invite_goes_by_tcp(place: Place) -> None:
    """Above 1300 bytes a request must not go by UDP (RFC 3261 section 18.1.1); the target names no transport."""
    name = "sip:" + "zongzhibanshi" * 60 + "@127.0.0.1"
    call = place("answer", "--max-talk", "1", "--from", name, transport="tcp", target_transport=None)
    check_answered(call)
    (invite,) = call.received("INVITE")
    assert len(invite.data) > 1300
    assert "SIP/2.0/TCP" in invite.header("Via")

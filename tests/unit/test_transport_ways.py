"""Which way a message takes, decided without any socket: length, lost connections, host names, several transports."""

from __future__ import annotations

import pytest

from sip.core import (
    Address,
    Answered,
    Datagram,
    Ended,
    Endpoint,
    Invite,
    Refused,
    Request,
    Timers,
    WayChanged,
    parse_message,
)

HERE = Address("192.0.2.1", 5060)
HERE_TCP = Address("192.0.2.1", 5060, "tcp")
THERE = Address("192.0.2.2", 5060)
THERE_TCP = Address("192.0.2.2", 5060, "tcp")
LONG = (("X-Long", "x" * 1300),)
SHORT = Timers(t1=0.5)


def both() -> Endpoint:
    return Endpoint(HERE, others=(HERE_TCP,))


def invite(destination: Address = THERE, **changes: object) -> Invite:
    return Invite(target="sip:62@192.0.2.2", destination=destination, from_uri="sip:a@192.0.2.1", **changes)  # type: ignore[arg-type]


def request_in(datagram: Datagram) -> Request:
    message = parse_message(datagram.data)
    assert isinstance(message, Request)
    return message


def answer(
    datagram: Datagram, status: str, contact: str = "<sip:62@192.0.2.2>", extra: str = "", tag: str = "t"
) -> bytes:
    request = request_in(datagram)
    lines = [f"SIP/2.0 {status}"]
    lines += [f"{name}: {request.header(name)}" for name in ("Via", "From", "Call-ID", "CSeq")]
    lines += [f"To: {request.header('To')};tag={tag}", f"Contact: {contact}", "Content-Length: 0"]
    return ("\r\n".join(lines) + extra + "\r\n\r\n").encode()


def sent(endpoint: Endpoint) -> list[Datagram]:
    return endpoint.take_datagrams()


def kinds(endpoint: Endpoint) -> list[type]:
    return [type(event) for event in endpoint.take_events()]


class TestLength:
    """RFC 3261 section 18.1.1."""

    @pytest.mark.parametrize(("extra", "transport"), [(0, "udp"), (1, "tcp")])
    def test_limit_is_1300_bytes(self, extra: int, transport: str) -> None:
        probe = both()
        probe.place_call(invite(headers=(("X", ""),), call_id="c@h"), 0)
        bare = len(sent(probe)[0].data)
        endpoint = both()
        endpoint.place_call(invite(headers=(("X", "x" * (1300 - bare + extra)),), call_id="c@h"), 0)
        datagram = sent(endpoint)[0]
        assert datagram.destination == THERE._replace(transport=transport)
        assert request_in(datagram).via.transport == transport.upper()

    def test_without_tcp_it_takes_udp(self) -> None:
        endpoint = Endpoint(HERE)
        endpoint.place_call(invite(headers=LONG), 0)
        assert sent(endpoint)[0].destination == THERE

    def test_snapshot_written_before_tells_the_way(self) -> None:
        endpoint = both()
        call = endpoint.prepare_call(invite(headers=LONG))
        assert call.snapshot()["destination"] == list(THERE_TCP)
        assert call.snapshot()["local"] == list(HERE_TCP)

    def test_nothing_is_repeated_over_tcp(self) -> None:
        endpoint = both()
        endpoint.place_call(invite(headers=LONG), 0)
        sent(endpoint)
        endpoint.advance(20)
        assert sent(endpoint) == []
        endpoint.advance(33)
        assert "TimedOut" in [kind.__name__ for kind in kinds(endpoint)]

    def test_cancel_and_ack_of_a_refusal_follow_and_the_bye_decides_anew(self) -> None:
        endpoint = both()
        call = endpoint.place_call(invite(headers=LONG), 0)
        (first,) = sent(endpoint)
        endpoint.receive(answer(first, "180 Ringing"), THERE_TCP, 1)
        call.cancel(2)
        (cancel,) = sent(endpoint)
        assert (cancel.method, cancel.destination) == ("CANCEL", THERE_TCP)
        assert request_in(cancel).via.branch == request_in(first).via.branch
        endpoint.receive(answer(first, "487 Gone"), THERE_TCP, 3)
        (ack,) = sent(endpoint)
        assert (ack.method, ack.destination) == ("ACK", THERE_TCP)
        other = endpoint.place_call(invite(headers=LONG), 4)
        (second,) = sent(endpoint)
        endpoint.receive(answer(second, "200 OK"), THERE_TCP, 5)
        other.acknowledge(5)
        other.hang_up(5)
        assert [(d.method, d.destination) for d in sent(endpoint)] == [("ACK", THERE), ("BYE", THERE)]


class TestFallBack:
    """A connection that never came about."""

    def test_to_udp_with_a_new_branch_and_timers(self) -> None:
        endpoint = both()
        call = endpoint.place_call(invite(headers=LONG), 0)
        (first,) = sent(endpoint)
        endpoint.refused(THERE_TCP, 1, "nobody listens", "unsent")
        (second,) = sent(endpoint)
        assert second.destination == THERE
        assert not second.retransmission
        old, new = request_in(first), request_in(second)
        assert new.via.transport == "UDP"
        assert new.via.branch != old.via.branch
        assert (new.call_id, new.cseq, new.from_.tag) == (old.call_id, old.cseq, old.from_.tag)
        (event,) = endpoint.take_events()
        assert isinstance(event, WayChanged)
        assert (event.call_id, event.destination, event.reason) == (call.call_id, THERE, "nobody listens")
        assert call.snapshot()["branch"] == new.via.branch
        assert call.snapshot()["destination"] == list(THERE)
        endpoint.advance(1.5)
        assert [d.retransmission for d in sent(endpoint)] == [True]

    def test_call_goes_on_by_the_new_way(self) -> None:
        endpoint = both()
        call = endpoint.place_call(invite(headers=LONG), 0)
        sent(endpoint)
        endpoint.refused(THERE_TCP, 1, "nobody listens", "unsent")
        (second,) = sent(endpoint)
        endpoint.receive(answer(second, "180 Ringing"), THERE, 2)
        call.cancel(2)
        (cancel,) = sent(endpoint)
        assert cancel.destination == THERE
        assert request_in(cancel).via.branch == request_in(second).via.branch

    def test_second_refusal_ends_the_call(self) -> None:
        endpoint = both()
        endpoint.place_call(invite(headers=LONG), 0)
        endpoint.refused(THERE_TCP, 1, "nobody listens", "unsent")
        endpoint.refused(THERE, 2, "nobody at all", "refused")
        assert kinds(endpoint) == [WayChanged, Refused]

    @pytest.mark.parametrize("setback", ["lost", "refused"])
    def test_none_once_somebody_may_have_seen_it(self, setback: str) -> None:
        endpoint = both()
        endpoint.place_call(invite(headers=LONG), 0)
        sent(endpoint)
        endpoint.refused(THERE_TCP, 1, "reset", setback)  # type: ignore[arg-type]
        assert sent(endpoint) == []
        assert kinds(endpoint) == [Refused]

    def test_none_where_tcp_was_asked_for(self) -> None:
        endpoint = both()
        endpoint.place_call(invite(THERE_TCP), 0)
        sent(endpoint)
        endpoint.refused(THERE_TCP, 1, "nobody listens", "unsent")
        assert sent(endpoint) == []
        assert kinds(endpoint) == [Refused]

    def test_leaves_nothing_behind(self) -> None:
        endpoint = both()
        endpoint.place_call(invite(headers=LONG), 0)
        endpoint.refused(THERE_TCP, 1, "nobody listens", "unsent")
        endpoint.refused(THERE, 2, "nobody at all", "refused")
        endpoint.advance(200)
        assert endpoint.idle


class TestLostConnection:
    """A connection that broke while an answer was awaited."""

    def connected(self) -> tuple[Endpoint, object]:
        endpoint = both()
        call = endpoint.place_call(invite(THERE_TCP), 0)
        (first,) = sent(endpoint)
        endpoint.receive(answer(first, "200 OK", "<sip:62@192.0.2.2;transport=tcp>"), THERE_TCP, 1)
        call.acknowledge(1)
        sent(endpoint)
        endpoint.take_events()
        return endpoint, call

    def test_a_call_that_rings_or_talks_goes_on(self) -> None:
        endpoint, call = self.connected()
        endpoint.refused(THERE_TCP, 2, "reset", "lost")
        assert endpoint.take_events() == []
        call.hang_up(3)  # type: ignore[attr-defined]
        assert [d.method for d in sent(endpoint)] == ["BYE"]

    def test_bye_is_sent_once_more_and_no_more(self) -> None:
        endpoint, call = self.connected()
        call.hang_up(2)  # type: ignore[attr-defined]
        (bye,) = sent(endpoint)
        endpoint.refused(THERE_TCP, 3, "reset", "lost")
        (again,) = sent(endpoint)
        assert (again.data, again.destination, again.retransmission) == (bye.data, THERE_TCP, True)
        endpoint.refused(THERE_TCP, 4, "reset", "lost")
        assert sent(endpoint) == []
        assert kinds(endpoint) == [Ended]

    def test_bye_names_the_connection_of_its_call_as_the_other_way(self) -> None:
        endpoint = both()
        call = endpoint.place_call(invite(THERE_TCP), 0)
        (first,) = sent(endpoint)
        contact = "<sip:62@192.0.2.9:5071;transport=tcp>"
        endpoint.receive(answer(first, "200 OK", contact), THERE_TCP, 1)
        call.acknowledge(1)
        (ack,) = sent(endpoint)
        assert (ack.destination, ack.otherwise) == (Address("192.0.2.9", 5071, "tcp"), THERE_TCP)

    def test_response_names_where_its_request_says_it_lives(self) -> None:
        endpoint = both()
        source = Address("192.0.2.7", 49_152, "tcp")
        for sent_by, port in (("10.0.0.1:5070", 5070), ("10.0.0.1", 5060)):
            request = (
                f"OPTIONS sip:a@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/TCP {sent_by};branch=z9hG4bK{port}\r\n"
                "From: <sip:b@c>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
            )
            endpoint.receive(request.encode(), source, 0)
            (reply,) = sent(endpoint)
            # Whatever host Via names: only the one that asked is answered.
            assert (reply.destination, reply.otherwise) == (source, Address("192.0.2.7", port, "tcp"))


class TestHostNames:
    """Contact and Record-Route with a name."""

    def hung_up(self, contact: str, known: dict[str, Address], extra: str = "") -> Address:
        endpoint = Endpoint(HERE, others=(HERE_TCP,), known_hosts=known.get)
        call = endpoint.place_call(invite(), 0)
        (first,) = sent(endpoint)
        endpoint.receive(answer(first, "200 OK", contact, extra), THERE, 1)
        assert any(isinstance(event, Answered) for event in endpoint.take_events())
        call.acknowledge(1)
        call.hang_up(1)
        return sent(endpoint)[1].destination

    def test_unknown_name_takes_the_way_of_the_invite(self) -> None:
        assert self.hung_up("<sip:62@gate.example>", {}) == THERE

    def test_known_name_is_followed(self) -> None:
        where = Address("192.0.2.44", 5080, "tcp")
        assert self.hung_up("<sip:62@gate.example>", {"sip:62@gate.example": where}) == where

    def test_route_goes_before_contact(self) -> None:
        where = Address("192.0.2.45", 5060)
        route = "\r\nRecord-Route: <sip:proxy.example;lr>"
        assert self.hung_up("<sip:62@192.0.2.9>", {"sip:proxy.example;lr": where}, route) == where

    def test_other_family_is_not_followed(self) -> None:
        known = {"sip:62@gate.example": Address("2001:db8::1", 5060)}
        assert self.hung_up("<sip:62@gate.example>", known) == THERE

"""Requests outside dialogs: the probe of a server's health, and the general kind."""

from __future__ import annotations

import pytest

from sip.core import (
    Address,
    Credentials,
    Endpoint,
    LocalProtocolError,
    OptionsResult,
    Outcome,
    OutsideRequest,
    Request,
    parse_message,
)
from tests.unit.test_core_network import LINE, PHONE, Network, make_endpoint

SERVER = Address("192.0.2.9", 5060, "tcp")


class Probe:
    """One OPTIONS, to be answered by the test."""

    def __init__(self, destination: Address = SERVER, **options: object) -> None:
        self.phone = Endpoint(PHONE, others=(Address("192.0.2.1", 5062, "tcp"),))
        self.results: list[OptionsResult] = []
        self.call_id = self.phone.send_options(
            "sip:example.org",
            destination,
            10.0,
            self.results.append,
            **options,  # type: ignore[arg-type]
        )
        (self.datagram,) = self.phone.take_datagrams()
        request = parse_message(self.datagram.data)
        assert isinstance(request, Request)
        self.request = request

    def answer(self, status: int, *headers: str, at: float = 10.25) -> OptionsResult:
        self.deliver(status, *headers, at=at)
        (result,) = self.results
        return result

    def deliver(self, status: int, *headers: str, at: float = 10.25) -> None:
        lines = [f"SIP/2.0 {status} Because"]
        lines += [f"{name}: {self.request.header(name)}" for name in ("Via", "From", "To", "Call-ID", "CSeq")]
        self.phone.receive(("\r\n".join([*lines, *headers]) + "\r\n\r\n").encode(), SERVER, at)


def test_what_a_probe_says() -> None:
    probe = Probe(headers=(("X-Probe", "1"),), route=("sip:edge;lr",))
    request = probe.request
    assert (request.method, request.uri, request.to.uri) == ("OPTIONS", "sip:example.org", "sip:example.org")
    assert request.from_.uri == "sip:dutyring@192.0.2.1:5062"
    assert request.contacts[0].uri == "sip:dutyring@192.0.2.1:5062;transport=tcp"
    assert (request.via.transport, request.via.port) == ("TCP", 5062)
    assert (request.header("accept"), request.header("x-probe")) == ("application/sdp", "1")
    assert request.header("route") == "<sip:edge;lr>"
    assert (probe.datagram.destination, request.call_id) == (SERVER, probe.call_id)
    assert Probe(from_uri="sip:62@example.org").request.from_.uri == "sip:62@example.org"


@pytest.mark.parametrize("status", [200, 401, 403, 404, 405, 481, 483, 500, 501, 600])
def test_any_final_response_is_a_sign_of_life(status: int) -> None:
    result = Probe().answer(status)
    assert (result.kind, result.status, result.reason) == ("alive", status, "Because")
    assert result.round_trip_ms == pytest.approx(250.0)
    assert result.retry_after_s is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("Retry-After: 120", 120),
        ("Retry-After: 7 (busy);duration=5", 7),
        ("Retry-After: 9;duration=5", 9),
        ("Retry-After: soon", None),
        ("Retry-After: 999999999", 86_400),
        ("X: 1", None),
    ],
)
def test_overload_is_told_with_its_wait(header: str, seconds: float | None) -> None:
    result = Probe().answer(503, header)
    assert (result.kind, result.retry_after_s) == ("degraded", seconds)


def test_a_proxy_that_reaches_nobody() -> None:
    assert Probe().answer(408).kind == "down"


def test_silence_and_network_errors() -> None:
    probe = Probe()
    probe.phone.advance(41.9)
    assert probe.results == []
    probe.phone.advance(42.1)
    assert probe.results == [OptionsResult("down", None, "no response", None)]
    probe = Probe()
    probe.phone.refused(SERVER, 11.0, "Connection refused")
    assert probe.results == [OptionsResult("down", None, "Connection refused", None)]


def test_credentials_are_given_where_there_are_some() -> None:
    challenge = 'WWW-Authenticate: Digest realm="r", nonce="n"'
    assert Probe().answer(401, challenge).denial == "no credentials"
    probe = Probe(credentials=Credentials("u", "p"))
    probe.deliver(401, challenge)
    assert probe.results == []
    (datagram,) = probe.phone.take_datagrams()
    again = parse_message(datagram.data)
    assert isinstance(again, Request)
    assert (again.call_id, again.cseq.number) == (probe.call_id, 2)
    assert "username" in (again.header("authorization") or "")
    probe.request = again
    result = probe.answer(200, at=11.0)
    assert (result.kind, result.denial) == ("alive", None)
    assert result.round_trip_ms == pytest.approx(750.0)


def test_another_endpoint_of_ours_answers() -> None:
    network = Network(make_endpoint(PHONE), make_endpoint(LINE))
    results: list[OptionsResult] = []
    network.endpoints[PHONE].send_options(f"sip:62@{LINE}", LINE, network.now, results.append)
    network.run(100.0)
    assert [(r.kind, r.status) for r in results] == [("alive", 200)]
    assert results[0].round_trip_ms == pytest.approx(20.0)
    assert network.endpoints[PHONE].idle


def test_a_request_of_any_kind() -> None:
    network = Network(make_endpoint(PHONE), make_endpoint(LINE))
    outcomes: list[Outcome] = []
    request = OutsideRequest(
        "MESSAGE",
        f"sip:62@{LINE}",
        LINE,
        "sip:dutyring@192.0.2.1",
        "sip:62@example.org",
        headers=(("Content-Type", "text/plain"),),
        body="查岗".encode(),
    )
    call_id = network.endpoints[PHONE].send_request(request, network.now, outcomes.append)
    network.run(1.0)
    (outcome,) = outcomes
    assert outcome.response is not None
    assert (outcome.response.status, outcome.response.call_id, outcome.failure) == (405, call_id, "")
    sent = parse_message(network.sent[0][1].data)
    assert (sent.to.uri, sent.body) == ("sip:62@example.org", "查岗".encode())


@pytest.mark.parametrize(
    ("method", "uri"),
    [("INVITE", "sip:h"), ("bye", "sip:h"), ("MESSAGE", ""), ("MESSAGE", "sip:a b"), ("MESSAGE", "sip:a\nb")],
)
def test_what_cannot_be_sent(method: str, uri: str) -> None:
    phone = Endpoint(PHONE)
    with pytest.raises(LocalProtocolError):
        phone.send_request(OutsideRequest(method, uri, LINE, "sip:a@h"), 0.0, lambda outcome: None)
    assert phone.take_datagrams() == []
    assert phone.idle

"""Registration: what a registrar is sent, and what follows from each of its answers."""

from __future__ import annotations

from typing import TypeVar

import pytest

from sip.core import (
    Address,
    Authorizer,
    Credentials,
    Endpoint,
    Event,
    LocalProtocolError,
    MessageReceived,
    Registered,
    RegistrationFailed,
    RegistrationPlan,
    RegistrationState,
    Request,
    Unregistered,
    parse_message,
)
from sip.core.digest import Verifier, parse_parameters

E = TypeVar("E", bound=Event)
HERE = Address("192.0.2.1", 5060)
SERVER = Address("192.0.2.9", 5060)
CONTACT = "sip:62@192.0.2.1:5060"
ACCOUNT = Credentials("62", "right")


class Registrar:
    """A client and its registrar: the test says what the registrar answers."""

    def __init__(self, spread: float = 0.5, advertised: str | None = None, **changes: object) -> None:
        values: dict[str, object] = {
            "registrar": "sip:example.org",
            "aor": "sip:62@example.org",
            "destination": SERVER,
            "contact_user": "62",
            "expires_s": 600,
            **changes,
        }
        self.now = 1000.0
        self.phone = Endpoint(HERE, advertised=advertised)
        plan = RegistrationPlan(**values)  # type: ignore[arg-type]
        self.client = self.phone.register(plan, self.now, spread=lambda: spread)
        self.events: list[Event] = []
        self.seen: list[Request] = []

    def take(self) -> Request:
        """Return the one REGISTER that has left and was not seen yet."""
        (request,) = self.taken()
        assert request.method == "REGISTER"
        return request

    def taken(self) -> list[Request]:
        datagrams = [d for d in self.phone.take_datagrams() if not d.retransmission]
        requests = [parse_message(d.data) for d in datagrams]
        found = [request for request in requests if isinstance(request, Request)]
        self.seen += found
        return found

    def answer(self, status: int, *headers: str, via: str = "") -> None:
        """Take the REGISTER that is due and answer it 10 ms later."""
        self.respond(self.take(), status, *headers, via=via)

    def respond(self, request: Request, status: int, *headers: str, via: str = "") -> None:
        """Answer a REGISTER; `via` takes the place of `;rport` in its Via."""
        self.now += 0.01
        lines = [f"SIP/2.0 {status} Because"]
        for name in ("Via", "From", "To", "Call-ID", "CSeq"):
            value = request.header(name) or ""
            lines.append(f"{name}: {value.replace(';rport', via) if name == 'Via' and via else value}")
        lines += headers
        self.phone.receive(("\r\n".join(lines) + "\r\n\r\n").encode(), SERVER, self.now)

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while (due := self.phone.deadline()) is not None and due <= end:
            self.now = max(self.now, due)
            self.phone.advance(self.now)
        self.now = end

    def told(self, kind: type[E]) -> list[E]:
        self.events += self.phone.take_events()
        return [event for event in self.events if isinstance(event, kind)]

    def failure(self) -> RegistrationFailed:
        return self.told(RegistrationFailed)[-1]


def accepted(expires_s: int = 600, contact: str = CONTACT) -> str:
    return f"Contact: <{contact}>;expires={expires_s}"


def test_what_the_first_register_says() -> None:
    bench = Registrar(route=("sip:edge.example.org;lr",), headers=(("X-Line", "1"),))
    request = bench.take()
    assert request.uri == "sip:example.org"
    assert (request.from_.uri, request.to.uri, request.to.tag) == (
        "sip:62@example.org",
        "sip:62@example.org",
        "",
    )
    assert [(c.uri, c.parameters["expires"]) for c in request.contacts] == [(CONTACT, "600")]
    assert (request.header("expires"), request.cseq.number) == ("600", 1)
    assert request.header("route") == "<sip:edge.example.org;lr>"
    assert (request.header("supported"), request.header("x-line")) == ("path", "1")
    assert "+sip.instance" not in request.contacts[0].parameters
    assert bench.client.state is RegistrationState.REGISTERING
    assert not bench.client.registered(bench.now)


def test_outbound_names_the_instance() -> None:
    urn = "urn:uuid:00000000-0000-1000-8000-000A95A0E128"
    bench = Registrar(instance=urn, destination=SERVER._replace(transport="tcp"))
    request = bench.take()
    contact = request.contacts[0]
    assert contact.parameters["+sip.instance"] == f"<{urn}>"
    assert contact.parameters["reg-id"] == "1"
    assert request.values("supported") == ["outbound", "path"]


def test_accepted_and_refreshed_with_the_same_call_id() -> None:
    bench = Registrar()
    first = bench.take()
    bench.respond(
        first,
        200,
        accepted(),
        "Service-Route: <sip:orig@scscf.example.org;lr>, <sip:second;lr>",
        "P-Associated-URI: <sip:+8691762@example.org>, <tel:+8691762>",
        "Path: <sip:edge;lr>",
        "Flow-Timer: 90",
        via=";received=203.0.113.5;rport=17000",
    )
    (told,) = bench.told(Registered)
    assert (told.registration, told.call_id) == ("sip:62@example.org", bench.client.call_id)
    assert told.until == pytest.approx(bench.now + 600)
    assert told.service_route == ("sip:orig@scscf.example.org;lr", "sip:second;lr")
    assert told.associated == ("sip:+8691762@example.org", "tel:+8691762")
    assert told.seen_as == Address("203.0.113.5", 17000)
    assert told.flow_timer_s == 90
    assert bench.client.registered(bench.now)
    assert bench.client.binding is not None
    assert bench.client.binding.service_route == told.service_route
    assert len(bench.told(MessageReceived)) == 1
    bench.wait(280)
    assert bench.taken() == []
    bench.wait(20)
    again = bench.take()
    assert bench.client.state is RegistrationState.REFRESHING
    assert (again.call_id, again.cseq.number, again.from_.tag) == (first.call_id, 2, first.from_.tag)
    assert again.via.branch != first.via.branch
    bench.respond(again, 200, accepted())
    assert len(bench.told(Registered)) == 2
    assert bench.client.state is RegistrationState.REGISTERED


@pytest.mark.parametrize(
    ("granted_s", "early_s", "late_s"),
    # 3GPP TS 24.229 section 5.1.1.4.1, less up to a tenth
    [(60, 27, 30), (600, 270, 300), (1200, 540, 600), (3600, 2700, 3000), (7200, 5940, 6600)],
)
def test_when_it_is_refreshed(granted_s: int, early_s: float, late_s: float) -> None:
    for spread, due_s in ((0.0, late_s), (1.0, early_s)):
        bench = Registrar(spread=spread, expires_s=7200)
        bench.answer(200, accepted(granted_s))
        bench.wait(due_s - 0.1)
        assert bench.taken() == []
        bench.wait(0.2)
        assert bench.take().header("expires") == "7200"


@pytest.mark.parametrize(
    ("headers", "granted_s"),
    [
        ([accepted(300), "Expires: 1000"], 300),
        ([f"Contact: <{CONTACT}>", "Expires: 120"], 120),
        ([f"Contact: <{CONTACT}>"], 600),
        ([], 600),
        (["Expires: never"], 600),
        ([f"Contact: <sip:62@198.51.100.1>;expires=50, <{CONTACT}>;expires=400"], 400),
        ([accepted(50, "sip:62@198.51.100.1"), accepted(400, "sip:62@192.0.2.1")], 400),
        ([accepted(77, "sip:62@203.0.113.5:17000")], 77),
        ([accepted(90, "sip:62@10.0.0.1:9"), accepted(80, "sip:62@10.0.0.2:9"), accepted(5, "sip:9@h")], 80),
        ([accepted(90, "sip:a@10.0.0.1:9"), accepted(80, "sip:b@10.0.0.2:9"), "Expires: 200"], 200),
        (["m: " + accepted(44)[9:]], 44),
    ],
)
def test_how_long_it_is_granted(headers: list[str], granted_s: float) -> None:
    bench = Registrar()
    bench.answer(200, *headers)
    (told,) = bench.told(Registered)
    assert told.until == pytest.approx(bench.now + granted_s)


def test_our_instance_is_found_among_other_devices() -> None:
    bench = Registrar(instance="urn:uuid:1")
    bench.answer(
        200,
        'Contact: <sip:62@10.0.0.7:1>;expires=40;+sip.instance="<urn:uuid:2>"',
        'Contact: <sip:62@10.0.0.8:1>;expires=50;+sip.instance="<urn:uuid:1>";reg-id=1',
        accepted(60),
    )
    assert bench.told(Registered)[0].until == pytest.approx(bench.now + 50)


def test_a_binding_of_no_time_is_a_refusal() -> None:
    bench = Registrar()
    bench.answer(200, accepted(0))
    assert bench.told(Registered) == []
    assert (bench.failure().kind, bench.failure().status) == ("rejected", 200)


def test_too_brief_is_asked_longer_from_then_on() -> None:
    bench = Registrar(expires_s=60)
    bench.answer(423, "Min-Expires: 1800")
    longer = bench.take()
    assert (longer.header("expires"), longer.cseq.number) == ("1800", 2)
    bench.respond(longer, 200, accepted(1800))
    bench.wait(1200)
    assert bench.take().header("expires") == "1800"


@pytest.mark.parametrize("least", ["", "Min-Expires: 600", "Min-Expires: 99999999", "Min-Expires: soon"])
def test_too_brief_that_cannot_be_met_is_a_refusal(least: str) -> None:
    bench = Registrar()
    bench.answer(423, *[least] if least else [])
    assert bench.taken() == []
    assert (bench.failure().kind, bench.client.state) == ("rejected", RegistrationState.REJECTED)


def challenge(verifier: Verifier, bench: Registrar, stale: bool = False, algorithm: str = "MD5") -> str:
    return "WWW-Authenticate: " + verifier.challenge("example.org", algorithm, bench.now, stale)


def verdict(verifier: Verifier, request: Request, now: float) -> str:
    return verifier.verify(request, "REGISTER", {"62": "right"}.get, now)


def test_a_challenge_is_met_and_remembered_for_the_refresh() -> None:
    bench, verifier = Registrar(credentials=ACCOUNT), Verifier(b"s")
    bench.answer(401, challenge(verifier, bench, algorithm="SHA-256"))
    second = bench.take()
    assert verdict(verifier, second, bench.now) == "right"
    assert second.cseq.number == 2
    bench.respond(second, 200, accepted())
    assert len(bench.told(Registered)) == 1
    bench.wait(299)
    refresh = bench.take()
    assert verdict(verifier, refresh, bench.now) == "right"
    counts = [parse_parameters(r.headers("authorization")[0])[1]["nc"] for r in (second, refresh)]
    assert counts == ["00000001", "00000002"]
    bench.respond(refresh, 401, challenge(verifier, bench, stale=True))
    bench.answer(200, accepted())
    assert len(bench.told(Registered)) == 2
    assert bench.told(RegistrationFailed) == []


@pytest.mark.parametrize(
    ("credentials", "kind", "requests"),
    [(Credentials("62", "wrong"), "bad credentials", 2), (None, "no credentials", 1)],
)
def test_credentials_that_do_not_do_are_not_tried_in_a_hurry(
    credentials: Credentials | None, kind: str, requests: int
) -> None:
    account = Authorizer(credentials) if credentials else None
    bench, verifier = Registrar(credentials=account), Verifier(b"s")
    for _ in range(requests):
        bench.answer(401, challenge(verifier, bench))
    failure = bench.failure()
    assert (failure.kind, failure.status, failure.reason) == (kind, 401, "Because")
    assert bench.client.state is RegistrationState.REJECTED
    assert 600 <= failure.retry_at - bench.now <= 720
    bench.wait(599)
    assert bench.taken() == []
    bench.wait(130)
    assert bench.take().headers("authorization") == []
    if account is not None:
        assert account.refused_by == "example.org"


def test_a_challenge_of_an_unknown_kind() -> None:
    bench = Registrar(credentials=ACCOUNT)
    bench.answer(401, 'WWW-Authenticate: Digest realm="ims", nonce="n", algorithm=AKAv1-MD5')
    assert bench.failure().kind == "unknown challenge"


def test_a_registrar_that_calls_each_nonce_stale() -> None:
    bench, verifier = Registrar(credentials=ACCOUNT), Verifier(b"s")
    for _ in range(5):
        bench.answer(401, challenge(verifier, bench, stale=True))
        bench.now += 1
    assert bench.taken() == []
    assert bench.failure().kind == "challenged without end"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (403, "forbidden"),
        (404, "unknown address"),
        (400, "rejected"),
        (302, "rejected"),
        (603, "rejected"),
        (420, "rejected"),
    ],
)
def test_refusals_are_asked_about_seldom(status: int, kind: str) -> None:
    bench = Registrar(spread=0.0)
    bench.answer(status)
    failure = bench.failure()
    assert (failure.kind, failure.status, failure.until) == (kind, status, None)
    assert failure.retry_at == pytest.approx(bench.now + 600)
    bench.wait(601)
    bench.answer(200, accepted())
    assert len(bench.told(Registered)) == 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (500, "unavailable"),
        (503, "overloaded"),
        (408, "unavailable"),
        (480, "unavailable"),
        (504, "unavailable"),
    ],
)
def test_a_registrar_in_trouble_is_asked_ever_less_often(status: int, kind: str) -> None:
    """RFC 5626 section 4.5: half to all of 30 s, doubled with each failure, at most 1800 s."""
    for spread, expected in (
        (0.0, [30, 60, 120, 240, 480, 900, 900]),
        (1.0, [60, 120, 240, 480, 960, 1800, 1800]),
    ):
        bench = Registrar(spread=spread)
        for wait_s in expected:
            bench.answer(status)
            assert bench.failure().kind == kind
            assert bench.client.state is RegistrationState.WAITING
            assert bench.failure().retry_at == pytest.approx(bench.now + wait_s)
            bench.wait(wait_s + 0.1)


def test_retry_after_is_kept() -> None:
    bench = Registrar(spread=0.0)
    bench.answer(503, "Retry-After: 5 (maintenance);duration=60")
    assert bench.failure().retry_at == pytest.approx(bench.now + 5)
    bench.wait(5.1)
    bench.answer(503, "Retry-After: 5")
    assert bench.failure().retry_at == pytest.approx(bench.now + 60)
    bench.wait(60.1)
    bench.answer(503, "Retry-After: 1000")
    assert bench.failure().retry_at == pytest.approx(bench.now + 1000)
    bench.wait(1000.1)
    bench.answer(200, accepted())
    bench.wait(300)
    bench.answer(500)
    assert bench.failure().retry_at == pytest.approx(bench.now + 30)
    assert bench.failure().until is not None


def test_silence_and_network_errors() -> None:
    bench = Registrar(spread=0.0)
    bench.take()
    bench.wait(31.9)
    assert bench.told(RegistrationFailed) == []
    bench.wait(0.2)
    failure = bench.failure()
    assert (failure.kind, failure.status, failure.reason) == ("timeout", None, "no response")
    bench.wait(31)
    bench.take()
    bench.phone.refused(SERVER, bench.now, "Connection refused")
    assert (bench.failure().kind, bench.failure().reason) == ("unreachable", "Connection refused")


def test_a_failed_renewal_leaves_the_binding_until_its_end() -> None:
    bench = Registrar(spread=0.0)
    bench.answer(200, accepted())
    until = bench.told(Registered)[0].until
    bench.wait(301)
    bench.answer(503)
    assert bench.failure().until == until
    assert bench.client.registered(until - 1)
    assert not bench.client.registered(until)


def test_refresh_now_by_another_way() -> None:
    bench = Registrar()
    bench.answer(503)
    other = Address("192.0.2.10", 5060)
    bench.client.refresh(bench.now, other)
    (datagram,) = bench.phone.take_datagrams()
    assert datagram.destination == other
    bench.client.refresh(bench.now)
    assert bench.taken() == []
    request = parse_message(datagram.data)
    assert isinstance(request, Request)
    bench.respond(request, 200, accepted())
    bench.client.refresh(bench.now)
    bench.answer(200, accepted())
    assert len(bench.told(Registered)) == 2


def test_unregistering() -> None:
    bench = Registrar(credentials=ACCOUNT)
    bench.answer(200, accepted())
    bench.client.unregister(bench.now)
    request = bench.take()
    assert (request.header("expires"), request.contacts[0].parameters["expires"]) == ("0", "0")
    assert request.contacts[0].uri == CONTACT
    verifier = Verifier(b"s")
    bench.respond(request, 401, challenge(verifier, bench))
    last = bench.take()
    assert verdict(verifier, last, bench.now) == "right"
    bench.respond(last, 200)
    (told,) = bench.told(Unregistered)
    assert (told.registration, told.reason) == ("sip:62@example.org", "")
    assert not bench.client.registered(bench.now)
    bench.client.unregister(bench.now)
    bench.client.refresh(bench.now)
    bench.wait(2000)
    assert bench.taken() == []
    assert bench.phone.idle
    assert len(bench.told(Unregistered)) == 1


def test_unregistering_waits_for_the_answer_that_is_due() -> None:
    bench = Registrar()
    request = bench.take()
    bench.client.unregister(bench.now)
    assert bench.taken() == []
    bench.respond(request, 200, accepted())
    assert bench.told(Registered) == []
    bench.answer(200)
    assert len(bench.told(Unregistered)) == 1


@pytest.mark.parametrize(("status", "reason"), [(500, "Because"), (0, "no response"), (403, "Because")])
def test_unregistering_that_is_not_confirmed(status: int, reason: str) -> None:
    bench = Registrar()
    bench.answer(200, accepted())
    bench.client.unregister(bench.now)
    if status:
        bench.answer(status)
    else:
        bench.wait(33)
    assert [event.reason for event in bench.told(Unregistered)] == [reason]
    bench.wait(100)
    assert bench.phone.idle


@pytest.mark.parametrize("status", [403, 503])
def test_unregistering_what_never_stood_sends_nothing(status: int) -> None:
    bench = Registrar()
    bench.answer(status)
    bench.client.unregister(bench.now)
    assert bench.taken() == []
    assert [event.reason for event in bench.told(Unregistered)] == [""]


def test_the_public_address_stands_in_the_contact() -> None:
    bench = Registrar(advertised="203.0.113.5", label="carrier")
    request = bench.take()
    assert request.contacts[0].uri == "sip:62@203.0.113.5:5060"
    bench.respond(request, 200, accepted(100, "sip:62@203.0.113.5"), accepted(9, "sip:62@198.51.100.1:5060"))
    (told,) = bench.told(Registered)
    assert (told.registration, told.until) == ("carrier", pytest.approx(bench.now + 100))
    assert told.seen_as is None


@pytest.mark.parametrize(
    "changes",
    [{"registrar": ""}, {"registrar": "sip:a b"}, {"headers": (("X", "a\r\nb"),)}, {"expires_s": 0}],
)
def test_what_cannot_be_sent_is_refused_at_once(changes: dict[str, object]) -> None:
    with pytest.raises(LocalProtocolError):
        Registrar(**changes)  # type: ignore[arg-type]

"""What is remembered of challenges, to whom it is sent, and what a further challenge means."""

from __future__ import annotations

import pytest

from sip.core import (
    Address,
    Answered,
    Authorizer,
    Credentials,
    Endpoint,
    Event,
    IncomingInvite,
    OptionsResult,
    Request,
    parse_message,
)
from sip.core.digest import parse_parameters
from tests.unit.test_core_network import LINE, PHONE, Network, find, invite, make_endpoint

PROXY = Address("192.0.2.9", 5060)
OTHER = Address("192.0.2.10", 5060)


class Servers:
    """Probes of one account, whose answers the test writes."""

    def __init__(self, account: Authorizer | Credentials | None = None) -> None:
        self.account = account or Authorizer(Credentials("u", "right"))
        self.phone = Endpoint(PHONE)
        self.now = 10.0
        self.results: list[OptionsResult] = []

    def ask(self, uri: str = "sip:example.org", destination: Address = PROXY) -> Request:
        """Send a probe and return it."""
        self.phone.send_options(uri, destination, self.now, self.results.append, credentials=self.account)
        return self.sent()

    def sent(self) -> Request:
        (datagram,) = self.phone.take_datagrams()
        request = parse_message(datagram.data)
        assert isinstance(request, Request)
        return request

    def answer(self, request: Request, status: int, *headers: str) -> None:
        lines = [f"SIP/2.0 {status} Because"]
        lines += [f"{name}: {request.header(name)}" for name in ("Via", "From", "To", "Call-ID", "CSeq")]
        self.phone.receive(("\r\n".join([*lines, *headers]) + "\r\n\r\n").encode(), PROXY, self.now)

    def challenged(self, request: Request, status: int, *challenges: str) -> Request:
        """Answer with challenges and return the request that follows."""
        name = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
        self.answer(request, status, *[f"{name}: Digest {challenge}" for challenge in challenges])
        return self.sent()


def login(request: Request, name: str = "authorization") -> list[dict[str, str]]:
    return [parse_parameters(value)[1] for value in request.headers(name)]


def used(request: Request, name: str = "authorization") -> list[tuple[str, str, str]]:
    return [(given["realm"], given["nonce"], given["nc"]) for given in login(request, name)]


def test_the_next_request_carries_credentials_at_once() -> None:
    servers = Servers()
    second = servers.challenged(servers.ask(), 401, 'realm="r", nonce="n", qop="auth", opaque="o"')
    servers.answer(second, 200)
    third = servers.ask()
    assert used(second) == [("r", "n", "00000001")]
    assert used(third) == [("r", "n", "00000002")]
    assert login(third)[0]["opaque"] == "o"
    assert login(second)[0]["cnonce"] != login(third)[0]["cnonce"]
    assert third.header("proxy-authorization") is None


def test_a_session_algorithm_keeps_its_first_cnonce() -> None:
    servers = Servers()
    second = servers.challenged(servers.ask(), 401, 'realm="r", nonce="n", qop="auth", algorithm=MD5-sess')
    servers.answer(second, 200)
    third = servers.ask()
    assert login(second)[0]["cnonce"] == login(third)[0]["cnonce"]
    assert used(third) == [("r", "n", "00000002")]


def test_plain_credentials_remember_nothing_beyond_their_request() -> None:
    servers = Servers(Credentials("u", "right"))
    servers.answer(servers.challenged(servers.ask(), 401, 'realm="r", nonce="n", qop="auth"'), 200)
    assert login(servers.ask()) == []


def test_nothing_is_sent_to_another_server() -> None:
    servers = Servers()
    servers.challenged(servers.ask(), 407, 'realm="p", nonce="1", qop="auth"')
    servers.challenged(servers.ask(), 401, 'realm="r", nonce="2", qop="auth"')
    for name in ("authorization", "proxy-authorization"):
        assert login(servers.ask(destination=OTHER), name) == []


def test_what_a_domain_asked_is_not_told_to_another_behind_the_same_proxy() -> None:
    servers = Servers()
    both = servers.challenged(servers.ask(), 407, 'realm="p", nonce="1", qop="auth"')
    both = servers.challenged(both, 401, 'realm="r", nonce="2", qop="auth"')
    assert (used(both), used(both, "proxy-authorization")) == (
        [("r", "2", "00000001")],
        [("p", "1", "00000002")],
    )
    stranger = servers.ask("sip:elsewhere.example")
    assert (login(stranger), len(login(stranger, "proxy-authorization"))) == ([], 1)
    same = servers.ask("sip:62@EXAMPLE.org:5060;user=phone")
    assert len(login(same)) == 1
    at_the_server = servers.ask("sip:asterisk@192.0.2.9:5060")
    assert len(login(at_the_server)) == 1


def test_several_realms_at_once() -> None:
    servers = Servers()
    second = servers.challenged(
        servers.ask(),
        407,
        'realm="a", nonce="1", qop="auth", algorithm=MD5',
        'realm="a", nonce="1", qop="auth", algorithm=SHA-256, Digest realm="b", nonce="2"',
    )
    given = login(second, "proxy-authorization")
    assert [(one["realm"], one.get("algorithm")) for one in given] == [("a", "SHA-256"), ("b", None)]
    assert "nc" not in given[1]


@pytest.mark.parametrize("realm", ["r", 'duty, \\"room\\" \\\\1', "值班"])
def test_realms_are_quoted_as_they_came(realm: str) -> None:
    servers = Servers()
    second = servers.challenged(servers.ask(), 401, f'realm="{realm}", nonce="n"')
    assert f'realm="{realm}"' in (second.header("authorization") or "")


def test_the_next_nonce_is_taken() -> None:
    servers = Servers()
    second = servers.challenged(servers.ask(), 401, 'realm="r", nonce="n", qop="auth"')
    servers.answer(second, 200, 'Authentication-Info: qop=auth, nextnonce="m", nc=00000001')
    assert used(servers.ask()) == [("r", "m", "00000001")]
    third = servers.ask()
    servers.answer(third, 200, 'Proxy-Authentication-Info: nextnonce="x"')
    assert used(servers.ask()) == [("r", "m", "00000003")]


def test_a_forgotten_nonce_is_replaced_though_it_is_not_called_stale() -> None:
    servers = Servers()
    servers.answer(servers.challenged(servers.ask(), 401, 'realm="r", nonce="n", qop="auth"'), 200)
    again = servers.challenged(servers.ask(), 401, 'realm="r", nonce="m", qop="auth"')
    assert used(again) == [("r", "m", "00000001")]
    servers.answer(again, 200)
    assert [result.denial for result in servers.results] == [None, None]


@pytest.mark.parametrize("nonce", ["n", "m"])
def test_wrong_credentials_are_told_and_not_sent_from_the_start(nonce: str) -> None:
    servers = Servers()
    second = servers.challenged(servers.ask(), 401, 'realm="r", nonce="n", qop="auth"')
    servers.answer(second, 401, f'WWW-Authenticate: Digest realm="r", nonce="{nonce}", qop="auth"')
    assert servers.phone.take_datagrams() == []
    (result,) = servers.results
    assert (result.kind, result.status, result.denial) == ("alive", 401, "bad credentials")
    assert isinstance(servers.account, Authorizer)
    assert servers.account.refused_by == "r"
    fresh = servers.ask()
    assert login(fresh) == []
    servers.answer(servers.challenged(fresh, 401, 'realm="r", nonce="k", qop="auth"'), 200)
    assert servers.account.refused_by is None


def test_a_stale_nonce_is_no_refusal_but_has_an_end() -> None:
    servers = Servers()
    request = servers.ask()
    for number in range(4):
        request = servers.challenged(request, 401, f'realm="r", nonce="{number}", stale=TRUE')
        assert [given["nonce"] for given in login(request)] == [str(number)]
    servers.answer(request, 401, 'WWW-Authenticate: Digest realm="r", nonce="x", stale=true')
    assert servers.phone.take_datagrams() == []
    assert servers.results[0].denial == "challenged without end"


def test_a_challenge_we_cannot_read() -> None:
    servers = Servers()
    servers.answer(servers.ask(), 407, "Proxy-Authenticate: Negotiate abc")
    servers.answer(servers.ask(), 401)
    assert [result.denial for result in servers.results] == ["unknown challenge"] * 2


def test_memory_is_bounded() -> None:
    servers = Servers()
    for number in range(40):
        request = servers.challenged(servers.ask(), 407, f'realm="{number}", nonce="n", qop="auth"')
        servers.answer(request, 200)
    realms = [given["realm"] for given in login(servers.ask(), "proxy-authorization")]
    assert realms == [str(number) for number in range(8, 40)]


def test_secrets_are_not_shown() -> None:
    assert "right" not in repr(Authorizer(Credentials("u", "right")))


@pytest.mark.parametrize("proxy", [False, True])
def test_calls_of_one_account_share_what_was_learned(proxy: bool) -> None:
    network = Network(make_endpoint(PHONE), make_endpoint(LINE))
    counts: list[str] = []

    def react(endpoint: Endpoint, event: Event, now: float) -> None:
        if not isinstance(event, IncomingInvite):
            return
        if event.call.verify({"u": "right"}.get, now) != "right":
            event.call.challenge("realm", now, "SHA-256", proxy=proxy)
            return
        name = "proxy-authorization" if proxy else "authorization"
        counts.append(login(event.request, name)[0]["nc"])
        if len(counts) < 3:
            event.call.answer(now, None)
        else:
            event.call.progress(180, now)

    network.react = react
    account = Authorizer(Credentials("u", "right"))
    for _ in range(2):
        call = network.endpoints[PHONE].place_call(invite(credentials=account), network.now)
        network.run(1.0)
        call.hang_up(network.now)
        network.run(1.0)
    given_up = network.endpoints[PHONE].place_call(invite(credentials=account), network.now)
    network.run(1.0)
    given_up.cancel(network.now)
    network.run(1.0)
    assert counts == ["00000001", "00000003", "00000005"]
    assert len(find(network.events[PHONE], Answered)) == 2
    name = "proxy-authorization" if proxy else "authorization"
    sent = [parse_message(d.data) for _, d in network.sent if d.is_request and not d.retransmission]
    carried = [(m.cseq.method, bool(m.header(name))) for m in sent]
    answered = [("INVITE", True), ("ACK", True), ("BYE", True)]
    assert carried[:2] == [("INVITE", False), ("ACK", False)]
    assert carried[2:8] == answered * 2
    assert carried[8:] == [("INVITE", True), ("CANCEL", False), ("ACK", False)]

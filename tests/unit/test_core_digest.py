"""Digest: the vectors of the RFCs, what challenges look like, and the far side's check."""

from __future__ import annotations

import hashlib

import pytest

from sip.core import (
    Address,
    Answered,
    Credentials,
    Endpoint,
    Event,
    IncomingInvite,
    Rejected,
    parse_message,
)
from sip.core.digest import (
    ALGORITHMS,
    Challenge,
    Verifier,
    answer,
    challenges,
    compute,
    parse_parameters,
)
from tests.unit.test_core_network import LINE, PHONE, Network, find, invite, make_endpoint

RFC7616_NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
RFC7616_CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"


def test_rfc_2617_section_3_5() -> None:
    assert (
        compute(
            "MD5",
            "Mufasa",
            "testrealm@host.com",
            "Circle Of Life",
            "GET",
            "/dir/index.html",
            "dcd98b7102dd2f0e8b11d0f600bfb0c093",
            "auth",
            "00000001",
            "0a4f113b",
        )
        == "6629fae49393a05397450978507c4ef1"
    )


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_rfc_7616_section_3_9_1(algorithm: str, expected: str) -> None:
    result = compute(
        algorithm,
        "Mufasa",
        "http-auth@example.org",
        "Circle of Life",
        "GET",
        "/dir/index.html",
        RFC7616_NONCE,
        "auth",
        "00000001",
        RFC7616_CNONCE,
    )
    assert result == expected


def test_rfc_7616_section_3_9_2_with_a_hashed_user_name() -> None:
    """The values of erratum 4897: those printed were made with a draft of SHA-512/256."""
    challenge = Challenge(
        realm="api@example.org",
        nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK",
        algorithm="SHA-512-256",
        qop=("auth",),
        opaque="HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS",
        stale=False,
        userhash=True,
    )
    value = answer(
        challenge,
        Credentials("J\u00e4s\u00f8n Doe", "Secret, or not?"),
        "GET",
        "/doe.json",
        "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v",
    )
    given = parse_parameters(value)[1]
    assert given["username"] == "793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b"
    assert given["response"] == "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5"
    assert (given["userhash"], given["nc"]) == ("true", "00000001")
    assert given["opaque"] == challenge.opaque


def test_auth_int_counts_the_body_and_is_the_second_choice() -> None:
    def quality(qop: str) -> str | None:
        return challenges(
            parse_message(unauthorised(f'Digest realm="r",nonce="n",qop="{qop}",algorithm=SHA-256')), 401
        )[0].quality

    assert (quality("auth-int"), quality("auth-int, auth"), quality("")) == ("auth-int", "auth", None)

    def response(body: bytes, qop: str) -> str:
        return compute("SHA-256", "u", "r", "p", "INVITE", "sip:x", "n", qop, "00000001", "c", body)

    def digest(text: str) -> str:
        return hashlib.sha256(text.encode()).hexdigest()

    expected = digest(
        f"{digest('u:r:p')}:n:00000001:c:auth-int:{digest('INVITE:sip:x:' + digest('v=0'))}",
    )
    assert response(b"v=0", "auth-int") == expected
    assert response(b"v=0", "auth") == response(b"", "auth")


def test_without_qop_as_in_rfc_2069() -> None:
    """RFC 2069 section 2.4, with the response of its erratum 749."""
    result = compute(
        "",
        "Mufasa",
        "testrealm@host.com",
        "CircleOfLife",
        "GET",
        "/dir/index.html",
        "dcd98b7102dd2f0e8b11d0f600bfb0c093",
    )
    assert result == "1949323746fe6a43ef61f9606e7febea"


def unauthorised(*values: str, status: int = 401) -> bytes:
    name = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
    lines = [
        f"SIP/2.0 {status} No",
        "Via: SIP/2.0/UDP h;branch=z9hG4bKx",
        "From: <sip:a@b>;tag=1",
        "To: <sip:c@d>;tag=2",
    ]
    lines += ["Call-ID: x", "CSeq: 1 INVITE", *[f"{name}: {value}" for value in values]]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (['Digest realm="r", nonce="n"'], ["MD5"]),
        (['digest realm="a, b", nonce="n", qop="auth,auth-int", algorithm=md5'], ["MD5"]),
        (
            ['Digest realm="r",nonce="n",algorithm=MD5', 'Digest realm="r",nonce="n",algorithm=SHA-256'],
            ["SHA-256", "MD5"],
        ),
        (
            ['Digest realm="r",nonce="n",algorithm=MD5, Digest realm="r",nonce="m",algorithm=SHA-256-sess'],
            ["SHA-256-SESS", "MD5"],
        ),
        (['Digest realm="r",nonce="n",qop="auth-int"'], ["MD5"]),
        (['Digest realm="r",nonce="n",qop=""'], ["MD5"]),
        (['Digest realm="r",nonce="n",qop="auth-conf"'], []),
        (['Digest nonce = "n" ,realm=unquoted, qop=auth,auth-int, charset=UTF-8'], ["MD5"]),
        (
            [
                'Digest realm="r",nonce="n",algorithm=SHA-256',
                'Digest realm="r",nonce="n",algorithm="SHA-512-256"',
                'Digest realm="r",nonce="n"',
            ],
            ["SHA-512-256", "SHA-256", "MD5"],
        ),
        (['Digest realm="r",nonce="n",algorithm=AKAv1-MD5'], []),
        (['Basic realm="r"', "Digest", "", 'Digest realm="r"'], []),
    ],
)
def test_challenges_strongest_first(values: list[str], expected: list[str]) -> None:
    for status in (401, 407):
        found = challenges(parse_message(unauthorised(*values, status=status)), status)
        assert [challenge.name for challenge in found] == expected


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256", "MD5-sess", "SHA-256-sess", "sha-512-256"])
def test_the_far_side_accepts_what_we_answer(algorithm: str) -> None:
    verifier = Verifier(b"secret")
    challenge = challenges(parse_message(unauthorised(verifier.challenge('值班 "r"', algorithm, 10.0))), 401)[
        0
    ]
    assert challenge.realm == '值班 "r"'
    value = answer(challenge, Credentials("u", "密码"), "INVITE", "sip:62@h", "c0ffee")

    def check(text: str, now: float = 20.0, method: str = "INVITE") -> str:
        request = (
            f"{method} sip:62@h SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP h;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\n"
            f"Call-ID: x\r\nCSeq: 1 {method}\r\n{text}\r\n"
        )
        return verifier.verify(parse_message(request.encode()), method, {"u": "密码"}.get, now)

    assert check(f"Authorization: {value}\r\n") == "right"
    assert check(f"Proxy-Authorization: {value}\r\n") == "right"
    assert check("") == "absent"
    assert check("Authorization: Basic eDp5\r\n") == "wrong"
    assert check("Authorization: " + value.replace('"u"', '"v"') + "\r\n") == "wrong"
    assert check("Authorization: " + value.replace("sip:62@h", "sip:63@h") + "\r\n") == "wrong"
    assert check(f"Authorization: {value}\r\n", now=1000.0) == "stale"
    foreign = Verifier(b"other").challenge("r", algorithm, 10.0)
    theirs = answer(
        challenges(parse_message(unauthorised(foreign)), 401)[0],
        Credentials("u", "密码"),
        "INVITE",
        "sip:62@h",
        "c",
    )
    assert check(f"Authorization: {theirs}\r\n") == "stale"


def guarded(network: Network, algorithm: str = "MD5", proxy: bool = False, stale_once: bool = False) -> None:
    """Make the line ask for the password `right` of the user `u`."""
    seen: list[str] = []

    def react(endpoint: Endpoint, event: Event, now: float) -> None:
        if not isinstance(event, IncomingInvite):
            return
        verdict = event.call.verify({"u": "right"}.get, now)
        seen.append(verdict)
        if stale_once and seen == ["absent", "right"]:
            event.call.challenge("realm", now, algorithm, stale=True, proxy=proxy)
        elif verdict == "right":
            event.call.answer(now, None)
        else:
            event.call.challenge("realm", now, algorithm, proxy=proxy)

    network.react = react


@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
@pytest.mark.parametrize("proxy", [False, True])
def test_a_call_with_the_right_password(algorithm: str, proxy: bool) -> None:
    network = Network(make_endpoint(PHONE), make_endpoint(LINE))
    guarded(network, algorithm, proxy)
    call = network.endpoints[PHONE].place_call(invite(credentials=Credentials("u", "right")), network.now)
    network.run(1.0)
    assert len(find(network.events[PHONE], Answered)) == 1
    assert find(network.events[PHONE], Rejected) == []
    call.hang_up(network.now)
    network.run(1.0)
    requests = [parse_message(d.data) for _, d in network.sent if d.is_request and not d.retransmission]
    assert {request.call_id for request in requests} == {call.call_id}
    assert {request.from_.tag for request in requests} == {call.local_tag}
    invites = [r for r in requests if r.cseq.method == "INVITE"]
    assert [r.cseq.number for r in invites] == [1, 2]
    assert invites[0].via.branch != invites[1].via.branch
    acks = [r for r in requests if r.cseq.method == "ACK"]
    assert [r.cseq.number for r in acks] == [1, 2]
    assert acks[1].header("proxy-authorization" if proxy else "authorization")
    assert [r.cseq.number for r in requests if r.cseq.method == "BYE"] == [3]


@pytest.mark.parametrize(("password", "tries"), [("wrong", 2), (None, 1)])
def test_a_challenge_we_cannot_satisfy_is_the_final_answer(password: str | None, tries: int) -> None:
    network = Network(make_endpoint(PHONE), make_endpoint(LINE))
    guarded(network)
    credentials = Credentials("u", password) if password else None
    network.endpoints[PHONE].place_call(invite(credentials=credentials), network.now)
    network.run(5.0)
    assert [d.method for _, d in network.sent].count("INVITE") - network.line().count(
        "100/INVITE"
    ) - network.line().count("401/INVITE") == tries
    expected = "bad credentials" if password else "no credentials"
    assert [(e.status, e.denial) for e in find(network.events[PHONE], Rejected)] == [(401, expected)]


def test_a_stale_nonce_is_tried_again() -> None:
    network = Network(make_endpoint(PHONE), make_endpoint(LINE))
    guarded(network, stale_once=True)
    network.endpoints[PHONE].place_call(invite(credentials=Credentials("u", "right")), network.now)
    network.run(1.0)
    assert len(find(network.events[PHONE], Answered)) == 1
    assert network.line().count("INVITE") == 3


def test_a_cancelled_call_does_not_come_back_with_credentials() -> None:
    network = Network(make_endpoint(PHONE), make_endpoint(LINE, auto_trying=False))
    guarded(network)
    call = network.endpoints[PHONE].place_call(invite(credentials=Credentials("u", "right")), network.now)
    call.cancel(network.now)
    network.run(1.0)
    assert network.line() == ["INVITE", "401/INVITE", "ACK"]
    assert [e.status for e in find(network.events[PHONE], Rejected)] == [401]


def test_secrets_are_not_shown() -> None:
    assert "right" not in repr(Credentials("u", "right"))
    assert Address("192.0.2.1", 5) == ("192.0.2.1", 5, "udp")

"""Whatever servers say to an account: digest, registration and SRTP keys stay within their rules."""

from __future__ import annotations

import base64

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sip.core import (
    Address,
    Authorizer,
    Credentials,
    Endpoint,
    Registered,
    RegistrationEvent,
    RegistrationFailed,
    RegistrationPlan,
    Request,
    Sdes,
    Unregistered,
    build_answer,
    build_offer,
    mismatch,
    negotiate,
    parse_message,
    parse_sdp,
)
from sip.core.digest import ALGORITHMS, Verifier, challenges, parse_parameters

RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
HERE, SERVER = Address("192.0.2.1", 5060), Address("192.0.2.9", 5060)
LINES = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\r\n"), max_size=40)


def response(request: Request, status: int, *headers: str) -> bytes:
    lines = [f"SIP/2.0 {status} Because"]
    lines += [f"{name}: {request.header(name)}" for name in ("Via", "From", "To", "Call-ID", "CSeq")]
    return ("\r\n".join([*lines, *headers]) + "\r\n\r\n").encode("utf-8", "replace")


def register(account: Authorizer | None = None, expires_s: int = 600) -> Endpoint:
    phone = Endpoint(HERE)
    plan = RegistrationPlan("sip:example.org", "sip:62@example.org", SERVER, "62", expires_s, account)
    phone.register(plan, 0.0)
    return phone


def requests(phone: Endpoint) -> list[Request]:
    found = [parse_message(d.data) for d in phone.take_datagrams() if not d.retransmission]
    return [request for request in found if isinstance(request, Request)]


@given(
    realm=st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=20),
    user=st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=20),
    password=st.text(max_size=20).filter(lambda text: text.isprintable()),
    algorithm=st.sampled_from(sorted(ALGORITHMS)),
    uses=st.integers(1, 4),
)
@RELAXED
def test_what_we_answer_is_always_accepted(
    realm: str, user: str, password: str, algorithm: str, uses: int
) -> None:
    phone, verifier = Endpoint(HERE), Verifier(b"s")
    account = Authorizer(Credentials(user, password))
    counts = []
    for number in range(uses):
        phone.send_options("sip:h", SERVER, 1.0, lambda result: None, credentials=account)
        (request,) = requests(phone)
        if number == 0:
            asked = f"WWW-Authenticate: {verifier.challenge(realm, algorithm, 1.0)}"
            phone.receive(response(request, 401, asked), SERVER, 1.0)
            (request,) = requests(phone)
        assert verifier.verify(request, "OPTIONS", {user: password}.get, 1.0) == "right"
        counts.append(int(parse_parameters(request.headers("authorization")[0])[1]["nc"], 16))
        phone.receive(response(request, 200), SERVER, 1.0)
    assert counts == list(range(1, uses + 1))


@given(
    st.lists(
        st.tuples(
            st.sampled_from([401, 407]),
            st.lists(
                st.builds(
                    "Digest {}".format,
                    st.lists(
                        st.sampled_from(
                            [
                                'realm="r"',
                                'realm="s"',
                                'nonce="n"',
                                'nonce="m"',
                                'qop="auth,auth-int"',
                                'qop="auth-int"',
                                "stale=true",
                                "algorithm=SHA-256",
                                "algorithm=MD5-sess",
                                "userhash=true",
                                'opaque=""',
                                '"',
                                "\\",
                            ]
                        ),
                        max_size=6,
                    ).map(", ".join),
                )
                | LINES,
                max_size=3,
            ),
        ),
        min_size=8,
        max_size=8,
    )
)
@RELAXED
def test_no_server_makes_us_try_for_ever(answers: list[tuple[int, list[str]]]) -> None:
    account = Authorizer(Credentials("u", "p"))
    phone, done = Endpoint(HERE), []
    phone.send_options("sip:h", SERVER, 1.0, done.append, credentials=account)
    sent = 0
    for status, values in answers:
        waiting = requests(phone)
        sent += len(waiting)
        if not waiting:
            break
        name = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
        phone.receive(response(waiting[0], status, *[f"{name}: {value}" for value in values]), SERVER, 1.0)
    assert sent <= 5
    assert len(done) == 1
    assert done[0].denial is not None
    assert done[0].denial != "no credentials"


@given(LINES | st.text('DigestBasic ,="\\realmnonceqopauth', max_size=80))
@RELAXED
def test_any_text_is_a_challenge_or_none(value: str) -> None:
    phone = register()
    (request,) = requests(phone)
    message = parse_message(response(request, 401, f"WWW-Authenticate: {value}"))
    for challenge in challenges(message, 401):
        assert challenge.answerable


@given(
    st.lists(
        st.tuples(
            st.sampled_from([200, 200, 401, 403, 404, 423, 480, 500, 503, 0, -1]),
            st.lists(
                st.sampled_from(
                    [
                        "Contact: <sip:62@192.0.2.1:5060>;expires=120",
                        "Contact: <sip:62@10.9.8.7:5060>;expires=0, <sip:x@y>",
                        "Contact: *",
                        "Expires: 90",
                        "Expires: 99999999999",
                        "Min-Expires: 900",
                        "Min-Expires: 86400",
                        "Retry-After: 3",
                        'WWW-Authenticate: Digest realm="r", nonce="n"',
                        "Service-Route: <sip:a;lr>, ,;",
                        "P-Associated-URI: <",
                    ]
                ),
                max_size=3,
            ),
        ),
        max_size=12,
    ),
    st.integers(0, 12),
)
@settings(RELAXED, max_examples=200)
def test_a_registration_goes_on_until_it_is_ended(
    answers: list[tuple[int, list[str]]], ended_after: int
) -> None:
    """One REGISTER at a time, numbers that count up, each answer told of, and an end that leaves nothing."""
    phone, now = Endpoint(HERE), 0.0
    plan = RegistrationPlan("sip:example.org", "sip:62@example.org", SERVER, "62", 600, Credentials("u", "p"))
    client = phone.register(plan, now)
    numbers: list[int] = []
    told: list[RegistrationEvent] = []
    last = 0.0
    for step, (status, headers) in enumerate([*answers, *[(200, ["Expires: 60"])] * 3]):
        if step == ended_after:
            client.unregister(now)
        waiting = requests(phone)
        assert len(waiting) <= 1
        numbers += [request.cseq.number for request in waiting]
        now += 0.01
        if waiting and status > 0:
            phone.receive(response(waiting[0], status, *headers), SERVER, now)
        elif waiting and status < 0:
            phone.refused(SERVER, now, "Connection refused")
        else:
            now = max(now, phone.deadline() or now)
            phone.advance(now)
        for event in phone.take_events():
            if isinstance(event, RegistrationEvent):
                told.append(event)
                assert event.at >= last
                last = event.at
            if isinstance(event, Registered):
                assert event.until > event.at
            if isinstance(event, RegistrationFailed):
                assert event.retry_at > event.at
    assert numbers == list(range(1, len(numbers) + 1))
    client.unregister(now)
    while (due := phone.deadline()) is not None and due < now + 10_000:
        requests(phone)
        phone.advance(due)
    told += [event for event in phone.take_events() if isinstance(event, RegistrationEvent)]
    assert isinstance(told[-1], Unregistered)
    assert sum(isinstance(event, Unregistered) for event in told) == 1
    assert phone.idle


CRYPTO = st.lists(
    st.sampled_from(
        [
            "1",
            "2",
            "AES_CM_128_HMAC_SHA1_80",
            "AES_CM_128_HMAC_SHA1_32",
            "inline:" + base64.b64encode(bytes(30)).decode(),
            "inline:" + base64.b64encode(bytes(29)).decode() + "|2^31|1:1",
            "UNENCRYPTED_SRTP",
            "WSH=64",
            "KDR=x",
        ]
    )
    | LINES,
    max_size=5,
).map(" ".join)


@given(
    st.lists(CRYPTO, max_size=4),
    st.sampled_from(["RTP/AVP", "RTP/SAVP", "RTP/SAVPF", "UDP/TLS/RTP/SAVP", "", "?"]),
    st.sampled_from(["off", "optional", "required"]),
    st.booleans(),
)
@RELAXED
def test_sound_or_a_reason(lines: list[str], profile: str, mode: str, answering: bool) -> None:
    head = f"v=0\nc=IN IP4 192.0.2.2\nm=audio 5000 {profile} 8\n"
    found = parse_sdp((head + "".join(f"a=crypto:{line}\n" for line in lines)).encode())
    ours = Sdes.make(mode, lambda size: bytes([7]) * size)  # type: ignore[arg-type]
    agreed = negotiate(found, crypto=ours, answering=answering)
    assert (agreed is None) == bool(mismatch(found, crypto=ours, answering=answering))
    if agreed is not None:
        assert (agreed.srtp is not None) or mode != "required"
        assert (agreed.srtp is None) or mode != "off"
    if answering:
        body = build_answer(found, HERE, 1, crypto=ours)
        assert (body is None) == (agreed is None)
        if body is not None and agreed is not None:
            assert (b"a=crypto" in body) == (agreed.srtp is not None)


@given(st.binary(min_size=60, max_size=60), st.sampled_from(["optional", "required"]))
@RELAXED
def test_keys_arrive_as_they_were_made(random: bytes, mode: str) -> None:
    source = [random[:30], random[30:]]
    ours = Sdes.make(mode, lambda size: source.pop(0))  # type: ignore[arg-type]
    assert parse_sdp(build_offer(HERE, 1, crypto=ours)).crypto == ours.lines

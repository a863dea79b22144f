"""What is set for a trunk becomes the phone's trunk; what cannot be used is named without being shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from app.settings import Settings, TrunkSettings, problem
from app.trunk_settings import TrunkConfig, TrunkMemberError, bind_address, trunk_of
from sip.core import Address
from sip.progress.plan import PLAN_FOLDER
from sip.trunks import Caps, NumberRules, Registration

SECRET = "HUNTER2" + "SECRET"


def trunk(**members: Any) -> TrunkSettings:
    return TrunkSettings(host="pbx.example", **members)


def test_defaults_are_those_of_the_phone() -> None:
    made = trunk_of("main", trunk())
    assert (made.name, made.server, made.port, made.transport) == ("main", "pbx.example", None, "udp")
    assert made.limits == Caps()
    assert made.registration is None
    assert made.credentials is None
    assert made.tls.verify
    assert (made.codecs, made.srtp, made.session_expires_s) == (("PCMA", "PCMU"), "off", 1800)
    assert made.numbers == NumberRules()


def test_every_member_reaches_the_trunk() -> None:
    made = trunk_of(
        "main",
        trunk(
            port=5070,
            transport="tcp",
            domain="ims.example",
            user="duty",
            password=SecretStr(SECRET),
            identity="sip:09173262000@ims.example",
            display_name="总值班室",
            preferred_identity="sip:1@ims.example",
            privacy=("id",),
            route=("sip:sbc.example;lr",),
            registration=True,
            registrar="sip:reg.example",
            registration_user="u",
            registration_expires_s=120,
            contact_user="c",
            keep_alive_s=7,
            country="86",
            area_code="917",
            number_style="national",
            access_code="9",
            replace={"0917": "", "12": "34"},
            user_phone=True,
            codecs=("PCMU",),
            ptime_ms=30,
            srtp="optional",
            rtp_ports=(10_000, 10_999),
            bind="[::1]:5080",
            advertised="198.51.100.7",
            dscp_signalling=26,
            dscp_media=0,
            session_expires_s=None,
            health_s=None,
            max_calls=5,
            calls_per_s=None,
            burst=3,
            per_called=(2, 60),
            per_caller=(9, 10),
            trusted_sources=("10.1.0.0/16", "192.0.2.1"),
            challenge_incoming=False,
            tone_plan="eu",
        ),
    )
    assert made.registration == Registration("sip:reg.example", "u", 120, "c", 7)
    assert made.credentials is not None
    assert (made.credentials.username, made.credentials.password) == ("duty", SECRET)
    assert SECRET not in repr(made)
    assert made.numbers == NumberRules("86", "917", "national", "9", (("0917", ""), ("12", "34")))
    assert made.caps == Caps(5, None, 3, (2, 60), (9, 10))
    assert made.bind == Address("::1", 5080)
    assert made.trusts("10.1.2.3")
    assert not made.trusts("10.2.2.3")
    plain = {
        "port": 5070, "transport": "tcp", "domain": "ims.example", "from_uri": "sip:09173262000@ims.example",
        "display_name": "总值班室", "preferred_identity": "sip:1@ims.example", "privacy": ("id",),
        "route": ("sip:sbc.example;lr",), "user_phone": True, "codecs": ("PCMU",), "ptime_ms": 30,
        "srtp": "optional", "rtp_ports": (10_000, 10_999), "advertised": "198.51.100.7", "dscp_signalling": 26,
        "dscp_media": 0, "session_expires_s": None, "health_s": None, "challenge_incoming": False,
        "tone_plan": "eu",
    }  # fmt: skip
    assert {name: getattr(made, name) for name in plain} == plain


def test_the_service_address_and_identity_hold_where_the_trunk_names_none() -> None:
    assert trunk_of("main", trunk(), "192.0.2.7", "sip:us@x").bind == Address("192.0.2.7", 0)
    made = trunk_of("main", trunk(bind="192.0.2.8", identity="sip:me@x"), "192.0.2.7", "sip:us@x")
    assert (made.bind, made.from_uri) == (Address("192.0.2.8", 0), "sip:me@x")


def test_a_tone_plan_is_a_shipped_one_or_a_sound_file(tmp_path: Path) -> None:
    assert trunk_of("main", trunk()).tone_plan == "cn"
    path = tmp_path / "ours.toml"
    path.write_text((PLAN_FOLDER / "eu.toml").read_text(encoding="utf-8"), encoding="utf-8")
    assert trunk_of("main", trunk(tone_plan=str(path))).tone_plan == str(path)
    path = tmp_path / "broken.toml"
    path.write_text('name = "x"\nfrequency_tolerance_hz = "wide"\n', encoding="utf-8")
    for given, told in (
        ("atlantis", "shipped are cn"),
        (str(path), "frequency_tolerance_hz: it takes a number"),
    ):
        with pytest.raises(TrunkMemberError, match=told) as caught:
            trunk_of("main", trunk(tone_plan=given))
        assert caught.value.member == "tone_plan"
    missing = tmp_path / "none.toml"
    with pytest.raises(TrunkMemberError, match="cannot be read"):
        trunk_of("main", trunk(tone_plan=str(missing)))


def test_the_secret_may_lie_in_a_file_or_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_text(f"{SECRET}\nremark\n")
    monkeypatch.setenv("CARRIER_PASSWORD", SECRET)
    for place in ({"password_file": tmp_path / "secret"}, {"password_env": "CARRIER_PASSWORD"}):
        made = trunk_of("main", trunk(user="duty", **place))
        assert made.credentials is not None
        assert made.credentials.password == SECRET


@pytest.mark.parametrize(
    ("members", "named"),
    [
        ({"password_file": "/no/such/file"}, "DUTYRING_TRUNKS (main.password_file): the file cannot be read"),
        ({"password_env": "NOT_SET_ANYWHERE"}, "DUTYRING_TRUNKS (main.password_env): it takes the name"),
        ({"tls_ca_file": "/no/such/ca.pem"}, "DUTYRING_TRUNKS (main.tls_ca_file): there is no such file"),
        ({"tls_key": "/no/such/key.pem"}, "DUTYRING_TRUNKS (main.tls_key): there is no such file"),
    ],
)
def test_a_missing_secret_or_certificate_is_named(members: dict[str, str], named: str) -> None:
    with pytest.raises(TrunkMemberError) as caught:
        trunk_of("main", trunk(user="duty", **members))
    assert str(caught.value).startswith(named)
    assert problem(caught.value) == str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xff\xfe"])
def test_a_secret_file_without_a_secret(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "secret"
    path.write_bytes(content)
    with pytest.raises(TrunkMemberError, match=r"main\.password_file"):
        trunk_of("main", trunk(user="duty", password_file=path))


@pytest.mark.parametrize(
    ("members", "named"),
    [
        ({"host": "two words"}, "main.host"),
        ({"transport": "pigeon"}, "main.transport"),
        ({"identity": "nobody"}, "main.identity"),
        ({"privacy": ["loud"]}, "main.privacy"),
        ({"route": ["x y"]}, "main.route"),
        ({"registration": True, "registrar": "??"}, "main.registrar"),
        ({"registration_expires_s": 0}, "main.registration_expires_s"),
        ({"codecs": []}, "main.codecs"),
        ({"codecs": ["G729"]}, "main.codecs"),
        ({"ptime_ms": 25}, "main.ptime_ms"),
        ({"rtp_ports": [10_001, 10_002]}, "main.rtp_ports"),
        ({"bind": "nowhere"}, "main.bind"),
        ({"bind": "127.0.0.1:70000"}, "main.bind"),
        ({"advertised": "[::1]"}, "main.advertised"),
        ({"dscp_media": 64}, "main.dscp_media"),
        ({"session_expires_s": 30}, "main.session_expires_s"),
        ({"health_s": 0}, "main.health_s"),
        ({"max_calls": 0}, "main.max_calls"),
        ({"per_called": [0, 60]}, "main.per_called"),
        ({"trusted_sources": ["the office"]}, "main.trusted_sources"),
        ({"number_style": "loud"}, "main.number_style"),
        ({"number_style": "local"}, "main.number_style"),
        ({"area_code": SECRET}, "main.area_code"),
        ({"country": SECRET}, "main.country"),
        ({"access_code": SECRET}, "main.access_code"),
        ({"priority": 10**20}, "main.priority"),
        ({"health_s": float("inf")}, "main.health_s"),
        ({"per_called": [6, float("inf")]}, "main.per_called"),
        ({"user": "duty\r\nX: y"}, "main.user"),
        ({"registration": True, "registration_user": "a\nb"}, "main.registration_user"),
        ({"registration": True, "contact_user": ""}, "main.contact_user"),
        ({"identity": f"sip:duty:{SECRET}@example.net"}, "main.identity"),
        ({"route": ["sip:proxy.example:5060;lr", f"sip:duty:{SECRET}@proxy.example;lr"]}, "main.route"),
        ({"registration": True, "registrar": f"sip:duty:{SECRET}@example.net"}, "main.registrar"),
        ({"pasword": SECRET}, "main.pasword"),
        ({"password": SECRET, "password_env": "X"}, "main"),
    ],
)
def test_a_wrong_member_is_named_with_what_it_takes(
    members: dict[str, Any], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DUTYRING_TRUNKS", json.dumps({"main": {"host": "pbx"} | members}))
    with pytest.raises(ValidationError) as caught:
        Settings()
    told = problem(caught.value)
    assert told is not None
    assert told.startswith(f"DUTYRING_TRUNKS ({named}")
    assert "it takes" in told
    assert "\n" not in told
    assert SECRET not in told + str(caught.value)


def test_a_child_process_gets_the_same_trunks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given = trunk(
        password=SecretStr(SECRET), tls_ca_file=tmp_path / "ca", rtp_ports=(4000, 4100), health_s=None
    )
    settings = Settings(
        data_dir=tmp_path, trunks={"main": given}, deny_numbers=("114",), allow_numbers=("0917*",)
    )
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    child = Settings()
    assert child.trunks == settings.trunks
    assert (child.deny_numbers, child.allow_numbers) == (("114",), ("0917*",))


def test_a_record_may_hold_no_password() -> None:
    with pytest.raises(ValidationError):
        TrunkConfig(host="pbx", password=SECRET)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (None, None),
        ("192.0.2.1", Address("192.0.2.1", 0)),
        ("192.0.2.1:5060", Address("192.0.2.1", 5060)),
        ("::1", Address("::1", 0)),
        ("[::1]:5060", Address("::1", 5060)),
    ],
)
def test_local_addresses(text: str | None, address: Address | None) -> None:
    assert bind_address(text) == address

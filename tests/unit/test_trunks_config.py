"""A trunk describes itself, and refuses what cannot work with a line that names the field."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sip.core import Credentials, parse_uri
from sip.trunks import Caps, NumberRules, Registration, Trunk, TrunkError, networks


def test_a_direct_trunk_needs_nothing_and_has_no_caps() -> None:
    trunk = Trunk()
    assert trunk.is_direct
    assert trunk.limits == Caps.unlimited()
    assert trunk.identity("sip:dutyring@192.0.2.1") == ("sip:dutyring@192.0.2.1", "")
    assert trunk.identity_headers() == ()
    with pytest.raises(TrunkError, match=r"direct.*server"):
        trunk.uri_for("3262000")


def test_a_trunk_with_a_server_has_the_caps_of_caution() -> None:
    limits = Trunk(name="gov", server="pbx.example").limits
    assert (limits.concurrency, limits.calls_per_s, limits.per_called) == (2, 1.0, (6, 3600.0))
    assert Trunk(server="pbx.example", caps=Caps(concurrency=30)).limits.concurrency == 30


@pytest.mark.parametrize(
    ("settings", "number", "uri"),
    [
        ({"server": "pbx.example"}, "0917-3262000", "sip:09173262000@pbx.example"),
        ({"server": "192.0.2.9", "port": 5080}, "62", "sip:62@192.0.2.9:5080"),
        ({"server": "2001:db8::9"}, "62", "sip:62@[2001:db8::9]"),
        ({"server": "192.0.2.9", "domain": "ims.example"}, "62", "sip:62@ims.example"),
        ({"server": "pbx.example", "user_phone": True}, "+86 917 3262000", None),
        ({"server": "pbx.example"}, "*31#62", "sip:*31%2362@pbx.example"),
    ],
)
def test_a_number_becomes_a_request_uri(settings: dict[str, Any], number: str, uri: str | None) -> None:
    found = Trunk(**settings).uri_for(number)
    assert found == (uri or "sip:+869173262000@pbx.example;user=phone")
    assert parse_uri(found) is not None


def test_numbers_are_rewritten_before_they_stand_in_the_uri() -> None:
    rules = NumberRules(area_code="917", style="local", access_code="9")
    assert Trunk(server="pbx.example", numbers=rules).uri_for("0917-3262000") == "sip:93262000@pbx.example"


@pytest.mark.parametrize(
    ("privacy", "anonymous"),
    [((), False), (("id",), False), (("none",), False), (("user", "id"), True), (("header",), True)],
)
def test_the_from_is_anonymous_where_privacy_asks_for_it(privacy: tuple[str, ...], anonymous: bool) -> None:
    trunk = Trunk(server="h", from_uri="sip:1@ims.example", display_name="值班室", privacy=privacy)
    uri, name = trunk.identity("sip:other@h")
    assert (uri, name) == (
        ("sip:anonymous@anonymous.invalid", "Anonymous") if anonymous else ("sip:1@ims.example", "值班室")
    )


def test_identity_headers_stand_in_order() -> None:
    uri = "sip:+869173262000@ims.example"
    preferred = Trunk(server="h", preferred_identity=uri, privacy=("user", "id")).identity_headers()
    assert preferred == (("P-Preferred-Identity", f"<{uri}>"), ("Privacy", "user;id"))
    asserted = Trunk(server="h", asserted_identity="tel:+869173262000").identity_headers()
    assert asserted == (("P-Asserted-Identity", "<tel:+869173262000>"),)


@pytest.mark.parametrize(
    ("field", "settings"),
    [
        ("name", {"name": ""}),
        ("server", {"server": "pbx.example:5060"}),
        ("server", {"server": "a b"}),
        ("advertised", {"advertised": "[::1]"}),
        ("domain", {"domain": "-" * 64}),
        ("port", {"port": 70_000}),
        ("transport", {"transport": "UDP"}),
        ("from_uri", {"from_uri": "62"}),
        ("from_uri", {"from_uri": "sip:a@b>\r\nX: y"}),
        ("display_name", {"display_name": "duty\r\nEvil: yes"}),
        ("asserted_identity", {"preferred_identity": "sip:a@b", "asserted_identity": "sip:a@b"}),
        ("privacy", {"privacy": ("secret",)}),
        ("privacy", {"privacy": ("none", "id")}),
        ("privacy", {"privacy": ("critical",)}),
        ("privacy", {"privacy": ("id", "id")}),
        ("route", {"route": ("proxy.example",)}),
        ("registration", {"registration": Registration()}),
        ("registration.expires_s", {"server": "h", "registration": Registration(expires_s=0)}),
        ("registration.registrar", {"server": "h", "registration": Registration(registrar="h")}),
        ("registration.keep_alive_s", {"server": "h", "registration": Registration(keep_alive_s=-1.0)}),
        ("registration.user", {"server": "h", "registration": Registration(user="6>2")}),
        ("registration.contact_user", {"server": "h", "registration": Registration(contact_user="6 2")}),
        ("rtp_ports", {"rtp_ports": (10_001, 10_100)}),
        ("rtp_ports", {"rtp_ports": (500, 600)}),
        ("rtp_ports", {"server": "h", "rtp_ports": (10_000, 10_002)}),
        ("codecs", {"codecs": ()}),
        ("codecs", {"codecs": ("G729",)}),
        ("ptime_ms", {"ptime_ms": 25}),
        ("dscp_media", {"dscp_media": 64}),
        ("dscp_signalling", {"dscp_signalling": -1}),
        ("srtp", {"srtp": "yes"}),
        ("session_expires_s", {"session_expires_s": 60}),
        ("health_s", {"server": "h", "health_s": 0.0}),
        ("health_s", {"health_s": 60.0}),
    ],
)
def test_what_cannot_work_is_refused_by_name(field: str, settings: dict[str, Any]) -> None:
    with pytest.raises(TrunkError, match=f": {field} takes ") as caught:
        Trunk(**settings)
    assert caught.value.field == field


def test_the_password_is_in_no_repr() -> None:
    trunk = Trunk(server="h", credentials=Credentials("u", "geheim"))
    assert "geheim" not in repr(trunk)
    assert "geheim" not in str(dataclasses.replace(trunk, name="other"))


@pytest.mark.parametrize(
    ("host", "trusted"),
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("10.2.0.1", False),
        ("192.0.2.7", True),
        ("2001:db8::1", True),
        ("not an address", False),
    ],
)
def test_trusted_sources_are_networks(host: str, trusted: bool) -> None:
    trunk = Trunk(server="h", trusted=networks("10.1.0.0/16", "192.0.2.7", "2001:db8::/32"))
    assert trunk.trusts(host) is trusted


def test_a_wrong_network_is_named() -> None:
    with pytest.raises(ValueError, match=r"10\.1\.0\.0/99"):
        networks("10.1.0.0/99")


@pytest.mark.parametrize(("transport", "period"), [("udp", 25.0), ("tcp", 100.0), ("tls", 100.0)])
def test_flows_are_kept_alive_by_transport(transport: Any, period: float) -> None:
    assert Trunk(server="h", transport=transport, registration=Registration()).keep_alive_s == period
    assert Trunk(server="h", registration=Registration(keep_alive_s=0)).keep_alive_s == 0

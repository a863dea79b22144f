"""One way into the telephone network, as settings.

Everything here is a value: it opens nothing, resolves nothing and reads no file. `TlsSettings` stands here
too, and not in the transport, so that a trunk can be described without any socket; the transport imports it.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote as percent

from sip.core import TRANSPORTS, Address, Credentials, HeaderList, SrtpMode, TransportName, parse_uri

from .errors import TrunkError
from .limits import Caps
from .numbers import NumberRules

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

KEEP_ALIVE_S: dict[TransportName, float] = {"udp": 25.0, "tcp": 100.0, "tls": 100.0}
"""RFC 5626 section 4.4: 24 to 29 s where a NAT binding of UDP is kept open, 95 to 120 s on a connection."""
PRIVACY = frozenset({"header", "session", "user", "none", "critical", "id"})
"""RFC 3323 section 4.2 and RFC 3325 section 9.3."""
ANONYMOUS_URI = "sip:anonymous@anonymous.invalid"
"""RFC 3323 section 4.1.1.3."""
MIN_SESSION_EXPIRES_S = 90
"""RFC 4028 section 4."""
CODECS = ("PCMA", "PCMU")
USER_UNRESERVED = "-_.!~*'()&=+$,;?/"
"""What the user part of a URI may hold unescaped beside letters and digits (RFC 3261 section 25.1)."""


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """How TLS is spoken: whom we trust and who we are."""

    ca_file: Path | None = None
    """Certificates of the authorities we trust (PEM); None: those of the system."""
    certificate: Path | None = None
    """Our own certificate chain (PEM), where the far side asks for one."""
    key: Path | None = None
    """The private key of `certificate`; None: it stands in the same file."""
    verify: bool = True
    """False accepts any certificate: for a closed test network only."""
    server_name: str | None = None
    """The name the far side's certificate must bear; None: the host we connect to."""


@dataclass(frozen=True, slots=True)
class Registration:
    """That a trunk is registered with (RFC 3261 section 10)."""

    registrar: str | None = None
    """Request-URI of the REGISTER; None: `sip:` and the trunk's domain."""
    user: str | None = None
    """User of the address of record; None: that of `from_uri`, else the credentials' user name."""
    expires_s: int = 600
    """Asked for; the registrar may grant less, or demand more (423)."""
    contact_user: str | None = None
    """User of our Contact; None: `user`."""
    keep_alive_s: float | None = None
    """Between two keep-alives (RFC 5626); None: by transport, 0: none."""


@dataclass(frozen=True, slots=True)
class Trunk:
    """How the phone stands in the network. Raises `TrunkError` for settings that cannot be used."""

    name: str = "direct"
    server: str | None = None
    """Host name or address of the outbound proxy, registrar or PBX; None: each target URI is called itself."""
    port: int | None = None
    """None: by SRV records (RFC 3263), else 5060 or 5061."""
    transport: TransportName = "udp"
    domain: str | None = None
    """Host of the URIs called and of our own identity, where it is not `server` (`ims.mnc000.mcc460...`)."""
    from_uri: str | None = None
    """Our identity; None: `sip:dutyring@<local address>`."""
    display_name: str = ""
    preferred_identity: str | None = None
    """URI of P-Preferred-Identity, from a telephone to its trusted proxy (RFC 3325 section 9.2)."""
    asserted_identity: str | None = None
    """URI of P-Asserted-Identity, between two trusted nodes: an SBC or PBX that trusts us as a peer."""
    privacy: tuple[str, ...] = ()
    """Values of Privacy. `user` and `header` make the From anonymous as well (RFC 3323 section 4.1);
    `id` alone leaves it, for carriers identify the trunk by the From and hide the number themselves."""
    route: tuple[str, ...] = ()
    """URIs of a preloaded Route set, first hop first."""
    credentials: Credentials | None = None
    registration: Registration | None = None
    bind: Address | None = None
    """Local SIP address; None: chosen by the route to each target, port ephemeral."""
    advertised: str | None = None
    """Our public address or host name behind a static NAT: stands in Via, Contact and SDP."""
    rtp_ports: tuple[int, int] | None = None
    """First and last local RTP port; None: ephemeral ports."""
    codecs: tuple[str, ...] = CODECS
    """In order of preference."""
    ptime_ms: int = 20
    """The packet time asked for in SDP."""
    dscp_media: int = 46
    """EF, RFC 3246."""
    dscp_signalling: int = 24
    """CS3, RFC 4594 section 2.3."""
    srtp: SrtpMode = "off"
    tone_plan: str = "cn"
    """Whose tones are heard on it: the name of a shipped tone plan, or the path of a TOML file."""
    tls: TlsSettings = field(default_factory=TlsSettings)
    numbers: NumberRules = field(default_factory=NumberRules)
    caps: Caps | None = None
    """None: the defaults of `Caps` where there is a server, no caps for direct calls. Read `limits`."""
    user_phone: bool = False
    """Whether `;user=phone` marks the number in a request-URI (RFC 3261 section 19.1.1)."""
    health_s: float | None = None
    """Seconds between two OPTIONS to the server; None: none are sent."""
    session_expires_s: int | None = 1800
    """Session-Expires we ask for (RFC 4028 section 4.2 recommends 1800); None: no session timer."""
    trusted: tuple[Network, ...] = ()
    """Sources whose incoming calls are not challenged (`networks()` reads texts)."""
    challenge_incoming: bool = True
    """Whether an incoming call of another source must answer a digest challenge."""

    def __post_init__(self) -> None:
        """Refuse what cannot be used."""
        for check in _CHECKS:
            check(self)

    @property
    def is_direct(self) -> bool:
        """Whether each target URI is called itself, without a server in between."""
        return self.server is None

    @property
    def limits(self) -> Caps:
        """The caps that hold."""
        if self.caps is not None:
            return self.caps
        return Caps.unlimited() if self.is_direct else Caps()

    @property
    def host_part(self) -> str:
        """What stands behind the @ of a called URI: the domain, else the server with its port.

        Raises `TrunkError` for a direct trunk, which has none.
        """
        if self.domain is not None:
            return _bracketed(self.domain)
        if self.server is None:
            raise TrunkError(
                self.name, "server", "a host name or address before a number can be dialled on it"
            )
        return _bracketed(self.server) + (f":{self.port}" if self.port is not None else "")

    @property
    def keep_alive_s(self) -> float:
        """Seconds between two keep-alives of the flow; 0: none."""
        asked = self.registration.keep_alive_s if self.registration else None
        return KEEP_ALIVE_S[self.transport] if asked is None else asked

    def uri_for(self, number: str) -> str:
        """Return the request-URI for `number`, rewritten by this trunk's rules and escaped (RFC 3261, 25.1).

        Raises `TrunkError` on a direct trunk, `NumberError` for what is no number.
        """
        user = percent(self.numbers.rewrite(number), safe=USER_UNRESERVED)
        return f"sip:{user}@{self.host_part}" + (";user=phone" if self.user_phone else "")

    def identity(self, own_uri: str) -> tuple[str, str]:
        """Return (URI, display name) of our From; `own_uri` is taken where the trunk names none."""
        if {"user", "header"} & set(self.privacy):
            return ANONYMOUS_URI, "Anonymous"
        return self.from_uri or own_uri, self.display_name

    def identity_headers(self) -> HeaderList:
        """Return P-Preferred-Identity or P-Asserted-Identity, and Privacy, as far as they are set."""
        named = (
            ("P-Preferred-Identity", self.preferred_identity),
            ("P-Asserted-Identity", self.asserted_identity),
        )
        headers = tuple((name, f"<{uri}>") for name, uri in named if uri)
        return (*headers, ("Privacy", ";".join(self.privacy))) if self.privacy else headers

    def trusts(self, host: str) -> bool:
        """Whether an incoming call from this address (a literal) needs no challenge."""
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self.trusted)


def networks(*texts: str) -> tuple[Network, ...]:
    """Read addresses and CIDR networks such as `10.1.0.0/16`. Raises `ValueError` that names the wrong one."""
    found: list[Network] = []
    for text in texts:
        try:
            found.append(ipaddress.ip_network(text.strip(), strict=False))
        except ValueError as error:
            raise ValueError(
                f"{text!r} is no network; it takes one such as 10.1.0.0/16 or 10.1.2.3"
            ) from error
    return tuple(found)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _is_host(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        labels = text.rstrip(".").split(".")
        return len(text) <= 253 and all(
            0 < len(label) <= 63 and label.replace("-", "").replace("_", "").isalnum() and label.isascii()
            for label in labels
        )
    return True


def _is_uri(text: str) -> bool:
    uri = None if any(c in text for c in "<>\r\n ") else parse_uri(text)
    return uri is not None and (uri.scheme == "tel" or bool(uri.host))


def _demand(trunk: Trunk, holds: bool, field_name: str, takes: str) -> None:
    if not holds:
        raise TrunkError(trunk.name, field_name, takes)


def _check_hosts(trunk: Trunk) -> None:
    _demand(trunk, bool(trunk.name) and trunk.name.isprintable(), "name", "a printable name")
    for name in ("server", "domain", "advertised"):
        host = getattr(trunk, name)
        takes = "a host name or an address, without brackets and without port"
        _demand(trunk, host is None or _is_host(host), name, takes)
    _demand(trunk, trunk.port is None or 0 < trunk.port < 65536, "port", "1 to 65535")
    _demand(trunk, trunk.transport in TRANSPORTS, "transport", "udp, tcp or tls")


def _check_identity(trunk: Trunk) -> None:
    for name in ("from_uri", "preferred_identity", "asserted_identity"):
        uri = getattr(trunk, name)
        _demand(trunk, uri is None or _is_uri(uri), name, "a URI such as sip:09173262000@example.org")
    _demand(trunk, all(_is_uri(uri) for uri in trunk.route), "route", "URIs such as sip:proxy.example;lr")
    both = trunk.preferred_identity is not None and trunk.asserted_identity is not None
    _demand(trunk, not both, "asserted_identity", "a URI only where preferred_identity has none")
    readable = trunk.display_name.isprintable()
    _demand(trunk, readable, "display_name", "a text of one line without control characters")
    _check_privacy(trunk)


def _check_privacy(trunk: Trunk) -> None:
    values = set(trunk.privacy)
    _demand(trunk, values <= PRIVACY, "privacy", "values among " + ", ".join(sorted(PRIVACY)))
    _demand(trunk, len(values) == len(trunk.privacy), "privacy", "each value once")
    _demand(trunk, "none" not in values or len(values) == 1, "privacy", "none only by itself")
    _demand(trunk, values != {"critical"}, "privacy", "critical only together with another value")


def _check_registration(trunk: Trunk) -> None:
    wanted = trunk.registration
    if wanted is None:
        return
    _demand(trunk, trunk.server is not None, "registration", "a server to register with")
    uri = wanted.registrar
    _demand(trunk, uri is None or _is_uri(uri), "registration.registrar", "a URI such as sip:example.org")
    _demand(trunk, 1 <= wanted.expires_s <= 86_400, "registration.expires_s", "1 to 86400 seconds")
    for name in ("user", "contact_user"):
        user = getattr(wanted, name)
        sound = user is None or (bool(user) and not set(user) & set(' <>"\r\n\t'))
        _demand(trunk, sound, f"registration.{name}", "the user part of a URI, without spaces and brackets")
    period = wanted.keep_alive_s
    _demand(trunk, period is None or period >= 0, "registration.keep_alive_s", "seconds, 0 for none")


def _check_media(trunk: Trunk) -> None:
    known = bool(trunk.codecs) and set(trunk.codecs) <= set(CODECS)
    _demand(
        trunk, known and len(set(trunk.codecs)) == len(trunk.codecs), "codecs", "PCMA, PCMU or both, once"
    )
    takes = "10 to 60 ms in steps of 10"
    _demand(trunk, trunk.ptime_ms % 10 == 0 and 10 <= trunk.ptime_ms <= 60, "ptime_ms", takes)
    for name in ("dscp_media", "dscp_signalling"):
        _demand(trunk, 0 <= getattr(trunk, name) <= 63, name, "0 to 63")
    _demand(trunk, bool(trunk.tone_plan.strip()), "tone_plan", "the name of a tone plan or the path of one")
    _demand(trunk, trunk.srtp in ("off", "optional", "required"), "srtp", "off, optional or required")
    if trunk.rtp_ports is not None:
        first, last = trunk.rtp_ports
        sound = 1024 <= first <= last <= 65535 and first % 2 == 0
        _demand(trunk, sound, "rtp_ports", "an even first and a last port between 1024 and 65535")
        wanted = trunk.limits.concurrency or 1
        takes = f"room for {wanted} calls at once, two ports each"
        _demand(trunk, (last - first + 1) // 2 >= wanted, "rtp_ports", takes)


def _check_times(trunk: Trunk) -> None:
    expires = trunk.session_expires_s
    takes = f"at least {MIN_SESSION_EXPIRES_S} seconds (RFC 4028), or nothing"
    _demand(trunk, expires is None or expires >= MIN_SESSION_EXPIRES_S, "session_expires_s", takes)
    _demand(trunk, trunk.health_s is None or trunk.health_s > 0, "health_s", "seconds above 0, or nothing")
    asks = trunk.health_s is not None
    _demand(trunk, not asks or trunk.server is not None, "health_s", "a server that can be asked")


_CHECKS = (_check_hosts, _check_identity, _check_registration, _check_media, _check_times)

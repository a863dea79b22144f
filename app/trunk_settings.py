"""What is set for one trunk (中继), and the `sip.trunks.Trunk` that it means.

The same members stand in the setting `DUTYRING_TRUNKS` and in a trunk that was entered as a record; only the
settings may hold a password itself. Errors name the member and what it takes, never what was given.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from sip.core import Address, Credentials
from sip.progress import TonePlanError, find_plan
from sip.trunks import PHONE, Caps, NumberRules, Registration, Style, TlsSettings, Trunk, TrunkError, networks

_T = TypeVar("_T")
RESERVED = frozenset({"direct", PHONE})
"""What the phone calls URIs without a trunk, and itself."""
_TAKES = re.compile(r"(\w+)\b.*? takes? (.*?)(?:, not .*)?$", re.DOTALL)
_MEMBERS = {
    "server": "host",
    "from_uri": "identity",
    "registration.registrar": "registrar",
    "registration.expires_s": "registration_expires_s",
    "registration.keep_alive_s": "keep_alive_s",
    "style": "number_style",
}
"""Names of a trunk's fields in `sip.trunks`, where the settings call them otherwise."""


class SettingError(ValueError):
    """A setting cannot be used: the text names it and what it takes, never what was given."""


class TrunkMemberError(SettingError):
    """A member of a trunk cannot be used."""

    def __init__(self, trunk: str, member: str, reason: str) -> None:
        super().__init__(f"DUTYRING_TRUNKS ({trunk}.{member}): {reason}")
        self.trunk = trunk
        self.member = member
        self.reason = reason
        """What is wrong and what the member takes, without what was given."""


class TrunkConfig(BaseModel):
    """One line of ours to the telephone network, without any secret."""

    model_config = ConfigDict(hide_input_in_errors=True, extra="forbid", allow_inf_nan=False)

    enabled: bool = Field(default=True, description="Whether calls may use it.")
    priority: int = Field(
        default=0,
        ge=-1_000_000,
        le=1_000_000,
        description="Which trunk is tried first: the lowest number.",
    )

    host: str = Field(description="Address or name of the carrier's or exchange's SIP server.")
    port: int | None = Field(
        default=None,
        ge=1,
        le=65535,
        description="Its port. Unset: by DNS (SRV), else 5060, with TLS 5061.",
    )
    transport: Literal["udp", "tcp", "tls"] = Field(
        default="udp", description="How we reach it: `udp`, `tcp` or `tls`."
    )
    domain: str | None = Field(
        default=None, description="Host of called URIs and of our identity, where it is not `host`."
    )

    user: str | None = Field(default=None, description="Digest user name, when it asks for one.")
    password_env: str | None = Field(
        default=None, description="Name of the environment variable that holds the digest password."
    )
    password_file: Path | None = Field(
        default=None, description="File that holds the digest password in its first line."
    )

    identity: str | None = Field(default=None, description="Our identity on this trunk, a `sip:` URI.")
    display_name: str = Field(default="", description="Our name beside the identity.")
    preferred_identity: str | None = Field(
        default=None,
        description="URI of P-Preferred-Identity, towards a carrier that chooses the number shown.",
    )
    asserted_identity: str | None = Field(
        default=None, description="URI of P-Asserted-Identity, towards a peer that trusts us."
    )
    privacy: tuple[str, ...] = Field(
        default=(), description="Values of the Privacy header, as a list, such as `id` or `user`."
    )
    route: tuple[str, ...] = Field(
        default=(), description="URIs of proxies that every request passes, first one first, as a list."
    )

    registration: bool = Field(default=False, description="Whether the trunk registers (REGISTER).")
    registrar: str | None = Field(
        default=None, description="URI that is registered with. Unset: `sip:` and the domain."
    )
    registration_user: str | None = Field(
        default=None, description="User that is registered. Unset: that of the identity, else `user`."
    )
    registration_expires_s: int = Field(
        default=600, ge=1, le=86400, description="Seconds of validity that are asked for."
    )
    contact_user: str | None = Field(
        default=None, description="User of our Contact. Unset: the user that is registered."
    )
    keep_alive_s: float | None = Field(
        default=None,
        ge=0,
        description="Seconds between two keep-alives; 0: none. Unset: 25 on UDP, else 100.",
    )

    country: str = Field(default="86", description="Country code of the numbers.")
    area_code: str | None = Field(
        default=None, description="Our own area code without its 0, for local numbers."
    )
    number_style: Style = Field(
        default="as_is",
        description="How numbers are sent: `as_is`, `national`, `international` (00), `plus`, `e164` or `local`.",
    )
    access_code: str = Field(default="", description="Digits for an outside line, put first.")
    replace: dict[str, str] = Field(
        default_factory=dict,
        description="Prefixes of the number as given and what stands in their place; the longest one counts.",
    )
    user_phone: bool = Field(default=False, description="Whether `;user=phone` marks a called number.")

    codecs: tuple[Literal["PCMA", "PCMU"], ...] = Field(
        default=("PCMA", "PCMU"), description="Codecs that are offered, preferred one first, as a list."
    )
    ptime_ms: int = Field(default=20, description="Packet time that is asked for, 10 to 60 ms.")
    srtp: Literal["off", "optional", "required"] = Field(
        default="off", description="Whether the sound is encrypted: `off`, `optional` or `required`."
    )
    rtp_ports: tuple[int, int] | None = Field(
        default=None, description="First and last local RTP port, as a list. Unset: any free ones."
    )
    bind: str | None = Field(
        default=None, description="Local address, `ADDRESS` or `ADDRESS:PORT`. Unset: `DUTYRING_SIP_BIND`."
    )
    advertised: str | None = Field(
        default=None, description="Our public address behind a static NAT, in Via, Contact and SDP."
    )
    dscp_signalling: int = Field(default=24, ge=0, le=63, description="DSCP of signalling (CS3).")
    dscp_media: int = Field(default=46, ge=0, le=63, description="DSCP of sound (EF).")

    tone_plan: str = Field(
        default="cn",
        min_length=1,
        description="Tones heard on it (tone-plans.md): a shipped plan's name, or the path of a TOML file.",
    )

    tls_ca_file: Path | None = Field(
        default=None, description="Certificates of the authorities we trust (PEM). Unset: the system's."
    )
    tls_certificate: Path | None = Field(default=None, description="Our own certificate chain (PEM).")
    tls_key: Path | None = Field(
        default=None, description="Its private key (PEM). Unset: it stands in the same file."
    )
    tls_server_name: str | None = Field(
        default=None, description="Name that the server's certificate must bear. Unset: `host`."
    )
    tls_verify: bool = Field(
        default=True, description="Whether certificates are checked; off only in a closed test network."
    )

    session_expires_s: int | None = Field(
        default=1800, description="Session timer that is asked for (RFC 4028), at least 90; null: none."
    )
    health_s: float | None = Field(
        default=60.0, gt=0, description="Seconds between two OPTIONS to the server; null: none are sent."
    )
    max_calls: int | None = Field(default=2, gt=0, description="Most calls at one time; null: no limit.")
    calls_per_s: float | None = Field(
        default=1.0, gt=0, description="Most new calls in a second; null: no limit."
    )
    burst: int = Field(default=1, gt=0, description="Calls that may leave at once after a pause.")
    per_called: tuple[int, float] | None = Field(
        default=(6, 3600.0),
        description="Most calls to one number: count and seconds, as a list; null: no limit.",
    )
    per_caller: tuple[int, float] | None = Field(
        default=None, description="Most calls from one identity of ours: count and seconds, as a list."
    )
    trusted_sources: tuple[str, ...] = Field(
        default=(), description="Addresses or networks whose incoming calls are not challenged, as a list."
    )
    challenge_incoming: bool = Field(
        default=True, description="Whether incoming calls of other sources must answer a digest challenge."
    )

    @model_validator(mode="after")
    def _one_place_for_the_secret(self) -> Self:
        places = [name for name in ("password", "password_env", "password_file") if getattr(self, name, None)]
        if len(places) > 1:
            raise ValueError(f"the password stands in one place, not in {' and '.join(places)}")
        return self


class TrunkSettings(TrunkConfig):
    """A trunk of the settings: it may hold its password."""

    password: SecretStr | None = Field(default=None, description="Digest password; never written to a log.")


def trunk_of(name: str, config: TrunkConfig, bind: str | None = None, identity: str | None = None) -> Trunk:
    """Return the trunk that a configuration means, with its secret.

    `bind` and `identity` hold where the trunk names none. Raises `TrunkMemberError` for what cannot be used: a
    value, a secret that is not where it should be, a certificate that is no file, a tone plan with a mistake.
    """
    for member in ("tls_ca_file", "tls_certificate", "tls_key"):
        path = getattr(config, member)
        if path is not None and not path.is_file():
            raise TrunkMemberError(name, member, "there is no such file; it takes a file in PEM form")
    try:
        find_plan(config.tone_plan)
    except TonePlanError as error:
        raise TrunkMemberError(name, "tone_plan", str(error)) from error
    return _trunk(name, config, bind, identity, _credentials(name, config))


def check_trunk(name: str, config: TrunkConfig) -> None:
    """Raise `TrunkMemberError` for values that cannot be used; neither secrets nor files are looked at."""
    if name in RESERVED:
        raise TrunkMemberError(
            name, "name", f"a trunk takes a name other than {' and '.join(sorted(RESERVED))}"
        )
    _trunk(name, config, None, None, None)


def _trunk(
    name: str, config: TrunkConfig, bind: str | None, identity: str | None, credentials: Credentials | None
) -> Trunk:
    _refuse_control_characters(name, config)
    _refuse_passwords_in_uris(name, config)
    where = _named(name, "bind", lambda: bind_address(config.bind or bind))
    trusted = _named(name, "trusted_sources", lambda: networks(*config.trusted_sources))
    for member in ("per_called", "per_caller"):
        quota = getattr(config, member)
        if quota is not None and not (quota[0] > 0 and quota[1] > 0):
            raise TrunkMemberError(name, member, "it takes a count and seconds above 0")
    try:
        return Trunk(
            name=name,
            server=config.host,
            port=config.port,
            transport=config.transport,
            domain=config.domain,
            from_uri=config.identity or identity,
            display_name=config.display_name,
            preferred_identity=config.preferred_identity,
            asserted_identity=config.asserted_identity,
            privacy=config.privacy,
            route=config.route,
            credentials=credentials,
            registration=_registration(config),
            bind=where,
            advertised=config.advertised,
            rtp_ports=config.rtp_ports,
            codecs=config.codecs,
            ptime_ms=config.ptime_ms,
            dscp_media=config.dscp_media,
            dscp_signalling=config.dscp_signalling,
            srtp=config.srtp,
            tone_plan=config.tone_plan,
            tls=_tls(config),
            numbers=_number_rules(config),
            caps=_caps(config),
            user_phone=config.user_phone,
            health_s=config.health_s,
            session_expires_s=config.session_expires_s,
            trusted=trusted,
            challenge_incoming=config.challenge_incoming,
        )
    except TrunkError as error:
        member = _MEMBERS.get(error.field, error.field)
        takes = str(error).partition(f": {error.field} takes ")[2]
        raise TrunkMemberError(name, member, f"it takes {takes}") from error
    except ValueError as error:
        # Of the number rules; their text ends with what was given.
        told = _TAKES.match(str(error))
        member, takes = (told[1], told[2]) if told else ("number_style", "one that fits the other members")
        raise TrunkMemberError(name, _MEMBERS.get(member, member), f"it takes {takes}") from error


def _refuse_control_characters(name: str, config: TrunkConfig) -> None:
    for member in ("user", "registration_user", "contact_user"):
        text = getattr(config, member)
        if text is not None and not (text and text.isprintable()):
            raise TrunkMemberError(name, member, "it takes a user name without control characters")


def _refuse_passwords_in_uris(name: str, config: TrunkConfig) -> None:
    """`sip:user:password@host` would leave in every request, and stand in records and on pages."""
    for member in ("identity", "preferred_identity", "asserted_identity", "registrar", "route"):
        given = getattr(config, member) or ()
        for uri in (given,) if isinstance(given, str) else given:
            if ":" in uri.partition(":")[2].rpartition("@")[0]:
                raise TrunkMemberError(name, member, "it takes a URI without a password")


def _registration(config: TrunkConfig) -> Registration | None:
    if not config.registration:
        return None
    return Registration(
        registrar=config.registrar,
        user=config.registration_user,
        expires_s=config.registration_expires_s,
        contact_user=config.contact_user,
        keep_alive_s=config.keep_alive_s,
    )


def _tls(config: TrunkConfig) -> TlsSettings:
    return TlsSettings(
        ca_file=config.tls_ca_file,
        certificate=config.tls_certificate,
        key=config.tls_key,
        verify=config.tls_verify,
        server_name=config.tls_server_name,
    )


def _number_rules(config: TrunkConfig) -> NumberRules:
    return NumberRules(
        country=config.country,
        area_code=config.area_code,
        style=config.number_style,
        access_code=config.access_code,
        replace=tuple(config.replace.items()),
    )


def _caps(config: TrunkConfig) -> Caps:
    return Caps(
        concurrency=config.max_calls,
        calls_per_s=config.calls_per_s,
        burst=config.burst,
        per_called=config.per_called,
        per_caller=config.per_caller,
    )


def _credentials(name: str, config: TrunkConfig) -> Credentials | None:
    password = _password(name, config)
    if password is None or config.user is None:
        return None
    return Credentials(config.user, password)


def _password(name: str, config: TrunkConfig) -> str | None:
    secret: SecretStr | None = getattr(config, "password", None)
    if secret is not None:
        return secret.get_secret_value()
    if config.password_env is not None:
        password = os.environ.get(config.password_env)
        if not password:
            raise TrunkMemberError(name, "password_env", "it takes the name of a variable that is set")
        return password
    if config.password_file is None:
        return None
    try:
        lines = config.password_file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise TrunkMemberError(
            name, "password_file", f"the file cannot be read ({reason}); it takes one with the password"
        ) from error
    if not lines or not lines[0].strip():
        raise TrunkMemberError(name, "password_file", "the file is empty; it takes one with the password")
    return lines[0].strip()


def _named(name: str, member: str, read: Callable[[], _T]) -> _T:
    try:
        return read()
    except ValueError as error:
        takes = "ADDRESS or ADDRESS:PORT, such as 192.0.2.7:5060"
        if member == "trusted_sources":
            takes = "addresses or networks such as 10.1.0.0/16"
        raise TrunkMemberError(name, member, f"it takes {takes}") from error


def bind_address(text: str | None) -> Address | None:
    """Read `ADDRESS` or `ADDRESS:PORT`, IPv6 with a port in brackets. Raises ValueError for anything else."""
    if text is None:
        return None
    host, port = text, "0"
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":") or "0"
    elif text.count(":") == 1:
        host, port = text.split(":")
    address = ipaddress.ip_address(host)
    if not port.isascii() or not port.isdecimal() or not int(port) <= 65_535:
        raise ValueError("no port")
    return Address(str(address), int(port))

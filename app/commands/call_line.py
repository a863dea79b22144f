"""Which way `dutyring call` takes: a trunk of ours, or none; and what it may dial."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import typer

from app.policy import Stored, dial_policy, records_are_there
from app.settings import SettingError, Settings, get_settings
from app.trunk_settings import TrunkMemberError, bind_address, trunk_of
from sip.core import Address, Credentials, TransportName
from sip.guard import DialPolicy, NeverDialledError
from sip.media import parse_digits
from sip.numbers import NumberError, parse_number, split_extension
from sip.phone import TargetError, Trunk, parse_target
from sip.progress.samples import SampleLibrary
from sip.targets import check_number, is_uri
from sip.trunks import SrtpMode, TlsSettings

LONGEST_DELAY_MS = 3_600_000.0
TRANSPORTS, SRTP = ("udp", "tcp", "tls"), ("off", "optional", "required")


@dataclass(frozen=True, slots=True)
class CallArguments:
    """The options of `dutyring call` as typed."""

    target: str
    from_uri: str | None
    bind: str | None
    user: str | None
    password_env: str | None
    max_ring_s: float
    max_talk_s: float
    say: Path | None
    record: Path | None
    tones_only: bool
    transport: str | None
    as_json: bool
    trunk: str | None = None
    digits: str = ""
    pcap: Path | None = None
    trace: Path | None = None
    tls_ca: Path | None = None
    srtp: str | None = None
    same_unit: tuple[str, ...] = ()
    history_ms: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """The way of one call."""

    trunk: Trunk
    policy: DialPolicy
    samples: SampleLibrary
    """Announcements that are recognised."""


def choose_line(arguments: CallArguments) -> Line:
    """Return the way that the arguments mean. Raises `typer.BadParameter`; nothing has been sent then.

    Trunks and forbidden numbers come from the settings, and from the records of the data folder where there are any.
    """
    settings = get_settings()
    _check_words(arguments)
    if arguments.trunk is None:
        # What is wrong with the URI comes before what may be wrong with a data folder.
        _parsed(arguments.target, "'TARGET'")
    stored = _stored(settings)
    trunk = _direct(arguments) if arguments.trunk is None else _named(arguments, settings, stored)
    try:
        policy = dial_policy(settings, stored, [trunk])
    except SettingError as error:
        raise typer.BadParameter(str(error), param_hint="DUTYRING_ANSWER_KEYS_FILE") from None
    _check_target(arguments, trunk, policy)
    return Line(trunk, policy, _samples(settings))


def _check_words(arguments: CallArguments) -> None:
    for value, takes, option in (
        (arguments.transport, TRANSPORTS, "--transport"),
        (arguments.srtp, SRTP, "--srtp"),
    ):
        if value is not None and value not in takes:
            raise typer.BadParameter(
                f"{value!r} is not one of them; it takes {', '.join(takes)}", param_hint=f"'{option}'"
            )
    if arguments.trunk is not None:
        for given, option in (
            (arguments.transport, "--transport"),
            (arguments.user, "--user"),
            (arguments.password_env, "--password-env"),
            (arguments.tls_ca, "--tls-ca"),
            (arguments.srtp, "--srtp"),
        ):
            if given is not None:
                raise typer.BadParameter(
                    "the trunk says that; it goes without --trunk", param_hint=f"'{option}'"
                )
    if arguments.tls_ca is not None and not arguments.tls_ca.is_file():
        raise typer.BadParameter(
            "there is no such file; it takes certificates in PEM form", param_hint="'--tls-ca'"
        )
    if arguments.from_uri is not None:
        _parsed(arguments.from_uri, "'--from'")
    for number in arguments.same_unit:
        try:
            parse_number(number)
        except NumberError as error:
            raise typer.BadParameter(str(error), param_hint="'--same-unit'") from None
    for delay_ms in arguments.history_ms:
        if not 0 <= delay_ms <= LONGEST_DELAY_MS:
            raise typer.BadParameter(
                f"{delay_ms:g} is no post-dial delay; it takes milliseconds from 0 to {LONGEST_DELAY_MS:.0f}",
                param_hint="'--history'",
            )


def _check_target(arguments: CallArguments, trunk: Trunk, policy: DialPolicy) -> None:
    """Refuse what cannot or must not be called, as the phone itself would."""
    try:
        number = arguments.target if is_uri(arguments.target) else split_extension(arguments.target)[0]
        dialled = number if is_uri(number) else trunk.uri_for(check_number(number))
        policy.check(number, dialled, access_code=trunk.numbers.access_code, trunk=not trunk.is_direct)
    except (TargetError, NumberError, NeverDialledError) as error:
        raise typer.BadParameter(str(error), param_hint="'TARGET'") from None
    if arguments.digits:
        try:
            parse_digits(arguments.digits)
            policy.check_digits_sent(arguments.digits)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="'--send-digits'") from None


def _direct(arguments: CallArguments) -> Trunk:
    asked = parse_target(arguments.target).transport
    if arguments.transport is not None and asked not in (None, arguments.transport):
        raise typer.BadParameter(
            f"TARGET asks for {asked}; it takes that or nothing", param_hint="'--transport'"
        )
    return Trunk(
        from_uri=arguments.from_uri,
        bind=_bind(arguments.bind),
        credentials=_credentials(arguments.user, arguments.password_env),
        transport=cast(TransportName, arguments.transport or "udp"),
        srtp=cast(SrtpMode, arguments.srtp or "off"),
        tls=TlsSettings(ca_file=arguments.tls_ca),
    )


def _named(arguments: CallArguments, settings: Settings, stored: Stored) -> Trunk:
    # Imported late: without a trunk no database library is needed.
    from app.trunks.merge import merged

    ours = {trunk.name: trunk for trunk in merged(settings, stored.trunks) if not trunk.shadowed}
    found = ours.get(arguments.trunk or "")
    if found is None:
        known = ", ".join(ours) or "none; set DUTYRING_TRUNKS or use `dutyring trunks add`"
        raise typer.BadParameter(
            f"there is no trunk {arguments.trunk!r}; it takes one of ours: {known}", param_hint="'--trunk'"
        )
    if not found.in_use:
        raise typer.BadParameter(f"trunk {found.name!r} is disabled", param_hint="'--trunk'")
    try:
        if found.unreadable is not None:
            raise found.unreadable
        made = trunk_of(found.name, found.config, settings.sip_bind, settings.sip_identity)
    except TrunkMemberError as error:
        raise typer.BadParameter(
            f"trunk {found.name!r}: {error.member}: {error.reason}", param_hint="'--trunk'"
        ) from None
    # One call needs no probing beside it.
    return replace(
        made,
        from_uri=arguments.from_uri or made.from_uri,
        bind=_bind(arguments.bind) or made.bind,
        health_s=None,
    )


def _stored(settings: Settings) -> Stored:
    if not records_are_there(settings):
        return Stored()
    from app.trunks.records import RecordsError, read_if_there

    try:
        return asyncio.run(read_if_there(settings))
    except RecordsError as error:
        raise typer.BadParameter(str(error), param_hint="DUTYRING_DATA_DIR") from None


def _samples(settings: Settings) -> SampleLibrary:
    if not records_are_there(settings):
        return SampleLibrary()
    from app.samples.library import library_if_there
    from app.trunks.records import RecordsError

    try:
        return asyncio.run(library_if_there(settings))
    except RecordsError as error:
        raise typer.BadParameter(str(error), param_hint="DUTYRING_DATA_DIR") from None


def _parsed(uri: str, hint: str) -> None:
    try:
        parse_target(uri)
    except TargetError as error:
        raise typer.BadParameter(str(error), param_hint=hint) from None


def _bind(text: str | None) -> Address | None:
    try:
        return bind_address(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is not ADDRESS[:PORT], such as 127.0.0.1:5070", param_hint="'--bind'"
        ) from None


def _credentials(user: str | None, variable: str | None) -> Credentials | None:
    if user is None and variable is None:
        return None
    if user is None:
        raise typer.BadParameter("it needs --user U beside it", param_hint="'--password-env'")
    if variable is None:
        raise typer.BadParameter("it needs --password-env VAR beside it", param_hint="'--user'")
    password = os.environ.get(variable)
    if password is None:
        raise typer.BadParameter(
            f"environment variable {variable} is not set; it takes the name of the variable that holds the password",
            param_hint="'--password-env'",
        )
    return Credentials(user, password)

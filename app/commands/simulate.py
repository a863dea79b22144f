"""`dutyring simulate`: simulated duty lines on one address, until interrupted."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import signal
import sys
from pathlib import Path

import typer

from sip.core import Address
from sip.media import MediaError
from sip.simulator import BEHAVIOURS, DIGEST_PASSWORD, ScenarioError, Simulator, lines_list, read_scenario
from sip.transport import SipTransportError

EXIT_OUR_FAILURE = 3
MOST_LINES = 10_000


def run(listen: str, scenario: Path | None, lines: int, list_lines: bool, password_env: str | None) -> int:
    """Answer calls until SIGINT or SIGTERM; return the exit status. Wrong arguments raise `typer.BadParameter`.

    One line `listening on ADDRESS:PORT` on standard output says that calls are answered from now on.
    """
    address = _address(listen)
    if not 0 <= lines <= MOST_LINES:
        raise typer.BadParameter(f"{lines} is not a number from 0 to {MOST_LINES}", param_hint="'--lines'")
    try:
        own = read_scenario(scenario) if scenario else {}
    except ScenarioError as error:
        raise typer.BadParameter(str(error), param_hint="'--scenario'") from error
    if list_lines:
        _say(lines_list({**BEHAVIOURS, **own}.values()))
        return 0
    simulator = Simulator(address, scenario=own, lines=lines, password=_password(password_env))
    try:
        asyncio.run(_serve(simulator))
    except (SipTransportError, MediaError) as error:
        print(f"dutyring simulate: {error}", file=sys.stderr)  # noqa: T201
        return EXIT_OUR_FAILURE
    return 0


async def _serve(simulator: Simulator) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with simulator:
        _say(f"listening on {simulator.local}")
        await stop.wait()


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    try:
        address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
        number = int(port)
    except ValueError:
        address, number = ipaddress.ip_address("0.0.0.0"), -1
    if not 0 <= number <= 65_535 or address.is_unspecified:
        raise typer.BadParameter(
            f"{text!r} is not ADDRESS:PORT with the address of an interface, such as 127.0.0.1:5062",
            param_hint="'--listen'",
        )
    return Address(str(address), number)


def _password(variable: str | None) -> str:
    if variable is None:
        return DIGEST_PASSWORD
    password = os.environ.get(variable)
    if not password:
        raise typer.BadParameter(
            f"environment variable {variable} is not set; it takes the variable that holds the password",
            param_hint="'--password-env'",
        )
    return password


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201

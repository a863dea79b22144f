"""`dutyring serve`: pages, phone and clock until interrupted."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import signal
import socket
import sys
from collections.abc import Iterator

import structlog
import typer
import uvicorn

from app.accounts import people
from app.database import Database, upgrade
from app.logs import configure
from app.main import create_app
from app.phone_keeper import PhoneKeeper
from app.policy import answer_keys
from app.settings import Settings, get_settings
from sip.seldom import collect_seldom

log = structlog.get_logger(__name__)
EXIT_OUR_FAILURE = 3
HANG_UP_S = 5
"""How long answers under way may take once the service is to stop; streams never end by themselves."""


class Service(uvicorn.Server):
    """The web server; whoever runs it decides what a signal means."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


def serve(host: str | None = None, port: int | None = None) -> int:
    """Run the service; return the exit status. Host and port default to the settings."""
    settings = get_settings()
    if port is not None and not 0 <= port < 65_536:
        raise typer.BadParameter(f"{port} is no port; it takes 0 to 65535", param_hint="'--port'")
    given = {"host": host, "port": port}
    settings = settings.model_copy(update={name: value for name, value in given.items() if value is not None})
    configure(settings)
    answer_keys(settings.answer_keys_file)  # Where they cannot be read the phone would die again and again.
    reason = _unplayable(settings)
    if reason is not None:
        print(f"dutyring serve: {reason}", file=sys.stderr)  # noqa: T201
        return EXIT_OUR_FAILURE
    try:
        listener = listen(settings.host, settings.port)
    except OSError as error:
        reason = f"cannot listen on {settings.host}:{settings.port}: {error.strerror}"
        print(f"dutyring serve: {reason}", file=sys.stderr)  # noqa: T201
        return EXIT_OUR_FAILURE
    with listener:
        upgrade(settings)
        address = address_of(listener)
        print(f"pages at {address}/", flush=True)  # noqa: T201
        secret = asyncio.run(first_link(settings))
        if secret is not None:
            link = f"{address}/enter/{secret}"
            print(f"no account yet; create the administrator, once, within 24 hours:\n{link}", flush=True)  # noqa: T201
        if not is_loopback(settings.host) and not settings.secure_cookies:
            warning = "passwords travel unencrypted unless a proxy speaks HTTPS; then set DUTYRING_SECURE_COOKIES=true"
            print(f"dutyring serve: warning: {warning}", file=sys.stderr)  # noqa: T201
        # A whole collection holds an answer up for a quarter of a second, once the statements of all pages are kept.
        collect_seldom()
        asyncio.run(_until_signal(settings, listener))
    return 0


async def first_link(settings: Settings) -> str | None:
    """Return the secret of a link that creates the first administrator; None where there are accounts."""
    async with Database(settings.url) as database, database.unit_of_work() as session:
        return None if await people.any_account(session) else await people.make_link(session, "first")


def _unplayable(settings: Settings) -> str | None:
    """Say why the prompt cannot be played, before a phone process fails over it again and again."""
    if settings.say is None:
        return None
    from sip.media import MediaError, load_prompt

    try:
        load_prompt(settings.say)
    except MediaError as error:
        return f"DUTYRING_SAY: {error}"
    return None


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def listen(host: str, port: int) -> socket.socket:
    """Open the listening socket, so that nobody can take the port in between. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


def address_of(listener: socket.socket) -> str:
    """Return the address of the pages for a browser."""
    host, port = listener.getsockname()[:2]
    host = f"[{host}]" if ":" in host else host
    return f"http://{host}:{port}"


def service(settings: Settings) -> Service:
    """Make the web server with its application; serve it on a socket of `listen`."""
    config = uvicorn.Config(
        create_app(settings),
        log_config=None,
        # It would show query strings; `app.operations.requests` writes a line for each request.
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=HANG_UP_S,
        lifespan="on",
    )
    return Service(config)


async def _until_signal(settings: Settings, listener: socket.socket) -> None:
    server = service(settings)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, _stop, server, settings)
    await server.serve(sockets=[listener])


def _stop(server: Service, settings: Settings) -> None:
    """Close the pages, and let the phone finish its calls meanwhile; told once more, hang them up."""
    keeper: PhoneKeeper | None = server.config.app.state.keeper  # type: ignore[union-attr]
    if keeper is not None:
        if server.should_exit:
            keeper.hurry()
        elif settings.stop_wait_s:
            keeper.begin_finish(settings.stop_wait_s)
    server.should_exit = True

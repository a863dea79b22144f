"""baresip as a foreign phone: it rings until it is told what to do, and counts what it hears."""

from __future__ import annotations

import json
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from tests.interop.certificates import Identity
from tests.interop.foreign import Foreign, Foreigners, NotReadyError, answers_options, free_ports, retried
from tests.interop.sounds import RATE_HZ, Samples, tone
from tests.peers import program

TONE_HZ = 440
ALWAYS = (
    "net_interface 127.0.0.1",
    "call_local_timeout 120",
    "call_max_calls 4",
    "audio_player aubridge,nobody",
    "audio_alert aubridge,nobody",
    "ausrc_srate 8000",
    "auplay_srate 8000",
    "ausrc_channels 1",
    "auplay_channels 1",
    "rtp_ports 30000-60000",
    "module_path /usr/lib/baresip/modules",
    *(f"module {name}.so" for name in ("g711", "aufile", "aubridge", "sndfile", "srtp")),
    *(f"module_app {name}.so" for name in ("account", "menu", "ctrl_tcp")),
)


@dataclass(frozen=True, slots=True)
class Registrar:
    """Where baresip registers, and as whom."""

    proxy: str
    """As a URI, such as `sip:127.0.0.1:5060;transport=tcp`."""
    domain: str
    user: str
    password: str
    number: str = "62"
    """Under which it can be called."""


class Baresip:
    """One running baresip, with its control connection."""

    def __init__(self, process: Foreign, port: int, control: socket.socket) -> None:
        self.process, self.port, self._control = process, port, control
        self._unread = b""
        self.events: list[dict[str, Any]] = []

    @property
    def tls_port(self) -> int:
        """baresip listens for TLS one above its SIP port."""
        return self.port + 1

    def command(self, name: str, parameters: str = "") -> None:
        """Give a command of its menu, such as `accept` or `hangup`; does not wait for what comes of it."""
        text = json.dumps({"command": name, "params": parameters, "token": name})
        self._control.sendall(f"{len(text)}:{text},".encode())

    def wait_event(self, kind: str, limit_s: float = 30.0) -> dict[str, Any]:
        """Return the next event of this kind, such as `CALL_INCOMING`; the ones before it are passed over."""
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            for message in self._messages(deadline):
                if message.get("event") and message.get("type") == kind:
                    return message
        seen = [event.get("type") for event in self.events]
        raise NotReadyError(f"baresip had no {kind} in {limit_s} s, only {seen}")

    def _messages(self, deadline: float) -> list[dict[str, Any]]:
        """Take the netstrings that have come; events after the wanted one stay in `events` for the report alone."""
        if b":" not in self._unread:
            self._receive(deadline)
        length, _, rest = self._unread.partition(b":")
        while length.isdigit() and len(rest) <= int(length) and time.monotonic() < deadline:
            self._receive(deadline)
            length, _, rest = self._unread.partition(b":")
        if not length.isdigit() or len(rest) <= int(length):
            return []
        self._unread = rest[int(length) + 1 :]
        message: dict[str, Any] = json.loads(rest[: int(length)])
        if message.get("event"):
            self.events.append(message)
        return [message]

    def _receive(self, deadline: float) -> None:
        self._control.settimeout(max(0.01, deadline - time.monotonic()))
        try:
            self._unread += self._control.recv(65_536)
        except TimeoutError:
            return

    def heard(self) -> Samples:
        """Return all the sound that it heard in its last call, decoded, after the call."""
        self.process.wait_for("terminated (duration")
        samples, rate_hz = soundfile.read(sorted(self.process.log.parent.glob("dump-*-dec.wav"))[-1])
        assert rate_hz == RATE_HZ
        return np.asarray(samples, dtype=np.float64)


def start_baresip(
    foreigners: Foreigners,
    *,
    name: str = "baresip",
    identity: Identity | None = None,
    ca_file: Path | None = None,
    registrar: Registrar | None = None,
    answers: str = "manual",
    account: str = "",
) -> Baresip:
    """Start baresip as `sip:62@127.0.0.1`; `answers` is its answer mode (`manual`, `early`, `auto`).

    `account` are more parameters of its account (`;mediaenc=srtp-mand`).
    """
    configured = Configuration(identity, ca_file, _account(registrar, f";answermode={answers}{account}"))
    phone = retried(lambda attempt: _started(foreigners, f"{name}-{attempt}", configured))
    if registrar:
        phone.process.wait_for("200 OK")
    return phone


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the files of a baresip say."""

    identity: Identity | None
    ca_file: Path | None
    account: str

    def write(self, folder: Path, ports: int) -> None:
        """Write `config`, `accounts` and the sound that is played into `folder`."""
        played = folder / "tone.wav"
        soundfile.write(played, tone(20.0, TONE_HZ), RATE_HZ, subtype="PCM_16")
        lines = [
            f"sip_listen 127.0.0.1:{ports}",
            *([f"sip_certificate {self.identity.both()}"] if self.identity else []),
            *([f"sip_cafile {self.ca_file}"] if self.ca_file else []),
            f"audio_source aufile,{played}",
            f"snd_path {folder}",
            f"ctrl_tcp_listen 127.0.0.1:{ports + 2}",
            *ALWAYS,
        ]
        (folder / "config").write_text("\n".join(lines) + "\n", encoding="utf-8")
        (folder / "accounts").write_text(self.account + "\n", encoding="utf-8")


def _started(foreigners: Foreigners, name: str, configured: Configuration) -> Baresip:
    folder = foreigners.folder / name
    folder.mkdir()
    port = free_ports(4)
    configured.write(folder, port)
    process = foreigners.start(
        name, [program("baresip"), "-f", folder, "-s", "-v"], folder, {"HOME": str(folder)}
    )
    try:
        process.wait_for("baresip is ready.")
        process.wait_until(lambda: answers_options(port), "no answer to OPTIONS")
        control = socket.create_connection(("127.0.0.1", port + 2), 5)
    except (NotReadyError, OSError):
        process.end()
        raise
    foreigners.stack.callback(control.close)
    return Baresip(process, port, control)


def _account(registrar: Registrar | None, more: str) -> str:
    codecs = "audio_codecs=PCMA/8000/1,PCMU/8000/1"
    if registrar is None:
        return f"<sip:62@127.0.0.1>;regint=0;{codecs}{more}"
    login = f"auth_user={registrar.user};auth_pass={registrar.password}"
    proxy = f'outbound="{registrar.proxy}"'
    who = f"<sip:{registrar.number}@{registrar.domain}>"
    return f"{who};regint=60;{login};{proxy};{codecs}{more}"

"""kamailio as registrar and proxy: digest for REGISTER and INVITE, Record-Route, a location table, parallel forks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.interop.certificates import Authority
from tests.interop.foreign import Foreign, Foreigners, NotReadyError, answers_options, free_ports, retried
from tests.peers import program

REALM, USER, PASSWORD = "county", "duty", "three-rings"
CONFIGURATION = Path(__file__).with_name("kamailio.cfg")
MODULES = next(Path("/").glob("usr/lib/*/kamailio/modules"), Path("/usr/lib/kamailio/modules"))
_SEEN = re.compile(r"SEEN (\S+) (\S+) from (\w+) auth=(\w*)")


@dataclass(frozen=True, slots=True)
class SeenRequest:
    """A request that came to kamailio."""

    method: str
    uri: str
    transport: str
    authorised: bool
    """It carried an Authorization or a Proxy-Authorization."""


@dataclass(frozen=True, slots=True)
class Kamailio:
    """One running kamailio."""

    process: Foreign
    port: int
    """Of UDP and TCP; TLS is one above."""

    @property
    def tls_port(self) -> int:
        return self.port + 1

    def seen(self, method: str) -> list[SeenRequest]:
        """Return the requests of this method that came, in order."""
        return [
            SeenRequest(name, uri, transport, bool(given))
            for name, uri, transport, given in _SEEN.findall(self.process.text())
            if name == method
        ]


def start_kamailio(
    foreigners: Foreigners,
    *,
    authority: Authority | None = None,
    algorithm: str = "MD5",
    max_expires_s: int = 600,
) -> Kamailio:
    """Start kamailio on a free port; with an authority it listens for TLS as well, one port above."""
    words = {
        "MODULES": f"{MODULES}/",
        "REALM": REALM,
        "PASSWORD": PASSWORD,
        "ALGORITHM": algorithm,
        "MAX_EXPIRES": str(max_expires_s),
    }
    return retried(lambda attempt: _started(foreigners, f"kamailio-{attempt}", authority, words))


def _started(
    foreigners: Foreigners, name: str, authority: Authority | None, words: Mapping[str, str]
) -> Kamailio:
    folder = foreigners.folder / name
    folder.mkdir()
    port = free_ports(2)
    text = CONFIGURATION.read_text(encoding="ascii")
    if authority is not None:
        text = _with_tls(text, folder, authority, port)
    for word, value in {**words, "PORT": str(port)}.items():
        text = text.replace(f"@{word}@", value)
    (folder / "kamailio.cfg").write_text(text, encoding="ascii")
    command = [program("kamailio"), "-f", "kamailio.cfg", "-DD", "-E", "-m", "16", "-M", "4"]
    process = foreigners.start(name, [*command, "-Y", folder, "-w", folder], folder)
    try:
        process.wait_until(lambda: answers_options(port), "no answer to OPTIONS")
    except NotReadyError:
        process.end()
        raise
    return Kamailio(process, port)


def _with_tls(text: str, folder: Path, authority: Authority, port: int) -> str:
    identity = authority.identity("kamailio")
    sections = [
        "[server:default]",
        "method = TLSv1.2+",
        "verify_certificate = no",
        "require_certificate = no",
        f"private_key = {identity.key}",
        f"certificate = {identity.certificate}",
        "[client:default]",
        "method = TLSv1.2+",
        "verify_certificate = yes",
        "require_certificate = yes",
        f"ca_list = {authority.ca_file}",
    ]
    (folder / "tls.cfg").write_text("\n".join(sections) + "\n", encoding="ascii")
    lines = [
        "enable_tls=yes",
        f"listen=tls:127.0.0.1:{port + 1}",
        'loadmodule "tls.so"',
        f'modparam("tls", "config", "{folder / "tls.cfg"}")',
    ]
    # The module must stand before the routes, the switch before the modules.
    return text.replace("# TLS", lines[0] + "\n" + lines[1]).replace("# MODULE-TLS", "\n".join(lines[2:]))

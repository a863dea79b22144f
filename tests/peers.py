"""The foreign programs that some tests talk to, and where they are found.

`python -m tests.peers` says which are missing and how they are installed. A test asks for one with
`@pytest.mark.peer("sipp")`.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest


@dataclass(frozen=True, slots=True)
class Peer:
    """A program that the tests use but the product does not."""

    name: str
    package: str
    """The Debian package that holds it."""
    programs: tuple[str, ...]
    """All of these are needed."""
    folders: tuple[str, ...] = ()
    """Glob patterns under `/` of folders outside the PATH where Debian keeps them."""

    def find(self, program: str) -> Path | None:
        """Return the path of one of the programs, or None."""
        if found := shutil.which(program):
            return Path(found)
        candidates = (folder / program for folder in self._outside_path())
        return next((path for path in candidates if os.access(path, _needed(path))), None)

    def _outside_path(self) -> Iterator[Path]:
        for pattern in self.folders:
            yield from sorted(Path("/").glob(pattern), reverse=True)

    @property
    def present(self) -> bool:
        """Whether every program of this peer is installed."""
        return all(self.find(program) for program in self.programs)


def _needed(path: Path) -> int:
    """A program is run; a module of one is only read."""
    return os.R_OK if path.suffix == ".so" else os.X_OK


PEERS = {
    peer.name: peer
    for peer in (
        Peer("sipp", "sip-tester", ("sipp",)),
        Peer("baresip", "baresip-core", ("baresip",)),
        Peer("linphone", "linphone-cli", ("linphonec",)),
        Peer("kamailio", "kamailio", ("kamailio",)),
        Peer("kamailio-tls", "kamailio-tls-modules", ("tls.so",), ("usr/lib/*/kamailio/modules",)),
        Peer("openssl", "openssl", ("openssl",)),
        Peer("tshark", "tshark", ("tshark",)),
        Peer("chromium", "chromium", ("chromium",)),
        Peer("postgresql", "postgresql", ("initdb", "postgres"), ("usr/lib/postgresql/*/bin",)),
    )
}


def program(name: str, peer: str | None = None) -> Path:
    """Return where a peer's program stands; `FileNotFoundError` names the Debian package when it is missing."""
    wanted = PEERS[peer or name]
    if path := wanted.find(name):
        return path
    raise FileNotFoundError(
        f"{name} is missing: install it with `make peers` (Debian package {wanted.package})"
    )


def missing() -> list[Peer]:
    """Return the peers that are not installed."""
    return [peer for peer in PEERS.values() if not peer.present]


def skip_for(reason: str) -> NoReturn:
    """Skip a test for what this machine lacks; on the build machine, which has all of it, that is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def main() -> int:
    """Print what is missing; the exit status is 1 only where a missing peer is a failure (CI)."""
    absent = missing()
    for peer in absent:
        print(f"peer {peer.name} is missing (Debian package {peer.package}): its tests are skipped")
    if absent:
        print("`make peers` installs what is missing (as root on Debian)")
    else:
        print(f"peers: {', '.join(PEERS)} are all here")
    return 1 if absent and os.environ.get("CI") == "true" else 0


if __name__ == "__main__":
    sys.exit(main())

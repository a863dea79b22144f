"""A certificate authority of our own for one test run, made by openssl."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.peers import program

NAMES = "subjectAltName=IP:127.0.0.1,DNS:localhost"


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate with its key."""

    certificate: Path
    key: Path

    def both(self) -> Path:
        """Return one file with the key and the certificate, as some peers want them."""
        path = self.certificate.with_suffix(".both.pem")
        path.write_bytes(self.key.read_bytes() + self.certificate.read_bytes())
        return path


class Authority:
    """Makes certificates for 127.0.0.1 that its own `ca_file` vouches for."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.ca_file, self._ca_key = folder / "ca.pem", folder / "ca.key"
        _openssl(
            "req",
            "-x509",
            *_new_key(self._ca_key),
            "-out",
            self.ca_file,
            "-days",
            "2",
            "-subj",
            "/CN=Test CA",
        )

    def identity(self, name: str, *, days: int = 2, names: str = NAMES) -> Identity:
        """Return a new certificate; negative `days` make one that has expired."""
        key, request, path = (self._folder / f"{name}.{suffix}" for suffix in ("key", "csr", "pem"))
        extensions = self._folder / f"{name}.ext"
        extensions.write_text(names + "\n", encoding="ascii")
        _openssl("req", *_new_key(key), "-out", request, "-subj", f"/CN={name}")
        signer = ("-CA", self.ca_file, "-CAkey", self._ca_key, "-CAcreateserial")
        _openssl(
            "x509", "-req", "-in", request, *signer, "-days", str(days), "-out", path, "-extfile", extensions
        )
        return Identity(path, key)


def _new_key(path: Path) -> tuple[str | Path, ...]:
    return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", path)


def _openssl(*words: str | Path) -> None:
    done = subprocess.run(
        [program("openssl"), *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30
    )
    if done.returncode:
        raise RuntimeError(f"openssl {words[0]}: {done.stderr[-500:]}")

"""linphone's command line phone as a foreign phone: it answers by itself and plays a tone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from tests.interop.foreign import Foreign, Foreigners, NotReadyError, answers_options, free_ports, retried
from tests.interop.sounds import RATE_HZ, Samples, tone
from tests.peers import program

TONE_HZ = 440


@dataclass(frozen=True, slots=True)
class Linphone:
    """One running linphonec."""

    process: Foreign
    port: int
    sip_log: Path

    def command(self, line: str) -> None:
        """Give a command of its prompt, such as `answer` or `terminate`."""
        self.process.say(line)

    def heard(self) -> Samples:
        """Return what it heard, after the call: its recording at 8 kHz."""
        self.process.wait_for("ended (")
        path = self.process.log.parent / "heard.wav"
        self.process.wait_until(path.exists, "it recorded nothing")
        samples, rate_hz = soundfile.read(path)
        return np.asarray(samples[:: rate_hz // RATE_HZ], dtype=np.float64)

    def messages(self, start: str) -> list[str]:
        """Return the SIP messages of its log that begin with this."""
        text = self.sip_log.read_text(encoding="utf-8", errors="replace")
        return re.findall(rf"(?ms)^{re.escape(start)}.*?(?=^\d{{4}}-\d\d-\d\d |\Z)", text)


def start_linphone(
    foreigners: Foreigners,
    *,
    answers: bool = True,
    srtp: bool = False,
    ca_file: Path | None = None,
    register: str | None = None,
    sections: Mapping[str, Mapping[str, str]] | None = None,
) -> Linphone:
    """Start linphonec as `sip:62@127.0.0.1` over UDP; `register` is its `register` command, over any transport.

    `srtp` makes encryption by SDES mandatory; `ca_file` is what its TLS connections trust.
    """
    settings = dict(sections or {})
    phone = retried(
        lambda attempt: _started(foreigners, f"linphone-{attempt}", answers, srtp, ca_file, settings)
    )
    if register:
        phone.command(register)
        phone.process.wait_until(lambda: bool(phone.messages("SIP/2.0 200 OK")), "it is not registered")
    return phone


def _started(
    foreigners: Foreigners,
    name: str,
    answers: bool,
    srtp: bool,
    ca_file: Path | None,
    sections: Mapping[str, Mapping[str, str]],
) -> Linphone:
    folder = foreigners.folder / name
    # Without its data folder the database cannot be opened, and linphonec then listens nowhere.
    (folder / ".local/share/linphone").mkdir(parents=True)
    port = free_ports(1)
    _write(folder / "rc", _settings(port, srtp, ca_file) | dict(sections))
    soundfile.write(folder / "tone.wav", tone(20.0, TONE_HZ), RATE_HZ, subtype="PCM_16")
    log = folder / "sip.log"
    command = [program("linphonec", "linphone"), "-c", "rc", "-S", "-d", "5", "-l", log]
    places = {variable: str(folder) for variable in ("HOME", "XDG_CONFIG_HOME")}
    process = foreigners.start("linphone", [*command, *(["-a"] if answers else [])], folder, places)
    try:
        process.say("soundcard use files")
        process.say(f"play {folder / 'tone.wav'}")
        process.say(f"record {folder / 'heard.wav'}")
        process.wait_until(lambda: answers_options(port), "no answer to OPTIONS")
    except (NotReadyError, OSError):
        process.end()
        raise
    return Linphone(process, port, log)


def _settings(port: int, srtp: bool, ca_file: Path | None) -> dict[str, Mapping[str, str]]:
    sip = {
        "sip_port": str(port),
        "sip_tcp_port": "0" if ca_file is None else "-1",
        "sip_tls_port": "0" if ca_file is None else "-1",
        "bind_address": "127.0.0.1",
        "guess_hostname": "0",
        "contact": '"Duty" <sip:62@127.0.0.1>',
        "media_encryption": "srtp" if srtp else "none",
        "register_only_when_network_is_up": "0",
        "use_ipv6": "0",
        "verify_server_certs": "1",
        "verify_server_cn": "1",
        **({"root_ca": str(ca_file)} if ca_file else {}),
    }
    codecs = {
        f"audio_codec_{n}": {"mime": mime, "rate": "8000", "channels": "1", "enabled": "1"}
        for n, mime in enumerate(("PCMA", "PCMU"))
    }
    rtp = {"audio_rtp_port": "30000-60000", "audio_adaptive_jitt_comp_enabled": "0"}
    return {
        "sip": {**sip, **({"media_encryption_mandatory": "1"} if srtp else {})},
        "rtp": rtp,
        "sound": {"echocancellation": "0", "media_encryption_mandatory": "1" if srtp else "0"},
        **codecs,
    }


def _write(path: Path, sections: Mapping[str, Mapping[str, str]]) -> None:
    lines = []
    for name, values in sections.items():
        lines += [f"[{name}]", *(f"{key}={value}" for key, value in values.items())]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")

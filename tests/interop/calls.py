"""`dutyring call` towards a foreign phone: begun, so that the test can lead the phone meanwhile, and finished."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from sip.record import CallRecord
from tests.interop.sounds import RATE_HZ, Samples, tone

DUTYRING = Path(sys.executable).with_name("dutyring")
LIMIT_S = 60
PROMPT_HZ = 1000


@dataclass(frozen=True, slots=True)
class FinishedCall:
    """What `dutyring call --json` said."""

    record: dict[str, Any]
    exit_status: int
    stderr: str

    def timeline(self, event: str, **members: Any) -> list[dict[str, Any]]:
        """Return the entries of the time line with this event and these members."""
        return [
            entry
            for entry in self.record["timeline"]
            if entry["event"] == event and all(entry.get(key) == value for key, value in members.items())
        ]


class RunningCall:
    """One call in a process of its own."""

    def __init__(
        self, target: str, *options: str, folder: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.process = subprocess.Popen(
            [DUTYRING, "call", target, "--json", *options],
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self, limit_s: float = LIMIT_S) -> FinishedCall:
        """Wait for the end of the call; return what it said. No foreign phone forwards, so no record may prove it."""
        out, error = self.process.communicate(timeout=limit_s)
        try:
            record: dict[str, Any] = json.loads(out)
        except ValueError:
            pytest.fail(f"exit status {self.process.returncode}, no JSON: {out[:500]!r}\n{error[-2000:]}")
        assert record["forwarding"]["grade"] not in ("definitive", "near_proof"), record["forwarding"]
        return FinishedCall(record, self.process.returncode, error)

    def end(self) -> None:
        """Make an end of a call that a failed test left behind."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


def prompt_file(folder: Path, seconds: float = 2.0) -> Path:
    """Write what we say after the answer: a tone of `PROMPT_HZ`."""
    path = folder / "prompt.wav"
    soundfile.write(path, tone(seconds, PROMPT_HZ), RATE_HZ, subtype="PCM_16")
    return path


def share_of(samples: Samples, hz: float) -> float:
    """Return which part of the energy of a sound lies within 20 Hz of this frequency, 0 where it is silent."""
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    frequencies = np.fft.rfftfreq(len(samples), 1 / RATE_HZ)
    total = float(power[frequencies > 50].sum())
    return float(power[np.abs(frequencies - hz) < 20].sum()) / total if total > 1e-9 else 0.0


def check_record(call: FinishedCall, outcome: str, exit_status: int = 0) -> None:
    """The record is complete, honest about its end, and without complaints of our own."""
    record = call.record
    assert (record["outcome"], call.exit_status) == (outcome, exit_status), record["errors"]
    assert set(record) >= set(CallRecord.__slots__)
    times = [entry["t_ms"] for entry in record["timeline"]]
    assert times == sorted(times)
    if exit_status == 0:
        assert record["errors"] == []


def check_two_ways(call: FinishedCall, recording: Path, hz: float, heard: Samples, seconds: float) -> None:
    """Both sides sent sound for most of `seconds`, and each heard the other's tone."""
    media = call.record["media"]
    assert media["received"] >= seconds * 50 * 0.8
    assert media["sent"] >= seconds * 50 * 0.8
    assert media["lost"] == 0
    samples, _ = soundfile.read(recording)
    assert share_of(samples[:, 1], hz) > 0.8, "we did not hear their tone"
    assert share_of(heard, PROMPT_HZ) > 0.8, "they did not hear our prompt"

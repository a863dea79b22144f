"""`place`: one call of `dutyring call` to a sipp scenario, with everything that both ends saw."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from app.cli import main
from app.settings import get_settings
from tests.interop import warm
from tests.interop.calls import RunningCall
from tests.interop.certificates import Authority
from tests.interop.far_media import FarMedia, HeardPacket, session_description
from tests.interop.foreign import Foreigners
from tests.interop.relay import Change, Relay, unchanged
from tests.interop.sipp import Trace, TraceMessage, sipp
from tests.interop.sounds import Sound

DUTYRING = Path(sys.executable).with_name("dutyring")
LIMIT_S = 60
PROOF = ("definitive", "near_proof")
"""Grades of forwarding that are proposed as a finding against a unit."""


@dataclass(frozen=True, slots=True)
class PlacedCall:
    """What `dutyring call` said and what sipp saw."""

    record: dict[str, Any]
    exit_status: int
    stderr: str
    sipp_status: int
    trace: list[TraceMessage]
    heard: list[HeardPacket]
    """RTP of ours that the far end's media received."""
    moved: list[HeardPacket] = field(default_factory=list)
    """RTP of ours that came to the far end's second place."""

    def received(self, start: str) -> list[TraceMessage]:
        """Return sipp's received messages of this method or status."""
        return [message for message in self.trace if not message.sent and message.start == start]

    def gap_ms(self, first: str, second: str) -> float:
        """Return sipp's own time between the first messages it sent with these starts."""
        at = [next(m.at_s for m in self.trace if m.sent and m.start == start) for start in (first, second)]
        return (at[1] - at[0]) * 1000

    def timeline(self, event: str, **members: Any) -> list[dict[str, Any]]:
        """Return the entries of the record's time line with this event and these members."""
        return [
            entry
            for entry in self.record["timeline"]
            if entry["event"] == event and all(entry.get(key) == value for key, value in members.items())
        ]


Place = Callable[..., PlacedCall]
Dial = Callable[..., RunningCall]
FOREIGNERS = pytest.StashKey[Foreigners]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Show the logs of the foreign programs with a test that failed."""
    report: Any = yield
    if report.failed and FOREIGNERS in item.stash:
        report.sections += [(f"log of {name}", text) for name, text in item.stash[FOREIGNERS].logs()]
    return report


@pytest.fixture
def foreigners(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Foreigners]:
    """The foreign programs of a test; they are ended by their ids when it is over."""
    programs = Foreigners(tmp_path)
    request.node.stash[FOREIGNERS] = programs
    try:
        yield programs
    finally:
        programs.end()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A certificate authority for this test run."""
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def dial(tmp_path: Path) -> Iterator[Dial]:
    """Return a function that begins `dutyring call TARGET --json OPTIONS` and returns a `RunningCall`."""
    running: list[RunningCall] = []

    def begin(target: str, *options: str, environment: Mapping[str, str] | None = None) -> RunningCall:
        running.append(RunningCall(target, *options, folder=tmp_path, environment=environment))
        return running[-1]

    yield begin
    for call in running:
        call.end()


def run_dutyring(*arguments: str, cwd: Path, timeout_s: float = LIMIT_S, **environment: str):
    """Run the command line; return the finished process with text output."""
    try:
        return subprocess.run(
            [DUTYRING, *arguments],
            cwd=cwd,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )
    except subprocess.TimeoutExpired as late:
        out = [(stream or b"").decode(errors="replace") for stream in (late.stdout, late.stderr)]
        return subprocess.CompletedProcess(late.cmd, -1, "", f"killed after {timeout_s} s\n" + "\n".join(out))


def run_here(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the command line within this process, for what ends before anything is sent: a process costs a second."""
    out, err = io.StringIO(), io.StringIO()
    status: object = 0
    get_settings.cache_clear()
    with contextlib.chdir(cwd), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(list(arguments))
        except SystemExit as end:
            status = end.code
        finally:
            get_settings.cache_clear()
    assert isinstance(status, int)
    return subprocess.CompletedProcess(arguments, status, out.getvalue(), err.getvalue())


def parse(stdout: str, context: str) -> dict[str, Any]:
    """Return the one JSON object that stands on standard output."""
    try:
        record: dict[str, Any] = json.loads(stdout)
    except ValueError:
        pytest.fail(f"standard output is not one JSON object: {stdout[:500]!r}\n{context}")
    return record


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Return a function that places one call to a scenario and returns a `PlacedCall`.

    `sounds` maps a response status to the sound that the far end sends from that response on; `keys` are sipp's
    generic keywords, in which `@port@` and `@moved@` stand for the RTP ports of the far end and of its second place;
    `target_transport` is what our target names where it is not sipp's (None: nothing); `outward` changes sipp's
    datagrams on their way to us, `inward` ours on their way to sipp; `user` is who is called. Unless a test says by
    `proves_forwarding` that its far end forwards the call, no record may say so by proof or near proof.
    """

    def run(
        scenario: str,
        *options: str,
        keys: Mapping[str, str | bytes] | None = None,
        wait_ms: int = 1200,
        sounds: Mapping[int, Sound] | None = None,
        payload_type: int = 8,
        ptime_ms: int | None = None,
        environment: Mapping[str, str] | None = None,
        outward: Change = unchanged,
        inward: Change = unchanged,
        host: str = "127.0.0.1",
        transport: str = "udp",
        target_transport: str | None = "",
        limit_s: float = LIMIT_S,
        user: str = "62",
        proves_forwarding: bool = False,
    ) -> PlacedCall:
        media, moved = FarMedia(sounds or {}, payload_type, host=host), FarMedia({}, host=host)
        relay = Relay(outward, inward)
        description = session_description(media.port, payload_type=payload_type, ptime_ms=ptime_ms, host=host)
        words = {"sdp": description, "header": "Server: far end", "relay": str(relay.port), **(keys or {})}
        words = {name: _with_ports(value, media.port, moved.port) for name, value in words.items()}
        relayed = outward is not unchanged or inward is not unchanged
        if relayed:
            words["contact_port"] = str(relay.port)
        try:
            with sipp(
                scenario, tmp_path, words, wait_ms=wait_ms, limit_s=limit_s, host=host, transport=transport
            ) as far:
                for listener in (media, moved):
                    listener.follow(far.trace)
                relay.connect(far.port)
                target = _target(
                    user,
                    host,
                    relay.port if relayed else far.port,
                    transport if target_transport == "" else target_transport,
                )
                command = ("call", target, "--json", *options)
                done = warm.run(command, tmp_path, limit_s, environment or {})
                context = _context(done, far.trace, far.screen)
                sipp_status = _sipp_status(far, context)
        finally:
            for thread in (media, moved, relay):
                thread.stop()
        record = parse(done.stdout, context)
        proven = record["forwarding"]["grade"] in PROOF
        assert proven == proves_forwarding, f"{record['forwarding']}\n{context}"
        trace = far.trace.messages()
        return PlacedCall(record, done.returncode, done.stderr, sipp_status, trace, media.heard, moved.heard)

    return run


def _with_ports(value: str | bytes, port: int, moved: int) -> str | bytes:
    if isinstance(value, bytes):
        return value
    return value.replace("@port@", str(port)).replace("@moved@", str(moved))


def _target(user: str, host: str, port: int, transport: str | None) -> str:
    address = f"[{host}]" if ":" in host else host
    return f"sip:{user}@{address}:{port}" + ("" if transport in (None, "udp") else f";transport={transport}")


def _sipp_status(far: Any, context: str) -> int:
    try:
        return int(far.finish(6))
    except subprocess.TimeoutExpired:
        pytest.fail(f"sipp still waits: it did not see a whole call\n{context}")


def _context(done: subprocess.CompletedProcess[str], trace: Trace, screen: Path) -> str:
    words = [
        f"{'sipp ->' if m.sent else 'sipp <-'} {m.text.splitlines()[0]}"
        for m in trace.messages()
        if m.text.strip()
    ]
    parts = [
        f"exit status {done.returncode}",
        done.stderr[-1500:],
        *words,
        screen.read_text(errors="replace")[-500:],
    ]
    return "\n".join(parts)

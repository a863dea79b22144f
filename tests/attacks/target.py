"""The phone that is attacked, as a process of its own: `python -m tests.attacks.target SETTINGS`.

SETTINGS is a JSON object: `server` (our registrar, "host:port"), `certificate` and `key` (for TLS). Commands come as
JSON lines on the standard input, and each is answered by one JSON line. It ends when its input does.
"""

from __future__ import annotations

import asyncio
import faulthandler
import json
import logging
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil

import recordings
from recordings.encoding import load_capture
from sip.answering import AnswerScript, RingingCall
from sip.core import Address, Credentials
from sip.guard import DialPolicy
from sip.media import SAMPLE_RATE_HZ
from sip.phone import Phone, Script, Trunk
from sip.record import CallRecord
from sip.transport import SipAgent
from sip.trunks import Registration, TlsSettings, networks

HERE = Address("127.0.0.1", 0)
LOUD = 20_000
"""A sample beyond this is no sound of a quiet far end."""
TRUSTED = "127.0.0.9"
"""Who may call us without a challenge."""


def trunks(settings: dict[str, str]) -> list[Trunk]:
    """Return one trunk for calls both ways, one that registers, and one for TLS, as far as they are wanted."""
    found = [Trunk(name="direct", bind=HERE, trusted=networks(TRUSTED))]
    if server := settings.get("server"):
        host, _, port = server.partition(":")
        account = Credentials("62", "a secret of the test")
        found.append(
            Trunk(
                name="registered",
                server=host,
                port=int(port),
                bind=HERE,
                registration=Registration(user="62"),
                credentials=account,
            )
        )
    if certificate := settings.get("certificate"):
        tls = TlsSettings(certificate=Path(certificate), key=Path(settings["key"]))
        found.append(Trunk(name="secure", transport="tls", bind=HERE._replace(transport="tls"), tls=tls))
    return found


class Target:
    """Carries out the commands."""

    def __init__(self, phone: Phone, folder: Path) -> None:
        self._phone = phone
        self._folder = folder
        self._calls: list[asyncio.Task[CallRecord]] = []
        self._connected: list[asyncio.Event] = []
        self._answered = 0
        self._process = psutil.Process()

    async def take(self, call: RingingCall) -> None:
        """Answer a call that comes in."""
        call.ring()
        record = await call.answer(AnswerScript(max_talk_s=20.0))
        self._answered += record.answered_ms is not None

    @property
    def _agents(self) -> dict[str, SipAgent]:
        lines = self._phone._lines.values()
        return {line.name: agent for line in lines for agent in line.agents}

    async def where(self, _: dict[str, Any]) -> dict[str, Any]:
        """Our addresses by trunk."""
        return {name: list(agent.local) for name, agent in self._agents.items()}

    async def call(self, command: dict[str, Any]) -> dict[str, Any]:
        """Begin calls; returns when all of them have been answered, or `until` says `begun`."""
        for _ in range(command["calls"]):
            connected = asyncio.Event()

            def watch(entry: Any, connected: asyncio.Event = connected) -> None:
                if entry.event == "answered":
                    connected.set()

            number = len(self._calls)
            script = Script(max_talk_s=command["talk_s"], capture=self._folder / f"{number}.part")
            call = self._phone.call(command["uri"], script, on_update=watch)
            self._calls.append(asyncio.ensure_future(call))
            self._connected.append(connected)
        if command["until"] == "answered":
            async with asyncio.timeout(20):
                await asyncio.gather(*(event.wait() for event in self._connected))
        return {}

    async def media(self, _: dict[str, Any]) -> list[Any]:
        """The local RTP ports of the calls in progress."""
        return [list(session.local) for session in self._phone._engine._sessions.values()]

    async def records(self, _: dict[str, Any]) -> list[dict[str, Any]]:
        """Wait for the ends of the calls and return their facts."""
        calls, self._calls, self._connected = self._calls, [], []
        records = await asyncio.gather(*calls)
        return [self._facts(number, record) for number, record in enumerate(records)]

    def _facts(self, number: int, record: CallRecord) -> dict[str, Any]:
        capture = self._folder / f"{number}.part"
        sound = self._folder / f"{number}.wav"
        info, captured, loud = None, 0.0, 0
        if capture.exists():
            kept = load_capture(capture)
            captured = len(kept.left) * 1000 / SAMPLE_RATE_HZ
            loud = int((np.abs(np.asarray(kept.right, np.int32)) > LOUD).sum())
            info = recordings.encode(capture, sound, record.ended_ms)
            capture.unlink()
        facts = record.to_dict()
        return {
            **{
                name: facts[name]
                for name in (
                    *("outcome", "answered_by", "ring_to_answer_ms", "ended_ms", "ended_by", "errors"),
                    *("media", "our_failure", "connected_ms", "sip_status", "alarms"),
                )
            },
            "captured_ms": captured,
            "loud": loud,
            "duration_ms": 0.0 if info is None else info.duration_ms,
            "gaps_ms": 0.0 if info is None else sum(gap.silent_ms for gap in info.gaps),
            "entries": len(record.timeline),
        }

    async def counts(self, _: dict[str, Any]) -> dict[str, float]:
        """What the process holds and has used."""
        agents = self._agents.values()
        wires = [agent.endpoint.wire for agent in agents]
        streams = [stream for agent in agents for stream in agent._transports._streams.values()]
        connections = [connection for stream in streams for connection in stream._all]
        family = [self._process, *self._process.children(recursive=True)]
        times = [one.cpu_times() for one in family]
        return {
            "servers": sum(len(wire.servers) for wire in wires),
            "clients": sum(len(wire.clients) for wire in wires),
            "dialogs": sum(len(agent.endpoint.dialogs) for agent in agents),
            "incoming": sum(len(agent.endpoint._incoming) for agent in agents),
            "timers": sum(len(wire.queue) for wire in wires),
            "connections": sum(stream._arrivals.count for stream in streams if stream._arrivals is not None),
            "buffered": sum(connection.held for connection in connections),
            "tasks": len(asyncio.all_tasks()),
            "files": len(list(Path("/proc/self/fd").iterdir())),
            "rss_mb": sum(one.memory_info().rss for one in family) / 1e6,
            "cpu_s": times[0].user + times[0].system,
            "media_cpu_s": sum(each.user + each.system for each in times[1:]),
            "answered": self._answered,
            "at": time.monotonic(),
        }

    async def trunk(self, command: dict[str, Any]) -> dict[str, Any]:
        """How a trunk is; `phone` is there once an alarm has stood against the phone itself."""
        status = next((status for status in self._phone.trunks() if status.name == command["name"]), None)
        if status is None:
            return {"state": "unknown", "alarms": []}
        return {"state": status.state, "alarms": [alarm.kind.value for alarm in status.alarms]}


async def serve(settings: dict[str, str], folder: Path) -> None:
    """Be attacked until the input ends."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with Phone(trunks(settings), policy=DialPolicy.open()) as phone:
        target = Target(phone, folder)
        phone.on_call = target.take
        while line := await reader.readline():
            command = json.loads(line)
            answer = await getattr(target, command["do"])(command)
            print(json.dumps([command["number"], answer]), flush=True)


def main() -> None:
    """Run the phone."""
    # Where it stands, in its log, for whoever finds it hanging.
    faulthandler.register(signal.SIGUSR1)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    with tempfile.TemporaryDirectory(prefix="dutyring-attacked-") as folder:
        asyncio.run(serve(json.loads(sys.argv[1]), Path(folder)))


if __name__ == "__main__":
    main()

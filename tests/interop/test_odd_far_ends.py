"""Far ends that write what a terminal or a resolver would trip over, and a machine that has nothing left to give."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest

from sip.phone import Phone, Script
from sip.simulator import Behaviour, Expectation, Provisional, Reject, Simulator, Wait

NAMED_MEDIA = (
    "v=0\r\no=- 1 1 IN IP4 media.example.com\r\ns=-\r\nc=IN IP4 media.example.com\r\nt=0 0\r\n"
    "m=audio 40000 RTP/AVP 8\r\n"
)
STEERS = Behaviour(
    "486",
    "steers-the-terminal",
    "原因短语含标记",
    (Provisional(180, reason="Ringing [/x] \x1b[31m"), Wait(0.2), Reject(486, reason="Busy [/x]")),
    Expectation("rejected"),
)


async def test_a_reason_phrase_does_not_steer_the_terminal() -> None:
    async with Simulator(scenario={"486": STEERS}) as far_end:
        command = [sys.executable, "-m", "app.cli", "call", f"sip:486@{far_end.local}", "--tones-only"]
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        out, error = await process.communicate()
    assert (process.returncode, error) == (0, b"")
    assert b"Busy [/x]" in out
    assert b"\x1b" not in out


class NamedMedia(asyncio.DatagramProtocol):
    """Answers an INVITE with a session description that names a host, and takes the BYE."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, source: tuple[str, int]) -> None:
        text = data.decode()
        if text.startswith("ACK"):
            return
        kept = re.findall(r"^(?:Via|From|Call-ID|CSeq):.*$", text, re.MULTILINE | re.IGNORECASE)
        to = re.search(r"^To:.*$", text, re.MULTILINE)
        assert to is not None
        body = NAMED_MEDIA if text.startswith("INVITE") else ""
        lines = [
            "SIP/2.0 200 OK",
            *(line.strip() for line in kept),
            to[0].strip().split(";tag=")[0] + ";tag=t",
        ]
        host, port = self.transport.get_extra_info("sockname")
        lines += [f"Contact: <sip:far@{host}:{port}>", "Content-Type: application/sdp"]
        lines += [f"Content-Length: {len(body)}", "", body]
        self.transport.sendto("\r\n".join(lines).encode(), source)


async def test_media_at_a_host_name_is_an_error_of_the_record() -> None:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(NamedMedia, local_addr=("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    async with Phone() as phone:
        record = await phone.call(f"sip:1@127.0.0.1:{port}", Script(max_talk_s=0.5))
    transport.close()
    assert (record.outcome, record.ended_by, record.media.received) == ("answered", "us", 0)
    assert any("media.example.com" in error or "no G.711" in error for error in record.errors)


@pytest.mark.skipif(shutil.which("prlimit") is None, reason="prlimit (util-linux) is missing")
@pytest.mark.parametrize("files", [7, 9, 11])
def test_a_machine_without_free_files_is_our_failure(files: int, tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    command = ["prlimit", f"--nofile={files}:{files}", sys.executable, "-m", "app.cli", "call"]
    command += [f"sip:1@127.0.0.1:{port}", "--json", "--record", str(tmp_path / "call.flac")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 3
    record = json.loads(done.stdout)
    assert record["outcome"] == "network_failure"
    assert record["errors"]
    # No raw capture is left behind.
    assert list(tmp_path.glob(".*")) == []

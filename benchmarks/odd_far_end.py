"""Lines that no simulated line is: forked calls and calls that are changed while they last, by plain text over UDP.

`fork` rings at two places, and both answer: the first 200 is taken, the second must be acknowledged and hung up
(RFC 3261 section 13.2.2.4). `hold` answers, puts the caller on hold by re-INVITE and takes them back. All of them
send regular packets of silence while they last. It keeps its own book: of every dialog that it has
answered, whether the ACK and the BYE came.

It is written without the product's own core, so that one does not err as the other does. Loopback loses nothing, so
nothing is sent twice.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import struct
from collections import Counter
from dataclasses import dataclass, field

RING_S, HOLD_AFTER_S, HOLD_S = 1.0, 2.0, 1.5
_PERIOD_S = 0.02
_SILENCE = bytes([0xD5]) * 160
_LIMIT_S = 40.0
"""A dialog without its ACK or BYE after so long is left over."""
_SAME = re.compile(r"^(?:Via|From|Call-ID|CSeq|Record-Route):.*$", re.IGNORECASE | re.MULTILINE)
_AUDIO = re.compile(r"^m=audio (\d+)", re.MULTILINE)


def _field(text: str, name: str) -> str:
    found = re.search(rf"^{name}:\s*(.*?)\s*$", text, re.IGNORECASE | re.MULTILINE)
    return found[1] if found else ""


@dataclass(slots=True)
class _Dialog:
    invite: str
    near: tuple[str, int]
    tag: str
    media: tuple[str, int]
    acknowledged: bool = False
    over: bool = False
    asked: int = 0
    """re-INVITEs."""
    agreed: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    """Their 200s to our re-INVITEs."""

    @property
    def key(self) -> tuple[str, str]:
        return _field(self.invite, "Call-ID"), self.tag


class OddFarEnd(asyncio.DatagramProtocol):
    """Both lines on one socket: `await OddFarEnd.open(host)`."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._tags = itertools.count(1)
        self._dialogs: dict[tuple[str, str], _Dialog] = {}
        self._invites: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._wire: asyncio.DatagramTransport
        self._sound: asyncio.DatagramTransport
        self.counts: Counter[str] = Counter()
        """`answered`, `acknowledged`, `hung_up`, `held` and, at the end, `left`."""

    @classmethod
    async def open(cls, host: str) -> OddFarEnd:
        """Open the sockets and start sending."""
        loop = asyncio.get_running_loop()
        wire, far = await loop.create_datagram_endpoint(lambda: cls(host), local_addr=(host, 0))
        far._wire = wire
        far._sound, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=(host, 0))
        far._start(far._speak())
        return far

    @property
    def port(self) -> int:
        """Where the lines are reached."""
        return int(self._wire.get_extra_info("sockname")[1])

    async def close(self) -> None:
        """Wait for what is still under way, count what is left, and close."""
        for _ in range(int(_LIMIT_S / 0.1)):
            if all(dialog.over for dialog in self._dialogs.values()):
                break
            await asyncio.sleep(0.1)
        self.counts["left"] = sum(not dialog.over for dialog in self._dialogs.values())
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._wire.close()
        self._sound.close()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Take a message."""
        text = data.decode("utf-8", "replace")
        to_tag = re.search(r"tag=([^;\s>]+)", _field(text, "To"))
        from_tag = re.search(r"tag=([^;\s>]+)", _field(text, "From"))
        call_id, method = _field(text, "Call-ID"), text.partition(" ")[0]
        if method == "INVITE":
            self._invited(text, addr)
        elif method in ("ACK", "BYE"):
            self._within(method, text, addr, self._dialogs.get((call_id, to_tag[1] if to_tag else "")))
        elif method == "SIP/2.0" and from_tag is not None and text.startswith("SIP/2.0 200"):
            dialog = self._dialogs.get((call_id, from_tag[1]))
            if dialog is not None:
                dialog.agreed.put_nowait(text)

    def _invited(self, text: str, addr: tuple[str, int]) -> None:
        if _field(text, "Call-ID") in self._invites:
            return
        self._invites.add(_field(text, "Call-ID"))
        user = re.search(r"^INVITE sips?:([^@]+)@", text)
        self._start(self._play(text, addr, user[1].partition(".")[0] if user else ""))

    def _start(self, work: object) -> None:
        task: asyncio.Task[None] = asyncio.ensure_future(work)  # type: ignore[arg-type]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _play(self, invite: str, addr: tuple[str, int], user: str) -> None:
        audio = _AUDIO.search(invite)
        media = (addr[0], int(audio[1]) if audio else 0)
        dialogs = [
            _Dialog(invite, addr, f"t{next(self._tags)}", media) for _ in range(2 if user == "fork" else 1)
        ]
        self._respond(dialogs[0], "100 Trying", tag=False)
        for dialog in dialogs:
            self._respond(dialog, "180 Ringing")
        await asyncio.sleep(RING_S)
        for dialog in dialogs:
            self._dialogs[dialog.key] = dialog
            self.counts["answered"] += 1
            self._respond(dialog, "200 OK", self._description("sendrecv"))
        if user == "hold":
            await asyncio.sleep(HOLD_AFTER_S)
            await self._change(dialogs[0], "sendonly")
            await asyncio.sleep(HOLD_S)
            await self._change(dialogs[0], "sendrecv")
        self._invites.discard(_field(invite, "Call-ID"))

    async def _change(self, dialog: _Dialog, direction: str) -> None:
        """Ask for another direction and acknowledge what they say."""
        if dialog.over:
            return
        dialog.asked += 1
        self._ask(dialog, "INVITE", self._description(direction))
        try:
            answer = await asyncio.wait_for(dialog.agreed.get(), _LIMIT_S)
        except TimeoutError:
            self.counts["refused"] += not dialog.over
            return
        self._ask(dialog, "ACK")
        wanted = "recvonly" if direction == "sendonly" else "sendrecv"
        self.counts["held" if f"a={wanted}" in answer or wanted == "sendrecv" else "refused"] += 1

    def _within(self, method: str, text: str, addr: tuple[str, int], dialog: _Dialog | None) -> None:
        if method == "BYE":
            fields = [*_SAME.findall(text), f"To: {_field(text, 'To')}", "Content-Length: 0"]
            self._wire.sendto(
                ("\r\n".join(["SIP/2.0 200 OK", *map(str.strip, fields)]) + "\r\n\r\n").encode(), addr
            )
        if dialog is None:
            self.counts["unknown"] += method == "BYE"
        elif method == "ACK" and not dialog.acknowledged:
            dialog.acknowledged = True
            self.counts["acknowledged"] += 1
        elif method == "BYE" and not dialog.over:
            dialog.over = True
            self.counts["hung_up"] += 1
            if dialog.acknowledged:
                asyncio.get_running_loop().call_later(5.0, self._dialogs.pop, dialog.key, None)

    def _respond(self, dialog: _Dialog, status: str, body: str = "", *, tag: bool = True) -> None:
        to = _field(dialog.invite, "To") + (f";tag={dialog.tag}" if tag else "")
        fields = [*map(str.strip, _SAME.findall(dialog.invite)), f"To: {to}", f"Contact: <{self._contact}>"]
        self._send(f"SIP/2.0 {status}", fields, body, dialog.near)

    def _ask(self, dialog: _Dialog, method: str, body: str = "") -> None:
        """Send a request of ours within a dialog; it goes to their Contact."""
        remote = re.search(r"<([^>]+)>", _field(dialog.invite, "Contact"))
        fields = [
            f"Via: SIP/2.0/UDP {self._host}:{self.port};branch=z9hG4bK{dialog.tag}{dialog.asked}{method}",
            f"From: {_field(dialog.invite, 'To')};tag={dialog.tag}",
            f"To: {_field(dialog.invite, 'From')}",
            f"Call-ID: {dialog.key[0]}",
            f"CSeq: {dialog.asked} {method}",
            "Max-Forwards: 70",
            f"Contact: <{self._contact}>",
        ]
        self._send(f"{method} {remote[1] if remote else ''} SIP/2.0", fields, body, dialog.near)

    def _send(self, start: str, fields: list[str], body: str, near: tuple[str, int]) -> None:
        kind = ["Content-Type: application/sdp"] if body else []
        lines = [start, *fields, *kind, f"Content-Length: {len(body)}"]
        self._wire.sendto(("\r\n".join(lines) + "\r\n\r\n" + body).encode(), near)

    @property
    def _contact(self) -> str:
        return f"sip:odd@{self._host}:{self.port}"

    def _description(self, direction: str) -> str:
        port = self._sound.get_extra_info("sockname")[1]
        lines = [
            "v=0",
            f"o=- 1 {next(self._tags)} IN IP4 {self._host}",
            "s=-",
            f"c=IN IP4 {self._host}",
            "t=0 0",
        ]
        lines += [f"m=audio {port} RTP/AVP 8", "a=rtpmap:8 PCMA/8000", f"a={direction}"]
        return "\r\n".join(lines) + "\r\n"

    async def _speak(self) -> None:
        """Send a packet of silence to every call each 20 ms."""
        slot = asyncio.get_running_loop().time()
        for number in itertools.count():
            for dialog in self._dialogs.values():
                if not dialog.over and dialog.media[1]:
                    head = struct.pack(
                        "!BBHII", 0x80, 8, number & 0xFFFF, number * 160 & 0xFFFFFFFF, int(dialog.tag[1:])
                    )
                    self._sound.sendto(head + _SILENCE, dialog.media)
            slot += _PERIOD_S
            await asyncio.sleep(max(0.0, slot - asyncio.get_running_loop().time()))

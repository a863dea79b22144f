"""The signalling of the far end of `dutyring bench calls`: answers calls from templates of bytes.

It does what a line does and no more: 180 or 183 at once, 200 after its ring time, 200 for a BYE, 487 after a CANCEL
(RFC 3261 sections 13.3 and 9.2), the 200 of an INVITE repeated until its ACK (section 13.3.1.4). It reads no more of a
message than it has to echo, so that a call costs it some 0.1 ms.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable
from dataclasses import dataclass, field

Source = tuple[str, int]
Out = tuple[bytes, Source]

T1_S, T2_S = 0.5, 4.0
GIVE_UP_S = 32.0
KEPT_S = 1.0
"""How long an ended call is kept for what comes late."""
_AUDIO = re.compile(rb"^m=audio (\d+) \S+ ([0-9 ]+)", re.MULTILINE)
_CONNECTION = re.compile(rb"^c=IN IP4 ([0-9.]+)", re.MULTILINE)
_METHODS = b"INVITE, ACK, BYE, CANCEL, OPTIONS"


@dataclass(frozen=True, slots=True)
class Manners:
    """How the lines behave."""

    ring_s: float = 4.0
    early_sound: bool = True
    """183 with a session description, and ringback to be heard; else a 180 without."""


@dataclass(slots=True)
class Call:
    """One call that is ringing, talking, or has just ended."""

    source: Source
    echo: bytes
    """The header fields of its INVITE that every response to it repeats, with our tag."""
    sdp: bytes
    slot: int | None
    last: bytes = b""
    """The last response to the INVITE."""
    wait_s: float = T1_S
    repeat_until: float = 0.0
    answered: bool = False
    acknowledged: bool = False
    over: bool = False


@dataclass(slots=True)
class Counts:
    """What was seen of all calls."""

    invites: int = 0
    answered: int = 0
    acknowledged: int = 0
    ended: int = 0
    cancelled: int = 0
    repeated: int = 0
    """Messages that came or left again."""


OpenSound = Callable[[str, int, int], tuple[int, int] | None]
"""Takes where a caller hears and the payload type that it gets; returns the slot and the port at which we hear it.

None where there is no room."""


@dataclass(slots=True)
class Signalling:
    """All calls of the far end; sans-IO: messages and times in, messages out.

    `open_sound`, `answer_sound` and `close_sound` tell the sound of a call what to do.
    """

    host: str
    port: int
    manners: Manners
    open_sound: OpenSound
    answer_sound: Callable[[int], None]
    close_sound: Callable[[int], None]
    counts: Counts = field(default_factory=Counts)
    calls: dict[bytes, Call] = field(default_factory=dict)
    sent_at: dict[str, dict[str, float]] = field(default_factory=dict)
    """Call-ID -> what left -> monotonic seconds, for phones that nobody can watch on the wire."""
    _due: list[tuple[float, int, bytes, str]] = field(default_factory=list)
    _serial: int = 0

    def receive(self, data: bytes, source: Source, now: float) -> list[Out]:
        """Take a message; returns what leaves at once."""
        head, _, body = data.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        method = lines[0].partition(b" ")[0]
        call_id, echo = _echo(lines)
        if method.startswith(b"SIP/") or not call_id:
            return []
        if method == b"INVITE":
            return self._invite(call_id, echo, body, source, now)
        call = self.calls.get(call_id)
        if method == b"ACK":
            if call is not None and not call.acknowledged:
                call.acknowledged = True
                self.counts.acknowledged += 1
            return []
        if method == b"BYE":
            return self._bye(call, call_id, echo, source, now)
        if method == b"CANCEL":
            return self._cancel(call, call_id, echo, source, now)
        return [(_response(b"200 OK", _tagged(echo), self._contact), source)]

    def deadline(self) -> float | None:
        """Return the monotonic time at which `advance` has something to do."""
        return self._due[0][0] if self._due else None

    def advance(self, now: float) -> list[Out]:
        """Return what leaves because its time has come."""
        out: list[Out] = []
        while self._due and self._due[0][0] <= now:
            _at, _serial, call_id, what = heapq.heappop(self._due)
            call = self.calls.get(call_id)
            if call is None:
                continue
            if what == "forget":
                del self.calls[call_id]
            elif not call.over and not call.acknowledged:
                out.append(self._answer(call, call_id, now, again=what == "again"))
        return out

    @property
    def _contact(self) -> bytes:
        return b"Contact: <sip:far@%s:%d>\r\nAllow: %s\r\n" % (self.host.encode(), self.port, _METHODS)

    def _invite(self, call_id: bytes, echo: bytes, body: bytes, source: Source, now: float) -> list[Out]:
        known = self.calls.get(call_id)
        if known is not None:
            self.counts.repeated += 1
            return [(known.last, source)]
        self.counts.invites += 1
        audio, connection = _AUDIO.search(body), _CONNECTION.search(body)
        opened, payload = None, 8
        if audio is not None and connection is not None:
            payload = 8 if b"8" in audio[2].split() else 0
            opened = self.open_sound(connection[1].decode(), int(audio[1]), payload)
        sdp = self._sdp(opened[1] if opened else 9, payload)
        call = Call(source, _tagged(echo), sdp, opened[0] if opened else None)
        self.calls[call_id] = call
        if self.manners.early_sound and opened:
            call.last = self._with_sdp(b"183 Session Progress", call)
        else:
            call.last = _response(b"180 Ringing", call.echo, self._contact)
        self._later(now + self.manners.ring_s, call_id, "answer")
        self._note(call_id, "183" if self.manners.early_sound and opened else "180", now)
        return [(call.last, source)]

    def _answer(self, call: Call, call_id: bytes, now: float, *, again: bool) -> Out:
        if again:
            self.counts.repeated += 1
            call.wait_s = min(2 * call.wait_s, T2_S)
        else:
            call.last = self._with_sdp(b"200 OK", call)
            call.answered, call.repeat_until = True, now + GIVE_UP_S
            self.counts.answered += 1
            self._note(call_id, "200", now)
            if call.slot is not None:
                self.answer_sound(call.slot)
        if now + call.wait_s < call.repeat_until:
            self._later(now + call.wait_s, call_id, "again")
        return call.last, call.source

    def _bye(self, call: Call | None, call_id: bytes, echo: bytes, source: Source, now: float) -> list[Out]:
        if call is not None:
            self._end(call, call_id, now)
        return [(_response(b"200 OK" if call else b"481 Call Does Not Exist", echo, b""), source)]

    def _cancel(
        self, call: Call | None, call_id: bytes, echo: bytes, source: Source, now: float
    ) -> list[Out]:
        if call is None:
            return [(_response(b"481 Call Does Not Exist", _tagged(echo), b""), source)]
        out = [(_response(b"200 OK", _tagged(echo), b""), source)]
        if not call.answered and not call.over:
            self.counts.cancelled += 1
            call.last = _response(b"487 Request Terminated", call.echo, b"")
            out.append((call.last, call.source))
            self._end(call, call_id, now)
        return out

    def _end(self, call: Call, call_id: bytes, now: float) -> None:
        if call.over:
            self.counts.repeated += 1
            return
        call.over = True
        self.counts.ended += 1
        if call.slot is not None:
            self.close_sound(call.slot)
        self._later(now + KEPT_S, call_id, "forget")

    def _later(self, at: float, call_id: bytes, what: str) -> None:
        self._serial += 1
        heapq.heappush(self._due, (at, self._serial, call_id, what))

    def _note(self, call_id: bytes, what: str, now: float) -> None:
        self.sent_at.setdefault(call_id.decode("latin-1"), {}).setdefault(what, now)

    def _sdp(self, port: int, payload: int) -> bytes:
        host, codec = self.host.encode(), b"PCMA" if payload == 8 else b"PCMU"
        return (
            b"v=0\r\no=- 1 1 IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\nm=audio %d RTP/AVP %d 101\r\n"
            b"a=rtpmap:%d %s/8000\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\na=sendrecv\r\n"
        ) % (host, host, port, payload, payload, codec)

    def _with_sdp(self, status: bytes, call: Call) -> bytes:
        head = self._contact + b"Content-Type: application/sdp\r\n"
        return _response(status, call.echo, head, call.sdp)


def _echo(lines: list[bytes]) -> tuple[bytes, bytes]:
    """Return Call-ID and the header fields that a response repeats (RFC 3261 section 8.2.6.2)."""
    call_id, kept = b"", []
    for line in lines[1:]:
        name, _, value = line.partition(b":")
        name = name.strip().lower()
        if name in (b"via", b"v", b"from", b"f", b"to", b"t", b"cseq", b"record-route"):
            kept.append(line)
        elif name in (b"call-id", b"i"):
            call_id = value.strip()
            kept.append(line)
    return call_id, b"\r\n".join(kept) + b"\r\n"


_TO = re.compile(rb"^(?:to|t)[ \t]*:[^\r]*", re.IGNORECASE | re.MULTILINE)


def _tagged(echo: bytes) -> bytes:
    """Return the fields with our tag in To, where it has none."""
    found = _TO.search(echo)
    if found is None or b";tag=" in found[0].lower():
        return echo
    return echo[: found.end()] + b";tag=far" + echo[found.end() :]


def _response(status: bytes, echo: bytes, head: bytes, body: bytes = b"") -> bytes:
    return b"SIP/2.0 %s\r\n%s%sContent-Length: %d\r\n\r\n%s" % (status, echo, head, len(body), body)

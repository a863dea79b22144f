"""The side of the media engine that lives in the signalling process."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import ipaddress
import os
import socket
import subprocess
import sys
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from types import TracebackType
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sip.lateness import TOO_LATE_S, Lateness
from sip.media.channel import Message, Unframer, frame
from sip.media.digits import parse_digits
from sip.media.errors import EngineFull, EngineLost, MediaError
from sip.media.model import (
    ALWAYS,
    COLUMN_MS,
    Address,
    CapacityEstimate,
    CaptureFailed,
    DigitsSent,
    DtmfReceived,
    EngineHealth,
    FirstPacket,
    HeardBlock,
    MediaEvent,
    MediaLost,
    MediaReport,
    PacketLogFailed,
    PlayFinished,
    RemoteMedia,
    SessionSpec,
)
from sip.media.spawn import EndWatcher, spawn

_START_S: Final = 30.0
"""Interpreter and numpy on a machine that is busy."""
_END_S: Final = 3.0
_SOUNDS_KEPT: Final = 64
"""Prompts that stay in the engine for the next call."""
CAPACITY: Final = 4096
"""Sessions at once, however fast the machine; memory is taken for those that were."""
_LOOK_S: Final = 1.0
"""A call that waits for room looks again at least this often."""
_AT_ONCE: Final = 8
"""So many of the calls that wait for room begin in a second, besides those whose room a call has left: hundreds that
begin in one moment would take all of the room there is for their beginnings."""


class MediaSession:
    """One call's media. Made by `MediaEngine.open`."""

    def __init__(
        self, engine: MediaEngine, number: int, on_event: Callable[[MediaEvent], None] | None
    ) -> None:
        self.local: Address = ("", 0)
        """The bound UDP address, for the SDP. RTCP is on the next higher port."""
        self._engine = engine
        self._number = number
        self._queue: asyncio.Queue[MediaEvent | None] = asyncio.Queue()
        self._deliver = on_event or self._queue.put_nowait
        self._opened: asyncio.Future[Address] = asyncio.get_running_loop().create_future()
        self._report: asyncio.Future[MediaReport] = asyncio.get_running_loop().create_future()
        self._closing = False

    def begin(self, t0: float) -> None:
        """Set the call's time 0: the `time.monotonic()` at which its first INVITE was handed over.

        Creates the capture. What arrives before it is not used; only the first call counts. Of what arrives
        before the first `connect`, the last half second is kept until it is known whose sound is to be heard.
        """
        wall_time_s = time.time() - (time.monotonic() - t0)
        self._engine.command("begin", self._number, float(t0), wall_time_s)

    def connect(self, remote: RemoteMedia) -> None:
        """Send to `remote` from now on. May be called again, once for each SDP answer.

        Only sound of that address is heard, or of the one that is latched in its place (see `sip.media.gate`).
        An answer with port 0 or the unspecified address stops the sending. `MediaError` when the host is not
        a numeric address.
        """
        try:
            ipaddress.ip_address(remote.host)
        except ValueError:
            raise MediaError(f"cannot send media to {remote.host!r}: it is not a numeric address") from None
        self._engine.command("connect", self._number, remote)

    def play(self, samples: npt.NDArray[np.int16], *, loop: bool = False) -> None:
        """Play 8 kHz mono samples from the next packet on, in place of what plays now.

        `PlayFinished` follows after the last sample, unless it loops, is replaced or stopped. An empty sound
        is silence.
        """
        if len(samples) == 0:
            self.stop()
            return
        key = self._engine.provide(np.ascontiguousarray(samples, np.int16).tobytes())
        self._engine.command("play", self._number, key, loop)

    def stop(self) -> None:
        """Go back to sending silence."""
        self._engine.command("stop", self._number)

    def send_digits(self, text: str) -> None:
        """Send digits from the next packet on, after those that are being sent; `w` is a pause of 0.5 s.

        They leave as RTP events (RFC 4733) where the far side takes them, else as tones; each lasts 100 ms and
        is followed by 100 ms of silence. A sound that plays goes on after them. `DigitsSent` follows.
        `ValueError` names a character that cannot be sent.
        """
        self._engine.command("digits", self._number, parse_digits(text))

    def hasten(self, hasty: bool) -> None:
        """Have the sound written to the capture ten times a second, or twice as usual: somebody listens."""
        self._engine.command("hasten", self._number, hasty)

    async def events(self) -> AsyncIterator[MediaEvent]:
        """Yield what happens until the session is closed (only for sessions opened without `on_event`)."""
        while (event := await self._queue.get()) is not None:
            yield event

    async def close(self, end_ms: float) -> MediaReport:
        """End the media at `end_ms` and return its counts once the capture is whole on its file.

        A second call returns the same report. When the engine is lost the report says so in `lost`, after the
        writer has ended.
        """
        if not self._closing:
            self._closing = True
            self._engine.command("close", self._number, float(end_ms))
        return await asyncio.shield(self._report)

    # What the engine says

    def opened(self, local: Address) -> None:
        """Take the address that the engine bound."""
        self.local = local
        _settle(self._opened, local)

    def refused(self, reason: str) -> None:
        """Take the reason why there is no socket."""
        if not self._opened.done():
            self._opened.set_exception(MediaError(reason))

    def happened(self, event: MediaEvent) -> None:
        """Deliver an event. A handler that fails harms neither the other calls nor the connection to the engine."""
        try:
            self._deliver(event)
        except Exception as error:
            context = {"message": f"media event handler failed on {type(event).__name__}", "exception": error}
            asyncio.get_running_loop().call_exception_handler(context)

    def closed(self, report: MediaReport) -> None:
        """Take the final counts."""
        _settle(self._report, report)
        self._queue.put_nowait(None)

    def lost(self, reason: str) -> None:
        """Learn that the engine is gone."""
        if not self._opened.done():
            self._opened.set_exception(EngineLost(reason))
        elif not self._report.done():
            self.happened(MediaLost(reason))

    async def wait_open(self) -> None:
        """Return when the socket is bound; `MediaError` when it cannot be."""
        await self._opened


def _settle(future: asyncio.Future[Any], value: object) -> None:
    if not future.done():
        future.set_result(value)


class MediaEngine:
    """The media engine process, as its parent sees it."""

    def __init__(self, on_lost: Callable[[str], None] | None) -> None:
        loop = asyncio.get_running_loop()
        self.lost: asyncio.Future[str] = loop.create_future()
        """Done, with the reason, when the engine or its writer died unexpectedly."""
        self.pid = 0
        self.writer_pid: int | None = None
        self._on_lost = on_lost
        self._ready: asyncio.Future[None] = loop.create_future()
        self._writer_gone: asyncio.Future[None] = loop.create_future()
        self._sessions: dict[int, MediaSession] = {}
        self._numbers = 0
        self._health: deque[asyncio.Future[EngineHealth]] = deque()
        self._sounds: OrderedDict[bytes, None] = OrderedDict()
        self._ended = False
        self._closing = False
        self._measured = True
        self._estimate = CapacityEstimate(CAPACITY, "capacity", 0.0, 0, 0.0)
        self._freed = asyncio.Event()
        self._turns = 0
        """Calls that wait and may begin now."""
        self._lateness = Lateness()
        self.signalling_waits_s: Callable[[], float] = lambda: 0.0
        """Tells how long SIP messages wait to be read; beyond `TOO_LATE_S` no more calls are taken."""
        self.on_capacity: Callable[[], None] | None = None
        """Called about once a second, and when a call is refused: `capacity_estimate` may have changed."""

    @classmethod
    async def start(
        cls,
        *,
        writer: bool = True,
        bank: str | None = "sip.progress:FeatureBank",
        capacity: int = CAPACITY,
        on_lost: Callable[[str], None] | None = None,
        measured: bool = True,
    ) -> MediaEngine:
        """Spawn the engine, and its writer when captures are wanted.

        `bank` is the `module:Class` of the features (None: no session is analysed), `capacity` the number of
        sessions that can be open at once. Unless `measured` is False, calls that this machine cannot carry are
        refused (see `open`). `MediaError` when it does not come up.
        """
        engine = cls(on_lost)
        engine._measured = measured
        await engine._spawn(writer, bank, capacity)
        try:
            await asyncio.wait_for(engine._ready, _START_S)
        except TimeoutError:
            engine._process.kill()
            await engine.close()
            raise MediaError(f"the media engine did not start within {_START_S:.0f} s") from None
        except EngineLost:
            await engine.close()
            raise MediaError("the media engine ended while starting; see its standard error") from None
        return engine

    async def _spawn(self, writer: bool, bank: str | None, capacity: int) -> None:
        ours, theirs = socket.socketpair()
        alive, held = os.pipe()
        command = [sys.executable, "-m", "sip.media.engine", "--parent", str(theirs.fileno())]
        command += ["--alive", str(held), "--capacity", str(capacity)]
        command += ["--bank", bank] if bank else []
        command += ["--writer"] if writer else []
        self._process = spawn(command, [theirs.fileno(), held])
        theirs.close()
        os.close(held)
        self.pid = self._process.pid
        loop = asyncio.get_running_loop()
        self._watch, _ = await loop.connect_read_pipe(
            lambda: EndWatcher(self._writer_gone), os.fdopen(alive, "rb", 0)
        )
        await loop.create_connection(lambda: _Link(self), sock=ours)

    async def open(
        self,
        spec: SessionSpec,
        on_event: Callable[[MediaEvent], None] | None = None,
        *,
        wait_s: float = 0.0,
        stop: asyncio.Event | None = None,
    ) -> MediaSession:
        """Bind a socket for a call; `MediaError` names what cannot be had, `EngineLost` when the engine is gone.

        Events go to `on_event`, called in the event loop, or else to `MediaSession.events`. `EngineFull` when this
        machine cannot carry another call and no room came free within `wait_s`, or before `stop`.
        """
        await self._wait_for_room(wait_s, stop)
        self._numbers += 1
        session = self._sessions[self._numbers] = MediaSession(self, self._numbers, on_event)
        capture, packets = spec.capture, spec.packets
        spec = replace(spec, capture=capture and capture.absolute(), packets=packets and packets.absolute())
        self.command("open", self._numbers, spec)
        try:
            await session.wait_open()
        except BaseException:  # also when the caller was cancelled: its socket must not stay open
            self._sessions.pop(session._number, None)
            self.command("close", session._number, 0.0)
            raise
        return session

    def capacity_estimate(self) -> CapacityEstimate:
        """Return how many calls this machine carries at once, and how many are open; at most a second old."""
        estimate = replace(self._estimate, sessions=len(self._sessions))
        waits_s = max(self._lateness.lasting_s, self.signalling_waits_s())
        if waits_s <= TOO_LATE_S:
            return estimate
        calls = min(estimate.calls, max(ALWAYS, estimate.sessions))
        return replace(estimate, calls=calls, limited_by="behind", waits_s=round(waits_s, 2))

    async def _wait_for_room(self, wait_s: float, stop: asyncio.Event | None) -> None:
        until = time.monotonic() + wait_s
        waited = False
        while True:
            if self._ended:
                raise EngineLost("the media engine is not running")
            estimate = self.capacity_estimate()
            if not self._measured:
                return
            if not estimate.full and (self._turns or not waited):
                self._turns -= waited
                return
            self._tell_capacity()
            left_s = until - time.monotonic()
            if left_s <= 0 or (stop is not None and stop.is_set()):
                raise EngineFull(estimate)
            waited = True
            self._freed.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._freed.wait(), min(left_s, _LOOK_S))

    def _tell_capacity(self) -> None:
        if self.on_capacity is not None:
            self.on_capacity()

    async def health(self, ticks: int | None = None) -> EngineHealth:
        """Return how the engine keeps up, over the last `ticks` ticks (None: 80 s); `EngineLost` when it is gone."""
        if self._ended:
            raise EngineLost("the media engine is not running")
        answer: asyncio.Future[EngineHealth] = asyncio.get_running_loop().create_future()
        self._health.append(answer)
        self.command("health", ticks)
        return await answer

    def provide(self, pcm: bytes) -> bytes:
        """Make a sound known to the engine; return its key."""
        key = hashlib.blake2b(pcm, digest_size=16).digest()
        if key not in self._sounds:
            self.command("sound", key, pcm)
        self._sounds[key] = None
        self._sounds.move_to_end(key)
        if len(self._sounds) > _SOUNDS_KEPT:
            self.command("drop", self._sounds.popitem(last=False)[0])
        return key

    def command(self, *message: object) -> None:
        """Send a command; it is dropped when the engine is gone, which `lost` tells."""
        if not self._ended:
            self._transport.write(frame(message))

    async def close(self) -> None:
        """End the engine: its sockets are closed, captures are written out, both processes are gone."""
        self._closing = True
        if not self._transport.is_closing():
            self._transport.close()
        try:
            await asyncio.to_thread(self._process.wait, _END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._writer_gone), _END_S)
        # A writer that takes longer ends by itself; nobody waits for it any more.
        self._watch.close()

    async def __aenter__(self) -> MediaEngine:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # What the engine says

    def linked(self, transport: asyncio.WriteTransport) -> None:
        """Take the connection to the engine."""
        self._transport = transport

    def told(self, message: Message) -> None:
        """Take a message of the engine."""
        verb, *rest = message
        if verb == "ready":
            self.writer_pid = rest[0]
            _settle(self._ready, None)
        elif verb == "health":
            _settle(self._health.popleft(), rest[0])
        elif verb == "capacity":
            self._estimate, said_s = rest
            self._lateness.note(said_s)
            self._turns = _AT_ONCE
            self._freed.set()
            self._tell_capacity()
        elif verb == "writer_lost":
            self._lose("the capture writer died")
        elif verb == "heard":
            self._heard(*rest)
        elif (session := self._sessions.get(rest[0])) is not None:
            self._told_session(session, verb, *rest[1:])

    def _heard(
        self, numbers: list[int], columns: list[int], count: int, features: bytes, present: bytes
    ) -> None:
        """Deliver the blocks of many sessions, `count` columns of each."""
        every = np.frombuffer(features, np.float32).reshape(len(numbers), count, -1)
        heard = np.frombuffer(present, np.bool_).reshape(len(numbers), count, -1)
        for place, number in enumerate(numbers):
            session = self._sessions.get(number)
            if session is not None:
                start_ms = float(columns[place] * COLUMN_MS)
                session.happened(HeardBlock(start_ms, every[place].copy(), heard[place].copy()))

    def _told_session(self, session: MediaSession, verb: str, *rest: Any) -> None:
        if verb == "opened":
            session.opened(rest[0])
        elif verb == "refused":
            session.refused(rest[0])
        elif verb == "closed":
            self._sessions.pop(session._number)
            self._turns += 1
            self._freed.set()
            session.closed(rest[0])
        else:
            session.happened(_EVENTS[verb](*rest))

    def unlinked(self) -> None:
        """Learn that the connection to the engine has ended."""
        self._ended = True
        reason = "the media engine was closed" if self._closing else "the media engine died"
        if not self._ready.done():
            self._ready.set_exception(EngineLost(reason))
        for answer in self._health:
            if not answer.done():
                answer.set_exception(EngineLost(reason))
        self._lose(reason)
        self._unlinked = asyncio.ensure_future(self._abandon(reason))

    def _lose(self, reason: str) -> None:
        if not self._closing and not self.lost.done():
            self.lost.set_result(reason)
            if self._on_lost is not None:
                self._on_lost(reason)
        for session in list(self._sessions.values()):
            session.lost(reason)

    async def _abandon(self, reason: str) -> None:
        """Close the sessions that nobody answers for any more, once the writer has written what it had."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._writer_gone), _END_S)
        for session in list(self._sessions.values()):
            session.closed(MediaReport(lost=reason))
        self._sessions.clear()


_EVENTS: Final[dict[str, Callable[..., MediaEvent]]] = {
    "first": FirstPacket,
    "digit": DtmfReceived,
    "finished": PlayFinished,
    "digits_sent": DigitsSent,
    "capture_failed": CaptureFailed,
    "log_failed": PacketLogFailed,
}


class _Link(asyncio.Protocol):
    """The connection to the engine."""

    def __init__(self, engine: MediaEngine) -> None:
        self._engine = engine
        self._unframer = Unframer()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._engine.linked(transport)

    def data_received(self, data: bytes) -> None:
        for message in self._unframer.feed(data):
            self._engine.told(message)

    def connection_lost(self, exc: Exception | None) -> None:
        self._engine.unlinked()

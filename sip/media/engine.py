"""The media engine process: one absolute tick for all calls.

Run as `python -m sip.media.engine` by `MediaEngine.start`, with its end of a socket pair to the parent. Every
20 ms it sends what each call owes, takes what the sockets received, has the due columns analysed and hands
finished sound to the writer. Between ticks it only waits for the parent and the writer. It never touches a
disk, and it ends when the parent's end of the pair closes.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import select
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections import deque
from typing import Final

from sip.media.analysis import Analyst, load_bank
from sip.media.call import Call
from sip.media.capture import Block
from sip.media.channel import Channel, Message
from sip.media.model import COLUMN_MS, COLUMN_SAMPLES, MediaReport, RemoteMedia
from sip.media.pace import Pace
from sip.media.send import Sound
from sip.media.timeline import HeardMatrix, TimeLine
from sip.media.udp import wall_offset
from sip.record import DtmfDigit

_TICK_S: Final = COLUMN_MS / 1000
_LONGEST_CATCH_UP_S: Final = 0.2
"""After a longer stall the missed slots are given up instead of being sent in one burst."""
_COMMAND_S: Final = 0.002
"""What a command may cost: none is begun closer to a tick than this."""
_HARVEST_TICKS: Final = 25
_HARVEST_DELAY_S: Final = 0.3
"""How late a packet may be to still get into the capture."""
_PARENT_LIMIT_BYTES: Final = 32 << 20
_WRITER_LIMIT_BYTES: Final = 64 << 20
"""40 s of 100 calls: a stalled disk costs sound only after that."""
_ROUNDS: Final = 64
_FAILURES_SHOWN: Final = 3
_NICE: Final = -11
"""As desktop sound servers run, where real-time scheduling is not allowed."""
_GOODBYE_S: Final = 1.5
_LATEST_END_MS: Final = 1000.0
"""A call cannot have ended further in the future than this."""


class Engine:
    """All calls of the process.

    Each call's part of a tick runs in a guard of its own: a fault in one is printed and counted (`_failed`),
    and the other calls' packets leave in time.
    """

    def __init__(self, parent: Channel, writer: Channel | None, capacity: int, bank: str | None) -> None:
        self._parent = parent
        self._writer = writer
        self._matrix = HeardMatrix(capacity)
        self._analyst = Analyst(self._matrix, load_bank(bank, capacity), capacity) if bank else None
        self._free_rows = list(range(capacity - 1, -1, -1))
        self._calls: dict[int, Call] = {}
        self._sockets: dict[int, Call] = {}
        self._sounds: dict[bytes, Sound] = {}
        self._closing: dict[int, MediaReport] = {}
        self._epoll = select.epoll()
        self._commands: deque[Message] = deque()
        self._ticks = 0
        self._pace = Pace()
        self._blocks_dropped = 0

    # The loop

    def run(self) -> None:
        """Tick until the parent is gone."""
        deadline = time.monotonic() + _TICK_S
        while not self._parent.closed:
            self._wait(deadline)
            now = time.monotonic()
            if now < deadline:
                continue
            if now - deadline > _LONGEST_CATCH_UP_S:
                missed = int((now - deadline) / _TICK_S)
                deadline += missed * _TICK_S
                for call in self._calls.values():
                    call.skip(missed)
            self._tick(deadline)
            self._pace.note(now - deadline, time.monotonic() - now)
            deadline += _TICK_S
        self._leave()

    def _wait(self, deadline: float) -> None:
        """Serve parent and writer until the deadline. `select` has microseconds where `epoll` has milliseconds.

        Commands that would run into the tick wait for the next gap: a hundred calls that end together must not
        make the packets of others late.
        """
        channels = [c for c in (self._parent, self._writer) if c is not None]
        pending = [channel for channel in channels if channel.pending]
        timeout = 0.0 if self._commands else max(0.0, deadline - time.monotonic())
        readable, writable, _ = select.select(channels, pending, [], timeout)
        for channel in writable:
            channel.flush()
        if self._writer in readable:
            self._hear_writer()
        if self._parent in readable:
            self._commands.extend(self._parent.receive())
        while self._commands and time.monotonic() < deadline - _COMMAND_S:
            self._obey(self._commands.popleft())
        self._parent.flush()

    def _tick(self, slot: float) -> None:
        self._ticks += 1
        self._send(slot)
        self._receive()
        if self._analyst is not None:
            self._send_blocks(self._analyst.run(slot))
        for call in self._calls.values():
            if (self._ticks + call.row) % _HARVEST_TICKS == 0 and call.t0 is not None:
                try:
                    self._harvest(call, slot)
                except Exception:
                    _failed(call)
        if self._commands:
            # However full the ticks are, commands are heard.
            self._obey(self._commands.popleft())
        self._parent.flush()
        if self._writer is not None:
            self._writer.flush()

    def _send(self, slot: float) -> None:
        for call in self._calls.values():
            if call.sender.remote is None:
                continue
            try:
                if call.send(slot):
                    self._tell("finished", call, call.since_start_ms(slot + _TICK_S))
            except Exception:
                _failed(call)

    def _receive(self) -> None:
        offset, now = wall_offset(), time.monotonic()
        for _ in range(_ROUNDS):
            events = self._epoll.poll(0, 4096)
            if not events:
                return
            for descriptor, event in events:
                call = self._sockets[descriptor]
                try:
                    if event & select.EPOLLERR:
                        call.refused()
                    if event & select.EPOLLIN:
                        self._take(call, offset, now)
                except Exception:
                    _failed(call)

    def _drain(self, call: Call) -> None:
        """Take what has arrived for one call."""
        offset, now = wall_offset(), time.monotonic()
        waiting = select.poll()
        waiting.register(call.socket, select.POLLIN)
        for _ in range(_ROUNDS):
            if not waiting.poll(0):
                return
            self._take(call, offset, now)

    def _take(self, call: Call, offset: float, now: float) -> None:
        unheard = call.receiver.first_packet_ms is None
        ended = call.receive(offset, now)
        if unheard and call.receiver.first_packet_ms is not None:
            self._tell("first", call, call.receiver.first_packet_ms)
        if ended:
            self._tell_digits(call, ended)

    def _harvest(self, call: Call, now: float) -> None:
        self._tell_digits(call, call.expire(now))
        until = call.position(now - _HARVEST_DELAY_S)
        if call.analyse and self._analyst is not None:
            until = min(until, self._analyst.column(call) * COLUMN_SAMPLES)
        self._store(call, call.harvest(until))

    def _store(self, call: Call, blocks: list[Block]) -> None:
        if self._writer is None or not call.recorded:
            return
        data = b"".join(block.pack() for block in blocks)
        if not self._writer.send(("write", call.number, data), droppable=True):
            call.recorded = False
            self._tell("capture_failed", call, "the disk has been stalled for too long")

    def _send_blocks(self, blocks: list[Message]) -> None:
        for block in blocks:
            if not self._parent.send(block, droppable=True):
                self._blocks_dropped += 1

    def _tell(self, verb: str, call: Call, *rest: object) -> None:
        self._parent.send((verb, call.number, *rest))

    def _tell_digits(self, call: Call, digits: list[DtmfDigit]) -> None:
        for digit in digits:
            self._tell("digit", call, digit.digit, digit.t_ms, digit.duration_ms)

    # Commands of the parent

    def _obey(self, message: Message) -> None:
        """Do what the parent wants; a command that goes wrong harms its own call at most."""
        try:
            self._follow(message)
        except Exception as error:
            error.add_note(f"It was command {message[:2]!r} of the media engine's parent.")
            traceback.print_exc()
            self._answer_failed(message, f"{type(error).__name__}: {error}")

    def _answer_failed(self, message: Message, reason: str) -> None:
        """Answer a command that went wrong where the parent waits for an answer."""
        match message:
            case ("open", int(number), *_) if number not in self._calls:
                self._parent.send(("refused", number, f"the media engine failed: {reason}"))
            case ("close", int(number), *_) if number in self._calls:
                call = self._calls[number]
                report = MediaReport(lost=f"the media engine failed at the end: {reason}")
                if call.recorded and self._writer is not None:
                    self._closing[number] = report
                    self._writer.send(("close", number))
                else:
                    self._parent.send(("closed", number, report))
                if self._analyst is not None:
                    self._analyst.forget(call)
                self._forget(call)

    def _follow(self, message: Message) -> None:
        verb, *rest = message
        if verb == "open":
            self._open(*rest)
        elif verb == "sound":
            self._sounds[rest[0]] = Sound(rest[1])
        elif verb == "drop":
            self._sounds.pop(rest[0], None)
        elif verb == "health":
            self._parent.send(("health", self._pace.health(len(self._calls), self._blocks_dropped)))
        elif (call := self._calls.get(rest[0])) is not None:
            self._command(call, verb, *rest[1:])

    def _open(
        self, number: int, host: str, ports: tuple[int, int] | None, capture: str | None, analyse: bool
    ) -> None:
        reason = self._obstacle(capture, analyse)
        if reason is None:
            row = self._free_rows[-1]
            try:
                call = Call.open(number, row, TimeLine(self._matrix, row), host, ports)
            except OSError as error:
                reason = f"cannot bind a media port on {host}: {error.strerror or error}"
        if reason is not None:
            self._parent.send(("refused", number, reason))
            return
        self._free_rows.pop()
        call.capture, call.analyse = capture, analyse
        self._calls[number] = self._sockets[call.socket.fileno()] = call
        self._epoll.register(call.socket.fileno(), select.EPOLLIN)
        self._parent.send(("opened", number, call.socket.getsockname()[:2]))

    def _obstacle(self, capture: str | None, analyse: bool) -> str | None:
        if not self._free_rows:
            return f"the media engine holds {len(self._calls)} calls already, which is its capacity"
        if capture is not None and self._writer is None:
            return "the media engine has no writer, so nothing can be captured"
        if analyse and self._analyst is None:
            return "the media engine was started without a feature bank, so nothing can be analysed"
        return None

    def _command(self, call: Call, verb: str, *rest: object) -> None:
        match verb, rest:
            case "begin", (float(t0), float(wall_time_s)):
                self._begin(call, t0, wall_time_s)
            case "connect", (RemoteMedia() as remote,):
                if call.t0 is None:
                    self._begin(call, time.monotonic(), time.time())
                call.connect(remote)
            case "play", (bytes(key), bool(loop)):
                call.sender.play(self._sounds[key], loop=loop)
            case "stop", ():
                call.sender.stop()
            case "close", (float(end_ms),):
                self._close(call, end_ms)

    def _begin(self, call: Call, t0: float, wall_time_s: float) -> None:
        if call.t0 is not None:
            return
        call.t0 = t0
        if call.analyse and self._analyst is not None:
            self._analyst.begin(call)
        if call.capture is not None and self._writer is not None:
            call.recorded = True
            self._writer.send(("open", call.number, call.capture, wall_time_s))
            self._writer.flush()

    def _close(self, call: Call, end_ms: float) -> None:
        """End a call; the report waits until the writer has closed the capture."""
        self._drain(call)
        end_ms = max(0.0, min(end_ms, call.since_start_ms(time.monotonic()) + _LATEST_END_MS))
        self._tell_digits(call, call.expire(float("inf")))
        if call.analyse and self._analyst is not None and call.t0 is not None:
            self._send_blocks(self._analyst.finish(call, end_ms / 1000))
        report = call.report()
        if self._writer is not None and call.capture is not None and call.t0 is not None:
            self._store(call, call.last_harvest(round(end_ms * 8)))
            self._closing[call.number] = report
            self._writer.send(("close", call.number))
            self._writer.flush()
        else:
            self._parent.send(("closed", call.number, report))
        self._forget(call)

    def _forget(self, call: Call) -> None:
        self._epoll.unregister(call.socket.fileno())
        del self._sockets[call.socket.fileno()]
        del self._calls[call.number]
        call.socket.close()
        self._free_rows.append(call.row)
        if not self._calls:
            gc.collect()

    # The writer

    def _hear_writer(self) -> None:
        if self._writer is None:
            return
        for verb, number, *rest in self._writer.receive():
            if verb == "closed":
                report = self._closing.pop(number, None)
                if report is not None:
                    self._parent.send(("closed", number, report))
            elif number in self._calls:
                self._calls[number].recorded = False
                self._parent.send(("capture_failed", number, rest[0]))
            elif number in self._closing:
                self._parent.send(("capture_failed", number, rest[0]))
        if self._writer.closed:
            self._writer = None
            self._parent.send(("writer_lost",))
            for number, report in self._closing.items():
                self._parent.send(("closed", number, report))
            self._closing.clear()
        self._parent.flush()

    def _leave(self) -> None:
        """Hand everything to the writer, and end."""
        now = time.monotonic()
        if self._writer is None:
            return
        for call in self._calls.values():
            if call.t0 is not None:
                self._store(call, call.harvest(call.position(now)))
        end = now + _GOODBYE_S
        while self._writer.pending and time.monotonic() < end:
            select.select([], [self._writer], [], max(0.0, end - time.monotonic()))
            self._writer.flush()
        self._writer.close()


def _failed(call: Call) -> None:
    """Note a fault of ours in one call's part of a tick; the other calls go on."""
    call.failures += 1
    if call.failures <= _FAILURES_SHOWN:
        traceback.print_exc()


def _spawn_writer(alive: int | None) -> tuple[Channel, int]:
    """Start the writer; `alive` is a pipe that its parent's parent watches, held open by nobody else."""
    ours, theirs = socket.socketpair()
    inherited = [theirs.fileno()] + ([alive] if alive is not None else [])
    process = subprocess.Popen(
        [sys.executable, "-m", "sip.media.writer", str(theirs.fileno())],
        pass_fds=inherited,
        stdin=subprocess.DEVNULL,
    )
    theirs.close()
    return Channel(ours, _WRITER_LIMIT_BYTES), process.pid


def _hurry() -> None:
    """Go before ordinary work, as telephone servers do.

    Only a privileged user may; without it a busy machine makes packets late.
    """
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except OSError:
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, _NICE)


def main() -> None:
    """Run the engine on the descriptors of the command line."""
    parser = argparse.ArgumentParser(prog="python -m sip.media.engine")
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--alive", type=int, required=True)
    parser.add_argument("--capacity", type=int, required=True)
    parser.add_argument("--bank")
    parser.add_argument("--writer", action="store_true")
    options = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # a writer that dies leaves no zombie
    parent = Channel(socket.socket(fileno=options.parent), _PARENT_LIMIT_BYTES)
    writer, writer_pid = _spawn_writer(options.alive) if options.writer else (None, None)
    os.close(options.alive)
    _hurry()
    engine = Engine(parent, writer, options.capacity, options.bank)
    gc.collect()
    gc.freeze()
    gc.disable()
    parent.send(("ready", writer_pid))
    engine.run()


if __name__ == "__main__":
    main()

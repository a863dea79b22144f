"""The media engine process: one absolute tick for all calls.

Run as `python -m sip.media.engine` by `MediaEngine.start`, with its end of a socket pair to the parent. Every
20 ms it sends what each call owes, takes what the sockets received, has the due columns analysed and hands
finished sound to the writer. Between ticks it only waits for the parent and the writer. It never touches a
disk, and it ends when the parent's end of the pair closes.
"""

from __future__ import annotations

import argparse
import errno
import gc
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections import deque
from dataclasses import replace
from functools import partial
from typing import Final

from sip.media.admission import USUAL_US, CapacityWatch, open_files, try_out
from sip.media.analysis import Analyst, load_bank
from sip.media.call import Call
from sip.media.channel import Channel, Message
from sip.media.intake import Intake
from sip.media.keeper import WRITER_LIMIT_BYTES, Keeper
from sip.media.model import COLUMN_MS, COLUMN_SAMPLES, MediaReport, RemoteMedia, SessionSpec
from sip.media.outlet import Outlet
from sip.media.pace import Pace
from sip.media.rights import hurry, open_many
from sip.media.send import Sound
from sip.media.timeline import HeardMatrix, TimeLine
from sip.media.uring import Ring
from sip.record import DtmfDigit

_TICK_S: Final = COLUMN_MS / 1000
_LONGEST_CATCH_UP_S: Final = 0.2
"""After a longer stall the missed slots are given up instead of being sent in one burst."""
_COMMAND_S: Final = 0.002
"""What a command may cost: none is begun closer to a tick than this."""
_COMMANDS_SHARE: Final = 0.2
"""Of what a tick took beyond its slot: so long commands are obeyed after it."""
_LOOK_TICKS: Final = 25
_HARVEST_TICKS: Final = 2 * _LOOK_TICKS
_HASTY_TICKS: Final = 5
"""The same for calls that somebody listens to."""
_HARVEST_DELAY_S: Final = 0.3
"""How late a packet may be to still get into the capture."""
_PARENT_LIMIT_BYTES: Final = 64 << 20
"""10 s of the columns of 1,000 calls."""
_RECENT_TICKS: Final = 250
_TRY_TICKS: Final = 3000
"""A minute; what the machine can do is tried again so often while nobody calls."""
_FAILURES_SHOWN: Final = 3
_LATEST_END_MS: Final = 1000.0
"""A call cannot have ended further in the future than this."""


class Engine:
    """All calls of the process.

    Each call's part of a tick runs in a guard of its own: a fault in one is printed and counted (`_failed`),
    and the other calls' packets leave in time.
    """

    def __init__(self, parent: Channel, writer: Channel | None, capacity: int, bank: str | None) -> None:
        self._parent = parent
        self._matrix = HeardMatrix(capacity)
        features = load_bank(bank, capacity) if bank else None
        self._analyst = Analyst(self._matrix, features, capacity) if features is not None else None
        ring = Ring.open()
        self._try_out = partial(try_out, ring, features.push if features is not None else None)
        self._watch = CapacityWatch(USUAL_US, capacity, open_files())
        self._intake = Intake(self._matrix, self._tell_heard, _failed, ring)
        self._outlet = Outlet(capacity, self._tell, _failed, ring)
        self._keeper = Keeper(writer, self._tell_number)
        self._free_rows = list(range(capacity - 1, -1, -1))
        self._rows: list[Call | None] = [None] * capacity
        self._calls: dict[int, Call] = {}
        self._hasty: dict[int, Call] = {}
        """Those whose sound goes to the capture more often than usual."""
        self._sounds: dict[bytes, Sound] = {}
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
                    self._outlet.recall(call)
                    call.skip(missed)
            self._tick(deadline)
            bank_s = self._analyst.bank_s if self._analyst is not None else 0.0
            late_s, work_s = now - deadline, time.monotonic() - now
            self._pace.note(late_s, work_s, bank_s)
            if self._watch.note(late_s, work_s):
                self._close_second()
            deadline += _TICK_S
        self._leave()

    def _close_second(self) -> None:
        """Learn from the last second's ticks; while there are no calls, try now and then what one would cost."""
        self._watch.close(sum(call.sender.remote is not None for call in self._calls.values()))
        if not self._calls and self._ticks % _TRY_TICKS == 0:
            self.measure()
        self.tell_capacity()

    def measure(self) -> None:
        """Try what a call would cost, before there are any."""
        self._watch.tried(self._try_out())

    def tell_capacity(self) -> None:
        """Let the parent know how many calls can be carried."""
        estimate = self._watch.estimate()
        slow_ms = self._pace.health(0, 0, _RECENT_TICKS).tick_ms_p99
        told = replace(estimate, tick_ms_p99=round(slow_ms, 2))
        self._parent.send(("capacity", told, time.monotonic()), droppable=True)

    def _wait(self, deadline: float) -> None:
        """Serve parent and writer until the deadline. `select` has microseconds where `epoll` has milliseconds.

        Commands that would run into the tick wait for the next gap: a hundred calls that end together must not
        make the packets of others late.
        """
        writer = self._keeper.channel
        channels = [c for c in (self._parent, writer) if c is not None]
        pending = [channel for channel in channels if channel.pending]
        timeout = 0.0 if self._commands else max(0.0, deadline - time.monotonic())
        readable, writable, _ = select.select(channels, pending, [], timeout)
        for channel in writable:
            channel.flush()
        if writer is not None and writer in readable:
            self._keeper.hear(self._calls)
        if self._parent in readable:
            self._commands.extend(self._parent.receive())
        while self._commands and time.monotonic() < deadline - _COMMAND_S:
            self._obey(self._commands.popleft())
        self._keeper.flush(self._calls)
        self._parent.flush()

    def _tick(self, slot: float) -> None:
        began = time.monotonic()
        self._ticks += 1
        self._outlet.run(slot)
        self._intake.run()
        if self._analyst is not None:
            self._send_blocks(self._analyst.run(slot))
        for phase in (0, _LOOK_TICKS):
            for row in range((self._ticks + phase) % _HARVEST_TICKS, len(self._rows), _HARVEST_TICKS):
                call = self._rows[row]
                if call is not None:
                    self._harvest_safely(call, slot, store=not phase)
        if self._hasty and self._ticks % _HASTY_TICKS == 0:
            for call in list(self._hasty.values()):
                self._harvest_safely(call, slot)
        self._obey_some(time.monotonic() - began)
        self._parent.flush()
        self._keeper.flush(self._calls)

    def _obey_some(self, took_s: float) -> None:
        """However full the ticks are, commands are heard: one after each, and more after one that took too long.

        There is no gap then, and it is the calls that end which relieve the engine.
        """
        until = time.monotonic() + _COMMANDS_SHARE * (took_s - _TICK_S)
        while self._commands:
            self._obey(self._commands.popleft())
            if time.monotonic() >= until:
                return

    def _tell_heard(self, call: Call, ended: list[DtmfDigit]) -> None:
        """Tell of the first packet and of the digits that ended."""
        if not call.told_first and call.receiver.first_packet_ms is not None:
            call.told_first = True
            self._tell("first", call, call.receiver.first_packet_ms)
        self._tell_digits(call, ended)
        self._outlet.follow(call)
        # No column is analysed into which a packet that waits for its address might still go.
        since = call.gate.held_since()
        call.attentive = not call.told_first or since is not None
        if self._analyst is not None and call.analyse:
            self._analyst.limit(call, None if since is None else call.position(since) // COLUMN_SAMPLES)

    def _harvest_safely(self, call: Call, now: float, *, store: bool = True) -> None:
        if call.t0 is not None:
            try:
                self._look_after(call, now)
                if store:
                    self._harvest(call, now)
            except Exception:
                _failed(call)

    def _look_after(self, call: Call, now: float) -> None:
        """Do what is due twice a second: the log for the writer, reports, and what waits in vain."""
        due = call.reporter.due(now)
        if due or not call.filtered:
            self._intake.sync(call)
            self._outlet.sync(call)
        call.follow(now)
        if due:
            call.reporter.report(now)
        ended = call.expire(now)
        if ended or call.attentive or call.redirected:
            self._tell_heard(call, ended)
        self._keeper.store_log(call)

    def _harvest(self, call: Call, now: float) -> None:
        """Hand sound to the writer, once a second: half as often costs little more than half as much."""
        until = call.position(now - _HARVEST_DELAY_S)
        if (since := call.gate.held_since()) is not None:
            until = min(until, call.position(since))
        if call.analyse and self._analyst is not None:
            until = min(until, self._analyst.column(call) * COLUMN_SAMPLES)
        self._outlet.collect(call)
        self._keeper.store(call, call.harvest(until))

    def _send_blocks(self, blocks: list[Message]) -> None:
        for block in blocks:
            if not self._parent.send(block, droppable=True):
                self._blocks_dropped += len(block[1])

    def _tell(self, verb: str, call: Call, *rest: object) -> None:
        self._parent.send((verb, call.number, *rest))

    def _tell_number(self, verb: str, *rest: object) -> None:
        self._parent.send((verb, *rest))

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
                if call.recorded:
                    self._keeper.close(call, report, self._calls)
                else:
                    self._tell("closed", call, report)
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
            health = self._pace.health(len(self._calls), self._blocks_dropped, *rest)
            self._parent.send(("health", health))
        elif (call := self._calls.get(rest[0])) is not None:
            self._command(call, verb, *rest[1:])

    def _open(self, number: int, spec: SessionSpec) -> None:
        reason = self._obstacle(spec)
        if reason is None:
            row = self._free_rows[-1]
            try:
                call = Call(number, row, TimeLine(self._matrix, row), spec)
            except OSError as error:
                reason = self._unbound(spec, error)
        if reason is not None:
            self._parent.send(("refused", number, reason))
            return
        self._free_rows.pop()
        self._calls[number] = self._rows[row] = call
        self._intake.add(call)
        self._outlet.add(call)
        self._parent.send(("opened", number, call.local))

    def _unbound(self, spec: SessionSpec, error: OSError) -> str:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
            return (
                f"the media engine holds {len(self._calls)} calls and can open no more sockets: "
                f"its limit of open files (RLIMIT_NOFILE) is {limit}, and each call takes two"
            )
        return f"cannot bind a media port on {spec.bind_host}: {error.strerror or error}"

    def _obstacle(self, spec: SessionSpec) -> str | None:
        if not self._free_rows:
            return f"the media engine holds {len(self._calls)} calls already, which is its capacity"
        if spec.capture is not None and self._keeper.channel is None:
            return "the media engine has no writer, so nothing can be captured"
        if spec.packets is not None and self._keeper.channel is None:
            return "the media engine has no writer, so no packets can be logged"
        if spec.analyse and self._analyst is None:
            return "the media engine was started without a feature bank, so nothing can be analysed"
        return None

    def _command(self, call: Call, verb: str, *rest: object) -> None:
        self._intake.recall(call)
        self._outlet.recall(call)
        match verb, rest:
            case "begin", (float(t0), float(wall_time_s)):
                self._begin(call, t0, wall_time_s)
            case "connect", (RemoteMedia() as remote,):
                if call.t0 is None:
                    self._begin(call, time.monotonic(), time.time())
                self._tell_heard(call, call.connect(remote, time.monotonic()))
            case "play", (bytes(key), bool(loop)):
                call.sender.play(self._sounds[key], loop=loop)
            case "digits", (str(digits),):
                call.sender.digits.add(digits)
            case "stop", ():
                call.sender.stop()
            case "hasten", (bool(hasty),):
                self._hasten(call, hasty)
            case "close", (float(end_ms),):
                self._close(call, end_ms)

    def _hasten(self, call: Call, hasty: bool) -> None:
        if hasty:
            self._hasty[call.number] = call
        else:
            self._hasty.pop(call.number, None)

    def _begin(self, call: Call, t0: float, wall_time_s: float) -> None:
        if call.t0 is not None:
            return
        call.begin(t0)
        if call.analyse and self._analyst is not None:
            self._analyst.begin(call)
        self._keeper.begin(call, t0, wall_time_s)

    def _close(self, call: Call, end_ms: float) -> None:
        """End a call; the report waits until the writer has closed the capture."""
        self._intake.drain(call)
        end_ms = max(0.0, min(end_ms, call.since_start_ms(time.monotonic()) + _LATEST_END_MS))
        call.reporter.bye(time.monotonic())
        self._tell_heard(call, call.expire(float("inf")))
        if call.analyse and self._analyst is not None and call.t0 is not None:
            self._send_blocks(self._analyst.finish(call, end_ms / 1000))
        self._keeper.store_log(call)
        report = call.report(end_ms)
        kept = call.spec.capture is not None or call.spec.packets is not None
        if kept and call.t0 is not None:
            self._keeper.store(call, call.last_harvest(round(end_ms * 8)))
            self._keeper.close(call, report, self._calls)
        else:
            self._tell("closed", call, report)
        self._forget(call)

    def _forget(self, call: Call) -> None:
        self._intake.remove(call)
        self._outlet.remove(call)
        del self._calls[call.number]
        self._hasty.pop(call.number, None)
        self._rows[call.row] = None
        call.close()
        self._free_rows.append(call.row)
        if not self._calls:
            gc.collect()

    def _leave(self) -> None:
        """Hand everything to the writer, and end."""
        now = time.monotonic()
        for call in self._calls.values():
            if call.t0 is not None:
                self._outlet.collect(call)
                self._keeper.store(call, call.harvest(call.position(now)))
                self._keeper.store_log(call)
        self._keeper.leave(self._calls)


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
    return Channel(ours, WRITER_LIMIT_BYTES), process.pid


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
    open_many()
    parent = Channel(socket.socket(fileno=options.parent), _PARENT_LIMIT_BYTES)
    writer, writer_pid = _spawn_writer(options.alive) if options.writer else (None, None)
    os.close(options.alive)
    engine = Engine(parent, writer, options.capacity, options.bank)
    gc.collect()
    gc.freeze()
    gc.disable()
    # No earlier: loading takes half a second, in which another engine of the machine would be late with its packets.
    hurry()
    engine.measure()
    engine.tell_capacity()
    parent.send(("ready", writer_pid))
    engine.run()


if __name__ == "__main__":
    main()

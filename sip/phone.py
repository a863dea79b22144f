"""The phone: places calls and gives back their records.

    async with Phone(trunk) as phone:
        record = await phone.call("0917-3262000", Script(max_ring_s=60))

Runs in the phone process; the media engine and its writer are its children.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any

from sip.call_log import OnUpdate
from sip.core import Address, LocalProtocolError
from sip.driver import INTERRUPT_PATIENCE_S, Journal
from sip.flood_watch import FloodWatch
from sip.guard import DialPolicy, refuse_emergency
from sip.live import CallEye
from sip.media import CapacityEstimate, EngineHealth, MediaEngine, MediaError, parse_digits
from sip.numbers import NumberError, split_extension
from sip.placing import Attempt, Script, failed_record
from sip.progress.samples import SampleLibrary
from sip.reception import MissedCall, OnCall, OnMissed, Reception
from sip.record import CallRecord
from sip.recovery import RecoveryDesk
from sip.system_clock import clock_synchronised
from sip.targets import TargetError, is_uri, parse_target
from sip.trace import CallTrace
from sip.transport import Resolver, SipAgent, WireMessage
from sip.trunk_line import TrunkLine
from sip.trunks import AlarmBoard, Trunk, TrunkError, TrunkStatus
from sip.tune_watch import TuneWatch

log = logging.getLogger(__name__)
CLOSE_S = 5.0
"""How long a phone that is closed waits for the ends of its calls."""
_LOOK_S = 0.01
_ROOM_AGAIN = 0.95
"""The alarm of a full engine is taken back when so much of what it carries is under way."""

__all__ = ["MissedCall", "Phone", "Script", "TargetError", "Trunk", "failed_record", "parse_target"]


class Phone:
    """Places calls, many at once. Use it as an async context manager.

    `trunks` are our ways into the telephone network, in the order in which they are tried; SIP URIs are called
    directly unless a trunk is named. `policy` says which numbers are never dialled. `samples` are the marked
    announcements that are listened for, or what gives the current ones for each call; `tunes` remembers the music
    before answers. Raises `TrunkError` for two trunks of one name. Tasks that still wait for a call when the phone
    is closed are cancelled: nothing rings on.
    """

    def __init__(
        self,
        trunks: Trunk | Sequence[Trunk] | None = None,
        *,
        policy: DialPolicy | None = None,
        resolver: Resolver | None = None,
        on_trunk: Callable[[TrunkStatus], None] | None = None,
        samples: SampleLibrary | Callable[[], SampleLibrary] | None = None,
        tunes: TuneWatch | None = None,
        start_engine: Callable[[], Awaitable[MediaEngine]] = MediaEngine.start,
    ) -> None:
        self._start_engine = start_engine
        given = (trunks,) if isinstance(trunks, Trunk) else tuple(trunks or ())
        self.policy = policy or DialPolicy()
        """Which numbers are never dialled; may be replaced while the phone runs."""
        self._samples = _giving(samples)
        self._tunes = tunes or TuneWatch()
        self._resolver = resolver or Resolver()
        self._board = AlarmBoard()
        self._on_trunk = on_trunk
        self._floods = FloodWatch(self._on_flood)
        self._reception = Reception(lambda: self._engine)
        self._traces: dict[str, CallTrace] = {}
        self._lines: dict[str, TrunkLine] = {}
        for trunk in given:
            if trunk.name in self._lines:
                raise TrunkError(trunk.name, "name", "a name that no other trunk has")
            self._lines[trunk.name] = self._line(trunk)
        direct = next((line for line in self._lines.values() if line.trunk.is_direct), None)
        self._direct = direct or self._line(Trunk())
        self._recoveries = RecoveryDesk()
        self._callers: set[asyncio.Task[Any]] = set()
        """Tasks that wait for a call of theirs."""
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._engine: MediaEngine

    def _line(self, trunk: Trunk) -> TrunkLine:
        return TrunkLine(
            trunk,
            self._resolver,
            self._board,
            self._reception.take,
            self._reception.knock,
            self._floods.note,
            self._on_wire,
            self._tell_changed,
        )

    async def __aenter__(self) -> Phone:
        """Start the media engine. Raises `MediaError` where it cannot be had."""
        try:
            self._engine = await self._start_engine()
        except OSError as error:
            raise MediaError(f"the media engine could not be started: {error.strerror or error}") from error
        self._engine.on_capacity = self._on_capacity
        self._engine.signalling_waits_s = self._waits_s
        for line in self._lines.values():
            line.start()
        return self

    def _waits_s(self) -> float:
        """How long messages wait until they are read, on the socket on which they wait longest."""
        lines = {*self._lines.values(), self._direct}
        return max((agent.waited_s for line in lines for agent in line.agents), default=0.0)

    def _on_capacity(self) -> None:
        """Raise or clear the alarm of an engine that takes no more calls."""
        estimate = self._engine.capacity_estimate()
        if estimate.full or estimate.limited_by == "behind":
            self._board.note_engine(full=True, detail=str(estimate), now=time.time())
        elif estimate.sessions <= _ROOM_AGAIN * estimate.calls:
            self._board.note_engine(full=False, detail="", now=time.time())
        else:
            return
        self._tell_changed()

    def capacity_estimate(self) -> CapacityEstimate:
        """How many calls this machine carries at once, measured, and how many it carries now."""
        return self._engine.capacity_estimate()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end_calls()
        await self._reception.close()
        self._floods.close()
        await asyncio.gather(*(line.close() for line in {*self._lines.values(), self._direct}))
        await self._engine.close()

    async def _end_calls(self) -> None:
        """Cancel the calls that somebody still waits for: their CANCEL or BYE needs our sockets."""
        for task in self._callers:
            if task is not asyncio.current_task():
                task.cancel()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._quiet.wait(), CLOSE_S)
        # An INVITE that nothing came back for may not be cancelled yet (RFC 3261 section 9.1): without our sockets
        # its telephone would ring on.
        until = time.monotonic() + INTERRUPT_PATIENCE_S
        while any(agent.calling for agent in self._agents):
            if time.monotonic() >= until:
                break
            await asyncio.sleep(_LOOK_S)

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Our SIP addresses that are open now: those of trunks with `bind`, and of all that have been used."""
        return tuple(address for agent in self._agents for address in agent.locals)

    @property
    def _agents(self) -> tuple[SipAgent, ...]:
        lines = dict.fromkeys((*self._lines.values(), self._direct))
        return tuple(agent for line in lines for agent in line.agents)

    @property
    def on_call(self) -> OnCall | None:
        """Who takes incoming calls, see `sip.answering`; None: they are refused with 480."""
        return self._reception.on_call

    @on_call.setter
    def on_call(self, taker: OnCall | None) -> None:
        self._reception.on_call = taker

    @property
    def on_missed(self) -> OnMissed | None:
        """Told of calls that are refused because nobody takes them, from sources that their trunk trusts."""
        return self._reception.on_missed

    @on_missed.setter
    def on_missed(self, teller: OnMissed | None) -> None:
        self._reception.on_missed = teller

    @property
    def lost(self) -> asyncio.Future[str]:
        """Done, with the reason, when the media engine or its writer died; a new Phone is then needed."""
        return self._engine.lost

    async def call(
        self,
        target: str,
        script: Script,
        *,
        trunks: Sequence[str] | None = None,
        journal: Journal | None = None,
        on_update: OnUpdate | None = None,
        stop: asyncio.Event | None = None,
        farewell: asyncio.Event | None = None,
        trace: CallTrace | None = None,
        eye: CallEye | None = None,
    ) -> CallRecord:
        """Place one call and return its record, whatever came of it.

        `target` is a SIP URI or a telephone number, with an extension behind it perhaps (`0917-3262000转6001`).
        `trunks` names the trunks that may carry it, in order; None: all of ours for a number, none for a URI. A
        next trunk is tried only where nothing but 100 came from the one before.

        `journal` is awaited with a JSON-able snapshot of the dialog before each INVITE leaves, at each early
        dialog and at the 200 before its ACK; `Phone.recover` ends what such a snapshot left behind. `trunk` and
        `position` in it say which destination of the attempt it belongs to. `on_update` is told each entry of the
        time line as it happens. Setting `stop` ends the call (outcome `cancelled`); setting `farewell` does too, but
        says the script's closing to whoever has answered. `trace` is given the call's SIP messages, `eye` sees what
        the call is doing. Raises
        `TargetError`, `TrunkError` and `NeverDialledError` before anything is sent.
        """
        refuse_emergency(target)
        number, script = _with_extension(target, script)
        self._board.note_clock(clock_synchronised(), time.time())
        lines = self._lines_for(number, trunks)
        try:
            self._check(number, script, lines)
            attempt = Attempt(self._engine, number, script, journal, on_update, stop, trace, self._follow)
            attempt.samples, attempt.tunes, attempt.farewell = self._samples, self._tunes, farewell
            attempt.eye = eye
            with self._waiting():
                return await attempt.run(lines)
        except (LocalProtocolError, NumberError) as error:
            raise TargetError(f"{target!r}: {error}") from error

    async def media_health(self, ticks: int | None = None) -> EngineHealth:
        """How the media engine keeps up, over its last ticks (see `MediaEngine.health`)."""
        return await self._engine.health(ticks)

    def check(self, target: str, trunks: Sequence[str] | None = None) -> None:
        """Raise what `call` would raise for a target that is not to be dialled, before anything is sent."""
        refuse_emergency(target)
        number, script = _with_extension(target, Script())
        try:
            self._check(number, script, self._lines_for(number, trunks))
        except (LocalProtocolError, NumberError) as error:
            raise TargetError(f"{target!r}: {error}") from error

    def trunks(self) -> tuple[TrunkStatus, ...]:
        """How each of our trunks is now, and the phone itself (`phone`) where an alarm has stood against it."""
        counts = {line.name: line.status().calls_now for line in self._lines.values()}
        return self._board.statuses(time.time(), counts)

    async def recover(self, snapshot: dict[str, Any]) -> None:
        """End what a killed process left behind: CANCEL or BYE, from the same port where it is free.

        Returns when the far side has confirmed, at the latest after 33 s. Raises `LocalProtocolError` for what
        is no snapshot, `BindError` where no socket can be had.
        """
        line = self._lines.get(str(snapshot.get("trunk")), self._direct)
        await self._recoveries.recover(snapshot, line)

    @contextlib.contextmanager
    def _waiting(self) -> Iterator[None]:
        task = asyncio.current_task()
        assert task is not None
        self._callers.add(task)
        self._quiet.clear()
        try:
            yield
        finally:
            self._callers.discard(task)
            if not self._callers:
                self._quiet.set()

    # -- what holds for every call ---------------------------------------------------------------------------------

    def _lines_for(self, target: str, names: Sequence[str] | None) -> list[TrunkLine]:
        if names is not None and not names:
            raise TrunkError("none", "name", "the name of at least one of ours")
        if names is not None:
            return [self._named(name) for name in dict.fromkeys(names)]
        if is_uri(target):
            return [self._direct]
        lines = [line for line in self._lines.values() if not line.trunk.is_direct]
        if not lines:
            parse_target(target)
        return lines

    def _named(self, name: str) -> TrunkLine:
        if name not in self._lines:
            known = ", ".join(self._lines) or "none"
            raise TrunkError(name, "name", f"one of ours: {known}")
        return self._lines[name]

    def _check(self, target: str, script: Script, lines: Sequence[TrunkLine]) -> None:
        """Refuse what is never dialled, as typed and as it would leave on each trunk."""
        for line in lines:
            trunk = line.trunk
            dialled = line.request_uri(target)
            self.policy.check(
                target, dialled, access_code=trunk.numbers.access_code, trunk=not trunk.is_direct
            )
        if script.digits:
            try:
                parse_digits(script.digits)
            except ValueError as error:
                raise TargetError(str(error)) from error
            self.policy.check_digits_sent(script.digits)

    def _tell_changed(self) -> None:
        """Tell whoever watches of each trunk whose state or alarms changed."""
        changed = self._board.take_changed()
        if self._on_trunk is None:
            return
        for status in self.trunks():
            if status.name in changed:
                try:
                    self._on_trunk(status)
                except Exception:
                    # Whoever watches must not be able to harm a call.
                    log.exception("the watcher of the trunks failed")

    def _on_flood(self, detail: str | None) -> None:
        self._board.note_flood(detail, time.time())
        self._tell_changed()

    def _follow(self, call_id: str, trace: CallTrace | None) -> None:
        if trace is None:
            self._traces.pop(call_id, None)
        else:
            self._traces[call_id] = trace

    def _on_wire(self, message: WireMessage) -> None:
        trace = self._traces.get(message.call_id or "")
        if trace is not None:
            trace.add(message)


def _giving(
    samples: SampleLibrary | Callable[[], SampleLibrary] | None,
) -> Callable[[], SampleLibrary]:
    if samples is None or isinstance(samples, SampleLibrary):
        library = samples or SampleLibrary()
        return lambda: library
    return samples


def _with_extension(target: str, script: Script) -> tuple[str, Script]:
    """Split the extension off a number: it is dialled by digits after the answer."""
    if is_uri(target):
        return target, script
    number, extension = split_extension(target)
    if extension is None or script.digits:
        return number, script
    return number, replace(script, digits=f"ww{extension}")

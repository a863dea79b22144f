"""One attempt: its destinations one after the other, each a call of its own, and the record of the last."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sip.assembly import CallIdentity, assemble
from sip.call_log import CallLog, OnUpdate, now_iso
from sip.core import Address
from sip.driver import CallDriver, CallPlan, Journal
from sip.live import CallEye
from sip.media import EngineFull, MediaEngine, MediaError, MediaReport, MediaSession, SessionSpec
from sip.media_terms import MediaTerms
from sip.progress import Limits, LineListener, TonePlanError, find_plan
from sip.progress.sample_listener import SampleListener
from sip.progress.samples import SampleLibrary
from sip.record import CallRecord, TargetTry
from sip.system_clock import clock_synchronised
from sip.trace import CallTrace
from sip.transport import BindError, ResolutionError, SipAgent, TlsError
from sip.trunk_line import WAIT_FOR_SLOT_S, Destination, LineError, TrunkLine
from sip.trunks import CapError
from sip.tune_watch import TuneWatch


@dataclass(frozen=True, slots=True)
class Script:
    """What to do on one call."""

    max_ring_s: float = 60.0
    max_talk_s: float = 20.0
    say: npt.NDArray[np.int16] | None = None
    """Prompt after the answer, mono samples at 8 kHz (`sip.media.load_prompt`)."""
    closing: npt.NDArray[np.int16] | None = None
    """Said once before we hang up on somebody who has answered: it ends with the talk time."""
    digits: str = ""
    """Sent after the answer, `w` waits half a second: the extension behind a switchboard."""
    capture: Path | None = None
    """Where the raw sound of both sides is kept; `recordings.encode` makes a sound file of it."""
    packets: Path | None = None
    """Where the call's RTP packets are kept (`sip.media.read_packets`), for `CallTrace.write_pcap`."""
    limits: Limits = field(default_factory=Limits)
    owner: str | None = None
    """What stands for the unit whose line it is; None: the number. Music heard alike on lines of several units is
    our trunk's."""
    ring_history_ms: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """Post-dial delays of earlier calls to this line, by the name of the trunk: what is late for it."""
    same_unit: tuple[str, ...] = ()
    """The other numbers of the line's unit, its pilot numbers among them: as identities they prove no forwarding."""
    keeps_tune: bool = True
    """Whether music before the answer is remembered as a sign of the trunk's own: a test call says nothing of lines."""


@dataclass(slots=True)
class Attempt:
    """One attempt to reach a target; `run` it once."""

    engine: MediaEngine
    target: str
    script: Script
    journal: Journal | None
    on_update: OnUpdate | None
    stop: asyncio.Event | None
    trace: CallTrace | None
    follow: Callable[[str, CallTrace | None], None]
    """Told the Call-ID whose messages belong to a trace; with None that they no longer do."""
    samples: Callable[[], SampleLibrary] = SampleLibrary
    """Gives the recordings that are listened for."""
    tunes: TuneWatch = field(default_factory=TuneWatch)
    farewell: asyncio.Event | None = None
    """Ends the call as `stop` does, after its closing where somebody has answered."""
    eye: CallEye | None = None
    """Whoever looks at the call while it lasts."""
    tried: list[TargetTry] = field(default_factory=list)

    async def run(self, lines: Sequence[TrunkLine]) -> CallRecord:
        """Try the trunks in order; a next one only where nothing but 100 came back. Returns the last one's record."""
        over = asyncio.Event()
        watchers = [asyncio.ensure_future(_pass_on(event, over)) for event in self._stops]
        try:
            return await self._run(lines, over)
        finally:
            for watcher in watchers:
                watcher.cancel()

    async def _run(self, lines: Sequence[TrunkLine], over: asyncio.Event) -> CallRecord:
        record: CallRecord | None = None
        files = [path for path in (self.script.capture, self.script.packets) if path and _is_empty(path)]
        troubles: list[str] = []
        alarms: list[str] = []
        for line in lines:
            if self._stopped:
                break
            try:
                # What cannot leave takes no slot and counts towards no quota.
                await line.ready(over)
                destinations = await line.destinations(self.target)
                async with line.admitted(self.target, over):
                    for destination in destinations:
                        record, settled = await self._place(line, destination, over)
                        if settled or self._stopped:
                            return self._closed(record)
                        # Nobody was reached there; the next destination's sound begins anew.
                        for path in files:
                            _empty(path)
            except (ResolutionError, BindError, TlsError, MediaError, CapError, LineError) as error:
                if self._stopped:
                    break
                troubles.append(f"{line.name}: {error}" if len(lines) > 1 else str(error))
                alarms += line.trouble(self.target, error)
                if isinstance(error, EngineFull):
                    break  # the other trunks' sound goes through the same engine
        if record is None:
            record = failed_record(self.target, *troubles)
            if self._stopped:
                record = dataclasses.replace(record, outcome="cancelled", our_failure=False)
        elif troubles:
            record = dataclasses.replace(record, errors=(*record.errors, *troubles))
        return dataclasses.replace(
            self._closed(record), alarms=tuple(dict.fromkeys([*record.alarms, *alarms]))
        )

    @property
    def _stopped(self) -> bool:
        return any(event.is_set() for event in self._stops)

    @property
    def _stops(self) -> list[asyncio.Event]:
        return [event for event in (self.stop, self.farewell) if event is not None]

    def _closed(self, record: CallRecord) -> CallRecord:
        return dataclasses.replace(record, targets=tuple(self.tried))

    async def _place(
        self, line: TrunkLine, destination: Destination, over: asyncio.Event
    ) -> tuple[CallRecord, bool]:
        """Call one destination; returns its record and whether that settles the attempt."""
        script, trunk, facts = self.script, line.trunk, CallLog(self.on_update)
        try:
            listener = LineListener(find_plan(trunk.tone_plan))
        except TonePlanError as error:
            raise LineError(str(error)) from error
        agent = line.agent_towards(destination.address)
        holder: list[CallDriver] = []
        session = await self._open_sound(line, agent, holder, over)
        terms = MediaTerms(trunk, Address(trunk.advertised or session.local[0], session.local[1]))
        samples = SampleListener(self.samples().of_trunk(line.name))
        plan = CallPlan(
            script.max_ring_s, script.max_talk_s, script.say, script.closing, script.digits, listener, samples
        )
        journal = self._journal_of(line)
        driver = CallDriver(agent, session, plan, facts, terms, journal, self.stop, self.farewell)
        holder.append(driver)
        if self.eye is not None:
            driver.eye = self.eye
            self.eye.attach(session.hasten)
        report, call_id = MediaReport(), ""
        try:
            call = agent.prepare_call(line.invite(destination, agent, terms.offer), driver)
            call_id = call.call_id
            if self.trace is not None:
                self.follow(call_id, self.trace)
            await driver.run(call)
        finally:
            report = await session.close(facts.ended_ms or 0.0)
            # Driver and session know each other. What the call has heard is megabytes, which must not wait until
            # the collector comes round to it.
            holder.clear()
            self.follow(call_id, None)
            self._note(line, destination, call_id, facts)
        if report.lost and not facts.media_lost:
            facts.media_lost = True
            facts.fail(f"the media engine was lost: {report.lost}", ours=True)
        identity = CallIdentity(
            destination.uri,
            call_id,
            clock_synchronised(),
            script.same_unit,
            tuple(script.ring_history_ms.get(line.name, ())),
        )
        heard = driver.heard()
        record = assemble(identity, facts, heard, report, script.limits, driver.codec)
        if not trunk.is_direct and script.keeps_tune:
            owner = script.owner or self.target
            facts.trunk_music = self.tunes.is_trunks(line.name, owner, record, plan.early)
        if facts.trunk_music:
            record = assemble(identity, facts, heard, report, script.limits, driver.codec)
        alarms = line.judge(self.target, record, facts, report)
        return dataclasses.replace(record, trunk=line.name, alarms=alarms), not facts.may_try_another

    async def _open_sound(
        self, line: TrunkLine, agent: SipAgent, holder: list[CallDriver], over: asyncio.Event
    ) -> MediaSession:
        """Open the sound of a call, as soon as the engine has room for it; its events go to the driver held."""
        spec = SessionSpec(
            bind_host=agent.local.host,
            capture=self.script.capture,
            port_range=line.trunk.rtp_ports,
            dscp=line.trunk.dscp_media,
            packets=self.script.packets,
        )
        try:
            return await self.engine.open(
                spec,
                lambda event: holder[0].on_media(event) if holder else None,
                wait_s=WAIT_FOR_SLOT_S,
                stop=over,
            )
        except EngineFull as full:
            full.nothing_left = not any(t.trunk == line.name and t.started_at for t in self.tried)
            raise

    def _journal_of(self, line: TrunkLine) -> Journal | None:
        """The ledger's row of this destination: it knows which trunk and which try a snapshot belongs to."""
        if self.journal is None:
            return None
        journal, position = self.journal, len(self.tried)

        async def write(snapshot: dict[str, Any]) -> None:
            await journal({**snapshot, "trunk": line.name, "position": position})

        return write

    def _note(self, line: TrunkLine, destination: Destination, call_id: str, facts: CallLog) -> None:
        address = destination.address
        noted = TargetTry(
            trunk=line.name,
            uri=destination.uri,
            destination=f"{address} {address.transport}",
            call_id=call_id,
            started_at=facts.started_at,
            status=facts.status,
            error=facts.errors[0] if facts.errors else None,
        )
        self.tried.append(noted)


async def _pass_on(event: asyncio.Event, over: asyncio.Event) -> None:
    await event.wait()
    over.set()


def _is_empty(path: Path) -> bool:
    return not path.exists() or path.stat().st_size == 0


def _empty(path: Path) -> None:
    if not _is_empty(path):
        os.truncate(path, 0)


def failed_record(target: str, *reasons: str) -> CallRecord:
    """The record of a call that never left, because our own side could not carry it."""
    return CallRecord(
        target=target,
        call_id="",
        started_at=now_iso(),
        clock_synchronised=clock_synchronised(),
        outcome="network_failure",
        ended_by="us",
        errors=reasons,
        our_failure=True,
    )

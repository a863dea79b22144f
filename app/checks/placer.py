"""The real phone behind the `CallPlacer` port: `sip.phone` dials, `recordings` keeps the sound."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.archive import open_archive
from app.archive_upkeep import raise_unstored
from app.checks.call_backs import note_call_back
from app.checks.ports import CallOrder, Journal
from app.checks.service import TRACE_SUFFIX
from app.database import Database, open_private
from app.policy import Stored, dial_policy
from app.samples.library import LibraryKeeper
from app.samples.tunes import TuneKeeper
from app.settings import Settings
from app.trunk_settings import bind_address
from app.trunks.merge import merged, usable
from app.trunks.records import read
from app.trunks.watcher import TrunkWatcher
from recordings import RecordingError
from sip.guard import NeverDialledError
from sip.live import CallEye, LiveCall
from sip.media import CapacityEstimate, load_prompt
from sip.phone import MissedCall, Phone, Script, TargetError, Trunk
from sip.progress import Limits
from sip.record import CallRecord, RecordingInfo
from sip.targets import is_uri
from sip.trace import CallTrace
from sip.trunks import TrunkError

log = structlog.get_logger(__name__)
Sound = npt.NDArray[np.int16]
KEEPERS = 4
"""Threads that make recordings of captures."""
TEST_RING_S, TEST_TALK_S = 30.0, 5.0


def _test_tone() -> Sound:
    """Half a second of 1000 Hz at -16 dBm0: whoever answers a test call hears that the way to them is open."""
    time_s = np.arange(4_000) / 8_000
    return np.round(3_617 * np.sin(2 * np.pi * 1_000 * time_s)).astype(np.int16)


TEST_SCRIPT = Script(max_ring_s=TEST_RING_S, max_talk_s=TEST_TALK_S, say=_test_tone(), keeps_tune=False)
"""Of a test call: no capture, no recording."""


class NoTrunkError(ValueError):
    """A line has a plain number and there is no trunk that may carry it."""


class PhonePlacer:
    """Places calls through one `Phone`: numbers by our trunks in their order, SIP URIs directly.

    Raises `SettingError` for answer keys that cannot be read: what they forbid must not be dialled for that.
    """

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._archive = open_archive(settings)
        # Threads of their own: a store that does not answer must not take those that the clock and new calls need.
        self._keepers = ThreadPoolExecutor(KEEPERS, "archive")
        self._say = None if settings.say is None else load_prompt(settings.say)
        self._limits = Limits(
            within_ms=settings.three_ring_within_s * 1000, borderline_ms=settings.three_ring_limit_s * 1000
        )
        self._samples = LibraryKeeper()
        self._tunes = TuneKeeper(database)
        self._stopping = asyncio.Event()
        self._farewells: dict[str, asyncio.Event] = {}
        """Of the calls under way, by the name of their recording."""
        self._eyes: dict[str, CallEye] = {}
        """The same."""
        self._notes: set[asyncio.Task[None]] = set()
        self._sounds: dict[Path, tuple[int, Sound]] = {}
        self._trunks: list[Trunk] = []
        self._phone: Phone
        self._watcher: TrunkWatcher

    async def __aenter__(self) -> PhonePlacer:
        stored = await self._stored()
        self._trunks, wrong = usable(self._settings, merged(self._settings, stored.trunks))
        for error in wrong:
            # The others may carry the calls; `dutyring trunks` and the pages show this one as unusable.
            log.error("trunk cannot be used", trunk=error.trunk, member=error.member, reason=error.reason)
        for trunk in self._trunks:
            if trunk.transport == "tls" and not trunk.tls.verify:
                log.warning("certificates of this trunk are not checked", trunk=trunk.name)
        self._watcher = TrunkWatcher(self._database, [trunk.name for trunk in self._trunks])
        self._phone = Phone(
            [*self._trunks, self._direct()],
            policy=dial_policy(self._settings, stored, self._trunks),
            on_trunk=self._watcher.told,
            samples=self._samples.library,
            tunes=await self._tunes.begin(),
        )
        self._phone.on_missed = self._missed
        await self._watcher.begin(self._phone.trunks)
        try:
            await self._phone.__aenter__()
        except BaseException:
            await self._watcher.end()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._phone.__aexit__(kind, error, trace)
        await asyncio.gather(*self._notes, return_exceptions=True)
        self._keepers.shutdown(wait=False)
        await self._watcher.end()

    def _direct(self) -> Trunk:
        """How SIP URIs are called."""
        return Trunk(from_uri=self._settings.sip_identity, bind=bind_address(self._settings.sip_bind))

    @property
    def lost(self) -> asyncio.Future[str]:
        """Done, with the reason, when the media engine died; a new process is then needed."""
        return self._phone.lost

    @property
    def capacity(self) -> int | None:
        """How many calls fit at one time: as the trunk that is tried first bears, and as this machine carries.

        What does not fit stays due.
        """
        trunk = self._trunks[0].limits.concurrency if self._trunks else None
        carried = self._phone.capacity_estimate().worth_having
        return carried if trunk is None else min(trunk, carried)

    def capacity_estimate(self) -> CapacityEstimate:
        """How many calls this machine carries at once, and how many it carries now."""
        return self._phone.capacity_estimate()

    async def refused(self, targets: Collection[str]) -> frozenset[str]:
        """Those of these targets that settings, records and directory forbid."""
        stored = await self._stored()
        self._phone.policy = dial_policy(self._settings, stored, self._trunks)
        return frozenset(target for target in targets if self._forbids(target, stored))

    def _forbids(self, target: str, stored: Stored) -> bool:
        try:
            self._phone.check(target, None if is_uri(target) else self._usable_now(stored))
        except (NeverDialledError, TargetError):
            return True
        except (NoTrunkError, TrunkError):
            # Nothing can carry it: that is our side, and the attempt says so.
            return False
        return False

    async def place(self, order: CallOrder, journal: Journal) -> CallRecord:
        """Dial once, then make a sound file of the capture. A recording that fails is an error of the record."""
        stored = await self._stored()
        # What was entered since the last call holds for this one.
        self._phone.policy = dial_policy(self._settings, stored, self._trunks)
        capture = self._archive.capture_path(order.recording_name)
        opening = await self._sound(order.opening)
        script = Script(
            max_ring_s=order.max_ring_s or self._settings.max_ring_s,
            max_talk_s=order.max_talk_s or self._settings.max_talk_s,
            say=self._say if opening is None else opening,
            closing=await self._sound(order.closing),
            capture=capture,
            limits=self._limits,
            owner=order.owner,
            ring_history_ms=order.ring_history_ms,
            same_unit=order.same_unit,
        )
        names = None if is_uri(order.target) else _in_turn(self._usable_now(stored), order)
        trace = CallTrace()
        farewell = self._farewells[order.recording_name] = asyncio.Event()
        eye = self._eyes[order.recording_name] = CallEye()
        try:
            record = await self._phone.call(
                order.target,
                script,
                trunks=names,
                journal=journal,
                stop=self._stopping,
                farewell=farewell,
                trace=trace,
                eye=eye,
            )
        finally:
            self._farewells.pop(order.recording_name, None)
            self._eyes.pop(order.recording_name, None)
            await self._tunes.write()
            if len(trace):
                self._keep_trace(trace, order.recording_name)
        loop = asyncio.get_running_loop()
        kept = await loop.run_in_executor(self._keepers, self._keep, record, capture, order.recording_name)
        if kept.recording is None and kept.errors != record.errors:
            await self._raise_unstored(kept.errors[-1])
        return kept

    async def _raise_unstored(self, reason: str) -> None:
        try:
            await raise_unstored(self._database, reason)
        except SQLAlchemyError:
            # The record of the call says it too, and is written again and again until the database is there.
            log.exception("alarm could not be raised", reason=reason)

    async def call_by(self, trunk: str, number: str, journal: Journal, stop: asyncio.Event) -> CallRecord:
        """Place a test call by one trunk: nothing of it is recorded, kept beside it, or shown while it lasts."""
        stored = await self._stored()
        self._phone.policy = dial_policy(self._settings, stored, self._trunks)
        allowed = {one.name for one in merged(self._settings, stored.trunks) if one.in_use}
        if trunk not in allowed or trunk not in {one.name for one in self._trunks}:
            raise TrunkError(trunk, "name", "one that is in use")
        return await self._phone.call(
            number, TEST_SCRIPT, trunks=[trunk], journal=journal, stop=self._stopping, farewell=stop
        )

    def _missed(self, call: MissedCall) -> None:
        """Somebody called us: perhaps a unit that calls back."""
        note = asyncio.create_task(note_call_back(self._database, call))
        self._notes.add(note)
        note.add_done_callback(self._notes.discard)

    def stop_call(self, recording_name: str) -> None:
        """Hang up one call under way."""
        farewell = self._farewells.get(recording_name)
        if farewell is not None:
            farewell.set()

    def live_calls(self) -> dict[str, LiveCall]:
        """How the calls under way stand, by the name of their recording."""
        now = time.monotonic()
        seen = {name: eye.look(now) for name, eye in self._eyes.items()}
        return {name: call for name, call in seen.items() if call is not None}

    def hasten(self, recording_name: str, hasty: bool) -> None:
        """Have the sound of a call written down more often, or as usual."""
        eye = self._eyes.get(recording_name)
        if eye is not None:
            eye.hasten(hasty)

    def stop(self) -> None:
        """Hang up every call under way; their records say `cancelled`."""
        self._stopping.set()

    async def recover(self, snapshot: dict[str, Any]) -> None:
        """CANCEL or BYE what a killed process left of this dialog."""
        await self._phone.recover(snapshot)

    async def repair(self, names: Sequence[str]) -> Mapping[str, RecordingInfo]:
        """Make sound files of the captures that a killed process left; return those of `names` that there are."""
        return await asyncio.to_thread(self._repair, names)

    def _repair(self, names: Sequence[str]) -> dict[str, RecordingInfo]:
        found = self._archive.repair()
        # The process may have died after its sound was stored and before the ledger knew.
        return found | self._archive.stored(set(names) - found.keys())

    def _usable_now(self, stored: Stored) -> list[str]:
        """Names of the trunks that may carry a number: one that was disabled since the start may not."""
        allowed = {trunk.name for trunk in merged(self._settings, stored.trunks) if trunk.in_use}
        names = [trunk.name for trunk in self._trunks if trunk.name in allowed]
        if not names:
            raise NoTrunkError(
                "a plain number needs a trunk: set DUTYRING_TRUNKS, or enter one with `dutyring trunks add`"
            )
        return names

    async def _sound(self, path: Path | None) -> Sound | None:
        """Read a prompt, once for as long as its file stays as it is. Raises `sip.media.SoundFileError`."""
        if path is None:
            return None
        return await asyncio.to_thread(self._read_sound, path)

    def _read_sound(self, path: Path) -> Sound:
        changed_ns = path.stat().st_mtime_ns
        known = self._sounds.get(path)
        if known is None or known[0] != changed_ns:
            known = self._sounds[path] = (changed_ns, load_prompt(path))
        return known[1]

    async def _stored(self) -> Stored:
        async with self._database.reading() as session:
            await self._samples.refresh(session)
            return await read(session)

    def _keep_trace(self, trace: CallTrace, name: str) -> None:
        """Keep the call's SIP messages, secrets blanked, beside its recording."""
        try:
            with open_private(self._settings.recordings_dir / f"{name}{TRACE_SUFFIX}") as file:
                file.write(trace.to_text())
        except OSError as error:
            log.error("trace could not be kept", name=name, reason=str(error))

    def _keep(self, record: CallRecord, capture: Path, name: str) -> CallRecord:
        if not capture.exists():
            return record
        try:
            info = self._archive.store(capture, name, record.ended_ms)
        except (RecordingError, OSError) as error:
            log.error("recording could not be made", name=name, reason=str(error))
            return dataclasses.replace(record, errors=(*record.errors, f"recording: {error}"))
        return dataclasses.replace(record, recording=info)


def _in_turn(names: Sequence[str], order: CallOrder) -> list[str]:
    """The trunks in the order in which they are tried: the one to be preferred first, the one to be avoided last."""
    return sorted(names, key=lambda name: (name == order.avoid_trunk, name != order.prefer_trunk))

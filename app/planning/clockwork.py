"""The planner: lets drawn moments come due. Called each second by the clock of the phone process.

The moments of a run exist in this process's memory alone, drawn again from the sealed seed at each start. When one
comes, its order is entered into the ledger, or what kept it from being called is written down and the check is drawn
anew in the time that is left. What passed while nothing ran is never called late and never in a burst. Nothing here
tells of a moment that is still to come: no log line, no error, no row.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.checks.alarms import clear_alarm, clock_ok, raise_alarm
from app.checks.models import SpotCheck
from app.database import Database
from app.directory.models import DutyLine
from app.planning import choosing, ledger, permits, redrawing, repository
from app.planning.draw import Contradiction, contradictions
from app.planning.live_run import BrokenDrawError, LiveRun, Slot, Stored, recall
from app.planning.models import Plan
from app.planning.permits import Asked
from app.planning.spec import PlanSpec
from app.sealing import Sealer, sealer
from app.settings import SettingError, Settings

log = structlog.get_logger(__name__)

LOOK_EVERY = timedelta(seconds=45)
"""How often changes, debts and ends are looked for; before a moment is entered, changes are looked for too."""
RETRY_BROKEN = timedelta(minutes=10)
"""How often a run that cannot be drawn again is tried once more."""


class Planner:
    """Enters the orders of running plans as their moments come."""

    def __init__(self, database: Database, settings: Settings, *, patience_s: float | None = None) -> None:
        """`patience_s`: how long a tick waits for a draw, which then goes on beside it; None: to its end."""
        self._database = database
        self._settings = settings
        self._patience_s = patience_s
        self._sealer: Sealer | None = None
        self._runs: dict[int, LiveRun] = {}
        self._recalls: dict[int, asyncio.Task[tuple[LiveRun, tuple[Contradiction, ...]]]] = {}
        self._broken: dict[int, tuple[int, datetime]] = {}
        """Run, and the draw and moment at which it was found broken."""
        self._doubted: set[int] = set()
        """Runs of which a moment came while the clock could not be trusted."""
        self._looked_at: datetime | None = None

    async def tick(self, now: datetime) -> int:
        """Let come due what has come by now; return how many orders were entered."""
        async with self._database.reading() as session:
            standing = await repository.sealed_runs(session)
        rows = {row.run_id: row for row in standing}
        for run_id in self._runs.keys() - rows.keys():
            del self._runs[run_id]
        if not standing:
            return 0
        for row in standing:
            await self._follow(row, now)
        if not await self._trusts_clock():
            # A clock that has jumped ahead would have every moment pass, end the run and reveal its seed.
            self._doubted |= {run_id for run_id, run in self._runs.items() if run.is_due(now)}
            return 0
        looking = self._looked_at is None or not timedelta(0) <= now - self._looked_at < LOOK_EVERY
        live = [run for run_id, run in self._runs.items() if rows[run_id].goes_on]
        if looking or any(run.is_due(now) for run in live):
            live = await self._notice_changes(live, now)
        entered = sum([await self._enter(run, now) for run in live if run.is_due(now)])
        if looking:
            self._looked_at = now
            await self._settle_debts(now)
        return entered

    async def _trusts_clock(self) -> bool:
        async with self._database.reading() as session:
            return await clock_ok(session)

    def next_at(self) -> datetime | None:
        """The next moment of all runs. A simulated year moves its clock by it; nothing else may ask."""
        return min((at for run in self._runs.values() if (at := run.next_at) is not None), default=None)

    async def _follow(self, row: repository.StandingRun, now: datetime) -> None:
        """Hold the present draw of a run, once it is drawn again."""
        run = self._runs.get(row.run_id)
        if run is not None and run.epoch == row.last_epoch:
            return
        self._runs.pop(row.run_id, None)
        broken = self._broken.get(row.run_id)
        if broken is None or broken[0] != row.last_epoch or now - broken[1] >= RETRY_BROKEN:
            await self._hold(row.run_id, row.plan_id, row.last_epoch, now)

    async def _hold(self, run_id: int, plan_id: int, epoch: int, now: datetime) -> LiveRun | None:
        """Draw a run's last draw again; None where that takes longer than the tick may, or cannot be done."""
        task = self._recalls.get(run_id)
        if task is None:
            task = self._recalls[run_id] = asyncio.create_task(self._recalled(run_id))
        await asyncio.wait({task}, timeout=self._patience_s)
        if not task.done():
            return None
        del self._recalls[run_id]
        subject = f"plan:{plan_id}"
        try:
            run, short = task.result()
        except BrokenDrawError as error:
            self._broken[run_id] = (epoch, now)
            log.error("a plan's draw does not hold together", plan=plan_id, reason=str(error))
            async with self._database.unit_of_work() as session:
                await raise_alarm(session, "draw_broken", subject, str(error))
            return None
        if run.epoch != epoch:
            # Drawn anew meanwhile: the next tick looks again.
            return None
        self._runs[run_id] = run
        async with self._database.unit_of_work() as session:
            await redrawing.tell_coverage(session, plan_id, short)
            if self._broken.pop(run_id, None) is not None:
                await clear_alarm(session, "draw_broken", subject)
        return run

    async def _recalled(self, run_id: int) -> tuple[LiveRun, tuple[Contradiction, ...]]:
        """Draw again, and say what of its guarantees a draw of a remainder cannot keep."""
        if self._sealer is None:
            try:
                self._sealer = await asyncio.to_thread(sealer, self._settings)
            except SettingError as error:
                raise BrokenDrawError(str(error)) from error
        async with self._database.reading() as session:
            run = await repository.run(session, run_id)
            epochs = await repository.epoch_heads(session, run_id)
            if run is None or not epochs:
                raise BrokenDrawError(f"run {run_id} is not there")
            last = epochs[-1].number
            skips = await repository.skips(session, run_id)
            handled = await ledger.handled_slots(session, run_id, last)
            inputs = [await repository.inputs_of(session, run_id, number) for number in (0, last)]
        stored = Stored(run, epochs, skips, handled, *inputs)
        # Seconds for thousands of units: the calls under way go on meanwhile.
        found = await asyncio.to_thread(recall, self._sealer, stored)
        return found, await asyncio.to_thread(contradictions, found.inputs) if last else ()

    async def _notice_changes(self, live: Sequence[LiveRun], now: datetime) -> list[LiveRun]:
        """Draw anew what the directory or the calendar changed; return the runs as they are then."""
        async with self._database.reading() as session:
            stamp = await redrawing.stamp(session)
            changed = {
                run.run_id: await redrawing.change(session, run, self._settings.zone, now)
                for run in live
                if stamp != run.stamp
            }
        found = []
        for run in live:
            change = changed.get(run.run_id)
            held: LiveRun | None = run
            if change is not None:
                if run.is_due(now):
                    await self._enter(run, now, change)
                held = await self._redrawn(run, ",".join(change.causes), now)
            if held is None:
                continue
            if change is None or not held.stamp:
                held.stamp = stamp
            found.append(held)
        return found

    async def _redrawn(self, run: LiveRun, cause: str, now: datetime) -> LiveRun | None:
        """Draw the remainder of a run anew; return what then holds, None as long as it is being drawn."""
        if run.is_due(now):
            # A moment that could not be entered must not be lost between two draws.
            run.stamp = "waiting"
            return run
        async with self._database.unit_of_work() as session:
            epoch = await redrawing.redraw(session, run, self._settings.zone, cause, now)
        self._runs.pop(run.run_id, None)
        number = run.epoch if epoch is None else epoch.number
        return await self._hold(run.run_id, run.plan_id, number, now)

    async def _settle_debts(self, now: datetime) -> None:
        """Draw anew what is owed, and end what is over."""
        for run in list(self._runs.values()):
            async with self._database.reading() as session:
                owed = await redrawing.owed(session, run, now)
                over = await redrawing.is_over(session, run, self._settings.zone, now)
            if over:
                assert self._sealer is not None
                # What is written down there is taken from it: if that fails, it is drawn again.
                self._runs.pop(run.run_id, None)
                async with self._database.unit_of_work() as session:
                    await redrawing.finish(session, self._sealer, run, now)
            elif owed:
                await self._redrawn(run, owed, now)

    async def _enter(self, run: LiveRun, now: datetime, change: redrawing.Change | None = None) -> int:
        """Enter the orders whose moments have come, or write down why not; return how many were entered."""
        slots = run.due(now)
        judge = _Judge(self._settings, now, run.run_id not in self._doubted, change)
        try:
            async with self._database.unit_of_work() as session:
                entered = await self._enter_all(session, run, slots, judge)
        except BaseException:
            run.give_back(slots)
            raise
        if entered is None:
            # What passed before a run was cancelled is written down when its seed is revealed.
            run.give_back(slots)
            return 0
        self._doubted.discard(run.run_id)
        if entered:
            log.info("drawn checks are due", plan=run.plan_id, count=entered)
        return entered

    async def _enter_all(
        self, session: AsyncSession, run: LiveRun, slots: Sequence[Slot], judge: _Judge
    ) -> int | None:
        plan = await repository.plan(session, run.plan_id, lock=True)
        spec = None if plan is None else choosing.spec_of(plan)
        if plan is None or spec is None or not await repository.goes_on(session, run.run_id, run.epoch):
            # Drawn anew by another process, or over: the next tick looks again.
            return None
        numbers = [slot.slot for slot in slots]
        handled = await ledger.handled_slots(session, run.run_id, run.epoch, numbers)
        entered = 0
        for slot in slots:
            if slot.slot in handled:
                continue
            why, line = await judge.hindrance(session, plan, spec, slot)
            row = (
                redrawing.skip_of(slot, why, judge.now)
                if line is None
                else _order(plan, line, slot, judge.now)
            )
            try:
                async with session.begin_nested():
                    session.add(row)
            except IntegrityError:
                # Another process has it.
                continue
            entered += isinstance(row, SpotCheck)
        return entered


@dataclass(frozen=True, slots=True)
class _Judge:
    """Decides whether a moment that has come is called."""

    settings: Settings
    now: datetime
    trusted: bool
    """Whether the clock was right when the moments came."""
    change: redrawing.Change | None
    """What changed since the draw."""

    async def hindrance(
        self, session: AsyncSession, plan: Plan, spec: PlanSpec, slot: Slot
    ) -> tuple[str, DutyLine | None]:
        """Return why a moment is passed over and no line, or the line that is called."""
        late = (self.now - slot.at).total_seconds() > self.settings.misfire_grace_s
        if plan.state == "paused":
            return "paused", None
        if late:
            return ("missed" if self.trusted else "clock"), None
        if self.change is not None and self.change.closed(slot.at):
            return "calendar", None
        line = await ledger.lock_line(session, slot.line_id)
        if line is None:
            return "line", None
        asked = Asked(slot.at, spec.caps, night_approved=plan.night_approved_at is not None)
        refused = await permits.refusal(session, line, asked, self.settings.zone)
        return ("", line) if refused is None else (refused.why, None)


def _order(plan: Plan, line: DutyLine, slot: Slot, now: datetime) -> SpotCheck:
    """The order of a moment that has come; the first call to a number that is not verified yet is a 核号."""
    pending = line.verification == "pending"
    return SpotCheck(
        line_id=slot.line_id,
        plan_id=plan.id,
        kind="verification" if pending else "random",
        run_id=slot.run_id,
        epoch=slot.epoch,
        slot=slot.slot,
        due_at=slot.at.astimezone(UTC),
        first_due_at=slot.at.astimezone(UTC),
        state="due",
        reason=f"{'核号' if pending else '计划抽查'}：{plan.name}"[:200],
        created_at=now,
    )

"""When the remainder of a run is drawn anew, and how a run ends. Never commits: the caller's unit of work does."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts import service as audit
from app.checks.alarms import clear_alarm, raise_alarm
from app.checks.retry import LATEST
from app.planning import choosing, gathering, ledger, repository, sealed
from app.planning.differences import differences
from app.planning.draw import Contradiction
from app.planning.draw_inputs import DrawInputs
from app.planning.gathering import stamp
from app.planning.live_run import LiveRun, Slot
from app.planning.models import DrawEpoch, DrawSkip, Plan
from app.planning.windows import DrawMoment
from app.sealing import Sealer

__all__ = ["Change", "change", "finish", "is_over", "owed", "redraw", "skip_of", "stamp", "tell_coverage"]

OWED_SOON = timedelta(minutes=15)
OWED_AFTER = timedelta(hours=2)
"""What is owed is drawn anew at most so often: many moments that passed together are one draw. Sooner after a time in
which nothing ran, and where the period is about to end."""
DOWNTIME = frozenset({"missed", "paused", "clock"})
SHORT = timedelta(days=1)
LAST_CALL = LATEST + timedelta(minutes=10)
"""After the last window, the last repeat of the last order is over by then."""
STUCK = timedelta(days=1)
"""An order that is still open so long after a run's end keeps its seed sealed no longer."""
MACHINE = "system"
_CAUSE_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Change:
    """What changed since the present draw of a run."""

    causes: tuple[str, ...]
    present: DrawInputs

    def closed(self, at: datetime) -> bool:
        """Whether no window is open at a moment that was drawn before the change."""
        second = int(at.timestamp())
        return not any(piece.start <= second < piece.end for piece in self.present.pieces)


async def change(session: AsyncSession, run: LiveRun, zone: ZoneInfo, now: datetime) -> Change | None:
    """Say what of the directory, the calendar or the plan's approval changed; None where nothing did."""
    plan = await repository.plan(session, run.plan_id)
    if plan is None or run.ends_at <= now.timestamp():
        return None
    present = await _inputs(session, plan, zone, now, run.epoch)
    if present is None:
        return None
    from_s = max(present.from_at, run.inputs.from_at)
    causes = await asyncio.to_thread(differences, run.inputs, present, from_s)
    return Change(causes, present) if causes else None


async def _inputs(
    session: AsyncSession, plan: Plan, zone: ZoneInfo, now: datetime, epoch: int
) -> DrawInputs | None:
    spec = choosing.spec_of(plan)
    if spec is None:
        return None
    found = await gathering.gather(session, plan, spec, zone, now)
    approved = plan.night_approved_at is not None
    # What has come by now belongs to the draw before: it is settled already.
    from_at = now.replace(microsecond=0) + timedelta(seconds=1)
    # What cannot be met any more must not keep the rest from being drawn: an alarm says so.
    moment = DrawMoment(epoch, from_at, night_approved=approved, best_effort=True)
    return await asyncio.to_thread(found.inputs, zone, moment)


async def owed(session: AsyncSession, run: LiveRun, now: datetime) -> str:
    """Name what of the present draw must be drawn anew, with numbers; empty where nothing is owed yet."""
    since = now - run.drawn_at
    if since < OWED_SOON or run.ends_at <= now.timestamp():
        return ""
    counts = Counter(skip.why for skip in await repository.skips(session, run.run_id, run.epoch))
    if since < OWED_AFTER and not (counts.keys() & DOWNTIME) and not _period_ends(run, now):
        return ""
    counts["verification"] = await ledger.count_verifications(session, run.run_id, run.epoch)
    counts["uncounted"] = await ledger.count_uncounted(session, run.run_id, run.epoch, run.drawn_at)
    return ",".join(f"{why}:{count}" for why, count in sorted(counts.items()) if count)


def _period_ends(run: LiveRun, now: datetime) -> bool:
    """Whether the period that is under way has less than a day left."""
    second = now.timestamp()
    ends: dict[int, int] = {}
    for piece in run.inputs.pieces:
        ends[piece.period] = piece.end
    return any(second < end < second + SHORT.total_seconds() for end in ends.values())


async def redraw(
    session: AsyncSession, run: LiveRun, zone: ZoneInfo, cause: str, now: datetime
) -> DrawEpoch | None:
    """Add a draw of the remainder; None where another process was faster or the run is over."""
    plan = await repository.plan(session, run.plan_id, lock=True)
    if plan is None or not await repository.goes_on(session, run.run_id, run.epoch):
        return None
    inputs = await _inputs(session, plan, zone, now, run.epoch + 1)
    if inputs is None:
        return None
    passed = sealed.passed_over(await repository.skips(session, run.run_id, run.epoch))
    epoch = sealed.new_epoch(run.run_id, run.chain, inputs, cause[:_CAUSE_LENGTH], now, passed)
    session.add(epoch)
    await session.flush()
    detail = f"run {run.number}, draw {epoch.number}, chain {epoch.chain}: {epoch.cause}"
    await audit.record(session, "draw_again", f"plan:{run.plan_id}", detail, MACHINE)
    return epoch


async def tell_coverage(session: AsyncSession, plan_id: int, found: Sequence[Contradiction]) -> None:
    """Let an alarm stand as long as a draw cannot give every unit what is guaranteed."""
    subject = f"plan:{plan_id}"
    if not found:
        await clear_alarm(session, "coverage_short", subject)
        return
    rest = f" (and {len(found) - 3} more)" if len(found) > 3 else ""
    await raise_alarm(session, "coverage_short", subject, "; ".join(map(str, found[:3])) + rest)


def skip_of(slot: Slot, why: str, now: datetime) -> DrawSkip:
    """Write down that a moment passed without a call."""
    return DrawSkip(
        run_id=slot.run_id,
        epoch=slot.epoch,
        slot=slot.slot,
        line_id=slot.line_id,
        at=slot.at,
        why=why,
        noted_at=now,
    )


async def is_over(session: AsyncSession, run: LiveRun, zone: ZoneInfo, now: datetime) -> bool:
    """Whether nothing more comes of a run: its period and the last repeat are over, or it was cancelled."""
    row = await repository.run(session, run.run_id)
    plan = await repository.plan(session, run.plan_id)
    if row is None or plan is None or plan.content is None:
        return False
    ended_at = row.ended_at
    if ended_at is None:
        last_day = choosing.last_day_of(plan)
        midnight = datetime.combine(last_day + timedelta(days=1), time(), zone).astimezone(UTC)
        ended_at = max(midnight, datetime.fromtimestamp(run.ends_at, UTC)) + LAST_CALL
    if now < ended_at:
        return False
    return now >= ended_at + STUCK or not await ledger.open_of_run(session, run.run_id)


async def finish(session: AsyncSession, sealer: Sealer, run: LiveRun, now: datetime) -> None:
    """Reveal the seed of a run that is over; a plan whose run came to its end is finished."""
    plan = await repository.plan(session, run.plan_id, lock=True)
    row = await repository.run(session, run.run_id)
    if plan is None or row is None or row.revealed_at is not None:
        return
    if row.ended_at is None:
        row.ended_at, row.ended_why = now, "period over"
        plan.state, plan.running = "finished", False
    why = "cancelled" if plan.state == "cancelled" or row.ended_at < now else "missed"
    session.add_all(skip_of(slot, why, now) for slot in run.due(row.ended_at))
    await session.flush()
    passed = sealed.passed_over(await repository.skips(session, run.run_id, run.epoch))
    row.last_link = sealed.last_link(run.chain, run.epoch, row.ended_at, row.ended_why, passed)
    row.seed, row.revealed_at = sealed.open_seed(sealer, row).hex(), now
    await session.flush()
    await clear_alarm(session, "coverage_short", f"plan:{plan.id}")
    detail = f"run {row.number}, commitment {row.commitment}, seed {row.seed}, last link {row.last_link}"
    await audit.record(session, "reveal_seed", f"plan:{plan.id}", detail, MACHINE)

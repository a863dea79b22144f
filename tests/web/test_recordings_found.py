"""The list of recordings is read through indices; what it finds is what its conditions say, for whoever asks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import product

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

import app.accounts.scope  # noqa: F401 - it limits what a session reads
from app.accounts.principal import Principal, Scope, enter, leave
from app.checks.models import Attempt, Recording, SpotCheck
from app.database import Database
from app.directory.models import DutyLine, Unit
from app.evidence import repository
from app.evidence.models import RecordingHold
from app.evidence.repository import RecordingFilter
from app.phone_records.models import PhoneRecord
from app.reviews.models import Case

NOW = datetime(2026, 11, 20, 4, tzinfo=UTC)
PARTS = (None, Scope(("1/2/",)), Scope(("1/3/",)), Scope(()))
STATES = ("to_review", "confirmed", "published", "revoked", "disputed", None, None)
WHYS = (None, None, "expired", "removed", "withdrawn")


@contextmanager
def asking(scope: Scope | None) -> Iterator[None]:
    entered = enter(Principal(1, "a", "甲", frozenset(), frozenset(), scope))
    try:
        yield
    finally:
        leave(entered)


async def fill(session: AsyncSession) -> None:
    """Units 2 to 4 below unit 1, ten calls each with all kinds of keeping, and reports that name them or nobody."""
    for key, path in ((1, "1/"), (2, "1/2/"), (3, "1/3/"), (4, "1/2/4/")):
        session.add(Unit(id=key, code=f"u{key}", name=f"单位{key}", kind="other", path=path, created_at=NOW))
        await session.flush()
        session.add(DutyLine(id=key, unit_id=key, number=f"0000{key}", target=f"0000{key}"))
    await session.flush()
    for key in range(1, 41):
        await _call(session, key)
    for number, unit in enumerate((2, 3, None, 4, 2, None), 1):
        sound = _sound(NOW - timedelta(days=number * 5), number)
        session.add(sound)
        await session.flush()
        if number != 6:
            session.add(
                PhoneRecord(
                    number=f"2026-{number}", source="report", recording_id=sound.id, unit_id=unit, called_at=NOW,
                    state="draft" if number % 2 else "signed", created_at=NOW, created_by="李",
                )
            )  # fmt: skip
    session.add(RecordingHold(recording_id=4, reason="争议", placed_at=NOW, placed_by="李"))
    session.add(RecordingHold(recording_id=8, reason="争议", placed_at=NOW, placed_by="李", lifted_at=NOW))


async def _call(session: AsyncSession, key: int) -> None:
    at, line = NOW - timedelta(days=key * 9), 1 + key % 4
    check = SpotCheck(line_id=line, kind="random", due_at=at, state="done", created_at=at)
    session.add(check)
    await session.flush()
    attempt = Attempt(
        check_id=check.id, line_id=line, unit_id=line, target=f"0000{line}", state="finished", owner="test",
        claimed_at=at, verdict_code="within", needs_review=False,
    )  # fmt: skip
    session.add(attempt)
    await session.flush()
    sound = _sound(at, key)
    sound.kind, sound.attempt_id = "check", attempt.id
    session.add(sound)
    if (state := STATES[key % len(STATES)]) is not None:
        session.add(
            Case(
                check_id=check.id, unit_id=line, code="no_answer", happened_at=at, state=state, proposal={},
                opened_at=at, changed_at=at,
            )
        )  # fmt: skip
    await session.flush()


def _sound(at: datetime, number: int) -> Recording:
    why = WHYS[number % len(WHYS)]
    return Recording(
        kind="report", path=f"x/{at}", sha256="ab" * 32, duration_ms=1.0, channels=2, sample_rate=8000,
        created_at=at, keep_until=NOW - timedelta(days=40 - number * 2), gone_why=why,
        gone_at=NOW if why == "expired" else None,
    )  # fmt: skip


async def test_what_is_found_is_what_the_conditions_say(either: Database) -> None:
    async with either.unit_of_work() as session:
        await fill(session)
    shown = set()
    kinds = (
        {}, {"held": True}, {"held": False}, {"gone": True}, {"gone": False}, {"why": "removed"},
        {"due_at": NOW}, {"due_at": NOW + timedelta(days=30)}, {"held": True, "due_at": NOW},
    )  # fmt: skip
    times = ({}, {"since": NOW - timedelta(days=200), "until": NOW - timedelta(days=12)})
    for scope, head, kind, time in product(PARTS, (None, 1, 2, 4), kinds, times):
        with asking(scope):
            async with either.reading() as session:
                unit = None if head is None else await session.get(Unit, head)
                if head is not None and unit is None:
                    continue
                wanted = RecordingFilter(unit, **kind, **time)  # type: ignore[arg-type]
                plain = await repository._newest(session, wanted.conditions(NOW), None, 100)
                expected = [one.recording.id for one in plain]
                assert await _paged(session, wanted) == expected, (scope, head, kind, time)
        shown.add((scope, tuple(expected)))
    assert len(shown) > 40


async def _paged(session: AsyncSession, wanted: RecordingFilter) -> list[int]:
    """Everything, in pages of seven."""
    found: list[int] = []
    after = None
    while rows := await repository.page(session, wanted, NOW, after, 7):
        found += [one.recording.id for one in rows]
        after = rows[-1].recording.created_at, rows[-1].recording.id
    return found


async def test_part_of_the_tree_sees_its_calls_and_reports_alone(either: Database) -> None:
    async with either.unit_of_work() as session:
        await fill(session)
    async with either.reading() as session:
        called = {row[0]: row[1] for row in await session.execute(select(Recording.id, Recording.unit_id))}
        query = select(PhoneRecord.recording_id, PhoneRecord.unit_id)
        named = {row[0]: row[1] for row in await session.execute(query)}
    for scope, units in ((Scope(("1/2/",)), {2, 4}), (Scope(("1/3/",)), {3}), (Scope(()), set())):
        own = {key for key, unit in called.items() if unit in units or named.get(key) in units}
        # A report is its bringer's until it has a record.
        own |= {key for key, unit in called.items() if unit is None and key not in named}
        with asking(scope):
            async with either.reading() as session:
                assert set(await session.scalars(select(Recording.id))) == own
                holds = set(await session.scalars(select(RecordingHold.recording_id)))
                assert holds == {4, 8} & own

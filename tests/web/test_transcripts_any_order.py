"""Whatever words come, in whatever order, and whatever people do between: the machine goes against no person."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from sqlalchemy import select

from app.accounts import service as audit
from app.database import Database
from app.errors import ConflictError
from app.evidence.forgetting import forget_all
from app.reviews import machine
from app.reviews import service as reviews
from app.reviews.models import Case
from app.settings import Settings
from app.transcripts import queue, service
from app.transcripts.models import Transcription
from tests.web.api import migrate
from tests.web.test_transcripts_keep import NOTHING, POWERED, an_order, keep, proposals, recordings
from tests.web.transcribing import said

WHO = "王督查"
HEARD = (
    POWERED,
    NOTHING,
    said((2.0, 5.0, "您好，您拨打的用户正在通话中")),
    said((2.0, 4.0, "您好，县政府值班室")),
)
Seen = dict[int, tuple[str, str, int]]


async def seen(database: Database) -> Seen:
    async with database.reading() as session:
        return {row.id: (row.code, row.state, row.revision) for row in await session.scalars(select(Case))}


async def words(database: Database, settings: Settings, dice: random.Random) -> None:
    """A transcript that waits comes, or one is asked for once more."""
    async with database.unit_of_work() as session:
        key = dice.choice(sorted(set(await recordings(database))))
        try:
            row = await service.request(session, key)
        except ConflictError:
            return
    assert await keep(database, settings, row, dice.choice(HEARD))


async def withdrawal(database: Database, settings: Settings, dice: random.Random) -> None:
    async with database.reading() as session:
        waiting = (
            await session.scalars(select(Transcription.recording_id).where(Transcription.state == "waiting"))
        ).all()
    async with database.unit_of_work() as session:
        for key in waiting[:1]:
            await forget_all(session, key)
    async with database.unit_of_work() as session:
        await service.settle(session, queue.now().replace(year=2000), settings)


async def step(database: Database, dice: random.Random) -> int | None:
    """A person hears the calls and decides on one of the cases; return it."""
    async with database.unit_of_work() as session:
        cases = (await session.scalars(select(Case).where(Case.state == "to_review"))).all()
        if not cases:
            return None
        case = dice.choice(cases)
        for key in sorted(set(await recordings(database))):
            await audit.record(session, "play", f"recording:{key}", who=WHO)
        if case.code == "no_answer":
            await reviews.propose(session, case.id, WHO, "no_answer")
        else:
            await reviews.revoke(session, case.id, WHO, "our_fault", "线路故障")
        return case.id


@pytest.mark.parametrize("seed", range(5))
async def test_the_machine_goes_against_no_person(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    settings = Settings(data_dir=tmp_path / "data")
    migrate(settings)
    async with Database(settings.url) as database:
        await an_order(database, settings)
        touched = None
        for _ in range(8):
            before, held = await seen(database), await proposals(database)
            did = dice.choice(("words", "words", "words", "withdrawal", "step"))
            if did == "step":
                touched = touched or await step(database, dice)
                continue
            await (words if did == "words" else withdrawal)(database, settings, dice)
            after, holds = await seen(database), await proposals(database)
            assert [in_force for _, in_force, _ in holds].count(True) == 1
            assert [row[0] for row in holds[: len(held)]] == [row[0] for row in held], "none is lost"
            assert len({code for code, _, _ in after.values()}) == len(after), "a case for a code"
            assert before.keys() <= after.keys()
            for key, (code, state, revision) in before.items():
                assert after[key][0] == code
                if state in machine.ENDS or revision:
                    assert after[key] == (code, state, revision), "what ended or a person touched stays"
            assert all(state in ("to_review", "revoked", "proposed") for _, state, _ in after.values())
            if touched is not None:
                assert after == before
                assert holds == held

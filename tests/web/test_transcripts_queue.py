"""The queue of transcriptions: who takes what, what dies is taken up again, and nothing stops the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from sqlalchemy import select

from app import clock
from app.answers.models import AnswerItem
from app.archive import open_archive
from app.checks import alarms, proposal_repository
from app.database import Database
from app.directory.models import Person
from app.settings import Settings
from app.transcripts import queue, repository, scribe, service
from app.transcripts.models import Transcription
from app.transcripts.scribe import Scribe
from recordings.errors import RecordingError
from recordings.transcription import EngineError, TranscriptionError
from tests.web.orders import add_line, closed, picked_up
from tests.web.transcribing import Recogniser, recorded, report, said


async def reports(database: Database, settings: Settings, count: int, broken: int | None = None) -> list[int]:
    """Sound files that wait; one may hold what is no sound."""
    made = []
    async with database.unit_of_work() as session:
        for number in range(count):
            data = b"no sound at all" if number == broken else None
            made.append((await report(session, settings.recordings_dir, f"r{number}", data)).id)
    return made


async def states(database: Database) -> list[str]:
    async with database.reading() as session:
        return list((await session.scalars(select(Transcription.state).order_by(Transcription.id))).all())


async def until(database: Database, holds: Callable[[list[str]], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds(await states(database)):
            await asyncio.sleep(0.02)


@asynccontextmanager
async def working(
    database: Database, settings: Settings, recogniser: Recogniser, most: int = 2, sounds: object = None
) -> AsyncIterator[Scribe]:
    """A scribe at work."""
    owner = queue.new_owner(settings.data_dir)
    found = sounds or (lambda: open_archive(settings))
    at_work = Scribe(database, settings, recogniser, found, owner, most)  # type: ignore[arg-type]
    task = asyncio.create_task(at_work.run())
    try:
        yield at_work
    finally:
        at_work.stop()
        await task


async def test_the_newest_comes_first_and_the_oldest_is_not_left_behind(
    either: Database, settings: Settings
) -> None:
    await reports(either, settings, 6)
    taken = []
    for number in range(4):
        async with either.unit_of_work() as session:
            row = await queue.claim(session, "a", oldest=number % queue.EVERY_OLDEST == 3)
        assert row is not None
        taken.append(row.id)
    async with either.reading() as session:
        keys = (await session.scalars(select(Transcription.id).order_by(Transcription.id))).all()
    assert taken == [keys[5], keys[4], keys[3], keys[0]]


async def test_two_processes_never_take_the_same(either: Database, settings: Settings) -> None:
    await reports(either, settings, 4)

    async def take(owner: str) -> list[int]:
        found = []
        for _ in range(6):
            async with either.unit_of_work() as session:
                row = await queue.claim(session, owner)
            found += [row.id] if row is not None else []
        return found

    ours, theirs = await asyncio.gather(take("a"), take("b"))
    assert not set(ours) & set(theirs)
    assert len(ours) + len(theirs) == 4


async def test_what_dies_is_taken_up_again_twice_at_most(either: Database, settings: Settings) -> None:
    await reports(either, settings, 1)
    at = clock.now()
    with clock.running(lambda: at):
        async with either.unit_of_work() as session:
            first = await queue.claim(session, "a")
            assert await queue.claim(session, "b") is None
        assert first is not None
        at += timedelta(seconds=queue.LEASE_S + 1)
        async with either.unit_of_work() as session:
            second = await queue.claim(session, "b")
        assert second is not None
        assert (second.id, second.tries, second.owner) == (first.id, 2, "b")
        at += timedelta(seconds=queue.LEASE_S + 1)
        async with either.unit_of_work() as session:
            assert await queue.claim(session, "c") is None
            await queue.tidy(session)
    assert await states(either) == ["failed"]
    async with either.reading() as session:
        row = await session.scalar(select(Transcription))
    assert row is not None
    assert row.error == queue.TWICE


async def test_the_next_process_of_a_folder_waits_for_no_lease(either: Database, settings: Settings) -> None:
    await reports(either, settings, 2)
    async with either.unit_of_work() as session:
        await queue.claim(session, queue.new_owner(settings.data_dir))
        await queue.claim(session, "elsewhere:1")
    async with either.unit_of_work() as session:
        assert await queue.seize(session, settings.data_dir) == 1
    assert sorted(await states(either)) == ["running", "waiting"]


async def test_what_waits_is_transcribed_both_sides_of_a_report(either: Database, settings: Settings) -> None:
    await reports(either, settings, 3)
    async with either.unit_of_work() as session:
        _, line = await add_line(session, 1)
        check, _ = await closed(session, line, [picked_up()], settings)
        (attempt,) = await proposal_repository.attempts(session, [check.id])
        await recorded(session, attempt, settings.recordings_dir)
    recogniser = Recogniser(said((0.1, 0.3, "您好")))
    async with working(either, settings, recogniser):
        await until(either, lambda found: set(found) == {"done"})
    async with either.reading() as session:
        rows = (await session.scalars(select(Transcription).order_by(Transcription.id))).all()
    assert [sorted(row.content or {}) for row in rows] == [["them", "us"]] * 3 + [["them"]]
    assert {row.engine for row in rows} == {"vosk 0 (made-up)"}
    assert recogniser.begun == 7


async def test_near_names_are_put_to_the_engine_once_more(database: Database, settings: Settings) -> None:
    async with database.unit_of_work() as session:
        unit, line = await add_line(session, 1)
        session.add_all(
            Person(unit_id=unit.id, name=name, title="值班员") for name in ("周敏", "周明", "吴甲")
        )
        check, _ = await closed(session, line, [picked_up()], settings)
        (attempt,) = await proposal_repository.attempts(session, [check.id])
        await recorded(session, attempt, settings.recordings_dir, 12_000.0)
    recogniser = Recogniser(said((6.5, 9.0, "您好，我是值班员周民")))
    async with working(database, settings, recogniser):
        await until(database, lambda found: found == ["done"])
    assert any({"周敏", "周明"} <= set(phrases) for phrases in recogniser.ranked)
    async with database.reading() as session:
        items = (await session.scalars(select(AnswerItem).where(AnswerItem.kind == "name"))).all()
    assert {item.answer for item in items} == {"unverified"}
    assert {item.expected for item in items} & {"周敏", "周明"}


async def test_a_broken_file_fails_alone_with_a_reason(database: Database, settings: Settings) -> None:
    await reports(database, settings, 3, broken=1)
    async with working(database, settings, Recogniser()):
        await until(database, lambda found: not {"waiting", "running"} & set(found))
    assert await states(database) == ["done", "failed", "done"]
    async with database.reading() as session:
        row = (await session.scalars(select(Transcription).where(Transcription.state == "failed"))).one()
    assert row.error == "it is no sound file that can be read"
    async with database.unit_of_work() as session:
        again = await service.request(session, row.recording_id)
        assert again.id != row.id
        assert (await service.request(session, row.recording_id)).id == again.id


async def test_a_file_that_was_changed_is_no_evidence(database: Database, settings: Settings) -> None:
    await reports(database, settings, 1)
    path = settings.recordings_dir / "r0.flac"
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    async with working(database, settings, Recogniser()):
        await until(database, lambda found: found == ["failed"])


@pytest.mark.parametrize("error", [TranscriptionError("lost twice"), RuntimeError("with words")])
async def test_a_recogniser_that_fails_on_a_sound(
    database: Database, settings: Settings, error: Exception
) -> None:
    await reports(database, settings, 1)
    async with working(database, settings, Recogniser(error)):
        await until(database, lambda found: found == ["failed"])
    async with database.reading() as session:
        row = await session.scalar(select(Transcription))
    assert row is not None
    assert row.error == ("lost twice" if isinstance(error, TranscriptionError) else "内部错误 (RuntimeError)")


async def test_without_engine_or_store_it_waits_and_goes_on_by_itself(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scribe, "TROUBLE_PAUSE_S", 0.05)
    await reports(database, settings, 2)
    recogniser = Recogniser(EngineError("the model cannot be loaded"))
    down = True

    class Store:
        def read(self, key: str, sha256: str | None = None) -> bytes:
            if down:
                raise RecordingError(key, "cannot be read: no answer")
            return open_archive(settings).read(key, sha256)

    async with working(database, settings, recogniser, sounds=Store):
        await asyncio.sleep(0.3)
        assert not {"failed", "done"} & set(await states(database))
        down = False
        async with asyncio.timeout(60):
            while recogniser.begun < 4:
                await asyncio.sleep(0.02)
        assert not {"failed", "done"} & set(await states(database))
        recogniser.says = said((0.1, 0.2, "您好"))
        await until(database, lambda found: found == ["done", "done"])


async def test_a_recording_that_is_withdrawn_meanwhile_is_let_go(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scribe, "WATCH_S", 0.02)
    (key,) = await reports(database, settings, 1)
    recogniser = Recogniser(hold=asyncio.Event())
    async with working(database, settings, recogniser):
        await until(database, lambda found: found == ["running"])
        async with database.unit_of_work() as session:
            await service.forget(session, key)
        async with asyncio.timeout(60):
            # Its place is free again: the next one is begun though the engine never answered.
            await reports(database, settings, 2)
            while recogniser.begun < 3:
                await asyncio.sleep(0.02)
    assert (await states(database))[0] == "withdrawn"


async def test_stopping_lets_what_is_under_way_wait(database: Database, settings: Settings) -> None:
    await reports(database, settings, 1)
    async with working(database, settings, Recogniser(hold=asyncio.Event())):
        await until(database, lambda found: found == ["running"])
    assert await states(database) == ["waiting"]
    async with database.reading() as session:
        row = await session.scalar(select(Transcription))
    assert row is not None
    assert (row.tries, row.owner) == (0, None)


async def test_who_waits_too_long_is_an_alarm(either: Database, settings: Settings) -> None:
    await reports(either, settings, 1)
    at = clock.now()
    with clock.running(lambda: at):
        async with either.unit_of_work() as session:
            assert not await queue.look_behind(session)
        at += timedelta(seconds=2 * queue.BEHIND_S + 1)
        async with either.unit_of_work() as session:
            assert await queue.look_behind(session)
            (alarm,) = await alarms.standing(session)
            assert (alarm.kind, alarm.detail) == (
                queue.BEHIND, "1 recordings wait for their transcripts, the oldest for 2 h",
            )  # fmt: skip
        async with working(either, settings, Recogniser()):
            await until(either, lambda found: found == ["done"])
        async with either.unit_of_work() as session:
            assert not await queue.look_behind(session)
            assert await alarms.standing(session) == []
            assert (await repository.figures(session)).waiting == 0

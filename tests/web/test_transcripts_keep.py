"""What follows a transcript: a reading beside the facts, another verdict and proposal, and never against a person."""

from __future__ import annotations

import copy

from sqlalchemy import func, select

from app.checks.models import Attempt, CallFacts, Recording, SpotCheck, StoredProposal, StoredVerdict
from app.database import Database
from app.evidence.forgetting import forget_all
from app.evidence.retention import days_of
from app.reviews import service as reviews
from app.reviews.models import Case, CaseEvent
from app.settings import Settings
from app.transcripts import queue, repository, service
from app.transcripts.models import CallReading, Transcription, TranscriptPiece
from app.transcripts.reading import MARK
from sip.progress.transcript import Transcript
from tests.web.orders import activate, add_line, missed, picked_up
from tests.web.transcribing import POWERED_OFF, Judged, judged, said

POWERED = said((2.0, 5.0, POWERED_OFF))
NOTHING = said()


async def an_order(database: Database, settings: Settings, *calls: object) -> Judged:
    """Two unanswered calls, closed and proposed as no_answer, unless others are given."""
    async with database.unit_of_work() as session:
        await activate(session, "baoji-2022", points={"no_answer": 2.0})
        _, line = await add_line(session, 1, "county")
        return await judged(session, line, list(calls) or [missed(), missed()], settings)  # type: ignore[arg-type]


async def keep(
    database: Database, settings: Settings, row: Transcription, them: Transcript, took_s: float = 1.0
) -> bool:
    async with database.unit_of_work() as session:
        if row.state == "waiting":
            await claimed(database, row, session)
        return await service.keep(session, row, {"them": them}, "test", took_s, settings)


async def claimed(database: Database, row: Transcription, session: object) -> None:
    now = queue.now()
    assert await repository.take(session, row, "us", now, now)  # type: ignore[arg-type]
    row.owner, row.state = "us", "running"


async def keep_all(database: Database, settings: Settings, order: Judged, *heard: Transcript) -> None:
    """Keep these transcripts for the calls of an order, in turn."""
    async with database.reading() as session:
        rows = (await session.scalars(select(Transcription).order_by(Transcription.id))).all()
    for row, them in zip(rows, heard, strict=True):
        assert await keep(database, settings, row, them)


async def rows_of(database: Database, model: type, *order: object) -> list[object]:
    async with database.reading() as session:
        return list((await session.scalars(select(model))).all())


async def cases(database: Database) -> list[tuple[str, str]]:
    async with database.reading() as session:
        return [(row.code, row.state) for row in await session.scalars(select(Case).order_by(Case.id))]


async def proposals(database: Database) -> list[tuple[str, bool, bool]]:
    async with database.reading() as session:
        found = await session.scalars(select(StoredProposal).order_by(StoredProposal.id))
        return [(row.code, row.in_force, row.rule_set.endswith(MARK)) for row in found]


async def test_words_name_another_verdict_and_the_facts_stay(either: Database, settings: Settings) -> None:
    order = await an_order(either, settings)
    async with either.reading() as session:
        facts = copy.deepcopy((await session.get_one(CallFacts, order.attempt.id)).content)
    await keep_all(either, settings, order, POWERED, POWERED)
    async with either.reading() as session:
        attempt = await session.get_one(Attempt, order.attempt.id)
        verdicts = (
            await session.scalars(
                select(StoredVerdict).where(StoredVerdict.attempt_id == attempt.id).order_by(StoredVerdict.id)
            )
        ).all()
        reading = await session.get_one(CallReading, attempt.id)
        assert (await session.get_one(CallFacts, attempt.id)).content == facts
    assert [row.code for row in verdicts] == ["no_answer", "forwarding_review"]
    assert verdicts[1].rule_set == verdicts[0].rule_set + MARK == verdicts[1].content["rule_set"]
    assert (attempt.outcome, attempt.verdict_code, attempt.needs_review) == (
        "unreachable", "forwarding_review", True,
    )  # fmt: skip
    assert reading.content["line_state"] == "powered_off"
    assert reading.content["transcript"] == POWERED.to_json()


async def test_the_order_is_proposed_anew_and_its_untouched_cases_follow(
    either: Database, settings: Settings
) -> None:
    order = await an_order(either, settings)
    assert await cases(either) == [("no_answer", "to_review")]
    await keep_all(either, settings, order, POWERED, POWERED)
    found = await proposals(either)
    assert found[0] == ("no_answer", False, False)
    assert [row[1] for row in found].count(True) == 1
    assert found[-1][0] != "no_answer"
    assert found[-1][1:] == (True, True)
    told = await cases(either)
    assert told[0] == ("no_answer", "revoked")
    assert "to_review" in {state for _, state in told[1:]}
    async with either.reading() as session:
        check = await session.get_one(SpotCheck, order.check.id)
        first = (await session.scalars(select(Case).order_by(Case.id))).first()
        assert first is not None
        event = (
            await session.scalars(
                select(CaseEvent).where(CaseEvent.case_id == first.id, CaseEvent.action == "revoke")
            )
        ).one()
        kept_until = {
            (row.keep_until - row.created_at).days for row in await session.scalars(select(Recording))
        }
    assert check.code == found[-1][0]
    assert kept_until == {days_of(check.code, settings)}
    assert (event.who, first.end_cause, first.revision) == ("system", "new_facts", 1)
    assert "转写" in event.content["reason"]


async def counts(database: Database) -> list[int]:
    async with database.reading() as session:
        models = (StoredVerdict, StoredProposal, Case, CaseEvent, CallReading, TranscriptPiece, Transcription)
        return [await session.scalar(select(func.count()).select_from(model)) or 0 for model in models]


async def test_keeping_twice_gives_the_same_rows(either: Database, settings: Settings) -> None:
    order = await an_order(either, settings)
    await keep_all(either, settings, order, POWERED, POWERED)
    before = await counts(either)
    async with either.reading() as session:
        rows = (await session.scalars(select(Transcription).order_by(Transcription.id))).all()
    for row in rows:
        assert await keep(either, settings, row, POWERED)
    assert await counts(either) == before
    assert not await keep(either, settings, rows[0], NOTHING), "another result of a row that is done"
    assert await counts(either) == before


async def test_nothing_understood_changes_nothing(database: Database, settings: Settings) -> None:
    order = await an_order(database, settings)
    before = await counts(database)
    await keep_all(database, settings, order, NOTHING, said((1.0, 2.0, "안녕 하세요")))
    after = await counts(database)
    assert after[:4] == before[:4]
    assert await cases(database) == [("no_answer", "to_review")]
    assert await proposals(database) == [("no_answer", True, False)]


async def test_where_a_person_has_been_the_case_only_says_so(either: Database, settings: Settings) -> None:
    order = await an_order(either, settings)
    async with either.unit_of_work() as session:
        (case,) = (await session.scalars(select(Case))).all()
        audio = (await session.scalars(select(Transcription.recording_id))).all()
        from app.accounts import service as audit

        for key in audio:
            await audit.record(session, "play", f"recording:{key}", who="王督查")
        await reviews.propose(session, case.id, "王督查", "no_answer")
    await keep_all(either, settings, order, POWERED, POWERED)
    assert await cases(either) == [("no_answer", "proposed")]
    assert await proposals(either) == [("no_answer", True, False)]
    async with either.reading() as session:
        events = (await session.scalars(select(CaseEvent).order_by(CaseEvent.id))).all()
        (row,) = (await session.scalars(select(Case))).all()
    assert [event.action for event in events][:2] == ["open", "propose"]
    differing = [event for event in events if event.action == "machine_differs"]
    assert differing
    assert all(event.content["note"] == "转写后机器意见不同" for event in differing)
    assert (differing[0].from_state, differing[0].to_state) == ("proposed", "proposed")
    assert row.revision == 1
    # Said again only when the opinion is another one.
    before = await counts(either)
    async with either.reading() as session:
        rows = (await session.scalars(select(Transcription).order_by(Transcription.id))).all()
    for again in rows:
        assert await keep(either, settings, again, POWERED)
    assert await counts(either) == before


async def test_a_machine_that_wavers_does_not_open_what_has_ended(
    either: Database, settings: Settings
) -> None:
    """Another engine understands nothing: the finding that was withdrawn is told to people, not opened again."""
    order = await an_order(either, settings)
    await keep_all(either, settings, order, POWERED, POWERED)
    told = await cases(either)
    async with either.unit_of_work() as session:
        asked = [await service.request(session, key) for key in sorted(set(await recordings(either)))]
    for row in asked:
        assert await keep(either, settings, row, NOTHING)
    assert await cases(either) == told
    async with either.reading() as session:
        attempt = await session.get_one(Attempt, order.attempt.id)
        labels = await repository.labels_of_verdicts(session, attempt.id)
        differing = (
            await session.scalars(select(CaseEvent).where(CaseEvent.action == "machine_differs"))
        ).all()
    assert attempt.verdict_code == "no_answer"
    assert sorted(label.partition(MARK)[1:] for label in labels) == [("", ""), (MARK, ""), (MARK, "2")]
    assert differing


async def recordings(database: Database) -> list[int]:
    async with database.reading() as session:
        return list((await session.scalars(select(Transcription.recording_id))).all())


async def test_an_answered_call_that_stays_what_it_was(database: Database, settings: Settings) -> None:
    order = await an_order(database, settings, picked_up())
    await keep_all(database, settings, order, said((5.7, 7.5, "您好，县政府值班室，我是值班员")))
    async with database.reading() as session:
        attempt = await session.get_one(Attempt, order.attempt.id)
        pieces = (await session.scalars(select(TranscriptPiece))).all()
    assert (attempt.outcome, attempt.answered_by, attempt.verdict_code) == ("answered", "human", "within")
    assert len(await rows_of(database, StoredVerdict)) == 1
    assert len(pieces) == 1


async def test_withdrawn_words_are_gone_and_what_was_concluded_stays(
    either: Database, settings: Settings
) -> None:
    order = await an_order(either, settings)
    await keep_all(either, settings, order, POWERED, POWERED)
    proposed = await proposals(either)
    async with either.unit_of_work() as session:
        for key in set(await recordings(either)):
            await forget_all(session, key)
            await forget_all(session, key)
    async with either.reading() as session:
        rows = (await session.scalars(select(Transcription))).all()
        reading = await session.get_one(CallReading, order.attempt.id)
        pieces = await session.scalar(select(func.count()).select_from(TranscriptPiece))
        attempt = await session.get_one(Attempt, order.attempt.id)
    assert {(row.state, row.content is None) for row in rows} == {("withdrawn", True)}
    assert "关机" not in str(reading.content)
    assert reading.content["line_state"] == "powered_off"
    assert pieces == 0
    assert attempt.verdict_code == "forwarding_review"
    assert await proposals(either) == proposed


async def test_an_order_does_not_wait_for_a_transcript_that_never_comes(
    either: Database, settings: Settings
) -> None:
    order = await an_order(either, settings)
    began = queue.now()
    async with either.reading() as session:
        first, last = (await session.scalars(select(Transcription).order_by(Transcription.id))).all()
    assert await keep(either, settings, first, POWERED)
    async with either.unit_of_work() as session:
        await service.settle(session, began, settings)
    assert await proposals(either) == [("no_answer", True, False)], "another call still waits"
    async with either.unit_of_work() as session:
        await forget_all(session, last.recording_id)
        await service.settle(session, began, settings)
    found = await proposals(either)
    assert len(found) == 2
    assert order.check.id
    async with either.unit_of_work() as session:
        await service.settle(session, began, settings)
    assert await proposals(either) == found


async def test_a_result_that_comes_after_the_withdrawal_is_thrown_away(
    either: Database, settings: Settings
) -> None:
    order = await an_order(either, settings)
    row = order.transcription
    async with either.unit_of_work() as session:
        await claimed(either, row, session)
    async with either.unit_of_work() as session:
        await service.forget(session, order.recording.id)
    assert not await keep(either, settings, row, POWERED)
    async with either.reading() as session:
        found = await repository.transcription(session, row.id)
        assert found is not None
        assert (found.state, found.content) == ("withdrawn", None)
        assert (await session.scalars(select(CallReading))).all() == []

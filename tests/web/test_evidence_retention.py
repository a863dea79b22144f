"""How long recordings are kept, what keeps them longer, and how they go when their time is over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, select, update

from app.checks import alarms, conclusions, repository
from app.checks.models import Attempt, Recording, SpotCheck, StoredProposal
from app.database import Database
from app.errors import ConflictError
from app.evidence import forgetting, removals, retention
from app.phone_records.models import PhoneRecord
from app.reviews.models import Case
from app.settings import LEAST_RETENTION_DAYS, Settings
from recordings import Archive, RecordingError, Vault
from tests.web.dial import Desk
from tests.web.fake import FakePhone, unanswered
from tests.web.keeping import (
    HALF_YEAR,
    YEAR,
    archive_of,
    erased,
    hold,
    lift,
    problems,
    purge,
    recorded,
    row,
    sound_of,
    standing,
    trail,
    withdraw,
)
from tests.web.reviewing import LI, WANG, Office, running

BY_CODE = {"no_answer": 1_095}


@pytest.fixture
async def office(settings: Settings) -> AsyncIterator[Office]:
    async with running(settings.model_copy(update={"retention_days_by_code": BY_CODE}), units=2) as opened:
        yield opened


@pytest.fixture
async def either_office(either_settings: Settings) -> AsyncIterator[Office]:
    kept = either_settings.model_copy(update={"retention_days_by_code": BY_CODE})
    async with running(kept, units=2) as opened:
        yield opened


@given(
    days=st.integers(180, 36_500),
    by_code=st.dictionaries(st.sampled_from(["a", "b", "c"]), st.integers(180, 36_500)),
    code=st.sampled_from(["a", "b", "c", None]),
)
def test_days_are_those_of_the_code_else_the_usual_ones_and_never_too_few(
    days: int, by_code: dict[str, int], code: str | None
) -> None:
    settings = Settings(retention_days=days, retention_days_by_code=by_code)
    found = retention.days_of(code, settings)
    assert found == by_code.get(code or "", days)
    assert found >= LEAST_RETENTION_DAYS


async def test_what_is_over_goes_and_its_row_and_hash_stay(either_office: Office) -> None:
    office = either_office
    (within,) = await recorded(office)
    (silent,) = await recorded(office, 1, code="no_answer")
    assert (await purge(office)).settled == 2
    made = (await row(office, within)).created_at
    assert (await row(office, within)).keep_until == made + timedelta(days=365)
    assert (await row(office, silent)).keep_until == (await row(office, silent)).created_at + timedelta(1_095)
    sha256 = (await row(office, within)).sha256
    office.at += timedelta(days=364)
    assert (await purge(office)).deleted == 0
    office.at += timedelta(days=1, hours=1)
    assert (await purge(office)).deleted == 1
    gone = await row(office, within)
    assert (gone.gone_why, gone.gone_by, gone.sha256) == ("expired", "system", sha256)
    assert gone.gone_at is not None
    assert await sound_of(office, within) == (False, False)
    assert await sound_of(office, silent) == (True, True)
    assert [(found["sha256"], found["why"]) for found in erased(office)] == [(sha256, "expired")]
    assert await trail(office, within) == [("erase", "system")]
    assert (await purge(office)).deleted == 0
    office.at += timedelta(days=731)
    assert (await purge(office)).deleted == 1
    assert await sound_of(office, silent) == (False, False)
    assert await problems(office) == []


async def test_another_code_or_other_settings_count_when_the_time_comes(office: Office) -> None:
    (key,) = await recorded(office)
    await purge(office)
    check_id = 1
    async with office.database.unit_of_work() as session:
        await session.execute(update(StoredProposal).values(in_force=False))
        judged = StoredProposal(
            check_id=check_id, rule_set="another/2", in_force=True, code="no_answer", content={}, judged_at=office.at
        )  # fmt: skip
        session.add(judged)
        await retention.settle(session, check_id, office.settings)
    until = (await row(office, key)).keep_until
    assert until == (await row(office, key)).created_at + timedelta(days=1_095)
    # What is written beside it may be of an earlier proposal: it is worked out again.
    async with office.database.unit_of_work() as session:
        await session.execute(update(Recording).values(keep_until=office.at))
    office.at += YEAR
    assert (await purge(office)).deleted == 0
    assert (await row(office, key)).keep_until == until


async def test_open_cases_and_standing_findings_keep_it(either_office: Office) -> None:
    office = either_office
    opened, decided = ["to_review", "proposed", "notified", "disputed"], ["confirmed", "published"]
    keys: dict[str, int] = {}
    for state in (*opened, *decided, "revoked"):
        (keys[state],) = await recorded(office)
        check_id = (await office_check(office, keys[state])).id
        async with office.database.unit_of_work() as session:
            case = Case(
                check_id=check_id, unit_id=office.units[0], code="no_answer", happened_at=office.at, state=state,
                proposal={}, opened_at=office.at, changed_at=office.at + timedelta(days=300),
            )  # fmt: skip
            session.add(case)
    await purge(office)
    office.at += YEAR
    assert (await purge(office)).deleted == 1
    assert not (await sound_of(office, keys["revoked"]))[0]
    for state in (*opened, *decided):
        (held,) = (await office.get(f"/recordings/{keys[state]}"))["held_by"]
        assert held["kind"] == ("finding" if state in decided else "case")
        assert (held["until"] is not None) == (state in decided)
    office.at += HALF_YEAR
    assert (await purge(office)).deleted == len(decided)
    async with office.database.unit_of_work() as session:
        await session.execute(update(Case).values(state="revoked"))
    assert (await purge(office)).deleted == len(opened)


async def test_an_unsigned_phone_record_a_hold_and_a_request_keep_it(either_office: Office) -> None:
    office = either_office
    (key,) = await recorded(office)
    async with office.database.unit_of_work() as session:
        # Phone records are filled from reports alone.
        await session.execute(update(Recording).values(kind="report", attempt_id=None))
    await purge(office)
    office.at += YEAR
    async with office.database.unit_of_work() as session:
        session.add(
            PhoneRecord(
                number="2026-1",
                source="report",
                recording_id=key,
                called_at=office.at,
                created_at=office.at,
                created_by=LI,
            )
        )
    assert (await purge(office)).deleted == 0
    async with office.database.unit_of_work() as session:
        await session.execute(update(PhoneRecord).values(state="signed"))
    placed = await hold(office, key)
    assert (await purge(office)).deleted == 0
    await lift(office, key, placed)
    async with office.database.unit_of_work() as session:
        asked = await removals.request(session, key, "本人要求", WANG)
    assert (await purge(office)).deleted == 0
    async with office.database.unit_of_work() as session:
        await removals.decide(session, key, asked.id, False, "不同意", LI)
    assert (await purge(office)).deleted == 1


async def test_one_sound_under_two_names_goes_with_the_last(office: Office) -> None:
    first, second = await recorded(office, alike=True, rings=(None, None))
    await purge(office)
    placed = await hold(office, second)
    office.at += YEAR
    assert (await purge(office)).deleted == 1
    assert (await row(office, first)).gone_why == "expired"
    assert await sound_of(office, second) == (True, True)
    await lift(office, second, placed)
    assert (await purge(office)).deleted == 1
    assert await sound_of(office, second) == (False, False)
    assert len(erased(office)) == 2
    office.at += timedelta(days=1)
    assert await problems(office) == []


async def test_of_two_reports_that_are_alike_one_stays(office: Office) -> None:
    """The archive does not know which is which; doing it twice after a crash takes no more."""
    archive, file = archive_of(office), office.settings.data_dir / "report.wav"
    (sample,) = await recorded(office)
    file.write_bytes(archive.read((await row(office, sample)).path) + b"report")
    async with office.database.unit_of_work() as session:
        for name in ("reports/1", "reports/2"):
            info = archive.add(file, name, "report")
            session.add(
                Recording(
                    kind="report",
                    path=info.path,
                    sha256=info.sha256,
                    duration_ms=info.duration_ms,
                    channels=2,
                    sample_rate=8000,
                    created_at=office.at,
                )
            )
    assert (await purge(office)).settled == 3
    first, second = sample + 1, sample + 2
    await hold(office, second)
    office.at += YEAR
    assert (await purge(office)).deleted == 2
    async with office.database.unit_of_work() as session:
        await session.execute(update(Recording).where(Recording.id == first).values(gone_at=None))
    assert (await purge(office)).deleted == 1
    assert (await sound_of(office, second))[0]
    await withdraw(office, second)
    assert not (await sound_of(office, second))[0]
    office.at += timedelta(days=1)
    assert await problems(office) == []


class Trouble(Archive):
    """An archive whose store does not answer, or whose process dies after the sound is gone."""

    def __init__(
        self, whole: Archive, error: Exception, after: bool = False, only: str | None = None
    ) -> None:
        super().__init__(whole.folder, whole.vault, whole.manifest)
        self.error, self.after, self.only = error, after, only

    def erase(self, key: str, sha256: str, *more: object, **options: object) -> None:
        if self.after or (self.only is not None and self.only != sha256):
            super().erase(key, sha256, *more, **options)  # type: ignore[arg-type]
        if self.only in (None, sha256):
            raise self.error


async def test_a_store_that_fails_is_an_alarm_and_nothing_is_said_to_be_gone(office: Office) -> None:
    broken, fine = await recorded(office, rings=(6_000.0, 7_000.0))
    await purge(office)
    office.at += YEAR
    sha256 = (await row(office, broken)).sha256
    trouble = Trouble(archive_of(office), RecordingError("x", "no answer"), only=sha256)
    done = await purge(office, trouble)
    assert (done.deleted, done.failed) == (1, 1)
    assert (await row(office, broken)).gone_at is None
    assert (await row(office, fine)).gone_at is not None
    assert (await sound_of(office, broken))[0]
    assert list(await standing(office)) == ["retention_failed"]
    shown = await office.get(f"/recordings/{broken}")
    assert (shown["standing"], shown["gone"]["at"]) == ("going", None)
    # It goes already: nobody can hold it now.
    with pytest.raises(ConflictError):
        await hold(office, broken)
    assert (await purge(office)).deleted == 1
    assert await standing(office) == {}


async def test_an_archive_that_cannot_be_opened_deletes_nothing_and_says_so(office: Office) -> None:
    (key,) = await recorded(office)
    await purge(office)
    office.at += YEAR
    whole = office.settings
    office.settings = whole.model_copy(update={"recordings_key_file": whole.data_dir / "nowhere"})
    assert (await purge(office)).failed == 1
    assert list(await standing(office)) == ["retention_failed"]
    office.settings = whole
    assert (await purge(office)).deleted == 1
    assert await sound_of(office, key) == (False, False)


async def test_after_a_crash_between_the_store_and_the_row_the_next_run_finishes_it(office: Office) -> None:
    (key,) = await recorded(office)
    await purge(office)
    office.at += YEAR
    dying = Trouble(archive_of(office), asyncio.CancelledError(), after=True)  # type: ignore[arg-type]
    with pytest.raises(asyncio.CancelledError):
        await purge(office, dying)
    assert not (await sound_of(office, key))[0]
    assert (await row(office, key)).gone_at is None
    assert (await purge(office)).deleted == 1
    assert (await row(office, key)).gone_at is not None
    assert len(erased(office)) == 1


async def test_by_a_clock_that_is_off_nothing_is_deleted(office: Office) -> None:
    await recorded(office)
    await purge(office)
    office.at += YEAR
    async with office.database.unit_of_work() as session:
        await alarms.raise_alarm(session, "clock_off", "clock", "本机时钟跳变 +31622400.0 秒，无从核对")
    assert (await purge(office)).deleted == 0
    async with office.database.unit_of_work() as session:
        await alarms.clear_alarm(session, "clock_off", "clock")
    assert (await purge(office)).deleted == 1


async def test_a_hold_placed_while_it_goes_either_stands_or_is_refused(either_office: Office) -> None:
    office = either_office
    keys = await recorded(office, rings=tuple(6_000.0 + n for n in range(6)))
    await purge(office)
    office.at += YEAR

    async def holding(key: int) -> bool:
        try:
            await hold(office, key)
        except ConflictError:
            return False
        return True

    *held, done = await asyncio.gather(*(holding(key) for key in keys), purge(office))
    for key, stands in zip(keys, held, strict=True):
        assert (await sound_of(office, key))[0] == stands
        assert ((await row(office, key)).gone_at is None) == stands
    assert done.deleted == held.count(False)


async def test_words_go_with_the_sound(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    forgotten: list[int] = []

    async def forget(_: object, recording_id: int) -> None:
        forgotten.append(recording_id)

    monkeypatch.setattr(forgetting, "FORGETTERS", [forget])
    (key,) = await recorded(office)
    await purge(office)
    office.at += YEAR
    await purge(office)
    assert forgotten == [key]


async def test_a_vault_afar_is_purged_alike(settings: Settings) -> None:
    async with running(settings) as office:
        (key,) = await recorded(office)
        found = await row(office, key)
        near = archive_of(office)
        afar = Archive(near.folder, Vault.at("memory:"), near.manifest)
        file = office.settings.data_dir / "sound"
        file.write_bytes(near.read(found.path))
        afar.vault.put(found.path, file)
        await purge(office, afar)
        office.at += YEAR
        assert (await purge(office, afar)).deleted == 1
        assert not afar.vault.exists(found.path)


async def test_the_end_of_an_order_says_until_when_its_recordings_are_kept(
    either: Database, either_settings: Settings
) -> None:
    settings = either_settings.model_copy(update={"retention_days_by_code": {"busy": 400, "cancelled": 500}})
    desk = Desk(either, settings, FakePhone(settings.recordings_dir))
    with desk.open():
        orders = {}
        for code, record in (("7001", None), ("7002", "busy"), ("7003", OSError("no socket"))):
            _, line = await desk.unit(code)
            if isinstance(record, str):
                desk.phone.records[line.target] = unanswered(line.target, "busy")
            elif record is not None:
                desk.phone.records[line.target] = record
            orders[code] = await desk.order(line)
        await desk.call()
        assert await kept_days(either, orders["7001"]) == [365]
        # This one is called again: until its order is closed nothing is settled.
        assert await kept_days(either, orders["7002"]) == [None]
        assert await kept_days(either, orders["7003"]) == []
        async with either.unit_of_work() as session:
            check = await repository.claimed(session, orders["7002"])
            await conclusions.close(session, check, "settled", settings)
        check = await desk.check(orders["7002"])
        assert check.code is not None
        assert await kept_days(either, orders["7002"]) == [{"busy": 400}.get(check.code, 365)]


async def kept_days(database: Database, check_id: int) -> list[int | None]:
    query = select(Recording).join(Attempt).where(Attempt.check_id == check_id).order_by(Recording.id)
    async with database.reading() as session:
        rows = (await session.scalars(query)).all()
    return [None if row.keep_until is None else (row.keep_until - row.created_at).days for row in rows]


async def office_check(office: Office, recording_id: int) -> SpotCheck:
    query = select(SpotCheck).join(Attempt, Attempt.check_id == SpotCheck.id).join(Recording)
    async with office.database.reading() as session:
        return (await session.scalars(query.where(Recording.id == recording_id))).one()


async def test_what_an_earlier_version_left_is_settled_and_unconcluded_orders_wait(office: Office) -> None:
    first, second = await recorded(office), await recorded(office, 1)
    async with office.database.unit_of_work() as session:
        await session.execute(update(SpotCheck).where(SpotCheck.id == 2).values(state="retry"))
        await session.execute(delete(StoredProposal))
        await session.execute(update(SpotCheck).values(code=None))
        await session.execute(update(Attempt).where(Attempt.check_id == 1).values(verdict_code="no_answer"))
    assert (await purge(office)).settled == 1
    kept = await row(office, first[0])
    assert kept.keep_until == kept.created_at + timedelta(days=1_095)
    assert (await row(office, second[0])).keep_until is None
    office.at = datetime(2036, 1, 1, tzinfo=UTC)
    assert (await purge(office)).deleted == 1

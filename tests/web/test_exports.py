"""Long tables are made in the background: with progress, cancelled at will, for their owner alone, for a day."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import openpyxl
import pytest
from sqlalchemy import select, update

from app import clock
from app.accounts.models import AuditEvent
from app.accounts.permissions import Role
from app.accounts.principal import enter
from app.reports import repository, worker
from app.reports.exporting import SMALL_ROWS, Wanted, collect
from app.reports.keeper import ExportKeeper
from app.reports.models import ExportJob
from app.settings import Settings
from app.web.checks import export
from tests.web.apps import own_doors
from tests.web.people import signed_in
from tests.web.reviewing import THURSDAY, Office, running


@pytest.fixture
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables of more than two rows are long ones."""
    monkeypatch.setattr(export, "SMALL_ROWS", 2)


async def ordered(office: Office, checks: int = 4, **form: str) -> int:
    """Order a long table; return the key of its job."""
    for number in range(checks):
        await office.order(number % 2, at=THURSDAY - timedelta(hours=checks - number))
    answer = await office.client.post("/checks/export", data={"table": "full", "form": "xlsx"} | form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/reports/exports")
    async with office.database.reading() as session:
        return (await session.scalars(select(ExportJob.id).order_by(ExportJob.id.desc()))).all()[0]


async def make(office: Office, job_id: int) -> str:
    """Make it here, as its process would."""
    try:
        return await asyncio.create_task(worker.run(job_id, office.settings, office.database))
    finally:
        enter(None)


async def state_of(office: Office, job_id: int) -> ExportJob:
    async with office.database.reading() as session:
        job = await repository.job(session, job_id)
    assert job is not None
    return job


def files(office: Office) -> list[Path]:
    return list((office.settings.data_dir / "exports").glob("*"))


@pytest.mark.usefixtures("_short")
async def test_a_long_table_from_its_order_to_its_end(either_settings: Settings, tmp_path: Path) -> None:
    async with running(either_settings, units=2) as office:
        job_id = await ordered(office)
        waiting = (await office.client.get("/reports/exports")).text
        assert "等待" in waiting
        assert f'hx-get="/reports/exports/{job_id}/row"' in waiting
        # A call that comes after the order is in no table of it.
        await office.order(0, at=office.now() + timedelta(minutes=5))
        assert await make(office, job_id) == "done"
        row = (await office.client.get(f"/reports/exports/{job_id}/row")).text
        assert "4／4" in row
        assert "已完成" in row
        assert "hx-get" not in row
        answer = await office.client.get(f"/reports/exports/{job_id}/file")
        job = await state_of(office, job_id)
        assert hashlib.sha256(answer.content).hexdigest() == job.sha256
        (tmp_path / "t.xlsx").write_bytes(answer.content)
        sheet = openpyxl.load_workbook(tmp_path / "t.xlsx")["表"]
        assert [sheet.cell(row, 1).value for row in range(4, 8)] == [1, 2, 3, 4]
        (file,) = files(office)
        assert file.stat().st_mode & 0o777 == 0o600
        assert file.parent.stat().st_mode & 0o777 == 0o700
        async with office.database.reading() as session:
            actions = (await session.scalars(select(AuditEvent.action).order_by(AuditEvent.id))).all()
        assert [name for name in actions if name.startswith("export")] == [
            "export_order",
            "export",
            "export_fetch",
        ]
        # A day later its file is gone, and the page says so.
        office.at += timedelta(hours=25)
        await ExportKeeper(office.settings, office.database).delete_old()
        assert files(office) == []
        assert "已到期删除" in (await office.client.get("/reports/exports")).text
        assert (await office.client.get(f"/reports/exports/{job_id}/file")).status_code == 409


@pytest.mark.usefixtures("_short")
async def test_cancelled_it_leaves_nothing(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(settings, units=2) as office:
        job_id = await ordered(office)
        tell = worker._tell

        async def cancelled_meanwhile(database: object, key: int, **values: int) -> None:
            if "done" in values:
                gone = await office.client.post(f"/reports/exports/{key}/cancel")
                assert gone.status_code == 303
            await tell(office.database, key, **values)

        monkeypatch.setattr(worker, "_tell", cancelled_meanwhile)
        assert await make(office, job_id) == "cancelled"
        assert files(office) == []
        assert "已取消" in (await office.client.get("/reports/exports")).text
        assert (await office.client.post(f"/reports/exports/{job_id}/cancel")).status_code == 409
        # Three at a time are enough for one account.
        for _ in range(3):
            await ordered(office, checks=0)
        form = {"table": "full", "form": "csv", "title": "年终表"}
        more = await office.client.post("/checks/export", data=form)
        assert more.status_code == 409
        assert "您已有 3 个导出" in more.text
        assert 'value="年终表"' in more.text


@pytest.mark.usefixtures("_short")
async def test_an_export_is_its_owner_s_alone(settings: Settings) -> None:
    async with running(settings, units=2) as office:
        job_id = await ordered(office, checks=4)
        await make(office, job_id)
        app = own_doors(settings.model_copy(update={"phone_process": False}))
        other = await signed_in(office.database, settings, Role.INSPECTOR)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            for way in ("row", "file"):
                answer = await client.get(f"/reports/exports/{job_id}/{way}", headers=other.headers)
                assert answer.status_code == 404
            gone = await client.post(f"/reports/exports/{job_id}/cancel", headers=other.headers)
            assert gone.status_code == 404
            assert "还没有导出" in (await client.get("/reports/exports", headers=other.headers)).text
        await app.state.database.close()
        async with office.database.unit_of_work() as session:
            fewer = {"paths": ["1/"], "numbers": False}
            await session.execute(update(ExportJob).values(rights=fewer))
        assert (await office.client.get(f"/reports/exports/{job_id}/file")).status_code == 409


@pytest.mark.usefixtures("_short")
async def test_the_service_makes_them_in_processes_and_survives_its_end(settings: Settings) -> None:
    async with running(settings, units=2) as office:
        dead = await ordered(office)
        async with office.database.unit_of_work() as session:
            await repository.move(session, dead, ("waiting",), state="running")
        folder = worker.folder_of(office.settings)
        (folder / "half-made.xlsx").write_bytes(b"x")
        job_id = await ordered(office, checks=0, form="csv")
        keeper = ExportKeeper(office.settings, office.database)
        with clock.running(lambda: datetime.now(UTC)):
            keeper.start()
            try:
                async with asyncio.timeout(100):
                    while (job := await state_of(office, job_id)).state not in ("done", "failed"):
                        await asyncio.sleep(0.2)
            finally:
                await keeper.stop()
        assert (job.state, job.done, job.total) == ("done", 4, 4)
        assert (await state_of(office, dead)).state == "interrupted"
        assert [path.name for path in files(office)] == [job.file]
        assert "中断，请重新导出" in (await office.client.get("/reports/exports")).text


async def test_keys_are_collected_in_batches_without_gap_or_repetition(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.reports import exporting

    monkeypatch.setattr(exporting, "KEYS_BATCH", 3)
    async with running(settings, units=1) as office:
        keys = [
            await office.order(rings=(None, 6_000.0), at=THURSDAY - timedelta(minutes=30 - number))
            for number in range(7)
        ]
        async with office.database.reading() as session:
            found = await collect(session, Wanted("full", "csv"), settings, until=office.now())
            # The second call of the last ones lies beyond the moment; the check itself is there once.
            assert list(found) == keys
            short = await collect(session, Wanted("full", "csv"), settings, office.now(), most=4)
            assert list(short) == keys[:4]
    assert SMALL_ROWS == 2_000

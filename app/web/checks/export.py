"""The export of what the list of records shows."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from fastapi import Request
from starlette.background import BackgroundTask
from starlette.responses import FileResponse, RedirectResponse, Response

from app.accounts.principal import Principal, current
from app.database import Database
from app.reports import service
from app.reports.exporting import SMALL_ROWS, Maker, Wanted, collect, write
from app.reports.filters import RecordFilter
from app.reports.tables import TABLES
from app.reports.worker import folder_of
from app.settings import Settings
from app.tables import delimited, workbook
from app.tables.workbook import discard

MEDIA_TYPES = {"xlsx": workbook.MEDIA_TYPE, "csv": delimited.MEDIA_TYPE}


async def table(
    request: Request, database: Database, settings: Settings, form: Mapping[str, str]
) -> Response:
    """The file, or the way to the exports where it is made in the background. Raises `OfficeError`."""
    who = current()
    assert who is not None
    wanted = Wanted(
        table=form.get("table", "sign"),
        form=form.get("form", "xlsx"),
        narrowed=RecordFilter.read(form).parameters(),
        title=" ".join(form.get("title", "").split()),
        office=" ".join(form.get("office", "").split()),
    )
    service.check_wanted(wanted)
    async with database.reading() as session:
        maker = await service.maker_of(session, wanted, who)
        keys = await collect(session, wanted, settings, until=maker.at, most=SMALL_ROWS + 1)
    if len(keys) > SMALL_ROWS:
        return await _later(request, database, wanted, who, maker)
    path = folder_of(settings) / f"now-{secrets.token_hex(16)}.{wanted.form}"
    try:
        rows = await write(database, settings, path, wanted, keys, maker)
        async with database.unit_of_work() as session:
            await service.note_export(session, wanted.table, wanted.form, rows, maker.told)
    except BaseException:
        discard(path)
        raise
    local = maker.at.astimezone(settings.zone)
    name = f"{TABLES[wanted.table].title}-{local:%Y%m%d-%H%M}.{wanted.form}"
    return FileResponse(
        path, media_type=MEDIA_TYPES[wanted.form], filename=name, background=BackgroundTask(discard, path)
    )


async def _later(
    request: Request, database: Database, wanted: Wanted, who: Principal, maker: Maker
) -> Response:
    async with database.unit_of_work() as session:
        await service.order(session, wanted, who, maker)
    request.app.state.exports.call()
    return RedirectResponse("/reports/exports", status_code=303)

"""Verbs of saved filters, columns and exports. They never commit: the caller's unit of work does."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.accounts import service as audit
from app.accounts.permissions import Permission
from app.accounts.principal import Principal, Scope
from app.errors import BadInputError, ConflictError, Fault, NotFoundError
from app.reports import repository
from app.reports.exporting import FORMS, Maker, Wanted
from app.reports.filters import RecordFilter, in_words
from app.reports.models import ExportJob, ListColumns, SavedFilter
from app.reports.tables import TABLES

KEPT = timedelta(hours=24)
"""How long the file of an export is kept."""
MOST_FILTERS = 50
"""Of one account."""
MOST_OPEN = 3
"""Exports of one account that wait or are being made."""
MOST_TEXT = 80
"""Characters of a title or of the unit of issue."""


async def save_filter(session: AsyncSession, account_id: int, name: str, wanted: RecordFilter) -> SavedFilter:
    """Save a filter under a name; one of that name is replaced. Raises `BadInputError`."""
    name = " ".join(name.split())
    if not 1 <= len(name) <= 40:
        raise BadInputError("筛选名称须为 1 至 40 字", [Fault("name", "1 to 40 characters")])
    if not wanted.query:
        raise BadInputError("没有筛选条件，无需保存", [Fault("name", "nothing is filtered")])
    known = await repository.filter_named(session, account_id, name)
    if known is not None:
        known.query = wanted.query
        return known
    if len(await repository.filters(session, account_id)) >= MOST_FILTERS:
        raise ConflictError(f"每个账号至多保存 {MOST_FILTERS} 个筛选，请先删除不用的")
    row = SavedFilter(account_id=account_id, name=name, query=wanted.query, created_at=clock.now())
    session.add(row)
    await session.flush()
    return row


async def choose_columns(session: AsyncSession, account_id: int, chosen: Sequence[str]) -> None:
    """Keep the columns that an account wants to see."""
    known = await repository.columns(session, account_id)
    if known is None:
        session.add(ListColumns(account_id=account_id, columns=list(chosen), changed_at=clock.now()))
    else:
        known.columns, known.changed_at = list(chosen), clock.now()
    await session.flush()


def check_wanted(wanted: Wanted) -> None:
    """Raise `BadInputError` for a table that there is not."""
    if wanted.table not in TABLES:
        raise BadInputError("没有这种表", [Fault("table", f"one of {', '.join(TABLES)}")])
    if wanted.form not in FORMS:
        raise BadInputError("没有这种文件格式", [Fault("form", f"one of {', '.join(FORMS)}")])
    for name, text in (("title", wanted.title), ("office", wanted.office)):
        if len(text) > MOST_TEXT:
            raise BadInputError(f"至多 {MOST_TEXT} 字", [Fault(name, f"<= {MOST_TEXT} characters")])


async def maker_of(session: AsyncSession, wanted: Wanted, who: Principal) -> Maker:
    """Who makes a table now, with the filter in words."""
    told = await in_words(session, RecordFilter.read(wanted.narrowed))
    return Maker(who.name, clock.now(), told, who.may(Permission.NUMBERS))


async def note_export(session: AsyncSession, what: str, form: str, rows: int, told: str) -> None:
    """Let the audit trail say that a table left: which, how many rows, by which filter."""
    await audit.record(session, "export", f"table:{what}", f"{form}, {rows} rows; {told}")


async def order(session: AsyncSession, wanted: Wanted, who: Principal, maker: Maker) -> ExportJob:
    """Order a table that is made in the background. Raises `ConflictError` for too many at one time."""
    if await repository.count_open(session, who.account_id) >= MOST_OPEN:
        raise ConflictError(f"您已有 {MOST_OPEN} 个导出在等待或生成，请等其完成或取消后再导出")
    row = ExportJob(
        account_id=who.account_id,
        who=who.name,
        state="waiting",
        table=wanted.table,
        form=wanted.form,
        asked=wanted.to_json(),
        told=maker.told,
        rights=rights_of(who),
        file=f"{secrets.token_hex(16)}.{wanted.form}",
        created_at=maker.at,
    )
    session.add(row)
    await session.flush()
    await audit.record(
        session, "export_order", f"export:{row.id}", f"{wanted.table}, {wanted.form}; {maker.told}"
    )
    return row


def rights_of(who: Principal) -> dict[str, Any]:
    """What a person may see, as a job keeps it."""
    return {
        "paths": None if who.scope is None else list(who.scope.paths),
        "numbers": who.may(Permission.NUMBERS),
    }


def principal_of(job: ExportJob) -> Principal:
    """Who a job reads as: with the scope of who ordered it, and nothing but that."""
    paths = job.rights.get("paths")
    return Principal(
        account_id=job.account_id,
        login="",
        name=job.who,
        roles=frozenset(),
        permissions=frozenset({Permission.NUMBERS} if job.rights.get("numbers") else ()),
        scope=None if paths is None else Scope(tuple(paths)),
    )


async def mine(session: AsyncSession, job_id: int, who: Principal) -> ExportJob:
    """One's own export. Raises `NotFoundError` for any other, as for one that there is not."""
    found = await repository.job(session, job_id)
    if found is None or found.account_id != who.account_id:
        raise NotFoundError(f"没有编号为 {job_id} 的导出")
    return found


async def cancel(session: AsyncSession, job_id: int, who: Principal) -> None:
    """Stop an export; what was written of it is deleted. Raises `NotFoundError`, `ConflictError`."""
    found = await mine(session, job_id, who)
    values = {"state": "cancelled", "finished_at": clock.now()}
    if not await repository.move(session, found.id, ("waiting", "running"), **values):
        raise ConflictError("该导出已经结束，不能取消")
    await audit.record(session, "export_cancel", f"export:{found.id}")


async def fetch(session: AsyncSession, job_id: int, who: Principal) -> ExportJob:
    """The export whose file is fetched; the trail says so. Raises `NotFoundError`, `ConflictError`."""
    found = await mine(session, job_id, who)
    if found.state != "done":
        raise ConflictError("该导出没有可下载的文件")
    if found.rights != rights_of(who):
        raise ConflictError("您的权限在导出后有变更，请重新导出")
    await audit.record(session, "export_fetch", f"export:{found.id}", f"sha256 {found.sha256}")
    return found

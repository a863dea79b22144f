"""Verbs of duty lines (值班电话). They never commit: the caller's unit of work does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.directory import repository, service, tree_queries
from app.directory.models import CALLED_KINDS, LINE_KINDS, DutyLine, LineUnit, Unit
from app.directory.numbers import (
    ReadNumber,
    checked_target,
    is_mobile_target,
    is_odd_target,
    main_number,
    read_number,
)
from app.directory.tree import check_revision
from app.errors import BadInputError, ConflictError, Fault, NotFoundError
from app.policy import AnswerKeysError, dial_policy
from app.settings import Settings
from app.trunks import records
from app.trunks.merge import merged
from sip.guard import DialPolicy, NeverDialledError
from sip.numbers import NumberError, parse_number, split_extension
from sip.targets import is_uri

MOST_PILOTS = 20
MOST_UNITS = 50
"""Further units of one shared line."""


@dataclass(frozen=True, slots=True)
class LineEntry:
    """What is written of a line."""

    number: str
    target: str | None = None
    """What is dialled, where it is not what the number says."""
    name: str = "值班电话"
    kind: str = "duty"
    trunk: str | None = None
    pilot_numbers: tuple[str, ...] = ()
    first_day: date | None = None
    last_day: date | None = None
    active: bool = True


@dataclass(frozen=True, slots=True)
class LineWarning:
    """Something about a line that a person should look at; it keeps nobody from calling."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Dialling:
    """What may be dialled here, and through which trunks."""

    policy: DialPolicy
    trunks: frozenset[str]

    def check(self, target: str, where: str) -> None:
        """Raise `BadInputError` for a number that is never dialled. Its text shows no answer key."""
        try:
            self.policy.check(target, trunk=False)
            extension = None if is_uri(target) else split_extension(target)[1]
            if extension is not None:
                self.policy.check_digits_sent(extension)
        except NeverDialledError as error:
            reason = "该号码在禁拨之列（紧急号码、禁拨名单或上级值班室号码），不得登记"
            raise BadInputError(reason, [Fault(where, reason)]) from error


async def dialling(session: AsyncSession, settings: Settings) -> Dialling:
    """What may be dialled, by the settings and the records. Raises `ConflictError` where that cannot be told."""
    stored = await records.read(session)
    ours = merged(settings, stored.trunks)
    try:
        policy = dial_policy(settings, stored)
    except AnswerKeysError as error:
        raise ConflictError("答案号码文件读不出，无法核对禁拨号码，暂不能登记号码") from error
    area = next((trunk.config.area_code for trunk in ours if trunk.in_use and trunk.config.area_code), None)
    policy = DialPolicy(policy.deny, policy.answer_keys, policy.allow, area)
    return Dialling(policy, frozenset(trunk.name for trunk in ours))


async def locked(session: AsyncSession, line_id: int, revision: int | None = None) -> DutyLine:
    """Read a line for a change, and keep others from changing it till the end of the unit of work.

    Raises `NotFoundError`, and `ConflictError` where it is no more at the revision that the caller saw.
    """
    line = await session.get(DutyLine, line_id, with_for_update=True, populate_existing=True)
    if line is None:
        raise NotFoundError(f"没有编号为 {line_id} 的线路")
    if revision is not None:
        check_revision(line.revision, revision)
    return line


async def switchboards(
    session: AsyncSession, unit_id: int, pilots: Iterable[str] = (), except_line: int | None = None
) -> tuple[str, ...]:
    """The switchboard numbers that may complete an extension of a unit.

    The line's own pilot numbers (引示号) where it has any; else those of the unit's lines, and the numbers before
    their extensions.
    """
    own = tuple(pilots)
    if own:
        return own
    found: list[str] = []
    for line in await repository.lines_of_unit(session, unit_id):
        if line.id == except_line or not line.active:
            continue
        main = main_number(line.target)
        found.extend([*line.pilot_numbers, *([main] if main else [])])
    return tuple(found)


async def enter_line(session: AsyncSession, unit: Unit, entry: LineEntry, may: Dialling) -> DutyLine:
    """Enter a line of a unit; unless it is a fax its number gets a 核号 call first.

    Raises `BadInputError` for what is no number or never dialled, `ConflictError` for one that is entered already.
    """
    read = await _read(session, unit.id, entry, None)
    may.check(read.target, "number" if entry.target is None else "target")
    await _refuse_second(session, read, entry.kind, None)
    _check(entry, may)
    try:
        line = await service.add_line(
            session, unit, read.printed, read.target, _pilots(entry.pilot_numbers), kind=entry.kind
        )
    except IntegrityError as error:
        raise _entered_already() from error
    _write(line, entry)
    await session.flush()
    return line


async def change_line(session: AsyncSession, line: DutyLine, entry: LineEntry, may: Dialling) -> None:
    """Write a line anew; another target gets a 核号 call first, and earlier attempts keep what they dialled.

    Raises as `enter_line` does.
    """
    read = await _read(session, line.unit_id, entry, line.id)
    _check(entry, may)
    # Lines from before a rule was made may stay as they are.
    if read.target != line.target or (entry.kind != line.kind and entry.kind in CALLED_KINDS):
        may.check(read.target, "number" if entry.target is None else "target")
        await _refuse_second(session, read, entry.kind, line.id)
    is_called_anew = (entry.kind in CALLED_KINDS) != (line.kind in CALLED_KINDS)
    line.number, line.kind = read.printed, entry.kind
    line.pilot_numbers = _pilots(entry.pilot_numbers)
    _write(line, entry)
    line.revision += 1
    try:
        await service.retarget(session, line, read.target)
        if is_called_anew:
            await service.await_verification(session, line)
        await session.flush()
    except IntegrityError as error:
        raise _entered_already() from error


async def share(session: AsyncSession, line: DutyLine, unit_ids: Sequence[int]) -> None:
    """Say which further units a line reaches (综合值班室). Raises `BadInputError` for a unit that there is not."""
    wanted = frozenset(unit_ids) - {line.unit_id}
    if len(wanted) > MOST_UNITS:
        raise BadInputError(f"一条线路至多共用 {MOST_UNITS} 个单位", [Fault("unit_ids", f"<= {MOST_UNITS}")])
    missing = wanted - await repository.present_units(session, wanted)
    if missing:
        listed = "、".join(str(key) for key in sorted(missing))
        raise BadInputError(f"没有编号为 {listed} 的单位", [Fault("unit_ids", listed)])
    await repository.forget_shared(session, line.id)
    session.add_all(LineUnit(line_id=line.id, unit_id=unit_id) for unit_id in sorted(wanted))
    line.revision += 1
    await session.flush()


async def warnings_of(session: AsyncSession, lines: Iterable[DutyLine]) -> dict[int, tuple[LineWarning, ...]]:
    """What a person should look at, by line."""
    rows = tuple(lines)
    by_key: dict[str, set[str]] = {}
    for line in await tree_queries.lines_with(session, (row.number_key for row in rows)):
        by_key.setdefault(line.number_key, set()).add("fax" if line.kind == "fax" else "called")
    return {line.id: tuple(_warnings(line, by_key.get(line.number_key, set()))) for line in rows}


def _warnings(line: DutyLine, kinds: set[str]) -> Iterable[LineWarning]:
    if line.active and kinds >= {"fax", "called"}:
        yield LineWarning("fax_shares_duty_number", "传真与值班电话同号：应分号设立，免得收发传真时占线")
    if line.kind in CALLED_KINDS and is_mobile_target(line.target):
        yield LineWarning("duty_on_mobile", "值班电话登记为手机号码：应为专用固定座机")
    # A number that was called and answered is whole, whatever its length.
    if line.kind != "fax" and line.verification != "verified" and is_odd_target(line.target):
        yield LineWarning("number_fits_no_plan", "号码不合编号规则：若非内线短号，请核对位数")


async def _read(session: AsyncSession, unit_id: int, entry: LineEntry, line_id: int | None) -> ReadNumber:
    if entry.target is not None:
        target = checked_target(entry.target)
        return ReadNumber(entry.number.strip(), target, None, completed=False)
    mains = await switchboards(session, unit_id, entry.pilot_numbers, line_id)
    return read_number(entry.number, mains)


async def _refuse_second(session: AsyncSession, read: ReadNumber, kind: str, line_id: int | None) -> None:
    """Raise `ConflictError` where a called line has this number already, however it is written."""
    if kind == "fax":
        return
    for other in await tree_queries.lines_with(session, [read.key]):
        if other.id != line_id and other.kind != "fax":
            unit = await repository.unit(session, other.unit_id)
            name = "" if unit is None else unit.name
            raise ConflictError(
                f"该号码已登记为“{name}”的线路 {other.id}；综合值班室请把本单位加到那条线路的共用单位里",
                [Fault("number", f"line {other.id}")],
            )


def _check(entry: LineEntry, may: Dialling) -> None:
    if entry.kind not in LINE_KINDS:
        raise BadInputError("线路类别不在所列之中", [Fault("kind", "、".join(LINE_KINDS))])
    if entry.trunk is not None and entry.trunk not in may.trunks:
        raise BadInputError(f"没有名为 {entry.trunk} 的中继", [Fault("trunk", "无此中继")])
    if entry.first_day and entry.last_day and entry.last_day < entry.first_day:
        raise BadInputError("截止日期早于起始日期", [Fault("last_day", "不得早于起始日期")])
    if len(entry.pilot_numbers) > MOST_PILOTS:
        raise BadInputError(f"引示号至多 {MOST_PILOTS} 个", [Fault("pilot_numbers", f"<= {MOST_PILOTS}")])


def _pilots(texts: Iterable[str]) -> list[str]:
    kept: dict[str, str] = {}
    for position, text in enumerate(texts):
        try:
            kept.setdefault(parse_number(text).key, text.strip())
        except NumberError as error:
            reason = f"引示号“{text[:40]}”不是电话号码"
            raise BadInputError(reason, [Fault(f"pilot_numbers[{position}]", reason)]) from error
    return list(kept.values())


def _write(line: DutyLine, entry: LineEntry) -> None:
    line.name, line.trunk, line.active = entry.name, entry.trunk, entry.active
    line.first_day, line.last_day = entry.first_day, entry.last_day


def _entered_already() -> ConflictError:
    return ConflictError("该号码已登记在另一条线路上", [Fault("number", "已登记")])

"""The tables of checks: their columns, and the cells of a row. docs/reference/tables.md tells each column's source."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from app.reports import people, wording
from app.reports.filters import KINDS_ZH
from app.reports.gathering import CheckRow
from app.reports.wording import NOTHING, UNKNOWN
from app.tables.cells import Column, Value, mask_mobiles


@dataclass(frozen=True, slots=True)
class Eyes:
    """As whom a table is read."""

    zone: ZoneInfo
    numbers: bool
    """Whether mobile numbers are shown whole."""


Cell = Callable[[CheckRow, Eyes], Value]


@dataclass(frozen=True, slots=True)
class Table:
    """A table of checks."""

    key: str
    title: str
    columns: Sequence[Column]
    cells: Sequence[Cell]
    """Of each column after the first, which is 序号."""
    signing: bool = False

    def row(self, number: int, check: CheckRow, eyes: Eyes) -> list[Value]:
        """Return the cells of a row; `number` begins at 1. No cell is empty."""
        values: list[Value] = [number]
        for cell in self.cells:
            value = cell(check, eyes)
            if isinstance(value, str):
                value = value or UNKNOWN
                value = value if eyes.numbers else mask_mobiles(value)
            values.append(value)
        return values


def _local(at: datetime, eyes: Eyes) -> datetime:
    """A local time without zone, to the second."""
    return at.astimezone(eyes.zone).replace(tzinfo=None, microsecond=0)


def _called(check: CheckRow) -> datetime:
    """抽查时间: when the first call left; of a check that was never called, when it was due."""
    return check.calls[0].at if check.calls else check.at


def _call_at(number: int) -> Cell:
    def cell(check: CheckRow, eyes: Eyes) -> Value:
        return _local(check.calls[number].at, eyes) if len(check.calls) > number else NOTHING

    return cell


def _ring_s(check: CheckRow, _: Eyes) -> Value:
    found = wording.ring_ms(check)
    return UNKNOWN if found is None else round(found / 1000, 1)


def _rings(check: CheckRow, _: Eyes) -> Value:
    rings = check.calls[-1].rings if check.calls else None
    return UNKNOWN if rings is None else rings


def _period(check: CheckRow, eyes: Eyes) -> Value:
    return wording.period_of_day(check, _called(check).astimezone(eyes.zone))


def _recordings(check: CheckRow, _: Eyes) -> Value:
    told = []
    for call in check.calls:
        if call.recording is not None:
            key, gone = call.recording
            told.append(f"录音{key}" + (f"（{_GONE.get(gone, gone)}）" if gone else ""))
    return "、".join(told) or "无录音"


_GONE = {"expired": "已到期删除", "removed": "已删除", "withdrawn": "已封存"}


def _answered(check: CheckRow, _: Eyes) -> Value:
    return f"{wording.answered_how(check)}；接听人：{people.name(check)}"


COMMON: Mapping[str, tuple[Column, Cell]] = {
    column.key: (column, cell)
    for column, cell in (
        (Column("unit", "单位", 24, source="单位名录"), lambda c, _: c.unit),
        (Column("line", "值班电话", 16, source="号码名录；手机号按权限隐去中段"), lambda c, _: c.line),
        (
            Column("at", "抽查时间", 19, "at", "第一次拨打的 INVITE 发出时刻，精确到秒，本地时间"),
            lambda c, eyes: _local(_called(c), eyes),
        ),
        (Column("period", "时段", 15, source="拨打时的日历；工作日白天为 08:00–18:00"), _period),
        (Column("kind", "抽查方式", 10, source="抽查任务"), lambda c, _: KINDS_ZH.get(c.kind, c.kind)),
        (Column("plan", "抽查计划", 18, source="抽查任务；指定抽查为 —"), lambda c, _: c.plan or NOTHING),
        (Column("calls", "拨打次数", 9, "whole", "台账"), lambda c, _: len(c.calls)),
        (Column("first", "第1次拨打", 19, "at", "台账"), _call_at(0)),
        (Column("second", "第2次拨打", 19, "at", "台账；没有复拨为 —"), _call_at(1)),
        (Column("ring_s", "响铃时长（秒）", 11, "tenths", "末次通话实测，四舍五入到 0.1 秒"), _ring_s),
        (Column("rings", "约响铃声数", 9, "whole", "末次通话的回铃音，或按国标节拍推算"), _rings),
        (Column("ring", "响铃时长／声数", 16, source="末次通话实测"), lambda c, _: wording.ring_text(c)),
        (Column("how", "接听情况", 24, source="末次通话的事实"), lambda c, _: wording.answered_how(c)),
        (Column("how_who", "接听情况／接听人", 26, source="末次通话的事实；接听人须经人工核实"), _answered),
        (Column("name", "接听人姓名", 11, source="应答核实中人工答“是”的姓名"), lambda c, _: people.name(c)),
        (Column("post", "职务", 11, source="应答核实中人工答“是”的职务"), lambda c, _: people.post(c)),
        (
            Column("rostered", "是否值班表人员", 11, source="已核实的姓名与拨打时的值班表"),
            lambda c, _: people.rostered(c),
        ),
        (Column("leader", "带班领导", 14, source="拨打时的带班表"), lambda c, _: people.leader(c)),
        (Column("leader_in", "带班领导在岗情况", 12, source="电话无从得知"), lambda _, __: UNKNOWN),
        (Column("back_asked", "要求回电时间", 12, source="通话中的要求，电话系统无从得知"), lambda _, __: UNKNOWN),
        (
            Column("back_at", "回电时间", 19, "at", "从轻情节“主动回电”"),
            lambda c, eyes: people.called_back(c, lambda at: _local(at, eyes)),
        ),
        (Column("back_min", "回电用时（分）", 10, "tenths", "末次通话结束前后至回电"), lambda c, _: people.took(c)),
        (
            Column("back_from", "回电号码", 16, source="来电显示；手机号按权限隐去中段"),
            lambda c, _: people.back_from(c),
        ),
        (Column("back_fixed", "是否座机回电", 10, source="回电号码"), lambda c, _: people.back_fixed(c)),
        (
            Column("asked", "业务问答", 24, source="应答核实中人工的“是”“否”；号码不予显示"),
            lambda c, _: people.questions(c),
        ),
        (
            Column("proposed", "拟认定问题", 20, source="机器按启用规则提出，未经人认定"),
            lambda c, _: wording.proposed(c),
        ),
        (
            Column("decided", "已认定问题", 20, source="督查人员认定；未认定的不在此列"),
            lambda c, _: wording.decided(c.cases),
        ),
        (Column("standing", "认定状态", 22, source="待核事项"), lambda c, _: wording.standing(c.cases)),
        (Column("points", "扣分", 8, "tenths", "已认定问题按本单位自定分值"), lambda c, _: wording.points(c)),
        (
            Column("inspector", "抽查人", 11, source="计划抽查为启动计划的人，指定抽查为下令的人"),
            lambda c, _: c.inspector,
        ),
        (Column("recording", "录音编号", 18, source="录音档案"), _recordings),
        (Column("reviewer", "复核人", 12, source="末次作出决定的人"), lambda c, _: wording.reviewers(c.cases)),
        (Column("opinion", "复核意见", 26, source="末次决定及理由"), lambda c, _: wording.opinions(c.cases)),
        (
            Column("remarks", "备注（申诉／核实）", 28, source="申辩、从轻情节、豁免、事由"),
            lambda c, _: wording.remarks(c),
        ),
    )
}  # fmt: skip
"""Every column but 序号, with its cell."""
NUMBER = Column("number", "序号", 6, "whole", "本表行次")


def _table(key: str, title: str, columns: str, *, signing: bool = False) -> Table:
    chosen = [COMMON[name] for name in columns.split()]
    return Table(key, title, (NUMBER, *(c for c, _ in chosen)), tuple(cell for _, cell in chosen), signing)


TABLES: Mapping[str, Table] = {
    table.key: table
    for table in (
        _table(
            "sign",
            "值班电话抽查情况记录表",
            "unit line at period ring how_who proposed decided inspector",
            signing=True,
        ),
        _table(
            "full",
            "值班电话抽查情况明细表",
            "unit line at period kind plan calls first second ring_s rings how name post rostered leader leader_in "
            "back_asked back_at back_min back_from back_fixed asked proposed decided standing points inspector "
            "recording reviewer opinion remarks",
        ),
    )
}

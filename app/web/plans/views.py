"""Plans as their pages show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts import service as audit
from app.directory.models import Unit
from app.planning import choosing, ledger, repository
from app.planning.models import DrawEpoch, Plan, PlanRun
from app.planning.spec import PlanSpec
from app.web.plans.choices import CATEGORIES, FALLBACKS, LINE_KINDS, PERIODS, WINDOW_KINDS

CAUSES: Mapping[str, str] = {
    "start": "启动",
    "calendar": "日历改动",
    "night": "夜间批准改动",
    "lines": "单位或电话改动",
    "weights": "单位分组改动",
    "handovers": "交接班时间改动",
    "exemptions": "豁免改动",
    "verification": "用于核号",
    "uncounted": "我方故障等不计入",
    "missed": "错过",
    "paused": "暂停",
    "clock": "本机时钟不准",
    "stopped": "紧急停拨",
    "exempted": "豁免",
    "handover": "临近交接班",
    "cap": "达到次数上限",
    "line": "电话停用",
    "number": "号码未核实",
    "cancelled": "取消",
}
"""Why a draw was made: what changed, or why moments of the one before passed without a check that counts."""
MOST_NAMED = 12


@dataclass(frozen=True, slots=True)
class Row:
    """A plan in the list."""

    id: int
    name: str
    state: str
    first_day: str
    last_day: str
    period: str
    calls: int | None
    starts: int
    created_by: str
    needs_night: bool
    """Its windows at night await a supervisor."""


def row(plan: Plan, runs: Sequence[PlanRun]) -> Row:
    """A plan in the list."""
    spec = choosing.spec_of(plan)
    return Row(
        plan.id,
        plan.name,
        plan.state,
        "" if spec is None else spec.first_day.isoformat(),
        "" if spec is None else spec.last_day.isoformat(),
        "" if spec is None else PERIODS[spec.period],
        None if spec is None else spec.calls_per_unit,
        sum(run.plan_id == plan.id for run in runs),
        plan.created_by,
        _needs_night(plan, spec),
    )


def _needs_night(plan: Plan, spec: PlanSpec | None) -> bool:
    open_ = plan.state not in ("cancelled", "finished")
    return open_ and spec is not None and spec.calls_at_night and plan.night_approved_at is None


@dataclass(frozen=True, slots=True)
class EpochRow:
    """One draw of a start."""

    number: int
    drawn_at: str
    causes: Sequence[tuple[str, str]]
    """In Chinese, each with how many moments; empty where it is no number."""
    inputs_sha256: str
    chain: str
    orders: int
    passed_over: int


@dataclass(frozen=True, slots=True)
class RunRow:
    """One start of a plan."""

    run: PlanRun
    started_at: str
    ended_at: str
    revealed_at: str
    epochs: Sequence[EpochRow]


@dataclass(frozen=True, slots=True)
class Detail:
    """What the page of a plan says beside its members."""

    scope: Sequence[tuple[str, Sequence[str], int]]
    """Which units: what by, names, and how many more."""
    windows: Sequence[tuple[str, Sequence[str], str]]
    """By kind of day: stretches, and what holds where there are none."""
    weights: Sequence[tuple[str, float]]
    runs: Sequence[RunRow]
    trail: Sequence[Any]
    """What was done to the plan, newest first."""


async def detail(session: AsyncSession, plan: Plan, zone: ZoneInfo) -> Detail:
    """Read what the page of a plan shows."""
    spec = choosing.spec_of(plan)
    runs = await repository.runs(session, [plan.id])
    trail = await audit.of_subject(session, f"plan:{plan.id}")
    names = {} if spec is None else await unit_names(session, sorted(choosing.heads_of(spec)))
    return Detail(
        scope=[] if spec is None else _scope(spec, names),
        windows=[] if spec is None else _windows(spec),
        weights=[] if spec is None else _weights(spec, names),
        runs=[await _run(session, run, zone) for run in reversed(runs)],
        trail=[
            (
                _at(line.at, zone),
                line.who,
                ACTIONS[line.action],
                line.detail if line.action in WITH_REASON else "",
            )
            for line in reversed(trail)
            if line.action in ACTIONS
        ],
    )


ACTIONS: Mapping[str, str] = {
    "plan_create": "编写",
    "plan_edit": "修改",
    "plan_approve_night": "批准夜间抽查",
    "plan_start": "启动",
    "plan_pause": "暂停",
    "plan_resume": "恢复",
    "plan_cancel": "取消",
    "draw_again": "余下的重新抽取",
    "reveal_seed": "公开种子",
}
WITH_REASON = ("plan_pause", "plan_resume", "plan_cancel")


async def unit_names(session: AsyncSession, keys: Sequence[int]) -> Mapping[int, str]:
    """Names of some units, by key; those that may not be seen are missing."""
    found = {}
    for key in keys:
        unit = await session.get(Unit, key)
        if unit is not None:
            found[key] = unit.name
    return found


def _scope(spec: PlanSpec, names: Mapping[int, str]) -> list[tuple[str, Sequence[str], int]]:
    units = spec.units
    parts = [
        ("单位（含下级）", [names.get(key, str(key)) for key in units.subtrees]),
        ("分组", units.kinds),
        ("类别", [CATEGORIES[item] for item in units.categories]),
        ("除外（含下级）", [names.get(key, str(key)) for key in units.exclude]),
        ("拨打", [LINE_KINDS[kind] for kind in units.line_kinds]),
    ]
    return [(what, items[:MOST_NAMED], max(0, len(items) - MOST_NAMED)) for what, items in parts if items]


def _windows(spec: PlanSpec) -> list[tuple[str, Sequence[str], str]]:
    given: dict[str, list[Any]] = {str(kind): list(rows) for kind, rows in spec.windows.items()}
    found: list[tuple[str, Sequence[str], str]] = []
    for kind, name in WINDOW_KINDS.items():
        stretches = [f"{window.start}–{window.end}" for window in given.get(kind, ())]
        otherwise = "不抽查" if kind in given or kind not in FALLBACKS else FALLBACKS[kind]
        found.append((name, stretches, otherwise))
    return found


def _weights(spec: PlanSpec, names: Mapping[int, str]) -> list[tuple[str, float]]:
    return [
        (
            names.get(item.unit, str(item.unit))
            if item.unit is not None
            else item.kind or CATEGORIES[item.category or "other"],
            item.factor,
        )
        for item in spec.weights
    ]


async def _run(session: AsyncSession, run: PlanRun, zone: ZoneInfo) -> RunRow:
    orders = await ledger.count_by_epoch(session, run.id)
    skips = await repository.count_skips(session, run.id)
    epochs = await repository.epoch_heads(session, run.id)
    return RunRow(
        run,
        _at(run.started_at, zone),
        _at(run.ended_at, zone),
        _at(run.revealed_at, zone),
        [_epoch(item, orders.get(item.number, 0), skips.get(item.number, 0), zone) for item in epochs],
    )


def _epoch(epoch: DrawEpoch, orders: int, passed_over: int, zone: ZoneInfo) -> EpochRow:
    causes = [part.strip().partition(":") for part in epoch.cause.split(",")]
    named = [(CAUSES.get(what, what), count) for what, _, count in causes]
    shown = epoch.inputs_sha256, epoch.chain, orders, passed_over
    return EpochRow(epoch.number, _at(epoch.drawn_at, zone), named, *shown)


def _at(at: Any, zone: ZoneInfo) -> str:
    return "" if at is None else at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")

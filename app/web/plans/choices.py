"""What the forms of planning choose from: units as a tree, groups, prompts, trunks, and the words for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.directory.models import Unit
from app.planning import repository
from app.planning.calendar import DAY_KINDS_ZH, SENSITIVE_ZH
from app.trunks import repository as trunk_records

CATEGORIES: Mapping[str, str] = {
    "city": "市",
    "county": "县区",
    "town": "镇街",
    "city_department": "市直部门",
    "county_department": "县直部门",
    "institution": "企事业单位",
    "other": "其他单位",
}
WINDOW_KINDS: Mapping[str, str] = {**DAY_KINDS_ZH, "sensitive": SENSITIVE_ZH}
FALLBACKS: Mapping[str, str] = {
    "makeup_workday": "不填则按工作日",
    "lieu_day": "不填则按法定节假日",
    "sensitive": "不填则按当天类别",
}
"""Kinds of day whose windows may be left to another kind."""
PERIODS: Mapping[str, str] = {
    "week": "周",
    "month": "月",
    "quarter": "季度",
    "year": "年",
    "whole": "整个计划期",
}
LINE_KINDS: Mapping[str, str] = {"duty": "值班电话", "leader": "带班领导电话"}
CAUSES: Mapping[str, str] = {
    "no_answer": "无人接听",
    "busy": "占线",
    "line": "不通",
    "rejected": "拒接",
    "silence": "接通无应答",
    "our_side": "我方故障",
}
STATES: Mapping[str, str] = {
    "draft": "草稿",
    "running": "进行中",
    "paused": "已暂停",
    "cancelled": "已取消",
    "finished": "已结束",
}
MOST_LEVEL = 5


@dataclass(frozen=True, slots=True)
class UnitChoice:
    """One unit of the tree."""

    id: int
    code: str
    name: str
    kind: str
    level: int
    """0 for a root; deeper than five as five."""
    key: str
    """Its key as forms send it."""
    label: str
    """In a list to choose from: moved in by its level."""


@dataclass(frozen=True, slots=True)
class PromptChoice:
    """A prompt that may be played."""

    id: int
    name: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Choices:
    """All that the form of a plan chooses from."""

    units: Sequence[UnitChoice]
    kinds: Sequence[str]
    openings: Sequence[PromptChoice]
    closings: Sequence[PromptChoice]
    trunks: Sequence[str]


async def tree(session: AsyncSession) -> list[UnitChoice]:
    """Every unit that may be seen, parents before their children, by code among sisters."""
    query = select(Unit.id, Unit.code, Unit.name, Unit.kind, Unit.parent_id).order_by(Unit.code)
    rows = (await session.execute(query)).all()
    known = {row.id for row in rows}
    below: dict[int | None, list[Any]] = {}
    for row in rows:
        # A parent that is out of scope is none here.
        parent = row.parent_id if row.parent_id in known else None
        below.setdefault(parent, []).append(row)
    found: list[UnitChoice] = []
    waiting = [(row, 0) for row in reversed(below.get(None, []))]
    while waiting:
        row, level = waiting.pop()
        level = min(level, MOST_LEVEL)
        label = f"{'　' * level}{row.name} · {row.code}"
        found.append(UnitChoice(row.id, row.code, row.name, row.kind, level, str(row.id), label))
        waiting += [(child, level + 1) for child in reversed(below.get(row.id, []))]
    return found


async def names(session: AsyncSession) -> dict[int, str]:
    """Names of the units that may be seen."""
    rows = await session.execute(select(Unit.id, Unit.name))
    return {row[0]: row[1] for row in rows}


async def load(session: AsyncSession, configured: Sequence[str]) -> Choices:
    """Read what the form of a plan chooses from; `configured`: names of trunks of the settings."""
    units = await tree(session)
    usable = await repository.prompts(session, usable=True)
    named = [PromptChoice(row.id, row.name, row.duration_ms / 1000) for row in usable]
    kind_of = {row.id: row.kind for row in usable}
    recorded = [record.name for record in await trunk_records.records(session)]
    return Choices(
        units,
        sorted({unit.kind for unit in units if unit.kind}),
        [prompt for prompt in named if kind_of[prompt.id] == "opening"],
        [prompt for prompt in named if kind_of[prompt.id] == "closing"],
        sorted({*recorded, *configured}),
    )

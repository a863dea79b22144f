"""JSON of trunks."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict


class AlarmOut(BaseModel):
    """An alarm that stands, with its sentence and what to do in both languages."""

    model_config = ConfigDict(from_attributes=True)

    kind: str
    since: datetime | None
    detail: str
    zh: str
    en: str
    remedy_zh: str
    remedy_en: str


class TrunkOut(BaseModel):
    """A trunk of ours; secrets are no part of it."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    source: str
    server: str
    transport: str
    state: str
    since: datetime | None
    registers: bool
    registered_until: datetime | None
    calls: int
    caps: str
    alarms: list[AlarmOut]
    notes: list[str]
    in_use: bool
    well: bool


class TrunkEventOut(BaseModel):
    """Something that happened to a trunk."""

    model_config = ConfigDict(from_attributes=True)

    trunk: str
    at: datetime
    kind: str
    alarm: str | None
    detail: str


class TrunkList(BaseModel):
    """Every trunk, in the order in which they are tried, and what happened last."""

    items: list[TrunkOut]
    events: list[TrunkEventOut]

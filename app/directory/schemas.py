"""JSON of the directory."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class UnitOut(BaseModel):
    """A unit."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    code: str
    name: str
    kind: str


class LineOut(BaseModel):
    """A duty line."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str
    number: str

"""JSON of imports."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field


class FindingOut(BaseModel):
    """One thing that is wrong with one cell, row or sheet."""

    severity: Literal["error", "doubt", "note"] = Field(
        description="An error stops the import, a doubt should be looked at, a note tells what was not read"
    )
    code: str
    sheet: str
    cell: str = Field(description="Such as C7; a row's number where no cell can be named; empty for a sheet")
    value: str = Field(description="What stands there, at most 60 signs")
    wrong: str
    right: str
    wrong_en: str
    right_en: str


class FieldOut(BaseModel):
    """One member that would be different."""

    column: str
    before: str
    after: str


class ChangeOut(BaseModel):
    """One entry that would be added or changed."""

    action: Literal["add", "change"]
    sheet: str
    what: str
    place: str = Field(description="Sheet and row of the file")
    fields: list[FieldOut]


class SheetOut(BaseModel):
    """One sheet that was read."""

    title: str
    read_as: str = Field(description="The usual title of such a sheet")
    heading_row: int
    rows: int


class CountOut(BaseModel):
    """How many entries of one kind the import touches."""

    add: int
    change: int
    unchanged: int
    not_named: int = Field(description="In the records but not in the file; they stay as they are")


class ImportOut(BaseModel):
    """A file that was brought, and what it would do. Nothing of it is entered before it is confirmed."""

    id: str
    state: Literal["open", "confirmed"]
    name: str
    sha256: str
    size: int
    form: Literal["xlsx", "csv"]
    encoding: str
    uploaded_at: datetime
    uploaded_by: str
    expires_at: datetime
    confirmed_at: datetime | None
    confirmed_by: str | None
    importable: bool = Field(description="No error, and something to do")
    errors: int
    doubts: int
    notes: int
    sheets: list[SheetOut]
    counts: dict[str, CountOut] = Field(description="By the usual title of the sheet")
    findings: list[FindingOut] = Field(description="The first 100, errors first; all under `/findings`")
    changes: list[ChangeOut] = Field(description="The first 100; all under `/changes`")

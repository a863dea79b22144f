"""JSON of what was heard in answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.answers.service import MOST_NOTE


class AnswerItemOut(BaseModel):
    """One thing that was said, beside what the books say. Answer keys are masked in it."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    attempt_id: int
    transcription_id: int
    kind: Annotated[str, Field(description="`unit`, `name`, `title` or `number` (单位, 姓名, 职务, 号码)")]
    heard: Annotated[str, Field(description="As it stands in the transcript")]
    heard_pinyin: str
    start_ms: Annotated[float, Field(description="In the call")]
    end_ms: float
    expected: Annotated[
        str, Field(description="Of the books; names that sound alike with 、 between; empty: none is like it")
    ]
    distance: Annotated[float | None, Field(description="0: they sound alike; 1: nothing is alike")]
    grade: Annotated[str, Field(description="`strong`, `medium`, `weak` or `none`")]
    evidence: dict[str, Any]
    answer: Annotated[
        str, Field(description="`yes`, `no` or `unverified` (是, 否, 未核实); only a person sets it")
    ]
    answered_at: datetime | None
    answered_by: str | None
    note: str


class AnswerIn(BaseModel):
    """What a person says of an item."""

    model_config = ConfigDict(extra="forbid")

    answer: Literal["yes", "no", "unverified"]
    note: Annotated[str, Field(max_length=MOST_NOTE)] = ""

"""What was heard in an answer, beside what the books say. The machine finds; only a person says yes or no."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base, BigId, one_of

ANSWER_KINDS = ("unit", "name", "title", "number")
"""单位, 姓名, 职务, 号码."""
ANSWERS = ("unverified", "yes", "no")
"""未核实, 是, 否."""


class AnswerItem(Base):
    """One thing found in what was said."""

    __tablename__ = "answer_items"
    __table_args__ = (
        CheckConstraint(one_of("kind", ANSWER_KINDS), name="kind"),
        CheckConstraint(one_of("answer", ANSWERS), name="answer"),
        Index("ix_answer_items_attempt_id", "attempt_id", "id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    attempt_id: Mapped[int] = mapped_column(ForeignKey("attempts.id", ondelete="RESTRICT"))
    transcription_id: Mapped[int] = mapped_column(
        ForeignKey("transcriptions.id", ondelete="RESTRICT"), index=True
    )
    kind: Mapped[str] = mapped_column(String(20))
    heard: Mapped[str] = mapped_column(Text)
    """As it stands in the transcript."""
    heard_pinyin: Mapped[str] = mapped_column(Text, default="")
    start_ms: Mapped[float]
    end_ms: Mapped[float]
    expected: Mapped[str] = mapped_column(Text, default="")
    """The name, title or number of the books that it was matched with; empty: nothing of the books is like it."""
    distance: Mapped[float | None]
    """Between the two; 0: alike in sound."""
    grade: Mapped[str] = mapped_column(String(20), default="none")
    evidence: Mapped[dict[str, Any]] = mapped_column(JSON(none_as_null=True), default=dict)
    """What the match rests on: which book and version, the second pass, others that are nearly as like."""
    answer: Mapped[str] = mapped_column(String(20), default="unverified")
    answered_at: Mapped[datetime | None]
    answered_by: Mapped[str | None] = mapped_column(String(80))
    note: Mapped[str] = mapped_column(Text, default="")

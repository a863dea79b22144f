"""What was found in an answer, as plain values. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["unit", "name", "title", "number"]
Grade = Literal["strong", "medium", "weak", "none"]
"""`strong`: alike in sound, nothing else near it; `medium`: near, or others sound the same; `weak`: a person should
listen; `none`: nothing of the books is like it."""
GRADES: tuple[Grade, ...] = ("strong", "medium", "weak", "none")


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that was said, beside what the books say."""

    kind: Kind
    heard: str
    pinyin: str
    start_ms: float
    end_ms: float
    expected: str = ""
    """Of the books; several names that sound alike with 、 between. Empty: nothing of the books is like it."""
    distance: float | None = None
    """0: they sound alike; 1: nothing is alike."""
    grade: Grade = "none"
    evidence: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Question:
    """What the second pass is to decide: which of these phrases is said in a stretch, after what stands before it."""

    start_ms: float
    end_ms: float
    phrases: tuple[str, ...]
    before: str = ""


Answers = dict[Question, tuple[tuple[str, float], ...]]
"""What the second pass said: each phrase with its score, the best first."""

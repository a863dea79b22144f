"""JSON of scores."""

from __future__ import annotations

from datetime import date, datetime

from pydantic import BaseModel, Field

from app.directory.models import Unit
from app.reviews.codes import title_of
from app.reviews.schemas import UnitRef
from app.reviews.score_repository import RING_EDGES_S
from app.reviews.scores import UnitScore
from app.reviews.scoring import Figures


class CodeCount(BaseModel):
    """How often one code was confirmed."""

    code: str
    title_zh: str
    count: int
    rate: float | None = Field(description="Per random check; null beside the rates, or without a check")


class Stretch(BaseModel):
    """Answered random calls that rang more than `from_s` and at most `to_s` seconds."""

    from_s: int
    to_s: int | None
    count: int


class FiguresOut(BaseModel):
    """The figures of one unit."""

    n: int = Field(description="Random checks that were closed and not spoilt by us")
    ranked: bool = Field(description="False with fewer than 3 checks")
    found: int = Field(description="Of them with a confirmed finding")
    rate: float | None
    by_code: list[CodeCount]
    points: float | None = Field(description="By the office's own points; null where it has none in force")
    deducted: float | None
    band: str | None
    points_with_beside: float | None = Field(description="With the findings beside the random checks")
    designated: list[CodeCount] = Field(description="Confirmed findings of 指定抽查: outside the rates")
    manual: list[CodeCount] = Field(description="Confirmed findings of 人工补录: outside the rates")


class ScoreOut(FiguresOut):
    """One unit's score."""

    unit: UnitRef
    left_out: int = Field(description="Random checks that do not count because our side spoilt them")
    ring_to_answer: list[Stretch] = Field(
        description="Answered random calls by ring-to-answer; those with an undecided or revoked case left out"
    )


class PeriodOut(BaseModel):
    """Of which days, and by whose points."""

    first: date
    last: date
    least_checks: int = Field(description="With fewer checks a unit is not ranked")
    points_document: str | None = Field(description="The local document by which points are given, if any")
    computed_at: datetime


class ScorePage(BaseModel):
    """Scores, by the units' keys."""

    period: PeriodOut
    items: list[ScoreOut]
    next: str | None


class RankOut(FiguresOut):
    """One unit in the order; units of one figure share their place."""

    place: int
    unit: UnitRef


class Ranking(BaseModel):
    """The ranked units, the best first."""

    period: PeriodOut
    by: str = Field(description="`points` or `rate`")
    ranked: int
    unranked: int = Field(description="Units with checks or findings, but fewer checks than it takes")
    items: list[RankOut]
    next: str | None


def _counts(counted: dict[str, int], n: int | None) -> list[CodeCount]:
    return [
        CodeCount(code=code, title_zh=title_of(code), count=number, rate=round(number / n, 6) if n else None)
        for code, number in counted.items()
    ]


def _plain(own: Figures) -> FiguresOut:
    return FiguresOut(
        n=own.n,
        ranked=own.ranked,
        found=own.found,
        rate=None if own.rate is None else round(own.rate, 6),
        by_code=_counts(dict(own.by_code), own.n),
        points=own.points if own.ranked else None,
        deducted=own.deducted,
        band=own.band if own.ranked else None,
        points_with_beside=own.points_with_beside if own.ranked else None,
        designated=_counts(dict(own.beside.get("designated", {})), None),
        manual=_counts(dict(own.beside.get("manual", {})), None),
    )


def score_out(score: UnitScore) -> ScoreOut:
    """Return a score as the API shows it."""
    edges = (0, *RING_EDGES_S)
    ring = score.ring or [0] * len(edges)
    return ScoreOut(
        **_plain(score.figures).model_dump(),
        unit=UnitRef(id=score.unit.id, name=score.unit.name),
        left_out=score.left_out,
        ring_to_answer=[
            Stretch(
                from_s=edge, to_s=edges[number + 1] if number + 1 < len(edges) else None, count=ring[number]
            )
            for number, edge in enumerate(edges)
        ],
    )


def rank_out(place: int, unit: Unit, own: Figures) -> RankOut:
    """Return a place in the order as the API shows it."""
    return RankOut(**_plain(own).model_dump(), place=place, unit=UnitRef(id=unit.id, name=unit.name))

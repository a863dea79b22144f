"""Rates and points of one unit, pure: from counted checks, confirmed findings and the office's own scale.

A rate is over random checks that were closed and not spoilt by us; its number is always printed. Points exist only
where the office put its own (本单位自定) in force.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

LEAST_CHECKS = 3
"""With fewer counted random checks a unit is not ranked."""
ALL = "all"


@dataclass(frozen=True, slots=True)
class Cap:
    """No more than `most` points for one code, or for `all`, in a month, quarter or year (扣完为止)."""

    code: str
    per: str
    most: float


@dataclass(frozen=True, slots=True)
class Scale:
    """An office's own points."""

    base: float
    points: Mapping[str, float]
    caps: tuple[Cap, ...] = ()
    bands: tuple[tuple[str, float], ...] = ()
    """Names with the least score for each, from the best down."""

    def band(self, score: float) -> str | None:
        """The grade of a score; None where no band reaches down to it."""
        return next((name for name, least in self.bands if score >= least), None)


class Finding(NamedTuple):
    """One confirmed finding."""

    code: str
    at: datetime
    kind: str
    """`random`, `designated` or `manual`."""
    check_id: int | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """What a unit's score says."""

    n: int
    """Random checks that count."""
    found: int
    """Random checks with a confirmed finding, whatever their number of findings."""
    by_code: Mapping[str, int]
    """Random checks with a confirmed finding of this code."""
    beside: Mapping[str, Mapping[str, int]]
    """Confirmed findings by code, of 指定抽查 and of checks by hand: outside the rates."""
    points: float | None = None
    """Base less what the findings of random checks deduct, at least 0; None without a scale of one's own."""
    deducted: float | None = None
    points_with_beside: float | None = None
    """The same with the findings beside."""
    band: str | None = None

    @property
    def ranked(self) -> bool:
        """Whether there were checks enough to set the unit beside others."""
        return self.n >= LEAST_CHECKS

    @property
    def rate(self) -> float | None:
        """Share of the random checks with a finding; None without a check."""
        return self.found / self.n if self.n else None


ScaleAt = Callable[[datetime], Scale | None]
"""The scale in force at a moment."""


def figures(
    n: int, findings: Sequence[Finding], scale_at: ScaleAt, closing: Scale | None, zone: ZoneInfo
) -> Figures:
    """Work out a unit's figures; `closing` is the scale at the period's end, whose base and bands hold for it all."""
    findings = _once(findings)
    drawn = [finding for finding in findings if finding.kind == "random"]
    by_code = {
        code: len({finding.check_id for finding in drawn if finding.code == code})
        for code in sorted({finding.code for finding in drawn})
    }
    beside: dict[str, Counter[str]] = {"designated": Counter(), "manual": Counter()}
    for finding in findings:
        if finding.kind in beside:
            beside[finding.kind][finding.code] += 1
    found = len({finding.check_id for finding in drawn})
    plain = Figures(n, found, by_code, {kind: dict(counted) for kind, counted in beside.items()})
    if closing is None:
        return plain
    deducted = deduction(drawn, scale_at, zone)
    score = max(0.0, closing.base - deducted)
    return Figures(
        plain.n,
        plain.found,
        plain.by_code,
        plain.beside,
        points=round(score, 3),
        deducted=round(deducted, 3),
        points_with_beside=round(max(0.0, closing.base - deduction(findings, scale_at, zone)), 3),
        band=closing.band(score),
    )


def _once(findings: Sequence[Finding]) -> list[Finding]:
    """One order has a finding of one code once, however many cases came to it."""
    kept: dict[object, Finding] = {}
    for position, finding in enumerate(findings):
        kept.setdefault((finding.check_id, finding.code) if finding.check_id else position, finding)
    return list(kept.values())


def deduction(findings: Iterable[Finding], scale_at: ScaleAt, zone: ZoneInfo) -> float:
    """Return the points that findings deduct, each by the scale in force at its call, capped as that scale says."""
    by_scale: dict[int, tuple[Scale, list[Finding]]] = {}
    for finding in findings:
        scale = scale_at(finding.at)
        if scale is not None:
            by_scale.setdefault(id(scale), (scale, []))[1].append(finding)
    return sum(_capped(scale, own, zone) for scale, own in by_scale.values())


@dataclass(slots=True)
class _Bucket:
    points: float = 0.0
    members: list[tuple[str, date]] = field(default_factory=list)


def _capped(scale: Scale, findings: Sequence[Finding], zone: ZoneInfo) -> float:
    """Points by code and month, cut first by the caps of single codes, then by those of all of them."""
    found: dict[tuple[str, date], float] = defaultdict(float)
    for finding in findings:
        month = finding.at.astimezone(zone).date().replace(day=1)
        found[finding.code, month] += scale.points.get(finding.code, 0.0)
    # Short spans before long ones: what a month's cap took away is not there for the year's.
    order = ("month", "quarter", "year")
    for cap in sorted(scale.caps, key=lambda cap: (cap.code == ALL, order.index(cap.per))):
        _cut(found, cap)
    return sum(found.values())


def _cut(found: dict[tuple[str, date], float], cap: Cap) -> None:
    buckets: dict[tuple[int, int], _Bucket] = defaultdict(_Bucket)
    for (code, month), points in found.items():
        if cap.code in (ALL, code):
            bucket = buckets[_span(month, cap.per)]
            bucket.points += points
            bucket.members.append((code, month))
    for bucket in buckets.values():
        if bucket.points > cap.most:
            share = cap.most / bucket.points
            for member in bucket.members:
                found[member] *= share


def _span(month: date, per: str) -> tuple[int, int]:
    return month.year, {"month": month.month, "quarter": (month.month - 1) // 3, "year": 0}[per]

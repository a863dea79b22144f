"""What is an office's own (本单位自定): points, caps, bands, limits, and what its document adds to a set's clauses."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from app.api.text import Name, Words
from app.checks.rules import Rules
from app.directory.models import UNIT_CATEGORIES
from app.errors import BadInputError
from app.rules.codes import SUPPORTED
from app.rules.format import Mark, faults
from app.settings import RING_PERIOD_S

Points = Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]
Seconds = Annotated[float, Field(gt=0, le=600, allow_inf_nan=False)]
ALL = "all"
"""In a cap: all findings together."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Cap(_Part):
    """No more than so many points for one finding, or for all, within a stretch of time (扣完为止)."""

    finding: Annotated[str, Field(max_length=40)] = ALL
    per: Literal["month", "quarter", "year"] = "year"
    most: Points

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.finding != ALL and self.finding not in SUPPORTED:
            raise ValueError(f"there is no finding {self.finding!r}; it takes {ALL}, {', '.join(SUPPORTED)}")
        return self


class Band(_Part):
    """A grade (等次) and the least score for it."""

    name: Name
    least: Points


class OwnLimits(_Part):
    """Seconds of ringing (折算口径); what is not given is as the settings have it."""

    within_s: Seconds | None = None
    """The third ring ends (三声止)."""
    limit_s: Seconds | None = None
    """A fourth ring would begin (折算限)."""
    finding_s: Seconds | None = None
    """Beyond it 超时接听 is proposed: at least one ring period more than the limit."""
    least_ring_s: Seconds | None = None
    """Least ringing for an unanswered call to count."""

    def applied_to(self, rules: Rules) -> Rules:
        """Return the limits of a call's reading with these in place. Raises `BadInputError` where they cannot stand."""
        given = {name: value for name, value in self.model_dump().items() if value is not None}
        limits = Rules(**{**_limits(rules), **given})
        if limits.within_s > limits.limit_s:
            raise BadInputError(
                f"limits: within_s is {limits.within_s:g}; it takes at most limit_s, {limits.limit_s:g}"
            )
        if limits.finding_s < limits.limit_s + RING_PERIOD_S:
            raise BadInputError(
                f"limits: finding_s is {limits.finding_s:g}; it takes at least {limits.limit_s + RING_PERIOD_S:g}, "
                "one ring period more than limit_s"
            )
        return limits


class LocalWords(_Part):
    """Where the office's own document says what a clause of the set leaves to it."""

    article: Name
    words: Words


class Own(_Part):
    """All of an activation that is the office's own."""

    base: Points = 100.0
    """Points that a unit starts with."""
    points: Annotated[dict[str, Points], Field(max_length=40)] = {}
    """Deducted for each confirmed finding, by its code."""
    caps: Annotated[tuple[Cap, ...], Field(max_length=40)] = ()
    bands: Annotated[tuple[Band, ...], Field(max_length=20)] = ()
    limits: OwnLimits = OwnLimits()
    binds: Annotated[dict[str, Literal["applies", "reference"]], Field(max_length=len(UNIT_CATEGORIES))] = {}
    """Categories of units that the own document puts under the set's clauses, 适用 or 参照."""
    words: Annotated[dict[Mark, LocalWords], Field(max_length=40)] = {}
    """By the id of a clause whose words the set leaves to the office."""

    @model_validator(mode="after")
    def _known_words(self) -> Self:
        for code in self.points:
            if code not in SUPPORTED:
                raise ValueError(f"points: there is no finding {code!r}; it takes {', '.join(SUPPORTED)}")
        for category in self.binds:
            if category not in UNIT_CATEGORIES:
                known = ", ".join(UNIT_CATEGORIES)
                raise ValueError(f"binds: there is no category {category!r}; it takes {known}")
        least = [band.least for band in self.bands]
        if least != sorted(set(least), reverse=True):
            raise ValueError("bands: they stand from the best down, each with another least score")
        return self

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON; `parse_own` reads it back."""
        return self.model_dump(mode="json")


def parse_own(content: Any) -> Own:
    """Read what an activation stored, or a request brings. Raises `BadInputError` that names what is wrong."""
    try:
        return Own.model_validate(content)
    except ValidationError as error:
        found = faults(error)
        told = "; ".join(f"{fault.where}: {fault.message}" for fault in found[:3])
        raise BadInputError(f"points, caps, bands or limits are wrong: {told}", found) from error


def _limits(rules: Rules) -> dict[str, float]:
    return {name: getattr(rules, name) for name in ("within_s", "limit_s", "finding_s", "least_ring_s")}

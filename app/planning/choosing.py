"""Which lines a plan calls: its scope over the directory's tree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

from sqlalchemy.ext.asyncio import AsyncSession

from app.directory.models import DutyLine, Unit
from app.directory.repository import in_subtree
from app.planning import repository
from app.planning.lines import PlanLine, PlanUnit
from app.planning.models import Plan
from app.planning.spec import PlanSpec, Scope, Weight


def spec_of(plan: Plan) -> PlanSpec | None:
    """What a plan says; None for one whose moments were entered by hand."""
    return None if plan.content is None else PlanSpec.model_validate(plan.content)


def last_day_of(plan: Plan) -> date:
    """The last day of a plan that says when its moments may come."""
    return date.fromisoformat((plan.content or {})["last_day"])


async def chooses(session: AsyncSession, spec: PlanSpec, line: DutyLine) -> bool:
    """Whether a plan calls a line, which comes with its unit."""
    heads = await repository.paths(session, (*spec.units.subtrees, *spec.units.exclude))
    return chosen(spec.units, heads, line)


def heads_of(spec: PlanSpec) -> set[int]:
    """Keys of the units that a plan names: their paths are needed to choose by."""
    return {*spec.units.subtrees, *spec.units.exclude, *(w.unit for w in spec.weights if w.unit is not None)}


def chosen(scope: Scope, heads: Mapping[int, str], line: DutyLine | PlanLine) -> bool:
    """Whether a scope chooses a line, which comes with its unit; `heads`: paths of the units that it names."""
    unit = line.unit
    if line.kind not in scope.line_kinds or _below(unit, scope.exclude, heads):
        return False
    return (
        (not scope.subtrees or _below(unit, scope.subtrees, heads))
        and (not scope.kinds or unit.kind in scope.kinds)
        and (not scope.categories or unit.category in scope.categories)
    )


def _below(unit: Unit | PlanUnit, wanted: Iterable[int], heads: Mapping[int, str]) -> bool:
    return any(unit.id == key or in_subtree(unit.path, heads.get(key, "")) for key in wanted)


def factor(weights: Iterable[Weight], heads: Mapping[int, str], unit: Unit | PlanUnit) -> float:
    """What multiplies the further calls of a unit."""
    product = 1.0
    for weight in weights:
        fits = (
            (weight.unit is not None and _below(unit, [weight.unit], heads))
            or (weight.kind is not None and unit.kind == weight.kind)
            or (weight.category is not None and unit.category == weight.category)
        )
        if fits:
            product *= weight.factor
    return product

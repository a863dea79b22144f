"""The pages about plans name all that the code knows."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from app.checks.retry import RetryRule
from app.planning.contradictions import ContradictionKind
from app.planning.draw import DrawInputs
from app.planning.models import DAY_KINDS
from app.planning.spec import WINDOW_KINDS, Caps, PlanSpec, Scope, Weight

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("model", [PlanSpec, Scope, Weight, Caps, RetryRule])
def test_every_member_of_a_plan_is_described(model: type[BaseModel]) -> None:
    text = (DOCS / "reference/plan-format.md").read_text(encoding="utf-8")
    for name in model.model_fields:
        assert f"`{name}`" in text, f"{model.__name__}.{name} is not described"


def test_every_contradiction_and_input_of_a_draw_is_described() -> None:
    text = (DOCS / "reference/plan-format.md").read_text(encoding="utf-8")
    for name in (*get_args(ContradictionKind), *(field.name for field in dataclasses.fields(DrawInputs))):
        assert f"`{name}`" in text, f"{name} is not described"


def test_every_kind_of_day_is_described() -> None:
    text = (DOCS / "how-to/keep-the-calendar.md").read_text(encoding="utf-8")
    for kind in DAY_KINDS:
        assert f"`{kind}`" in text, f"{kind} is not described"
    assert {*DAY_KINDS, "sensitive"} == set(WINDOW_KINDS)

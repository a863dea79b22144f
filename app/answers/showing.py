"""Who may see what of an answer. Until there are roles nobody sees an answer key."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from app.answers.masking import mask
from app.answers.models import AnswerItem
from app.answers.schemas import AnswerItemOut


def may_see_keys(who: str | None) -> bool:
    """Whether this person may read the numbers of superior duty offices: the one place that decides it."""
    return False


def shown(item: AnswerItem, keys: Collection[str], who: str | None = None) -> AnswerItemOut:
    """Return an item as this person may see it."""
    seen = AnswerItemOut.model_validate(item)
    if may_see_keys(who):
        return seen
    return seen.model_copy(
        update={
            "heard": mask(seen.heard, keys),
            "note": mask(seen.note, keys),
            "expected": mask(seen.expected, keys),
            "evidence": _masked(seen.evidence, keys),
        }
    )


def _masked(value: Any, keys: Collection[str]) -> Any:
    if isinstance(value, str):
        return mask(value, keys)
    if isinstance(value, dict):
        return {name: _masked(inner, keys) for name, inner in value.items()}
    return [_masked(inner, keys) for inner in value] if isinstance(value, list) else value

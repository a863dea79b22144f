"""What went wrong, in the language of the page: details of errors are Chinese with English in brackets behind."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError

from app.errors import BadInputError, Fault, OfficeError
from app.web import i18n

Model = TypeVar("Model", bound=BaseModel)
_BOTH = re.compile(r"^(?P<zh>.*\S)\s*\((?P<en>[\x20-\x7e]+)\)$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Trouble:
    """A form that was not carried out: where it stands on the page, why, and what was typed into it."""

    form: str
    detail: str
    status: int
    typed: Mapping[str, str] = field(default_factory=dict)

    def of(self, form: str, name: str, usual: str = "") -> str:
        """What was typed into a field of a form; `usual` where that form was not sent."""
        return self.typed.get(name, "") if form == self.form else usual


def spoken(detail: str) -> str:
    """Return the part of an error's detail that is in the language of the page; all of it where there is but one."""
    both = _BOTH.match(detail)
    if both is None:
        return i18n.gettext(detail)
    if i18n.language() == i18n.FIRST:
        return both["zh"]
    return both["en"]


async def reader_speaks(request: Request) -> None:
    """A dependency of pages whose words are chosen before they are rendered: the reader's language from here on."""
    i18n.speak(request.cookies.get(i18n.COOKIE, i18n.FIRST))


def trouble(form: str, error: OfficeError, typed: Mapping[str, str]) -> Trouble:
    """Say on the page what stood against a form."""
    return Trouble(form, spoken(error.detail), error.status, typed)


def read_form(model: type[Model], values: Mapping[str, Any], labels: Mapping[str, str]) -> Model:
    """Return what a form says. Raises `BadInputError` that names its wrong fields by their labels, in Chinese."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        names = dict.fromkeys(_named(item["loc"], labels) for item in error.errors() if item["loc"])
        told = "、".join(i18n.gettext(labels.get(name, name)) for name in names)
        faults = [Fault(name, "is missing, too long, or cannot be read") for name in names]
        raise BadInputError(f"请检查：{told}（未填、过长或无法识别） (check: {told})", faults) from error


def _named(where: tuple[int | str, ...], labels: Mapping[str, str]) -> str:
    """The innermost member that has a label: `fields.number` is the field, not the form."""
    return next((str(part) for part in reversed(where) if part in labels), str(where[0]))

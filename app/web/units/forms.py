"""Forms of the directory: declared as fields, read into the models of the JSON, shown again with what was typed.

A page's form and the JSON are judged by one model and go through one function, so that neither lets pass what the other
refuses, and both leave the same line in the audit trail.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, Literal, TypeVar
from zoneinfo import ZoneInfo

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from app.errors import BadInputError, ConflictError, Fault, ForbiddenError, OfficeError
from app.web import i18n
from app.web.pages import render

Given = TypeVar("Given", bound=BaseModel)
Kind = Literal["text", "none", "day", "moment", "choice", "tick", "list", "area", "unit", "units"]
"""`none` is a text whose emptiness takes out what stood there; `unit` and `units` take codes or names of units."""
Values = dict[str, Any]
_PARTED = re.compile(r"[、,，;；\s]+")
WAYS = ["GET", "HEAD", "POST"]
MOST_SIGNS = 20_000
"""Of one field as it is shown again; what is longer is refused anyway."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a form. Words are Chinese and translated where they are shown."""

    name: str
    label: str
    kind: Kind = "text"
    needed: bool = False
    hint: str = ""
    choices: Mapping[str, str] = field(default_factory=dict)
    """Of a `choice`: what is sent, and the word for it."""
    most: int | None = None
    empty: str | None = None
    """What an empty field means; None: it is not sent on, so that the model's own default holds."""


@dataclass(frozen=True, slots=True)
class Form:
    """One form as it is shown."""

    title: str
    fields: Sequence[Field]
    back: str
    """Where the person goes on without it."""
    about: str = ""
    """Of what it is: the name of a unit, a number."""
    typed: Mapping[str, str] = field(default_factory=dict)
    hidden: Mapping[str, str] = field(default_factory=dict)
    button: str = "保存"
    confirm: str = ""
    """A question that names what is changed for good."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Problems:
    """What is wrong with what was typed."""

    whole: tuple[str, ...] = ()
    by_field: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.whole or self.by_field)


Check = Callable[[Given], Awaitable[str]]
"""Carries out what a form asks for; returns the address to go on to."""
Prepare = Callable[[Values], Awaitable[Values]]
"""Turns names into keys before the model sees them."""


def speak(request: Request) -> None:
    """Say what is wrong in the reader's language, before the page is made."""
    i18n.speak(request.cookies.get(i18n.COOKIE, i18n.FIRST))


def show(request: Request, form: Form, problems: Problems | None = None) -> Response:
    """Show a form; with problems it answers 422."""
    told = problems or Problems()
    return render(request, "units/form.html", 422 if told else 200, form=form, problems=told)


async def handle(
    request: Request,
    form: Form,
    model: type[Given],
    zone: ZoneInfo,
    do: Check[Given],
    prepare: Prepare | None = None,
) -> Response:
    """Show a form, or carry out what it was sent with; what is wrong stands beside its field."""
    if request.method != "POST":
        return show(request, form)
    speak(request)
    sent = typed_of(form, await request.form())
    form = replace(form, typed=sent)
    try:
        values = values_of(form.fields, sent, zone)
        values |= {name: sent[name] for name in form.hidden if sent.get(name)}
        if prepare is not None:
            values = await prepare(values)
        where = await do(model.model_validate(values))
    except ValidationError as error:
        return show(request, form, of_validation(error))
    except (BadInputError, ConflictError, ForbiddenError) as error:
        return show(request, form, of_office(error, form.fields))
    return RedirectResponse(where, status_code=303)


def typed_of(form: Form, sent: FormData) -> dict[str, str]:
    """What was typed, by field; files and fields that the form has not are left out."""
    names = [each.name for each in form.fields] + list(form.hidden)
    found = {}
    for name in names:
        value = sent.get(name, "")
        found[name] = value[:MOST_SIGNS] if isinstance(value, str) else ""
    return found


def values_of(fields: Sequence[Field], typed: Mapping[str, str], zone: ZoneInfo) -> Values:
    """The members that a form says. Raises `BadInputError` for a day or moment that is none."""
    found: Values = {}
    faults: list[Fault] = []
    for each in fields:
        text = typed.get(each.name, "").replace("\r\n", "\n").strip()
        try:
            value = _value(each, text, zone)
        except ValueError:
            faults.append(Fault(each.name, "日期或时间不对"))
            continue
        if value is not _ABSENT:
            found[each.name] = value
    if faults:
        raise BadInputError("", faults)
    return found


_ABSENT = object()


def _value(each: Field, text: str, zone: ZoneInfo) -> Any:
    if each.kind == "tick":
        return bool(text)
    if each.kind in ("list", "units"):
        return [part for part in _PARTED.split(text) if part]
    if each.kind in ("none", "day", "moment", "unit") and not text:
        return None if not each.needed else _ABSENT
    if each.kind == "day":
        return date.fromisoformat(text)
    if each.kind == "moment":
        # Typed in the zone of the pages.
        return datetime.fromisoformat(text).replace(tzinfo=zone)
    if not text and each.empty is None:
        return "" if each.needed else _ABSENT
    return text or each.empty


def of_validation(error: ValidationError) -> Problems:
    """What a model refused, by field."""
    found: dict[str, str] = {}
    for item in error.errors():
        found.setdefault(str(item["loc"][0]) if item["loc"] else "", _said(item))
    return Problems(by_field=found)


def _said(item: Mapping[str, Any]) -> str:
    kind, limits = str(item["type"]), item.get("ctx", {})
    words: Mapping[str, str] = {
        "missing": i18n.gettext("请填写"),
        "string_too_short": i18n.gettext("请填写"),
        "string_type": i18n.gettext("请填写"),
        "literal_error": i18n.gettext("请选择"),
        "string_too_long": i18n.gettext("太长，至多 %(most)s 个字") % {"most": limits.get("max_length", "")},
        "too_long": i18n.gettext("太多，至多 %(most)s 个") % {"most": limits.get("max_length", "")},
        "string_pattern_mismatch": i18n.gettext("含有这里不能用的字符或写法"),
        "value_error": i18n.gettext("日期或时间不对（1970 至 2200 年）"),
    }
    return words.get(kind, i18n.gettext("填写有误"))


def of_office(error: OfficeError, fields: Sequence[Field]) -> Problems:
    """What a verb refused: beside the field where it names one that the form has, and in whole above."""
    names = {each.name for each in fields}
    by_field: dict[str, str] = {}
    for fault in error.faults:
        name = re.split(r"[.\[]", fault.where)[0]
        if name in names:
            # Bounds such as `<= 8` are for programs.
            said = (
                fault.message if any("\u4e00" <= sign <= "\u9fff" for sign in fault.message) else error.detail
            )
            by_field.setdefault(name, i18n.gettext(said))
    return Problems((i18n.gettext(error.detail),) if error.detail else (), by_field)


def moment_text(at: datetime | None, zone: ZoneInfo) -> str:
    """A moment as a form's field takes it, to the minute."""
    return "" if at is None else at.astimezone(zone).strftime("%Y-%m-%dT%H:%M")


def day_text(day: date | None) -> str:
    """A day as a form's field takes it."""
    return "" if day is None else day.isoformat()

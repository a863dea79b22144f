"""The form of a plan: what was typed, read into a `PlanSpec`, with each problem beside its field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from pydantic import TypeAdapter, ValidationError
from starlette.datastructures import FormData

from app.api.text import Name
from app.planning.spec import PlanSpec, Weight, Window
from app.web.plans.choices import CATEGORIES, CAUSES, FALLBACKS, WINDOW_KINDS, Choices
from app.web.plans.problems import Problem, of_model

ONE = (
    *("name", "first_day", "last_day", "period", "note", "trunk", "opening_id", "closing_id"),
    *("calls_per_unit", "extra_per_unit", "most_per_unit", "yearly_coverage"),
    *("line_day", "line_week", "least_gap_h", "after_min_s", "after_max_s", "most_calls"),
    *("max_talk_s", "max_ring_s", "notice", "other_trunk"),
)
"""Fields with one value."""
MANY = ("subtrees", "exclude", "kinds", "categories", "line_kinds", "causes", "nobody")
"""Fields with any number of values; `nobody`: kinds of day on which nobody is called."""
TICKS = ("notice", "other_trunk")
OPTIONAL = ("most_per_unit", "opening_id", "closing_id", "trunk")
_CAPS = ("line_day", "line_week", "least_gap_h")
_RETRY = ("after_min_s", "after_max_s", "most_calls")
_SPARE_WINDOWS, _LEAST_WEIGHTS = 1, 2
_NAME = TypeAdapter(Name)


@dataclass(frozen=True, slots=True)
class WindowRow:
    """A stretch of the day as typed."""

    start: str = ""
    end: str = ""


@dataclass(frozen=True, slots=True)
class WeightRow:
    """More or fewer further calls, as typed: a unit, a group or a category, and the factor."""

    what: str = ""
    factor: str = ""


@dataclass(frozen=True, slots=True)
class Typed:
    """All that stands in the form."""

    one: Mapping[str, str]
    many: Mapping[str, frozenset[str]]
    windows: Mapping[str, Sequence[WindowRow]]
    weights: Sequence[WeightRow] = ()

    def rows(self, kind: str) -> Sequence[WindowRow]:
        """The rows of a kind of day: what was typed, and one more."""
        return [*self.windows.get(kind, ()), *[WindowRow()] * _SPARE_WINDOWS]

    def weight_rows(self) -> Sequence[WeightRow]:
        """The rows of weights, with room for more."""
        return [*self.weights, *[WeightRow()] * _LEAST_WEIGHTS]


@dataclass(frozen=True, slots=True)
class Read:
    """What the form came to: a plan, or problems by field."""

    name: str
    spec: PlanSpec | None
    problems: Mapping[str, Problem] = field(default_factory=dict)


def fresh(today: date) -> Typed:
    """The form of a new plan: from the first of next month to the end of its quarter, usual windows and caps."""
    first = date(today.year + (today.month == 12), today.month % 12 + 1, 1)
    after = date(first.year + (first.month > 9), ((first.month - 1) // 3 * 3 + 3) % 12 + 1, 1)
    spec = PlanSpec(
        first_day=first,
        last_day=after - timedelta(days=1),
        windows={
            "workday": [Window(start="12:00", end="14:30"), Window(start="18:00", end="22:00")],
            "weekend": [Window(start="08:00", end="22:00")],
            "holiday": [Window(start="08:00", end="22:00")],
        },
    )
    return typed_of("", spec, {})


def typed_of(name: str, spec: PlanSpec, units: Mapping[int, str]) -> Typed:
    """The form of a plan that was written down; `units`: code and name of each unit by key."""
    content = spec.to_content()
    flat = {**content, **content["caps"], **content["retry"], "name": name}
    one = {key: "" if flat.get(key) is None else _plain(flat[key]) for key in ONE}
    scope = content["units"]
    many = {key: frozenset(str(item) for item in scope[key]) for key in MANY if key in scope}
    many["causes"] = frozenset(content["retry"]["causes"])
    many["nobody"] = frozenset(kind for kind, rows in content["windows"].items() if not rows)
    windows = {kind: [WindowRow(**row) for row in rows] for kind, rows in content["windows"].items()}
    weights = [WeightRow(_what(weight, units), _plain(weight.factor)) for weight in spec.weights]
    return Typed(one, many, windows, weights)


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else ""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _what(weight: Weight, units: Mapping[int, str]) -> str:
    if weight.unit is not None:
        return units.get(weight.unit, str(weight.unit))
    return weight.kind or CATEGORIES[weight.category or "other"]


def typed_from(form: FormData) -> Typed:
    """What a browser sent."""
    one = {key: _text(form.get(key, "")) for key in ONE}
    many = {key: frozenset(_texts(form, key)) for key in MANY}
    windows = {}
    for kind in WINDOW_KINDS:
        pairs = zip(_texts(form, f"start_{kind}"), _texts(form, f"end_{kind}"), strict=False)
        windows[kind] = [WindowRow(start, end) for start, end in pairs if start or end]
    given = zip(_texts(form, "weight_what"), _texts(form, "weight_factor"), strict=False)
    return Typed(one, many, windows, [WeightRow(what, factor) for what, factor in given if what or factor])


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _texts(form: FormData, key: str) -> list[str]:
    return [_text(value) for value in form.getlist(key)]


def read(typed: Typed, choices: Choices) -> Read:
    """Read what was typed. What is wrong stands by the name of its field; of rows, `window.workday.0`, `weight.0`."""
    problems: dict[str, Problem] = {}
    try:
        name = _NAME.validate_python(typed.one["name"])
    except ValidationError as error:
        name = typed.one["name"]
        problems |= of_model(error, lambda _: "name")
    weights = []
    for number, row in enumerate(typed.weights):
        chosen = _chosen(row.what, choices)
        if chosen is None:
            problems[f"weight.{number}"] = Problem("没有这样的单位、分组或类别")
        # Each row keeps its number, so that what is wrong with its factor stands beside it.
        weights.append({**(chosen or {"category": "other"}), "factor": row.factor})
    try:
        spec = PlanSpec.model_validate(_content(typed, weights))
    except ValidationError as error:
        return Read(name, None, _ordered(typed) | of_model(error, _field) | problems)
    return Read(name, None if problems else spec, problems)


def _ordered(typed: Typed) -> dict[str, Problem]:
    """Whether the days are in order: the model tells only once every field is right by itself."""
    first, last = typed.one["first_day"], typed.one["last_day"]
    try:
        wrong = date.fromisoformat(last) < date.fromisoformat(first)
    except ValueError:
        return {}
    return {"last_day": Problem("结束日期早于开始日期")} if wrong else {}


def _content(typed: Typed, weights: list[dict[str, Any]]) -> dict[str, Any]:
    one, many = typed.one, typed.many
    content: dict[str, Any] = {key: one[key] for key in ONE if key not in (*_CAPS, *_RETRY, "name")}
    content |= {key: bool(one[key]) for key in TICKS}
    content |= {key: one[key] or None for key in OPTIONAL}
    other_trunk = content.pop("other_trunk")
    scope = ("subtrees", "exclude", "kinds", "categories", "line_kinds")
    content["units"] = {key: sorted(many[key], key=lambda item: (len(item), item)) for key in scope}
    content["caps"] = {key: one[key] for key in _CAPS}
    content["retry"] = {key: one[key] for key in _RETRY}
    content["retry"] |= {
        "causes": [*(cause for cause in CAUSES if cause in many["causes"]), *(many["causes"] - set(CAUSES))],
        "other_trunk": other_trunk,
    }
    content["windows"] = {
        kind: [{"start": row.start, "end": row.end} for row in typed.windows.get(kind, ())]
        for kind in WINDOW_KINDS
        if typed.windows.get(kind) or (kind in many["nobody"] and kind in FALLBACKS)
    } or {"workday": []}
    content["weights"] = weights
    return content


def _chosen(what: str, choices: Choices) -> dict[str, Any] | None:
    for category, name in CATEGORIES.items():
        if what == name:
            return {"category": category}
    if what in choices.kinds:
        return {"kind": what}
    code = what.partition(" ")[0]
    for unit in choices.units:
        if unit.code == code or unit.name == what:
            return {"unit": unit.id}
    return None


def _field(where: tuple[int | str, ...]) -> str:
    """The field of a place in the model."""
    parts = [part for part in where if part not in ("units", "caps", "retry")]
    if not parts:
        return "after_max_s" if "retry" in where else ""
    if parts[0] == "windows":
        return ".".join(["window", *map(str, parts[1:3])]) if len(parts) > 2 else "windows"
    if parts[0] == "weights":
        return ".".join(["weight", *map(str, parts[1:2])])
    return str(parts[0])

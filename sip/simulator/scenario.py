"""Scenario files: simulated lines in TOML, in the same words as the built-in table.

```toml
[[line]]
extension = "21"
name = "slow"
title_zh = "第三声接听"
steps = [
    {do = "wait", seconds = 0.2},
    {do = "provisional", status = 180, headers = {Diversion = "<sip:{user}@{host}>;reason=unconditional"}},
    {do = "wait", seconds = 14},
    {do = "answer"},
    {do = "say", sound = "officer_01"},
    {do = "hang_up"},
]
expect = {outcome = "answered", answered_by = ["human"], three_ring = "borderline"}
```

A line with the extension of a built-in one replaces it. An error names the file, the line and the key.
"""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from sip.simulator.steps import STEPS, Behaviour, Expectation, Headers, Step, faults

EXTENSION = re.compile(r"[0-9A-Za-z*#._+-]{1,64}")
LINE_KEYS = ("extension", "name", "title_zh", "steps", "expect", "ignore_cancel", "digits", "history_ms")
T = TypeVar("T", bound=Step | Expectation)
WORDS: Mapping[str, type[Step]] = {step.word: step for step in STEPS}


class ScenarioError(Exception):
    """A scenario file cannot be used; the message names the file, the place and what would be right."""


def read_scenario(path: Path) -> dict[str, Behaviour]:
    """Return the lines of a scenario file by extension; raises `ScenarioError`."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{path}: cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"{path}: not TOML: {error}") from error
    try:
        return _lines(content)
    except _Fault as fault:
        raise ScenarioError(f"{path}: {fault}") from fault


class _Fault(Exception):
    """What is wrong, with its place but without the file."""


def _lines(content: dict[str, Any]) -> dict[str, Behaviour]:
    _known("the file", content, ("line",))
    tables = content.get("line")
    if not isinstance(tables, list) or not tables:
        raise _Fault("there is no [[line]]")
    found: dict[str, Behaviour] = {}
    for number, table in enumerate(tables, 1):
        line = _line(f"line {number}", table)
        if line.extension in found:
            raise _Fault(f"line {number}: extension {line.extension!r} stands twice")
        found[line.extension] = line
    return found


def _line(place: str, table: Any) -> Behaviour:
    if not isinstance(table, dict):
        raise _Fault(f"{place} must be a table [[line]]")
    _known(place, table, LINE_KEYS)
    extension = table.get("extension")
    if not isinstance(extension, str) or not EXTENSION.fullmatch(extension):
        raise _Fault(f"{place}: extension is {extension!r}, must be text such as '21'")
    place = f"line {extension}"
    steps = table.get("steps")
    if not isinstance(steps, list):
        raise _Fault(f"{place}: steps must be an array of tables such as {{do = 'answer'}}")
    behaviour = Behaviour(
        extension,
        _typed(place, "name", table.get("name", extension), str),
        _typed(place, "title_zh", table.get("title_zh", ""), str),
        tuple(_step(f"{place}: step {number}", step) for number, step in enumerate(steps, 1)),
        _expectation(f"{place}: expect", table.get("expect", {"outcome": "answered"})),
        _typed(place, "ignore_cancel", table.get("ignore_cancel", False), bool),
        _typed(place, "digits", table.get("digits", ""), str),
    )
    for number, fault in faults(behaviour):
        raise _Fault(f"{place}: step {number}: {fault}" if number else f"{place}: {fault}")
    return behaviour


def _step(place: str, table: Any) -> Step:
    if not isinstance(table, dict) or not isinstance(table.get("do"), str) or table["do"] not in WORDS:
        raise _Fault(f"{place}: needs do = one of {', '.join(WORDS)}")
    return _built(place, WORDS[table["do"]], {key: value for key, value in table.items() if key != "do"})


def _expectation(place: str, table: Any) -> Expectation:
    if not isinstance(table, dict):
        raise _Fault(f"{place} must be a table such as {{outcome = 'busy'}}")
    return _built(place, Expectation, table)


def _built(place: str, kind: type[T], table: dict[str, Any]) -> T:
    hints = get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    _known(place, table, tuple(fields))
    for name, field in fields.items():
        if field.default is dataclasses.MISSING and name not in table:
            raise _Fault(f"{place}: {name} is missing")
    return kind(**{key: _typed(place, key, value, hints[key]) for key, value in table.items()})


def _typed(place: str, key: str, value: Any, hint: Any) -> Any:
    """Return the TOML value as the annotated type wants it, or say what would be right."""
    if hint == Headers:
        return _headers(place, key, value)
    origin, choices = get_origin(hint), get_args(hint)
    if origin is Literal:
        return _chosen(place, key, value, choices)
    if origin is tuple:
        items = value if isinstance(value, list) else [value]
        return tuple(_typed(place, key, item, choices[0]) for item in items)
    if origin is not None:
        return _typed(place, key, value, next(choice for choice in choices if choice is not type(None)))
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is not hint:
        raise _Fault(f"{place}: {key} is {value!r}, must be {_NAMES[hint]}")
    return value


_NAMES = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


def _chosen(place: str, key: str, value: Any, choices: tuple[Any, ...]) -> Any:
    if value not in choices:
        raise _Fault(f"{place}: {key} is {value!r}, must be one of {', '.join(map(str, choices))}")
    return value


def _headers(place: str, key: str, value: Any) -> Headers:
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise _Fault(f"{place}: {key} must be a table such as {{Reason = 'Q.850;cause=17'}}")
    for name, text in value.items():
        if not re.fullmatch(r"[A-Za-z0-9.!%*_+`'~-]+", name) or "\r" in text or "\n" in text:
            raise _Fault(f"{place}: {key}: {name!r} is not a header field of one line")
    return tuple(value.items())


def _known(place: str, table: dict[str, Any], keys: tuple[str, ...]) -> None:
    for key in table:
        if key not in keys:
            raise _Fault(f"{place}: unknown key {key!r}, known: {', '.join(keys)}")

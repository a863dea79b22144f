"""Asks the service for its lists, with every filter and with pairs of them, and takes the time of each answer."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Any

import httpx
from fastapi import FastAPI

from app.bench.content import CODES_ASKED

Query = Mapping[str, str]
PAGE_PARAMETERS = ("after", "limit")
LISTS_OF_CHECKS = ("/api/v1/checks", "/api/v1/orders")
"""Of these every pair of filters is asked for, of other lists each filter alone."""
PAGES = {
    "/today": ("",),
    "/overview": ("",),
    "/live": ("",),
    "/stops": ("",),
    "/checks": (
        "", "unit", "verdict", "review", "unit&verdict", "unit&review", "verdict&review", "since", "until", "kind",
        "plan", "code", "state", "by", "proof", "sign", "unit&state", "verdict&state", "code&proof", "plan&state",
        "by&since", "unit&sign", "kind&proof", "verdict&proof",
    ),
    "/reports": ("", "period", "unit", "unit&period"),
    "/reports/ranking": ("", "unit", "period"),
}  # fmt: skip
MOST_OF_A_KIND = 24
"""Different requests of one list with one set of filters."""


class UnansweredError(Exception):
    """The service did not answer 200."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, and the name under which its time counts."""

    name: str
    path: str
    query: Query


def requests(app: FastAPI, tree: Sequence[int], newest: datetime) -> Iterator[Asked]:
    """Every list of the API and every list page, with its filters. `tree`: heads of subtrees, large to small."""
    values = _values(tree, newest)
    for path, operation in sorted(app.openapi()["paths"].items()):
        if "get" not in operation or "{" in path or not path.startswith("/api/v1/"):
            continue
        if "application/json" not in operation["get"]["responses"]["200"].get("content", {}):
            # A file is no list.
            continue
        given = _given(operation["get"].get("parameters", []), values)
        name = path.removeprefix("/api/v1/")
        yield from _of_list(name, path, given, pairs=path in LISTS_OF_CHECKS)
    for path, sets in PAGES.items():
        for chosen in sets:
            names = [name for name in chosen.split("&") if name]
            yield from _with(f"page {path.strip('/')}", path, names, values | _page_values(values))


def _page_values(values: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """What only pages are asked for."""
    return {
        "review": ["1"],
        "since": [moment[:10] for moment in values["from"]],
        "until": [moment[:10] for moment in values["to"]],
        "kind": ["random", "designated", "demo"],
        "state": ["to_review", "confirmed", "disputed"],
        "by": ["王督查", "nobody"],
        "proof": ["definitive", "strong", "weak"],
        "sign": ["sip_181", "redirect"],
        "period": ["2026-11", "2026Q3", "2025"],
    }


def _values(tree: Sequence[int], newest: datetime) -> dict[str, list[str]]:
    def days_ago(days: int) -> str:
        return (newest - timedelta(days=days)).astimezone(UTC).isoformat().replace("+00:00", "Z")

    units = [str(unit) for unit in tree]
    return {
        "unit": units,
        "unit_id": units,
        "line": [*units[-3:], "1"],
        "plan": ["1", "30", "60"],
        "code": list(CODES_ASKED),
        "verdict": list(CODES_ASKED),
        "from": [days_ago(1), days_ago(60), days_ago(1700)],
        "to": [days_ago(1), days_ago(900), days_ago(1750)],
    }


def _given(parameters: Sequence[Mapping[str, Any]], values: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """What is asked for each filter of a list: its words, yes and no, or values of the filled database."""
    given: dict[str, list[str]] = {}
    for parameter in parameters:
        name, schema = parameter["name"], parameter["schema"]
        if parameter["in"] != "query" or name in PAGE_PARAMETERS:
            continue
        kinds = schema.get("anyOf", [schema])
        words = [str(word) for kind in kinds for word in kind.get("enum", [kind.get("const")]) if word]
        if name in values:
            given[name] = values[name]
        elif words:
            given[name] = words
        elif any(kind.get("type") == "boolean" for kind in kinds):
            given[name] = ["true", "false"]
        elif any(kind.get("format") == "date" for kind in kinds):
            given[name] = [values["from"][1][:10]]
        elif any(kind.get("format") == "date-time" for kind in kinds):
            given[name] = values["from"][1:2]
        elif any(kind.get("type") == "integer" for kind in kinds):
            given[name] = ["1"]
        else:
            given[name] = ["within"]
    return given


def _of_list(name: str, path: str, given: Mapping[str, list[str]], *, pairs: bool) -> Iterator[Asked]:
    yield from _with(name, path, (), given)
    for one in given:
        yield from _with(name, path, (one,), given)
    if pairs:
        for two in combinations(given, 2):
            yield from _with(name, path, two, given)
        yield from _with(
            name, path, [one for one in ("unit", "code", "verdict", "from", "to") if one in given], given
        )


def _with(name: str, path: str, filters: Sequence[str], given: Mapping[str, list[str]]) -> Iterator[Asked]:
    """The list with these filters, with all their values, or as many as are enough."""
    label = f"{name}?{'&'.join(filters)}" if filters else name
    queries: list[dict[str, str]] = [{}]
    for one in filters:
        queries = [query | {one: value} for query in queries for value in given[one]]
    step = max(1, len(queries) // MOST_OF_A_KIND)
    for query in queries[::step]:
        yield Asked(label, path, query)


async def times_ms(client: httpx.AsyncClient, asked: Sequence[Asked], repeats: int) -> dict[str, list[float]]:
    """Ask for everything `repeats` times, and for the page after the first; return the times by name.

    Of lists besides those of checks a filter is left out whose values could not be guessed. Raises `UnansweredError`
    for any other answer that is none.
    """
    found: dict[str, list[float]] = {}
    for _ in range(repeats):
        for one in asked:
            query = dict(one.query)
            for _ in range(2):
                began = time.perf_counter()
                answer = await client.get(one.path, params=query)
                took_ms = (time.perf_counter() - began) * 1000
                if answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY and _is_guessed(one):
                    break
                if answer.status_code != httpx.codes.OK:
                    raise UnansweredError(
                        f"{answer.request.url} answered {answer.status_code}: {answer.text[:300]}"
                    )
                found.setdefault(one.name, []).append(took_ms)
                after = _next(answer)
                if after is None:
                    break
                query["after"] = after
    return found


def _is_guessed(one: Asked) -> bool:
    return one.path not in LISTS_OF_CHECKS and one.path not in PAGES


def _next(answer: httpx.Response) -> str | None:
    if "json" not in answer.headers.get("content-type", ""):
        return None
    content = answer.json()
    place = content.get("next") if isinstance(content, dict) else None
    return place if isinstance(place, str) else None

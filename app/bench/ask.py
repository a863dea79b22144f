"""Asks the service for its lists, with every filter and with pairs of them, and takes the time of each answer."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from html import unescape
from itertools import combinations
from typing import Any
from urllib.parse import unquote

import httpx
from fastapi import FastAPI

from app.bench.content import CODES_ASKED
from app.bench.pages import FILTERS, PARAMETERS, PREVIEWED, page_paths, page_values

Query = Mapping[str, str]
PAGE_PARAMETERS = ("after", "limit")
LISTS_OF_CHECKS = ("/api/v1/checks", "/api/v1/orders")
"""Of these every pair of filters is asked for, of other lists each filter alone."""
AFTER = re.compile(r'<a [^>]*href="[^"]*[?&;]after=([^"&]+)')
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
    page: str = ""
    """The page that it asks for, as the doors write it; empty: a list of the API."""


def requests(
    app: FastAPI, tree: Sequence[int], newest: datetime, rows: int, plans: Sequence[int]
) -> Iterator[Asked]:
    """Every list of the API and every page, with its filters.

    `tree`: heads of subtrees, large to small; `plans`: as `page_paths` takes them.
    """
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
    yield from page_requests(tree, newest, rows, plans)


def page_requests(tree: Sequence[int], newest: datetime, rows: int, plans: Sequence[int]) -> Iterator[Asked]:
    """Every page, with its filters."""
    values = _values(tree, newest)
    given = values | page_values(values, newest)
    for page, addresses in page_paths(tree, rows, plans):
        for chosen in FILTERS.get(page, ("",)):
            names = [name for name in chosen.split("&") if name]
            for address in addresses:
                # Plans that are looked at beforehand are unlike each other.
                name = f"page {address if page == PREVIEWED else page}"
                for one in _with(name, address, names, given):
                    yield replace(one, page=page)


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
        yield Asked(label, path, {PARAMETERS.get(one, one): value for one, value in query.items()})


@dataclass(slots=True)
class Took:
    """What the requests of one name took, milliseconds each: by the clock, and of this process's processor time."""

    wall_ms: list[float] = field(default_factory=list)
    spent_ms: list[float] = field(default_factory=list)


async def times(client: httpx.AsyncClient, asked: Sequence[Asked], repeats: int) -> dict[str, Took]:
    """Ask for everything `repeats` times, and for the page after the first; return the times by name.

    Of lists besides those of checks a filter is left out whose values could not be guessed. Raises `UnansweredError`
    for any other answer that is none.
    """
    found: dict[str, Took] = {}
    for _ in range(repeats):
        for one in asked:
            query = dict(one.query)
            for _ in range(2):
                began, busy = time.perf_counter(), time.process_time()
                answer = await client.get(one.path, params=query)
                took_ms, spent_ms = (time.perf_counter() - began) * 1000, (time.process_time() - busy) * 1000
                if _was_guessed(one, answer.status_code):
                    break
                if answer.status_code != httpx.codes.OK and not (answer.is_redirect and one.page):
                    raise UnansweredError(
                        f"{answer.request.url} answered {answer.status_code}: {answer.text[:300]}"
                    )
                took = found.setdefault(one.name, Took())
                took.wall_ms.append(took_ms)
                took.spent_ms.append(spent_ms)
                after = _next(answer)
                if after is None:
                    break
                query["after"] = after
    return found


def _was_guessed(one: Asked, status: int) -> bool:
    """Whether what was asked for by a guess is not there: a filter's value, or a page of what has a key."""
    if one.page:
        return status == httpx.codes.NOT_FOUND and "{" in one.page
    return status == httpx.codes.UNPROCESSABLE_ENTITY and one.path not in LISTS_OF_CHECKS


def _next(answer: httpx.Response) -> str | None:
    """The place after the page that was answered; None where it was the last one."""
    kind = answer.headers.get("content-type", "")
    if kind.startswith("text/html"):
        found = AFTER.search(answer.text)
        return None if found is None else unquote(unescape(found[1]))
    if "json" not in kind:
        return None
    content = answer.json()
    place = content.get("next") if isinstance(content, dict) else None
    return place if isinstance(place, str) else None

"""Sends what nobody would to every operation of the API, and says what the answers have wrong."""

from __future__ import annotations

import asyncio
import logging
import threading
import traceback
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from app.bench.fill import fill
from app.bench.lists import NEWEST
from app.database import Database
from app.settings import Settings
from tests.web.apps import make_app

Found = TypeVar("Found")
ORDERS, UNITS = 300, 60
KNOWN_KEYS = 12
"""Keys up to here are asked for half of the time: many of them are there."""
OUR_FAILURES = (500, 501, 502, 503)


@dataclass(frozen=True, slots=True)
class Fault:
    """One answer that is wrong."""

    operation: str
    what: str


class Service:
    """The real app on a filled database, in a loop of its own, asked from a thread that has none."""

    def __init__(self, given_settings: Settings) -> None:
        fill(given_settings.url, ORDERS, UNITS, NEWEST)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.app: FastAPI = self._run(self._open(given_settings))

    async def _open(self, given_settings: Settings) -> FastAPI:
        app = make_app(given_settings)
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app), base_url="http://testserver", timeout=60
        )
        return app

    def ask(self, method: str, url: str, **arguments: Any) -> httpx.Response:
        """Send a request; a failure of the app is raised here."""
        return self._run(self._client.request(method, url, **arguments))

    def close(self) -> None:
        """Close the app and its loop."""
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _close(self) -> None:
        await self._client.aclose()
        database: Database = self.app.state.database
        await database.close()

    def _run(self, work: Coroutine[Any, Any, Found]) -> Found:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(120)


@contextmanager
def service(given_settings: Settings) -> Iterator[Service]:
    """The service on a migrated, empty database."""
    opened = Service(given_settings)
    try:
        yield opened
    finally:
        opened.close()


def faults(opened: Sequence[Service], examples: int, first_seed: int = 0) -> list[Fault]:
    """Send `examples` requests to each operation of every service; return what was wrong, at most one thing for each.

    What takes long is to think of requests: services on several databases are sent the same ones.
    """
    logging.getLogger("httpx").setLevel(logging.WARNING)
    found: list[Fault] = []
    document = opened[0].app.openapi()
    for media_type in _files(document):
        schemathesis.openapi.media_type(media_type, st.binary(max_size=400))
    schema = schemathesis.openapi.from_dict(document)
    for number, result in enumerate(schema.get_all_operations()):
        operation = result.ok()
        try:
            _fuzz(opened, operation, examples, first_seed + number)
        except Exception as error:
            lines = traceback.format_exception_only(error)
            where = traceback.extract_tb(error.__traceback__)[-1]
            told = f"{''.join(lines).strip()} ({where.filename}:{where.lineno})"
            notes = " | ".join(getattr(error, "__notes__", ()))
            found.append(Fault(operation.label, f"{told} {notes}"[:2_000]))
    return found


def _files(document: dict[str, Any]) -> set[str]:
    """The media types of bodies that are no JSON."""
    return {
        media_type
        for operations in document["paths"].values()
        for operation in operations.values()
        for media_type in operation.get("requestBody", {}).get("content", {})
        if "json" not in media_type
    }


def _fuzz(opened: Sequence[Service], operation: Any, examples: int, number: int) -> None:
    modes = st.sampled_from([GenerationMode.POSITIVE, GenerationMode.POSITIVE, GenerationMode.NEGATIVE])

    @seed(number)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def run(data: st.DataObject) -> None:
        mode = data.draw(modes)
        try:
            strategy = operation.as_strategy(generation_mode=mode)
            case = data.draw(strategy)
        except Exception as error:
            if type(error).__name__ in ("Unsatisfiable", "SkipTest", "InvalidArgument"):
                return
            raise
        if data.draw(st.booleans()):
            for name in case.path_parameters:
                case.path_parameters[name] = data.draw(st.integers(1, KNOWN_KEYS))
        named = data.draw(st.integers(0, 7)) > 0
        for each in opened:
            _judge(operation, _send(each, case, named))

    run()


def _send(opened: Service, case: Any, named: bool) -> httpx.Response:
    headers = {
        str(name): str(value)
        for name, value in (case.headers or {}).items()
        if _is_header(str(name), str(value))
    }
    if named:
        headers["X-DutyRing-Actor"] = quote("王小明")
        headers["Idempotency-Key"] = f"fuzz-{abs(hash(str(case.body))):020}"
    body: dict[str, Any] = {}
    if case.media_type is not None and not isinstance(case.body, type(schemathesis_nothing())):
        headers["Content-Type"] = case.media_type
        body = {"content": _content(case.body, case.media_type)}
    query = {name: value for name, value in (case.query or {}).items() if value is not None}
    parts = {name: quote(str(value), safe="") or "-" for name, value in (case.path_parameters or {}).items()}
    path = case.path.format(**parts)
    return opened.ask(case.method, path, params=_query(query), headers=headers, **body)


def schemathesis_nothing() -> Any:
    """What stands for a body that is not there."""
    from schemathesis.core import NOT_SET

    return NOT_SET


def _is_header(name: str, value: str) -> bool:
    return name.isascii() and all(31 < ord(sign) < 127 for sign in value)


def _content(body: Any, media_type: str) -> bytes:
    import json

    if isinstance(body, bytes):
        return body
    if "json" in media_type:
        return json.dumps(body).encode("utf-8", "surrogatepass")
    return str(body).encode("utf-8", "replace")


def _query(query: dict[str, Any]) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for name, value in query.items():
        for one in value if isinstance(value, list) else [value]:
            text = str(one).lower() if isinstance(one, bool) else str(one)
            pairs.append((name, text.encode("utf-8", "replace").decode()))
    return pairs


def _judge(operation: Any, answer: httpx.Response) -> None:
    told = f"{answer.request.method} {answer.request.url} -> {answer.status_code} {answer.text[:300]}"
    assert answer.status_code not in OUR_FAILURES, told
    documented = operation.definition.raw["responses"]
    assert str(answer.status_code) in documented or answer.status_code == 405, f"undocumented: {told}"
    if answer.status_code >= 400 and operation.path.startswith("/api/"):
        assert answer.headers["content-type"] == "application/problem+json", f"no problem: {told}"
        assert answer.json()["status"] == answer.status_code, told

"""The time of day. A simulated year runs the same code on a clock of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime


def _system() -> datetime:
    return datetime.now(UTC)


_source: ContextVar[Callable[[], datetime]] = ContextVar("clock", default=_system)


def now() -> datetime:
    """Return the present moment, aware, in UTC."""
    return _source.get()()


@contextmanager
def running(source: Callable[[], datetime]) -> Iterator[None]:
    """Let `now` follow another clock inside this block, and in every task that is started there."""
    token = _source.set(source)
    try:
        yield
    finally:
        _source.reset(token)

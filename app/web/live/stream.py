"""The stream of the page 实时: what has changed, as server-sent events."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from app.accounts.principal import Principal
from app.web.live.calls import Call, shown
from app.web.live.hub import Change, LiveHub, now_s

BEAT_S = 4.0
"""Something is sent so often at least: a page that hears nothing for longer says that the stream is lost."""
AGAIN_MS = 2000
"""How long a browser waits before it asks again."""
ASKED_S = 15.0
"""How often it is looked whether who reads may still do so."""


def sight(reader: Principal | None) -> Callable[[Call], bool]:
    """Which calls somebody sees."""
    scope = None if reader is None else reader.scope
    if scope is None:
        return lambda call: True
    heads = tuple(scope.paths)
    return lambda call: call.path.startswith(heads)


async def events(
    hub: LiveHub,
    visible: Callable[[Call], bool],
    phone: Callable[[], str],
    allowed: Callable[[], Awaitable[bool]],
) -> AsyncIterator[str]:
    """Yield events until whoever reads may not any more: `calls` with what has changed, `beat`, at last `over`."""
    yield f"retry: {AGAIN_MS}\n\n"
    async with hub.watched():
        version, stops, state = 0, None, ""
        sent = asked = time.monotonic()
        while True:
            change = hub.since(version, visible)
            first = version == 0
            if first or change.calls or change.gone or change.stops != stops or state != phone():
                stops, state = change.stops, phone()
                yield _event("calls", _content(change, state, first=first))
                sent = time.monotonic()
            elif time.monotonic() - sent >= BEAT_S:
                yield _event("beat", {"now": now_s()})
                sent = time.monotonic()
            version = change.version
            await hub.wait(1.0)
            if time.monotonic() - asked >= ASKED_S:
                asked = time.monotonic()
                if not await allowed():
                    yield _event("over", {})
                    return


def _content(change: Change, phone: str, *, first: bool) -> dict[str, Any]:
    return {
        "now": now_s(),
        "all": first,
        "calls": [shown(call) for call in change.calls],
        "gone": change.gone,
        "stops": change.stops,
        "phone": phone,
        "readable": change.readable,
    }


def _event(name: str, content: dict[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(content, ensure_ascii=False, separators=(',', ':'))}\n\n"

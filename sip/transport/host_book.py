"""Host names in Contact and Record-Route, looked up in the background for the requests that will follow them.

A request within a dialog cannot wait for DNS: it goes where the dialog's first one went unless the name of its
next hop is known by then.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from sip.core import Address, Message, TransportName, parse_uri, uri_address, uri_transport

from .errors import ResolutionError
from .resolver import Family, Resolver
from .sockets import is_ipv6

MAX_HOSTS = 256
MAX_LOOKUPS = 16
"""At once: whoever sends us messages must not be able to make us flood a name server."""
FRESH_S = 60.0
"""How long a result serves before it is looked up again; the resolver itself minds the TTL."""

_Key = tuple[str, int | None, TransportName | None, bool]


@dataclass(slots=True)
class _Entry:
    address: Address | None
    looked_up_at: float


class HostBook:
    """Knows the addresses of host names that came in messages."""

    def __init__(
        self, resolver: Resolver, local: Address, expect_name: Callable[[Address, str], None]
    ) -> None:
        self._resolver = resolver
        self._family: Family = 6 if is_ipv6(local.host) else 4
        self._expect_name = expect_name
        self._entries: dict[_Key, _Entry] = {}
        self._tasks: dict[_Key, asyncio.Task[None]] = {}

    def find(self, uri: str) -> Address | None:
        """Return the address of a URI's host name, None while it is not known."""
        key = _key(uri)
        entry = self._entries.get(key) if key is not None else None
        return None if entry is None else entry.address

    def notice(self, message: Message) -> None:
        """Look the host names of a message up."""
        for name in ("contact", "record-route"):
            for address in message.addresses(name)[:4]:
                if uri_address(address.uri) is None and (key := _key(address.uri)) is not None:
                    self._look_up(key)

    def close(self) -> None:
        """End what is being looked up."""
        for task in self._tasks.values():
            task.cancel()

    def _look_up(self, key: _Key) -> None:
        known = self._entries.get(key)
        fresh = known is not None and time.monotonic() - known.looked_up_at < FRESH_S
        if fresh or key in self._tasks or len(self._tasks) >= MAX_LOOKUPS:
            return
        self._tasks[key] = asyncio.get_running_loop().create_task(self._resolve(key))

    async def _resolve(self, key: _Key) -> None:
        host, port, transport, secure = key
        try:
            found = await self._resolver.resolve(host, port, transport, secure=secure, family=self._family)
            address: Address | None = found[0]
        except ResolutionError:
            address = None
        finally:
            del self._tasks[key]
        if address is not None and address.transport == "tls":
            self._expect_name(address, host)
        self._entries.pop(key, None)
        self._entries[key] = _Entry(address, time.monotonic())
        if len(self._entries) > MAX_HOSTS:
            del self._entries[next(iter(self._entries))]


def _key(text: str) -> _Key | None:
    uri = parse_uri(text)
    if uri is None or uri.scheme not in ("sip", "sips") or not uri.host:
        return None
    return uri.host.lower(), uri.port, uri_transport(text), uri.scheme == "sips"

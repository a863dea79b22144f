"""From which addresses the sound of a call may come.

Nothing is heard before an SDP answer says who speaks; what arrives earlier is kept for a moment, because sound
may overtake the answer that announces it. From then on:

- What comes from an address that the SDP of the call named is taken at once. After the final answer these are
  the addresses of the answered dialog.
- A far side behind NAT sends from another address than it announced. Such a source is *latched*: the first one
  that sends packets of a known payload type (with SRTP: encrypted with the right key), once nothing has come
  from the announced address for half a second. That is longer than the announcement and its sound are ever
  apart on a working path, and short against a ring of one second; what the source sent in that time is kept
  and used after all. From then on we send to it, too (symmetric RTP, RFC 4961).
- A latched source is not replaced while it lives (2 s), except by the announced address or a new SDP. Once the
  announced address itself has spoken nobody else is latched until a new SDP comes, however long it is silent.
- When the announced address of the final answer has spoken steadily the socket is connected to it, and the
  kernel refuses everybody else. A latched source is never connected, so that the announced address can always
  put a wrong choice right.

What remains open in principle: whoever can forge the source address of the far side can speak in its place
unless SRTP is used, and where the announced address is silent from the first (as behind NAT) whoever is first
and guesses port and payload type is heard until the announced address speaks. `RemoteMedia.latch = False`
closes the latter for far sides that are known to send from where they say.
"""

from __future__ import annotations

import ipaddress
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from sip.media.model import Address, RemoteMedia

_QUIET_S: Final = 0.5
"""How long the announced address must be silent before another one is latched."""
_ALIVE_S: Final = 2.0
_SETTLED_S: Final = 1.0
"""How long the announced address has to be heard before the socket is connected to it."""
_STEADY_S: Final = 0.4
"""A source that has been silent for so long is not latched now, whatever it sent before."""
_LEAST: Final = 3
"""Packets that a source must have sent before it is latched; a stray one is none."""
_KEPT_S: Final = 0.7
"""A packet that waits longer than this for its address to be accepted is refused."""
_KEPT_PACKETS: Final = 80
_CANDIDATES: Final = 8
_TOLD_APART: Final = 64


class Held(NamedTuple):
    """A packet that waits, or that may now be used."""

    data: bytes
    source: Address
    at: float
    plain: bool = False
    """Whether it is decrypted already."""


def _never(data: bytes) -> None:
    """Nothing is valid any more."""


class Named:
    """The addresses that the SDPs of a call named, and the dialogs that named them."""

    def __init__(self) -> None:
        self.final: Address | None = None
        """The address of the latest final answer."""
        self._answered: str | Address | None = None
        self._dialogs: dict[Address, set[str | Address]] = {}

    def learn(self, remote: RemoteMedia) -> Address:
        """Take an SDP answer; return its address."""
        address = (str(ipaddress.ip_address(remote.host)), remote.port)
        dialog = remote.dialog or address
        self._dialogs.setdefault(address, set()).add(dialog)
        if remote.final:
            if self.final is not None:
                self._dialogs[self.final].add(dialog)
            self._answered, self.final = dialog, address
        return address

    def __contains__(self, source: Address) -> bool:
        return source in self._dialogs

    def anothers(self, source: Address) -> bool:
        """Tell whether a source was named by other dialogs than the answered one alone."""
        if self.final is None:
            return False
        dialogs = self._dialogs.get(source)
        return dialogs is not None and self._answered not in dialogs

    def alone(self) -> bool:
        """Tell whether no other dialog than the answered one has named anything."""
        return all(dialogs == {self._answered} for dialogs in self._dialogs.values())


class Gate:
    """Decides about every packet whose source is not `trusted`."""

    def __init__(
        self,
        named: Named,
        valid: Callable[[bytes], bytes | None],
        on_refused: Callable[[Held], None] | None = None,
    ) -> None:
        self.trusted: Address | None = None
        """Packets of this source need no decision; whoever takes one sets `last_at`."""
        self.last_at = 0.0
        self.latched: Address | None = None
        self.refused = 0
        """Packets that were not used."""
        self._named = named
        self._on_refused = on_refused
        self._valid = valid
        """Returns the plain packet when it may be latched."""
        self.announced: Address | None = None
        """The address of the latest SDP."""
        self._latching = True
        self._since = 0.0
        """When the latest SDP came."""
        self._named_at = -_ALIVE_S
        """When an address that an earlier SDP named was last heard."""
        self._held: dict[Address, deque[Held]] = {}
        """The first one first."""
        self.rejected_sources: set[Address] = set()
        """Addresses that packets were refused from."""

    def close(self) -> None:
        """Let go of whoever is asked and told."""
        self._valid, self._on_refused = _never, None

    def connect(self, remote: RemoteMedia, announced: Address, at: float) -> list[Held]:
        """Take the SDP answer that named `announced`; return the packets that came before the first one."""
        waiting = self._held if self.announced is None else {}
        if waiting:
            self._held = {}
        elif self._named.final is not None:
            self._refuse_others()
        if announced != self.announced or (remote.final and not self._named.alone()):
            self.latched = None
        self.trusted = self.latched
        self.announced, self._latching = announced, remote.latch
        self._since, self._named_at = at, at - _ALIVE_S
        self.rejected_sources.discard(announced)
        return sorted((held for queue in waiting.values() for held in queue), key=lambda held: held.at)

    def knock(self, data: bytes, source: Address, at: float) -> list[Held]:
        """Take a packet of a source that is not trusted; return what may be used now, oldest first."""
        if self.announced is None:
            self._hold(Held(data, source, at))
            return []
        if source in self._named:
            return self._knock_named(data, source, at)
        plain = self._valid(data) if self._latching and not self._bound(at) else None
        if plain is None:
            self._refuse(Held(data, source, at))
            return []
        self._hold(Held(plain, source, at, plain=True))
        if at - self._since < _QUIET_S or not self._first_alive(source, at):
            return []
        self.trusted = self.latched = source
        self.last_at = at
        self.rejected_sources.discard(source)
        chosen = list(self._held.pop(source))
        self._drop_held()
        return chosen

    def _knock_named(self, data: bytes, source: Address, at: float) -> list[Held]:
        if self._named.anothers(source):
            self._refuse(Held(data, source, at))
            return []
        if source == self.announced:
            self.trusted, self.latched, self.last_at = source, None, at
            self._drop_held()
        else:
            self._named_at = at
        return [Held(data, source, at)]

    def _bound(self, at: float) -> bool:
        """Tell whether nobody new may be latched."""
        if self.trusted is None:
            return at - self._named_at < _ALIVE_S
        return self.trusted == self.announced or at - self.last_at < _ALIVE_S

    def _first_alive(self, source: Address, at: float) -> bool:
        """Tell whether `source` was the first of those that go on sending."""
        if len(self._held[source]) < _LEAST:
            return False
        for other, queue in self._held.items():
            if other == source:
                return True
            if len(queue) >= _LEAST and at - queue[-1].at < _STEADY_S:
                return False
        return False

    def _hold(self, held: Held) -> None:
        queue = self._held.get(held.source)
        if queue is None:
            if len(self._held) >= _CANDIDATES:
                self._refuse(held)
                return
            queue = self._held[held.source] = deque()
        queue.append(held)
        self.expire(held.at)
        if len(queue) > _KEPT_PACKETS:
            self._refuse(queue.popleft())

    def expire(self, now: float) -> None:
        """Refuse what has waited for too long."""
        for source, queue in list(self._held.items()):
            while queue and now - queue[0].at > _KEPT_S:
                self._refuse(queue.popleft())
            if not queue:
                del self._held[source]

    def held_since(self) -> float | None:
        """Return the arrival of the oldest packet that waits."""
        return min((queue[0].at for queue in self._held.values()), default=None)

    def steady(self, at: float) -> Address | None:
        """Return the address that the socket may be connected to."""
        final = self._named.final
        if final is None or self.trusted != final or self.announced != final:
            return None
        return final if self.last_at - self._since >= _SETTLED_S and at - self.last_at < _STEADY_S else None

    def _refuse(self, held: Held) -> None:
        self.refused += 1
        if len(self.rejected_sources) < _TOLD_APART:
            self.rejected_sources.add(held.source)
        if self._on_refused is not None:
            self._on_refused(held)

    def _refuse_others(self) -> None:
        """Refuse what other dialogs sent."""
        for source in [source for source in self._held if self._named.anothers(source)]:
            for held in self._held.pop(source):
                self._refuse(held)

    def _drop_held(self) -> None:
        for queue in self._held.values():
            for held in queue:
                self._refuse(held)
        self._held = {}

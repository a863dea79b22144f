"""A media engine that opens no socket and hears nothing: what is left of a call is its signalling."""

from __future__ import annotations

from sip.media import EngineHealth, MediaEngine, MediaReport

_PORTS = range(20_000, 60_000, 2)


class NoMedia(MediaEngine):
    """Takes the commands of sessions and does nothing; each call has a port of its own in its offer."""

    @classmethod
    async def ready(cls) -> MediaEngine:
        """Be there at once, for `Phone(start_engine=...)`."""
        return cls(None)

    def command(self, *message: object) -> None:
        """Open and close at once, with no packet to tell of; all else comes to nothing."""
        verb, number = message[0], message[1]
        if not isinstance(number, int):
            return
        if verb == "open":
            self._sessions[number].opened(("127.0.0.1", _PORTS[number % len(_PORTS)]))
        elif verb == "close" and number in self._sessions:
            self._sessions.pop(number).closed(MediaReport())

    async def health(self, ticks: int | None = None) -> EngineHealth:
        """Return that nothing was late."""
        return EngineHealth(0, 0, 0.0, 0.0, 0.0, 0)

    async def close(self) -> None:
        """There is no process to end."""

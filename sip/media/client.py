"""The side of the media engine that lives in the signalling process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from types import TracebackType

import numpy as np
import numpy.typing as npt

from sip.media.model import Address, MediaEvent, MediaReport, RemoteMedia, SessionSpec


class MediaSession:
    """One call's media. Made by `MediaEngine.open`."""

    local: Address
    """The bound UDP address, for the SDP."""

    def begin(self, t0: float) -> None:
        """Set the call's time 0: the `time.monotonic()` at which its first INVITE was handed over."""
        raise NotImplementedError

    def connect(self, remote: RemoteMedia) -> None:
        """Send to `remote` from now on. May be called again, once for each SDP answer."""
        raise NotImplementedError

    def play(self, samples: npt.NDArray[np.int16], *, loop: bool = False) -> None:
        """Play 8 kHz mono samples from the next packet on, in place of what plays now."""
        raise NotImplementedError

    def stop(self) -> None:
        """Go back to sending silence."""
        raise NotImplementedError

    def events(self) -> AsyncIterator[MediaEvent]:
        """Yield what happens until the session is closed (only for sessions opened without `on_event`)."""
        raise NotImplementedError

    async def close(self, end_ms: float) -> MediaReport:
        """End the media at `end_ms` and return its counts once the capture is whole on its file."""
        raise NotImplementedError


class MediaEngine:
    """The media engine process, as its parent sees it."""

    lost: asyncio.Future[str]
    """Done, with the reason, when the engine or its writer died unexpectedly."""

    @classmethod
    async def start(
        cls,
        *,
        writer: bool = True,
        bank: str | None = "sip.progress:FeatureBank",
        capacity: int = 256,
        on_lost: Callable[[str], None] | None = None,
    ) -> MediaEngine:
        """Spawn the engine, and its writer when captures are wanted."""
        raise NotImplementedError

    async def open(
        self, spec: SessionSpec, on_event: Callable[[MediaEvent], None] | None = None
    ) -> MediaSession:
        """Bind a socket for a call; `MediaError` names what cannot be had."""
        raise NotImplementedError

    async def close(self) -> None:
        """End the engine: open sessions are closed, captures are written out, both processes are gone."""
        raise NotImplementedError

    async def __aenter__(self) -> MediaEngine:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

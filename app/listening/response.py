"""Sound as an answer: whole or one range of it, read in threads, its audit line written before the first byte."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, BinaryIO, Final, TypeVar

import structlog
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from app.errors import UnavailableError
from app.listening.ranges import DamagedRangeError, Span, UnsatisfiableRangeError, matches, wanted
from recordings import RecordingChanged, RecordingError

log = structlog.get_logger(__name__)
T = TypeVar("T")
BLOCK: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Sound:
    """Something to hear."""

    open: Callable[[], BinaryIO]
    """Runs in a thread; so does every read."""
    size: int
    """In bytes."""
    tag: str
    """Its strong entity tag, in quotes."""
    media_type: str
    disposition: str


class SoundResponse(Response):
    """A sound. `before` runs once before the first byte leaves, and only if one does.

    HEAD, a range that cannot be satisfied and a damaged one are no listening.
    """

    def __init__(self, sound: Sound, before: Callable[[], Awaitable[None]]) -> None:
        self.status_code = 200
        self.background = None
        self.body = b""
        self.media_type = sound.media_type
        self.init_headers(
            {
                "Accept-Ranges": "bytes",
                "Content-Disposition": sound.disposition,
                "Content-Length": str(sound.size),
                "ETag": sound.tag,
            }
        )
        self._sound = sound
        self._before = before

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it. A client that is gone stops it."""
        headers = Headers(scope=scope)
        if scope["method"] == "HEAD":
            # Ranges are a matter of GET alone (RFC 9110 section 14.2).
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await send({"type": "http.response.body", "body": b""})
            return
        size = self._sound.size
        try:
            asked = headers.get("range") if matches(headers.get("if-range"), self._sound.tag) else None
            span = wanted(asked, size)
        except DamagedRangeError:
            await PlainTextResponse("the Range header cannot be read", 400)(scope, receive, send)
            return
        except UnsatisfiableRangeError:
            beyond = {"Content-Range": f"bytes */{size}"}
            await PlainTextResponse("no byte of this range is there", 416, headers=beyond)(
                scope, receive, send
            )
            return
        if span is not None:
            self.status_code = 206
            self.headers["Content-Range"] = f"bytes {span.start}-{span.end - 1}/{size}"
            self.headers["Content-Length"] = str(len(span))
        await self._stream(span or Span(0, size), receive, send)

    async def _stream(self, span: Span, receive: Receive, send: Send) -> None:
        file = await in_thread(self._sound.open)
        sending = asyncio.ensure_future(self._send(file, span, send))
        leaving = asyncio.ensure_future(_gone(receive))
        try:
            await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                await sending
        finally:
            for task in (sending, leaving):
                task.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)
            await asyncio.to_thread(file.close)

    async def _send(self, file: BinaryIO, span: Span, send: Send) -> None:
        # The first block is read before anything is said: a file that cannot be read is an error, not half an answer.
        left = len(span)
        try:
            await in_thread(file.seek, span.start)
            block = await in_thread(file.read, min(BLOCK, left))
        except (RecordingError, OSError) as error:
            raise unreadable(error) from error
        await self._before()
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        while True:
            left -= len(block)
            if left and not block:
                raise EOFError("the sound is shorter than it was")
            await send({"type": "http.response.body", "body": block, "more_body": left > 0})
            if not left:
                return
            block = await in_thread(file.read, min(BLOCK, left))


async def in_thread(function: Callable[..., T], *arguments: Any) -> T:
    """Run something in a thread. When cancelled, wait until the thread is done: its file may be closed then."""
    work = asyncio.ensure_future(asyncio.to_thread(function, *arguments))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        raise


def unreadable(error: Exception) -> UnavailableError:
    """What is said of a recording that cannot be read; the log says why."""
    log.warning("recording cannot be read", why=str(error))
    if isinstance(error, RecordingChanged):
        return UnavailableError("录音与入库时不符，不能据以收听；请核验录音库（dutyring recordings verify）")
    return UnavailableError("录音暂时读不出来，请稍后再试；详情见服务日志")


async def _gone(receive: Receive) -> None:
    """Return once the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass

"""One call at a simulated line: plays the line's script on the core's call and a media session."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import assert_never

from sip.core import (
    Acknowledged,
    Address,
    Cancelled,
    Datagram,
    Ended,
    Event,
    IncomingInvite,
    LocalProtocolError,
    SessionDescription,
    build_answer,
    build_offer,
    negotiate,
)
from sip.media import (
    DtmfReceived,
    MediaEngine,
    MediaError,
    MediaEvent,
    MediaSession,
    RemoteMedia,
    SessionSpec,
)
from sip.simulator.clips import duration_s, sound
from sip.simulator.steps import (
    Answer,
    AwaitDigits,
    Behaviour,
    Challenge,
    HangUp,
    Headers,
    Never,
    Play,
    Provisional,
    Quiet,
    Redirect,
    Reject,
    Say,
    Step,
    Wait,
)
from sip.transport import ClockSource, SipAgent

log = logging.getLogger(__name__)

LONGEST_CALL_S = 600.0
"""Nobody is kept in a call longer than this."""
DIGIT_PATIENCE_S = 30.0
"""How long a switchboard waits for the next digit."""
GOODBYE_S = 3.0
"""How long a BYE of ours may stay unanswered before the line is free again."""


class CallOver(Exception):
    """The call has ended in the middle of its script."""


@dataclass(frozen=True, slots=True)
class Site:
    """What all lines of a simulator share."""

    agent: SipAgent
    engine: MediaEngine
    speed: float
    """Waits take 1/speed of their time; sounds keep theirs."""


class LineCall:
    """One call. `run` plays the script; the agent tells it what happens on the wire."""

    def __init__(self, site: Site, behaviour: Behaviour, invite: IncomingInvite, user: str) -> None:
        self.behaviour = behaviour
        self._site = site
        self._call = invite.call
        self._invite = invite
        self._texts = {"{user}": user, "{host}": str(site.agent.local)}
        self._clock_s = invite.at
        self._stop = asyncio.Event()
        """The script must end: either side has ended the call."""
        self._over = asyncio.Event()
        """The core has done with the call."""
        self._digits: asyncio.Queue[str] = asyncio.Queue()
        """What the caller has sent and nobody has taken yet."""
        self._session: MediaSession | None = None
        self._description: bytes | None = None
        self._connected = False
        self._call.ignore_cancel = behaviour.ignore_cancel

    async def run(self) -> None:
        """Play the script to its end, or until the other side ends the call."""
        try:
            if self._needs_media():
                await self._open_media()
            for step in self.behaviour.steps:
                await self._do(step)
        except CallOver:
            pass
        except (MediaError, LocalProtocolError) as error:
            log.warning("line %s: %s", self.behaviour.extension, error)
            self.end()
        finally:
            await self._leave()

    def end(self) -> None:
        """End the call from our side, whatever its state: BYE after the answer, 480 before it."""
        self._stop.set()
        self._call.hang_up(time.monotonic())
        self._site.agent.flush()

    # What the agent says

    def on_event(self, event: Event, clock: ClockSource) -> None:
        """Take an event of the core."""
        if isinstance(event, Ended):
            self._stop.set()
            self._over.set()
        elif isinstance(event, Cancelled) and self.behaviour.ignore_cancel:
            self._answer(())
        elif isinstance(event, Acknowledged) and event.sdp is not None:
            self._connect(event.sdp)

    def on_sent(self, datagram: Datagram, at: float) -> None:
        """Nothing depends on when our messages leave."""

    # The script

    async def _do(self, step: Step) -> None:
        if self._stop.is_set():
            raise CallOver
        match step:
            case Wait(seconds=seconds):
                await self._wait(seconds / self._site.speed)
            case Never():
                await self._wait(LONGEST_CALL_S)
                self.end()
            case Say(sound=name):
                self._play(name, loop=False)
                await self._wait(duration_s(name))
            case AwaitDigits():
                await self._await_digits(step)
            case _:
                self._act(step)

    def _act(self, step: Step) -> None:
        match step:
            case Provisional():
                self._progress(step)
            case Play(sound=name, loop=loop):
                self._play(name, loop=loop)
            case Quiet():
                self._media().stop()
            case Answer(headers=headers, keep_sound=keep_sound):
                if self._connected and not keep_sound:
                    self._media().stop()
                self._answer(headers)
            case Reject(status, reason, headers):
                self._reject(status, reason, headers)
            case Redirect(to=to, status=status):
                self._reject(status, "", (("Contact", f"<{to}>"),))
            case HangUp():
                self.end()
            case Challenge() | Wait() | Never() | Say() | AwaitDigits():
                # The simulator has asked for credentials before it made this call.
                pass
            case _:
                assert_never(step)

    async def _await_digits(self, step: AwaitDigits) -> None:
        """Take digits until as many as are wanted, or a #, have come; `CallOver` after wrong ones."""
        self._play(step.sound, loop=True)
        taken = ""
        while len(taken) < len(step.digits) and not taken.endswith("#"):
            taken += await self._next_digit()
        self._clock_s = max(self._clock_s, time.monotonic())
        if taken == step.digits:
            self._media().stop()
            return
        self._play(step.refusal, loop=False)
        await self._wait(duration_s(step.refusal))
        self.end()
        raise CallOver

    async def _next_digit(self) -> str:
        """Return the caller's next digit; `CallOver` when the call ends first, or for want of patience."""
        digit = asyncio.ensure_future(self._digits.get())
        stop = asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait((digit, stop), timeout=DIGIT_PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
            if digit.done() and not self._stop.is_set():
                return digit.result()
        finally:
            digit.cancel()
            stop.cancel()
        if not self._stop.is_set():
            self.end()
        raise CallOver

    async def _wait(self, seconds: float) -> None:
        """Wait on the script's own clock, which sums up without drift; `CallOver` when the call ends meanwhile."""
        self._clock_s += seconds
        try:
            async with asyncio.timeout_at(self._clock_s):
                await self._stop.wait()
        except TimeoutError:
            return
        raise CallOver

    def _progress(self, step: Provisional) -> None:
        # Without an offer in the INVITE there is nothing to answer before the 200 (RFC 3261 section 13.2.1).
        body = self._description if step.sdp and self._invite.sdp is not None else None
        self._call.progress(
            step.status,
            time.monotonic(),
            step.reason or None,
            body,
            self._filled(step.headers),
            isup=bytes.fromhex(step.isup),
        )
        self._sent()
        if step.sdp and self._invite.sdp is not None:
            self._connect(self._invite.sdp)

    def _answer(self, headers: Headers) -> None:
        self._call.answer(time.monotonic(), self._description, self._filled(headers))
        self._sent()
        if self._invite.sdp is not None:
            self._connect(self._invite.sdp)

    def _sent(self) -> None:
        """Send what is due. A response that left late moves what follows, so ringing to answer keeps its length."""
        self._site.agent.flush()
        self._clock_s = max(self._clock_s, time.monotonic())

    def _reject(self, status: int, reason: str, headers: Headers) -> None:
        self._stop.set()
        self._call.reject(status, time.monotonic(), reason or None, self._filled(headers))
        self._site.agent.flush()

    def _filled(self, headers: Headers) -> Headers:
        return tuple((name, self._fill(text)) for name, text in headers)

    def _fill(self, text: str) -> str:
        for place, value in self._texts.items():
            text = text.replace(place, value)
        return text

    # The sound

    def _hear(self, event: MediaEvent) -> None:
        """Simulated people do not listen, but their switchboards take digits."""
        if isinstance(event, DtmfReceived):
            self._digits.put_nowait(event.digit)

    def _needs_media(self) -> bool:
        answers = any(isinstance(step, Answer) for step in self.behaviour.steps)
        early = any(isinstance(step, Provisional) and step.sdp for step in self.behaviour.steps)
        return answers or early or self.behaviour.ignore_cancel

    async def _open_media(self) -> None:
        spec = SessionSpec(self._site.agent.local.host, analyse=False)
        self._session = await self._site.engine.open(spec, on_event=self._hear)
        self._session.begin(self._invite.at)
        local = Address(*self._session.local)
        session_id = int(self._invite.at * 1000)
        if self._invite.sdp is None:
            self._description = build_offer(local, session_id)
        else:
            self._description = build_answer(self._invite.sdp, local, session_id)
        if self._description is None:
            self._reject(488, "", ())
            raise CallOver

    def _connect(self, theirs: SessionDescription) -> None:
        agreed = negotiate(theirs)
        if agreed is None or self._session is None or self._connected:
            return
        self._connected = True
        remote = RemoteMedia(
            host=agreed.remote.host,
            port=agreed.remote.port,
            payload_type=agreed.payload_type,
            codec="PCMU" if agreed.codec == "PCMU" else "PCMA",
            ptime_ms=round(agreed.ptime_ms),
            telephone_event_pt=agreed.telephone_event,
            final=True,
        )
        self._session.connect(remote)

    def _play(self, name: str, *, loop: bool) -> None:
        self._media().play(sound(name), loop=loop)

    def _media(self) -> MediaSession:
        if self._session is None:
            raise MediaError("a sound before there is media")
        return self._session

    async def _leave(self) -> None:
        """Give back the media, and wait until the core has done with the call."""
        if self._session is not None:
            await self._session.close(1000 * (time.monotonic() - self._invite.at))
        try:
            async with asyncio.timeout(GOODBYE_S):
                await self._over.wait()
        except TimeoutError:
            log.info("line %s: the caller did not confirm the end", self.behaviour.extension)
        self._site.agent.forget(self._call.call_id)

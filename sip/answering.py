"""Calls placed to us: how we answer them, and what is kept of them. Who may ring at all says `sip.reception`.

    phone.on_call = take                    async def take(call: RingingCall) -> None: ...

`RingingCall` rings until it is answered or rejected. `answer` carries the call to its end and returns its
`IncomingRecord`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sip.call_log import CallLog, now_iso
from sip.core import (
    Acknowledged,
    AckTimedOut,
    Address,
    Cancelled,
    Datagram,
    DtmfInfo,
    Ended,
    Event,
    IncomingInvite,
    LocalProtocolError,
    MessageReceived,
    SessionChanged,
    SessionDescription,
)
from sip.kernel_time import ClockSource
from sip.media import (
    CaptureFailed,
    DtmfReceived,
    EngineFull,
    HeardBlock,
    MediaEngine,
    MediaError,
    MediaEvent,
    MediaLost,
    MediaReport,
    MediaSession,
    SessionSpec,
)
from sip.media_terms import MediaTerms, TermsError
from sip.progress import LineListener
from sip.progress.heard import after_answer
from sip.record import DtmfDigit, EndedBy, MediaStatistics, Segment, TimelineEntry
from sip.system_clock import clock_synchronised
from sip.transport import SipAgent
from sip.trunk_line import TrunkLine

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AnswerScript:
    """What to do once an incoming call is answered."""

    max_talk_s: float = 60.0
    say: npt.NDArray[np.int16] | None = None
    """Prompt after the answer, mono samples at 8 kHz."""
    capture: Path | None = None
    """Where the raw sound of both sides is kept; `recordings.encode` makes a sound file of it."""


@dataclass(frozen=True, slots=True)
class IncomingRecord:
    """The facts of one incoming call. `*_ms` count from the arrival of its INVITE."""

    call_id: str
    trunk: str
    source: str
    """Address and port that the INVITE came from."""
    caller: str
    """The URI of From: what the caller says of itself."""
    asserted_identity: str | None
    """The URI of P-Asserted-Identity, where the source is trusted by the trunk (RFC 3325 section 5)."""
    called: str
    """The request-URI."""
    account: str | None
    """User name of the digest account that the caller proved; None for a trusted source."""
    started_at: str
    clock_synchronised: bool | None
    answered_ms: float | None
    ended_ms: float
    ended_by: EndedBy | None
    segments: tuple[Segment, ...] = ()
    """What was heard after the answer."""
    media: MediaStatistics = field(default_factory=MediaStatistics)
    dtmf: tuple[DtmfDigit, ...] = ()
    timeline: tuple[TimelineEntry, ...] = ()
    errors: tuple[str, ...] = ()


class RingingCall:
    """A call that rings here. Made by the phone, given to `Phone.on_call`; it is the handler of its SIP events."""

    def __init__(
        self,
        event: IncomingInvite,
        line: TrunkLine,
        agent: SipAgent,
        engine: MediaEngine,
        account: str | None,
    ) -> None:
        self._invite = event
        self._line = line
        self._agent = agent
        self._engine = engine
        self._account = account
        self._call = event.call
        self._log = CallLog()
        self._log.t0, self._log.started_at = event.at, now_iso()
        self._listener = LineListener()
        self._over = asyncio.Event()
        self._acknowledged = asyncio.Event()
        self._theirs: SessionDescription | None = event.sdp
        self._session: MediaSession | None = None
        self._terms: MediaTerms | None = None
        self._answered_ms: float | None = None
        self._taken = False

    # -- the face ------------------------------------------------------------------------------------------------

    @property
    def caller(self) -> str:
        """The URI of From: what the caller says of itself."""
        return self._invite.request.from_.uri

    @property
    def display_name(self) -> str:
        """The caller's display name, "" without one."""
        return self._invite.request.from_.name

    @property
    def called(self) -> str:
        """The request-URI."""
        return self._invite.request.uri

    @property
    def asserted_identity(self) -> str | None:
        """The network's word for who calls; None where the source is not trusted to give it."""
        if not self._line.trusts(self.source):
            return None
        found = self._invite.request.addresses("p-asserted-identity")
        return found[0].uri if found else None

    @property
    def trunk(self) -> str:
        """Name of the trunk that the call came by."""
        return self._line.name

    @property
    def source(self) -> Address:
        """Where the INVITE came from."""
        return self._invite.source

    @property
    def account(self) -> str | None:
        """User name of the digest account that the caller proved; None for a trusted source."""
        return self._account

    @property
    def over(self) -> bool:
        """Whether the caller has given up or the call has ended otherwise."""
        return self._over.is_set()

    async def gone(self) -> None:
        """Return when the call is over."""
        await self._over.wait()

    def ring(self) -> None:
        """Send 180. Does nothing once the call is over or answered."""
        if not self.over and self._answered_ms is None:
            self._call.progress(180, time.monotonic())
            self._agent.flush()

    def reject(self, status: int = 486, reason: str | None = None) -> None:
        """Refuse the call with a final status, 300 to 699. Does nothing once it is over or answered."""
        if not self.over and self._answered_ms is None:
            self._call.reject(status, time.monotonic(), reason)
            self._agent.flush()

    async def answer(self, script: AnswerScript | None = None) -> IncomingRecord:
        """Answer with 200, carry the call to its end and return its record.

        A call that is over already, or whose sound we cannot agree on (488), is returned unanswered. The call ends
        when the caller hangs up, after `max_talk_s`, or when the awaiting task is cancelled. Raises
        `LocalProtocolError` the second time, and the call goes on.
        """
        if self._taken:
            raise LocalProtocolError("the call has been answered already")
        self._taken = True
        script = script or AnswerScript()
        try:
            session = await self._open(script)
        except MediaError as error:
            self._log.fail(f"no sound: {error}", ours=True)
            self.reject(480, "No capacity" if isinstance(error, EngineFull) else None)
            return self._record(MediaReport())
        try:
            self._accept(script, session)
            await self._talk(script)
        finally:
            self._call.hang_up(time.monotonic())
            self._agent.flush()
            self._end(time.monotonic(), "us")
            report = await session.close(self._log.ended_ms or 0.0)
        return self._record(report)

    # -- answering -------------------------------------------------------------------------------------------------

    async def _open(self, script: AnswerScript) -> MediaSession:
        trunk = self._line.trunk
        spec = SessionSpec(
            bind_host=self._agent.local.host,
            capture=script.capture,
            port_range=trunk.rtp_ports,
            dscp=trunk.dscp_media,
        )
        session = await self._engine.open(spec, self.on_media)
        session.begin(self._invite.at)
        self._session = session
        return session

    def _accept(self, script: AnswerScript, session: MediaSession) -> None:
        if self.over:
            return
        trunk = self._line.trunk
        local = Address(trunk.advertised or session.local[0], session.local[1])
        self._terms = MediaTerms(trunk, local)
        try:
            body = self._terms.offer if self._theirs is None else self._terms.answer(self._theirs)
        except TermsError as error:
            self._log.fail(f"no sound: {error}")
            self.reject(488)
            return
        if self._theirs is not None:
            self._connect(self._theirs)
        now = time.monotonic()
        self._answered_ms = self._log.ms(now)
        self._call.answer(now, body)
        self._agent.flush()
        if script.say is not None:
            session.play(script.say)

    async def _talk(self, script: AnswerScript) -> None:
        if self._answered_ms is None:
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._over.wait(), script.max_talk_s)

    def _connect(self, sdp: SessionDescription, local: SessionDescription | None = None) -> None:
        if self._session is None or self._terms is None:
            return
        tag, answering = self._invite.request.from_.tag, self._theirs is not None and local is None
        try:
            self._session.connect(self._terms.agree(sdp, tag, final=True, local=local, answering=answering))
        except (TermsError, MediaError) as error:
            self._log.fail(f"no sound: {error}")

    # -- what comes in ---------------------------------------------------------------------------------------------

    def on_sent(self, datagram: Datagram, at: float) -> None:
        """Take note of a message that left."""
        self._log.sent(datagram, at)
        if datagram.is_request and datagram.method == "BYE":
            self._end(at, "us")

    def on_event(self, event: Event, clock: ClockSource) -> None:
        """Take an event of the signalling core."""
        match event:
            case MessageReceived():
                self._log.received(event, clock)
            case Acknowledged():
                self._acknowledged.set()
                if event.sdp is not None:
                    self._connect(event.sdp)
            case SessionChanged():
                self._connect(event.remote, event.local)
            case DtmfInfo():
                self._log.digits_by_info(event.digits, event.at, event.duration_ms)
            case AckTimedOut():
                self._log.fail("our 200 was never acknowledged")
            case Cancelled():
                self._end(event.at, "them")
            case Ended():
                self._end(event.at, event.by)
                self._agent.forget(self._call.call_id)
            case _:
                pass

    def on_media(self, event: MediaEvent) -> None:
        """Take an event of the media engine."""
        match event:
            case HeardBlock():
                self._listener.push(event.start_ms, event.features, event.present)
            case DtmfReceived():
                self._log.note(event.t_ms, "dtmf", digit=event.digit)
            case MediaLost():
                self._log.fail(f"the media engine was lost: {event.reason}", ours=True)
                self._over.set()
            case CaptureFailed():
                self._log.fail(f"the recording failed: {event.reason}", ours=True)
            case _:
                pass

    def _end(self, at: float, by: EndedBy) -> None:
        if self._log.ended_ms is None:
            self._log.ended_ms, self._log.ended_by = self._log.ms(at), by
        self._over.set()

    def _record(self, report: MediaReport) -> IncomingRecord:
        ended_ms = self._log.ended_ms if self._log.ended_ms is not None else self._log.ms(time.monotonic())
        heard = self._listener.finish(ended_ms)
        answered_ms = self._answered_ms
        segments = () if answered_ms is None else after_answer(heard, answered_ms, ended_ms)
        return IncomingRecord(
            call_id=self._call.call_id,
            trunk=self.trunk,
            source=str(self.source),
            caller=self.caller,
            asserted_identity=self.asserted_identity,
            called=self.called,
            account=self._account,
            started_at=self._log.started_at or "",
            clock_synchronised=clock_synchronised(),
            answered_ms=answered_ms,
            ended_ms=ended_ms,
            ended_by=self._log.ended_by,
            segments=segments,
            media=report.statistics,
            dtmf=tuple(sorted((*report.dtmf, *self._log.dtmf_info), key=lambda digit: digit.t_ms)),
            timeline=tuple(self._log.timeline),
            errors=tuple(self._log.errors),
        )

"""One outgoing call from its INVITE to its last acknowledgement.

Events of the core and of the media engine are taken in as they come; `CallDriver.run` wakes on each of them,
decides what is due (the ledger, the ACK, giving up, hanging up) and ends when the call is over. Deadlines
are read off the facts anew at each wake, so a late or corrected fact (a first burst heard after the 180)
moves them.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from sip.call_log import CallLog
from sip.core import (
    Answered,
    Datagram,
    DtmfInfo,
    Ended,
    Event,
    MessageReceived,
    OutgoingCall,
    Provisional,
    Refused,
    Rejected,
    RequestFailed,
    SessionChanged,
    SessionDescription,
    TimedOut,
    WayChanged,
    parse_message,
)
from sip.hearing import Hearing
from sip.live import CallEye
from sip.media import (
    CaptureFailed,
    DigitsSent,
    FirstPacket,
    HeardBlock,
    MediaError,
    MediaEvent,
    MediaLost,
    MediaSession,
    PacketLogFailed,
)
from sip.media_terms import MediaTerms, TermsError
from sip.parting import Parting
from sip.progress import AnswerState, Heard, LineListener, Signals, answer_state, failure_tone
from sip.progress.heard import after_answer
from sip.progress.line_state import CallMoments
from sip.progress.sample_listener import SampleListener
from sip.progress.tunes import EarlySound
from sip.record import Announcement
from sip.transport import ClockSource, SipAgent
from sip.understanding import ending_announcement, first_heard_ms

log = logging.getLogger(__name__)

Journal = Callable[[dict[str, Any]], Awaitable[None]]
_LONGEST_WAIT_S = 3_600.0
_WAY_FAILED = frozenset({401, 407, 503})
"""Final statuses that speak of our way into the network and not of the line: credentials that are not accepted, and
a server that asks us to go elsewhere (RFC 3261 section 21.5.4, RFC 3263 section 4.3)."""
_SILENT = frozenset({"recvonly", "inactive"})
INTERRUPT_PATIENCE_S = 2.0
"""How long an interrupted call waits for a first response, which would allow its CANCEL."""


@dataclass(slots=True)
class CallPlan:
    """What the driver needs beside the facts."""

    max_ring_s: float
    max_talk_s: float
    say: npt.NDArray[np.int16] | None = None
    closing: npt.NDArray[np.int16] | None = None
    digits: str = ""
    listener: LineListener = field(default_factory=LineListener)
    samples: SampleListener = field(default_factory=SampleListener)
    early: EarlySound = field(default_factory=EarlySound)


class CallDriver:
    """Drives one call. It is the handler of its SIP events and of its media events."""

    def __init__(
        self,
        agent: SipAgent,
        session: MediaSession,
        plan: CallPlan,
        facts: CallLog,
        terms: MediaTerms,
        journal: Journal | None,
        stop: asyncio.Event | None,
        farewell: asyncio.Event | None = None,
    ) -> None:
        self._agent = agent
        self._session = session
        self._plan = plan
        self._facts = facts
        self._terms = terms
        self._journal = journal
        self._stop = stop
        self._parting = Parting(plan.closing, farewell)
        self._hearing = Hearing(plan.listener, plan.samples, plan.early)
        self._standing: tuple[Heard, Signals, AnswerState] | None = None
        """How the call stood when it was looked at last."""
        self._wake = asyncio.Event()
        self._call: OutgoingCall
        self._early: set[str] = set()
        self._dialogs: dict[str, SessionDescription] = {}
        self._journal_due = True
        self._acknowledge_due = False
        self._answered_dialog = ""
        self._ending = False
        self._over = False
        self._played = False
        self._dialled = False
        self._patience: float | None = None
        facts.digits_due = bool(plan.digits)
        self.codec: str | None = None
        self.eye: CallEye | None = None
        """Whoever looks at the call while it lasts."""

    # -- the face ------------------------------------------------------------------------------------------------

    async def run(self, call: OutgoingCall) -> None:
        """Send the INVITE and see the call through; returns when nothing is left on the wire."""
        self._call = call
        watchers = self._watchers()
        try:
            await self._write_journal()
            if self._facts.our_failure or self._stopped or self._parting.wanted:
                # What could not be written down is not dialled, nor what is no longer wanted.
                self._facts.interrupted, self._facts.ended_by = not self._facts.our_failure, "us"
                call.cancel(time.monotonic())
                return
            call.start(time.monotonic())
            self._agent.flush()
            while not self._over:
                await self._step()
        except BaseException:
            # Cancelled or failed, nobody waits here any more: what ends the call leaves now.
            self._facts.interrupted = True
            if not self._ending:
                self._end("interrupted")
            raise
        finally:
            for watcher in watchers:
                watcher.cancel()
            self._agent.forget(call.call_id)

    def heard(self) -> Heard:
        """Return all that was heard until the end of the call."""
        heard = self._hearing.finish(self._facts.ended_ms or 0.0)
        for announcement in self._hearing.announced():
            self._announced(announcement)
        return heard

    # -- what comes in -------------------------------------------------------------------------------------------

    def on_sent(self, datagram: Datagram, at: float) -> None:
        """Take note of a message that left."""
        first = self._facts.t0 is None
        self._facts.sent(datagram, at)
        if first and self._facts.t0 is not None:
            self._session.begin(self._facts.t0)
        elif datagram.is_request and not datagram.retransmission and datagram.method == "INVITE":
            # A challenge was met: the INVITE that rings has another branch than the one written down.
            self._journal_due = True
            self._wake.set()
        if datagram.is_request and not datagram.retransmission and self._ends_call(datagram):
            self._end_at(at, "us")

    def _ends_call(self, datagram: Datagram) -> bool:
        """Whether a request of ours ends the call: the BYE for another telephone that answered does not."""
        if datagram.method == "BYE" and self._answered_dialog:
            return parse_message(datagram.data).to.tag == self._answered_dialog
        return datagram.method in ("CANCEL", "BYE")

    def on_event(self, event: Event, clock: ClockSource) -> None:
        """Take an event of the signalling core."""
        facts = self._facts
        match event:
            case MessageReceived():
                facts.received(event, clock)
            case Provisional():
                self._on_provisional(event)
            case Answered():
                self._on_answered(event)
            case Rejected():
                facts.status, facts.reason = event.status, event.reason
                self._on_rejected(event)
            case TimedOut():
                facts.fail("no response to the INVITE within 32 s (Timer B)")
                facts.way_failed, facts.trouble = True, "timeout"
                self._finish(event.at, "network")
            case Refused():
                facts.fail(f"the network refused the INVITE: {event.reason}", ours=True)
                facts.way_failed, facts.trouble = True, self._trouble()
                facts.alerted = facts.alerted or event.alerted
                self._finish(event.at, "network")
            case SessionChanged():
                self._on_session_changed(event)
            case WayChanged():
                # The branch written down has changed with the way: a recovery must know the one that rings.
                self._journal_due = True
                facts.note(facts.ms(event.at), "way_changed", method=event.method, reason=event.reason)
            case RequestFailed():
                facts.note(facts.ms(event.at), "request_failed", method=event.method, why=event.reason)
            case DtmfInfo():
                facts.digits_by_info(event.digits, event.at, event.duration_ms)
            case Ended():
                self._finish(event.at, event.by)
            case _:
                pass
        self._wake.set()

    def on_media(self, event: MediaEvent) -> None:
        """Take an event of the media engine."""
        match event:
            case HeardBlock():
                if not self._hearing.take(event):
                    return
            case FirstPacket():
                self._facts.note(event.at_ms, "media", what="first packet")
            case MediaLost():
                self._facts.media_lost = True
                self._facts.fail(f"the media engine was lost: {event.reason}", ours=True)
            case CaptureFailed():
                self._facts.fail(f"the recording failed: {event.reason}", ours=True)
            case PacketLogFailed():
                self._facts.fail(f"the packets could not be kept: {event.reason}")
            case DigitsSent():
                self._facts.digits_sent_ms, self._facts.digits_due = event.t_ms, False
                self._facts.note(event.t_ms, "digits_sent", began_ms=event.began_ms)
            case _:
                return
        self._wake.set()

    def _on_provisional(self, event: Provisional) -> None:
        facts, t_ms = self._facts, self._facts.ms(event.at)
        if facts.first_provisional_ms is None:
            facts.first_provisional_ms = t_ms
        if event.status == 180 and facts.first_180_ms is None:
            facts.first_180_ms = t_ms
        facts.alerted = facts.alerted or event.status > 100
        if event.status > 100 and event.dialog_key not in self._early:
            self._early.add(event.dialog_key)
            self._journal_due = True
        if event.sdp is not None:
            facts.early_sound = True
            self._dialogs[event.dialog_key] = event.sdp
            self._connect(event.sdp, event.dialog_key, final=False)

    def _on_answered(self, event: Answered) -> None:
        facts = self._facts
        self._hearing.catch_up()
        facts.connected_ms = facts.ms(event.at)
        facts.status, facts.reason = event.response.status, event.response.reason
        facts.crossed = event.after_cancel
        facts.alerted = True
        self._journal_due = True
        self._acknowledge_due = not event.after_cancel
        self._ending = self._ending or event.after_cancel
        self._answered_dialog = event.dialog_key
        # A 200 without SDP means the one its dialog gave before; some gateways change tags on the way.
        sdp = event.sdp or self._dialogs.get(event.dialog_key) or next(iter(self._dialogs.values()), None)
        if sdp is not None:
            facts.silent_by_word = sdp.direction in _SILENT
            self._connect(sdp, event.dialog_key, final=True)
        else:
            facts.fail("the 200 brought no session description: no sound")

    def _on_rejected(self, event: Rejected) -> None:
        facts = self._facts
        if event.status in (401, 407):
            why = f": {event.denial}" if event.denial else ""
            facts.fail(
                f"the far side wants credentials that it accepts ({event.status} {event.reason}){why}",
                ours=True,
            )
            facts.trouble = event.denial
        facts.alerted = facts.alerted or event.alerted
        facts.retry_after_s = event.retry_after_s
        facts.way_failed = event.status in _WAY_FAILED
        self._finish(event.at, "us" if self._ending else "them")

    def _on_session_changed(self, event: SessionChanged) -> None:
        """A re-INVITE or UPDATE was agreed on: hold, another address, another codec."""
        final = bool(self._answered_dialog) and event.dialog_key == self._answered_dialog
        self._facts.note(
            self._facts.ms(event.at), "session_changed", method=event.method, direction=event.remote.direction
        )
        self._dialogs[event.dialog_key] = event.remote
        if final and event.remote.direction not in _SILENT:
            self._facts.silent_by_word = False
        if final or not self._answered_dialog:
            self._connect(event.remote, event.dialog_key, final=final, local=event.local)

    def _trouble(self) -> str:
        """What the transport knows of the way that refused us."""
        trouble = self._agent.trouble_with(self._call.invite.destination)
        return "unreachable" if trouble is None else trouble.kind.value

    def _connect(
        self, sdp: SessionDescription, dialog: str, *, final: bool, local: SessionDescription | None = None
    ) -> None:
        try:
            remote = self._terms.agree(sdp, dialog, final=final, local=local)
        except TermsError as error:
            self._facts.fail(f"no sound: {error}")
            if final and local is None:
                self._facts.trouble = "media_refused"
            return
        self.codec = remote.codec
        try:
            self._session.connect(remote)
        except MediaError as error:
            self._facts.fail(f"no sound: {error}")

    # -- what is due ---------------------------------------------------------------------------------------------

    async def _step(self) -> None:
        self._wake.clear()
        if self._journal_due:
            await self._write_journal()
        if self._acknowledge_due:
            self._acknowledge_due = False
            self._call.acknowledge(time.monotonic())
            self._agent.flush()
        if self._over:
            return
        deadline = self._patience if self._ending else self._decide()
        timeout = _LONGEST_WAIT_S if deadline is None else max(0.0, deadline - time.monotonic())
        # A timer that wakes costs less than `wait_for`, which makes a task of each wait.
        timer = asyncio.get_running_loop().call_later(timeout, self._wake.set)
        try:
            await self._wake.wait()
        finally:
            timer.cancel()
        if self._ending and self._patience is not None and time.monotonic() >= self._patience:
            self._finish(time.monotonic(), "us")

    def _decide(self) -> float | None:
        """End the call if that is due; else return the monotonic time at which it may be."""
        facts = self._facts
        if facts.t0 is None:
            return None
        if facts.our_failure or self._stopped:
            facts.interrupted = not facts.our_failure
            self._end("interrupted" if facts.interrupted else "our side failed")
            return None
        now_ms = facts.ms(time.monotonic())
        heard, signals, state = self._stands(now_ms)
        if self._parting.wanted and (state.state != "answered" or self._digits_due):
            self._stop_ringing()
            return None
        facts.announced = self._ending_announcement(state, heard, now_ms)
        if facts.announced is not None:
            self._end(f"announcement: {facts.announced.meaning}")
            return None
        if self._failure_tone(signals, state, heard):
            self._end(f"{facts.tone} tone")
            return None
        limit_ms = self._limit_ms(state)
        if limit_ms is not None and now_ms >= limit_ms:
            facts.gave_up = state.state != "answered"
            self._end("not answered" if facts.gave_up else "talk time over")
            return None
        next_ms = self._take_leave(limit_ms, now_ms) if state.state == "answered" else limit_ms
        if self._ending:
            return None
        self._say(state)
        self._dial_on(state)
        return None if next_ms is None else facts.t0 + next_ms / 1000

    def _stands(self, now_ms: float) -> tuple[Heard, Signals, AnswerState]:
        """Return what was heard and how the call stands; it is not asked again once nothing can change that."""
        if self._hearing.settled and self._standing is not None:
            return self._standing
        facts = self._facts
        for announcement in self._hearing.announced():
            self._announced(announcement)
        heard = self._hearing.heard()
        signals = facts.signals(now_ms)
        state = answer_state(signals, heard)
        self._tell(state)
        if self.eye is not None:
            self.eye.note(facts, heard, signals, state)
        self._hearing.samples.note_answer(facts.connected_ms, facts.digits_sent_ms, state)
        self._hearing.follow(signals, state, digits=bool(self._plan.digits))
        self._standing = heard, signals, state
        return self._standing

    def _stop_ringing(self) -> None:
        """Somebody stopped a call that nobody has answered."""
        self._facts.interrupted = True
        self._end("stopped")
        self._call.hush()

    def _take_leave(self, limit_ms: float | None, now_ms: float) -> float | None:
        """Say the closing when it is due, and hang up on whom it was said for a stop; return when to look again."""
        parting = self._parting
        due_ms = None if limit_ms is None else parting.due_ms(limit_ms)
        if not (parting.begun or parting.wanted or (due_ms is not None and now_ms >= due_ms)):
            return due_ms
        if not parting.begun:
            self._played = True
            if parting.length_ms:
                self._facts.note(now_ms, "prompt", what="closing")
        over_ms = parting.say(now_ms, self._session.play)
        if parting.wanted and now_ms >= over_ms:
            self._facts.interrupted = True
            self._end("stopped")
        return over_ms if parting.wanted else limit_ms

    def _limit_ms(self, state: AnswerState) -> float | None:
        if state.state == "answered" and state.answered_ms is not None:
            # While the digits are on their way the talk has not begun.
            talk_s = max(self._plan.max_talk_s, self._plan.max_ring_s if self._digits_due else 0.0)
            return state.answered_ms + talk_s * 1000
        started_ms = state.since_ms
        if started_ms is None:
            started_ms = self._facts.first_180_ms
        if started_ms is None:
            started_ms = self._facts.first_provisional_ms
        if started_ms is None:
            started_ms = self._facts.connected_ms
        return None if started_ms is None else started_ms + self._plan.max_ring_s * 1000

    @property
    def _digits_due(self) -> bool:
        """Whether the digits for an extension have not all been sent."""
        return self._facts.digits_due

    def _failure_tone(self, signals: Signals, state: AnswerState, heard: Heard) -> bool:
        """A tone before the answer says how the call ends; nobody needs to sit through it."""
        tone = failure_tone(signals, heard, state.answered_ms)
        if tone is not None:
            self._facts.tone, self._facts.tone_ms = tone.kind, tone.start_ms
        return tone is not None

    def _announced(self, announcement: Announcement) -> None:
        """A marked recording was heard."""
        self._facts.announcements.append(announcement)
        self._facts.note(
            announcement.end_ms, "announcement", meaning=announcement.meaning, what=announcement.detail
        )

    def _ending_announcement(self, state: AnswerState, heard: Heard, now_ms: float) -> Announcement | None:
        """What was announced in place of an answer; nobody needs to sit through the rest."""
        facts = self._facts
        if not facts.announcements:
            return None
        answered_ms, digits_ms = state.answered_ms, facts.digits_sent_ms
        after = () if answered_ms is None else after_answer(heard, answered_ms, now_ms)
        moments = CallMoments(facts.connected_ms, answered_ms, digits_ms, heard_ms=first_heard_ms(after))
        ringing = state.ring_started_ms is not None
        return ending_announcement(tuple(facts.announcements), moments, after, ringing=ringing)

    def _say(self, state: AnswerState) -> None:
        if state.state != "answered" and self._played:
            # What was taken for the answer was a gateway's 200: it still rings.
            self._played = False
            self._session.stop()
        if (
            state.state == "answered"
            and not self._played
            and self._plan.say is not None
            and not self._digits_due
        ):
            self._played = True
            self._session.play(self._plan.say)
            self._facts.note(self._facts.ms(time.monotonic()), "prompt", what="started")

    def _dial_on(self, state: AnswerState) -> None:
        """Send the digits for the extension once the switchboard has answered."""
        if self._plan.digits and not self._dialled and state.state == "answered":
            self._dialled = True
            self._session.send_digits(self._plan.digits)
            self._facts.note(self._facts.ms(time.monotonic()), "digits", what="sending")

    def _tell(self, state: AnswerState) -> None:
        told = self._facts.events
        if state.ring_started_ms is not None and "ring_started" not in told:
            self._facts.note(state.ring_started_ms, "ring_started")
        if state.state == "answered" and state.answered_ms is not None and "answered" not in told:
            self._facts.note(state.answered_ms, "answered", source=state.source)

    def _end(self, why: str) -> None:
        """CANCEL, or BYE after the 200; the core knows which and when."""
        now = time.monotonic()
        self._ending = True
        self._facts.note(self._facts.ms(now), "hang_up", why=why)
        if self._facts.interrupted and self._facts.first_provisional_ms is None:
            # Nothing came back, so nothing may be cancelled yet; whoever interrupts does not wait for Timer B.
            self._patience = now + INTERRUPT_PATIENCE_S
        self._call.hang_up(now, why=why)
        self._agent.flush()

    def _end_at(self, at: float, by: str) -> None:
        self._facts.ended_ms = self._facts.ms(at)
        self._facts.ended_by = "us" if by == "us" else "them" if by == "them" else "network"

    def _finish(self, at: float, by: str) -> None:
        """The call is over on the wire.

        A BYE of ours ended it when it left, not when it was answered; so did a CANCEL that nobody answered.
        """
        ended_by_us = self._facts.ended_by == "us"
        if not (ended_by_us and (self._facts.connected_ms is not None or by == "network")):
            self._end_at(at, "us" if ended_by_us else by)
        self._over = True

    async def _write_journal(self) -> None:
        self._journal_due = False
        if self._journal is None:
            return
        try:
            await self._journal(self._call.snapshot())
        except Exception as error:
            # The far side's handset matters more than our ledger: the call goes on and ends in order.
            log.exception("the ledger could not be written")
            self._facts.fail(f"the ledger could not be written: {error}", ours=True)

    @property
    def _stopped(self) -> bool:
        return self._stop is not None and self._stop.is_set()

    def _watchers(self) -> list[asyncio.Future[None]]:
        """Wake when somebody stops the call, in either of the two ways that there are."""
        watches = [self._watch_stop(self._stop)] if self._stop is not None else []
        if self._parting.watched:
            watches.append(self._parting.watch(self._wake.set))
        return [asyncio.ensure_future(watch) for watch in watches]

    async def _watch_stop(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._wake.set()

"""The call machine under any order of messages, timers and wishes: a hypothesis state machine.

One endpoint places and takes calls. The far side answers whatever has been asked, in any way, as often and as late as
it likes, from several telephones at once; it asks in turn, repeats what it has said, says it under wrong names, cut off
or garbled; the network refuses; the clock runs. What must hold:

- nothing raises, and no datagram makes an error of ours; all that leaves can be read;
- events come in the order of time, and none from the future;
- a call ends once; within 64 s of virtual time after it is told to, whatever comes or stays away;
- every 2xx to an INVITE of ours that we took has its ACK, as often as it comes again; its dialog, unless its own side
  hung up, has our BYE: nobody's handset stays off hook;
- CANCEL leaves only after a provisional response; an INVITE that rang somebody is not sent in another transaction;
- an INVITE of theirs gets one final response, and a 2xx of ours that nobody hung up our BYE;
- afterwards nothing is left: no transaction, dialog, call or timer.
"""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from sip.core import (
    Credentials,
    IncomingCall,
    IncomingState,
    Invite,
    LocalProtocolError,
    OutgoingCall,
    OutgoingState,
)
from tests.fuzz.far_side import request_of, response_to
from tests.fuzz.machine_parts import (
    BODIES,
    END_WITHIN_S,
    EXTRAS,
    IDLE_WITHIN_S,
    LINES,
    METHODS,
    MOST_CALLS,
    OFFER,
    STATUSES,
    THEIRS,
    WAITS,
    Leg,
    far_tags,
    index,
    legs,
    more_lines,
)
from tests.fuzz.machine_watch import Watched


class CallMachine(Watched):
    """See the text of the module."""

    # -- what we want ------------------------------------------------------------------------------------------------

    @initialize(
        login=st.booleans(), timer=st.sampled_from((None, 90, 1800)), line=index, prompt=st.booleans()
    )
    def begin(self, login: bool, timer: int | None, line: int, prompt: bool) -> None:
        """Place a first call."""
        self.prompt = prompt
        self.place(login, timer, line, True, True)

    @precondition(lambda self: len(self.legs) < MOST_CALLS)
    @rule(
        login=st.booleans(),
        timer=st.sampled_from((None, 90, 1800)),
        line=index,
        offer=st.booleans(),
        start=st.booleans(),
    )
    def place(self, login: bool, timer: int | None, line: int, offer: bool, start: bool) -> None:
        """Place a call, or only prepare it."""
        to = LINES[line % len(LINES)]
        order = Invite(
            f"sip:62@{to}",
            to,
            "sip:x@192.0.2.1",
            offer=OFFER if offer else None,
            credentials=Credentials("u", "p") if login else None,
            session_expires_s=timer,
            answerer=None if offer else lambda theirs: OFFER if b"AVP 18" not in theirs else None,
        )
        self.legs.append(Leg(self.phone.prepare_call(order)))
        if start:
            self.want("start", len(self.legs) - 1)

    @rule(
        what=st.sampled_from(("start", "acknowledge", "acknowledge", "cancel", "hang_up", "hush")),
        which=legs,
    )
    def want(self, what: str, which: int) -> None:
        """Ask something of a call of ours."""
        leg = self.outgoing(which)
        if leg is None:
            return
        assert isinstance(leg.call, OutgoingCall)
        if what in ("cancel", "hang_up"):
            leg.told_to_end = self.now if leg.told_to_end is None else leg.told_to_end
        try:
            if what == "hush":
                leg.call.hush()
            elif what == "acknowledge":
                leg.call.acknowledge(self.now, OFFER if leg.call.invite.offer is None else None)
            else:
                getattr(leg.call, what)(self.now)
        except LocalProtocolError:
            assert what == "acknowledge"
            assert leg.call.state not in (OutgoingState.ANSWERED, OutgoingState.CONFIRMED)
        self.collect()

    @rule(
        what=st.sampled_from(
            ("progress", "reliable", "answer", "answer", "reject", "challenge", "hang_up", "ignore")
        ),
        which=legs,
        status=st.sampled_from((180, 183, 302, 486, 603)),
        body=st.booleans(),
    )
    def respond_to_theirs(self, what: str, which: int, status: int, body: bool) -> None:
        """Do something about a call of theirs."""
        leg = self.incoming(which)
        if leg is None:
            return
        call = leg.call
        assert isinstance(call, IncomingCall)
        sound = OFFER if body else None
        try:
            if what in ("progress", "reliable"):
                call.progress(
                    status if status < 200 else 183, self.now, body=sound, reliable=what == "reliable" or None
                )
            elif what == "answer":
                call.answer(self.now, sound)
            elif what == "reject":
                call.reject(max(status, 300), self.now)
            elif what == "challenge":
                call.challenge("r", self.now, proxy=body)
            elif what == "hang_up":
                leg.told_to_end = self.now if leg.told_to_end is None else leg.told_to_end
                call.hang_up(self.now)
            else:
                call.ignore_cancel = True
        except LocalProtocolError:
            assert what == "reliable" or call.state is not IncomingState.PROCEEDING
        self.collect()

    @rule(line=index)
    def probe(self, line: int) -> None:
        """Ask a server whether it is there."""
        number = len(self.probes)
        self.probes.append(0)

        def done(_: object) -> None:
            self.probes[number] += 1

        self.phone.send_options("sip:192.0.2.2", LINES[line % len(LINES)], self.now, done)
        self.collect()

    # -- what the far side does --------------------------------------------------------------------------------------

    @rule(
        which=legs,
        status=st.sampled_from(STATUSES),
        tag=far_tags,
        body=st.sampled_from(BODIES),
        more=more_lines,
    )
    def answer_invite(self, which: int, status: int, tag: str, body: bytes, more: str) -> None:
        """Answer the latest INVITE of a call of ours."""
        leg = self.outgoing(which)
        if leg is not None and leg.invites:
            self._note_rung(leg)
            self.deliver(response_to(leg.invites[-1], status, tag, body, more), LINES[0])

    @rule(
        which=legs,
        request=index,
        status=st.sampled_from(STATUSES),
        tag=far_tags,
        body=st.sampled_from(BODIES),
        more=more_lines,
    )
    def answer_ours(self, which: int, request: int, status: int, tag: str, body: bytes, more: str) -> None:
        """Answer one of our requests, the latest first."""
        leg = self.legs[which % len(self.legs)]
        if not leg.requests:
            return
        asked = leg.requests[-1 - request % len(leg.requests)]
        if asked.cseq.method == "INVITE" and not asked.to.tag:
            self._note_rung(leg)
        self.deliver(response_to(asked, status, tag, body, more), LINES[0])

    def _note_rung(self, leg: Leg) -> None:
        """Only the core knows whether it took a response; what it has taken shows in `alerted`."""
        assert isinstance(leg.call, OutgoingCall)
        leg.rung = leg.rung or leg.call.alerted

    @rule(
        which=legs,
        method=st.sampled_from(METHODS),
        number=st.sampled_from((1, 2, 3, 4, 2**31, 2**32 - 1)),
        tag=far_tags,
        body=st.sampled_from(BODIES),
        more=more_lines,
        same=st.booleans(),
    )
    def ask(self, which: int, method: str, number: int, tag: str, body: bytes, more: str, same: bool) -> None:
        """Send a request within a call, rightly or wrongly addressed; `same`: with the branch of another one."""
        leg = self.legs[which % len(self.legs)]
        call, theirs, branch = leg.call, tag, f"z9hG4bK{method}{number}{tag.strip()}"
        ours = call.local_tag
        if isinstance(call, IncomingCall):
            theirs = tag if tag == "b" else call.request.from_.tag
            if method in ("ACK", "CANCEL") and same:
                branch, number = call.request.via.branch, call.request.cseq.number
            if method == "CANCEL":
                ours = ""
        elif same:
            branch = "z9hG4bKsame"
        branch = branch.replace("\r", "")
        self.deliver(
            request_of(method, number, call.call_id, ours, theirs, branch, str(LINES[0]), body, more),
            LINES[0],
        )

    @rule(which=legs, number=st.integers(1, 3), right=st.booleans())
    def prack(self, which: int, number: int, right: bool) -> None:
        """Acknowledge a reliable response of ours."""
        leg = self.incoming(which)
        if leg is None:
            return
        call = leg.call
        assert isinstance(call, IncomingCall)
        waiting = call._reliable._waiting
        rseq = waiting[0].rseq if waiting and right else 1
        more = f"RAck: {rseq} {call.request.cseq.number} INVITE\r\n"
        branch = f"z9hG4bKprack{self.serial}"
        self.serial += 1
        args = (call.call_id, call.local_tag, call.request.from_.tag, branch, str(LINES[0]))
        self.deliver(request_of("PRACK", 10 + self.serial, *args, more=more), LINES[0])

    @precondition(lambda self: len(self.legs) < MOST_CALLS)
    @rule(
        body=st.sampled_from(BODIES),
        more=st.sampled_from((*EXTRAS, "Require: 100rel\r\n", "Require: bogus\r\n")),
        line=index,
    )
    def call_us(self, body: bytes, more: str, line: int) -> None:
        """A call of theirs."""
        self.serial += 1
        source = LINES[line % len(LINES)]
        branch = f"z9hG4bKinvite{self.serial}"
        self.deliver(
            request_of("INVITE", 1, f"theirs{self.serial}", "", "far", branch, str(source), body, more),
            source,
        )

    @precondition(lambda self: bool(self.arrived))
    @rule(
        which=st.integers(0, 40),
        how=st.sampled_from(("again", "again", "cut", "garbled", "elsewhere", "name", "tag", "branch")),
        at=st.integers(0, 600),
    )
    def repeat(self, which: int, how: str, at: int) -> None:
        """Something that has come comes once more, as it was or changed on its way."""
        data, source = self.arrived[-1 - which % len(self.arrived)]
        if how == "cut":
            data = data[: at % (len(data) + 1)]
        elif how == "garbled":
            data = data[:at] + bytes([at & 0xFF]) + data[at + 1 :]
        elif how == "elsewhere":
            source = LINES[at % len(LINES)]
        elif how in ("name", "tag", "branch"):
            old, new = {
                "name": (b"Call-ID: ", b"Call-ID: x"),
                "tag": (b";tag=", b";tag=x"),
                "branch": (b"z9hG4bK", b"z9hG4bKx"),
            }[how]
            data = data.replace(old, new)
        self.deliver(data, source)

    @rule(which=legs, tags=st.permutations(("a", "b", "c")), count=st.integers(1, 3), bye=st.integers(0, 3))
    def several_answer(self, which: int, tags: list[str], count: int, bye: int) -> None:
        """Several telephones answer one call, and one of them hangs up."""
        leg = self.outgoing(which)
        if leg is None or not leg.invites:
            return
        for tag in tags[:count]:
            self._note_rung(leg)
            self.deliver(response_to(leg.invites[-1], 200, tag, THEIRS), LINES[0])
        if bye < 3:
            self.serial += 1
            names = (leg.call.call_id, leg.call.local_tag, tags[bye], f"z9hG4bKbye{self.serial}")
            self.deliver(request_of("BYE", 5, *names, str(LINES[0])), LINES[0])

    @rule(line=index, how=st.sampled_from(("refused", "unsent", "lost")))
    def refuse(self, line: int, how: str) -> None:
        """The network tells of a way that does not work."""
        self.phone.refused(LINES[line % len(LINES)], self.now, "refused", how)  # type: ignore[arg-type]
        self.collect()

    @rule(seconds=st.sampled_from(WAITS), late=st.booleans())
    def wait(self, seconds: float, late: bool) -> None:
        """Time passes; `late`: nobody looks at the timers before its end."""
        end = self.now + seconds
        if not late:
            while (due := self.phone.deadline()) is not None and due <= end:
                self.now = max(self.now, due)
                self.phone.advance(self.now)
                self.collect()
        self.now = end
        self.phone.advance(end)
        self.collect()

    # -- what must hold ----------------------------------------------------------------------------------------------

    @invariant()
    def calls_end_in_time(self) -> None:
        """A call that was told to end has done so within its bound."""
        for leg in self.legs:
            if leg.told_to_end is not None and not leg.call.over:
                assert self.now - leg.told_to_end <= END_WITHIN_S + max(WAITS)

    def teardown(self) -> None:
        """End everything, silently, and look at what is left."""
        for leg in self.legs:
            if isinstance(leg.call, OutgoingCall) and leg.call.state is OutgoingState.ANSWERED:
                leg.call.acknowledge(self.now)
            leg.call.hang_up(self.now)
        self.collect()
        began = self.now
        while (due := self.phone.deadline()) is not None:
            assert due - began <= IDLE_WITHIN_S, "timers go on for ever"
            if due - began > END_WITHIN_S:
                assert all(leg.call.over for leg in self.legs)
            self.now = max(self.now, due)
            self.phone.advance(self.now)
            self.collect()
        assert self.phone.idle
        assert self.probes == [1] * len(self.probes)
        for leg in self.legs:
            self._check_over(leg)

    def _check_over(self, leg: Leg) -> None:
        assert leg.call.over
        assert len(leg.terminal) == 1
        if isinstance(leg.call, IncomingCall):
            assert len(leg.finals) <= 1, leg.finals
            if any(status < 300 for status in leg.finals):
                theirs = leg.call.request.from_.tag
                assert theirs in leg.byes | leg.hung_up, "a call of theirs that we answered is never hung up"
            return
        for tag in leg.answered:
            assert leg.acks[tag] >= 1 + leg.again[tag], f"a 2xx of {tag!r} without its ACK"
            assert tag in leg.byes | leg.hung_up, f"the dialog of {tag!r} is never hung up"

"""The machine of an outgoing call: in a state, a step leads to a state and a list of acts.

A step that is not in the table is ignored.
"""

from __future__ import annotations

from enum import StrEnum


class OutgoingState(StrEnum):
    """Where an outgoing call stands."""

    PREPARED = "Prepared"
    """Nothing has left: whoever places the call writes it down first."""
    CALLING = "Calling"
    """Nothing has come back."""
    CANCEL_WANTED = "CancelWanted"
    """To be cancelled as soon as something comes back."""
    PROCEEDING = "Proceeding"
    CANCELLING = "Cancelling"
    ANSWERED = "Answered"
    """A 2xx came, its ACK is ours to send."""
    CONFIRMED = "Confirmed"
    HANGING_UP = "HangingUp"
    """Our BYE is on its way."""
    EXPIRED = "Expired"
    """Our BYE is on its way to a far side that has not been heard of in time."""
    ENDED = "Ended"


class OutgoingStep(StrEnum):
    """What may happen to an outgoing call."""

    START = "start()"
    PROVISIONAL = "1xx"
    ANSWER = "2xx"
    REJECT = "3xx-6xx"
    CHALLENGE = "401/407 we can answer"
    TOO_SHORT = "422 we can meet"
    CANCEL = "cancel()"
    ACKNOWLEDGE = "acknowledge()"
    HANG_UP = "hang_up()"
    BYE = "BYE"
    BYE_DONE = "our BYE answered or given up"
    TIMEOUT = "timer B"
    REFUSED = "refused"
    GAVE_UP = "64*T1 after CANCEL"
    EXPIRE = "session expired"


class OutgoingAct(StrEnum):
    """What an outgoing call does on a step."""

    TELL_PROVISIONAL = "tell Provisional"
    TELL_ANSWERED = "tell Answered"
    TELL_CROSSED = "tell Answered after cancel"
    TELL_REJECTED = "tell Rejected"
    TELL_TIMED_OUT = "tell TimedOut"
    TELL_REFUSED = "tell Refused"
    TELL_ENDED_US = "tell Ended by us"
    TELL_ENDED_THEM = "tell Ended by them"
    TELL_ENDED_NETWORK = "tell Ended by network"
    SEND_INVITE = "INVITE"
    RETRY = "INVITE once more"
    SEND_CANCEL = "CANCEL"
    SEND_CANCEL_QUIETLY = "CANCEL, expect nothing"
    SEND_ACK = "ACK"
    SEND_BYE = "BYE"
    DISCARD = "ACK and BYE"


_S, _T, _A = OutgoingState, OutgoingStep, OutgoingAct
_CROSSED = (_S.HANGING_UP, (_A.TELL_CROSSED, _A.SEND_ACK, _A.SEND_BYE))
_REJECTED = (_S.ENDED, (_A.TELL_REJECTED,))

OUTGOING: dict[tuple[OutgoingState, OutgoingStep], tuple[OutgoingState, tuple[OutgoingAct, ...]]] = {
    (_S.PREPARED, _T.START): (_S.CALLING, (_A.SEND_INVITE,)),
    (_S.PREPARED, _T.CANCEL): (_S.ENDED, (_A.TELL_ENDED_US,)),
    (_S.PREPARED, _T.HANG_UP): (_S.ENDED, (_A.TELL_ENDED_US,)),
    (_S.CALLING, _T.PROVISIONAL): (_S.PROCEEDING, (_A.TELL_PROVISIONAL,)),
    (_S.CALLING, _T.ANSWER): (_S.ANSWERED, (_A.TELL_ANSWERED,)),
    (_S.CALLING, _T.REJECT): _REJECTED,
    (_S.CALLING, _T.CHALLENGE): (_S.CALLING, (_A.RETRY,)),
    (_S.CALLING, _T.TOO_SHORT): (_S.CALLING, (_A.RETRY,)),
    (_S.CALLING, _T.CANCEL): (_S.CANCEL_WANTED, ()),
    (_S.CALLING, _T.HANG_UP): (_S.CANCEL_WANTED, ()),
    (_S.CALLING, _T.TIMEOUT): (_S.ENDED, (_A.TELL_TIMED_OUT,)),
    (_S.CALLING, _T.REFUSED): (_S.ENDED, (_A.TELL_REFUSED,)),
    (_S.CANCEL_WANTED, _T.PROVISIONAL): (_S.CANCELLING, (_A.TELL_PROVISIONAL, _A.SEND_CANCEL)),
    (_S.CANCEL_WANTED, _T.ANSWER): _CROSSED,
    (_S.CANCEL_WANTED, _T.REJECT): _REJECTED,
    (_S.CANCEL_WANTED, _T.CHALLENGE): _REJECTED,
    (_S.CANCEL_WANTED, _T.TOO_SHORT): _REJECTED,
    (_S.CANCEL_WANTED, _T.TIMEOUT): (_S.ENDED, (_A.TELL_TIMED_OUT,)),
    (_S.CANCEL_WANTED, _T.REFUSED): (_S.ENDED, (_A.TELL_REFUSED,)),
    (_S.PROCEEDING, _T.PROVISIONAL): (_S.PROCEEDING, (_A.TELL_PROVISIONAL,)),
    (_S.PROCEEDING, _T.ANSWER): (_S.ANSWERED, (_A.TELL_ANSWERED,)),
    (_S.PROCEEDING, _T.REJECT): _REJECTED,
    (_S.PROCEEDING, _T.CHALLENGE): (_S.CALLING, (_A.RETRY,)),
    (_S.PROCEEDING, _T.TOO_SHORT): (_S.CALLING, (_A.RETRY,)),
    (_S.PROCEEDING, _T.CANCEL): (_S.CANCELLING, (_A.SEND_CANCEL,)),
    (_S.PROCEEDING, _T.HANG_UP): (_S.CANCELLING, (_A.SEND_CANCEL,)),
    (_S.PROCEEDING, _T.BYE): (_S.ENDED, (_A.SEND_CANCEL_QUIETLY, _A.TELL_ENDED_THEM)),
    (_S.CANCELLING, _T.PROVISIONAL): (_S.CANCELLING, (_A.TELL_PROVISIONAL,)),
    (_S.CANCELLING, _T.ANSWER): _CROSSED,
    (_S.CANCELLING, _T.REJECT): _REJECTED,
    (_S.CANCELLING, _T.CHALLENGE): _REJECTED,
    (_S.CANCELLING, _T.TOO_SHORT): _REJECTED,
    (_S.CANCELLING, _T.BYE): (_S.ENDED, (_A.TELL_ENDED_US,)),
    (_S.CANCELLING, _T.GAVE_UP): (_S.ENDED, (_A.TELL_ENDED_NETWORK,)),
    (_S.ANSWERED, _T.ACKNOWLEDGE): (_S.CONFIRMED, (_A.SEND_ACK,)),
    (_S.ANSWERED, _T.CANCEL): (_S.HANGING_UP, (_A.SEND_ACK, _A.SEND_BYE)),
    (_S.ANSWERED, _T.HANG_UP): (_S.HANGING_UP, (_A.SEND_ACK, _A.SEND_BYE)),
    (_S.ANSWERED, _T.BYE): (_S.ENDED, (_A.SEND_ACK, _A.TELL_ENDED_THEM)),
    (_S.CONFIRMED, _T.CANCEL): (_S.HANGING_UP, (_A.SEND_BYE,)),
    (_S.CONFIRMED, _T.HANG_UP): (_S.HANGING_UP, (_A.SEND_BYE,)),
    (_S.CONFIRMED, _T.BYE): (_S.ENDED, (_A.TELL_ENDED_THEM,)),
    (_S.CONFIRMED, _T.EXPIRE): (_S.EXPIRED, (_A.SEND_BYE,)),
    (_S.HANGING_UP, _T.BYE): (_S.ENDED, (_A.TELL_ENDED_US,)),
    (_S.HANGING_UP, _T.BYE_DONE): (_S.ENDED, (_A.TELL_ENDED_US,)),
    (_S.EXPIRED, _T.BYE): (_S.ENDED, (_A.TELL_ENDED_NETWORK,)),
    (_S.EXPIRED, _T.BYE_DONE): (_S.ENDED, (_A.TELL_ENDED_NETWORK,)),
    (_S.ENDED, _T.ANSWER): (_S.ENDED, (_A.DISCARD,)),
}

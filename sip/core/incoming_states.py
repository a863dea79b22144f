"""The machine of an incoming call: in a state, a step leads to a state and a list of acts.

A step that is not in the table is ignored.
"""

from __future__ import annotations

from enum import StrEnum


class IncomingState(StrEnum):
    """Where an incoming call stands."""

    PROCEEDING = "Proceeding"
    ANSWER_WANTED = "AnswerWanted"
    """To be answered as soon as the PRACK of our session description is here."""
    ANSWERED = "Answered"
    """Our 2xx waits for its ACK."""
    HANG_UP_WANTED = "HangUpWanted"
    """To be hung up as soon as the ACK is here: BYE may not overtake it (RFC 3261 section 15)."""
    CONFIRMED = "Confirmed"
    HANGING_UP = "HangingUp"
    EXPIRED = "Expired"
    """Our BYE is on its way to a caller that has not been heard of in time."""
    ENDED = "Ended"


class IncomingStep(StrEnum):
    """What may happen to an incoming call."""

    ANSWER = "answer()"
    ANSWER_LATER = "answer() before the PRACK"
    PRACKED = "PRACK"
    PRACK_TIMEOUT = "64*T1 without PRACK"
    REJECT = "reject() or challenge()"
    HANG_UP = "hang_up()"
    CANCEL = "CANCEL"
    ACK = "ACK"
    ACK_TIMEOUT = "64*T1 without ACK"
    BYE = "BYE"
    BYE_DONE = "our BYE answered or given up"
    EXPIRE = "session expired"


class IncomingAct(StrEnum):
    """What an incoming call does on a step."""

    SEND_200 = "200"
    SEND_487 = "487"
    SEND_480 = "480"
    SEND_504 = "504"
    SEND_BYE = "BYE"
    TELL_ENDED_US = "tell Ended by us"
    TELL_ENDED_THEM = "tell Ended by them"
    TELL_ENDED_NETWORK = "tell Ended by network"


_S, _T, _A = IncomingState, IncomingStep, IncomingAct

INCOMING: dict[tuple[IncomingState, IncomingStep], tuple[IncomingState, tuple[IncomingAct, ...]]] = {
    (_S.PROCEEDING, _T.ANSWER): (_S.ANSWERED, (_A.SEND_200,)),
    (_S.PROCEEDING, _T.ANSWER_LATER): (_S.ANSWER_WANTED, ()),
    (_S.PROCEEDING, _T.PRACK_TIMEOUT): (_S.ENDED, (_A.SEND_504, _A.TELL_ENDED_NETWORK)),
    (_S.PROCEEDING, _T.REJECT): (_S.ENDED, (_A.TELL_ENDED_US,)),
    (_S.PROCEEDING, _T.HANG_UP): (_S.ENDED, (_A.SEND_480, _A.TELL_ENDED_US)),
    (_S.PROCEEDING, _T.CANCEL): (_S.ENDED, (_A.SEND_487, _A.TELL_ENDED_THEM)),
    (_S.PROCEEDING, _T.BYE): (_S.ENDED, (_A.SEND_487, _A.TELL_ENDED_THEM)),
    (_S.ANSWER_WANTED, _T.PRACKED): (_S.ANSWERED, (_A.SEND_200,)),
    (_S.ANSWER_WANTED, _T.PRACK_TIMEOUT): (_S.ENDED, (_A.SEND_504, _A.TELL_ENDED_NETWORK)),
    (_S.ANSWER_WANTED, _T.HANG_UP): (_S.ENDED, (_A.SEND_480, _A.TELL_ENDED_US)),
    (_S.ANSWER_WANTED, _T.CANCEL): (_S.ENDED, (_A.SEND_487, _A.TELL_ENDED_THEM)),
    (_S.ANSWER_WANTED, _T.BYE): (_S.ENDED, (_A.SEND_487, _A.TELL_ENDED_THEM)),
    (_S.ANSWERED, _T.ACK): (_S.CONFIRMED, ()),
    (_S.ANSWERED, _T.ACK_TIMEOUT): (_S.HANGING_UP, (_A.SEND_BYE,)),
    (_S.ANSWERED, _T.HANG_UP): (_S.HANG_UP_WANTED, ()),
    (_S.ANSWERED, _T.BYE): (_S.ENDED, (_A.TELL_ENDED_THEM,)),
    (_S.HANG_UP_WANTED, _T.ACK): (_S.HANGING_UP, (_A.SEND_BYE,)),
    (_S.HANG_UP_WANTED, _T.ACK_TIMEOUT): (_S.HANGING_UP, (_A.SEND_BYE,)),
    (_S.HANG_UP_WANTED, _T.BYE): (_S.ENDED, (_A.TELL_ENDED_THEM,)),
    (_S.CONFIRMED, _T.HANG_UP): (_S.HANGING_UP, (_A.SEND_BYE,)),
    (_S.CONFIRMED, _T.ACK_TIMEOUT): (_S.HANGING_UP, (_A.SEND_BYE,)),
    (_S.CONFIRMED, _T.BYE): (_S.ENDED, (_A.TELL_ENDED_THEM,)),
    (_S.CONFIRMED, _T.EXPIRE): (_S.EXPIRED, (_A.SEND_BYE,)),
    (_S.EXPIRED, _T.BYE): (_S.ENDED, (_A.TELL_ENDED_NETWORK,)),
    (_S.EXPIRED, _T.BYE_DONE): (_S.ENDED, (_A.TELL_ENDED_NETWORK,)),
    (_S.HANGING_UP, _T.BYE): (_S.ENDED, (_A.TELL_ENDED_US,)),
    (_S.HANGING_UP, _T.BYE_DONE): (_S.ENDED, (_A.TELL_ENDED_US,)),
}

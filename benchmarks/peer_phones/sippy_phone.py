"""sippy in the comparison: signalling only, it has no sound; its own event loop."""

from __future__ import annotations

import importlib
import itertools
import socket
from typing import Any

from benchmarks.peer_phones.tally import HOST, Tally, task


def _class(module: str, name: str) -> Any:
    return getattr(importlib.import_module(f"sippy.{module}"), name)


OFFER = (
    f"v=0\r\no=- 1 1 IN IP4 {HOST}\r\ns=-\r\nc=IN IP4 {HOST}\r\nt=0 0\r\n"
    "m=audio 9 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\na=sendrecv\r\n"
)


class SilentLog:
    """What sippy writes its messages to."""

    level = 0

    def write(self, *_words: object, **_more: object) -> None:
        """Keep nothing."""


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


class Caller:
    """Places the calls; a new one begins when one has ended."""

    def __init__(self) -> None:
        self.task = task()
        self.loop = _class("Core.EventDispatcher", "ED2")
        self.after = _class("Time.Timeout", "Timeout")
        self.config: dict[str, Any] = {
            "_sip_address": HOST,
            "_sip_port": _free_port(),
            "_sip_logger": SilentLog(),
        }
        manager = _class("SipTransactionManager", "SipTransactionManager")
        self.config["_sip_tm"] = manager(self.config, lambda request, transaction: (None, None, None))
        self.numbers = itertools.count()
        self.open = 0
        self.tally = Tally()

    def run(self) -> None:
        """Place the calls and tell."""
        for _ in range(min(self.task.at_once, self.task.calls)):
            self.next()
        self.loop.loop()
        self.tally.tell()

    def next(self) -> None:
        """Place one call."""
        number = next(self.numbers)
        if number >= self.task.calls:
            if not self.open:
                self.loop.breakLoop()
            return
        self.open += 1
        agent = _class("UA", "UA")(self.config, event_cb=self.told, nh_address=(HOST, self.task.port))
        agent.ended = False
        body = _class("MsgBody", "MsgBody")(OFFER)
        call_id = _class("SipCallId", "SipCallId")()
        dial = _class("CCEvents", "CCEventTry")
        agent.recvEvent(dial((call_id, "bench", f"line-{number}", body, None, "bench")))

    def told(self, event: Any, agent: Any) -> None:
        """Take what happened to a call."""
        kind = type(event).__name__
        call_id = str(agent.cId)
        if kind == "CCEventRing":
            self.tally.note(call_id, "180")
        elif kind == "CCEventConnect":
            self.tally.note(call_id, "200")
            self.tally.answered += 1
            self.after(self.hang_up, self.task.talk_s, 1, agent)
        elif kind in ("CCEventFail", "CCEventDisconnect"):
            self.tally.failed += 1
            self.over(agent)

    def hang_up(self, agent: Any) -> None:
        """Send the BYE."""
        agent.recvEvent(_class("CCEvents", "CCEventDisconnect")())
        self.over(agent)

    def over(self, agent: Any) -> None:
        """A call has ended."""
        if not agent.ended:
            agent.ended = True
            self.open -= 1
            self.next()


if __name__ == "__main__":
    Caller().run()

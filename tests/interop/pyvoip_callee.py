"""pyVoIP as a callee, in a process of its own: `python -m tests.interop.pyvoip_callee MODE`.

pyVoIP sends everything to its registrar, so this program is that registrar too: it takes the REGISTER and relays all
else between the caller and pyVoIP. It prints the port that it can be called at, then one line for each thing that
happened. Modes: `answer` (talks until the caller hangs up), `hang-up` (hangs up itself after a second), `busy`.
"""

from __future__ import annotations

import math
import re
import socket
import sys
import threading
import time
import warnings

from pyVoIP.VoIP import CallState, InvalidStateError, VoIPCall, VoIPPhone

from tests.interop.pyvoip import TONE_HZ

FRAME = 160
"""20 ms at 8000 Hz."""


class Desk(threading.Thread):
    """The registrar and relay: one socket towards the callers, one towards pyVoIP."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.outside, self.inside = _bound(), _bound()
        self._phone = ("127.0.0.1", 0)
        self._caller = ("127.0.0.1", 0)

    def connect(self, port: int) -> None:
        """Relay to pyVoIP at this port."""
        self._phone = ("127.0.0.1", port)
        self.start()
        threading.Thread(target=self._inwards, daemon=True).start()

    def run(self) -> None:
        """Take what pyVoIP sends."""
        while True:
            data, _ = self.inside.recvfrom(65_535)
            if data.startswith((b"REGISTER", b"SUBSCRIBE")):
                self.inside.sendto(_accepted(data), self._phone)
            else:
                self.outside.sendto(data, self._caller)

    def _inwards(self) -> None:
        while True:
            data, self._caller = self.outside.recvfrom(65_535)
            print("received", data.split(b" ", 1)[0].decode("ascii", "replace"), flush=True)
            self.inside.sendto(data, self._phone)


def _bound() -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.bind(("127.0.0.1", 0))
    return opened


def _accepted(request: bytes) -> bytes:
    """Return a 200 to a request of pyVoIP."""
    kept = re.findall(rb"(?im)^(?:Via|From|To|Call-ID|CSeq|Contact|Expires):[^\r\n]*", request)
    return b"\r\n".join([b"SIP/2.0 200 OK", *kept, b"Content-Length: 0", b"", b""])


def _tone(number: int) -> bytes:
    """Return a frame of pyVoIP's linear format: 8 bit, unsigned."""
    start = number * FRAME
    return bytes(
        round(128 + 60 * math.sin(2 * math.pi * TONE_HZ * n / 8000)) for n in range(start, start + FRAME)
    )


def _talk(call: VoIPCall, until_s: float) -> None:
    begun, number, heard = time.monotonic(), 0, 0
    while call.state == CallState.ANSWERED and time.monotonic() < begun + until_s:
        call.write_audio(_tone(number))
        heard += any(sample != 128 for sample in call.read_audio(FRAME, blocking=False))
        number += 1
        time.sleep(max(0.0, begun + number * 0.02 - time.monotonic()))
    print("heard", heard, flush=True)


def _answerer(mode: str):
    """Return what pyVoIP calls for each call."""

    def take(call: VoIPCall) -> None:
        try:
            if mode == "busy":
                call.deny()
                return
            call.answer()
            print("answered", flush=True)
            _talk(call, 1.0 if mode == "hang-up" else 30.0)
            if call.state == CallState.ANSWERED:
                call.hangup()
                print("hung up", flush=True)
        except InvalidStateError as error:
            print("state", error, flush=True)

    return take


def main(mode: str) -> None:
    warnings.simplefilter("ignore")
    desk = Desk()
    with _bound() as probe:
        port = probe.getsockname()[1]
    desk.connect(port)
    phone = VoIPPhone(
        "127.0.0.1",
        desk.inside.getsockname()[1],
        "62",
        "unused",
        callCallback=_answerer(mode),
        myIP="127.0.0.1",
        sipPort=port,
        rtpPortLow=30_000 + port % 1000 * 20,
        rtpPortHigh=30_000 + port % 1000 * 20 + 18,
    )
    phone.start()
    print("ready", desk.outside.getsockname()[1], flush=True)
    sys.stdin.read()
    phone.stop()


if __name__ == "__main__":
    main(sys.argv[1])

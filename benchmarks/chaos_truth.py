"""What a call over a bad network must come to: its line's script and the network's log against its record.

Bounds, and where they come from:

- A provisional response by UDP is sent once (RFC 3261 section 17.2.1). Where it is lost, the ring start is what is
  heard; without sound it is unknown, and then so is the ring time. Nothing is guessed. Of sound that only the 200
  described the last seconds are heard: rings and ring time are then of these, never longer than the truth.
- A 200 is sent again after T1, 2 T1, 4 T1 ... (0.5, 1, 2 s, 4 s at most, section 13.3.1.4) until it is acknowledged. If
  its first n copies are lost, it comes T1 (2^n - 1) later: the ring seems longer by as much and by no more.
- A delay that is the same for all packets moves no time. One that was held back came `hold_ms` late.
- By TCP what is lost comes with its repetition, after 0.2 s at the least and doubling, and all behind it: how late a
  message comes is the kernel's business. The ring lasts from the 180 or 183 to the 200 as they came, or from the first
  burst that was heard after it; rings that were over before it came are not counted.
- Behind a gateway whose 200 comes late, by TCP or because its first copy was lost, a ring may be over before we are
  let hear it, or be taken for ringing before the answer: rings and ring time are then of what was heard, never longer
  than the truth, and a person is asked (`answerer_review`).
- Where no response described the sound and the first 200 is lost, what is said meanwhile comes before the answer that
  we were told of: it may be a spoken colour ring for all that can be known. Rings are then not counted and a person is
  asked (`crbt_review`).
- Where ringing is heard, the start lies within the loss at the head of the first burst.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.bad_network import NetworkLog
from benchmarks.chaos_ends import line_of

T1_MS, T2_MS = 500.0, 4_000.0
MACHINE_MS = 150.0
"""What a crowded machine delays the line's responses and the network's work."""
PERIOD_MS, PAUSE_MS = 5_000.0, 4_000.0
"""Of ringing; where the first burst was not heard, the next comes after a pause."""
EARLY_MS = 500.0
"""Sound that came so long before the response that describes it is heard."""
HEAD_MS = 100.0
"""Packets lost in one piece at the beginning of a burst."""
RECORDING_MS = 20.0
IN_FLIGHT = 20
"""Packets of 20 ms that were under way, or not yet stopped, when the call ended here: 300 ms and some."""
VERDICTS = {
    "61": ("within",),
    "62": ("within",),
    "70": ("no_answer",),
    "71": ("no_answer",),
    "86": ("busy",),
    "87": ("busy",),
    "88": ("rejected",),
    "91": ("within",),
    "181": ("forwarded",),
    "302": ("forwarded",),
    "480": ("line_check",),
    "603": ("rejected",),
    "1811": ("forwarded",),
    "4040": ("number_check",),
    "9421": ("within",),
}
"""The readings of `docs/reference/verdicts.md` that fit a line, whatever the network does."""
UNMEASURED = ("unmeasured", "borderline", "our_side", "busy")
"""Readings that blame nobody, where the network kept back what would have told more."""


def faults_of(call: dict[str, Any], log: NetworkLog) -> list[str]:
    """Return what a record says wrong, in words."""
    return [
        fault
        for check in (_outcome, _rings, _time, _media, _recording, _verdict)
        for fault in check(call["user"], call, log)
    ]


def true_ring_ms(user: str, log: NetworkLog) -> float | None:
    """Return how long the far end rang, from its first 180 to its first 200; None where it sent none of them.

    Behind a gateway or a switchboard, whose 200 is no answer, it is what the line's script says.
    """
    expect = line_of(user).expect
    if expect.answer_source == "in_band":
        return expect.ring_to_answer_ms
    ringing, answer = log.of(user, "in", "180 INVITE"), log.of(user, "in", "200 INVITE")
    return (answer[0]["at_s"] - ringing[0]["at_s"]) * 1000 if ringing and answer else None


def _arrived(user: str, log: NetworkLog, what: str) -> bool:
    return any(message["arrived_s"] for message in log.of(user, "in", what))


def _untold(user: str, log: NetworkLog) -> bool:
    """Whether no response before the 200 told us that the line rings."""
    return not any(_arrived(user, log, f"{status} INVITE") for status in ("180", "183"))


def _spoken_before(user: str, log: NetworkLog) -> bool:
    """Whether the answer's first words may have come before any response that described them."""
    first = log.of(user, "in", "200 INVITE")[:1]
    return not _arrived(user, log, "183 INVITE") and any(not copy["arrived_s"] for copy in first)


def _alerted(user: str, log: NetworkLog) -> bool:
    """Whether anything told us that the line rings."""
    heard = any(
        stream["user"] == user and stream["way"] == "in" and stream["arrived"] for stream in log.sound
    )
    described = any(_arrived(user, log, f"{status} INVITE") for status in ("180", "183"))
    sounding = any(step.word == "provisional" and getattr(step, "sdp", False) for step in line_of(user).steps)
    return _arrived(user, log, "180 INVITE") or (heard and described and sounding)


def _outcome(user: str, call: dict[str, Any], log: NetworkLog) -> Iterator[str]:
    expect, record = line_of(user).expect, call["record"]
    wanted: set[str] = {expect.outcome}
    if not _tcp(user) and not _alerted(user, log):
        # What nobody told us rang has not been let ring; and a busy line is one that did not ring before.
        wanted = {{"no_answer": "network_failure", "rejected": "busy"}.get(expect.outcome, expect.outcome)}
        if record["sip_status"] == 603:
            wanted = {"rejected"}
        if record["sip_status"] == 487:
            # We gave up: what described the line's tone was lost as well, and nothing final came.
            wanted = {"network_failure"}
    if record["outcome"] not in wanted:
        yield f"outcome is {record['outcome']}, must be {' or '.join(wanted)}"
    if expect.sip_status is not None and record["sip_status"] != expect.sip_status:
        yield f"sip_status is {record['sip_status']}, must be {expect.sip_status}"
    if expect.forwarded is not None and record["forwarding"]["detected"] != expect.forwarded:
        yield f"forwarding.detected is {record['forwarding']['detected']}, must be {expect.forwarded}"
    if record["our_failure"] or record["interrupted"]:
        yield f"it says that our side failed: {record['errors']}"


def _rings(user: str, call: dict[str, Any], log: NetworkLog) -> Iterator[str]:
    wanted, rings = line_of(user).expect.rings, call["record"]["rings"]
    if wanted is None or rings["count"] == wanted:
        return
    if _heard_late(user, log) and (rings["count"] or 0) < wanted:
        return
    if _tcp(user) and wanted - _unheard(user, call, log) <= (rings["count"] or 0) < wanted:
        return
    if _untold(user, log) and (rings["count"] or 0) < wanted:
        return
    if _spoken_before(user, log) and rings["count"] is None:
        return
    late_ms = (call["record"]["ring_to_answer_ms"] or 0.0) - wanted * 5000
    if rings["source"] == "cadence" and rings["count"] == wanted + 1 and late_ms >= 0:
        return  # the 200 came so late that by the clock another ring had begun
    yield f"rings are {rings['count']} ({rings['source']}), must be {wanted}"


def _time(user: str, call: dict[str, Any], log: NetworkLog) -> Iterator[str]:
    expect, found_ms = line_of(user).expect, call["record"]["ring_to_answer_ms"]
    if expect.ring_to_answer_ms is None:
        return
    if found_ms is None:
        if not _heard_late(user, log) and (_tcp(user) or _alerted(user, log)):
            yield "ring_to_answer_ms is null, though it rang"
        return
    if expect.answer_source == "in_band":
        high = expect.tolerance_ms + HEAD_MS
        true_ms = expect.ring_to_answer_ms
        low = true_ms if _heard_late(user, log) else high
    elif _tcp(user):
        true_ms = _told_ms(call) or expect.ring_to_answer_ms
        low, high = PAUSE_MS + MACHINE_MS, EARLY_MS + MACHINE_MS
    else:
        true_ms = true_ring_ms(user, log) or expect.ring_to_answer_ms
        low, high = MACHINE_MS + HEAD_MS, _later_ms(user, log)
        if _untold(user, log):
            low = true_ms
    if not true_ms - low <= found_ms <= true_ms + high:
        yield f"ring_to_answer_ms is {found_ms:.0f}, must be {true_ms:.0f} - {low:.0f} + {high:.0f}"


def _told_ms(call: dict[str, Any]) -> float | None:
    """Return the time from the first response that told us of ringing to the 200, as both came."""
    came: list[tuple[int, float]] = [
        (entry["status"], entry["t_ms"])
        for entry in call["record"]["timeline"]
        if entry["event"] == "received" and "status" in entry and "request" not in entry
    ]
    ringing = [t_ms for status, t_ms in came if status in (180, 183)]
    answer = [t_ms for status, t_ms in came if status == 200]
    return answer[0] - ringing[0] if ringing and answer else None


def _unheard(user: str, call: dict[str, Any], log: NetworkLog) -> int:
    """Return how many rings may have been over before we were told of them."""
    told_ms, rung_ms = _told_ms(call), true_ring_ms(user, log) or line_of(user).expect.ring_to_answer_ms
    if told_ms is None or rung_ms is None:
        return 0
    late_ms: float = max(0.0, rung_ms - told_ms - EARLY_MS)
    return -int(-late_ms // PERIOD_MS)


def _later_ms(user: str, log: NetworkLog) -> float:
    """Return how much longer the ringing may seem."""
    late_ms, wait_ms = MACHINE_MS, T1_MS
    for copy in log.of(user, "in", "200 INVITE"):
        if copy["arrived_s"]:
            break
        late_ms, wait_ms = late_ms + wait_ms, min(2 * wait_ms, T2_MS)
    return late_ms


def _media(user: str, call: dict[str, Any], log: NetworkLog) -> Iterator[str]:
    media = call["record"]["media"]
    streams = [stream for stream in log.sound if stream["user"] == user and stream["way"] == "in"]
    if not media["received"]:
        return
    for ours, theirs in (("lost", "lost"), ("duplicated", "repeated"), ("reordered", "overtaken")):
        true = sum(stream[theirs] for stream in streams)
        share = true / max(1, sum(stream["sent"] for stream in streams))
        # Of the packets that the two ends do not both count, as many were lost as of the others, and some by chance.
        slack = 3 + round(3 * share * _uncounted(media, streams))
        if abs(media[ours] - true) > slack:
            yield f"media.{ours} is {media[ours]}, must be {true} ± {slack}"


def _uncounted(media: dict[str, Any], streams: list[dict[str, Any]]) -> int:
    arrived: int = sum(stream["arrived"] for stream in streams)
    unlike: int = abs(arrived - media["received"] - media["duplicated"])
    return IN_FLIGHT + unlike


def _recording(user: str, call: dict[str, Any], log: NetworkLog) -> Iterator[str]:
    record = call["record"]
    if record["recording"] is None:
        yield f"there is no recording: {record['errors']}"
        return
    apart_ms = record["recording"]["duration_ms"] - record["ended_ms"]
    if abs(apart_ms) > RECORDING_MS:
        yield f"the recording is {apart_ms:+.0f} ms longer than the call"


def _verdict(user: str, call: dict[str, Any], log: NetworkLog) -> Iterator[str]:
    wanted = VERDICTS.get(user.partition(".")[0], ())
    if _heard_late(user, log):
        wanted = (*wanted, "answerer_review")
    if _spoken_before(user, log):
        wanted = (*wanted, "crbt_review")
    if wanted and call["verdict"] not in (*wanted, *UNMEASURED):
        yield f"the verdict is {call['verdict']}, must be {' or '.join(wanted)}"


def _heard_late(user: str, log: NetworkLog) -> bool:
    """Whether it rang behind a 200 that came late: by TCP it may have, by UDP where its first copy was lost."""
    first = log.of(user, "in", "200 INVITE")[:1]
    lost = any(not copy["arrived_s"] for copy in first)
    return line_of(user).expect.answer_source == "in_band" and (_tcp(user) or lost)


def _tcp(user: str) -> bool:
    return user.endswith("-tcp")

"""Calls with much to draw, made by formula: for the tests of the picture and for the page that explains it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from sip.record import (
    Announcement,
    Burst,
    CallRecord,
    EarlyMedia,
    Evidence,
    Forwarding,
    LevelTrack,
    Rings,
    Segment,
    TimelineEntry,
)
from tests.web.fake import answered, unanswered

RINGBACK = {"frequency_hz": 450.2, "level_dbm0": -12.4, "on_ms": 1_000.0, "off_ms": 4_000.0}


def drawn_calls() -> dict[str, CallRecord]:
    """Return an answered call, one behind a gateway, one with 彩铃 that was forwarded, one to a phone that is off."""
    return {"answered": _answered(), "gateway": _gateway(), "crbt": _crbt(), "powered_off": _powered_off()}


def explained_call() -> CallRecord:
    """Return one call with nearly everything that a picture may show."""
    record = _gateway()
    signs = (
        Evidence("sip_181", "definitive", 150.0, "181 Call Is Being Forwarded"),
        Evidence("diversion", "strong", 210.0, "Diversion"),
    )
    said = (Announcement("transfer", "words", 2_000.0, 4_400.0, 0.93, "正在为您转接"),)
    return replace(record, forwarding=Forwarding(True, "definitive", evidence=signs), announcements=said)


def _track(seconds: float, level: Callable[[float], int | None]) -> LevelTrack:
    return LevelTrack(0.0, 100.0, tuple(level(n / 10) for n in range(round(seconds * 10))))


def _ringing(t: float) -> int | None:
    return None if t < 0.2 else -12 if (t - 0.2) % 5.0 < 1.0 else -66


def _talking(t: float) -> int:
    """Return the level of a voice, with pauses; the same for the same moment."""
    return -52 if math.sin(t * 2.1) < -0.55 else round(-18 + 5 * math.sin(t * 9.7) * math.cos(t * 4.3))


def _answered() -> CallRecord:
    record = answered("x", 8_000.0)
    tone = Segment("ringback", 200.0, 8_200.0, 0.99, "cn.ringback", RINGBACK)
    return replace(
        record,
        early_media=EarlyMedia("ringback", (tone,)),
        level=_track(12.2, lambda t: _ringing(t) if t < 8.2 else _talking(t)),
        timeline=(*record.timeline, TimelineEntry(8_400.0, "prompt", {"what": "started"})),
    )


def _gateway() -> CallRecord:
    record = answered("x", 14_000.0)
    tone = Segment("ringback", 200.0, 14_200.0, 0.99, "cn.ringback", RINGBACK)
    ours = (
        TimelineEntry(15_000.0, "prompt", {"what": "started"}),
        TimelineEntry(16_200.0, "dtmf", {"digits": "8012"}),
        TimelineEntry(18_200.0, "hang_up", {"why": "talk time over"}),
    )
    return replace(
        record,
        answer_source="in_band",
        connected_ms=900.0,
        answered_window_ms=(11_200.0, 14_200.0),
        ring_to_answer_min_ms=11_000.0,
        ended_by="us",
        near_limit=True,
        early_media=EarlyMedia("ringback", (tone,)),
        level=_track(18.2, lambda t: _ringing(t) if t < 14.2 else _talking(t)),
        timeline=(*record.timeline, *ours),
    )


def _crbt() -> CallRecord:
    tune = (
        Segment("music", 210.0, 6_000.0, 0.96),
        Segment("speech", 6_000.0, 8_000.0, 0.9),
        Segment("music", 8_000.0, 9_700.0, 0.96),
    )
    signs = (
        Evidence("sip_181", "definitive", 150.0, "181 Call Is Being Forwarded"),
        Evidence("diversion", "strong", 160.0, "Diversion"),
        Evidence("crbt", "weak", 210.0, "music"),
        Evidence("late_ringing", "medium", 900.0, "late"),
    )
    return answered(
        "x",
        9_500.0,
        rings=Rings(),
        early_media=EarlyMedia("crbt", tune),
        forwarding=Forwarding(True, "definitive", None, "mobile", "always", signs),
        level=_track(13.7, _talking),
    )


def _powered_off() -> CallRecord:
    record = unanswered("x", "unreachable", ended_ms=24_200.0, ended_by="us", line_state="powered_off")
    sounds = (
        Segment("ringback", 200.0, 9_200.0, 0.98, "cn.ringback", RINGBACK),
        Segment("announcement", 9_200.0, 14_000.0, 0.95, None, {"level_dbm0": -19.0, "pitch_hz": 212.0}),
        Segment("noise", 14_000.0, 15_000.0, 0.6),
        Segment("announcement", 15_000.0, 19_800.0, 0.95),
        Segment("silence", 19_800.0, 21_000.0, 0.95),
        Segment("busy", 21_000.0, 24_200.0, 0.97, "cn.busy"),
    )
    said = (
        Announcement("powered_off", "words", 9_200.0, 14_000.0, 0.96, "您拨打的电话已关机", True),
        Announcement("powered_off", "sample", 9_300.0, 13_000.0, 0.99, "关机（甲）", True),
        Announcement("busy", "tone", 21_000.0, 22_400.0, 0.97, "busy"),
        Announcement("not_reachable", "signalling", 24_100.0, 24_100.0, 0.9, "480"),
    )
    bursts = tuple(Burst(200.0 + n, 1_200.0 + n, 450.2, -12.4) for n in (0.0, 5_000.0))

    def level(t: float) -> int | None:
        if t < 9.2:
            return _ringing(t)
        if t >= 21.0:
            return -15 if (t - 21.0) % 0.7 < 0.35 else -66
        return -66 if t >= 19.8 else _talking(t)

    return replace(
        record,
        rings=Rings(2, "audio", bursts),
        early_media=EarlyMedia("announcement", sounds),
        announcements=said,
        level=_track(24.2, level),
        timeline=(
            TimelineEntry(0.0, "sent", {"method": "INVITE"}),
            TimelineEntry(24_100.0, "sent", {"method": "CANCEL"}),
        ),
    )

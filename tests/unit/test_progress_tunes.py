"""Music before the answer: kept of each call, and known again on other lines."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sip.assembly import CallIdentity, assemble
from sip.call_log import CallLog
from sip.media import MediaReport
from sip.progress import Heard, Limits
from sip.progress.tunes import KEPT, OWNERS, EarlySound, Tune, TuneBook
from sip.record import CallRecord, EarlyMedia, Forwarding, MediaStatistics, Segment
from sip.tune_watch import TuneWatch
from tests.line_sounds import (
    RINGBACK,
    cadence,
    chords,
    columns_of,
    listen,
    lose,
    silence,
    through,
    voice,
    white_noise,
)

SONG, OTHER = chords(14.0, seed=1), chords(14.0, seed=2)


def early(wave: np.ndarray, lead: int, seed: int, kind: str = "crbt") -> tuple[EarlySound, EarlyMedia]:
    """Hear a tune by a line that begins `lead` samples late and loses a little."""
    line = np.concatenate((silence(0.5), np.zeros(lead, np.float32), wave))
    line = line + white_noise(len(line) / 8000, -38.0, seed)[: len(line)]
    line, came = lose(through("alaw", line), 0.01, seed)
    heard = EarlySound()
    columns = columns_of(line)
    for at in range(0, len(columns), 7):
        heard.push(at * 20.0, columns[at : at + 7], came[at : at + 7])
    segments = (Segment("music", 500.0 + lead / 8, len(line) / 8, 0.9),)
    return heard, EarlyMedia(kind, segments)  # type: ignore[arg-type]


def tune(wave: np.ndarray, owner: str, lead: int = 0, trunk: str = "main") -> Tune:
    heard, media = early(wave, lead, len(owner) + lead)
    prints = heard.tune(media)
    assert prints is not None
    return Tune(trunk, owner, prints, 0.0)


def test_a_tune_is_known_again_on_other_lines_and_another_is_not() -> None:
    book = TuneBook()
    assert book.note(tune(SONG, "a", 13)) == {"a"}
    assert book.note(tune(OTHER, "b", 5)) == {"b"}
    assert book.note(tune(SONG, "c", 91)) == {"a", "c"}
    assert book.note(tune(SONG, "c", 77)) == {"a", "c"}
    assert book.note(tune(voice(12.0), "d")) == {"d"}
    assert book.note(tune(SONG, "e", 150)) == {"a", "c", "e"}


def test_music_on_hold_is_joined_anywhere() -> None:
    book = TuneBook()
    book.note(tune(SONG, "a"))
    assert book.note(tune(SONG[8000 * 5 + 37 :], "b", 61)) == {"a", "b"}


def test_each_trunk_has_its_own_and_they_are_bounded() -> None:
    book = TuneBook([tune(SONG, "a")])
    assert book.note(tune(SONG, "b", trunk="other")) == {"b"}
    new = tune(OTHER, "c")
    for _ in range(KEPT):
        book.note(new)
    assert book.note(tune(SONG, "d")) == {"d"}


@pytest.mark.parametrize(("kind", "seconds"), [("ringback", 10.0), ("announcement", 10.0), ("crbt", 2.0)])
def test_what_is_no_tune_is_not_remembered(kind: str, seconds: float) -> None:
    heard, media = early(SONG[: round(seconds * 8000)], 0, 1, kind)
    assert heard.tune(media) is None


def test_a_call_without_sound_has_no_tune() -> None:
    assert EarlySound().tune(EarlyMedia("crbt", (Segment("music", 0.0, 9_000.0, 0.9),))) is None


def test_the_watch_says_it_from_the_third_unit_on() -> None:
    told: list[Tune] = []
    watch = TuneWatch(on_tune=told.append)
    found = []
    for number, owner in enumerate(("a", "b", "b", "c", "d")):
        heard, media = early(SONG, number * 20, number)
        record = CallRecord("1", "", "", None, "answered", early_media=media)
        found.append(watch.is_trunks("main", owner, record, heard))
    assert OWNERS == 3
    assert found == [False, False, False, True, True]
    again = TuneWatch(told)
    heard, media = early(SONG, 33, 9)
    assert again.is_trunks("main", "e", CallRecord("1", "", "", None, "answered", early_media=media), heard)


def test_the_trunks_music_proves_nothing_of_the_line_and_rings_nobody() -> None:
    """One ring, then music of the trunk's; the bell rang from the 180 on."""
    sound = np.concatenate((silence(0.5), cadence(RINGBACK, 1.5)[0], chords(12.0), voice(3.0), silence(1.0)))
    heard = listen(through("alaw", sound))

    def record(trunk_music: bool, ringing: Heard = heard) -> CallRecord:
        log = CallLog(first_180_ms=6_000.0, connected_ms=14_000.0, status=200, trunk_music=trunk_music)
        log.ended_ms = heard.until_ms
        report = MediaReport(MediaStatistics(received=900))
        return assemble(CallIdentity("sip:3262000@a", "1", True), log, ringing, report, Limits(), "PCMA")

    theirs, ours = record(False), record(True)
    assert {sign.kind for sign in theirs.forwarding.evidence} == {"crbt", "ringback_restart"}
    assert ours.forwarding == Forwarding()
    assert ours.early_media == theirs.early_media
    music = replace(heard, bursts=(), segments=tuple(s for s in heard.segments if s.kind != "ringback"))
    theirs, ours = record(False, music), record(True, music)
    assert theirs.ring_started_ms == pytest.approx(2_000.0, abs=100.0)
    assert (ours.ring_started_ms, ours.ring_to_answer_ms) == (6_000.0, 8_000.0)

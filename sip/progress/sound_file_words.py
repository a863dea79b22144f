"""What the tones and the words of a sound file say of the line: the vote without a call around it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sip.progress.heard import Heard
from sip.progress.line_state import vote
from sip.progress.rings import with_announcements
from sip.progress.signalled import told_by_tone
from sip.progress.transcript import Transcript
from sip.progress.words import announced
from sip.record import Announcement, EarlyMedia, Segment, to_json


def heard_state(heard: Heard) -> dict[str, Any]:
    """Return `line_state`, `line_state_vote` and `announcements` of schema dutyring.audio/1, by the tones alone."""
    first = {tone.kind: tone for tone in reversed(heard.recognised)}
    tones = [
        said
        for tone in first.values()
        for said in told_by_tone(
            tone.kind,
            tone.start_ms,
            tone.at_ms,
            rang=any(burst.start_ms < tone.start_ms for burst in heard.bursts),
        )
    ]
    return _voted(tones)


def with_words(analysis: Mapping[str, Any], transcript: Transcript) -> dict[str, Any]:
    """Return the analysis of a sound file with what its words add; the one given is not changed.

    `announcements`, `line_state` and its vote are made anew, speech that was understood is called `announcement`.
    A file holds no answer: all that was said counts.
    """
    said = announced(transcript)
    earlier = [Announcement(**item) for item in analysis["announcements"] if item["road"] != "words"]
    segments = tuple(Segment(**item) for item in analysis["early_media"]["segments"])
    early = with_announcements(
        EarlyMedia(analysis["early_media"]["kind"], segments), said, answered=True, alerting_ms=None
    )
    media = to_json(early)
    return {**analysis, **_voted([*earlier, *said]), "segments": media["segments"], "early_media": media}


def _voted(announcements: Iterable[Announcement]) -> dict[str, Any]:
    ordered = tuple(sorted(announcements, key=lambda said: said.start_ms))
    state, how = vote(ordered)
    return {
        "line_state": state,
        "line_state_vote": to_json(how),
        "announcements": to_json(ordered),
    }

"""What the line is doing: features, tones, segments, ring and answer times.

The face of this room:

    FeatureBank(capacity).push(rows, pcm) -> float32 [n, len(FEATURES)]    one 20 ms column of all calls
    find_plan("cn") -> TonePlan                                              a shipped tone plan, or one of a file
    LineListener(plan).push(start_ms, features, present); heard(); finish(end_ms) -> Heard
    answer_state(signals, heard) -> AnswerState                              while the call lasts
    failure_tone(signals, heard, answered_ms) -> RecognisedTone | None       the tone that says how it ends
    ring_facts(signals, heard, limits) -> RingFacts                          when it is over
    answered_by(heard, answered_ms, ended_ms, packets_received) -> AnsweredBy
    analyse_file(path, channel="right", alaw=False) -> dict                  schema dutyring.audio/1
"""

from typing import TYPE_CHECKING

from sip.lazily import face

if TYPE_CHECKING:
    from sip.progress.answer import answer_state, failure_tone
    from sip.progress.answerer import answered_by
    from sip.progress.facts import AnswerState, Limits, RingFacts, Signals
    from sip.progress.features import COLUMN_MS, FEATURES, FeatureBank, power_dbm0
    from sip.progress.files import AudioFileError, analyse_file
    from sip.progress.heard import Heard, RecognisedTone
    from sip.progress.listener import LineListener
    from sip.progress.plan import TonePlan, TonePlanError, default_plan, find_plan, load_plan, shipped_plans
    from sip.progress.rings import ring_facts, three_ring
    from sip.progress.spectrogram import Spectrogram

__all__ = [
    "COLUMN_MS",
    "FEATURES",
    "AnswerState",
    "AudioFileError",
    "FeatureBank",
    "Heard",
    "Limits",
    "LineListener",
    "RecognisedTone",
    "RingFacts",
    "Signals",
    "Spectrogram",
    "TonePlan",
    "TonePlanError",
    "analyse_file",
    "answer_state",
    "answered_by",
    "default_plan",
    "failure_tone",
    "find_plan",
    "load_plan",
    "power_dbm0",
    "ring_facts",
    "shipped_plans",
    "three_ring",
]

__getattr__ = face(
    __name__,
    {
        "answer": ("answer_state", "failure_tone"),
        "answerer": ("answered_by",),
        "facts": ("AnswerState", "Limits", "RingFacts", "Signals"),
        "features": ("COLUMN_MS", "FEATURES", "FeatureBank", "power_dbm0"),
        "files": ("AudioFileError", "analyse_file"),
        "heard": ("Heard", "RecognisedTone"),
        "listener": ("LineListener",),
        "plan": ("TonePlan", "TonePlanError", "default_plan", "find_plan", "load_plan", "shipped_plans"),
        "rings": ("ring_facts", "three_ring"),
        "spectrogram": ("Spectrogram",),
    },
)

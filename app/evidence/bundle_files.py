"""The files of an evidence bundle but for its sound and its page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from app.answers.models import AnswerItem
from app.checks.models import Recording
from app.evidence.bundle_masking import masked, masked_text, wordless
from app.evidence.bundle_sources import BundleSources, CallSources
from recordings.bundle import Part

SIDES = {"us": "我方 us", "them": "对方 them"}


def folder(call: CallSources) -> str:
    """The folder of a call."""
    return f"attempt-{call.attempt.id}"


def sound_name(call: CallSources) -> str:
    """The file of a call's sound."""
    kind = "wav" if call.recording is not None and call.recording.path.endswith(".wav") else "flac"
    return f"{folder(call)}/recording.{kind}"


def files(sources: BundleSources) -> Iterator[Part]:
    """Yield them in their order."""
    keys = sources.keys
    yield _json("check.json", order(sources), sources)
    if sources.proposal is not None:
        yield _json("proposal.json", proposal(sources), sources)
    yield _json("roster.json", sources.roster, sources)
    for call in sources.calls:
        at = folder(call)
        if call.facts is not None:
            yield _json(f"{at}/facts.json", facts(call), sources)
        if call.reading is not None:
            yield _json(f"{at}/reading.json", call.reading.content, sources)
        if call.verdict is not None:
            yield _json(f"{at}/verdict.json", verdict(call), sources)
        if call.trace is not None:
            yield Part(f"{at}/sip-trace.txt", masked_text(_text(call), keys).encode())
        if call.pcap is not None and _free_of_keys(call, sources):
            yield Part(f"{at}/sip-trace.pcap", call.pcap.read_bytes())
        if call.recording is not None:
            yield _json(f"{at}/recording.json", recording(call.recording), sources)
        if call.transcription is not None:
            yield _json(f"{at}/transcript.json", transcript(call), sources)
            yield Part(f"{at}/transcript.txt", masked_text(readable(call), keys).encode())
        if call.answers:
            yield _json(f"{at}/answers.json", [answer(item) for item in call.answers], sources)


def order(sources: BundleSources) -> dict[str, Any]:
    """What was ordered."""
    check = sources.check
    return {
        "id": check.id,
        "kind": check.kind,
        "reason": check.reason,
        "ordered_by": check.ordered_by,
        "state": check.state,
        "first_due_at": _at(check.first_due_at),
        "closed_at": _at(check.closed_at),
        "closed_why": check.closed_why,
        "unit": {"id": check.unit_id, "code": check.unit.code, "name": check.unit.name},
        "line": {"id": check.line_id, "number": check.line.number, "kind": check.line.kind},
        "attempts": [
            {
                "id": call.attempt.id,
                "number": call.attempt.number,
                "target": call.attempt.target,
                "state": call.attempt.state,
                "started_at": _at(call.attempt.started_at),
                "ended_at": _at(call.attempt.ended_at),
                "call_id": call.attempt.call_id,
                "clock_offset_ms": call.attempt.clock_offset_ms,
                "error": call.attempt.error,
            }
            for call in sources.calls
        ],
    }


def proposal(sources: BundleSources) -> dict[str, Any]:
    """What the rules in force made of the order."""
    row = sources.proposal
    assert row is not None
    content = wordless(row.content) if sources.any_withdrawn else row.content
    return {"rule_set": row.rule_set, "code": row.code, "judged_at": _at(row.judged_at), "proposal": content}


def facts(call: CallSources) -> dict[str, Any]:
    """A call's facts as they were measured; of a withdrawn one without words."""
    assert call.facts is not None
    found: dict[str, Any] = wordless(call.facts) if call.withdrawn else call.facts
    return found


def verdict(call: CallSources) -> dict[str, Any]:
    """What the rules made of a call."""
    row = call.verdict
    assert row is not None
    content = wordless(row.content) if call.withdrawn else row.content
    return {"rule_set": row.rule_set, "code": row.code, "judged_at": _at(row.judged_at), "verdict": content}


def recording(row: Recording) -> dict[str, Any]:
    """What is known of a recording, whether its sound is there or not."""
    return {
        "id": row.id,
        "sha256": row.sha256,
        "duration_ms": row.duration_ms,
        "channels": row.channels,
        "sample_rate": row.sample_rate,
        "repaired": row.repaired,
        "gaps": row.gaps,
        "created_at": _at(row.created_at),
        "gone_at": _at(row.gone_at),
        "gone_why": row.gone_why,
        "gone_by": row.gone_by,
    }


def transcript(call: CallSources) -> dict[str, Any]:
    """What was said, by channel, with what recognised it."""
    row = call.transcription
    assert row is not None
    return {"engine": row.engine, "done_at": _at(row.done_at), "channels": row.content}


def utterances(call: CallSources) -> list[tuple[float, float, str, str]]:
    """Beginning, end, channel and text of all that was said, in order of time."""
    row = call.transcription
    content = {} if row is None or row.content is None else row.content
    found = [
        (float(said["start_ms"]), float(said["end_ms"]), side, str(said["text"]))
        for side in SIDES
        for said in (content.get(side) or {}).get("utterances", ())
    ]
    return sorted(found)


def readable(call: CallSources) -> str:
    """The transcript for people, one utterance a line."""
    row = call.transcription
    assert row is not None
    lines = [
        f"{clock(start)}–{clock(end)}  {SIDES[side]}：{text}" for start, end, side, text in utterances(call)
    ]
    return "\n".join(
        (
            f"机器转写，未经人工核对。Machine transcript, not checked by a person. {row.engine or ''}",
            "",
            *lines,
            "",
        )
    )


def answer(item: AnswerItem) -> dict[str, Any]:
    """One thing that was found in what was said."""
    return {
        "kind": item.kind,
        "heard": item.heard,
        "heard_pinyin": item.heard_pinyin,
        "start_ms": item.start_ms,
        "end_ms": item.end_ms,
        "expected": item.expected,
        "distance": item.distance,
        "grade": item.grade,
        "evidence": item.evidence,
        "answer": item.answer,
        "answered_by": item.answered_by,
        "answered_at": _at(item.answered_at),
        "note": item.note,
    }


def missing(sources: BundleSources) -> Iterator[dict[str, Any]]:
    """Yield what is not in the bundle, sound apart, and why."""
    if sources.proposal is None:
        yield {"what": "proposal", "why": "not_made"}
    for call in sources.calls:
        of = {"attempt": call.attempt.id}
        if call.facts is None:
            yield of | {"what": "facts", "why": call.attempt.state}
        if call.trace is None:
            yield of | {"what": "sip-trace", "why": "not_kept"}
        if call.pcap is not None and not _free_of_keys(call, sources):
            yield of | {"what": "sip-trace.pcap", "why": "holds_an_answer_key"}
        if call.recording is not None and call.untranscribed:
            yield of | {"what": "transcript", "why": call.untranscribed}


def clock(ms: float) -> str:
    """Minutes and seconds: `00:12.345`."""
    minutes, rest = divmod(round(ms), 60_000)
    return f"{minutes:02}:{rest / 1000:06.3f}"


def _free_of_keys(call: CallSources, sources: BundleSources) -> bool:
    """A capture cannot be masked without breaking it: one that holds an answer key stays here."""
    assert call.pcap is not None
    text = call.pcap.read_bytes().decode("latin-1")
    return masked_text(text, sources.keys) == text


def _text(call: CallSources) -> str:
    assert call.trace is not None
    return call.trace.read_text("utf-8", errors="replace")


def _json(name: str, value: Any, sources: BundleSources) -> Part:
    text = json.dumps(masked(value, sources.keys), ensure_ascii=False, indent=1)
    return Part(name, text.encode("utf-8", "replace") + b"\n")


def _at(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()

"""A finished call in a few lines to read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sip.trunks import MEANINGS, AlarmKind


def summary(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what a record (schema dutyring.call/1) comes to, as names and values."""
    status = "" if record["sip_status"] is None else f" ({record['sip_status']})"
    rows = [("outcome", f"{record['outcome']}{status}")]
    if record["answered_by"]:
        rows.append(("answered by", record["answered_by"]))
    if record["ring_to_answer_ms"] is not None:
        rows.append(("ring to answer", f"{record['ring_to_answer_ms'] / 1000:.1f} s, {record['three_ring']}"))
    if record["rings"]["count"] is not None:
        rows.append(("rings", f"{record['rings']['count']} (from {record['rings']['source']})"))
    rows.append(("early media", record["early_media"]["kind"]))
    rows += [
        ("announcement", f"{heard['meaning']} at {heard['start_ms'] / 1000:.1f} s, by {heard['detail']}")
        for heard in record["announcements"]
    ]
    if record["transcript"]:
        rows += [
            ("said", f"at {said['start_ms'] / 1000:.1f} s: {_printable(said['text'])}")
            for said in record["transcript"]["utterances"]
        ]
    if record["trunk"] not in (None, "direct"):
        rows.append(("trunk", record["trunk"]))
    rows += [("alarm", f"{kind}: {MEANINGS[AlarmKind(kind)].en}") for kind in record["alarms"]]
    rows += _forwarding(record["forwarding"])
    recording = record["recording"]
    if recording:
        rows.append(("recording", f"{recording['path']} ({recording['duration_ms'] / 1000:.1f} s)"))
    return rows


def _forwarding(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    if found["detected"]:
        return [("forwarded to", f"{found['target'] or 'unknown'} ({found['grade']})")]
    if not found["evidence"]:
        return []
    return [
        ("may be forwarded", ", ".join(f"{item['kind']} ({item['grade']})" for item in found["evidence"]))
    ]


def _printable(text: str) -> str:
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)

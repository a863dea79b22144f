"""What a call says about our own side: from its facts to those that the alarm board takes."""

from __future__ import annotations

from sip.call_log import CallLog
from sip.media import EngineFull, MediaError, MediaReport
from sip.progress.line_state import CLEAR, SPOKEN
from sip.record import CallRecord
from sip.targets import NoRouteError
from sip.transport import BindError, ResolutionError, TlsError
from sip.trunks import CallFacts, CapError
from sip.trunks.signs import SURE_LINE_STATES


def facts_of_call(called: str, record: CallRecord, facts: CallLog, report: MediaReport) -> CallFacts:
    """Reduce a call to what it tells of our side."""
    talk_from_ms = record.connected_ms if record.connected_ms is not None else record.ended_ms
    sent = report.statistics.sent
    return CallFacts(
        called=called,
        status=record.sip_status,
        reason=record.sip_reason or "",
        q850=record.q850,
        alerted=facts.first_180_ms is not None or bool(record.rings.bursts),
        answered=record.connected_ms is not None,
        talk_s=0.0 if facts.silent_by_word else (record.ended_ms - talk_from_ms) / 1000,
        received_packets=report.statistics.received,
        sent_packets=sent,
        remote_loss=report.remote_lost / sent if report.remote_lost is not None and sent else None,
        line_state=record.line_state or _said_of_ours(record),
        retry_after_s=facts.retry_after_s,
        trouble="engine_lost" if facts.media_lost else facts.trouble,
        cancelled=record.ended_by == "us" and record.connected_ms is None,
        trunk_music=facts.trunk_music,
        plain_ringback=record.early_media.kind == "ringback",
        detail=record.errors[0] if record.errors else "",
    )


def _said_of_ours(record: CallRecord) -> str | None:
    """Return what was announced of our own line on a call that went through all the same (余额不足)."""
    said = (a.meaning for a in record.announcements if a.confidence >= CLEAR and a.road in SPOKEN)
    return next((meaning for meaning in said if meaning in SURE_LINE_STATES), None)


def facts_of_trouble(called: str, error: Exception) -> CallFacts:
    """Reduce a call that could not leave to what it tells of our side."""
    return CallFacts(called=called, trouble=trouble_of(error), detail=str(error))


def trouble_of(error: Exception) -> str | None:
    """Return the board's name for what went wrong, None for what is no alarm of its own."""
    if isinstance(error, ResolutionError):
        return f"dns_{error.kind}"
    names: dict[type[Exception], str] = {
        TlsError: "tls_own",
        NoRouteError: "unreachable",
        BindError: "bind",
        CapError: "caps",
        EngineFull: "engine_full",
        MediaError: "ports",
    }
    return next((name for kind, name in names.items() if isinstance(error, kind)), None)

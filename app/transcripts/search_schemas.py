"""Results of the search as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from app.transcripts.search_service import Found, Hit, Result


class UnitFound(BaseModel):
    """The unit at the other end of a call."""

    id: int
    name: str


class HitOut(BaseModel):
    """An utterance in which something of the query was said."""

    channel: Literal["us", "them"]
    at_ms: float = Field(description="Milliseconds in the call at which it begins to be said")
    start_ms: float = Field(description="Of the whole utterance")
    end_ms: float
    snippet: str = Field(description="Plain text around it; … where more was said")
    marks: list[tuple[int, int]] = Field(
        description="What was looked for, in the snippet: first character, and the one after the last"
    )
    link: str = Field(description="What plays this moment: the page of a check, the sound of a report")


class ResultOut(BaseModel):
    """A recording in which all of the query was said."""

    recording_id: int
    kind: Literal["check", "report"]
    called_at: datetime
    check_id: int | None
    attempt_id: int | None
    phone_record_id: int | None
    unit: UnitFound | None
    link: str | None
    hits: list[HitOut] = Field(description="In order of time")
    more_hits: int = Field(description="Further utterances; with `recording` all of them are shown")


class SearchPage(BaseModel):
    """Results, newest call first; `next` is the place after them."""

    items: list[ResultOut]
    next: str | None
    notice: str = Field(description="Why nothing is found, where the query itself is the reason; else empty")


def page_out(found: Found, place: str | None) -> SearchPage:
    """Write a page."""
    return SearchPage(items=[_result(result) for result in found.results], next=place, notice=found.notice)


def _result(result: Result) -> ResultOut:
    return ResultOut(
        recording_id=result.recording.id,
        kind="check" if result.recording.kind == "check" else "report",
        called_at=result.called_at,
        check_id=result.attempt.check_id if result.attempt else None,
        attempt_id=result.attempt.id if result.attempt else None,
        phone_record_id=result.phone_record.id if result.phone_record else None,
        unit=UnitFound(id=result.unit.id, name=result.unit.name) if result.unit else None,
        link=_link(result),
        hits=[_hit(hit, result) for hit in result.hits],
        more_hits=result.more_hits,
    )


def _hit(hit: Hit, result: Result) -> HitOut:
    return HitOut(
        channel="us" if hit.channel == "us" else "them",
        at_ms=hit.at_ms,
        start_ms=hit.start_ms,
        end_ms=hit.end_ms,
        snippet=hit.snippet,
        marks=list(hit.marks),
        link=_moment(result, hit.at_ms / 1000),
    )


def _moment(result: Result, at_s: float) -> str:
    """Of a check its page, at this call of the order; of a report the sound, which browsers play from `t` on."""
    if result.attempt is not None:
        return f"/checks/{result.attempt.check_id}#attempt-{result.attempt.id}&t={at_s:.2f}"
    return f"/recordings/{result.recording.id}#t={at_s:.2f}"


def _link(result: Result) -> str | None:
    if result.attempt is not None:
        return f"/checks/{result.attempt.check_id}"
    return None if result.phone_record is None else f"/phone-records/{result.phone_record.id}"

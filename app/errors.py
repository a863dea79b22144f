"""Errors that a user of the service meets; the routes turn them into `application/problem+json` (RFC 9457).

OfficeError
 +-- BadInputError      422  what was given cannot be right; names the member
 +-- NotFoundError      404
 +-- ConflictError      409  it stands otherwise by now, or a rule forbids it in this state
 +-- ForbiddenError     403  not by this person, or not without somebody's approval
 +-- GoneError          410  it was there, and was deleted or withdrawn
 +-- UnavailableError   503  our own side cannot do it now; later it may
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with what was given."""

    where: str
    """The member, e.g. `windows.workday[0].from`, or the cell."""
    message: str


class OfficeError(Exception):
    """Something that the caller can put right. `str()` is one sentence for a person."""

    status = 400
    title = "the request cannot be carried out"

    def __init__(self, detail: str, faults: Sequence[Fault] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.faults = tuple(faults)


class BadInputError(OfficeError):
    """What was given cannot be right."""

    status = 422
    title = "what was given cannot be right"


class NotFoundError(OfficeError):
    """There is no such thing."""

    status = 404
    title = "not found"


class ConflictError(OfficeError):
    """It stands otherwise by now, or a rule forbids it in this state."""

    status = 409
    title = "not possible as things stand"


class ForbiddenError(OfficeError):
    """Not by this person, or not without somebody's approval."""

    status = 403
    title = "not allowed"


class GoneError(OfficeError):
    """It was there, and was deleted or withdrawn."""

    status = 410
    title = "gone"


class UnavailableError(OfficeError):
    """Our own side cannot do it now; later it may."""

    status = 503
    title = "not possible just now"

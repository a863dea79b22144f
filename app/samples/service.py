"""Verbs of samples. They never commit: the caller's unit of work does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.accounts import service as audit
from app.samples import repository
from app.samples.models import AnnouncementSample
from app.samples.schemas import LABEL_LENGTH, TRUNK_LENGTH, SampleEntry
from sip.progress.fingerprint import VERSION
from sip.progress.marking import Marked
from sip.progress.samples import MEANINGS, Sample, SampleLibrary
from sip.progress.stretches import PhasePrint, alike, phases_from_bytes, phases_to_bytes
from sip.record import AnnouncementMeaning

WHO_LENGTH = 80


class UnknownSampleError(LookupError):
    """There is no such sample."""


class PresentSampleError(ValueError):
    """The very recording is a sample already."""


class SampleValueError(ValueError):
    """Something said of a sample cannot be kept; `member` names what."""

    def __init__(self, member: str, reason: str) -> None:
        super().__init__(reason)
        self.member = member


@dataclass(frozen=True, slots=True)
class Description:
    """What is said of a stretch when it is marked."""

    meaning: str
    label: str
    mobile: bool = False
    trunk: str | None = None
    source: str = ""
    by: str = audit.LOCAL

    def check(self) -> None:
        """Raise `SampleValueError` for what cannot be kept."""
        if self.meaning not in MEANINGS:
            raise SampleValueError(
                "meaning", f"{self.meaning!r} is none; it takes one of {', '.join(MEANINGS)}"
            )
        _check_words("label", self.label, LABEL_LENGTH)
        _check_words("by", self.by, WHO_LENGTH)
        if self.trunk is not None:
            _check_words("trunk", self.trunk, TRUNK_LENGTH)


def _check_words(member: str, text: str, most: int) -> None:
    if not text.strip() or len(text) > most or not text.isprintable():
        raise SampleValueError(member, f"it takes 1 to {most} printable characters")


async def add(session: AsyncSession, marked: Marked, about: Description) -> AnnouncementSample:
    """Keep a marked stretch. Raises `PresentSampleError` that names the sample that it is, and `SampleValueError`."""
    about.check()
    _refuse_present(await library(session), marked.phases)
    return await _keep(session, marked.phases, marked.length_ms, about)


def unknown(entries: Sequence[SampleEntry], known: SampleLibrary) -> list[SampleEntry]:
    """Return those entries that are no sample yet, each recording once. A thousand may take a minute."""
    seen = [sample.phases for sample in known.samples]
    news: list[SampleEntry] = []
    for entry in entries:
        phases = entry.phases
        if not any(alike(phases, other) for other in seen):
            news.append(entry)
            seen.append(phases)
    return news


async def add_entries(
    session: AsyncSession,
    entries: Sequence[SampleEntry],
    by: str,
    source: str,
    compared: SampleLibrary | None = None,
) -> list[AnnouncementSample]:
    """Keep samples of another office; return those that are new.

    `compared` are the samples that `unknown` held the entries against before this unit of work, which no large file
    must hold up: running calls write as well. Only those that came since are compared here.
    """
    present = await library(session)
    if compared is None:
        news = unknown(entries, present)
    else:
        old = {sample.id for sample in compared.samples}
        since = [sample.phases for sample in present.samples if sample.id not in old]
        news = [e for e in entries if not any(alike(e.phases, other) for other in since)]
    added: list[AnnouncementSample] = []
    for entry in news:
        told = " / ".join(part for part in (source, entry.source) if part)
        about = Description(entry.meaning, entry.label, entry.mobile, None, told, by)
        about.check()
        added.append(await _keep(session, entry.phases, entry.length_ms, about))
    return added


async def remove(session: AsyncSession, sample_id: int, by: str = audit.LOCAL) -> AnnouncementSample:
    """Listen for a sample no more; its row stays. Raises `UnknownSampleError`, and `SampleValueError` of `by`."""
    _check_words("by", by, WHO_LENGTH)
    row = await get(session, sample_id)
    if not row.active:
        raise UnknownSampleError(f"sample {sample_id} was removed on {row.removed_at:%Y-%m-%d}")
    row.active, row.removed_by, row.removed_at = False, by, clock.now()
    await session.flush()
    await audit.record(session, "remove", f"sample:{row.id}", who=by)
    return row


async def get(session: AsyncSession, sample_id: int) -> AnnouncementSample:
    """Return a sample. Raises `UnknownSampleError`."""
    row = await repository.sample(session, sample_id)
    if row is None:
        raise UnknownSampleError(f"there is no sample {sample_id}")
    return row


async def library(session: AsyncSession) -> SampleLibrary:
    """Return all active samples, ready to be looked up; prints of another version are left out."""
    rows = await repository.samples(session)
    return SampleLibrary(tuple(as_sample(row) for row in rows if row.version == VERSION))


def as_sample(row: AnnouncementSample) -> Sample:
    """Return a row as the phone knows it."""
    return Sample(
        id=row.id,
        meaning=cast(AnnouncementMeaning, row.meaning),
        label=row.label,
        phases=phases_from_bytes(row.prints),
        length_ms=row.length_ms,
        mobile=row.mobile,
        trunk=row.trunk,
    )


def _refuse_present(known: SampleLibrary, phases: tuple[PhasePrint, ...]) -> None:
    same = known.same_as(phases)
    if same is not None:
        raise PresentSampleError(
            f"this recording is sample {same.id} already: {same.meaning}, {same.label!r}; remove that one first"
        )


async def _keep(
    session: AsyncSession, phases: tuple[PhasePrint, ...], length_ms: float, about: Description
) -> AnnouncementSample:
    row = AnnouncementSample(
        meaning=about.meaning,
        label=about.label,
        mobile=about.mobile,
        trunk=about.trunk,
        version=VERSION,
        prints=phases_to_bytes(phases),
        length_ms=length_ms,
        source=about.source,
        marked_by=about.by,
        marked_at=clock.now(),
    )
    session.add(row)
    await session.flush()
    await audit.record(
        session, "add", f"sample:{row.id}", f"{about.meaning} {about.source}".strip(), about.by
    )
    return row

"""Forwarding as it is heard: announcements, 彩铃, ringback that starts anew, ringing that begins late.

How much each proves follows docs/reference/call-record.md. A mobile network's announcement on a wired line is strong
where only a mobile can cause it (关机, 不在服务区, 天翼通信助理) and medium where a dead terminal or a fault sounds
the same (暂时无法接通, 来电提醒, 语音信箱). Only what was said counts: a state that is known by a tone or a status was
not announced.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from sip.progress.forwarding_terms import Condition, Dialled, Finding
from sip.progress.late_ringing import SURE_CALLS, LateRinging
from sip.record import Announcement, AnnouncementMeaning, Evidence, EvidenceKind, Grade

SPOKEN = ("words", "sample")
"""Roads by which something said was understood."""
SPOKEN_KINDS: tuple[EvidenceKind, ...] = ("mobile_announcement", "transfer_announcement")
SURE = 0.8
"""Confidence from which an announcement counts in full; below it is one of several readings."""
_MOBILE_ALWAYS: frozenset[AnnouncementMeaning] = frozenset({"powered_off"})
_MOBILE_WHERE_SAID: frozenset[AnnouncementMeaning] = frozenset({"not_reachable", "assistant"})
"""Strong where the words are a mobile network's (不在服务区, 天翼通信助理), else medium."""
_AT_MOST_MEDIUM: frozenset[AnnouncementMeaning] = frozenset({"call_reminder", "mailbox"})


class Restart(Protocol):
    """Ringback that stopped and began anew with another sound."""

    @property
    def t_ms(self) -> float:
        """Where the new ringback begins."""
        ...

    @property
    def since_ms(self) -> float:
        """The end of the last ring before it."""
        ...

    @property
    def what(self) -> str:
        """What changed, in a word: level, frequency, phase, ..."""
        ...

    @property
    def detail(self) -> str:
        """The measured change."""
        ...


def announced(dialled: Dialled, announcements: Iterable[Announcement]) -> Iterator[Finding]:
    """Yield what announcements say of forwarding."""
    for said in announcements:
        if said.road not in SPOKEN:
            continue
        if said.meaning == "transfer":
            yield from _transfer(dialled, said)
        else:
            yield from _mobile(dialled, said)


def _transfer(dialled: Dialled, said: Announcement) -> Iterator[Finding]:
    """Whoever dials behind a switchboard hears it connect; after an answer it may be a switchboard that speaks."""
    if dialled.switchboard:
        return
    after_answer = dialled.connected_ms is not None and said.start_ms >= dialled.connected_ms
    grade = _certain(said, "medium" if after_answer else "strong")
    evidence = Evidence("transfer_announcement", grade, said.start_ms, f"announced by {_source(said)}")
    yield Finding(evidence, condition=_condition(dialled, said), until_ms=said.end_ms, switchboards_do=True)


def _mobile(dialled: Dialled, said: Announcement) -> Iterator[Finding]:
    grade = _mobile_grade(said)
    if grade is None or dialled.is_mobile:
        return
    detail = f"{said.meaning} announced by {_source(said)}"
    evidence = Evidence("mobile_announcement", _certain(said, grade), said.start_ms, detail)
    yield Finding(evidence, condition=_condition(dialled, said), implied="mobile", until_ms=said.end_ms)


def _mobile_grade(said: Announcement) -> Grade | None:
    if said.meaning in _MOBILE_ALWAYS or (said.mobile and said.meaning in _MOBILE_WHERE_SAID):
        return "strong"
    if said.mobile or said.meaning in _MOBILE_WHERE_SAID or said.meaning in _AT_MOST_MEDIUM:
        return "medium"
    return None


def _certain(said: Announcement, grade: Grade) -> Grade:
    return grade if said.confidence >= SURE else "medium" if grade == "strong" else "weak"


def _source(said: Announcement) -> str:
    return f"{said.road}: {said.detail}" if said.detail else said.road


def _condition(dialled: Dialled, said: Announcement) -> Condition:
    """Before any ring the dialled line was not rung at all; after rings it was, and nobody took the call."""
    return "no_answer" if dialled.rang_before(said.start_ms) else "always"


def restarted(dialled: Dialled, restarts: Iterable[Restart]) -> Iterator[Finding]:
    """Yield ringback that began anew before the answer.

    Left out are a switchboard, whose ringback the extension's follows, and a group that rings together, where the
    sound may come from one telephone and then from another.
    """
    if dialled.switchboard:
        return
    for restart in restarts:
        if dialled.answered_ms is not None and restart.t_ms >= dialled.answered_ms:
            continue
        if dialled.rings_in_parallel(restart.since_ms, restart.t_ms):
            continue
        evidence = Evidence("ringback_restart", "medium", restart.t_ms, f"{restart.what}: {restart.detail}")
        yield Finding(evidence, condition="no_answer")


def rang_late(late: LateRinging | None) -> Iterator[Finding]:
    """Yield ringing that began late for this line; it tells no condition, since a busy line may forward too."""
    if late is None:
        return
    grade: Grade = "medium" if late.calls >= SURE_CALLS else "weak"
    detail = (
        f"post-dial delay {late.delay_ms:.0f} ms, over {late.limit_ms:.0f} ms; "
        f"median of {late.calls} earlier calls {late.median_ms:.0f} ms"
    )
    yield Finding(Evidence("late_ringing", grade, late.delay_ms, detail))


def color_ring(crbt_ms: float | None) -> Iterator[Finding]:
    """Yield 彩铃: a mobile's custom, but a finding of its own, so as evidence weak."""
    if crbt_ms is not None:
        yield Finding(Evidence("crbt", "weak", crbt_ms, "music or speech instead of ringback (彩铃)"))

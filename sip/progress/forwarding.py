"""Forwarding (呼叫转移): all evidence of one call, from signalling, sound and history, and what it adds up to.

The readers grade each sign for itself (`forwarding_signalling`, `forwarding_sound`, `late_ringing`); here they are
put together. Two strong signs of different kinds are near proof only where they agree and no switchboard of the unit
would show both; weak and medium signs, however many, never make a detection: they ask for an ear.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import combinations

from sip.numbers import normalise_user, same_number
from sip.progress.forwarding_signalling import (
    DIVERSION_CAUSES,
    DIVERSION_REASONS,
    RoutingSign,
    recalled,
    signalled,
    user_of,
)
from sip.progress.forwarding_sound import (
    SPOKEN_KINDS,
    Restart,
    announced,
    color_ring,
    rang_late,
    restarted,
)
from sip.progress.forwarding_terms import Condition, Dialled, Finding, TargetClass, classify_target
from sip.progress.late_ringing import LateRinging
from sip.record import GRADES, Announcement, Forwarding

__all__ = [
    "DIVERSION_CAUSES",
    "DIVERSION_REASONS",
    "Condition",
    "Restart",
    "RoutingSign",
    "TargetClass",
    "classify_target",
    "detect_forwarding",
    "reconsider_forwarding",
    "user_of",
]


def detect_forwarding(
    dialled: str,
    signs: Iterable[RoutingSign],
    *,
    crbt_ms: float | None = None,
    same_unit: Iterable[str] = (),
    switchboard: bool = False,
    announcements: Iterable[Announcement] = (),
    restarts: Iterable[Restart] = (),
    late: LateRinging | None = None,
    ring_started_ms: float | None = None,
    connected_ms: float | None = None,
    answered_ms: float | None = None,
) -> Forwarding:
    """Gather the evidence of forwarding in one call, `dialled` being the target's user or URI.

    `same_unit` are numbers that are known to be the unit's own (its pilot number, say): as identities they prove
    nothing. `switchboard`: an extension was dialled behind one, whose identity and whose words are expected.
    `ring_started_ms`, `connected_ms` (the 200) and `answered_ms` place what was heard.
    """
    signs = tuple(signs)
    call = Dialled(
        normalise_user(user_of(dialled) or dialled),
        tuple(same_unit),
        switchboard,
        connected_ms,
        ring_started_ms,
        answered_ms,
        _dialogs_ms(signs),
    )
    findings = _distinct(
        [
            *(finding for sign in signs for finding in signalled(call, sign)),
            *announced(call, announcements),
            *restarted(call, restarts),
            *rang_late(late),
            *color_ring(crbt_ms),
        ]
    )
    return _summary(findings, call.same_unit) if findings else Forwarding()


def reconsider_forwarding(
    known: Forwarding,
    dialled: str,
    announcements: Iterable[Announcement],
    *,
    same_unit: Iterable[str] = (),
    switchboard: bool = False,
    crbt: bool = True,
    ring_started_ms: float | None = None,
    connected_ms: float | None = None,
) -> Forwarding:
    """Weigh the evidence of a stored record anew with all that is understood of what was said.

    `announcements` are all of the call, by any road; what the record has of them is made anew. Without `crbt` what
    was taken for 彩铃 was none. The rules are those of `detect_forwarding`.
    """
    call = Dialled(
        normalise_user(user_of(dialled) or dialled),
        tuple(same_unit),
        switchboard,
        connected_ms,
        ring_started_ms,
    )
    kept = [
        recalled(item)
        for item in known.evidence
        if item.kind not in SPOKEN_KINDS and (crbt or item.kind != "crbt")
    ]
    findings = _distinct([*kept, *announced(call, announcements)])
    if not findings:
        return Forwarding()
    found = _summary(findings, call.same_unit)
    if not found.detected or not known.detected:
        return found
    # What header or exchange named the target, and why, is not told by the evidence alone.
    stays = found.target is not None or any(_strength(f) >= GRADES.index("strong") for f in kept)
    if not stays:
        return found
    return replace(
        found,
        target=known.target or found.target,
        target_class=known.target_class if known.target is not None else found.target_class,
        condition=found.condition if known.condition in (None, "unknown") else known.condition,
    )


def _dialogs_ms(signs: Iterable[RoutingSign]) -> tuple[float, ...]:
    """When each early dialog showed itself first."""
    first: dict[str, float] = {}
    for sign in signs:
        if 100 < sign.status < 200 and sign.dialog:
            first.setdefault(sign.dialog, sign.t_ms)
    return tuple(sorted(first.values()))


def _distinct(findings: Iterable[Finding]) -> list[Finding]:
    """Keep one finding of each kind and target: the strongest, and of equals the first."""
    kept: dict[tuple[str, str], Finding] = {}
    for finding in findings:
        key = (finding.evidence.kind, finding.target or "")
        known = kept.get(key)
        if known is None or _strength(finding) > _strength(known):
            kept[key] = finding
    return list(kept.values())


def _strength(finding: Finding) -> int:
    return GRADES.index(finding.evidence.grade)


def _summary(findings: Sequence[Finding], same_unit: Sequence[str]) -> Forwarding:
    evidence = tuple(finding.evidence for finding in findings)
    grade = max((item.grade for item in evidence), key=GRADES.index)
    if grade == "strong" and _agreeing(findings):
        grade = "near_proof"
    if GRADES.index(grade) < GRADES.index("strong"):
        return Forwarding(grade=grade, evidence=evidence)
    # The strongest evidence names the target; an identity may be that of a switchboard on the way.
    by_strength = sorted(findings, key=_strength, reverse=True)
    target = next((f.target for f in by_strength if f.target is not None), None)
    strong = [f for f in by_strength if _strength(f) >= GRADES.index("strong")]
    implied: TargetClass = next((f.implied for f in strong if f.implied != "unknown"), "unknown")
    condition: Condition = next((f.condition for f in by_strength if f.condition != "unknown"), "unknown")
    return Forwarding(
        detected=True,
        grade=grade,
        target=target,
        target_class=classify_target(target, same_unit) if target is not None else implied,
        condition=condition,
        evidence=evidence,
    )


def _agreeing(findings: Sequence[Finding]) -> bool:
    """Tell whether two strong signs of different kinds speak of one target, or one of them of none."""
    strong = [finding for finding in findings if finding.evidence.grade == "strong"]
    return any(_agree(one, other) for one, other in combinations(strong, 2))


def _agree(one: Finding, other: Finding) -> bool:
    if one.evidence.kind == other.evidence.kind or _one_sound(one, other):
        return False
    if one.target is not None and other.target is not None:
        return same_number(one.target, other.target)
    if one.switchboards_do and other.switchboards_do:
        return False
    implied = {one.implied, other.implied} - {"unknown"}
    named = one.target or other.target
    # That a mobile's network speaks and that a desk answers are two stories.
    return named is None or not implied or classify_target(named) in implied


def _one_sound(one: Finding, other: Finding) -> bool:
    """Two readings of one announcement are one sign."""
    if one.until_ms is None or other.until_ms is None:
        return False
    return one.evidence.t_ms < other.until_ms and other.evidence.t_ms < one.until_ms

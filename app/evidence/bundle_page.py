"""The readable page of an evidence bundle (`index.html`): Chinese with English beside, no script, nothing from afar."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from app.checks.rules import CODES, Rules
from app.evidence import bundle_files as files
from app.evidence import bundle_words as words
from app.evidence.bundle_masking import masked
from app.evidence.bundle_sources import BundleSources, CallSources
from app.evidence.bundle_wave import Moment, wave
from app.picture import GRADE_ZH, draw, svg_fragment, worth_drawing
from recordings.peaks import Peaks

_SIGN_S: Final = 0.5
"""How much earlier a link begins to play."""
_environment = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters["clock"] = files.clock
_environment.globals.update(two=words.two, words=words, GRADE_ZH=GRADE_ZH)


@dataclass(frozen=True, slots=True)
class SoundState:
    """What the bundle has of a call's sound."""

    file: str | None = None
    """Its name in the bundle; None: it is not in it."""
    why: str = ""
    """Why not: a word of `WHY`, or of `GONE` where it went by decision."""
    peaks: Peaks | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """When, by whom and under which key a bundle is made; `zone` is that of its page's times."""

    at: datetime
    by: str
    zone: ZoneInfo
    key: str
    rules: Rules
    """The limits of the settings, for a verdict that names none."""


@dataclass(frozen=True, slots=True)
class Row:
    """Something with a moment."""

    t_ms: float | None
    zh: str
    en: str
    href: str | None
    """Link to the moment in the sound."""
    grade: str = ""
    clauses: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class CallPage:
    """What the page shows of one call."""

    number: int
    attempt: int
    at: str
    target: str
    outcome: words.Two
    answered_by: words.Two
    three_ring: words.Two
    ring_s: float | None
    rings: int | None
    verdict: words.Two
    rule_set: str
    sound: SoundState
    wave: Markup
    recording: Mapping[str, Any] | None
    gone: words.Two | None
    gone_at: str
    picture: Markup
    """The call as it was measured; empty where there is nothing to draw."""
    moments: Sequence[Row]
    findings: Sequence[Row]
    said: Sequence[tuple[float, float, words.Two, str, str | None]]
    answers: Sequence[Mapping[str, Any]]


def page(
    sources: BundleSources,
    sounds: Mapping[int, SoundState],
    missing: Sequence[Mapping[str, Any]],
    names: Sequence[str],
    made: Made,
) -> bytes:
    """Return the page; `names` are the files of the bundle."""
    text = _environment.get_template("bundle.html").render(
        order=masked(files.order(sources), sources.keys),
        proposal=_proposal(sources),
        roster=masked(sources.roster, sources.keys),
        calls=[_call(sources, call, sounds[call.attempt.id], made) for call in sources.calls],
        missing=missing,
        names=names,
        made_at=_local(made.at, made.zone),
        made_by=made.by,
        zone=str(made.zone),
        key=made.key,
    )
    return text.encode("utf-8", "replace")


def _call(sources: BundleSources, call: CallSources, sound: SoundState, made: Made) -> CallPage:
    keys, attempt = sources.keys, call.attempt
    facts = masked(files.facts(call), keys) if call.facts is not None else {}
    verdict = masked(files.verdict(call)["verdict"], keys) if call.verdict is not None else {}
    moments = list(_moments(facts, sound))
    findings = list(_findings(verdict, sound))
    marks = [Moment(row.t_ms, f"{row.zh} {row.en}") for row in moments if row.t_ms is not None]
    row = call.recording
    info = next((info for code, info in CODES.items() if code == verdict.get("code")), None)
    return CallPage(
        number=attempt.number,
        attempt=attempt.id,
        at=_local(attempt.started_at or attempt.claimed_at, made.zone),
        target=masked(attempt.target, keys),
        outcome=words.two(words.OUTCOME, attempt.outcome),
        answered_by=words.two(words.ANSWERED_BY, attempt.answered_by),
        three_ring=words.two(words.THREE_RING, attempt.three_ring),
        ring_s=None if attempt.ring_to_answer_ms is None else attempt.ring_to_answer_ms / 1000,
        rings=attempt.rings,
        verdict=(info.zh, info.en) if info else words.two({}, verdict.get("code")),
        rule_set="" if call.verdict is None else call.verdict.rule_set,
        sound=sound,
        # Our own markup alone: every text in it is escaped.
        wave=Markup("" if sound.peaks is None else wave(sound.peaks, marks)),
        recording=None if row is None else files.recording(row),
        gone=None if row is None or row.gone_why is None else words.two(words.GONE, row.gone_why),
        gone_at="" if row is None or row.gone_at is None else _local(row.gone_at, made.zone),
        picture=_picture(facts, verdict, made.rules, f"picture-{attempt.id}"),
        moments=moments,
        findings=findings,
        said=[
            (start, end, words.two(words.SIDES, side), masked(text, keys), _href(sound, start))
            for start, end, side, text in files.utterances(call)
        ],
        answers=[
            masked(files.answer(item), keys) | {"href": _href(sound, item.start_ms)} for item in call.answers
        ],
    )


def _proposal(sources: BundleSources) -> dict[str, Any] | None:
    """What the page says of the proposal, whatever the version that stored it knew to say."""
    if sources.proposal is None:
        return None
    told = masked(files.proposal(sources), sources.keys)
    content = told["proposal"]
    return {
        "zh": content.get("title_zh") or told["code"],
        "en": content.get("title_en") or told["code"],
        "rule_set": told["rule_set"],
        "document": content.get("document"),
        "reasons": content.get("reasons") or (),
        "clauses": content.get("clauses") or (),
    }


def _picture(facts: Mapping[str, Any], verdict: Mapping[str, Any], rules: Rules, ident: str) -> Markup:
    """Draw the call with the limits that it was judged by."""
    if not facts or not worth_drawing(facts):
        return Markup("")
    known = verdict.get("limits") or {}
    limits = {name: float(known[name]) for name in ("within_s", "limit_s", "finding_s") if name in known}
    # Its writer escapes all text.
    return Markup(svg_fragment(draw(facts, replace(rules, **limits)), ident))


def _moments(facts: Mapping[str, Any], sound: SoundState) -> Iterator[Row]:
    found = [(facts.get(name), both) for name, both in words.MOMENTS.items()]
    rings = (facts.get("rings") or {}).get("bursts") or ()
    found += [
        (burst.get("start_ms"), (f"回铃音第 {number} 声", f"ring {number}"))
        for number, burst in enumerate(rings, 1)
    ]
    told = [(float(t_ms), both) for t_ms, both in found if t_ms is not None]
    for t_ms, (zh, en) in sorted(told):
        yield Row(t_ms, zh, en, _href(sound, t_ms))


def _findings(verdict: Mapping[str, Any], sound: SoundState) -> Iterator[Row]:
    for finding in verdict.get("findings") or ():
        t_ms = finding.get("t_ms")
        info = CODES.get(finding.get("code"))
        zh = finding.get("title_zh") or (info.zh if info else finding.get("code", ""))
        detail = finding.get("detail", "")
        yield Row(
            t_ms,
            f"{zh}：{detail}" if detail else zh,
            info.en if info else "",
            None if t_ms is None else _href(sound, t_ms),
            finding.get("grade", ""),
            finding.get("clauses") or (),
        )


def _href(sound: SoundState, t_ms: float) -> str | None:
    """A link that plays the sound from a little before this moment."""
    return None if sound.file is None else f"{sound.file}#t={max(0.0, t_ms / 1000 - _SIGN_S):.3f}"


def _local(at: datetime, zone: ZoneInfo) -> str:
    local = at.astimezone(zone)
    return local.strftime("%Y-%m-%d %H:%M:%S") + f".{local.microsecond // 1000:03}"

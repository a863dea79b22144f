"""The verdict: a pure function of call facts, rules and the line's exemptions.

The machine proposes, a supervisor confirms. `lawful` is False only for what is proposed as a finding, None
for what a person has to look at or what says nothing about the unit. What went wrong on our side is never a
finding.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from app.checks import wording
from app.checks.facts import Facts, Sign, stronger
from app.checks.rules import (
    CODES,
    DIRECTORY,
    FAX_APART,
    HEADLINE,
    LINE_TROUBLES,
    NO_FORWARDING,
    REACHABLE,
    THREE_RINGS,
    THREE_RINGS_JINHU,
    Clause,
    Code,
    Exemptions,
    Limits,
    Rules,
)
from app.trunks.wording import alarms_zh
from sip.record import GRADES, Grade
from sip.trunks import AlarmKind

PROPOSED: frozenset[Code] = frozenset({"overtime", "forwarded", "crbt", "fax"})
"""Codes that propose a finding against the unit. An unanswered single call proposes only a redial."""
QUIET: frozenset[Code] = frozenset({"within", "borderline", "busy", "our_side", "cancelled", "interrupted"})
"""Codes that need no person's judgement on the unit."""
_OUR_LINE_STATES = ("own_line", "arrears", "network_busy", "wrong_prefix")
_SPOILING: frozenset[str] = frozenset(
    {
        AlarmKind.BAD_CREDENTIALS,
        AlarmKind.FORBIDDEN,
        AlarmKind.ACCOUNT_OVERDUE,
        AlarmKind.OWN_LINE_BARRED,
        AlarmKind.DIALLING_RULES,
        AlarmKind.TRUNK_OVERLOADED,
        AlarmKind.TRUNK_FAILING,
        AlarmKind.MEDIA_REFUSED,
    }
)
"""Alarms by which an answer such as 404 or 480 speaks of our trunk and not of the called line. That a trunk could
not be reached is none of them: the call may have rung by the next one."""
_BLAMED = ("unobtainable", "unreachable", "rejected")
"""Outcomes that such an alarm takes from the unit, where nothing rang."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found, with what proves it and the words that it touches."""

    code: Code
    clauses: tuple[Clause, ...]
    grade: Grade
    t_ms: float | None
    """Its moment in the call, where its sound can be heard; None when there is nothing to hear."""
    detail: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the rules make of one call."""

    code: Code
    title_zh: str
    title_en: str
    lawful: bool | None
    grade: Grade
    needs_review: bool
    findings: tuple[Finding, ...]
    rule_set: str
    limits: Limits
    """What pages draw, whatever the settings say by then."""
    exempted: tuple[str, ...] = ()
    """Reasons of the exemptions that were applied."""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object that is stored and served."""
        plain = dataclasses.asdict(self)
        plain["findings"] = [
            dataclasses.asdict(item) | {"title_zh": CODES[item.code].zh, "clauses": _clauses(item)}
            for item in self.findings
        ]
        return plain | {"exempted": list(self.exempted)}


def judge(facts: Facts, rules: Rules, exemptions: Exemptions) -> Verdict:
    """Judge one call. Pure: the same arguments give the same verdict."""
    exempted: list[str] = []
    findings = tuple(_findings(facts, rules, exemptions, exempted))
    code = _headline(findings)
    if code is None:
        # Only an answer can be timely; what else nothing speaks against has to be looked at.
        code = timely(facts, rules) if facts.outcome == "answered" else "line_check"
    return _verdict(code, findings, rules, tuple(exempted))


def judge_interrupted(rules: Rules, detail: str) -> Verdict:
    """The verdict of an attempt that was cut off by a stop of our phone: it says nothing about the unit."""
    return _verdict("interrupted", (Finding("interrupted", (), "none", None, detail),), rules, ())


def judge_failed(rules: Rules, error: str) -> Verdict:
    """The verdict of an attempt that our side could not carry out."""
    found = Finding("our_side", (), "none", None, wording.our_errors([error]))
    return _verdict("our_side", (found,), rules, ())


def _verdict(code: Code, findings: tuple[Finding, ...], rules: Rules, exempted: tuple[str, ...]) -> Verdict:
    info = CODES[code]
    grade: Grade = next((item.grade for item in findings if item.code == code), "none")
    lawful = True if code in ("within", "borderline") else False if code in PROPOSED else None
    review = code not in QUIET or any(item.code not in QUIET for item in findings)
    return Verdict(
        code, info.zh, info.en, lawful, grade, review, findings, rules.version, rules.limits, exempted
    )


def _headline(findings: tuple[Finding, ...]) -> Code | None:
    present = {item.code for item in findings}
    code = next((code for code in HEADLINE if code in present), None)
    if code in LINE_TROUBLES and any(_tells_where(item) for item in findings):
        return "forwarding_review"
    return code


def _tells_where(finding: Finding) -> bool:
    """A strong sign of forwarding beside a line that is not reached tells what to look for: a fixed line is never 关机.

    Weaker signs, such as late ringing, tell nothing of a line that is out of order.
    """
    return finding.code == "forwarding_review" and stronger(finding.grade, "strong")


def timely(facts: Facts, rules: Rules) -> Code:
    """Name an answered call that nothing speaks against."""
    return "within" if _ring_bound_ms(facts) <= rules.within_s * 1000 else "borderline"


def _ring_bound_ms(facts: Facts) -> float:
    """The milliseconds it is judged by: the least that it can have rung, else all the time up to the answer."""
    if facts.least_ring_ms is not None:
        return facts.least_ring_ms
    return facts.answered_ms if facts.answered_ms is not None else float("inf")


def _findings(facts: Facts, rules: Rules, exemptions: Exemptions, exempted: list[str]) -> Iterator[Finding]:
    ours = _our_side(facts)
    if ours:
        yield ours
        return
    yield from _exempting(_forwarding(facts), exemptions.forwarding, exempted)
    yield from _exempting(_crbt(facts, rules), _trunk_music(facts) or exemptions.crbt, exempted)
    if facts.outcome == "answered":
        yield from _exempting(_fax(facts), exemptions.fax, exempted)
        yield from _answerer(facts)
        yield from _speed(facts, rules)
    elif facts.outcome in _UNANSWERED:
        yield _UNANSWERED[facts.outcome](facts, rules)
    else:
        yield from _redirected(facts, exemptions)


def _redirected(facts: Facts, exemptions: Exemptions) -> Iterator[Finding]:
    """A 3xx without proof of a foreign target, or on a line that may forward: we do not follow it."""
    answer = f"被叫返回改号应答 {facts.sip_status or '3xx'}"
    if exemptions.forwarding:
        yield Finding("line_check", (), "none", None, answer + "，本线路准予转移，未跟随拨打")
    elif not any(_forwarding(facts)):
        yield Finding("forwarding_review", (NO_FORWARDING,), "weak", None, answer + "，未见转移目标")


def _exempting(findings: Iterator[Finding], reason: str | None, exempted: list[str]) -> Iterator[Finding]:
    """Let findings through, unless the line is exempted; then note the reason that was applied."""
    for finding in findings:
        if reason is None:
            yield finding
        elif reason not in exempted:
            exempted.append(reason)


def _our_side(facts: Facts) -> Finding | None:
    if facts.interrupted:
        reason = wording.our_errors(facts.errors) or "本机程序中断"
        return Finding("interrupted", (), "none", None, f"{reason}，本次拨测到此为止")
    if facts.outcome == "cancelled":
        return Finding("cancelled", (), "none", None, "操作者中止了本次呼叫")
    spoilt = _SPOILING & set(facts.alarms) if _may_be_ours(facts) else frozenset()
    if (
        spoilt
        or facts.our_failure
        or facts.outcome == "network_failure"
        or facts.line_state in _OUR_LINE_STATES
    ):
        told = alarms_zh(facts.alarms) or wording.our_errors(facts.errors)
        reason = told or _proof(facts) or "呼叫未得到网络应答"
        return Finding("our_side", (), "none", _sound_ms(facts), reason)
    return None


def _may_be_ours(facts: Facts) -> bool:
    return facts.outcome in _BLAMED and facts.ring_started_ms is None


def _proof(facts: Facts) -> str:
    """What decided an unanswered call: the tone or announcement that was heard, else the network's answer."""
    tone = facts.failure_tone
    if facts.line_state is not None and not facts.signalled_state:
        return (
            f"听到{wording.TONES[tone.kind]}" if tone else f"提示音：{wording.line_state(facts.line_state)}"
        )
    if facts.sip_status is None or (facts.sip_status == 487 and facts.ended_by == "us"):
        # That 487 answers our own CANCEL: it says nothing of the line.
        return f"听到{wording.TONES[tone.kind]}" if tone else ""
    return wording.status(facts.sip_status)


def _sound_ms(facts: Facts) -> float | None:
    """Where an unanswered call can be heard: its tone, an announcement, else the ringing."""
    if facts.failure_tone is not None:
        return facts.failure_tone.start_ms
    words = (s.start_ms for s in facts.early_sounds if s.kind in ("announcement", "speech"))
    return next(words, facts.ring_started_ms)


def _forwarding(facts: Facts) -> Iterator[Finding]:
    """Definitive and near-proof evidence is proposed; anything less asks for a human ear.

    So does a call that stayed within its unit: whether a group of lines may take turns is not for us to say.
    """
    if facts.forwarding_grade == "none":
        return
    # 彩铃 is a finding of its own: as a sign of forwarding it never speaks alone.
    signs = [sign for sign in facts.signs if sign.kind != "crbt"]
    if facts.signs and not signs:
        return
    best = _best_sign(signs)
    proven = stronger(facts.forwarding_grade, "near_proof") and facts.forwarding_class != "same_unit"
    yield Finding(
        "forwarded" if proven else "forwarding_review",
        (NO_FORWARDING,),
        facts.forwarding_grade,
        best.t_ms if best else None,
        wording.forwarding_sign(best.kind if best else "", facts.forwarding_target, facts.forwarding_class),
    )


def _best_sign(signs: Sequence[Sign]) -> Sign | None:
    """The first of the strongest signs."""
    return max(signs, key=lambda sign: GRADES.index(sign.grade), default=None)


def _crbt(facts: Facts, rules: Rules) -> Iterator[Finding]:
    """彩铃 is a finding of its own: music before the answer; short or unsure music asks for an ear."""
    if facts.early_media != "crbt":
        return
    sure = [
        sound
        for sound in facts.early_sounds
        if sound.kind == "music" and sound.confidence >= rules.crbt_confidence
    ]
    music_s = sum(sound.end_ms - sound.start_ms for sound in sure) / 1000
    start = next((s.start_ms for s in (*sure, *facts.early_sounds) if s.kind in ("music", "speech")), None)
    if music_s >= rules.crbt_least_s:
        detail = f"接听前播放音乐 {music_s:.1f} 秒"
        yield Finding("crbt", (NO_FORWARDING,), "strong", start, detail)
    else:
        yield Finding("crbt_review", (NO_FORWARDING,), "medium", start, "接听前有音乐或人声，需人耳确认")


def _trunk_music(facts: Facts) -> str | None:
    """Why music before the answer says nothing of the unit, where it is our trunk's."""
    return alarms_zh((AlarmKind.TRUNK_MUSIC,)) if AlarmKind.TRUNK_MUSIC in facts.alarms else None


def _fax(facts: Facts) -> Iterator[Finding]:
    if facts.answered_by == "fax":
        tone = next((s.start_ms for s in facts.later_sounds if s.kind in ("fax_ced", "fax_cng")), None)
        detail = "值班号码以传真机应答（2100 Hz 应答音）"
        yield Finding("fax", (FAX_APART,), "strong", facts.answered_ms if tone is None else tone, detail)


def _answerer(facts: Facts) -> Iterator[Finding]:
    if AlarmKind.ONE_WAY_AUDIO in facts.alarms:
        # Who does not hear each other says nothing of who is there.
        detail = alarms_zh((AlarmKind.ONE_WAY_AUDIO,))
        yield Finding("silence_review", (), "weak", facts.answered_ms, detail)
        return
    match facts.answered_by:
        case "machine":
            yield Finding(
                "machine_review", (REACHABLE,), "medium", facts.answered_ms, "由留言或语音系统应答，未闻人工"
            )
        case "silence":
            yield Finding("silence_review", (), "weak", facts.answered_ms, "接通后对方无声，可能为线路单通")
        case "human" | "fax":
            pass
        case _:
            yield Finding("answerer_review", (), "none", facts.answered_ms, "未能判明由谁接听")


def _speed(facts: Facts, rules: Rules) -> Iterator[Finding]:
    """Three rings in seconds, by the least end of the answer's window.

    Only beyond one whole ring period after the limit is a finding proposed.
    """
    clauses = (THREE_RINGS, THREE_RINGS_JINHU)
    least_ms = _ring_bound_ms(facts)
    if least_ms <= rules.limit_s * 1000:
        return
    if facts.ring_to_answer_ms is None or facts.ring_unseen:
        yield Finding("unmeasured", clauses, "none", facts.answered_ms, "未见振铃起点，响铃时长未核实")
        return
    detail = f"响铃 {_window(least_ms, facts.ring_to_answer_ms, rules)} 秒接听，折算限 {rules.limit_s:g} 秒"
    if least_ms > rules.finding_s * 1000:
        yield Finding("overtime", clauses, "definitive", facts.answered_ms, detail)
    else:
        yield Finding("slow_review", clauses, "medium", facts.answered_ms, detail)


def _window(least_ms: float, most_ms: float, rules: Rules) -> str:
    """Write the ringing in seconds, as a span where the moment of the answer is one."""
    limits_s = (rules.limit_s, rules.finding_s)
    least, most = (wording.seconds(ms, *limits_s) for ms in (least_ms, most_ms))
    return least if least == most else f"{least}–{most}"


def _no_answer(facts: Facts, rules: Rules) -> Finding:
    rung_ms, least_s = facts.rung_ms, rules.least_ring_s
    long_enough = rung_ms is not None and rung_ms >= least_s * 1000
    rung = "响铃时长未核实，" if rung_ms is None else f"响铃 {wording.seconds(rung_ms, least_s)} 秒"
    tone = facts.failure_tone
    detail = _because(
        f"{rung}无人接听",
        f"后转{wording.TONES[tone.kind]}" if tone else "",
        "仅一次拨打",
        "" if long_enough or rung_ms is None else f"不足 {least_s:g} 秒",
    )
    grade: Grade = "strong" if long_enough else "weak"
    return Finding("no_answer", (THREE_RINGS,), grade, facts.ring_started_ms, detail)


def _busy(facts: Facts, _: Rules) -> Finding:
    return Finding("busy", (), "none", _sound_ms(facts), _because("线路占线", _proof(facts)))


def _rejected(facts: Facts, _: Rules) -> Finding:
    return Finding(
        "rejected", (THREE_RINGS,), "medium", _sound_ms(facts), _because("来电被拒接", _proof(facts))
    )


def _unobtainable(facts: Facts, _: Rules) -> Finding:
    detail = _because(_proof(facts), "号码可能有误或已停用")
    return Finding("number_check", (DIRECTORY,), "none", _sound_ms(facts), detail)


def _unreachable(facts: Facts, _: Rules) -> Finding:
    rung_ms = facts.rung_ms
    rung = "未见振铃" if rung_ms is None else f"此前响铃 {wording.seconds(rung_ms)} 秒"
    detail = _because(_proof(facts), f"线路不通，{rung}")
    return Finding("line_check", (REACHABLE,), "none", _sound_ms(facts), detail)


def _because(*parts: str) -> str:
    return "，".join(part for part in parts if part)


_UNANSWERED: dict[str, Callable[[Facts, Rules], Finding]] = {
    "no_answer": _no_answer,
    "busy": _busy,
    "rejected": _rejected,
    "unobtainable": _unobtainable,
    "unreachable": _unreachable,
}


def _clauses(finding: Finding) -> list[dict[str, str]]:
    return [dataclasses.asdict(clause) | {"citation": clause.citation} for clause in finding.clauses]

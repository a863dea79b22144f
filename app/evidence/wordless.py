"""A call's facts as they are shown once its words are withdrawn. What is stored is never changed.

Facts are measured: times, tones, signalling. Words can stand in the transcript and in what a sign was recognised by (an
announcement, who answered, forwarding). Where a recording was withdrawn (封存) they are left out of whatever is served.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from app.checks.models import Attempt

WITHDRAWN_ZH = "（已封存）"
_QUOTED = re.compile(r"“[^”]*”")
_HEARD = re.compile(r"\bsays .*", re.DOTALL)
"""Of the signs of who answered."""


def shown_facts(attempt: Attempt) -> dict[str, Any]:
    """The facts of a dial as they may be shown; empty where there are none. It comes with facts and recording."""
    content = attempt.facts.content if attempt.facts is not None else {}
    withdrawn = attempt.recording is not None and attempt.recording.gone_why == "withdrawn"
    return without_words(content) if withdrawn else dict(content)


def shown_verdict(attempt: Attempt) -> dict[str, Any] | None:
    """The newest verdict of a dial as it may be shown: of a withdrawn one no finding quotes what was heard."""
    if not attempt.verdicts:
        return None
    content = dict(attempt.verdicts[-1].content)
    if attempt.recording is not None and attempt.recording.gone_why == "withdrawn":
        content["findings"] = [unquoted(finding) for finding in content.get("findings") or ()]
    return content


def unquoted(finding: Mapping[str, Any], mark: str = WITHDRAWN_ZH) -> dict[str, Any]:
    """Return a finding that quotes nothing of what was heard; `mark` stands in its place."""
    detail = unquoted_text(str(finding.get("detail") or ""), mark)
    return dict(finding) | ({"detail": detail} if detail else {})


def unquoted_text(text: str, mark: str = WITHDRAWN_ZH) -> str:
    """Return words of ours without what they quote."""
    return _HEARD.sub(mark, _QUOTED.sub(f"“{mark}”", text))


def without_words(facts: Mapping[str, Any], mark: str = WITHDRAWN_ZH) -> dict[str, Any]:
    """Return a call record without what was said in it; `mark` stands where words were."""
    shown = dict(facts)
    if shown.get("transcript") is not None:
        shown["transcript"] = None
    for name in ("announcements", "answerer"):
        if shown.get(name):
            shown[name] = [_wordless(sign, mark) for sign in shown[name]]
    forwarding = shown.get("forwarding")
    if forwarding and forwarding.get("evidence"):
        shown["forwarding"] = forwarding | {
            "evidence": [_wordless(sign, mark) for sign in forwarding["evidence"]]
        }
    return shown


def _wordless(sign: Mapping[str, Any], mark: str) -> dict[str, Any]:
    """A label of a sample, a status or a tone are no words of the call."""
    detail = str(sign.get("detail") or "")
    spoken = sign.get("road") == "words" or detail.startswith("says ") or "announced by words" in detail
    return dict(sign) | ({"detail": mark} if spoken else {})

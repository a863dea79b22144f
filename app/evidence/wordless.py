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
        content["findings"] = [_unquoted(finding) for finding in content.get("findings") or ()]
    return content


def _unquoted(finding: Mapping[str, Any]) -> dict[str, Any]:
    detail = _QUOTED.sub(f"“{WITHDRAWN_ZH}”", str(finding.get("detail") or ""))
    return dict(finding) | ({"detail": _HEARD.sub(WITHDRAWN_ZH, detail)} if detail else {})


def without_words(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return a call record without what was said in it."""
    shown = dict(facts)
    if shown.get("transcript") is not None:
        shown["transcript"] = None
    for name in ("announcements", "answerer"):
        if shown.get(name):
            shown[name] = [_wordless(sign) for sign in shown[name]]
    forwarding = shown.get("forwarding")
    if forwarding and forwarding.get("evidence"):
        shown["forwarding"] = forwarding | {"evidence": [_wordless(sign) for sign in forwarding["evidence"]]}
    return shown


def _wordless(sign: Mapping[str, Any]) -> dict[str, Any]:
    """A label of a sample, a status or a tone are no words of the call."""
    detail = str(sign.get("detail") or "")
    spoken = sign.get("road") == "words" or detail.startswith("says ") or "announced by words" in detail
    return dict(sign) | ({"detail": WITHDRAWN_ZH} if spoken else {})

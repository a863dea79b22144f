"""Who answered, who should have, who called back: what a person has verified, else 未核实. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from app.reports.gathering import CheckRow
from app.reports.wording import NOTHING, UNKNOWN
from app.tables.cells import Value
from sip.numbers import NumberError, parse_number

_YES_NO = {"yes": "对", "no": "错"}


def name(check: CheckRow) -> str:
    """The name of who answered, as a person verified it."""
    return _verified(check, "name")


def post(check: CheckRow) -> str:
    """The title that was said, as a person verified it."""
    return _verified(check, "title")


def _verified(check: CheckRow, kind: str) -> str:
    found = [
        item.expected or item.heard for item in check.answers if item.kind == kind and item.answer == "yes"
    ]
    return "、".join(dict.fromkeys(text for text in found if text)) or UNKNOWN


def rostered(check: CheckRow) -> str:
    """Whether who answered stands in the roster that was filed by then; 未核实 without a name or a roster."""
    said = name(check)
    listed = {str(shift.get("name", "")) for shift in (*_shifts(check, "duty"), *_shifts(check, "leaders"))}
    if said == UNKNOWN or not listed:
        return UNKNOWN
    return "是" if set(said.split("、")) & listed else "否"


def leader(check: CheckRow) -> str:
    """带班领导 of the roster."""
    told = [f"{shift.get('name', '')}{_title(shift)}" for shift in _shifts(check, "leaders")]
    return "、".join(told) or UNKNOWN


def _title(shift: Mapping[str, Any]) -> str:
    return f"（{shift['title']}）" if shift.get("title") else ""


def _shifts(check: CheckRow, kind: str) -> Sequence[Mapping[str, Any]]:
    return ((check.proposal or {}).get("roster") or {}).get(kind) or ()


def _back(check: CheckRow) -> Any:
    return next((item for item in check.mitigations if item.kind == "called_back"), None)


def called_back(check: CheckRow, local: Callable[[datetime], Value]) -> Value:
    """When the unit called back; — where no call came."""
    found = _back(check)
    return NOTHING if found is None else local(found.at)


def took(check: CheckRow) -> Value:
    """Minutes from the last call before it to the call back."""
    found = _back(check)
    if found is None:
        return NOTHING
    before = [call.at for call in check.calls if call.at <= found.at]
    return round((found.at - before[-1]).total_seconds() / 60, 1) if before else UNKNOWN


def back_from(check: CheckRow) -> str:
    """The number of the call back."""
    found = _back(check)
    return NOTHING if found is None else found.number or UNKNOWN


def back_fixed(check: CheckRow) -> str:
    """Whether it came from a landline."""
    found = _back(check)
    if found is None:
        return NOTHING
    try:
        kind = parse_number(found.number).kind
    except (NumberError, ValueError):
        return UNKNOWN
    return {"mobile": "否", "fixed": "是"}.get(str(kind), UNKNOWN)


def questions(check: CheckRow) -> str:
    """业务问答: each number that was asked for, right or wrong. The number itself is never shown."""
    told = []
    for item in check.answers:
        if item.kind == "number" and item.answer in _YES_NO:
            what = "上级值班电话" if item.evidence.get("matches") else "名录号码"
            told.append(f"{what}—{_YES_NO[item.answer]}")
    return "；".join(told) or UNKNOWN

"""What the list of records is narrowed to: read from an address, written into one, said in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.text import FIRST_YEAR, LAST_YEAR
from app.checks import proposal_codes
from app.checks.models import CHECK_KINDS
from app.checks.rules import CODES
from app.checks.wording import SIGNS
from app.directory.models import Unit
from app.planning.models import Plan
from app.reviews.states import STATE_ZH, State

KINDS_ZH = {"random": "计划抽查", "designated": "指定抽查", "verification": "核号", "demo": "演示"}
PROOFS: Mapping[str, tuple[str, ...]] = {
    "definitive": ("definitive", "near_proof"),
    "strong": ("strong",),
    "weak": ("medium", "weak"),
}
PROOFS_ZH = {"definitive": "确证", "strong": "较强", "weak": "线索"}
TICKED = ("1", "on", "true", "yes")
_MOST_NAME = 80


@dataclass(frozen=True, slots=True)
class RecordFilter:
    """Which calls. None, False and empty: not narrowed by it."""

    unit: int | None = None
    """The unit with all below it."""
    since: str = ""
    """First day or moment, as it was typed: `2026-11-01` or `2026-11-01T08:00`, local."""
    until: str = ""
    """Last day, all of it, or a moment before which the call was made."""
    kind: str = ""
    verdict: str = ""
    code: str = ""
    """Of the proposal."""
    proof: str = ""
    """Grade of the evidence, a key of `PROOFS`."""
    sign: str = ""
    """Kind of the strongest sign of forwarding."""
    state: str = ""
    """Where the case stands; `none`: there is none."""
    by: str = ""
    """Who decided."""
    plan: int | None = None
    review: bool = False
    """Only what waits for a person."""

    @classmethod
    def read(cls, given: Mapping[str, str]) -> RecordFilter:
        """Read the parameters of an address; what is not known is left out."""
        known = {
            "kind": CHECK_KINDS,
            "verdict": CODES,
            "code": proposal_codes.CODES,
            "proof": PROOFS,
            "sign": SIGNS,
            "state": tuple(State),
        }
        found: dict[str, Any] = {
            name: given[name] for name, words in known.items() if given.get(name) in words
        }
        for name in ("unit", "plan"):
            text = given.get(name, "")
            found[name] = int(text) if text.isascii() and text.isdecimal() and len(text) < 18 else None
        for name in ("since", "until"):
            text = given.get(name, "").strip()
            found[name] = text if moment(text) is not None else ""
        found["by"] = given.get("by", "").replace("\0", "").strip()[:_MOST_NAME]
        found["review"] = given.get("review", "").lower() in TICKED
        return cls(**found)

    def parameters(self) -> dict[str, str]:
        """Return what stands in an address, without what is not narrowed."""
        told: dict[str, str] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if value is True:
                told[item.name] = "1"
            elif value not in (None, "", False):
                told[item.name] = str(value)
        return told

    @property
    def query(self) -> str:
        """The parameters as an address has them."""
        return urlencode(self.parameters())

    def span(self, zone: ZoneInfo) -> tuple[datetime | None, datetime | None]:
        """From a moment until, but not including, another."""
        first, last = moment(self.since), moment(self.until)
        if last is not None and len(self.until) == len("2026-11-01"):
            last += timedelta(days=1)
        return first and first.replace(tzinfo=zone), last and last.replace(tzinfo=zone)


def moment(text: str) -> datetime | None:
    """Read a day or a moment without zone; None for anything else, and for years that no table holds."""
    try:
        found = (
            datetime.combine(date.fromisoformat(text), time())
            if len(text) == 10
            else datetime.fromisoformat(text)
        )
    except ValueError:
        return None
    return found if found.tzinfo is None and FIRST_YEAR <= found.year < LAST_YEAR else None


def misread(given: Mapping[str, str]) -> list[str]:
    """The names of days that were typed and are none."""
    return [
        name
        for name in ("since", "until")
        if given.get(name, "").strip() and moment(given[name].strip()) is None
    ]


async def in_words(session: AsyncSession, wanted: RecordFilter) -> str:
    """Say in Chinese what is asked for, as tables print it."""
    told: list[str] = []
    if wanted.unit is not None:
        name = await session.scalar(select(Unit.name).where(Unit.id == wanted.unit))
        told.append(f"单位：{name or '（无此单位）'}及其下级")
    if wanted.since or wanted.until:
        told.append(f"时间：{_said(wanted.since) or '最早'} 至 {_said(wanted.until) or '最近'}")
    if wanted.plan is not None:
        name = await session.scalar(select(Plan.name).where(Plan.id == wanted.plan))
        told.append(f"计划：{name or '（无此计划）'}")
    verdict = next((info.zh for code, info in CODES.items() if code == wanted.verdict), "")
    words = {
        "方式": KINDS_ZH.get(wanted.kind, ""),
        "结论": verdict,
        "拟认定": proposal_codes.CODES[wanted.code].zh if wanted.code else "",
        "证据": PROOFS_ZH.get(wanted.proof, ""),
        "证据种类": SIGNS.get(wanted.sign, ""),
        "认定": STATE_ZH[State(wanted.state)] if wanted.state else "",
        "复核人": wanted.by,
    }
    told += [f"{name}：{text}" for name, text in words.items() if text]
    if wanted.review:
        told.append("只含待人工")
    return "；".join(told) or "全部记录"


def _said(text: str) -> str:
    return text.replace("T", " ")

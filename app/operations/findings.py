"""What an examination of this machine finds: lines with a state, what is the case, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warn", "fail"]
STATE_ZH = {"ok": "正常", "warn": "注意", "fail": "异常"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line."""

    name: str
    """What was looked at: a word of docs/reference/cli.md."""
    state: State
    en: str
    zh: str
    do_en: str = ""
    """What to do; empty where all is well."""
    do_zh: str = ""

    def to_dict(self) -> dict[str, str]:
        """Return the JSON object."""
        return {
            "name": self.name,
            "state": self.state,
            "said": self.en,
            "do": self.do_en,
            "said_zh": self.zh,
            "do_zh": self.do_zh,
        }


def ok(name: str, en: str, zh: str) -> Finding:
    """All is well."""
    return Finding(name, "ok", en, zh)


def warn(name: str, en: str, zh: str, do_en: str, do_zh: str) -> Finding:
    """It works, and somebody should see to it."""
    return Finding(name, "warn", en, zh, do_en, do_zh)


def fail(name: str, en: str, zh: str, do_en: str, do_zh: str) -> Finding:
    """It does not work."""
    return Finding(name, "fail", en, zh, do_en, do_zh)

"""The fictional county 云溪县: units, invented numbers, and what each simulated line demands of the verdict.

A line's target is an extension of `sip.simulator`; the demo's trunk leads there. No number here is anybody's:
0000 is no area code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.checks.rules import Code

COUNTY = "云溪县"


@dataclass(frozen=True, slots=True)
class DemoUnit:
    """One unit, its line, and the verdicts that its line's behaviour allows."""

    name: str
    kind: str
    extension: str
    expected: tuple[Code, ...]

    @property
    def code(self) -> str:
        """The unit's code in the directory."""
        return f"demo-{self.extension}"

    @property
    def number(self) -> str:
        """The invented number that the directory prints."""
        return f"0000-555{self.extension:0>4}"


def _unit(name: str, kind: str, extension: str, *expected: Code) -> DemoUnit:
    return DemoUnit(COUNTY + name, kind, extension, expected)


OFFICE, TOWN = "县直部门", "镇街"
CATEGORIES: Mapping[str, str] = {OFFICE: "county_department", TOWN: "town"}
RULE_SET, OWN_DOCUMENT = "baoji-2022", "《云溪县值班抽查办法》（虚构，仅供演示）"
"""The rules that hold in it, and the document by which they do."""
UNITS: tuple[DemoUnit, ...] = (
    _unit("应急管理局", OFFICE, "12", "within"),
    _unit("水利局", OFFICE, "62", "within"),
    _unit("气象局", OFFICE, "13", "borderline"),
    _unit("自然资源局", OFFICE, "63", "borderline"),
    _unit("林业局", OFFICE, "14", "slow_review"),
    _unit("文化旅游局", OFFICE, "65", "overtime"),
    _unit("公安局指挥中心", OFFICE, "31", "within"),
    _unit("供销联社", OFFICE, "70", "no_answer"),
    _unit("退役军人事务局", OFFICE, "71", "no_answer"),
    _unit("经济开发区管委会", OFFICE, "72", "no_answer"),
    _unit("教育体育局", OFFICE, "86", "busy"),
    _unit("市场监督管理局", OFFICE, "87", "busy"),
    _unit("财政局", OFFICE, "88", "rejected"),
    _unit("审计局", OFFICE, "603", "rejected"),
    _unit("地方志编纂室", OFFICE, "404", "number_check"),
    _unit("农业农村局", OFFICE, "503", "our_side"),
    _unit("青石镇", TOWN, "181", "forwarded"),
    _unit("柳河镇", TOWN, "302", "forwarded"),
    _unit("双桥镇", TOWN, "1811", "forwarded"),
    _unit("白鹭镇", TOWN, "1812", "forwarded"),
    _unit("松岭镇", TOWN, "90", "crbt"),
    _unit("石门镇", TOWN, "91", "within"),
    _unit("东湖街道", TOWN, "93", "fax"),
    _unit("南山街道", TOWN, "94", "machine_review"),
    _unit("西关街道", TOWN, "95", "silence_review"),
    _unit("北坪镇", TOWN, "96", "within", "answerer_review"),
    _unit("龙泉镇", TOWN, "97", "overtime"),
    _unit("交通运输局", OFFICE, "98", "within"),
    _unit("梅岭镇", TOWN, "99", "line_check", "forwarding_review"),
)
"""Two verdicts: who hangs up in mid-word may be heard too shortly to be known as a person (96); a mobile's
announcement is evidence of forwarding only where its words are recognised (99)."""
BY_CODE = {unit.code: unit for unit in UNITS}

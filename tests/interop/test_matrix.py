"""The table of what is proved against whom: complete, and the one that stands in the reference."""

from __future__ import annotations

from pathlib import Path

from tests.interop.matrix import FEATURES, PEERS, REASONS, marked, page, problems, proved
from tests.interop.sipp import SCENARIOS

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "reference" / "interop.md"


def test_no_hole_is_unexplained() -> None:
    assert problems(marked(HERE)) == []


def test_the_page_is_that_of_the_present_tests() -> None:
    """`make interop` runs them and writes the page."""
    text = PAGE.read_text(encoding="utf-8")
    assert proved(text) == marked(HERE)
    assert "?" not in text
    for title in FEATURES.values():
        assert f"| {title} |" in text


def test_what_is_wrong_with_a_table_is_told() -> None:
    everything = {(peer, feature) for peer in PEERS for feature in FEATURES}
    assert problems(everything - set(REASONS)) == []
    assert problems(everything - set(REASONS) - {("sipp", "udp")}) == ["no test and no reason: sipp udp"]
    assert problems(everything - set(REASONS) | {("sipp", "tls")}) == ["a test and a reason: sipp tls"]
    assert problems(everything - set(REASONS) | {("sipp", "magic")}) == ["unknown: sipp magic"]


def test_a_page_can_be_read_back() -> None:
    text = page({("sipp", "udp"): 3, ("baresip", "tls"): 1}, dict.fromkeys(PEERS, "1.0"))
    assert proved(text) == {("sipp", "udp"), ("baresip", "tls")}
    assert "sipp 1.0" in text


def test_every_scenario_is_played_by_a_test() -> None:
    """sipp's scenarios are sixty or more, and none of them lies idle."""
    scenarios = [path.stem for path in SCENARIOS.glob("*.xml")]
    assert len(scenarios) >= 60
    tests = "".join(path.read_text(encoding="utf-8") for path in HERE.rglob("test_*.py"))
    assert [name for name in scenarios if f'"{name}"' not in tests] == []

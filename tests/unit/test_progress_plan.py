"""Tone plans as data: what ships, and what is said of a file with a mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from sip.progress import TonePlanError, default_plan, find_plan, load_plan, shipped_plans
from sip.progress.plan import PLAN_FOLDER, foreign_ringbacks

WHOLE = (PLAN_FOLDER / "cn.toml").read_text(encoding="utf-8")


def broken(tmp_path: Path, old: str, new: str) -> Path:
    assert old in WHOLE
    path = tmp_path / "ours.toml"
    path.write_text(WHOLE.replace(old, new, 1), encoding="utf-8")
    return path


def test_what_ships() -> None:
    assert set(shipped_plans()) >= {"cn", "eu", "us", "uk", "hk", "tw"}
    for name in shipped_plans():
        assert find_plan(name).name == name
    assert default_plan() is find_plan("cn")


def test_the_ringback_of_every_other_plan_is_foreign() -> None:
    assert {tone.plan for tone in foreign_ringbacks("cn")} == set(shipped_plans()) - {"cn"}
    assert {tone.plan for tone in foreign_ringbacks("a trunk of ours")} == set(shipped_plans())
    assert {tone.kind for tone in foreign_ringbacks("us")} == {"ringback"}


def test_a_plan_of_one_s_own(tmp_path: Path) -> None:
    path = broken(tmp_path, "[1000, 4000]", "[1200, 3800]")
    ringback = find_plan(str(path)).cadence("ringback")
    assert ringback is not None
    assert (ringback.on_off_ms, ringback.sounding_ms) == ((1_200.0, 3_800.0), 1_200.0)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('name = "cn"', "name = 5", "ours.toml: name: it takes a name"),
        ("bridge_ms = 60.0", "bridge_ms = 80.0", "ours.toml: bridge_ms: it takes a number from 0 to 60"),
        ("cycles = 2", "cycles = true", "ours.toml: cycles: it takes a number"),
        ("floor_dbm0 = -40.0", "", "ours.toml: floor_dbm0: it takes a number"),
        ('kind = "busy"', 'kind = "engaged"', "ours.toml, tone busy: kind: it takes one of ringback, busy"),
        ('kind = "busy"', 'kind = "speech"', "ours.toml, tone busy: kind: it takes one of ringback, busy"),
        ('name = "busy"', 'name = ""', "ours.toml, tone 2: name: it takes a name"),
        ('name = "busy"', 'name = "ringback"', "ours.toml: tone ringback: a name is given once"),
        ("[350, 350]", "[350]", "ours.toml, tone busy: cadence_ms: it takes periods .* even count"),
        ("[350, 350]", '["a", 1]', "ours.toml, tone busy: cadence_ms: it takes periods"),
        ("[350, 350]", "[]", "ours.toml, tone busy: minimum_ms: a tone without cadence takes"),
        (
            "[425, 450]",
            "[425, 620]",
            "tone special_dial: frequencies_hz: it takes two frequencies from 360 to 540",
        ),
        ("[425, 450]", "[425, 430]", "tone special_dial: frequencies_hz: .* at least 20 Hz apart"),
        ("[425, 450]", "[]", "tone special_dial: frequencies_hz: it takes a list of one frequency"),
        ("[950]", "[50]", "tone howler: frequencies_hz: it takes a list of one frequency from 200 to 3300"),
        ("[500, 3000]", "[500, 100, 500, 3000]", "tone fax_cng: cadence_ms: one burst and one pause"),
        ("maximum_ms = 620", "maximum_ms = 20", "tone fax_cng: maximum_ms: it takes no less than minimum_ms"),
        ('kind = "ringback"', 'kind = "busy"', "ours.toml: tone: a plan has a ringback"),
        ("[[tone]]", "[tone", "ours.toml: it is no TOML"),
    ],
)
def test_a_mistake_is_named_with_file_tone_and_member(tmp_path: Path, old: str, new: str, told: str) -> None:
    with pytest.raises(TonePlanError, match=told):
        load_plan(broken(tmp_path, old, new))


def test_a_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(TonePlanError, match="there is none; shipped are cn"):
        find_plan("atlantis")
    with pytest.raises(TonePlanError, match=r"none\.toml: it cannot be read"):
        find_plan(str(tmp_path / "none.toml"))
    empty = tmp_path / "empty.toml"
    empty.write_text('name = "e"\nfrequency_tolerance_hz = 5\n', encoding="utf-8")
    with pytest.raises(TonePlanError, match="at least one table"):
        load_plan(empty)

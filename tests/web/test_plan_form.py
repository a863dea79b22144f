"""The form of a plan as values: whatever is typed, and back from every plan."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from starlette.datastructures import FormData

from app.planning.spec import PlanSpec
from app.web.plans import choices, form
from app.web.plans.problems import said
from tests.web.pages_read import CHINESE, FIELDS

NOTHING = choices.Choices((), (), (), (), ())
TEXTS = st.text(max_size=12) | st.sampled_from(
    ["", "1", "0", "-1", "1e9", "08:00", "24:00", "2026-03-01", "NaN", "\0"]
)


@given(
    typed=st.dictionaries(st.sampled_from(sorted(FIELDS)), TEXTS, max_size=12),
    windows=st.lists(TEXTS, max_size=4),
)
@hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_is_typed_comes_to_a_plan_or_to_problems(typed: dict[str, str], windows: list[str]) -> None:
    plain = {name: value for name, value in FIELDS.items() if isinstance(value, str)} | typed
    sent = [*plain.items(), *(("start_workday", item) for item in windows), ("end_workday", "20:00")]
    found = form.read(form.typed_from(FormData(sent)), NOTHING)
    assert (found.spec is None) == bool(found.problems)
    assert all(str(problem) and "%(" not in str(problem) for problem in found.problems.values())


@st.composite
def specs(draw: st.DrawFn) -> PlanSpec:
    first = date(2026, 3, 1) + timedelta(days=draw(st.integers(0, 400)))
    minute = st.integers(0, 1439).map(lambda number: f"{number // 60:02}:{number % 60:02}")
    window = st.tuples(minute, minute).filter(lambda pair: pair[0] != pair[1])
    kinds = st.dictionaries(
        st.sampled_from(["workday", "weekend", "holiday", "makeup_workday", "lieu_day", "sensitive"]),
        st.lists(window, min_size=1, max_size=3),
        min_size=1,
    )
    windows: dict[str, Any] = {
        kind: [{"start": start, "end": end} for start, end in rows] for kind, rows in draw(kinds).items()
    }
    for kind in draw(st.sets(st.sampled_from(["makeup_workday", "lieu_day", "sensitive"]))):
        windows.setdefault(kind, [])
    calls = draw(st.integers(0, 60))
    return PlanSpec(
        first_day=first,
        last_day=first + timedelta(days=draw(st.integers(0, 900))),
        period=draw(st.sampled_from(["week", "month", "quarter", "year", "whole"])),
        windows=windows,
        calls_per_unit=calls,
        extra_per_unit=draw(st.integers(1, 2000)) / 100,
        most_per_unit=draw(st.none() | st.integers(max(calls, 1), 200)),
        caps={"line_day": draw(st.integers(1, 24)), "least_gap_h": draw(st.integers(1, 2000)) / 2},  # type: ignore[arg-type]
        opening_id=draw(st.none() | st.integers(1, 2**62)),
        notice=draw(st.booleans()),
        units={"categories": sorted(draw(st.sets(st.sampled_from(["town", "city"])))), "subtrees": [3, 20]},  # type: ignore[arg-type]
        weights=[{"category": "town", "factor": draw(st.integers(0, 200)) / 10}],  # type: ignore[list-item]
    )


@given(wanted=specs())
@hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_form_of_a_plan_gives_back_the_plan(wanted: PlanSpec) -> None:
    found = form.read(form.typed_of("计划", wanted, {}), NOTHING)
    assert found.problems == {}
    assert found.spec is not None
    assert found.spec == wanted


@pytest.mark.parametrize(
    "sentence",
    [
        "plan 3 is running; only a draft or a cancelled plan can be changed",
        "1 of at most 1 calls were made to the line on this day, 核号 calls of plans counted",
        "the line was called less than 12.5 hours ago, 核号 calls of plans counted",
        "line 4, name: begins like a formula of a spreadsheet",
    ],
)
def test_sentences_of_the_verbs_are_told_in_chinese(sentence: str) -> None:
    assert str(said(sentence)) != sentence
    assert CHINESE.match(str(said(sentence)).lstrip("0123456789 "))


def test_a_sentence_that_is_not_known_stays_as_it_is() -> None:
    assert str(said("100 % of something new")) == "100 % of something new"


def test_a_new_plan_begins_with_the_next_month() -> None:
    for today, first, last in (
        (date(2026, 11, 27), "2026-12-01", "2026-12-31"),
        (date(2026, 12, 31), "2027-01-01", "2027-03-31"),
        (date(2026, 3, 1), "2026-04-01", "2026-06-30"),
    ):
        typed = form.fresh(today)
        assert (typed.one["first_day"], typed.one["last_day"]) == (first, last)

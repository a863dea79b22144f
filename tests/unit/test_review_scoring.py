"""Rates and points, worked out by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from app.reviews.scores import scale_of
from app.reviews.scoring import Cap, Finding, Scale, deduction, figures
from app.rules.own import parse_own

ZONE = ZoneInfo("Asia/Shanghai")
POINTS = {"no_answer": 5.0, "crbt": 2.0}


def found(code: str, month: int, order: int, kind: str = "random", year: int = 2026) -> Finding:
    return Finding(code, datetime(year, month, 15, tzinfo=UTC), kind, order)


def test_a_rate_counts_orders_not_findings() -> None:
    twice = [found("no_answer", 1, 1), found("crbt", 1, 1), found("crbt", 2, 2)]
    own = figures(8, twice, lambda _: None, None, ZONE)
    assert (own.n, own.found, own.rate, own.by_code) == (8, 2, 0.25, {"crbt": 2, "no_answer": 1})
    assert (own.points, own.deducted, own.band) == (None, None, None)


def test_two_cases_of_one_order_that_come_to_one_code_count_once() -> None:
    scale = Scale(100.0, POINTS)
    twice = [found("no_answer", 1, 1), found("no_answer", 1, 1)]
    own = figures(4, twice, lambda _: scale, scale, ZONE)
    assert (own.found, own.deducted, own.by_code) == (1, 5.0, {"no_answer": 1})


@pytest.mark.parametrize(("n", "ranked", "rate"), [(0, False, None), (2, False, 0.0), (3, True, 0.0)])
def test_fewer_than_three_checks_rank_nobody(n: int, ranked: bool, rate: float | None) -> None:
    own = figures(n, [], lambda _: None, None, ZONE)
    assert (own.ranked, own.rate) == (ranked, rate)


@pytest.mark.parametrize(
    ("caps", "expected"),
    [
        ((), 19.0),
        ((Cap("no_answer", "year", 8),), 12.0),
        ((Cap("no_answer", "month", 6),), 15.0),
        ((Cap("no_answer", "quarter", 6),), 15.0),
        ((Cap("all", "year", 10),), 10.0),
        ((Cap("all", "month", 7),), 14.0),
        ((Cap("all", "year", 10), Cap("no_answer", "month", 6)), 10.0),
        ((Cap("crbt", "year", 0),), 15.0),
    ],
)
def test_caps_cut_each_code_and_all_of_them(caps: tuple[Cap, ...], expected: float) -> None:
    scale = Scale(100.0, POINTS, caps)
    # January: twice no_answer, once crbt (12); April: no_answer and crbt (7).
    findings = [
        found("no_answer", 1, 1), found("no_answer", 1, 2), found("crbt", 1, 3),
        found("no_answer", 4, 4), found("crbt", 4, 5), found("other", 4, 6),
    ]  # fmt: skip
    assert deduction(findings, lambda _: scale, ZONE) == pytest.approx(expected)


def test_a_score_ends_at_nought_and_bands_go_from_the_best_down() -> None:
    scale = scale_of(
        parse_own(
            {
                "base": 10, "points": {"no_answer": 4},
                "bands": [{"name": "优秀", "least": 9}, {"name": "合格", "least": 6}],
            }
        )
    )  # fmt: skip
    assert scale is not None
    expected = [(10.0, "优秀"), (6.0, "合格"), (2.0, None), (0.0, None)]
    for number, wanted in enumerate(expected):
        findings = [found("no_answer", 3, order) for order in range(number)]
        own = figures(5, findings, lambda _: scale, scale, ZONE)
        assert (own.points, own.band) == wanted


def test_without_points_of_ones_own_there_are_rates_only() -> None:
    assert scale_of(parse_own({})) is None
    assert scale_of(parse_own({"base": 50})) is None

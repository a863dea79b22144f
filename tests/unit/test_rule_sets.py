"""Rule sets: the shipped clauses are the documents' own words, and a file that is wrong says where."""

from __future__ import annotations

import os
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.checks.proposal_codes import CODES
from app.checks.rules import Rules
from app.directory.models import UNIT_CATEGORIES
from app.errors import BadInputError
from app.planning.calendar import DayInfo
from app.planning.models import DAY_KINDS
from app.reviews import codes as reviews
from app.rules.binding import Circumstances, binding_clauses, supporting
from app.rules.codes import BY_TELEPHONE, FINDINGS, NEEDS_SIGHT, PROPOSED, SUPPORTED
from app.rules.format import Clause, RuleSet, parse, parse_toml
from app.rules.library import FOLDER, shipped
from app.rules.own import Own, parse_own

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "rule-sets.md"
SETS = {rules.key: rules for rules in shipped()}
SOURCES = {
    "baoji-2022": "S3",
    "jinhu-2015": "S2",
    "guyuan": "S1",
    "jieyang-2009": "S4",
    "shiquan-2022": "S0",
}
DAY = DayInfo(date(2026, 10, 8), "workday")
HOLIDAY = DayInfo(date(2026, 10, 1), "holiday")


def founding() -> Path | None:
    """The folder of the documents, where it is there: named by the environment, or beside the repository."""
    named = os.environ.get("DUTYRING_TEST_FOUNDING")
    places = [Path(named)] if named else [folder / "shared" / "founding" for folder in ROOT.parents]
    return next((place for place in places if place.is_dir()), None)


def plain(text: str) -> str:
    """Without white space: the documents break lines anywhere, and set numbers apart now and then."""
    return re.sub(r"\s+", "", text)


def test_every_set_is_shipped() -> None:
    assert set(SETS) == {*SOURCES, "neutral"}
    assert {path.stem for path in FOLDER.glob("*.toml")} == set(SETS)


@pytest.mark.parametrize("key", SOURCES)
def test_the_words_are_the_documents_own(key: str) -> None:
    folder = founding()
    if folder is None:
        pytest.skip("the documents are not here (DUTYRING_TEST_FOUNDING names their folder)")
    (path,) = folder.glob(f"{SOURCES[key]}-*.txt")
    text = plain(path.read_text(encoding="utf-8"))
    rules = SETS[key]
    for clause in rules.clauses:
        assert clause.words is not None
        assert plain(clause.words) in text, clause.id
    for document in rules.documents:
        assert plain(document.number) in text
        title = re.sub(r"附件3.*", "", document.title).strip("《》")
        assert plain(title) in text


def _supports(key: str, code: str, category: str, **about: Any) -> bool:
    circumstances = Circumstances(category, (about.pop("day", DAY),), **about)
    bound = binding_clauses(SETS[key], Own(), "《办法》", circumstances)
    return bool(supporting(bound, SETS[key], {code}))


WHO_IS_BOUND = [
    # set, finding, category, more, whether a clause binds
    ("baoji-2022", "overtime", "county", {}, True),
    ("baoji-2022", "overtime", "town", {}, True),
    ("baoji-2022", "overtime", "city", {}, False),
    ("baoji-2022", "overtime", "other", {}, False),
    ("baoji-2022", "crbt", "institution", {}, True),
    ("baoji-2022", "fax", "county", {"line_kind": "leader"}, False),
    ("baoji-2022", "forwarded", "county", {"line_kind": "leader"}, True),
    ("baoji-2022", "machine", "county", {}, False),
    ("jinhu-2015", "no_answer", "town", {}, True),
    ("jinhu-2015", "overtime", "county_department", {}, True),
    ("jinhu-2015", "no_answer", "town", {"line_kind": "leader"}, False),
    ("jinhu-2015", "no_answer", "city_department", {}, False),
    ("jinhu-2015", "crbt", "town", {}, False),
    ("jinhu-2015", "forwarded", "town", {}, False),
    ("jinhu-2015", "leader_absent", "town", {"day": HOLIDAY}, True),
    ("jinhu-2015", "leader_absent", "town", {}, False),
    ("jinhu-2015", "leader_absent", "town", {"day": DayInfo(DAY.day, "workday", sensitive=True)}, True),
    ("guyuan", "no_answer", "town", {}, True),
    ("guyuan", "no_answer", "city_department", {}, True),
    ("guyuan", "overtime", "town", {}, False),
    ("guyuan", "crbt", "county", {}, True),
    ("guyuan", "forwarded", "county", {}, True),
    ("guyuan", "fax", "county", {}, False),
    ("jieyang-2009", "no_answer", "city_department", {"duty_regime": "phone"}, True),
    ("jieyang-2009", "no_answer", "city_department", {"duty_regime": "onsite"}, False),
    ("jieyang-2009", "no_answer", "city_department", {}, False),
    ("jieyang-2009", "forwarded", "city_department", {"duty_regime": "onsite"}, False),
    ("shiquan-2022", "no_answer", "county_department", {}, True),
    ("shiquan-2022", "no_answer", "county", {}, False),
    ("shiquan-2022", "forwarded", "town", {}, True),
    ("shiquan-2022", "overtime", "town", {}, False),
    ("shiquan-2022", "crbt", "town", {}, False),
]


@pytest.mark.parametrize(("key", "code", "category", "more", "bound"), WHO_IS_BOUND)
def test_a_set_supports_what_its_text_says_and_no_more(
    key: str, code: str, category: str, more: dict[str, Any], bound: bool
) -> None:
    assert _supports(key, code, category, **more) is bound


def test_only_a_ban_bans_all_forwarding() -> None:
    bans = {rules.key for rules in SETS.values() if any(c.bans_all_forwarding for c in rules.clauses)}
    assert bans == {"baoji-2022", "neutral"}


def test_shipped_sets_carry_clauses_only() -> None:
    for path in FOLDER.glob("*.toml"):
        assert not re.search(r"(?m)^(points|caps|bands|limits|own)\b", path.read_text(encoding="utf-8"))


def test_the_neutral_set_binds_where_the_own_document_says_the_words_and_nowhere_else() -> None:
    about = Circumstances("town", (DAY,))
    own = parse_own({"words": {"in-time": {"article": "第五条", "words": "三声内接听"}}})
    assert binding_clauses(SETS["neutral"], Own(), "《办法》", about) == ()
    (bound,) = binding_clauses(SETS["neutral"], own, "《办法》", about)
    assert (bound.source, bound.article, bound.words) == ("《办法》", "第五条", "三声内接听")
    assert binding_clauses(SETS["neutral"], own, None, about) == ()


def test_nothing_binds_without_a_local_document() -> None:
    for rules in SETS.values():
        for category in UNIT_CATEGORIES:
            assert binding_clauses(rules, Own(), None, Circumstances(category, (DAY,))) == ()


def test_finding_codes_are_those_that_a_person_may_confirm() -> None:
    assert set(reviews.confirmable(by_hand=False)) == set(FINDINGS)
    assert set(reviews.confirmable(by_hand=True)) - {"other"} == set(SUPPORTED)
    for code, info in SUPPORTED.items():
        assert reviews.title_of(code) == info.zh
        assert reviews.needs_presence(code) is (code in NEEDS_SIGHT)
    assert {code for info in CODES.values() for code in info.leads_to} - {"number_wrong"} == BY_TELEPHONE
    assert not NEEDS_SIGHT & (BY_TELEPHONE | PROPOSED)


def test_canonical_content_has_one_sha256_whatever_the_order_of_its_lines() -> None:
    text = (FOLDER / "guyuan.toml").read_text(encoding="utf-8")
    again = parse_toml(text.replace('key = "guyuan"\nversion = "1"', 'version = "1"\nkey = "guyuan"'))
    assert again.sha256 == SETS["guyuan"].sha256
    assert parse(again.to_json()) == again
    changed = parse_toml(text.replace("及时接听值班电话", "及时接听电话"))
    assert changed.sha256 != again.sha256


BASE = {"schema": "dutyring.rules/1", "key": "x", "version": "1", "title": "规则"}
WORDS = {"document": "d", "article": "一", "words": "应接听"}
DOC = {"documents": [{"id": "d", "title": "《规定》"}]}
WRONG: list[tuple[Any, str]] = [
    ({}, "schema"),
    (BASE | {"schema": "dutyring.rules/2"}, "schema"),
    (BASE | {"points": {"no_answer": 1}}, "points"),
    (BASE | {"clauses": [{"id": "a", "findings": ["absent"]}]}, "no 'absent'"),
    (BASE | {"clauses": [{"id": "a", "applies": ["village"]}]}, "no 'village'"),
    (BASE | {"clauses": [{"id": "a", "days": ["sunday"]}]}, "no 'sunday'"),
    (BASE | {"clauses": [{"id": "a"}, {"id": "a"}]}, "more than once"),
    (BASE | {"clauses": [{"id": "a", "words": "应接听"}]}, "belong together"),
    (BASE | {"clauses": [{"id": "a"} | WORDS]}, "no document 'd'"),
    (BASE | DOC | {"clauses": [{"id": "a", "applies": ["town"], "reference": ["town"]} | WORDS]}, "not both"),
    (
        BASE | DOC | {"clauses": [{"id": "a", "kind": "background", "findings": ["fax"]} | WORDS]},
        "background",
    ),
    (BASE | DOC | {"clauses": [{"id": "a", "bans_all_forwarding": True} | WORDS]}, "supports forwarded"),
    (BASE | {"key": "Ä"}, "key"),
    (BASE | {"title": "a\0b"}, "title"),
    (BASE | {"\ud800": 1}, "unicode"),
    ([], "body"),
]


@pytest.mark.parametrize(("content", "told"), WRONG)
def test_what_is_wrong_is_named(content: Any, told: str) -> None:
    with pytest.raises(BadInputError) as caught:
        parse(content)
    assert caught.value.faults
    text = " ".join(f"{fault.where}: {fault.message}" for fault in caught.value.faults)
    assert told in text
    text.encode()


@pytest.mark.parametrize(
    "text", ["x", "a = ", "[[clauses]]\nid = 1", "\ud800", "a = 1" * 100_000, "[" * 5_000]
)
def test_text_that_is_no_toml_is_refused_in_words(text: str) -> None:
    with pytest.raises(BadInputError):
        parse_toml(text)


@pytest.mark.parametrize(
    ("own", "told"),
    [
        ({"points": {"absent": 1}}, "no finding 'absent'"),
        ({"points": {"no_answer": -1}}, "points.no_answer"),
        ({"points": {"no_answer": float("inf")}}, "points.no_answer"),
        ({"caps": [{"finding": "x", "most": 1}]}, "no finding 'x'"),
        ({"bands": [{"name": "良好", "least": 80}, {"name": "优秀", "least": 90}]}, "best down"),
        ({"binds": {"village": "applies"}}, "no category"),
        ({"limits": {"limit_s": 0}}, "limits.limit_s"),
        ({"seconds": 3}, "seconds"),
    ],
)
def test_own_parts_that_are_wrong_are_named(own: Any, told: str) -> None:
    with pytest.raises(BadInputError, match=re.escape(told)):
        parse_own(own)


def test_own_limits_stand_in_order() -> None:
    for limits in ({"within_s": 16}, {"limit_s": 16}, {"finding_s": 19.9}):
        with pytest.raises(BadInputError):
            parse_own({"limits": limits}).limits.applied_to(Rules())
    applied = parse_own({"limits": {"finding_s": 25}}).limits.applied_to(Rules(within_s=10))
    assert (applied.within_s, applied.limit_s, applied.finding_s) == (10, 15.0, 25)


clauses = st.builds(
    Clause,
    id=st.just("a"),
    findings=st.lists(st.sampled_from(sorted(SUPPORTED)), max_size=3).map(tuple),
    applies=st.lists(st.sampled_from(UNIT_CATEGORIES), max_size=3).map(tuple),
    days=st.lists(st.sampled_from(DAY_KINDS), max_size=3).map(tuple),
    sensitive=st.booleans(),
    duty_regimes=st.lists(st.sampled_from(["onsite", "phone"]), max_size=2).map(tuple),
)


@settings(max_examples=80, deadline=None)
@given(
    clauses,
    st.sampled_from(UNIT_CATEGORIES),
    st.sampled_from(DAY_KINDS),
    st.booleans(),
    st.sampled_from([None, "onsite", "phone"]),
)
def test_a_clause_binds_exactly_whom_and_when_it_names(
    clause: Clause, category: str, kind: str, sensitive: bool, regime: str | None
) -> None:
    rules = RuleSet.model_validate(BASE | {"clauses": [clause.model_dump()]})
    own = parse_own({"words": {"a": {"article": "一", "words": "应接听"}}})
    day = DayInfo(DAY.day, kind, sensitive=sensitive)
    bound = binding_clauses(rules, own, "《办法》", Circumstances(category, (day,), duty_regime=regime))
    every_day = not clause.days and not clause.sensitive
    expected = (
        category in clause.applies
        and (every_day or kind in clause.days or (clause.sensitive and sensitive))
        and (not clause.duty_regimes or regime in clause.duty_regimes)
    )
    assert bool(bound) is expected
    assert parse(rules.to_json()) == rules


def test_every_set_and_clause_and_member_is_documented() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for rules in SETS.values():
        assert f"`{rules.key}`" in page
        for clause in rules.clauses:
            assert f"`{clause.id}`" in page, f"{rules.key} {clause.id}"
            if clause.words:
                assert plain(clause.words) in plain(page), clause.id
    for part in (RuleSet, Clause, Own):
        for name, field in part.model_fields.items():
            assert f"`{field.alias or name}`" in page, f"{part.__name__}.{name}"

"""The table of the review's steps, its page, and what the page's readers rely on."""

from __future__ import annotations

from pathlib import Path

from app.reviews.models import CASE_STATES, COUNTING
from app.reviews.states import STATE_ZH, STEP_ZH, TRANSITIONS, State, Step, review_states_page, steps_from

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "review-states.md"


def test_the_page_is_what_the_table_gives() -> None:
    assert PAGE.read_text(encoding="utf-8") == review_states_page(), "run `make docs`"


def test_every_state_and_step_has_a_name_and_a_use() -> None:
    assert tuple(State) == CASE_STATES
    assert set(STATE_ZH) == set(State)
    assert set(STEP_ZH) == set(Step) == {step for _, step in TRANSITIONS}
    reached = {State.TO_REVIEW} | set(TRANSITIONS.values())
    assert reached == set(State)


def test_nothing_leads_back_to_the_review_or_out_of_an_end() -> None:
    back = {source for (source, _), target in TRANSITIONS.items() if target is State.TO_REVIEW}
    assert back == {State.TO_REVIEW}, "a file may be attached there"
    assert steps_from(State.REVOKED) == steps_from(State.OVERTURNED) == ()


def test_a_finding_counts_only_behind_a_person_a_notice_and_an_answer() -> None:
    """Every way from the opening to a state that counts goes through proposed and notified."""
    for left_out in (State.PROPOSED, State.NOTIFIED):
        seen, todo = {State.TO_REVIEW}, [State.TO_REVIEW]
        while todo:
            here = todo.pop()
            for (source, _), target in TRANSITIONS.items():
                if source is here and target not in seen and target is not left_out:
                    seen.add(target)
                    todo.append(target)
        assert not seen & {State(name) for name in COUNTING}


def test_whoever_is_published_can_be_overturned_and_nothing_else_ends_it() -> None:
    ends = {target for (source, _), target in TRANSITIONS.items() if source is State.PUBLISHED}
    assert ends == {State.PUBLISHED, State.OVERTURNED}

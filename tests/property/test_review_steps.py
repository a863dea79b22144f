"""Random steps by random people: whatever they try, nothing counts that was not confirmed, and nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from app import clock
from app.accounts import service as audit
from app.accounts.service import LOCAL
from app.checks.models import SpotCheck, StoredProposal
from app.database import Database
from app.directory import service as directory
from app.errors import OfficeError
from app.reviews import publishing, repository, scores, service
from app.reviews.models import COUNTING, Case, CaseEvent
from app.reviews.score_repository import Period
from app.reviews.states import BESIDE, TRANSITIONS, State, Step, steps_from
from app.settings import Settings
from tests.web.migrated import migrate
from tests.web.reviewing import THURSDAY, proposal

ZONE = ZoneInfo("Asia/Shanghai")
PEOPLE = ("王督查", " 王督查 ", "李督查", "赵科长", LOCAL)
CHECKS = 4
WAYS = (
    (),
    ("propose", "notify"),
    ("propose", "notify", "dispute"),
    ("propose", "notify", "accept", "confirm"),
    ("propose", "notify", "accept", "confirm", "publish"),
)
"""How far the first case has come before anything is tried."""
TRIED = tuple(step.value for step in Step if step is not Step.ATTACH)
STEPS = st.lists(
    st.tuples(
        # A number: one of the steps that the table has from there, so that many a case comes far.
        st.integers(0, 4) | st.integers(0, 4) | st.sampled_from(TRIED),
        st.sampled_from(PEOPLE),
        st.sampled_from((0, 1)),
        st.sampled_from((60, 3_600, 2 * 86_400)),
    ),
    min_size=4,
    max_size=14,
)


@dataclass
class World:
    """One migrated database and a loop, for every example."""

    database: Database
    runner: asyncio.Runner
    at: datetime = THURSDAY
    units: int = 0
    reached: set[str] = field(default_factory=set)
    """States in which a case has ever stood."""

    def now(self) -> datetime:
        """The clock of the world."""
        self.at += timedelta(milliseconds=1)
        return self.at


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder: Path = tmp_path_factory.mktemp("reviews")
    options = Settings(data_dir=folder / "data", phone_process=False)
    migrate(options)
    database = Database(options.url)
    with asyncio.Runner() as runner:
        made = World(database, runner)
        yield made
        runner.run(database.close())


async def begin(world: World) -> tuple[int, list[int]]:
    """A new unit with random checks, of which two are proposed as findings."""
    world.units += 1
    async with world.database.unit_of_work() as session:
        unit = await directory.add_unit(session, f"u{world.units}", "某单位")
        line = await directory.add_line(session, unit, "1", f"sip:{world.units}@127.0.0.1:5062")
        cases = []
        for number in range(CHECKS):
            check = SpotCheck(
                line_id=line.id, kind="random", state="done", due_at=world.at, first_due_at=world.at,
                closed_at=world.at, created_at=world.at,
            )  # fmt: skip
            session.add(check)
            await session.flush()
            code = "no_answer" if number < 2 else "within"
            row = StoredProposal(
                check_id=check.id, rule_set="r", in_force=True, code=code, content={}, judged_at=world.at
            )
            session.add(row)
            if number < 2:
                case = await service.open_case(
                    session, unit_id=unit.id, code=code, proposal=proposal(code), check_id=check.id
                )
                cases.append(case.id)
        return unit.id, cases


async def attempt(world: World, step: str, who: str, case: int) -> bool:
    """Try a step; whether it went through."""
    verbs: dict[str, Any] = {
        "propose": lambda s: service.propose(s, case, who, "no_answer", without_recording="信令记录"),
        "notify": lambda s: service.notify(s, case, who, "值班科", ZONE),
        "accept": lambda s: service.accept(s, case, who, "主任"),
        "dispute": lambda s: service.dispute(s, case, who, "主任", "停电"),
        "confirm": lambda s: service.confirm(s, case, who),
        "uphold": lambda s: service.uphold(s, case, who, "不成立"),
        "revoke": lambda s: service.revoke(s, case, who, "not_a_finding", "不构成"),
        "overturn": lambda s: service.overturn(s, case, who, "new_facts", "更正"),
        "comment": lambda s: service.comment(s, case, who, "已看"),
        "publish": lambda s: publishing.publish(s, who, "table", "表", [case]),
    }
    try:
        async with world.database.unit_of_work() as session:
            await verbs[step](session)
    except OfficeError:
        return False
    return True


@dataclass
class Seen:
    """What the tables say about a case."""

    row: Case
    events: list[CaseEvent]
    trail: list[tuple[str, str]]
    publications: int


async def look(world: World, key: int) -> Seen:
    async with world.database.reading() as session:
        row = await repository.case(session, key)
        assert row is not None
        lines = await audit.of_subject(session, f"case:{key}")
        return Seen(
            row, list(await repository.events(session, key)), [(line.action, line.who) for line in lines],
            len(await repository.publications_of(session, key)),
        )  # fmt: skip


def check_history(seen: Seen, taken: list[tuple[str, str]]) -> None:
    """Every step that went through stands there, in order, once, with its person; and nothing else does."""
    steps = seen.events[1:]
    assert [(event.action, event.who) for event in steps] == taken
    assert seen.trail == [("case_open", "system"), *((f"case_{action}", who) for action, who in taken)]
    assert seen.row.revision == len(steps)
    states = [State.TO_REVIEW.value, *(event.to_state for event in steps)]
    assert [event.from_state for event in steps] == states[:-1]
    assert seen.row.state == states[-1]
    for event in steps:
        assert TRANSITIONS[State(event.from_state), Step(event.action)] == event.to_state


def one_from(state: State, wish: int) -> str:
    """One of the steps that the table has from a state; of an end, one that there must not be."""
    steps = [step for step in steps_from(state) if step not in BESIDE] or [Step.CONFIRM]
    return steps[wish % len(steps)].value


def same(name: str) -> str:
    return name.replace(" ", "")


def check_fairness(seen: Seen) -> None:
    """Who confirmed decided no dispute; what counts was heard, told to the unit, and answered or left unanswered."""
    confirmers: set[str] = set()
    disputed = False
    deadline: datetime | None = None
    told = answered = False
    for event in seen.events[1:]:
        assert same(event.who) != LOCAL
        if event.action in ("uphold", "revoke", "overturn") and disputed:
            assert same(event.who) not in confirmers
        if event.action in ("propose", "confirm"):
            confirmers.add(same(event.who))
        if event.action == "notify":
            told, deadline = True, datetime.fromisoformat(event.content["notice"]["answer"]["until"])
        answered = answered or event.action == "accept"
        if event.action == "confirm":
            assert deadline is not None
            assert answered or event.at >= deadline
        disputed = event.action == "dispute" or (
            disputed and event.action not in ("uphold", "revoke", "overturn")
        )
        if event.to_state in COUNTING:
            assert told
            assert confirmers
            assert not disputed or event.from_state == "published"


async def counted(world: World, unit_id: int) -> tuple[int, int]:
    """Random checks and findings in the unit's score."""
    period = Period(THURSDAY - timedelta(days=1), world.at + timedelta(days=1))
    async with world.database.reading() as session:
        unit = await repository.unit(session, unit_id)
        assert unit is not None
        known = await scores.scales(session, period.until)
        (score,) = await scores.page(session, [unit], period, known, world.at, ZONE)
    return score.figures.n, score.figures.found


async def walk(world: World, way: tuple[str, ...], steps: list[tuple[int | str, str, int, int]]) -> None:
    """Take these steps with two cases of a new unit, and look after each."""
    unit, cases = await begin(world)
    taken: dict[int, list[tuple[str, str]]] = {key: [] for key in cases}
    states = dict.fromkeys(cases, State.TO_REVIEW)
    for step in way:
        assert await attempt(world, step, PEOPLE[0], cases[0])
        taken[cases[0]].append((step, PEOPLE[0]))
        states[cases[0]] = TRANSITIONS[states[cases[0]], Step(step)]
    for wish, who, position, wait_s in steps:
        world.at += timedelta(seconds=wait_s)
        key = cases[position]
        step = wish if isinstance(wish, str) else one_from(states[key], wish)
        if await attempt(world, step, who, key):
            taken[key].append((step, who))
        seen = await look(world, key)
        check_history(seen, taken[key])
        check_fairness(seen)
        assert seen.publications == sum(action == "publish" for action, _ in taken[key])
        states[key] = State(seen.row.state)
        world.reached.add(seen.row.state)
        counting = sum(state in ("confirmed", "published") for state in states.values())
        assert await counted(world, unit) == (CHECKS, counting)


def test_nothing_counts_unconfirmed_and_no_step_is_lost(world: World) -> None:
    @given(st.sampled_from(WAYS), STEPS)
    @example(
        WAYS[-1],
        [("dispute", "赵科长", 0, 60), ("overturn", " 王督查 ", 0, 60), ("overturn", "李督查", 0, 60)],
    )
    @example(
        WAYS[2], [("uphold", "王督查", 0, 60), ("uphold", "李督查", 0, 60), ("publish", "赵科长", 0, 60)]
    )
    # Without shrinking: each example is a walk through a database, and its steps read well as they are.
    @settings(max_examples=18, deadline=None, derandomize=True, phases=(Phase.explicit, Phase.generate))
    def any_steps(way: tuple[str, ...], steps: list[tuple[int | str, str, int, int]]) -> None:
        with clock.running(world.now):
            world.runner.run(walk(world, way, steps))

    any_steps()
    # What is never reached proves nothing.
    assert world.reached == {state.value for state in State}


@pytest.mark.parametrize("rounds", [3])
def test_of_many_who_step_at_once_each_step_that_is_told_stands(world: World, rounds: int) -> None:
    async def race() -> None:
        for _ in range(rounds):
            _, (case, _) = await begin(world)
            tries = [("propose", "A"), ("propose", "B"), ("revoke", "C"), ("notify", "D"), ("revoke", "E")]
            won = await asyncio.gather(*(attempt(world, step, who, case) for step, who in tries))
            seen = await look(world, case)
            told = sorted(pair for pair, through in zip(tries, won, strict=True) if through)
            assert sorted((event.action, event.who) for event in seen.events[1:]) == told
            assert seen.row.revision == len(told) >= 1

    with clock.running(world.now):
        world.runner.run(race())

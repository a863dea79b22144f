"""The draw: a pure function of a seed and its inputs, which anybody can repeat once the seed is revealed.

Guaranteed calls come first, one demand after the other, each uniform over the open time that the caps leave; where
chance runs into a corner, what is left is checked to be possible before each further call. The further calls of a
period are a Poisson number, whatever was drawn before, each uniform too: a unit that was checked keeps its chance of
another. Units are drawn independently of each other.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

from app.planning.contradictions import Completion, Contradiction, complete, contradictions
from app.planning.draw_inputs import DrawInputs, DrawInputsError
from app.planning.draw_load import Load, expected_load
from app.planning.draw_random import SEED_BYTES, Dice
from app.planning.draw_units import Board, Demand, Pick, UnitState, at_random

__all__ = [
    "SEED_BYTES",
    "Contradiction",
    "DrawInputs",
    "DrawInputsError",
    "DrawnSlot",
    "Load",
    "NotDrawableError",
    "commitment",
    "contradictions",
    "draw",
    "expected_load",
]
_BLIND_TRIES = 6
"""Moments that are drawn and dropped before all allowed time is worked out; the choice is as uniform either way."""
_DEMAND_TRIES = 6
"""How often the calls of one demand are drawn anew before the demand before it is too."""
_FARTHEST_BACK = 3
_FEW_STEPS_BACK = 10
"""Steps back of one unit before it is settled whether its calls can be placed at all."""
_MOST_STEPS_BACK = 200
"""Steps back after that; after them each call is checked to leave the rest possible."""
_CHECKED_TRIES = 6
_ROUNDS = 2
"""In which the calls of a crowded unit are drawn anew."""
Placed = tuple[Demand, Pick]
"""A call, and the period or year that it was drawn for."""


@dataclass(frozen=True, slots=True)
class DrawnSlot:
    """One order of a draw."""

    slot: int
    """Its number within the draw, in the order of time."""
    line_id: int
    unit_id: int
    at: datetime
    """Aware, in UTC, of whole seconds."""


class NotDrawableError(ValueError):
    """What the inputs guarantee cannot be kept."""

    def __init__(self, found: tuple[Contradiction, ...]) -> None:
        super().__init__("; ".join(str(each) for each in found[:3]))
        self.contradictions = found


def commitment(seed: bytes, inputs: DrawInputs) -> str:
    """Return the SHA-256, in hex, that binds a run to its seed and first inputs before anything is known of them."""
    return hashlib.sha256(b"dutyring.commitment/1\n" + seed + inputs.to_json().encode()).hexdigest()


def draw(seed: bytes, inputs: DrawInputs) -> tuple[DrawnSlot, ...]:
    """Return every order of a draw, in the order of time.

    Raises `NotDrawableError` where `contradictions` would name something, unless the inputs say to leave that out.
    """
    dice = Dice(seed, inputs.epoch)
    board = Board(inputs)
    found: list[tuple[int, int, int]] = []
    for unit in inputs.units:
        state = board.state(unit)
        if unit.lines:
            state, placed = _guaranteed(dice, board, state)
            placed += _further(dice, state)
            if state.crowded:
                placed = _stirred(dice, state, placed)
            found += [(pick.place.at, unit.lines[pick.line].line_id, unit.unit_id) for _, pick in placed]
        elif not inputs.best_effort and any(state.missing(demand) for demand in state.demands()):
            raise NotDrawableError(contradictions(inputs))
    return tuple(
        DrawnSlot(number, line_id, unit_id, datetime.fromtimestamp(at, UTC))
        for number, (at, line_id, unit_id) in enumerate(sorted(found))
    )


def _guaranteed(dice: Dice, board: Board, state: UnitState) -> tuple[UnitState, list[Placed]]:
    """Place what is guaranteed. Raises `NotDrawableError` for what cannot be, unless it may be left out."""
    placed = _blindly(dice, state, _FEW_STEPS_BACK)
    if placed is not None:
        return state, placed
    # Hard to place, or not to be placed at all: that is settled before more time is spent on it.
    state = board.state(state.unit)
    known = complete(state)
    if known.short and not state.inputs.best_effort:
        raise NotDrawableError(contradictions(state.inputs))
    for demand, lacking in known.short.items():
        state.waived[demand] += lacking
    state.crowded = True
    fresh = state.copy()
    placed = _blindly(dice, state, _MOST_STEPS_BACK)
    if placed is not None:
        return state, placed
    return fresh, _with_foresight(dice, fresh, known)


def _blindly(dice: Dice, state: UnitState, most_steps_back: int) -> list[Placed] | None:
    """Place what is guaranteed, each call without a thought of the next; None where that leads nowhere.

    A demand that finds no room is drawn anew together with the one before it.
    """
    demands = list(state.demands())
    placed: list[list[Pick]] = []
    steps_back = 0
    while len(placed) < len(demands):
        picks = _whole_demand(dice, state, demands[len(placed)])
        if picks is not None:
            placed.append(picks)
            continue
        steps_back += 1
        if not placed or steps_back > most_steps_back:
            return None
        # Further back each time, so that a corner is left in the end.
        for _ in range(min(len(placed), 1 + steps_back % _FARTHEST_BACK)):
            for pick in placed.pop():
                state.take(pick)
    return [(demand, pick) for demand, picks in zip(demands, placed, strict=True) for pick in picks]


def _whole_demand(dice: Dice, state: UnitState, demand: Demand) -> list[Pick] | None:
    """Place what one demand lacks; None, and nothing is placed, where a few tries find no room."""
    for _ in range(_DEMAND_TRIES):
        found: list[Pick] = []
        for _ in range(state.missing(demand)):
            pick = _any_moment(dice, state, demand)
            if pick is None:
                break
            state.put(pick)
            found.append(pick)
        if not state.missing(demand):
            return found
        for pick in found:
            state.take(pick)
    return None


def _any_moment(dice: Dice, state: UnitState, demand: Demand) -> Pick | None:
    """Choose a moment, each allowed second as likely as any other; None where there is none."""
    lines = state.lines
    spans = [line.open.span(*demand) for line in lines]
    seconds = [line.open.seconds(span) for line, span in zip(lines, spans, strict=True)]
    whole = sum(seconds)
    if whole == 0:
        return None
    for _ in range(_BLIND_TRIES):
        index, second = 0, dice.below(whole)
        while second >= seconds[index]:
            second -= seconds[index]
            index += 1
        line = lines[index]
        pick = Pick(index, line.open.place(spans[index], second))
        if line.fits(pick.place) and state.has_room(pick):
            return pick
        state.crowded = True
    free = state.free(demand)
    if not free:
        return None
    return at_random(free, dice.below(free[-1][0] + free[-1][1]))


def _with_foresight(dice: Dice, state: UnitState, known: Completion) -> list[Placed]:
    """Place what is guaranteed so that after each call the rest is possible; `known` holds a way to do it."""
    found: list[Placed] = []
    while lacking_demands := [each for each in state.demands() if state.missing(each)]:
        pick, known = _next_call(dice, state, lacking_demands[0], known)
        state.put(pick)
        found.append((lacking_demands[0], pick))
    return found


def _next_call(dice: Dice, state: UnitState, demand: Demand, known: Completion) -> tuple[Pick, Completion]:
    """Choose the next call; `known` holds a way to place all that is missing, and so does what is returned with it."""
    for _ in range(_CHECKED_TRIES):
        pick = _any_moment(dice, state, demand)
        if pick is None:
            break
        state.put(pick)
        rest = complete(state)
        state.take(pick)
        if not rest.short:
            return pick, rest
    serving = [pick for pick in known.picks if demand in state.served(pick)]
    pick = serving[dice.below(len(serving))]
    left = [each for each in known.picks if each is not pick]
    return pick, Completion(tuple(left))


def _further(dice: Dice, state: UnitState) -> list[Placed]:
    """Draw the calls that nothing guarantees, of each period as many as chance says and the caps allow."""
    inputs, unit = state.inputs, state.unit
    found: list[Placed] = []
    for number in range(len(inputs.periods)):
        demand: Demand = ("period", number)
        whole_s = sum(line.open.whole_s[number] for line in state.lines)
        rest_s = state.open_seconds(demand)
        if not rest_s:
            continue
        # What is over of the period has had its share.
        count = dice.poisson(inputs.extra_ppm * unit.weight_ppm * rest_s, 10**12 * whole_s)
        for _ in range(count):
            pick = _any_moment(dice, state, demand)
            if pick is None:
                break
            state.put(pick)
            found.append((demand, pick))
    return found


def _stirred(dice: Dice, state: UnitState, placed: list[Placed]) -> list[Placed]:
    """Draw each call anew among all that the others leave it, several times over.

    Where calls got in each other's way, those that were drawn first had the choice: the first days of a week would
    yield to the last days of the week before. Drawn in turns, no call has it, and the moments come close to what a
    choice among all arrangements would give.
    """
    found = [*placed]
    for _ in range(_ROUNDS):
        for number, (demand, pick) in enumerate(found):
            state.take(pick)
            # Its own moment is free again, so that there is always one.
            other = _any_moment(dice, state, demand) or pick
            state.put(other)
            found[number] = demand, other
    return found

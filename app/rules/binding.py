"""Which clauses of a set bind a unit on a day, and how. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from app.planning.calendar import DayInfo
from app.rules.format import Clause, RuleSet
from app.rules.own import Own

Binding = Literal["applies", "reference"]
BINDING_ZH: dict[str, str] = {"applies": "适用", "reference": "参照"}
OWN_DOCUMENT = "本单位依据文件"


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Of one order: whose line of which kind was called, on which days, under which regime of duty."""

    category: str
    """One of `app.directory.models.UNIT_CATEGORIES`."""
    days: tuple[DayInfo, ...]
    """Of each call that counts. A clause must hold on all of them."""
    duty_regime: str | None = None
    """None: not entered. A clause for certain regimes then does not bind."""
    leader_regime: str | None = None
    line_kind: str = "duty"


@dataclass(frozen=True, slots=True)
class Bound:
    """A clause that binds, as a proposal cites it."""

    clause: str
    source: str
    article: str
    words: str
    binding: Binding
    kind: str
    bans_all_forwarding: bool

    def to_dict(self) -> dict[str, str]:
        """Return what a proposal stores and a notice prints."""
        return {
            "id": self.clause,
            "source": self.source,
            "article": self.article,
            "words": self.words,
            "binding": self.binding,
            "binding_zh": BINDING_ZH[self.binding],
            "kind": self.kind,
        }


def binding_clauses(
    rules: RuleSet, own: Own | None, document: str | None, about: Circumstances
) -> tuple[Bound, ...]:
    """Return the clauses that bind under these circumstances, in the order of the set.

    `own` and `document` are of the activation; without one only clauses with words of a shipped document can bind,
    and nothing at all binds where there is no local document: no unit is named by a rule that nobody put in force.
    """
    if document is None:
        return ()
    found = []
    for clause in rules.clauses:
        how = binding_of(clause, own or Own(), about)
        if how is None:
            continue
        if clause.document is not None and clause.article is not None and clause.words is not None:
            source, article, words = rules.document(clause.document).citation, clause.article, clause.words
        elif own is not None and clause.id in own.words:
            local = own.words[clause.id]
            source, article, words = document, local.article, local.words
        else:
            continue
        found.append(Bound(clause.id, source, article, words, how, clause.kind, clause.bans_all_forwarding))
    return tuple(found)


def supporting(bound: Sequence[Bound], rules: RuleSet, codes: Collection[str]) -> tuple[Bound, ...]:
    """Return those of the binding clauses that support one of these findings."""
    supports = {clause.id for clause in rules.clauses if set(clause.findings) & set(codes)}
    return tuple(item for item in bound if item.clause in supports)


def binding_of(clause: Clause, own: Own, about: Circumstances) -> Binding | None:
    """How a clause binds, None where it does not."""
    if not all(_holds_on(clause, day) for day in about.days):
        return None
    narrowed: tuple[tuple[Sequence[str], str | None], ...] = (
        (clause.duty_regimes, about.duty_regime),
        (clause.leader_regimes, about.leader_regime),
        (clause.lines, about.line_kind),
    )
    if any(only and value not in only for only, value in narrowed):
        return None
    # What the office's own document says of its units goes before what the set says of categories in general.
    own_word = own.binds.get(about.category)
    if own_word is not None:
        return own_word
    if about.category in clause.applies:
        return "applies"
    return "reference" if about.category in clause.reference else None


def _holds_on(clause: Clause, day: DayInfo) -> bool:
    if not clause.days and not clause.sensitive:
        return True
    return day.kind in clause.days or (clause.sensitive and day.sensitive)

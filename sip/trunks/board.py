"""The board of alarms: a machine that is told what happened to calls, registrations and health checks.

Each thing told is turned into signs (`sip.trunks.signs`) that raise alarms, count towards them or clear them.

All times are POSIX seconds, for alarms are shown to people and kept over restarts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sip.numbers import same_number

from .alarms import MEANINGS, Alarm, AlarmKind
from .signs import (
    PHONE_WIDE,
    REACHABILITY,
    SURE_STATUSES,
    SURE_TROUBLES,
    CallFacts,
    contrary_signs,
    possible_signs,
    sure_signs,
    told,
)
from .status import Source, TrunkState, TrunkStatus

PHONE = "phone"
"""The name under which alarms stand that belong to no trunk."""


@dataclass(frozen=True, slots=True)
class Noted:
    """What came of telling the board something."""

    shown: tuple[AlarmKind, ...] = ()
    """Alarms that stand and of which this was a sign: what belongs in the call's record."""
    raised: tuple[AlarmKind, ...] = ()
    cleared: tuple[AlarmKind, ...] = ()


@dataclass(slots=True)
class _Standing:
    since: float
    last: float = 0.0
    count: int = 0
    detail: str = ""
    sources: set[Source] = field(default_factory=set)


@dataclass(slots=True)
class _Trunk:
    """What the board knows of one trunk."""

    registers: bool
    changed: float
    state: TrunkState = "unknown"
    reachable: bool | None = None
    bound_until: float | None = None
    refused: bool = False
    """The last REGISTER failed."""
    standing: dict[AlarmKind, _Standing] = field(default_factory=dict)
    streaks: dict[AlarmKind, list[str]] = field(default_factory=dict)
    """Different numbers in a row that showed a sign which is not sure."""

    def in_a_row(self, kind: AlarmKind, called: str) -> bool:
        """Count a number towards an alarm; whether there are enough different ones."""
        row = self.streaks.setdefault(kind, [])
        needed = MEANINGS[kind].needed
        if len(row) < needed and not any(same_number(called, number) for number in row):
            row.append(called)
        return len(row) >= needed


class AlarmBoard:
    """Keeps the alarms and states of all trunks. Pure: what it is told and the times it is told decide."""

    def __init__(self) -> None:
        self._trunks: dict[str, _Trunk] = {}
        self._changed: set[str] = set()

    def add_trunk(self, name: str, now: float, *, registers: bool = False) -> None:
        """Make a trunk known; one that is not, is made known without registration when it is first spoken of."""
        if name not in self._trunks:
            self._trunks[name] = _Trunk(registers, now, reachable=True if name == PHONE else None)
        known = self._trunks[name]
        known.registers = known.registers or registers
        self._settle(name, now)

    def forget(self, name: str) -> None:
        """A trunk is no longer used."""
        self._trunks.pop(name, None)

    def take_changed(self) -> tuple[str, ...]:
        """Names of the trunks of which state or alarms changed since this was asked last, sorted."""
        changed, self._changed = self._changed, set()
        return tuple(sorted(changed))

    def note_call(self, trunk: str, facts: CallFacts, now: float) -> Noted:
        """A call is over, or could not be placed."""
        known = self._known(trunk, now)
        signs = dict.fromkeys(sure_signs(facts), True)
        for kind in possible_signs(facts):
            signs.setdefault(kind, known.in_a_row(kind, facts.called))
        contrary = contrary_signs(facts) - signs.keys()
        for kind in contrary:
            known.streaks.pop(kind, None)
        sure = [kind for kind, is_sure in signs.items() if is_sure]
        if facts.status is not None or facts.alerted or facts.answered:
            known.reachable = True
        if REACHABILITY & set(sure):
            known.reachable = False
        return self._apply(trunk, "call", sure, contrary, facts.detail or told(facts), now)

    def note_registration(
        self,
        trunk: str,
        now: float,
        *,
        until: float | None,
        trouble: str | None = None,
        status: int | None = None,
        detail: str = "",
    ) -> Noted:
        """A REGISTER has ended. Without `trouble` and `status` it was accepted and the binding lasts `until`;
        otherwise `until` is how long the former binding stands, None without one.

        `trouble` is a key of `SURE_TROUBLES` or a `RegistrationProblem` of `sip.core`.
        """
        known = self._known(trunk, now)
        failed = trouble is not None or status is not None
        had_binding = known.bound_until is not None
        known.registers, known.refused, known.bound_until = True, failed, until
        if not failed:
            known.reachable = True
            cleared = {
                AlarmKind.REGISTRATION_FAILED,
                AlarmKind.REGISTRATION_EXPIRED,
                *_PASSABLE,
                *REACHABILITY,
            }
            return self._apply(trunk, "registration", [], cleared, detail, now)
        signs = [AlarmKind.REGISTRATION_FAILED]
        if had_binding and (until is None or until <= now):
            signs.append(AlarmKind.REGISTRATION_EXPIRED)
        cause = SURE_TROUBLES.get(trouble or "") or (
            SURE_STATUSES.get(status) if status is not None else None
        )
        if status == 503 or trouble == "overloaded":
            cause = AlarmKind.TRUNK_OVERLOADED
        signs += [cause] if cause is not None else []
        known.reachable = status is not None or (cause not in REACHABILITY and known.reachable)
        contrary = REACHABILITY if status is not None else frozenset()
        return self._apply(trunk, "registration", signs, contrary, detail or trouble or f"{status}", now)

    def note_unregistered(self, trunk: str, now: float) -> Noted:
        """We gave the registration up ourselves: nothing is wrong, and nothing is bound."""
        known = self._known(trunk, now)
        known.refused, known.bound_until = False, None
        cleared = {AlarmKind.REGISTRATION_FAILED, AlarmKind.REGISTRATION_EXPIRED}
        return self._apply(trunk, "registration", [], cleared, "", now)

    def note_health(
        self,
        trunk: str,
        now: float,
        *,
        up: bool,
        status: int | None = None,
        trouble: str | None = None,
        detail: str = "",
    ) -> Noted:
        """An OPTIONS has ended: any response is `up`. `trouble` as in `CallFacts`, where none came."""
        self._known(trunk, now).reachable = up
        if not up:
            kind = SURE_TROUBLES.get(trouble or "timeout", AlarmKind.TRUNK_UNREACHABLE)
            return self._apply(trunk, "health", [kind], (), detail or "no response to OPTIONS", now)
        overloaded = status == 503
        signs = [AlarmKind.TRUNK_OVERLOADED] if overloaded else []
        cleared = REACHABILITY if overloaded else REACHABILITY | {AlarmKind.TRUNK_OVERLOADED}
        return self._apply(trunk, "health", signs, cleared, detail or f"{status} to OPTIONS", now)

    def note_clock(self, synchronised: bool | None, now: float) -> Noted:
        """What the kernel says of the clock; None, where it says nothing, changes nothing."""
        kind = AlarmKind.CLOCK_UNSYNCHRONISED
        if synchronised is None:
            return Noted()
        return self._apply(
            PHONE, "phone", [] if synchronised else [kind], {kind} if synchronised else (), "", now
        )

    def note_engine(self, *, full: bool, detail: str, now: float) -> Noted:
        """What the media engine says of its room for calls; `full`: it takes no more."""
        kind = AlarmKind.MEDIA_ENGINE_FULL
        if full:
            return self._apply(PHONE, "phone", [kind], (), detail, now)
        # A call that it had refused says so too, and cannot know that there is room again.
        refused = self._apply(PHONE, "call", [], {kind}, "", now)
        cleared = self._apply(PHONE, "phone", [], {kind}, "", now).cleared
        return Noted((), (), refused.cleared + cleared)

    def note_flood(self, detail: str | None, now: float) -> Noted:
        """Our SIP ports are flooded as `detail` says, None: no more."""
        kind = AlarmKind.FLOODED
        signs, contrary = ([kind], ()) if detail is not None else ([], (kind,))
        return self._apply(PHONE, "phone", signs, contrary, detail or "", now)

    def advance(self, now: float) -> None:
        """Let time pass: bindings run out."""
        for name, trunk in self._trunks.items():
            if trunk.bound_until is not None and trunk.bound_until <= now:
                trunk.bound_until = None
                detail = "the binding ran out and was not renewed"
                self._apply(name, "registration", [AlarmKind.REGISTRATION_EXPIRED], (), detail, now)

    def status(self, trunk: str, now: float, calls_now: int = 0) -> TrunkStatus:
        """How a trunk is at this moment."""
        self.advance(now)
        known = self._known(trunk, now)
        alarms = tuple(
            Alarm(kind, s.since, s.last, s.count, s.detail)
            for kind, s in sorted(known.standing.items(), key=lambda item: (item[1].since, item[0]))
        )
        return TrunkStatus(
            name=trunk,
            state=known.state,
            since=known.changed,
            registers=known.registers,
            registered_until=known.bound_until,
            calls_now=calls_now,
            alarms=alarms,
        )

    def statuses(self, now: float, calls_now: Mapping[str, int] | None = None) -> tuple[TrunkStatus, ...]:
        """How all trunks are, and the phone itself where an alarm has ever stood against it."""
        counts = calls_now or {}
        return tuple(self.status(name, now, counts.get(name, 0)) for name in list(self._trunks))

    def _known(self, trunk: str, now: float) -> _Trunk:
        self.add_trunk(trunk, now)
        return self._trunks[trunk]

    def _apply(
        self,
        trunk: str,
        source: Source,
        signs: Iterable[AlarmKind],
        contrary: Iterable[AlarmKind],
        detail: str,
        now: float,
    ) -> Noted:
        shown = list(dict.fromkeys(signs))
        raised = [kind for kind in shown if self._raise(trunk, kind, source, detail, now)]
        cleared = [kind for kind in contrary if kind not in shown and self._clear(trunk, kind, source, now)]
        self._settle(trunk, now)
        return Noted(tuple(shown), tuple(raised), tuple(sorted(cleared)))

    def _raise(self, trunk: str, kind: AlarmKind, source: Source, detail: str, now: float) -> bool:
        """Keep what `source` showed; whether the alarm is new by that."""
        name = PHONE if kind in PHONE_WIDE else trunk
        holder = self._known(name, now)
        is_new = kind not in holder.standing
        standing = holder.standing.setdefault(kind, _Standing(now))
        standing.last, standing.detail = now, detail
        standing.count += 1
        standing.sources.add(source)
        self._changed.update({name} if is_new else ())
        return is_new

    def _clear(self, trunk: str, kind: AlarmKind, source: Source, now: float) -> bool:
        """Take back what `source` showed; whether the alarm is gone by that."""
        name = PHONE if kind in PHONE_WIDE else trunk
        standing = self._trunks[name].standing.get(kind) if name in self._trunks else None
        if standing is None:
            return False
        standing.sources.discard(source)
        if standing.sources and kind not in REACHABILITY:
            return False
        del self._trunks[name].standing[kind]
        self._changed.add(name)
        return True

    def _settle(self, name: str, now: float) -> None:
        if name not in self._trunks:
            return  # nothing has ever stood against the phone
        trunk = self._trunks[name]
        state = _state(trunk)
        if state != trunk.state:
            trunk.state, trunk.changed = state, now
            self._changed.add(name)


_PASSABLE = frozenset({AlarmKind.BAD_CREDENTIALS, AlarmKind.TRUNK_OVERLOADED})
"""What a successful REGISTER takes back, as far as a REGISTER had shown it."""


def _state(trunk: _Trunk) -> TrunkState:
    if trunk.reachable is False:
        return "down"
    if trunk.registers:
        if trunk.bound_until is not None:
            return "up"
        ran_out = AlarmKind.REGISTRATION_EXPIRED in trunk.standing
        return "down" if trunk.refused or ran_out else "registering"
    return "up" if trunk.reachable else "unknown"

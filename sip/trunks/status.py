"""How a trunk is at one moment, as a value that travels between processes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from .alarms import Alarm

TrunkState = Literal["unknown", "registering", "up", "down"]
"""`unknown`: never heard of; `registering`: no binding yet, and none refused; `up`: registered, or, without
registration, it answered last; `down`: it did not answer last, or refuses our registration."""
Source = Literal["call", "registration", "health", "phone"]
STATES: tuple[TrunkState, ...] = get_args(TrunkState)


@dataclass(frozen=True, slots=True)
class TrunkStatus:
    """How a trunk is. Times are POSIX seconds."""

    name: str
    state: TrunkState
    since: float
    """When it came into this state."""
    registers: bool = False
    registered_until: float | None = None
    calls_now: int = 0
    alarms: tuple[Alarm, ...] = ()
    """What stands against it, oldest first."""

    @property
    def is_well(self) -> bool:
        """Whether it is up and nothing stands against it."""
        return self.state == "up" and not self.alarms

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object."""
        return {
            "name": self.name,
            "state": self.state,
            "since": self.since,
            "registers": self.registers,
            "registered_until": self.registered_until,
            "calls_now": self.calls_now,
            "alarms": [alarm.to_dict() for alarm in self.alarms],
        }

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> TrunkStatus:
        """Read what `to_dict` gave. Raises `ValueError` or `KeyError` for anything else."""
        state = stored["state"]
        if state not in STATES:
            raise ValueError(f"a trunk's state is one of {', '.join(STATES)}, not {state!r}")
        until = stored.get("registered_until")
        return cls(
            name=str(stored["name"]),
            state=state,
            since=float(stored["since"]),
            registers=bool(stored.get("registers")),
            registered_until=None if until is None else float(until),
            calls_now=int(stored.get("calls_now", 0)),
            alarms=tuple(Alarm.from_dict(alarm) for alarm in stored.get("alarms", ())),
        )

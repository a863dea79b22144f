"""What the dispatcher needs of a phone: the `CallPlacer` port."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from sip.record import CallRecord, RecordingInfo

Journal = Callable[[dict[str, Any]], Awaitable[None]]
"""Takes a JSON-able dialog snapshot and returns once it is committed."""


@dataclass(frozen=True, slots=True)
class CallOrder:
    """What to dial, and where the sound goes."""

    target: str
    recording_name: str
    """Name of the recording, without suffix, inside the recordings folder; unique."""
    owner: str | None = None
    """What stands for the unit whose line it is; None where there is none."""
    ring_history_ms: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """Post-dial delays of the line's earlier calls, by the name of the trunk."""
    same_unit: tuple[str, ...] = ()
    """Numbers of the line's unit, its pilot numbers among them."""
    opening: Path | None = None
    """Sound file that is played as soon as the call is answered; None: the one of the settings, if any."""
    closing: Path | None = None
    """Sound file that is played before we hang up on somebody who has answered; None: none."""
    prefer_trunk: str | None = None
    """Name of the trunk that is tried first."""
    avoid_trunk: str | None = None
    """Name of the trunk that is tried last: another one may carry the call."""
    max_ring_s: float | None = None
    """Seconds of ringing; None: those of the settings."""
    max_talk_s: float | None = None
    """Seconds after the answer until we hang up; None: those of the settings."""


class CallPlacer(Protocol):
    """A phone that places calls and keeps their sound."""

    @property
    def capacity(self) -> int | None:
        """Most calls at one time, as far as our lines are concerned; None: no limit."""
        ...

    async def refused(self, targets: Collection[str]) -> frozenset[str]:
        """Those of these targets that our own rules forbid to dial."""
        ...

    async def place(self, order: CallOrder, journal: Journal) -> CallRecord:
        """Dial once. Its record's `recording.path` is inside the recordings folder."""
        ...

    def stop_call(self, recording_name: str) -> None:
        """End the call of this recording at once: CANCEL while it rings, after the answer one closing sentence and BYE.

        Its record is of outcome `cancelled`. Does nothing for a call that is not under way.
        """
        ...

    def stop(self) -> None:
        """End every call under way in good order: CANCEL or BYE, and a record of outcome `cancelled`."""
        ...

    async def recover(self, snapshot: dict[str, Any]) -> None:
        """End what a killed process left of this dialog."""
        ...

    async def repair(self, names: Sequence[str]) -> Mapping[str, RecordingInfo]:
        """Finish the recordings that a killed process left; return those of `names` that there are."""
        ...

"""How the phone's media engine fares, for the figures of the service: one small file beside the live board.

It holds counts and times of this machine, nothing of any call, and is written anew every few seconds.
"""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import asdict, dataclass
from typing import Protocol, runtime_checkable

import structlog

from app import clock
from app.checks.live_board import folder_of
from app.database import make_private_folder
from app.settings import Settings
from sip.media import CapacityEstimate

log = structlog.get_logger(__name__)
TELL_S = 5.0
STALE_S = 20.0
"""What is older than this is a dead phone's."""
_FILE = "engine.json"


@dataclass(frozen=True, slots=True)
class EngineFigures:
    """The media engine, lately."""

    calls: int
    """Calls in it."""
    limit: int
    """How many it carries, measured."""
    tick_ms_p99: float
    """What its longest ticks take of their 20 ms."""


@runtime_checkable
class MeasuredPhone(Protocol):
    """What is needed of a phone; one that has it not is not told of."""

    def capacity_estimate(self) -> CapacityEstimate:
        """How many calls this machine carries at once."""
        ...


async def tell(phone: MeasuredPhone, settings: Settings) -> None:
    """Write the figures until cancelled."""
    while True:
        estimate = phone.capacity_estimate()
        figures = EngineFigures(estimate.sessions, estimate.calls, estimate.tick_ms_p99)
        try:
            await asyncio.to_thread(publish, settings, figures)
        except OSError:
            # Calls go on without figures of them, and the next ones may be written.
            log.exception("the figures of the media engine could not be written")
        await asyncio.sleep(TELL_S)


def publish(settings: Settings, figures: EngineFigures) -> None:
    """Write the figures; who reads them meets the old ones or the new ones."""
    folder = folder_of(settings)
    make_private_folder(folder)
    beside = folder / "engine.new"
    descriptor = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump({"at": clock.now().timestamp(), **asdict(figures)}, file)
    beside.replace(folder / _FILE)


def read(settings: Settings) -> EngineFigures | None:
    """The figures; None where no phone has written them lately."""
    try:
        content = json.loads((folder_of(settings) / _FILE).read_text(encoding="utf-8"))
        if abs(clock.now().timestamp() - float(content.pop("at"))) > STALE_S:
            return None
        return EngineFigures(**content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
